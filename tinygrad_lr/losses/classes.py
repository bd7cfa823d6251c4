"""What losses of several classes share: scores and probabilities by row, and weighted means."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.node import unwrap
from ..core.primitive import as_array
from ..core.value import Value
from ..errors import ArgumentError, ShapeError, refuse
from ..ops import moveaxis
from ..support.abstract_array import AbstractArray, Array, looked_at
from .residual import matched, real_numbers, reduced

SLACK = 1e-3  # of a sum of probabilities: they may come rounded to float16, or by hand


def scores(where: str, prediction: Any, axis: int) -> tuple[Any, Any]:
    """The prediction as a Value or an array, and the same with the classes on the last axis."""
    if not isinstance(prediction, Value):
        prediction = real_numbers(where, "prediction", prediction)
    axes = len(prediction.shape)
    if not axes:
        expected, given = "shape (..., classes)", "a number"
        refuse(ShapeError, where, "prediction has no classes", expected=expected, given=given)
    if not isinstance(axis, (int, np.integer)) or not -axes <= axis < axes:
        expected, given = f"an axis from {-axes} to {axes - 1}", f"{axis!r:.60}"
        refuse(ArgumentError, where, "there is no such axis", expected=expected, given=given)
    last = axis in {-1, axes - 1}
    return prediction, prediction if last else moveaxis(prediction, axis, -1)


def probabilities(where: str, prediction: Any, target: Any, axis: int) -> Any:
    """The target as probabilities with the classes on the last axis.

    Raises `ArgumentError` for the first row that has one below 0 or does not add up to 1.
    """
    target = matched(where, prediction, target)[1]
    target = target if axis == -1 else moveaxis(target, axis, -1)
    looked_at(unwrap(target), lambda p: _require_probabilities(where, p))
    return target


def _require_probabilities(where: str, p: Any) -> None:
    """Raises `ArgumentError` for the first row of numbers that are no probabilities."""
    sums = np.add.reduce(p, axis=-1, dtype=np.float64)
    bad = ~((np.abs(sums - 1) <= SLACK) & (p >= 0).all(axis=-1))
    if bad.any():
        place = tuple(np.argwhere(bad)[0].tolist())
        row = f"row {list(place) if len(place) > 1 else place[0]}" if place else "the target"
        cure = "one logit a row is for binary_cross_entropy" if p.shape[-1] == 1 else ""
        refuse(
            ArgumentError,
            where,
            f"{row} is no probabilities",
            expected="numbers from 0 that add up to 1",
            given=f"smallest {p[place].min():.6g}, sum {sums[place]:.6g}",
            cure=cure,
        )


def class_weights(where: str, weights: Any, classes: int) -> Array:
    """A weight for each class. Raises `ShapeError` and `ArgumentError` for anything else."""
    array = real_numbers(where, "weights", weights)
    if array.shape != (classes,):
        expected, given = f"shape ({classes},), a weight for each class", f"{array.shape}"
        refuse(ShapeError, where, "weights do not fit", expected=expected, given=given)
    if not (np.isfinite(array) & (array >= 0)).all():
        refuse(
            ArgumentError,
            where,
            "a weight is out of range",
            expected="finite numbers, 0 or more",
            given=f"{array.tolist()!r:.60}",
        )
    return array


def without_ignored(labels: Array, ignore_index: int | None) -> tuple[Array, Array | None]:
    """The labels with 0 for those that are ignored, and which are kept; None for all."""
    if ignore_index is None:
        return labels, None
    kept = labels != ignore_index
    return np.where(kept, labels, 0), kept


def reduced_rows(
    where: str, rows: Any, reduction: str, share: Any, kept: Array | None, factor: Any = 1.0
) -> Any:
    """Rows times a factor each, 0 where they are not kept; a mean is Σ rows / Σ shares of the kept.

    Where that is 0 / 0, since nothing is kept, the mean is 0.
    """
    if reduction == "mean":
        shares = np.broadcast_to(share, rows.shape)
        if isinstance(unwrap(rows), AbstractArray):
            counted = shares if kept is None else np.where(kept, shares, 0.0)
            total = np.sum(counted, dtype=np.float64)
            rows = rows * (factor / np.where(total == 0, 1.0, total)).astype(rows.dtype)
            return reduced(where, rows if kept is None else np.where(kept, rows, 0.0), "sum")
        mass = float(np.sum(shares if kept is None else shares[kept], dtype=np.float64))
        factor, reduction = factor / (mass or 1.0), "sum"
    rows = rows * as_array(np.float64(factor) if isinstance(factor, float) else factor).astype(
        rows.dtype
    )
    return reduced(where, rows if kept is None else np.where(kept, rows, 0.0), reduction)
