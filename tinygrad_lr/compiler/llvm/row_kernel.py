"""One row of a fused loop: its values as they become known, and the passes over its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from ..ir.fusion import base_of
from ..ir.instruction import REDUCTIONS, Instruction
from . import arithmetic
from .loops import counted_loop
from .reductions import combined, horizontal, neutral

if TYPE_CHECKING:
    from .loop_kernels import LoopEmission

CHAINS = 4  # independent sums of a long row
BLOCK = 4096  # entries of a long row that one sum adds up before it joins the others
I64 = ir.IntType(64)


class Row:
    """The values of one row, as they become known."""

    def __init__(self, loop: LoopEmission, indices: list[Any], carried: list[Any]) -> None:
        self.loop, self.indices, self.carried = loop, indices, carried
        self.b, self.memory = loop.b, loop.memory
        self.singles: dict[Instruction, Any] = {}
        self.held: list[dict[Instruction, Any]] = [
            {} for _ in range(loop.chunks if loop.unrolled else 0)
        ]
        self.done: set[Instruction] = set()

    # ---- values

    def address(self, strides: Sequence[int], offset: Any, column: Any) -> Any:
        """The place of an entry, in entries from the root's first."""
        b, place = self.b, None
        for index, stride in zip([*self.indices, column], strides, strict=True):
            if stride and index is not None:
                if isinstance(index, int):
                    offset += index * stride
                    continue
                step = index if stride == 1 else b.mul(index, I64(stride))
                place = step if place is None else b.add(place, step)
        if place is None:
            return offset
        return b.add(place, I64(offset)) if offset else place

    def operand(
        self,
        x: Instruction,
        position: int,
        column: Any,
        tail: int | None,
        values: dict[Instruction, Any] | None,
    ) -> Any:
        """The value of an operand of a member: for a vector of columns, or once a row."""
        y = x.inputs[position]
        base = base_of(y)
        if base in self.loop.kernel.axes:
            return self.value(base, column, tail, values)
        access = self.loop.access[x, position]
        root = access.root
        if root.is_constant and root.size == 1:
            return arithmetic.number(np.asarray(root.value).reshape(()), y.dtype)
        if not any(access.strides):
            key = (root, access.offset)
            if key not in self.loop.once:
                with before_loops(self.b):
                    self.loop.once[key] = self.memory.load(self.b, root, access.offset, 1)
            return self.loop.once[key]
        along = access.strides[-1]
        if values is None or not along:
            place = self.address((*access.strides[:-1], 0), access.offset, None)
            return self.memory.load(self.b, root, place, 1)
        place = self.address(access.strides, access.offset, column)
        return self.memory.load(self.b, root, place, self.loop.lanes, along, tail)

    def value(
        self, x: Instruction, column: Any, tail: int | None, values: dict[Instruction, Any] | None
    ) -> Any:
        """The value of a member, computed where it is not known yet."""
        if x not in self.loop.full or values is None:
            return self.single(x)
        waiting = [x]
        while waiting:  # a loop, since chains may be long
            top = waiting[-1]
            if top in values:
                waiting.pop()
                continue
            below = [
                base
                for y in top.inputs
                if (base := base_of(y)) in self.loop.full and base not in values
            ]
            if below:
                waiting += below
                continue
            operands = [self.operand(top, i, column, tail, values) for i in range(len(top.inputs))]
            values[top] = arithmetic.spread(
                self.b, arithmetic.emit(self.b, top, operands), self.loop.lanes
            )
            waiting.pop()
        return values[x]

    def single(self, x: Instruction) -> Any:
        """The value of a member that is the same in all columns of the row."""
        waiting = [x]
        while waiting:
            top = waiting[-1]
            if top in self.singles:
                waiting.pop()
                continue
            below = [
                base
                for y in top.inputs
                if (base := base_of(y)) in self.loop.kernel.axes and base not in self.singles
            ]
            if below:
                waiting += below
                continue
            operands = [self.operand(top, i, None, None, None) for i in range(len(top.inputs))]
            self.singles[top] = arithmetic.emit(self.b, top, operands)
            waiting.pop()
        return self.singles[x]

    # ---- passes

    def run(self, stage: int) -> None:
        """A pass: what is added up over the columns, and what is stored."""
        loop = self.loop
        mine = [x for x in loop.kernel.members if loop.stage[x] == stage]
        sums = [x for x in mine if x.operation in REDUCTIONS and loop._is_full_source(x)]
        stores = self._stores(stage)
        if sums or stores:
            self._pass(sums, stores)
        for x in mine:
            if x.operation in REDUCTIONS and not loop._is_full_source(x):
                self._add_single(x)
        if stage == loop.last_stage:
            for x in loop.stored:
                if x not in loop.full and (x.operation not in REDUCTIONS or x in self.singles):
                    place = self.address((*loop.write[x][:-1], 0), loop.start[x], None)
                    self.memory.store(self.b, x, self.single(x), place, 1)

    def _stores(self, stage: int) -> list[Instruction]:
        """What is stored in a pass: in the last one what others must not see before."""
        loop = self.loop
        if stage < loop.last_stage:
            return (
                [
                    x
                    for x in loop.stored
                    if x in loop.full
                    and loop.stage[x] == stage
                    and x.operation not in REDUCTIONS
                    and not self.memory.is_input(x)
                ]
                if not loop.unrolled
                else []
            )
        stored = [x for x in loop.stored if x in loop.full and x.operation not in REDUCTIONS]
        return [x for x in stored if x not in self.done]

    def _pass(self, sums: list[Instruction], stores: list[Instruction]) -> None:
        loop = self.loop
        if loop.unrolled:
            partial: dict[Instruction, Any] = {}
            for chunk in range(loop.chunks):
                self._chunk(
                    chunk * loop.lanes,
                    chunk,
                    self.held[chunk],
                    loop.tail(chunk),
                    sums,
                    stores,
                    partial,
                )
            for x in sums:
                if x in partial and x in loop.kept:
                    self._add_in_memory(x, horizontal(self.b, x, partial[x]))
                elif x in partial:
                    self.singles[x] = horizontal(self.b, x, partial[x])
            self.done.update(stores)
            return
        self._long(sums, stores)
        self.done.update(stores)

    def _chunk(
        self,
        column: Any,
        chunk: int | None,
        values: dict[Instruction, Any],
        tail: int | None,
        sums: list[Instruction],
        stores: list[Instruction],
        partial: dict[Instruction, Any],
    ) -> None:
        """One vector of columns."""
        loop, b = self.loop, self.b
        for x in sums:
            value = self._summand(x, column, tail, values)
            if x in loop.slots:
                first, _ = loop.slots[x]
                place = first + (chunk if loop.write[x][-1] and chunk is not None else 0)
                self.carried[place] = combined(b, x, self.carried[place], value)
            elif x in loop.kept:
                if loop.write[x][-1]:
                    where = self.address(loop.write[x], loop.start[x], column)
                    known = self.memory.load(b, x, where, loop.lanes, loop.write[x][-1], tail)
                    self.memory.store(
                        b,
                        x,
                        combined(b, x, known, value),
                        where,
                        loop.lanes,
                        tail,
                        loop.write[x][-1],
                    )
                else:
                    partial[x] = value if x not in partial else combined(b, x, partial[x], value)
            else:
                partial[x] = value if x not in partial else combined(b, x, partial[x], value)
        for x in stores:
            value = self.value(x, column, tail, values)
            where = self.address(loop.write[x], loop.start[x], column)
            self.memory.store(b, x, value, where, loop.lanes, tail, loop.write[x][-1])

    def _summand(
        self, x: Instruction, column: Any, tail: int | None, values: dict[Instruction, Any]
    ) -> Any:
        loop, b = self.loop, self.b
        value = self.operand(x, 0, column, tail, values)
        value = arithmetic.cast(b, value, x.inputs[0].dtype, x.dtype)
        value = arithmetic.spread(b, value, loop.lanes)
        if tail is not None and not loop.write[x][-1]:
            mask = ir.Constant(
                ir.VectorType(ir.IntType(1), loop.lanes), [int(k < tail) for k in range(loop.lanes)]
            )
            value = b.select(mask, value, neutral(x, loop.lanes))
        return value

    def _add_single(self, x: Instruction) -> None:
        """A number of this row joins a sum over rows."""
        loop, b = self.loop, self.b
        value = self.operand(x, 0, None, None, None)
        value = arithmetic.cast(b, value, x.inputs[0].dtype, x.dtype)
        if x in loop.slots:
            place = loop.slots[x][0]
            self.carried[place] = combined(b, x, self.carried[place], value)
        else:
            self._add_in_memory(x, value)

    def _add_in_memory(self, x: Instruction, value: Any) -> None:
        place = self.address((*self.loop.write[x][:-1], 0), self.loop.start[x], None)
        known = self.memory.load(self.b, x, place, 1)
        self.memory.store(self.b, x, combined(self.b, x, known, value), place, 1)

    def _long(self, sums: list[Instruction], stores: list[Instruction]) -> None:
        """A pass over many columns: a loop over vectors, and what is left at its end."""
        loop, b = self.loop, self.b
        lanes, whole = loop.lanes, loop.columns // loop.lanes * loop.lanes
        summed = [x for x in sums if not loop.write[x][-1]]
        chains = CHAINS if summed and whole >= 8 * CHAINS * lanes else 1
        outside = list(self.carried)

        def turn(column: Any, held: list[Any], count: int) -> list[Any]:
            """So many vectors, each with its own sums."""
            result = list(held)
            for chain in range(count):
                at = b.add(column, I64(chain * lanes)) if chain else column
                found = self._sums_of(at, None, sums, summed, stores)
                for i, value in enumerate(found):
                    place = i * chains + chain
                    result[place] = combined(b, summed[i], result[place], value)
            return result

        def block(start: Any, stop: Any, begin: list[Any]) -> list[Any]:
            return counted_loop(
                b,
                start,
                stop,
                chains * lanes,
                lambda column, *held: turn(column, list(held), chains),
                begin,
            )

        if loop.share is not None and not loop.outer:  # this thread's columns, with no sums
            units = whole // lanes
            first, last = loop.share.bounds(b, units)
            block(b.mul(first, I64(lanes)), b.mul(last, I64(lanes)), [])
            if whole < loop.columns:
                with b.if_then(loop.share.is_last(b)):
                    self._sums_of(I64(whole), loop.columns - whole, sums, summed, stores)
            return
        zeros = [neutral(x, lanes) for x in summed for _ in range(chains)]
        step = chains * lanes
        even = whole // step * step
        if summed and even >= 4 * BLOCK:
            blocks = even // BLOCK

            def one(i: Any, *held: Any) -> list[Any]:
                start = b.mul(i, I64(BLOCK))
                found = block(start, b.add(start, I64(BLOCK)), zeros)
                return [
                    combined(b, summed[k // chains], held[k], found[k]) for k in range(len(found))
                ]

            totals = counted_loop(b, 0, blocks, 1, one, zeros)
            totals = block(blocks * BLOCK, even, totals)
        else:
            totals = block(0, even, zeros)
        for column in range(even, whole, lanes):
            found = self._sums_of(I64(column), None, sums, summed, stores)
            for i, value in enumerate(found):
                totals[i * chains] = combined(b, summed[i], totals[i * chains], value)
        if whole < loop.columns:
            found = self._sums_of(I64(whole), loop.columns - whole, sums, summed, stores)
            for i, value in enumerate(found):
                totals[i * chains] = combined(b, summed[i], totals[i * chains], value)
        self.carried = outside
        for i, x in enumerate(summed):
            total = totals[i * chains]
            for other in totals[i * chains + 1 : (i + 1) * chains]:
                total = combined(b, x, total, other)
            if x in loop.slots:
                place = loop.slots[x][0]
                self.carried[place] = combined(b, x, self.carried[place], total)
            elif x in loop.kept:
                self._add_in_memory(x, horizontal(b, x, total))
            else:
                self.singles[x] = horizontal(b, x, total)

    def _sums_of(
        self,
        column: Any,
        tail: int | None,
        sums: list[Instruction],
        summed: list[Instruction],
        stores: list[Instruction],
    ) -> list[Any]:
        """What one vector of columns adds to the sums of the row; the rest of it is done."""
        values: dict[Instruction, Any] = {}
        found = [self._summand(x, column, tail, values) for x in summed]
        others = [x for x in sums if x not in summed]
        self._chunk(column, None, values, tail, others, stores, {})
        return found


class before_loops:  # noqa: N801 - a context manager
    """Emit at the end of the function's first block, which runs before every loop."""

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def __enter__(self) -> None:
        self.saved = self.b.block
        entry = self.b.function.entry_basic_block
        if entry.terminator is not None:
            self.b.position_before(entry.terminator)
        else:
            self.b.position_at_end(entry)

    def __exit__(self, *_: object) -> None:
        self.b.position_at_end(self.saved)
