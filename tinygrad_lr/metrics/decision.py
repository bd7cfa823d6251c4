"""Predicted classes from the output of a network, with the true classes beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.node import unwrap
from ..errors import ArgumentError, DtypeError, LabelError, ShapeError
from ..support.abstract_array import Array
from ..support.validation import (
    as_finite,
    class_labels,
    float_array,
    real_array,
    require_unmasked,
    shape_of,
    short_repr,
)

__all__ = ["Metric"]

Metric = Callable[[Any, Any], float]
"""A function of prediction and target that returns a number."""


class Decisions(NamedTuple):
    """The predicted and the true label of each row, flat, and the number of classes.

    `classes` is None where labels are compared with labels: then only the data show it. `certain`
    is False where a logit is nan, so that the decisions mean nothing.
    """

    predicted: Array
    true: Array
    classes: int | None
    certain: bool


def decide(where: str, prediction: Any, target: Any, threshold: float | None = None) -> Decisions:
    """Return the predicted classes, by the shape of the prediction and that of the target:

    - (..., C) beside labels (...): the class of the largest logit, the first of equals;
    - floats (...) or (..., 1) beside labels 0 and 1, or -1 and 1: one number, above the threshold
      (default: 0, that of a logit) or not;
    - integers or booleans (...) beside labels of that shape: labels already.

    Raises `ShapeError` if the shapes don't match, `LabelError` if a label is out of range,
    `DtypeError` if the target isn't labels, `ArgumentError` if a threshold is missing or unused.
    """
    border = None if threshold is None else _check_threshold(where, threshold)
    given = real_array(where, "prediction", unwrap(prediction))
    true = as_integer_labels(where, unwrap(target))
    scores = given.ndim == true.ndim + 1 and given.shape[:-1] == true.shape and given.shape[-1] > 1
    labelled = given.dtype.kind in "iub" and given.shape == true.shape
    if border is not None and (scores or labelled):
        raise ArgumentError(
            f"{where}: threshold must be None for {'scores of classes' if scores else 'labels'}, "
            f"got {threshold!r:.60}"
        )
    if scores:
        classes = given.shape[-1]
        labels = class_labels(where, true, true.shape, classes)
        certain = not np.isnan(given).any()
        return Decisions(np.argmax(given, axis=-1).ravel(), labels.ravel(), classes, certain)
    if labelled:
        predicted = given.astype(np.int64).ravel()
        return Decisions(predicted, true.astype(np.int64).ravel(), None, certain=True)
    column = given.shape[-1:] == (1,)
    if given.shape not in {true.shape, (*true.shape, 1)} or (given.ndim > 1 and not column):
        raise _shape_error(where, given.shape, true.shape)
    bad = ~np.isin(true, (0, 1)) if (true >= 0).all() else ~np.isin(true, (-1, 1))
    if bad.any():
        raise LabelError(
            f"{where}: labels must be 0 and 1, or -1 and 1, for one logit per row, got "
            f"{true[bad][0]}; for more classes predict a logit for each"
        )
    certain = not np.isnan(given).any()
    if border is None:
        _require_logits(where, given)
        border = 0.0
    positive = (given > border).astype(np.intp).ravel()
    return Decisions(positive, (true > 0).astype(np.intp).ravel(), 2, certain)


def _check_threshold(where: str, given: Any) -> float:
    """Return the threshold, a finite number."""
    border = as_finite(given)
    if math.isnan(border):
        raise ArgumentError(
            f"{where}: threshold must be a finite number or None, got {short_repr(given)}"
        )
    return border


def _require_logits(where: str, given: Array) -> None:
    """Raise `ArgumentError` where probabilities would be decided otherwise than logits."""
    within = ((given >= 0) & (given <= 1)).all()
    if within and ((given > 0) != (given > 0.5)).any():
        raise ArgumentError(
            f"{where}: prediction must be logits or labels, got numbers from 0 to 1 only, which "
            "may be probabilities; pass threshold=0.5 for probabilities, threshold=0 for logits"
        )


def as_integer_labels(where: str, target: Any) -> Array:
    """Return labels as integers; floats are accepted if they are integers, as in data files."""
    shape_of(where, "target", target)
    require_unmasked(where, "target", target)
    array = np.asarray(target)
    if array.dtype.kind in "iub":
        return array
    if array.dtype.kind == "f":
        array = float_array(where, "target", target)
        whole = (abs(array) < 2**53) & (array == np.round(array))
        if whole.all():
            return array.astype(np.int64)
        raise DtypeError(
            f"{where}: target must be integer labels, got {array[~whole][0]}; for "
            "probabilities, pass the label of the largest, target.argmax(-1)"
        )
    raise DtypeError(
        f"{where}: target must be integer labels, got dtype {array.dtype}; number the classes "
        "first, with np.unique(labels, return_inverse=True)"
    )


def _shape_error(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    """Return the error for labels that don't fit the prediction, with the cure."""
    cure = ""
    if target == (*prediction[:-1], 1):
        cure = "; pass target[..., 0]"
    elif prediction == target:
        cure = (
            "; for one-hot rows pass target.argmax(-1), for several yes-or-no labels per row "
            "pass prediction > 0"
        )
    expected = f"be labels of shape {prediction[:-1]}" if prediction else "be one label"
    return ShapeError(f"{where}: target must {expected}, got shape {target}{cure}")
