"""`fit_course`: the data, with the line or curve at several steps of the descent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...data import Standardizer
from ...errors import ArgumentError, ShapeError
from ...linear import Line, closed_form
from ...nn import Module
from ...support.abstract_array import Array
from ...support.text_format import group_digits
from ...support.type_names import Figure
from ...support.validation import check_callable, check_instance
from ...train.model_copy import ModelCopy
from ..style import (
    blend,
    clean_name,
    draw_key,
    get_colors,
    is_drawable,
    make_panels,
    note_hidden,
    pad_limits,
    size_in_points,
    spread_out,
    style_axes,
    write,
)
from .arguments import Loss, check_history, check_one_feature, check_rows
from .frame_selection import HistoryLike, find_final_record, select_frames, weights_at
from .panels import draw_closed_form, draw_points, format_equation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fit_course"]


DEFAULT_FRAMES = 7  # lines


def fit_course(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    history: HistoryLike,
    *,
    loss: Loss = losses.mse,
    steps: Sequence[int] | None = None,
    x_scaling: Standardizer | None = None,
    y_scaling: Standardizer | None = None,
    x_name: str = "x",
    y_name: str = "y",
    dark: bool = False,
) -> Figure:
    """Draw the data with the line or curve at several steps: the first faint, the last bold.

    Each line is labelled with its step. For a straight line under `mse`, a thin line shows the
    closed form. If the descent diverged, its first steps are shown as they leave the panel, and
    the line that was kept is bold.

    - `model`, `x`, `y`, `loss`: as passed to `fit`, with one feature and one output; `history`:
      what it returned
    - `steps`: the steps to show (the nearest recorded ones); default: seven, well apart
    - `x_scaling`, `y_scaling`: the Standardizers that x and y went through before `fit`, so that
      the axes have the original units
    - `x_name`, `y_name`: names for the axes, with units
    - `dark`: use colours for a dark page, not for print

    Raises `ShapeError` for several features or outputs, or if x and y don't match,
    `ArgumentError` for a history of another model, `MissingExtraError` without matplotlib.

    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> history = tg.fit(line, x, y, learning_rate=0.1)
    >>> figure = fit_course(line, x, y, history, steps=[0, 3, 400], x_name="time in s")
    >>> [text.get_text() for text in figure.axes[0].texts], figure.axes[0].get_xlabel()
    (['step 0', 'step 3', 'step 400'], 'time in s')
    """
    where = "fit_course"
    check_callable(where, "loss", loss, "a function such as tg.losses.mse")
    rows, target = check_rows(where, model, x, y)
    weights = check_history(where, model, history)
    flat = check_one_feature(
        where,
        rows,
        "for several features use tg.plot.descent_figure, which shows predicted against observed",
    )
    if target.size != len(target):
        raise ShapeError(f"{where}: y must have one output, (n,) or (n, 1), got {target.shape}")
    goal = target.reshape(len(target)).astype(np.float64)
    across = np.linspace(*pad_limits(flat, margin=0.0), 241)
    twin = ModelCopy(model)
    chosen = select_frames(where, history, DEFAULT_FRAMES, steps)
    last = find_final_record(history) if steps is None else chosen[-1]
    figure, (panel,) = make_panels(1, panel=(7.2, 5.2), dark=dark)
    with np.errstate(all="ignore"):
        at = across.reshape(-1, *rows.shape[1:])
        curves = [
            _check_one_output(where, twin.put(weights_at(weights, i)).predict(at)) for i in chosen
        ]
        back = [_undo_scaling(where, name, s) for name, s in (("x", x_scaling), ("y", y_scaling))]
        curves = [back[1](curve) for curve in curves]
        across, flat, goal = back[0](across), back[0](flat), back[1](goal)
        seen = draw_points(panel, flat, goal)
        exact = _compute_closed_form(flat[seen], goal[seen], across, curves[-1], loss)
        moved = [(history.weight_steps[i], c) for i, c in zip(chosen, curves, strict=True)]
        moved.append(moved.pop(chosen.index(last)))  # the final one is drawn on top
        bold = draw_curves(panel, across, moved)
        names = clean_name(x_name), clean_name(y_name)
        style_axes(panel, "The fit, step by step", [], *names)
        learnt = format_equation(across, moved[-1][1], *names)
        entries = [(bold, f"{_describe_final(history, last)}: {learnt}")]
        if exact is not None:
            thin = draw_closed_form(panel, across, exact)
            entries.append((thin, f"closed form: {format_equation(across, exact, *names)}"))
        draw_key(panel, entries)
        note_hidden(panel, len(goal) - int(seen.sum()), "row")
    return figure


def draw_curves(ax: Axes, x: Array, curves: Sequence[tuple[int, Array]]) -> Any:
    """Draw curves, each labelled with its step, and the last one bold; return that one."""
    colors = get_colors(ax)
    low, high = _choose_limits(ax, [curve for _, curve in curves])
    ax.set_ylim(low, high)
    size = len(curves)
    ends = []
    for i, (step, curve) in enumerate(curves):
        bold = i == size - 1
        strength = 1.0 if bold else 0.25 + 0.5 * i / max(size - 1, 1)
        look: dict[str, Any] = {"lw": 3.2 if bold else 1.6, "zorder": 3 + bold}
        color = tuple(blend(colors.paper, colors.model, strength))
        shown = is_drawable(curve)
        (line,) = ax.plot(x[shown], curve[shown], color=color, solid_capstyle="round", **look)
        inside = np.flatnonzero(shown & (curve >= low) & (curve <= high))
        if len(inside):
            ends.append(End(float(x[inside[-1]]), float(curve[inside[-1]]), step, bold))
    _label_ends(ax, float(x[-1]), ends)
    return line


class End(NamedTuple):
    """The end of a curve in the panel, its step, and whether it is the bold one."""

    x: float
    y: float
    step: int
    bold: bool


def _label_ends(ax: Axes, right: float, ends: Sequence[End]) -> None:
    """Label each curve with its step, where it leaves the panel: at the right, top or bottom."""
    colors = get_colors(ax)
    low, high = ax.get_ylim()
    at_right = [end for end in ends if end.x == right]
    places = spread_out([end.y for end in at_right], 0.043 * (high - low))
    leader = {"arrowstyle": "-", "color": colors.rule, "lw": 0.6, "shrinkA": 0, "shrinkB": 2}
    for end, place in zip(at_right, places, strict=True):
        look: dict[str, Any] = {"fontweight": "bold"} if end.bold else {"color": colors.truth}
        offset = 16, _to_points(ax, place - end.y)
        write(ax, end.x, end.y, f"step {group_digits(end.step)}", offset, ha="left", va="center",
              in_layout=True, bbox=None, arrowprops=leader, **look)  # fmt: skip
    for end in (end for end in ends if end.x != right):
        up = end.y > (low + high) / 2
        offset = 2, -2 if up else 2
        write(ax, end.x, end.y, f"step {group_digits(end.step)}", offset, ha="right",
              va="top" if up else "bottom", color=colors.truth)  # fmt: skip


def _to_points(ax: Axes, height: float) -> float:
    """Convert a height of the panel to points, approximately."""
    low, high = ax.get_ylim()
    return height / (high - low) * (size_in_points(ax)[1] - 105)


def _choose_limits(ax: Axes, curves: Sequence[Array]) -> tuple[float, float]:
    """Return limits for the data and the curves; the data keep at least half of the panel."""
    low, high = ax.get_ylim()
    size = high - low
    ends = np.concatenate([curve[is_drawable(curve)] for curve in curves] or [np.zeros(0)])
    below = min(float(ends.min(initial=low)), low)
    above = max(float(ends.max(initial=high)), high)
    return max(below - 0.02 * size, low - size / 2), min(above + 0.02 * size, high + size / 2)


def _check_one_output(where: str, predicted: Array) -> Array:
    """Return the curve, (points,). Raises `ShapeError` for a model of several outputs."""
    if predicted.size != len(predicted):
        raise ShapeError(
            f"{where}: model must have one output, (n,) or (n, 1), got {predicted.shape}"
        )
    return predicted.reshape(len(predicted)).astype(np.float64)


def _undo_scaling(where: str, name: str, scaling: Standardizer | None) -> Callable[[Array], Array]:
    """Return the function that undoes the scaling. Raises `ShapeError` for several columns."""
    if scaling is None:
        return lambda numbers: numbers
    check_instance(where, f"{name}_scaling", scaling, Standardizer, "a tg.data.Standardizer")
    mean, scale = (np.asarray(part) for part in (scaling.mean, scaling.scale))
    if mean.size != 1:
        raise ShapeError(
            f"{where}: {name}_scaling must be a Standardizer of one column, "
            f"got one of shape {mean.shape}"
        )
    return lambda numbers: numbers * float(scale.item()) + float(mean.item())


def _compute_closed_form(
    x: Array, y: Array, across: Array, learnt: Array, loss: Loss
) -> Array | None:
    """Return the least-squares line if a straight line under this loss converges to it."""
    if loss is not losses.mse or format_equation(across, learnt, "x", "y") == "a curve":
        return None
    try:
        line: Line = closed_form(x, y)
    except ArgumentError:  # one row, or an x that does not vary
        return None
    return np.asarray(line.predict(across), np.float64)


def _describe_final(history: HistoryLike, last: int) -> str:
    """Describe the bold curve in a phrase."""
    step = history.weight_steps[last]
    return (
        f"kept, from step {group_digits(step)}"
        if last != len(history.weight_steps) - 1
        else "learnt"
    )
