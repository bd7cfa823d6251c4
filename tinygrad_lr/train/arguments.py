"""The arguments of `fit`, checked before anything is trained."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import losses
from ..data import DataLoader, split
from ..data.sources import freeze
from ..errors import ArgumentError
from ..nn import Module
from ..optim import SGD, LearningRate, Optimizer
from ..schedules import ReduceOnPlateau
from ..support.validation import (
    check_instance,
    check_integer,
    check_list,
    check_number,
    short_repr,
)
from .checkpoints import Checkpoints
from .history import count_of
from .inputs import Batch, as_inputs, as_targets, model_dtype
from .monitors import EarlyStopping
from .state import monitoring_schedules_of

DEFAULT_LEARNING_RATE = 0.001  # a usual first try
DEFAULT_STEPS = 1000  # the limit where neither steps nor epochs are given


def check_loader(
    model: Module, x: Any, y: Any, batch_size: int | None, random: np.random.Generator
) -> tuple[DataLoader, Batch | None]:
    """Return x if it is a loader, else a loader over checked copies of x and y; and those."""
    if isinstance(x, DataLoader):
        beside = [
            name for name, given in (("y", y), ("batch_size", batch_size)) if given is not None
        ]
        if beside:
            raise ArgumentError(
                f"fit: a DataLoader as x must be passed alone, got {' and '.join(beside)} too"
            )
        loader, arrays = x, None
    else:
        if y is None:
            raise ArgumentError(
                "fit: y must be the targets, got None; pass them, or a tg.data.DataLoader of both "
                "as x"
            )
        features = as_inputs("fit", model, x)
        targets = as_targets("fit", y, model_dtype(model), len(features))
        arrays = features, targets
        rows = len(features)
        size = check_count("batch_size", batch_size, 1, rows) or rows
        loader = DataLoader(
            features, targets, batch_size=size, shuffle=size < rows, generator=random
        )
    _check_last_batch(model, loader)
    return loader, arrays


def _check_last_batch(model: Module, loader: DataLoader) -> None:
    """Raise, before any training, for a last batch that is too small for a layer of the model."""
    rows = loader.rows % loader.batch_size
    smallest = loader.batch_size if loader.drop_last or not rows else rows
    for name, module in model.named_modules():
        if module.least_rows > smallest:
            raise ArgumentError(
                f"fit: batches must have at least {module.least_rows} rows for {name} "
                f"({type(module).__name__}), got a last batch of {count_of(smallest, 'row')} "
                f"({loader.rows} rows in batches of {loader.batch_size}); choose another "
                "batch_size, or a DataLoader with drop_last=True"
            )


def check_limit(steps: int | None, epochs: int | None, steps_per_epoch: int) -> int:
    """Return the number of steps to stop at."""
    if steps is not None and epochs is not None:
        raise ArgumentError("fit: the limit must be steps or epochs, got both")
    if epochs is not None:
        return steps_per_epoch * (check_count("epochs", epochs, 0) or 0)
    limit = check_count("steps", steps, 0)
    return DEFAULT_STEPS if limit is None else limit


def check_count(name: str, given: Any, low: int, rows: int | None = None) -> int | None:
    """Return an integer from `low`, at most `rows`, or None for None; else `ArgumentError`."""
    if given is None:
        return None
    count = check_integer("fit", name, given, low)
    if rows is not None and count > rows:
        raise ArgumentError(
            f"fit: {name} must be an integer from {low} to {rows}, the number of rows, got {count}"
        )
    return count


def check_optimizer(model: Any, optimizer: Any, learning_rate: LearningRate | None) -> Optimizer:
    """Return the optimiser, SGD unless one is given, if it can train this model."""
    check_instance("fit", "model", model, Module, "a tg.nn.Module")
    if optimizer is None:
        rate = DEFAULT_LEARNING_RATE if learning_rate is None else learning_rate
        return SGD(model.parameters(), rate)
    expected = "one of tg.optim, such as tg.optim.SGD(model.parameters(), 0.1)"
    chosen = check_instance("fit", "optimizer", optimizer, Optimizer, expected)
    if learning_rate is not None:
        raise ArgumentError(
            "fit: the learning rate must be given once, got learning_rate and an optimizer, which "
            "has its own"
        )
    if {id(p) for p in model.parameters()}.isdisjoint(id(p) for p in chosen.parameters):
        raise ArgumentError(
            "fit: optimizer must have parameters of this model, "
            f"got {short_repr(chosen)}; build it with model.parameters()"
        )
    return chosen


def check_schedules(optimizer: Optimizer) -> bool:
    """Return True if a learning rate follows the loss, for which less must be better."""
    schedules = monitoring_schedules_of(optimizer)
    for schedule in schedules:
        if isinstance(schedule, ReduceOnPlateau) and schedule.mode == "max":
            raise ArgumentError(
                "fit: ReduceOnPlateau must have mode='min', since it sees the loss, got mode='max'"
            )
    return bool(schedules)


def check_loss(given: Any) -> Callable[[Any, Any], Any]:
    """Return the loss, if it is a function."""
    if not callable(given):
        named = isinstance(given, str) and given in dir(losses)
        cure = f"; pass tg.losses.{given}" if named else ""
        raise ArgumentError(
            f"fit: loss must be a function such as tg.losses.mse, got {short_repr(given)}{cure}"
        )
    loss: Callable[[Any, Any], Any] = given
    return loss


def check_clip_norm(optimizer: Optimizer, given: Any) -> float | None:
    """Return the largest norm of the gradient, or None for None."""
    if given is None:
        return None
    if optimizer.needs_closure:
        raise ArgumentError(
            f"fit: clip_norm must be None for an optimizer with a line search "
            f"({type(optimizer).__name__}), got {short_repr(given)}"
        )
    return check_number("fit", "clip_norm", given, positive=True)


def check_callbacks(given: Any) -> list[Callable[[Any], Any]]:
    """Return the callbacks as a list."""
    callbacks = [given]
    if not callable(given):
        callbacks = check_list(
            "fit", "callback", given, "a function of a Moment, or a list of them"
        )
    for callback in callbacks:
        if not callable(callback):
            raise ArgumentError(
                "fit: callback must be a function of a tg.train.Moment, or a list of them, "
                f"got {short_repr(callback)}"
            )
    return callbacks


def check_checkpoint(given: Any, resume: bool) -> Checkpoints | None:
    """Return where training state is saved, None for nowhere."""
    if given is None and resume:
        raise ArgumentError(
            "fit: checkpoint must be a path for resume=True, got None; pass the path that the "
            "earlier run was given"
        )
    if given is None or isinstance(given, Checkpoints):
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise ArgumentError(
            f"fit: checkpoint must be a path or tg.train.Checkpoints, got {short_repr(given)}"
        )
    return Checkpoints(given)


def check_early_stopping(given: Any, validating: bool) -> EarlyStopping | None:
    """Return the rule for early stopping, if there is something to go by."""
    if given is None:
        return None
    stopping = given if isinstance(given, EarlyStopping) else EarlyStopping(given)
    if stopping.monitor.startswith("validation") and not validating:
        raise ArgumentError(
            f"fit: early_stopping monitors {stopping.monitor}, which needs validation data, got "
            'none; pass validation=0.2, or EarlyStopping(patience, "loss")'
        )
    return stopping


@contextlib.contextmanager
def restored_on_error(generator: np.random.Generator) -> Iterator[None]:
    """Put a generator back after an error: a refused run has drawn nothing."""
    before = generator.bit_generator.state
    try:
        yield
    except BaseException:
        generator.bit_generator.state = before
        raise


def check_validation(
    model: Module, x: Any, y: Any, validation: Any, random: np.random.Generator
) -> tuple[Any, Any, Any]:
    """Return x and y to train on, and what is held out: None, (x, y) or (loader,)."""
    if validation is None or isinstance(validation, DataLoader):
        return x, y, None if validation is None else (validation,)
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        inputs = as_inputs("fit(validation=)", model, validation[0])
        dtype = model_dtype(model)
        return x, y, (inputs, as_targets("fit(validation=)", validation[1], dtype, len(inputs)))
    is_share = isinstance(validation, (float, np.floating)) and 0 < validation < 1
    if not is_share or isinstance(x, DataLoader) or y is None:
        loader = "; x is a DataLoader: pass another one" if isinstance(x, DataLoader) else ""
        raise ArgumentError(
            "fit: validation must be (x, y), a DataLoader, or a fraction such as 0.2, "
            f"got {short_repr(validation)}{loader}"
        )
    features = as_inputs("fit", model, x)
    targets = as_targets("fit", y, model_dtype(model), len(features))
    train_x, test_x, train_y, test_y = split(
        features, targets, test=float(validation), generator=random
    )
    return freeze(train_x), freeze(train_y), (freeze(test_x), freeze(test_y))
