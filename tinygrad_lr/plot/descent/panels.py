"""Draw the data and the model: over the feature, or predicted against observed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...linear import Line
from ...support.abstract_array import Array
from ...support.text_format import number_text
from ..style import (
    clean_name,
    draw_key,
    get_colors,
    is_drawable,
    note_hidden,
    pad_limits,
    style_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_model(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    closed_form: Line | None,
    x_name: str,
    y_name: str,
) -> None:
    """Draw the points, the learnt line or curve (bold), and the closed form (thin)."""
    colors = get_colors(ax)
    flat, y_name = x.reshape(len(y)), clean_name(y_name)
    seen = draw_points(ax, flat, y)

    low, high = pad_limits(flat[seen], margin=0.0)
    across = np.linspace(low, high, 301)
    learnt = predict(across.reshape(-1, *x.shape[1:]))
    shown = is_drawable(learnt)
    (bold,) = ax.plot(
        across[shown], learnt[shown], color=colors.model, lw=3.2, solid_capstyle="round"
    )
    entries = [(bold, f"learnt: {format_equation(across, learnt, x_name, y_name)}")]
    if closed_form is not None:
        exact = np.asarray(closed_form.predict(across.reshape(-1, *_row_shape(closed_form))))
        thin = draw_closed_form(ax, across, exact)
        text = format_equation(across, exact, x_name, y_name)
        entries.append((thin, f"closed form: {text}"))
    style_axes(ax, "The data and the model", [], x_name, y_name)
    draw_key(ax, entries)
    note_hidden(ax, len(y) - int(seen.sum()), "row")


def draw_points(ax: Axes, x: Array, y: Array) -> Array:
    """Draw the rows that can be drawn, set the limits around them, and return a mask of them."""
    seen = is_drawable(x, y)
    ax.set_xlim(pad_limits(x[seen]))
    ax.set_ylim(pad_limits(y[seen], margin=0.08))
    _scatter(ax, x[seen], y[seen], get_colors(ax).truth)
    return seen


def draw_closed_form(ax: Axes, x: Array, exact: Array) -> Any:
    """Draw the closed form as a thin line, with an edge so that it is visible on the bold one."""
    colors = get_colors(ax)
    ax.plot(x, exact, color=colors.paper, lw=1.6, zorder=4.5)
    return ax.plot(x, exact, color=colors.truth, lw=1.0, zorder=5)[0]


def draw_predictions(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    closed_form: Line | None,
    y_name: str,
) -> None:
    """Draw predicted against observed: points on the diagonal have no error."""
    colors = get_colors(ax)
    learnt, y_name = predict(x), clean_name(y_name)
    seen = is_drawable(learnt, y)
    both = pad_limits(y[seen], learnt[seen])
    ax.set_xlim(both)
    ax.set_ylim(both)
    ax.set_aspect("equal", adjustable="box")
    points = _scatter(ax, y[seen], learnt[seen], colors.model)
    (diagonal,) = ax.plot(both, both, color=colors.truth, lw=1.0)
    explained = _r_squared(y[seen], learnt[seen])
    told = f"one point per row; R² = {number_text(explained)}"
    if closed_form is not None:
        told += f" (closed form: {number_text(closed_form.r_squared)})"
    style_axes(ax, "Predicted against observed", [], f"{y_name}, observed", f"{y_name}, predicted")
    draw_key(ax, [(points, told), (diagonal, "predicted = observed")])
    note_hidden(ax, len(y) - int(seen.sum()), "row")


def _row_shape(line: Line) -> tuple[int, ...]:
    """Return the shape of a row: () for a line of one feature that was given as (n,)."""
    return () if isinstance(line.slope, float) else (len(line.slope),)


def _scatter(ax: Axes, x: Array, y: Array, color: str) -> Any:
    """Draw points; the more there are, the more transparent they are."""
    many = max(len(x), 1)
    alpha = min(0.5, max(0.04, 0.5 * math.sqrt(400 / many)))
    size = 16 if many <= 2000 else 6
    return ax.scatter(
        x, y, s=size, color=color, alpha=alpha, linewidths=0, rasterized=many > 20_000, zorder=1
    )


def format_equation(x: Array, y: Array, x_name: str, y_name: str) -> str:
    """Return the equation of a line with its numbers, or "a curve"."""
    slope = (y[-1] - y[0]) / (x[-1] - x[0])
    intercept = y[0] - slope * x[0]
    intercept = 0.0 if abs(intercept) < 1e-12 * abs(y).max() else intercept
    if not np.abs(y - (intercept + slope * x)).max() <= 1e-5 * max(np.ptp(y), 1e-9 * abs(y).max()):
        return "a curve"
    sign = "−" if intercept < 0 else "+"
    return (
        f"ŷ = {number_text(slope)} · {clean_name(x_name, 18)} {sign} {number_text(abs(intercept))}"
    )


def _r_squared(y: Array, learnt: Array) -> float:
    """Return R², the share of the variation in y that the predictions explain."""
    total = np.sum((y - y.mean()) ** 2) if len(y) else 0.0
    return float(1 - np.sum((y - learnt) ** 2) / total) if total > 0 else math.nan
