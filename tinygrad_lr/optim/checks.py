"""Check the arguments of optimisers: betas, parameters and saved states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..errors import ArgumentError, DtypeError
from ..support.abstract_array import Array
from ..support.validation import check_number, short_repr


def check_betas(where: str, given: Any) -> tuple[float, float]:
    """Return two numbers >= 0 and < 1. Raises `ArgumentError` for anything else."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ArgumentError(f"{where}: betas must be a pair of numbers, got {short_repr(given)}")
    first, second = given
    return (
        check_number(where, "betas[0]", first, below=1),
        check_number(where, "betas[1]", second, below=1),
    )


def check_parameters(where: str, given: Any) -> list[Value]:
    """Return a list of one or more distinct leaves. Raises an error for anything else."""
    alone = isinstance(given, Value) or getattr(given, "ndim", 1) == 0
    single = alone or not isinstance(given, Iterable) or isinstance(given, type)
    parameters = [given] if single else list(given.items() if isinstance(given, dict) else given)
    if not parameters:
        raise ArgumentError(f"{where}: parameters must have at least one Value, got an empty list")
    for position, x in enumerate(parameters):
        if single or not isinstance(x, Value):
            found = type(x).__name__ if single else f"{type(x).__name__} at {position}"
            cure = "; pass model.parameters()" if hasattr(x, "named_parameters") else ""
            raise DtypeError(f"{where}: parameters must be a list of Values, got {found}{cure}")
        if x.record is not None:
            raise ArgumentError(
                f"{where}: parameter {position} must be a leaf of the graph, got a Value computed "
                f"by {x.record.operation.name}; pass the Values that it was computed from"
            )
    require_distinct(where, parameters)
    return parameters


def check_values(where: str, given: Any) -> None:
    """Raise `DtypeError` unless this is a list of Values."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(x, Value) for x in given):
        raise DtypeError(f"{where}: parameters must be a list of Values, got {short_repr(given)}")


def require_distinct(where: str, parameters: Sequence[Value]) -> None:
    """Raise `ArgumentError` for a parameter that is listed twice."""
    first = {id(x): position for position, x in reversed(list(enumerate(parameters)))}
    for position, x in enumerate(parameters):
        if first[id(x)] != position:
            raise ArgumentError(
                f"{where}: parameters must be distinct, "
                f"got the same Value at {first[id(x)]} and {position}"
            )


def check_state(
    where: str,
    state: Mapping[str, Any],
    entries: Mapping[str, Any],
    fits: Callable[[str, Array], bool] = lambda name, array: False,
) -> dict[str, Array]:
    """Return copies of the entries of a saved state with the names and shapes of `entries`.

    `fits` may accept another shape of an entry. Raises `ArgumentError` that names every mismatch.
    """
    if not isinstance(state, Mapping):
        raise ArgumentError(
            f"{where}: state must be a dict of arrays by name, got {type(state).__name__}"
        )
    wrong = [f"{name} is missing" for name in entries if name not in state]
    wrong += [f"{short_repr(name)} is unknown" for name in state if name not in entries]
    arrays = {name: np.array(state[name]) for name in entries if name in state}
    for name, array in arrays.items():
        shape = np.shape(entries[name])
        if array.dtype.kind not in "fiub" or not (array.shape == shape or fits(name, array)):
            wrong.append(f"{name} is {array.dtype} of shape {array.shape}, not {shape}")
    if wrong:
        raise ArgumentError(
            f"{where}: state must have the names and shapes of state_dict(): {'; '.join(wrong)}"
        )
    return arrays
