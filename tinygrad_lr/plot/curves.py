"""The loss by step."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..linear import Line
from .slice import Run
from .style import SMALL, colors_of, drawable, dress, limits, short, tell_hidden

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, np.dtype[Any]]

DECADES = 100.0  # losses that span more get a logarithmic axis
MOST_DRAWN = 4000  # losses; of more, the lowest and the highest of each stretch are drawn


def draw_losses(ax: Axes, history: Run, closed_form: Line | None) -> None:
    """The loss after each step, and the loss of the closed form for reference."""
    colors = colors_of(ax)
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
        ax.axhline(reference, color=colors.truth, lw=1.0)
        start = len(losses) and losses[0] >= reference
        ax.annotate(
            f"closed form {short(reference)}",
            (1, reference),
            (-2, -4 if start else 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="top" if start else "bottom",
            color=colors.truth,
            fontsize=SMALL,
            in_layout=False,
        )
    few = len(losses) <= 60
    ax.plot(steps, losses, color=colors.model, lw=2.2, marker="o" if few else "", ms=3.2)
    if len(losses):
        ax.plot(steps[-1], losses[-1], "o", color=colors.model, ms=6, mec=colors.paper, mew=1)
    count = f"{history.steps:,} step{'s' * (history.steps != 1)}".replace(",", " ")
    ends = {"limit": "stopped at the limit of"}.get(history.reason, f"{history.reason} after")
    course = f"loss {short(history.losses[0])} → {short(history.losses[-1])}" if losses.size else ""
    rate = f", learning rate {short(history.learning_rate)}" if history.steps else ""
    details = [f"{ends} {count}{rate}", course]
    y_name = "mean squared error" if closed_form is not None else "loss"
    dress(ax, "The loss, step by step", details, "step", y_name, whole=True)
    if early:
        _count_in_decades(ax, history.steps)
    tell_hidden(ax, hidden, "loss")


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
