"""`classification_figure`: a classifier's decision boundary, loss, and confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...support.abstract_array import Array
from ...support.type_names import Figure
from ...support.validation import check_callable, check_list, check_text, real_array, short_repr
from ..style import (
    PRINT,
    SMALL,
    TEXT,
    blend,
    clean_name,
    get_colors,
    make_panels,
    show_literally,
    style_axes,
)
from .boundary import draw_borders, draw_class_key
from .curves import draw_losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["classification_figure"]


MAX_NAMED = 12  # classes whose names and counts there is room for


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
    dark: bool = False,
) -> Figure:
    """Draw the decision boundary, the loss by step, and the confusion matrix.

    Shapes: x (rows, features), y (rows,) from 0; `predict` returns probabilities (rows, classes)
    for rows of features; confusion (classes, classes), with true classes as rows; `dark` is for a
    dark page. The boundary is drawn only for two features and at most eight classes.

    Raises `ArgumentError` if labels and confusion don't match, `MissingExtraError` without
    matplotlib.

    >>> figure = classification_figure(
    ...     np.eye(2), np.array([0, 1]), predict=lambda x: x, confusion=np.eye(2, dtype=int),
    ...     history=tg.History([0.7, 0.1], {}, [], 1, "limit", "", 0.1),
    ...     x_names=["a", "b"], y_name="kind", labels=["no", "yes"])
    >>> len(figure.axes)
    3
    """
    where = "classification_figure"
    x, y = real_array(where, "x", x), real_array(where, "y", y)
    labels = [str(label) for label in check_list(where, "labels", labels, "a list of names")]
    x_names = check_list(where, "x_names", x_names, "a list of names")
    confusion = real_array(where, "confusion", confusion)
    check_text(where, "y_name", y_name)
    if not hasattr(history, "losses"):
        raise ArgumentError(
            f"{where}: history must be what fit returned, got {short_repr(history)}"
        )
    if x.ndim != 2 or y.shape != x.shape[:1] or len(x_names) != x.shape[1]:
        raise ShapeError(
            f"{where}: x must have shape (rows, features), y (rows,), and x_names a name for each "
            f"feature, got x {x.shape}, y {y.shape}, {len(x_names)} names"
        )
    if np.shape(confusion) != (len(labels), len(labels)):
        raise ArgumentError(
            f"{where}: confusion must have shape ({len(labels)}, {len(labels)}), "
            f"a row and a column for each label, got {np.shape(confusion)}"
        )
    bordered = x.shape[1] == 2 and len(labels) <= len(PRINT.classes)
    figure, panels = make_panels(2 + bordered, dark=dark)
    if bordered:
        check_callable(where, "predict", predict)
        points = draw_borders(panels[0], x, y, predict, len(labels))
        names = [clean_name(str(name)) for name in x_names]
        style_axes(panels[0], "The decision boundary", [], *names)
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0)}
        draw_class_key(panels[0], points, labels, y_name, **place)
    draw_losses(panels[-2], history, None)
    draw_confusion(panels[-1], confusion, y_name, labels)
    return figure


def draw_confusion(ax: Axes, counts: Array, y_name: str, labels: Sequence[str]) -> None:
    """Draw the confusion matrix: colours are shares of the true class, numbers count rows."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colors = get_colors(ax)
    ax.imshow(blend(colors.paper, colors.model, 0.85 * shares), aspect="equal")
    right = f"{np.trace(counts) / max(counts.sum(), 1):.1%} of {counts.sum()} rows correct"
    style_axes(ax, "The confusion matrix", [right], "predicted", f"true {clean_name(y_name)}")
    named = len(labels) <= MAX_NAMED
    places = range(len(labels)) if named else []
    names = [clean_name(label, 12) for label in labels] if named else []
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(list(places), names)
        show_literally(*axis.get_ticklabels())
    ax.tick_params(length=0)
    if named and max(map(len, names)) * len(names) > 24:
        for text in ax.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    for i, j in np.ndindex(counts.shape) if named else ():
        color = colors.paper if shares[i, j] > 0.6 else colors.ink
        size = TEXT if len(labels) <= 6 else SMALL - 1
        ax.text(j, i, str(counts[i, j]), ha="center", va="center", color=color, fontsize=size)
