"""`fit`: the visible loop of gradient descent, and its stopping rules."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..core.value import Value
from ..nn import Module
from ..optim import LearningRate, Optimizer, check_number
from ..support.random_state import Seed, as_generator
from .checkpoints import Checkpoints
from .checks import (
    checked_bound,
    checked_callbacks,
    checked_checkpoints,
    checked_count,
    checked_limit,
    checked_loader,
    checked_loss,
    checked_optimizer,
    checked_stopping,
    checked_validation,
)
from .config import Moment, Plan
from .descent import descend
from .diagnosis import Diagnosis, culprit, stable_rate
from .divergence import message
from .evaluation import Metric, checked_metrics, mode
from .history import History
from .progress import bar
from .state import Run
from .steps import stepping
from .stopping import EarlyStopping


def fit(
    model: Module,
    x: Any,
    y: ArrayLike | None = None,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
    optimizer: Optimizer | None = None,
    learning_rate: LearningRate | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    tolerance: float = 0.0,
    validation: Any = None,
    validate_every: int | None = None,
    metrics: str | Metric | Sequence[str | Metric] = (),
    early_stopping: int | EarlyStopping | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoints | None = None,
    resume: bool = False,
    generator: Seed = None,
    callback: Callable[[Moment], Any] | Sequence[Callable[[Moment], Any]] = (),
    progress: bool | None = None,
    warn: bool = True,
    compile: bool | None = None,
) -> History:
    """Train a model: forward, loss, backward, update, until the weights no longer change.

    Each step takes all rows, or with `batch_size` the next of the shuffled batches (each row once
    an epoch, the last batch may be smaller; the order comes from `generator`, a numpy Generator
    or a seed, 0 unless given). `x` may be a `tg.data.DataLoader` of inputs and targets instead.
    With `accumulate` the gradients of so many batches make a step, which is that of a batch as
    large; `clip_norm` bounds the gradient's length. The model is put in training mode for the
    time. The loop ends

    - "converged" when an update leaves every weight as it was, or within `tolerance` · max(1, |w|)
      of it; with batches, when all updates of an epoch do;
    - "limit" after `steps` updates or `epochs` passes over the rows (one of the two; 1000 steps);
    - "early" when `early_stopping` says so (an `EarlyStopping`, or its patience): the model then
      has the weights of the best evaluation;
    - "stopped" when a callback asks for it;
    - "diverged" when the loss is not finite, has been 10 000 times the first loss for 10 steps,
      or ends above the first loss after 10 rises in a row (of the mean loss of an epoch, with
      batches). The model then keeps the best weights it had, the optimiser forgets its momentum,
      and the message names the largest stable learning rate and what first was not finite;
    - "interrupted" by Ctrl-C: the model keeps what it has learnt, up to a whole step.

    `optimizer` defaults to `SGD(model.parameters(), learning_rate)`, and the learning rate, a
    number or a function of the step, to 0.001, a usual first try.

    `validation` is what the model is judged by and never trained on: (x, y), a DataLoader, or a
    fraction of the rows, which are drawn by `generator` and held out. It is evaluated every
    `validate_every` steps (an epoch unless told otherwise) and at the end, and so are the
    `metrics`, names such as "accuracy" or functions of prediction and target: see
    `History.evaluations`.

    `checkpoint` is a path, or a `Checkpoints` that says how often to write it. With `resume=True`
    a training goes on from there, bit for bit as if it had never stopped (or begins, where there
    is no file yet): weights, optimiser, schedule, generators, the place in the epoch, early
    stopping and history. `steps` and `epochs` are those of the whole training.

    `callback` is a function of a `Moment`, or several: each is called with every loss, before the
    update. `progress=True` shows a bar (tqdm), False none, None one if a person watches, that is
    if stderr is a terminal and tqdm is there. `warn=False` keeps silent about divergence, dead
    ReLUs, gradients that vanish or explode, and a learning rate above the stable limit, of which
    `TrainingWarning` tells otherwise; they are in `history.warnings` either way.

    `compile=True` runs the steps in compiled code, as `tg.compile` makes it: a small model's whole
    stretches of steps at once, where no callback, evaluation or checkpoint comes between, any other
    model's loss with its gradient, and its update. All is as without it, to rounding. What Python
    does in a model beside arithmetic, such as to print, is done once, when it is traced. Compiling
    takes 0.1 s or more, which thousands of short steps win back: None, the default, is False.

    Shapes: x (n, ...), or (n,) for one feature; y as the loss takes it, or (n,) for an output of
    (n, 1). x and a floating y take the dtype of the model's parameters; whole numbers in y stay
    labels, and in x indices where the model has an Embedding.

    Raises before training: `ArgumentError` for nan or inf in x or y (with row and column), for
    arguments out of range, and for a checkpoint of another training; `ShapeError` where x and y
    have different lengths, `DtypeError` for what is not made of real numbers, `MissingExtraError`
    for progress=True without tqdm or a checkpoint without safetensors; with compile=True
    `TraceError`, with the line, for a model or an optimiser that cannot be compiled.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> fit(line, [0.0, 1.0, 2.0], [1.0, 3.0, 5.0], learning_rate=0.3, tolerance=1e-12).reason
    'converged'
    >>> line.weight.data.round(6).tolist(), line.bias.data.round(6).tolist()
    ([[2.0]], [1.0])
    """
    optimizer = checked_optimizer(model, optimizer, learning_rate)
    random = as_generator("fit", 0 if generator is None else generator)
    x, y, held_out = checked_validation(model, x, y, validation, random)
    loader, everything = checked_loader(model, x, y, batch_size, random)
    together = checked_count("accumulate", accumulate, 1) or 1
    epoch = math.ceil(len(loader) / together)  # steps in an epoch
    chosen = checked_metrics(metrics)
    plan = Plan(
        loss=checked_loss(loss),
        accumulate=together,
        limit=checked_limit(steps, epochs, epoch),
        clip_norm=checked_bound(optimizer, clip_norm),
        held_out=held_out,
        evaluating=held_out is not None
        or bool(chosen)
        or early_stopping is not None
        or hasattr(optimizer.learning_rate, "see"),
        validate_every=checked_count("validate_every", validate_every, 1) or epoch,
        callbacks=checked_callbacks(callback),
        checkpoints=checked_checkpoints(checkpoint, resume),
    )
    run = Run(
        model,
        optimizer,
        loader,
        everything,
        epoch=epoch,
        tolerance=check_number("fit", "tolerance", tolerance),
        metrics=chosen,
        stopping=checked_stopping(early_stopping, held_out is not None),
        diagnosis=Diagnosis(model, optimizer, warn=warn),
    )
    if plan.checkpoints is not None:
        run.settings = plan.settings(run)
        if resume:
            plan.checkpoints.resume(run)
    with (
        np.errstate(all="ignore"),
        mode(model, True),
        bar(plan.limit, run.step, progress) as show,
        stepping(run, plan, compile) as computed,
    ):
        try:
            reason = descend(run, plan, show, computed)
        except KeyboardInterrupt:
            reason = "interrupted"
            run.between_steps()
    return concluded(run, plan, reason)


def concluded(run: Run, plan: Plan, reason: str) -> History:
    """What the descent did, with the weights that it is to leave behind in the model."""
    parameters = run.weights.parameters
    history = History(
        losses=run.losses,
        weights=run.record.stacked(run.step),
        weight_steps=run.record.steps,
        steps=run.step,
        reason=reason,
        message="",
        learning_rate=run.optimizer.rate,
        learning_rates=run.rates,
        evaluations=run.evaluations,
    )
    first = ""
    if reason == "diverged" or not all(np.isfinite(x._content).all() for x in parameters):
        history.reason = "diverged"
        inputs, targets = run.rows
        if not math.isfinite(run.losses[-1]):
            first = culprit(run.model, parameters, inputs, moved=run.step > 0)
        run.weights.put(run.watch.best)
        run.optimizer.restart()
        history.learning_rate_limit = stable_rate(run.model, plan.compare, inputs, targets)
    elif run.stopping is not None and run.stopping.seen and reason != "interrupted":
        run.weights.put(run.best)
        history.best_step = run.best_step
    history.message = message(history, run.watch.best_step, parameters, first)
    if history.reason == "diverged":
        run.diagnosis.tell("diverged", history.message)
    history.warnings = [sentence for sentence in run.diagnosis.told.values() if sentence]
    return history
