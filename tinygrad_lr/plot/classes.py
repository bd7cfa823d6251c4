"""A classifier in pictures: where it draws its borders, how its loss fell, what it confuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, bad_argument
from .panels import draw_losses
from .style import INK, SMALL, TEXT, dress, figure_with_panels, limits, literal, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[Any]]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#444444")
"""Okabe and Ito's colours, which people with any colour vision can tell apart."""

GRID = 160  # points along an axis, where the borders are looked for
MOST_POINTS = 2000
MOST_NAMED = 12  # classes whose names and counts there is room for


def classification_figure(
    x: Array,
    y: Array,
    *,
    predict: Callable[[Array], Array],
    history: Any,
    confusion: Array,
    x_names: Sequence[str],
    y_name: str,
    labels: Sequence[str],
) -> Figure:
    """Borders between classes (of two features), the loss by step, and the confusion matrix.

    Shapes: x (rows, features), y (rows,) from 0; `predict` gives probabilities (rows, classes) for
    rows of features; confusion (classes, classes), rows true. Other than with two features and at
    most eight classes there is no panel of borders.

    Raises `ArgumentError` where labels and confusion do not fit, `MissingExtraError` without
    matplotlib.

    >>> figure = classification_figure(
    ...     np.eye(2), np.array([0, 1]), predict=lambda x: x, confusion=np.eye(2, dtype=int),
    ...     history=tg.History([0.7, 0.1], {}, [], 1, "limit", "", 0.1),
    ...     x_names=["a", "b"], y_name="kind", labels=["no", "yes"])
    >>> len(figure.axes)
    3
    """
    if np.shape(confusion) != (len(labels), len(labels)):
        expected, given = f"({len(labels)}, {len(labels)})", np.shape(confusion)
        wrong = "the confusion matrix does not fit the labels"
        raise ArgumentError(
            bad_argument("classification_figure", wrong, expected=expected, given=given)
        )
    bordered = x.shape[1] == 2 and len(labels) <= len(COLORS)
    figure, panels = figure_with_panels(2 + bordered)
    if bordered:
        draw_borders(panels[0], x, y, predict, x_names, y_name, labels)
    draw_losses(panels[-2], history, None)
    draw_confusion(panels[-1], np.asarray(confusion), y_name, labels)
    return figure


def draw_borders(
    ax: Axes,
    x: Array,
    y: Array,
    predict: Callable[[Array], Array],
    x_names: Sequence[str],
    y_name: str,
    labels: Sequence[str],
) -> None:
    """Each class's part of the plane in its colour, the stronger the surer, and the rows."""
    wide, high = limits(x[:, 0]), limits(x[:, 1])
    places = np.stack(
        np.meshgrid(np.linspace(*wide, GRID), np.linspace(*high, GRID)), axis=-1
    )  # (GRID, GRID, 2)
    p = predict(places.reshape(-1, 2)).reshape(GRID, GRID, -1)
    colors = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLORS])
    sure = (p.max(axis=-1) - 1 / len(labels)) / (1 - 1 / len(labels))
    strength = 0.12 + 0.28 * np.clip(sure, 0, 1)[..., None]
    image = 1 - strength * (1 - colors[p.argmax(axis=-1)])
    ax.imshow(image, origin="lower", extent=(*wide, *high), aspect="auto", interpolation="nearest")
    step = -(-len(x) // MOST_POINTS)
    drawn = np.random.default_rng(0).permutation(len(x))[: -(-len(x) // step)]  # in no rhythm
    across = 3 if len(labels) <= 6 else 4  # names beside each other: two rows have room
    longest = 13 if across == 3 else 9
    for place, name in enumerate(labels):
        rows = x[drawn][y[drawn] == place]
        color, text = COLORS[place], literal(name, longest)
        ax.scatter(
            rows[:, 0], rows[:, 1], s=14, color=color, edgecolor="white", linewidth=0.4, label=text
        )
    if step > 1:
        write(ax, wide[1], high[0], f"one row in {step}", (-4, 4), ha="right", va="bottom")
    dress(ax, "Where it draws its borders", [], *(literal(name) for name in x_names))
    legend = ax.legend(
        title=literal(y_name) if len(labels) <= 3 else None, loc="lower left",
        bbox_to_anchor=(0, 1.0), borderaxespad=0.2, ncols=across, frameon=False, fontsize=SMALL,
        title_fontsize=SMALL, alignment="left", borderpad=0, handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip
    for written in (*legend.get_texts(), legend.get_title()):
        written.set_parse_math(False)


def draw_confusion(ax: Axes, counts: Array, y_name: str, labels: Sequence[str]) -> None:
    """The share of each true class that was taken for each, with the rows it stands for."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="equal")
    right = f"{np.trace(counts) / max(counts.sum(), 1):.1%} of {counts.sum()} rows are right"
    dress(ax, "What it takes for what", [right], "predicted", f"true {literal(y_name)}")
    named = len(labels) <= MOST_NAMED
    places = range(len(labels)) if named else []
    names = [literal(label, 12) for label in labels] if named else []
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(list(places), names)
        for text in axis.get_ticklabels():
            text.set_parse_math(False)
    ax.tick_params(length=0)
    if named and max(map(len, names)) * len(names) > 24:
        for text in ax.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    for i, j in np.ndindex(counts.shape) if named else ():
        color = "white" if shares[i, j] > 0.6 else INK
        size = TEXT if len(labels) <= 6 else SMALL - 1
        ax.text(j, i, str(counts[i, j]), ha="center", va="center", color=color, fontsize=size)
