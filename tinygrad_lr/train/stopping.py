"""Stopping early: when a figure no longer gets better, with the best weights restored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArgumentError, bad_argument
from ..support.validation import check_integer, check_number


@dataclass
class EarlyStopping:
    """Ends a training when a figure has not improved for `patience` evaluations in a row.

    - `patience`: how many evaluations without improvement are waited for, from 1
    - `figure`: a name in `history.evaluations`: "validation_loss", "loss", "validation_accuracy"
    - `highest`: whether more is better; by default for all but losses and errors
    - `least_change`: what an improvement must exceed

    An evaluation that gives nan counts as worse. Afterwards the model has the weights of the best
    evaluation.

    Raises `ArgumentError` for a patience below 1 and a negative or infinite least_change.

    Source: Prechelt, "Early Stopping - But When?", 1998.

    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.improves({"validation_loss": loss}) for loss in (3.0, 2.0, float("nan"), 2.5)]
    [True, True, False, False]
    >>> stopping.exhausted
    True
    """

    patience: int = 10
    figure: str = "validation_loss"
    highest: bool | None = None
    least_change: float = 0.0

    best: float = field(default=math.nan, init=False)
    since: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_integer("EarlyStopping", "patience", self.patience, low=1)
        check_number("EarlyStopping", "least_change", self.least_change)
        if self.highest is None:
            self.highest = not self.figure.endswith(("loss", "mae", "mse", "error"))

    def improves(self, evaluation: Mapping[str, Any]) -> bool:
        """Take the next evaluation into account: whether it is the best so far."""
        if self.figure not in evaluation:
            raise ArgumentError(
                bad_argument(
                    "EarlyStopping",
                    f"there is no figure {self.figure!r:.60}",
                    expected=f"one of {', '.join(evaluation)}",
                    given=repr(self.figure)[:60],
                    cure="pass its name to fit(metrics=)",
                )
            )
        value = float(evaluation[self.figure])
        gain = value - self.best if self.highest else self.best - value
        better = gain > self.least_change or (math.isnan(self.best) and not math.isnan(value))
        self.since = 0 if better else self.since + 1
        self.best = value if better else self.best
        return better

    @property
    def exhausted(self) -> bool:
        """Whether it has waited long enough."""
        return self.since >= self.patience

    @property
    def seen(self) -> bool:
        """Whether there was an evaluation that gave a number."""
        return not math.isnan(self.best)

    def restart(self) -> None:
        """Forget the evaluations: `fit` begins with this."""
        self.best, self.since = math.nan, 0
