"""Compute the loss over a plane of weights, with the path of the run in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..linear import closed_form
from ..plot.descent.loss_surface import compute_heights, principal_directions
from ..plot.style import DRAWABLE
from ..support.abstract_array import Array
from ..train.model_copy import LossAtWeights
from .document import round_digits
from .frames import Frames
from .schema import LineSurface, PrincipalSurface

GRID_LINE, GRID = 41, 27  # points along an axis
ASPECT = 1.45  # width of the picture over its height
FAR = 5.0  # a path that runs away is shown up to this many times its first distance


def line_surface(loss_at: LossAtWeights, frames: Frames, x: Array, y: Array) -> LineSurface | None:
    """Compute L(w, b) for a line of one feature x (n,), around the minimum and the path."""
    try:
        line = closed_form(x.astype(np.float64), y.astype(np.float64))
        lowest = np.array([float(np.asarray(line.slope)), line.intercept])
    except ArgumentError:
        lowest = frames.weights[frames.best]
    path = _cut_path(frames.weights, lowest)
    plane = Plane(np.zeros(2), np.eye(2))
    axes = _choose_axes(path, lowest, GRID_LINE, round_ratio=60.0)
    if axes is None:
        return None
    return {
        "kind": "line",
        "a": axes[0],
        "b": axes[1],
        "losses": plane.losses(loss_at, *axes),
        "path": round_digits(path, 9),
        "minimum": lowest,
    }


def principal_surface(loss_at: LossAtWeights, frames: Frames) -> PrincipalSurface | None:
    """Compute the loss in the plane in which the run moved most: its principal directions.

    Distances in the plane are those between weights. `share` is the share of the path's variance
    in the plane; the rest of the path is outside it.
    """
    path = _cut_path(frames.weights, frames.weights[frames.best])
    if len(path) < 3:
        return None
    try:
        directions, lengths = principal_directions(path - path[-1])
    except np.linalg.LinAlgError:  # numbers too large for it
        return None
    if len(lengths) < 2 or not lengths[1] > 1e-9 * lengths[0]:
        return None
    plane = Plane(path[-1], directions)
    flat = (path - path[-1]) @ directions.T
    axes = _choose_axes(flat, np.zeros(2), GRID, round_ratio=np.inf)
    if axes is None:
        return None
    squares = lengths**2
    return {
        "kind": "principal",
        "a": axes[0],
        "b": axes[1],
        "losses": plane.losses(loss_at, *axes),
        "path": round_digits(flat, 9),
        "share": float(squares[:2].sum() / squares.sum()),
    }


class Plane(NamedTuple):
    """The weights origin + a·first + b·second."""

    origin: Array
    directions: Array  # (2, numbers)

    def losses(self, loss_at: LossAtWeights, a: Array, b: Array) -> Array:
        """Compute the losses over a grid, (b, a)."""

        def height(i: float, j: float) -> float:
            flat = self.origin + i * self.directions[0] + j * self.directions[1]
            return loss_at(loss_at.twin.unflatten(flat))

        return round_digits(compute_heights(height, a, b))


def _choose_axes(
    path: Array, center: Array, points: int, round_ratio: float
) -> tuple[Array, Array] | None:
    """Return the points along both axes: around the path, on one scale if its shape permits."""
    low, high = np.minimum(path.min(axis=0), center), np.maximum(path.max(axis=0), center)
    room = high - low
    if room.max() < round_ratio * room.min():  # one scale for both: a round bowl is round
        middle, room = (low + high) / 2, np.array([ASPECT, 1.0]) * max(room[0] / ASPECT, room[1])
        low, high = middle - room / 2, middle + room / 2
    room = np.where(room > 1e-12 * np.abs(high).max(initial=1e-300), room, room.max())
    room = np.where(room > 0, room, 1.0)
    a, b = (
        np.linspace(start - 0.3 * r, end + 0.3 * r, points)
        for start, end, r in zip(low, high, room, strict=True)
    )
    if not all(np.isfinite(axis).all() and np.abs(axis).max() < DRAWABLE for axis in (a, b)):
        return None
    return a, b


def _cut_path(path: Array, lowest: Array) -> Array:
    """Return the path until it leaves the picture for good, at least two frames."""
    away = np.linalg.norm(path - lowest, axis=1)
    first = float(away[:2].max(initial=0.0)) or 1.0
    beyond = ~(away <= FAR * first)
    end = int(np.argmax(beyond)) if beyond.any() else len(path)
    return path[: max(end, min(2, len(path)))]
