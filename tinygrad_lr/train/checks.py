"""The arguments of `fit`, checked before anything is trained."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ArgumentError, DtypeError, ShapeError, bad_argument
from ..nn import Module
from ..optim import SGD, LearningRate, Optimizer
from .history import counted

Array = np.ndarray[Any, np.dtype[Any]]

LEARNING_RATE = 0.001  # a usual first try
MOST_STEPS = 1000  # the limit where neither steps nor epochs say another


def checked_data(model: Module, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """x with its rows and y with as many, the caller's arrays left alone, or the error."""
    dtype = np.result_type(*(parameter.dtype for parameter in model.parameters()))
    features, targets = checked_array("x", x, dtype), checked_array("y", y, dtype)
    if len(features) != len(targets):
        raise ShapeError(
            bad_argument(
                "fit",
                "x and y have different numbers of rows",
                expected=f"{counted(len(features), 'row')} in y, as in x",
                given=f"{len(targets)}",
            )
        )
    return frozen(features[:, None] if features.ndim == 1 else features), targets


def checked_array(name: str, given: Any, dtype: np.dtype[Any]) -> Array:
    """A copy that graphs can share, in the model's dtype (whole targets, as labels, stay whole)."""
    masked = isinstance(given, np.ma.MaskedArray)
    try:
        raw = np.asarray(given)
    except ValueError:
        raw = np.array(None)
    if masked or raw.dtype.kind not in "fiub":
        raise DtypeError(
            bad_argument(
                "fit",
                f"{name} is not made of real numbers",
                expected="an array of floats or integers",
                given="a masked array" if masked else f"{type(given).__name__} of {raw.dtype}",
                cure="fill it first, with filled(...)" if masked else "",
            )
        )
    if not raw.ndim or not len(raw):
        raise ShapeError(
            bad_argument("fit", f"{name} has no rows", expected="one or more", given=raw.shape)
        )
    with np.errstate(all="ignore"):
        array = np.array(raw, dtype if raw.dtype.kind == "f" or name == "x" else None, order="C")
    finite = np.isfinite(array)
    if not finite.all():
        row, *column = (int(i) for i in np.unravel_index(np.argmin(finite), array.shape))
        place = f"row {row}" + (f", column {', '.join(map(str, column))}" if column else "")
        raise ArgumentError(
            bad_argument(
                "fit",
                f"{name} is not finite in {place}",
                expected=f"finite numbers of {array.dtype}",
                given=raw[(row, *column)],
                cure="leave that row out or fill it in",
            )
        )
    return frozen(array)


def frozen(array: Array) -> Array:
    """The array, read-only: graphs then need no copy of it."""
    array.flags.writeable = False
    return array


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
    try:
        count = operator.index(given)
    except TypeError:
        count = -1
    if isinstance(given, bool) or count < low or (high is not None and count > high):
        between = f"from {low}" + (f" to {high}, the number of rows" if high is not None else "")
        raise ArgumentError(
            bad_argument(
                "fit",
                f"{name} is out of range",
                expected=f"a whole number {between}",
                given=repr(given),
            )
        )
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
