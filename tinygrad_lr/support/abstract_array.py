"""Arrays without numbers, such as the compiler's traced arrays, and functions that accept them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


Array = np.ndarray[Any, np.dtype[Any]]


class AbstractArray:
    """An array without numbers: it has a shape and a dtype, and records the functions called on it.

    These methods are all that the core needs. The subclasses are the compiler's traced array, and
    that of one entry under `vmap`, which has the numbers of all entries.
    """

    __slots__ = ()
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    copy_of: AbstractArray  # of a copy alone: the array that was copied
    level: Any = None  # of an array of one entry: the batch (`core/batching.py`)
    control_flow: Any = None  # what takes over `scan`, `while_loop` and `cond` of such arrays

    @property
    def numbers(self) -> Any:
        """The numbers of all entries of a batch, as a plain array; None if there are none."""
        return None

    def copy(self, order: str = "C") -> Any:
        """Return a new name for the same numbers, as a copy of an array is."""
        raise NotImplementedError

    def as_data_of(self, value: Any) -> Any:
        """Return a copy that stands for the `data` of a Value, which holds this array."""
        return self.copy()

    def written_back(self) -> None:
        """Note that this array has become the `data` of a Value."""

    def detach(self) -> AbstractArray:
        """Return the same numbers without the graph that an array of a batch may hold."""
        return self

    def cast_like(self, like: Any) -> Any:
        """Return the same numbers in the dtype of another array or number."""
        raise NotImplementedError

    def astype(self, dtype: Any) -> Any:
        """Return the same numbers in another dtype."""
        raise NotImplementedError

    def broadcast_to(self, shape: tuple[int, ...]) -> Any:
        """Return the same numbers, broadcast to a shape."""
        raise NotImplementedError

    def full_like(self, number: float) -> Any:
        """Return an array of this shape and dtype that is filled with one number."""
        raise NotImplementedError

    def same(self, other: Any) -> bool:
        """Return True if another array or number is known to have the same numbers."""
        raise NotImplementedError

    def take_rows(self, table: Any) -> Any:
        """Return the rows of a table at these indices: table[self]."""
        raise NotImplementedError

    def scatter_add(self, index: Any, shape: tuple[int, ...]) -> Any:
        """Return zeros of a shape, with these entries added at the index."""
        raise NotImplementedError

    def call_function(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        expand: Callable[..., Any] | None = None,
        instead_of: Exception | None = None,
    ) -> Any:
        """Record a call of a function on this and other arrays, to run once there are numbers.

        `expand` is the same function in steps that can be traced; it may return None. `instead_of`
        is the error that running it on these arrays raised.
        """
        raise NotImplementedError

    def own_copy(self, x: Any) -> Any:
        """Return an array, abstract or not, as an abstract one that may be written to."""
        raise NotImplementedError

    @property
    def is_array(self) -> bool:
        """True if eager code has an array in its place, which can be written to, not a number."""
        raise NotImplementedError

    @property
    def shares_memory(self) -> bool | None:
        """True for a view of another array; None if that depends on its layout in memory."""
        raise NotImplementedError

    @property
    def memory_owner(self) -> AbstractArray:
        """The array whose memory this one is a part of: itself unless it's a view."""
        return self

    def refuse_overlap(self, where: str) -> NoReturn:
        """Raise `TraceError`: entries would be written that are read later."""
        raise NotImplementedError

    def require_made_inside(self, serial: int) -> None:
        """Raise `TraceError` if a Value of this serial number was made outside the trace."""
        raise NotImplementedError

    def refuse_layout(self) -> NoReturn:
        """Raise `TraceError`: the result depends on the layout in memory."""
        raise NotImplementedError

    def check(self, function: Callable[[Any], object], below: int | None = None) -> None:
        """Check the numbers once they are known, by a function that raises if they are wrong.

        Integers from 0, below a bound, are all right: then it needn't be called.
        """
        raise NotImplementedError


def as_single_call(function: Function, expand: Callable[..., Any] | None = None) -> Function:
    """Decorate a function that the compiler calls instead of tracing its steps.

    For functions that loop in Python, write into arrays of their own, or call themselves. `expand`
    may compute the same in steps that can be traced.
    """

    @functools.wraps(function)
    def evaluate(*args: Any, **options: Any) -> Any:
        out = function(*args, **options)
        numbers = type(out) is np.float64 and all(type(x) is float for x in args)
        return float(out) if numbers else out  # Python numbers give Python numbers

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        given = (*args, *options.values())
        among = [y for x in given for y in (x if isinstance(x, (list, tuple)) else (x,))]
        if not any(hasattr(x, "__apply__") for x in among):  # Values record each step
            for x in among:
                if isinstance(x, AbstractArray):
                    return x.call_function(evaluate, args, options, expand)
        return evaluate(*args, **options)

    return cast(Function, call)


def check_numbers(x: Any, look: Callable[[Any], object], below: int | None = None) -> None:
    """Check numbers by a function that raises if they are wrong: now, or once they are known.

    Integers from 0, below the bound, are known to be all right.
    """
    if isinstance(x, AbstractArray):
        x.check(look, below)
    else:
        look(x)


def take_rows(table: Any, index: Any) -> Any:
    """Return table[index], where the index may be abstract though the table is a plain array."""
    return index.take_rows(table) if isinstance(index, AbstractArray) else table[index]


def same_numbers(x: Any, y: Any) -> bool:
    """Return True if two arrays or numbers are known to be equal, nan to nan."""
    if isinstance(x, AbstractArray):
        return x.same(y)
    return y.same(x) if isinstance(y, AbstractArray) else np.array_equal(x, y, equal_nan=True)
