"""Instructions: the nodes of a traced program, each with its operands, shape and dtype.

An instruction is a NumPy call that has not been made yet. `add`, `exp`, `less` and so on are
NumPy's ufuncs. The operations that are neither ufuncs nor reductions are listed in `EXECUTE`,
which also defines their meaning.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...support.abstract_array import Array

Shape = tuple[int, ...]

FLOAT64 = np.dtype(np.float64)
WEAK_DTYPES: dict[type, np.dtype[Any]] = {
    float: FLOAT64,
    int: np.dtype(np.int64),
    bool: np.dtype(np.bool_),
    complex: np.dtype(np.complex128),
}
PYTHON_TYPES: dict[str, type] = {dtype.kind: kind for kind, dtype in WEAK_DTYPES.items()}
SUPPORTED_DTYPES = frozenset(map(np.dtype, (*"?bhilqBHILQ", *"efd", *"FD")))
"""The dtypes of traced arrays. NumPy's others (text, dates, objects, long doubles) are refused."""

NATIVE_DTYPES = SUPPORTED_DTYPES - set(map(np.dtype, "eFD"))
"""The dtypes that machine code computes with; NumPy does it for the others."""

UFUNCS: dict[str, np.ufunc] = {
    name: getattr(np, name)
    for name in (
        *("add", "subtract", "multiply", "divide", "power", "negative", "positive", "absolute"),
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "square"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "reciprocal"),
        *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "logaddexp", "logaddexp2"),
        *("maximum", "minimum", "fmax", "fmin", "sign", "floor", "ceil", "trunc", "rint"),
        *("remainder", "fmod", "floor_divide", "copysign", "fabs", "heaviside", "float_power"),
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("logical_and", "logical_or", "logical_not", "logical_xor", "isnan", "isinf", "isfinite"),
        *("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "signbit", "deg2rad", "rad2deg"),
        *("left_shift", "right_shift", "gcd", "lcm", "nextafter", "spacing"),
    )
}
REDUCTIONS: dict[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "all": np.logical_and,
    "any": np.logical_or,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
PRODUCTS = frozenset({"dot", "matmul"})
VIEWS = frozenset({"reshape", "transpose", "broadcast", "slice"})
ELEMENTWISE = frozenset({*UFUNCS, "where", "cast", "copy"})


SERIALS = itertools.count()


class Instruction:
    """One result: an operation, its operands and options, and the shape and dtype of the result.

    `weak` marks a Python number, which never promotes an array to a wider dtype. `name` is the
    user's name for the result, where one is known. Instructions are compared by identity, and have
    serial numbers in the order in which they are made.
    """

    __slots__ = ("dtype", "inputs", "name", "operation", "options", "serial", "shape", "weak")

    def __init__(
        self,
        operation: str,
        inputs: Sequence[Instruction],
        options: Mapping[str, Any],
        shape: Shape,
        dtype: np.dtype[Any],
        weak: bool = False,
        name: str | None = None,
    ) -> None:
        self.operation, self.inputs, self.options = operation, tuple(inputs), dict(options)
        self.shape, self.dtype, self.weak, self.name = shape, dtype, weak, name
        self.serial = next(SERIALS)

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size of its entries in bytes."""
        return self.size * self.dtype.itemsize

    @property
    def is_constant(self) -> bool:
        """True for a constant."""
        return self.operation == "constant"

    @property
    def value(self) -> Any:
        """The number or array of a constant."""
        return self.options["value"]

    def __repr__(self) -> str:
        kind = f"{self.dtype}{list(self.shape)}{' weak' * self.weak}"
        return f"<{self.name or ''} {self.operation} {kind}>"


def constant(value: Any) -> Instruction:
    """Return a constant instruction. An array is referenced, not copied."""
    kind = type(value)
    if kind in WEAK_DTYPES:
        return Instruction("constant", (), {"value": value}, (), WEAK_DTYPES[kind], weak=True)
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return Instruction("constant", (), {"value": array}, array.shape, array.dtype)


def is_number(x: Instruction, number: float) -> bool:
    """Return True if every entry of an instruction is known to be this number."""
    if x.operation in {"broadcast", "reshape", "cast"}:
        return is_number(x.inputs[0], number)
    if x.operation != "constant":
        return False
    if isinstance(x.value, np.ndarray):
        return x.size == 1 and bool(x.value.reshape(()) == number)
    return bool(x.value == number)


# Their results are cached: a trace asks for the same few shapes and dtypes at each instruction.
broadcast_shapes = functools.lru_cache(maxsize=4096)(np.broadcast_shapes)


@functools.lru_cache(maxsize=4096)
def resolve_types(ufunc: np.ufunc, *types: Any) -> tuple[np.dtype[Any], ...]:
    """Return NumPy's `ufunc.resolve_dtypes` of its operands' types."""
    return ufunc.resolve_dtypes((*types, *[None] * ufunc.nout))


def make(operation: str, inputs: Sequence[Instruction], **options: Any) -> Instruction:
    """Return an instruction whose shape and dtype are inferred from its operands.

    Operands that do not fit raise the same error as in NumPy.
    """
    weaknesses = [x.weak for x in inputs]
    weak = bool(inputs) and all(weaknesses)
    if operation in UFUNCS:
        shape = broadcast_shapes(*[x.shape for x in inputs])
        *operand_dtypes, dtype = resolve_dtypes(UFUNCS[operation], inputs)
        if operation in COMPARISONS:
            known = compare_out_of_range(operation, inputs, operand_dtypes[0])
            if known is not None:
                return known if not shape else make("broadcast", [known], shape=shape)
        for x, kind in zip(inputs, operand_dtypes, strict=True):
            require_range(x, kind)
        return Instruction(operation, inputs, options, shape, dtype, weak)
    if operation == "where":
        shape = broadcast_shapes(*[x.shape for x in inputs])
        dtype = np.result_type(*(promotion_operand(x) for x in inputs[1:]))
        for x in inputs[1:]:
            require_range(x, dtype)
        return Instruction(operation, inputs, options, shape, dtype, all(x.weak for x in inputs))
    if operation == "cast":
        weak = options.pop("weak", False)
        return Instruction(operation, inputs, options, inputs[0].shape, options["dtype"], weak)
    if operation == "copy":
        x = inputs[0]
        return Instruction(operation, inputs, options, x.shape, x.dtype, x.weak)
    if operation in REDUCTIONS:
        return make_reduction(operation, inputs[0], **options)
    like = EXECUTE[operation](*(placeholder_array(x) for x in inputs), **options)
    return Instruction(operation, inputs, options, like.shape, like.dtype, weak)


def replace_operands(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
    """Return the instruction with other operands of the same shapes and dtypes."""
    if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
        return x
    return Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak, x.name)


def result_dtype(ufunc: np.ufunc, inputs: Sequence[Instruction]) -> np.dtype[Any]:
    """Return the dtype of a ufunc's result; Python numbers promote nothing (NEP 50)."""
    return resolve_dtypes(ufunc, inputs)[-1]


def resolve_dtypes(ufunc: np.ufunc, inputs: Sequence[Instruction]) -> tuple[np.dtype[Any], ...]:
    """Return the dtypes that a ufunc converts its operands to, and that of its result."""
    types: list[Any] = [x.dtype for x in inputs]
    weak = [x.weak for x in inputs]
    if not all(weak):
        for i, x in enumerate(inputs):  # True and False have one dtype, whose type NumPy refuses
            if weak[i] and x.dtype.kind != "b":
                types[i] = PYTHON_TYPES[x.dtype.kind]
    return resolve_types(ufunc, *types)


def is_out_of_range(x: Instruction, dtype: np.dtype[Any]) -> bool:
    """Return True for a Python integer that an integer dtype can't hold."""
    if not x.is_constant or type(x.value) is not int or dtype.kind not in "iu":
        return False
    limits = np.iinfo(dtype)
    return not limits.min <= x.value <= limits.max


def require_range(x: Instruction, dtype: np.dtype[Any]) -> None:
    """Raise NumPy's `OverflowError` for a Python integer that an integer dtype can't hold."""
    if is_out_of_range(x, dtype):
        raise OverflowError(f"Python integer {x.value} out of bounds for {dtype}")


def compare_out_of_range(
    operation: str, inputs: Sequence[Instruction], dtype: np.dtype[Any]
) -> Instruction | None:
    """Return what comparing with a Python integer outside the array's dtype gives; else None."""
    if all(x.weak for x in inputs) or not any(is_out_of_range(x, dtype) for x in inputs):
        return None
    some = int(np.iinfo(dtype).min)  # any number of this dtype compares alike
    numbers = [x.value if x.weak and x.is_constant else some for x in inputs]
    return constant(np.asarray(COMPARISONS[operation](*numbers)))


def promotion_operand(x: Instruction) -> Any:
    """Return what `np.result_type` must see: a Python number if x is weak, else its dtype."""
    return PYTHON_TYPES[x.dtype.kind](1) if x.weak else x.dtype


def placeholder_array(x: Instruction) -> Array:
    """Return an array of x's shape and dtype that takes no memory, to infer results from."""
    if x.operation == "constant":
        return np.asarray(x.value)
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


def make_reduction(
    operation: str, x: Instruction, axis: tuple[int, ...], keepdims: bool, dtype: Any = None
) -> Instruction:
    """Return a reduction along non-negative axes."""
    shape = tuple(1 if i in axis else n for i, n in enumerate(x.shape) if keepdims or i not in axis)
    like = REDUCTIONS[operation].reduce(np.ones((1,), x.dtype), dtype=dtype)
    options = {"axis": axis, "keepdims": keepdims, "dtype": dtype}
    return Instruction(operation, (x,), options, shape, like.dtype, x.weak)


# ---- the meaning of the operations


def _gather(x: Array, *indices: Array, index: tuple[Any, ...]) -> Any:
    return x[fill_index(index, indices)]


def _scatter(x: Array, *indices: Array, index: tuple[Any, ...], shape: Shape) -> Array:
    out = np.zeros(shape, x.dtype)
    np.add.at(out, fill_index(index, indices), x)
    return out


def _update_rows(table: Array, factor: Any, shares: Array, rows: Array) -> Array:
    total = np.zeros_like(table)
    np.add.at(total.reshape(-1, *shares.shape[np.ndim(rows) :]), rows, shares)
    new: Array = total * factor + table
    return new


def _assign(base: Array, new: Array, *indices: Array, index: tuple[Any, ...]) -> Array:
    out = np.array(base)
    # NumPy may write backwards along an axis without a stride; of an entry twice, the last stays.
    ordered = [np.asarray(x, order="C") for x in indices]
    out[fill_index(index, ordered)] = new
    return out


def fill_index(index: tuple[Any, ...], indices: Sequence[Any]) -> tuple[Any, ...]:
    """Return the index with each `Hole` replaced by its array."""
    return tuple(indices[x.position] if isinstance(x, Hole) else x for x in index)


class Hole:
    """A slot for an array in an index, or in the arguments of a call."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hole) and other.position == self.position

    def __hash__(self) -> int:
        return hash((Hole, self.position))

    def __repr__(self) -> str:
        return f"#{self.position}"


def _reshape(x: Array, shape: Shape) -> Array:
    return np.reshape(x, shape)


def _broadcast(x: Array, shape: Shape) -> Array:
    return np.broadcast_to(x, shape)


EXECUTE: dict[str, Callable[..., Any]] = {
    "reshape": _reshape,
    "transpose": np.transpose,
    "broadcast": _broadcast,
    "slice": lambda x, index: x[index],
    "gather": _gather,
    "scatter": _scatter,
    "update_rows": _update_rows,
    "assign": _assign,
    "concatenate": lambda *arrays, axis: np.concatenate(arrays, axis),
    "join": lambda *copies, axis: np.concatenate(copies, axis),
    "dot": np.dot,
    "matmul": np.matmul,
    "part": lambda whole, position: whole[position],
}
"""The operations that are neither elementwise nor reductions, as functions of arrays."""


def execute(instruction: Instruction, inputs: Sequence[Any]) -> Any:
    """Evaluate an instruction with NumPy, given the values of its operands."""
    operation, options = instruction.operation, instruction.options
    if operation == "constant":
        return instruction.value
    if operation in UFUNCS:
        return UFUNCS[operation](*inputs)
    if operation == "where":
        return np.where(*inputs)[()]
    if operation == "copy":
        return inputs[0]
    if operation == "cast":
        if instruction.weak:
            return PYTHON_TYPES[instruction.dtype.kind](inputs[0])
        return np.asarray(inputs[0]).astype(options["dtype"])[()]
    if operation in REDUCTIONS:
        return REDUCTIONS[operation].reduce(
            inputs[0],
            axis=options["axis"],
            keepdims=options["keepdims"],
            dtype=options["dtype"],
        )
    if operation == "call":
        return options["function"](*inputs)
    return EXECUTE[operation](*inputs, **options)
