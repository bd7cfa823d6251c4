"""A fused loop as LLVM code: rows, columns in vectors, and what is added up on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..ir.fusion import Axes, Loop, base_of, forward_axes
from ..ir.instruction import REDUCTIONS, Instruction
from ..ir.layout import contiguous_strides, locate
from .loops import counted_loop
from .memory import Memory
from .reductions import horizontal, neutral
from .row_kernel import Row
from .vectors import vector_bytes
from .work_split import Share

UNROLLED = 8  # vectors of a row that are held in registers from one stage of it to the next


@dataclass
class Access:
    """How an operand is reached: from which memory, where it starts, how far along each axis."""

    root: Instruction
    offset: int
    strides: tuple[int, ...]  # along the dimensions of the loop


def dimensions(
    kernel: Loop, accesses: Sequence[Sequence[int]], depends: Sequence[set[int]]
) -> list[list[int]]:
    """The axes of a loop, in groups that run as one: neighbours that all treat alike."""
    axes = [i for i, n in enumerate(kernel.shape) if n > 1]
    groups: list[list[int]] = [[axes[0]]] if axes else []
    for axis in axes[1:]:
        last, n = groups[-1][-1], kernel.shape[axis]
        alike = all(strides[last] == strides[axis] * n for strides in accesses)
        if alike and all((last in own) == (axis in own) for own in depends):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


class LoopEmission:
    """The code of one loop, as it is being written."""

    def __init__(
        self,
        builder: Any,
        kernel: Loop,
        stored: Sequence[Instruction],
        memory: Memory,
        share: Share | None = None,
    ) -> None:
        self.b, self.kernel, self.memory, self.share = builder, kernel, memory, share
        self.stored = list(stored)
        self.reads = self._reads()
        places = {x: memory.place(x) for x in stored}
        self.start = {x: start for x, (start, _) in places.items()}
        writes = {
            x: self._strides(x.shape, kernel.axes[x], strides) for x, (_, strides) in places.items()
        }
        reduced = {
            x: self._strides(x.shape, kernel.axes[x], contiguous_strides(x.shape))
            for x in kernel.members
            if x.operation in REDUCTIONS
        }
        accesses = [a[2] for a in self.reads.values()] + [*writes.values(), *reduced.values()]
        depends = [kernel.varying_axes(x) for x in kernel.members]
        groups = dimensions(kernel, accesses, depends)
        self.lengths = [math.prod(kernel.shape[i] for i in group) for group in groups]
        ends = [group[-1] for group in groups]

        def pick(strides: Sequence[int]) -> tuple[int, ...]:
            return tuple(strides[i] for i in ends)

        self.access = {
            key: Access(root, offset, pick(strides))
            for key, (root, offset, strides) in self.reads.items()
        }
        self.write = {x: pick(strides) for x, strides in {**reduced, **writes}.items()}
        self.outer = self.lengths[:-1]
        self.columns = self.lengths[-1] if self.lengths else 1
        self.full = {x for x in kernel.members if kernel.is_full(x)}
        floats = [
            y.dtype.itemsize
            for x in kernel.members
            for y in (x, *x.inputs)
            if y.dtype.kind == "f" and (y.shape or y in kernel.axes) and not y.weak
        ]
        self.lanes = vector_bytes() // max(floats, default=8) if self.lengths else 1
        self.chunks = -(-self.columns // self.lanes)
        self.unrolled = self.chunks <= UNROLLED
        self.stage = self._stages()
        self.last_stage = max(self.stage.values(), default=0)
        self.once: dict[Any, Any] = {}  # values that are the same in all rows

    def _reads(self) -> dict[tuple[Instruction, int], tuple[Instruction, int, tuple[int, ...]]]:
        """For each operand that lies in memory: its root, its offset, its strides."""
        found = {}
        for x in self.kernel.members:
            for position, y in enumerate(x.inputs):
                if base_of(y) in self.kernel.axes:
                    continue
                where = locate(y)
                axes = self._iterated(x)
                own = axes[len(axes) - len(y.shape) :]
                found[x, position] = (
                    where.root,
                    where.offset,
                    self._strides(y.shape, own, where.strides),
                )
        return found

    def _iterated(self, x: Instruction) -> Axes:
        """The axes of the loop that the operands of a member have."""
        if x.operation not in REDUCTIONS:
            return self.kernel.axes[x]
        y = x.inputs[0]
        if base_of(y) in self.kernel.axes:
            found = forward_axes(self.kernel, y)
            if found is not None:
                return found
        return tuple(range(len(y.shape)))

    def _strides(self, shape: Any, axes: Axes, strides: Sequence[int]) -> tuple[int, ...]:
        along = [0] * len(self.kernel.shape)
        for n, axis, stride in zip(shape, axes, strides, strict=True):
            if n > 1 and axis is not None:
                along[axis] = stride
        return tuple(along)

    def _stages(self) -> dict[Instruction, int]:
        """In which pass over the columns of a row a member is computed."""
        stage: dict[Instruction, int] = {}
        for x in self.kernel.members:
            below = [
                stage[base_of(y)] + (self._ends_row(base_of(y)))
                for y in x.inputs
                if base_of(y) in stage
            ]
            stage[x] = max(below, default=0)
        return stage

    def _ends_row(self, x: Instruction) -> int:
        """1 for a reduction over the columns: what reads it comes after that pass."""
        return int(x.operation in REDUCTIONS)

    # ---- the code

    def emit(self) -> None:
        """The whole loop, at the builder's position."""
        if not self.lengths:
            self._numbers()
            return
        accumulations = [
            x for x in self.kernel.members if x.operation in REDUCTIONS and not self._of_row(x)
        ]
        self.carried = [x for x in accumulations if self._in_registers(x)]
        self.kept = [x for x in accumulations if x not in self.carried]
        for x in self.kept:
            self._fill(x)
        start: list[Any] = []
        self.slots: dict[Instruction, tuple[int, int]] = {}
        for x in self.carried:
            count, lanes = self._register_form(x)
            self.slots[x] = (len(start), count)
            start += [neutral(x, lanes)] * count
        if self.share is None or not self.outer:
            end = self._nest([], self.outer, start)
        else:  # this thread's rows; nothing is carried over rows
            self._rows(*self.share.bounds(self.b, self.outer[0]))
            return
        for x in self.carried:
            first, count = self.slots[x]
            self._finish(x, end[first : first + count])

    def _of_row(self, x: Instruction) -> bool:
        """Whether a reduction is complete at the end of each row."""
        source = base_of(x.inputs[0])
        full = source in self.full if source in self.kernel.axes else self._full_operand(x)
        return bool(full) and self.kernel.is_available_in_row(x)

    def _full_operand(self, x: Instruction) -> bool:
        shape = x.inputs[0].shape
        return len(shape) == len(self.kernel.shape) and shape[self.kernel.inner] > 1

    def _is_full_source(self, x: Instruction) -> bool:
        source = base_of(x.inputs[0])
        return source in self.full if source in self.kernel.axes else self._full_operand(x)

    def _in_registers(self, x: Instruction) -> bool:
        """Whether a sum over all rows is carried in registers from row to row."""
        own = self.write[x]
        if any(own[:-1]):
            return False  # it keeps a row axis
        return not own[-1] or (self.unrolled and self.chunks <= UNROLLED)

    def _register_form(self, x: Instruction) -> tuple[int, int]:
        """How many values, of how many lanes, carry a sum."""
        if not self._is_full_source(x):
            return 1, 1
        if self.write[x][-1]:
            return self.chunks, self.lanes
        return 1, self.lanes

    def _nest(self, indices: list[Any], lengths: Sequence[int], carried: list[Any]) -> list[Any]:
        if not lengths:
            return self._row(indices, carried)
        return counted_loop(
            self.b,
            0,
            lengths[0],
            1,
            lambda index, *held: self._nest([*indices, index], lengths[1:], list(held)),
            carried,
        )

    @property
    def divides(self) -> bool:
        """Whether threads may share the loop: no sum goes over the rows, or over a long one."""
        sums = [x for x in self.kernel.members if x.operation in REDUCTIONS]
        if self.outer:
            return self.outer[0] > 1 and all(map(self._of_row, sums))
        return not sums and not self.unrolled

    def _rows(self, first: Any, last: Any) -> None:
        def rows(index: Any) -> None:
            self._nest([index], self.outer[1:], [])

        counted_loop(self.b, first, last, 1, rows)

    def _row(self, indices: list[Any], carried: list[Any]) -> list[Any]:
        """One row: a pass over its columns for each stage."""
        row = Row(self, indices, carried)
        for stage in range(self.last_stage + 1):
            row.run(stage)
        return row.carried

    def _numbers(self) -> None:
        """A loop over nothing: single numbers."""
        row = Row(self, [], [])
        for x in self.kernel.members:
            row.single(x)
        for x in self.stored:
            self.memory.store(self.b, x, row.single(x), self.start[x], 1)

    def _fill(self, x: Instruction) -> None:
        """Set a sum in memory to its neutral number."""
        self.memory.fill(self.b, x, neutral(x, 1))

    def _finish(self, x: Instruction, values: Sequence[Any]) -> None:
        """Store a sum that was carried in registers."""
        if x not in self.memory:
            return
        if self.write[x][-1]:
            for chunk, value in enumerate(values):
                stride = self.write[x][-1]
                place = self.start[x] + chunk * self.lanes * stride
                self.memory.store(self.b, x, value, place, self.lanes, self.tail(chunk), stride)
        else:
            value = horizontal(self.b, x, values[0])
            self.memory.store(self.b, x, value, self.start[x], 1)

    def tail(self, chunk: int) -> int | None:
        """How many lanes of a vector of the row count, None for all."""
        rest = self.columns - chunk * self.lanes
        return rest if rest < self.lanes else None
