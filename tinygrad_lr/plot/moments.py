"""Which steps of a descent to show, when there is room for a few."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, refuse
from .slice import Run, kept


def moments(where: str, history: Run, count: int, steps: Sequence[int] | None = None) -> list[int]:
    """Records of a history: the first, those where it had come another part of the way, the last.

    The way is measured by √(L - L at the end), which near a minimum is the distance to it. Of a
    descent that diverged they are the first ones, and the one that was kept. `steps` may name
    them instead: the nearest ones recorded.

    Raises `ArgumentError` for steps that are none.

    >>> history = tg.History([9.0, 4.0, 1.0, 0.0], {"w": np.zeros((4, 1))}, [0, 1, 2, 3], 3,
    ...                      "limit", "", 0.1)
    >>> moments("a picture", history, 2), moments("a picture", history, 9, [0, 2])
    ([0, 3], [0, 2])
    """
    recorded = np.asarray(history.weight_steps)
    if steps is not None:
        wanted = list(steps)
        if not wanted or not all(isinstance(s, (int, np.integer)) and s >= 0 for s in wanted):
            expected, given = "whole numbers from 0, one or more", f"{wanted!r:.80}"
            refuse(ArgumentError, where, "steps are none", expected=expected, given=given)
        nearest = {int(np.abs(recorded - step).argmin()) for step in wanted}
        return sorted(nearest)
    last = kept(history)
    if history.reason == "diverged":
        return sorted({*range(min(count - 1, len(recorded))), last})
    losses = np.array([_loss_at(history, int(step)) for step in recorded[: last + 1]])
    ends = losses[-1] if math.isfinite(losses[-1]) else np.nanmin(losses, initial=0.0)
    with np.errstate(all="ignore"):
        left = np.sqrt(np.maximum(losses - ends, 0.0))
        left = np.minimum.accumulate(np.where(np.isfinite(left), left, math.inf))
    parts = np.linspace(1, 0, count)[1:-1] * (left[0] if math.isfinite(left[0]) else 0.0)
    between = {int(np.argmax(left <= part)) for part in parts}
    return sorted({0, last, *between})


def _loss_at(history: Run, step: int) -> float:
    """The loss at a step, or the last one there is."""
    return float(history.losses[min(step, len(history.losses) - 1)]) if history.losses else math.nan
