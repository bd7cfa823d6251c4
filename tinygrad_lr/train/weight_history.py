"""Noticing, from the losses and the weights, that a descent diverges or has come to rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.value import Value

MANY_TIMES = 1e4  # a loss this many times the first one, seen PATIENCE times in a row, is no detour
PATIENCE = 10


class Watch:
    """Notices a divergence, and remembers the best weights before it.

    It compares the mean losses of epochs; without batches an epoch is a step.
    """

    def __init__(self, weights: list[Any], epoch: int) -> None:
        self.epoch = epoch
        self.best, self.best_loss, self.best_step = weights, math.inf, 0
        self.first = self.previous = math.nan
        dtypes = [np.asarray(x).dtype for x in weights]
        self.floor = max(float(np.finfo(dtype).eps) for dtype in dtypes if dtype.kind == "f")
        self.rises = self.above = 0

    def diverges(self, losses: Sequence[float], weights: list[Any]) -> bool:
        """Whether the last of the losses, that of these weights, shows a divergence."""
        loss = losses[-1]
        if not math.isfinite(loss):
            return True
        if len(losses) % self.epoch:
            return False
        if self.epoch > 1:
            loss = math.fsum(losses[-self.epoch :]) / self.epoch
        if math.isnan(self.first):
            self.first = loss
            self.floor = MANY_TIMES * max(abs(loss), self.floor)
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_step = weights, loss, len(losses) - 1
        self.rises = self.rises + 1 if loss > self.previous else 0
        self.above = self.above + 1 if loss > self.floor else 0
        self.previous = loss
        return self.above >= PATIENCE

    def numbers(self) -> dict[str, float]:
        """What it goes by, other than the best weights."""
        return {name: x for name, x in vars(self).items() if name not in {"best", "epoch"}}

    def load(self, numbers: dict[str, float], best: list[Any]) -> None:
        """Go on from what it went by."""
        vars(self).update(numbers, best=best)

    def rising(self) -> bool:
        """Whether the loss is above where it began, and has only risen of late."""
        return self.rises >= PATIENCE and self.previous > self.first


def unchanged(parameters: Sequence[Value], before: Sequence[Any], tolerance: float) -> bool:
    """Whether every |w_new - w_old| ≤ tolerance · max(1, |w_old|)."""
    for parameter, old in zip(parameters, before, strict=True):
        new = parameter._content
        if type(new) is np.ndarray and new.size:  # the first entry alone nearly always tells
            first, was = new.item(0), old.item(0)
            if not abs(first - was) <= tolerance * max(1.0, abs(was)):
                return False
        if not (np.abs(new - old) <= tolerance * np.maximum(1.0, np.abs(old))).all():
            return False
    return True
