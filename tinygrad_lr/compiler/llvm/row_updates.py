"""An update of some rows of a table as LLVM code: w + c·scatter(x), without the other rows.

The shares of a row are added up first, in their order, in a small table of the rows that are named.
A row's place there is found by two arrays in scratch memory, of which neither is ever cleared: the
row is at a place if that is taken, and names the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction
from ..ir.layout import contiguous_strides, locate
from .arithmetic import cast, constant, emit_float
from .indexed import emit_entries
from .kernel_key import is_inline
from .loops import emit_loop
from .memory import Memory
from .vectors import splat

I64 = ir.IntType(64)
INT64 = np.dtype(np.int64)


def row_scratch_bytes(x: Instruction) -> int:
    """Return the bytes of scratch memory that an update of rows needs."""
    return sum(y.nbytes for y in make_scratch(x))


def make_scratch(x: Instruction) -> tuple[Instruction, Instruction, Instruction]:
    """Return what an update keeps in scratch memory, in this order.

    These are the place of each row of the table, the row at each place, and the sums of its shares.
    """
    _, _, shares, rows = x.inputs
    length = shares.size // rows.size
    return (
        Instruction("place", (), {}, (x.size // length,), INT64),
        Instruction("row", (), {}, (rows.size,), INT64),
        Instruction("sum", (), {}, (rows.size, length), x.dtype),
    )


def emit_row_update(b: Any, x: Instruction, memory: Memory, scratch: Any) -> None:
    """Emit an update of rows at the builder's position, which is after it on return."""
    _RowUpdate(b, x, memory, scratch).emit()


class _RowUpdate:
    """An update of rows, as it is being emitted."""

    def __init__(self, b: Any, x: Instruction, memory: Memory, scratch: Any) -> None:
        self.b, self.x, self.memory = b, x, memory
        self.table, self.factor, self.shares, self.rows = x.inputs
        self.places, self.names, self.sums = parts = make_scratch(x)
        self.count, self.length = self.sums.shape
        pointers, start = {}, 0
        for part in parts:
            pointers[part] = b.gep(scratch, [I64(start)], source_etype=ir.IntType(8))
            start += part.nbytes
        self.scratch = Memory(pointers)

    def emit(self) -> None:
        b = self.b
        if self.memory.pointers[self.table] is not self.memory.pointers[self.x]:
            self._copy_table()
        taken = self._each_share([], list(self.rows.shape), I64(0))
        factor = cast(b, self._load(self.factor, ()), self.factor.dtype, self.x.dtype)
        emit_loop(b, 0, taken, 1, lambda place: self._add_sum(place, factor))
        below = emit_float(b, "signbit", [factor], self.x.dtype, 1)
        finite = emit_float(b, "isfinite", [factor], self.x.dtype, 1)
        with b.if_then(b.not_(b.and_(below, finite)), likely=False):
            self._add_nothing(factor, taken)

    def _copy_table(self) -> None:
        def copy(entries: Sequence[Any], lanes: int, tail: int | None) -> None:
            found = self.memory.load(self.b, self.table, entries[0], lanes, 1, tail)
            self.memory.store(self.b, self.x, found, entries[0], lanes, tail)

        self._each_entry([(self.x.size, [1])], [I64(0)], copy)

    def _each_share(self, position: list[Any], lengths: list[int], taken: Any) -> Any:
        """Add the shares to the sums of their rows; return how many places are taken."""
        b = self.b
        if lengths:
            return emit_loop(
                b,
                0,
                lengths[0],
                1,
                lambda i, taken: [self._each_share([*position, i], lengths[1:], taken)],
                [taken],
            )[0]
        row = self._load(self.rows, position)
        known, found = self._find(row, taken)
        with b.if_then(b.not_(known)):
            self.scratch.store(b, self.names, row, taken, 1)
            self.scratch.store(b, self.places, taken, row, 1)
            self._clear(taken)
        place = b.select(known, found, taken)
        view, rest = locate(self.shares), self.shares.shape[len(position) :]
        entry = self._entry(self.shares, position)
        sums = b.mul(place, I64(self.length))
        own = zip(contiguous_strides(rest), view.strides[len(position) :], strict=True)
        axes = [(n, list(strides)) for n, strides in zip(rest, own, strict=True)]
        self._each_entry(axes, [sums, entry], self._add_share)
        return b.select(known, taken, b.add(taken, I64(1)))

    def _find(self, row: Any, taken: Any) -> tuple[Any, Any]:
        """Return whether a row has a place among those taken, and the place if so."""
        b = self.b
        place = self.scratch.load(b, self.places, row, 1)
        below = b.icmp_unsigned("<", place, taken)
        place = b.select(below, place, I64(0))
        name = self.scratch.load(b, self.names, place, 1)
        return b.and_(below, b.icmp_signed("==", name, row)), place

    def _clear(self, place: Any) -> None:
        def clear(entries: Sequence[Any], lanes: int, tail: int | None) -> None:
            zero = constant(0, self.x.dtype, lanes)
            self.scratch.store(self.b, self.sums, zero, entries[0], lanes, tail)

        self._each_entry([(self.length, [1])], [self.b.mul(place, I64(self.length))], clear)

    def _add_share(self, entries: Sequence[Any], lanes: int, tail: int | None) -> None:
        b, (total, share) = self.b, entries
        view = locate(self.shares)
        old = self.scratch.load(b, self.sums, total, lanes, 1, tail)
        if is_inline(view.root):
            new = constant(np.asarray(view.root.value).item(), self.x.dtype, lanes)
        else:
            new = self.memory.load(b, view.root, share, lanes, 1, tail)
        self.scratch.store(b, self.sums, b.fadd(old, new), total, lanes, tail)

    def _add_sum(self, place: Any, factor: Any) -> None:
        """Add a multiple of a sum to its row."""

        def add(entries: Sequence[Any], lanes: int, tail: int | None) -> None:
            total = self.scratch.load(self.b, self.sums, entries[0], lanes, 1, tail)
            self._move(entries[1], total, factor, lanes, tail)

        row = self.scratch.load(self.b, self.names, place, 1)
        starts = [self.b.mul(i, I64(self.length)) for i in (place, row)]
        self._each_entry([(self.length, [1, 1])], starts, add)

    def _add_nothing(self, factor: Any, taken: Any) -> None:
        """Add a multiple of 0 to the other rows, for a factor with which that changes some.

        A positive one makes -0.0 to 0.0.
        """

        def add(entries: Sequence[Any], lanes: int, tail: int | None) -> None:
            self._move(entries[0], constant(0, self.x.dtype, lanes), factor, lanes, tail)

        def visit(row: Any) -> None:
            known, _ = self._find(row, taken)
            with self.b.if_then(self.b.not_(known)):
                self._each_entry([(self.length, [1])], [self.b.mul(row, I64(self.length))], add)

        emit_loop(self.b, 0, self.x.size // self.length, 1, visit)

    def _move(self, entry: Any, total: Any, factor: Any, lanes: int, tail: int | None) -> None:
        """Add a multiple of entries to those of the table, in the operations of a fused loop."""
        b, dtype = self.b, self.x.dtype
        step = emit_float(b, "multiply", [total, splat(b, factor, lanes)], dtype, lanes)
        old = self.memory.load(b, self.x, entry, lanes, 1, tail)
        new = emit_float(b, "add", [step, old], dtype, lanes)
        self.memory.store(b, self.x, new, entry, lanes, tail)

    def _entry(self, y: Instruction, position: Sequence[Any]) -> Any:
        """Return the entry of an operand's memory at a position along its first axes."""
        view = locate(y)
        entry: Any = I64(view.offset)
        for i, stride in zip(position, view.strides, strict=False):
            entry = self.b.add(entry, self.b.mul(i, I64(stride)))
        return entry

    def _load(self, y: Instruction, position: Sequence[Any]) -> Any:
        """Load a number of an operand."""
        root = locate(y).root
        if is_inline(root):
            return constant(np.asarray(root.value).item(), y.dtype)
        return self.memory.load(self.b, root, self._entry(y, position), 1)

    def _each_entry(self, axes: Any, entries: Sequence[Any], body: Any) -> None:
        emit_entries(self.b, self.x.dtype.itemsize, axes, entries, body)
