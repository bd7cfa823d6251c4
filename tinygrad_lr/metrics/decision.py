"""From what a network gives to classes: one decision for each row, and the true one beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.node import unwrap
from ..errors import ArgumentError, DtypeError, LabelError, ShapeError, refuse
from ..support.abstract_array import Array
from ..support.validation import class_labels, float_array

Metric = Callable[[Any, Any], float]
"""A function of prediction and target that gives a number."""


class Decisions(NamedTuple):
    """The predicted and the true label of each row, flat; how many classes there are.

    `classes` is None where labels were compared with labels: then only the data tell. `certain`
    is False where a logit was nan, so that no decision means anything.
    """

    predicted: Array
    true: Array
    classes: int | None
    certain: bool


def decisions(where: str, prediction: Any, target: Any) -> Decisions:
    """What a prediction decides, by its shape beside that of the target:

    - (..., C) beside labels (...): the class of the largest logit, the first of equal ones;
    - floats (...) or (..., 1) beside labels 0 and 1, or -1 and 1: one logit, above 0 or not;
    - integers or booleans (...) beside labels of that shape: labels already.

    Raises `ShapeError` for other shapes, `LabelError` for a label that is no class, `DtypeError`
    for what is no label.
    """
    prediction = unwrap(prediction)
    given = np.asarray(prediction)
    if given.dtype.kind not in "iub":
        given = float_array(where, "prediction", prediction)
    true = whole_labels(where, unwrap(target))
    if given.ndim == true.ndim + 1 and given.shape[:-1] == true.shape and given.shape[-1] > 1:
        classes = given.shape[-1]
        labels = class_labels(where, true, true.shape, classes)
        certain = not np.isnan(given).any()
        return Decisions(np.argmax(given, axis=-1).ravel(), labels.ravel(), classes, certain)
    if given.dtype.kind in "iub" and given.shape == true.shape:
        predicted = given.astype(np.int64).ravel()
        return Decisions(predicted, true.astype(np.int64).ravel(), None, certain=True)
    column = given.shape[-1:] == (1,)
    if given.shape not in {true.shape, (*true.shape, 1)} or (given.ndim > 1 and not column):
        _refuse_shapes(where, given.shape, true.shape)
    bad = ~np.isin(true, (0, 1)) if (true >= 0).all() else ~np.isin(true, (-1, 1))
    if bad.any():
        expected, cure = "0 and 1, or -1 and 1", "for more classes predict a logit for each"
        wrong = "a label does not belong to one logit a row"
        refuse(LabelError, where, wrong, expected=expected, given=true[bad][0], cure=cure)
    certain = not np.isnan(given).any()
    positive = (given > 0).astype(np.intp).ravel()
    return Decisions(positive, (true > 0).astype(np.intp).ravel(), 2, certain)


def whole_labels(where: str, target: Any) -> Array:
    """Labels as integers; floats will do if they are whole, since data files have such."""
    array = np.asarray(target)
    if array.dtype.kind in "iub" and not isinstance(target, np.ma.MaskedArray):
        return array
    if array.dtype.kind == "f":
        array = float_array(where, "target", target)
        whole = np.isfinite(array) & (array == np.round(array))
        if whole.all():
            return array.astype(np.int64)
        expected, given = "whole numbers", str(array[~whole][0])
        cure = "pass the label of the largest probability, target.argmax(-1)"
        wrong = "the target is no labels"
        refuse(DtypeError, where, wrong, expected=expected, given=given, cure=cure)
    expected, given = "integers", f"dtype {array.dtype}"
    cure = "number the classes first, with np.unique(labels, return_inverse=True)"
    refuse(DtypeError, where, "the target is no labels", expected=expected, given=given, cure=cure)


def _refuse_shapes(where: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise for a prediction and labels that do not belong together, with the cure."""
    cure = ""
    if target == (*prediction[:-1], 1):
        cure = "pass target[..., 0]"
    elif prediction == target:
        cure = (
            "for targets of one-hot rows pass target.argmax(-1), for several yes or no a row "
            "pass prediction > 0"
        )
    expected = f"labels of shape {prediction[:-1]}" if prediction else "a number"
    wrong = "prediction and target do not belong together"
    refuse(ShapeError, where, wrong, expected=expected, given=f"shape {target}", cure=cure)


def refuse_uncertain(where: str) -> None:
    """Raise for logits that are nan."""
    wrong, expected = "the prediction has nan", "numbers"
    refuse(ArgumentError, where, wrong, expected=expected, given="nan")
