"""Signatures: what two calls must have in common to share a program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import DtypeError, ShapeError

MAX_DIMENSIONS = 32  # that NumPy broadcasts

MAX_ITEM_BYTES = 8  # of a float64; a long double has more


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
        if x.dtype.kind not in "fiub" or x.dtype.itemsize > MAX_ITEM_BYTES:
            raise DtypeError(
                f"{where}: arrays must have a float, integer or boolean dtype, got {x.dtype}"
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
    if kind is list or kind is tuple:
        return (kind, *(signature_key(where, inner, leaves) for inner in x))
    if kind is dict:
        return (dict, *((name, signature_key(where, inner, leaves)) for name, inner in x.items()))
    if isinstance(x, (np.ndarray, np.generic)):
        if not isinstance(x, (np.generic, np.memmap)):
            raise DtypeError(
                f"{where}: arrays must be plain, got {kind.__name__}; pass what it holds as an "
                "array: array.filled(...) of a masked one, np.asarray(array) of others"
            )
        array = np.asarray(x)
        return signature_key(where, array, leaves)
    try:
        hash(x)
    except TypeError:
        return (kind, ByIdentity(x))
    return (kind, x)


class ByIdentity:
    """A key for an object that is equal to itself alone."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.x is self.x

    def __hash__(self) -> int:
        return id(self.x)
