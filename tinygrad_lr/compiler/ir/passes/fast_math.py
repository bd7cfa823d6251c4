"""Rewrites that may change the last bit of a result or the sign of a zero; LLVM backend only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instruction import Instruction, constant, is_number, make, replace_operands
from ..program import Program
from .algebra import match_type


def apply_fast_math(program: Program) -> Program:
    """Divide by constants as multiplying by reciprocals, and reuse max(x, 0) in its derivative.

    ReLU's gradient tests x > 0. Written as max(x, 0) > 0, it needs the result of the forward pass
    only, and x itself is never stored.
    """
    rectified: dict[int, Instruction] = {}  # id of x -> max(x, 0)

    def apply(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        if new.operation == "maximum":
            first, second = new.inputs
            if is_number(second, 0) and first.shape == new.shape:
                rectified[id(first)] = new
        is_positive_test = new.operation == "greater" and is_number(new.inputs[1], 0)
        if is_positive_test and id(new.inputs[0]) in rectified:  # x > 0 = max(x, 0) > 0
            return make("greater", [rectified[id(new.inputs[0])], new.inputs[1]])
        factor = reciprocal_of_divisor(new) if new.operation == "divide" else None
        if factor is not None:  # x/c = x·(1/c)
            return make("multiply", [new.inputs[0], factor])
        if new.operation == "power" and is_number(new.inputs[1], 0.5):  # x**0.5 = sqrt(x)
            return match_type(make("sqrt", [new.inputs[0]]), new) or new
        return new

    return program.rewrite(apply)


def reciprocal_of_divisor(x: Instruction) -> Instruction | None:
    """Return 1/c for an array divided by a constant c, if c and 1/c are normal numbers."""
    a, c = x.inputs
    if not c.is_constant or not c.weak or not a.shape or x.dtype.kind != "f":
        return None
    number, smallest = float(c.value), float(np.finfo(x.dtype).tiny)
    normal = smallest <= abs(number) <= 1 / smallest  # 1/c is then finite and has all its bits
    return constant(1 / number) if normal else None
