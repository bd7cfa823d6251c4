"""The moments of a run that the page shows: a bounded choice of its steps, the first ones dense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..support.abstract_array import Array
from ..train import History
from .model_copy import Twin

MOST, FEWEST, MOST_NUMBERS = 160, 24, 36_000
DRAWABLE = 1e150  # a picture has no room for numbers beyond: their squares overflow


class Moments:
    """The chosen steps with their weights, and there the loss and its slopes.

    - `steps`; `losses`: those that the run itself saw, nan for a step that it left without one
    - `weights`, `gradients`: (moments, parameters), laid end to end, by `backward()` on the rows
      of the twin; `full`: the loss on those rows
    - `next`: the weights one update later where the run kept them, else a row of nan
    """

    def __init__(self, history: History, twin: Twin, numbers: int) -> None:
        recorded = self._recorded(history, twin)
        whole = np.flatnonzero((np.abs(recorded) < DRAWABLE).all(axis=1))
        steps = [history.weight_steps[i] for i in whole]
        places = [int(whole[i]) for i in chosen(steps, numbers)]
        self.steps = [history.weight_steps[i] for i in places]
        self.dropped = len(recorded) - len(whole)
        seen = history.losses
        self.losses = [seen[s] if s < len(seen) else np.nan for s in self.steps]
        rates = history.learning_rates
        self.rates = [rates[s] if s < len(rates) else history.learning_rate for s in self.steps]
        self.weights = recorded[places]
        found = [twin.slopes(twin.named_weights(row)) for row in self.weights]
        self.full = [loss for loss, _ in found]
        self.gradients = np.array([slopes for _, slopes in found])
        self.next = np.full_like(self.weights, np.nan)
        at = {step: i for i, step in enumerate(history.weight_steps)}
        for row, step in enumerate(self.steps):
            if step + 1 in at:
                self.next[row] = recorded[at[step + 1]]

    @staticmethod
    def _recorded(history: History, twin: Twin) -> Array:
        records = [history.weights[name] for name, _ in twin.named]
        rows = len(history.weight_steps)
        return np.concatenate(
            [np.asarray(r, np.float64).reshape(rows, -1) for r in records], axis=1
        )

    @property
    def best(self) -> int:
        """Which moment has the smallest loss."""
        return int(np.nanargmin(np.where(np.isfinite(self.full), self.full, np.inf)))

    @property
    def plain(self) -> bool:
        """Whether the run went by w_new = w_old - learning rate · slope on these rows."""
        kept = np.isfinite(self.next).all(axis=1)
        if not kept.any():
            return False
        wanted = self.weights - np.array(self.rates)[:, None] * self.gradients
        gone = np.abs(self.next - self.weights)[kept].max(axis=1)
        missed = np.abs(self.next - wanted)[kept].max(axis=1)
        rounding = 1e-5 * np.abs(self.weights)[kept].max(axis=1)
        return bool((missed <= 1e-3 * gone + rounding).all())


def chosen(steps: Sequence[int], numbers: int) -> list[int]:
    """Which of the steps are shown: the first ones all, later ones ever fewer, and the last.

    >>> chosen(range(5), 1)
    [0, 1, 2, 3, 4]
    >>> chosen(range(400), 5000)[:10], chosen(range(400), 5000)[-1]
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 10], 399)
    """
    room = max(FEWEST, min(MOST, MOST_NUMBERS // max(numbers, 1)))
    count = len(steps)
    if count <= room:
        return list(range(count))
    dense = room // 3
    later = np.geomspace(dense, count - 1, room - dense).round().astype(int)
    return sorted({*range(dense), *later.tolist()})
