"""Answers about a traced object: those that eager code gets about what it stands for.

`type`, `isinstance`, `hasattr`, `getattr`, `callable` and `id` look at an object itself. So the
functions that run in a trace have these stand-ins in their place.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .interception import CURRENT_TRACE
from .traced_array import Traced


def eager_class(x: Any) -> Any:
    """Return the class of what eager code has in the place of an object.

    >>> eager_class(2.0)
    <class 'float'>
    """
    if isinstance(x, Traced):
        return x.eager_class
    kind = type(x)
    if kind is type or kind is EagerMeta:
        return EagerType
    return getattr(kind, "__stands_for__", kind)


def eager_example(x: Any) -> Any:
    """Return an object of the class and the dtype that eager code has, without its numbers."""
    if not isinstance(x, Traced):
        return x
    if x.kind == "array":
        return np.empty((0,) * x.ndim, x.dtype)
    number = x.dtype.type(0)
    return number if x.kind == "scalar" else number.item()


class EagerMeta(type):
    """The metaclass of the stand-in of `type`, which is called and compared as `type` is."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Return the class of an object, or a new class."""
        if cls is not EagerType:
            return super().__call__(*args, **options)
        if len(args) == 1 and not options:
            return eager_class(args[0])
        return type(*args, **options)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, type) if cls is EagerType else super().__instancecheck__(x)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, type) if cls is EagerType else super().__subclasscheck__(kind)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (cls is EagerType and other is type)

    def __hash__(cls) -> int:
        return hash(type) if cls is EagerType else super().__hash__()


class EagerType(type, metaclass=EagerMeta):
    """The stand-in of `type`."""


EagerType.__name__ = EagerType.__qualname__ = "type"
EagerType.__module__ = "builtins"


def eager_isinstance(x: Any, kind: Any) -> bool:
    """Stand in for `isinstance`."""
    return isinstance(eager_example(x), kind)


def eager_hasattr(x: Any, name: str) -> bool:
    """Stand in for `hasattr`."""
    return hasattr(eager_example(x), name)


def eager_getattr(x: Any, name: str, *default: Any) -> Any:
    """Stand in for `getattr`."""
    if isinstance(x, Traced) and not hasattr(eager_example(x), name):
        return getattr(eager_example(x), name, *default)
    return getattr(x, name, *default)


def eager_callable(x: Any) -> bool:
    """Stand in for `callable`."""
    return callable(eager_example(x))


def eager_id(x: Any) -> int:
    """Stand in for `id`."""
    trace = CURRENT_TRACE.get()
    return id(x) if trace is None else trace.identity_of(x)


STAND_INS: dict[str, Any] = {
    "type": EagerType,
    "isinstance": eager_isinstance,
    "hasattr": eager_hasattr,
    "getattr": eager_getattr,
    "callable": eager_callable,
    "id": eager_id,
}
"""The stand-ins of builtins, by their names."""

BY_ID = {id(getattr(builtins, name)): made for name, made in STAND_INS.items()}
