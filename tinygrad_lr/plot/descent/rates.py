"""`learning_rates`: small, right and too large learning rates side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...errors import ArgumentError
from ...nn import Module
from ...support.text_format import number_text
from ...support.type_names import Figure
from ...support.validation import check_list, check_text, short_repr
from ...train.model_copy import ModelCopy
from ..style import (
    clean_name,
    get_colors,
    is_drawable,
    make_figure,
    pad_limits,
    size_in_points,
    spread_out,
    style_axes,
    write,
)
from .arguments import Loss, check_history, check_names, check_rows, describe_loss
from .curves import Curve, describe_change, describe_end, draw_curve, set_scales, style_step_axes
from .frame_selection import HistoryLike, find_final_record, weights_at
from .loss_curve import describe_jumps, draw_slice
from .loss_slice import LossSlice, find_furthest_entry, parse_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["learning_rates"]


MAX_RUNS = 6
MAX_WIDENING = 1.5  # of the best descent's scale, so that one sees others leave
ARRIVED_SHARE = 0.01  # of the fall: this near the smallest loss, a descent has arrived


def learning_rates(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    histories: Sequence[HistoryLike],
    *,
    loss: Loss = losses.mse,
    weight: str | None = None,
    x_name: str | Sequence[str] = "x",
    w_label: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw descents with several learning rates side by side on one scale, and the stable limit.

    Each learning rate has a column: the loss over one weight with the steps taken, the loss by
    step, and why the descent stopped. Below, the learning rates are on one axis with the stable
    limit 2/λmax, where λmax is the largest eigenvalue of the loss's Hessian at the end of the
    best descent: beyond it, each step of gradient descent lands farther from the minimum. For a
    line under `mse` the limit is the same everywhere. For a network, or with momentum, it is only
    a hint.

    - `model`, `x`, `y`, `loss`: as passed to `fit`
    - `histories`: what `fit` returned for each rate, from the same initial weights; at most six,
      shown in the order of their learning rates
    - `weight`: the weight to show, such as "layers.0.weight[1, 2]"; default: the one that moved
      furthest in the best descent. All others are held where that descent ended
    - `x_name`: name of the feature; `w_label`: label of the weight's axis, with units
    - `dark`: use colours for a dark page, not for print

    Raises `ArgumentError` unless there are one to six histories, all of this model, `ShapeError`
    if x and y don't match, `MissingExtraError` without matplotlib.

    >>> x, y = np.array([-1.0, 1.0]), np.array([-2.0, 4.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> histories = []
    >>> for rate in [0.01, 0.3, 1.1]:
    ...     line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    ...     run = tg.fit(line, x, y, learning_rate=rate, steps=30, warn=False, tolerance=1e-3)
    ...     histories.append(run)
    >>> figure = learning_rates(line, x, y, histories)
    >>> [panel.get_title("left") for panel in figure.axes[:3]]
    ['Too small: 0.01', 'Right: 0.3', 'Too large: 1.1']
    """
    where = "learning_rates"
    w_label = None if w_label is None else check_text(where, "w_label", w_label)
    rows, target = check_rows(where, model, x, y)
    cure = "; fit once for each learning rate"
    runs = check_list(where, "histories", histories, "a list of what fit returned", cure)
    if not all(hasattr(run, "learning_rate") for run in runs):
        raise ArgumentError(
            f"{where}: histories must be a list of what fit returned, got {short_repr(histories)}; "
            "fit once for each learning rate"
        )
    runs = sorted(runs, key=lambda run: (math.isnan(run.learning_rate), run.learning_rate))
    if not 0 < len(runs) <= MAX_RUNS:
        raise ArgumentError(
            f"{where}: histories must have 1 to {MAX_RUNS} entries, got {len(runs)}"
        )
    for run in runs:
        check_history(where, model, run)
    first = min(range(len(runs)), key=lambda i: (_final_loss(runs[i]), runs[i].steps))
    best = runs[first]
    entry = (
        find_furthest_entry(best.weights)
        if weight is None
        else parse_entry(where, best.weights, weight)
    )
    names = [clean_name(name) for name in check_names(where, rows, x_name)]
    loss_at = ModelCopy(model, np.float64).on(rows, target, loss)
    bottom = weights_at(best.weights, find_final_record(best))
    figure = make_figure(max(3.9 * len(runs), 6.0), 8.6, dark=dark)
    grid = figure.add_gridspec(3, len(runs), height_ratios=[1.0, 0.75, 0.2])
    hills, courses = ([figure.add_subplot(grid[i, j]) for j in range(len(runs))] for i in (0, 1))
    strip = figure.add_subplot(grid[2, :])
    with np.errstate(all="ignore"):
        found = loss_at.largest_stable_rate(bottom)
        limit = math.nan if found is None else found
        verdicts = [_judge(run, best, limit) for run in runs]
        cuts = [LossSlice(run, loss_at, names, entry, at=bottom) for run in runs]
        _draw_hills(hills, cuts, cuts[first], runs, verdicts, describe_loss(loss), w_label)
        _draw_losses(courses, runs, describe_loss(loss))
        _draw_axis(strip, runs, verdicts, limit)
    return figure


def _final_loss(run: HistoryLike) -> float:
    """Return the loss at the end, inf if it is not finite or the descent diverged."""
    loss = run.losses[-1] if run.losses else math.nan
    return loss if math.isfinite(loss) and run.reason != "diverged" else math.inf


def _judge(run: HistoryLike, best: HistoryLike, limit: float) -> str:
    """Judge a learning rate by its descent: too small, right, or too large."""
    if not run.steps:
        return "No step"
    if run.reason == "diverged":
        return "Too large"
    first, least = (best.losses[0], _final_loss(best)) if best.losses else (0.0, 0.0)
    arrived = _final_loss(run) - least <= ARRIVED_SHARE * (first - least)
    if arrived:
        return "Right"
    return "Too large" if run.learning_rate > limit / 2 else "Too small"


def _draw_hills(
    panels: Sequence[Axes],
    cuts: Sequence[LossSlice],
    first: LossSlice,
    runs: Sequence[HistoryLike],
    verdicts: Sequence[str],
    y_name: str,
    w_label: str | None,
) -> None:
    """Draw the loss over the weight with each descent's steps, on one scale."""
    widest = min(max(cut.reach for cut in cuts), MAX_WIDENING * first.reach)
    for ax, cut, run, verdict in zip(panels, cuts, runs, verdicts, strict=True):
        cut.show(first.center, widest)
        title = f"{verdict}: {number_text(run.learning_rate)}"
        draw_slice(
            ax, cut, y_name, w_label, title=title, details=[describe_end(run), describe_jumps(cut)]
        )
    _share_scale(panels)


def _draw_losses(panels: Sequence[Axes], runs: Sequence[HistoryLike], y_name: str) -> None:
    """Draw the loss of each descent by step, on one scale."""
    curves = [Curve.of(run.losses) for run in runs]
    steady = [c for c, run in zip(curves, runs, strict=True) if run.reason != "diverged"]
    highest = max((c.values.max(initial=-math.inf) for c in steady or curves), default=math.inf)
    lowest = min((c.values.min(initial=math.inf) for c in curves), default=-math.inf)
    shown = [_cut_above(c, highest + 1.5 * abs(highest - lowest)) for c in curves]
    most = max(run.steps for run in runs)
    for ax, curve, run in zip(panels, curves, runs, strict=True):
        set_scales(ax, shown, most)
        draw_curve(ax, curve)
        style_step_axes(ax, describe_change(run).capitalize(), [], y_name, most, lines=0)
    _share_scale(panels)


def _cut_above(curve: Curve, most: float) -> Curve:
    """Return the curve up to where it first exceeds `most`."""
    beyond = curve.values > most
    end = int(beyond.argmax()) if beyond.any() else len(beyond)
    return Curve(curve.steps[:end], curve.values[:end], curve.hidden)


def _share_scale(panels: Sequence[Axes]) -> None:
    """Use one scale for all panels, labelled at the first only."""
    for ax in panels[1:]:
        ax.set_ylim(panels[0].get_ylim())
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)


def _draw_axis(
    ax: Axes, runs: Sequence[HistoryLike], verdicts: Sequence[str], limit: float
) -> None:
    """Draw the learning rates on one axis, shaded beyond the stable limit."""
    colors = get_colors(ax)
    rates = np.array([run.learning_rate for run in runs], np.float64)
    shown = np.append(rates, limit)
    shown = shown[(shown > 0) & is_drawable(shown)]
    logarithmic = len(shown) > 0 and shown.max() / shown.min() >= 10
    if logarithmic:
        ax.set_xscale("log")
        low, high = pad_limits(np.log10(shown), margin=0.12)
        ax.set_xlim(max(10**low, np.finfo(float).tiny), 10**high)
    else:
        ax.set_xlim(pad_limits(shown, margin=0.25))
    ax.set_ylim(0, 1)
    title = "The learning rates"
    if math.isfinite(limit):
        ax.axvspan(limit, ax.get_xlim()[1], color=colors.up, alpha=0.12, lw=0)
        ax.axvline(limit, color=colors.truth, lw=1.2)
        title += f" and the stable limit, 2/λmax = {number_text(limit)}: beyond it steps grow"
    width = size_in_points(ax)[0]
    spread = (np.log if logarithmic else np.asarray)(np.array([*ax.get_xlim(), *rates]))
    points = (spread[2:] - spread[0]) / (spread[1] - spread[0]) * width  # from the left, nearly
    for rate, verdict, point, place in zip(
        rates, verdicts, points, spread_out(points.tolist(), 52.0), strict=True
    ):
        color = colors.up if verdict == "Too large" else colors.model
        ax.plot(rate, 0.5, "o", color=color, ms=9, mec=colors.paper, mew=1.2)
        write(ax, rate, 0.5, number_text(rate), (place - point, -8), ha="center", va="top")
    style_axes(ax, title, [], "learning rate", "", lines=0)
    ax.tick_params(which="minor", bottom=False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
