"""What a descent remembers: its course, its best weights, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nn import Module
from ..optim import snapshot
from ..value import Value

Array = np.ndarray[Any, np.dtype[Any]]

MANY_TIMES = 1e4  # a loss this many times the first one, seen PATIENCE times in a row, is no detour
PATIENCE = 10
MOST_RECORDS, MOST_NUMBERS = 400, 4_000_000  # of the weights' history


@dataclass
class History:
    """What a descent did.

    - `losses`: the loss after k updates, for k = 0 ... steps (an interruption may miss the last);
      of a batch where there are batches
    - `weights`: by parameter name, the weights after `weight_steps[i]` updates, (records, *shape)
    - `weight_steps`: which steps those are: the first ones all, later ones ever fewer, the last
    - `steps`: how many updates were made
    - `reason`: "converged", "limit", "diverged" or "interrupted"
    - `message`: the reason in a sentence
    - `learning_rate`: that of the last step
    - `learning_rate_limit`: after a divergence, the largest stable rate, 2/λmax, at the weights
      that were kept, where it is known

    >>> History([2.0, 0.5], {}, [], 1, "limit", "stopped at the limit of 1 step", 0.1)
    History(limit after 1 step: loss 2 -> 0.5)
    """

    losses: list[float]
    weights: dict[str, Array]
    weight_steps: list[int]
    steps: int
    reason: str
    message: str
    learning_rate: float
    learning_rate_limit: float | None = None

    def __repr__(self) -> str:
        course = " -> ".join(f"{loss:.6g}" for loss in [*self.losses[:1], *self.losses[1:][-1:]])
        return f"History({self.reason} after {counted(self.steps, 'step')}: loss {course or '-'})"


class Record:
    """The losses of all steps, and the weights of some: of the first all, then ever fewer.

    Their number is bounded, by MOST_RECORDS and by MOST_NUMBERS in all of them together.
    """

    def __init__(self, model: Module) -> None:
        self.named = model.named_parameters()
        self.losses: list[float] = []
        self.steps: list[int] = []
        self.arrays: list[list[Array]] = []
        numbers = sum(parameter.size for _, parameter in self.named)
        self.room = max(2, min(MOST_RECORDS, MOST_NUMBERS // max(numbers, 1)))
        self.dense = self.room // 4
        self.stride = 1

    def see(self, step: int, loss: float) -> None:
        """Keep the loss, and the weights if it is their turn."""
        self.losses.append(loss)
        if step % self.stride == 0 or step < self.dense:
            self.keep(step)
            if len(self.steps) > self.room:
                self.stride *= 2
                turn = [i for i, s in enumerate(self.steps) if self._counts(s)]
                self.steps = [self.steps[i] for i in turn]
                self.arrays = [self.arrays[i] for i in turn]

    def _counts(self, step: int) -> bool:
        return step % self.stride == 0 or step < self.dense

    def keep(self, step: int) -> None:
        """Keep a copy of the weights."""
        self.steps.append(step)
        self.arrays.append([parameter.numpy() for _, parameter in self.named])

    def stacked(self, last: int) -> dict[str, Array]:
        """The weights by name, (records, *shape), with those of the last step at the end."""
        if self.steps[-1:] != [last]:
            self.keep(last)
        return {
            name: np.stack([arrays[i] for arrays in self.arrays])
            for i, (name, _) in enumerate(self.named)
        }


class Watch:
    """Notices a divergence, and remembers the best weights before it.

    It compares the mean losses of epochs; without batches an epoch is a step.
    """

    def __init__(self, parameters: Sequence[Value], epoch: int) -> None:
        self.epoch = epoch
        self.best, self.best_loss, self.best_step = snapshot(parameters), math.inf, 0
        self.first = self.previous = math.nan
        self.floor = max(float(np.finfo(x.dtype).eps) for x in parameters)
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


def message(history: History, kept: int, parameters: Sequence[Value]) -> str:
    """The reason in a sentence."""
    losses, rate, stable = history.losses, history.learning_rate, history.learning_rate_limit
    after = f"after {counted(history.steps, 'step')}"
    if history.reason == "converged":
        sizes = [np.abs(x._gradient).max() for x in parameters if x._gradient is not None]
        steepest = f"; the largest entry of the gradient is {max(sizes):.2g}"
        return f"converged {after}: the weights no longer change{steepest if sizes else ''}"
    if history.reason == "interrupted":
        return f"interrupted {after}: the model keeps what it has learnt"
    if history.reason == "limit":
        if not history.steps:
            return "stopped at the limit of 0 steps: the model is unchanged"
        worse = "; the loss is above where it began: lower the learning rate"
        return (
            f"stopped at the limit of {counted(history.steps, 'step')}: the weights still change"
            f"{worse if losses[-1] > losses[0] else ''}"
        )
    if not history.steps:
        return f"diverged before the first step: the loss is {losses[-1]:g}; scale the data"
    cure = f"lower the learning rate ({rate:g}), or scale the data"
    if stable is not None and stable < rate:
        cure = f"lower the learning rate ({rate:g}) below {stable:.4g}, the largest stable one"
    return (
        f"diverged {after}: the loss went from {losses[0]:.4g} to {losses[-1]:.4g}; {cure}; "
        f"the model keeps the weights of step {kept}"
    )


def counted(number: int, thing: str) -> str:
    """The number with its noun: 1 step, 2 steps."""
    return f"{number} {thing}{'s' * (number != 1)}"
