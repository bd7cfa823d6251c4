"""What a training is to do, and a training at one of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.value import Value
from ..nn import Module
from ..optim import Optimizer
from .checkpoints import Checkpoints, fingerprint
from .evaluation import compared
from .state import Run


@dataclass
class Moment:
    """A training at one of its steps, as a callback sees it: after the loss, before the update.

    - `step`: how many updates were made; `epoch`: how many passes over the rows were completed
    - `loss`: that of this step's batch; `learning_rate`: that of the last update (nan before it)
    - `model`, `optimizer`
    - `evaluation`: the figures, where this step begins with an evaluation; else None
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    model: Module
    optimizer: Optimizer
    evaluation: dict[str, float] | None
    stopped: bool = False

    def stop(self) -> None:
        """End the training after this step's update: its reason is then "stopped"."""
        self.stopped = True


@dataclass
class Plan:
    """What a training is to do: the arguments of `fit`, checked."""

    loss: Callable[[Any, Any], Value]
    accumulate: int
    limit: int
    clip_norm: float | None
    held_out: Any
    evaluating: bool
    validate_every: int
    callbacks: Sequence[Callable[[Moment], Any]]
    checkpoints: Checkpoints | None

    def compare(self, predicted: Any, wanted: Any) -> Value:
        """The loss of predictions."""
        error: Value = compared(self.loss, predicted, wanted)
        return error

    def evaluates(self, step: int) -> bool:
        """Whether there is an evaluation after so many updates."""
        due = step % self.validate_every == 0 or step == self.limit
        return self.evaluating and step > 0 and due

    def unseen(self, step: int) -> int:
        """How many updates can be made, from there on, before something is due between two."""
        gaps = [self.limit - step]
        if self.evaluating:
            gaps.append(self.validate_every - step % self.validate_every)
        if self.checkpoints is not None and self.checkpoints.steps is not None:
            gaps.append(self.checkpoints.steps - step % self.checkpoints.steps)
        return min(gaps)

    def settings(self, run: Run) -> dict[str, Any]:
        """What must be the same for a training to go on where another stopped."""
        return {
            "loss": getattr(self.loss, "__name__", type(self.loss).__name__),
            "optimizer": type(run.optimizer).__name__,
            "data": fingerprint(*run.everything) if run.everything else repr(run.loader),
            "batch_size": run.loader.batch_size,
            "accumulate": self.accumulate,
            "clip_norm": self.clip_norm,
            "validate_every": self.validate_every if self.evaluating else None,
            "metrics": list(run.metrics),
            "early_stopping": None if run.stopping is None else run.stopping.figure,
        }
