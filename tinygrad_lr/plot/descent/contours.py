"""`loss_contours`: the loss over w and b, seen from above, with the path of descent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...errors import ArgumentError
from ...nn import Module
from ...support.abstract_array import Array
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ...support.validation import check_text, short_repr
from ...train.model_copy import ModelCopy
from ..style import clean_name, make_panels, style_axes
from .arguments import Loss, check_history, check_names, check_rows, describe_loss
from .curves import describe_end
from .frame_selection import HistoryLike, find_final_record, weights_at
from .loss_slice import ParameterEntry, describe_held, label_entry, parse_entry
from .loss_surface import (
    Bowl,
    DescentPath,
    compute_heights,
    draw_contours,
    draw_descent_path,
    find_lowest_inside,
    fit_bowl,
    mark_lowest,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["loss_contours"]


GRID_EXACT = 161  # points along an axis where the loss is a known quadratic
MAX_LOSSES, MAX_NUMBERS = 2500, 2e9  # computed where it is not; of x in all of them
MAX_ROUND_RATIO = 3.0  # curvatures whose ratio is less make a round bowl


def loss_contours(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    history: HistoryLike,
    *,
    loss: Loss = losses.mse,
    weights: tuple[str, str] | None = None,
    x_name: str | Sequence[str] = "x",
    w_label: str | None = None,
    b_label: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw the loss L(w, b) from above: contours, the path of descent, the minimum.

    Both axes show an equal part of the valley: w and b are in units of 1/√H_ww and 1/√H_bb, where
    H is the Hessian. So a round bowl (a standardised feature) and a narrow valley (raw scores,
    whose curvatures differ by a factor of 580 000) both fill the picture. If those units differ,
    steps don't cross the contours at right angles. Contours of a quadratic loss (a line under
    `mse`) are exact, and its curvatures, the eigenvalues, are written above the picture.

    - `model`, `x`, `y`, `loss`: as passed to `fit`; `history`: what it returned
    - `weights`: the two to show, such as ("layers.0.weight[1, 2]", "layers.0.bias[2]"); required
      if the model has more than two. The others are held where they ended (after a divergence,
      at the recorded step with the smallest loss), and the path is projected
    - `x_name`: name of the feature; `w_label`, `b_label`: labels of the axes, with units
    - `dark`: use colours for a dark page, not for print

    A diverging path is shown up to four times its initial distance.

    Raises `ArgumentError` unless two weights can be chosen, and for a history of another model,
    `ShapeError` if x and y don't match, `MissingExtraError` without matplotlib.

    >>> x, y = np.array([-1.0, 1.0]), np.array([-2.0, 4.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> history = tg.fit(line, x, y, learning_rate=0.1)
    >>> print(loss_contours(line, x, y, history).axes[0].texts[-1].get_text())
    a round bowl: it curves by 2 in every direction
    converged after 163 steps
    """
    where = "loss_contours"
    w_label = None if w_label is None else check_text(where, "w_label", w_label)
    b_label = None if b_label is None else check_text(where, "b_label", b_label)
    rows, target = check_rows(where, model, x, y)
    tracks = check_history(where, model, history)
    entries = _choose_entries(where, tracks, weights)
    names = [clean_name(name) for name in check_names(where, rows, x_name)]
    last = find_final_record(history)
    at = weights_at(tracks, last)
    loss_at = ModelCopy(model, np.float64).on(rows, target, loss)

    def height(a: float, b: float) -> float:
        return loss_at(entries[1].put(entries[0].put(at, a), b))

    path = np.column_stack([entry.track(tracks) for entry in entries])  # (records, 2)
    figure, (panel,) = make_panels(1, panel=(6.6, 6.2), dark=dark)
    with np.errstate(all="ignore"):
        course = DescentPath(history.weight_steps, path, last)
        bowl = draw_valley(panel, height, course, rows.size)
        details = [_describe_shape(bowl), describe_end(history)]
        rest = describe_held(
            at, entries, history.weight_steps[last] if last < len(path) - 1 else None
        )
        labels = [
            w_label or label_entry(entries[0], at, names),
            b_label or _name_second(entries, at),
        ]
        title = f"The {describe_loss(loss)}, from above"
        style_axes(panel, title, [t for t in (*details, rest) if t],
              *(clean_name(text, 60) for text in labels), lines=3 if rest else 2)  # fmt: skip
    return figure


def draw_valley(ax: Axes, height: Any, course: DescentPath, size: int) -> Bowl | None:
    """Draw contours around the path and the minimum; return the loss's quadratic, if it is one."""
    extent = np.abs(course.points - course.ends).max(axis=0, initial=0.0)
    scale = np.where(extent > 0, extent, np.abs(course.ends))
    scale = np.where(scale > 0, scale, 1.0)
    bowl = fit_bowl(height, course.ends, scale)
    computed = min(math.sqrt(MAX_LOSSES), max(15, math.sqrt(MAX_NUMBERS / size)))
    side = int(computed) if bowl is None else GRID_EXACT
    a, b = (
        np.linspace(middle - 1.2 * reach, middle + 1.2 * reach, side)
        for middle, reach in zip(*_choose_window(course, bowl, scale), strict=True)
    )
    heights = compute_heights(height, a, b) if bowl is None else bowl(*np.meshgrid(a, b))
    draw_contours(ax, a, b, heights)
    if bowl is not None:
        told = "minimum" if bowl.single else "a minimum, one of many"
        mark_lowest(ax, course, bowl.bottom, f"{told}, loss {number_text(bowl.lowest)}")
    elif found := find_lowest_inside(a, b, heights):
        mark_lowest(ax, course, found[0], f"lowest here, loss {number_text(found[1])}")
    draw_descent_path(ax, course)
    return bowl


def _choose_window(course: DescentPath, bowl: Bowl | None, scale: Array) -> tuple[Array, Array]:
    """Return the center of the picture, and half its width and height."""
    points = np.vstack([course.points, course.ends])
    if bowl is None:
        low, high = points.min(axis=0), points.max(axis=0)
        half = np.where(high > low, (high - low) / 2, scale)
        return (low + high) / 2, np.maximum(half, 0.05 * scale)
    bends = np.sqrt(np.diag(bowl.hessian))
    sizes = np.where(bends > 0, 1 / bends, math.inf)
    away = np.abs(points - bowl.bottom)
    reach = float((away / sizes).max())
    reach = reach or 0.5 * float(np.abs(bowl.bottom / sizes).max()) or 1.0
    flat = np.maximum(away.max(axis=0), scale)
    return bowl.bottom, np.where(np.isfinite(sizes), reach * sizes, flat)


def _choose_entries(
    where: str, tracks: Mapping[str, Array], given: tuple[str, str] | None
) -> list[ParameterEntry]:
    """Return the two weights to show: those named, or the only two of the model."""
    if given is not None:
        given = given if isinstance(given, (tuple, list)) else (given,)
        entries = [parse_entry(where, tracks, text) for text in given]
        if len(entries) == 2 and entries[0] != entries[1]:
            return entries
        raise ArgumentError(
            f"{where}: weights must be two different entries of parameters, got {short_repr(given)}"
        )
    found = [
        ParameterEntry(name, tuple(int(i) for i in place))
        for name, records in tracks.items()
        if records[0].size <= 2
        for place in np.ndindex(records.shape[1:])
    ]
    total = sum(records[0].size for records in tracks.values())
    if total != 2:
        raise ArgumentError(
            f"{where}: weights must name two of the model's {group_digits(total)}, got none; pass "
            f"two, such as weights=({_suggest_entries(tracks)})"
        )
    return found


def _suggest_entries(tracks: Mapping[str, Array]) -> str:
    """Return the names of two entries of the model."""
    found = [
        f"{clean_name(name, 40)}{list(place) if place else ''}"
        for name, records in tracks.items()
        for place in list(np.ndindex(records.shape[1:]))[:2]
    ]
    return ", ".join(repr(text) for text in found[:2])


def _name_second(entries: Sequence[ParameterEntry], at: Mapping[str, Array]) -> str:
    """Return the name of the second weight: b for the only bias of a line."""
    only = at[entries[1].parameter].size == 1 and len(at) == 2
    return "b, the bias" if only and "bias" in entries[1].parameter else str(entries[1])


def _describe_shape(bowl: Bowl | None) -> str:
    """Describe the shape of the valley."""
    if bowl is None:
        return "not quadratic: its shape changes with the other weights"
    large, small = bowl.curvatures()
    if not bowl.single:
        return f"a trough: it curves by {number_text(large)} across, and is flat along"
    if large < 1.01 * small:
        return f"a round bowl: it curves by {number_text(large)} in every direction"
    ratio = large / small
    times = group_digits(round(ratio)) if ratio >= 10 else number_text(ratio)
    kind = "a round bowl" if ratio < MAX_ROUND_RATIO else "a narrow valley"
    told = [group_digits(round(c)) if c >= 1000 else number_text(c) for c in (large, small)]
    return f"{kind}: {times} times as curved across ({told[0]}) as along ({told[1]})"
