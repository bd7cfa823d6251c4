"""Regression losses: mean squared error, mean absolute error, and Huber's loss."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from ..core.value import Value, ValueLike
from ..ops import reduce
from ..support.validation import check_number
from .shared import reduce_entries, residual

__all__ = ["huber", "mae", "mse"]


@overload
def mse(prediction: Value, target: ValueLike, *, reduction: str = "mean") -> Value: ...
@overload
def mse(prediction: ValueLike, target: ValueLike, *, reduction: str = "mean") -> Any: ...
def mse(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""The mean squared error, mean(u²) with u = ŷ - y.

    Shapes: prediction and target of equal shape; the result is a scalar, or of that shape with
    reduction "none". Raises `ShapeError` if the shapes differ, `ArgumentError` if the reduction is
    unknown, `DtypeError` unless the target is an array of real numbers.

    Source: `torch.nn.functional.mse_loss`.

    >>> prediction = Value([1.0, 3.0])
    >>> loss = tg.losses.mse(prediction, [0.0, 1.0])
    >>> loss.backward()
    >>> float(loss), prediction.grad.tolist()
    (2.5, [1.0, 2.0])
    """
    u = residual("mse", prediction, target)
    if type(reduction) is str and reduction == "mean":
        return reduce.mean_square(u)
    return reduce_entries("mse", u**2, reduction)


@overload
def mae(prediction: Value, target: ValueLike, *, reduction: str = "mean") -> Value: ...
@overload
def mae(prediction: ValueLike, target: ValueLike, *, reduction: str = "mean") -> Any: ...
def mae(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The mean absolute error, mean(|u|) with u = ŷ - y; its derivative at u = 0 is 0.

    Shapes and errors are those of `mse`.

    Source: `torch.nn.functional.l1_loss`.

    >>> tg.losses.mae(Value([1.0, 3.0]), [0.0, 1.0]).item()
    1.5
    """
    u = residual("mae", prediction, target)
    return reduce_entries("mae", abs(u), reduction)


@overload
def huber(
    prediction: Value, target: ValueLike, delta: float = 1.0, *, reduction: str = "mean"
) -> Value: ...
@overload
def huber(
    prediction: ValueLike, target: ValueLike, delta: float = 1.0, *, reduction: str = "mean"
) -> Any: ...
def huber(prediction: Any, target: Any, delta: float = 1.0, *, reduction: str = "mean") -> Any:
    """Huber's loss: u²/2 where |u| ≤ delta, else delta·(|u| - delta/2), with u = ŷ - y.

    Its derivative is u, clipped to the range from -delta to delta, which limits the influence of
    outliers. Shapes and errors are those of `mse`; also raises `ArgumentError` unless delta is a
    finite number > 0.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964;
    `torch.nn.functional.huber_loss`.

    >>> prediction = Value([0.5, -3.0])
    >>> loss = tg.losses.huber(prediction, [0.0, 0.0], reduction="sum")
    >>> loss.backward()
    >>> float(loss), prediction.grad.tolist()
    (2.625, [0.5, -1.0])
    """
    delta = check_number("huber", "delta", delta, positive=True)
    u = residual("huber", prediction, target)
    near = np.clip(u, -delta, delta)  # quadratic in the middle, linear outside
    return reduce_entries("huber", 0.5 * near**2 + delta * abs(u - near), reduction)
