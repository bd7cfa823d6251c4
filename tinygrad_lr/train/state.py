"""The configuration of a training run, its state between steps, and what callbacks see of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core.value import Value
from ..data import DataLoader
from ..errors import ArgumentError
from ..metrics import Metric
from ..nn import Module
from ..optim import Optimizer
from ..support.abstract_array import Array
from ..support.files import printable
from .checkpoints import Checkpoints, fingerprint
from .evaluation import compute_loss, compute_metrics, evaluate_checked
from .inputs import Batch
from .monitors import Diagnosis, DivergenceMonitor, EarlyStopping, is_unchanged
from .weight_history import ModelWeights, WeightHistory

__all__ = ["Moment"]


@dataclass
class Moment:
    """A training run at one of its steps, as a callback sees it: after the loss, before the update.

    - `step`: the number of updates so far; `epoch`: the number of completed passes over the rows
    - `loss`: the loss of this step's batch; `learning_rate`: that of the last update (nan before
      it)
    - `model`, `optimizer`
    - `evaluation`: the numbers, if this step begins with an evaluation; else None
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
        """End training after this step's update; the history's reason is then "stopped"."""
        self.stopped = True


@dataclass
class FitConfig:
    """The arguments of `fit`, checked."""

    loss: Callable[[Any, Any], Value]
    accumulate: int
    limit: int  # of steps
    clip_norm: float | None
    held_out: Any  # None, (x, y) or (loader,)
    evaluating: bool
    validate_every: int
    metrics: dict[str, Metric]
    callbacks: Sequence[Callable[[Moment], Any]]
    checkpoints: Checkpoints | None
    tolerance: float

    def compute_loss(self, predicted: Any, wanted: Any) -> Value:
        """Return the loss of predictions."""
        error: Value = compute_loss(self.loss, predicted, wanted)
        return error

    def is_evaluated(self, step: int) -> bool:
        """Return True if there is an evaluation after `step` updates."""
        due = step % self.validate_every == 0 or step == self.limit
        return self.evaluating and step > 0 and due

    def steps_until_due(self, step: int) -> int:
        """Return the number of updates until the limit, an evaluation or a checkpoint is due."""
        gaps = [self.limit - step]
        if self.evaluating:
            gaps.append(self.validate_every - step % self.validate_every)
        if self.checkpoints is not None and self.checkpoints.steps is not None:
            gaps.append(self.checkpoints.steps - step % self.checkpoints.steps)
        return min(gaps)


class FitState:
    """Everything that changes during training, which is what a checkpoint holds."""

    def __init__(
        self,
        config: FitConfig,
        model: Module,
        optimizer: Optimizer,
        loader: DataLoader,
        arrays: Batch | None,
        *,
        steps_per_epoch: int,
        early_stopping: EarlyStopping | None,
        diagnosis: Diagnosis,
    ) -> None:
        self.config, self.model, self.optimizer, self.loader = config, model, optimizer, loader
        self.arrays = arrays  # all rows, where they are in memory
        self.last_batch: Any = arrays or ((), ())
        self.steps_per_epoch = steps_per_epoch
        self.first_step = optimizer.steps
        self.weights = ModelWeights(model, optimizer.parameters)
        self.before = self.weights.copy()  # the last update
        self.weight_history = WeightHistory(model)
        self.divergence = DivergenceMonitor(self.before, steps_per_epoch)
        self.diagnosis, self.early_stopping = diagnosis, early_stopping
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.evaluations: list[dict[str, float]] = []
        self.pairs: list[tuple[Any, Any]] = []  # predictions and targets since an evaluation
        self.stopped = False  # by a callback
        self.unchanged = 0  # updates in a row that changed nothing
        self.committed, self.buffers = -1, self.weights.copy_buffers()
        self.best, self.best_step = self.before, 0
        if early_stopping is not None:
            early_stopping.restart()

    @property
    def step(self) -> int:
        """The number of updates so far."""
        return self.optimizer.steps - self.first_step

    @property
    def full_epochs(self) -> int:
        """The number of completed epochs."""
        return self.step // self.steps_per_epoch

    @property
    def last_evaluation(self) -> dict[str, float]:
        """The last evaluation, empty before the first."""
        return self.evaluations[-1] if self.evaluations else {}

    def record_loss(self, loss: float, pairs: list[tuple[Any, Any]]) -> None:
        """Record the loss at the current weights, and the predictions made for it."""
        self.losses.append(loss)
        self.weight_history.add(self.step)
        self.before = self.weights.copy()
        if self.config.metrics:
            self.pairs += pairs

    def commit_update(self) -> None:
        """Record the last update, unless it was: its rate, and whether it changed anything."""
        if len(self.rates) < self.step:
            rate, tolerance = self.optimizer.rate, self.config.tolerance
            self.rates.append(rate)
            parameters = self.weights.parameters
            before = self.before[: len(parameters)]  # the buffers follow them
            same = rate > 0 and is_unchanged(parameters, before, tolerance)
            self.unchanged = self.unchanged + 1 if same else 0  # w_new = w_old?
        self.committed, self.buffers = self.step, self.weights.copy_buffers()

    def settle_interruption(self) -> None:
        """After an interruption, go back to the beginning of the step, or on to its end."""
        if self.step == self.committed:
            self.weights.restore_buffers(self.buffers)
        self.commit_update()

    def evaluate(self) -> dict[str, float]:
        """Evaluate the model, once a step, for the schedule and early stopping, too."""
        if self.evaluations and self.evaluations[-1]["step"] == self.step:
            return self.evaluations[-1]  # read from a checkpoint
        since = int(self.evaluations[-1]["step"]) if self.evaluations else 0
        losses, step, length = self.losses[since : self.step], self.step, self.steps_per_epoch
        found = {
            "step": step,
            "epoch": step / length if step % length else self.full_epochs,
            "loss": math.fsum(losses) / len(losses) if losses else math.nan,
            **compute_metrics(self.config.metrics, self.pairs),
        }
        if self.config.held_out is not None:
            loss, metrics = self.config.loss, self.config.metrics
            held_out = self.config.held_out
            judged = evaluate_checked(self.model, *held_out, loss=loss, metrics=metrics)
            found |= {f"validation_{name}": number for name, number in judged.items()}
        self.evaluations.append(found)
        self.pairs = []
        for group in self.optimizer.groups:
            see = getattr(group.learning_rate, "see", None)  # of one that follows the loss
            if see is not None:
                see(found.get("validation_loss", found["loss"]))
        if self.early_stopping is not None and self.early_stopping.improves(found):
            self.best, self.best_step = self.weights.copy(), step
        return found

    # ---- checkpoints

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that a run must share with the checkpoint that it resumes from."""
        config, stopping = self.config, self.early_stopping
        return {
            "loss": getattr(config.loss, "__name__", type(config.loss).__name__),
            "optimizer": type(self.optimizer).__name__,
            "data": fingerprint(*self.arrays) if self.arrays else repr(self.loader),
            "batch_size": self.loader.batch_size,
            "accumulate": config.accumulate,
            "clip_norm": config.clip_norm,
            "validate_every": config.validate_every if config.evaluating else None,
            "metrics": list(config.metrics),
            "early_stopping": None if stopping is None else stopping.monitor,
        }

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint between two steps."""
        weights = self.model.state_dict()
        checkpoints.write(weights, self.tensors(), self.numbers(), self.settings)

    def resume(self, checkpoints: Checkpoints) -> None:
        """Continue from a checkpoint, if there is one.

        Raises `ArgumentError` if it doesn't fit; nothing is changed then.
        """
        found = checkpoints.read(self.settings)
        if found is None:
            return
        weights, tensors, numbers = found
        before = self.model.state_dict()
        try:
            self.model.load_state_dict(weights)
            self.load(tensors, numbers)
        except (ArgumentError, KeyError, ValueError) as error:
            self.model.load_state_dict(before)
            path = printable(str(checkpoints.path))
            raise ArgumentError(f"fit: {path}: {error}") from error

    def tensors(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint, beside the model's own."""
        found: dict[str, Any] = {
            f"optimizer.{k}": v for k, v in self.optimizer.state_dict().items()
        }
        found |= {f"record.{k}": v for k, v in self.weight_history.state_dict().items()}
        found |= {f"before.{i}": x for i, x in enumerate(self.before)}
        found |= {f"watch.{i}": x for i, x in enumerate(self.divergence.best)}
        found |= {"losses": np.array(self.losses, float), "rates": np.array(self.rates, float)}
        if self.early_stopping is not None:
            found |= {f"best.{i}": x for i, x in enumerate(self.best)}
        if self.pairs:
            found["seen.predicted"] = np.concatenate([predicted for predicted, _ in self.pairs])
            found["seen.wanted"] = np.concatenate([wanted for _, wanted in self.pairs])
        return {name: np.asarray(x) for name, x in found.items()}

    def numbers(self) -> dict[str, Any]:
        """Return the rest of a checkpoint, which is written as JSON."""
        stopping = self.early_stopping
        return {
            "began": self.first_step,
            "still": self.unchanged,
            "watch": self.divergence.numbers(),
            "evaluations": self.evaluations,
            "stopping": None
            if stopping is None
            else [stopping.best, stopping.since, self.best_step],
            "loader": self.loader.state_dict(),
            "generators": [x.bit_generator.state for x in self.model.generators()],
            "rate": self.optimizer.rate,
        }

    def load(self, tensors: dict[str, Array], numbers: dict[str, Any]) -> None:
        """Continue from what `tensors` and `numbers` returned."""

        def below(prefix: str) -> dict[str, Array]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        def numbered(prefix: str) -> list[Array]:
            return [below(prefix)[str(i)] for i in range(len(below(prefix)))]

        self.optimizer.load_state_dict(below("optimizer."))
        self.optimizer.rate = numbers["rate"]
        self.weight_history.load_state_dict(below("record."))
        self.before = numbered("before.")
        self.divergence.load(numbers["watch"], numbered("watch."))
        self.losses, self.rates = tensors["losses"].tolist(), tensors["rates"].tolist()
        self.first_step, self.unchanged = numbers["began"], numbers["still"]
        self.evaluations = numbers["evaluations"]
        if self.early_stopping is not None:
            stopping = self.early_stopping
            stopping.best, stopping.since, self.best_step = numbers["stopping"]
            self.best = numbered("best.")
        pairs = below("seen.")
        self.pairs = [(pairs["predicted"], pairs["wanted"])] if pairs else []
        self.loader.load_state_dict(numbers["loader"])
        for generator, state in zip(self.model.generators(), numbers["generators"], strict=True):
            generator.bit_generator.state = state
