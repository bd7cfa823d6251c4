"""A product kernel as LLVM code: matrix products, with fused instructions as their epilogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.fusion import Product as ProductKernel
from ..ir.fusion import base_of
from ..ir.instruction import Instruction, Shape
from ..ir.layout import Strides, locate
from ..ir.schedule import Schedule, placement_of
from . import arithmetic
from .elementary import EMITTERS
from .gemm import emit_product, scratch_elements
from .loops import emit_loop
from .memory import Memory
from .tiling import Product, choose_tiling, prefers_dot_products
from .vectors import lane_count, lanes, splat
from .work_split import Share

I64 = ir.IntType(64)
MAX_INLINE_EPILOGUE = 8  # instructions of an epilogue that is repeated for each vector of a tile


@dataclass(frozen=True)
class Arrangement:
    """The loops over the matrix products of a kernel, outermost first, and one of the products.

    - `batch`: the length of each loop
    - `axes`: for each loop, and for the rows of the product, an axis of the result along which it
      moves by one
    - `ndim`: the number of axes of the result
    """

    product: Product
    batch: tuple[int, ...]
    axes: tuple[int, ...]
    ndim: int

    def strides(self, shape: Shape, strides: Strides) -> Strides:
        """Return the strides of an array along the loops, the rows and the columns."""
        own = pad_strides(shape, strides, self.ndim)
        return (*(own[i] for i in self.axes), own[-1])


def pad_strides(shape: Shape, strides: Strides, ndim: int) -> Strides:
    """Return the strides of an array as that of a result of `ndim` axes, which it broadcasts to."""
    own = (s if n > 1 else 0 for n, s in zip(shape, strides, strict=True))
    return (*(0,) * (ndim - len(shape)), *own)


def arrange_product(kernel: ProductKernel, plan: Schedule) -> Arrangement:
    """Return the loops of a product, as few as the strides of its arrays allow.

    An axis of the batch becomes part of the rows where all entries have the same right matrix, and
    part of the next axis where the arrays have no gap between both.
    """
    x, shape = kernel.members[0], kernel.members[0].shape
    a, b = x.inputs
    row, column = len(shape) - 2, len(shape) - 1
    across, down = (pad_strides(y.shape, locate(y).strides, len(shape)) for y in (a, b))
    shared = (*down[:row], 0)  # all rows have the same right matrix
    moving = [across, shared]
    for member in kernel.members[1:]:
        moving += [pad_strides(y.shape, locate(y).strides, len(shape)) for y in member.inputs]
    moving += [
        pad_strides(y.shape, placement_of(plan, y)[1], len(shape)) for y in plan.stored[kernel]
    ]
    lengths, axes = [shape[row]], [row]
    for i in reversed(range(row)):
        if shape[i] == 1:
            continue
        if lengths[0] == 1 and not shared[i]:
            lengths[0], axes[0] = shape[i], i
        elif lengths[0] > 1 and all(s[i] == lengths[0] * s[axes[0]] for s in moving):
            lengths[0] *= shape[i]
        else:
            lengths.insert(0, shape[i])
            axes.insert(0, i)
    *batch, rows = lengths
    of_a = across[axes[-1]], across[column]
    of_b = down[row], down[column]
    product = Product(rows, shape[column], a.shape[-1], str(x.dtype), of_a, of_b)
    return Arrangement(product, tuple(batch), tuple(axes), len(shape))


def share_product(product: Product, parts: int) -> Product:
    """Return one thread's part of a product: some rows or columns; or all of it.

    It must be divisible, and sum in the order of the whole.
    """
    dots = prefers_dot_products(product)
    whole = product if dots else replace(product, chains=choose_tiling(product).chains)
    for divisible, name in (
        (product.rows % parts == 0 and product.rows >= 8 * parts, "rows"),
        (product.columns % (parts * lanes(product.dtype)) == 0, "columns"),
    ):
        part = replace(whole, **{name: getattr(product, name) // parts})
        if divisible and prefers_dot_products(part) == dots:
            return part
    return product


def shares_batch(arrangement: Arrangement, parts: int) -> bool:
    """Return True if each thread gets some of the products, rather than a part of each."""
    return arrangement.batch[:1] >= (parts,)


def can_share_product(kernel: ProductKernel, plan: Schedule, parts: int) -> bool:
    """Return True if threads may share the products of a kernel."""
    found = arrange_product(kernel, plan)
    return shares_batch(found, parts) or share_product(found.product, parts) != found.product


def scratch_bytes(kernel: ProductKernel, plan: Schedule, parts: int = 1) -> int:
    """Return the bytes of scratch memory that a kernel's products need on `parts` threads."""
    found = arrange_product(kernel, plan)
    whole = scratch_elements(found.product)
    if parts > 1 and shares_batch(found, parts):
        return whole * parts * kernel.members[0].dtype.itemsize
    mine = share_product(found.product, parts) if parts > 1 else found.product
    each = scratch_elements(mine) if mine != found.product else 0
    return max(whole, each * parts) * kernel.members[0].dtype.itemsize


def move_pointer(b: Any, pointer: Any, far: Any, dtype: np.dtype[Any]) -> Any:
    """Return a pointer moved by `far` entries."""
    return b.gep(pointer, [far], source_etype=arithmetic.llvm_type(dtype))


class ProductKernelCode:
    """The code of one product kernel."""

    def __init__(
        self,
        builder: Any,
        kernel: ProductKernel,
        plan: Schedule,
        memory: Memory,
        scratch: Any,
        share: Share | None = None,
    ) -> None:
        self.b, self.kernel, self.memory, self.scratch = builder, kernel, memory, scratch
        self.share = share
        self.stored = list(plan.stored[kernel])
        self.arrangement = arrange_product(kernel, plan)

    def emit(self) -> None:
        """Emit the products at the builder's position; with `share`, the part of one thread."""
        x, found, share = self.kernel.members[0], self.arrangement, self.share
        whole = mine = found.product
        ranges: list[tuple[Any, Any]] = [(0, n) for n in found.batch]
        rows, columns, scratch = I64(0), I64(0), self.scratch
        if share is not None and shares_batch(found, share.parts):
            ranges[0] = share.bounds(self.b, found.batch[0])
        elif share is not None:
            mine = share_product(whole, share.parts)
            if mine.rows < whole.rows:
                rows = self.b.mul(share.part, I64(mine.rows))
            else:
                columns = self.b.mul(share.part, I64(mine.columns))
        if share is not None and scratch is not None:
            far = self.b.mul(share.part, I64(scratch_elements(mine)))
            scratch = move_pointer(self.b, scratch, far, x.dtype)
        left, right = (locate(y) for y in x.inputs)
        a = self.memory.pointer(self.b, left.root, left.offset)
        b = self.memory.pointer(self.b, right.root, right.offset)
        a = move_pointer(self.b, a, self.b.mul(rows, I64(whole.a_strides[0])), x.dtype)
        b = move_pointer(self.b, b, self.b.mul(columns, I64(whole.b_strides[1])), x.dtype)
        along = [found.strides(y.shape, locate(y).strides) for y in x.inputs]
        long = len(self.kernel.members) > MAX_INLINE_EPILOGUE or any(
            y.operation in EMITTERS for y in self.kernel.members
        )

        def emit_batch(place: list[Any], a: Any, b: Any) -> None:
            """Emit the products at a place along the outer loops."""
            if len(place) < len(ranges):
                emit_loop(self.b, *ranges[len(place)], 1, lambda i: emit_entry(place, i, a, b))
                return

            def epilogue(builder: Any, vector: Any, row: Any, column: Any, mask: Any) -> None:
                if mine != whole:
                    row, column = builder.add(row, rows), builder.add(column, columns)
                self._emit_epilogue(builder, vector, [*place, row, column], mask)

            emit_product(self.b, mine, a, b, scratch, epilogue, long)

        def emit_entry(place: list[Any], i: Any, a: Any, b: Any) -> None:
            """Emit the products of one turn of the next loop."""
            far = [self.b.mul(i, I64(strides[len(place)])) for strides in along]
            a, b = (move_pointer(self.b, p, n, x.dtype) for p, n in zip((a, b), far, strict=True))
            emit_batch([*place, i], a, b)

        emit_batch([], a, b)

    def _emit_epilogue(self, b: Any, vector: Any, place: Sequence[Any], mask: Any) -> None:
        """Emit the fused instructions and stores for one finished vector of a product."""
        values: dict[Instruction, Any] = {self.kernel.members[0]: vector}
        tail = None if mask is None else sum(int(getattr(x, "constant", x)) for x in mask.constant)
        lanes = lane_count(vector)
        for x in self.kernel.members[1:]:
            operands = [self._get_operand(b, y, values, place, lanes, tail) for y in x.inputs]
            values[x] = arithmetic.emit(b, x, operands)
        for x in self.stored:
            start, strides = self.memory.placement(x)
            strides = self.arrangement.strides(x.shape, strides)
            entry = self._find_entry(b, strides, start, place)
            value = splat(b, values[x], lanes)
            self.memory.store(b, x, value, entry, lanes, tail, strides[-1])

    def _get_operand(
        self,
        b: Any,
        y: Instruction,
        values: dict[Instruction, Any],
        place: Sequence[Any],
        lanes: int,
        tail: int | None,
    ) -> Any:
        base = base_of(y)
        if base in values:
            return values[base]
        view = locate(y)
        if view.root.is_constant and view.root.size == 1:
            return arithmetic.constant(np.asarray(view.root.value).reshape(()), y.dtype)
        strides = self.arrangement.strides(y.shape, view.strides)
        entry = self._find_entry(b, strides, view.offset, place)
        if not strides[-1]:
            return self.memory.load(b, view.root, entry, 1)
        return self.memory.load(b, view.root, entry, lanes, strides[-1], tail)

    def _find_entry(self, b: Any, strides: Sequence[int], offset: int, place: Sequence[Any]) -> Any:
        entry: Any = I64(offset)
        for index, stride in zip(place, strides, strict=True):
            if stride:
                entry = b.add(entry, index if stride == 1 else b.mul(index, I64(stride)))
        return entry
