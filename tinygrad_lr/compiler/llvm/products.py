"""Products of matrices whose shapes are known: tiles in registers, and a last line for each vector.

A vector of C never goes to memory unfinished: what becomes of it is the last line's affair, be it
a store, a bias and an activation, or an optimiser's update. A single column of C is best made as
the one row of `Product.transposed`, which lies in memory alike and fills its vectors.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .dots import emit_dots
from .loops import counted_loop
from .packing import pack_columns, pack_rows
from .tiles import Columns, Rows, Tile
from .tiling import (
    SUMS,
    UNROLLED,
    Product,
    chains_for,
    chosen_tile,
    dots_are_better,
    packs_columns,
    packs_rows,
    rows_for,
    rows_scratch,
)
from .vectors import INDEX, element_at, element_type, first_lanes, lanes, load_vector, store_vector

__all__ = ["LastLine", "Product", "emit_product", "scratch_elements"]

LastLine = Callable[[ir.IRBuilder, Any, Any, Any, Any], None]


def scratch_elements(product: Product) -> int:
    """How many elements of scratch the product needs; 0 if none."""
    if dots_are_better(product):
        return 0
    width = lanes(product.dtype)
    strips = (chosen_tile(product)[1] * product.depth + width) * width  # and a square beyond
    return rows_scratch(product) + (strips if packs_columns(product) else 0)


def emit_product(
    builder: ir.IRBuilder,
    product: Product,
    a: Any,
    b: Any,
    scratch: Any,
    last_line: LastLine,
    long: bool = False,
) -> None:
    """Emit C = A @ B at the builder's position, which is after the product when this returns.

    a and b point to the first elements, scratch to `scratch_elements` of them (None if 0), best
    from a multiple of 64 bytes on; neither it nor what `last_line` writes may overlap a or b.
    Each finished vector goes once to last_line(builder, vector, row, column, mask): row and the
    column of its first lane are i64 values, the mask is None where all lanes are columns. It
    emits straight code, and is called for every place in the code of a tile, up to 24 times in
    each of up to 4 tiles; where it is `long` (a tanh, Adam), once for each vector of a tile's
    row, in a loop over the rows. Sums are in the dtype itself.
    """
    if dots_are_better(product):
        shape = product.rows, product.columns, product.depth
        strides = product.a_strides[0], product.b_strides[1]
        emit_dots(builder, shape, product.dtype, (a, b), strides, last_line)
    else:
        _Emission(builder, product, (a, b, scratch), last_line, long).emit()


class _Emission:
    """One product being emitted: what every part of its code asks for."""

    def __init__(
        self,
        builder: ir.IRBuilder,
        product: Product,
        operands: tuple[Any, Any, Any],
        last_line: LastLine,
        long: bool,
    ) -> None:
        self.builder, self.product, self.last_line = builder, product, last_line
        self.a, self.b, self.scratch = operands
        self.long = long
        self.dtype, self.width = product.dtype, lanes(product.dtype)
        self.tile_rows, self.vectors = chosen_tile(product)
        self.packs_rows, self.packs_columns = packs_rows(product), packs_columns(product)
        if long:
            size = INDEX(SUMS * self.width)
            with builder.goto_entry_block():
                self.kept = builder.alloca(element_type(self.dtype), size)
                self.kept.align = 64

    def emit(self) -> None:
        """A's strips, if it is packed; then one block of columns after another."""
        product, width = self.product, self.width * self.vectors
        if self.packs_rows:
            shape, stride = (product.rows, product.depth), product.a_strides[1]
            pack_rows(self.builder, self.a, stride, shape, self.tile_rows, self.scratch, self.dtype)
        whole = product.columns // width * width
        block: Callable[[Any], None] = lambda column: self.emit_columns(column, width)
        counted_loop(self.builder, 0, whole, width, block)
        if whole < product.columns:
            self.emit_columns(INDEX(whole), product.columns - whole)

    def emit_columns(self, column: Any, count: int) -> None:
        """A block of columns: all tiles, from the first rows to the last."""
        product, depth = self.product, self.product.depth
        masks = [first_lanes(count - first, self.dtype) for first in range(0, count, self.width)]
        b, along = self.moved(self.b, column, product.b_strides[1]), product.b_strides[0]
        columns = Columns(b, masks, (along, self.width))
        if self.packs_columns:
            strips = self.moved(self.scratch, rows_scratch(product), 1)
            pack_columns(self.builder, b, product.b_strides, (count, depth), strips, self.dtype)
            columns = Columns(strips, [None] * len(masks), (self.width, self.width * depth))
        rows = self.tile_rows if self.packs_rows else rows_for(product, len(masks))
        whole = product.rows // rows * rows

        def tile(row: Any, count: int = rows) -> None:
            vectors = self.tile(self.rows(row, count), columns).emit(self.builder)
            self.hand_over(vectors, row, column, masks)

        counted_loop(self.builder, 0, whole, rows, tile)
        if whole < product.rows:
            tile(INDEX(whole), product.rows - whole)

    def hand_over(self, vectors: list[Any], row: Any, column: Any, masks: list[Any]) -> None:
        """A tile's finished vectors to the last line: each by itself, or rows in a loop."""
        J = len(masks)
        rows = len(vectors) // J

        def one_row(r: Any, line: Sequence[Any]) -> None:
            for j, (vector, mask) in enumerate(zip(line, masks, strict=True)):
                at = self.builder.add(row, r), self.plus(column, j * self.width)
                self.last_line(self.builder, vector, *at, mask)

        if not self.long or rows == 1:
            for r in range(rows):
                one_row(INDEX(r), vectors[r * J : r * J + J])
            return
        for n, vector in enumerate(vectors):
            store_vector(self.builder, vector, self.moved(self.kept, n, self.width))

        def turn(r: Any) -> None:
            line = self.moved(self.kept, r, J * self.width)
            places = [self.moved(line, j, self.width) for j in range(J)]
            one_row(r, [load_vector(self.builder, at, None, self.dtype) for at in places])

        counted_loop(self.builder, 0, rows, 1, turn)

    def rows(self, row: Any, count: int) -> Rows:
        """A tile's part of A, from `row` on."""
        stride, along = self.product.a_strides
        if self.packs_rows:
            strip = self.moved(self.scratch, row, self.product.depth)
            return Rows(strip, count, (1, self.tile_rows))
        return Rows(self.moved(self.a, row, stride), count, (stride, along))

    def tile(self, rows: Rows, columns: Columns) -> Tile:
        """The tile of these rows and columns, its loop over the depth as long as it should be."""
        depth = self.product.depth
        chains = chains_for(rows.count, len(columns.masks), depth)
        unrolled = depth if depth <= UNROLLED else chains
        return Tile(rows, columns, depth, self.dtype, unrolled, chains)

    def moved(self, pointer: Any, number: Any, stride: int) -> Any:
        """The pointer, `number` strides further."""
        if isinstance(number, int):
            return element_at(self.builder, pointer, number * stride, self.dtype)
        by = number if stride == 1 else self.builder.mul(number, INDEX(stride))
        return element_at(self.builder, pointer, by, self.dtype)

    def plus(self, number: Any, more: int) -> Any:
        """An i64 and an int, added up."""
        return self.builder.add(number, INDEX(more)) if more else number
