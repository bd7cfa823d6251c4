"""What a traced program is made of: instructions, each with its operands, shape and dtype.

An instruction is a NumPy call that has not been made yet. `add`, `exp`, `less` and their like are
NumPy's ufuncs; the other operations are listed in `EXECUTE`, which is also what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...support.abstract_array import Array

Shape = tuple[int, ...]

FLOAT64 = np.dtype(np.float64)
WEAK: dict[type, np.dtype[Any]] = {
    float: FLOAT64,
    int: np.dtype(np.int64),
    bool: np.dtype(np.bool_),
}

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
VIEWS = frozenset({"reshape", "transpose", "broadcast", "slice"})
ELEMENTWISE = frozenset({*UFUNCS, "where", "cast", "copy"})


class Instruction:
    """One result: the operation, its operands, its options, and what shape and dtype come out.

    `weak` says that it is a Python number, which widens no array. `name` is what the user calls
    it, where that is known.
    """

    __slots__ = ("dtype", "inputs", "name", "operation", "options", "shape", "weak")

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

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that its entries take."""
        return self.size * self.dtype.itemsize

    @property
    def is_constant(self) -> bool:
        """Whether its numbers are known."""
        return self.operation == "constant"

    @property
    def value(self) -> Any:
        """The numbers of a constant."""
        return self.options["value"]

    def __repr__(self) -> str:
        kind = f"{self.dtype}{list(self.shape)}{' weak' * self.weak}"
        return f"<{self.name or ''} {self.operation} {kind}>"


def constant(value: Any) -> Instruction:
    """A number or an array that is known while tracing. An array is referred to, not copied."""
    kind = type(value)
    if kind in WEAK:
        return Instruction("constant", (), {"value": value}, (), WEAK[kind], weak=True)
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return Instruction("constant", (), {"value": array}, array.shape, array.dtype)


def is_number(x: Instruction, number: float) -> bool:
    """Whether an instruction is this number in every entry."""
    if x.operation in {"broadcast", "reshape", "cast"}:
        return is_number(x.inputs[0], number)
    if x.operation != "constant":
        return False
    if isinstance(x.value, np.ndarray):
        return x.size == 1 and bool(x.value.reshape(()) == number)
    return bool(x.value == number)


def make(operation: str, inputs: Sequence[Instruction], **options: Any) -> Instruction:
    """An instruction whose shape and dtype follow from its operands.

    Raises what NumPy raises for operands that do not fit.
    """
    weak = bool(inputs) and all(x.weak for x in inputs)
    if operation in UFUNCS:
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        dtype = result_dtype(UFUNCS[operation], inputs)
        return Instruction(operation, inputs, options, shape, dtype, weak)
    if operation == "where":
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        dtype = np.result_type(*(stand_in_of(x) for x in inputs[1:]))
        return Instruction(operation, inputs, options, shape, dtype, all(x.weak for x in inputs))
    if operation == "cast":
        weak = options.pop("weak", False)
        return Instruction(operation, inputs, options, inputs[0].shape, options["dtype"], weak)
    if operation == "copy":
        x = inputs[0]
        return Instruction(operation, inputs, options, x.shape, x.dtype, x.weak)
    if operation in REDUCTIONS:
        return reduction(operation, inputs[0], **options)
    like = EXECUTE[operation](*(hollow(x) for x in inputs), **options)
    return Instruction(operation, inputs, options, like.shape, like.dtype, weak)


def result_dtype(ufunc: np.ufunc, inputs: Sequence[Instruction]) -> np.dtype[Any]:
    """The dtype of a ufunc's result, a Python number widening nothing."""
    if all(x.weak for x in inputs):
        types = tuple(x.dtype for x in inputs)
    else:
        types = tuple(_python_type(x) if x.weak else x.dtype for x in inputs)  # type: ignore[misc]
    found = ufunc.resolve_dtypes((*types, *[None] * ufunc.nout))
    return found[-1]


def _python_type(x: Instruction) -> type:
    return {"f": float, "i": int, "b": bool}[x.dtype.kind]


def stand_in_of(x: Instruction) -> Any:
    """Something of its dtype for `np.result_type`, a Python number for a weak one."""
    return _python_type(x)(1) if x.weak else x.dtype


def hollow(x: Instruction) -> Array:
    """An array of its shape and dtype that takes no memory: for shapes and dtypes of results."""
    if x.operation == "constant":
        return np.asarray(x.value)
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


def reduction(
    operation: str, x: Instruction, axis: tuple[int, ...], keepdims: bool, dtype: Any = None
) -> Instruction:
    """A reduction along axes, each counted from the left."""
    shape = tuple(1 if i in axis else n for i, n in enumerate(x.shape) if keepdims or i not in axis)
    like = REDUCTIONS[operation].reduce(np.ones((1,), x.dtype), dtype=dtype)
    options = {"axis": axis, "keepdims": keepdims, "dtype": dtype}
    return Instruction(operation, (x,), options, shape, like.dtype, x.weak)


# ---- what the operations mean


def _gather(x: Array, *indices: Array, index: tuple[Any, ...]) -> Any:
    return x[filled_index(index, indices)]


def _scatter(x: Array, *indices: Array, index: tuple[Any, ...], shape: Shape) -> Array:
    out = np.zeros(shape, x.dtype)
    np.add.at(out, filled_index(index, indices), x)
    return out


def _assign(base: Array, new: Array, *indices: Array, index: tuple[Any, ...]) -> Array:
    out = np.array(base)
    out[filled_index(index, indices)] = new
    return out


def filled_index(index: tuple[Any, ...], indices: Sequence[Any]) -> tuple[Any, ...]:
    """The index with its arrays in the places that `Hole` marks."""
    return tuple(indices[x.position] if isinstance(x, Hole) else x for x in index)


class Hole:
    """The place of an array in an index, or in the arguments of a call."""

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
    "assign": _assign,
    "concatenate": lambda *arrays, axis: np.concatenate(arrays, axis),
    "join": lambda *copies, axis: np.concatenate(copies, axis),
    "dot": np.dot,
    "matmul": np.matmul,
    "part": lambda whole, position: whole[position],
}
"""The operations that are not entry by entry and no reductions, on arrays."""


def execute(instruction: Instruction, inputs: Sequence[Any]) -> Any:
    """What an instruction gives for the numbers of its operands."""
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
            return float(inputs[0])
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
