"""The loss over two numbers: its contours, its minimum, and the path of a descent over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...support.abstract_array import Array
from ...support.text_format import number_text
from ..style import (
    DRAWABLE,
    SMALL,
    WIDTH_OF_CHARACTER,
    blend,
    get_colors,
    note_hidden,
    show_literally,
    size_in_points,
    write,
)
from .frame_selection import count_in_sight, thin_path
from .loss_curve import draw_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Height = Callable[[float, float], float]

NEARBY = 0.03  # of the picture: nearer points share a label
MAX_LEVELS = 13
QUADRATIC_TOLERANCE = 1e-6  # of the loss: how near a parabola's value it must be to count as one
FLAT_TOLERANCE = 1e-12  # of the largest curvature: below, a direction counts as flat


@dataclass(frozen=True, eq=False)
class Bowl:
    """A loss that is quadratic in two numbers: L(p) = lowest + (p - bottom)ᵀ H (p - bottom) / 2.

    - `hessian`: H (2, 2)
    - `bottom`: (2,), the minimum; of several, the one nearest to where the search started
    - `single`: True if there is only one minimum
    """

    hessian: Array
    bottom: Array
    lowest: float
    single: bool

    def __call__(self, a: Array, b: Array) -> Array:
        """Return the loss at points, in the shape of a and b."""
        away = np.stack([a - self.bottom[0], b - self.bottom[1]], axis=-1)
        return np.asarray(self.lowest + 0.5 * np.einsum("...i,ij,...j", away, self.hessian, away))

    def curvatures(self) -> tuple[float, float]:
        """Return the largest and the smallest curvature: the eigenvalues of H."""
        small, large = np.linalg.eigvalsh(self.hessian)
        return float(large), max(float(small), 0.0)


def compute_heights(height: Height, a: Array, b: Array) -> Array:
    """Compute the loss over a grid: a (columns,), b (rows,) -> (rows, columns)."""
    return np.array([[height(float(i), float(j)) for i in a] for j in b])


def principal_directions(away: Array) -> tuple[Array, Array]:
    """Return the two directions in which a path varies most, and its extent along each.

    - `away` (records, numbers): the path, relative to the center of the plane
    - the directions (2, numbers) have norm 1 and point from the first record to the center;
      one that the path doesn't use is 0
    - the lengths (records,) are the singular values: their squares add up to the path's

    Source: Lorch, "Visualizing Deep Network Training Trajectories with PCA", 2016.
    """
    directions = np.zeros((2, away.shape[1]))
    if not away.size:
        return directions, np.zeros(1)
    _, lengths, found = np.linalg.svd(away, full_matrices=False)
    used = found[:2][lengths[:2] > 1e-12 * np.abs(away).max(initial=0.0)]
    directions[: len(used)] = used * np.where(used @ away[0] > 0, -1.0, 1.0)[:, None]
    return directions, lengths


def fit_bowl(height: Height, center: Array, scale: Array, *, again: bool = True) -> Bowl | None:
    """Return the quadratic that the loss equals, or None if it isn't quadratic.

    H and the slope come from nine losses around the center, `scale` (2,) apart. At four more
    points, the loss must equal the quadratic. If the loss changes far more along one of the axes,
    the fit is repeated (`again`) with steps that change it equally.
    """
    (a, b), (h, k) = center, scale
    at = {(i, j): height(a + i * h, b + j * k) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    if not all(abs(loss) < DRAWABLE for loss in at.values()):
        return None
    bends = at[1, 0] + at[-1, 0] - 2 * at[0, 0], at[0, 1] + at[0, -1] - 2 * at[0, 0]
    ratio = math.sqrt(bends[0] / bends[1]) if min(bends) > 0 else 1.0
    if again and not 0.1 < ratio < 10:  # choose steps that change the loss equally
        alike = scale * np.array([1, ratio]) if ratio > 1 else scale * np.array([1 / ratio, 1])
        return fit_bowl(height, center, alike, again=False)
    mixed = (at[1, 1] + at[-1, -1] - at[1, -1] - at[-1, 1]) / 4
    hessian = np.array([[bends[0], mixed], [mixed, bends[1]]])  # in units of the scale
    slope = np.array([at[1, 0] - at[-1, 0], at[0, 1] - at[0, -1]]) / 2
    large, small = np.linalg.eigvalsh(hessian)[::-1]
    flat = 1e-13 * max(map(abs, at.values()))  # differences below this may be rounding
    if large <= flat or small < -max(FLAT_TOLERANCE * large, 8 * flat):
        return None
    single = small > max(FLAT_TOLERANCE * large, flat)
    with np.errstate(all="ignore"):
        step = -np.linalg.pinv(hessian, rcond=FLAT_TOLERANCE, hermitian=True) @ slope
    bottom = center + step * scale
    lowest = height(float(bottom[0]), float(bottom[1]))
    bowl = Bowl(hessian / np.outer(scale, scale), bottom, lowest, bool(single))
    for i, j in ((2.0, 1.0), (-1.5, 2.0), (0.5, -2.5), (-2.0, -0.7)):
        told, seen = float(bowl(a + i * h, b + j * k)), height(a + i * h, b + j * k)
        if not abs(told - seen) <= QUADRATIC_TOLERANCE * max(abs(seen), abs(at[0, 0])):
            return None
    return bowl


def choose_levels(heights: Array) -> Array:
    """Return the losses at which to draw contours: evenly spaced rings for a bowl, rounded.

    The k-th level is the quantile (k/n)² of the losses, since the area within a level of a bowl
    grows as the square of its radius. So a few much higher losses at the edge don't take all the
    contours from the valley.
    """
    finite = heights[np.abs(heights) < DRAWABLE]
    if not finite.size or np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        return np.zeros(0)
    levels = np.quantile(finite, np.linspace(0, 1, MAX_LEVELS + 1) ** 2)[1:-1]
    gaps = np.diff(levels, prepend=finite.min())
    gaps[gaps <= 0] = gaps.max()
    digits = 1 - np.floor(np.log10(gaps)).astype(int)
    return np.unique(
        [float(f"{x:.{max(d + _exponent(x), 1)}e}") for x, d in zip(levels, digits, strict=True)]
    )


def _exponent(number: float) -> int:
    """Return the decimal exponent of a number."""
    return math.floor(math.log10(abs(number))) if number else 0


def draw_contours(ax: Axes, a: Array, b: Array, heights: Array) -> None:
    """Draw contours of the loss over a (columns,) and b (rows,), with numbers; higher is darker."""
    colors = get_colors(ax)
    levels = choose_levels(heights)
    ax.set_box_aspect(1)
    ax.set_xlim(a[0], a[-1])
    ax.set_ylim(b[0], b[-1])
    if not len(levels):
        return
    steps = np.linspace(0, 1, len(levels) + 1)
    fills = blend(colors.paper, colors.truth, 0.02 + 0.16 * steps)
    shown = np.where(np.abs(heights) < DRAWABLE, heights, np.nan)
    bounds = [-np.inf, *levels, np.inf]
    ax.contourf(a, b, _mask_invalid(shown), levels=bounds, colors=list(map(tuple, fills)))
    lines = ax.contour(
        a, b, _mask_invalid(shown), levels=levels, linewidths=0.7,
        colors=[tuple(blend(colors.paper, colors.truth, 0.5))],
    )  # fmt: skip
    numbers = ax.clabel(
        lines, levels[2::3], fmt=number_text, fontsize=SMALL - 1.5, colors=colors.ink, zorder=2
    )
    show_literally(*numbers)
    for number in numbers:
        at = zip(number.get_position(), (a, b), strict=True)
        if not all(0.04 < (x - grid[0]) / (grid[-1] - grid[0]) < 0.96 for x, grid in at):
            number.remove()  # the edge of the panel would cut it


def _mask_invalid(heights: Array) -> Any:
    return np.ma.masked_invalid(heights)


class DescentPath:
    """The points of a path to show, (points, 2), and their steps.

    - `ends`: the end of the descent, or the record kept after a divergence; `called`: its label,
      "" for a single point
    - `lowest`: the lowest point of the map, once it is marked
    """

    def __init__(self, steps: Sequence[int], path: Array, last: int) -> None:
        self.lowest: Array | None = None
        self.ends = path[last]
        self.called = "kept" if last < len(path) - 1 else "end" if last else ""
        distances = np.hypot(*(path - self.ends).T)
        near = float(np.hypot(*path[0]))
        shown = path[: count_in_sight(distances, near)]
        self.hidden = int((~(np.abs(path) < DRAWABLE).all(axis=1)).sum())
        chosen = np.flatnonzero((np.abs(shown) < DRAWABLE).all(axis=1))
        chosen = chosen[thin_path(len(chosen))]
        self.points = shown[chosen]
        self.steps = np.asarray(steps)[chosen]


def draw_descent_path(ax: Axes, course: DescentPath) -> None:
    """Draw the path with its arrows, its start, and its end."""
    colors = get_colors(ax)
    ax.plot(*course.points.T, color=colors.step, lw=1.0, alpha=0.6, zorder=3)
    draw_path(ax, course.steps, *course.points.T)
    ax.plot(*course.ends, "o", color=colors.model, ms=8, mec=colors.paper, mew=1.2, zorder=6)
    started = course.points[0] if len(course.points) else course.ends
    together = _distance_in_panels(ax, started, course.ends) < NEARBY
    if course.called:
        first = f"start, {course.called}" if together else "start"
        _write_name(ax, started, first, course.points)
    if not together and (
        course.lowest is None or _distance_in_panels(ax, course.lowest, course.ends) > NEARBY
    ):
        above = course.lowest is None or course.ends[1] >= course.lowest[1]
        _write_name(ax, course.ends, course.called, course.points, 1 if above else -1)
    note_hidden(ax, course.hidden, "step")


def mark_lowest(ax: Axes, course: DescentPath, place: Array, told: str) -> None:
    """Mark the lowest point with a cross and a label, away from the edge and the path."""
    course.lowest = place
    ax.plot(*place, "+", color=get_colors(ax).ink, ms=13, mew=1.6, zorder=7)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    across, up = (place[0] - left) / (right - left), (place[1] - low) / (high - low)
    x = -9 if across > 0.6 else 9
    y = -9 if up > 0.92 or (up > 0.08 and course.ends[1] >= place[1]) else 9
    side, end = "left" if x > 0 else "right", "bottom" if y > 0 else "top"
    numbers = list(ax.texts)  # of the contours
    write(ax, place[0], place[1], told, (x, y), ha=side, va=end)
    reach = (22 + SMALL * WIDTH_OF_CHARACTER * len(told)) / (0.7 * size_in_points(ax)[0])
    for number in numbers:
        at = number.get_position()
        away = math.copysign(1, x) * (at[0] - place[0]) / (right - left)
        above = math.copysign(1, y) * (at[1] - place[1]) / (high - low)
        if -0.04 < away < reach and -0.04 < above < 0.1:
            number.remove()  # the label would cover a part of it


def find_lowest_inside(a: Array, b: Array, heights: Array) -> tuple[Array, float] | None:
    """Return the lowest point of a map and its height, or None if it is at the edge."""
    finite = np.where(np.isfinite(heights), heights, np.inf)
    j, i = np.unravel_index(int(np.argmin(finite)), heights.shape)
    inside = 0 < i < len(a) - 1 and 0 < j < len(b) - 1 and finite[j, i] < np.inf
    return (np.array([a[i], b[j]]), float(heights[j, i])) if inside else None


def _write_name(ax: Axes, place: Array, name: str, path: Array, up: int = 0) -> None:
    """Label a point, on the side with less of the path; above (1) or below it (-1)."""
    left = not len(path) or path[:, 0].mean() >= place[0]
    side, end = "right" if left else "left", {1: "bottom", 0: "center", -1: "top"}[up]
    write(ax, place[0], place[1], name, (-9 if left else 9, 7 * up), ha=side, va=end)


def _distance_in_panels(ax: Axes, one: Array, other: Array) -> float:
    """Return the distance between two points, in widths of the panel."""
    size = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    return math.hypot(*((one - other) / size))
