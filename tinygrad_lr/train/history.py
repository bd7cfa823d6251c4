"""What a descent did: its losses, weights and evaluations, and why it ended."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

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
from ..support.text_format import number_text

MAX_SHOWN_COLUMNS = 8  # of the table of evaluations in a notebook


@dataclass
class History:
    """What a descent did.

    - `losses`: the loss after k updates, for k = 0 ... steps (an interruption or an early stop
      misses the last); of a batch where there are batches
    - `weights`: by parameter name, the weights after `weight_steps[i]` updates, (records, *shape)
    - `weight_steps`: which steps those are: the first ones all, later ones ever fewer, the last
    - `steps`: how many updates were made
    - `reason`: "converged", "limit", "early", "stopped", "diverged" or "interrupted"
    - `message`: the reason in a sentence
    - `learning_rate`: that of the last step
    - `learning_rate_limit`: after a divergence, the largest stable rate, 2/λmax, at the weights
      that were kept, where it is known
    - `learning_rates`: that of each step
    - `evaluations`: a dict of figures each: "step", "epoch" (how many were completed), "loss"
      (the mean of the steps since the evaluation before), the metrics by name (of the predictions
      made in those steps), and "validation_loss" and the like where there are validation data
    - `best_step`: the step whose weights early stopping restored
    - `warnings`: the sentences that it warned with

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
        course = " -> ".join(f"{loss:.6g}" for loss in [*self.losses[:1], *self.losses[1:][-1:]])
        return f"History({self.reason} after {counted(self.steps, 'step')}: loss {course or '-'})"

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show why it ended, the curve of the loss, settings, evaluations and warnings."""
        from .sparkline_svg import curves  # here: only notebooks need it

        yield Heading("History", [self.message or counted(self.steps, "step")])
        losses = [(float(i), float(x)) for i, x in enumerate(self.losses)]
        validation = [
            (float(row["step"]), float(row["validation_loss"]))
            for row in self.evaluations
            if "validation_loss" in row
        ]
        if sum(math.isfinite(x) for _, x in losses) > 1:
            yield curves(losses, validation)
        yield Table([], list(self._settings()), numeric=[1])
        if self.evaluations:
            yield self._evaluations_table()
        if warnings := [x for x in self.warnings[:MAX_TABLE_ROWS] if x != self.message]:
            yield Bullets(warnings)

    def _settings(self) -> Iterator[tuple[str, str]]:
        """The figures that stand beside its sentence."""
        if self.losses:
            yield "first loss", number_text(self.losses[0], 6)
            yield "last loss", number_text(self.losses[-1], 6)
        yield "learning rate", number_text(self.learning_rate, 6)
        if self.learning_rate_limit is not None:
            yield "largest stable rate", number_text(self.learning_rate_limit, 6)
        if self.best_step is not None:
            yield "best step", f"{self.best_step:,}"

    def _evaluations_table(self) -> Table:
        """The first evaluations and the last, with their first columns."""
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
            caption=f"{counted(len(self.evaluations), 'evaluation')}{more}",
            numeric=range(len(shown)),
        )

    def rows(self) -> Iterator[dict[str, float]]:
        """For each step its "loss" and "learning_rate", and the figures evaluated after it.

        The "loss" of an evaluation is here "mean_loss".
        """
        evaluated = {int(figures["step"]): figures for figures in self.evaluations}
        for step in range(max(len(self.losses), *(s + 1 for s in evaluated), 0)):
            row: dict[str, float] = {"step": step}
            if step < len(self.losses):
                row["loss"] = self.losses[step]
            if step < len(self.learning_rates):
                row["learning_rate"] = self.learning_rates[step]
            figures = evaluated.get(step, {})
            names = {"loss": "mean_loss"}
            yield row | {names.get(k, k): v for k, v in figures.items() if k != "step"}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each step, as `rows` gives them; what a step has not is left empty.

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

        rows = list(self.rows())
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
        columns = [[repr(row[name]) if name in row else "" for row in rows] for name in names]
        write_table(path, names, columns)

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON object in a line for each step; numbers that are not finite are null.

        Raises `DataFileError` where the file cannot be written.

        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "history.jsonl")
        >>> History([2.0, math.inf], {}, [], 1, "diverged", "", 9.0).to_jsonl(file)
        >>> print(file.read_text(), end="")
        {"step": 0, "loss": 2.0}
        {"step": 1, "loss": null}
        """
        finite = (
            {k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.rows()
        )
        lines = (json.dumps(row, allow_nan=False) + "\n" for row in finite)
        replace_file(path, (line.encode() for line in lines))


def counted(number: int, thing: str) -> str:
    """The number with its noun: 1 step, 2 steps."""
    return f"{number} {thing}{'s' * (number != 1)}"
