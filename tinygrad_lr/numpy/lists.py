"""NumPy's functions for lists with Values in them, which NumPy would convert: `np.sum([v, 1.0])`.

NumPy asks arguments for their own functions, but doesn't look into lists; those with Values are
stacked before it is called. Without such lists it is called as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.conversion import has_value, join
from ..errors import ArgumentError

OF_SEVERAL = frozenset(
    {
        *("choose", "column_stack", "concat", "concatenate", "dstack", "hstack", "multi_dot"),
        *("piecewise", "select", "stack", "vstack"),
    }
)
"""Functions that take lists of arrays: the lists in these are stacked, each for itself."""
NESTED = frozenset({"block", "pad"})
"""Functions that look into lists themselves."""
UFUNC_METHODS = ("accumulate", "at", "outer", "reduce", "reduceat")


def is_dispatched(function: Any) -> bool:
    """Return True for a function of NumPy that asks its arguments for their own implementation."""
    dispatched = isinstance(function, np.ufunc) or hasattr(function, "_implementation")
    return dispatched and function.__name__ not in NESTED


def taking_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of NumPy that takes lists with Values in them too.

    A ufunc's has its attributes and methods: `np.add.reduce`, `np.add.nin`.

    >>> taking_lists(np.sum)([Value(1.0), 2.0])
    Value(data=3.0, grad=None)
    """
    of_several = getattr(function, "__name__", "") in OF_SEVERAL

    def joined(x: Any) -> Any:
        if not (isinstance(x, (list, tuple)) and has_value(x)):
            return x
        return [join(y) for y in x] if of_several else join(x)

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for x in (*args, *options.values()):
            if type(x) is list or type(x) is tuple:
                args = tuple(map(joined, args))
                options = {name: joined(y) for name, y in options.items()}
                break
        return function(*args, **options)

    if isinstance(function, np.ufunc):
        for name in dir(function):
            if not name.startswith("_"):
                own = getattr(function, name)
                setattr(call, name, taking_lists(own) if name in UFUNC_METHODS else own)
    return call


class Joined:
    """`np.r_` and `np.c_` of Values: numbers, arrays, lists and slices within brackets, joined."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, key: Any) -> Any:
        """Return what stands in the brackets as one array."""
        parts = key if isinstance(key, tuple) else (key,)
        plain = getattr(np, self._name)
        if not has_value(parts):
            return plain[key]
        if any(isinstance(x, str) for x in parts):
            raise ArgumentError(
                f"np.{self._name}: with Values the entries must be numbers, arrays or slices, got "
                "text; use np.stack or np.concatenate"
            )
        arrays = [np.r_[x] if isinstance(x, slice) else np.atleast_1d(join(x)) for x in parts]
        return np.concatenate(arrays) if self._name == "r_" else _columns(arrays)


def _columns(arrays: list[Any]) -> Any:
    """Join along the last axis; one of a single axis is a column."""
    return np.concatenate([x[:, None] if np.ndim(x) == 1 else x for x in arrays], axis=-1)
