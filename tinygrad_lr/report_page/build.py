"""`report`: the page of a run."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import ArgumentError, import_extra, refuse
from ..nn import Module
from ..plot.style import literal
from ..support.files import printable, replace_file
from ..train import History
from .data import gathered
from .document import document
from .payload import collected
from .payload import settings as settings_of
from .sections import explained


@dataclass(frozen=True)
class Report:
    """A page as text: `html`; `save(path)` writes it; a notebook shows it."""

    html: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, at once and whole; raises `DataFileError` where it cannot."""
        replace_file(path, [self.html.encode()])

    def __repr__(self) -> str:
        return f"Report({len(self.html.encode()) / 1e6:.2f} MB of HTML: .save(path) writes it)"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        page = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{page}" title="Report of a descent" '
            'style="width:100%;height:80vh;border:0"></iframe>'
        )


def report(
    history: History,
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: Callable[[Any, Any], Any] = losses.mse,
    path: str | os.PathLike[str] | None = None,
    x_names: str | Sequence[str] | None = None,
    y_name: str = "y",
    labels: Sequence[str] | None = None,
    x_scaling: Standardizer | None = None,
    y_scaling: Standardizer | None = None,
    title: str | None = None,
    settings: Mapping[str, object] | None = None,
    command: str | None = None,
) -> Report:
    """One HTML file that shows a run step by step, to be opened from disk by anybody.

    It shows the data with the line or curve, the loss over a weight with its slope and step, what
    other learning rates do, the chain rule with the numbers of the chosen step, a network with
    the paths from a chosen weight to the loss, the computation graph and the derivation of the
    first step in full, and the run. What does not apply is left out. It asks the network for
    nothing, and says so in a Content-Security-Policy.

    - `history`: what `fit` returned; `model`, `x`, `y`, `loss`: what it was given, all rows
    - `path`: where to write the page, if anywhere
    - `x_names`, `y_name`: of the columns, with units; `labels`: of the classes
    - `x_scaling`, `y_scaling`: the fitted `Standardizer` that x and y went through, so that the
      page shows their own units
    - `settings`: more lines for the table of settings; `command`: how to do it again

    Numbers are the run's own; slopes come from `backward()` at the kept steps, on all rows for a
    line, on those in the file (2000 at most) for a network, and the page says which. The model
    stays as it is.

    Shapes: those of `fit`. Raises `ArgumentError` for a history of another model, `ShapeError`
    for names that do not fit, what `fit` raises for x and y, `MissingExtraError` without the extra
    `explain` (latex2mathml), and `DataFileError` where the file cannot be written.

    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> history = tg.fit(line, x, y, learning_rate=0.1, steps=50)
    >>> page = tg.report(history, line, x, y, x_names="hours", y_name="grade")
    >>> page.html.startswith('<!doctype html>'), "https://" in page.html
    (True, False)
    """
    where = "report"
    import_extra("latex2mathml.converter", "explain")  # before any work
    if not isinstance(model, Module) or not hasattr(history, "weights") or not callable(loss):
        kinds = (("history", history), ("model", model), ("loss", loss))
        refuse(
            ArgumentError,
            where,
            "history, model or loss is something else",
            expected="what fit returned, its Module, and a loss such as tg.losses.mse",
            given=", ".join(f"{name} {type(x).__name__}" for name, x in kinds),
            cure="report(history, model, x, y): the history comes first",
        )
    names = [name for name, _ in model.named_parameters()]
    if not names or set(history.weights) != set(names) or not len(history.weight_steps):
        refuse(
            ArgumentError,
            where,
            "the history is not that of this model",
            expected=f"weights named {', '.join(names) or 'as a model has them'}",
            given=", ".join(map(printable, history.weights)) or "none",
        )
    data = gathered(where, model, loss, x, y, x_names, y_name, labels, x_scaling, y_scaling)
    with np.errstate(all="ignore"):  # what is not finite is shown as that
        run = collected(history, model, data, loss)
    run["settings"] = settings_of(history, model, run["loss"], settings)
    run["command"] = None if command is None else printable(command)
    told = printable(title) if title else _title(data.x_names, data.y_name)
    graph, derivation = explained(model, history, data, loss)
    page = document(run, title=told, lead=_lead(run), graph=graph, derivation=derivation)
    found = Report(page)
    if path is not None:
        found.save(path)
    return found


def _title(x_names: tuple[str, ...], y_name: str) -> str:
    """What is learnt from what."""
    few = len(x_names) <= 3
    source = " and ".join(map(literal, x_names)) if few else _counted(len(x_names), "column")
    return f"{literal(y_name)}, learnt from {source}"


def _lead(run: Mapping[str, Any]) -> str:
    """The run in a sentence."""
    rows = _counted(run["data"]["rows"], "row")
    steps = _counted(run["run"]["steps"], "step")
    told = [loss for loss in run["full"] if loss is not None]
    thing = "network"
    if run["line"]:
        thing = "softmax regression" if run["task"] == "classes" else "line"
    if not run["run"]["steps"]:
        return f"A {thing}, {rows}, no step taken yet."
    course = f"the loss went from {told[0]:.4g} to {told[-1]:.4g}" if told else ""
    return f"A {thing}, {rows}, {steps} of descent: {course}."


def _counted(number: int, thing: str) -> str:
    """The number with its noun, narrow spaces between its thousands from 10 000 on."""
    spaced = str(number) if number < 10_000 else f"{number:,}".replace(",", "\u202f")
    return f"{spaced} {thing}{'s' * (number != 1)}"
