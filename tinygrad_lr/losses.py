"""Losses: how far predictions are from their targets, as functions of Values.

Each begins with the residual u = ŷ - y, which is in the graph with the rest: after `backward()` it
has its dL/du. Shapes must be equal, since a loss between (N, 1) and (N,) would broadcast to (N, N)
and train wrongly in silence. A target that is a plain array or number takes the dtype of the
prediction, so that float64 data do not widen a float32 model; a target that is a Value keeps its
own. Every loss has a `reduction`: "mean" (the default) or "sum" of all entries, or "none".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import ArgumentError, DtypeError, ShapeError, bad_argument
from .ops import reduce
from .value import Value


def mse(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""The mean squared error, mean(u²) with u = ŷ - y.

    Shapes: prediction and target of one shape; the result is a scalar, or of that shape with
    reduction "none". Raises `ShapeError` for different shapes, `ArgumentError` for another
    reduction, `DtypeError` for a target that is not made of real numbers.

    Source: `torch.nn.functional.mse_loss`.

    >>> prediction = Value([1.0, 3.0])
    >>> loss = tg.losses.mse(prediction, [0.0, 1.0])
    >>> loss.backward()
    >>> float(loss), prediction.grad.tolist()
    (2.5, [1.0, 2.0])
    """
    u = residual("mse", prediction, target)
    if reduction == "mean":
        return reduce.mean_square(u)
    return reduced("mse", u**2, reduction)


def mae(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The mean absolute error, mean |u| with u = ŷ - y; its derivative at u = 0 is 0.

    Shapes and errors are those of `mse`.

    Source: `torch.nn.functional.l1_loss`.

    >>> float(tg.losses.mae(Value([1.0, 3.0]), [0.0, 1.0]))
    1.5
    """
    u = residual("mae", prediction, target)
    return reduced("mae", abs(u), reduction)


def huber(prediction: Any, target: Any, delta: float = 1.0, *, reduction: str = "mean") -> Any:
    """Huber's loss: u²/2 where |u| ≤ delta, else delta·(|u| - delta/2), with u = ŷ - y.

    Its derivative is u, held between -delta and delta, so that a far point pulls no harder than
    one at delta. Shapes and errors are those of `mse`; `ArgumentError` for a delta that is not a
    finite number above 0.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964; as
    `torch.nn.functional.huber_loss`.

    >>> prediction = Value([0.5, -3.0])
    >>> loss = tg.losses.huber(prediction, [0.0, 0.0], reduction="sum")
    >>> loss.backward()
    >>> float(loss), prediction.grad.tolist()
    (2.625, [0.5, -1.0])
    """
    if not isinstance(delta, (int, float, np.number)) or not 0 < delta < math.inf:
        raise ArgumentError(
            bad_argument("huber", "delta is no size", expected="a number > 0", given=repr(delta))
        )
    u = residual("huber", prediction, target)
    delta = float(delta)
    near = np.clip(u, -delta, delta)  # its square carries the middle, the rest is straight
    return reduced("huber", 0.5 * near**2 + delta * abs(u - near), reduction)


def residual(where: str, prediction: Any, target: Any) -> Any:
    """The difference ŷ - y of two things of one shape; see the module for the dtype."""
    if not isinstance(prediction, Value):
        prediction = real_numbers(where, "prediction", prediction)
    number = type(target) is float or type(target) is int  # such a one never widens anything
    if not isinstance(target, Value) and not (number and prediction.shape == ()):
        if type(target) is not np.ndarray or target.dtype != prediction.dtype:
            target = real_numbers(where, "target", target).astype(prediction.dtype)
            target.flags.writeable = False  # nobody else has it: no graph needs a copy
        if prediction.shape != target.shape:
            raise misfit(where, prediction.shape, target.shape)
    elif not number and prediction.shape != target.shape:
        raise misfit(where, prediction.shape, target.shape)
    return prediction - target


def reduced(where: str, entries: Any, reduction: str) -> Any:
    """The mean or the sum of the entries, or the entries."""
    if reduction == "mean":
        return reduce.mean(entries)
    if reduction == "sum":
        return reduce.sum(entries)
    if reduction == "none":
        return entries
    raise ArgumentError(
        bad_argument(
            where,
            "reduction is unknown",
            expected="'mean', 'sum' or 'none'",
            given=f"{reduction!r:.60}",
        )
    )


def real_numbers(where: str, name: str, given: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """An array of real numbers. Raises `DtypeError` for anything else, masked arrays too."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiub" or isinstance(given, np.ma.MaskedArray):
        masked = isinstance(given, np.ma.MaskedArray)
        raise DtypeError(
            bad_argument(
                where,
                f"{name} is not made of real numbers",
                expected="an array of floats or integers",
                given="a masked array" if masked else f"dtype {array.dtype}",
                cure="fill it first, with filled(...)" if masked else "",
            )
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def misfit(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    """The error for shapes that differ, with the cure where they would broadcast."""
    if prediction == (*target, 1):
        cure = "pass target[..., None], or prediction[..., 0]"
    elif target == (*prediction, 1):
        cure = "pass target[..., 0], or prediction[..., None]"
    else:
        cure = "bring both to one shape: a loss does not broadcast"
    return ShapeError(
        bad_argument(
            where,
            "prediction and target have different shapes",
            expected=f"a target of shape {prediction}",
            given=f"{target}",
            cure=cure,
        )
    )
