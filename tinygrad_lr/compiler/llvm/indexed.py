"""Gather and scatter-add as LLVM code: rows of an array, found by arrays of indices.

An index may be out of range, which is known at run time only. The kernel's function then returns 1
at once, and the program calls NumPy, which raises its own error; else it returns 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from ..ir.instruction import NATIVE_DTYPES, Hole, Instruction
from ..ir.layout import locate
from .arithmetic import constant
from .kernel_key import is_inline
from .loops import emit_loop
from .memory import Memory
from .vectors import vector_bytes

I64 = ir.IntType(64)


class IndexPlan(NamedTuple):
    """How an index reads or writes an array of some shape.

    - `chosen`: for each array of indices, the axis of the array that it chooses from
    - `kept`: the other axes, in order, each with the range of entries that is taken; an axis that
      the index adds is None
    - `fixed`: the axes of which one entry is taken, and that entry
    - `shape`: the common shape of the arrays of indices
    - `first`: the position of their axes among those of the indexed array
    """

    chosen: list[int]
    kept: list[tuple[int | None, range]]
    fixed: list[tuple[int, int]]
    shape: tuple[int, ...]
    first: int


def plan_index(
    shape: tuple[int, ...], index: tuple[Any, ...], indices: Sequence[Instruction]
) -> IndexPlan | None:
    """Return the plan of an index of arrays, slices, numbers and new axes; None for any other."""
    parts: list[Any] = list(index)
    if not all(isinstance(x, (Hole, slice, int)) or x is None or x is Ellipsis for x in parts):
        return None
    missing = len(shape) - sum(x is not None and x is not Ellipsis for x in parts)
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * missing
    chosen: dict[int, int] = {}
    kept: list[tuple[int | None, range]] = []
    fixed: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []  # of arrays, and of numbers, which count as such beside them
    axis = 0
    for place, part in enumerate(parts):
        if part is None:
            kept.append((None, range(1)))
            continue
        if isinstance(part, slice):
            kept.append((axis, range(shape[axis])[part]))
        else:
            places.append((place, len(kept)))
            if isinstance(part, Hole):
                chosen[part.position] = axis
            else:
                fixed.append((axis, range(shape[axis])[part]))
        axis += 1
    adjacent = bool(places) and places[-1][0] - places[0][0] == len(places) - 1
    return IndexPlan(
        chosen=[chosen[k] for k in range(len(indices))],
        kept=kept,
        fixed=fixed,
        shape=np.broadcast_shapes(*(x.shape for x in indices)),
        first=places[0][1] if adjacent else 0,
    )


def plan_of(x: Instruction) -> IndexPlan | None:
    """Return how a gather reads its operand, or a scatter writes its result."""
    shape = x.inputs[0].shape if x.operation == "gather" else x.shape
    return plan_index(shape, x.options["index"], x.inputs[1:])


def can_emit_indexed(x: Instruction) -> bool:
    """Return True if machine code can gather or scatter."""
    source, *indices = x.inputs
    if any(y.dtype not in NATIVE_DTYPES for y in (x, *x.inputs)) or source.dtype != x.dtype:
        return False
    if not (x.size and source.size and all(y.size for y in indices)):
        return False
    if any(y.dtype.kind not in "iu" for y in indices) or is_inline(locate(source).root):
        return False
    plan = plan_of(x)
    if plan is None:
        return False
    wanted = [len(taken) for _, taken in plan.kept]
    wanted[plan.first : plan.first] = plan.shape
    taken = source if x.operation == "scatter" else x
    return taken.shape == tuple(wanted) and (x.operation == "gather" or x.dtype.kind in "fiu")


def emit_indexed(b: Any, x: Instruction, memory: Memory) -> None:
    """Emit a gather or a scatter at the builder's position, which is after it on return."""
    _Indexed(b, x, memory).emit()


class _Indexed:
    """A gather or a scatter, as it is being emitted."""

    def __init__(self, b: Any, x: Instruction, memory: Memory) -> None:
        self.b, self.x, self.memory = b, x, memory
        plan = plan_of(x)
        assert plan is not None
        self.plan = plan
        source = locate(x.inputs[0])
        self.source = source.root
        start, strides = memory.placement(x)
        table, self.rows = (source.offset, source.strides), (start, strides)
        if x.operation == "scatter":
            table, self.rows = self.rows, table
        self.table_start, self.table_strides = table
        self.table_shape = x.shape if x.operation == "scatter" else x.inputs[0].shape
        if plan.chosen:
            self.failed = b.append_basic_block("out_of_range")

    def emit(self) -> None:
        b = self.b
        if self.x.operation == "scatter":
            self._clear()
        self._emit_outer([], list(self.plan.shape))
        if self.plan.chosen:
            end = b.block
            b.position_at_end(self.failed)
            b.ret(I64(1))
            b.position_at_end(end)

    def _clear(self) -> None:
        """Fill the result of a scatter with zeros."""
        start, strides = self.memory.placement(self.x)

        def clear(entries: Sequence[Any], lanes: int, tail: int | None) -> None:
            zero = constant(0, self.x.dtype, lanes)
            self.memory.store(self.b, self.x, zero, entries[0], lanes, tail)

        axes = [(n, [s]) for n, s in zip(self.x.shape, strides, strict=True)]
        emit_entries(self.b, self.x.dtype.itemsize, axes, [I64(start)], clear)

    def _emit_outer(self, position: list[Any], lengths: list[int]) -> None:
        """Emit the loops over the axes of the indices, and the copy of a row inside of them."""
        if lengths:
            emit_loop(
                self.b, 0, lengths[0], 1, lambda i: self._emit_outer([*position, i], lengths[1:])
            )
            return
        b, plan = self.b, self.plan
        starts = [(axis, taken.start) for axis, taken in plan.kept if axis is not None]
        start = sum(self.table_strides[axis] * i for axis, i in (*starts, *plan.fixed))
        entry: Any = I64(self.table_start + start)
        for y, axis in zip(self.x.inputs[1:], plan.chosen, strict=True):
            chosen = self._load_index(y, position)
            length = I64(self.table_shape[axis])
            if y.dtype.kind == "i":
                below = b.icmp_signed("<", chosen, I64(0))
                chosen = b.select(below, b.add(chosen, length), chosen)
            good = b.append_basic_block("in_range")
            b.cbranch(b.icmp_unsigned("<", chosen, length), good, self.failed)
            b.position_at_end(good)
            entry = b.add(entry, b.mul(chosen, I64(self.table_strides[axis])))
        first, strides = self.rows
        row: Any = I64(first)
        count = len(plan.shape)
        for i, stride in zip(position, strides[plan.first : plan.first + count], strict=True):
            row = b.add(row, b.mul(i, I64(stride)))
        left = [*strides[: plan.first], *strides[plan.first + count :]]
        axes = [
            (len(taken), [0 if axis is None else taken.step * self.table_strides[axis], stride])
            for (axis, taken), stride in zip(plan.kept, left, strict=True)
        ]
        emit_entries(b, self.x.dtype.itemsize, axes, [entry, row], self._move)

    def _load_index(self, y: Instruction, position: Sequence[Any]) -> Any:
        b, view = self.b, locate(y)
        if is_inline(view.root):
            return I64(int(np.asarray(view.root.value).reshape(())))
        entry: Any = I64(view.offset)
        own = position[len(position) - len(y.shape) :]
        for i, n, stride in zip(own, y.shape, view.strides, strict=True):
            if n > 1:
                entry = b.add(entry, b.mul(i, I64(stride)))
        number = self.memory.load(b, view.root, entry, 1)
        if y.dtype.itemsize == 8:
            return number
        return b.sext(number, I64) if y.dtype.kind == "i" else b.zext(number, I64)

    def _move(self, entries: Sequence[Any], lanes: int, tail: int | None) -> None:
        """Copy some entries from the table to a row; for a scatter, add them to the table."""
        b, memory, (table, row) = self.b, self.memory, entries
        if self.x.operation == "gather":
            found = memory.load(b, self.source, table, lanes, 1, tail)
            memory.store(b, self.x, found, row, lanes, tail)
            return
        old = memory.load(b, self.x, table, lanes, 1, tail)
        new = memory.load(b, self.source, row, lanes, 1, tail)
        add = b.fadd if self.x.dtype.kind == "f" else b.add
        memory.store(b, self.x, add(old, new), table, lanes, tail)


def emit_entries(
    b: Any,
    size: int,
    axes: Sequence[tuple[int, Sequence[int]]],
    entries: Sequence[Any],
    body: Callable[[Sequence[Any], int, int | None], None],
) -> None:
    """Emit a loop over axes, each with its length and its strides in each of some arrays.

    `body(entries, lanes, tail)` is emitted for each vector of adjacent entries, of which only the
    first `tail` may exist, or for each entry. An entry is of `size` bytes.
    """
    axes = merge_axes(axes)
    if not axes:
        body(entries, 1, None)
        return
    (length, strides), inner = axes[0], axes[1:]

    def at(i: Any) -> list[Any]:
        return [
            b.add(entry, b.mul(i, I64(stride)))
            for entry, stride in zip(entries, strides, strict=True)
        ]

    if inner:
        emit_loop(b, 0, length, 1, lambda i: emit_entries(b, size, inner, at(i), body))
        return
    lanes = vector_bytes() // size if all(stride == 1 for stride in strides) else 1
    whole = length // lanes * lanes
    emit_loop(b, 0, whole, lanes, lambda i: body(at(i), lanes, None))
    if whole == length - 1:
        body(at(I64(whole)), 1, None)
    elif whole < length:
        body(at(I64(whole)), lanes, length - whole)


def merge_axes(axes: Sequence[tuple[int, Sequence[int]]]) -> list[tuple[int, Sequence[int]]]:
    """Return axes without those of length 1, adjacent ones that are one in memory merged."""
    found: list[tuple[int, Sequence[int]]] = []
    for length, strides in axes:
        if length == 1:
            continue
        if found and all(
            before == length * stride for before, stride in zip(found[-1][1], strides, strict=True)
        ):
            found[-1] = (found[-1][0] * length, strides)
        else:
            found.append((length, strides))
    return found
