"""Choose a few of many steps: the first ones densely, or the lowest and highest of each stretch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .abstract_array import Array


def thin_steps(count: int, room: int, dense: int) -> Array:
    """Positions of at most `room` of `count` steps: the first `dense`, ever fewer, the last.

    >>> thin_steps(5, 10, 3), thin_steps(1000, 8, 3)
    (array([0, 1, 2, 3, 4]), array([  0,   1,   2,   3,  13,  55, 234, 999]))
    """
    if count <= room:
        return np.arange(count)
    later = np.geomspace(dense, count - 1, room - dense).round().astype(int)
    return np.unique(np.concatenate([np.arange(dense), later]))


def thin_curve(values: Sequence[float] | Array, starts: Sequence[int] | Array) -> Array:
    """Positions of the lowest and highest value of each stretch, and of the first and the last.

    A stretch begins at each of `starts`. One without a finite value keeps its first.

    >>> thin_curve([3.0, 1.0, 2.0, 5.0, 4.0, 4.5, 4.2], [0, 3])
    array([0, 1, 3, 4, 6])
    """
    numbers = np.asarray(values, np.float64)
    kept = {0, len(numbers) - 1}
    for start, stop in pairwise([*map(int, starts), len(numbers)]):
        stretch = numbers[start:stop]
        finite = np.flatnonzero(np.isfinite(stretch))
        if not finite.size:
            kept.add(start)
            continue
        ends = finite[stretch[finite].argmin()], finite[stretch[finite].argmax()]
        kept |= {start + int(i) for i in ends}
    return np.array(sorted(kept))
