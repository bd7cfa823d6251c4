"""Replace calls of Python functions by instructions, where the function knows how.

Some operations are a single call for the NumPy backend, which runs them fastest as they are. Their
`expand` method writes them as primitive instructions, which LLVM compiles and fuses with others.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import Instruction, replace_operands
from ..program import Program


def expand_calls(program: Program) -> Program:
    """Inline the `expand` method of each call that has one."""
    expansions: dict[Instruction, Instruction | None] = {}

    def expand(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if x.operation == "part" and inputs[0] in expansions:
            expansion = expansions[inputs[0]]
            if expansion is not None:
                return expansion
        new = replace_operands(x, inputs)
        inline = getattr(x.options.get("function"), "expand", None)
        if x.operation == "call" and inline is not None:
            expansions[new] = inline(*inputs)
        return new

    return program.rewrite(expand)
