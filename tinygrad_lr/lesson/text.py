"""A lesson in words: each part as lines that fit a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self, TextIO

from .parts import (
    ClosedForm,
    Data,
    Derivation,
    Descent,
    LearningRates,
    Moment,
    Network,
    Prediction,
    Trained,
    Trials,
    Written,
)
from .style import MARGIN, Ink, aligned, label, paragraph, short, wants_color

Lines = Iterator[str]

MOST_WEIGHTS = 3  # shown by step, in a descent
MOST_SLOPES = 8  # shown in the derivation


class Writer:
    r"""Writes the parts of a lesson, numbered in the order in which they come.

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
        """In colour where a person watches the stream on a terminal that shows it."""
        return cls(Ink(stream is not None and wants_color(stream)))

    def lines(self, part: Any) -> Lines:
        """The part's lines."""
        yield from self.writers[type(part)](self, part)

    def data(self, part: Data) -> Lines:
        """What there is to learn from."""
        self.target = label(part.target.name)
        yield self.ink.heading(f"{self.target} from {listed(part.features)}")
        yield self.ink.faint(f"{label(part.source, 76)}")
        yield from self.heading(f"The data: {spaced(part.rows)} rows")
        columns = (*part.features, part.target)
        rows = [["", "mean", "std. dev.", "least", "greatest", ""]]
        for column in columns:
            numbers = (column.mean, column.standard_deviation, column.minimum, column.maximum)
            rows.append([label(column.name), *(short(x) for x in numbers), column.meaning])
        yield from self.table(_left_last(rows))
        for note in part.notes:
            yield from map(self.ink.warm, paragraph(f"Note: {note}."))

    def closed_form(self, part: ClosedForm) -> Lines:
        """The line, solved at once."""
        yield from self.heading("The best line, solved at once (closed form)")
        yield from map(self.ink.key, paragraph(_equation(self.target, part)))
        yield ""
        coefficients = zip(
            [*_slopes(part.names), "intercept"],
            [*part.slopes, part.intercept],
            [*part.slope_errors, part.intercept_error],
            strict=True,
        )
        rows = [["", "", "± standard error"]]
        rows += [[name, short(x), f"± {short(error, 3)}"] for name, x, error in coefficients]
        yield from self.table(_left_last(rows))
        yield ""
        share = "-" if math.isnan(part.r_squared) else f"{100 * part.r_squared:.0f} %"
        spread = "a typical miss: the standard deviation of the residuals"
        rows = [
            ["R²", short(part.r_squared), f"the line explains {share} of the variation"],
            ["MSE", short(part.mse), "the mean squared error: no line has a smaller one"],
            ["spread", short(part.residual_standard_deviation), spread],
        ]
        yield from (MARGIN + line for line in aligned(_left_last(rows)))

    def descent(self, part: Descent) -> Lines:
        """The same line by gradient descent."""
        yield from self.heading("The same line by gradient descent")
        yield from paragraph(_from_where(part))
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
            rows.append([name, short(right), short(given), f"{given - right:.1e}"])
        yield from self.table(rows)
        if part.agrees:
            yield from map(self.ink.good, paragraph("The same line, to six digits."))
        else:
            cure = "more --steps, or another --learning-rate"
            cure += "" if part.standardized else ", or leave out --no-standardize"
            yield from map(self.ink.warm, paragraph(f"Not the same line yet: try {cure}."))

    def learning_rates(self, part: LearningRates) -> Lines:
        """Too small, right, too large."""
        yield from self.heading("What the learning rate does")
        if part.rows < part.of:
            sample = f"Tried on {spaced(part.rows)} of the rows, evenly spread."
            yield from paragraph(sample)
        for table in part.tables:
            yield from self.trials(part, table)

    def trials(self, part: LearningRates, table: Trials) -> Lines:
        """The rates on one scale of the features."""
        what = "the features" if len(part.names) > 1 else label(part.names[0])
        scale = f"{what} standardised" if table.standardized else f"{what} as given"
        if table is not part.tables[0]:
            yield ""
        yield f"{MARGIN}On {scale}: stable below 2/λmax = {self.ink.key(short(table.limit, 5))}"
        rows = [["rate", "steps", "loss", "stopped", ""]]
        for trial in table.trials:
            loss = short(trial.loss, 6 if trial.reason != "diverged" else 2)
            rate, steps = short(trial.learning_rate), str(trial.steps)
            rows.append([rate, steps, loss, trial.reason, trial.remark])
        lines = aligned(_left_last(rows, 2), left=0)
        yield MARGIN + self.ink.faint(lines[0])
        for trial, line in zip(table.trials, lines[1:], strict=True):
            ink = {"converged": self.ink.good, "diverged": self.ink.bad}.get(trial.reason)
            shown = ink(trial.reason) if ink else self.ink.warm(trial.reason)
            before, _, after = line.partition(trial.reason)
            yield f"{MARGIN}{before}{shown}{after}"
        yield from paragraph(_valley(table))

    def derivation(self, part: Derivation) -> Lines:
        """The first step, by the chain rule."""
        yield from self.heading("The first step, derived: all numbers are those of backward()")
        x = "z" if part.standardized else "x"
        one = len(part.names) == 1
        model = f"w·{x} + b" if one else f"Σ w·{x} + b"
        where = "w = 0 and b = 0" if one else "all w = 0 and b = 0"
        count = spaced(part.count)
        laws = [
            [f"ŷ = {model}", f"the prediction: 0 for every row at {where}"],
            ["u = ŷ - y", "how far off it is"],
            ["L = (1/N) Σ u²", f"the loss: {short(part.loss)}, with N = {count} rows"],
            ["dL/du = 2u/N", "how the loss changes with u"],
            ["dL/dŷ = dL/du · 1", "as u = ŷ - y changes as ŷ does"],
            [f"dL/dw = Σ dL/dŷ · {x}", f"as ŷ changes by {x} where w changes by 1"],
            ["dL/db = Σ dL/dŷ", "as ŷ changes by 1 where b does"],
        ]
        for line in aligned(laws, left=2):
            yield MARGIN + line
        yield ""
        shares = [f"dL/dŷ·{x}"] if one else []
        features = [x] if one else []
        table = [["row", *features, "y", "ŷ", "u", "dL/du", "dL/dŷ", *shares]]
        for row in part.rows:
            seen = [*(row.features if one else ()), row.target, row.prediction, row.u]
            slopes = [row.slope_of_u, row.slope_of_prediction, *(row.shares if one else ())]
            table.append([str(row.number), *(short(v, 4) for v in (*seen, *slopes))])
        if part.count > len(part.rows):
            table.append(["...", *[""] * (len(table[0]) - 1)])
        blank = [""] * (len(table[0]) - 2 - len(shares))
        sums = [part.bias.slope, *(weight.slope for weight in part.weights if one)]
        table.append(["sum", *blank, *(short(v, 6) for v in sums)])
        yield from self.table(table, gap=2)
        yield ""
        yield from self.steps(part)

    def steps(self, part: Derivation) -> Lines:
        """Where each weight goes, and why."""
        yield f"{MARGIN}new weight = old weight - learning rate · slope"
        rate = short(part.learning_rate)
        names = [f"   ({label(name)})" for name in part.names] if len(part.names) > 1 else [""]
        shown = [*zip(part.weights, names, strict=True)][:MOST_SLOPES]
        for weight, column in [*shown, (part.bias, "")]:
            name, slope = weight.name, short(weight.slope)
            why = f"is zero: the loss is flat, {name} stays"
            if weight.slope > 0:
                why = f"is positive: the loss grows as {name} grows, so {name} goes down"
            if weight.slope < 0:
                why = f"is negative: the loss falls as {name} grows, so {name} goes up"
            factor = f"({slope})" if slope.startswith("-") else slope
            yield f"{MARGIN}{self.ink.key(f'dL/d{name} = {slope}')} {why}:"
            yield f"{MARGIN}   {name} = 0 - {rate}·{factor} = {short(weight.new)}{column}"
        left = len(part.weights) - MOST_SLOPES
        if left > 0:
            yield f"{MARGIN}and {left} more weights likewise"

    def network(self, part: Network) -> Lines:
        """What a network learnt."""
        widths = " → ".join(map(str, (len(part.names), *part.hidden, 1)))
        yield from self.heading(f"A network: {widths}, {part.activation} between")
        yield from self.trained(part, "gradient descent", "columns")
        yield ""
        rows = [["on these rows", "closed-form line", "network"]]
        line = part.line
        rows.append(["MSE", short(line.mse) if line else "-", short(part.mse)])
        rows.append(["R²", short(line.r_squared) if line else "-", short(part.r_squared)])
        yield from self.table(rows)
        yield from paragraph(
            "These are the rows that it learnt from: on new ones it will miss by more."
        )

    def trained(self, part: Trained, descent: str, data: str) -> Lines:
        """How it was trained, the loss by step, and why it ended."""
        scale = f"standardised {data}" if part.standardized else f"the {data} as given"
        batches = f", batches of {part.batch_size}" if part.batch_size else ""
        begin = f"drawn with seed {part.seed}" if part.hidden else "which begin at 0"
        yield from paragraph(
            f"{spaced(part.parameters)} weights, {begin}; {descent} on {scale}, learning rate "
            f"{short(part.learning_rate)}{batches}."
        )
        yield ""
        yield from self.course(part.course, part.standardized)
        yield ""
        yield from self.outcome(part.reason, part.message)

    def prediction(self, part: Prediction) -> Lines:
        """One prediction, and how far to trust it."""
        yield from self.heading("A prediction")
        value = f"{self.target} = {short(part.value, 4)} ± {short(part.spread, 3)}"
        yield from paragraph(f"Where {places(part.names, part.at)}, the model says:")
        yield MARGIN + MARGIN + self.ink.key(value)
        share = f"{spaced(part.within)} of the {spaced(part.rows)} rows"
        if not math.isnan(part.typical):
            yield from paragraph(
                f"{share} lie within {short(part.typical, 3)} of their prediction."
            )
        if part.outside:
            warning = "It lies outside the data: nothing there says that the model still holds."
            yield from map(self.ink.warm, paragraph(warning))

    def written(self, part: Written) -> Lines:
        """A file that was left behind."""
        yield ""
        yield f"{MARGIN}Saved {part.what}: {label(part.path, 1000)}"

    def heading(self, text: str) -> Lines:
        """A blank line, then the next number and the text."""
        self.sections += 1
        yield ""
        yield self.ink.heading(f"{self.sections}  {text}")
        yield ""

    def course(self, moments: tuple[Moment, ...], standardized: bool) -> Lines:
        """The loss by step, with the weights of a line that has few of them."""
        shown = 0 < len(moments[0].weights) <= MOST_WEIGHTS
        rows = [["step", "loss"]]
        if shown:
            count = len(moments[0].weights)
            names = ["w"] if count == 1 else [f"w{i}" for i in range(1, count + 1)]
            rows = [["step", *names, "b", "loss"]]
        for moment in moments:
            weights = [*moment.weights, moment.bias or 0.0] if shown else []
            rows.append([str(moment.step), *(short(x) for x in (*weights, moment.loss))])
        yield from self.table(rows, left=0)

    def table(self, rows: list[list[str]], left: int = 1, gap: int = 3) -> Lines:
        """Aligned rows below a faint head."""
        head, *lines = aligned(rows, left, gap)
        yield MARGIN + self.ink.faint(head)
        yield from (MARGIN + line for line in lines)

    def outcome(self, reason: str, message: str) -> Lines:
        """Why a descent ended."""
        ink = self.ink.good if reason == "converged" else self.ink.warm
        first, *rest = paragraph(message[:1].upper() + message[1:] + ".")
        yield from map(ink, (first, *rest))

    writers: ClassVar[dict[type, Callable[[Any, Any], Lines]]] = {
        Data: data,
        ClosedForm: closed_form,
        Descent: descent,
        LearningRates: learning_rates,
        Derivation: derivation,
        Network: network,
        Prediction: prediction,
        Written: written,
    }


def _from_where(part: Descent) -> str:
    one = len(part.means) == 1
    name = label(part.closed_form.names[0])
    scale = "on the features as given"
    if part.standardized and one:
        scale = f"on z = ({name} - {short(part.means[0])}) / {short(part.scales[0])}"
    elif part.standardized:
        scale = "on standardised features, z = (x - mean) / deviation"
    start = "w = 0, b = 0" if one else "all w = 0, b = 0"
    batches = f", batches of {part.batch_size}" if part.batch_size else ""
    limit = f" (stable below {short(part.learning_rate_limit, 5)})"
    return f"From {start}, {scale}, learning rate {short(part.learning_rate)}{limit}{batches}:"


def _valley(table: Trials) -> str:
    if table.condition < 1.5:
        return "The loss is a round bowl here: one learning rate suits every weight."
    exact = 1e4 < table.condition < 1e12
    steep = spaced(round(table.condition)) if exact else short(table.condition, 3)
    return (
        f"The steepest direction is {steep} times as steep as the flattest: a rate that the one "
        "can bear moves the other that much slower."
    )


def _equation(target: str, line: ClosedForm) -> str:
    text = f"{target} ="
    for i, (name, slope) in enumerate(zip(line.names, line.slopes, strict=True)):
        sign = "" if not i and slope >= 0 else "- " if slope < 0 else "+ "
        text += f" {sign}{short(abs(slope))}·{label(name)}"
    return f"{text} {'-' if line.intercept < 0 else '+'} {short(abs(line.intercept))}"


def _slopes(names: tuple[str, ...]) -> list[str]:
    return ["slope"] if len(names) == 1 else [f"slope of {label(name)}" for name in names]


def _left_last(rows: list[list[str]], last: int = 1) -> list[list[str]]:
    """The last columns padded, so that they stand to the left."""
    widths = [max(len(row[-i]) for row in rows) for i in range(1, last + 1)]
    return [
        [*row[:-last], *(row[-i].ljust(widths[i - 1]) for i in range(last, 0, -1))] for row in rows
    ]


def places(names: tuple[str, ...], at: tuple[float, ...]) -> str:
    """The features at one place."""
    found = [f"{label(name)} = {short(value)}" for name, value in zip(names, at, strict=True)]
    return ", ".join(found[:MOST_SLOPES]) + (", ..." if found[MOST_SLOPES:] else "")


def listed(columns: Any) -> str:
    """The names of the first columns, and how many more there are."""
    names = [label(column.name) for column in columns]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def spaced(number: int) -> str:
    """A whole number, with a space between thousands from 10 000 on."""
    return str(number) if number < 10_000 else f"{number:,}".replace(",", " ")
