"""Write out operands of matrix products that repeat one number, since products read memory.

The gradient of the sum of a large product is a product with ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import PRODUCTS, Instruction, make, replace_operands
from ..layout import locate
from ..program import Program


def insert_product_copies(program: Program) -> Program:
    """Put a copy before each operand of a product that is a view of a constant number."""

    def insert_copies(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        if x.operation in PRODUCTS:
            inputs = [make("copy", [y]) if repeats_number(y) else y for y in inputs]
        return replace_operands(x, inputs)

    return program.rewrite(insert_copies)


def repeats_number(x: Instruction) -> bool:
    """Return True for a view of a constant with one entry."""
    root = locate(x).root
    return root.is_constant and root.size == 1
