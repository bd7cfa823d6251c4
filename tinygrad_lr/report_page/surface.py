"""The loss over a plane of weights, with the path that the run took through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..linear import closed_form
from ..support.abstract_array import Array
from .document import rounded
from .frames import DRAWABLE, Moments
from .model_copy import Twin

GRID_LINE, GRID = 41, 27  # points along an axis
ASPECT = 1.45  # the picture is so much wider than high
FAR = 5.0  # a path that runs away is shown up to this many times its first distance


def line_surface(twin: Twin, moments: Moments, x: Array, y: Array) -> dict[str, Any] | None:
    """L(w, b) of a line through one feature x (n,): over the whole path, around the minimum."""
    try:
        line = closed_form(x.astype(np.float64), y.astype(np.float64))
        lowest = np.array([float(np.asarray(line.slope)), line.intercept])
    except ArgumentError:
        lowest = moments.weights[moments.best]
    path = _followed(moments.weights, lowest)
    found = _measured(twin, path, lowest, np.zeros(2), np.eye(2), GRID_LINE, 60.0)
    if found is None:
        return None
    return {**found, "kind": "line", "minimum": lowest}


def widest_surface(twin: Twin, moments: Moments) -> dict[str, Any] | None:
    """The plane in which the run moved most: the first two principal directions of its path.

    Distances in it are those between weights. The share of the path's variance that lies in the
    plane is told, since the rest of the path lies off it.

    Source: Lorch, "Visualizing Deep Network Training Trajectories with PCA", 2016.
    """
    path = _followed(moments.weights, moments.weights[moments.best])
    if len(path) < 3:
        return None
    middle = path[-1]
    try:
        _, sizes, directions = np.linalg.svd(path - middle, full_matrices=False)
    except np.linalg.LinAlgError:  # numbers too large for it
        return None
    if len(sizes) < 2 or not sizes[1] > 1e-9 * sizes[0]:
        return None
    signs = np.sign(directions[:2] @ (path[-1] - path[0]))  # of two ways, that of the run
    directions = directions[:2] * np.where(signs == 0, 1.0, signs)[:, None]
    flat = (path - middle) @ directions.T
    share = float((sizes[:2] ** 2).sum() / (sizes**2).sum())
    found = _measured(twin, flat, np.zeros(2), middle, directions, GRID, np.inf)
    return None if found is None else {**found, "kind": "principal", "share": share}


def _measured(
    twin: Twin,
    path: Array,
    center: Array,
    origin: Array,
    directions: Array,
    points: int,
    alike: float,
) -> dict[str, Any] | None:
    """The loss at origin + a·first + b·second over a grid around the path."""
    low, high = np.minimum(path.min(axis=0), center), np.maximum(path.max(axis=0), center)
    room = high - low
    if room.max() < alike * room.min():  # one scale for both: a round bowl is round
        middle, room = (low + high) / 2, np.array([ASPECT, 1.0]) * max(room[0] / ASPECT, room[1])
        low, high = middle - room / 2, middle + room / 2
    room = np.where(room > 1e-12 * np.abs(high).max(initial=1e-300), room, room.max())
    room = np.where(room > 0, room, 1.0)
    axes = [
        np.linspace(a - 0.3 * r, b + 0.3 * r, points)
        for a, b, r in zip(low, high, room, strict=True)
    ]
    if not all(np.isfinite(axis).all() and np.abs(axis).max() < DRAWABLE for axis in axes):
        return None
    losses = [
        [
            twin.loss(twin.named_weights(origin + a * directions[0] + b * directions[1]))
            for a in axes[0]
        ]
        for b in axes[1]
    ]
    return {"a": axes[0], "b": axes[1], "losses": rounded(losses), "path": rounded(path, 9)}


def _followed(path: Array, lowest: Array) -> Array:
    """The path up to where it leaves the picture for good, two moments at least."""
    away = np.linalg.norm(path - lowest, axis=1)
    first = float(away[:2].max(initial=0.0)) or 1.0
    beyond = ~(away <= FAR * first)
    end = int(np.argmax(beyond)) if beyond.any() else len(path)
    return path[: max(end, min(2, len(path)))]
