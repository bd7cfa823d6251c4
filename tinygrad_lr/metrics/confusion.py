"""The confusion matrix: how often each class was taken for which, and how it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import ArgumentError, LabelError, ShapeError, refuse
from ..support.abstract_array import Array
from ..support.files import printable
from .decision import Decisions, decisions, refuse_uncertain

WIDEST = 20  # characters of a label in the table


def confusion_matrix(prediction: Any, target: Any, classes: int | None = None) -> Array:
    """How many rows of class i were predicted as class j: integers (classes, classes).

    Rows are the true classes, columns the predicted ones, so that the diagonal is right. There
    are as many classes as logits, two for one logit, and one more than the largest label where
    labels are compared; `classes` says it instead. Shapes and errors are those of `accuracy`,
    and `ArgumentError` for a prediction with nan.

    Source: `sklearn.metrics.confusion_matrix`.

    >>> confusion_matrix([0, 1, 1, 2], [0, 0, 1, 2])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    where = "confusion_matrix"
    return counted(where, decisions(where, prediction, target), classes)


def counted(where: str, decided: Decisions, classes: int | None = None) -> Array:
    """The confusion matrix of decisions."""
    if not decided.certain:
        refuse_uncertain(where)
    both = np.concatenate([decided.predicted, decided.true])
    count = classes or decided.classes or (int(both.max()) + 1 if both.size else 0)
    if both.size and (both.min() < 0 or both.max() >= count):
        bad = both[(both < 0) | (both >= count)][0]
        expected = f"0 to {count - 1} ({count} classes)"
        refuse(LabelError, where, f"label {bad} is no class", expected=expected, given=bad)
    pairs = decided.true * count + decided.predicted
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


@dataclass(frozen=True)
class ConfusionMatrix:
    r"""A confusion matrix with the names of its classes; `print` shows it as a table.

    `counts` are (classes, classes), rows true, columns predicted; `labels` are the names.

    >>> matrix = ConfusionMatrix.of([0, 1, 1, 1], [0, 0, 1, 1], labels=["cat", "dog"])
    >>> print(matrix)
    true \ predicted    cat    dog  recall
    cat                   1      1   0.500
    dog                   0      2   1.000
    precision         1.000  0.667
    >>> matrix.accuracy
    0.75
    """

    counts: Array
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        wrong, where = "the counts are no square of whole numbers", "ConfusionMatrix"
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
            given = f"shape {counts.shape}"
            refuse(ShapeError, where, wrong, expected="(classes, classes)", given=given)
        if counts.dtype.kind not in "iu" or (counts.size and counts.min() < 0):
            given = f"dtype {counts.dtype}"
            refuse(ArgumentError, where, wrong, expected="integers, 0 or more", given=given)
        if len(self.labels) != len(counts):
            expected, given = f"{len(counts)}, one for each class", str(len(self.labels))
            wrong = "the labels do not fit the counts"
            refuse(ArgumentError, where, wrong, expected=expected, given=given)

    @classmethod
    def of(cls, prediction: Any, target: Any, labels: Sequence[object] | None = None) -> Self:
        """That of a prediction; the classes are numbered unless `labels` name them all."""
        classes = None if labels is None else len(labels)
        counts = confusion_matrix(prediction, target, classes)
        names = range(len(counts)) if labels is None else labels
        return cls(counts, tuple(map(str, names)))

    @property
    def accuracy(self) -> float:
        """The part of the rows that is right; nan where there are none."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def precision(self) -> Array:
        """For each class, the part of its predictions that is right; nan where there are none."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> Array:
        """For each class, the part of its rows that was found; nan where there are none."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=1))

    def __str__(self) -> str:
        names = [_short(label) for label in self.labels]
        head = ["true \\ predicted", *names, "recall"]
        rows = [
            [name, *map(str, counts), _figure(recall)]
            for name, counts, recall in zip(names, self.counts.tolist(), self.recall, strict=True)
        ]
        foot = ["precision", *map(_figure, self.precision), ""]
        table = [head, *rows, foot]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()
            for cells in table
        )


def _ratio(part: Any, whole: Any) -> Array:
    """The part of the whole; nan where that is 0."""
    return np.asarray(np.where(whole > 0, part / np.maximum(whole, 1), np.nan))


def _figure(x: float) -> str:
    return "-" if np.isnan(x) else f"{x:.3f}"


def _short(label: str) -> str:
    """A label on one line, its marks escaped, cut where it is long."""
    text = printable(label[: WIDEST + 1])
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
