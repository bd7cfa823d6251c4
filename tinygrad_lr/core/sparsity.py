"""Jacobians with few entries in a row: all columns in as many passes as the widest row has.

Along the recorded operations, each entry of a result gets the interval of the entries of the input
that it may depend on. Where intervals are short, as in a difference of neighbours or a sum of such
terms (whose Hessian has a band), columns that are further apart share a pass: no row has both.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..support.abstract_array import AbstractArray
from .node import Node, resolve_operands
from .primitive import Primitive

Interval = tuple[Any, Any]
"""For each entry the distance of the interval's first from the end of the input, and its stop.

Both are 0 for an entry that depends on nothing, and 0 is what operations fill up with.
"""


def dependence(order: Sequence[Node], source: Node, outputs: Sequence[Any]) -> list[Any]:
    """Return first and stop of what each entry of the outputs depends on, of a source's entries.

    `order` is a topological order, the youngest first. An entry that depends on nothing has the
    stop 0.
    """
    size = source.size
    places = np.arange(size).reshape(source.shape)
    known: dict[Any, Interval | None] = {source: (size - places, places + 1)}
    for value in reversed(order):
        if value in known or value._record is None:
            continue
        operands = resolve_operands(value)
        given = [known.get(x) if isinstance(x, Node) else None for x in operands]
        if any(x is not None for x in given):
            operation, _, numbers, options = value._record
            both = [
                combine(operation, [x and x[i] for x in given], numbers, options, value.shape, size)
                for i in (0, 1)
            ]
            known[value] = (both[0], both[1])
    found = []
    for out in outputs:
        interval = known.get(out) if isinstance(out, Node) else None
        if interval is None:
            none = np.zeros(np.shape(out), int)
            interval = (none, none)
        found.append((size - np.minimum(interval[0], size), interval[1]))
    return found


def combine(
    operation: Primitive,
    given: Sequence[Any],
    numbers: Sequence[Any],
    options: dict[str, Any],
    shape: tuple[int, ...],
    size: int,
) -> Any:
    """Return one side of the intervals of a result, given those of its operands (None for none)."""
    parts = [x for x in given if x is not None]
    if operation.entrywise:
        return np.broadcast_to(functools.reduce(np.maximum, parts), shape)
    if operation.moves and not any(map(has_abstract, options.values())):
        arrays = [
            np.zeros(np.shape(number), int) if x is None else x
            for x, number in zip(given, numbers, strict=True)
        ]
        return np.minimum(operation.forward(*arrays, **options), size)  # it may add some up
    if operation.along_axis and np.ndim(parts[0]):
        axis = options["axis"]
        largest = np.max(parts[0], axis=axis, keepdims=True, initial=0)
        if np.size(largest) == np.prod(shape):
            return largest.reshape(shape)
        if np.ndim(largest) == len(shape) and axis is not None:
            return np.broadcast_to(largest, shape)
    return np.full(shape, max(int(np.max(x, initial=0)) for x in parts))


def has_abstract(option: Any) -> bool:
    """Return True if an array without numbers is in an index."""
    parts = option if isinstance(option, (tuple, list)) else (option,)
    return any(isinstance(x, AbstractArray) for x in parts)


def width(intervals: Sequence[Any]) -> int:
    """Return the number of entries of the longest interval."""
    return max(
        (int(np.max(np.where(stop > 0, stop - first, 0), initial=0)) for first, stop in intervals),
        default=0,
    )
