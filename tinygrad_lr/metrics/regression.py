"""Metrics of regression, computed in float64."""

from __future__ import annotations

import math

import numpy as np

from ..core.node import unwrap
from ..core.value import ValueLike
from ..support.abstract_array import Array
from ..support.validation import float_array, shape_mismatch

__all__ = ["mae", "mse", "r2", "rmse"]


def mse(prediction: ValueLike, target: ValueLike) -> float:
    """Return the mean squared error, mean (ŷ - y)²; nan if there are no entries.

    Shapes: prediction and target of equal shape. Raises `ShapeError` if the shapes differ,
    `DtypeError` unless both are real numbers.

    >>> mse([1.0, 3.0], [0.0, 1.0])
    2.5
    """
    u = _residual("mse", prediction, target)[0]
    return _mean(u * u)


def rmse(prediction: ValueLike, target: ValueLike) -> float:
    """Return the root of the mean squared error, in the unit of the target. Errors as in `mse`.

    >>> rmse([3.0, 4.0], [0.0, 0.0])
    3.5355339059327378
    """
    u = _residual("rmse", prediction, target)[0]
    return math.sqrt(_mean(u * u))


def mae(prediction: ValueLike, target: ValueLike) -> float:
    """Return the mean absolute error, mean |ŷ - y|. Errors as in `mse`.

    >>> mae([1.0, 3.0], [0.0, 1.0])
    1.5
    """
    return _mean(np.abs(_residual("mae", prediction, target)[0]))


def r2(prediction: ValueLike, target: ValueLike) -> float:
    """Return the explained part of the target's variance, 1 - Σ (ŷ - y)² / Σ (y - mean y)².

    1 is perfect, 0 is as good as the mean of the target, less is worse. For several columns it is
    the mean over the columns. For a constant target it is 1 if the prediction is that constant,
    else 0; with fewer than two rows it is nan. Shapes and errors are those of `mse`, with rows on
    the first axis.

    Source: `sklearn.metrics.r2_score`.

    >>> r2([1.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    0.5
    """
    u, y = _residual("r2", prediction, target)
    if y.ndim == 0 or len(y) < 2 or not y.size:
        return math.nan
    left = np.sum(u * u, axis=0)
    around = y - np.mean(y, axis=0)
    spread = np.sum(around * around, axis=0)
    constant = (y == y[0]).all(axis=0)  # by the entries: rounding may leave a spread
    explained = 1 - left / np.where(constant, 1, spread)
    return float(np.mean(np.where(constant, np.where(left == 0, 1.0, 0 * left), explained)))


def _residual(where: str, prediction: ValueLike, target: ValueLike) -> tuple[Array, Array]:
    """Return the residual and the target, in float64."""
    predicted = float_array(where, "prediction", unwrap(prediction))
    wanted = float_array(where, "target", unwrap(target))
    if predicted.shape != wanted.shape:
        raise shape_mismatch(where, predicted.shape, wanted.shape)
    wanted = wanted.astype(np.float64)
    return predicted.astype(np.float64) - wanted, wanted


def _mean(entries: Array) -> float:
    return float(np.mean(entries)) if entries.size else math.nan
