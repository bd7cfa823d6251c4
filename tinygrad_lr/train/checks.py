"""The arguments of `fit`, checked before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import losses
from ..data import DataLoader, split
from ..errors import ArgumentError, bad_argument
from ..nn import Module
from ..optim import SGD, LearningRate, Optimizer, check_number
from ..support.abstract_array import Array
from ..support.validation import check_integer
from .checkpoints import Checkpoints
from .history import counted
from .inputs import as_inputs, as_targets, frozen, model_dtype
from .stopping import EarlyStopping

Batch = tuple[Array, Array]

LEARNING_RATE = 0.001  # a usual first try
MOST_STEPS = 1000  # the limit where neither steps nor epochs say another


def checked_loader(
    model: Module, x: Any, y: Any, batch_size: int | None, random: np.random.Generator
) -> tuple[DataLoader, Batch | None]:
    """What gives the batches, x if it is a loader, else one over checked copies; and those."""
    if isinstance(x, DataLoader):
        beside = [
            name for name, given in (("y", y), ("batch_size", batch_size)) if given is not None
        ]
        if beside:
            wrong, given = "x is a DataLoader, which has its own", " and ".join(beside)
            raise ArgumentError(bad_argument("fit", wrong, expected="x alone", given=given))
        loader, everything = x, None
    else:
        if y is None:
            expected = "the targets, or a tg.data.DataLoader of both as x"
            raise ArgumentError(bad_argument("fit", "y is missing", expected=expected, given=y))
        features = as_inputs("fit", model, x)
        targets = as_targets("fit", y, model_dtype(model), len(features))
        everything = features, targets
        size = checked_count("batch_size", batch_size, 1, len(features)) or len(features)
        loader = DataLoader(
            features,
            targets,
            batch_size=size,
            shuffle=size < len(features),
            generator=random,
        )
    _check_last_batch(model, loader)
    return loader, everything


def _check_last_batch(model: Module, loader: DataLoader) -> None:
    """Refuse, before any training, a last batch that is too small for a layer of the model."""
    rows = loader.rows % loader.batch_size
    smallest = loader.batch_size if loader.drop_last or not rows else rows
    for name, module in model.named_modules():
        if module.least_rows > smallest:
            raise ArgumentError(
                bad_argument(
                    "fit",
                    f"the last batch has {counted(smallest, 'row')}, too few for {name}: "
                    f"{type(module).__name__}",
                    expected=f"batches of {module.least_rows} rows at least",
                    given=f"{loader.rows} rows in batches of {loader.batch_size}",
                    cure="choose another batch_size, or a DataLoader with drop_last=True",
                )
            )


def checked_limit(steps: int | None, epochs: int | None, epoch: int) -> int:
    """The number of steps to stop at."""
    if steps is not None and epochs is not None:
        raise ArgumentError(
            bad_argument("fit", "two limits", expected="steps or epochs", given="both")
        )
    if epochs is not None:
        return epoch * (checked_count("epochs", epochs, 0) or 0)
    limit = checked_count("steps", steps, 0)
    return MOST_STEPS if limit is None else limit


def checked_count(name: str, given: Any, low: int, high: int | None = None) -> int | None:
    """A whole number in range, or None for None. Raises `ArgumentError` for anything else."""
    if given is None:
        return None
    count = check_integer("fit", name, given, low)
    if high is not None and count > high:
        expected = f"a whole number from {low} to {high}, the number of rows"
        wrong = f"{name} is larger than the data"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=count))
    return count


def checked_optimizer(model: Any, optimizer: Any, learning_rate: LearningRate | None) -> Optimizer:
    """The optimiser that is meant, if it can train this model; else the error."""
    if not isinstance(model, Module):
        given = type(model).__name__
        raise ArgumentError(
            bad_argument("fit", "model is no module", expected="a tg.nn.Module", given=given)
        )
    if optimizer is None:
        return SGD(model.parameters(), LEARNING_RATE if learning_rate is None else learning_rate)
    wrong = ""
    if not isinstance(optimizer, Optimizer):
        wrong, given = "optimizer is no Optimizer", type(optimizer).__name__
    elif learning_rate is not None:
        wrong, given = "two learning rates", "learning_rate beside optimizer"
    elif {id(p) for p in model.parameters()}.isdisjoint(id(p) for p in optimizer.parameters):
        wrong, given = "the optimiser moves no parameter of this model", repr(optimizer)
    if wrong:
        expected = "such as tg.optim.SGD(model.parameters(), 0.1), alone"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=given))
    checked: Optimizer = optimizer
    return checked


def checked_loss(given: Any) -> Callable[[Any, Any], Any]:
    """The loss, if it is a function."""
    if callable(given):
        loss: Callable[[Any, Any], Any] = given
        return loss
    named = isinstance(given, str) and given in dir(losses)
    cure = f"pass tg.losses.{given}" if named else ""
    wrong, expected = "loss is no function", "such as tg.losses.mse"
    raise ArgumentError(
        bad_argument("fit", wrong, expected=expected, given=f"{given!r:.60}", cure=cure)
    )


def checked_bound(optimizer: Optimizer, given: Any) -> float | None:
    """The bound of the gradient's length, or None. Raises `ArgumentError` where it has no use."""
    if given is None:
        return None
    if optimizer.needs_closure:
        wrong, expected = "clip_norm beside a line search", "one of them"
        given = f"clip_norm={given!r:.60} and {type(optimizer).__name__}"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=given))
    return check_number("fit", "clip_norm", given, positive=True)


def checked_callbacks(given: Any) -> list[Callable[[Any], Any]]:
    """The callbacks as a list. Raises `ArgumentError` for what cannot be called."""
    callbacks = [given] if callable(given) else list(given)
    for callback in callbacks:
        if not callable(callback):
            expected = "a function of a tg.train.Moment, or a list of them"
            wrong, given = "callback is no function", f"{callback!r:.60}"
            raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=given))
    return callbacks


def checked_checkpoints(given: Any, resume: bool) -> Checkpoints | None:
    """Where the training is kept. Raises `ArgumentError` for resume without it."""
    if given is None and resume:
        expected, cure = "checkpoint=path", "pass the path that the earlier run was given"
        wrong = "there is nothing to resume from"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given="None", cure=cure))
    if given is None or isinstance(given, Checkpoints):
        return given
    if not isinstance(given, (str, os.PathLike)):
        wrong, expected = "checkpoint is no path", "a path or tg.train.Checkpoints"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=f"{given!r:.60}"))
    return Checkpoints(given)


def checked_stopping(given: Any, validating: bool) -> EarlyStopping | None:
    """When to stop early. Raises `ArgumentError` where there is nothing to go by."""
    if given is None:
        return None
    stopping = given if isinstance(given, EarlyStopping) else EarlyStopping(given)
    if stopping.figure.startswith("validation") and not validating:
        wrong, expected = "early_stopping goes by validation data", "validation="
        cure = 'pass validation=0.2, or EarlyStopping(patience, "loss")'
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given="none", cure=cure))
    return stopping


def checked_validation(
    model: Module, x: Any, y: Any, validation: Any, random: np.random.Generator
) -> tuple[Any, Any, Any]:
    """x and y to train on, and what is held out: None, (x, y) or (loader,)."""
    if validation is None or isinstance(validation, DataLoader):
        return x, y, None if validation is None else (validation,)
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        inputs = as_inputs("fit(validation=)", model, validation[0])
        dtype = model_dtype(model)
        return x, y, (inputs, as_targets("fit(validation=)", validation[1], dtype, len(inputs)))
    share = isinstance(validation, (float, np.floating)) and 0 < validation < 1
    if not share or isinstance(x, DataLoader) or y is None:
        loader = " (x is a DataLoader: pass another one)" if isinstance(x, DataLoader) else ""
        wrong, expected = "validation is unknown", "(x, y), a DataLoader, or a share such as 0.2"
        given = f"{validation!r:.60}{loader}"
        raise ArgumentError(bad_argument("fit", wrong, expected=expected, given=given))
    features = as_inputs("fit", model, x)
    targets = as_targets("fit", y, model_dtype(model), len(features))
    train_x, test_x, train_y, test_y = split(
        features, targets, test=float(validation), generator=random
    )
    return frozen(train_x), frozen(train_y), (frozen(test_x), frozen(test_y))
