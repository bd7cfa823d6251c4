"""The search for a learning rate: a short descent whose rate grows until the loss does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..core.value import Value
from ..data import DataLoader
from ..errors import ArgumentError
from ..nn import Module
from ..optim import Optimizer
from ..support.random_state import Seed, as_generator
from ..support.validation import check_callable, check_integer, check_number
from .arguments import check_loader, check_optimizer
from .evaluation import compute_loss, training_mode
from .weight_history import ModelWeights

__all__ = ["LearningRates", "find_learning_rate"]

SMOOTHING = 0.9  # of the loss, over the steps
MAX_LOSS_RATIO = 4.0  # to the least loss: there is nothing to see beyond


@dataclass(frozen=True)
class LearningRates:
    """The losses of a descent with a growing learning rate.

    - `rates`: the learning rate of each step, rising by a constant factor
    - `losses`: the loss before each step
    - `smoothed`: the losses averaged over steps, which reduces the noise of batches
    - `suggestion`: a tenth of the rate that led to the lowest smoothed loss
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float

    def __repr__(self) -> str:
        return (
            f"LearningRates({len(self.rates)} rates from {self.rates[0]:.3g} to "
            f"{self.rates[-1]:.3g}; suggestion: {self.suggestion:.2g})"
        )


def find_learning_rate(
    model: Module,
    x: ArrayLike | DataLoader,
    y: ArrayLike | None = None,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
    optimizer: Optimizer | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    generator: Seed = None,
) -> LearningRates:
    """Try learning rates from `lowest` to `highest`, one a step, and suggest one.

    The rate is multiplied by the same factor after each step; the descent ends early if the loss is
    nan or four times the lowest one. The suggestion is a tenth of the rate that led to the lowest
    loss: near the largest that works, with a margin. The model, the optimiser and the generators of
    layers are restored afterwards.

    `optimizer` is an optimiser of the model's parameters (default: SGD), whose own learning rate is
    not used. x, y, loss, batch_size and generator are those of `fit`.

    Raises the errors of `fit`, and `ArgumentError` if `lowest` is not below `highest`.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3.

    >>> x = np.linspace(-1, 1, 50)
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> found = find_learning_rate(line, x, 2 * x + 1)
    >>> 0.01 < found.suggestion < 1
    True
    """
    where = "find_learning_rate"
    low = check_number(where, "lowest", lowest, positive=True)
    high = check_number(where, "highest", highest, positive=True)
    if low >= high:
        raise ArgumentError(f"{where}: lowest must be below highest, got {low:g} and {high:g}")
    count = check_integer(where, "steps", steps, low=2)
    optimizer = check_optimizer(model, optimizer, None)
    random = as_generator(where, 0 if generator is None else generator)
    check_callable(where, "loss", loss, "a function such as tg.losses.mse")
    loader, _ = check_loader(model, x, y, batch_size, random)
    weights = ModelWeights(model, optimizer.parameters)
    before, state = weights.copy(), optimizer.state_dict()
    rated = [optimizer, *optimizer.groups]
    schedules = [group.learning_rate for group in rated]
    drawn = [(x, x.bit_generator.state) for x in model.generators()]
    rates, seen = [], []
    try:
        with np.errstate(all="ignore"), training_mode(model, True):
            batches = iter(loader)
            for rate in np.geomspace(low, high, count).tolist():
                batch = next(batches, None)
                if batch is None:
                    batches = iter(loader)
                    batch = next(batches)
                inputs, wanted = batch
                error = compute_loss(loss, model(inputs), wanted)
                rates.append(rate)
                seen.append(error.item())
                if not seen[-1] <= MAX_LOSS_RATIO * min(seen):
                    break
                optimizer.zero_grad()
                error.backward()
                for group in rated:
                    group.learning_rate = rate
                optimizer.step()
    finally:
        weights.restore(before)
        optimizer.zero_grad()
        for group, schedule in zip(rated, schedules, strict=True):
            group.learning_rate = schedule
        optimizer.load_state_dict(state)
        for drawing, numbers in drawn:
            drawing.bit_generator.state = numbers
    averaged = smooth(seen)
    best = min(
        range(len(seen)), key=lambda i: averaged[i] if math.isfinite(averaged[i]) else math.inf
    )
    return LearningRates(rates, seen, averaged, rates[best] / 10)


def smooth(values: list[float]) -> list[float]:
    """Return exponential moving averages, corrected for their beginning.

    >>> smooth([1.0, 1.0, 1.0])
    [1.0, 1.0, 1.0]
    """
    average, result = 0.0, []
    for count, value in enumerate(values, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * value
        result.append(average / (1 - SMOOTHING**count))
    return result
