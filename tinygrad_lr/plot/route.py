"""The path of descent over a map of the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .hill import draw_path
from .slice import DENSE, MOST, followed
from .style import DRAWABLE, colors_of, tell_hidden, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, np.dtype[Any]]

NEAR = 0.03  # of the picture: nearer points share a label


class Course:
    """The points of a path that are shown, (points, 2), and the steps that they are.

    - `ends`: where descent ended, or the kept record of a divergence; `called`: which it is
    - `lowest`: the lowest place of the map, once it is marked
    """

    def __init__(self, steps: Sequence[int], path: Array, last: int) -> None:
        self.lowest: Array | None = None
        self.ends = path[last]
        self.called = "end" if last == len(path) - 1 else "kept"
        distances = np.hypot(*(path - self.ends).T)
        near = float(np.hypot(*path[0]))
        shown = path[: followed(distances, near)]
        self.hidden = int((~(np.abs(path) < DRAWABLE).all(axis=1)).sum())
        chosen = np.flatnonzero((np.abs(shown) < DRAWABLE).all(axis=1))
        if len(chosen) > MOST:
            later = np.geomspace(DENSE, len(chosen) - 1, MOST - DENSE).round().astype(int)
            chosen = chosen[np.unique(np.concatenate([np.arange(DENSE), later]))]
        self.points = shown[chosen]
        self.steps = np.asarray(steps)[chosen]


def draw_route(ax: Axes, course: Course) -> None:
    """The path with its arrows, its start, and where it ended."""
    colors = colors_of(ax)
    draw_path(ax, course.steps, *course.points.T)
    ax.plot(*course.ends, "o", color=colors.model, ms=8, mec=colors.paper, mew=1.2, zorder=6)
    started = course.points[0] if len(course.points) else course.ends
    together = _apart(ax, started, course.ends) < NEAR
    write(
        *(ax, *started, f"start, {course.called}" if together else "start", (-9, 0)),
        ha="right",
        va="center",
    )
    if not together and (course.lowest is None or _apart(ax, course.lowest, course.ends) > NEAR):
        write(ax, *course.ends, course.called, (-9, 0), ha="right", va="center")
    tell_hidden(ax, course.hidden, "step")


def mark_lowest(ax: Axes, course: Course, place: Array, told: str) -> None:
    """A cross at the lowest place, and what it is, clear of the label of the path's end."""
    course.lowest = place
    ax.plot(*place, "+", color=colors_of(ax).ink, ms=13, mew=1.6, zorder=7)
    below = course.ends[1] < place[1]
    write(ax, *place, told, (9, 9 if below else -9), va="bottom" if below else "top")


def _apart(ax: Axes, one: Array, other: Array) -> float:
    """How far two places are apart, in widths of the panel."""
    size = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    return math.hypot(*((one - other) / size))
