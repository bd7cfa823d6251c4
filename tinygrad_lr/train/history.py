"""The history of a training run: its losses, weights and evaluations, and why it ended."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.value import Value
from ..support.abstract_array import Array
from ..support.files import replace_file
from ..support.notebook import (
    MAX_TABLE_ROWS,
    Bullets,
    DisplayPart,
    Heading,
    Table,
    notebook_display,
)
from ..support.text_format import number_text, round_down
from ..support.validation import check_path

__all__ = ["History"]

MAX_SHOWN_COLUMNS = 8  # of the table of evaluations in a notebook


@dataclass(eq=False)
class History:
    """The losses, weights and evaluations of a training run, and why it ended.

    - `losses`: the loss after k updates, for k = 0 ... steps (an interruption or an early stop
      lacks the last); with batches, the loss of the batch
    - `weights`: by parameter name, the weights after `weight_steps[i]` updates, (snapshots, *shape)
    - `weight_steps`: those steps: all of the first ones, then fewer and fewer, and the last
    - `steps`: the number of updates
    - `reason`: "converged", "limit", "early", "stopped", "diverged" or "interrupted"
    - `message`: the reason in a sentence
    - `learning_rate`: the learning rate of the last step
    - `learning_rate_limit`: after a divergence, the largest stable rate, 2/λmax, at the weights
      that were kept, if it is known
    - `learning_rates`: the learning rate of each step
    - `evaluations`: a dict of numbers each: "step", "epoch" (the number completed), "loss" (the
      mean of the steps since the evaluation before), the metrics by name (of the predictions made
      in those steps), and "validation_loss" and the like with validation data
    - `best_step`: the step whose weights early stopping restored
    - `warnings`: the text of each warning

    >>> History([2.0, 0.5], {}, [], 1, "limit", "stopped at the limit of 1 step", 0.1)
    History(limit after 1 step: loss 2 -> 0.5)
    """

    losses: list[float]
    weights: dict[str, Array]
    weight_steps: list[int]
    steps: int
    reason: str
    message: str
    learning_rate: float
    learning_rate_limit: float | None = None
    learning_rates: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    warnings: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        losses = " -> ".join(f"{loss:.6g}" for loss in [*self.losses[:1], *self.losses[1:][-1:]])
        steps = count_of(self.steps, "step")
        return f"History({self.reason} after {steps}: loss {losses or '-'})"

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show why it ended, the loss curve, settings, evaluations and warnings."""
        from .sparkline_svg import draw_loss_curves  # here: only notebooks need it

        yield Heading("History", [self.message or count_of(self.steps, "step")])
        losses = [(float(i), float(x)) for i, x in enumerate(self.losses)]
        validation = [
            (float(row["step"]), float(row["validation_loss"]))
            for row in self.evaluations
            if "validation_loss" in row
        ]
        if sum(math.isfinite(x) for _, x in losses) > 1:
            yield draw_loss_curves(losses, validation)
        yield Table([], list(self._settings()), numeric=[1])
        if self.evaluations:
            yield self._evaluations_table()
        if warnings := [x for x in self.warnings[:MAX_TABLE_ROWS] if x != self.message]:
            yield Bullets(warnings)

    def _settings(self) -> Iterator[tuple[str, str]]:
        """Yield the numbers below the message."""
        if self.losses:
            yield "first loss", number_text(self.losses[0], 6)
            yield "last loss", number_text(self.losses[-1], 6)
        yield "learning rate", number_text(self.learning_rate, 6)
        if self.learning_rate_limit is not None:
            yield "largest stable rate", number_text(self.learning_rate_limit, 6)
        if self.best_step is not None:
            yield "best step", f"{self.best_step:,}"

    def _evaluations_table(self) -> Table:
        """Return the first evaluations and the last, with their first columns."""
        first, last = self.evaluations[0], self.evaluations[-1]
        names = list(dict.fromkeys([*first, *last]))
        shown = names[:MAX_SHOWN_COLUMNS]
        more = f", {len(names) - len(shown):,} more columns" if len(names) > len(shown) else ""

        def cell(row: dict[str, float], name: str) -> str:
            if name not in row:
                return ""
            whole = name in {"step", "epoch"}
            return f"{row[name]:,.0f}" if whole else number_text(row[name])

        return Table(
            [name.replace("_", " ") for name in shown],
            [[cell(row, name) for name in shown] for row in self.evaluations],
            caption=f"{count_of(len(self.evaluations), 'evaluation')}{more}",
            numeric=range(len(shown)),
        )

    def rows(self) -> Iterator[dict[str, float]]:
        """Yield the "loss" and "learning_rate" of each step, and the evaluation after it, if any.

        The "loss" of an evaluation is called "mean_loss" here.
        """
        evaluated = {int(numbers["step"]): numbers for numbers in self.evaluations}
        for step in range(max(len(self.losses), *(s + 1 for s in evaluated), 0)):
            row: dict[str, float] = {"step": step}
            if step < len(self.losses):
                row["loss"] = self.losses[step]
            if step < len(self.learning_rates):
                row["learning_rate"] = self.learning_rates[step]
            numbers = evaluated.get(step, {})
            names = {"loss": "mean_loss"}
            yield row | {names.get(k, k): v for k, v in numbers.items() if k != "step"}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each step, as `rows` yields them; missing numbers are left empty.

        Raises `DataFileError` where the file cannot be written.

        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "history.csv")
        >>> History([2.0, 0.5], {}, [], 1, "limit", "", 0.1, learning_rates=[0.1]).to_csv(file)
        >>> print(file.read_text(), end="")
        step,loss,learning_rate
        0,2.0,0.1
        1,0.5,""
        """
        from ..support.csv_files import (
            write_table,  # here: a program that trains need not write tables
        )

        check_path("to_csv", "path", path)
        rows = list(self.rows())
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
        columns = [[repr(row[name]) if name in row else "" for row in rows] for name in names]
        write_table(path, names, columns)

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON object a line for each step; numbers that are not finite become null.

        Raises `DataFileError` where the file cannot be written.

        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "history.jsonl")
        >>> History([2.0, math.inf], {}, [], 1, "diverged", "", 9.0).to_jsonl(file)
        >>> print(file.read_text(), end="")
        {"step": 0, "loss": 2.0}
        {"step": 1, "loss": null}
        """
        check_path("to_jsonl", "path", path)
        finite = (
            {k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.rows()
        )
        lines = (json.dumps(row, allow_nan=False) + "\n" for row in finite)
        replace_file(path, (line.encode() for line in lines))


def count_of(number: int, noun: str) -> str:
    """Return the number with its noun.

    >>> count_of(1, "step"), count_of(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def end_message(
    history: History, kept: int, parameters: Sequence[Value], nonfinite: str = ""
) -> str:
    """Return the reason in a sentence; `kept` is the step of the best weights of a divergence."""
    losses, after = history.losses, f"after {count_of(history.steps, 'step')}"
    best = ""
    if history.best_step not in {None, history.steps}:
        best = f"; the model keeps the weights of step {history.best_step}, the best evaluated"
    if history.reason == "converged":
        sizes = [np.abs(x._gradient).max() for x in parameters if x._gradient is not None]
        return (
            f"converged {after}: the weights no longer change; "
            f"the largest entry of the gradient is {max(sizes, default=0):.2g}{best}"
        )
    if history.reason == "interrupted":
        return f"interrupted {after}: the model keeps what it has learnt"
    if history.reason == "stopped":
        return f"stopped {after} by the callback{best or ': the model keeps what it has learnt'}"
    if history.reason == "early" and history.best_step is None:
        return (
            f"stopped early {after}: no evaluation gave a number; the model keeps the last weights"
        )
    if history.reason == "early":
        return (
            f"stopped early {after}: no improvement since step {history.best_step}, whose weights "
            "the model keeps"
        )
    if history.reason == "limit":
        if not history.steps:
            return "stopped at the limit of 0 steps: the model is unchanged"
        worse = "; the loss is above the first one: lower the learning rate"
        return (
            f"stopped at the limit of {count_of(history.steps, 'step')}: the weights still change"
            f"{worse if losses[-1] > losses[0] else ''}{best}"
        )
    return _divergence_message(history, kept, nonfinite)


def _divergence_message(history: History, kept: int, nonfinite: str) -> str:
    """Say what diverged, what first was not finite, and what to do."""
    losses, rate, stable = history.losses, history.learning_rate, history.learning_rate_limit
    if not history.steps:
        first = f": {nonfinite}" if nonfinite else ""
        return f"diverged before the first step: the loss is {losses[-1]:g}{first}; scale the data"
    cure = f"lower the learning rate ({rate:g}), or scale the data"
    if stable is not None and stable < rate:
        below = f"below {round_down(stable):g}, the largest stable one"
        cure = f"lower the learning rate ({rate:g}) {below}"
    return (
        f"diverged after {count_of(history.steps, 'step')}: the loss went from {losses[0]:.4g} to "
        f"{losses[-1]:.4g}{f' ({nonfinite})' if nonfinite else ''}; {cure}; "
        f"the model keeps the weights of step {kept}"
    )
