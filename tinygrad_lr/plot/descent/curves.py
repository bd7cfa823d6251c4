"""Numbers by step: losses, metrics, learning rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...linear import Line
from ...support.abstract_array import Array
from ...support.text_format import group_digits, number_text
from ...support.thinning import thin_curve
from ..style import SMALL, get_colors, is_drawable, note_hidden, pad_limits, style_axes
from .frame_selection import HistoryLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LOG_RATIO = 100.0  # losses that span more get a logarithmic axis
MAX_DRAWN = 4000  # losses; of more, the lowest and the highest of each stretch are drawn


class Curve(NamedTuple):
    """Numbers by step; those that are too large to draw are left out, and counted."""

    steps: Array
    values: Array
    hidden: int = 0

    @classmethod
    def of(cls, values: ArrayLike, steps: ArrayLike | None = None) -> Curve:
        """Return a curve of these values, at these steps or at 0, 1, 2, ..."""
        numbers = np.asarray(values, np.float64)
        places = np.arange(len(numbers)) if steps is None else np.asarray(steps)
        seen = is_drawable(numbers)
        return cls(*_thin(places[seen], numbers[seen]), len(numbers) - int(seen.sum()))


def set_scales(
    ax: Axes, curves: Sequence[Curve], most: float, *, reference: float = math.nan
) -> bool:
    """Set limits and scales to show all the curves; return True if the reference is visible too.

    The values get a logarithmic scale if they are positive and span two decades. The steps, 0 to
    `most`, get one if nearly all of the fall happens in the first of them.
    """
    values = np.concatenate([curve.values for curve in curves] or [np.zeros(0)])
    spans = len(values) > 0 and values.min() > 0 and values.max() / values.min() >= LOG_RATIO
    if spans:
        ax.set_yscale("log")
        fits = bool(values.min() / LOG_RATIO < reference <= values.max())
        ends = np.log10(np.append(values, reference if fits else values[0]))
        low, high = pad_limits(ends, margin=0.08)
        ax.set_ylim(10**low, 10**high)
    else:
        fits = math.isfinite(reference)
        ax.set_ylim(pad_limits(np.append(values, reference), margin=0.12))
    if any(_falls_early(curve) for curve in curves):
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(-0.15, max(most, 1) * 1.3)
    else:
        ax.set_xlim(pad_limits(np.array([0.0, max(most, 1)])))
    return fits


def draw_losses(ax: Axes, history: HistoryLike, closed_form: Line | None) -> None:
    """Draw the loss after each step, and the loss of the closed form for reference."""
    curve = Curve.of(history.losses)
    reference = closed_form.mse if closed_form is not None else math.nan
    fits = set_scales(ax, [curve], history.steps, reference=reference)
    if fits:
        start = len(curve.values) and curve.values[0] >= reference
        draw_reference(ax, reference, f"closed form {number_text(reference)}", below=bool(start))
    draw_curve(ax, curve)
    rate = f", learning rate {number_text(history.learning_rate)}" if history.steps else ""
    details = [f"{describe_end(history)}{rate}", describe_change(history)]
    y_name = "mean squared error" if closed_form is not None else "loss"
    style_step_axes(ax, "The loss, step by step", details, y_name, history.steps)
    note_hidden(ax, curve.hidden, "loss")


def draw_curve(ax: Axes, curve: Curve, color: str | None = None) -> None:
    """Draw a curve with a dot at its end."""
    colors = get_colors(ax)
    look: dict[str, Any] = {"color": color or colors.model}
    few = len(curve.steps) <= 60
    ax.plot(*curve[:2], lw=2.2, marker="o" if few else "", ms=3.2, **look)
    ax.plot(curve.steps[-1:], curve.values[-1:], "o", ms=6, mec=colors.paper, mew=1, **look)


def draw_reference(ax: Axes, height: float, text: str, *, below: bool) -> None:
    """Draw a thin line across the panel, with a label at its right end."""
    colors = get_colors(ax)
    ax.axhline(height, color=colors.truth, lw=1.0)
    ax.annotate(
        text,
        (1, height),
        (-2, -4 if below else 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
        color=colors.truth,
        fontsize=SMALL,
        in_layout=False,
    )


def style_step_axes(
    ax: Axes, title: str, details: Sequence[str], y_name: str, most: int, lines: int = 2
) -> None:
    """Style a panel over steps, whose ticks are integers."""
    style_axes(ax, title, details, "step", y_name, whole=True, lines=lines)
    if ax.get_xscale() != "linear":
        _set_decade_ticks(ax, most)


def describe_end(history: HistoryLike) -> str:
    """Describe the end of a descent in a phrase."""
    count = f"{group_digits(history.steps)} step{'s' * (history.steps != 1)}"
    told = {"limit": "stopped at the limit of", "early": "stopped early after"}
    return f"{told.get(history.reason, f'{history.reason} after')} {count}"


def describe_change(history: HistoryLike) -> str:
    """Describe the loss at the start and at the end."""
    if not history.losses:
        return ""
    return f"loss {number_text(history.losses[0])} → {number_text(history.losses[-1])}"


def _thin(steps: Array, losses: Array) -> tuple[Array, Array]:
    """Return all losses if there are few, else the lowest and highest of each stretch, in order."""
    if len(losses) <= MAX_DRAWN:
        return steps, losses
    early = np.geomspace(1, len(losses) - 1, MAX_DRAWN // 2).astype(int)
    even = np.linspace(0, len(losses) - 1, MAX_DRAWN // 2).astype(int)
    kept = thin_curve(losses, np.unique(np.concatenate([early, even])))
    return steps[kept], losses[kept]


def _falls_early(curve: Curve) -> bool:
    """True if nine tenths of the fall are in the first fortieth of the steps."""
    steps, losses, _ = curve
    if len(losses) < 2 or steps[-1] < 100:
        return False
    early = losses[steps <= steps[-1] / 40].min(initial=math.inf)
    return bool(losses[0] - early >= 0.9 * (losses[0] - losses.min()) > 0)


def _set_decade_ticks(ax: Axes, most: int) -> None:
    """Set the ticks 0, 1, 10, 100, ... on a logarithmic axis of steps."""
    ticks = [0, *(10**k for k in range(1 + int(math.log10(max(most, 1)))))]
    ax.set_xticks(ticks, labels=[group_digits(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
