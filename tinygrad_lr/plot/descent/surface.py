"""The loss over two numbers: where its minimum is, how it curves, and its contours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...support.abstract_array import Array
from ...support.text_format import number_text
from ..style import DRAWABLE, SMALL, blend, colors_of, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Height = Callable[[float, float], float]

LEVELS = 13
EXACT = 1e-6  # of the loss: how near a parabola's value it must be to count as one
FLAT = 1e-12  # of the largest curvature: below, a direction counts as flat


@dataclass(frozen=True)
class Bowl:
    """A loss that is quadratic in two numbers: L(p) = lowest + (p - bottom)ᵀ H (p - bottom) / 2.

    - `hessian` H (2, 2); `bottom` (2,), the minimum, or where there are many the one nearest to
      where it was looked from; `single`, whether there is but one
    """

    hessian: Array
    bottom: Array
    lowest: float
    single: bool

    def __call__(self, a: Array, b: Array) -> Array:
        """The loss at points, in the shape of a and b."""
        away = np.stack([a - self.bottom[0], b - self.bottom[1]], axis=-1)
        return np.asarray(self.lowest + 0.5 * np.einsum("...i,ij,...j", away, self.hessian, away))

    def curvatures(self) -> tuple[float, float]:
        """The largest and the smallest curvature: the eigenvalues of H."""
        small, large = np.linalg.eigvalsh(self.hessian)
        return float(large), max(float(small), 0.0)


def bowl_of(height: Height, center: Array, scale: Array, *, again: bool = True) -> Bowl | None:
    """The quadratic that the loss is, or None where it is none.

    Nine losses around the center, `scale` (2,) apart, give H, the slope and the check: the loss
    must be as the quadratic says at four places more. Where the loss changes far more along one
    of the axes, they are taken `again`, with steps that change it alike.
    """
    (a, b), (h, k) = center, scale
    at = {(i, j): height(a + i * h, b + j * k) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    if not all(abs(loss) < DRAWABLE for loss in at.values()):
        return None
    bends = at[1, 0] + at[-1, 0] - 2 * at[0, 0], at[0, 1] + at[0, -1] - 2 * at[0, 0]
    ratio = math.sqrt(bends[0] / bends[1]) if min(bends) > 0 else 1.0
    if again and not 0.1 < ratio < 10:  # step as far in either as changes the loss alike
        alike = scale * np.array([1, ratio]) if ratio > 1 else scale * np.array([1 / ratio, 1])
        return bowl_of(height, center, alike, again=False)
    mixed = (at[1, 1] + at[-1, -1] - at[1, -1] - at[-1, 1]) / 4
    hessian = np.array([[bends[0], mixed], [mixed, bends[1]]])  # in units of the scale
    slope = np.array([at[1, 0] - at[-1, 0], at[0, 1] - at[0, -1]]) / 2
    large, small = np.linalg.eigvalsh(hessian)[::-1]
    flat = 1e-13 * max(map(abs, at.values()))  # what rounding makes of nothing
    if large <= flat or small < -max(FLAT * large, 8 * flat):
        return None
    single = small > max(FLAT * large, flat)
    with np.errstate(all="ignore"):
        step = -np.linalg.pinv(hessian, rcond=FLAT, hermitian=True) @ slope
    bottom = center + step * scale
    lowest = height(float(bottom[0]), float(bottom[1]))
    bowl = Bowl(hessian / np.outer(scale, scale), bottom, lowest, bool(single))
    for i, j in ((2.0, 1.0), (-1.5, 2.0), (0.5, -2.5), (-2.0, -0.7)):
        told, seen = float(bowl(a + i * h, b + j * k)), height(a + i * h, b + j * k)
        if not abs(told - seen) <= EXACT * max(abs(seen), abs(at[0, 0])):
            return None
    return bowl


def levels_of(heights: Array) -> Array:
    """Losses at which to draw contours: evenly spaced rings for a bowl, in round numbers.

    The k-th is the quantile (k/n)² of the losses: the area within a level of a bowl grows as the
    square of its radius. So a few far higher losses at the edge leave the valley its contours.
    """
    finite = heights[np.abs(heights) < DRAWABLE]
    if not finite.size or np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        return np.zeros(0)
    levels = np.quantile(finite, np.linspace(0, 1, LEVELS + 1) ** 2)[1:-1]
    gaps = np.diff(levels, prepend=finite.min())
    gaps[gaps <= 0] = gaps.max()
    digits = 1 - np.floor(np.log10(gaps)).astype(int)
    return np.unique(
        [float(f"{x:.{max(d + _size(x), 1)}e}") for x, d in zip(levels, digits, strict=True)]
    )


def _size(number: float) -> int:
    """The power of ten of a number's first digit."""
    return math.floor(math.log10(abs(number))) if number else 0


def draw_contours(ax: Axes, a: Array, b: Array, heights: Array) -> None:
    """Contours of the loss over a (columns,) and b (rows,): the higher the darker, with numbers."""
    colors = colors_of(ax)
    levels = levels_of(heights)
    ax.set_box_aspect(1)
    ax.set_xlim(a[0], a[-1])
    ax.set_ylim(b[0], b[-1])
    if not len(levels):
        return
    steps = np.linspace(0, 1, len(levels) + 1)
    fills = blend(colors.paper, colors.truth, 0.02 + 0.16 * steps)
    shown = np.where(np.abs(heights) < DRAWABLE, heights, np.nan)
    bounds = [-np.inf, *levels, np.inf]
    ax.contourf(a, b, _masked(shown), levels=bounds, colors=list(map(tuple, fills)))
    lines = ax.contour(
        a, b, _masked(shown), levels=levels, linewidths=0.7,
        colors=[tuple(blend(colors.paper, colors.truth, 0.5))],
    )  # fmt: skip
    numbers = ax.clabel(
        lines, levels[2::3], fmt=number_text, fontsize=SMALL - 1.5, colors=colors.ink, zorder=2
    )
    plain(*numbers)


def _masked(heights: Array) -> Any:
    return np.ma.masked_invalid(heights)
