"""Keys that are equal for kernels with the same code, so that this is emitted and compiled once.

A key describes what a kernel computes, with shapes, strides and dtypes, but not where its arrays
are: these are arguments. The keys of all kernels also name the object file in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.fusion import Kernel, Loop, base_of, forward_axes
from ..ir.instruction import REDUCTIONS, Instruction
from ..ir.layout import locate
from ..ir.passes.common_subexpressions import make_hashable
from ..ir.schedule import Schedule, Storage, placement_of


class KernelArguments:
    """The memory that a kernel accesses, in the order of its function's arguments.

    - `regions`: for each argument, a piece of memory and the first entry that the kernel accesses
    - `roots`: for each argument, an instruction that is stored there
    - `position`: the argument in which an instruction is stored
    """

    def __init__(self, kernel: Kernel, plan: Schedule) -> None:
        touched: dict[Storage, int] = {}
        homes: dict[Instruction, Storage] = {}
        self.roots: list[Instruction] = []
        members = set(kernel.members)
        entries = [
            (view.root, view.offset)
            for x in kernel.members
            for y in x.inputs
            if (view := locate(y)).root not in members and not is_inline(view.root)
        ]
        entries += [(x, placement_of(plan, x)[0]) for x in plan.stored[kernel]]
        for root, offset in entries:
            storage = plan.storage[root]
            if storage not in touched:
                self.roots.append(root)
            touched[storage] = min(offset, touched.get(storage, offset))
            homes[root] = storage
        self.regions = list(touched.items())
        order = {storage: k for k, storage in enumerate(touched)}
        self.position = {root: order[storage] for root, storage in homes.items()}


def is_inline(x: Instruction) -> bool:
    """Return True if an instruction is a constant number, which becomes part of the code."""
    return x.is_constant and x.size == 1


def make_kernel_key(kernel: Kernel, plan: Schedule, arguments: KernelArguments) -> Any:
    """Return a value that is equal for kernels whose code differs in pointers only."""
    axes_of = kernel.axes if isinstance(kernel, Loop) else {}
    shape = kernel.shape if isinstance(kernel, Loop) else ()
    number = {x: k for k, x in enumerate(kernel.members)}
    lines = []
    for x in kernel.members:
        operands: list[Any] = []
        for y in x.inputs:
            base, view = base_of(y), locate(y)
            if base in number:
                reduces = isinstance(kernel, Loop) and x.operation in REDUCTIONS
                axes = forward_axes(kernel, y) if reduces else None  # type: ignore[arg-type]
                operands.append((number[base], axes, y.shape))
            elif is_inline(view.root):
                value = np.asarray(view.root.value)
                operands.append((value.tobytes(), value.dtype.str, y.weak, y.shape))
            else:
                k = arguments.position[view.root]
                first = view.offset - arguments.regions[k][1]
                operands.append((k, first, view.strides, y.shape, y.dtype.str, y.weak))
        options = tuple(sorted((k, make_hashable(option)) for k, option in x.options.items()))
        kind = (x.operation, x.dtype.str, x.weak, x.shape, axes_of.get(x), options)
        lines.append((kind, tuple(operands)))
    stored = []
    for x in plan.stored[kernel]:
        k, (start, strides) = arguments.position[x], placement_of(plan, x)
        inner = plan.storage[x].kind == "input"
        stored.append((number[x], k, start - arguments.regions[k][1], strides, inner))
    return type(kernel), shape, tuple(lines), tuple(stored)
