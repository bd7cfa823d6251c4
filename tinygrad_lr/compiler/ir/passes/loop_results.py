"""Let a loop and the same loop with more results be one: a gradient needs more of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..control_flow import LoopCall, LoopFamily, add_body_call
from ..instruction import Instruction, replace_operands
from ..program import Program


def extend_loops(program: Program) -> Program:
    """Give each loop of a family the results of the one that has most; equal ones then merge."""
    most: dict[LoopFamily, int] = {}
    for x in program.instructions():
        function = x.options.get("function")
        if isinstance(function, LoopCall):
            most[function.family] = max(function.extra, most.get(function.family, 0))

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        function = x.options.get("function")
        if isinstance(function, LoopCall) and function.extra < most[function.family]:
            parts = add_body_call(function.family.call(most[function.family]), inputs)
            return parts[0].inputs[0]
        return replace_operands(x, inputs)

    return program.rewrite(change) if most else program
