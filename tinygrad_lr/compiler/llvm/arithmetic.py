"""Elementwise instructions as LLVM code, for a scalar or a vector of entries.

A bool is an i1, other dtypes are the LLVM types of their size. What is subtle is to agree with
NumPy on nan, on -0.0, and on the dtype in which operands of different dtypes are combined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import NATIVE_DTYPES, Instruction, promotion_operand
from .elementary import EMITTERS
from .vectors import call_intrinsic, lane_count, repeat, splat

FLAGS = ("contract",)  # x·y + z may be fused; nan, inf and -0.0 must be as in NumPy
Builder = Any
Dtype = np.dtype[Any]

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
    {*EMITTERS, *ROUNDING, "divide", "sqrt", "reciprocal", "remainder", "copysign"}
)
OTHERS = frozenset(
    {
        *("negative", "positive", "absolute", "fabs", "square", "sign", "logical_not", "invert"),
        *("isnan", "isinf", "isfinite", "signbit", "cast", "where", "copy", "maximum", "minimum"),
        *("fmax", "fmin"),
    }
)
EMITTED = frozenset({*ARITHMETIC, *COMPARISONS, *LOGICAL, *BITWISE, *FLOATING, *OTHERS})


def can_emit(x: Instruction) -> bool:
    """Return True if `emit` supports an instruction and its dtypes."""
    if x.operation not in EMITTED or x.dtype not in NATIVE_DTYPES:
        return False
    if any(y.dtype not in NATIVE_DTYPES for y in x.inputs):
        return False
    if any(_must_fit_at_run_time(y, common_dtype(x)) for y in x.inputs):
        return False
    if x.operation == "cast":
        return can_cast(x.inputs[0].dtype, x.dtype)
    if x.operation in COMPARISONS:  # NumPy compares int64 with uint64 exactly
        return common_dtype(x).kind != "f" or any(y.dtype.kind == "f" for y in x.inputs)
    if x.operation in FLOATING or x.operation == "sign":
        return x.dtype.kind == "f"
    if x.operation in ARITHMETIC or x.operation in {"negative", "square", "absolute"}:
        return x.dtype.kind in "fiu"
    if x.operation in {"isnan", "isinf", "isfinite", "signbit"}:
        return x.inputs[0].dtype.kind == "f"
    if x.operation in BITWISE or x.operation == "invert":
        return x.dtype.kind in "biu"
    return True


def can_reduce(x: Instruction) -> bool:
    """Return True if a loop can compute a reduction in the dtypes of its operand and result."""
    old, new = x.inputs[0].dtype, x.dtype
    return can_cast(old, new) and (x.operation != "sum" or new.kind != "b")


def can_cast(old: Dtype, new: Dtype) -> bool:
    """Return False for floats to integers: out of range, LLVM's result is undefined."""
    return old.kind != "f" or new.kind not in "iu"


def _must_fit_at_run_time(x: Instruction, dtype: Dtype) -> bool:
    """Return True for a Python integer not known yet that may be too large for the dtype."""
    if not x.weak or x.is_constant or x.dtype.kind != "i":
        return False
    return dtype.kind in "iu" and dtype != x.dtype


FLOAT_TYPES: dict[int, Any] = {2: ir.HalfType, 4: ir.FloatType, 8: ir.DoubleType}
"""Of these, half precision is only copied."""


def llvm_type(dtype: Dtype, lanes: int = 1) -> Any:
    """Return the type of an entry, or of a vector of entries."""
    if dtype.kind == "f":
        one: Any = FLOAT_TYPES[dtype.itemsize]()
    else:
        one = ir.IntType(1 if dtype.kind == "b" else dtype.itemsize * 8)
    return one if lanes == 1 else ir.VectorType(one, lanes)


def constant(value: Any, dtype: Dtype, lanes: int = 1) -> Any:
    """Return a constant, in every lane."""
    one = llvm_type(dtype)
    plain = one(float(dtype.type(value)) if dtype.kind == "f" else int(value))
    return plain if lanes == 1 else repeat(one, plain, lanes)


def cast(b: Builder, value: Any, old: Dtype, new: Dtype) -> Any:
    """Convert a value to another dtype, as `ndarray.astype` does."""
    if old == new:
        return value
    lanes = lane_count(value)
    kind = llvm_type(new, lanes)
    if new.kind == "b":
        zero = constant(0, old, lanes)
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
    """Emit an elementwise instruction. Scalar operands are broadcast to the width of the others."""
    lanes = max(map(lane_count, operands))
    values = [splat(b, value, lanes) for value in operands]
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
    zero = constant(0, common, lanes)
    if operation == "negative":
        return b.sub(zero, values[0])
    compare = b.icmp_signed if common.kind == "i" else b.icmp_unsigned
    if operation == "absolute":
        return b.select(compare("<", values[0], zero), b.sub(zero, values[0]), values[0])
    return b.select(compare(">" if operation in {"maximum", "fmax"} else "<", *values), *values)


def common_dtype(x: Instruction) -> Dtype:
    """Return the dtype to which the operands are converted first."""
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
    """Emit an instruction whose operands are floats of one dtype."""
    x = values[0]
    if operation in ARITHMETIC:
        return getattr(b, ARITHMETIC[operation][0])(*values, flags=FLAGS)
    if operation == "divide":
        return b.fdiv(*values, flags=FLAGS)
    if operation == "reciprocal":
        return b.fdiv(constant(1, dtype, lanes), x, flags=FLAGS)
    if operation == "negative":
        return b.fneg(x)
    if operation == "square":
        return b.fmul(x, x, flags=FLAGS)
    if operation in {"absolute", "fabs"}:
        return call_intrinsic(b, "fabs", [x])
    if operation == "sqrt":
        return call_intrinsic(b, "sqrt", [x])
    if operation in ROUNDING:
        return call_intrinsic(b, ROUNDING[operation], [x])
    if operation == "copysign":
        return call_intrinsic(b, "copysign", values)
    if operation in {"maximum", "minimum"}:  # nan propagates, as in NumPy
        sign = ">" if operation == "maximum" else "<"
        first = b.fcmp_ordered(sign, *values)
        taken = b.or_(first, b.fcmp_unordered("uno", x, x))
        return b.select(taken, *values)
    if operation in {"fmax", "fmin"}:
        sign = ">=" if operation == "fmax" else "<="
        taken = b.or_(b.fcmp_ordered(sign, *values), b.fcmp_unordered("uno", values[1], values[1]))
        return b.select(taken, *values)
    if operation == "sign":
        zero, one = constant(0, dtype, lanes), constant(1, dtype, lanes)
        below = b.select(b.fcmp_ordered("<", x, zero), constant(-1, dtype, lanes), x)
        return b.select(b.fcmp_ordered(">", x, zero), one, below)
    if operation == "isnan":
        return b.fcmp_unordered("uno", x, x)
    if operation in {"isinf", "isfinite"}:
        size = call_intrinsic(b, "fabs", [x])
        infinite = constant(np.inf, dtype, lanes)
        sign = "==" if operation == "isinf" else "<"
        return b.fcmp_ordered(sign, size, infinite)
    if operation == "signbit":
        bits = np.dtype(f"i{dtype.itemsize}")
        whole = b.bitcast(x, llvm_type(bits, lanes))
        return b.icmp_signed("<", whole, constant(0, bits, lanes))
    if operation == "remainder":
        y = values[1]
        rest = b.frem(x, y)
        zero = constant(0, dtype, lanes)
        apart = b.xor(b.fcmp_ordered("<", rest, zero), b.fcmp_ordered("<", y, zero))
        shifted = b.select(apart, b.fadd(rest, y), rest)
        none = b.fcmp_ordered("==", rest, zero)
        return b.select(none, call_intrinsic(b, "copysign", [zero, y]), shifted)
    if lanes == 1:
        return b.call(find_scalar_function(b.module, operation, values), values)
    return EMITTERS[operation](b, *values)


def find_scalar_function(module: Any, operation: str, values: Sequence[Any]) -> Any:
    """Return the module's function of single numbers for an elementary function.

    Its code is long: the bias corrections of Adam alone would repeat it for each parameter.
    """
    kind = values[0].type
    name = f"{operation}.{kind}"
    known = module.globals.get(name)
    if known is not None:
        return known
    function = ir.Function(module, ir.FunctionType(kind, [value.type for value in values]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    builder.ret(EMITTERS[operation](builder, *function.args))
    return function
