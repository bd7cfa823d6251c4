"""Compute the parts of a concatenation where they belong, instead of copying them there.

`concatenate(a, b)` becomes `join(copy(a), copy(b))`. A copy is elementwise, so fusion makes it
part of the loop or matrix product that computes its operand, and the schedule gives all copies
of a join one block of memory: the part is written to its final place as it is computed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import NATIVE_DTYPES, Instruction, make, replace_operands
from ..program import Program


def inline_concatenations(program: Program) -> Program:
    """Replace each concatenation by copies into parts of the result's memory."""

    def split(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        if new.operation != "concatenate" or not new.size or new.dtype not in NATIVE_DTYPES:
            return new
        copies = [make("copy", [y]) for y in new.inputs if y.size]
        if len(copies) == 1:
            return copies[0]
        return make("join", copies, axis=new.options["axis"])

    return program.rewrite(split)
