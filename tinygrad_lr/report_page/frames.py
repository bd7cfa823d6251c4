"""Choose the steps of a run that the page shows, and compute their losses and gradients."""

from __future__ import annotations

import numpy as np

from ..plot.style import DRAWABLE
from ..support.abstract_array import Array
from ..support.thinning import thin_steps
from ..train import History
from ..train.model_copy import LossAtWeights

MAX_FRAMES, MIN_FRAMES, MAX_NUMBERS = 160, 24, 36_000  # numbers: weights of all frames


class Frames:
    """The steps to show, with their weights, losses and gradients.

    - `steps`; `losses`: as recorded by the run, nan for a step without a loss
    - `weights`, `gradients`: (frames, parameters), flat; gradients come from `backward()` on the
      rows of `loss_at`; `full`: the loss on those rows
    - `next`: the weights one update later if the run recorded them, else a row of nan
    - `dropped`: the number of recorded steps whose weights are too large to draw
    """

    def __init__(self, history: History, loss_at: LossAtWeights, parameters: int) -> None:
        twin = loss_at.twin
        recorded = twin.flatten_records(history.weights)
        drawable = np.flatnonzero((np.abs(recorded) < DRAWABLE).all(axis=1))
        kept = drawable[select_frames(len(drawable), parameters)]
        self.steps = [history.weight_steps[i] for i in kept]
        self.dropped = len(recorded) - len(drawable)
        losses, rates = history.losses, history.learning_rates
        self.losses = [losses[s] if s < len(losses) else np.nan for s in self.steps]
        self.rates = [rates[s] if s < len(rates) else history.learning_rate for s in self.steps]
        self.weights = recorded[kept]
        found = [loss_at.gradient(twin.unflatten(row)) for row in self.weights]
        self.full = [loss for loss, _ in found]
        self.gradients = np.array([gradient for _, gradient in found])
        self.next = np.full_like(self.weights, np.nan)
        position = {step: i for i, step in enumerate(history.weight_steps)}
        for row, step in enumerate(self.steps):
            if step + 1 in position:
                self.next[row] = recorded[position[step + 1]]

    @property
    def best(self) -> int:
        """The frame with the smallest loss."""
        return int(np.nanargmin(np.where(np.isfinite(self.full), self.full, np.inf)))

    @property
    def is_plain(self) -> bool:
        """True if the updates are w_new = w_old - learning rate · gradient on these rows."""
        known = np.isfinite(self.next).all(axis=1)
        if not known.any():
            return False
        wanted = self.weights - np.array(self.rates)[:, None] * self.gradients
        moved = np.abs(self.next - self.weights)[known].max(axis=1)
        missed = np.abs(self.next - wanted)[known].max(axis=1)
        rounding = 1e-5 * np.abs(self.weights)[known].max(axis=1)
        return bool((missed <= 1e-3 * moved + rounding).all())


def select_frames(count: int, parameters: int) -> Array:
    """Return the positions of the steps to show: all of the first, fewer later ones, the last.

    >>> select_frames(5, 1)
    array([0, 1, 2, 3, 4])
    >>> select_frames(400, 5000)[:10], select_frames(400, 5000)[-1]
    (array([ 0,  1,  2,  3,  4,  5,  6,  7,  8, 10]), np.int64(399))
    """
    room = max(MIN_FRAMES, min(MAX_FRAMES, MAX_NUMBERS // max(parameters, 1)))
    return thin_steps(count, room, room // 3)
