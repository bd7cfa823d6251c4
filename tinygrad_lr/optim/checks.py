"""The arguments of optimisers, checked: hyperparameters, parameters, groups and saved states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..errors import ArgumentError, DtypeError, refuse
from ..support.abstract_array import Array
from ..support.validation import check_number


def checked_betas(where: str, given: Any) -> tuple[float, float]:
    """Two numbers from 0, below 1. Raises `ArgumentError` for anything else."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        refuse(
            ArgumentError,
            where,
            "betas is no pair",
            expected="two numbers from 0, below 1",
            given=f"{given!r:.60}",
        )
    first, second = given
    return (
        check_number(where, "betas[0]", first, below=1),
        check_number(where, "betas[1]", second, below=1),
    )


def checked_parameters(where: str, given: Any) -> list[Value]:
    """Different leaves, one at least, or the error."""
    single = isinstance(given, Value) or not hasattr(given, "__iter__")
    parameters = [given] if single else list(given.items() if isinstance(given, dict) else given)
    if not parameters:
        refuse(
            ArgumentError,
            where,
            "there are no parameters",
            expected="one Value or more",
            given="an empty list",
        )
    for position, x in enumerate(parameters):
        if single or not isinstance(x, Value):
            module = hasattr(x, "named_parameters")
            refuse(
                DtypeError,
                where,
                "parameters is no list of Values",
                expected="a list of Values",
                given=f"{type(x).__name__}" if single else f"{type(x).__name__} at {position}",
                cure="pass model.parameters()" if module else "",
            )
        if x._record is not None:
            refuse(
                ArgumentError,
                where,
                f"parameter {position} is a result",
                expected="leaves of the graph",
                given=f"a Value computed by {x._record[0].name}",
                cure="pass the Values that it was computed from",
            )
    check_different(where, parameters)
    return parameters


def check_different(where: str, parameters: Sequence[Value]) -> None:
    """Raises `ArgumentError` for a parameter that is there twice."""
    first = {id(x): position for position, x in reversed(list(enumerate(parameters)))}
    for position, x in enumerate(parameters):
        if first[id(x)] != position:
            refuse(
                ArgumentError,
                where,
                "a parameter is listed twice",
                expected="each parameter once",
                given=f"the same Value at {first[id(x)]} and {position}",
            )


def checked_group(where: str, given: Any, known: Sequence[str]) -> dict[str, Any]:
    """A copy of a group of parameters with its hyperparameters, if it is one, or the error."""
    if not isinstance(given, dict):
        expected, kind = "dicts with the key 'parameters' only", type(given).__name__
        refuse(DtypeError, where, "no group of parameters", expected=expected, given=kind)
    if "parameters" not in given:
        keys = ", ".join(map(repr, given)) or "an empty dict"
        expected = "a list of Values under 'parameters'"
        refuse(ArgumentError, where, "there are no parameters", expected=expected, given=keys)
    for name in given:
        if name != "parameters" and name not in known:
            import difflib  # a millisecond, for an error only

            near = difflib.get_close_matches(str(name), ["parameters", *known], n=1, cutoff=0.5)
            refuse(
                ArgumentError,
                where,
                f"{name!r:.60} is no hyperparameter",
                expected=f"parameters, {', '.join(known)}",
                given=f"{name!r:.60}",
                cure=f"did you mean {near[0]!r}?" if near else "",
            )
    return dict(given)


def checked_state(
    where: str,
    state: Mapping[str, Any],
    entries: Mapping[str, Any],
    fits: Callable[[str, Array], bool] = lambda name, array: False,
) -> dict[str, Array]:
    """Copies of the entries of a saved state, if they have the names and shapes of `entries`.

    `fits` may allow an entry another shape. Raises `ArgumentError` that names all that do not fit.
    """
    if not isinstance(state, Mapping):
        expected, given = "arrays by name", type(state).__name__
        refuse(ArgumentError, where, "no dict", expected=expected, given=given)
    wrong = [f"{name} is missing" for name in entries if name not in state]
    wrong += [f"{name!r:.80} is unknown" for name in state if name not in entries]
    arrays = {name: np.array(state[name]) for name in entries if name in state}
    for name, array in arrays.items():
        shape = np.shape(entries[name])
        if array.dtype.kind not in "fiub" or not (array.shape == shape or fits(name, array)):
            wrong.append(f"{name} is {array.dtype} of shape {array.shape}, not {shape}")
    if wrong:
        refuse(
            ArgumentError,
            where,
            "the entries do not fit",
            expected="the names and shapes of state_dict()",
            given="; ".join(wrong),
        )
    return arrays
