"""Preprocessing: standardised features, lines in the original units, one-hot labels."""

from __future__ import annotations

from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import Array
from ..support.validation import (
    allocate,
    check_dtype,
    check_instance,
    check_integer,
    class_labels,
    float_array,
    integers,
    require_finite,
)

__all__ = ["Standardizer", "one_hot", "original_units"]

Floats: TypeAlias = NDArray[np.floating[Any]]


class Standardizer:
    """Scale every column to mean 0 and standard deviation 1, and back.

    z = (x - mean) / scale, with scale = √(Σ (x - mean)² / n). Gradient descent on standardised
    features needs only one learning rate, whatever their units: on the SAT data the Hessian's
    condition number falls from 580 672 to 1. Fit it on the training rows alone.

    After `fit`: `mean` and `scale`, of shape (columns,), or () for an x of shape (n,); `constant`,
    the indices of the columns that do not vary, (0,) for a constant x of shape (n,). Those are
    divided by 1, not by 0, and become 0.

    Shapes: fitted to (n,), it takes a number or any (m,); fitted to (n, columns), it takes
    (m, columns) or one row (columns,). Floats keep their dtype, integers become float64.

    >>> scores = Standardizer().fit([40.0, 50.0, 60.0])
    >>> scores.transform([50.0, 60.0])
    array([0.        , 1.22474487])
    >>> scores.inverse_transform(scores.transform([50.0, 60.0]))
    array([50., 60.])
    """

    mean: Floats
    scale: Floats
    constant: tuple[int, ...]

    def fit(self, x: ArrayLike) -> Self:
        """Learn mean and scale from the rows of x, in two passes: accurate near 1e8 and beyond.

        Raises `ShapeError` unless x has shape (n,) or (n, columns), `ArgumentError` if it has no
        rows, or contains nan or inf (with the index), `DtypeError` unless it contains real numbers.
        """
        where = "Standardizer.fit"
        data = float_array(where, "x", x)
        if data.ndim not in {1, 2}:
            raise ShapeError(
                f"{where}: x must have shape (n,) or (n, columns), got {data.shape}; flatten each "
                "row"
            )
        if not data.size:
            raise ArgumentError(f"{where}: x must have at least one row, got shape {data.shape}")
        require_finite(where, "x", data)
        wide = data.astype(_working_dtype(data), copy=False)
        mean, deviation = _mean_and_deviation(wide)
        varies = (wide != wide[0]).any(axis=0) & (deviation > 0)
        self.mean = np.where(varies, mean, wide[0])
        self.scale = np.where(varies, deviation, wide.dtype.type(1))
        self.constant = tuple(np.flatnonzero(~varies).tolist())
        return self

    def transform(self, x: ArrayLike) -> Floats:
        """Return standardised x: (x - mean) / scale.

        Raises `ArgumentError` before `fit`, `ShapeError` if x has other columns than the fitted
        data, `DtypeError` unless it contains real numbers. nan stays nan.
        """
        data = self._check("Standardizer.transform", "x", x)
        z = (data.astype(_working_dtype(data)) - self.mean) / self.scale
        return np.asarray(z, dtype=data.dtype)

    def inverse_transform(self, z: ArrayLike) -> Floats:
        """Return z in original units: z · scale + mean. Shapes and errors as in `transform`."""
        data = self._check("Standardizer.inverse_transform", "z", z)
        x = data.astype(_working_dtype(data)) * self.scale + self.mean
        return np.asarray(x, dtype=data.dtype)

    def _check(self, where: str, name: str, value: ArrayLike) -> Floats:
        """Return the value as floats, which must have the columns that were fitted."""
        columns = _mean_and_scale(where, self)[0].shape
        data = float_array(where, name, value)
        if data.ndim > len(columns) + 1 or (columns and data.shape[-1:] != columns):
            expected = f"(n, {columns[0]}) or {columns}" if columns else "() or (n,)"
            raise ShapeError(
                f"{where}: {name} must have shape {expected}, as the fitted data, got {data.shape}"
            )
        return data


def original_units(
    slope: ArrayLike,
    intercept: ArrayLike,
    x_scaling: Standardizer,
    y_scaling: Standardizer | None = None,
) -> tuple[Any, Any]:
    """Convert a line learnt on standardised data to the original units of the data.

    The line z_y = slope · z_x + intercept, with z = (x - m) / s, is in original units
    y = (s_y slope / s_x) · x + (m_y + s_y intercept - Σ m_x s_y slope / s_x); leave `y_scaling`
    out if the target was not standardised (m_y = 0, s_y = 1).

    Shapes: slope () for features fitted as (n,), else (features,) or (features, outputs);
    intercept (), or (outputs,). Returns (slope, intercept) in those shapes, numbers as floats.

    Raises `ShapeError` if slope and features don't match, `ArgumentError` if a scaling was not
    fitted, `DtypeError` unless slope and intercept are real numbers.

    >>> features = Standardizer().fit([0.0, 2.0])
    >>> original_units(3.0, 10.0, features)  # 10 + 3 (x - 1) / 1
    (3.0, 7.0)
    """
    where = "original_units"
    weight = float_array(where, "slope", slope)
    bias = float_array(where, "intercept", intercept)
    x_mean, x_scale = _mean_and_scale(where, x_scaling)
    y_mean, y_scale = (
        (np.zeros(()), np.ones(())) if y_scaling is None else _mean_and_scale(where, y_scaling)
    )
    features = weight.shape[:1] == x_mean.shape if x_mean.ndim else weight.size == 1
    outputs = weight.shape[1:]
    if not features or len(outputs) > 1 or {y_mean.shape, bias.shape} - {(), outputs}:
        given = f"slope {weight.shape}, intercept {bias.shape}, means {x_mean.shape}"
        raise ShapeError(
            f"{where}: slope must have shape (features,) or (features, outputs), intercept () or "
            f"(outputs,), got {given} of x and {y_mean.shape} of y; pass the scalings that the "
            "line was learnt with"
        )
    if outputs and x_mean.ndim:
        x_mean, x_scale = x_mean[:, None], x_scale[:, None]
    new_slope = y_scale * weight / x_scale
    shift = (x_mean * new_slope).sum(axis=0 if weight.ndim else None)
    return _plain(new_slope), _plain(y_mean + y_scale * bias - shift)


def one_hot(
    labels: ArrayLike, classes: int | None = None, *, dtype: DTypeLike = np.float32
) -> Array:
    """Return a row for each label, with 1 in the column of its class and 0 elsewhere.

    out[..., k] = 1 if labels[...] = k, else 0. `classes` defaults to the largest label + 1; pass it
    if a class may be missing from these labels.

    Shapes: labels (...) to (..., classes).

    Raises `LabelError` (an IndexError) if a label is below 0 or not below `classes`, `DtypeError`
    if labels are not integers, `ArgumentError` if there are neither labels nor `classes`.

    Source: `torch.nn.functional.one_hot`, here in floats.

    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    where = "one_hot"
    array = integers(where, labels)
    if classes is None:
        if not array.size:
            raise ArgumentError(f"{where}: classes must be given if there are no labels")
        classes = max(int(array.max()) + 1, 1)
    count = check_integer(where, "classes", classes, low=1)
    columns = class_labels(where, array, array.shape, count)
    kind = check_dtype(where, dtype, "fiub")
    out = allocate(where, "the result", (array.size, count), lambda shape: np.zeros(shape, kind))
    out[np.arange(array.size), columns.reshape(-1)] = 1
    return out.reshape(*array.shape, count)


def _mean_and_deviation(x: Floats) -> tuple[Floats, Floats]:
    """Return each column's mean and deviation, computed on x scaled by powers of two.

    Memory: as much again as x.
    """
    exponent = np.frexp(np.maximum(x.max(axis=0), -x.min(axis=0)))[1]
    rest = np.ldexp(x, -exponent)  # below one
    mean = rest.mean(axis=0)
    rest -= mean
    drift = rest.mean(axis=0)  # what rounding left of the mean
    rest -= drift
    rest *= rest
    deviation = np.sqrt(rest.mean(axis=0))
    return np.ldexp(mean + drift, exponent), np.ldexp(deviation, exponent)


def _mean_and_scale(where: str, scaling: Standardizer) -> tuple[Floats, Floats]:
    """Return mean and scale of a scaling that must be fitted."""
    check_instance(where, "the scaling", scaling, Standardizer, "a tg.data.Standardizer")
    if not hasattr(scaling, "mean"):
        raise ArgumentError(f"{where}: the Standardizer must be fitted; call fit(x) first")
    return scaling.mean, scaling.scale


def _working_dtype(data: Floats) -> np.dtype[np.floating[Any]]:
    """Return the dtype of computation: at least float64, whatever the dtype of the data."""
    return np.result_type(data.dtype, np.float64)


def _plain(values: Floats) -> Any:
    """Return a number as a float, an array as it is."""
    return values if np.ndim(values) else float(values)
