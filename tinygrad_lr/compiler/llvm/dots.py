"""The product of few rows with a matrix whose columns lie along memory: vectors along the depth.

Turning such a matrix would cost more than the product. One vector's worth of columns is summed at
a time, each in its own register, lane by lane; at the end the lanes are added up crosswise.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from .loops import counted_loop
from .vectors import (
    INDEX,
    constant_vector,
    element_at,
    first_lanes,
    lanes,
    load_vector,
    multiply_add,
    sums_of_lanes,
)


def emit_dots(
    builder: ir.IRBuilder,
    shape: tuple[int, int, int],
    dtype: str,
    operands: tuple[Any, Any],
    strides: tuple[int, int],
    last_line: Callable[..., None],
) -> None:
    """Rows of A times columns of B, with the strides from one to the next; shape is (M, N, K)."""
    (rows, columns, depth), (a, b), (a_stride, b_stride) = shape, operands, strides
    width = lanes(dtype)
    whole = depth // width * width

    def dots(row: Any, column: Any, count: int) -> Any:
        """The vector of `count` columns' products with a row."""
        at_a = element_at(builder, a, builder.mul(row, INDEX(a_stride)), dtype)
        at_b = element_at(builder, b, builder.mul(column, INDEX(b_stride)), dtype)

        def part(k: Any, sums: Any, mask: Any) -> list[Any]:
            x = load_vector(builder, element_at(builder, at_a, k, dtype), mask, dtype)
            here = element_at(builder, at_b, k, dtype)
            new = []
            for lane, total in enumerate(sums):
                place = element_at(builder, here, lane * b_stride, dtype)
                y = load_vector(builder, place, mask, dtype)
                new.append(multiply_add(builder, x, y, total))
            return new

        zero = constant_vector(0.0, dtype)
        turn: Callable[..., list[Any]] = lambda k, *sums: part(k, sums, None)
        sums = counted_loop(builder, 0, whole, width, turn, [zero] * count)
        if whole < depth:
            sums = part(INDEX(whole), sums, first_lanes(depth - whole, dtype))
        return sums_of_lanes(builder, sums + [zero] * (width - count))

    def group(column: Any, count: int = width) -> None:
        mask = first_lanes(count, dtype)

        def one(row: Any) -> None:
            last_line(builder, dots(row, column, count), row, column, mask)

        counted_loop(builder, 0, rows, 1, one)

    counted_loop(builder, 0, columns // width * width, width, group)
    if columns % width:
        group(INDEX(columns // width * width), columns % width)
