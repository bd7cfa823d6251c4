"""What stands for an array whose numbers come later: the compiler's traced arrays are such."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


Array = np.ndarray[Any, np.dtype[Any]]


class AbstractArray:
    """An array without numbers: shape, dtype and NumPy's functions, which only take notes.

    The core asks for nothing else than these; the compiler's `Traced` is the one kind.
    """

    __slots__ = ()
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def fresh(self) -> Any:
        """The same numbers under a name of their own, as a copy of an array would be."""
        raise NotImplementedError

    def in_form_of(self, like: Any) -> Any:
        """The same numbers in the dtype of another array or number."""
        raise NotImplementedError

    def astype(self, dtype: Any) -> Any:
        """The same numbers in another dtype."""
        raise NotImplementedError

    def spread(self, shape: tuple[int, ...]) -> Any:
        """The same numbers, repeated to a shape."""
        raise NotImplementedError

    def filled(self, number: float) -> Any:
        """An array of this shape and dtype, with one number everywhere."""
        raise NotImplementedError

    def same(self, other: Any) -> bool:
        """Whether another array or number is known to have the same numbers."""
        raise NotImplementedError

    def entries_of(self, table: Any) -> Any:
        """The rows of a table that this array numbers: table[self]."""
        raise NotImplementedError

    def put_at(self, index: Any, shape: tuple[int, ...]) -> Any:
        """Zeros of a shape, with these entries added where the index points."""
        raise NotImplementedError

    def called(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        expand: Callable[..., Any] | None = None,
    ) -> Any:
        """What a function of this and other arrays gives, once there are numbers.

        `expand` is the same function in steps that loops can compute; it may give None.
        """
        raise NotImplementedError

    def check(self, function: Callable[[Any], object]) -> None:
        """Have the numbers looked at when they come; the function raises if they are wrong."""
        raise NotImplementedError


def in_one_piece(function: Function, expand: Callable[..., Any] | None = None) -> Function:
    """Let a function run as a whole where its arrays are stand-ins: its steps are no program's.

    For what loops in Python, writes into arrays of its own, or calls itself. `expand` may say how
    machine code computes the same.
    """

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        among = [y for x in args for y in (x if isinstance(x, (list, tuple)) else (x,))]
        if not any(hasattr(x, "__apply__") for x in among):  # Values record each step
            for x in among:
                if isinstance(x, AbstractArray):
                    return x.called(function, args, options, expand)
        return function(*args, **options)

    return cast(Function, call)


def looked_at(x: Any, look: Callable[[Any], object]) -> None:
    """Have numbers looked at by a function that raises for wrong ones: now, or when they come."""
    if isinstance(x, AbstractArray):
        x.check(look)
    else:
        look(x)


def entries(table: Any, index: Any) -> Any:
    """table[index], where the index may be a stand-in though the table is a plain array."""
    return index.entries_of(table) if isinstance(index, AbstractArray) else table[index]


def same(x: Any, y: Any) -> bool:
    """Whether two arrays or numbers are equal, nan to nan, as far as that is known."""
    if isinstance(x, AbstractArray):
        return x.same(y)
    return y.same(x) if isinstance(y, AbstractArray) else np.array_equal(x, y, equal_nan=True)
