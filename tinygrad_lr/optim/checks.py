"""The arguments of optimisers, checked: hyperparameters and lists of parameters."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, bad_argument
from ..value import Value


def checked_number(where: str, name: str, given: Any, *, positive: bool = False) -> float:
    """A finite number from 0, or above 0. Raises `ArgumentError` for anything else."""
    real = isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_))
    if real and math.isfinite(given) and (given > 0 if positive else given >= 0):
        return float(given)
    raise ArgumentError(
        bad_argument(
            where,
            f"{name} is out of range" if real else f"{name} is no number",
            expected="a finite number > 0" if positive else "a finite number, 0 or more",
            given=f"{given!r:.60}",
        )
    )


def checked_parameters(where: str, given: Any) -> list[Value]:
    """Different leaves, one at least, or the error."""
    single = isinstance(given, Value) or hasattr(given, "parameters")
    parameters = [given] if single else list(given.items() if isinstance(given, dict) else given)
    if not parameters:
        raise ArgumentError(
            bad_argument(
                where,
                "there are no parameters",
                expected="one Value or more",
                given="an empty list",
            )
        )
    for position, x in enumerate(parameters):
        if single or not isinstance(x, Value):
            module = hasattr(x, "parameters")
            raise DtypeError(
                bad_argument(
                    where,
                    "parameters is no list of Values",
                    expected="a list of Values",
                    given=f"{type(x).__name__}" if single else f"{type(x).__name__} at {position}",
                    cure="pass model.parameters()" if module else "",
                )
            )
        if x._record is not None:
            raise ArgumentError(
                bad_argument(
                    where,
                    f"parameter {position} is a result",
                    expected="leaves of the graph",
                    given=f"a Value computed by {x._record[0].name}",
                    cure="pass the Values that it was computed from",
                )
            )
    first = {id(x): position for position, x in reversed(list(enumerate(parameters)))}
    for position, x in enumerate(parameters):
        if first[id(x)] != position:
            raise ArgumentError(
                bad_argument(
                    where,
                    "a parameter is listed twice",
                    expected="each parameter once",
                    given=f"the same Value at {first[id(x)]} and {position}",
                )
            )
    return parameters
