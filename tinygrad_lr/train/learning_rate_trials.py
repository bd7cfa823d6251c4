"""Descents with several learning rates from the same weights, around the largest stable one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from .. import losses
from ..nn import Module
from .history import History
from .loop import fit


def try_learning_rates(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    rates: Iterable[float],
    *,
    loss: Callable[[Any, Any], Any] = losses.mse,
    steps: int,
    tolerance: float = 1e-12,
) -> list[History]:
    """Descend with each rate, each time from the model's current weights, which don't change.

    Ctrl-C ends all trials: an interrupted one says nothing about its rate.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> [run.reason for run in try_learning_rates(line, [-1, 1], [0, 2], [0.1, 2], steps=200)]
    ['converged', 'diverged']
    """
    histories = []
    for rate in rates:
        history = fit(
            *(copy.deepcopy(model), x, y),
            loss=loss,
            learning_rate=rate,
            steps=steps,
            tolerance=tolerance,
            progress=False,
            warn=False,
        )
        if history.reason == "interrupted":
            raise KeyboardInterrupt
        histories.append(history)
    return histories


def round_rate(rate: float) -> float:
    """A learning rate in two digits.

    >>> round_rate(0.09191)
    0.092
    """
    return float(f"{rate:.1e}")
