"""Share buffers between results that are never alive at the same time, for the NumPy backend.

The LLVM backend does the same for whole kernels, by offset and size: see `schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from .instruction import ELEMENTWISE, VIEWS, Instruction


@dataclass
class BufferAssignment:
    """The buffer of each result that needs memory.

    - `buffer`: the number of the buffer of a result
    - `sizes`: the size of each buffer in bytes
    - `unshared_bytes`: what the results would take with a buffer each
    """

    buffer: dict[Instruction, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    unshared_bytes: int = 0


def assign_buffers(
    order: Sequence[Instruction],
    results: Collection[Instruction],
    needs: Callable[[Instruction], bool],
) -> BufferAssignment:
    """Assign buffers by lifetime.

    `results` are read after the program has run; `needs` returns True for instructions that need
    memory. An elementwise result may take over the buffer of an operand of its shape and dtype
    that is not read afterwards. A view keeps its root alive.
    """
    owners: dict[Instruction, Instruction] = {}
    for x in order:
        is_view = x.operation in VIEWS - {"broadcast"} or x.operation == "part"
        owners[x] = owners[x.inputs[0]] if is_view else x
    until: dict[Instruction, int] = {}
    for position, x in enumerate(order):
        for y in x.inputs:
            until[owners[y]] = position
    for x in results:
        until[owners[x]] = len(order)
    assignment = BufferAssignment()
    free: dict[int, list[int]] = {}
    ending: dict[int, list[Instruction]] = {}
    for position, x in enumerate(order):
        if needs(x):
            assignment.unshared_bytes += x.nbytes
            taken = None
            if x.operation in ELEMENTWISE:
                for k, y in enumerate(x.inputs):
                    reusable = y in assignment.buffer and until.get(y) == position
                    others = x.inputs[:k] + x.inputs[k + 1 :]
                    if x.operation == "where" and (
                        k == 0 or any(owners[z] == owners[y] for z in others)
                    ):
                        continue  # it is written before the others are read
                    if reusable and y.shape == x.shape and y.dtype == x.dtype:
                        taken = assignment.buffer[y]
                        ending[position].remove(y)
                        break
            if taken is None:
                spare = free.get(x.nbytes)
                if spare:
                    taken = spare.pop()
                else:
                    taken = len(assignment.sizes)
                    assignment.sizes.append(x.nbytes)
            assignment.buffer[x] = taken
            ending.setdefault(until.get(x, position), []).append(x)
        for y in ending.pop(position, ()):
            free.setdefault(y.nbytes, []).append(assignment.buffer[y])
    return assignment
