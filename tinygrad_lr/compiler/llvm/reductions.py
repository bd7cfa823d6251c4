"""Sums, products, extremes: how two of them join, what changes nothing, and a vector's lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction
from . import arithmetic

JOINS = {
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "all": "logical_and",
    "any": "logical_or",
}


def neutral(x: Instruction, lanes: int) -> Any:
    """The number that changes nothing: 0 for a sum."""
    dtype = x.dtype
    if x.operation in {"sum", "any"}:
        return arithmetic.number(0, dtype, lanes)
    if x.operation in {"prod", "all"}:
        return arithmetic.number(1, dtype, lanes)
    if dtype.kind == "f":
        return arithmetic.number(-np.inf if x.operation == "max" else np.inf, dtype, lanes)
    limits = np.iinfo(dtype)
    return arithmetic.number(limits.min if x.operation == "max" else limits.max, dtype, lanes)


def combined(b: Any, x: Instruction, first: Any, second: Any) -> Any:
    """Two partial results of a reduction as one."""
    if x.operation == "sum":
        if x.dtype.kind == "f":
            return b.fadd(first, second, flags=("reassoc", "contract", "nsz"))
        return b.add(first, second)
    join = JOINS[x.operation]
    like = Instruction("input", (), {}, (), x.dtype)
    return arithmetic.emit(b, Instruction(join, (like, like), {}, (), x.dtype), [first, second])


def horizontal(b: Any, x: Instruction, value: Any) -> Any:
    """The lanes of a vector as one result: halves joined, until one lane is left."""
    lanes = arithmetic.lanes_of(value)
    if lanes > 1 and x.operation == "sum" and x.dtype.kind == "f":
        kind = value.type
        name = f"llvm.vector.reduce.fadd.v{lanes}f{x.dtype.itemsize * 8}"
        known = b.module.globals.get(name)
        if known is None:
            known = ir.Function(b.module, ir.FunctionType(kind.element, [kind.element, kind]), name)
        return b.call(known, [kind.element(0.0), value], fastmath=("reassoc", "contract", "nsz"))
    while lanes > 1:
        lanes //= 2
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
            for first in (0, lanes)
        )
        undefined = ir.Constant(value.type, ir.Undefined)
        halves = [b.shuffle_vector(value, undefined, part) for part in (low, high)]
        value = combined(b, x, *halves)
        if lanes == 1:
            value = b.extract_element(value, ir.IntType(32)(0))
    return value
