"""Which results may lie in the same memory: those that are never needed at one time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ..instruction import ELEMENTWISE, VIEWS, Instruction


@dataclass
class Memory:
    """For each result that needs memory, the number of its buffer; how many bytes each takes, and
    how many the results would take, each for itself.
    """

    buffer: dict[Instruction, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    wanted: int = 0


def shared_memory(
    order: Sequence[Instruction],
    last: Collection[Instruction],
    needs: Callable[[Instruction], bool],
) -> Memory:
    """Buffers by lifetime. `last` are read after the program's end; `needs` says what needs one.

    An elementwise result may take the memory of an operand of its shape and dtype that nobody
    reads afterwards. A view keeps what it looks at alive.
    """
    owners: dict[Instruction, frozenset[Instruction]] = {}
    for x in order:
        if x.operation in VIEWS - {"broadcast"} or x.operation == "part":
            owners[x] = owners[x.inputs[0]]
        else:
            owners[x] = frozenset((x,))
    until: dict[Instruction, int] = {}
    for position, x in enumerate(order):
        for y in x.inputs:
            for owner in owners[y]:
                until[owner] = position
    for x in last:
        for owner in owners[x]:
            until[owner] = len(order)
    found = Memory()
    free: dict[int, list[int]] = {}
    ending: dict[int, list[Instruction]] = {}
    for position, x in enumerate(order):
        if needs(x):
            found.wanted += x.nbytes
            taken = None
            if x.operation in ELEMENTWISE:
                for y in x.inputs:
                    mine = y in found.buffer and until.get(y) == position
                    alone = sum(z is y for z in x.inputs) == 1 or x.operation != "where"
                    if mine and alone and y.shape == x.shape and y.dtype == x.dtype:
                        taken = found.buffer[y]
                        ending[position].remove(y)
                        break
            if taken is None:
                spare = free.get(x.nbytes)
                if spare:
                    taken = spare.pop()
                else:
                    taken = len(found.sizes)
                    found.sizes.append(x.nbytes)
            found.buffer[x] = taken
            ending.setdefault(until.get(x, position), []).append(x)
        for y in ending.pop(position, ()):
            free.setdefault(y.nbytes, []).append(found.buffer[y])
    return found
