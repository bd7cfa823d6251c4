"""The confusion matrix: the number of rows for each true and predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..core.value import ValueLike
from ..errors import ArgumentError, LabelError, ShapeError
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.validation import check_integer, check_list, require_memory
from .decision import Decisions, decide

__all__ = ["ConfusionMatrix", "confusion_matrix"]

MAX_LABEL_LENGTH = 20  # characters of a label in the table


def confusion_matrix(
    prediction: ValueLike,
    target: ValueLike,
    classes: int | None = None,
    *,
    threshold: float | None = None,
) -> Array:
    """Count the rows of class i that were predicted as class j: integers (classes, classes).

    Rows are the true classes, columns the predicted ones, so the diagonal counts the correct
    predictions. `classes` defaults to the number of logits, two for one logit, or the largest label
    + 1 for predicted labels. Shapes, errors and `threshold` are those of `accuracy`; also raises
    `ArgumentError` if a prediction is nan, or classes is below 1.

    Source: `sklearn.metrics.confusion_matrix`.

    >>> confusion_matrix([0, 1, 1, 2], [0, 0, 1, 2])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    where = "confusion_matrix"
    count = None if classes is None else check_integer(where, "classes", classes, low=1)
    return count_confusions(where, decide(where, prediction, target, threshold), count)


def count_confusions(where: str, decided: Decisions, classes: int | None = None) -> Array:
    """Return the confusion matrix of decisions."""
    if not decided.certain:
        raise ArgumentError(f"{where}: prediction must not contain nan")
    both = np.concatenate([decided.predicted, decided.true])
    if classes is not None:
        classes = check_integer(where, "classes", classes)
    count = classes or decided.classes or (int(both.max()) + 1 if both.size else 0)
    if both.size and (both.min() < 0 or both.max() >= count):
        bad = both[(both < 0) | (both >= count)][0]
        raise LabelError(
            f"{where}: labels must be from 0 to {count - 1} ({count} classes), got {bad}"
        )
    require_memory(where, "the matrix", (count, count))
    pairs = decided.true * count + decided.predicted
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


@dataclass(frozen=True, eq=False)
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
        where = "ConfusionMatrix"
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
            raise ShapeError(
                f"{where}: counts must have shape (classes, classes), got {counts.shape}"
            )
        if counts.dtype.kind not in "iu":
            raise ArgumentError(f"{where}: counts must be integers, got dtype {counts.dtype}")
        if counts.size and counts.min() < 0:
            raise ArgumentError(f"{where}: counts must be >= 0, got {counts.min()}")
        if len(self.labels) != len(counts):
            raise ArgumentError(
                f"{where}: labels must be {len(counts)}, one for each class, got {len(self.labels)}"
            )

    @classmethod
    def of(
        cls,
        prediction: ValueLike,
        target: ValueLike,
        labels: Sequence[object] | None = None,
        *,
        threshold: float | None = None,
    ) -> Self:
        """Return the matrix of a prediction; classes are numbered unless `labels` names them."""
        if labels is not None:
            labels = check_list("ConfusionMatrix", "labels", labels, "a list of names")
        classes = None if labels is None else len(labels)
        counts = confusion_matrix(prediction, target, classes, threshold=threshold)
        names = range(len(counts)) if labels is None else labels
        return cls(counts, tuple(map(str, names)))

    @property
    def accuracy(self) -> float:
        """The fraction of correct rows; nan if there are no rows."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def precision(self) -> Array:
        """For each class, the fraction of correct predictions; nan without any."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> Array:
        """For each class, the fraction of its rows predicted correctly; nan without any."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=1))

    def __str__(self) -> str:
        names = [_label_text(label) for label in self.labels]
        head = ["true \\ predicted", *names, "recall"]
        rows = [
            [name, *map(str, counts), _ratio_text(recall)]
            for name, counts, recall in zip(names, self.counts.tolist(), self.recall, strict=True)
        ]
        foot = ["precision", *map(_ratio_text, self.precision), ""]
        table = [head, *rows, foot]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()
            for cells in table
        )


def _ratio(part: Any, whole: Any) -> Array:
    """Return the fraction of the whole; nan where that is 0."""
    return np.asarray(np.where(whole > 0, part / np.maximum(whole, 1), np.nan))


def _ratio_text(x: float) -> str:
    return "-" if np.isnan(x) else f"{x:.3f}"


def _label_text(label: str) -> str:
    """Return a label on one line, unprintable characters escaped, cut where it is long."""
    text = printable(label[: MAX_LABEL_LENGTH + 1])
    return text if len(text) <= MAX_LABEL_LENGTH else text[: MAX_LABEL_LENGTH - 3] + "..."
