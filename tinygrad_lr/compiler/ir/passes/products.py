"""Products that are no work for a product: sums and multiplications, which fuse with others.

These change the order of sums, so they are for compiled loops alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instruction import Instruction, is_number, make
from ..program import Program
from .constant_folding import remade


def products(program: Program) -> Program:
    """Write dots of depth 1, of one column or row, and with ones, as loops."""

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        if made.operation not in {"dot", "matmul"}:
            return made
        a, b = made.inputs
        if len(a.shape) > 2 and len(b.shape) == 2 and made.size and a.size:
            rows = make("reshape", [a], shape=(a.size // a.shape[-1], a.shape[-1]))
            flat = as_loops(make("dot", [rows, b]))  # all rows as those of one matrix
            return make("reshape", [flat], shape=made.shape)
        return as_loops(made) if len(a.shape) <= 2 else made

    return program.rewritten(change)


def as_loops(x: Instruction) -> Instruction:
    """The product as a multiplication and a sum, where that is better; else itself, as a dot."""
    a, b = x.inputs
    if len(b.shape) > 2:
        return x
    shape = x.shape
    if len(a.shape) == 1:
        a = make("reshape", [a], shape=(1, *a.shape))
    if len(b.shape) == 1:
        b = make("reshape", [b], shape=(*b.shape, 1))
    (rows, depth), columns = a.shape, b.shape[1]
    if not rows * columns * depth:
        return x
    if is_ones(a) and rows == 1:  # 1ᵀ·B: the sums of the columns
        found = make("sum", [b], axis=(0,), keepdims=True)
    elif depth == 1:  # a column times a row
        found = make("multiply", [a, b])
    elif columns == 1:  # A·b: rows times b, added up
        across = make("transpose", [b], axes=(1, 0))
        found = make("sum", [make("multiply", [a, across])], axis=(1,), keepdims=True)
        if a.operation == "transpose":  # Aᵀ·b: added up along the rows of A
            inner = a.inputs[0]
            found = make("sum", [make("multiply", [inner, b])], axis=(0,), keepdims=True)
            found = make("transpose", [found], axes=(1, 0))
    elif rows == 1 and b.operation != "transpose":  # a·B
        down = make("transpose", [a], axes=(1, 0))
        found = make("sum", [make("multiply", [b, down])], axis=(0,), keepdims=True)
    elif rows == 1:  # a·Bᵀ
        found = make("sum", [make("multiply", [b.inputs[0], a])], axis=(1,), keepdims=True)
        found = make("transpose", [found], axes=(1, 0))
    else:
        found = (
            x
            if x.operation == "dot" and len(x.inputs[0].shape) == 2 == len(x.inputs[1].shape)
            else make("dot", [a, b])
        )
    return found if found.shape == shape else make("reshape", [found], shape=shape)


def is_ones(x: Instruction) -> bool:
    """Whether every entry is 1."""
    while x.operation in {"reshape", "broadcast"}:
        x = x.inputs[0]
    return is_number(x, 1) or (x.is_constant and x.size <= 4096 and bool((x.value == 1).all()))
