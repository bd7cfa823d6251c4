"""The loop itself: forward, loss, backward, update, until there is a reason to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..nn import Module
from ..optim import Optimizer, clip_gradient_norm
from ..value import Value
from .checkpoints import Checkpoints, fingerprint
from .diagnosis import stable_rate
from .evaluation import compared, judged
from .inputs import Array, Intake
from .progress import Show
from .run import Run

Batch = tuple[Array, Array]


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


def descend(run: Run, plan: Plan, show: Show) -> str:
    """Step after step, until there is a reason to end: the reason."""
    optimizer, began = run.optimizer, run.step
    groups = _groups(run, plan.accumulate)
    while True:
        run.settle()
        step, evaluation = run.step, None
        if plan.checkpoints is not None and step > began:
            last = step == plan.limit or run.still == run.epoch or run.stopped
            if last or plan.checkpoints.due(step):
                plan.checkpoints.save(run)
        if run.stopped:
            return "stopped"
        if plan.evaluates(step):
            stop = run.evaluate(lambda: _judged(run, plan))
            evaluation = run.evaluations[-1]
            if stop:
                if plan.checkpoints is not None:
                    plan.checkpoints.save(run)
                return "early"
        batches = next(groups)
        run.rows = run.everything or batches[0]
        loss, pairs, backward = _forward(run, plan, batches)
        run.see(loss, pairs)
        if plan.callbacks:
            _call(run, plan, evaluation)
        if run.watch.diverges(run.losses, run.before):
            return "diverged"
        if run.still == run.epoch:
            backward()  # how small the gradient is in the end
            return "converged"
        if step == plan.limit:
            return "diverged" if run.watch.rising() else "limit"
        if optimizer.needs_closure:
            optimizer.step(lambda: _closure(run, plan, batches))  # noqa: B023
        else:
            backward()  # dL/dw for every weight w
            run.diagnosis.look(step, batches[0][0])
            run.diagnosis.rate(run.watch.rises, lambda: _stable_rate(run, plan))
            if plan.clip_norm is not None:
                clip_gradient_norm(optimizer.parameters, plan.clip_norm)
            optimizer.step()  # w ← w - learning rate · dL/dw
        show(loss, run.evaluations[-1] if run.evaluations else {})


def _forward(
    run: Run, plan: Plan, batches: list[Batch]
) -> tuple[float, list[tuple[Any, Any]], Callable[[], object]]:
    """The loss of the batches, what was predicted and wanted, and how to go backward."""
    if len(batches) == 1:
        inputs, wanted = batches[0]
        predicted = run.model(inputs)  # ŷ = model(x)
        error = plan.compare(predicted, wanted)  # L = loss(ŷ, y)

        def backward() -> None:
            run.optimizer.zero_grad()
            error.backward()

        return float(error.data), [(_numbers(predicted), wanted)], backward
    rows = sum(len(wanted) for _, wanted in batches)
    loss, pairs = 0.0, []
    run.optimizer.zero_grad()
    for inputs, wanted in batches:  # one graph at a time: that is what accumulating is for
        predicted = run.model(inputs)
        error = plan.compare(predicted, wanted) * (len(wanted) / rows)
        error.backward()
        loss += float(error.data)
        pairs.append((_numbers(predicted), wanted))
    return loss, pairs, lambda: None


def _closure(run: Run, plan: Plan, batches: list[Batch]) -> float:
    """The loss at the present weights, and its gradient: for a line search."""
    loss, _, backward = _forward(run, plan, batches)
    backward()
    return loss


def _stable_rate(run: Run, plan: Plan) -> float | None:
    """The largest stable learning rate here, roughly."""
    return stable_rate(run.model, plan.compare, *run.rows, rough=True)


def _numbers(predicted: Any) -> Array:
    """The prediction without its graph."""
    return np.asarray(predicted.data if isinstance(predicted, Value) else predicted)


def _judged(run: Run, plan: Plan) -> dict[str, float]:
    """The loss and the metrics on the data that were held out."""
    if plan.held_out is None:
        return {}
    return judged(run.model, *plan.held_out, loss=plan.loss, metrics=run.metrics)


def _call(run: Run, plan: Plan, evaluation: dict[str, float] | None) -> None:
    """Call the callbacks, and hear whether one of them asks to stop."""
    moment = Moment(
        step=run.step,
        epoch=run.full_epochs,
        loss=run.losses[-1],
        learning_rate=run.optimizer.rate,
        model=run.model,
        optimizer=run.optimizer,
        evaluation=evaluation,
    )
    for callback in plan.callbacks:
        callback(moment)
    run.stopped = moment.stopped


def _taken_in(run: Run, intake: Intake) -> Iterator[Batch]:
    """An epoch of a loader that was given: its batches checked, and in the model's dtype."""
    for batch in run.loader:
        where = f"fit: batch {run.loader.batch - 1} of epoch {run.loader.epoch}"
        yield intake.batch(where, batch)


def _groups(run: Run, size: int) -> Iterator[list[Batch]]:
    """So many batches at a time, epoch after epoch, for ever."""
    while run.everything is not None and len(run.loader) == 1:
        yield [run.everything]  # in order: the loader has no position to keep
    intake = Intake(run.model)
    while True:
        batches = _taken_in(run, intake) if run.everything is None else iter(run.loader)
        while group := list(islice(batches, size)):
            yield group
