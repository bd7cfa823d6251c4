"""A lesson in words: each part as lines that fit a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self, TextIO

import numpy as np

from ..metrics import ConfusionMatrix
from .parts import (
    Classes,
    Classification,
    ClassPrediction,
    ClosedForm,
    Column,
    Data,
    Derivation,
    Descent,
    FirstSlopes,
    LearningRates,
    Network,
    Prediction,
    Snapshot,
    Trained,
    Trials,
    Written,
)
from .style import (
    MARGIN,
    WIDTH,
    Ink,
    align,
    format_count,
    format_number,
    shorten,
    supports_color,
    wrap,
)

Lines = Iterator[str]

MAX_COURSE_WEIGHTS = 3  # shown at each step of a descent
MAX_SLOPES = 8  # shown in the derivation
MAX_LISTED_NAMES = 4  # of columns, in a heading
MAX_CLASS_COLUMNS = 5  # classes side by side
MAX_CLASS_ROWS = 12  # classes one below the other
OUTSIDE = "This point is outside the data: nothing there shows that the model still holds."


class Writer:
    r"""Write the parts of a lesson as text, its sections numbered in their order.

    >>> from tinygrad_lr.lesson.parts import Written
    >>> print("\n".join(Writer().lines(Written("the line", "line.safetensors"))))
    <BLANKLINE>
       Saved the line: line.safetensors
    """

    def __init__(self, ink: Ink | None = None) -> None:
        self.ink = ink or Ink()
        self.sections = 0
        self.target = "y"

    @classmethod
    def for_stream(cls, stream: TextIO | None) -> Self:
        """Return a writer for the stream, in colour if it is a terminal that shows colours."""
        return cls(Ink(stream is not None and supports_color(stream)))

    def lines(self, part: Any) -> Lines:
        """Yield the lines of a part."""
        yield from self.writers[type(part)](self, part)

    def data(self, part: Data) -> Lines:
        """Yield the columns in figures, and any notes."""
        self.target = shorten(part.target.name)
        yield self.ink.heading(f"{self.target} from {list_columns(part.features)}")
        yield self.ink.faint(f"{shorten(part.source, 76)}")
        yield from self.heading(f"The data: {format_count(part.rows)} rows")
        columns = (*part.features, part.target)
        rows = [["", "mean", "std. dev.", "min", "max", ""]]
        for column in columns:
            numbers = (column.mean, column.standard_deviation, column.minimum, column.maximum)
            rows.append([shorten(column.name), *map(format_number, numbers), column.meaning])
        yield from self.table(_left_align_last(rows))
        for note in part.notes:
            yield from map(self.ink.warm, wrap(f"Note: {note}."))

    def closed_form(self, part: ClosedForm) -> Lines:
        """Yield the exact line, its standard errors and its fit."""
        yield from self.heading("The best line, solved directly (closed form)")
        yield from map(self.ink.key, wrap(_equation(self.target, part)))
        yield ""
        coefficients = zip(
            [*_slopes(part.names), "intercept"],
            [*part.slopes, part.intercept],
            [*part.slope_errors, part.intercept_error],
            strict=True,
        )
        rows = [["", "", "± standard error"]]
        for name, x, error in coefficients:
            rows.append([name, format_number(x), f"± {format_number(error, 3)}"])
        yield from self.table(_left_align_last(rows))
        yield ""
        share = "-" if math.isnan(part.r_squared) else f"{part.r_squared:.0%}"
        spread = "a typical error: the standard deviation of the residuals"
        rows = [
            ["R²", format_number(part.r_squared), f"the line explains {share} of the variation"],
            ["MSE", format_number(part.mse), "the mean squared error: no line has a smaller one"],
            ["spread", format_number(part.residual_standard_deviation), spread],
        ]
        yield from (MARGIN + line for line in align(_left_align_last(rows)))

    def descent(self, part: Descent) -> Lines:
        """Yield the descent step by step, beside the closed form."""
        yield from self.heading("The same line by gradient descent")
        yield from wrap(_from_where(part))
        yield ""
        yield from self.course(part.course, part.standardized)
        yield ""
        yield from self.outcome(part.reason, part.message)
        yield ""
        closed = part.closed_form
        rows = [["", "closed form", "descent", "difference"]]
        names = [*_slopes(closed.names), "intercept", "MSE"]
        wanted = [*closed.slopes, closed.intercept, closed.mse]
        found = [*part.slopes, part.intercept, part.loss]
        for name, right, given in zip(names, wanted, found, strict=True):
            rows.append([name, format_number(right), format_number(given), f"{given - right:.1e}"])
        yield from self.table(rows)
        if part.agrees:
            yield from map(self.ink.good, wrap("The same line, to six digits."))
        else:
            cure = "more --steps, or another --learning-rate"
            cure += "" if part.standardized else ", or leave out --no-standardize"
            yield from map(self.ink.warm, wrap(f"Not the same line yet: try {cure}."))

    def learning_rates(self, part: LearningRates) -> Lines:
        """Yield descents with rates that are too small, right and too large."""
        yield from self.heading("What the learning rate does")
        for table in part.tables:
            yield from self.trials(part, table)

    def trials(self, part: LearningRates, table: Trials) -> Lines:
        """Yield the learning rates on one scale of the features."""
        what = "the features" if len(part.names) > 1 else shorten(part.names[0])
        scale = f"{what} standardised" if table.standardized else f"{what} as given"
        if table is not part.tables[0]:
            yield ""
        limit = self.ink.key(format_number(table.limit, 5))
        yield f"{MARGIN}On {scale}: stable below 2/λmax = {limit}"
        rows = [["rate", "steps", "loss", "stopped", ""]]
        for trial in table.trials:
            loss = format_number(trial.loss, 6 if trial.reason != "diverged" else 2)
            rate, steps = format_number(trial.learning_rate), str(trial.steps)
            rows.append([rate, steps, loss, trial.reason, trial.remark])
        lines = align(_left_align_last(rows, 2), left=0)
        yield MARGIN + self.ink.faint(lines[0])
        for trial, line in zip(table.trials, lines[1:], strict=True):
            ink = {"converged": self.ink.good, "diverged": self.ink.bad}.get(trial.reason)
            shown = ink(trial.reason) if ink else self.ink.warm(trial.reason)
            before, _, after = line.partition(trial.reason)
            yield f"{MARGIN}{before}{shown}{after}"
        yield from wrap(_describe_conditioning(table))

    def derivation(self, part: Derivation) -> Lines:
        """Yield the first step by the chain rule, with the numbers of the first rows."""
        yield from self.heading("The first step, derived (every number comes from backward())")
        x = "z" if part.standardized else "x"
        one = len(part.names) == 1
        model = f"w·{x} + b" if one else f"Σ w·{x} + b"
        where = "w = 0 and b = 0" if one else "all w = 0 and b = 0"
        count = format_count(part.count)
        laws = [
            [f"ŷ = {model}", f"the prediction: 0 for every row at {where}"],
            ["u = ŷ - y", "how far off it is"],
            ["L = (1/N) Σ u²", f"the loss: {format_number(part.loss)}, with N = {count} rows"],
            ["dL/du = 2u/N", "how the loss changes with u"],
            ["dL/dŷ = dL/du · 1", "u = ŷ - y changes one for one with ŷ"],
            [f"dL/dw = Σ dL/dŷ · {x}", f"ŷ changes by {x} when w changes by 1"],
            ["dL/db = Σ dL/dŷ", "ŷ changes by 1 when b changes by 1"],
        ]
        for line in align(laws, left=2):
            yield MARGIN + line
        yield ""
        shares = [f"dL/dŷ·{x}"] if one else []
        features = [x] if one else []
        table = [["row", *features, "y", "ŷ", "u", "dL/du", "dL/dŷ", *shares]]
        for row in part.rows:
            seen = [*(row.features if one else ()), row.target, row.prediction, row.u]
            slopes = [row.slope_of_u, row.slope_of_prediction, *(row.shares if one else ())]
            table.append([str(row.number), *(format_number(v, 4) for v in (*seen, *slopes))])
        if part.count > len(part.rows):
            table.append(["...", *[""] * (len(table[0]) - 1)])
        blank = [""] * (len(table[0]) - 2 - len(shares))
        sums = [part.bias.slope, *(weight.slope for weight in part.weights if one)]
        table.append(["sum", *blank, *(format_number(v, 6) for v in sums)])
        yield from self.table(table, gap=2)
        yield ""
        yield from self.steps(part)

    def steps(self, part: Derivation) -> Lines:
        """Yield the update of each weight, and why it goes up or down."""
        yield f"{MARGIN}new weight = old weight - learning rate · slope"
        rate = format_number(part.learning_rate)
        names = [f"   ({shorten(name)})" for name in part.names] if len(part.names) > 1 else [""]
        shown = [*zip(part.weights, names, strict=True)][:MAX_SLOPES]
        for weight, column in [*shown, (part.bias, "")]:
            name, slope = weight.name, format_number(weight.slope)
            why = f"is zero: the loss is flat, so {name} stays"
            if weight.slope > 0:
                why = f"is positive: the loss grows as {name} grows, so {name} goes down"
            if weight.slope < 0:
                why = f"is negative: the loss falls as {name} grows, so {name} goes up"
            factor = f"({slope})" if slope.startswith("-") else slope
            yield f"{MARGIN}{self.ink.key(f'dL/d{name} = {slope}')} {why}:"
            yield f"{MARGIN}   {name} = 0 - {rate}·{factor} = {format_number(weight.new)}{column}"
        left = len(part.weights) - MAX_SLOPES
        yield from self.more(left, "weight in the same way", "weights in the same way")

    def network(self, part: Network) -> Lines:
        """Yield the training of a network, beside the line."""
        widths = " → ".join(map(str, (len(part.names), *part.hidden, 1)))
        yield from self.heading(f"A network: {widths}, with {part.activation}")
        yield from self.trained(part, "gradient descent", "columns")
        yield ""
        rows = [["on these rows", "closed-form line", "network"]]
        line = (part.line.mse, part.line.r_squared) if part.line else (math.nan, math.nan)
        rows.append(["MSE", format_number(line[0]), format_number(part.mse)])
        rows.append(["R²", format_number(line[1]), format_number(part.r_squared)])
        yield from self.table(rows)
        yield from wrap("These are the training rows: expect larger errors on new ones.")

    def trained(self, part: Trained, descent: str, data: str) -> Lines:
        """Yield the settings of a training, the loss by step, and why it ended."""
        scale = f"standardised {data}" if part.standardized else f"the {data} as given"
        batches = f", batches of {part.batch_size}" if part.batch_size else ""
        begin = f"initialised with seed {part.seed}" if part.hidden else "initialised to 0"
        yield from wrap(
            f"{format_count(part.parameters)} weights, {begin}; {descent} on {scale}, "
            f"learning rate {format_number(part.learning_rate)}{batches}."
        )
        yield ""
        yield from self.course(part.course, part.standardized)
        yield ""
        yield from self.outcome(part.reason, part.message)

    def prediction(self, part: Prediction) -> Lines:
        """Yield a prediction with its spread."""
        yield from self.heading("A prediction")
        value = f"{self.target} = {format_number(part.value, 4)} ± {format_number(part.spread, 3)}"
        yield from wrap(f"For {format_point(part.names, part.at)} the model predicts:")
        yield MARGIN + MARGIN + self.ink.key(value)
        share = f"{format_count(part.within)} of the {format_count(part.rows)} rows"
        if not math.isnan(part.typical):
            yield from wrap(
                f"{share} are within {format_number(part.typical, 3)} of their prediction."
            )
        if part.outside:
            yield from map(self.ink.warm, wrap(OUTSIDE))

    def written(self, part: Written) -> Lines:
        """Yield a file that was written."""
        yield ""
        yield f"{MARGIN}Saved {part.what}: {shorten(part.path, 1000)}"

    def heading(self, text: str) -> Lines:
        """Yield a blank line, then the text with the next number."""
        self.sections += 1
        yield ""
        yield self.ink.heading(f"{self.sections}  {text}")
        yield ""

    def course(self, snapshots: tuple[Snapshot, ...], standardized: bool) -> Lines:
        """Yield the loss by step, with the weights of a line that has few of them."""
        shown = 0 < len(snapshots[0].weights) <= MAX_COURSE_WEIGHTS
        rows = [["step", "loss"]]
        if shown:
            count = len(snapshots[0].weights)
            names = ["w"] if count == 1 else [f"w{i}" for i in range(1, count + 1)]
            rows = [["step", *names, "b", "loss"]]
        for snapshot in snapshots:
            weights = [*snapshot.weights, snapshot.bias or 0.0] if shown else []
            rows.append([str(snapshot.step), *map(format_number, (*weights, snapshot.loss))])
        yield from self.table(rows, left=0)

    def table(self, rows: list[list[str]], left: int = 1, gap: int = 3) -> Lines:
        """Yield aligned rows below a faint header."""
        head, *lines = align(rows, left, gap)
        yield MARGIN + self.ink.faint(head)
        yield from (MARGIN + line for line in lines)

    def outcome(self, reason: str, message: str) -> Lines:
        """Yield why a descent ended."""
        ink = self.ink.good if reason == "converged" else self.ink.warm
        first, *rest = wrap(message[:1].upper() + message[1:] + ".")
        yield from map(ink, (first, *rest))

    def classes(self, part: Classes) -> Lines:
        """Yield the features in figures, the classes, and any notes."""
        self.target = shorten(part.target)
        yield self.ink.heading(f"{self.target} (a class) from {list_columns(part.features)}")
        yield self.ink.faint(f"{shorten(part.source, 76)}")
        count = format_count(part.rows)
        yield from self.heading(f"The data: {count} rows of {len(part.labels)} classes")
        rows = [["", "mean", "std. dev.", "min", "max"]]
        for column in part.features:
            numbers = (column.mean, column.standard_deviation, column.minimum, column.maximum)
            rows.append([shorten(column.name), *map(format_number, numbers)])
        yield from self.table(rows)
        yield ""
        counts = [["class", "rows", "share"]]
        for name, number in list(zip(part.labels, part.counts, strict=True))[:MAX_CLASS_ROWS]:
            counts.append([shorten(name), format_count(number), f"{number / part.rows:.1%}"])
        yield from self.table(counts)
        yield from self.more(len(part.labels) - MAX_CLASS_ROWS, "class", "classes")
        trained_on, held_out = map(format_count, (part.trained_on, part.held_out))
        yield from wrap(
            f"{trained_on} rows are for training; {held_out} are held out to test the model."
            if part.held_out
            else "No rows are held out: accuracy is measured on the training rows."
        )
        for note in part.notes:
            yield from map(self.ink.warm, wrap(f"Note: {note}."))

    def first_slopes(self, part: FirstSlopes) -> Lines:
        """Yield the first step by the chain rule, through softmax and cross entropy."""
        yield from self.heading("The first step, derived (every number comes from backward())")
        count = format_count(part.count)
        laws = [
            ["z = w·x + b", "a logit for each class; in a network, the last layer"],
            ["p = exp z / Σ exp z", "softmax: the probability of each class"],
            [
                "L = -(1/N) Σ ln p",
                f"cross entropy, over the true classes: {format_number(part.loss)}",
            ],
            ["dL/dz = (p - t)/N", f"t is 1 for the true class, else 0; N = {count} rows"],
        ]
        yield from (MARGIN + line for line in align(laws, left=2))
        yield ""
        rows = slope_rows(part, MAX_CLASS_COLUMNS)
        while len(rows[0]) > 4 and max(map(len, align(rows, 3, 2))) + len(MARGIN) > WIDTH:
            rows = slope_rows(part, len(rows[0]) - 4)
        yield from self.table(rows, left=3, gap=2)
        yield from self.more(len(part.labels) - (len(rows[0]) - 3), "class", "classes")
        yield from wrap("Only the true class has a negative dL/dz: its logit should rise.")

    def classification(self, part: Classification) -> Lines:
        """Yield the training of a classifier, and how often it is right."""
        widths = " → ".join(map(str, (len(part.names), *part.hidden, len(part.labels))))
        kind = f"A network: {widths}, with {part.activation}" if part.hidden else ""
        yield from self.heading(kind or f"Softmax regression: {widths}")
        yield from self.trained(part, part.optimizer, "features")
        yield from self.heading("How often it is right")
        rows = [["accuracy on", "rows", "right"]]
        rows.append(["training rows", format_count(part.trained_on), f"{part.accuracy:.1%}"])
        where = "training rows"
        if part.held_out_accuracy is not None:
            where = "held-out rows"
            right = f"{part.held_out_accuracy:.1%}"
            rows.append(["held-out rows", format_count(part.held_out), right])
        commonest = shorten(part.commonest, 20)
        rows.append([f"always '{commonest}'", "", f"{part.baseline:.1%}"])
        yield from self.table(rows)
        seen = part.held_out_accuracy is None
        if (part.accuracy if seen else part.held_out_accuracy or 0.0) <= part.baseline:
            warning = f"It does no better than always predicting '{commonest}'."
            yield from map(self.ink.warm, wrap(warning))
        yield ""
        yield from self.confusion(part, where)

    def confusion(self, part: Classification, where: str) -> Lines:
        """Yield the confusion matrix, or the most frequent confusions where it is too wide."""
        matrix = ConfusionMatrix(np.array(part.confusion, np.int64), part.labels)
        for lines in (
            str(matrix).splitlines(),
            compact_matrix(matrix),
            compact_matrix(matrix, numbered=True),
        ):
            if max(map(len, lines)) + len(MARGIN) <= WIDTH:
                yield from wrap(f"The {where}, true classes down, predicted classes across:")
                yield MARGIN + self.ink.faint(lines[0])
                yield from (MARGIN + line for line in lines[1:])
                return
        yield from self.confusions(matrix, where)

    def confusions(self, matrix: ConfusionMatrix, where: str) -> Lines:
        """Yield the pairs of classes that are confused most often."""
        counts = matrix.counts - np.diag(np.diagonal(matrix.counts))
        if not counts.any():
            yield from wrap(f"The {where}: no class is confused with another.")
            return
        yield from wrap(f"The most frequent confusions on the {where}:")
        order = np.argsort(-counts, axis=None, kind="stable")[:MAX_CLASS_ROWS]
        rows = [["true class", "predicted", "rows"]]
        for i, j in zip(*np.unravel_index(order, counts.shape), strict=True):
            if counts[i, j]:
                names = shorten(matrix.labels[i]), shorten(matrix.labels[j])
                rows.append([*names, format_count(int(counts[i, j]))])
        yield from self.table(rows, left=2)
        yield from self.more(int(np.count_nonzero(counts)) - MAX_CLASS_ROWS, "pair", "pairs")

    def class_prediction(self, part: ClassPrediction) -> Lines:
        """Yield the probability of each class at one point."""
        yield from self.heading("A prediction")
        yield from wrap(f"For {format_point(part.names, part.at)} the model predicts:")
        yield MARGIN + MARGIN + self.ink.key(f"{shorten(part.target)} = {shorten(part.label)}")
        yield ""
        order = np.argsort(-np.array(part.probabilities), kind="stable")[:MAX_CLASS_COLUMNS]
        rows = [["class", "probability"]]
        rows += [[shorten(part.labels[i]), f"{part.probabilities[i]:.1%}"] for i in order]
        yield from self.table(rows)
        if part.outside:
            yield from map(self.ink.warm, wrap(OUTSIDE))

    def more(self, left: int, thing: str, things: str) -> Lines:
        """Yield how many more there are than are shown."""
        if left > 0:
            yield from wrap(f"and {left} more {thing if left == 1 else things}")

    writers: ClassVar[dict[type, Callable[[Any, Any], Lines]]] = {
        Data: data,
        ClosedForm: closed_form,
        Descent: descent,
        LearningRates: learning_rates,
        Derivation: derivation,
        Network: network,
        Prediction: prediction,
        Written: written,
        Classes: classes,
        FirstSlopes: first_slopes,
        Classification: classification,
        ClassPrediction: class_prediction,
    }


def _from_where(part: Descent) -> str:
    one = len(part.means) == 1
    name = shorten(part.closed_form.names[0])
    scale = "on the features as given"
    if part.standardized and one:
        scale = (
            f"on z = ({name} - {format_number(part.means[0])}) / {format_number(part.scales[0])}"
        )
    elif part.standardized:
        scale = "on standardised features, z = (x - mean) / deviation"
    start = "w = 0, b = 0" if one else "all w = 0, b = 0"
    batches = f", batches of {part.batch_size}" if part.batch_size else ""
    limit = f" (stable below {format_number(part.learning_rate_limit, 5)})"
    return (
        f"From {start}, {scale}, learning rate {format_number(part.learning_rate)}{limit}{batches}:"
    )


def _describe_conditioning(table: Trials) -> str:
    if table.condition < 1.5:
        return "The loss is a round bowl here: one learning rate suits every weight."
    exact = 1e4 < table.condition < 1e12
    steep = format_count(round(table.condition)) if exact else format_number(table.condition, 3)
    return (
        f"The steepest direction is {steep} times as steep as the flattest: a rate that is stable "
        "for the first moves along the second that much more slowly."
    )


def _equation(target: str, line: ClosedForm) -> str:
    text = f"{target} ="
    for i, (name, slope) in enumerate(zip(line.names, line.slopes, strict=True)):
        sign = "" if not i and slope >= 0 else "- " if slope < 0 else "+ "
        text += f" {sign}{format_number(abs(slope))}·{shorten(name)}"
    return f"{text} {'-' if line.intercept < 0 else '+'} {format_number(abs(line.intercept))}"


def _slopes(names: tuple[str, ...]) -> list[str]:
    return ["slope"] if len(names) == 1 else [f"slope of {shorten(name)}" for name in names]


def _left_align_last(rows: list[list[str]], last: int = 1) -> list[list[str]]:
    """Pad the last columns, so that they are aligned to the left."""
    widths = [max(len(row[-i]) for row in rows) for i in range(1, last + 1)]
    return [
        [*row[:-last], *(row[-i].ljust(widths[i - 1]) for i in range(last, 0, -1))] for row in rows
    ]


def format_point(names: tuple[str, ...], at: tuple[float, ...]) -> str:
    """Return the features of a point as text: a = 1, b = 2."""
    found = [
        f"{shorten(name)} = {format_number(value)}" for name, value in zip(names, at, strict=True)
    ]
    return ", ".join(found[:MAX_SLOPES]) + (", ..." if found[MAX_SLOPES:] else "")


def list_columns(columns: Sequence[Column]) -> str:
    """Return the names of the first columns, and how many more there are."""
    names = [shorten(column.name) for column in columns]
    more = len(names) - MAX_LISTED_NAMES
    return ", ".join(names[:MAX_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")


def slope_rows(part: FirstSlopes, count: int) -> list[list[str]]:
    """Return p and dL/dz of the first rows, for at most `count` classes."""
    table = [["row", "true class", "", *(shorten(name, 10) for name in part.labels[:count])]]
    for row in part.rows:
        p = [format_number(x, 3) for x in row.probabilities[:count]]
        table.append([str(row.number), shorten(row.label, 14), "p", *p])
        table.append(["", "", "dL/dz", *(format_number(x, 3) for x in row.slopes[:count])])
    return table


def compact_matrix(matrix: ConfusionMatrix, *, numbered: bool = False) -> list[str]:
    r"""Return the confusion matrix without precision, in columns as narrow as possible.

    With `numbered`, numbers head the columns and precede the names of the rows.

    >>> print("\n".join(compact_matrix(ConfusionMatrix.of([0, 1, 1], [0, 0, 1]), numbered=True)))
    true \ predicted  1  2  recall
    1  0              1  1   0.500
    2  1              0  1   1.000
    """
    names = [shorten(name) for name in matrix.labels]
    heads = [str(i) for i in range(1, len(names) + 1)] if numbered else names
    rows = [["true \\ predicted", *heads, "recall"]]
    sides = [f"{head}  {name}" for head, name in zip(heads, names, strict=True)]
    for name, counts, recall in zip(
        sides if numbered else names, matrix.counts.tolist(), matrix.recall.tolist(), strict=True
    ):
        rows.append([name, *map(str, counts), "-" if math.isnan(recall) else f"{recall:.3f}"])
    return align(rows, gap=2)
