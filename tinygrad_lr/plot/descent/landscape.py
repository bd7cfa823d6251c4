"""`loss_landscape`: a network's loss in a plane through its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...errors import ArgumentError
from ...nn import Module
from ...support.abstract_array import Array
from ...support.random_state import Seed, as_generator
from ...support.text_format import group_digits, number_text
from ...support.type_names import Figure
from ...support.validation import check_choice, check_number
from ...train.model_copy import ModelCopy
from ..style import DRAWABLE, make_panels, style_axes
from .arguments import Loss, check_history, check_rows, describe_loss
from .frame_selection import HistoryLike, find_final_record
from .loss_surface import (
    DescentPath,
    compute_heights,
    draw_contours,
    draw_descent_path,
    find_lowest_inside,
    mark_lowest,
    principal_directions,
)

__all__ = ["loss_landscape"]

Weights = dict[str, Array]

GRIDS = 51, 21  # points along an axis, and in the costliest pictures
MIN_ROWS = 64
MAX_WORK = 2e10  # multiplications in all: two or three seconds


def loss_landscape(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    history: HistoryLike | None = None,
    *,
    loss: Loss = losses.mse,
    plane: str = "random",
    reach: float = 1.0,
    generator: Seed = 0,
    dark: bool = False,
) -> Figure:
    """Draw a network's loss in a plane through its weights θ: L(θ + α d₁ + β d₂), as contours.

    With `plane="random"`, the directions d₁ and d₂ are drawn from a normal distribution and then
    filter-normalised: each filter of d (the weights of one unit or channel) is scaled to the norm
    of the same filter of θ. So a step of 1 is as large as the weights themselves, and the
    sharpness of valleys can be compared between networks. Biases and other vectors don't change.
    A path of descent hardly moves in such a plane: most of it is perpendicular. With
    `plane="path"`, the directions are those in which the path of `history` varies most (its
    principal components), which show it best.

    - `model`, `x`, `y`, `loss`: as passed to `fit`; θ are the current weights of the model
    - `history`: what `fit` returned, to draw its path, projected onto the plane
    - `reach`: half the width of the picture, in units of the weights' own size; the picture is
      wider if the path needs it
    - `generator`: a numpy Generator, or a seed, to draw the directions from
    - `dark`: use colours for a dark page, not for print

    The loss is computed at 51 × 51 points (21 × 21 for a large network), on all rows, or on some
    of them if that is too much work: the picture then says so.

    Raises `ArgumentError` for another plane, a reach that is not positive, `plane="path"` without
    a history, or a history of another model; `ShapeError` if x and y don't match;
    `MissingExtraError` without matplotlib.

    Source: Li, Xu, Taylor, Studer, Goldstein, "Visualizing the Loss Landscape of Neural Nets",
    2018, sections 4 and 7.

    >>> moons = tg.datasets.moons(40, noise=0.1, generator=0)
    >>> network = tg.nn.MLP(2, [4], 2, "tanh", generator=0)
    >>> figure = loss_landscape(network, moons.x, moons.y, loss=tg.losses.cross_entropy)
    >>> figure.axes[0].get_xlabel()
    'α, along the first random direction'
    """
    where = "loss_landscape"
    rows, target = check_rows(where, model, x, y)
    check_choice(where, "plane", plane, ("random", "path"))
    reach = check_number(where, "reach", reach, positive=True)
    random = as_generator(where, generator)
    if history is None and plane == "path":
        raise ArgumentError(
            f"{where}: history must be given for plane='path', got None; pass what fit returned"
        )
    tracks = None if history is None else check_history(where, model, history)
    center = {name: parameter.numpy() for name, parameter in model.named_parameters()}
    if not center:
        raise ArgumentError(
            f"{where}: model must have parameters, got a {type(model).__name__} without any"
        )

    side, stride = _choose_grid(center, len(rows))
    twin = ModelCopy(model)
    loss_at = twin.on(rows[::stride], target[::stride], loss)
    middle = twin.flatten(center)
    away = None if tracks is None else twin.flatten_records(tracks) - middle
    figure, (panel,) = make_panels(1, panel=(6.6, 6.2), dark=dark)
    with np.errstate(all="ignore"):
        if plane == "path" and away is not None:
            directions, lengths = principal_directions(away[_drawable_rows(away)])
            squares = np.square(lengths)
            part = float(squares[:2].sum() / squares.sum()) if squares.any() else 1.0
            told = [f"the two main directions of the path, with {part:.0%} of its squared length"]
        else:
            drawn = [_draw_direction(center, random) for _ in range(2)]
            directions = np.array([twin.flatten(d) for d in drawn])
            told = ["two random directions, each filter scaled to the norm of the weights'"]
        course = DescentPath([0], np.zeros((1, 2)), 0)
        if history is not None and away is not None:
            path = _project(away, directions)
            course = DescentPath(history.weight_steps, path, find_final_record(history))
            if plane == "random":
                share = _describe_share(away[0], path[0], directions)
                told.append(f"they show {share} of the distance from the start")
        if stride > 1:
            shown = -(-len(rows) // stride)
            told.append(f"over {group_digits(shown)} of {group_digits(len(rows))} rows")
        a, b = _choose_axes(course, reach if plane == "random" else None, side)

        def height(i: float, j: float) -> float:
            return loss_at(twin.unflatten(middle + i * directions[0] + j * directions[1]))

        heights = compute_heights(height, a, b)
        draw_contours(panel, a, b, heights)
        if found := find_lowest_inside(a, b, heights):
            mark_lowest(panel, course, found[0], f"lowest here, loss {number_text(found[1])}")
        draw_descent_path(panel, course)
        names = ["α, along the first random direction", "β, along the second"]
        if plane == "path":
            names = [f"along the {n} direction of the path" for n in ("main", "second")]
        title = f"The {describe_loss(loss)} around the weights"
        style_axes(panel, title, told, *names, lines=len(told))
    return figure


def _choose_grid(center: Weights, rows: int) -> tuple[int, int]:
    """Return the number of points along an axis, and the stride of the rows to use."""
    numbers = sum(array.size for array in center.values())
    for side in GRIDS:
        most = max(MIN_ROWS, int(MAX_WORK / (side * side * numbers)))
        if most > MIN_ROWS:
            break
    return side, -(-rows // most)


def _draw_direction(center: Weights, random: np.random.Generator) -> Weights:
    """Return a random direction, each filter scaled to that of the weights; 0 for vectors.

    The filters of a Linear's weight (in, out) are its columns, those of a convolution's
    (out, in, height, width) are along its first axis.
    """
    direction = {}
    for name, array in center.items():
        d = random.standard_normal(array.shape)
        if array.ndim < 2:
            direction[name] = np.zeros(array.shape)
            continue
        axes = (0,) if array.ndim == 2 else tuple(range(1, array.ndim))
        own, drawn = (np.sqrt(np.sum(w * w, axis=axes, keepdims=True)) for w in (array, d))
        direction[name] = d * (own / np.maximum(drawn, 1e-300))
    return direction


def _drawable_rows(away: Array) -> Array:
    """Return which records have no numbers that are too large to draw."""
    return np.asarray((np.abs(away) < DRAWABLE).all(axis=1))


def _project(away: Array, directions: Array) -> Array:
    """Project the path onto the plane: the nearest point for each record, (records, 2)."""
    drawn = _drawable_rows(away)
    path = np.full((len(away), 2), np.nan)
    path[drawn] = away[drawn] @ np.linalg.pinv(directions)
    return path


def _describe_share(start: Array, point: Array, directions: Array) -> str:
    """Return the share of the distance from the start to the weights that the plane shows."""
    way, seen = np.linalg.norm(start), np.linalg.norm(point @ directions)
    return f"{seen / way:.0%}" if way > 0 else "all"


def _choose_axes(course: DescentPath, reach: float | None, side: int) -> tuple[Array, Array]:
    """Return the points along both axes: up to `reach`, or around the path."""
    points = np.vstack([course.points, course.ends])
    if reach is not None:
        far = max(reach, 1.1 * float(np.abs(points).max()))
        places = np.linspace(-far, far, side)
        return places, places
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.where(high > low, high - low, 0.0)
    size = np.maximum(size, 0.3 * size.max() or 1.0)
    middle = (low + high) / 2
    a, b = (np.linspace(m - 0.8 * s, m + 0.8 * s, side) for m, s in zip(middle, size, strict=True))
    return a, b
