"""Matrix products C = A @ B of known shapes: register tiles, and an epilogue for each vector.

The structure is that of a BLAS gemm, specialized to one shape. C is cut into tiles of R rows x J
vectors of columns, whose R·J partial sums stay in registers for the whole depth; `tiling` chooses R
and J. In each step of the depth a tile loads J vectors of B, broadcasts R numbers of A, and issues
R·J multiply-adds. `packing` copies operands into strips where tiles could not read them in order.

A vector of C never goes to memory unfinished: the epilogue stores it, after adding a bias, applying
an activation, or an optimizer's update. A product with a single column is best emitted as the one
row of `Product.transposed`, which is the same in memory and fills its vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from .loops import emit_loop
from .packing import pack_columns, pack_rows
from .tiling import (
    MAX_ACCUMULATORS,
    MAX_UNROLLED_DEPTH,
    Product,
    choose_rows,
    choose_tiling,
    must_pack_columns,
    must_pack_rows,
    prefers_dot_products,
    row_strip_elements,
)
from .vectors import (
    INDEX,
    add_vectors,
    constant_vector,
    element_at,
    element_type,
    first_lanes,
    lanes,
    load_scalar,
    load_vector,
    multiply_add,
    splat,
    store_vector,
    sum_lanes_of_each,
)

Epilogue = Callable[[ir.IRBuilder, Any, Any, Any, Any], None]


def scratch_elements(product: Product) -> int:
    """Return the number of elements of scratch memory that a product needs."""
    if prefers_dot_products(product):
        return 0
    width = lanes(product.dtype)
    # one square of V x V beyond the strips: packing writes whole squares
    strips = (choose_tiling(product).vectors * product.depth + width) * width
    return row_strip_elements(product) + (strips if must_pack_columns(product) else 0)


def emit_product(
    builder: ir.IRBuilder,
    product: Product,
    a: Any,
    b: Any,
    scratch: Any,
    epilogue: Epilogue,
    long: bool = False,
) -> None:
    """Emit C = A @ B at the builder's position, which is after the product on return.

    `a` and `b` point to the first elements, `scratch` to `scratch_elements` of them (None if 0),
    best aligned to 64 bytes. Neither scratch nor what the epilogue writes may overlap A or B.

    `epilogue(builder, vector, row, column, mask)` is called once for each finished vector: row and
    column (of the first lane) are i64 values, and mask is None where all lanes are columns. It must
    emit straight-line code. A short epilogue is repeated for each vector of a tile, up to 24 times
    in each of up to 4 tiles; a `long` one (a tanh, Adam) is emitted once per vector of a row, in a
    loop over the rows of the tile. Sums are accumulated in the dtype itself.
    """
    if prefers_dot_products(product):
        _emit_dot_products(builder, product, a, b, epilogue)
    else:
        _TiledProduct(builder, product, (a, b, scratch), epilogue, long).emit()


# ---- one tile


@dataclass(frozen=True)
class Rows:
    """A tile's part of A: `count` rows at a pointer, with (row, depth) strides in elements."""

    pointer: Any
    count: int
    strides: tuple[int, int]


@dataclass(frozen=True)
class Columns:
    """A tile's part of B: a vector for each mask, with (depth, vector) strides in elements."""

    pointer: Any
    masks: Sequence[Any]
    strides: tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """The product of some rows of A and some vectors of columns of B, `depth` deep.

    One turn of the loop takes `unrolled` steps of the depth, distributed over `chains` sets of
    accumulators. A multiply-add must wait for the one before it in the same register, four cycles
    on current processors, so a tile with few accumulators needs several sets to keep busy.
    """

    rows: Rows
    columns: Columns
    depth: int
    dtype: str
    unrolled: int = 1
    chains: int = 1

    def emit(self, builder: ir.IRBuilder) -> list[Any]:
        """Emit the loop over the depth; return the finished vectors, row by row."""
        size = self.rows.count * len(self.columns.masks)
        sums: Sequence[Any] = [constant_vector(0.0, self.dtype)] * (size * self.chains)
        whole = self.depth // self.unrolled * self.unrolled

        def turn(k: Any, *sums: Any) -> list[Any]:
            return self._emit_steps(builder, k, sums, self.unrolled)

        sums = emit_loop(builder, 0, whole, self.unrolled, turn, sums)
        sums = self._emit_steps(builder, INDEX(whole), sums, self.depth - whole)
        return [add_vectors(builder, sums[n::size]) for n in range(size)]

    def _emit_steps(
        self, builder: ir.IRBuilder, k: Any, sums: Sequence[Any], count: int
    ) -> list[Any]:
        """Emit `count` steps of the depth from k on, each added to the next chain."""
        new, size = list(sums), len(sums) // self.chains
        along_a, along_b = self.rows.strides[1], self.columns.strides[0]
        at_a = element_at(builder, self.rows.pointer, builder.mul(k, INDEX(along_a)), self.dtype)
        at_b = element_at(builder, self.columns.pointer, builder.mul(k, INDEX(along_b)), self.dtype)
        for step in range(count):
            start = step % self.chains * size
            a = element_at(builder, at_a, step * along_a, self.dtype)
            b = element_at(builder, at_b, step * along_b, self.dtype)
            new[start : start + size] = self._emit_step(builder, a, b, new[start : start + size])
        return new

    def _emit_step(self, builder: ir.IRBuilder, a: Any, b: Any, sums: Sequence[Any]) -> list[Any]:
        """Emit one step: the outer product of a column of A and a row of B, added to the sums."""
        vectors = []
        for j, mask in enumerate(self.columns.masks):
            source = element_at(builder, b, j * self.columns.strides[1], self.dtype)
            vectors.append(load_vector(builder, source, mask, self.dtype))
        new: list[Any] = []
        for row in range(self.rows.count):
            source = element_at(builder, a, row * self.rows.strides[0], self.dtype)
            number = load_scalar(builder, source, self.dtype)
            number = splat(builder, number, lanes(self.dtype))
            for vector in vectors:
                new.append(multiply_add(builder, number, vector, sums[len(new)]))
        return new


# ---- all tiles


class _TiledProduct:
    """A product being emitted as tiles."""

    def __init__(
        self,
        builder: ir.IRBuilder,
        product: Product,
        operands: tuple[Any, Any, Any],
        epilogue: Epilogue,
        long: bool,
    ) -> None:
        self.builder, self.product, self.epilogue = builder, product, epilogue
        self.a, self.b, self.scratch = operands
        self.long = long
        self.dtype, self.width = product.dtype, lanes(product.dtype)
        self.tile_rows, self.vectors, self.chains = choose_tiling(product)
        self.packs_rows, self.packs_columns = must_pack_rows(product), must_pack_columns(product)
        if long:
            size = INDEX(MAX_ACCUMULATORS * self.width)
            with builder.goto_entry_block():
                self.spilled = builder.alloca(element_type(self.dtype), size)
                self.spilled.align = 64

    def emit(self) -> None:
        """Emit A's strips, if it is packed, then one block of columns after another."""
        product, width = self.product, self.width * self.vectors
        if self.packs_rows:
            shape, stride = (product.rows, product.depth), product.a_strides[1]
            pack_rows(self.builder, self.a, stride, shape, self.tile_rows, self.scratch, self.dtype)
        whole = product.columns // width * width
        block: Callable[[Any], None] = lambda column: self._emit_columns(column, width)
        emit_loop(self.builder, 0, whole, width, block)
        if whole < product.columns:
            self._emit_columns(INDEX(whole), product.columns - whole)

    def _emit_columns(self, column: Any, count: int) -> None:
        """Emit a block of columns: its strips, if B is packed, then tiles from top to bottom."""
        product, depth = self.product, self.product.depth
        masks = [first_lanes(count - first, self.dtype) for first in range(0, count, self.width)]
        b, along = self._move(self.b, column, product.b_strides[1]), product.b_strides[0]
        columns = Columns(b, masks, (along, self.width))
        if self.packs_columns:
            strips = self._move(self.scratch, row_strip_elements(product), 1)
            pack_columns(self.builder, b, product.b_strides, (count, depth), strips, self.dtype)
            columns = Columns(strips, [None] * len(masks), (self.width, self.width * depth))
        rows = self.tile_rows
        if not self.packs_rows:
            rows = choose_rows(product, len(masks), self.chains)
        whole = product.rows // rows * rows

        def tile(row: Any, count: int = rows) -> None:
            vectors = self._make_tile(self._make_rows(row, count), columns).emit(self.builder)
            self._finish(vectors, row, column, masks)

        emit_loop(self.builder, 0, whole, rows, tile)
        if whole < product.rows:
            tile(INDEX(whole), product.rows - whole)

    def _finish(self, vectors: list[Any], row: Any, column: Any, masks: list[Any]) -> None:
        """Pass a tile's finished vectors to the epilogue.

        For a long epilogue the registers are first spilled to the stack, since a loop over rows
        cannot index registers.
        """
        J = len(masks)
        rows = len(vectors) // J

        def finish_row(r: Any, line: Sequence[Any]) -> None:
            for j, (vector, mask) in enumerate(zip(line, masks, strict=True)):
                at = self.builder.add(row, r), self._add(column, j * self.width)
                self.epilogue(self.builder, vector, *at, mask)

        if not self.long or rows == 1:
            for r in range(rows):
                finish_row(INDEX(r), vectors[r * J : r * J + J])
            return
        for n, vector in enumerate(vectors):
            store_vector(self.builder, vector, self._move(self.spilled, n, self.width))

        def turn(r: Any) -> None:
            line = self._move(self.spilled, r, J * self.width)
            sources = [self._move(line, j, self.width) for j in range(J)]
            finish_row(r, [load_vector(self.builder, at, None, self.dtype) for at in sources])

        emit_loop(self.builder, 0, rows, 1, turn)

    def _make_rows(self, row: Any, count: int) -> Rows:
        """Return a tile's part of A, from `row` on."""
        stride, along = self.product.a_strides
        if self.packs_rows:
            strip = self._move(self.scratch, row, self.product.depth)
            return Rows(strip, count, (1, self.tile_rows))
        return Rows(self._move(self.a, row, stride), count, (stride, along))

    def _make_tile(self, rows: Rows, columns: Columns) -> Tile:
        """Return the tile of these rows and columns."""
        depth = self.product.depth
        unrolled = depth if depth <= MAX_UNROLLED_DEPTH else self.chains
        return Tile(rows, columns, depth, self.dtype, unrolled, self.chains)

    def _move(self, pointer: Any, number: Any, stride: int) -> Any:
        """Return a pointer moved by `number` strides."""
        if isinstance(number, int):
            return element_at(self.builder, pointer, number * stride, self.dtype)
        by = number if stride == 1 else self.builder.mul(number, INDEX(stride))
        return element_at(self.builder, pointer, by, self.dtype)

    def _add(self, number: Any, more: int) -> Any:
        """Return the sum of an i64 and an int."""
        return self.builder.add(number, INDEX(more)) if more else number


# ---- few rows and a transposed B: dot products along the depth


def _emit_dot_products(
    builder: ir.IRBuilder, product: Product, a: Any, b: Any, epilogue: Epilogue
) -> None:
    """Emit the product of few rows with a B whose columns are contiguous, as dot products.

    Transposing B for a tile would cost more than the product. One vector of columns is computed at
    a time: each column has a register of partial sums along the depth, and at the end the lanes of
    all these registers are summed crosswise into the vector.
    """
    dtype, rows, columns = product.dtype, product.rows, product.columns
    depth, a_stride, b_stride = product.depth, product.a_strides[0], product.b_strides[1]
    width = lanes(dtype)
    whole = depth // width * width

    def dot_products(row: Any, column: Any, count: int) -> Any:
        """Return the products of a row with `count` columns, in the lanes of one vector."""
        at_a = element_at(builder, a, builder.mul(row, INDEX(a_stride)), dtype)
        at_b = element_at(builder, b, builder.mul(column, INDEX(b_stride)), dtype)

        def step(k: Any, sums: Any, mask: Any) -> list[Any]:
            x = load_vector(builder, element_at(builder, at_a, k, dtype), mask, dtype)
            here = element_at(builder, at_b, k, dtype)
            new = []
            for lane, total in enumerate(sums):
                source = element_at(builder, here, lane * b_stride, dtype)
                y = load_vector(builder, source, mask, dtype)
                new.append(multiply_add(builder, x, y, total))
            return new

        zero = constant_vector(0.0, dtype)
        turn: Callable[..., list[Any]] = lambda k, *sums: step(k, sums, None)
        sums = emit_loop(builder, 0, whole, width, turn, [zero] * count)
        if whole < depth:
            sums = step(INDEX(whole), sums, first_lanes(depth - whole, dtype))
        return sum_lanes_of_each(builder, sums + [zero] * (width - count))

    def emit_columns(column: Any, count: int = width) -> None:
        mask = first_lanes(count, dtype)

        def emit_row(row: Any) -> None:
            epilogue(builder, dot_products(row, column, count), row, column, mask)

        emit_loop(builder, 0, rows, 1, emit_row)

    emit_loop(builder, 0, columns // width * width, width, emit_columns)
    if columns % width:
        emit_columns(INDEX(columns // width * width), columns % width)
