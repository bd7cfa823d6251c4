"""`Value`: a scalar or an array of floats that remembers which operation made it.

Arithmetic and NumPy calls on Values evaluate at once and record the graph: a result points at its
operands, and at nothing else. What the operations are stands in the table of `primitive`.
"""

from __future__ import annotations

import contextvars
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn, cast

import numpy as np

from .errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    NotDifferentiableError,
    ShapeError,
    bad_argument,
)
from .primitive import METHODS, NUMPY, TABLE, Primitive

Array = np.ndarray[Any, np.dtype[Any]]

RECORDING: contextvars.ContextVar[bool] = contextvars.ContextVar("recording", default=True)
"""Whether operations record the graph, in this thread (and in this asynchronous task)."""

age_now = itertools.count().__next__
"""The time that orders the graph: every Value is younger than its operands."""

_NO_OPTIONS: dict[str, Any] = {}

FLOAT64 = np.dtype(np.float64)


def operators(name: str) -> tuple[Callable[..., Value], Callable[..., Value]]:
    """The operator of an operation, and the one for a Value on the right-hand side."""

    def left(self: Value, other: Any) -> Value:
        return apply(TABLE[name], (self, other), _NO_OPTIONS)

    def right(self: Value, other: Any) -> Value:
        return apply(TABLE[name], (other, self), _NO_OPTIONS)

    left.__doc__ = right.__doc__ = f"The operation `{name}`."
    return left, right


def method(name: str) -> Callable[..., Value]:
    """The method that calls an operation on this Value."""

    def call(self: Value, *args: Any, **options: Any) -> Value:
        return cast(Value, METHODS[name](self, *args, **options))

    call.__name__ = name
    call.__doc__ = f"The operation `{name}` on this Value, with NumPy's arguments."
    return call


def comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Value, object], Any]:
    """A comparison of the numbers, entry by entry: it has no derivative and returns no Value."""

    def call(self: Value, other: object) -> Any:
        return compare(self._data, plain(other))

    return call


class Value:
    """A number or an array of floats in a computation graph, with `.data` and `.grad`.

    `data` is copied. A Python number stays a Python float; an array keeps its floating dtype;
    integers and booleans become float64. After `loss.backward()`, `.grad` is dL/d(this), of the
    shape and dtype of `.data`; it is None until a backward pass reaches it.

    Raises `DtypeError` for what is not made of real numbers (text, objects, complex numbers) and
    `ArgumentError` for nested lists of unequal lengths.

    >>> x, w = Value(3.0), Value(2.0, name="w")
    >>> loss = (x * w - 1) ** 2
    >>> loss.backward()
    >>> loss.data, w.grad
    (25.0, 30.0)
    """

    __slots__ = (
        "__weakref__",
        "_age",
        "_data",
        "_exposed",
        "_grad",
        "_record",
        "name",
        "requires_grad",
    )
    __pandas_priority__: ClassVar[int] = 100_000  # a Series on the left hands over to Value

    _data: Any  # a Python float, a NumPy floating number, or an array
    _record: tuple[Primitive, tuple[Any, ...], list[Any], dict[str, Any]] | None
    name: str | None
    requires_grad: bool

    def __init__(self, data: Any, name: str | None = None, requires_grad: bool = True) -> None:
        self._data = as_data(data)
        self._grad: Any = None
        self._record = None
        self._age = age_now()
        self._exposed = False
        self.name = name
        self.requires_grad = requires_grad

    # ---- what it holds

    @property
    def data(self) -> Any:
        """The number or the array. A leaf's array may be changed in place; a result's may not.

        A graph remembers the numbers that it was computed from: changing them afterwards does
        not change its gradients.
        """
        data = self._data
        if type(data) is np.ndarray and not self._exposed:
            if self._record is None:  # graphs keep the old array, the caller may write to this one
                data = self._data = data.copy(order="K")
                self._exposed = True
            else:
                data = data.view()
                data.flags.writeable = False
        return data

    @data.setter
    def data(self, new: Any) -> None:
        if self._record is not None:
            raise GraphError(
                f"data of a Value that {self._record[0].name} computed cannot be assigned: "
                "assign to a leaf of the graph, or build a new Value"
            )
        if new is self._data:  # value.data -= step worked in place
            return
        data = as_data(new)
        if np.shape(data) != self.shape:
            raise ShapeError(
                bad_argument("Value.data", "wrong shape", expected=self.shape, given=np.shape(data))
            )
        self._data, self._exposed = data, False

    @property
    def grad(self) -> Any:
        """dL/d(this) after `backward`, in the shape and dtype of `data`, or None."""
        grad = self._grad
        if type(grad) is tuple:  # a cotangent that others may share: copied when it is asked for
            grad = self._grad = np.array(grad[0], dtype=self.dtype)
        return grad

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is not None:
            new = as_data(new)
            if isinstance(self._data, float) and np.ndim(new) == 0:
                new = type(self._data)(new)
            elif np.ndim(new) == 0:
                new = np.full(self.shape, new, self.dtype)
            elif np.shape(new) != self.shape:
                raise ShapeError(
                    bad_argument(
                        "Value.grad", "wrong shape", expected=self.shape, given=np.shape(new)
                    )
                )
            else:
                new = new.astype(self.dtype, copy=False)
        self._grad = new

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes; () for a number."""
        return getattr(self._data, "shape", ())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating type; float64 for a Python number."""
        return cast("np.dtype[Any]", getattr(self._data, "dtype", FLOAT64))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(getattr(self._data, "size", 1))

    def item(self) -> float:
        """The only entry as a Python float. It leaves the graph: no gradient flows through it."""
        if self.size != 1:
            raise ArgumentError(
                bad_argument("item", "more than one entry", expected="size 1", given=self.shape)
            )
        return float(np.asarray(self._data).reshape(())[()])

    def numpy(self) -> Array:
        """A copy as a plain array. It leaves the graph: no gradient flows through it."""
        return np.array(self._data)

    def tolist(self) -> Any:
        """Nested lists of Python floats. It leaves the graph: no gradient flows through it."""
        return np.asarray(self._data).tolist()

    def detach(self) -> Value:
        """The same numbers as a constant: no gradient flows through the result."""
        return Value(self._data, name=self.name, requires_grad=False)

    @property
    def T(self) -> Value:
        """The axes reversed."""
        return self.transpose()

    def __float__(self) -> float:
        return self.item()

    def __bool__(self) -> bool:
        return bool(self._data)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a Value without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Value(data={self._data}, grad={self.grad})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotDifferentiableError(
            "np.asarray of a Value would lose its gradient: write value.numpy() to leave the "
            "graph, or np.stack([...]) to join Values"
        )

    # ---- the graph

    def backward(self, gradient: Any = None) -> None:
        """Fill `.grad` of every Value that this one was computed from, by the chain rule.

        Leaves accumulate over calls; results of operations hold the gradient of this pass. A
        Value with more than one entry needs its cotangent, `gradient`, of its own shape.
        Raises `GraphError` where nothing requires a gradient or the cotangent is missing, and
        `ShapeError` where it does not fit.
        """
        METHODS["backward"](self, gradient)

    def __copy__(self) -> Value:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        rebuild, state = self.__reduce__()
        memo[id(self)] = twin = rebuild(*state)
        return twin

    def __reduce__(self) -> tuple[Callable[..., Value], tuple[Any, ...]]:
        if self._record is not None:
            raise GraphError(
                f"a Value computed by {self._record[0].name} cannot be copied or pickled: "
                "its graph would go with it; use value.numpy() or value.detach()"
            )
        return _rebuild, (self._data, self.name, self.requires_grad, self.grad)

    # ---- NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc in REDUCTIONS:
            options.setdefault("axis", 0)
            return NUMPY[REDUCTIONS[ufunc]](*inputs, **options)
        if method == "__call__" and not options:
            operation = NUMPY.get(ufunc)
            if operation is not None:
                return operation(*inputs)
            if ufunc in PLAIN:
                return ufunc(*map(plain, inputs))
        if "out" in options:
            raise NotDifferentiableError(
                f"np.{ufunc.__name__} cannot write a Value into an array (out=, or array += "
                "value): write array = array + value"
            )
        given = f".{method}" if method != "__call__" else "".join(f" with {k}=" for k in options)
        raise NotDifferentiableError(
            f"np.{ufunc.__name__}{given} has no derivative in tinygrad_lr: compose it of "
            "operations that have one, declare it with tg.primitive, or use value.numpy() "
            "to leave the graph"
        )

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        operation = NUMPY.get(function)
        if operation is not None:
            return operation(*args, **options)
        if function in PLAIN:
            return function(*map(plain, args), **{k: plain(v) for k, v in options.items()})
        raise NotDifferentiableError(
            f"np.{function.__name__} has no derivative in tinygrad_lr: compose it of operations "
            "that have one, declare it with tg.primitive, or use value.numpy() to leave the graph"
        )

    def __getitem__(self, index: Any) -> Value:
        return cast(Value, METHODS["getitem"](self, index))

    def __setitem__(self, index: Any, new: Any) -> NoReturn:
        raise NotDifferentiableError(
            "a Value cannot be written by index, since its old entries may be in a graph: "
            "write np.where(mask, new, value), or change a leaf's value.data[...]"
        )

    def reshape(self, *shape: Any) -> Value:
        """The same entries in another shape: `value.reshape(2, 3)` or `value.reshape((2, 3))`."""
        return cast(Value, METHODS["reshape"](self, shape[0] if len(shape) == 1 else shape))

    def transpose(self, *axes: Any) -> Value:
        """The axes in another order, reversed unless `axes` are given."""
        chosen = axes[0] if len(axes) == 1 else (axes or None)
        return cast(Value, METHODS["transpose"](self, chosen))

    def argmax(self, axis: int | None = None) -> Any:
        """The position of the largest entry, as plain integers."""
        return np.argmax(self._data, axis)

    def argmin(self, axis: int | None = None) -> Any:
        """The position of the smallest entry, as plain integers."""
        return np.argmin(self._data, axis)

    __hash__ = object.__hash__  # by identity, as in micrograd

    @staticmethod
    def __apply__(
        operation: Primitive, operands: tuple[Any, ...], options: dict[str, Any]
    ) -> Value:
        return apply(operation, operands, options)

    __add__, __radd__ = operators("add")
    __sub__, __rsub__ = operators("subtract")
    __mul__, __rmul__ = operators("multiply")
    __truediv__, __rtruediv__ = operators("divide")
    __pow__, __rpow__ = operators("power")
    __matmul__, __rmatmul__ = operators("matmul")
    __neg__ = method("negative")
    __abs__ = method("abs")
    __pos__ = method("positive")

    __lt__ = comparison(operator.lt)
    __le__ = comparison(operator.le)
    __gt__ = comparison(operator.gt)
    __ge__ = comparison(operator.ge)
    __eq__ = comparison(operator.eq)  # type: ignore[assignment]
    __ne__ = comparison(operator.ne)  # type: ignore[assignment]

    abs = method("abs")
    astype = method("astype")
    clip = method("clip")
    cumsum = method("cumsum")
    diagonal = method("diagonal")
    dot = method("dot")
    exp = method("exp")
    flatten = ravel = method("ravel")
    log = method("log")
    max = method("max")
    mean = method("mean")
    min = method("min")
    prod = method("prod")
    relu = method("relu")
    repeat = method("repeat")
    sigmoid = method("sigmoid")
    sqrt = method("sqrt")
    squeeze = method("squeeze")
    std = method("std")
    sum = method("sum")
    swapaxes = method("swapaxes")
    tanh = method("tanh")
    trace = method("trace")
    var = method("var")


def as_data(data: Any) -> Any:
    """What a Value holds for what it is given: a copy, in native byte order, of floats."""
    if type(data) is float or type(data) is int:
        return float(data)
    if isinstance(data, Value):
        raise DtypeError(
            "Value: data is already a Value; use it as it is, or value.detach() to leave the graph"
        )
    if isinstance(data, np.ma.MaskedArray):
        raise DtypeError("Value: data is a masked array; fill it first, with data.filled(...)")
    try:
        array = np.array(data, order="K")
    except NotDifferentiableError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(
            bad_argument(
                "Value",
                "data does not make an array",
                expected="a number, or nested lists of equal lengths",
                given=f"{type(data).__name__} ({error})",
            )
        ) from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                "Value",
                "data is not made of real numbers",
                expected="floats, integers or booleans",
                given=f"{type(data).__name__} of dtype {array.dtype}",
            )
        )
    dtype = array.dtype.newbyteorder("=") if array.dtype.kind == "f" else FLOAT64
    array = array.astype(dtype, copy=False)
    return array[()] if isinstance(data, np.generic) else array


def _rebuild(data: Any, name: str | None, requires_grad: bool, grad: Any) -> Value:
    value = Value(data, name, requires_grad)
    value.grad = grad
    return value


def plain(x: Any) -> Any:
    """What stands behind Values: for functions that have no derivative to lose."""
    if isinstance(x, Value):
        return x._data
    return type(x)(map(plain, x)) if type(x) in {list, tuple} else x


def constant(x: Any, operation: Primitive) -> Any:
    """An operand that is not a Value: a number, None, or an array that nobody else writes to."""
    if x is None or isinstance(x, (bool, int, float)):
        return float(x) if type(x) is int else x
    if isinstance(x, np.ma.MaskedArray):
        raise DtypeError(f"{operation.name}: a masked array; fill it first, with filled(...)")
    array = np.asarray(x) if not isinstance(x, np.generic) else x
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                operation.name,
                "an operand is not made of real numbers",
                expected="a Value, a number or an array of floats, integers or booleans",
                given=f"{type(x).__name__} of dtype {array.dtype}",
            )
        )
    return array.copy(order="K") if array.flags.writeable and RECORDING.get() else array


def apply(operation: Primitive, operands: tuple[Any, ...], options: dict[str, Any]) -> Value:
    """Evaluate an operation on Values and constants, and record it if one requires a gradient.

    The record is (operation, operands, their numbers, options). The numbers are the graph's own:
    an array that somebody else may write to is copied into it.
    """
    numbers = []
    recording = False
    for x in operands:
        kind = type(x)
        if kind is Value:
            recording = recording or x.requires_grad
            numbers.append(x._data.copy(order="K") if x._exposed else x._data)
        else:
            numbers.append(x if kind is float else constant(x, operation))
    try:
        if operation.scalar is not None and type(numbers[0]) is float is type(numbers[-1]):
            out = operation.scalar(*numbers)
        else:
            out = operation.forward(*numbers, **options)
    except Exception as error:
        out = evaluate_again(operation, numbers, options, error)
    kind = type(out)
    if kind is not np.ndarray and kind is not float:
        out = as_result(operation, out, numbers)

    value = _new(Value)
    value._data = out
    value._grad = value.name = None
    value._exposed = False
    value._age = age_now()
    if recording and RECORDING.get():
        value._record = (operation, operands, numbers, options)
        value.requires_grad = True
    else:
        value._record = None
        value.requires_grad = False
    return value


def as_result(operation: Primitive, out: Any, numbers: list[Any]) -> Any:
    """A NumPy number becomes a Python float where all operands were Python numbers."""
    if isinstance(out, complex):  # Python's (-8.0) ** 0.5
        return operation.on_numbers(*numbers)
    if any(isinstance(x, (np.ndarray, np.generic)) for x in numbers):
        return out if isinstance(out, np.floating) else np.float64(out)
    return float(out)


def evaluate_again(
    operation: Primitive, numbers: list[Any], options: dict[str, Any], error: Exception
) -> Any:
    """Python's arithmetic errors become inf and nan; NumPy's messages name the operation."""
    if isinstance(error, FloatingPointError):  # numpy.seterr(all="raise") does not change results
        with np.errstate(all="ignore"):
            return operation.forward(*numbers, **options)
    if all(type(x) is float for x in numbers) and isinstance(error, (ArithmeticError, ValueError)):
        return operation.on_numbers(*numbers)
    if type(error) is ValueError:
        shapes = ", ".join(str(np.shape(x)) for x in numbers[:4])
        kind = ShapeError if len(numbers) > 1 else ArgumentError
        raise kind(f"{operation.name} of shapes {shapes}: {error}") from error
    raise error


_new = cast("Callable[[type[Value]], Value]", object.__new__)

REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}

PLAIN: frozenset[Callable[..., Any]] = frozenset(
    {
        *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
        *(np.isnan, np.isinf, np.isfinite, np.signbit),
        *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.isclose, np.allclose),
        *(np.array_equal, np.array_equiv, np.all, np.any, np.count_nonzero),
        *(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition),
        *(np.argwhere, np.flatnonzero, np.nonzero, np.searchsorted, np.digitize),
        *(np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.isrealobj, np.iscomplexobj),
        *(np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str),
    }
)
"""NumPy functions without a derivative to lose: they return plain arrays."""
