"""A product kernel as LLVM code: a matrix product, with fused instructions as its epilogue."""

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
from .elementary import EMITTERS
from .gemm import emit_product, scratch_elements
from .memory import Memory
from .tiling import Product
from .vectors import lane_count, lanes, splat
from .work_split import Share

I64 = ir.IntType(64)
MAX_INLINE_EPILOGUE = 8  # instructions of an epilogue that is repeated for each vector of a tile


def make_product(x: Instruction) -> Product:
    """Return the sizes of a dot instruction, and the strides of its operands."""
    a, b = x.inputs
    (rows, depth), columns = a.shape, b.shape[1]
    (row, along), (down, column) = locate(a).strides, locate(b).strides
    return Product(rows, columns, depth, str(x.dtype), (row, along), (down, column))


def share_product(product: Product, parts: int) -> Product:
    """Return one thread's part of a product: some rows or columns, or all if it isn't divisible."""
    if product.rows % parts == 0 and product.rows >= 8 * parts:
        return dataclasses.replace(product, rows=product.rows // parts)
    if product.columns % (parts * lanes(product.dtype)) == 0:
        return dataclasses.replace(product, columns=product.columns // parts)
    return product


def can_share_product(kernel: ProductKernel, parts: int) -> bool:
    """Return True if threads may share a product."""
    product = make_product(kernel.members[0])
    return share_product(product, parts) != product


def scratch_bytes(kernel: ProductKernel, parts: int = 1) -> int:
    """Return the bytes of scratch memory that a product needs on `parts` threads."""
    x = kernel.members[0]
    product = make_product(x)
    mine = share_product(product, parts) if parts > 1 else product
    each = scratch_elements(mine) if parts > 1 and mine != product else 0
    return max(scratch_elements(product), each * parts) * x.dtype.itemsize


def move_pointer(b: Any, pointer: Any, far: Any, dtype: np.dtype[Any]) -> Any:
    """Return a pointer moved by `far` entries."""
    return b.gep(pointer, [far], source_etype=arithmetic.llvm_type(dtype))


class ProductKernelCode:
    """The code of one product kernel."""

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

    def emit(self) -> None:
        """Emit the product at the builder's position; with `share`, the part of one thread."""
        x = self.kernel.members[0]
        product = make_product(x)
        left, right = (locate(y) for y in x.inputs)
        a = self.memory.pointer(self.b, left.root, left.offset)
        b = self.memory.pointer(self.b, right.root, right.offset)
        long = len(self.kernel.members) > MAX_INLINE_EPILOGUE or any(
            y.operation in EMITTERS for y in self.kernel.members
        )
        if self.share is None:
            emit_product(self.b, product, a, b, self.scratch, self._emit_epilogue, long)
            return
        part, rows, columns = self.share.part, I64(0), I64(0)
        mine = share_product(product, self.share.parts)
        dtype = x.dtype
        if mine.rows < product.rows:
            rows = self.b.mul(part, I64(mine.rows))
            a = move_pointer(self.b, a, self.b.mul(rows, I64(product.a_strides[0])), dtype)
        else:
            columns = self.b.mul(part, I64(mine.columns))
            b = move_pointer(self.b, b, self.b.mul(columns, I64(product.b_strides[1])), dtype)
        scratch = self.scratch
        if scratch is not None:
            far = self.b.mul(part, I64(scratch_elements(mine)))
            scratch = move_pointer(self.b, scratch, far, dtype)

        def epilogue(builder: Any, vector: Any, row: Any, column: Any, mask: Any) -> None:
            row, column = builder.add(row, rows), builder.add(column, columns)
            self._emit_epilogue(builder, vector, row, column, mask)

        emit_product(self.b, mine, a, b, scratch, epilogue, long)

    def _emit_epilogue(self, b: Any, vector: Any, row: Any, column: Any, mask: Any) -> None:
        """Emit the fused instructions and stores for one finished vector of the product."""
        values: dict[Instruction, Any] = {self.kernel.members[0]: vector}
        tail = None if mask is None else sum(int(getattr(x, "constant", x)) for x in mask.constant)
        lanes = lane_count(vector)
        for x in self.kernel.members[1:]:
            operands = [self._get_operand(b, y, values, row, column, lanes, tail) for y in x.inputs]
            values[x] = arithmetic.emit(b, x, operands)
        for x in self.stored:
            start, strides = self.memory.placement(x)
            entry = self._find_entry(b, strides, start, row, column)
            value = splat(b, values[x], lanes)
            self.memory.store(b, x, value, entry, lanes, tail, strides[1])

    def _get_operand(
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
        view = locate(y)
        if view.root.is_constant and view.root.size == 1:
            return arithmetic.constant(np.asarray(view.root.value).reshape(()), y.dtype)
        shape = (1,) * (2 - len(y.shape)) + y.shape
        strides = (0,) * (2 - len(y.shape)) + view.strides
        across, along = (s if n > 1 else 0 for n, s in zip(shape, strides, strict=True))
        if not along:
            return self.memory.load(
                b, view.root, self._find_entry(b, (across, 0), view.offset, row, column), 1
            )
        entry = self._find_entry(b, (across, along), view.offset, row, column)
        return self.memory.load(b, view.root, entry, lanes, along, tail)

    def _find_entry(
        self, b: Any, strides: Sequence[int], offset: int, row: Any, column: Any
    ) -> Any:
        entry: Any = I64(offset)
        for index, stride in zip((row, column), strides, strict=True):
            if stride:
                entry = b.add(entry, index if stride == 1 else b.mul(index, I64(stride)))
        return entry
