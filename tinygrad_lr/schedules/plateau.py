"""A learning rate that is reduced when the loss no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..support.validation import (
    check_choice,
    check_finite,
    check_flag,
    check_integer,
    check_number,
    plain_number,
)
from .schedule import check_names

__all__ = ["ReduceOnPlateau"]

STATE_NAMES = ("learning_rate", "best", "waited", "resting")


class ReduceOnPlateau:
    r"""A learning rate that is reduced when a monitored number, such as a loss, stops improving.

    Call `see` with the number after each evaluation. When it has not improved more than `patience`
    times in a row, the learning rate is multiplied by `factor`, down to `minimum`, and the next
    `cooldown` numbers don't count. An improvement is a decrease by more than threshold · |best|
    (more than threshold, with relative=False), or with mode="max" an increase; nan isn't one. An
    optimiser with this learning rate saves it in its own state.

    Raises `ArgumentError` if a number is out of range, factor is 1 or more, or the mode is unknown.

    Source: `torch.optim.lr_scheduler.ReduceLROnPlateau`, which applies a relative threshold to
    negative numbers with the opposite sign.

    >>> schedule = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> [schedule.see(loss) for loss in (3.0, 2.0, 2.0, 2.0, 2.0)]
    [0.1, 0.1, 0.1, 0.05, 0.05]
    >>> schedule(0)
    0.05
    """

    def __init__(
        self,
        learning_rate: float,
        factor: float = 0.1,
        patience: int = 10,
        *,
        threshold: float = 1e-4,
        relative: bool = True,
        cooldown: int = 0,
        minimum: float = 0.0,
        mode: str = "min",
    ) -> None:
        where = type(self).__name__
        check_choice(where, "mode", mode, ("min", "max"))
        self.learning_rate = check_number(where, "learning_rate", learning_rate, positive=True)
        self.factor = check_number(where, "factor", factor, positive=True, below=1)
        self.patience = check_integer(where, "patience", patience)
        self.threshold = check_number(where, "threshold", threshold)
        self.relative = check_flag(where, "relative", relative)
        self.cooldown = check_integer(where, "cooldown", cooldown)
        self.minimum = check_number(where, "minimum", minimum)
        self.mode = mode
        self.best = math.inf if mode == "min" else -math.inf
        self.waited = 0  # evaluations in a row without an improvement
        self.resting = 0  # evaluations that don't count

    def __call__(self, step: int) -> float:
        """Return the current learning rate, whatever the step."""
        step = check_integer(type(self).__name__, "step", step)
        return self.learning_rate

    def see(self, number: float) -> float:
        """Take the next loss into account, and return the learning rate from here on."""
        if not isinstance(number, (float, np.floating)):  # those may be nan, or infinite
            number = check_finite("ReduceOnPlateau.see", "number", number)
        number, better = float(number), False
        sign = 1 if self.mode == "min" else -1
        if math.isinf(self.best):
            better = sign * number < sign * self.best
        else:
            margin = self.threshold * (abs(self.best) if self.relative else 1)
            better = sign * (self.best - number) > margin
        if better:
            self.best = number
        self.waited = 0 if better else self.waited + 1
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > self.patience:
            lower = max(self.learning_rate * self.factor, self.minimum)
            self.learning_rate = min(lower, self.learning_rate)
            self.resting, self.waited = self.cooldown, 0
        return self.learning_rate

    def state_dict(self) -> dict[str, float]:
        """Return all that a later run needs to continue from here, by name."""
        return {name: getattr(self, name) for name in STATE_NAMES}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from the result of `state_dict`.

        Raises `ArgumentError` if a name differs or a number is out of range; the state is then
        unchanged.
        """
        where = f"{type(self).__name__}.load_state_dict"
        check_names(where, state, STATE_NAMES)
        plain = {name: plain_number(where, name, x) for name, x in state.items()}
        rate = check_number(where, "learning_rate", plain["learning_rate"])
        best = plain["best"]
        if not isinstance(best, float) or math.isnan(best):
            raise ArgumentError(f"{where}: best must be a float other than nan, got {best!r:.60}")
        waited = check_integer(where, "waited", plain["waited"])
        resting = check_integer(where, "resting", plain["resting"])
        self.learning_rate, self.best, self.waited, self.resting = rate, best, waited, resting

    def __repr__(self) -> str:
        name, best = type(self).__name__, self.best
        return f"{name}(learning_rate={self.learning_rate}, best={best:.6g}, waited={self.waited})"
