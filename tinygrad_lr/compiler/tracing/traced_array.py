"""`Traced`: an array without numbers, whose NumPy operations become instructions.

NumPy's functions are implemented for it in `numpy_calls`, which fills `TRACED_IMPLS`. What has no
implementation is called when the program runs.
"""

from __future__ import annotations

import contextvars
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...core.primitive import NUMPY_IMPLS
from ...support import pytree as tree
from ...support.abstract_array import AbstractArray
from ..ir.instruction import (
    REDUCTIONS,
    UFUNCS,
    WEAK_DTYPES,
    Instruction,
    Shape,
    constant,
    make,
    placeholder_array,
    result_dtype,
)
from .indexing import require_no_flags, selects_everything, split_index
from .interception import CURRENT_TRACE
from .python_calls import add_call
from .trace_errors import COPY_AFTER_RESHAPE, raise_trace_error, user_line

Check = tuple[Instruction, Callable[[Any], object]]
CHECKS: contextvars.ContextVar[list[Check]] = contextvars.ContextVar("checks")
"""Checks of the program being traced, which run before it changes anything."""

TRACED_IMPLS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy functions on traced arrays: those that are instructions, or composed of instructions."""

COMPOSING: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("composing", default=())
SHAPE_FUNCTIONS = frozenset(
    {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj}
)
REDUCTION_NAMES = {ufunc: name for name, ufunc in REDUCTIONS.items()}
REDUCTION_OPTIONS = {"axis", "keepdims", "dtype"}
POWER_UFUNCS = {2: "square", 0.5: "sqrt", -1: "reciprocal", 1: "positive"}


class View(NamedTuple):
    """The memory that an array shares with another, as slices and transposes do.

    - `read`: returns this array's instruction from that of the whole; None where NumPy may have
      made a copy
    - `write`: returns the whole's new instruction from its old one and this array's; None where
      writing is an error
    """

    whole: Traced
    read: Callable[[Instruction], Instruction] | None
    write: Callable[[Instruction, Instruction], Instruction] | None


def numpy_method(name: str) -> Callable[..., Any]:
    """Return the array method that calls NumPy's function of the same name."""

    def call(self: Traced, *args: Any, **options: Any) -> Any:
        return getattr(np, name)(self, *args, **options)

    call.__name__, call.__doc__ = name, f"Call np.{name} with this array."
    return call


class Traced(NDArrayOperatorsMixin, AbstractArray):
    """An array whose numbers come when the compiled program runs.

    It has the shape, the dtype and the methods of an array; what is computed with it becomes
    instructions. In-place arithmetic replaces its instruction. What needs the numbers during
    tracing (`if`, `float()`, `.item()`, printing) raises `TraceError` with the user's line.
    """

    __slots__ = ("__weakref__", "_instruction", "_whole_read", "copy_of", "outer_name", "view_of")
    __array_priority__ = 1000

    def __init__(
        self,
        instruction: Instruction,
        view_of: View | None = None,
        outer_name: str = "",
    ) -> None:
        self._instruction = instruction
        self.view_of = view_of
        self._whole_read = None if view_of is None else view_of.whole.instruction
        self.outer_name = outer_name  # of an array from outside, which must not be written to
        trace = CURRENT_TRACE.get()
        if trace is not None:
            trace.add_created(self, *user_line())

    # ---- shape and dtype, which are known

    @property
    def instruction(self) -> Instruction:
        """The instruction that computes the array's current content."""
        if self.view_of is not None:
            now = self.view_of.whole.instruction
            if now is not self._whole_read:  # written to since
                if self.view_of.read is None:
                    raise_trace_error(
                        "an array is changed in place while a reshape of it is still in use",
                        COPY_AFTER_RESHAPE,
                    )
                self._instruction, self._whole_read = self.view_of.read(now), now
        return self._instruction

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """The lengths of the axes."""
        return self.instruction.shape

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype that NumPy would return."""
        return self.instruction.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.instruction.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.instruction.size

    @property
    def itemsize(self) -> int:
        """The bytes of one entry."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all entries."""
        return self.instruction.nbytes

    @property
    def T(self) -> Traced:
        """The axes reversed."""
        return self.transpose()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Traced]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Traced({self.dtype}, shape {self.shape})"

    # ---- what needs the numbers, and so raises

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - the answer isn't known yet
        raise_trace_error(
            "a branch (if, while, and, or, not, assert) must not depend on a traced number, whose "
            "value is unknown while tracing",
            "use np.where(condition, a, b), or make the branch depend on a static argument: "
            'tg.compile(f, static=("name",))',
            needed=[self.instruction],
        )

    def __float__(self) -> NoReturn:
        raise_trace_error(
            "float(), .item() and writing into a NumPy array need the value of a traced number, "
            "which is unknown while tracing",
            "compute with it as it is, build arrays with np.stack or np.where, or return it and "
            "convert it outside the compiled function",
            needed=[self.instruction],
        )

    def __int__(self) -> NoReturn:
        raise_trace_error(
            "a Python integer is needed here, but the value of a traced number is unknown while "
            "tracing",
            'make it a static argument: tg.compile(f, static=("name",))',
            needed=[self.instruction],
        )

    __index__ = __int__
    item = tolist = __complex__ = __float__
    __hash__ = object.__hash__

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise_trace_error(
            "np.array(), np.asarray() and writing into a NumPy array need the values of a traced "
            "array, which are unknown while tracing",
            "compute with the argument as it is; build arrays with np.where, np.stack or "
            "np.concatenate; pass an array that is indexed by a traced one as an argument or a "
            "tg.Value",
            needed=[self.instruction],
        )

    def __format__(self, spec: str) -> NoReturn:
        raise_trace_error(
            "formatting or printing needs the value of a traced number, which is unknown while "
            "tracing",
            "return it and print it outside the compiled function",
            needed=[self.instruction],
        )

    def __str__(self) -> str:  # what print() asks for
        return self.__format__("")

    def __reduce__(self) -> NoReturn:
        raise_trace_error(
            "a traced array cannot be copied with the copy module or pickled",
            "use .copy(), or return it from the compiled function",
        )

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(hasattr(type(x), "__apply__") for x in inputs):
            return NotImplemented
        out = options.pop("out", None)
        if method == "__call__" and ufunc is np.matmul and not options:
            found = multiply_matrices("matmul", *inputs)
        elif method == "__call__" and ufunc.__name__ in UFUNCS and not options:
            found = apply_ufunc(ufunc.__name__, *inputs)
        elif method == "reduce" and ufunc in REDUCTION_NAMES and set(options) <= REDUCTION_OPTIONS:
            found = reduce_axes(REDUCTION_NAMES[ufunc], *inputs, **options)
        else:
            function = ufunc if method == "__call__" else getattr(ufunc, method)
            found = call_at_run_time(function, inputs, options)
        if out is None:
            return found
        target = out[0]
        if not isinstance(target, Traced):
            raise_trace_error(
                f"np.{ufunc.__name__}(..., out=...) must not write into an array from outside the "
                "compiled function",
                "drop out= and use the result",
            )
        return target.become(found)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        if any(hasattr(kind, "__apply__") for kind in types):
            return NotImplemented  # a Value among the arguments records the operation
        return apply_numpy_function(function, args, options)

    def become(self, new: Any) -> Traced:
        """Take other content, as an array does that is written to."""
        if self.outer_name:
            raise_trace_error(
                f"{self.outer_name} must not be changed in place",
                "compute a new array (x = x + 1 instead of x += 1), or keep it in a tg.Value or a "
                "module's buffer, which compiled functions update",
            )
        fitting = broadcast(
            cast_to(as_instruction(new), self.dtype, self.instruction.weak), self.shape
        )
        if self.view_of is not None:
            whole, _, write = self.view_of
            if write is None:
                raise_trace_error(
                    "a reshaped or broadcast array is changed in place", COPY_AFTER_RESHAPE
                )
            whole.become(Traced(write(whole.instruction, fitting)))
            self._whole_read = whole.instruction
        self._instruction = fitting
        return self

    def __getitem__(self, index: Any) -> Traced:
        parts, arrays = split_index(_unwrap_index(index))
        require_no_flags(parts)
        if arrays:
            return Traced(make("gather", [self.instruction, *arrays], index=parts))
        if selects_everything(parts):
            whole = View(self, lambda now: now, lambda _, new: new)
            return Traced(self.instruction, whole, self.outer_name)

        def read(now: Instruction) -> Instruction:
            return make("slice", [now], index=parts)

        def write(now: Instruction, new: Instruction) -> Instruction:
            return make("assign", [now, cast_to(new, now.dtype, weak=False)], index=parts)

        return Traced(read(self.instruction), View(self, read, write))

    def __setitem__(self, index: Any, new: Any) -> None:
        parts, arrays = split_index(_unwrap_index(index))
        value = cast_to(as_instruction(new), self.dtype, weak=False)
        if not selects_everything(parts):
            value = make("assign", [self.instruction, value, *arrays], index=parts)
        self.become(Traced(value))

    def __pow__(self, exponent: Any) -> Any:
        # as arrays do for these exponents, to the last bit
        ufunc = POWER_UFUNCS.get(exponent) if type(exponent) in {int, float} else None
        if ufunc is not None and self.dtype.kind == "f" and not self.instruction.weak:
            return apply_ufunc(ufunc, self)
        return np.power(self, exponent)

    # ---- methods of arrays

    def copy(self, order: str = "C") -> Traced:
        """Return the same numbers."""
        made = Traced(self.instruction)
        made.copy_of = self
        return made

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Traced:
        """Return the same numbers in another dtype."""
        if not copy and self.dtype == dtype:
            return self
        return Traced(cast_to(self.instruction, np.dtype(dtype), weak=False))

    def view(self, *_: Any) -> NoReturn:
        """Raise `TraceError`: the bits of a traced array aren't known."""
        raise_trace_error(
            ".view() needs the bits of a traced array, which are unknown while tracing",
            "use .astype(), or .copy() for a copy",
        )

    def reshape(self, *shape: Any, order: str = "C") -> Traced:
        """Return the same entries in another shape."""
        lengths = shape[0] if len(shape) == 1 else shape
        found: Traced = apply_numpy_function(np.reshape, (self, lengths, order), {})
        return found

    def transpose(self, *axes: Any) -> Traced:
        """Return the axes in another order, by default reversed."""
        order = axes[0] if len(axes) == 1 else (axes or None)
        found: Traced = apply_numpy_function(np.transpose, (self, order), {})
        return found

    def ravel(self, order: str = "C") -> Traced:
        """Return all entries along one axis."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> Traced:
        """Return all entries along one axis, as a copy."""
        return self.ravel(order).copy()

    sum, prod, mean, max, min = map(numpy_method, ("sum", "prod", "mean", "max", "min"))
    std, var, cumsum, argmax = map(numpy_method, ("std", "var", "cumsum", "argmax"))
    argmin, dot, clip, repeat = map(numpy_method, ("argmin", "dot", "clip", "repeat"))
    take, round, swapaxes, squeeze = map(numpy_method, ("take", "round", "swapaxes", "squeeze"))
    all, any = numpy_method("all"), numpy_method("any")

    # ---- what the core asks of an abstract array

    def cast_like(self, like: Any) -> Traced:
        """Return the same numbers in the dtype of another array."""
        if type(like) is float:
            return Traced(cast_to(self.instruction, np.dtype(float), weak=True))
        weak = isinstance(like, Traced) and like.instruction.weak
        return Traced(cast_to(self.instruction, like.dtype, weak))

    def broadcast_to(self, shape: Shape) -> Traced:
        """Return the same numbers, repeated to a shape."""
        return Traced(broadcast(self.instruction, shape))

    def same(self, other: Any) -> bool:
        """Return True if both are computed by the same instruction."""
        return self.instruction is as_instruction(other)

    def full_like(self, number: Any) -> Traced:
        """Return an array of this shape and dtype with one number everywhere."""
        one = cast_to(as_instruction(number), self.dtype, self.instruction.weak)
        return Traced(broadcast(one, self.shape))

    def take_rows(self, table: Any) -> Traced:
        """Return table[self]."""
        return Traced(as_instruction(table))[self]

    def scatter_add(self, index: Any, shape: Shape) -> Traced:
        """Return zeros of a shape, with these entries added where the index points."""
        parts, arrays = split_index(_unwrap_index(index))
        made = make("scatter", [self.instruction, *arrays], index=parts, shape=tuple(shape))
        return Traced(made)

    def call_function(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        expand: Callable[..., Any] | None = None,
        instead_of: Exception | None = None,
    ) -> Any:
        """Return what a function returns when the program runs, as one call."""
        trace = CURRENT_TRACE.get()
        if trace is not None and trace.refusal is instead_of:
            trace.refusal = None
        return call_at_run_time(function, args, options, expand)

    def check(self, function: Callable[[Any], object]) -> None:
        """Have the program check the numbers when it runs, before anything is changed."""
        CHECKS.get().append((self.instruction, function))


# ---- NumPy's functions


def apply_numpy_function(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Apply a NumPy function to traced arrays: as instructions where it can, else as a call."""
    if options.get("out") is not None:
        raise_trace_error(
            f"np.{function.__name__}(..., out=...) must not write into an array",
            "drop out= and use the result",
        )
    traced = TRACED_IMPLS.get(function)
    if traced is not None:
        return traced(*args, **options)
    if function in SHAPE_FUNCTIONS:
        return function(*map(_as_placeholder, args), **options)
    composed = NUMPY_IMPLS.get(function)
    if composed is not None and function not in COMPOSING.get():
        token = COMPOSING.set((*COMPOSING.get(), function))
        try:
            return composed(*args, **options)
        finally:
            COMPOSING.reset(token)
    return call_at_run_time(function, args, options)


def _as_placeholder(x: Any) -> Any:
    """Return an argument for functions that read shapes and dtypes alone."""
    if not isinstance(x, Traced):
        return x
    return 1.0 if x.instruction.weak and not x.shape else placeholder_array(x.instruction)


def call_at_run_time(
    function: Callable[..., Any],
    args: Any,
    options: Any,
    expand: Callable[..., Any] | None = None,
) -> Any:
    """Return what a function returns when the program runs: one call, at each step.

    `expand` computes the same with NumPy's functions, for machine code; it may return None.
    """

    def expand_instructions(*args: Any, **options: Any) -> Instruction | None:
        assert expand is not None
        args, options = tree.map_leaves(_wrap, (args, options))
        found = expand(*args, **options)
        return None if found is None else as_instruction(found)

    steps = None if expand is None else expand_instructions
    return tree.map_leaves(Traced, add_call(function, unwrap(args), unwrap(options), steps))


def unwrap(nest: Any) -> Any:
    """Return nested arguments with the instructions of the traced arrays among them."""
    return tree.map_leaves(lambda x: x.instruction if isinstance(x, Traced) else x, nest)


def _unwrap_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_unwrap_index, index))
    return index.instruction if isinstance(index, Traced) else index


def _wrap(x: Any) -> Any:
    return Traced(x) if isinstance(x, Instruction) else x


# ---- instructions


def as_instruction(x: Any) -> Instruction:
    """Return the instruction of a traced array; numbers and arrays become constants."""
    if isinstance(x, Traced):
        return x.instruction
    if isinstance(x, Instruction):
        return x
    if type(x) in WEAK_DTYPES:
        return constant(x)
    array = np.asarray(x)
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"compile: arrays must have a numeric dtype, got {array.dtype}")
    return constant(array)


def apply_ufunc(name: str, *inputs: Any) -> Traced:
    """Apply a ufunc."""
    return Traced(make(name, [as_instruction(x) for x in inputs]))


def cast_to(x: Instruction, dtype: np.dtype[Any], weak: bool) -> Instruction:
    """Return x in a dtype, as a Python number if `weak`."""
    if x.dtype == dtype and x.weak == weak:
        return x
    if x.operation == "constant" and x.weak and not weak:
        return constant(np.asarray(x.value, dtype))
    return make("cast", [x], dtype=dtype, weak=weak)


def broadcast(x: Instruction, shape: Shape) -> Instruction:
    """Return x, repeated to a shape."""
    return x if x.shape == shape else make("broadcast", [x], shape=shape)


def multiply_matrices(name: str, x: Any, y: Any) -> Traced:
    """Return the `dot` or `matmul` of vectors and matrices, in their common dtype."""
    left, right = as_instruction(x), as_instruction(y)
    dtype = result_dtype(np.add, [left, right])
    operands = [cast_to(left, dtype, weak=False), cast_to(right, dtype, weak=False)]
    return Traced(make(name, operands))


def reduce_axes(
    name: str, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Traced:
    """Reduce x along axes. `axis` is NumPy's; the instruction's axes are counted from the left."""
    instruction = as_instruction(x)
    ndim = len(instruction.shape)
    given = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ndim == 0 and axis in {0, -1, None}:
        given = ()
    axes = tuple(
        sorted(np.lib.array_utils.normalize_axis_index(operator.index(i), ndim) for i in given)
    )
    if name in {"max", "min"} and any(instruction.shape[i] == 0 for i in axes):
        raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
    kind = None if dtype is None else np.dtype(dtype)
    if not axes and name in {"all", "any"}:
        return Traced(cast_to(instruction, np.dtype(bool), weak=False))
    if not axes and (kind is None or kind == instruction.dtype):
        return Traced(instruction)
    return Traced(make(name, [instruction], axis=axes, keepdims=keepdims, dtype=kind))
