"""A classification in words: each part as lines that fit a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..metrics import ConfusionMatrix
from . import text
from .class_parts import Classes, Classification, ClassPrediction, FirstSlopes
from .style import MARGIN, WIDTH, aligned, label, paragraph, short
from .text import Lines

MOST_CLASSES = 5  # shown side by side
MOST_LISTED = 12  # shown below each other


class Writer(text.Writer):
    """Writes the parts of a lesson and those of a classification."""

    def classes(self, part: Classes) -> Lines:
        """What there is to learn from."""
        self.target = label(part.target)
        yield self.ink.heading(f"{self.target} (a class) from {text.listed(part.features)}")
        yield self.ink.faint(f"{label(part.source, 76)}")
        count = text.spaced(part.rows)
        yield from self.heading(f"The data: {count} rows of {len(part.labels)} classes")
        rows = [["", "mean", "std. dev.", "least", "greatest"]]
        for column in part.features:
            numbers = (column.mean, column.standard_deviation, column.minimum, column.maximum)
            rows.append([label(column.name), *(short(x) for x in numbers)])
        yield from self.table(rows)
        yield ""
        counted = [["class", "rows", "share"]]
        for name, number in list(zip(part.labels, part.counts, strict=True))[:MOST_LISTED]:
            counted.append([label(name), text.spaced(number), f"{number / part.rows:.1%}"])
        yield from self.table(counted)
        yield from self.more(len(part.labels) - MOST_LISTED, "classes")
        held = f"{text.spaced(part.held_out)} rows are held out, to judge by; it learns from "
        yield from paragraph(
            f"{held}{text.spaced(part.trained_on)}."
            if part.held_out
            else "No rows are held out: what it is judged by, it has seen."
        )
        for note in part.notes:
            yield from map(self.ink.warm, paragraph(f"Note: {note}."))

    def first_slopes(self, part: FirstSlopes) -> Lines:
        """The first step, by the chain rule."""
        yield from self.heading("The first step, derived: all numbers are those of backward()")
        count = text.spaced(part.count)
        laws = [
            ["z = w·x + b", "a logit for each class; a network's last layer"],
            ["p = exp z / Σ exp z", "softmax: the probabilities of the classes"],
            ["L = -(1/N) Σ ln p", f"cross entropy, of the true classes: {short(part.loss)}"],
            ["dL/dz = (p - t)/N", f"t is 1 for the true class, else 0; N = {count} rows"],
        ]
        yield from (MARGIN + line for line in aligned(laws, left=2))
        yield ""
        rows = slopes(part, MOST_CLASSES)
        while len(rows[0]) > 4 and max(map(len, aligned(rows, 3, 2))) + len(MARGIN) > WIDTH:
            rows = slopes(part, len(rows[0]) - 4)
        yield from self.table(rows, left=3, gap=2)
        yield from self.more(len(part.labels) - (len(rows[0]) - 3), "classes")
        yield from paragraph(
            "Where dL/dz is negative the logit is to rise: that of the true class."
        )

    def classification(self, part: Classification) -> Lines:
        """What was learnt, and how often it is right."""
        widths = " → ".join(map(str, (len(part.names), *part.hidden, len(part.labels))))
        kind = f"A network: {widths}, {part.activation} between" if part.hidden else ""
        yield from self.heading(kind or f"Softmax regression: {widths}")
        yield from self.trained(part, part.optimizer, "features")
        yield from self.heading("How often it is right")
        rows = [["accuracy on", "rows", "right"]]
        rows.append(["rows it learnt from", text.spaced(part.trained_on), f"{part.accuracy:.1%}"])
        where = "rows it learnt from"
        if part.held_out_accuracy is not None:
            where = "rows it never saw"
            right = f"{part.held_out_accuracy:.1%}"
            rows.append(["rows it never saw", text.spaced(part.held_out), right])
        always = f"always '{label(part.commonest, 20)}'"
        rows.append([always, "", f"{part.baseline:.1%}"])
        yield from self.table(rows)
        seen = part.held_out_accuracy is None
        if (part.accuracy if seen else part.held_out_accuracy or 0.0) <= part.baseline:
            warning = f"It is no better than {always}: on accuracy alone, nothing is gained."
            yield from map(self.ink.warm, paragraph(warning))
        yield ""
        yield from self.confusion(part, where)

    def confusion(self, part: Classification, where: str) -> Lines:
        """Which class was taken for which."""
        matrix = ConfusionMatrix(np.array(part.confusion, np.int64), part.labels)
        for lines in (str(matrix).splitlines(), narrow(matrix), narrow(matrix, numbered=True)):
            if max(map(len, lines)) + len(MARGIN) <= WIDTH:
                beside = "true classes below each other, predicted ones beside:"
                yield from paragraph(f"The {where}: {beside}")
                yield MARGIN + self.ink.faint(lines[0])
                yield from (MARGIN + line for line in lines[1:])
                return
        yield from self.confused(matrix, where)

    def confused(self, matrix: ConfusionMatrix, where: str) -> Lines:
        """The pairs of classes that are taken for each other most often."""
        counts = matrix.counts - np.diag(np.diagonal(matrix.counts))
        if not counts.any():
            yield from paragraph(f"The {where}: no class was taken for another.")
            return
        yield from paragraph(f"The {where}, classes that were taken for others most often:")
        order = np.argsort(-counts, axis=None, kind="stable")[:MOST_LISTED]
        rows = [["true class", "taken for", "rows"]]
        for i, j in zip(*np.unravel_index(order, counts.shape), strict=True):
            if counts[i, j]:
                taken = label(matrix.labels[i]), label(matrix.labels[j])
                rows.append([*taken, text.spaced(int(counts[i, j]))])
        yield from self.table(rows, left=2)
        yield from self.more(int(np.count_nonzero(counts)) - MOST_LISTED, "such pairs")

    def class_prediction(self, part: ClassPrediction) -> Lines:
        """The probabilities at one place."""
        yield from self.heading("A prediction")
        yield from paragraph(f"Where {text.places(part.names, part.at)}, the model says:")
        yield MARGIN + MARGIN + self.ink.key(f"{label(part.target)} = {label(part.label)}")
        yield ""
        order = np.argsort(-np.array(part.probabilities), kind="stable")[:MOST_CLASSES]
        rows = [["class", "probability"]]
        rows += [[label(part.labels[i]), f"{part.probabilities[i]:.1%}"] for i in order]
        yield from self.table(rows)
        if part.outside:
            warning = "It lies outside the data: nothing there says that the model still holds."
            yield from map(self.ink.warm, paragraph(warning))

    def more(self, left: int, things: str) -> Lines:
        """That there are others, which are not shown."""
        if left > 0:
            yield from paragraph(f"and {left} more {things}")

    writers: ClassVar[dict[type, Callable[[Any, Any], Lines]]] = {
        **text.Writer.writers,
        Classes: classes,
        FirstSlopes: first_slopes,
        Classification: classification,
        ClassPrediction: class_prediction,
    }


def slopes(part: FirstSlopes, most: int) -> list[list[str]]:
    """The first rows with p and dL/dz of the first classes, at most so many."""
    table = [["row", "true class", "", *(label(name, 10) for name in part.labels[:most])]]
    for row in part.rows:
        p = [short(x, 3) for x in row.probabilities[:most]]
        table.append([str(row.number), label(row.label, 14), "p", *p])
        table.append(["", "", "dL/dz", *(short(x, 3) for x in row.slopes[:most])])
    return table


def narrow(matrix: ConfusionMatrix, *, numbered: bool = False) -> list[str]:
    r"""The confusion matrix without precision, in columns as narrow as their counts allow.

    With `numbered`, numbers stand above the columns and before the names of the rows.

    >>> print("\n".join(narrow(ConfusionMatrix.of([0, 1, 1], [0, 0, 1]), numbered=True)))
    true \ predicted  1  2  recall
    1  0              1  1   0.500
    2  1              0  1   1.000
    """
    names = [label(name) for name in matrix.labels]
    heads = [str(i) for i in range(1, len(names) + 1)] if numbered else names
    rows = [["true \\ predicted", *heads, "recall"]]
    sides = [f"{head}  {name}" for head, name in zip(heads, names, strict=True)]
    for name, counts, recall in zip(
        sides if numbered else names, matrix.counts.tolist(), matrix.recall.tolist(), strict=True
    ):
        rows.append([name, *map(str, counts), "-" if math.isnan(recall) else f"{recall:.3f}"])
    return aligned(rows, gap=2)
