"""Packing: copies of parts of A and B in the order in which a tile reads them, as in BLAS.

A strip is as wide as a tile (A) or a vector (B), and as long as the product is deep, line after
line. A tile that reads strips walks straight through memory, whatever the strides of the matrix.
Strips are packed in ascending order, because packing a strip may write up to one V x V square
beyond its end, where the next strip will be.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from .loops import emit_loop
from .vectors import (
    INDEX,
    ITEM_SIZES,
    element_at,
    element_type,
    first_lanes,
    lanes,
    load_scalar,
    load_vector,
    store_vector,
    transpose_lanes,
)

LINES_AT_ONCE = 16  # lines of A copied to all strips before the next ones: they stay in cache


def pack_columns(
    builder: ir.IRBuilder,
    source: Any,
    strides: tuple[int, int],
    shape: tuple[int, int],
    strips: Any,
    dtype: str,
) -> None:
    """Copy B, with (depth, column) strides and shape (columns, depth), into strips V wide.

    Lanes of the last strip beyond B's columns hold arbitrary numbers; their sums are masked.
    """
    if strides[1] == 1:
        _pack_lines(builder, source, strides[0], shape, strips, dtype)
        return
    columns, depth = shape
    width = lanes(dtype)

    def strip(first: Any, present: int = width) -> None:
        at = element_at(builder, source, builder.mul(first, INDEX(strides[1])), dtype)
        to = element_at(builder, strips, builder.mul(first, INDEX(depth)), dtype)
        if strides[0] == 1:
            pack = _transpose_function(builder.module, dtype)
            builder.call(pack, [at, INDEX(strides[1]), INDEX(present), INDEX(depth), to])
        else:
            _pack_numbers(builder, at, strides, present, depth, to, dtype)

    emit_loop(builder, 0, columns // width * width, width, strip)
    if columns % width:
        strip(INDEX(columns // width * width), columns % width)


def pack_rows(
    builder: ir.IRBuilder,
    source: Any,
    stride: int,
    shape: tuple[int, int],
    width: int,
    strips: Any,
    dtype: str,
) -> None:
    """Copy a transposed A of shape (rows, depth), its lines `stride` apart, into strips."""
    rows, depth = shape

    def lines(start: Any) -> None:
        stop = builder.add(start, INDEX(LINES_AT_ONCE))
        stop = builder.select(builder.icmp_signed("<", stop, INDEX(depth)), stop, INDEX(depth))

        def strip(row: Any, present: int = width) -> None:
            to = element_at(builder, strips, builder.mul(row, INDEX(depth)), dtype)

            def line(k: Any) -> None:
                place = builder.add(row, builder.mul(k, INDEX(stride)))
                here = element_at(builder, source, place, dtype)
                there = element_at(builder, to, builder.mul(k, INDEX(width)), dtype)
                for first in range(0, present, lanes(dtype)):
                    mask = first_lanes(present - first, dtype)
                    at = element_at(builder, here, first, dtype)
                    vector = load_vector(builder, at, mask, dtype)
                    store_vector(builder, vector, element_at(builder, there, first, dtype), mask)

            emit_loop(builder, start, stop, 1, line)

        emit_loop(builder, 0, rows // width * width, width, strip)
        if rows % width:
            strip(INDEX(rows // width * width), rows % width)

    emit_loop(builder, 0, depth, LINES_AT_ONCE, lines)


def _pack_lines(
    builder: ir.IRBuilder,
    source: Any,
    stride: int,
    shape: tuple[int, int],
    strips: Any,
    dtype: str,
) -> None:
    """Copy lines of contiguous columns into strips."""
    (columns, depth), width = shape, lanes(dtype)

    def line(k: Any) -> None:
        at = element_at(builder, source, builder.mul(k, INDEX(stride)), dtype)
        to = element_at(builder, strips, builder.mul(k, INDEX(width)), dtype)
        for first in range(0, columns, width):
            mask = first_lanes(columns - first, dtype)
            vector = load_vector(builder, element_at(builder, at, first, dtype), mask, dtype)
            store_vector(builder, vector, element_at(builder, to, first * depth, dtype))

    emit_loop(builder, 0, depth, 1, line)


def _pack_numbers(
    builder: ir.IRBuilder,
    source: Any,
    strides: tuple[int, int],
    present: int,
    depth: int,
    strip: Any,
    dtype: str,
) -> None:
    """Copy a strip entry by entry, where neither stride is 1."""

    def line(k: Any) -> None:
        at = element_at(builder, source, builder.mul(k, INDEX(strides[0])), dtype)
        to = element_at(builder, strip, builder.mul(k, INDEX(lanes(dtype))), dtype)

        def number(lane: Any) -> None:
            place = element_at(builder, at, builder.mul(lane, INDEX(strides[1])), dtype)
            value = load_scalar(builder, place, dtype)
            builder.store(value, element_at(builder, to, lane, dtype), align=ITEM_SIZES[dtype])

        emit_loop(builder, 0, present, 1, number)

    emit_loop(builder, 0, depth, 1, line)


def _transpose_function(module: ir.Module, dtype: str) -> Any:
    """Return the module's function that packs a strip of a B whose columns are contiguous.

    f(source, stride from lane to lane, lanes present, depth, strip) reads V x V squares and
    transposes them in registers. The code is long, so all products of a module share it.
    """
    name = f"turned_strip_{dtype}"
    known = module.globals.get(name)
    if known:
        return known
    pointer = element_type(dtype).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, INDEX, INDEX, INDEX, pointer])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    for argument in (function.args[0], function.args[4]):
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _write_transpose(builder, function.args, dtype)
    builder.ret_void()
    return function


def _write_transpose(builder: ir.IRBuilder, arguments: Sequence[Any], dtype: str) -> None:
    """Write the body of that function: squares along the depth, the last one overlapping."""
    source, stride, present, depth, strip = arguments
    side = lanes(dtype)
    numbered = ir.Constant(ir.VectorType(INDEX, side), list(range(side)))
    undefined = ir.Constant(numbered.type, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), side), [0] * side)
    last_lane = builder.sub(present, INDEX(1))
    over = builder.sub(depth, INDEX(side))
    last_square = builder.select(builder.icmp_signed("<", over, INDEX(0)), INDEX(0), over)

    def square(k: Any) -> None:
        over = builder.icmp_signed(">", k, last_square)  # the last overlaps the one before
        k = builder.select(over, last_square, k)
        left = builder.insert_element(undefined, builder.sub(depth, k), ir.IntType(32)(0))
        left = builder.shuffle_vector(left, undefined, zeros)  # lines of the depth that are left
        mask = builder.icmp_signed("<", numbered, left)
        vectors = []
        for lane in range(side):
            beyond = builder.icmp_signed("<", last_lane, INDEX(lane))  # repeat the last column
            row = builder.select(beyond, last_lane, INDEX(lane))
            place = builder.add(k, builder.mul(row, stride))
            at = element_at(builder, source, place, dtype)
            vectors.append(load_vector(builder, at, mask, dtype))
        to = element_at(builder, strip, builder.mul(k, INDEX(side)), dtype)
        for line, vector in enumerate(transpose_lanes(builder, vectors)):
            store_vector(builder, vector, element_at(builder, to, line * side, dtype))

    emit_loop(builder, 0, depth, side, square)
