"""Copy what a reshape cannot view.

Every other view (transpose, slice, broadcast) is only strides and an offset. A reshape is one too
unless it merges axes that are not adjacent in memory; then its operand is copied to C order first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import Instruction, make, replace_operands
from ..layout import locate, reshape_strides
from ..program import Program


def insert_reshape_copies(program: Program) -> Program:
    """Put a copy before each reshape that strides cannot express."""

    def insert_copy(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        if new.operation == "reshape":
            (operand,) = new.inputs
            if reshape_strides(operand.shape, locate(operand).strides, new.shape) is None:
                return make("reshape", [make("copy", [operand])], shape=new.shape)
        return new

    return program.rewrite(insert_copy)
