"""Laws that change a rounding or the sign of a zero, for compiled loops alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instruction import Instruction, constant, is_number, make
from ..program import Program
from .algebra import alike
from .constant_folding import remade


def loop_laws(program: Program) -> Program:
    """Apply the laws, operands first."""
    rectified: dict[int, Instruction] = {}  # x -> max(x, 0)

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        if made.operation == "maximum":
            first, second = made.inputs
            if is_number(second, 0) and first.shape == made.shape:
                rectified[id(first)] = made
        above = made.operation == "greater" and is_number(made.inputs[1], 0)
        if above and id(made.inputs[0]) in rectified:  # x > 0 as max(x, 0) > 0: x need not be kept
            return make("greater", [rectified[id(made.inputs[0])], made.inputs[1]])
        factor = divisor(made) if made.operation == "divide" else None
        if factor is not None:  # x/c = x·(1/c)
            return make("multiply", [made.inputs[0], factor])
        if made.operation == "power" and is_number(made.inputs[1], 0.5):
            return alike(make("sqrt", [made.inputs[0]]), made) or made
        return made

    return program.rewritten(change)


def divisor(x: Instruction) -> Instruction | None:
    """1/c for a constant c by which an array is divided, if both are normal numbers."""
    a, c = x.inputs
    if not c.is_constant or not c.weak or not a.shape or x.dtype.kind != "f":
        return None
    number, least = float(c.value), float(np.finfo(x.dtype).tiny)
    normal = least <= abs(number) <= 1 / least  # so that 1/c is no infinity, and has all its bits
    return constant(1 / number) if normal else None
