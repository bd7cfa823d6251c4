"""A tile of a product: some rows of A times some vectors of B's columns, summed in registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from .loops import counted_loop
from .vectors import (
    INDEX,
    constant_vector,
    element_at,
    load_scalar,
    load_vector,
    multiply_add,
    splat,
    sum_of_vectors,
)


@dataclass(frozen=True)
class Rows:
    """A tile's part of A: `count` rows at a pointer, by (row, depth) strides in elements."""

    pointer: Any
    count: int
    strides: tuple[int, int]


@dataclass(frozen=True)
class Columns:
    """A tile's part of B: a vector for each mask, by (depth, vector) strides in elements."""

    pointer: Any
    masks: Sequence[Any]
    strides: tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """Rows of A and columns of B, both `depth` deep; `sums` are what their product is added to.

    A turn of the loop takes `unrolled` steps of the depth, dealt out to `chains` sets of sums:
    a sum waits for the one before it, so a small tile needs several chains to keep busy.
    """

    rows: Rows
    columns: Columns
    depth: int
    dtype: str
    unrolled: int = 1
    chains: int = 1
    sums: Sequence[Any] = ()

    def emit(self, builder: ir.IRBuilder) -> list[Any]:
        """Emit the loop over the depth: the finished vectors, row by row."""
        size = self.rows.count * len(self.columns.masks)
        zeros = [constant_vector(0.0, self.dtype)] * (size * self.chains)
        sums = [*self.sums, *zeros[len(self.sums) :]]
        whole = self.depth // self.unrolled * self.unrolled

        def turn(k: Any, *sums: Any) -> list[Any]:
            return self._steps(builder, k, sums, self.unrolled)

        sums = counted_loop(builder, 0, whole, self.unrolled, turn, sums)
        sums = self._steps(builder, INDEX(whole), sums, self.depth - whole)
        return [sum_of_vectors(builder, sums[n::size]) for n in range(size)]

    def _steps(self, builder: ir.IRBuilder, k: Any, sums: Sequence[Any], count: int) -> list[Any]:
        """`count` steps of the depth from k on, each added to the next chain."""
        new, size = list(sums), len(sums) // self.chains
        along_a, along_b = self.rows.strides[1], self.columns.strides[0]
        at_a = element_at(builder, self.rows.pointer, builder.mul(k, INDEX(along_a)), self.dtype)
        at_b = element_at(builder, self.columns.pointer, builder.mul(k, INDEX(along_b)), self.dtype)
        for step in range(count):
            start = step % self.chains * size
            a = element_at(builder, at_a, step * along_a, self.dtype)
            b = element_at(builder, at_b, step * along_b, self.dtype)
            new[start : start + size] = self._step(builder, a, b, new[start : start + size])
        return new

    def _step(self, builder: ir.IRBuilder, a: Any, b: Any, sums: Sequence[Any]) -> list[Any]:
        """Every row's number times every vector of columns, added to the sums."""
        vectors = []
        for j, mask in enumerate(self.columns.masks):
            place = element_at(builder, b, j * self.columns.strides[1], self.dtype)
            vectors.append(load_vector(builder, place, mask, self.dtype))
        new: list[Any] = []
        for row in range(self.rows.count):
            place = element_at(builder, a, row * self.rows.strides[0], self.dtype)
            number = splat(builder, load_scalar(builder, place, self.dtype))
            for vector in vectors:
                new.append(multiply_add(builder, number, vector, sums[len(new)]))
        return new
