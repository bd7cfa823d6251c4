"""Write matrix products that are really vector operations as multiplications and sums.

An outer product, a matrix times a vector or a sum written as a product with ones does too little
arithmetic for each number it loads to profit from register tiles. As elementwise instructions and
reductions they fuse with what comes before and after. This reorders sums (fast math).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instruction import PRODUCTS, Instruction, Shape, is_number, make, replace_operands
from ..program import Program

NATIVE_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
MIN_BATCHED_ROWS = 8  # rows from which a product of each matrix of a batch uses registers well
MAX_CHECKED_ENTRIES = 4096  # a larger constant is not searched for entries other than 1


def lower_vector_products(program: Program) -> Program:
    """Replace products of depth 1, with a single row or column, and with ones, by loops."""

    def lower(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        if new.operation not in PRODUCTS or new.dtype not in NATIVE_FLOATS:
            return new  # a sum of small integers would have a wider dtype
        a, b = new.inputs
        if not new.size * a.size:
            return new
        batch = len(a.shape) > 2 or len(b.shape) > 2
        return lower_batch(new) if batch else lower_product(new)

    return program.rewrite(lower)


def lower_batch(x: Instruction) -> Instruction:
    """Return a batch of products as multiplications and sums, or as one product, if faster."""
    a, b = x.inputs
    if len(b.shape) == 1:
        return make("sum", [make("multiply", [a, b])], axis=(len(a.shape) - 1,), keepdims=False)
    if len(a.shape) == 1:
        down = make("reshape", [a], shape=(*a.shape, 1))
        return make("sum", [make("multiply", [b, down])], axis=(len(b.shape) - 2,), keepdims=False)
    (rows, depth), columns, ndim = a.shape[-2:], b.shape[-1], len(x.shape)
    if depth == 1:
        return make("multiply", [a, b])
    if len(b.shape) == 2 and rows < MIN_BATCHED_ROWS:  # all rows are those of one matrix
        flat = make("reshape", [a], shape=(a.size // depth, depth))
        return make("reshape", [lower_product(make("dot", [flat, b]))], shape=x.shape)
    if len(a.shape) == 2 and columns == 1:  # all columns are those of one matrix
        flat = make("reshape", [b], shape=(b.size // depth, depth))
        found = lower_product(make("dot", [flat, make("transpose", [a], axes=(1, 0))]))
        return make("reshape", [found], shape=x.shape)
    if columns == 1:
        return sum_products(a, b, ndim, x.shape)
    if rows == 1:
        return sum_products(transpose_last(b), transpose_last(a), ndim, x.shape)
    return x


def sum_products(a: Instruction, b: Instruction, ndim: int, shape: Shape) -> Instruction:
    """Return the products of matrices and columns, summed along memory: see `lower_product`."""
    turned = transpose_last(a)
    if turned in a.inputs:
        product, axis = make("multiply", [turned, b]), ndim - 2
    else:
        product, axis = make("multiply", [a, transpose_last(b)]), ndim - 1
    return make("reshape", [make("sum", [product], axis=(axis,), keepdims=False)], shape=shape)


def transpose_last(x: Instruction) -> Instruction:
    """Return the matrices of a batch transposed, without a transpose of a transpose."""
    *batch, row, column = range(len(x.shape))
    axes = (*batch, column, row)
    if x.operation == "transpose" and tuple(x.options["axes"]) == axes:
        return x.inputs[0]
    return make("transpose", [x], axes=axes)


def lower_product(x: Instruction) -> Instruction:
    """Return a product as a multiplication and a sum where that is faster, else as a 2-d dot.

    Which operand is broadcast is chosen so that the sum runs along memory: the array that has the
    most entries is read in its own order, transposed or not.
    """
    a, b = x.inputs
    shape = x.shape
    if len(a.shape) == 1:
        a = make("reshape", [a], shape=(1, *a.shape))
    if len(b.shape) == 1:
        b = make("reshape", [b], shape=(*b.shape, 1))
    (rows, depth), columns = a.shape, b.shape[1]
    if is_ones(a) and rows == 1:  # 1ᵀ·B: the column sums
        out = make("sum", [b], axis=(0,), keepdims=True)
    elif depth == 1:  # outer product
        out = make("multiply", [a, b])
    elif columns == 1:  # A·b: each row times bᵀ, summed along the row
        across = make("transpose", [b], axes=(1, 0))
        out = make("sum", [make("multiply", [a, across])], axis=(1,), keepdims=True)
        if a.operation == "transpose":  # Aᵀ·b: summed down the columns of A, as A is stored
            inner = a.inputs[0]
            out = make("sum", [make("multiply", [inner, b])], axis=(0,), keepdims=True)
            out = make("transpose", [out], axes=(1, 0))
    elif rows == 1 and b.operation != "transpose":  # a·B
        down = make("transpose", [a], axes=(1, 0))
        out = make("sum", [make("multiply", [b, down])], axis=(0,), keepdims=True)
    elif rows == 1:  # a·Bᵀ
        out = make("sum", [make("multiply", [b.inputs[0], a])], axis=(1,), keepdims=True)
        out = make("transpose", [out], axes=(1, 0))
    else:
        is_matrix_dot = x.operation == "dot" and len(x.inputs[0].shape) == 2 == len(
            x.inputs[1].shape
        )
        out = x if is_matrix_dot else make("dot", [a, b])
    return out if out.shape == shape else make("reshape", [out], shape=shape)


def is_ones(x: Instruction) -> bool:
    """Return True if every entry is known to be 1."""
    while x.operation in {"reshape", "broadcast"}:
        x = x.inputs[0]
    if is_number(x, 1):
        return True
    return x.is_constant and x.size <= MAX_CHECKED_ENTRIES and bool((x.value == 1).all())
