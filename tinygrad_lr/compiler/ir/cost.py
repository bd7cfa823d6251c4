"""The work of a program: operations on numbers, and bytes read and written."""

from __future__ import annotations

from collections.abc import Sequence

from .instruction import REDUCTIONS, VIEWS, Instruction

FREE = frozenset({"input", "constant", "part", "copy", *VIEWS})
"""Operations that cost nothing at run time."""


def count_flops(x: Instruction) -> int:
    """Return the number of floating-point operations of an instruction."""
    if x.operation in FREE or x.operation == "call":
        return 0
    if x.operation in {"dot", "matmul"}:
        return 2 * x.size * x.inputs[0].shape[-1]
    return x.inputs[0].size if x.operation in REDUCTIONS else x.size


def count_bytes_moved(instructions: Sequence[Instruction]) -> int:
    """Return the bytes read and written if every instruction goes to memory."""
    return sum(
        x.nbytes + sum(y.nbytes for y in x.inputs) for x in instructions if x.operation not in FREE
    )
