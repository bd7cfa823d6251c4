"""A training under way: everything that it needs to go on, which is what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import DataLoader
from ..nn import Module
from ..optim import Optimizer
from ..support.abstract_array import Array
from .diagnosis import Diagnosis
from .evaluation import Metric, measured
from .record import Record
from .stopping import EarlyStopping
from .weight_history import Watch, unchanged
from .weights import Weights


class Run:
    """What a training has seen so far, and where it stands."""

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loader: DataLoader,
        everything: tuple[Any, Any] | None,
        *,
        epoch: int,
        tolerance: float,
        metrics: dict[str, Metric],
        stopping: EarlyStopping | None,
        diagnosis: Diagnosis,
    ) -> None:
        self.model, self.optimizer, self.loader = model, optimizer, loader
        self.everything = everything  # all rows, where they lie in memory
        self.rows: tuple[Any, Any] = everything or ((), ())  # or those of the last batch
        self.epoch, self.tolerance, self.metrics = epoch, tolerance, metrics
        self.began = optimizer.steps
        self.weights = Weights(model, optimizer.parameters)
        self.before = self.weights.now()  # the last update
        self.record, self.watch = Record(model), Watch(self.before, epoch)
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.evaluations: list[dict[str, float]] = []
        self.seen: list[tuple[Any, Any]] = []  # predictions and targets since an evaluation
        self.stopped = False  # by a callback
        self.settings: dict[str, Any] = {}  # what another run must share to go on from this one
        self.still = 0  # updates in a row that changed nothing
        self.diagnosis = diagnosis
        self.settled, self.buffers = -1, self.weights.buffers()
        self.stopping = stopping
        self.best, self.best_step = self.before, 0
        if stopping is not None:
            stopping.restart()

    @property
    def step(self) -> int:
        """How many updates have been made."""
        return self.optimizer.steps - self.began

    def settle(self) -> None:
        """Take note of the last update, if there is one that was not noted."""
        if len(self.rates) < self.step:
            rate = self.optimizer.rate
            self.rates.append(rate)
            same = rate > 0 and unchanged(self.weights.parameters, self.before, self.tolerance)
            self.still = self.still + 1 if same else 0  # w_new = w_old?
        self.settled, self.buffers = self.step, self.weights.buffers()

    def between_steps(self) -> None:
        """After an interruption: back to where a step begins, or on to where it ended."""
        if self.step == self.settled:
            self.weights.put_buffers(self.buffers)
        self.settle()

    def see(self, loss: float, pairs: list[tuple[Any, Any]]) -> None:
        """Take note of the loss at the present weights, and of the predictions made for it."""
        self.losses.append(loss)
        self.record.see(self.step)
        self.before = self.weights.now()
        if self.metrics:
            self.seen += pairs

    def evaluate(self, judge: Callable[[], dict[str, float]]) -> bool:
        """Take note of an evaluation, once a step; whether it is time to stop early."""
        if not self.evaluations or self.evaluations[-1]["step"] < self.step:
            since = int(self.evaluations[-1]["step"]) if self.evaluations else 0
            losses = self.losses[since : self.step]
            figures = {
                "step": self.step,
                "epoch": self.step / self.epoch if self.step % self.epoch else self.full_epochs,
                "loss": math.fsum(losses) / len(losses) if losses else math.nan,
                **measured(self.metrics, self.seen),
                **{f"validation_{name}": figure for name, figure in judge().items()},
            }
            self.evaluations.append(figures)
            self.seen = []
            for group in self.optimizer.groups:
                see = getattr(group.learning_rate, "see", None)  # of one that follows the loss
                if see is not None:
                    see(figures.get("validation_loss", figures["loss"]))
            if self.stopping is not None and self.stopping.improves(figures):
                self.best, self.best_step = self.weights.now(), self.step
        return self.stopping is not None and self.stopping.exhausted

    @property
    def full_epochs(self) -> int:
        """How many epochs have been completed."""
        return self.step // self.epoch

    def tensors(self) -> dict[str, Array]:
        """The arrays of a checkpoint, beside the model's own."""
        found: dict[str, Any] = {
            f"optimizer.{k}": v for k, v in self.optimizer.state_dict().items()
        }
        found |= {f"record.{k}": v for k, v in self.record.state_dict().items()}
        found |= {f"before.{i}": x for i, x in enumerate(self.before)}
        found |= {f"watch.{i}": x for i, x in enumerate(self.watch.best)}
        found |= {"losses": np.array(self.losses, float), "rates": np.array(self.rates, float)}
        if self.stopping is not None:
            found |= {f"best.{i}": x for i, x in enumerate(self.best)}
        if self.seen:
            found["seen.predicted"] = np.concatenate([predicted for predicted, _ in self.seen])
            found["seen.wanted"] = np.concatenate([wanted for _, wanted in self.seen])
        return {name: np.asarray(x) for name, x in found.items()}

    def numbers(self) -> dict[str, Any]:
        """The rest of a checkpoint: what is written as text."""
        return {
            "began": self.began,
            "still": self.still,
            "watch": self.watch.numbers(),
            "evaluations": self.evaluations,
            "stopping": None
            if self.stopping is None
            else [self.stopping.best, self.stopping.since, self.best_step],
            "loader": self.loader.state_dict(),
            "generators": [x.bit_generator.state for x in self.model.generators()],
            "rate": self.optimizer.rate,
        }

    def load(self, tensors: dict[str, Array], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""

        def below(prefix: str) -> dict[str, Array]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        def listed(prefix: str) -> list[Array]:
            return [below(prefix)[str(i)] for i in range(len(below(prefix)))]

        self.optimizer.load_state_dict(below("optimizer."))
        self.optimizer.rate = numbers["rate"]
        self.record.load_state_dict(below("record."))
        self.before = listed("before.")
        self.watch.load(numbers["watch"], listed("watch."))
        self.losses, self.rates = tensors["losses"].tolist(), tensors["rates"].tolist()
        self.began, self.still = numbers["began"], numbers["still"]
        self.evaluations = numbers["evaluations"]
        if self.stopping is not None:
            self.stopping.best, self.stopping.since, self.best_step = numbers["stopping"]
            self.best = listed("best.")
        seen = below("seen.")
        self.seen = [(seen["predicted"], seen["wanted"])] if seen else []
        self.loader.load_state_dict(numbers["loader"])
        for generator, state in zip(self.model.generators(), numbers["generators"], strict=True):
            generator.bit_generator.state = state
