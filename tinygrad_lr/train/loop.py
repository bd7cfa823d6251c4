"""`fit`: the loop of gradient descent, from checked arguments to a history."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..core.value import Value
from ..data import DataLoader
from ..metrics import Metric
from ..nn import Module
from ..optim import LearningRate, Optimizer
from ..support.random_state import Seed, as_generator
from ..support.validation import check_flag, check_integer, check_number
from .arguments import (
    check_callbacks,
    check_checkpoint,
    check_clip_norm,
    check_count,
    check_early_stopping,
    check_limit,
    check_loader,
    check_loss,
    check_optimizer,
    check_schedules,
    check_validation,
    restored_on_error,
)
from .checkpoints import Checkpoints
from .evaluation import resolve_metrics, training_mode
from .history import History, end_message
from .inputs import StepBatches
from .monitors import Diagnosis, EarlyStopping, find_nonfinite, largest_stable_rate
from .progress import progress_bar
from .state import FitConfig, FitState, Moment
from .steps import Show, Stepper

__all__ = ["fit"]


def train(state: FitState, stepper: Stepper, show: Show) -> str:
    """Make step after step until there is a reason to end, and return it."""
    optimizer, config, diagnosis = state.optimizer, state.config, state.diagnosis
    batches = StepBatches(state.model, state.loader, state.arrays, config.accumulate)
    resumed_at = state.step
    while True:
        state.commit_update()
        step, evaluation = state.step, None
        if step > resumed_at:
            save_if_due(state)
        if state.stopped:
            return "stopped"
        if config.is_evaluated(step):
            evaluation = state.evaluate()
            if state.early_stopping is not None and state.early_stopping.exhausted:
                if step < config.limit:  # there it is saved, without an evaluation out of turn
                    save_if_due(state, ends=True)
                return "early"
        if stepper.run_ahead(batches, show):  # compiled code: many steps in a call
            continue

        group = next(batches)
        state.last_batch = state.arrays or group[0]
        loss, pairs, backward = stepper.forward(group)  # ŷ = model(x), L = loss(ŷ, y)
        state.record_loss(loss, pairs)
        if config.callbacks:
            call_callbacks(state, evaluation)
        if state.divergence.diverges(state.losses, state.before):
            return "diverged"
        if state.unchanged == state.steps_per_epoch:
            backward()  # for the size of the gradient at the end
            return "converged"
        if step >= config.limit:
            return "diverged" if state.divergence.is_rising() else "limit"
        if optimizer.needs_closure:
            stepper.line_search(group)
        else:
            backward()  # dL/dw for every weight w
            diagnosis.check_step(step, group[0][0])
            diagnosis.check_learning_rate(state.divergence.rises, lambda: stable_rate(state, True))
            stepper.update()  # w ← w - learning rate · dL/dw
        show(loss, state.last_evaluation)


def save_if_due(state: FitState, *, ends: bool = False) -> None:
    """Write a checkpoint if one is due after this step, as it is after the last step."""
    checkpoints = state.config.checkpoints
    if checkpoints is not None:
        ends = ends or state.stopped or state.unchanged == state.steps_per_epoch
        if ends or state.step >= state.config.limit or checkpoints.due(state.step):
            state.save(checkpoints)


def call_callbacks(state: FitState, evaluation: dict[str, float] | None) -> None:
    """Call the callbacks, and record whether one of them asks to stop."""
    moment = Moment(
        step=state.step,
        epoch=state.full_epochs,
        loss=state.losses[-1],
        learning_rate=state.optimizer.rate,
        model=state.model,
        optimizer=state.optimizer,
        evaluation=evaluation,
    )
    for callback in state.config.callbacks:
        callback(moment)
    state.stopped = moment.stopped


def stable_rate(state: FitState, rough: bool = False) -> float | None:
    """Return the largest stable learning rate at the current weights, or None."""
    compute_loss = state.config.compute_loss
    with contextlib.suppress(KeyboardInterrupt):  # it may take long: Ctrl-C ends this alone
        return largest_stable_rate(state.model, compute_loss, *state.last_batch, rough=rough)
    return None


def fit(
    model: Module,
    x: ArrayLike | DataLoader,
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
    validation: tuple[ArrayLike, ArrayLike] | DataLoader | float | None = None,
    validate_every: int | None = None,
    metrics: str | Metric | Sequence[str | Metric] = (),
    early_stopping: int | EarlyStopping | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoints | None = None,
    resume: bool = False,
    generator: Seed = None,
    callback: Callable[[Moment], object] | Sequence[Callable[[Moment], object]] = (),
    progress: bool | None = None,
    warn: bool = True,
    compile: bool | None = None,
) -> History:
    """Train a model: forward, loss, backward, update, until the weights no longer change.

    Each step uses all rows or, with `batch_size`, the next of the shuffled batches: every row is
    used once per epoch, the last batch may be smaller, and the order comes from `generator`, a
    NumPy Generator or a seed (default: 0). `x` may also be a `tg.data.DataLoader` of inputs and
    targets. With `accumulate`, the gradients of that many batches make one step, equal to that of
    one batch of all their rows; `clip_norm` bounds the norm of the gradient. The model is in
    training mode during the loop, which ends

    - "converged" when an update leaves every weight as it was, or within `tolerance` · max(s, |w|)
      of it, with the scale of the data s = min(1, |y|, |y| / |x|) from their largest entries; with
      batches, when all updates of an epoch do;
    - "limit" after `steps` updates or `epochs` passes over the rows (pass one; default: 1000
      steps);
    - "early" when `early_stopping` (an `EarlyStopping`, or its patience) stops it: the model then
      has the weights of the best evaluation;
    - "stopped" when a callback asks for it;
    - "diverged" when the loss is not finite, has been 10 000 times the first loss for 10 steps, or
      ends above the first loss after 10 rises in a row (of the mean loss of an epoch, with
      batches). The model then keeps the best weights it had, the optimiser forgets its momentum,
      and the message states the largest stable learning rate and the first array that wasn't
      finite;
    - "interrupted" by Ctrl-C: the model keeps the weights of the last completed step.

    `optimizer` defaults to `SGD(model.parameters(), learning_rate)`; `learning_rate` is a number or
    a function of the step (default: 0.001, a common first try).

    `validation` is data that the model is evaluated on and never trained on: (x, y), a DataLoader,
    or a fraction of the rows, drawn by `generator`. Evaluations take place every `validate_every`
    steps (default: once per epoch) and at the end. They include the `metrics`, names such as
    "accuracy" or functions of prediction and target: see `History.evaluations`.

    `checkpoint` is a path, or a `Checkpoints` with a path and how often to save. `resume=True`
    continues from there, bit for bit as if it had never stopped (or starts, if there is no file
    yet): weights, optimiser, schedule, generators, the position in the epoch, early stopping and
    history. `steps` and `epochs` count from the start of the first run. The run must have the same
    data, layers, loss, optimiser and batches; of a data set object only the length is compared.

    `callback` is a function of a `Moment`, or a list of them: each is called at every step, after
    the loss and before the update. `progress=True` shows a tqdm bar, False none; None, the default,
    shows one if stderr is a terminal and tqdm is installed. `warn=False` turns off the
    `TrainingWarning` for divergence, dead ReLUs, vanishing and exploding gradients, and a learning
    rate above the stable limit; they are in `history.warnings` either way.

    `compile=True` runs the steps in compiled code (see `tg.compile`): for a small model, many steps
    in one call, unless a callback, evaluation or checkpoint comes between them; for any other
    model, one program for the loss with its gradient and one for the update. The results are the
    same up to rounding. Side effects of the model's Python code, such as printing, happen once,
    when it is traced. The smaller last batch of an epoch isn't compiled for a small model.
    Compiling takes 0.1 s if the machine code is cached, else 0.3 s or more, which pays off from
    about a thousand short steps on; None, the default, means False.

    Shapes: x (n, ...), or (n,) for one feature; y as the loss expects it, or (n,) for an output of
    (n, 1). x and a floating y take the dtype of the model's parameters; integers in y stay labels,
    and in x indices where the model has an Embedding.

    Before training, raises `ArgumentError` if x or y contains nan or inf (with row and column), an
    argument is out of range, or the checkpoint is damaged, of another run, or beyond the limit;
    `DataFileError` if it can't be read or written; `ShapeError` if x and y have different lengths;
    `DtypeError` if they are not real numbers; `MissingExtraError` if tqdm (for
    progress=True) or safetensors (for a checkpoint) isn't installed; with compile=True,
    `TraceError`, with the line, if the model or optimiser can't be compiled.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> fit(line, [0.0, 1.0, 2.0], [1.0, 3.0, 5.0], learning_rate=0.3, tolerance=1e-12).reason
    'converged'
    >>> line.weight.data.round(6).tolist(), line.bias.data.round(6).tolist()
    ([[2.0]], [1.0])
    """
    optimizer = check_optimizer(model, optimizer, learning_rate)
    flags = {"resume": resume, "progress": progress, "warn": warn, "compile": compile}
    for name, flag in flags.items():
        if flag is not None or name in {"resume", "warn"}:
            check_flag("fit", name, flag)
    random = as_generator("fit", 0 if generator is None else generator)
    with restored_on_error(random):
        x, y, held_out = check_validation(model, x, y, validation, random)
        loader, arrays = check_loader(model, x, y, batch_size, random)
        accumulate = check_integer("fit", "accumulate", accumulate, low=1)
        steps_per_epoch = math.ceil(len(loader) / accumulate)
        chosen, follows_loss = resolve_metrics(metrics, loss), check_schedules(optimizer)
        config = FitConfig(
            loss=check_loss(loss),
            accumulate=accumulate,
            limit=check_limit(steps, epochs, steps_per_epoch),
            clip_norm=check_clip_norm(optimizer, clip_norm),
            held_out=held_out,
            evaluating=held_out is not None
            or bool(chosen)
            or early_stopping is not None
            or follows_loss,
            validate_every=check_count("validate_every", validate_every, 1) or steps_per_epoch,
            metrics=chosen,
            callbacks=check_callbacks(callback),
            checkpoints=check_checkpoint(checkpoint, resume),
            tolerance=check_number("fit", "tolerance", tolerance),
        )
        state = FitState(
            *(config, model, optimizer, loader, arrays),
            steps_per_epoch=steps_per_epoch,
            early_stopping=check_early_stopping(early_stopping, held_out is not None),
            diagnosis=Diagnosis(model, optimizer, warn=warn),
        )
        if config.checkpoints is not None:
            config.checkpoints.check_writable()
        resumed = config.checkpoints is not None and resume and state.resume(config.checkpoints)
        if state.early_stopping is not None and not resumed:
            state.early_stopping.restart()
    with (
        np.errstate(all="ignore"),
        training_mode(model, True),
        progress_bar(config.limit, state.step, progress) as show,
        choose_stepper(state, compile) as stepper,
    ):
        try:
            reason = train(state, stepper, show)
        except KeyboardInterrupt:
            reason = "interrupted"
            state.settle_interruption()
    return finish(state, reason)


def choose_stepper(
    state: FitState, compile: bool | None
) -> contextlib.AbstractContextManager[Stepper]:
    """Return what makes the steps: operation by operation, or in compiled code."""
    if not compile:
        return contextlib.nullcontext(Stepper(state))
    from .compiled_steps import compiled_stepper  # here: loading the compiler takes 30 ms

    return compiled_stepper(state)


def finish(state: FitState, reason: str) -> History:
    """Leave the right weights in the model, and return the history."""
    parameters, monitor, stopping = state.weights.parameters, state.divergence, state.early_stopping
    history = History(
        losses=state.losses,
        weights=state.weight_history.stack(state.step),
        weight_steps=state.weight_history.steps,
        steps=state.step,
        reason=reason,
        message="",
        learning_rate=state.optimizer.rate,
        learning_rates=state.rates,
        evaluations=state.evaluations,
    )
    nonfinite = ""
    if reason == "diverged" or not all(np.isfinite(x._content).all() for x in parameters):
        history.reason = "diverged"
        if not math.isfinite(state.losses[-1]):
            inputs = state.last_batch[0]
            nonfinite = find_nonfinite(state.model, parameters, inputs, moved=state.step > 0)
        state.weights.restore(monitor.best)
        state.optimizer.restart()
        history.learning_rate_limit = stable_rate(state)
    elif stopping is not None and stopping.seen and reason != "interrupted":
        state.weights.restore(state.best)
        history.best_step = state.best_step
    history.message = end_message(history, monitor.best_step, parameters, nonfinite)
    if history.reason == "diverged":
        state.diagnosis.warn_once("diverged", history.message)
    history.warnings = [sentence for sentence in state.diagnosis.issued.values() if sentence]
    return history
