"""Choose which recorded steps of a descent to show: the last good one, and a few well apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...errors import ArgumentError
from ...support.abstract_array import Array
from ...support.thinning import thin_steps
from ...support.validation import check_integer, check_list
from ..style import DRAWABLE

MAX_RISES = 0.25  # of the steps: if more of them raise the loss, it is that of batches
DENSE_POINTS, MAX_POINTS = 12, 40  # of a path: the first ones all, later ones ever fewer
FAR = 4.0  # a path that runs away is shown up to this many times its first distance


class HistoryLike(Protocol):
    """The part of a `History` that plots need."""

    losses: list[float]
    weights: dict[str, Array]
    weight_steps: list[int]
    steps: int
    reason: str
    learning_rate: float


def select_frames(
    where: str, history: HistoryLike, count: int, steps: Sequence[int] | None = None
) -> list[int]:
    """Return the indices of records at even distances: the first, some in between, the last.

    The distance is measured by √(L - L at the end), which near a minimum is proportional to the
    distance from it. For a descent that diverged, they are the first records and the one that was
    kept. If `steps` are given, they are the nearest records instead.

    Raises `ArgumentError` for anything but integers >= 0.

    >>> history = tg.History([9.0, 4.0, 1.0, 0.0], {"w": np.zeros((4, 1))}, [0, 1, 2, 3], 3,
    ...                      "limit", "", 0.1)
    >>> select_frames("a picture", history, 2), select_frames("a picture", history, 9, [0, 2])
    ([0, 3], [0, 2])
    """
    recorded = np.asarray(history.weight_steps)
    if steps is not None:
        listed = isinstance(steps, Iterable)
        wanted = check_list(where, "steps", steps, "a list of integers") if listed else [steps]
        if not wanted:
            raise ArgumentError(f"{where}: steps must be one or more integers >= 0, got {steps!r}")
        wanted = [check_integer(where, "steps", step) for step in wanted]
        nearest = {int(np.abs(recorded - step).argmin()) for step in wanted}
        return sorted(nearest)
    last = find_final_record(history)
    if history.reason == "diverged":
        return sorted({*range(min(count - 1, len(recorded))), last})
    losses = _smooth(np.asarray(history.losses, np.float64))
    losses = losses[np.minimum(recorded[: last + 1], len(losses) - 1)]
    with np.errstate(all="ignore"):
        left = np.sqrt(np.maximum(losses - losses[-1], 0.0))
        left = np.minimum.accumulate(np.where(np.isfinite(left), left, math.inf))
    parts = np.linspace(1, 0, count)[1:-1] * (left[0] if math.isfinite(left[0]) else 0.0)
    between = {int(np.argmax(left <= part)) for part in parts}
    return sorted({0, last, *between})


def _smooth(losses: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the losses, or moving averages if those of batches jump up and down."""
    if not losses.size:
        return np.zeros(1)
    with np.errstate(all="ignore"):
        rises = float(np.mean(np.diff(losses) > 0)) if len(losses) > 1 else 0.0
        width = len(losses) // 20
        if rises < MAX_RISES or width < 2 or not np.isfinite(losses).all():
            return losses
        sums = np.cumsum(np.concatenate([[0.0], losses]))
        ends = np.arange(1, len(losses) + 1)
        starts = np.maximum(ends - width, 0)
        return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def count_in_sight(away: Array, first: float) -> int:
    """Return the number of points of a path to show: until it leaves for good, at least 3.

    `away` is each point's distance from the end of the descent, `first` a distance in sight.
    """
    near = max(float(away[:2].max(initial=0.0)), first if math.isfinite(first) else 0.0)
    beyond = ~(away <= FAR * (near or 1.0)) | ~(away < DRAWABLE)
    end = int(np.argmax(beyond)) if beyond.any() else len(away)
    return max(end, min(3, len(away)))


def find_final_record(history: HistoryLike) -> int:
    """Return the record of the final weights: the last, or the best one after a divergence."""
    records = len(history.weight_steps)
    steps = [step for step in history.weight_steps if step < len(history.losses)]
    whole = [
        all(bool(np.isfinite(w[i]).all()) for w in history.weights.values()) for i in range(records)
    ]
    if history.reason != "diverged" and whole[-1]:
        return records - 1
    good = [i for i in range(len(steps)) if whole[i] and math.isfinite(history.losses[steps[i]])]
    return min(good, key=lambda i: history.losses[steps[i]], default=0)


def thin_path(count: int) -> Array:
    """Return the positions of the points of a path to draw."""
    return thin_steps(count, MAX_POINTS, DENSE_POINTS)


def weights_at(weights: Mapping[str, Array], i: int) -> dict[str, Array]:
    """Return the weights of one record, by name."""
    return {name: records[i] for name, records in weights.items()}
