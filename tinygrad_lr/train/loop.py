"""`fit`: the visible loop of gradient descent, and its stopping rules."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..errors import TinygradError, import_extra
from ..nn import Module
from ..nn.init import Seed, as_generator
from ..optim import LearningRate, Optimizer, checked_number, restore, snapshot
from ..value import Value
from .checks import checked_count, checked_data, checked_limit, checked_optimizer, frozen
from .history import History, Record, Watch, message, unchanged

Array = np.ndarray[Any, np.dtype[Any]]


def fit(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
    optimizer: Optimizer | None = None,
    learning_rate: LearningRate | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    tolerance: float = 0.0,
    generator: Seed = None,
    callback: Callable[[int, float], Any] | None = None,
    progress: bool | None = None,
) -> History:
    """Train a model: forward, loss, backward, update, until the weights no longer change.

    Each step takes all rows, or with `batch_size` the next of the shuffled batches (each row once
    an epoch, the last batch may be smaller; the order comes from `generator`, a numpy Generator
    or a seed, 0 unless given). The model is put in training mode for the time. The loop ends

    - "converged" when an update leaves every weight as it was, or within `tolerance` · max(1, |w|)
      of it; with batches, when all updates of an epoch do;
    - "limit" after `steps` updates or `epochs` passes over the rows (one of the two; 1000 steps);
    - "diverged" when the loss is not finite, has been 10 000 times the first loss for 10 steps,
      or ends above the first loss after 10 rises in a row (of the mean loss of an epoch, with
      batches). The model then keeps the best weights it had, the optimiser forgets its momentum,
      and the message names the largest stable learning rate;
    - "interrupted" by Ctrl-C: the model keeps what it has learnt, up to a whole step.

    `optimizer` defaults to `SGD(model.parameters(), learning_rate)`, and the learning rate, a
    number or a function of the step, to 0.001, a usual first try. `callback(step, loss)` is
    called with each loss, before the update. `progress=True` shows a bar (tqdm), False none, None
    one if a person watches, that is if stderr is a terminal and tqdm is there.

    Shapes: x (n, features), or (n,) for one feature; y as the model's output, or (n,) for an
    output of (n, 1). x and a floating y take the dtype of the model's parameters.

    Raises before training: `ArgumentError` for nan or inf in x or y (with row and column) and for
    arguments out of range, `ShapeError` where x and y have different lengths, `DtypeError` for
    what is not made of real numbers, `MissingExtraError` for progress=True without tqdm.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> fit(line, [0.0, 1.0, 2.0], [1.0, 3.0, 5.0], learning_rate=0.3, tolerance=1e-12).reason
    'converged'
    >>> line.weight.data.round(6).tolist(), line.bias.data.round(6).tolist()
    ([[2.0]], [1.0])
    """
    optimizer = checked_optimizer(model, optimizer, learning_rate)
    features, targets = checked_data(model, x, y)
    size = checked_count("batch_size", batch_size, 1, len(features)) or len(features)
    epoch = math.ceil(len(features) / size)  # steps in an epoch
    limit = checked_limit(steps, epochs, epoch)
    tolerance = checked_number("fit", "tolerance", tolerance)
    random = as_generator("fit", 0 if generator is None else generator)
    parameters, began = optimizer.parameters, optimizer.steps
    record, watch = Record(model), Watch(parameters, epoch)
    still, reason = 0, ""

    def compare(predicted: Any, wanted: Any) -> Value:
        if wanted.ndim == 1 and predicted.shape == (len(wanted), 1):
            wanted = wanted[:, None]
        return loss(predicted, wanted)

    with np.errstate(all="ignore"), _training(model), _bar(limit, progress) as advance:
        batches = _batches(features, targets, size, random)
        try:
            while not reason:
                inputs, wanted = next(batches)
                error = compare(model(inputs), wanted)  # ŷ = model(x), L = loss(ŷ, y)
                step = optimizer.steps - began
                record.see(step, float(error.data))
                if callback is not None:
                    callback(step, record.losses[-1])
                weights = snapshot(parameters)
                if watch.diverges(record.losses, weights):
                    reason = "diverged"
                elif still == epoch:
                    reason = "converged"
                elif step == limit:
                    reason = "diverged" if watch.rising() else "limit"
                else:
                    optimizer.zero_grad()
                    error.backward()  # dL/dw for every weight w
                    optimizer.step()  # w ← w - learning rate · dL/dw
                    same = optimizer.rate > 0 and unchanged(parameters, weights, tolerance)
                    still = still + 1 if same else 0  # w_new = w_old?
                    advance(record.losses[-1])
        except KeyboardInterrupt:
            reason = "interrupted"

    history = History(
        losses=record.losses,
        weights=record.stacked(optimizer.steps - began),
        weight_steps=record.steps,
        steps=optimizer.steps - began,
        reason=reason,
        message="",
        learning_rate=optimizer.rate,
    )
    if reason == "diverged" or not all(np.isfinite(x._content).all() for x in parameters):
        history.reason = "diverged"
        restore(parameters, watch.best)
        optimizer.restart()
        history.learning_rate_limit = _stable_rate(model, compare, features, targets)
    history.message = message(history, watch.best_step, parameters)
    return history


def _batches(
    features: Array, targets: Array, size: int, random: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """All rows each time, or shuffled batches of them, one epoch after the other, for ever."""
    while size == len(features):
        yield features, targets
    while True:
        order = random.permutation(len(features))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield frozen(features[rows]), frozen(targets[rows])


@contextlib.contextmanager
def _training(model: Module) -> Iterator[None]:
    """Training mode for the time, and the mode of each module again afterwards."""
    resting = [module for module in model.modules() if not module.training]
    for module in resting:
        module.training = True
    try:
        yield
    finally:
        for module in resting:
            module.training = False


@contextlib.contextmanager
def _bar(limit: int, progress: bool | None) -> Iterator[Callable[[float], object]]:
    """What to call with the loss after each step: it moves the bar, where there is one."""
    shown = progress
    if shown is None:
        import importlib.util  # here: a program without a terminal does without it

        terminal = sys.stderr is not None and sys.stderr.isatty()
        shown = terminal and importlib.util.find_spec("tqdm") is not None
    if not shown:
        yield lambda loss: None
        return
    with import_extra("tqdm", "cli").tqdm(total=limit, unit=" steps", file=sys.stderr) as bar:

        def advance(loss: float) -> None:
            bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            bar.update()

        yield advance


def _stable_rate(
    model: Module, compare: Callable[[Any, Any], Value], features: Array, targets: Array
) -> float | None:
    """2/λmax over all rows at the present weights, where it is a number."""
    from ..linear import learning_rate_limit  # here: only a run that diverged needs it

    try:
        with np.errstate(all="ignore"):
            found = learning_rate_limit(model, compare, features, targets)
    except (TinygradError, MemoryError, KeyboardInterrupt):
        return None
    return found if math.isfinite(found) else None
