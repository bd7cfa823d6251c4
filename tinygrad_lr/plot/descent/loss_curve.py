"""`loss_over_weight`: the loss over one weight, with the slopes and steps of the descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...nn import Module
from ...support.abstract_array import Array
from ...support.text_format import number_text
from ...support.type_names import Figure
from ...support.validation import check_text
from ...train.model_copy import ModelCopy
from ..style import (
    clean_name,
    get_colors,
    is_drawable,
    make_panels,
    note_hidden,
    pad_limits,
    style_axes,
    write,
)
from .arguments import Loss, check_history, check_names, check_rows, describe_loss
from .frame_selection import HistoryLike
from .loss_slice import LossSlice, parse_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["loss_over_weight"]


MAX_TANGENTS = 6  # slopes of the first steps
MIN_VISIBLE = 0.035  # of the panel: a shorter step is a dot


def loss_over_weight(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    history: HistoryLike,
    *,
    loss: Loss = losses.mse,
    weight: str | None = None,
    x_name: str | Sequence[str] = "x",
    w_label: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw the loss L(w) over one weight, with the slopes and the steps that follow from them.

    A negative slope moves w to the right, a positive one to the left: towards the minimum in both
    cases. The text above the picture says on which side w started, and whether steps jump over
    the minimum. Slopes are drawn at the first points of the path, vermilion if positive, sky blue
    if negative. Steps are green arrows.

    All other weights (b, for a line) are held where they ended; after a divergence, at the
    recorded step with the smallest loss. So the curve is one slice of the loss. For a line
    through a standardised feature, it is the same parabola at every b, apart from its height.

    - `model`, `x`, `y`, `loss`: as passed to `fit`; `history`: what it returned
    - `weight`: the weight, such as "layers.0.weight[1, 2]"; default: the one that moved furthest
    - `x_name`: name of the feature; `w_label`: label of the weight's axis, with units
    - `dark`: use colours for a dark page, not for print

    Raises `ShapeError` if x and y don't match, `ArgumentError` for a history of another model,
    `MissingExtraError` without matplotlib.

    >>> x, y = np.array([-1.0, 1.0]), np.array([-2.0, 4.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    >>> history = tg.fit(line, x, y, learning_rate=0.1)
    >>> figure = loss_over_weight(line, x, y, history)
    >>> print(figure.axes[0].texts[-1].get_text())
    w starts at 0, left of the minimum at 3
    slope there −6: negative, so w moves right
    no step jumps over the minimum; bias held at 1
    """
    where = "loss_over_weight"
    w_label = None if w_label is None else check_text(where, "w_label", w_label)
    rows, target = check_rows(where, model, x, y)
    weights = check_history(where, model, history)
    entry = None if weight is None else parse_entry(where, weights, weight)
    names = [clean_name(name) for name in check_names(where, rows, x_name)]
    loss_at = ModelCopy(model, np.float64).on(rows, target, loss)
    figure, (panel,) = make_panels(1, panel=(6.6, 5.2), dark=dark)
    with np.errstate(all="ignore"):
        cut = LossSlice(history, loss_at, names, entry)
        details = [
            *_describe_sides(cut),
            f"{describe_jumps(cut)}; {cut.held}" if cut.held else describe_jumps(cut),
        ]
        draw_slice(panel, cut, describe_loss(loss), w_label, details=details, tangents=MAX_TANGENTS)
    return figure


def draw_slice(
    ax: Axes,
    cut: LossSlice,
    y_name: str,
    w_label: str | None = None,
    *,
    title: str = "The hill: the loss over w",
    details: Sequence[str] | None = None,
    tangents: int = 1,
) -> None:
    """Draw the loss over one weight, the slopes at the start, and the path.

    The default details say which way the slope at the start moves w.
    """
    colors = get_colors(ax)
    w, hill = cut.curve()
    seen = is_drawable(w, hill)
    ax.plot(w[seen], hill[seen], color=colors.truth, lw=1.4)
    ax.set_xlim(pad_limits(w[seen], margin=0.02))
    ax.set_ylim(pad_limits(hill[seen], margin=0.09))
    steps, path, heights = cut.path()
    here = is_drawable(path, heights)
    steps, path, heights = steps[here], path[here], heights[here]
    slope = cut.slope(path[0]) if len(path) else math.nan
    if len(path):
        overshoots = len(path) > 2 and (path[1] - path[0]) * (path[2] - path[1]) < 0
        for i in _select_apart(ax, path, heights)[:tangents]:
            slope_here = cut.slope(path[i])
            if math.isfinite(slope_here):
                label = not overshoots and (not i or abs(slope_here) > 0.4 * abs(slope))
                length = 0.5 if i else 1.0
                _draw_tangent(ax, path[i], heights[i], slope_here, length=length, label=label)
        draw_path(ax, steps, path, heights)
    draw_end(ax, cut)
    if details is None:
        details = [_describe_direction(slope, path), cut.held]
    x_name = clean_name(w_label or cut.name, 60)
    style_axes(ax, title, details, x_name, y_name, lines=len(details))
    note_hidden(ax, int((~here).sum()), "step")


def draw_end(ax: Axes, cut: LossSlice) -> None:
    """Draw the final weight."""
    colors = get_colors(ax)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    if not (left <= cut.ends <= right and bottom <= cut.lowest <= top):
        return
    ax.plot(
        cut.ends, cut.lowest, "o", color=colors.model, ms=8, mec=colors.paper, mew=1.2, zorder=6
    )
    aside = (cut.ends - cut.center) / (right - left)
    side = 0 if abs(aside) < 0.05 else 1 if aside > 0 else -1
    text = f"{'kept: ' if cut.kept_early else ''}w = {number_text(cut.ends)}"
    ha = {-1: "left", 0: "center", 1: "right"}[side]  # inside the bowl, where nothing is drawn
    write(ax, cut.ends, cut.lowest, text, (-9 * side, -8 + 5 * abs(side)), ha=ha, va="top")


def _draw_tangent(
    ax: Axes, w: float, height: float, slope: float, *, length: float, label: bool
) -> None:
    """Draw a slope as a line and, if there is room, as a number."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    reach = 0.16 * (right - left) * length
    if slope:
        reach = min(reach, 0.22 * length * (top - bottom) / abs(slope))
    ends = np.array([w - reach, w + reach])
    color = get_colors(ax).up if slope > 0 else get_colors(ax).down
    ax.plot(ends, height + slope * (ends - w), color=color, lw=2.6, zorder=3)
    if label:
        inward = 1 if w < (left + right) / 2 else -1
        side = "left" if inward > 0 else "right"
        write(ax, w, height, f"slope {number_text(slope)}", (11 * inward, 3), ha=side, va="bottom")


def draw_path(ax: Axes, steps: Array, path: Array, heights: Array) -> None:
    """Draw a path, (points,) across and up, in a panel whose limits are set.

    Each single step that is long enough to be seen is an arrow; the first point is larger.
    """
    colors = get_colors(ax)
    round_dot: dict[str, Any] = {"color": colors.step, "mec": colors.paper}
    ax.plot(path, heights, "o", ms=4.5, mew=0.6, zorder=4, **round_dot)
    ax.plot(path[:1], heights[:1], "o", ms=8, mew=1.2, zorder=5, **round_dot)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for i in np.flatnonzero(np.diff(steps) == 1):
        across = abs(path[i + 1] - path[i]) / (right - left)
        up = abs(heights[i + 1] - heights[i]) / (top - bottom)
        if math.hypot(across, up) < MIN_VISIBLE:
            continue
        arrow: Any = ax.annotate(
            "",
            (path[i + 1], heights[i + 1]),
            (path[i], heights[i]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colors.step,
                "lw": 1.5,
                "shrinkA": 3,
                "shrinkB": 2,
                "mutation_scale": 11,
            },
            annotation_clip=False,
            zorder=3.5,
        )
        arrow.arrow_patch.set_clip_path(ax.patch)  # a step may leave the picture


def _select_apart(ax: Axes, path: Array, heights: Array) -> list[int]:
    """Return the points of the path, in order, that are apart from all before."""
    size = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    places = np.column_stack([path, heights]) / size
    chosen: list[int] = []
    for i, place in enumerate(places):
        if not chosen or np.hypot(*(places[chosen] - place).T).min() > 2 * MIN_VISIBLE:
            chosen.append(i)
    return chosen


def _describe_direction(slope: float, path: Array) -> str:
    """Describe which way the slope moves w."""
    if not math.isfinite(slope):
        return "the slope at the start is not finite"
    sign = "negative" if slope < 0 else "positive" if slope > 0 else "zero"
    told = f"slope at the start {number_text(slope)}: {sign}"
    moved = path[1] - path[0] if len(path) > 1 else 0.0
    return f"{told}, so w moves {'right' if moved > 0 else 'left'}" if slope * moved < 0 else told


def _describe_sides(cut: LossSlice) -> list[str]:
    """Describe on which side of the minimum w started, and which way the slope moved it."""
    _, path, _ = cut.path()
    lowest, start = cut.lowest_point(), float(path[0]) if len(path) else math.nan
    told = f"w starts at {number_text(start)}"
    if lowest is not None:
        side = "left" if start < lowest else "right"
        there = abs(start - lowest) <= 1e-9 * abs(lowest)
        told += ", at the minimum" if there else f", {side} of the minimum at {number_text(lowest)}"
    return [told, _describe_direction(cut.slope(start), path).replace("at the start", "there")]


def describe_jumps(cut: LossSlice) -> str:
    """Describe in a phrase how many steps jump over the minimum."""
    steps, path, _ = cut.path()
    lowest = cut.lowest_point()
    if lowest is None:
        return "no minimum in the picture"
    if len(path) < 2:
        return "no step was taken"
    aside = path - lowest
    near = min(cut.reach, abs(float(aside[0])) or cut.reach)  # a run that diverges reaches far
    visible = np.abs(aside) > 1e-3 * near
    single = (np.diff(steps) == 1) & visible[1:] & visible[:-1]
    over = single & (aside[1:] * aside[:-1] < 0)
    count, of = int(over.sum()), int(single.sum())
    if not count:
        return "no step jumps over the minimum"
    if count < of:
        return f"{count} of {of} steps jump{'s' * (count == 1)} over the minimum"
    farther = abs(aside[1:])[over] > abs(aside[:-1])[over]
    told = "each step jumps over the minimum"
    return told + (", farther" if farther.all() else ", nearer" if not farther.any() else "")
