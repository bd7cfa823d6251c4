"""Check the arguments of optimisers: betas, parameters and saved states."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..errors import ArgumentError, DtypeError
from ..support.abstract_array import Array
from ..support.validation import check_number, require_unmasked, short_repr

COUNTS = {"step", "steps", "iterations", "updates"}  # entries of states
MAX_COUNT = 1 << 53  # above, a float doesn't hold every integer


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
    nonnegative: Collection[str] = (),
) -> dict[str, Array]:
    """Return copies of the entries of a saved state with the names and shapes of `entries`.

    Arrays must have the dtypes, too; lists and numbers get them. `fits` may accept another shape of
    an entry; those whose names end with one of `nonnegative` must not be negative, and counts of
    steps must be whole. Raises `ArgumentError` that names every mismatch.
    """
    if not isinstance(state, Mapping):
        raise ArgumentError(
            f"{where}: state must be a dict of arrays by name, got {type(state).__name__}"
        )
    wrong = [f"{name} is missing" for name in entries if name not in state]
    wrong += [f"{short_repr(name)} is unknown" for name in state if name not in entries]
    for name in entries:
        require_unmasked(where, f"{name!r:.80}", state.get(name))
    arrays = {name: copy_entry(state[name]) for name in entries if name in state}
    for name, array in arrays.items():
        own = np.asarray(entries[name])
        stated = isinstance(state[name], (np.ndarray, np.generic))
        same = not stated or array.dtype.newbyteorder("=") == own.dtype
        if array.dtype.kind not in "fiu" or not (
            same and (array.shape == own.shape or fits(name, array))
        ):
            wrong.append(
                f"{name} is {array.dtype} of shape {array.shape}, not {own.dtype} of {own.shape}"
            )
            continue
        kind = name.rpartition(".")[2]
        if kind in nonnegative and (array < 0).any():
            wrong.append(f"{name} must be >= 0, got {array.min()}")
        whole = (array == np.floor(array)) & (array < MAX_COUNT)  # nan isn't
        if kind in COUNTS and not whole.all():
            wrong.append(f"{name} must be an integer below {MAX_COUNT}, got {array}")
    if wrong:
        raise ArgumentError(
            f"{where}: state must have the names, shapes and dtypes of state_dict(): "
            f"{'; '.join(wrong)}"
        )
    return arrays


def copy_entry(given: Any) -> Array:
    """Return an entry of a state as a new array; lists of unequal lengths as one of objects."""
    try:
        return np.array(given)
    except ValueError:
        return np.array(None)
