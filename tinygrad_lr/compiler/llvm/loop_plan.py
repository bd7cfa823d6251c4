"""The plan of a fused loop, before any code is emitted: its axes, strides, vectors and passes.

The axes of the iteration space are grouped into as few dimensions as the strides allow. The last
dimension becomes the columns, which are computed in vectors; the others are loops over rows.
Where each reduction keeps its partial results is decided here:

- the sum of a row is known at the end of the row (`is_row_reduction`), and what reads it is
  computed in a later pass over the same row (`stage`);
- a sum over rows is carried in registers from row to row if it fits (`carried`),
- else it is accumulated in memory (`in_memory`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ir.cost import code_size
from ..ir.fusion import Axes, Loop, base_of, forward_axes
from ..ir.instruction import REDUCTIONS, Instruction, Shape
from ..ir.layout import contiguous_strides, locate
from .vectors import vector_bytes

MAX_UNROLLED_VECTORS = 8  # vectors of a row that stay in registers from one pass to the next
MAX_UNROLLED_CODE = 1500  # operations of a processor in all of them

Placement = tuple[int, tuple[int, ...]]


@dataclass
class Access:
    """An operand in memory: its root, its first entry there, and its strides along dimensions."""

    root: Instruction
    offset: int
    strides: tuple[int, ...]


class LoopPlan:
    """The analysis of one loop; `stored` has the first entry and the strides of each result.

    - `outer`: the lengths of the dimensions outside the columns
    - `columns`, `lanes`, `chunks`: the length of a row, the width of its vectors, their number
    - `full`: members with a value for each column, not one per row
    - `access`, `write`: the strides of operands by (member, position), and of results
    - `slots`: the first carried value and the number of values for each sum in `carried`
    """

    def __init__(self, kernel: Loop, stored: Mapping[Instruction, Placement]) -> None:
        self.kernel, self.stored = kernel, list(stored)
        self.start = {x: start for x, (start, _) in stored.items()}
        self._plan_dimensions(stored)
        self.full = {x for x in kernel.members if kernel.is_full(x)}
        self.lanes = self._choose_lanes() if self.lengths else 1
        self.chunks = -(-self.columns // self.lanes)
        code = self.chunks * sum(map(code_size, kernel.members))
        self.unrolled = self.chunks <= MAX_UNROLLED_VECTORS and code <= MAX_UNROLLED_CODE
        self.stage = self._find_stages()
        self.last_stage = max(self.stage.values(), default=0)
        self._plan_accumulations()

    # ---- dimensions and strides

    def _plan_dimensions(self, stored: Mapping[Instruction, Placement]) -> None:
        kernel = self.kernel
        reads = self._find_reads()
        writes = {
            x: self._loop_strides(x.shape, kernel.axes[x], strides)
            for x, (_, strides) in stored.items()
        }
        reduced = {
            x: self._loop_strides(x.shape, kernel.axes[x], contiguous_strides(x.shape))
            for x in kernel.members
            if x.operation in REDUCTIONS
        }
        strides = [a.strides for a in reads.values()] + [*writes.values(), *reduced.values()]
        varying = [kernel.varying_axes(x) for x in kernel.members]
        groups = group_axes(kernel, strides, varying)
        self.lengths = [math.prod(kernel.shape[i] for i in group) for group in groups]
        self.outer = self.lengths[:-1]
        self.columns = self.lengths[-1] if self.lengths else 1
        ends = [group[-1] for group in groups]

        def pick(strides: Sequence[int]) -> tuple[int, ...]:
            return tuple(strides[i] for i in ends)

        self.access = {k: Access(a.root, a.offset, pick(a.strides)) for k, a in reads.items()}
        self.write = {x: pick(strides) for x, strides in {**reduced, **writes}.items()}

    def _find_reads(self) -> dict[tuple[Instruction, int], Access]:
        """Return the operands that are read from memory, with strides along the loop's axes."""
        reads = {}
        for x in self.kernel.members:
            for position, y in enumerate(x.inputs):
                if base_of(y) in self.kernel.axes:
                    continue
                view = locate(y)
                axes = self._operand_axes(x)
                own = axes[len(axes) - len(y.shape) :]
                strides = self._loop_strides(y.shape, own, view.strides)
                reads[x, position] = Access(view.root, view.offset, strides)
        return reads

    def _operand_axes(self, x: Instruction) -> Axes:
        """Return the axes of the loop over which the operands of a member run."""
        if x.operation not in REDUCTIONS:
            return self.kernel.axes[x]
        y = x.inputs[0]
        if base_of(y) in self.kernel.axes:
            axes = forward_axes(self.kernel, y)
            if axes is not None:
                return axes
        return tuple(range(len(y.shape)))

    def _loop_strides(self, shape: Shape, axes: Axes, strides: Sequence[int]) -> tuple[int, ...]:
        """Return the strides of an array along all axes of the loop, 0 where it has none."""
        along = [0] * len(self.kernel.shape)
        for n, axis, stride in zip(shape, axes, strides, strict=True):
            if n > 1 and axis is not None:
                along[axis] = stride
        return tuple(along)

    def _choose_lanes(self) -> int:
        """Return the lanes of a vector of the widest float in the loop."""
        floats = [
            y.dtype.itemsize
            for x in self.kernel.members
            for y in (x, *x.inputs)
            if y.dtype.kind == "f" and (y.shape or y in self.kernel.axes) and not y.weak
        ]
        return vector_bytes() // max(floats, default=8)

    def tail(self, chunk: int) -> int | None:
        """Return the number of active lanes in a vector of the row; None for all."""
        rest = self.columns - chunk * self.lanes
        return rest if rest < self.lanes else None

    # ---- passes and reductions

    def _find_stages(self) -> dict[Instruction, int]:
        """Return the pass over a row in which each member is computed.

        What reads a reduction must wait for the end of the pass in which that is computed.
        """
        stage: dict[Instruction, int] = {}
        for x in self.kernel.members:
            bases = [base for y in x.inputs if (base := base_of(y)) in stage]
            below = [stage[base] + int(base.operation in REDUCTIONS) for base in bases]
            stage[x] = max(below, default=0)
        return stage

    def _plan_accumulations(self) -> None:
        self.carried: list[Instruction] = []
        self.in_memory: list[Instruction] = []
        self.slots: dict[Instruction, tuple[int, int]] = {}
        if not self.lengths:
            return
        for x in self.kernel.members:
            if x.operation in REDUCTIONS and not self.is_row_reduction(x):
                (self.carried if self._fits_in_registers(x) else self.in_memory).append(x)
        count = 0
        for x in self.carried:
            size, _ = self.register_shape(x)
            self.slots[x] = (count, size)
            count += size

    def has_full_operand(self, x: Instruction) -> bool:
        """Return True if a reduction's operand has a value for each column."""
        source = base_of(x.inputs[0])
        if source in self.kernel.axes:
            return source in self.full
        shape = x.inputs[0].shape
        return len(shape) == len(self.kernel.shape) and shape[self.kernel.inner] > 1

    def is_row_reduction(self, x: Instruction) -> bool:
        """Return True if a reduction is complete at the end of each row."""
        return self.has_full_operand(x) and self.kernel.is_available_in_row(x)

    def _fits_in_registers(self, x: Instruction) -> bool:
        """Return True if a sum over all rows can be carried in registers from row to row."""
        strides = self.write[x]
        if any(strides[:-1]):
            return False  # it keeps a row axis: one sum for each index of that
        return not strides[-1] or self.unrolled

    def register_shape(self, x: Instruction) -> tuple[int, int]:
        """Return how many values carry a sum over rows, and how many lanes each has."""
        if not self.has_full_operand(x):
            return 1, 1
        if self.write[x][-1]:
            return self.chunks, self.lanes
        return 1, self.lanes

    @property
    def can_be_shared(self) -> bool:
        """True if threads may share the loop: no sum goes over rows, or over a single long row."""
        sums = [x for x in self.kernel.members if x.operation in REDUCTIONS]
        if self.outer:
            return self.outer[0] > 1 and all(map(self.is_row_reduction, sums))
        return not sums and not self.unrolled


def group_axes(
    kernel: Loop, accesses: Sequence[Sequence[int]], varying: Sequence[set[int]]
) -> list[list[int]]:
    """Group neighbouring axes that run as one dimension.

    Two axes do if all arrays step through both with a single stride, and no member varies along
    only one of them.
    """
    axes = [i for i, n in enumerate(kernel.shape) if n > 1]
    groups: list[list[int]] = [[axes[0]]] if axes else []
    for axis in axes[1:]:
        last, n = groups[-1][-1], kernel.shape[axis]
        contiguous = all(strides[last] == strides[axis] * n for strides in accesses)
        if contiguous and all((last in own) == (axis in own) for own in varying):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups
