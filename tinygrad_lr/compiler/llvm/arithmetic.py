"""Elementwise instructions as LLVM code, for one number or for a vector of them.

A value of dtype bool is an i1, of an integer dtype an integer, of a floating dtype a float or a
double; a vector has one lane for each entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction, promotion_operand
from .elementary import EMIT, EMIT_BINARY

FLAGS = ("contract",)  # a product and a sum may become one; nan, inf and -0 travel as in NumPy
Builder = Any
Dtype = np.dtype[Any]

KINDS = ("f4", "f8", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
NATIVE = frozenset(map(np.dtype, KINDS))

ARITHMETIC = {
    "add": ("fadd", "add"),
    "subtract": ("fsub", "sub"),
    "multiply": ("fmul", "mul"),
}
COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
LOGICAL = {"logical_and": "and_", "logical_or": "or_", "logical_xor": "xor"}
BITWISE = {"bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor"}
ROUNDING = {"floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "nearbyint"}
FLOATING = frozenset(
    {*EMIT, *EMIT_BINARY, *ROUNDING, "divide", "sqrt", "reciprocal", "remainder", "copysign"}
)
SINGLE = frozenset(
    {
        *("negative", "positive", "absolute", "fabs", "square", "sign", "logical_not", "invert"),
        *("isnan", "isinf", "isfinite", "signbit", "cast", "where", "copy", "maximum", "minimum"),
        *("fmax", "fmin"),
    }
)
KNOWN = frozenset({*ARITHMETIC, *COMPARISONS, *LOGICAL, *BITWISE, *FLOATING, *SINGLE})


def can_emit(x: Instruction) -> bool:
    """Whether this file has code for an instruction and its dtypes."""
    if x.operation not in KNOWN or x.dtype not in NATIVE:
        return False
    if any(y.dtype not in NATIVE for y in x.inputs):
        return False
    if x.operation in FLOATING or x.operation == "sign":
        return x.dtype.kind == "f"
    if x.operation in {"negative", "square", "absolute"}:
        return x.dtype.kind in "fi"
    if x.operation in {"maximum", "minimum", "fmax", "fmin"}:
        return x.dtype.kind in "fi"
    if x.operation in ARITHMETIC:
        return x.dtype.kind in "fiu"
    if x.operation in {"isnan", "isinf", "isfinite", "signbit"}:
        return x.inputs[0].dtype.kind == "f"
    if x.operation in BITWISE or x.operation == "invert":
        return x.dtype.kind in "biu"
    return True


def llvm_type(dtype: Dtype, lanes: int = 1) -> Any:
    """The type of one value, or of a vector of so many."""
    if dtype.kind == "f":
        one: Any = ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    else:
        one = ir.IntType(1 if dtype.kind == "b" else dtype.itemsize * 8)
    return one if lanes == 1 else ir.VectorType(one, lanes)


def lanes_of(value: Any) -> int:
    """How many numbers a value is."""
    return int(value.type.count) if isinstance(value.type, ir.VectorType) else 1


def number(value: Any, dtype: Dtype, lanes: int = 1) -> Any:
    """A constant, in every lane."""
    one = llvm_type(dtype)
    plain = one(float(dtype.type(value)) if dtype.kind == "f" else int(value))
    return plain if lanes == 1 else ir.Constant(ir.VectorType(one, lanes), [plain] * lanes)


def spread(b: Builder, value: Any, lanes: int) -> Any:
    """The same number in every lane of a vector."""
    if lanes == 1 or lanes_of(value) == lanes:
        return value
    if isinstance(value, ir.Constant) and not isinstance(value.type, ir.VectorType):
        return ir.Constant(ir.VectorType(value.type, lanes), [value] * lanes)
    kind = ir.VectorType(value.type, lanes)
    undefined = ir.Constant(kind, ir.Undefined)
    one = b.insert_element(undefined, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return b.shuffle_vector(one, undefined, zeros)


def cast(b: Builder, value: Any, old: Dtype, new: Dtype) -> Any:
    """A value in another dtype, as NumPy converts it."""
    if old == new:
        return value
    lanes = lanes_of(value)
    kind = llvm_type(new, lanes)
    if new.kind == "b":
        zero = number(0, old, lanes)
        if old.kind == "f":
            return b.fcmp_unordered("!=", value, zero)
        return b.icmp_unsigned("!=", value, zero)
    if old.kind == "f" and new.kind == "f":
        return b.fpext(value, kind) if new.itemsize > old.itemsize else b.fptrunc(value, kind)
    if old.kind == "f":
        return b.fptosi(value, kind) if new.kind == "i" else b.fptoui(value, kind)
    if new.kind == "f":
        signed = old.kind == "i"
        return b.sitofp(value, kind) if signed else b.uitofp(value, kind)
    bits = (1 if old.kind == "b" else old.itemsize * 8, new.itemsize * 8)
    if bits[0] == bits[1]:
        return value
    if bits[0] > bits[1]:
        return b.trunc(value, kind)
    return b.sext(value, kind) if old.kind == "i" else b.zext(value, kind)


def emit(b: Builder, x: Instruction, operands: Sequence[Any]) -> Any:
    """The value of an elementwise instruction, its operands being of one width or single."""
    lanes = max(map(lanes_of, operands))
    values = [spread(b, value, lanes) for value in operands]
    operation = x.operation
    if operation == "cast":
        return cast(b, values[0], x.inputs[0].dtype, x.dtype)
    if operation in {"copy", "positive"}:
        return values[0]
    if operation == "where":
        test = cast(b, values[0], x.inputs[0].dtype, np.dtype(bool))
        branches = [
            cast(b, v, y.dtype, x.dtype) for v, y in zip(values[1:], x.inputs[1:], strict=True)
        ]
        return b.select(test, *branches)
    common = common_dtype(x)
    values = [cast(b, v, y.dtype, common) for v, y in zip(values, x.inputs, strict=True)]
    if operation in COMPARISONS:
        sign = COMPARISONS[operation]
        if common.kind == "f":
            compare = b.fcmp_unordered if sign == "!=" else b.fcmp_ordered
            return compare(sign, *values)
        return (b.icmp_signed if common.kind == "i" else b.icmp_unsigned)(sign, *values)
    if operation in LOGICAL:
        return getattr(b, LOGICAL[operation])(*values)
    if operation in BITWISE:
        return getattr(b, BITWISE[operation])(*values)
    if operation in {"logical_not", "invert"}:
        return b.not_(values[0])
    if common.kind == "f":
        return emit_float(b, operation, values, common, lanes)
    if operation in ARITHMETIC:
        return getattr(b, ARITHMETIC[operation][1])(*values)
    if operation == "square":
        return b.mul(values[0], values[0])
    zero = number(0, common, lanes)
    if operation == "negative":
        return b.sub(zero, values[0])
    if operation == "absolute":
        return b.select(b.icmp_signed("<", values[0], zero), b.sub(zero, values[0]), values[0])
    sign = ">" if operation in {"maximum", "fmax"} else "<"
    return b.select(b.icmp_signed(sign, *values), *values)


def common_dtype(x: Instruction) -> Dtype:
    """The dtype in which the operands meet."""
    if x.operation in COMPARISONS:
        if all(y.weak for y in x.inputs):
            return np.result_type(*(y.dtype for y in x.inputs))
        return np.result_type(*(promotion_operand(y) for y in x.inputs))
    if x.operation in LOGICAL or x.operation == "logical_not":
        return np.dtype(bool)
    if x.operation in {"isnan", "isinf", "isfinite", "signbit"}:
        return x.inputs[0].dtype
    return x.dtype


def emit_float(b: Builder, operation: str, values: Sequence[Any], dtype: Dtype, lanes: int) -> Any:
    """The value of an instruction on floats."""
    x = values[0]
    if operation in ARITHMETIC:
        return getattr(b, ARITHMETIC[operation][0])(*values, flags=FLAGS)
    if operation == "divide":
        return b.fdiv(*values, flags=FLAGS)
    if operation == "reciprocal":
        return b.fdiv(number(1, dtype, lanes), x, flags=FLAGS)
    if operation == "negative":
        return b.fneg(x)
    if operation == "square":
        return b.fmul(x, x, flags=FLAGS)
    if operation in {"absolute", "fabs"}:
        return intrinsic(b, "fabs", [x])
    if operation == "sqrt":
        return intrinsic(b, "sqrt", [x])
    if operation in ROUNDING:
        return intrinsic(b, ROUNDING[operation], [x])
    if operation == "copysign":
        return intrinsic(b, "copysign", values)
    if operation in {"maximum", "minimum"}:  # nan wins, as in NumPy
        sign = ">" if operation == "maximum" else "<"
        first = b.fcmp_ordered(sign, *values)
        taken = b.or_(first, b.fcmp_unordered("uno", x, x))
        return b.select(taken, *values)
    if operation in {"fmax", "fmin"}:
        sign = ">=" if operation == "fmax" else "<="
        taken = b.or_(b.fcmp_ordered(sign, *values), b.fcmp_unordered("uno", values[1], values[1]))
        return b.select(taken, *values)
    if operation == "sign":
        zero, one = number(0, dtype, lanes), number(1, dtype, lanes)
        below = b.select(b.fcmp_ordered("<", x, zero), number(-1, dtype, lanes), x)
        return b.select(b.fcmp_ordered(">", x, zero), one, below)
    if operation == "isnan":
        return b.fcmp_unordered("uno", x, x)
    if operation in {"isinf", "isfinite"}:
        size = intrinsic(b, "fabs", [x])
        infinite = number(np.inf, dtype, lanes)
        sign = "==" if operation == "isinf" else "<"
        return b.fcmp_ordered(sign, size, infinite)
    if operation == "signbit":
        bits = np.dtype(f"i{dtype.itemsize}")
        whole = b.bitcast(x, llvm_type(bits, lanes))
        return b.icmp_signed("<", whole, number(0, bits, lanes))
    if operation == "remainder":
        y = values[1]
        rest = b.frem(x, y)
        zero = number(0, dtype, lanes)
        apart = b.xor(b.fcmp_ordered("<", rest, zero), b.fcmp_ordered("<", y, zero))
        shifted = b.select(apart, b.fadd(rest, y), rest)
        none = b.fcmp_ordered("==", rest, zero)
        return b.select(none, intrinsic(b, "copysign", [zero, y]), shifted)
    if operation in EMIT_BINARY:
        return EMIT_BINARY[operation](b, *values)
    return EMIT[operation](b, x)


def intrinsic(b: Builder, name: str, values: Sequence[Any]) -> Any:
    """One of LLVM's own functions, on values of one type."""
    kind = values[0].type
    one = kind.element if isinstance(kind, ir.VectorType) else kind
    suffix = "f32" if isinstance(one, ir.FloatType) else "f64"
    if isinstance(kind, ir.VectorType):
        suffix = f"v{kind.count}{suffix}"
    full = f"llvm.{name}.{suffix}"
    function = b.module.globals.get(full)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(kind, [kind] * len(values)), full)
    return b.call(function, values)
