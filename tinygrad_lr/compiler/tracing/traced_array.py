"""`Traced`: an array without numbers, whose NumPy operations become instructions.

NumPy's functions are implemented for it in `numpy_calls`, which fills `TRACED_IMPLS`. What has no
implementation is called when the program runs.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...core.flat_entries import FlatEntries
from ...core.numpy_dispatch import UFUNC_METHODS, numpy_functions, way_out_of_library
from ...core.primitive import NUMPY_IMPLS, Primitive
from ...core.versions import COPY_OF_OVERLAP, OVERLAP, require_apart
from ...errors import TraceError
from ...support import pytree as tree
from ...support.abstract_array import AbstractArray
from ..ir.checks import BoundCheck
from ..ir.instruction import (
    REDUCTIONS,
    SUPPORTED_DTYPES,
    UFUNCS,
    WEAK_DTYPES,
    Hole,
    Instruction,
    Shape,
    constant,
    make,
    placeholder_array,
    result_dtype,
)
from .call_stack import is_for_user, is_in_user_code, is_made_for_user, user_line
from .indexing import require_no_flags, selects_everything, split_index
from .interception import CURRENT_TRACE
from .python_calls import CallRefusedError, add_call, kind_of_part, sample_input
from .trace_errors import COPY_AFTER_RESHAPE, raise_trace_error, trace_error

Kind: TypeAlias = Literal["array", "scalar", "number"]
"""The kinds of object that eager code has in the place of a traced array."""

Check = tuple[Instruction, Callable[[Any], object]]
CHECKS: contextvars.ContextVar[list[Check]] = contextvars.ContextVar("checks")
"""Checks of the program being traced, which run before it changes anything."""

TRACED_IMPLS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy functions on traced arrays: those that are instructions, or composed of instructions."""

COMPOSING: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("composing", default=())
SHAPE_FUNCTIONS = frozenset(
    {np.shape, np.ndim, np.size, np.common_type, np.result_type, np.iscomplexobj, np.isrealobj}
)
COMPOSED_DTYPES = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
INDEXING_FUNCTIONS = frozenset({np.take, np.take_along_axis, np.repeat})
"""NumPy functions with integer arguments that select entries of the first."""

WRITING = frozenset({np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask})
"""NumPy functions that write into their first argument."""

WRITING_WHILE_READING = frozenset({np.concatenate, np.stack, np.ptp})
"""NumPy functions that write into `out` before they have read all of their arguments."""

PRODUCTS = frozenset({np.inner, np.outer, np.vdot, np.kron, np.tensordot})
"""NumPy functions that make arrays of Python numbers, which then do promote others."""

REDUCTION_NAMES = {ufunc: name for name, ufunc in REDUCTIONS.items()}
REDUCTION_OPTIONS = {"axis", "keepdims", "dtype"}
PYTHON_OPERATORS = {"and": "and_", "or": "or_"}
INTEGER_ARITHMETIC = frozenset(
    {
        *("add", "subtract", "multiply", "floor_divide", "remainder", "power", "left_shift"),
        *("right_shift", "negative", "positive", "absolute"),
    }
)
CHECKED_OPERATORS: dict[str, Callable[..., Any]] = {
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
}
"""Python's operators that raise for some numbers, for which NumPy gives inf or nan."""

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


def is_of_batch(x: Any) -> bool:
    """Return True for an array of one entry of a batch, which may hold traced arrays."""
    return isinstance(x, AbstractArray) and x.level is not None


def is_mask(index: Any) -> bool:
    """Return True for an index that is one traced array of booleans."""
    return isinstance(index, Traced) and index.dtype.kind == "b"


def numpy_method(name: str) -> Callable[..., Any]:
    """Return the array method that calls NumPy's function of the same name."""

    def call(self: Traced, *args: Any, **options: Any) -> Any:
        return getattr(np, name)(self, *args, **options)

    call.__name__, call.__doc__ = name, f"Call np.{name} with this array."
    return call


def part_of_complex(name: str) -> property:
    """Return the attribute `real` or `imag`, which is a Python number for a Python number."""

    def put(self: Traced, new: Any) -> None:
        if name == "imag" and self.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")
        get(self)[...] = new

    def get(self: Traced) -> Any:
        if name == "real" and self.is_array and self.dtype.kind != "c":
            return self[...]
        if name == "real" and self.kind == "number" and self.dtype.kind == "f":
            return self
        return call_at_run_time(getattr(np, name), (self,), {})

    return property(get, put)


def operators(name: str, ufunc: str) -> tuple[Callable[..., Any], ...]:
    """Return an operator of two operands, the reflected one, and the one in place."""
    of_arrays, reflected_of_arrays, in_place_of_arrays = (
        getattr(NDArrayOperatorsMixin, f"__{kind}{name}__") for kind in ("", "r", "i")
    )

    def call(self: Traced, other: Any) -> Any:
        found = combine_numbers(ufunc, self, other)
        return of_arrays(self, other) if found is None else found

    def reflected(self: Traced, other: Any) -> Any:
        found = combine_numbers(ufunc, other, self)
        return reflected_of_arrays(self, other) if found is None else found

    def in_place(self: Traced, other: Any) -> Any:
        if self.kind != "array" or self.instruction.weak:
            return getattr(operator, PYTHON_OPERATORS.get(name, name))(self, other)
        return in_place_of_arrays(self, other)

    return call, reflected, in_place


def operator_of_one(name: str, ufunc: str) -> Callable[..., Any]:
    """Return an operator of one operand."""
    of_array = getattr(NDArrayOperatorsMixin, f"__{name}__")

    def call(self: Traced) -> Any:
        if name == "pos" and self.kind == "number" and self.dtype.kind == "f":
            return self  # as Python does
        found = combine_numbers(ufunc, self)
        return of_array(self) if found is None else found

    return call


def comparison(name: str, ufunc: str) -> Callable[..., Any]:
    """Return a comparison."""
    of_arrays = getattr(NDArrayOperatorsMixin, f"__{name}__")

    def call(self: Traced, other: Any) -> Any:
        found = combine_numbers(ufunc, self, other)
        return of_arrays(self, other) if found is None else found

    return call


def combine_numbers(ufunc: str, *operands: Any) -> Traced | None:
    """Return what Python's operator gives for Python numbers; None if one is an array.

    Booleans are integers in arithmetic: True + True is 2.
    """
    for x in operands:
        if type(x) not in WEAK_DTYPES and not isinstance(x, Traced):
            return None
    instructions = [as_instruction(x) for x in operands]
    weaknesses = [x.weak for x in instructions]
    if not all(weaknesses):
        return None
    plain = any(isinstance(x, Traced) and x.kind == "number" for x in operands)
    if plain and ufunc in CHECKED_OPERATORS:
        check_python_operator(CHECKED_OPERATORS[ufunc], *instructions)
    counts = ufunc in INTEGER_ARITHMETIC or (plain and ufunc == "invert")
    if counts and all(x.dtype.kind == "b" for x in instructions):
        instructions = [cast_to(x, WEAK_DTYPES[int], weak=True) for x in instructions]
    return Traced(make(ufunc, instructions), kind="number" if plain else "array")


def check_python_operator(apply: Callable[..., Any], x: Instruction, y: Instruction) -> None:
    """Let the program raise what Python's operator raises for the numbers that it gets.

    A power that is a complex number in Python is an error too.
    """
    if apply is not operator.pow:
        if not y.is_constant:
            CHECKS.get().append((y, functools.partial(apply, 1.0)))
        elif not y.value:
            apply(1.0, y.value)
        return
    look = functools.partial(require_real_power, user_line())
    if y.is_constant:
        if y.value != 1:
            CHECKS.get().append((x, functools.partial(look, exponent=y.value)))
    elif x.is_constant:
        CHECKS.get().append((y, functools.partial(look, base=x.value)))
    else:
        both = [
            make("reshape", [cast_to(z, WEAK_DTYPES[float], False)], shape=(1,)) for z in (x, y)
        ]
        CHECKS.get().append((make("concatenate", both, axis=0), lambda z: look(*z.tolist())))


def require_real_power(where: tuple[Any, int], *given: Any, **fixed: Any) -> None:
    """Raise Python's error for a power of numbers, or `TraceError` if it is complex."""
    numbers = dict(zip((x for x in ("base", "exponent") if x not in fixed), given, strict=True))
    base, exponent = ({**numbers, **fixed}[name] for name in ("base", "exponent"))
    if isinstance(pow(base, exponent), complex):
        raise trace_error(
            *where,
            f"{base!r} to the power of {exponent!r} is a complex number",
            "use np.power, which gives nan, or a base that isn't negative",
        )


def _way_out_of_library() -> str | None:
    return f"write {cure}" if (cure := way_out_of_library()) else None


class Traced(NDArrayOperatorsMixin, AbstractArray):
    """An array whose numbers come when the compiled program runs.

    It has the shape, the dtype and the methods of an array; what is computed with it becomes
    instructions. In-place arithmetic replaces its instruction. What needs the numbers during
    tracing (`if`, `float()`, `.item()`, printing) raises `TraceError` with the user's line.

    `kind` is what eager code has in its place. In-place arithmetic on a NumPy scalar or a Python
    number gives a new one. A Python number of the user's code becomes a NumPy scalar in NumPy's
    functions, and stays one in Python's operators; the numbers that Values hold stay numbers.
    """

    __slots__ = (
        *("__weakref__", "_instruction", "_whole_read", "copy_of", "kind", "outer_name", "view_of"),
        *("data_of", "written_at"),
    )
    __array_priority__ = 1000

    def __new__(cls, *args: Any, kind: Kind = "array", **options: Any) -> Traced:
        """Create the object; a Python number lacks the methods of arrays."""
        return object.__new__(TracedNumber if kind == "number" else cls)

    def __init__(
        self,
        instruction: Instruction,
        view_of: View | None = None,
        outer_name: str = "",
        kind: Kind = "array",
    ) -> None:
        if instruction.dtype not in SUPPORTED_DTYPES:
            raise_trace_error(
                f"an array must have a boolean, integer, floating or complex dtype, got "
                f"{instruction.dtype}",
                "convert it with .astype() outside the compiled function",
            )
        self._instruction = instruction
        self.kind = kind
        self.view_of = view_of
        self._whole_read = None if view_of is None else view_of.whole.instruction
        self.data_of: Any = None  # of a Value's data: the Value, its content, the count of others
        self.written_at: Any = None  # of a Value's data that isn't assigned: the line of the write
        self.outer_name = outer_name  # of an array from outside, which must not be written to
        trace = CURRENT_TRACE.get()
        if trace is not None:
            trace.add_created(self, *user_line())
            if kind != "array" and instruction.dtype.kind == "b" and is_made_for_user():
                trace.note_truth(kind)

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
        if self.data_of is not None:
            self._require_current()
        if self.outer_name and (trace := CURRENT_TRACE.get()) is not None:
            trace.note_read(self._instruction)
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

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class of what eager code has in its place, for the user's `isinstance`."""
        return self.eager_class if is_for_user() else Traced

    @property
    def eager_class(self) -> type:
        """The class of what eager code has in its place."""
        if self.kind == "array":
            return np.ndarray
        return self.dtype.type if self.kind == "scalar" else type(self.dtype.type(0).item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Traced]:
        return (self[i] for i in range(len(self)))

    def __dir__(self) -> list[str]:
        return dir(self.eager_class)

    def __repr__(self) -> str:
        return f"Traced({self.dtype}, shape {self.shape})"

    # ---- what needs the numbers, and so raises

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - the answer isn't known yet
        raise_trace_error(
            "a branch (if, while, and, or, not, assert) must not depend on a traced number, whose "
            "value is unknown while tracing",
            _way_out_of_library()
            or "use np.where(condition, a, b) or tg.cond, or make the branch depend on a static "
            'argument: tg.compile(f, static=("name",))',
            needed=[self.instruction],
        )

    def __float__(self) -> NoReturn:
        raise_trace_error(
            "float(), .item() and writing into a NumPy array need the value of a traced number, "
            "which is unknown while tracing",
            _way_out_of_library()
            or "compute with it as it is, build arrays with np.stack or np.where, or return it and "
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

    def item(self, *_: Any) -> NoReturn:
        """Raise `TraceError`: the number isn't known."""
        self.__float__()

    def __round__(self, *_: Any) -> NoReturn:
        self.__int__()

    __index__ = __trunc__ = __floor__ = __ceil__ = __int__
    tolist = __complex__ = __float__

    def __hash__(self) -> int:
        if is_for_user():
            self.require_hashable()
        return object.__hash__(self)

    def require_hashable(self) -> None:
        """Raise what a key raises that is an array, or a number that isn't known."""
        if self.kind == "array":
            raise TypeError("unhashable type: 'numpy.ndarray'")
        self.__float__()

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise_trace_error(
            "np.array(), np.asarray() and writing into a NumPy array need the values of a traced "
            "array, which are unknown while tracing",
            _way_out_of_library()
            or "compute with the argument as it is; build arrays with np.where, np.stack or "
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
            "a traced array cannot be pickled", "return it from the compiled function"
        )

    def __copy__(self) -> Traced:
        return self if self.kind == "number" else self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Traced:
        return self.__copy__()

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(hasattr(type(x), "__apply__") or is_of_batch(x) for x in inputs):
            return NotImplemented
        if method == "at":
            return _write_into(UFUNC_METHODS["at"], f"np.{ufunc.__name__}.at", (ufunc, *inputs), 1)
        out = options.pop("out", None)
        mask = options.pop("where", True) if method == "__call__" else True
        if mask is not True and out is None:
            raise_trace_error(
                f"np.{ufunc.__name__}(..., where=...) leaves entries without a number",
                "use np.where(mask, result, other)",
            )
        if method == "__call__" and ufunc is np.matmul and not options:
            found = multiply_matrices("matmul", *inputs)
        elif method == "__call__" and ufunc.__name__ in UFUNCS and not options:
            found = apply_ufunc(ufunc.__name__, *inputs)
        elif method == "reduce" and ufunc in REDUCTION_NAMES and set(options) <= REDUCTION_OPTIONS:
            found = reduce_axes(REDUCTION_NAMES[ufunc], *inputs, **options)
        else:
            function = ufunc if method == "__call__" else getattr(ufunc, method)
            found = call_at_run_time(function, *_as_scalars(inputs, options))
        if out is None:
            return found
        (target,) = out if len(out) == 1 else (None,)
        if not isinstance(target, Traced):
            raise_trace_error(
                f"np.{ufunc.__name__}(..., out=...) must not write into an array from outside the "
                "compiled function, or into several",
                "drop out= and use the result",
            )
        new: Any = found if mask is True else np.where(mask, found, target)
        return _write_out(target, new, f"np.{ufunc.__name__}")

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        if not all(issubclass(kind, (np.ndarray, Traced)) for kind in types):
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
        fitting = self._fit(new, self.instruction.weak)
        extra = len(fitting.shape) - len(self.shape)
        if extra > 0 and fitting.shape[:extra] == (1,) * extra:  # as NumPy allows
            fitting = make("reshape", [fitting], shape=fitting.shape[extra:])
        fitting = broadcast(fitting, self.shape)
        if self.view_of is not None:
            whole, _, write = self.view_of
            if write is None:
                raise_trace_error(
                    "a reshaped or broadcast array is changed in place", COPY_AFTER_RESHAPE
                )
            whole.become(Traced(write(whole.instruction, fitting)))
            self._whole_read = whole.instruction
        self._instruction = fitting
        if self.data_of is not None and self.written_at is None:
            self.written_at = user_line()
        if (trace := CURRENT_TRACE.get()) is not None:
            trace.note_update(self)
        return self

    def _fit(self, new: Any, weak: bool) -> Instruction:
        """Return what is to be written into this array, in its dtype."""
        x = as_instruction(new)
        if x.dtype.kind == "c" and self.dtype.kind != "c":
            raise_trace_error(
                f"complex numbers must be written into a complex array, got {self.dtype}",
                "write np.real of them",
            )
        return cast_to(x, self.dtype, weak)

    def __getitem__(self, index: Any) -> Traced:
        parts, arrays = split_index(_unwrap_index(index))
        require_no_flags(parts)
        if arrays:
            return _scalar_or_array(make("gather", [self.instruction, *arrays], index=parts))
        one = read_part(self.instruction, parts)
        if not one.shape and Ellipsis not in parts:
            return Traced(one, kind="scalar")
        if selects_everything(parts):
            whole = View(self, lambda now: now, lambda _, new: new)
            return Traced(self.instruction, whole, self.outer_name)

        def write(now: Instruction, new: Instruction) -> Instruction:
            return make("assign", [now, cast_to(new, now.dtype, weak=False)], index=parts)

        return Traced(one, View(self, lambda now: read_part(now, parts), write))

    def __setitem__(self, index: Any, new: Any) -> None:
        if not self.is_array:
            name = self.eager_class.__name__
            raise TypeError(f"{name!r} object does not support item assignment")
        if is_mask(index) and index.shape == self.shape and not np.shape(new):
            self.become(np.where(index, new, self))
            return
        parts, arrays = split_index(_unwrap_index(index))
        value = self._fit(new, weak=False)
        if not selects_everything(parts):
            value = make("assign", [self.instruction, value, *arrays], index=parts)
        self.become(Traced(value))

    __add__, __radd__, __iadd__ = operators("add", "add")
    __sub__, __rsub__, __isub__ = operators("sub", "subtract")
    __mul__, __rmul__, __imul__ = operators("mul", "multiply")
    __truediv__, __rtruediv__, __itruediv__ = operators("truediv", "divide")
    __floordiv__, __rfloordiv__, __ifloordiv__ = operators("floordiv", "floor_divide")
    __mod__, __rmod__, __imod__ = operators("mod", "remainder")
    __lshift__, __rlshift__, __ilshift__ = operators("lshift", "left_shift")
    __rshift__, __rrshift__, __irshift__ = operators("rshift", "right_shift")
    __and__, __rand__, __iand__ = operators("and", "bitwise_and")
    __or__, __ror__, __ior__ = operators("or", "bitwise_or")
    __xor__, __rxor__, __ixor__ = operators("xor", "bitwise_xor")
    __neg__, __pos__ = operator_of_one("neg", "negative"), operator_of_one("pos", "positive")
    __abs__ = operator_of_one("abs", "absolute")
    __invert__ = operator_of_one("invert", "invert")
    __lt__, __le__ = comparison("lt", "less"), comparison("le", "less_equal")
    __gt__, __ge__ = comparison("gt", "greater"), comparison("ge", "greater_equal")
    __eq__, __ne__ = comparison("eq", "equal"), comparison("ne", "not_equal")
    _power, __rpow__, __ipow__ = operators("pow", "power")

    def __divmod__(self, other: Any) -> Any:
        found = combine_numbers("floor_divide", self, other)
        return super().__divmod__(other) if found is None else (found, self % other)

    def __rdivmod__(self, other: Any) -> Any:
        found = combine_numbers("floor_divide", other, self)
        return super().__rdivmod__(other) if found is None else (found, other % self)

    def __pow__(self, exponent: Any) -> Any:
        # as arrays do for these exponents, to the last bit
        ufunc = POWER_UFUNCS.get(exponent) if type(exponent) in {int, float} else None
        if ufunc is not None and self.dtype.kind == "f" and not self.instruction.weak:
            return apply_ufunc(ufunc, self)
        if (
            self.dtype.kind == "b"
            and self.kind == "array"
            and type(exponent) is int
            and exponent == 2
        ):
            if not self.shape:
                raise_trace_error(
                    "the square of a boolean has another dtype for a scalar than for an array",
                    "convert it with .astype() first",
                )
            return self.astype(np.int8)
        return self._power(exponent)

    # ---- methods of arrays

    def copy(self, order: str = "C") -> Traced:
        """Return the same numbers."""
        made = self._alike(self.instruction)
        made.copy_of = self
        return made

    def clip(self, min: Any = None, max: Any = None, out: None = None, **options: Any) -> Any:
        """Bound the entries; `np.clip` needs both bounds in NumPy 2.0, the method one."""
        return np.clip(self, min, max, out=out, **options)

    def as_data_of(self, value: Any) -> Traced:
        """Return a copy that stands for the `data` of a Value, which holds this array.

        What is written to it must be assigned to the Value's data, as `value.data -= step` does.
        """
        made = self.copy()
        if (trace := CURRENT_TRACE.get()) is not None:
            made.data_of = (value, made._instruction, trace.reassignments(value))
            trace.add_data(made)
        return made

    def written_back(self) -> None:
        """Note that this array has become the `data` of a Value."""
        if self.data_of is not None:
            value, _, count = self.data_of
            if (trace := CURRENT_TRACE.get()) is not None:
                count = trace.reassignments(value)
            self.data_of, self.written_at = (value, as_instruction(value._content), count), None

    def _require_current(self) -> None:
        """Raise `TraceError` if the Value, whose data this is, was updated in place since."""
        value, start, count = self.data_of
        trace = CURRENT_TRACE.get()
        if trace is None or self.written_at is not None or trace.reassignments(value) != count:
            return  # an array of its own, if the Value has got another
        if as_instruction(value._content) is not start:
            raise_trace_error(
                "the data of a Value is read after the Value was updated in place",
                "read value.data again, or copy it before: value.data.copy()",
            )

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Traced:
        """Return the same numbers in another dtype."""
        if not copy and self.dtype == dtype:
            return self
        return self._alike(cast_to(self.instruction, np.dtype(dtype), weak=False))

    def _alike(self, x: Instruction) -> Traced:
        """Return a copy, which is a NumPy scalar if this is one."""
        return Traced(x, kind="scalar" if self.kind == "scalar" else "array")

    def view(self, *_: Any, **__: Any) -> NoReturn:
        """Raise `TraceError`: the bits of a traced array aren't known."""
        raise_trace_error(
            ".view() needs the bits of a traced array, which are unknown while tracing",
            "use .astype(), or .copy() for a copy",
            needed=[self.instruction],
        )

    def reshape(self, *shape: Any, order: str = "C", **options: Any) -> Traced:
        """Return the same entries in another shape."""
        lengths = shape[0] if len(shape) == 1 else shape
        found: Traced = apply_numpy_function(np.reshape, (self, lengths, order), options)
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
    std, var, cumsum, cumprod = map(numpy_method, ("std", "var", "cumsum", "cumprod"))
    argmax, argmin, argsort = map(numpy_method, ("argmax", "argmin", "argsort"))
    argpartition, searchsorted = map(numpy_method, ("argpartition", "searchsorted"))
    dot, round, repeat, take = map(numpy_method, ("dot", "round", "repeat", "take"))
    swapaxes, squeeze, diagonal = map(numpy_method, ("swapaxes", "squeeze", "diagonal"))
    trace, nonzero = numpy_method("trace"), numpy_method("nonzero")
    all, any = numpy_method("all"), numpy_method("any")
    real, imag = part_of_complex("real"), part_of_complex("imag")
    mT = property(numpy_method("matrix_transpose"))  # noqa: N815 - NumPy's name

    def conj(self) -> Any:
        """Return the complex conjugate; the array itself if it isn't complex."""
        return np.conj(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Call np.compress with this array."""
        return np.compress(condition, self, axis)

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Any:
        """Call np.choose with this array."""
        if out is not None:
            raise_trace_error(".choose(out=...) must not write into an array", "use the result")
        return call_at_run_time(np.choose, (self, choices), {"mode": mode})

    def sort(self, axis: int = -1, kind: Any = None, order: None = None, **options: Any) -> None:
        """Sort the array in place."""
        self.become(np.sort(self, axis, kind, order, **options))

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Partition the array in place."""
        self.become(np.partition(self, kth, axis))

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """Write to positions of the flattened array."""
        apply_numpy_function(np.put, (self, indices, values, mode), {})

    @property
    def flat(self) -> FlatEntries:
        """The entries one after another."""
        return FlatEntries(self)

    @flat.setter
    def flat(self, new: Any) -> None:
        self.flat[...] = new

    def __getattr__(self, name: str) -> NoReturn:
        kind = self.eager_class
        if not hasattr(kind, name) or (name.startswith("__") and not is_in_user_code()):
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        if name in {"__array_interface__", "__array_struct__"}:  # for which NumPy asks first
            self.__array__()
        raise_trace_error(
            f".{name} of {'an array' if kind is np.ndarray else 'a number'} isn't known while "
            "tracing",
            "use one of NumPy's functions, or do this outside the compiled function",
        )

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

    def own_copy(self, x: Any) -> Traced:
        """Return an array that may be written to."""
        return Traced(strengthen(as_instruction(x)))

    @property
    def is_array(self) -> bool:
        """True if eager code has an array in its place."""
        return self.kind == "array" and not self.instruction.weak

    @property
    def shares_memory(self) -> bool | None:
        """True for a view of another array; None if that depends on its layout in memory."""
        if self.view_of is None:
            return False
        return True if self.view_of.read is not None else None

    @property
    def memory_owner(self) -> Traced:
        """The array whose memory this one is a part of, or may be."""
        owner = self
        while owner.view_of is not None:
            owner = owner.view_of.whole
        return owner

    def refuse_overlap(self, where: str) -> NoReturn:
        """Raise `TraceError`: entries would be written that are read later."""
        raise_trace_error(f"{where}: {OVERLAP}", COPY_OF_OVERLAP)

    def require_made_inside(self, serial: int) -> None:
        """Raise `TraceError` if a Value of this serial number was made outside the trace."""
        trace = CURRENT_TRACE.get()
        if trace is not None and serial < trace.since:
            raise_trace_error(
                "a Value from outside the compiled function must not be written to",
                "write to a copy of it: value = value.copy()",
            )

    def refuse_layout(self) -> NoReturn:
        """Raise `TraceError`: whether the reshape was a copy isn't known."""
        raise_trace_error(
            "a Value is written to while a reshape of it is still in use", COPY_AFTER_RESHAPE
        )

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
        found = call_at_run_time(function, args, options, expand)
        return tree.map_leaves(lambda x: Traced(x.instruction), found)

    def check(self, function: Callable[[Any], object], below: int | None = None) -> None:
        """Have the program check the numbers when it runs, before anything is changed."""
        look = function if below is None else BoundCheck(function, below)
        CHECKS.get().append((self.instruction, look))


class TracedNumber(Traced):
    """A Python number: it has no axes, length or entries, and the attributes of a number alone."""

    __slots__ = ()
    __len__ = __iter__ = __getitem__ = __setitem__ = __contains__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return self.eager_class if is_for_user() else Traced
        asks = name not in {"__copy__", "__deepcopy__"} and is_in_user_code()
        if asks and not hasattr(self.eager_class, name):
            raise AttributeError(f"{self.eager_class.__name__!r} object has no attribute {name!r}")
        return super().__getattribute__(name)


# ---- NumPy's functions


CALLED = frozenset(
    {
        *(np.corrcoef, np.cov, np.geomspace, np.gradient, np.histogramdd, np.intersect1d),
        *(np.linspace, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.lstsq, np.linalg.pinv),
        *(np.linalg.qr, np.linalg.slogdet, np.linalg.svd),
    }
)
"""Functions whose dtypes, refusals and tuples are NumPy's own: what stands for them on Values is
another composition, with the same numbers."""


def apply_numpy_function(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Apply a NumPy function to traced arrays: as instructions where it can, else as a call."""
    if isinstance(options.get("out"), Traced):
        if function in WRITING_WHILE_READING:
            require_apart(f"np.{function.__name__}", options["out"], *tree.leaves(args))
        found = apply_numpy_function(
            function, args, {name: x for name, x in options.items() if name != "out"}
        )
        if np.shape(found) != options["out"].shape:
            raise ValueError(
                f"np.{function.__name__}: out must have the shape of the result, "
                f"{np.shape(found)}, got {options['out'].shape}"
            )
        return _write_out(options["out"], found, f"np.{function.__name__}")
    if _argument("out", function, args, options) is not None:
        raise_trace_error(
            f"np.{function.__name__}(..., out=...) must not write into an array",
            "drop out= and use the result",
        )
    if function in SHAPE_FUNCTIONS:
        return function(*map(_as_placeholder, args), **options)
    if function in WRITING:
        name = f"np.{function.__name__}"
        return _write_into(NUMPY_IMPLS[function], name, args, 0, **options)
    args, options = _as_scalars(args, options)
    implementation = TRACED_IMPLS.get(function)
    if implementation is not None:
        return _try_instructions(implementation, function, args, options)
    composed = None if function in CALLED else NUMPY_IMPLS.get(function)
    if composed is None or function in COMPOSING.get() or not _are_floats(function, args, options):
        return call_at_run_time(function, args, options)
    token = COMPOSING.set((*COMPOSING.get(), function))
    try:
        found = _try_instructions(composed, function, args, options)
    finally:
        COMPOSING.reset(token)
    count = sum(isinstance(x, (Traced, np.ndarray)) for x in args)
    if function in VIEWING and (function is not np.einsum or count == 1):
        return link_views(apply_numpy_function, function, args, options, found)
    given = {id(x) for x in tree.leaves((args, options)) if isinstance(x, Traced)}
    return tree.map_leaves(
        lambda x: _own(x) if isinstance(x, Traced) and (x.view_of or id(x) in given) else x, found
    )


def _write_out(target: Traced, found: Any, name: str) -> Traced:
    """Write the result of a NumPy function into `out`. Raises what NumPy raises."""
    if not np.can_cast(found.dtype, target.dtype, "same_kind"):
        raise TypeError(
            f"{name}: cannot cast the result from {found.dtype!r} to {target.dtype!r}, the dtype "
            "of out, with casting rule 'same_kind'"
        )
    return target.become(found)


def _write_into(
    function: Callable[..., Any], name: str, args: Sequence[Any], position: int, **options: Any
) -> None:
    """Call what stands for a function of NumPy that writes into an argument, at a position."""
    if args and not isinstance(args[position], Traced):
        raise_trace_error(
            f"{name} must not write into an array from outside the compiled function",
            "write into a copy of it: array = array + np.zeros_like(x), with a traced x",
        )
    function(*args, **options)


def _try_instructions(
    implementation: Callable[..., Any],
    function: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
) -> Any:
    """Return a function's instructions, or a call of it for arguments that these don't cover."""
    try:
        _require_known_options(function, options)
        return implementation(*args, **options)
    except TraceError:
        raise
    except Exception as error:
        first_error = error
    try:
        return _make_call(function, args, options)
    except CallRefusedError as error:
        refusal = error
    if refusal.failed:  # NumPy refuses the arguments too
        raise first_error
    raise_trace_error(refusal.wrong, refusal.cure, _instructions_in(args, options))


@functools.cache
def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except ValueError:  # NumPy 2.0 doesn't say, of its functions in C
        like = NUMPY_IMPLS.get(function)
        like = like.forward if isinstance(like, Primitive) else like
        return dict(inspect.signature(like or _any_arguments).parameters)


def _any_arguments(*args: Any, **options: Any) -> None:
    """Have the signature of a function of which nothing is known."""


def _argument(
    name: str, function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Return an argument of a NumPy function by its name; None if it wasn't given."""
    if name in options:
        return options[name]
    by_position = [
        x.name for x in _parameters(function).values() if x.kind <= x.POSITIONAL_OR_KEYWORD
    ]
    return args[by_position.index(name)] if name in by_position[: len(args)] else None


def _require_known_options(function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise `TypeError` for an option that NumPy's function doesn't have."""
    known = _parameters(function)
    if any(x.kind is inspect.Parameter.VAR_KEYWORD for x in known.values()):
        return
    for name in options:
        if name not in known:
            raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}")


def _are_floats(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> bool:
    """Return True if the arrays are those that operations are written for: float32 and float64.

    What NumPy makes of integers, booleans, float16 and complex numbers is left to NumPy.
    """
    if function in PRODUCTS and any(type(x) in WEAK_DTYPES for x in args[:2]):
        return False
    leaves = tree.leaves(args[:1] if function in INDEXING_FUNCTIONS else (args, options))
    return all(
        x.dtype in COMPOSED_DTYPES
        for x in leaves
        if isinstance(x, (Traced, np.ndarray, np.generic))
    )


def _as_scalars(args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Return the arguments of a NumPy function, which makes scalars of Python numbers.

    Next to an array they stay Python numbers, which don't promote it.
    """
    arrays = [
        x for x in tree.leaves((args, options)) if isinstance(x, (Traced, np.ndarray, np.generic))
    ]
    if not all(isinstance(x, Traced) and x.kind == "number" for x in arrays):
        return args, options
    return tree.map_leaves(
        lambda x: Traced(strengthen(x.instruction), kind="scalar") if isinstance(x, Traced) else x,
        (args, options),
    )


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

    try:
        return _make_call(function, args, options, None if expand is None else expand_instructions)
    except CallRefusedError as error:
        refusal = error
    raise_trace_error(refusal.wrong, refusal.cure, _instructions_in(args, options))


def _instructions_in(args: Any, options: Any) -> list[Instruction]:
    """Return the instructions of the traced arrays among arguments."""
    return [x.instruction for x in tree.leaves((args, options)) if isinstance(x, Traced)]


def _make_call(
    function: Callable[..., Any], args: Any, options: Any, expand: Callable[..., Any] | None = None
) -> Any:
    found = add_call(function, unwrap(args), unwrap(options), expand)
    made = tree.map_leaves(lambda x: Traced(x, kind=kind_of_part(x)), found)
    part = next(tree.leaves([found]), None)
    if part is None or not part.inputs[0].options["function"].returns_views:
        return made
    return link_views(call_at_run_time, function, args, options, made)


# ---- views that functions return

VIEWING = frozenset(
    {
        *(np.apply_over_axes, np.array_split, np.astype, np.atleast_1d, np.atleast_2d),
        *(np.atleast_3d, np.diag),
        *(np.broadcast_arrays, np.diagonal, np.diff, np.dsplit, np.einsum, np.expand_dims),
        *(np.fft.fft2, np.fft.fftn, np.fft.ifft2, np.fft.ifftn),
        *(np.flip, np.fliplr, np.flipud, np.hsplit, np.imag, np.lib.stride_tricks.as_strided),
        *(np.lib.stride_tricks.sliding_window_view, np.linalg.diagonal, np.linalg.matrix_power),
        *(np.linalg.matrix_transpose, np.matrix_transpose, np.meshgrid, np.moveaxis),
        *(np.permute_dims, np.polyder, np.polyint, np.ravel, np.real, np.real_if_close),
        *(np.reshape, np.rollaxis, np.rot90, np.split, np.squeeze, np.swapaxes, np.transpose),
        *(*numpy_functions("unstack"), np.trim_zeros, np.vsplit),
    }
)
"""NumPy's functions that return views of their arguments, or arguments themselves, in some cases.
All others return arrays of their own."""


def link_views(
    apply: Callable[..., Any],
    function: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    made: Any,
) -> Any:
    """Return a function's results, as views of arguments where NumPy's are, else as copies.

    NumPy is asked with samples. `apply` calls the function on traced arguments.
    """
    samples: dict[int, Any] = {}

    def as_sample(x: Any) -> Any:
        if not isinstance(x, Traced):
            return x
        if id(x) not in samples:
            sample = sample_input(x.instruction)
            samples[id(x)] = sample.copy() if isinstance(sample, np.ndarray) else sample
        return samples[id(x)]

    sample_args, sample_options = tree.map_leaves(as_sample, (args, options))
    try:
        with np.errstate(all="ignore"):
            found = list(tree.leaves([function(*sample_args, **sample_options)]))
    except Exception:  # of one of the samples: what it returns is known for others
        found = []
    results = list(tree.leaves([made]))
    if len(found) != len(results):
        return made
    wholes = [x for x in tree.leaves((args, options)) if isinstance(x, Traced) and x.is_array]
    linked = {}
    for i, (like, x) in enumerate(zip(found, results, strict=True)):
        shares = (w for w in wholes if np.may_share_memory(like, samples[id(w)]))
        whole = next(shares, None) if isinstance(like, np.ndarray) else None
        if not isinstance(x, Traced) or (x.view_of is not None and x.view_of.read is None):
            linked[id(x)] = x  # a plain array, or a reshape of unknown layout
        elif whole is None:
            linked[id(x)] = x if x.view_of is None and all(x is not w for w in wholes) else _own(x)
        elif x.view_of is not None or any(x is w for w in wholes):
            linked[id(x)] = x
        else:
            read = functools.partial(_read_again, apply, function, args, options, whole, i)
            write = functools.partial(_write_entries, like, samples[id(whole)])
            linked[id(x)] = Traced(x.instruction, View(whole, read, write))
    return tree.map_leaves(lambda x: linked[id(x)], made)


def _own(x: Traced) -> Traced:
    """Return a copy of an array; a number as it is."""
    return x.copy() if x.kind != "number" else x


def _read_again(
    apply: Callable[..., Any],
    function: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    whole: Traced,
    position: int,
    now: Instruction,
) -> Instruction:
    """Return a result of a function once more, with other content of one of its arguments."""
    args, options = tree.map_leaves(lambda x: Traced(now) if x is whole else x, (args, options))
    found = list(tree.leaves([apply(function, args, options)]))
    return as_instruction(found[position])


def _write_entries(like: Any, sample: Any, now: Instruction, new: Instruction) -> Instruction:
    """Return an array with the entries of a view of it replaced, given a view of a sample."""
    if not like.flags.writeable:
        raise_trace_error(
            "the destination is read-only, as NumPy's broadcast arrays and diagonals are",
            "write to array.copy()",
        )
    places: Any = like.__array_interface__["data"][0] - sample.__array_interface__["data"][0]
    for length, stride in zip(like.shape, like.strides, strict=True):
        places = np.add.outer(places, np.arange(length) * stride)
    places = places // like.itemsize
    if np.unique(places).size < places.size:
        raise_trace_error(
            "an array must not be written to in which an entry is found at several places",
            "write to array.copy()",
        )
    if like.dtype != sample.dtype:
        part: Instruction = add_call(write_parts, (now, places, new), {})
        return part
    flat = make("reshape", [now], shape=(now.size,))
    written = make("assign", [flat, new, constant(places)], index=(Hole(0),))
    return make("reshape", [written], shape=now.shape)


def write_parts(whole: Any, places: Any, new: Any) -> Any:
    """Return an array of complex numbers with some of their real or imaginary parts replaced."""
    out = np.array(whole, order="C")
    out.reshape(-1).view(new.dtype)[places] = new
    return out


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
    if isinstance(x, np.ndarray) and not isinstance(x, np.memmap) and type(x) is not np.ndarray:
        raise_trace_error(
            f"arrays must be plain, got {type(x).__name__}",
            "use array.filled(...) of a masked array, np.asarray(array) of others",
        )
    array = np.asarray(x)
    if array.dtype not in SUPPORTED_DTYPES and array.dtype.newbyteorder("=") in SUPPORTED_DTYPES:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in SUPPORTED_DTYPES:
        raise_trace_error(
            f"arrays must have a numeric dtype, got {array.dtype}",
            "call it outside the compiled function",
        )
    return constant(array)


def apply_ufunc(name: str, *inputs: Any) -> Traced:
    """Apply a ufunc."""
    return _scalar_or_array(make(name, [as_instruction(x) for x in _as_scalars(inputs, {})[0]]))


def _scalar_or_array(x: Instruction) -> Traced:
    """Return a result of NumPy: without axes, it's a scalar."""
    return Traced(x, kind="array" if x.shape or x.weak else "scalar")


def strengthen(x: Instruction) -> Instruction:
    """Return a Python number as a NumPy scalar; others as they are."""
    return cast_to(x, x.dtype, weak=False)


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
    wanted = None if dtype is None else np.dtype(dtype)
    reduced = make(name, [instruction], axis=axes, keepdims=keepdims, dtype=wanted)
    if not axes:
        reduced = cast_to(instruction, reduced.dtype, instruction.weak)
    return _scalar_or_array(reduced)


def read_part(x: Instruction, index: tuple[Any, ...]) -> Instruction:
    """Return x[index] for an index without arrays."""
    return x if selects_everything(index) else make("slice", [x], index=index)
