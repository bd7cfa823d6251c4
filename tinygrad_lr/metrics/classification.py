"""How often the predicted class is the right one: accuracy, top-k, precision, recall and F1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.node import unwrap
from ..errors import ArgumentError, refuse
from ..support.abstract_array import Array
from ..support.validation import check_integer, class_labels, float_array
from .confusion import counted
from .decision import Metric, decisions, whole_labels

AVERAGES = ("binary", "macro", "weighted")


def accuracy(prediction: Any, target: Any) -> float:
    """The part of the rows whose predicted class is the true one.

    - Logits or probabilities (..., C) with labels (...): the class of the largest is predicted,
      the first of equal ones.
    - Floats (...) or (..., 1) with labels 0 and 1, or -1 and 1: one logit; above 0 is positive.
    - Integers or booleans with labels of their shape: labels already.

    nan where there are no rows, or a logit is nan. Labels may be whole floats.

    Raises `ShapeError` for other shapes, `LabelError` (an IndexError) for a label that is no
    class, `DtypeError` (a TypeError) for a target that is no labels.

    Source: `sklearn.metrics.accuracy_score`.

    >>> accuracy([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [0, 1, 1])
    0.6666666666666666
    >>> accuracy([-1.5, 2.0], [0, 1])
    1.0
    """
    decided = decisions("accuracy", prediction, target)
    if not decided.certain or not decided.true.size:
        return math.nan
    return float(np.mean(decided.predicted == decided.true))


def top_k(k: int) -> Metric:
    """The metric: the part of the rows whose true class is among the k with the largest logits.

    Of equal logits the first class goes before, so that top_k(1) is `accuracy`. The function
    takes logits (..., C) and labels (...); its `__name__` is "top_5" for k = 5. nan where there
    are no rows, or a logit is nan. Raises `ArgumentError` for a k below 1, and on use for one
    above C; `ShapeError` and `LabelError` as `accuracy`.

    Source: `sklearn.metrics.top_k_accuracy_score`.

    >>> top_k(2)([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2])
    0.5
    """
    k = check_integer("top_k", "k", k, low=1)
    where = f"top_{k}"

    def metric(prediction: Any, target: Any) -> float:
        logits = float_array(where, "prediction", unwrap(prediction))
        classes = logits.shape[-1] if logits.ndim else 0
        if k > classes:
            expected, given = f"as many classes as {k}", f"a prediction of shape {logits.shape}"
            refuse(ArgumentError, where, "k is too large", expected=expected, given=given)
        given_labels = whole_labels(where, unwrap(target))
        labels = class_labels(where, given_labels, logits.shape[:-1], classes)[..., None]
        if not labels.size or np.isnan(logits).any():
            return math.nan
        right = np.take_along_axis(logits, labels, axis=-1)
        earlier = (logits == right) & (np.arange(classes) < labels)
        return float(np.mean(np.sum((logits > right) | earlier, axis=-1) < k))

    metric.__name__ = metric.__qualname__ = where
    metric.__doc__ = f"The part of the rows whose true class is among the {k} likeliest."
    return metric


def precision(prediction: Any, target: Any, average: str | None = None) -> float:
    """The part of the rows predicted as a class that are of it, TP / (TP + FP).

    `average` says of which class: "binary" of class 1; "macro" the mean of all classes that occur
    in target or prediction; "weighted" that mean weighted by how many rows each class has. Unless
    given it is "binary" for two classes, else "macro". Where nothing was predicted it is 0. The
    "micro" average of other libraries is `accuracy`.

    Shapes and errors are those of `accuracy`; nan where there are no rows, or a logit is nan.

    Source: `sklearn.metrics.precision_score`.

    >>> precision([1, 1, 0, 1], [1, 0, 0, 1])
    0.6666666666666666
    """
    return _averaged("precision", prediction, target, average)


def recall(prediction: Any, target: Any, average: str | None = None) -> float:
    """The part of the rows of a class that were predicted as it, TP / (TP + FN).

    Where no row is of the class it is 0. All else is as in `precision`.

    Source: `sklearn.metrics.recall_score`.

    >>> recall([1, 1, 0, 0], [1, 0, 0, 1])
    0.5
    """
    return _averaged("recall", prediction, target, average)


def f1(prediction: Any, target: Any, average: str | None = None) -> float:
    """The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); else as `precision`.

    Source: `sklearn.metrics.f1_score`.

    >>> f1([1, 1, 0, 1], [1, 0, 0, 1])
    0.8
    """
    return _averaged("f1", prediction, target, average)


def _averaged(where: str, prediction: Any, target: Any, average: str | None) -> float:
    if average is not None and average not in AVERAGES:
        expected, given = "'binary', 'macro' or 'weighted'", f"{average!r:.60}"
        refuse(ArgumentError, where, "average is unknown", expected=expected, given=given)
    decided = decisions(where, prediction, target)
    if not decided.certain or not decided.true.size:
        return math.nan
    matrix = counted(where, decided)
    if average == "binary" and len(matrix) > 2:
        expected, given = "two classes, or average='macro'", f"{len(matrix)} classes"
        refuse(
            ArgumentError, where, "there is no one positive class", expected=expected, given=given
        )
    if average == "binary" or (average is None and len(matrix) <= 2):
        matrix = np.pad(matrix, (0, 2 - len(matrix))) if len(matrix) < 2 else matrix
        return float(_figures(where, matrix)[1])
    figures, of_class = _figures(where, matrix), matrix.sum(axis=1)
    if average == "weighted":
        return float(np.average(figures, weights=of_class))
    return float(np.mean(figures[(of_class + matrix.sum(axis=0)) > 0]))


def _figures(where: str, matrix: Array) -> Array:
    """The figure of each class; 0 where it would be 0/0."""
    right, predicted, true = np.diagonal(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    whole = {"precision": predicted, "recall": true, "f1": (predicted + true) / 2}[where]
    return np.where(whole > 0, right / np.where(whole > 0, whole, 1), 0.0)
