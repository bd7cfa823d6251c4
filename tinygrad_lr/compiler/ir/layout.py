"""Views as strides: where the entries of a reshaped, transposed, sliced or broadcast array are.

Strides and offsets are in entries, not bytes. No view is ever computed: a kernel reads the root
array with the strides of the view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .instruction import VIEWS, Instruction, Shape

Strides = tuple[int, ...]


@dataclass(frozen=True)
class Location:
    """A view: the array that it is a view of, its first entry there, and its strides."""

    root: Instruction
    offset: int
    strides: Strides


def contiguous_strides(shape: Shape) -> Strides:
    """Return the strides of an array in C order."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def locate(x: Instruction) -> Location:
    """Return where the entries of a view are stored. An array that isn't a view is its own root."""
    views = []
    while x.operation in VIEWS:
        views.append(x)
        x = x.inputs[0]
    offset, strides = 0, contiguous_strides(x.shape)
    shape = x.shape
    for view in reversed(views):
        found = view_strides(view, shape, strides)
        assert found is not None, view
        offset, strides, shape = offset + found[0], found[1], view.shape
    return Location(x, offset, strides)


def view_strides(view: Instruction, shape: Shape, strides: Strides) -> tuple[int, Strides] | None:
    """Return the offset and strides of a view of an array; None if the array must be copied."""
    if view.operation == "transpose":
        return 0, tuple(strides[i] for i in view.options["axes"])
    if view.operation == "broadcast":
        extra = len(view.shape) - len(shape)
        own = [s if n > 1 else 0 for n, s in zip(shape, strides, strict=True)]
        return 0, (0,) * extra + tuple(own)
    if view.operation == "slice":
        return slice_strides(shape, strides, view.options["index"])
    found = reshape_strides(shape, strides, view.shape)
    return None if found is None else (0, found)


def slice_strides(shape: Shape, strides: Strides, index: Any) -> tuple[int, Strides]:
    """Return the offset and strides of `x[index]`, as found by indexing an array never read."""
    whole = np.lib.stride_tricks.as_strided(np.empty(1, np.uint8), shape, strides)
    part = whole[index]
    if not isinstance(part, np.ndarray):  # one entry
        numbers = index if isinstance(index, tuple) else (index,)
        offset = sum(int(i) % n * s for i, n, s in zip(numbers, shape, strides, strict=False))
        return offset, ()
    start = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return start if part.size else 0, part.strides


def reshape_strides(shape: Shape, strides: Strides, new: Shape) -> Strides | None:
    """Return strides that read an array in another shape; None if there are none.

    Axes of length 1 are ignored. The rest is split into the shortest groups of old and new axes
    with equal products (as in NumPy's attempt at a reshape without a copy); within a group, the
    old axes must be adjacent in memory.
    """
    if math.prod(shape) == 0:
        return contiguous_strides(new)
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
