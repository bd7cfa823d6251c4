"""Where the entries of a view lie: reshaping, transposing, slicing and spreading cost nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .instruction import VIEWS, Instruction, Shape, make
from .passes.constant_folding import remade
from .program import Program

Strides = tuple[int, ...]


@dataclass(frozen=True)
class Location:
    """An array within another one, in entries of that: the first, and the distance along axes."""

    root: Instruction
    offset: int
    strides: Strides


def contiguous(shape: Shape) -> Strides:
    """The strides of an array in C order."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def located(x: Instruction) -> Location:
    """Where an instruction's entries lie in what it is a view of (itself, if it is none)."""
    views = []
    while x.operation in VIEWS:
        views.append(x)
        x = x.inputs[0]
    offset, strides = 0, contiguous(x.shape)
    shape = x.shape
    for view in reversed(views):
        moved = seen(view, shape, strides)
        assert moved is not None, view
        offset, strides, shape = offset + moved[0], moved[1], view.shape
    return Location(x, offset, strides)


def seen(view: Instruction, shape: Shape, strides: Strides) -> tuple[int, Strides] | None:
    """The offset and the strides of a view of an array; None where it must be copied."""
    if view.operation == "transpose":
        return 0, tuple(strides[i] for i in view.options["axes"])
    if view.operation == "broadcast":
        extra = len(view.shape) - len(shape)
        own = [s if n > 1 else 0 for n, s in zip(shape, strides, strict=True)]
        return 0, (0,) * extra + tuple(own)
    if view.operation == "slice":
        return sliced(shape, strides, view.options["index"])
    found = reshaped(shape, strides, view.shape)
    return None if found is None else (0, found)


def sliced(shape: Shape, strides: Strides, index: Any) -> tuple[int, Strides]:
    """What NumPy makes of an index: it is asked, with an array that nobody reads."""
    whole = np.lib.stride_tricks.as_strided(np.empty(1, np.uint8), shape, strides)
    part = whole[index]
    if not isinstance(part, np.ndarray):  # one entry
        numbers = index if isinstance(index, tuple) else (index,)
        offset = sum(int(i) % n * s for i, n, s in zip(numbers, shape, strides, strict=False))
        return offset, ()
    start = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return start if part.size else 0, part.strides


def reshaped(shape: Shape, strides: Strides, new: Shape) -> Strides | None:
    """Strides that read an array in another shape, None if no strides do."""
    if math.prod(shape) == 0:
        return contiguous(new)
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n > 1]
    found: list[int] = []
    i = 0
    wanted = [n for n in new if n > 1]
    j = 0
    while i < len(old) and j < len(wanted):
        taken, made = old[i][0], wanted[j]
        first_i, first_j = i, j
        while taken != made:
            if taken < made:
                i += 1
                taken *= old[i][0]
            else:
                j += 1
                made *= wanted[j]
        for k in range(first_i, i):
            if old[k][1] != old[k + 1][0] * old[k + 1][1]:
                return None
        step = old[i][1]
        group = []
        for n in reversed(wanted[first_j : j + 1]):
            group.append(step)
            step *= n
        found += reversed(group)
        i, j = i + 1, j + 1
    rest = iter(found)
    return tuple(next(rest) if n > 1 else 0 for n in new)


def layout(program: Program) -> Program:
    """Put a copy before each reshape that no strides express; all other views stay free."""

    def change(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        if made.operation == "reshape":
            where = located(made.inputs[0])
            if reshaped(made.inputs[0].shape, where.strides, made.shape) is None:
                return make("reshape", [make("copy", [made.inputs[0]])], shape=made.shape)
        return made

    return program.rewritten(change)
