"""Losses between numbers: the mean squared and absolute error, and Huber's between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, bad_argument
from ..ops import reduce
from .residual import reduced, residual


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
