"""Signatures: what two calls must have in common to share a program."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import DtypeError, ShapeError
from ..tracing.guards import is_same

MAX_DIMENSIONS = 32  # that NumPy broadcasts

MAX_ITEM_BYTES = {"f": 8, "c": 16}  # of float64 and complex128; long doubles have more


def parameter_names(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters; an empty list if it has no signature."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def signature_key(where: str, x: Any, leaves: list[Any]) -> Any:
    """Return what must be equal for a program to fit an argument; its arrays go to `leaves`."""
    kind = type(x)
    if kind is np.ndarray:
        kind = x.dtype.kind
        if kind not in "fiubc" or x.dtype.itemsize > MAX_ITEM_BYTES.get(kind, 8):
            raise DtypeError(
                f"{where}: arrays must have a float, complex, integer or boolean dtype, got "
                f"{x.dtype}"
            )
        if x.ndim > MAX_DIMENSIONS:
            raise ShapeError(
                f"{where}: arrays must have at most {MAX_DIMENSIONS} dimensions, got {x.ndim}"
            )
        leaves.append(x)
        return (x.shape, x.dtype)
    if kind is float:
        leaves.append(x)
        return float
    if kind is Value:
        leaves.append(x)
        content = x._content
        number = type(content) is float
        return (Value, x.requires_grad, float if number else (content.shape, content.dtype))
    if isinstance(x, Value):  # written to: its newest version
        return signature_key(where, x._current(), leaves)
    if is_nest(x):
        if kind is not dict:
            return (kind, *(signature_key(where, inner, leaves) for inner in x))
        return (dict, *((name, signature_key(where, inner, leaves)) for name, inner in x.items()))
    if isinstance(x, (np.ndarray, np.generic)):
        if not isinstance(x, (np.generic, np.memmap)):
            raise DtypeError(
                f"{where}: arrays must be plain, got {kind.__name__}; pass what it holds as an "
                "array: array.filled(...) of a masked one, np.asarray(array) of others"
            )
        key = signature_key(where, np.asarray(x), leaves)
        return (np.generic, key) if isinstance(x, np.generic) else key
    return object_key(x)


def is_nest(x: Any) -> bool:
    """Return True for the lists, tuples and dicts whose arrays are arguments themselves.

    Those of other classes are objects, which functions may read and change in other ways.
    """
    kind = type(x)
    return kind in {list, tuple, dict} or (isinstance(x, tuple) and hasattr(x, "_fields"))


def object_key(x: Any) -> Any:
    """Return what must be equal for a program to fit an argument that isn't an array."""
    kind = type(x)
    if kind in {int, bool, str, bytes, type(None)}:
        return (kind, x)
    try:
        hash(x)
    except TypeError:
        return (kind, Key(x, id(x)))
    return (kind, Key(x, hash(x)))


class Key:
    """A key for an object, equal only to that of an object that code can't tell from it."""

    def __init__(self, x: Any, number: int) -> None:
        self.x, self.number = x, number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and is_interchangeable(other.x, self.x)

    def __hash__(self) -> int:
        return self.number


def is_interchangeable(a: Any, b: Any) -> bool:
    """Return True for the same object, and for plain data of the same types and values."""
    if a is b:
        return True
    kind = type(a)
    if type(b) is not kind:
        return False
    if dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        if hasattr(kind, "__slots__") or vars(a).keys() != vars(b).keys():
            return False
        return all(is_interchangeable(x, vars(b)[name]) for name, x in vars(a).items())
    if kind in {tuple, frozenset} or (isinstance(a, tuple) and hasattr(a, "_fields")):
        return len(a) == len(b) and all(map(is_interchangeable, a, b))
    if kind in {types.MethodType, types.BuiltinMethodType, types.MethodWrapperType}:
        return a.__self__ is b.__self__ and bool(a == b)
    return is_same(a, b)
