"""`Value`: a scalar or an array of numbers that remembers which operation computed it.

Arithmetic and NumPy calls on Values evaluate at once and record the graph: a result refers to its
operands and to nothing else. The operations are in the registry of `primitive.py`.
"""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

import functools
import importlib
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType, FrameType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NoReturn,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

import numpy as np

from ..errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
    TraceError,
)
from ..support.abstract_array import AbstractArray, Array
from ..support.indexing import freeze_index
from ..support.type_names import ArrayLike, DTypeLike
from ..support.validation import as_input, check_choice
from .chain_rule import backward
from .conversion import READING_LISTS, as_constant, has_value, join
from .flat_entries import FlatEntries
from .grad_mode import Watched, recording_now, watcher
from .graph_memory import give_up_reserve, memory_error
from .node import Node, PackedRecord, current_versions, next_serial, unwrap
from .numpy_dispatch import PLAIN, REDUCTIONS, REFUSED, UFUNC_METHODS, way_out_of_library
from .primitive import (
    LEVELS,
    METHOD_IMPLS,
    NUMPY_IMPLS,
    PRIMITIVES,
    Primitive,
    implementation_of,
    innermost_level,
    is_complex,
)
from .versions import (
    assign,
    current_version,
    forget_numbers,
    is_array,
    is_fixed_leaf,
    link_view,
    owner_of,
    replace_entries,
)

Axis: TypeAlias = int | tuple[int, ...] | None
Ints: TypeAlias = int | Sequence[int]
Part: TypeAlias = SupportsIndex | slice | EllipsisType | ArrayLike | None
Index: TypeAlias = Part | tuple[Part, ...]
Declared = TypeVar("Declared", bound=Callable[..., Any])

MAX_EXACT = 1 << 53  # every integer below this is a float
REALS = frozenset({np.float16, np.float32, np.float64, np.longdouble})
FLOATING = REALS | {np.complex64, np.complex128}


def operators(name: str, sign: str) -> tuple[Callable[..., Value], ...]:
    """Return the operator of an operation, the one for a Value on the right, and the one in place.

    They do what `apply` does, written out for two operands: small graphs spend their time here.
    """

    def make(reflected: bool) -> Callable[..., Value]:
        def call(self: Value, other: Any) -> Any:
            try:
                operation = PRIMITIVES[name]
                if LEVELS:
                    pair = (other, self) if reflected else (self, other)
                    return apply(operation, pair, operation.defaults)
                x, recorded = self._content, self.requires_grad
                if self._data_shared:
                    x = x.copy(order="K")
                if type(other) is Value:
                    y, recorded = other._content, recorded or other.requires_grad
                    if other._data_shared:
                        y = y.copy(order="K")
                elif type(other) is float or (
                    type(other) is int and -MAX_EXACT < other < MAX_EXACT
                ):
                    y = float(other)
                elif type(other) in {list, tuple} and has_value(other):
                    return make(reflected)(self, join(other))
                else:
                    y = as_constant(other, operation)
                if reflected:
                    x, y = y, x
                try:
                    scalar = operation.scalar
                    if scalar is not None and type(x) is float is type(y):
                        out = scalar(x, y)
                    else:
                        out = operation.forward(x, y)
                except MemoryError:
                    give_up_reserve()  # see `apply`
                    raise
                except Exception as error:
                    out = evaluate_again(operation, (x, y), {}, error)
                if type(out) is not float and not isinstance(out, np.ndarray):
                    out = as_result(operation, out, (x, y))
                recording, record = recording_now(), None
                if recording is not False and (recorded or recording is not True):
                    operands = (other, self) if reflected else (self, other)
                    record = (operation, operands, (x, y), operation.defaults)
                    if recording is not True:
                        return notify_watcher(recording, out, recorded, record)
                value = _new(Value)
                value._content = out
                value._grad = value.name = None
                value._data_shared = False
                value._serial = next_serial()
                value._record = record
                value.requires_grad = record is not None
                return value
            except MemoryError as error:
                give_up_reserve()
                raise memory_error(name, (self, other), error) from None
            except DtypeError:
                if has_own_operators(other):
                    return NotImplemented
                raise

        call.__name__ = call.__qualname__ = name
        first, second = ("other", "self") if reflected else ("self", "other")
        call.__doc__ = f"Return {first} {sign} {second}."
        return call

    call = make(reflected=False)

    def in_place(self: Value, other: Any) -> Any:
        if type(self._content) is float:
            return call(self, other)
        return update(self, call, other)

    in_place.__name__ = in_place.__qualname__ = name
    in_place.__doc__ = f"Write self {sign} other into self where it is an array; else return it."
    return call, make(reflected=True), in_place


def has_own_operators(x: Any) -> bool:
    """Return True if NumPy's arrays leave their operators to an object, as to a polynomial.

    Raises `NotDifferentiableError` for NumPy's own polynomials, whose coefficients are plain.
    """
    if getattr(type(x), "__array_ufunc__", True) is not None:
        return False
    if type(x).__module__.startswith("numpy."):
        raise NotDifferentiableError(
            f"{type(x).__name__} of NumPy has no Values among its coefficients: use "
            f"tinygrad_lr.numpy.polynomial.{type(x).__name__}"
        )
    return True


def update(value: Value, call: Callable[..., Value], other: Any) -> Any:
    """Return `value` after an operator in place; the result itself of a number or a leaf.

    Numbers are not arrays, in NumPy neither. A leaf that requires a gradient stays as it is, and
    its name is bound to the result.
    """
    new = call(value._current(), other._current() if isinstance(other, Value) else other)
    if new is NotImplemented:
        return new
    if not is_array(value._content) or (owner_of(value)[0] is value and is_fixed_leaf(value)):
        return new
    replace_entries(value, new)
    return value


def method(name: str) -> Callable[[Declared], Declared]:
    """Make a method call an operation; the declaration gives its signature and docstring."""

    def decorate(declared: Declared) -> Declared:
        @functools.wraps(declared)
        def call(self: Value, *args: Any, **options: Any) -> Value:
            operation = PRIMITIVES.get(name)
            if operation is not None and not args and not options:
                x = self._content
                if type(x) is not float or operation.scalar is None:
                    return apply(operation, (self,), operation.defaults)
                try:
                    out = operation.scalar(x)
                except (ArithmeticError, ValueError):
                    out = operation.on_numbers(x)
                recording, record = recording_now(), None
                if recording is not False and (self.requires_grad or recording is not True):
                    record = (operation, (self,), (x,), operation.defaults)
                    if recording is not True:
                        return notify_watcher(recording, out, self.requires_grad, record)
                return make_value(out, record)
            return cast(Value, METHOD_IMPLS[name](self, *args, **options))

        return cast(Declared, call)

    return decorate


def comparison(compare: Callable[[Any, Any], Any], sign: str) -> Callable[[Value, object], Any]:
    """Return a comparison of the numbers, entry by entry, which has no derivative."""

    def call(self: Value, other: object) -> Any:
        return compare(self._content, unwrap(other))

    call.__name__ = call.__qualname__ = compare.__name__
    call.__doc__ = f"Return self {sign} other, entry by entry, as plain booleans."
    return call


def refused_operator(sign: str) -> Callable[[Value, object], NoReturn]:
    """Return an operator of integers and booleans, which a Value doesn't hold."""

    def call(self: Value, other: object) -> NoReturn:
        refuse_bits(sign)

    return call


def refuse_bits(sign: str) -> NoReturn:
    """Raise `DtypeError` for an operator of bits."""
    raise DtypeError(
        f"{sign}: operands must be integers or booleans, got a Value, which holds floats; compare "
        "first, as in (value > 0) & mask"
    )


class Value(Node):
    """A number or an array of floats in a computation graph, with `.data` and `.grad`.

    `data` is copied. A Python number stays a Python float; an array keeps its floating or complex
    dtype; integers and booleans become float64, Python's complex numbers complex128. After
    `loss.backward()`, `.grad` is dL/d(this), of the shape and dtype of `.data`; it is None until a
    backward pass reaches it. The gradient of a complex number z is dL/dRe z + i dL/dIm z, as in
    PyTorch: `z - rate * z.grad` goes downhill.

    Raises `DtypeError` for data that is not numbers (text, objects) and `ArgumentError` for nested
    lists of unequal lengths.

    >>> x, w = Value(3.0), Value(2.0, name="w")
    >>> loss = (x * w - 1) ** 2
    >>> loss.backward()
    >>> loss.data, w.grad
    (25.0, 30.0)
    """

    __slots__ = ()
    written_kind: ClassVar[type[Value]]  # what the first write makes of it
    _fields: ClassVar[tuple[str, ...]]  # what help(Value) lists first: set below
    __pandas_priority__: ClassVar[int] = 100_000  # a Series on the left hands over to Value

    if TYPE_CHECKING:  # it is `apply`, below

        @staticmethod
        def __apply__(operation: Primitive, operands: Any, options: dict[str, Any]) -> Value:
            """Evaluate a Primitive on Values."""

    def backward(self, gradient: ArrayLike | None = None) -> None:
        """Fill `.grad` of every Value that this one was computed from, by the chain rule.

        Leaves accumulate over calls; results of operations hold the gradient of this pass. A
        Value with more than one entry needs its cotangent, `gradient`, of its own shape.
        Raises `GraphError` where nothing requires a gradient or the cotangent is missing, and
        `ShapeError` where it does not fit.
        """
        backward(self, gradient)

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if type(inputs[0]) is np.ndarray and inputs[0].base is not None and inputs[0].ndim:
            refuse_as_scalar(sys._getframe(1))  # the rows of polyval's coefficients
        if method == "reduce" and ufunc in REDUCTIONS:
            options.setdefault("axis", 0)
            return NUMPY_IMPLS[REDUCTIONS[ufunc]](*inputs, **options)
        if method == "__call__" and ufunc.signature and "axis" in options and len(options) == 1:
            operation = NUMPY_IMPLS.get(ufunc)  # np.vecdot(x, y, axis=0)
            if operation is not None and type(operation) is not Primitive:
                return operation(*inputs, **options)
        if method == "__call__" and not options:
            try:
                operation = NUMPY_IMPLS.loaded(ufunc)
                if operation is not None:
                    if type(operation) is Primitive:
                        return apply(operation, inputs, operation.defaults)
                    return operation(*inputs)
            except MemoryError as error:
                give_up_reserve()  # see `apply`
                if error.args:
                    raise
                raise memory_error(ufunc.__name__, inputs, error) from None
        if "out" in options:
            return write_out(self, ufunc, method, inputs, options)
        if ufunc in PLAIN:
            return getattr(ufunc, method)(*unwrap_all(inputs), **unwrap_all(options))
        if (operation := implementation_of(ufunc)) is not None:  # loaded now, or with options
            if method == "__call__" and not options:
                return operation(*inputs)
            return UFUNC_METHODS[method](ufunc, *inputs, **options)
        if method == "at":  # NumPy would write to read-only arrays, too
            raise NotDifferentiableError(no_derivative(ufunc))
        require_constants(ufunc, (inputs, options))
        return call_on_constants(getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        if function is np.prod:
            refuse_as_scalar(sys._getframe(1))  # polyvalfromroots
        operation = NUMPY_IMPLS.loaded(function)
        if operation is None and function not in PLAIN:
            operation = NUMPY_IMPLS.get(function)
        if operation is not None:
            try:
                return operation(*args, **options)
            except NotDifferentiableError:
                if requires_gradient((args, options)):
                    raise
        elif function in PLAIN:
            return function(*unwrap_all(args), **unwrap_all(options))
        else:
            require_constants(function, (args, options))
        return call_on_constants(function, args, options)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """Return `tinygrad_lr.numpy`, as the array API standard asks."""
        return importlib.import_module(f"{__name__.partition('.')[0]}.numpy")

    # For type checkers an array of objects, of which NumPy's stubs say that results may be
    # anything. Those of `tinygrad_lr.numpy` are exact.
    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray[Any, np.dtype[np.object_]]:
        """Return the numbers of a constant as they are now: a copy, read-only unless asked for.

        Raises `NotDifferentiableError` for a Value that requires a gradient.
        """
        if self.requires_grad or READING_LISTS.get():
            if dtype is not None and np.dtype(dtype).kind in "iub" and not READING_LISTS.get():
                raise NotDifferentiableError(
                    f"a Value that requires a gradient must not be read as {np.dtype(dtype)}, "
                    "which has none; write value.astype(int), or tg.zeros(n) for a buffer"
                )
            cure = way_out_of_library() or (
                "tg.array([...]) for np.array of Values (np.stack or np.concatenate, np.r_ and "
                "np.c_ too), tg.zeros(n) or tg.full(n, value) for an array that they are written "
                "into"
            )
            raise NotDifferentiableError(
                f"np.asarray of a Value would lose its gradient: write {cure}, or value.numpy() "
                "to leave the graph"
            )
        if copy is False:
            raise ArgumentError(
                "np.asarray: copy must be None or True for a Value, whose own numbers nobody else "
                "may write to, got False"
            )
        numbers = np.array(self._content, dtype)
        numbers.flags.writeable = copy is True
        return numbers

    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return a capsule with the numbers of a constant; with `copy=False` its own, read-only."""
        numbers: Any = self.__array__(copy=True)
        if copy is False:
            numbers = np.asarray(self._content).view()
            numbers.flags.writeable = False
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device}
        given = {name: x for name, x in options.items() if x is not None}  # NumPy 2.0 has stream
        return numbers.__dlpack__(**given)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.empty(0).__dlpack_device__()

    @property
    def device(self) -> str:
        """The name of the device in the array API standard: "cpu"."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: None = None) -> Value:
        """Return the Value itself, which is on the one device that there is, "cpu"."""
        check_choice("to_device", "device", device, ("cpu",))
        check_choice("to_device", "stream", stream, (None,))
        return self

    def __getitem__(self, index: Index) -> Value:
        return cast(Value, METHOD_IMPLS["getitem"](self, index))

    def __setitem__(self, index: Index, new: ValueLike) -> None:
        listed = type(new) in {list, tuple} and has_value(new)
        assign(self, freeze_index(index), join(new) if listed else new)

    def fill(self, value: ValueLike) -> None:
        """Write one number, or a Value, to all entries."""
        self[...] = value

    def sort(
        self,
        axis: int = -1,
        kind: str | None = None,
        order: None = None,
        **options: bool | None,
    ) -> None:
        """Sort the entries along an axis in place; each derivative follows its entry."""
        self[...] = METHOD_IMPLS["sort"](self, axis, kind, order, **options)

    def put(self, indices: ArrayLike, values: ValueLike, mode: str = "raise") -> None:
        """Write to positions of the flattened array, as `np.put` does."""
        METHOD_IMPLS["put"](self, indices, values, mode)

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape: Ints, order: str = "C", copy: bool | None = None) -> Value:
        """Return the entries in another shape: `value.reshape(2, 3)` or `value.reshape((2, 3))`."""
        lengths = shape[0] if len(shape) == 1 else shape
        return cast(Value, METHOD_IMPLS["reshape"](self, lengths, order, copy=copy))

    def transpose(self, *axes: Ints | None) -> Value:
        """Return the array with its axes in another order, reversed unless `axes` are given."""
        chosen = axes[0] if len(axes) == 1 else (axes or None)
        return cast(Value, METHOD_IMPLS["transpose"](self, chosen))

    @property
    def T(self) -> Value:
        """The array with its axes reversed."""
        return self.transpose()

    @property
    def mT(self) -> Value:
        """The matrix, or each of a stack of matrices, transposed."""
        return cast(Value, METHOD_IMPLS["matrix_transpose"](self))

    @property
    def flat(self) -> FlatEntries:
        """The entries one after another, which can be read, written and iterated over."""
        return FlatEntries(self)

    @flat.setter
    def flat(self, new: ValueLike) -> None:
        self.flat[...] = new

    @property
    def real(self) -> Value:
        """The real part, entry by entry; a real Value itself, which a write reaches so."""
        return cast(Value, METHOD_IMPLS["real"](self)) if is_complex(self) else self

    @real.setter
    def real(self, new: ValueLike) -> None:
        self.real[...] = new

    @property
    def imag(self) -> Value:
        """The imaginary part, entry by entry; 0 for real numbers."""
        return cast(Value, METHOD_IMPLS["imag"](self))

    @imag.setter
    def imag(self, new: ValueLike) -> None:
        if not is_complex(self):
            raise DtypeError(f"imag: the array must be complex to be written to, got {self.dtype}")
        self.imag[...] = new

    @overload
    def argmax(self, axis: None = None) -> np.intp: ...
    @overload
    def argmax(self, axis: int) -> Array: ...
    def argmax(self, axis: int | None = None) -> Any:
        """Return the position of the largest entry, as plain integers."""
        return np.argmax(self._content, axis)

    @overload
    def argmin(self, axis: None = None) -> np.intp: ...
    @overload
    def argmin(self, axis: int) -> Array: ...
    def argmin(self, axis: int | None = None) -> Any:
        """Return the position of the smallest entry, as plain integers."""
        return np.argmin(self._content, axis)

    def argsort(
        self,
        axis: int | None = -1,
        kind: str | None = None,
        order: None = None,
        **options: bool | None,
    ) -> Array:
        """Return the positions of the entries in rising order, as plain integers."""
        sort: Any = np.argsort
        return cast(Array, sort(self._content, axis, kind, order, **options))

    def argpartition(self, kth: Ints, axis: int | None = -1) -> Array:
        """Return positions with that of the kth smallest entry in its place, as plain integers."""
        return np.argpartition(self._content, kth, axis)

    def searchsorted(
        self, v: ValueLike, side: str = "left", sorter: ArrayLike | None = None
    ) -> Any:
        """Return the positions at which `v` keeps this sorted array sorted, as plain integers."""
        sought = unwrap(as_input("searchsorted", "v", v))
        search: Any = np.searchsorted
        return search(self._content, sought, side, sorter)

    def nonzero(self) -> tuple[Array, ...]:
        """Return the positions of the entries that aren't 0, as plain integers for each axis."""
        return np.nonzero(self._content)

    @overload
    def all(self, axis: None = None, *, keepdims: Literal[False] = False) -> np.bool: ...
    @overload
    def all(self, axis: Axis = None, *, keepdims: bool = False) -> Array | np.bool: ...
    def all(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """Return True where all entries along the axis are not 0, as plain booleans."""
        return np.all(self._content, axis, keepdims=keepdims)

    @overload
    def any(self, axis: None = None, *, keepdims: Literal[False] = False) -> np.bool: ...
    @overload
    def any(self, axis: Axis = None, *, keepdims: bool = False) -> Array | np.bool: ...
    def any(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """Return True where an entry along the axis is not 0, as plain booleans."""
        return np.any(self._content, axis, keepdims=keepdims)

    __hash__ = object.__hash__  # by identity, as in micrograd

    __add__, __radd__, __iadd__ = operators("add", "+")
    __sub__, __rsub__, __isub__ = operators("subtract", "-")
    __mul__, __rmul__, __imul__ = operators("multiply", "*")
    __truediv__, __rtruediv__, __itruediv__ = operators("divide", "/")
    __pow__, __rpow__, __ipow__ = operators("power", "**")
    __matmul__, __rmatmul__, __imatmul__ = operators("matmul", "@")
    __mod__, __rmod__, __imod__ = operators("remainder", "%")
    __floordiv__, __rfloordiv__, __ifloordiv__ = operators("floor_divide", "//")
    __and__ = __rand__ = refused_operator("&")
    __or__ = __ror__ = refused_operator("|")
    __xor__ = __rxor__ = refused_operator("^")
    __lshift__ = __rlshift__ = refused_operator("<<")
    __rshift__ = __rrshift__ = refused_operator(">>")

    def __invert__(self) -> NoReturn:
        refuse_bits("~")

    def __divmod__(self, other: Any) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Value, Value]:
        return other // self, other % self

    @method("negative")
    def __neg__(self) -> Value:
        """Return -self."""

    @method("abs")
    def __abs__(self) -> Value:
        """Return the absolute value."""

    @method("positive")
    def __pos__(self) -> Value:
        """Return +self, the same numbers."""

    @method("round")
    def __round__(self, decimals: int = 0) -> Value:
        """Return the nearest numbers with that many decimals. The derivative is 0."""

    __lt__ = comparison(operator.lt, "<")
    __le__ = comparison(operator.le, "<=")
    __gt__ = comparison(operator.gt, ">")
    __ge__ = comparison(operator.ge, ">=")
    __eq__ = comparison(operator.eq, "==")
    __ne__ = comparison(operator.ne, "!=")

    # ---- NumPy's methods: signature and docstring; `ops` has the functions

    @method("abs")
    def abs(self) -> Value:
        """Return the absolute value, entry by entry."""

    @overload
    def astype(self, dtype: type[int | np.integer[Any] | np.bool_], copy: bool = True) -> Array: ...
    @overload
    def astype(self, dtype: DTypeLike, copy: bool = True) -> Value: ...
    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return the same numbers in another dtype; a plain array if it is integer or boolean."""
        convert: Any = np.astype
        return convert(self, dtype, copy=copy)

    @method("clip")
    def clip(
        self,
        a_min: ValueLike | None = None,
        a_max: ValueLike | None = None,
        *,
        min: ValueLike | None = None,
        max: ValueLike | None = None,
    ) -> Value:
        """Return the entries limited to the interval from `a_min` to `a_max`."""

    def conj(self) -> Value:
        """Return the complex conjugate, entry by entry; a real Value itself."""
        return cast(Value, METHOD_IMPLS["conj"](self)) if is_complex(self) else self

    conjugate = conj

    def compress(self, condition: ArrayLike, axis: int | None = None) -> Value:
        """Return the parts along the axis for which the condition holds."""
        return cast(Value, METHOD_IMPLS["compress"](condition, self, axis))

    @method("cumprod")
    def cumprod(
        self, axis: int | None = None, dtype: DTypeLike | None = None, out: None = None
    ) -> Value:
        """Return the cumulative product along the axis, or of the flattened array."""

    @method("cumsum")
    def cumsum(
        self, axis: int | None = None, dtype: DTypeLike | None = None, out: None = None
    ) -> Value:
        """Return the cumulative sum along the axis, or of the flattened array."""

    @method("diagonal")
    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
        """Return the entries on a diagonal of two axes, as the last axis."""

    @method("dot")
    def dot(self, b: ValueLike, out: None = None) -> Value:
        """Return the dot product with `b`, as `np.dot` does."""

    @method("exp")
    def exp(self) -> Value:
        """Return the exponential, entry by entry."""

    def copy(self, order: str = "C") -> Value:
        """Return the same numbers in memory of their own, which may be written to."""
        return cast(Value, METHOD_IMPLS["copy"](self, order))

    @method("flatten")
    def flatten(self, order: str = "C") -> Value:
        """Return all entries along one axis, in memory of their own."""

    @method("log")
    def log(self) -> Value:
        """Return the natural logarithm, entry by entry."""

    @method("max")
    def max(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike = True,
    ) -> Value:
        """Return the largest entry along the axis, or of all entries."""

    @method("mean")
    def mean(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        where: ArrayLike = True,
    ) -> Value:
        """Return the mean along the axis, or of all entries."""

    @method("min")
    def min(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike = True,
    ) -> Value:
        """Return the smallest entry along the axis, or of all entries."""

    @method("prod")
    def prod(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike = True,
    ) -> Value:
        """Return the product along the axis, or of all entries."""

    @method("ravel")
    def ravel(self, order: str = "C") -> Value:
        """Return all entries along one axis."""

    @method("relu")
    def relu(self) -> Value:
        """Return max(x, 0), entry by entry."""

    @method("repeat")
    def repeat(self, repeats: ArrayLike, axis: int | None = None) -> Value:
        """Return every entry repeated along the axis, or along the flattened array."""

    @method("round")
    def round(self, decimals: int = 0, out: None = None) -> Value:
        """Return the nearest numbers with that many decimals. The derivative is 0."""

    @method("sigmoid")
    def sigmoid(self) -> Value:
        """Return the logistic function 1/(1 + e^-x), entry by entry."""

    @method("sqrt")
    def sqrt(self) -> Value:
        """Return the square root, entry by entry."""

    @method("squeeze")
    def squeeze(self, axis: Axis = None) -> Value:
        """Return the array without its axes of length 1, or without the given ones."""

    @method("std")
    def std(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        ddof: float = 0,
        correction: float | None = None,
        keepdims: bool = False,
        where: ArrayLike = True,
    ) -> Value:
        """Return the standard deviation along the axis, or of all entries."""

    @method("sum")
    def sum(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike = True,
    ) -> Value:
        """Return the sum along the axis, or of all entries."""

    @method("swapaxes")
    def swapaxes(self, axis1: int, axis2: int) -> Value:
        """Return the array with two axes exchanged."""

    @method("take")
    def take(
        self, indices: ArrayLike, axis: int | None = None, out: None = None, mode: str = "raise"
    ) -> Value:
        """Return the entries at positions along the axis, or of the flattened array."""

    @method("tanh")
    def tanh(self) -> Value:
        """Return the hyperbolic tangent, entry by entry."""

    @method("trace")
    def trace(
        self,
        offset: int = 0,
        axis1: int = 0,
        axis2: int = 1,
        dtype: DTypeLike | None = None,
        out: None = None,
    ) -> Value:
        """Return the sum of a diagonal of two axes."""

    @method("var")
    def var(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike | None = None,
        out: None = None,
        ddof: float = 0,
        correction: float | None = None,
        keepdims: bool = False,
        where: ArrayLike = True,
    ) -> Value:
        """Return the variance along the axis, or of all entries."""


def unwrap_all(tree: Any) -> Any:
    """Return arguments with the numbers of the Values among them, in lists and tuples too."""
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(unwrap_all, tree))
    if isinstance(tree, dict):
        return {name: unwrap_all(x) for name, x in tree.items()}
    return unwrap(tree)


def require_constants(function: Callable[..., Any], given: Any) -> None:
    """Raise `NotDifferentiableError` for a function without an operation that loses a gradient."""
    if function in REFUSED or requires_gradient(given):
        raise NotDifferentiableError(no_derivative(function))


def requires_gradient(tree: Any) -> bool:
    """Return True if a Value among arguments requires a gradient, in lists and tuples too."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, (list, tuple)):
        return any(map(requires_gradient, tree))
    return isinstance(tree, Value) and (tree.requires_grad or owner_of(tree)[0].requires_grad)


def call_on_constants(function: Callable[..., Any], args: Any, options: dict[str, Any]) -> Any:
    """Return what a function without an operation computes of constants, read-only to it."""

    def read_only(tree: Any) -> Any:
        if isinstance(tree, (list, tuple)):
            return type(tree)(map(read_only, tree))
        if isinstance(tree, dict):
            return {name: read_only(x) for name, x in tree.items()}
        number = unwrap(tree)
        if tree is not number and isinstance(number, np.ndarray):
            number = number.view()
            number.flags.writeable = False
        return number

    return as_constants(function(*read_only(args), **read_only(options)))


def as_constants(found: Any) -> Any:
    """Return arrays of floats, in a tuple too, as constant Values."""
    if isinstance(found, tuple):
        parts = map(as_constants, found)
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    inexact = (
        isinstance(found, (np.ndarray, np.generic, AbstractArray)) and found.dtype.kind in "fc"
    )
    return Value(found, requires_grad=False) if inexact else found


def no_derivative(function: Callable[..., Any]) -> str:
    """Return the sentence for a NumPy function that no operation stands for."""
    name = function.__name__
    module = getattr(function, "__module__", None)
    if module is None:  # ufuncs of SciPy say none, nor do those of NumPy before version 2.3
        theirs = getattr(sys.modules.get("scipy.special"), name, None)
        module = "scipy.special" if theirs is function else "numpy"
    path = f"{module}.{name}".replace("numpy", "np", 1)
    if function in REFUSED:
        return f"{path}: {REFUSED[function]}"
    return (
        f"{path} has no derivative in tinygrad_lr: compose it of operations that have one, declare "
        "it with tg.primitive, or use value.numpy() to leave the graph"
    )


def refuse_as_scalar(caller: FrameType) -> None:
    """Raise where a function of `np.polynomial` would take an array of points for one point."""
    module, names = caller.f_globals.get("__name__", ""), caller.f_locals
    if module.startswith("numpy.polynomial.") and names.get("tensor") and names["x"].ndim:
        raise NotDifferentiableError(
            f"np.{module[6:]}.{caller.f_code.co_name} would take a Value of shape "
            f"{names['x'].shape} for one point: write tinygrad_lr.{module}.{caller.f_code.co_name}"
        )


def write_out(
    value: Value, ufunc: np.ufunc, method: str, inputs: Any, options: dict[str, Any]
) -> Any:
    """Return the result of a ufunc written into `out=`, which must be a Value."""
    (target, *more) = options.pop("out")
    if more or not isinstance(target, Value):
        raise NotDifferentiableError(
            f"np.{ufunc.__name__} cannot write a Value into a plain array (out=, or array += "
            "value), which would lose its gradient: write array = array + value, or make the "
            "array with tg.zeros, tg.full or tg.array"
        )
    mask = options.pop("where", True) if method == "__call__" else True
    new = value.__array_ufunc__(ufunc, method, *inputs, **options)
    new = new if mask is True else np.where(mask, new, target)
    if not isinstance(new, Value):  # a ufunc without a derivative
        new = Value(new, requires_grad=False)
    if new.shape != target.shape:
        new = np.broadcast_to(new, target.shape)
    replace_entries(target, new, f"np.{ufunc.__name__} with out=")
    return target


def apply(operation: Primitive, operands: tuple[Any, ...], options: dict[str, Any]) -> Value:
    """Evaluate an operation on Values and constants, and record it if one requires a gradient.

    The record is (operation, operands, their numbers, options). The numbers are the graph's own:
    an array that somebody else may write to is copied.
    """
    try:
        numbers = []
        recorded = False
        for x in operands:
            if type(x) is Value:
                recorded = recorded or x.requires_grad
                numbers.append(x._content.copy(order="K") if x._data_shared else x._content)
            elif isinstance(x, Value):
                return apply_to_versions(operation, operands, options)
            elif type(x) in {list, tuple} and has_value(x):
                return apply(operation, tuple(map(join, operands)), options)
            else:
                numbers.append(as_constant(x, operation))
        if not operation.takes_complex:
            require_real(operation, numbers)
        level = innermost_level(numbers, options) if LEVELS else None
        if level is not None:
            operands, numbers = level.adopt(operands, numbers)
            recorded = any(isinstance(x, Value) and x.requires_grad for x in operands)
        try:
            if level is not None:
                out = level.evaluate(operation, numbers, options)
            elif operation.scalar is not None and type(numbers[0]) is float is type(numbers[-1]):
                out = operation.scalar(*numbers)
            elif options:
                out = operation.forward(*numbers, **options)
            else:
                out = operation.forward(*numbers)
        except MemoryError:
            # First of all: where memory fails in the body of an `except`, CPython must store the
            # position of the failure, which fails as well, and so on: it never ends.
            give_up_reserve()
            raise
        except Exception as error:
            out = evaluate_again(operation, numbers, options, error)
        if type(out) is not float and not isinstance(out, np.ndarray):
            out = as_result(operation, out, numbers)
        recording, record = recording_now(), None
        if recording is not False and (recorded or recording is not True):
            record = (operation, operands, tuple(numbers), options)  # smaller than a list
            if recording is not True:
                return notify_watcher(recording, out, recorded, record)
        value = make_value(out, record)
        if operation.view is not None and type(operands[0]) is Value:
            link_view(value, operands[0], numbers[0], operation, options)
        return value
    except MemoryError as error:
        give_up_reserve()
        raise memory_error(operation.name, operands, error) from None


def apply_to_versions(
    operation: Primitive, operands: tuple[Any, ...], options: dict[str, Any]
) -> Value:
    """Evaluate an operation on the current versions of Values that have been written to."""
    versions = current_versions(operands)
    value = apply(operation, versions, options)
    base = operands[0]
    if operation.view is not None and isinstance(base, Value) and base.written:
        link_view(value, base, versions[0]._content, operation, options)
    return value if watcher() else forget_numbers(value)


class WrittenValue(Value):
    """A Value that has been written to: it stands for its newest version (see `versions.py`).

    It takes part in no graph itself: operations read `_current()`. As a subclass with operators of
    its own it comes first in `x + y` on either side, so that those of `Value` need not ask.
    """

    __slots__ = ()
    written: ClassVar[bool] = True

    def _current(self) -> Any:
        return current_version(self)

    def _first(self) -> Any:
        return self._memory.first

    def _kind_of_copies(self) -> Any:
        return Value

    @property
    def data(self) -> Any:
        """The numbers, read-only: write to the Value itself."""
        data = self._current()._content
        if isinstance(data, AbstractArray):
            return data.copy()
        data = data.view()
        data.flags.writeable = False
        return data

    @data.setter
    def data(self, new: Any) -> None:
        raise GraphError(
            "data of a Value that was written to cannot be assigned: write value[...] = new"
        )


def of_version(name: str) -> property:
    """Return an attribute of a written Value, which is that of its newest version."""

    def get(self: WrittenValue) -> Any:
        return getattr(self._current(), name)

    def put(self: WrittenValue, new: Any) -> None:
        setattr(self._current(), name, new)

    return property(get, put)


def operator_of_versions(name: str) -> Callable[..., Any]:
    """Return an operator of two operands that reads the newest versions of both."""
    operator = getattr(Value, name)

    @functools.wraps(operator)
    def call(self: Value, other: Any) -> Any:
        return operator(self._current(), other._current() if isinstance(other, Value) else other)

    return call


for attribute in ("_content", "_data_shared", "_grad", "_record", "_serial", "requires_grad"):
    setattr(WrittenValue, attribute, of_version(attribute))
setattr(  # noqa: B010 - type checkers know a slot of this name
    WrittenValue,
    "name",
    property(
        lambda self: self._first().name, lambda self, new: setattr(self._first(), "name", new)
    ),
)
for reflected_name in [name for name in vars(Value) if name.startswith("__r")]:
    direct_name = f"__{reflected_name.removeprefix('__r')}"
    if direct_name in vars(Value):  # as __add__ and __radd__ are
        setattr(WrittenValue, direct_name, operator_of_versions(direct_name))
        setattr(WrittenValue, reflected_name, operator_of_versions(reflected_name))
Value.written_kind = WrittenValue


setattr(Value, "__apply__", staticmethod(apply))  # noqa: B010 - declared above
Value._fields = tuple(name for name in dir(Value) if not name.startswith("_"))


def make_value(out: Any, record: PackedRecord | None) -> Value:
    """Return the Value of a result, with the record of its operation."""
    value = _new(Value)
    value._content = out
    value._grad = value.name = None
    value._data_shared = False
    value._serial = next_serial()
    value._record = record
    value.requires_grad = record is not None
    return value


def notify_watcher(by: Watched, out: Any, recorded: bool, record: PackedRecord) -> Value:
    """Return the Value of a result, after the watcher has seen it."""
    value = make_value(out, record if recorded and by.recording else None)
    by.watcher.on_operation(value, record)
    return value


def as_result(operation: Primitive, out: Any, numbers: Sequence[Any]) -> Any:
    """Return a NumPy number as a Python float if all operands were Python numbers."""
    if isinstance(out, AbstractArray):
        return out
    if type(numbers[0]) is np.ndarray and type(out) in FLOATING:
        return out
    if type(out) is complex:
        if all(type(x) is float for x in numbers):  # Python's (-8.0) ** 0.5
            return operation.on_numbers(*numbers)
        return np.complex128(out)
    if any(isinstance(x, (np.ndarray, np.generic, complex)) for x in numbers):
        return out if type(out) in FLOATING else np.float64(out)
    narrow = isinstance(out, (np.float16, np.float32))  # asked for by dtype=
    return out if narrow or isinstance(out, np.complexfloating) else float(out)


def evaluate_again(
    operation: Primitive, numbers: Sequence[Any], options: dict[str, Any], error: Exception
) -> Any:
    """Turn Python's arithmetic errors into inf and nan; name the operation in NumPy's messages."""
    if isinstance(error, TraceError):  # its own code cannot be traced: it runs as a whole
        first = next(x for x in numbers if isinstance(x, AbstractArray))
        return first.call_function(operation.forward, numbers, options, instead_of=error)
    if isinstance(error, FloatingPointError):  # numpy.seterr(all="raise") does not change results
        with np.errstate(all="ignore"):
            return operation.forward(*numbers, **options)
    arithmetic = isinstance(error, (ArithmeticError, ValueError)) and not options
    if arithmetic and all(type(x) in {float, complex} for x in numbers):
        return operation.on_numbers(*numbers)
    if isinstance(error, TypeError) and not isinstance(
        error, DtypeError
    ):  # NumPy's own refusal, such as that of remainder
        require_real(operation, numbers)
    if type(error) is ValueError:
        where, shapes = public_name(operation), [str(np.shape(x)) for x in numbers[:4]]
        if len(numbers) == 1:
            raise ArgumentError(f"{where}: {error}, got shape {shapes[0]}") from error
        raise ShapeError(
            f"{where}: operands must have shapes that fit, got {' and '.join(shapes)} "
            f"({str(error).strip()})"
        ) from error
    raise error


def require_real(operation: Primitive, numbers: Sequence[Any]) -> None:
    """Raise `DtypeError` for a complex operand of an operation of real numbers."""
    for x in numbers:
        if type(x) is not float and is_complex(x):
            raise DtypeError(
                f"{public_name(operation)}: operands must be real, got {np.result_type(x)}; take "
                "np.real, np.imag or np.abs of complex numbers first"
            )


def public_name(operation: Primitive) -> str:
    """Return the name that users call: "reshape" for the primitive `reshape_to`.

    That is the function in the same file which calls the primitive and has the name's beginning.
    """
    stem = operation.name.rpartition("_")[0]
    caller = METHOD_IMPLS.get(stem)
    own = caller is not None and caller.__module__ == operation.__module__
    return stem if own and not isinstance(caller, Primitive) else operation.name


ValueLike: TypeAlias = Value | ArrayLike
"""What can stand for a Value: an array, a list, a number."""

_new = cast("Callable[[type[Value]], Value]", object.__new__)
