"""Calls that can be written as loops and products are, for machine code."""

from __future__ import annotations

from collections.abc import Sequence

from ...tracing.traced_array import Traced, as_instruction
from ..instruction import Instruction
from ..program import Program
from .constant_folding import remade


def expansion(program: Program) -> Program:
    """Put the steps of a call in its place, where it has such."""
    steps: dict[Instruction, Instruction | None] = {}

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if x.operation == "part" and inputs[0] in steps:
            found = steps[inputs[0]]
            if found is not None:
                return found
        made = remade(x, inputs)
        expand = getattr(x.options.get("function"), "expand", None)
        if x.operation == "call" and expand is not None:
            found = expand(*map(Traced, inputs))
            steps[made] = None if found is None else as_instruction(found)
        return made

    return program.rewritten(change)
