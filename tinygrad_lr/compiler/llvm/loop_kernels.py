"""A fused loop as LLVM code: loops over rows, and sums over rows carried through them.

`loop_plan` decides what goes where, `row_kernel` emits the inside of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.fusion import Loop
from ..ir.instruction import Instruction
from .loop_plan import LoopPlan
from .loops import emit_loop
from .memory import Memory
from .reductions import identity, reduce_lanes
from .row_kernel import LoopContext, Row
from .work_split import Share


def emit_loop_kernel(
    builder: Any,
    kernel: Loop,
    stored: Sequence[Instruction],
    memory: Memory,
    share: Share | None = None,
) -> None:
    """Emit a loop at the builder's position; with `share`, the part of one thread."""
    plan = LoopPlan(kernel, {x: memory.placement(x) for x in stored})
    _LoopKernel(LoopContext(builder, plan, memory, share)).emit()


class _LoopKernel:
    """The code of one loop, as it is being emitted."""

    def __init__(self, context: LoopContext) -> None:
        self.context = context
        self.b, self.plan, self.memory = context.builder, context.plan, context.memory

    def emit(self) -> None:
        plan, share = self.plan, self.context.share
        if not plan.lengths:
            self._emit_scalars()
            return
        for x in plan.in_memory:
            self.memory.fill(self.b, x, identity(x, 1))
        start: list[Any] = []
        for x in plan.carried:
            count, lanes = plan.register_shape(x)
            start += [identity(x, lanes)] * count
        if share is not None and plan.outer:  # this thread's rows; no sum goes over rows then

            def emit_rows(index: Any) -> None:
                self._emit_nest([index], plan.outer[1:], [])

            emit_loop(self.b, *share.bounds(self.b, plan.outer[0]), 1, emit_rows)
            return
        end = self._emit_nest([], plan.outer, start)
        for x in plan.carried:
            first, count = plan.slots[x]
            self._store_sum(x, end[first : first + count])

    def _emit_nest(
        self, indices: list[Any], lengths: Sequence[int], carried: list[Any]
    ) -> list[Any]:
        """Emit the loops over the outer dimensions, and a row inside of them."""
        if not lengths:
            return self._emit_row(indices, carried)
        return emit_loop(
            self.b,
            0,
            lengths[0],
            1,
            lambda index, *held: self._emit_nest([*indices, index], lengths[1:], list(held)),
            carried,
        )

    def _emit_row(self, indices: list[Any], carried: list[Any]) -> list[Any]:
        """Emit one row: a pass over its columns for each stage."""
        row = Row(self.context, indices, carried)
        for stage in range(self.plan.last_stage + 1):
            row.emit_stage(stage)
        return row.carried

    def _emit_scalars(self) -> None:
        """Emit a loop without any axes."""
        row = Row(self.context, [], [])
        for x in self.plan.kernel.members:
            row.get_single(x)
        for x, value in [(x, row.get_single(x)) for x in self.plan.stored]:
            self.memory.store(self.b, x, value, self.plan.start[x], 1)

    def _store_sum(self, x: Instruction, values: Sequence[Any]) -> None:
        """Store a sum that was carried in registers."""
        plan = self.plan
        if x not in self.memory:
            return
        stride = plan.write[x][-1]
        if stride:  # a sum for each column
            for chunk, value in enumerate(values):
                entry = plan.start[x] + chunk * plan.lanes * stride
                self.memory.store(self.b, x, value, entry, plan.lanes, plan.tail(chunk), stride)
        else:
            value = reduce_lanes(self.b, x, values[0])
            self.memory.store(self.b, x, value, plan.start[x], 1)
