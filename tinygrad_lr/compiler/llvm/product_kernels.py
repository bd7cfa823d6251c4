"""A matrix product as LLVM code, with what is done with each entry as its last line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.fusion import Product as ProductKernel
from ..ir.fusion import base_of
from ..ir.instruction import Instruction
from ..ir.layout import locate
from . import arithmetic
from .elementary import EMIT, EMIT_BINARY
from .memory import Memory
from .products import Product, emit_product, scratch_elements
from .vectors import lanes
from .work_split import Share

I64 = ir.IntType(64)
LONG = 8  # instructions of a last line that is not repeated in every place of a tile


def product_of(x: Instruction) -> Product:
    """The product that an instruction is: its sizes, and where the operands' entries lie."""
    a, b = x.inputs
    (rows, depth), columns = a.shape, b.shape[1]
    (row, along), (down, column) = locate(a).strides, locate(b).strides
    return Product(rows, columns, depth, str(x.dtype), (row, along), (down, column))


def part_of(product: Product, parts: int) -> Product:
    """The part of a product that is one thread's: some rows, or some columns; all if neither."""
    if product.rows % parts == 0 and product.rows >= 8 * parts:
        return dataclasses.replace(product, rows=product.rows // parts)
    if product.columns % (parts * lanes(product.dtype)) == 0:
        return dataclasses.replace(product, columns=product.columns // parts)
    return product


def divides(kernel: ProductKernel, parts: int) -> bool:
    """Whether threads may share a product."""
    product = product_of(kernel.members[0])
    return part_of(product, parts) != product


def scratch_bytes(kernel: ProductKernel, parts: int = 1) -> int:
    """The bytes of scratch that a product needs, on so many threads."""
    x = kernel.members[0]
    product = product_of(x)
    mine = part_of(product, parts) if parts > 1 else product
    each = scratch_elements(mine) if parts > 1 and mine != product else 0
    return max(scratch_elements(product), each * parts) * x.dtype.itemsize


def moved(b: Any, pointer: Any, far: Any, dtype: np.dtype[Any]) -> Any:
    """A pointer so many entries further."""
    return b.gep(pointer, [far], source_etype=arithmetic.llvm_type(dtype))


class ProductEmission:
    """The code of one product."""

    def __init__(
        self,
        builder: Any,
        kernel: ProductKernel,
        stored: Sequence[Instruction],
        memory: Memory,
        scratch: Any,
        share: Share | None = None,
    ) -> None:
        self.b, self.kernel, self.memory, self.scratch = builder, kernel, memory, scratch
        self.share = share
        self.stored = list(stored)
        self.once: dict[Any, Any] = {}

    def emit(self) -> None:
        """The product at the builder's position."""
        x = self.kernel.members[0]
        product = product_of(x)
        left, right = (locate(y) for y in x.inputs)
        a = self.memory.pointer(self.b, left.root, left.offset)
        b = self.memory.pointer(self.b, right.root, right.offset)
        long = len(self.kernel.members) > LONG or any(
            y.operation in EMIT or y.operation in EMIT_BINARY for y in self.kernel.members
        )
        if self.share is None:
            emit_product(self.b, product, a, b, self.scratch, self._last_line, long)
            return
        part, rows, columns = self.share.part, I64(0), I64(0)
        mine = part_of(product, self.share.parts)
        dtype = x.dtype
        if mine.rows < product.rows:
            rows = self.b.mul(part, I64(mine.rows))
            a = moved(self.b, a, self.b.mul(rows, I64(product.a_strides[0])), dtype)
        else:
            columns = self.b.mul(part, I64(mine.columns))
            b = moved(self.b, b, self.b.mul(columns, I64(product.b_strides[1])), dtype)
        scratch = self.scratch
        if scratch is not None:
            far = self.b.mul(part, I64(scratch_elements(mine)))
            scratch = moved(self.b, scratch, far, dtype)

        def last_line(builder: Any, vector: Any, row: Any, column: Any, mask: Any) -> None:
            row, column = builder.add(row, rows), builder.add(column, columns)
            self._last_line(builder, vector, row, column, mask)

        emit_product(self.b, mine, a, b, scratch, last_line, long)

    def _last_line(self, b: Any, vector: Any, row: Any, column: Any, mask: Any) -> None:
        values: dict[Instruction, Any] = {self.kernel.members[0]: vector}
        tail = None if mask is None else sum(int(getattr(x, "constant", x)) for x in mask.constant)
        lanes = arithmetic.lanes_of(vector)
        for x in self.kernel.members[1:]:
            operands = [self._operand(b, y, values, row, column, lanes, tail) for y in x.inputs]
            values[x] = arithmetic.emit(b, x, operands)
        for x in self.stored:
            start, strides = self.memory.place(x)
            place = self._place(b, strides, start, row, column)
            value = arithmetic.spread(b, values[x], lanes)
            self.memory.store(b, x, value, place, lanes, tail, strides[1])

    def _operand(
        self,
        b: Any,
        y: Instruction,
        values: dict[Instruction, Any],
        row: Any,
        column: Any,
        lanes: int,
        tail: int | None,
    ) -> Any:
        base = base_of(y)
        if base in values:
            return values[base]
        where = locate(y)
        if where.root.is_constant and where.root.size == 1:
            return arithmetic.number(np.asarray(where.root.value).reshape(()), y.dtype)
        shape = (1,) * (2 - len(y.shape)) + y.shape
        strides = (0,) * (2 - len(y.shape)) + where.strides
        across, along = (s if n > 1 else 0 for n, s in zip(shape, strides, strict=True))
        if not along:
            return self.memory.load(
                b, where.root, self._place(b, (across, 0), where.offset, row, column), 1
            )
        place = self._place(b, (across, along), where.offset, row, column)
        return self.memory.load(b, where.root, place, lanes, along, tail)

    def _place(self, b: Any, strides: Sequence[int], offset: int, row: Any, column: Any) -> Any:
        place: Any = I64(offset)
        for index, stride in zip((row, column), strides, strict=True):
            if stride:
                place = b.add(place, index if stride == 1 else b.mul(index, I64(stride)))
        return place
