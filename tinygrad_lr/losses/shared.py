"""Arguments and reductions shared by the losses: residuals, class scores, weighted means."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.node import unwrap
from ..core.primitive import as_array, chain
from ..core.value import Value
from ..errors import ArgumentError, ShapeError
from ..ops import reduce
from ..ops.shape import moveaxis
from ..support.abstract_array import AbstractArray, Array, check_numbers
from ..support.validation import check_choice, float_array, shape_mismatch, short_repr

SUM_TOLERANCE = 1e-3  # of a sum of probabilities: they may be rounded to float16, or typed by hand


def residual(where: str, prediction: Any, target: Any) -> Any:
    """Return the difference ŷ - y; see the package for the dtype."""
    prediction, target = match_target(where, prediction, target)
    return prediction - target


def match_target(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return prediction and target of equal shape; a plain target takes the prediction's dtype."""
    if not isinstance(prediction, Value):
        prediction = float_array(where, "prediction", prediction)
    number = type(target) is float or type(target) is int  # which never widens a dtype
    if not isinstance(target, Value) and not (number and prediction.shape == ()):
        if not isinstance(target, (np.ndarray, AbstractArray)) or target.dtype != prediction.dtype:
            target = float_array(where, "target", target).astype(prediction.dtype)
            if isinstance(target, np.ndarray):
                target.flags.writeable = False  # this copy is ours: no graph needs another
        if prediction.shape != target.shape:
            raise shape_mismatch(where, prediction.shape, target.shape)
    elif not number and prediction.shape != target.shape:
        raise shape_mismatch(where, prediction.shape, target.shape)
    return prediction, target


def reduce_entries(where: str, entries: Any, reduction: str) -> Any:
    """Return the mean or the sum of the entries, or the entries."""
    check_choice(where, "reduction", reduction, ("mean", "sum", "none"))
    if reduction == "none":
        return entries
    return reduce.mean(entries) if reduction == "mean" else reduce.sum(entries)


def class_scores(where: str, prediction: Any, axis: int) -> tuple[Any, Any]:
    """Return the prediction as a Value or an array, and the same with classes on the last axis."""
    if not isinstance(prediction, Value):
        prediction = float_array(where, "prediction", prediction)
    axes = len(prediction.shape)
    if not axes:
        raise ShapeError(f"{where}: prediction must have shape (..., classes), got a number")
    whole = isinstance(axis, (int, np.integer)) and not isinstance(axis, bool)
    if not whole or not -axes <= axis < axes:
        raise ArgumentError(
            f"{where}: axis must be an integer from {-axes} to {axes - 1}, got {short_repr(axis)}"
        )
    last = axis in {-1, axes - 1}
    return prediction, prediction if last else moveaxis(prediction, axis, -1)


def probabilities(where: str, prediction: Any, target: Any, axis: int) -> Any:
    """Return the target as probabilities with the classes on the last axis.

    Raises `ArgumentError` for the first row with an entry below 0 or a sum other than 1.
    """
    target = match_target(where, prediction, target)[1]
    target = target if axis == -1 else moveaxis(target, axis, -1)
    check_numbers(unwrap(target), lambda p: _require_probabilities(where, p))
    return target


def _require_probabilities(where: str, p: Any) -> None:
    """Raise `ArgumentError` for the first row that is not a distribution."""
    sums = np.add.reduce(p, axis=-1, dtype=np.float64)
    bad = ~((np.abs(sums - 1) <= SUM_TOLERANCE) & (p >= 0).all(axis=-1))
    if bad.any():
        place = tuple(np.argwhere(bad)[0].tolist())
        row = f"target row {list(place) if len(place) > 1 else place[0]}" if place else "target"
        cure = "; for one logit per row use binary_cross_entropy" if p.shape[-1] == 1 else ""
        raise ArgumentError(
            f"{where}: {row} must be probabilities >= 0 that add up to 1, "
            f"got minimum {p[place].min():.6g}, sum {sums[place]:.6g}{cure}"
        )


def class_weights(where: str, weights: Any, classes: int) -> Array:
    """Return a weight for each class. Raises `ShapeError` and `ArgumentError` for anything else."""
    array = float_array(where, "weights", weights)
    if array.shape != (classes,):
        raise ShapeError(
            f"{where}: weights must have shape ({classes},), one for each class, got {array.shape}"
        )
    require_weights(where, "weights", array)
    return array


def require_weights(where: str, name: str, array: Array) -> None:
    """Raise `ArgumentError` for a weight that is negative, nan or infinite."""

    def look(numbers: Any) -> None:
        if not (np.isfinite(numbers) & (numbers >= 0)).all():
            raise ArgumentError(
                f"{where}: {name} must be finite numbers >= 0, got {numbers.tolist()!r:.60}"
            )

    check_numbers(array, look)


def mask_ignored(labels: Array, ignore_index: int | None) -> tuple[Array, Array | None]:
    """Return the labels, 0 where they are ignored, and which are kept (None for all)."""
    if ignore_index is None:
        return labels, None
    kept = labels != ignore_index
    return np.where(kept, labels, 0), kept


def reduce_rows(
    where: str, rows: Any, reduction: str, share: Any, kept: Array | None, factor: Any = 1.0
) -> Any:
    """Reduce rows, each times a factor and 0 unless kept. A mean is Σ rows / Σ shares of the kept.

    If nothing is kept, 0 / 0, the mean is 0.
    """
    if reduction == "mean":
        shares = np.broadcast_to(share, rows.shape)
        if isinstance(unwrap(rows), AbstractArray):
            counted = shares if kept is None else np.where(kept, shares, 0.0)
            total = np.sum(counted, dtype=np.float64)
            rows = chain((factor / np.where(total == 0, 1.0, total)).astype(rows.dtype), rows)
            return reduce_entries(where, rows if kept is None else np.where(kept, rows, 0.0), "sum")
        mass = float(np.sum(shares if kept is None else shares[kept], dtype=np.float64))
        factor, reduction = factor / (mass or 1.0), "sum"
    factors = as_array(np.float64(factor) if isinstance(factor, float) else factor)
    rows = chain(factors.astype(rows.dtype), rows)  # a class of weight 0 may be masked
    return reduce_entries(where, rows if kept is None else np.where(kept, rows, 0.0), reduction)
