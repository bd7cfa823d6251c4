"""Arrays that are joined are written where they belong, not copied there afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import Instruction, make
from ..program import Program
from .constant_folding import remade


def joins(program: Program) -> Program:
    """Write a concatenation as copies, each of which is a part of the whole's memory.

    A copy is an elementwise instruction, so it becomes part of the loop or product that makes its
    operand.
    """

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        if made.operation != "concatenate" or not made.size:
            return made
        copies = [make("copy", [y]) for y in made.inputs if y.size]
        if len(copies) == 1:
            return copies[0]
        return make("join", copies, axis=made.options["axis"])

    return program.rewritten(change)
