"""Metrics of classification: accuracy, top-k accuracy, precision, recall and F1."""

from __future__ import annotations

import math

import numpy as np

from ..core.node import unwrap
from ..core.value import ValueLike
from ..errors import ArgumentError
from ..support.abstract_array import Array
from ..support.validation import (
    check_choice,
    check_integer,
    class_labels,
    float_array,
)
from .confusion import count_confusions
from .decision import Metric, as_integer_labels, decide

__all__ = ["accuracy", "f1", "precision", "recall", "top_k"]

AVERAGES = ("binary", "macro", "weighted")


def accuracy(prediction: ValueLike, target: ValueLike, *, threshold: float | None = None) -> float:
    """Return the fraction of rows whose class is predicted correctly.

    - Logits or probabilities (..., C) with labels (...): the predicted class is that of the
      largest, the first of equal ones.
    - Floats (...) or (..., 1) with labels 0 and 1, or -1 and 1: one logit; above `threshold` is
      positive. The default is 0; pass 0.5 for probabilities, such as those after a sigmoid.
    - Integers or booleans with labels of the same shape: predicted labels.

    The result is nan if there are no rows, or a logit is nan. Labels may be integers stored as
    floats.

    Raises `ShapeError` if the shapes don't match, `LabelError` (an IndexError) if a label is out of
    range, `DtypeError` (a TypeError) if the target isn't labels or a mask is set, `ArgumentError`
    if all logits are from 0 to 1, so that they may be probabilities, and the threshold matters.

    Source: `sklearn.metrics.accuracy_score`.

    >>> accuracy([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [0, 1, 1])
    0.6666666666666666
    >>> accuracy([-1.5, 2.0], [0, 1]), accuracy([0.2, 0.9], [0, 1], threshold=0.5)
    (1.0, 1.0)
    """
    decided = decide("accuracy", prediction, target, threshold)
    if not decided.certain or not decided.true.size:
        return math.nan
    return float(np.mean(decided.predicted == decided.true))


def top_k(k: int) -> Metric:
    """Return a metric: the fraction of rows whose true class is among the k largest logits.

    Of equal logits, that of the first class ranks higher, so top_k(1) is `accuracy`. The metric
    takes logits (..., C) and labels (...); its `__name__` is "top_5" for k = 5. It is nan if there
    are no rows, or a logit is nan. Raises `ArgumentError` if k is below 1; the metric raises it if
    k is above C, and `ShapeError` and `LabelError` as `accuracy` does.

    Source: `sklearn.metrics.top_k_accuracy_score`.

    >>> top_k(2)([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2])
    0.5
    """
    k = check_integer("top_k", "k", k, low=1)
    where = f"top_{k}"

    def metric(prediction: ValueLike, target: ValueLike) -> float:
        logits = float_array(where, "prediction", unwrap(prediction))
        classes = logits.shape[-1] if logits.ndim else 0
        if k > classes:
            raise ArgumentError(
                f"{where}: prediction must have at least {k} classes, got shape {logits.shape}"
            )
        given_labels = as_integer_labels(where, unwrap(target))
        labels = class_labels(where, given_labels, logits.shape[:-1], classes)[..., None]
        if not labels.size or np.isnan(logits).any():
            return math.nan
        right = np.take_along_axis(logits, labels, axis=-1)
        earlier = (logits == right) & (np.arange(classes) < labels)
        return float(np.mean(np.sum((logits > right) | earlier, axis=-1) < k))

    metric.__name__ = metric.__qualname__ = where
    metric.__doc__ = f"Return the fraction of the rows whose true class is among the {k} likeliest."
    return metric


def precision(
    prediction: ValueLike,
    target: ValueLike,
    average: str | None = None,
    *,
    threshold: float | None = None,
) -> float:
    """Return the fraction of a class's predictions that are correct, TP / (TP + FP).

    `average` is "binary" for class 1 alone; "macro" for the mean of all classes that occur in
    target or prediction; "weighted" for that mean weighted by the number of rows of each class.
    The default is "binary" for two classes, else "macro". It is 0 for a class that was never
    predicted. The "micro" average of other libraries is `accuracy`.

    Shapes, errors and `threshold` are those of `accuracy`. The result is nan if there are no rows,
    or a logit is nan.

    Source: `sklearn.metrics.precision_score`.

    >>> precision([1, 1, 0, 1], [1, 0, 0, 1])
    0.6666666666666666
    """
    return _average("precision", prediction, target, average, threshold)


def recall(
    prediction: ValueLike,
    target: ValueLike,
    average: str | None = None,
    *,
    threshold: float | None = None,
) -> float:
    """Return the fraction of a class's rows that are predicted correctly, TP / (TP + FN).

    It is 0 for a class without rows. Otherwise as `precision`.

    Source: `sklearn.metrics.recall_score`.

    >>> recall([1, 1, 0, 0], [1, 0, 0, 1])
    0.5
    """
    return _average("recall", prediction, target, average, threshold)


def f1(
    prediction: ValueLike,
    target: ValueLike,
    average: str | None = None,
    *,
    threshold: float | None = None,
) -> float:
    """Return the harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).

    Otherwise as `precision`.

    Source: `sklearn.metrics.f1_score`.

    >>> f1([1, 1, 0, 1], [1, 0, 0, 1])
    0.8
    """
    return _average("f1", prediction, target, average, threshold)


def _average(
    where: str,
    prediction: ValueLike,
    target: ValueLike,
    average: str | None,
    threshold: float | None,
) -> float:
    if average is not None:
        check_choice(where, "average", average, AVERAGES)
    decided = decide(where, prediction, target, threshold)
    if not decided.certain or not decided.true.size:
        return math.nan
    matrix = count_confusions(where, decided)
    if average == "binary" and len(matrix) > 2:
        raise ArgumentError(
            f"{where}: average must be 'macro' or 'weighted' for {len(matrix)} classes, got "
            "'binary'"
        )
    if average == "binary" or (average is None and len(matrix) <= 2):
        matrix = np.pad(matrix, (0, 2 - len(matrix))) if len(matrix) < 2 else matrix
        return float(_scores(where, matrix)[1])
    scores, of_class = _scores(where, matrix), matrix.sum(axis=1)
    if average == "weighted":
        return float(np.average(scores, weights=of_class))
    return float(np.mean(scores[(of_class + matrix.sum(axis=0)) > 0]))


def _scores(where: str, matrix: Array) -> Array:
    """Return the score of each class; 0 where it would be 0/0."""
    right, predicted, true = np.diagonal(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    whole = {"precision": predicted, "recall": true, "f1": (predicted + true) / 2}[where]
    return np.where(whole > 0, right / np.where(whole > 0, whole, 1), 0.0)
