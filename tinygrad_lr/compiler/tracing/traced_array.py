"""`Traced`: an array without numbers that takes notes of what NumPy is asked to do with it."""

from __future__ import annotations

import contextvars
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...support.abstract_array import AbstractArray
from ..ir.instruction import (
    REDUCTIONS,
    UFUNCS,
    WEAK_DTYPES,
    Instruction,
    Shape,
    constant,
    make,
    result_dtype,
)
from .interception import TRACE
from .trace_errors import UNCERTAIN, refuse_numbers, user_line
from .views import View

Check = tuple[Instruction, Callable[[Any], object]]
CHECKS: contextvars.ContextVar[list[Check]] = contextvars.ContextVar("checks")
"""What the program being traced is to look at before it changes anything."""

REDUCING = {ufunc: name for name, ufunc in REDUCTIONS.items()}


def through(name: str) -> Callable[..., Any]:
    """The method that is NumPy's function of the same name."""

    def call(self: Traced, *args: Any, **options: Any) -> Any:
        return getattr(np, name)(self, *args, **options)

    call.__name__, call.__doc__ = name, f"NumPy's {name} of this array."
    return call


class Traced(NDArrayOperatorsMixin, AbstractArray):
    """An array whose numbers come when the compiled program runs.

    It has the shape, the dtype and the methods of an array; what is computed with it becomes
    instructions. In-place arithmetic replaces the instruction that it stands for. What needs the
    numbers at once (`if`, `float()`, `.item()`, printing them) raises `TraceError`, with the line.
    """

    __slots__ = ("__weakref__", "_instruction", "_seen", "place", "view_of")
    __array_priority__ = 1000

    def __init__(
        self,
        instruction: Instruction,
        view_of: View | None = None,
        place: str = "",
    ) -> None:
        self._instruction = instruction
        self.view_of = view_of
        self._seen = None if view_of is None else view_of.whole.instruction
        self.place = place  # what it is called outside, where writing to it is refused
        trace = TRACE.get()
        if trace is not None:
            trace.note(self, *user_line())

    # ---- what is known

    @property
    def instruction(self) -> Instruction:
        """The instruction that it stands for at the moment."""
        if self.view_of is not None:
            now = self.view_of.whole.instruction
            if now is not self._seen:  # written to since
                if self.view_of.read is None:
                    refuse_numbers("an array was changed in place after it was reshaped", UNCERTAIN)
                self._instruction, self._seen = self.view_of.read(now), now
        return self._instruction

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """The lengths of the axes."""
        return self.instruction.shape

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype that NumPy would give."""
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
        """The bytes of an entry."""
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

    # ---- what would need the numbers

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it has no answer yet
        refuse_numbers(
            "a branch (if, while, and, or, not, assert) on a number that is only known later",
            "write np.where(condition, a, b), or make what the branch depends on a static "
            'argument: tg.compile(f, static=("name",))',
        )

    def __float__(self) -> NoReturn:
        refuse_numbers(
            "float() or .item() of a number that is only known later",
            "return it from the function and convert it outside; inside, compute with it as it is",
        )

    def __int__(self) -> NoReturn:
        refuse_numbers(
            "an array or a number that is only known later stands where a Python integer must be",
            'pass it as a static argument: tg.compile(f, static=("name",))',
        )

    __index__ = __int__
    item = tolist = __complex__ = __float__
    __hash__ = object.__hash__

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        refuse_numbers(
            "np.array, np.asarray or writing into an array needs numbers that are only known later",
            "compute with the argument as it is, without np.asarray; a table that is indexed "
            "by one must be an argument or a Value; instead of writing into an "
            "array, build it with np.where, np.stack or np.concatenate",
        )

    def __format__(self, spec: str) -> NoReturn:
        refuse_numbers(
            "a number that is only known later is to be written as text",
            "return it from the function and print it outside",
        )

    def __str__(self) -> str:  # what print() asks for
        return self.__format__("")

    def __reduce__(self) -> NoReturn:
        refuse_numbers(
            "a traced array cannot be copied or pickled", "return it from the compiled function"
        )

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(hasattr(type(x), "__apply__") for x in inputs):
            return NotImplemented
        out = options.pop("out", None)
        if method == "__call__" and ufunc is np.matmul and not options:
            found = product("matmul", *inputs)
        elif method == "__call__" and ufunc.__name__ in UFUNCS and not options:
            found = elementwise(ufunc.__name__, *inputs)
        elif method == "reduce" and ufunc in REDUCING and set(options) <= SIMPLE:
            found = reduced(REDUCING[ufunc], *inputs, **options)
        else:
            function = ufunc if method == "__call__" else getattr(ufunc, method)
            found = calls.called(function, inputs, options)
        if out is None:
            return found
        target = out[0]
        if not isinstance(target, Traced):
            refuse_numbers(
                f"np.{ufunc.__name__} would write into an array outside of the trace",
                "leave out= away and use the result",
            )
        return target.become(found)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        if any(hasattr(kind, "__apply__") for kind in types):
            return NotImplemented  # a Value among the arguments records the operation
        return numpy_calls.function(function, args, options)

    def become(self, new: Any) -> Traced:
        """Stand for other numbers, as an array does that is written to."""
        if self.place:
            refuse_numbers(
                f"{self.place} would be changed in place",
                "compute a new array instead (x = x + 1, not x += 1), or keep it in a Value or a "
                "module's buffer, which compiled steps update",
            )
        fitting = fit(cast_to(as_instruction(new), self.dtype, self.instruction.weak), self.shape)
        if self.view_of is not None:
            whole, _, write = self.view_of
            if write is None:
                refuse_numbers("a reshaped or repeated array is changed in place", UNCERTAIN)
            whole.become(Traced(write(whole.instruction, fitting)))
            self._seen = whole.instruction
        self._instruction = fitting
        return self

    def __getitem__(self, index: Any) -> Traced:
        return indexing.item(self, index)

    def __setitem__(self, index: Any, new: Any) -> None:
        self.become(indexing.assigned(self, index, new))

    def __pow__(self, exponent: Any) -> Any:
        # as arrays do for these exponents, to the last bit
        quick = QUICK_POWERS.get(exponent) if type(exponent) in {int, float} else None
        if quick is not None and self.dtype.kind == "f" and not self.instruction.weak:
            return elementwise(quick, self)
        return np.power(self, exponent)

    # ---- methods of arrays

    def copy(self, order: str = "C") -> Traced:
        """The same numbers."""
        return Traced(self.instruction)

    fresh = copy

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Traced:
        """The same numbers in another dtype."""
        if not copy and self.dtype == dtype:
            return self
        return Traced(cast_to(self.instruction, np.dtype(dtype), weak=False))

    def view(self, *_: Any) -> NoReturn:
        """Refused: bits are not looked at while tracing."""
        refuse_numbers(".view() looks at bits", "use astype, or a function of NumPy")

    def reshape(self, *shape: Any, order: str = "C") -> Traced:
        """The same entries in another shape."""
        return numpy_calls.reshape(self, shape[0] if len(shape) == 1 else shape, order)

    def transpose(self, *axes: Any) -> Traced:
        """The axes in another order, reversed unless told."""
        chosen = axes[0] if len(axes) == 1 else (axes or None)
        return numpy_calls.transpose(self, chosen)

    def ravel(self, order: str = "C") -> Traced:
        """All entries along one axis."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> Traced:
        """All entries along one axis, as a copy."""
        return self.ravel(order).copy()

    sum, prod, mean, max, min = map(through, ("sum", "prod", "mean", "max", "min"))
    std, var, cumsum, argmax = map(through, ("std", "var", "cumsum", "argmax"))
    argmin, dot, clip, repeat = map(through, ("argmin", "dot", "clip", "repeat"))
    take, round, swapaxes, squeeze = map(through, ("take", "round", "swapaxes", "squeeze"))
    all, any = through("all"), through("any")

    # ---- what the core asks of a stand-in

    def in_form_of(self, like: Any) -> Traced:
        """The same numbers in the dtype of another."""
        if type(like) is float:
            return Traced(cast_to(self.instruction, np.dtype(float), weak=True))
        weak = isinstance(like, Traced) and like.instruction.weak
        return Traced(cast_to(self.instruction, like.dtype, weak))

    def spread(self, shape: Shape) -> Traced:
        """The same numbers, repeated to a shape."""
        return Traced(fit(self.instruction, shape))

    def same(self, other: Any) -> bool:
        """Whether both stand for the same numbers."""
        return self.instruction is as_instruction(other)

    def filled(self, number: Any) -> Traced:
        """One number everywhere, in this shape and dtype."""
        one = cast_to(as_instruction(number), self.dtype, self.instruction.weak)
        return Traced(fit(one, self.shape))

    def entries_of(self, table: Any) -> Traced:
        """The rows of a table that this array numbers."""
        return Traced(as_instruction(table))[self]

    def put_at(self, index: Any, shape: Shape) -> Traced:
        """Zeros of a shape, with these entries added where the index points."""
        parts, arrays = indexing.split_index(index)
        made = make("scatter", [self.instruction, *arrays], index=parts, shape=tuple(shape))
        return Traced(made)

    def called(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: Mapping[str, Any],
        expand: Callable[..., Any] | None = None,
    ) -> Any:
        """What a function gives when the program runs, in one piece."""
        return calls.called(function, args, options, expand)

    def check(self, function: Callable[[Any], object]) -> None:
        """Have the numbers looked at when the program runs, before anything is changed."""
        CHECKS.get().append((self.instruction, function))


QUICK_POWERS = {2: "square", 0.5: "sqrt", -1: "reciprocal", 1: "positive"}
SIMPLE = {"axis", "keepdims", "dtype"}


def as_instruction(x: Any) -> Instruction:
    """The instruction that something stands for; numbers and arrays are constants."""
    if isinstance(x, Traced):
        return x.instruction
    if isinstance(x, Instruction):
        return x
    if type(x) in WEAK_DTYPES:
        return constant(x)
    array = np.asarray(x)
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"compile: an array of dtype {array.dtype} cannot be computed with")
    return constant(array)


def elementwise(name: str, *inputs: Any) -> Traced:
    """A ufunc of operands."""
    return Traced(make(name, [as_instruction(x) for x in inputs]))


def cast_to(x: Instruction, dtype: np.dtype[Any], weak: bool) -> Instruction:
    """x in a dtype, as a Python number if it is weak."""
    if x.dtype == dtype and x.weak == weak:
        return x
    if x.operation == "constant" and x.weak and not weak:
        return constant(np.asarray(x.value, dtype))
    return make("cast", [x], dtype=dtype, weak=weak)


def fit(x: Instruction, shape: Shape) -> Instruction:
    """x spread to a shape."""
    return x if x.shape == shape else make("broadcast", [x], shape=shape)


def product(name: str, x: Any, y: Any) -> Traced:
    """A product of vectors and matrices, in the common dtype."""
    left, right = as_instruction(x), as_instruction(y)
    dtype = result_dtype(np.add, [left, right])
    operands = [cast_to(left, dtype, weak=False), cast_to(right, dtype, weak=False)]
    return Traced(make(name, operands))


def reduced(
    name: str, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Traced:
    """A reduction, its axes counted from the left."""
    instruction = as_instruction(x)
    ndim = len(instruction.shape)
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ndim == 0 and axis in {0, -1, None}:
        axes = ()
    counted = tuple(
        sorted(np.lib.array_utils.normalize_axis_index(operator.index(i), ndim) for i in axes)
    )
    if name in {"max", "min"} and any(instruction.shape[i] == 0 for i in counted):
        raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
    kind = None if dtype is None else np.dtype(dtype)
    if not counted and name in {"all", "any"}:
        return Traced(cast_to(instruction, np.dtype(bool), weak=False))
    if not counted and (kind is None or kind == instruction.dtype):
        return Traced(instruction)
    return Traced(make(name, [instruction], axis=counted, keepdims=keepdims, dtype=kind))


from . import indexing, numpy_calls  # noqa: E402 - they know Traced, and it needs them
from . import python_calls as calls  # noqa: E402 - they know Traced, and it needs them
