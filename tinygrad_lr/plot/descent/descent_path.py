"""The path of descent over a map of the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...support.abstract_array import Array
from ..style import DRAWABLE, colors_of, tell_hidden, write
from .loss_curve import draw_path
from .loss_slice import DENSE, MOST, followed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NEAR = 0.03  # of the picture: nearer points share a label


class Course:
    """The points of a path that are shown, (points, 2), and the steps that they are.

    - `ends`: where descent ended, or the kept record of a divergence; `called`: which it is,
      "" for a single point
    - `lowest`: the lowest place of the map, once it is marked
    """

    def __init__(self, steps: Sequence[int], path: Array, last: int) -> None:
        self.lowest: Array | None = None
        self.ends = path[last]
        self.called = "kept" if last < len(path) - 1 else "end" if last else ""
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
    ax.plot(*course.points.T, color=colors.step, lw=1.0, alpha=0.6, zorder=3)
    draw_path(ax, course.steps, *course.points.T)
    ax.plot(*course.ends, "o", color=colors.model, ms=8, mec=colors.paper, mew=1.2, zorder=6)
    started = course.points[0] if len(course.points) else course.ends
    together = _apart(ax, started, course.ends) < NEAR
    if course.called:
        first = f"start, {course.called}" if together else "start"
        _name(ax, started, first, course.points)
    if not together and (course.lowest is None or _apart(ax, course.lowest, course.ends) > NEAR):
        above = course.lowest is None or course.ends[1] >= course.lowest[1]
        _name(ax, course.ends, course.called, course.points, 1 if above else -1)
    tell_hidden(ax, course.hidden, "step")


def mark_lowest(ax: Axes, course: Course, place: Array, told: str) -> None:
    """A cross at the lowest place, and what it is, where neither edge nor path is in the way."""
    course.lowest = place
    ax.plot(*place, "+", color=colors_of(ax).ink, ms=13, mew=1.6, zorder=7)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    across, up = (place[0] - left) / (right - left), (place[1] - low) / (high - low)
    x = -9 if across > 0.6 else 9
    y = -9 if up > 0.92 or (up > 0.08 and course.ends[1] >= place[1]) else 9
    side, end = "left" if x > 0 else "right", "bottom" if y > 0 else "top"
    write(ax, place[0], place[1], told, (x, y), ha=side, va=end)


def lowest_inside(a: Array, b: Array, heights: Array) -> tuple[Array, float] | None:
    """The lowest place of a map and its height, unless it lies at the edge or is no number."""
    finite = np.where(np.isfinite(heights), heights, np.inf)
    j, i = np.unravel_index(int(np.argmin(finite)), heights.shape)
    inside = 0 < i < len(a) - 1 and 0 < j < len(b) - 1 and finite[j, i] < np.inf
    return (np.array([a[i], b[j]]), float(heights[j, i])) if inside else None


def _name(ax: Axes, place: Array, name: str, path: Array, up: int = 0) -> None:
    """A name at a place, on the side where most of the path is not; above (1) or below it (-1)."""
    left = not len(path) or path[:, 0].mean() >= place[0]
    side, end = "right" if left else "left", {1: "bottom", 0: "center", -1: "top"}[up]
    write(ax, place[0], place[1], name, (-9 if left else 9, 7 * up), ha=side, va=end)


def _apart(ax: Axes, one: Array, other: Array) -> float:
    """How far two places are apart, in widths of the panel."""
    size = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    return math.hypot(*((one - other) / size))
