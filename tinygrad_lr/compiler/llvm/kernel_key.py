"""What a kernel does, apart from where its arrays lie: kernels of one form share their code."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.fusion import Loop, base_of, forward_axes
from ..ir.instruction import REDUCTIONS, Instruction
from ..ir.layout import locate
from ..ir.passes.common_subexpressions import make_hashable
from ..ir.schedule import Schedule, Storage, placement_of


class Uses:
    """The memory that a kernel touches, in the order of its arguments.

    - `arguments`: a piece of memory, and the first entry of it that the kernel touches
    - `names`: an instruction that lies there, for each; `position`: which argument is whose
    """

    def __init__(self, kernel: Loop, plan: Schedule) -> None:
        touched: dict[Storage, int] = {}
        where: dict[Instruction, Storage] = {}
        self.names: list[Instruction] = []
        members = set(kernel.members)
        places = [
            (place.root, place.offset)
            for x in kernel.members
            for y in x.inputs
            if (place := locate(y)).root not in members and not is_inline(place.root)
        ]
        places += [(x, placement_of(plan, x)[0]) for x in plan.stored[kernel]]
        for root, offset in places:
            storage = plan.storage[root]
            if storage not in touched:
                self.names.append(root)
            touched[storage] = min(offset, touched.get(storage, offset))
            where[root] = storage
        self.arguments = list(touched.items())
        order = {storage: k for k, storage in enumerate(touched)}
        self.position = {root: order[storage] for root, storage in where.items()}


def is_inline(x: Instruction) -> bool:
    """Whether an instruction is a number that stands in the code."""
    return x.is_constant and x.size == 1


def form_of(kernel: Loop, plan: Schedule, uses: Uses) -> Any:
    """Equal for kernels whose code is the same, when it is given other pointers."""
    number = {x: k for k, x in enumerate(kernel.members)}
    lines = []
    for x in kernel.members:
        operands: list[Any] = []
        for y in x.inputs:
            base, place = base_of(y), locate(y)
            if base in number:
                axes = forward_axes(kernel, y) if x.operation in REDUCTIONS else None
                operands.append((number[base], axes, y.shape))
            elif is_inline(place.root):
                value = np.asarray(place.root.value)
                operands.append((value.tobytes(), value.dtype.str, y.weak, y.shape))
            else:
                k = uses.position[place.root]
                first = place.offset - uses.arguments[k][1]
                operands.append((k, first, place.strides, y.shape, y.dtype.str, y.weak))
        options = tuple(sorted((k, make_hashable(option)) for k, option in x.options.items()))
        kind = (x.operation, x.dtype.str, x.weak, x.shape, kernel.axes[x], options)
        lines.append((kind, tuple(operands)))
    stored = []
    for x in plan.stored[kernel]:
        k, (start, strides) = uses.position[x], placement_of(plan, x)
        inner = plan.storage[x].kind == "input"
        stored.append((number[x], k, start - uses.arguments[k][1], strides, inner))
    return type(kernel), kernel.shape, tuple(lines), tuple(stored)
