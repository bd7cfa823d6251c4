"""`decision_boundary`: the decision boundary of a classifier as it learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import LabelError, ShapeError
from ...nn import Module
from ...support.abstract_array import Array
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ...support.validation import check_list, check_text
from ...train.model_copy import ModelCopy
from ..style import (
    PRINT,
    SMALL,
    blend,
    clean_name,
    get_colors,
    make_panels,
    pad_limits,
    show_literally,
    style_axes,
    write,
)
from .arguments import check_history, check_names, check_rows
from .frame_selection import HistoryLike, find_final_record, select_frames, weights_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["decision_boundary"]


GRID = 160  # points along an axis, where the boundary is computed
MAX_POINTS = 2000
DEFAULT_FRAMES, COLUMNS = 6, 3


def decision_boundary(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    history: HistoryLike,
    *,
    steps: Sequence[int] | None = None,
    x_names: Sequence[str] = ("x₁", "x₂"),
    y_name: str = "class",
    labels: Sequence[str] | None = None,
    dark: bool = False,
) -> Figure:
    """Draw the decision boundary of a classifier of two features at six steps of its training.

    The plane has the colour of the most probable class, stronger where the model is more certain.
    The boundary is where two classes are equally probable. Each panel shows its step, the loss
    at that step, and the accuracy.

    - `model`, `x`, `y`: as passed to `fit`; `history`: what it returned. The model returns logits,
      (rows, classes), or (rows, 1) for two classes
    - `y`: labels from 0, (rows,); or 0 and 1, or -1 and 1 (as for `hinge`), (rows,) or (rows, 1)
    - `steps`: the steps to show (the nearest recorded ones); default: six, well apart
    - `x_names`, `y_name`, `labels`: names of the features, the target, and each class
    - `dark`: use colours for a dark page, not for print

    Raises `ShapeError` unless there are two features and x and y match, `LabelError` for labels
    that aren't classes of the model or for more than eight classes, `ArgumentError` for a history
    of another model, `MissingExtraError` without matplotlib.

    >>> moons = tg.datasets.moons(40, noise=0.1, generator=0)
    >>> network = tg.nn.MLP(2, [4], 2, "tanh", generator=0)
    >>> history = tg.fit(network, moons.x, moons.y, loss=tg.losses.cross_entropy, steps=20)
    >>> figure = decision_boundary(network, moons.x, moons.y, history, steps=[0, 5, 20])
    >>> [panel.get_title("left") for panel in figure.axes]
    ['Step 0', 'Step 5', 'Step 20']
    """
    where = "decision_boundary"
    rows, target = check_rows(where, model, x, y)
    weights = check_history(where, model, history)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ShapeError(
            f"{where}: x must have two features, (n, 2), got {rows.shape}; choose two columns of x"
        )
    names = check_names(where, rows, x_names)
    check_text(where, "y_name", y_name)
    given = None if labels is None else check_list(where, "labels", labels, "a list of names")
    twin = ModelCopy(model)
    chosen = select_frames(where, history, DEFAULT_FRAMES, steps)
    columns = _compute_probabilities(where, twin.predict(rows[:1])).shape[1]
    classes = _check_classes(where, target, columns)
    called = [str(label) for label in (range(columns) if given is None else given)]
    if len(called) != columns:
        raise ShapeError(
            f"{where}: labels must be {columns} names, one for each class, got {len(called)}"
        )
    last = find_final_record(history)
    figure, panels = make_panels(
        len(chosen), columns=min(COLUMNS, len(chosen)), panel=(4.2, 4.3), dark=dark
    )
    with np.errstate(all="ignore"):
        for i, ax in enumerate(panels):
            twin.put(weights_at(weights, chosen[i]))

            def predict(places: Array) -> Array:
                return _compute_probabilities(where, twin.predict(places))

            points = draw_borders(ax, rows, classes, predict, columns)
            step = history.weight_steps[chosen[i]]
            right = float(np.mean(predict(rows).argmax(axis=1) == classes))
            told = [f"{right:.1%} of {group_digits(len(rows))} rows correct"]
            if step < len(history.losses):
                told.insert(0, f"loss {number_text(history.losses[step])}")
            early = chosen[i] == last != len(history.weight_steps) - 1
            title = f"Step {group_digits(step)}{', kept' if early else ''}"
            across = clean_name(names[0]) if i + COLUMNS >= len(panels) else ""
            up = clean_name(names[1]) if i % COLUMNS == 0 else ""
            style_axes(ax, title, [", ".join(told)], across, up, lines=1)
    draw_class_key(figure, points, called, y_name, loc="outside upper left", markerscale=1.6)
    return figure


def _compute_probabilities(where: str, output: Array) -> Array:
    """Return probabilities (rows, classes) from logits, (rows, classes) or (rows, 1)."""
    logits = output.reshape(len(output), -1).astype(np.float64)
    if output.ndim > 2:
        raise ShapeError(
            f"{where}: model must return logits (rows, classes) or (rows, 1), got {output.shape}"
        )
    if logits.shape[1] == 1:
        logits = np.column_stack([np.zeros(len(logits)), logits])
    if logits.shape[1] > len(PRINT.classes):
        raise LabelError(
            f"{where}: model must have at most {len(PRINT.classes)} classes, got {logits.shape[1]}"
        )
    with np.errstate(all="ignore"):
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(np.nan_to_num(shares / shares.sum(axis=1, keepdims=True)))


def _check_classes(where: str, y: Array, count: int) -> Array:
    """Return labels from 0, (rows,), from labels, 0 and 1, or -1 and 1."""
    flat = y.reshape(-1) if y.size == len(y) else y
    found = np.unique(flat)
    if flat.ndim == 1 and count == 2 and set(found.tolist()) <= {-1.0, 1.0}:
        return (flat > 0).astype(int)
    if flat.ndim != 1 or not np.isin(found, range(count)).all():
        raise LabelError(
            f"{where}: y must be labels from 0 to {count - 1}, (rows,), "
            f"got shape {y.shape} with {found[:8]}"
        )
    return flat.astype(int)


def draw_borders(
    ax: Axes, x: Array, y: Array, predict: Callable[[Array], Array], count: int
) -> list[Any]:
    """Draw the plane in the colours of the most probable classes, and the rows.

    Return the points of each class, for a key.
    """
    colors = get_colors(ax)
    wide, high = pad_limits(x[:, 0]), pad_limits(x[:, 1])
    across, up = np.linspace(*wide, GRID), np.linspace(*high, GRID)
    places = np.stack(np.meshgrid(across, up), axis=-1)  # (GRID, GRID, 2)
    p = predict(places.reshape(-1, 2)).reshape(GRID, GRID, -1)
    shades = np.array([blend(color, color, 0.0) for color in colors.classes])
    sure = (p.max(axis=-1) - 1 / count) / (1 - 1 / count)
    strength = 0.12 + 0.28 * np.clip(sure, 0, 1)
    image = blend(colors.paper, shades[p.argmax(axis=-1)], strength)
    ax.imshow(image, origin="lower", extent=(*wide, *high), aspect="auto", interpolation="nearest")
    for place in range(count if count > 2 else 1):
        lead = p[..., place] - np.delete(p, place, axis=-1).max(axis=-1)
        if lead.min() < 0 < lead.max():
            ax.contour(across, up, lead, levels=[0.0], colors=[colors.ink], linewidths=0.9)
    step = -(-len(x) // MAX_POINTS)
    drawn = np.random.default_rng(0).permutation(len(x))[: -(-len(x) // step)]  # in no rhythm
    points = []
    for place in range(count):
        rows = x[drawn][y[drawn] == place]
        look: dict[str, Any] = {
            "color": colors.classes[place],
            "edgecolor": colors.paper,
            "linewidth": 0.4,
        }
        points.append(ax.scatter(rows[:, 0], rows[:, 1], s=14, **look))
    if step > 1:
        write(ax, wide[1], high[0], f"one row in {step}", (-4, 4), ha="right", va="bottom")
    return points


def draw_class_key(
    place: Axes | Figure, points: Sequence[Any], labels: Sequence[str], y_name: str, **where: Any
) -> None:
    """Draw the key to the classes, above a panel or a figure, in at most two rows."""
    ink = get_colors(points[0].axes).ink
    across = 3 if len(labels) <= 6 else 4
    legend = place.legend(
        points, [clean_name(name, 13 if across == 3 else 9) for name in labels],
        title=clean_name(y_name) if len(labels) <= 3 else None, borderaxespad=0.2, ncols=across,
        frameon=False, fontsize=SMALL, title_fontsize=SMALL, alignment="left", borderpad=0,
        handletextpad=0.1, columnspacing=0.8, labelcolor=ink, **where,
    )  # fmt: skip
    legend.get_title().set_color(ink)
    show_literally(*legend.get_texts(), legend.get_title())
