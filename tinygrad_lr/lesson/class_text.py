"""A classification in words: each part as lines that fit a terminal of 80 columns."""

from __future__ import annotations

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
        shown = part.labels[:MOST_CLASSES]
        names = [label(name, 10) for name in shown]
        rows = [["row", "true class", "", *names]]
        for row in part.rows:
            chosen = slice(len(shown))
            p = [short(x, 3) for x in row.probabilities[chosen]]
            slopes = [short(x, 3) for x in row.slopes[chosen]]
            rows.append([str(row.number), label(row.label, 14), "p", *p])
            rows.append(["", "", "dL/dz", *slopes])
        yield from self.table(rows, left=3, gap=2)
        yield from self.more(len(part.labels) - MOST_CLASSES, "classes")
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
        rows.append([f"always {label(part.commonest, 20)!r}", "", f"{part.baseline:.1%}"])
        yield from self.table(rows)
        yield ""
        yield from self.confusion(part, where)

    def confusion(self, part: Classification, where: str) -> Lines:
        """Which class was taken for which."""
        matrix = ConfusionMatrix(np.array(part.confusion, np.int64), part.labels)
        lines = str(matrix).splitlines()
        if max(map(len, lines)) + len(MARGIN) > WIDTH + 2:
            yield from paragraph(f"The {where}, classes that were taken for others most often:")
            counts = matrix.counts - np.diag(np.diagonal(matrix.counts))
            order = np.argsort(-counts, axis=None, kind="stable")[:MOST_LISTED]
            rows = [["true class", "taken for", "rows"]]
            for i, j in zip(*np.unravel_index(order, counts.shape), strict=True):
                if counts[i, j]:
                    taken = label(part.labels[i]), label(part.labels[j])
                    rows.append([*taken, text.spaced(int(counts[i, j]))])
            yield from self.table(rows, left=2)
            return
        yield from paragraph(f"The {where}: true classes below each other, predicted ones beside:")
        yield MARGIN + self.ink.faint(lines[0])
        yield from (MARGIN + line for line in lines[1:])

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
