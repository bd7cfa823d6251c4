"""One row of a fused loop: its values, and the passes over its columns.

A short row (at most eight vectors) is unrolled, and its values stay in registers from one pass to
the next. A long row is a loop over vectors; what a later pass needs again is computed
again. Sums of a long row use four independent accumulators, to hide the latency of additions, and
are added in blocks of 4096 entries, so that rounding errors stay small, as in NumPy's pairwise sum.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.fusion import base_of
from ..ir.instruction import REDUCTIONS, Instruction
from . import arithmetic
from .loop_plan import LoopPlan
from .loops import emit_loop
from .memory import Memory
from .reductions import combine, identity, reduce_lanes
from .vectors import lane_mask, splat
from .work_split import Share

SUM_CHAINS = 4  # independent accumulators of a long row
SUM_BLOCK = 4096  # entries of a long row that are added up before they join the total
I64 = ir.IntType(64)
Values = dict[Instruction, Any]


@dataclass
class LoopContext:
    """The state shared by all rows of a loop; `hoisted` has scalars loaded before all loops."""

    builder: Any
    plan: LoopPlan
    memory: Memory
    share: Share | None
    hoisted: dict[tuple[Instruction, int], Any] = field(default_factory=dict)


class Row:
    """The values of one row, as they become known.

    - `singles`: members that are the same in all columns
    - `chunk_values`: members of an unrolled row, for each of its vectors
    - `carried`: the partial sums over rows
    """

    def __init__(self, context: LoopContext, indices: list[Any], carried: list[Any]) -> None:
        self.context, self.plan, self.memory = context, context.plan, context.memory
        self.b, self.indices, self.carried = context.builder, indices, carried
        self.singles: Values = {}
        chunks = self.plan.chunks if self.plan.unrolled else 0
        self.chunk_values: list[Values] = [{} for _ in range(chunks)]
        self.stored: set[Instruction] = set()

    # ---- values

    def find_entry(self, strides: Sequence[int], offset: Any, column: Any) -> Any:
        """Return the number of an entry within its array: an int, or an i64."""
        b, entry = self.b, None
        for index, stride in zip([*self.indices, column], strides, strict=True):
            if stride and index is not None:
                if isinstance(index, int):
                    offset += index * stride
                    continue
                step = index if stride == 1 else b.mul(index, I64(stride))
                entry = step if entry is None else b.add(entry, step)
        if entry is None:
            return offset
        return b.add(entry, I64(offset)) if offset else entry

    def get_operand(
        self, x: Instruction, position: int, column: Any, tail: int | None, values: Values | None
    ) -> Any:
        """Return an operand of a member: for a vector of columns, or (values=None) for the row."""
        y = x.inputs[position]
        base = base_of(y)
        if base in self.plan.kernel.axes:
            return self.get_value(base, column, tail, values)
        access = self.plan.access[x, position]
        root = access.root
        if root.is_constant and root.size == 1:
            return arithmetic.constant(np.asarray(root.value).reshape(()), y.dtype)
        if not any(access.strides):
            key, hoisted = (root, access.offset), self.context.hoisted
            if key not in hoisted:
                with before_loops(self.b):
                    hoisted[key] = self.memory.load(self.b, root, access.offset, 1)
            return hoisted[key]
        along = access.strides[-1]
        if values is None or not along:
            entry = self.find_entry((*access.strides[:-1], 0), access.offset, None)
            return self.memory.load(self.b, root, entry, 1)
        entry = self.find_entry(access.strides, access.offset, column)
        return self.memory.load(self.b, root, entry, self.plan.lanes, along, tail)

    def get_value(
        self, x: Instruction, column: Any, tail: int | None, values: Values | None
    ) -> Any:
        """Return a member's vector of columns, computed with all that it needs if not known."""
        if x not in self.plan.full or values is None:
            return self.get_single(x)
        waiting = [x]
        while waiting:  # not recursive: chains of instructions may be long
            top = waiting[-1]
            if top in values:
                waiting.pop()
                continue
            below = [
                base
                for y in top.inputs
                if (base := base_of(y)) in self.plan.full and base not in values
            ]
            if below:
                waiting += below
                continue
            operands = [
                self.get_operand(top, i, column, tail, values) for i in range(len(top.inputs))
            ]
            value = arithmetic.emit(self.b, top, operands)
            values[top] = splat(self.b, value, self.plan.lanes)
            waiting.pop()
        return values[x]

    def get_single(self, x: Instruction) -> Any:
        """Return a member that is the same in all columns of the row, computed if not known."""
        waiting = [x]
        while waiting:
            top = waiting[-1]
            if top in self.singles:
                waiting.pop()
                continue
            below = [
                base
                for y in top.inputs
                if (base := base_of(y)) in self.plan.kernel.axes and base not in self.singles
            ]
            if below:
                waiting += below
                continue
            operands = [self.get_operand(top, i, None, None, None) for i in range(len(top.inputs))]
            self.singles[top] = arithmetic.emit(self.b, top, operands)
            waiting.pop()
        return self.singles[x]

    # ---- passes

    def emit_stage(self, stage: int) -> None:
        """Emit one pass over the columns: its sums and stores, then what is known once per row."""
        plan = self.plan
        members = [x for x in plan.kernel.members if plan.stage[x] == stage]
        sums = [x for x in members if x.operation in REDUCTIONS and plan.has_full_operand(x)]
        stores = self._find_stores(stage)
        if sums or stores:
            self._emit_pass(stage, sums, stores)
        for x in members:
            if x.operation in REDUCTIONS and not plan.has_full_operand(x):
                self._add_single(x)
        if stage == plan.last_stage:
            single = [
                x
                for x in plan.stored
                if x not in plan.full and (x.operation not in REDUCTIONS or x in self.singles)
            ]
            for x, value in [(x, self.get_single(x)) for x in single]:
                entry = self.find_entry((*plan.write[x][:-1], 0), plan.start[x], None)
                self.memory.store(self.b, x, value, entry, 1)

    def _find_stores(self, stage: int) -> list[Instruction]:
        """Return the results to store in a pass.

        Updated inputs are stored in the last pass, since earlier values may be read until then; so
        is everything in an unrolled row, whose values are still in registers.
        """
        plan = self.plan
        full = [x for x in plan.stored if x in plan.full and x.operation not in REDUCTIONS]
        if stage == plan.last_stage:
            return [x for x in full if x not in self.stored]
        if plan.unrolled:
            return []
        return [x for x in full if plan.stage[x] == stage and not self.memory.is_input(x)]

    def _emit_pass(self, stage: int, sums: list[Instruction], stores: list[Instruction]) -> None:
        plan = self.plan
        if plan.unrolled:
            partial: Values = {}
            for chunk, values in enumerate(self.chunk_values):
                column, tail = chunk * plan.lanes, plan.tail(chunk)
                self._emit_chunk(column, chunk, values, tail, sums, stores, partial)
            for x in sums:
                if x in partial and x in plan.in_memory:
                    self._add_in_memory(x, reduce_lanes(self.b, x, partial[x]))
                elif x in partial:
                    self.singles[x] = reduce_lanes(self.b, x, partial[x])
        else:
            self._emit_long_pass(stage, sums, stores)
        self.stored.update(stores)

    def _emit_chunk(
        self,
        column: Any,
        chunk: int | None,
        values: Values,
        tail: int | None,
        sums: list[Instruction],
        stores: list[Instruction],
        partial: Values,
    ) -> None:
        """Emit one vector of columns; sums of the row are added to `partial`."""
        plan, b = self.plan, self.b
        for x in sums:
            value = self._get_summand(x, column, tail, values)
            stride = plan.write[x][-1]
            if x in plan.slots:
                slot = plan.slots[x][0] + (chunk if stride and chunk is not None else 0)
                self.carried[slot] = combine(b, x, self.carried[slot], value)
            elif x in plan.in_memory and stride:
                entry = self.find_entry(plan.write[x], plan.start[x], column)
                total = self.memory.load(b, x, entry, plan.lanes, stride, tail)
                total = combine(b, x, total, value)
                self.memory.store(b, x, total, entry, plan.lanes, tail, stride)
            else:
                partial[x] = value if x not in partial else combine(b, x, partial[x], value)
        found = [self.get_value(x, column, tail, values) for x in stores]
        for x, value in zip(stores, found, strict=True):  # after all loads: they may overwrite them
            entry = self.find_entry(plan.write[x], plan.start[x], column)
            self.memory.store(b, x, value, entry, plan.lanes, tail, plan.write[x][-1])

    def _get_summand(self, x: Instruction, column: Any, tail: int | None, values: Values) -> Any:
        """Return a vector of a reduction's operand; lanes past the row are its identity."""
        plan, b = self.plan, self.b
        value = self.get_operand(x, 0, column, tail, values)
        value = arithmetic.cast(b, value, x.inputs[0].dtype, x.dtype)
        value = splat(b, value, plan.lanes)
        if tail is not None and not plan.write[x][-1]:
            value = b.select(lane_mask(tail, plan.lanes), value, identity(x, plan.lanes))
        return value

    def _add_single(self, x: Instruction) -> None:
        """Add a number that is known once per row to a sum over rows."""
        plan, b = self.plan, self.b
        value = self.get_operand(x, 0, None, None, None)
        value = arithmetic.cast(b, value, x.inputs[0].dtype, x.dtype)
        if x in plan.slots:
            slot = plan.slots[x][0]
            self.carried[slot] = combine(b, x, self.carried[slot], value)
        else:
            self._add_in_memory(x, value)

    def _add_in_memory(self, x: Instruction, value: Any) -> None:
        entry = self.find_entry((*self.plan.write[x][:-1], 0), self.plan.start[x], None)
        total = self.memory.load(self.b, x, entry, 1)
        self.memory.store(self.b, x, combine(self.b, x, total, value), entry, 1)

    # ---- long rows

    def _emit_long_pass(
        self, stage: int, sums: list[Instruction], stores: list[Instruction]
    ) -> None:
        """Emit a pass over many columns: a loop over vectors, then the vectors that are left."""
        plan, b, share = self.plan, self.b, self.context.share
        for x in plan.kernel.members:
            if x not in plan.full and plan.stage[x] <= stage and x.operation not in REDUCTIONS:
                self.get_single(x)  # here: the loops below may take no turn, and the rest reads it
        lanes, whole = plan.lanes, plan.columns // plan.lanes * plan.lanes
        row_sums = [x for x in sums if not plan.write[x][-1]]
        chains = SUM_CHAINS if row_sums and whole >= 8 * SUM_CHAINS * lanes else 1
        carried = list(self.carried)

        def add_vectors(column: Any, totals: list[Any], count: int) -> list[Any]:
            """Emit `count` neighbouring vectors, each added to totals of its own."""
            result = list(totals)
            for chain in range(count):
                at = b.add(column, I64(chain * lanes)) if chain else column
                summands = self._emit_vector(at, None, sums, row_sums, stores)
                for i, value in enumerate(summands):
                    slot = i * chains + chain
                    result[slot] = combine(b, row_sums[i], result[slot], value)
            return result

        def add_range(start: Any, stop: Any, totals: list[Any]) -> list[Any]:
            return emit_loop(
                b,
                start,
                stop,
                chains * lanes,
                lambda column, *held: add_vectors(column, list(held), chains),
                totals,
            )

        if share is not None and not plan.outer:  # this thread's columns; there are no sums then
            units = whole // lanes
            first, last = share.bounds(b, units)
            add_range(b.mul(first, I64(lanes)), b.mul(last, I64(lanes)), [])
            if whole < plan.columns:
                with b.if_then(share.is_last(b)):
                    self._emit_vector(I64(whole), plan.columns - whole, sums, row_sums, stores)
            return
        zeros = [identity(x, lanes) for x in row_sums for _ in range(chains)]
        step = chains * lanes
        even = whole // step * step
        if row_sums and even >= 4 * SUM_BLOCK:
            blocks = even // SUM_BLOCK

            def add_block(i: Any, *held: Any) -> list[Any]:
                start = b.mul(i, I64(SUM_BLOCK))
                block_sums = add_range(start, b.add(start, I64(SUM_BLOCK)), zeros)
                pairs = zip(held, block_sums, strict=True)
                return [combine(b, row_sums[k // chains], *pair) for k, pair in enumerate(pairs)]

            totals = emit_loop(b, 0, blocks, 1, add_block, zeros)
            totals = add_range(blocks * SUM_BLOCK, even, totals)
        else:
            totals = add_range(0, even, zeros)
        rest: list[tuple[Any, int | None]] = [
            (I64(column), None) for column in range(even, whole, lanes)
        ]
        if whole < plan.columns:
            rest.append((I64(whole), plan.columns - whole))
        for column, tail in rest:
            summands = self._emit_vector(column, tail, sums, row_sums, stores)
            for i, value in enumerate(summands):
                totals[i * chains] = combine(b, row_sums[i], totals[i * chains], value)
        self.carried = carried
        for i, x in enumerate(row_sums):
            total = totals[i * chains]
            for other in totals[i * chains + 1 : (i + 1) * chains]:
                total = combine(b, x, total, other)
            if x in plan.slots:
                slot = plan.slots[x][0]
                self.carried[slot] = combine(b, x, self.carried[slot], total)
            elif x in plan.in_memory:
                self._add_in_memory(x, reduce_lanes(b, x, total))
            else:
                self.singles[x] = reduce_lanes(b, x, total)

    def _emit_vector(
        self,
        column: Any,
        tail: int | None,
        sums: list[Instruction],
        row_sums: list[Instruction],
        stores: list[Instruction],
    ) -> list[Any]:
        """Emit one vector of columns; return what it adds to the sums of the row."""
        values: Values = {}
        summands = [self._get_summand(x, column, tail, values) for x in row_sums]
        others = [x for x in sums if x not in row_sums]
        self._emit_chunk(column, None, values, tail, others, stores, {})
        return summands


@contextlib.contextmanager
def before_loops(builder: Any) -> Iterator[None]:
    """Emit at the end of the entry block, which runs before every loop."""
    saved, entry = builder.block, builder.function.entry_basic_block
    if entry.terminator is not None:
        builder.position_before(entry.terminator)
    else:
        builder.position_at_end(entry)
    yield
    builder.position_at_end(saved)
