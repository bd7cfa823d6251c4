"""Arrays of a batch: `Batched` looks like one entry's array and computes those of all entries.

`vmap` calls a function once, with `Batched` arrays in place of those of one entry. The axis of the
batch is the first one of their `content`, and the function doesn't see it. The content is an array,
an array that is being traced, or a Value: what Values from outside the batch have to do with it is
recorded there, on whole batches.

An operation is batched in this order: entry by entry by NumPy's broadcasting, by the rule that it
declares (`Primitive.batch`), along its `axis` (`along_axis`), or for each entry, with a warning.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..errors import BatchError, BatchWarning, GraphError
from ..support import pytree as tree
from ..support.abstract_array import AbstractArray
from ..support.indexing import shift_axis
from .node import Node, next_serial, unwrap
from .primitive import LEVELS, NUMPY_IMPLS, PRIMITIVES, Primitive, innermost_level

_depths = itertools.count(1)

BROADCASTING = frozenset(
    {
        *(np.isclose, np.isreal, np.iscomplex, np.isposinf, np.isneginf, np.nan_to_num),
        *(np.real_if_close, np.round, np.around),
    }
)
"""NumPy functions without a rule of their own that work entry by entry."""

ALONG_AXIS: dict[Callable[..., Any], int | None] = {
    **dict.fromkeys((np.argmax, np.argmin, np.nanargmax, np.nanargmin), None),
    **dict.fromkeys((np.all, np.any, np.count_nonzero), None),
    **dict.fromkeys((np.argsort, np.argpartition), -1),
}
"""NumPy functions without a derivative that take an axis, with its default."""

WITH_INTEGERS = frozenset(
    {
        *(np.reshape, np.ravel, np.transpose, np.squeeze, np.expand_dims, np.swapaxes, np.moveaxis),
        *(np.rollaxis, np.broadcast_to, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.diagonal),
        *(np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack, np.where, np.take),
        *(np.take_along_axis, np.flip, np.roll, np.tile, np.rot90, np.sort, np.real),
        *(np.clip, np.repeat, np.pad, np.prod, np.append, np.tensordot, np.inner, np.vdot, np.kron),
        *(np.trace, np.median, np.var, np.std, np.select, np.delete, np.diag, np.meshgrid),
        *(np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit),
        *(np.sum, np.mean, np.max, np.min, np.cumsum, np.dot, np.einsum, np.outer, np.copy),
    }
)
"""NumPy functions whose implementations for Values do with integers what NumPy does."""

OF_SHAPES = frozenset(
    {np.shape, np.ndim, np.size, np.common_type, np.iscomplexobj, np.isrealobj, np.result_type}
)
NEW_ARRAYS = frozenset({np.zeros_like, np.ones_like, np.empty_like, np.full_like})

OF_NUMBERS = frozenset(
    {
        *(np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.extract, np.compress),
        *(np.trim_zeros, np.unique_values, np.array_equal, np.array_equiv, np.allclose),
    }
)
"""NumPy functions whose result has another shape, or is one boolean, by the numbers."""


COMPOSING: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("COMPOSING", default=())
"""NumPy functions whose implementations run: what these call by the same name is NumPy's own."""


class Level:
    """One batch that is open: its number of entries, and how deep it is inside others."""

    def __init__(self, size: int, warns: bool = False) -> None:
        self.size, self.warns = size, warns
        self.depth = next(_depths)  # of two that are open in a thread, the later one is inside
        self.since = next_serial()
        self.thread = threading.get_ident()

    def __enter__(self) -> Level:
        LEVELS.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        LEVELS.remove(self)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Run a block outside the batch, such as the rule of a Jacobian's single row."""
        place = LEVELS.index(self)
        LEVELS.pop(place)
        try:
            yield
        finally:
            LEVELS.insert(min(place, len(LEVELS)), self)

    def require_open(self) -> None:
        """Raise `BatchError` once the function has returned."""
        if self not in LEVELS:
            raise BatchError(
                "vmap: an array of one entry was kept after the function had returned; return it "
                "instead"
            )

    def require_inside(self, value: Node) -> None:
        """Raise `BatchError` for a Value from outside, which can't hold an array for each entry."""
        if value._first()._serial < self.since:
            raise BatchError(
                "vmap: a Value that was made outside must not be written to by the function, since "
                "each entry would write another number; make it inside, or return the new one"
            )

    # ---- what the operands hold

    def part(self, x: Any) -> tuple[Any, bool]:
        """Return what an operand holds, and True if that has an axis for the batch."""
        if isinstance(x, Batched) and x.level is self:
            return x.content, x.varies
        return x, False

    def varies(self, operands: Sequence[Any]) -> bool:
        """Return True if one of the operands has an axis for the batch."""
        return any(self.part(x)[1] for x in operands)

    def expanded(self, x: Any) -> Any:
        """Return what an operand holds with the axis of the batch, repeated if it has none."""
        content, varies = self.part(x)
        if varies or content is None:
            return content
        return np.broadcast_to(content, (self.size, *np.shape(content)))

    def aligned(self, operands: Sequence[Any]) -> list[Any]:
        """Return what the operands hold, such that entries broadcast as those of one entry do."""
        parts = [self.part(x) for x in operands]
        axes = max((np.ndim(x) - varies for x, varies in parts), default=0)
        return [
            np.reshape(x, (self.size, *(1,) * (axes + 1 - np.ndim(x)), *np.shape(x)[1:]))
            if varies and np.ndim(x) <= axes
            else x
            for x, varies in parts
        ]

    def adopt(self, operands: Sequence[Any], numbers: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return operands and numbers, in which Values from outside are parts of the batch."""
        found = [
            (x, number)
            if not isinstance(x, Node)
            or (isinstance(number, Batched) and number.level is self)
            or not (x.requires_grad or isinstance(number, Batched))
            else (Batched(x, self, varies=False),) * 2
            for x, number in zip(operands, numbers, strict=True)
        ]
        return [x for x, _ in found], [number for _, number in found]

    # ---- operations

    def evaluate(
        self, operation: Primitive, operands: Sequence[Any], options: dict[str, Any]
    ) -> Batched:
        """Return the result of an operation for all entries."""
        self.require_open()
        parts = [self.part(x) for x in operands]
        varies = [v for _, v in parts]
        own = bool(options) and innermost_level((), options) is self
        if own:
            options = self.without_shared(options)
            own = innermost_level((), options) is self
        if operation.batches_options and (own or any(varies)):
            found = [self.taken_in(x) for x in tree.leaves(options)]
            own, options = True, tree.unflatten(options, found)
        if not any(varies) and not own:
            content = operation.evaluate(tuple(x for x, _ in parts), options)
            return Batched(content, self, varies=False, view=operation.view)
        if own and not operation.batches_options:
            content = self.loop_with_options(operation, operands, options)
        else:
            content = self._batched(operation, operands, varies, options)
        return Batched(content, self, view=operation.view)

    def _batched(
        self,
        operation: Primitive,
        operands: Sequence[Any],
        varies: Sequence[bool],
        options: dict[str, Any],
    ) -> Any:
        if operation.kind == "elementwise":
            return operation.evaluate(tuple(self.aligned(operands)), options)
        rule = operation.batch_rule
        if rule is not None and operation.batches_mixed:
            found = rule(varies, *(self.part(x)[0] for x in operands), **options)
        elif rule is not None:
            found = rule(*map(self.expanded, operands), **options)
        elif operation.along_axis:
            (x,) = map(self.expanded, operands)
            return self._along_axis(operation, x, options)
        else:
            found = NotImplemented
        if found is not NotImplemented:
            return found
        if operation.batches_in_steps:
            return self.expanded(operation.forward(*operands, **options))
        return self.loop_with_options(operation, operands, options)

    def without_shared(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options with plain arrays in place of those that all entries share."""
        parts = [self.part(x) for x in tree.leaves(options)]
        found = zip(tree.leaves(options), parts, strict=True)
        settled: dict[str, Any] = tree.unflatten(
            options, [x if v else part for x, (part, v) in found]
        )
        return settled

    def taken_in(self, x: Any) -> Any:
        """Return an array of another batch, around this one, as one of this batch."""
        other = isinstance(x, Batched) and x.level is not self
        return Batched(self.expanded(x), self) if other else x

    def loop_with_options(
        self, operation: Primitive, operands: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        """Return the results for one entry after the other, each with its own options."""
        count = len(operands)

        def call(*parts: Any) -> Any:
            return operation.evaluate(parts[:count], tree.unflatten(options, parts[count:]))

        return self.loop(operation.name, call, (*operands, *tree.leaves(options)))

    def _along_axis(self, operation: Primitive, x: Any, options: dict[str, Any]) -> Any:
        """Return the result of an operation that takes an axis, or None for all entries."""
        axes = np.ndim(x) - 1
        if axes:
            return operation.evaluate((x,), {**options, "axis": shift_axis(options["axis"], axes)})
        line = np.reshape(x, (self.size, 1))  # NumPy takes axis=0 of a number
        return np.reshape(operation.evaluate((line,), {**options, "axis": 1}), (self.size,))

    def loop(self, name: str, function: Callable[..., Any], operands: Sequence[Any]) -> Any:
        """Return the results of a function called for one entry after the other, with a warning."""
        if self.warns:
            warnings.warn(
                f"vmap: {name} has no rule for batches, so it is called for each of the "
                f"{self.size} entries; declare one with {name}.batch(...) if it is yours",
                BatchWarning,
                stacklevel=2,
            )
        parts = [self.part(x) for x in operands]
        entries = [[x[i] if varies else x for x, varies in parts] for i in range(self.size)]
        with self.suspended():  # the function may differentiate, of numbers that are no batch
            found = [function(*entry) for entry in entries]
        if found and isinstance(found[0], (tuple, list)):
            return tuple(self._stack(name, x) for x in zip(*found, strict=True))
        return self._stack(name, found)

    def _stack(self, name: str, found: Sequence[Any]) -> Any:
        shapes = {np.shape(x) for x in found}
        if len(shapes) > 1:
            raise BatchError(
                f"vmap: {name} must give each entry a result of one shape, got "
                f"{' and '.join(map(str, sorted(shapes)[:2]))}; mask with np.where instead"
            )
        return np.stack(found) if found else np.zeros(0)


def current_level() -> Level | None:
    """Return the innermost batch that this thread has open, or None."""
    if not LEVELS:
        return None
    thread = threading.get_ident()
    return next((level for level in reversed(LEVELS) if level.thread == thread), None)


def inside_batch(x: Any) -> Any:
    """Return what a new leaf holds: inside an open batch, an array of one entry.

    Its gradient may differ from entry to entry, though its numbers don't; and what is none is taken
    to be from outside.
    """
    level = current_level()
    content = unwrap(x)
    own = level is None or (isinstance(content, Batched) and content.level is level)
    return content if own else Batched(x, level, varies=False)  # type: ignore[arg-type]


def by_rows(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a rule that calls functions of users: rows of a Jacobian go through it one by one.

    A rule of several operands returns a function of the position; a forward rule takes a list of
    tangents, with None where one is 0.
    """

    @functools.wraps(rule)
    def call(g: Any, out: Any, *operands: Any, **options: Any) -> Any:
        given = list(g) if isinstance(g, (list, tuple)) else [g]
        level = innermost_level(map(unwrap, given)) if LEVELS else None
        if level is None or innermost_level(map(unwrap, (out, *operands))) is level:
            return rule(g, out, *operands, **options)
        parts = [level.part(unwrap(x) if x is not None else None) for x in given]
        found = []
        with level.suspended():
            for i in range(level.size):
                row = [x[i] if varies else x for x, varies in parts]
                tangents = row if isinstance(g, (list, tuple)) else row[0]
                found.append(rule(tangents, out, *operands, **options))
            if not callable(found[0]):
                return Batched(np.stack(found), level)

        def at(position: int) -> Batched:
            with level.suspended():
                return Batched(np.stack([share(position) for share in found]), level)

        return at

    return call


def numpy_method(name: str) -> Callable[..., Any]:
    """Return the method that calls NumPy's function of the same name."""

    def call(self: Batched, *args: Any, **options: Any) -> Any:
        return getattr(np, name)(self, *args, **options)

    call.__name__, call.__doc__ = name, f"Call np.{name} with this array."
    return call


class Batched(AbstractArray, NDArrayOperatorsMixin):
    """The array of one entry, for all entries of a batch.

    `content` holds those of all entries, along its first axis if `varies`; otherwise all entries
    have the same. `view` says if the operation that made it gives a view (see `Primitive`).
    """

    __slots__ = ("__weakref__", "content", "level", "varies", "view")

    def __init__(
        self, content: Any, level: Level, varies: bool = True, view: str | None = None
    ) -> None:
        self.content, self.level, self.varies, self.view = content, level, varies, view

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of one entry's array."""
        return np.shape(self.content)[1:] if self.varies else np.shape(self.content)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype."""
        dtype = getattr(self.content, "dtype", None)
        return np.result_type(self.content) if dtype is None else dtype

    @property
    def numbers(self) -> Any:
        """The numbers of all entries of a batch, as a plain array; None if there are none."""
        number = unwrap(self.content)
        return number.numbers if isinstance(number, AbstractArray) else number

    @property
    def ndim(self) -> int:
        """The number of axes of one entry's array."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries of one entry's array."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return np.transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self) if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: the array must have at least one axis, got a scalar")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<array of shape {self.shape} and dtype {self.dtype}, one of {self.level.size}>"

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        self.level.require_open()
        return PRIMITIVES["getitem_at"].evaluate((self,), {"index": index})

    def __setitem__(self, index: Any, new: Any) -> None:
        self.level.require_open()
        if self.view is not None:
            raise BatchError(
                "vmap: an argument, or a part of an array, must not be written to by the function; "
                "write to a copy"
            )
        made = PRIMITIVES["set_item"].evaluate((self, new), {"index": index, "path": ()})
        self.content, self.varies = made.content, made.varies

    # ---- leaving

    def refuse(self, what: str, instead: str) -> NoReturn:
        """Raise `BatchError`: the function asks for a number, of which each entry has another."""
        raise BatchError(
            f"vmap: {what} must not depend on the entry, got one of {self.level.size} entries; "
            f"{instead}"
        )

    def __bool__(self) -> bool:
        if not self.varies:
            return bool(unwrap(self.content))
        return self.refuse("if, while, and, or and not", "write np.where(condition, x, y)")

    def __int__(self) -> int:
        if not self.varies:
            return int(unwrap(self.content))
        return self.refuse("int()", "use NumPy's functions")

    def __index__(self) -> int:
        if not self.varies:
            return int(unwrap(self.content))
        return self.refuse(
            "an index of a plain array", "write np.take(array, index, axis), or tg.array(array)"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if not self.varies:
            return np.array(unwrap(self.content), dtype)
        return self.refuse(
            "float(), item(), np.asarray, an index of a plain array and functions outside NumPy",
            "use NumPy's functions, and write tg.array(array)[index]",
        )

    def item(self, *args: Any) -> Any:
        """Raise `BatchError`, unless all entries have the same number."""
        return self.__array__().item(*args)

    def tolist(self) -> Any:
        """Raise `BatchError`, unless all entries have the same numbers."""
        return self.__array__().tolist()

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        given = (*inputs, *options.values())
        if any(isinstance(x, Node) for x in given):
            return NotImplemented  # a Value takes up the array, not the array a Value
        level = innermost_level(given)
        assert level is not None
        level.require_open()
        if "out" in options:
            raise BatchError(
                f"vmap: np.{ufunc.__name__} with out= (or +=) must not write an entry's array into "
                "a plain array; write array = array + x, or make the array with tg.zeros"
            )
        if method == "__call__" and ufunc.signature is None:
            parts = level.aligned((*inputs, *options.values()))
            count = len(inputs)
            named = dict(zip(options, parts[count:], strict=True))
            return of_level(ufunc(*parts[:count], **named), level, level.varies(given))
        if method == "__call__" and not options and ufunc in NUMPY_IMPLS:
            return NUMPY_IMPLS[ufunc](*inputs)
        if method in {"reduce", "accumulate"} and inputs[0] is self:
            axis = options.pop("axis", 0) if len(inputs) == 1 else inputs[1]
            if self.shape:
                axis = shift_axis(axis, self.ndim) if self.varies else axis
                found = getattr(ufunc, method)(self.content, axis=axis, **options)
                return Batched(found, level, self.varies)
        return level_of_loop(level, f"np.{ufunc.__name__}", getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        given = (*args, *options.values())
        if any(issubclass(kind, Node) for kind in types):
            return NotImplemented
        level = innermost_level(given)
        assert level is not None
        level.require_open()
        if function is np.full_like and len(args) > 1 and isinstance(args[1], Batched):
            like = np.zeros_like(*map(shaped, args[:1]), *args[2:], **options)
            return np.broadcast_to(args[1], like.shape).astype(like.dtype)
        if function in OF_SHAPES or function in NEW_ARRAYS:
            return function(*map(shaped, args), **{k: shaped(x) for k, x in options.items()})
        mixed = any(isinstance(x, Batched) for x in options.values())
        if mixed and (function in ALONG_AXIS or function in BROADCASTING):
            return level_of_loop(level, f"np.{function.__name__}", function, args, options)
        if function in ALONG_AXIS and isinstance(args[0], Batched):
            return call_along_axis(function, level, args, options)
        if function in OF_NUMBERS:
            raise BatchError(
                f"vmap: the result of np.{function.__name__} depends on the numbers, in its shape "
                "or as a whole, which differ from entry to entry; mask with np.where instead"
            )
        if function in BROADCASTING:
            found = function(*map(unwrap, level.aligned(args)), **options)
            return of_level(found, level, level.varies(args))
        if function is np.searchsorted and len(args) > 1 and not level.part(args[0])[1]:
            sorted_array, sought, *more = (unwrap(level.part(x)[0]) for x in args)
            return of_level(function(sorted_array, sought, *more, **options), level)
        implementation = NUMPY_IMPLS.get(function)
        if function not in WITH_INTEGERS or options.keys() & {"initial", "where"}:
            arrays = [x for x in tree.leaves((args, options)) if isinstance(x, Batched)]
            if all(x.dtype.kind in "iub" for x in arrays):
                implementation = None  # those for Values take numbers of dtype float
        if implementation is not None and function not in COMPOSING.get():
            token = COMPOSING.set((*COMPOSING.get(), function))
            try:
                return implementation(*args, **options)
            finally:
                COMPOSING.reset(token)
        return level_of_loop(level, f"np.{function.__name__}", function, args, options)

    # ---- what the core needs of arrays without numbers

    def copy(self, order: str = "C") -> Any:
        """Return a new name for the same numbers."""
        return Batched(self.content, self.level, self.varies)

    def own_copy(self, x: Any) -> Any:
        """Return a copy of other numbers that this array may be an index of."""
        return x.copy() if isinstance(x, Batched) else Batched(x, self.level, varies=False)

    def detach(self) -> Batched:
        """Return the same numbers without the graph of what it holds."""
        held = self.content
        return Batched(held.detach(), self.level, self.varies) if isinstance(held, Node) else self

    def cast_like(self, like: Any) -> Any:
        """Return the same numbers in the dtype of another array or number."""
        return self.astype(getattr(like, "dtype", np.dtype(type(like))))

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Any:
        """Return the same numbers in another dtype."""
        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self.copy() if copy else self
        content = self.content
        if isinstance(content, Node) and dtype.kind not in "fc":
            content = unwrap(content)
        if not hasattr(content, "astype"):
            content = np.asarray(content)
        return Batched(content.astype(dtype), self.level, self.varies)

    def broadcast_to(self, shape: tuple[int, ...]) -> Any:
        """Return the same numbers, broadcast to a shape."""
        return np.broadcast_to(self, shape)

    def full_like(self, number: float) -> Any:
        """Return an array of this shape and dtype that is filled with one number."""
        return np.full(self.shape, number, self.dtype)

    def same(self, other: Any) -> bool:
        """Return True if another array is known to have the same numbers."""
        numbers, others = (x.numbers if isinstance(x, AbstractArray) else x for x in (self, other))
        if numbers is None or others is None:
            return isinstance(other, Batched) and other.content is self.content
        return bool(np.all((numbers == others) | (np.isnan(numbers) & np.isnan(others))))

    def take_rows(self, table: Any) -> Any:
        """Return the rows of a table at these indices: table[self]."""
        return PRIMITIVES["getitem_at"].evaluate((table,), {"index": self})

    def call_function(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        expand: Callable[..., Any] | None = None,
        instead_of: Exception | None = None,
    ) -> Any:
        """Call a function in the steps of `expand` if it has them, else for each entry."""
        if expand is not None:
            found = expand(*args, **options)
            if found is not None:
                return found
        level = innermost_level(args, options)
        return level_of_loop(level, function.__name__, function, args, dict(options))

    @property
    def is_array(self) -> bool:
        """True if eager code has an array in its place, not a number."""
        return bool(self.shape)

    @property
    def shares_memory(self) -> bool | None:
        """True for a view of another array; None if that depends on its layout in memory."""
        return None if self.view == "by layout" else self.view is not None

    def require_made_inside(self, serial: int) -> None:
        """Accept all: `Level.require_inside` has looked."""

    def refuse_layout(self) -> NoReturn:
        """Raise `BatchError`: the result depends on the layout in memory."""
        raise BatchError(
            "vmap: an array that was reshaped must not be written to, nor read after a write to "
            "the whole, since the layout in memory decides if it is a view; reshape a copy"
        )

    def check(self, function: Callable[[Any], object], below: int | None = None) -> None:
        """Check each entry's numbers by a function that raises if they are wrong.

        With a bound, it looks at each number by itself, so all entries are checked at once.
        """
        number = unwrap(self.content)
        if self.varies and below is None:
            function = functools.partial(check_entries, function)
        if isinstance(number, AbstractArray):
            number.check(function, below)
        else:
            function(number)


def check_entries(function: Callable[[Any], object], numbers: Any) -> None:
    """Check the numbers of one entry after the other."""
    for entry in numbers:
        function(entry)


def in_place(name: str) -> Callable[..., Any]:
    """Return an operator such as += that gives a new array: its name is bound to that."""
    operator = getattr(NDArrayOperatorsMixin, f"__{name}__")

    def call(self: Batched, other: Any) -> Any:
        return operator(self, other)

    return call


OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
for _name in OPERATORS:
    setattr(Batched, f"__i{_name}__", in_place(_name))
for _name in (
    *("reshape", "sum", "mean", "var", "std", "max", "min", "prod", "ravel", "transpose", "dot"),
    *("argmax", "argmin", "argsort", "all", "any", "cumsum", "cumprod", "clip", "repeat"),
    *("round", "squeeze", "swapaxes", "take", "trace", "diagonal", "conj", "conjugate", "nonzero"),
):
    setattr(Batched, _name, numpy_method(_name))


def _reshape(self: Batched, *shape: Any, **options: Any) -> Any:
    return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)


def _transpose(self: Batched, *axes: Any) -> Any:
    return np.transpose(self, axes[0] if len(axes) == 1 else (axes or None))


setattr(Batched, "reshape", _reshape)  # noqa: B010
setattr(Batched, "transpose", _transpose)  # noqa: B010


def shaped(x: Any) -> Any:
    """Return an array of the shape and dtype of one entry's, without its numbers."""
    if not isinstance(x, Batched):
        return x
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if x.shape else x.dtype.type(0)


def of_level(found: Any, level: Level, varies: bool = True) -> Any:
    """Return what a function computed of a whole batch as arrays of one entry."""
    if isinstance(found, tuple):
        return tuple(of_level(x, level, varies) for x in found)
    return Batched(found, level, varies)


def call_along_axis(function: Callable[..., Any], level: Level, args: Any, options: Any) -> Any:
    """Call a function without derivative that takes an axis, on all entries."""
    x, *more = args
    content = unwrap(level.expanded(x))
    takes_second = function is np.argpartition
    before, more = (more[:1], more[1:]) if takes_second else ([], more)
    axis = more.pop(0) if more else options.get("axis", ALONG_AXIS[function])
    options = {name: value for name, value in options.items() if name != "axis"}
    ndim = np.ndim(content) - 1
    flattens = function in {np.argsort, np.argpartition, np.argmax, np.argmin}
    if axis is None and flattens:
        if options.pop("keepdims", False):
            found = call_along_axis(function, level, (x, *before), {**options, "axis": None})
            return np.reshape(found, (1,) * ndim)
        content, ndim, axis = np.reshape(content, (level.size, x.size)), 1, 0
    if not ndim:
        content, ndim, axis = np.reshape(content, (level.size, 1)), 1, 0
        found = function(content, *before, 1, *more, **options)
        return of_level(np.reshape(found, (level.size,)), level)
    return of_level(function(content, *before, shift_axis(axis, ndim), *more, **options), level)


def level_of_loop(
    level: Level, name: str, function: Callable[..., Any], args: Sequence[Any], options: Any
) -> Any:
    """Call a function for one entry after the other; arrays may be in its lists and options."""
    arguments = (list(args), dict(options))
    leaves = list(tree.leaves(arguments))

    def call(*parts: Any) -> Any:
        args, options = tree.unflatten(arguments, parts)
        return function(*args, **options)

    return of_level(level.loop(name, call, leaves), level)


def require_graph_inside(value: Node) -> None:
    """Raise `GraphError` for `backward` of an array of one entry."""
    if isinstance(value._content, Batched):
        raise GraphError(
            "backward must not be called inside vmap, where a Value stands for all entries; use "
            "tg.grad or tg.value_and_grad there, or call backward on the result"
        )
