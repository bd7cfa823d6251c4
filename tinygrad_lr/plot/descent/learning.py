"""`learning_curves`: losses, metrics and learning rates by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import ArgumentError
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ...support.validation import check_list, check_text, short_repr
from ..style import (
    SMALL,
    blend,
    clean_name,
    get_colors,
    make_panels,
    note_hidden,
    size_in_points,
    spread_out,
    write,
)
from .arguments import as_real_numbers
from .curves import Curve, describe_change, describe_end, set_scales, style_step_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["learning_curves"]


VALIDATION_PREFIX = "validation_"  # how the names of figures of validation data begin
MAX_PANELS, COLUMNS = 9, 3
MIN_LOSSES_PER_MEAN = 1.5  # losses for each evaluation: from here on the means are drawn bold
RATE = "learning rate"
NOT_METRICS = {"step", "epoch"}


class Panel(NamedTuple):
    """A panel: its name, the curves by name, and single losses behind them."""

    name: str
    curves: dict[str, Curve]
    behind: Curve | None = None


def learning_curves(
    history: Any,
    *,
    metrics: Sequence[str] | None = None,
    title: str = "The loss, step by step",
    dark: bool = False,
) -> Figure:
    """Draw training and validation loss over the steps, each metric, and the learning rate.

    There is a panel for the loss (logarithmic if it spans two decades), one for each metric, and
    one for the learning rate if it changes. With batches, the loss of each batch is faint, and the
    mean between two evaluations bold. The best step is marked: the one whose weights early
    stopping restored, else the one with the smallest validation loss.

    - `history`: what `fit` returned; or a sequence of losses; or sequences by name, such as
      {"loss": [...], "validation_loss": [...], "accuracy": [...]}, where "validation_..." shares
      the panel of the training curve
    - `metrics`: the metrics to show, in order; default: all, at most eight
    - `title`: title of the panel of losses
    - `dark`: use colours for a dark page, not for print

    Values that are not finite, or beyond 1e150, are not drawn, and the panel says how many.

    Raises `ArgumentError` for a history without values and for a metric that it doesn't have,
    `DtypeError` unless all are real numbers, `MissingExtraError` without matplotlib.

    >>> figure = learning_curves({"loss": [2.0, 1.0, 0.5], "validation_loss": [2.0, 1.5, 1.6]})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['training', 'validation', 'best: 1.5 at step 1', 'loss 2 → 0.5']
    """
    where = "learning_curves"
    check_text(where, "title", title)
    if metrics is not None and not isinstance(metrics, str):
        listed = check_list(where, "metrics", metrics, "a list of names")
        metrics = [check_text(where, "each of metrics", name) for name in listed]
    panels = _build_panels(where, history)
    most = max((int(c.steps.max(initial=0)) for p in panels for c in p.curves.values()), default=0)
    chosen = _choose_panels(where, panels, metrics)
    best = _find_best_step(history, panels[0])
    figure, axes = make_panels(
        len(chosen), columns=COLUMNS, panel=(5.4, 4.4) if len(chosen) < 3 else (4.6, 4.2), dark=dark
    )
    with np.errstate(all="ignore"):
        for ax, panel in zip(axes, chosen, strict=True):
            first = panel is chosen[0]
            _draw_panel(ax, panel, most, best)
            details = _describe_run(history, panel) if first else []
            heading = title if first else f"The {clean_name(panel.name)}"
            style_step_axes(
                ax, clean_name(heading, 60), details, clean_name(panel.name), most, lines=2
            )
    return figure


def _build_panels(where: str, history: Any) -> list[Panel]:
    """Return the panels of sequences, the loss first. Raises `ArgumentError` if there are none."""
    if hasattr(history, "losses"):
        return _of_history(history)
    given = history if isinstance(history, Mapping) else {"loss": history}
    curves = {
        str(name): Curve.of(np.ravel(as_real_numbers(where, clean_name(name), values)))
        for name, values in given.items()
    }
    names = [name for name in curves if _validates(name) not in curves]
    if not names or not any(len(curve.values) + curve.hidden for curve in curves.values()):
        raise ArgumentError(
            f"{where}: history must be what fit returned, losses, or sequences by name, with at "
            f"least one value, got {short_repr(history)}"
        )
    return [Panel(name, _pair_curves(name, curves)) for name in names]


def _validates(name: str) -> str | None:
    """Return the name of the training curve that belongs to a validation curve."""
    return name.removeprefix(VALIDATION_PREFIX) if name.startswith(VALIDATION_PREFIX) else None


def _pair_curves(name: str, curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Return the training curve, and the validation curve if there is one."""
    held_out = curves.get(VALIDATION_PREFIX + name)
    return {"training": curves[name]} | ({"validation": held_out} if held_out else {})


def _of_history(history: Any) -> list[Panel]:
    """Return the panels of what `fit` returned."""
    names = dict.fromkeys(name for figures in history.evaluations for name in figures)
    curves = {}
    for name in names.keys() - NOT_METRICS:
        seen = [figures for figures in history.evaluations if name in figures]
        curves[name] = Curve.of([f[name] for f in seen], [f["step"] for f in seen])
    every = Curve.of(history.losses)
    means = curves.get("loss")
    if means is not None and len(every.steps) > MIN_LOSSES_PER_MEAN * len(means.steps) > 1:
        loss = Panel("loss", _pair_curves("loss", curves), every)
    else:
        loss = Panel("loss", _pair_curves("loss", {**curves, "loss": every}))
    panels = [loss]
    for name in names:
        if name not in NOT_METRICS | {"loss"} and not name.startswith(VALIDATION_PREFIX):
            panels.append(Panel(name, _pair_curves(name, curves)))
    rates = np.asarray(history.learning_rates, np.float64)
    if len(rates) > 1 and np.ptp(rates) > 0:
        panels.append(Panel(RATE, {"": Curve.of(rates)}))
    return panels


def _choose_panels(
    where: str, panels: Sequence[Panel], metrics: Sequence[str] | None
) -> list[Panel]:
    """The loss, the metrics that are asked for, and the learning rate."""
    if metrics is None:
        rate = [panel for panel in panels[1:] if panel.name == RATE]
        others = [panel for panel in panels if panel.name != RATE]
        return [*others[: MAX_PANELS - len(rate)], *rate]
    by_name = {panel.name: panel for panel in panels[1:]}
    asked = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in asked:
        if name not in by_name:
            raise ArgumentError(
                f"{where}: metrics must be names in the history ("
                f"{', '.join(by_name)[:200] or 'it has none'}), got {clean_name(name)!r}"
            )
    rate = [p for p in panels[1:] if p.name == RATE and p.name not in asked]
    return [panels[0], *(by_name[name] for name in asked), *rate]


def _find_best_step(history: Any, loss: Panel) -> int | None:
    """Return the step with the best weights, or None if there is no validation loss."""
    step = getattr(history, "best_step", None)
    held_out = loss.curves.get("validation")
    if step is None and held_out is not None and len(held_out.values):
        step = held_out.steps[int(held_out.values.argmin())]
    return None if step is None else int(step)


def _draw_panel(ax: Axes, panel: Panel, most: int, best: int | None) -> None:
    """Draw the curves, each with its name at its end, and the best step."""
    colors = get_colors(ax)
    drawn = [*panel.curves.values(), *([panel.behind] if panel.behind else [])]
    set_scales(ax, drawn, most)
    if panel.behind:
        faint = tuple(blend(colors.paper, colors.model, 0.35))
        ax.plot(*panel.behind[:2], color=faint, lw=0.8, zorder=1)
    for name, curve in panel.curves.items():
        color = colors.other if name == "validation" else colors.model
        few = "o" if len(curve.steps) <= 30 else ""
        ax.plot(*curve[:2], color=color, lw=2.2, marker=few, ms=3.2, zorder=3)
    if len(panel.curves) > 1 or panel.behind:
        _label_ends(ax, panel)
    shown = panel.curves.get("validation", next(iter(panel.curves.values())))
    note_hidden(ax, sum(curve.hidden for curve in drawn), "value")
    if best is None:
        return
    ax.axvline(best, color=colors.rule, lw=0.8, zorder=0)
    at = np.flatnonzero(shown.steps == best)
    if len(at) and panel.name != RATE:
        value = float(shown.values[at[0]])
        color = colors.other if "validation" in panel.curves else colors.model
        ax.plot(best, value, "o", color=color, mec=colors.ink, mew=1.2, ms=7, zorder=5)
        side = -1 if best > 0.55 * most else 1  # where there is room
        text = f"{number_text(value)} at step {group_digits(best)}"
        text = f"best: {text}" if "loss" in panel.name else text
        write(ax, best, value, text, (7 * side, -9), ha="right" if side < 0 else "left", va="top")


def _label_ends(ax: Axes, panel: Panel) -> None:
    """Write the name of each curve at its right end, without overlaps."""
    colors = get_colors(ax)
    ends = {name: (c.steps[-1], c.values[-1]) for name, c in panel.curves.items() if len(c.steps)}
    low, high = ax.get_ylim()
    logarithmic = ax.get_yscale() == "log"
    size = math.log(high / low) if logarithmic else high - low
    points_high = size_in_points(ax)[1] - 100
    points = [
        (math.log(value / low) if logarithmic else value - low) / size * points_high
        for _, value in ends.values()
    ]
    places = spread_out(points, 13.0)
    for (name, (step, value)), point, place in zip(ends.items(), points, places, strict=True):
        color = colors.other if name == "validation" else colors.model
        write(ax, step, value, name, (8, place - point), ha="left", va="center", color=color,
              in_layout=True, bbox=None, fontsize=SMALL, fontweight="bold")  # fmt: skip


def _describe_run(history: Any, panel: Panel) -> list[str]:
    """Describe the training in two lines."""
    if hasattr(history, "losses"):
        return [describe_end(history), describe_change(history)]
    values = panel.curves["training"].values
    return [f"loss {number_text(values[0])} → {number_text(values[-1])}"] if len(values) else []
