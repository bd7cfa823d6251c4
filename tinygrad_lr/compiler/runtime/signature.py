"""What a call must have in common with another for one program to serve both."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import DtypeError, bad_argument


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments, none where it does not tell."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def key_of(where: str, x: Any, leaves: list[Any]) -> Any:
    """What must be the same for a program to fit an argument."""
    kind = type(x)
    if kind is np.ndarray:
        if x.dtype.kind not in "fiub":
            raise DtypeError(
                bad_argument(
                    where,
                    "an argument is not made of real numbers",
                    expected="an array of floats, integers or booleans",
                    given=f"dtype {x.dtype}",
                )
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
        return (kind, *(key_of(where, inner, leaves) for inner in x))
    if kind is dict:
        return (dict, *((name, key_of(where, inner, leaves)) for name, inner in x.items()))
    if isinstance(x, (np.ndarray, np.generic)):
        array = np.asarray(x)
        return key_of(where, array, leaves)
    try:
        hash(x)
    except TypeError:
        return (kind, Same(x))
    return (kind, x)


class Same:
    """An object that is equal to itself alone."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.x is self.x

    def __hash__(self) -> int:
        return id(self.x)
