"""The panels of `descent_figure`, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..linear import Line
from .slice import Run, Slice
from .style import (
    DOWN,
    DRAWABLE,
    MODEL,
    SMALL,
    STEP,
    TRUTH,
    UP,
    drawable,
    dress,
    key,
    limits,
    literal,
    short,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, np.dtype[Any]]

DECADES = 100.0  # losses that span more get a logarithmic axis
MOST_DRAWN = 4000  # losses; of more, the lowest and the highest of each stretch are drawn


def draw_curve(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    closed_form: Line | None,
    x_name: str,
    y_name: str,
) -> None:
    """The points, what was learnt as a bold line or curve, the closed form as a thin one."""
    flat, y_name = x.reshape(len(y)), literal(y_name)
    seen = drawable(flat, y)
    ax.set_xlim(limits(flat[seen]))
    ax.set_ylim(limits(y[seen], margin=0.08))
    _scatter(ax, flat[seen], y[seen], TRUTH)

    low, high = limits(flat[seen], margin=0.0)
    across = np.linspace(low, high, 301)
    learnt = predict(across.reshape(-1, *x.shape[1:]))
    shown = drawable(learnt)
    (bold,) = ax.plot(across[shown], learnt[shown], color=MODEL, lw=3.2, solid_capstyle="round")
    entries = [(bold, f"learnt: {_equation(across, learnt, x_name, y_name)}")]
    if closed_form is not None:
        exact = np.asarray(closed_form.predict(across.reshape(-1, *_columns(closed_form))))
        (thin,) = ax.plot(across, exact, color="white", lw=1.6)  # so that it shows on the bold one
        (thin,) = ax.plot(across, exact, color=TRUTH, lw=1.0)
        text = _equation(across, exact, x_name, y_name)
        entries.append((thin, f"closed form: {text}"))
    dress(ax, "The data and the model", [], x_name, y_name)
    key(ax, entries)
    _tell_hidden(ax, len(y) - int(seen.sum()), "row")


def draw_predictions(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    closed_form: Line | None,
    y_name: str,
) -> None:
    """Predicted against observed: all points would lie on the diagonal if nothing were left."""
    learnt, y_name = predict(x), literal(y_name)
    seen = drawable(learnt, y)
    both = limits(y[seen], learnt[seen])
    ax.set_xlim(both)
    ax.set_ylim(both)
    ax.set_aspect("equal", adjustable="box")
    points = _scatter(ax, y[seen], learnt[seen], MODEL)
    (diagonal,) = ax.plot(both, both, color=TRUTH, lw=1.0)
    explained = _explained(y[seen], learnt[seen])
    told = f"one row each; R² = {short(explained)}"
    if closed_form is not None:
        told += f" (closed form: {short(closed_form.r_squared)})"
    dress(ax, "Predicted against observed", [], f"{y_name}, observed", f"{y_name}, predicted")
    key(ax, [(points, told), (diagonal, "predicted = observed")])
    _tell_hidden(ax, len(y) - int(seen.sum()), "row")


def draw_losses(ax: Axes, history: Run, closed_form: Line | None) -> None:
    """The loss after each step, and the loss of the closed form for reference."""
    losses = np.asarray(history.losses, np.float64)
    steps = np.arange(len(losses))
    seen = drawable(losses)
    hidden = len(losses) - int(seen.sum())
    steps, losses = _thinned(steps[seen], losses[seen])
    reference = closed_form.mse if closed_form is not None else math.nan
    positive = losses[losses > 0]
    spans = len(positive) == len(losses) > 0 and losses.max() / losses.min() >= DECADES
    if spans:
        ax.set_yscale("log")
        fits = losses.min() / DECADES < reference <= losses.max()
        ends = np.log10(np.append(losses, reference if fits else losses[0]))
        low, high = limits(ends, margin=0.08)
        ax.set_ylim(10**low, 10**high)
    else:
        fits = math.isfinite(reference)
        ax.set_ylim(limits(np.append(losses, reference), margin=0.12))
    early = _falls_early(steps, losses)
    if early:
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(-0.15, max(history.steps, 1) * 1.3)
    else:
        ax.set_xlim(limits(np.array([0.0, max(history.steps, 1)])))
    if fits:
        ax.axhline(reference, color=TRUTH, lw=1.0)
        start = len(losses) and losses[0] >= reference
        ax.annotate(
            f"closed form {short(reference)}",
            (1, reference),
            (-2, -4 if start else 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="top" if start else "bottom",
            color=TRUTH,
            fontsize=SMALL,
            in_layout=False,
        )
    few = len(losses) <= 60
    ax.plot(steps, losses, color=MODEL, lw=2.2, marker="o" if few else "", ms=3.2)
    if len(losses):
        ax.plot(steps[-1], losses[-1], "o", color=MODEL, ms=6, mec="white", mew=1)
    count = f"{history.steps:,} step{'s' * (history.steps != 1)}".replace(",", " ")
    ends = {"limit": "stopped at the limit of"}.get(history.reason, f"{history.reason} after")
    course = f"loss {short(history.losses[0])} → {short(history.losses[-1])}" if losses.size else ""
    rate = f", learning rate {short(history.learning_rate)}" if history.steps else ""
    details = [f"{ends} {count}{rate}", course]
    y_name = "mean squared error" if closed_form is not None else "loss"
    dress(ax, "The loss, step by step", details, "step", y_name, whole=True)
    if early:
        _count_in_decades(ax, history.steps)
    _tell_hidden(ax, hidden, "loss")


def draw_slice(
    ax: Axes,
    history: Run,
    loss_at: Callable[[Mapping[str, Array]], float],
    names: Sequence[str],
    w_label: str | None,
) -> None:
    """The loss over one weight, the slope where descent began, and where it went."""
    cut = Slice(history, loss_at, names)
    w, hill = cut.curve()
    seen = drawable(w, hill)
    ax.plot(w[seen], hill[seen], color=TRUTH, lw=1.4)
    ax.set_xlim(limits(w[seen], margin=0.02))
    ax.set_ylim(limits(hill[seen], margin=0.09))
    steps, path, heights = cut.path()
    here = drawable(path, heights)
    steps, path, heights = steps[here], path[here], heights[here]
    slope = cut.slope(path[0]) if len(path) else math.nan
    if len(path):
        overshoots = len(path) > 2 and (path[1] - path[0]) * (path[2] - path[1]) < 0
        if math.isfinite(slope):
            _tangent(ax, path[0], heights[0], slope, label=not overshoots)
        _arrows(ax, steps, path, heights)
        ax.plot(path, heights, "o", color=STEP, ms=4.5, mec="white", mew=0.6, zorder=4)
        ax.plot(path[0], heights[0], "o", color=STEP, ms=8, mec="white", mew=1.2, zorder=5)
    if abs(cut.ends) < DRAWABLE and abs(cut.lowest) < DRAWABLE:
        ax.plot(cut.ends, cut.lowest, "o", color=MODEL, ms=8, mec="white", mew=1.2, zorder=6)
        aside = (cut.ends - cut.center) / np.ptp(ax.get_xlim())
        side = 0 if abs(aside) < 0.05 else 1 if aside > 0 else -1
        text = f"{'kept: ' if cut.kept_early else ''}w = {short(cut.ends)}"
        ha = {-1: "left", 0: "center", 1: "right"}[side]  # inside the bowl, where nothing is drawn
        write(ax, cut.ends, cut.lowest, text, (-9 * side, -8 + 5 * abs(side)), ha=ha, va="top")
    details = [_direction(slope, path), cut.held]
    y_name = "mean squared error" if ax.figure.axes[1].get_ylabel() != "loss" else "loss"
    dress(ax, "The hill: the loss over w", details, literal(w_label or cut.name, 60), y_name)
    _tell_hidden(ax, int((~here).sum()), "step")


def _columns(line: Line) -> tuple[int, ...]:
    """The shape of a row: () for a line of one feature that was given as (n,)."""
    return () if isinstance(line.slope, float) else (len(line.slope),)


def _scatter(ax: Axes, x: Array, y: Array, color: str) -> Any:
    """Points, the more of them the more transparent."""
    many = max(len(x), 1)
    alpha = min(0.5, max(0.04, 0.5 * math.sqrt(400 / many)))
    size = 16 if many <= 2000 else 6
    return ax.scatter(
        x, y, s=size, color=color, alpha=alpha, linewidths=0, rasterized=many > 20_000, zorder=1
    )


def _equation(x: Array, y: Array, x_name: str, y_name: str) -> str:
    """The equation of a line with its numbers; a curve is only called one."""
    slope = (y[-1] - y[0]) / (x[-1] - x[0])
    intercept = y[0] - slope * x[0]
    intercept = 0.0 if abs(intercept) < 1e-12 * abs(y).max() else intercept
    if not np.abs(y - (intercept + slope * x)).max() <= 1e-5 * max(np.ptp(y), 1e-9 * abs(y).max()):
        return "a curve"
    sign = "−" if intercept < 0 else "+"
    return f"ŷ = {short(slope)} · {literal(x_name, 18)} {sign} {short(abs(intercept))}"


def _explained(y: Array, learnt: Array) -> float:
    """R², the share of the variation in y that the predictions explain."""
    total = np.sum((y - y.mean()) ** 2) if len(y) else 0.0
    return float(1 - np.sum((y - learnt) ** 2) / total) if total > 0 else math.nan


def _thinned(steps: Array, losses: Array) -> tuple[Array, Array]:
    """Every loss where there are few; else the lowest and highest of each stretch, in order."""
    if len(losses) <= MOST_DRAWN:
        return steps, losses
    edges = np.unique(np.geomspace(1, len(losses), MOST_DRAWN // 2).astype(int))
    dense = np.linspace(0, len(losses), MOST_DRAWN // 2).astype(int)
    chosen = {0, len(losses) - 1}
    starts = np.unique(np.concatenate([edges, dense]))
    for start, stop in pairwise(starts):
        stretch = losses[start:stop]
        chosen |= {int(start + stretch.argmin()), int(start + stretch.argmax())}
    kept = sorted(chosen)
    return steps[kept], losses[kept]


def _falls_early(steps: Array, losses: Array) -> bool:
    """Whether nine tenths of the fall lie in the first fortieth of the steps."""
    if len(losses) < 2 or steps[-1] < 100:
        return False
    early = losses[steps <= steps[-1] / 40].min(initial=math.inf)
    return bool(losses[0] - early >= 0.9 * (losses[0] - losses.min()) > 0)


def _count_in_decades(ax: Axes, most: int) -> None:
    """Ticks 0, 1, 10, 100 ... on a logarithmic axis of steps."""
    ticks = [0, *(10**k for k in range(1 + int(math.log10(max(most, 1)))))]
    ax.set_xticks(ticks, labels=[f"{tick:,}".replace(",", " ") for tick in ticks])
    ax.set_xticks([], minor=True)


def _tangent(ax: Axes, w: float, height: float, slope: float, label: bool) -> None:
    """The slope where descent began, as a line and, where there is room, as a number."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    reach = 0.16 * (right - left)
    if slope:
        reach = min(reach, 0.22 * (top - bottom) / abs(slope))
    ends = np.array([w - reach, w + reach])
    color = UP if slope > 0 else DOWN
    ax.plot(ends, height + slope * (ends - w), color=color, lw=2.6, zorder=3)
    if label:
        inward = 1 if w < (left + right) / 2 else -1
        side = "left" if inward > 0 else "right"
        write(ax, w, height, f"slope {short(slope)}", (11 * inward, 3), ha=side, va="bottom")


def _arrows(ax: Axes, steps: Array, path: Array, heights: Array) -> None:
    """An arrow for each single step that is long enough to be seen."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for i in np.flatnonzero(np.diff(steps) == 1):
        across = abs(path[i + 1] - path[i]) / (right - left)
        up = abs(heights[i + 1] - heights[i]) / (top - bottom)
        if math.hypot(across, up) < 0.035:
            continue
        ax.annotate(
            "",
            (path[i + 1], heights[i + 1]),
            (path[i], heights[i]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": STEP,
                "lw": 1.5,
                "shrinkA": 3,
                "shrinkB": 2,
                "mutation_scale": 11,
            },
            annotation_clip=False,
            zorder=3.5,
        )


def _direction(slope: float, path: Array) -> str:
    """The lesson in words: which way the slope sends w."""
    if not math.isfinite(slope):
        return "the slope at the start is not finite"
    sign = "negative" if slope < 0 else "positive" if slope > 0 else "zero"
    told = f"slope at the start {short(slope)}: {sign}"
    moved = path[1] - path[0] if len(path) > 1 else 0.0
    return f"{told}, so w moves {'right' if moved > 0 else 'left'}" if slope * moved < 0 else told


def _tell_hidden(ax: Axes, hidden: int, thing: str) -> None:
    """Says how much is not drawn."""
    if hidden:
        plural = {"loss": "losses"}.get(thing, f"{thing}s") if hidden != 1 else thing
        ax.text(
            0.98,
            0.98,
            f"{hidden} {plural} not finite or beyond 1e150: not drawn",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=SMALL,
            color=TRUTH,
            wrap=True,
            in_layout=False,
        )
