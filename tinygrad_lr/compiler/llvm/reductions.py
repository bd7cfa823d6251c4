"""The parts of a reduction: its identity, how two partial results combine, and how lanes do."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction
from . import arithmetic
from .vectors import declare_intrinsic, lane_count, type_suffix

SUM_FLAGS = ("reassoc", "contract", "nsz")  # sums may be reordered; nan and inf matter
COMBINING_UFUNCS = {
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "all": "logical_and",
    "any": "logical_or",
}


def identity(x: Instruction, lanes: int) -> Any:
    """Return the identity element of a reduction: 0 for a sum, -inf for a maximum."""
    dtype = x.dtype
    if x.operation in {"sum", "any"}:
        return arithmetic.constant(0, dtype, lanes)
    if x.operation in {"prod", "all"}:
        return arithmetic.constant(1, dtype, lanes)
    if dtype.kind == "f":
        return arithmetic.constant(-np.inf if x.operation == "max" else np.inf, dtype, lanes)
    if dtype.kind == "b":
        return arithmetic.constant(x.operation == "min", dtype, lanes)
    limits = np.iinfo(dtype)
    return arithmetic.constant(limits.min if x.operation == "max" else limits.max, dtype, lanes)


def combine(b: Any, x: Instruction, first: Any, second: Any) -> Any:
    """Combine two partial results of a reduction."""
    if x.operation == "sum":
        if x.dtype.kind == "f":
            return b.fadd(first, second, flags=SUM_FLAGS)
        return b.add(first, second)
    ufunc = COMBINING_UFUNCS[x.operation]
    like = Instruction("input", (), {}, (), x.dtype)
    return arithmetic.emit(b, Instruction(ufunc, (like, like), {}, (), x.dtype), [first, second])


def reduce_lanes(b: Any, x: Instruction, value: Any) -> Any:
    """Reduce the lanes of a vector to one number, by combining its halves repeatedly."""
    lanes = lane_count(value)
    if lanes > 1 and x.operation == "sum" and x.dtype.kind == "f":
        kind = value.type
        name = f"llvm.vector.reduce.fadd.{type_suffix(kind)}"
        reduce = declare_intrinsic(b, name, kind.element, [kind.element, kind])
        return b.call(reduce, [kind.element(0.0), value], fastmath=SUM_FLAGS)
    while lanes > 1:
        lanes //= 2
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
            for first in (0, lanes)
        )
        undefined = ir.Constant(value.type, ir.Undefined)
        halves = [b.shuffle_vector(value, undefined, part) for part in (low, high)]
        value = combine(b, x, *halves)
        if lanes == 1:
            value = b.extract_element(value, ir.IntType(32)(0))
    return value
