"""`report`: build the page of a run."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..core.value import Value
from ..data import Standardizer
from ..errors import ArgumentError, import_extra
from ..explain import derivation as derive
from ..nn import Module
from ..plot import computation_graph
from ..plot.style import clean_name
from ..support.files import printable, replace_file
from ..support.text_format import count_text
from ..support.validation import check_instance, check_mapping, check_path, check_text
from ..train import History
from ..train.model_copy import ModelCopy
from .data import Data, prepare_data
from .document import fill_page
from .payload import build_payload
from .schema import Payload

__all__ = ["Report", "report"]


@dataclass(frozen=True)
class Report:
    """A report page: its text is `html`, `save(path)` writes it, and a notebook shows it."""

    html: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, atomically; raise `DataFileError` if that fails."""
        replace_file(path, [self.html.encode()])

    def __repr__(self) -> str:
        return f"Report({len(self.html.encode()) / 1e6:.2f} MB of HTML: .save(path) writes it)"

    def _repr_html_(self) -> str:
        """Show the page in a frame of its own, below a sentence that stays where frames are cut."""
        page = html.escape(self.html, quote=True)
        return (
            "<p>Report of a descent: <code>.save(path)</code> writes this page to a file. "
            "A notebook shows it here once it is trusted.</p>"
            f'<iframe srcdoc="{page}" title="Report of a descent" '
            'style="width:100%;height:80vh;border:0"></iframe>'
        )


def report(
    history: History,
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
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
    """Build one HTML file that shows a run step by step and opens from disk.

    It shows the data with the line or curve, the loss over a weight with its gradient and step,
    trials of other learning rates, the chain rule with the numbers of the chosen step, a network
    with the paths from a chosen weight to the loss, the computation graph and the derivation of
    the first step in full, and the run. What doesn't apply is left out. It requests nothing from
    the network, and its Content-Security-Policy forbids it.

    - `history`: returned by `fit`; `model`, `x`, `y`, `loss`: as passed to `fit`, all rows
    - `path`: the file to write the page to, if any
    - `x_names`, `y_name`: of the columns, with units; `labels`: of the classes
    - `x_scaling`, `y_scaling`: the fitted `Standardizer` that x and y went through, so that the
      page shows their own units
    - `settings`: more lines for the table of settings; `command`: the command that repeats the run

    Numbers are the run's own; gradients come from `backward()` at the kept steps, on all rows for
    a line, on those in the file (2000 at most) for a network, and the page says which. The model
    is not changed.

    Shapes: those of `fit`. Raises `ArgumentError` for a history of another model, `ShapeError`
    for names that don't match the columns, what `fit` raises for x and y, `MissingExtraError`
    without the extra `explain` (latex2mathml), and `DataFileError` if the file can't be written.

    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    >>> line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> history = tg.fit(line, x, y, learning_rate=0.1, steps=50)
    >>> page = tg.report(history, line, x, y, x_names="hours", y_name="grade")
    >>> page.html.startswith('<!doctype html>'), "https://" in page.html
    (True, False)
    """
    where = "report"
    import_extra("latex2mathml.converter", "explain")  # before any work
    if isinstance(model, type):
        check_instance(where, "model", model, Module, "a tg.nn.Module")
    if not isinstance(model, Module) or not hasattr(history, "weights") or not callable(loss):
        kinds = {"history": history, "model": model, "loss": loss}
        given = ", ".join(f"{name} {type(x).__name__}" for name, x in kinds.items())
        raise ArgumentError(
            f"{where}: history must be what fit returned, model its Module, and loss a function "
            f"such as tg.losses.mse, got {given}; call report(history, model, x, y): the history "
            "comes first"
        )
    names = [name for name, _ in model.named_parameters()]
    if not names or set(history.weights) != set(names) or not len(history.weight_steps):
        raise ArgumentError(
            f"{where}: history must be that of this model, with weights named "
            f"{', '.join(names) or 'as its parameters'}, got "
            f"{', '.join(map(printable, history.weights)) or 'no weights'}"
        )
    for name, text in {"y_name": y_name, "title": title, "command": command}.items():
        if text is not None or name == "y_name":
            check_text(where, name, text)
    if settings is not None:
        check_mapping(where, "settings", settings, "a dict of settings by name")
    if path is not None:
        path = check_path(where, "path", path)
    data = prepare_data(where, model, loss, x, y, x_names, y_name, labels, x_scaling, y_scaling)
    with np.errstate(all="ignore"):  # what is not finite is shown as that
        payload = build_payload(history, model, data, loss, settings, command)
        graph, derivation = _explain_first_step(model, history, data, loss)
    heading = printable(title) if title else _title(data.x_names, data.y_name)
    page = fill_page(
        payload, title=heading, lead=_lead(payload), graph=graph, derivation=derivation
    )
    found = Report(page)
    if path is not None:
        found.save(path)
    return found


def _explain_first_step(
    model: Module, history: History, data: Data, loss: Callable[[Any, Any], Any]
) -> tuple[str, str]:
    """Return the computation graph and derivation of the first step as HTML, on the shown rows."""
    loss_at = ModelCopy(model).on(data.x[data.shown], data.y[data.shown], loss)
    value = loss_at.record({name: records[0] for name, records in history.weights.items()})
    graph = computation_graph(value, model=loss_at.twin.model).html()
    rate = next(iter(history.learning_rates), 0.0) or None  # 0 before a warm-up
    steps = derive(value, model=loss_at.twin.model, learning_rate=rate)
    return graph, steps.html()


def _title(x_names: Sequence[str], y_name: str) -> str:
    """Return the title: the target, and the columns it is learnt from."""
    few = len(x_names) <= 3
    source = " and ".join(map(clean_name, x_names)) if few else count_text(len(x_names), "column")
    return f"{clean_name(y_name)}, learnt from {source}"


def _lead(payload: Payload) -> str:
    """Describe the run in a sentence."""
    rows = count_text(payload["data"]["rows"], "row")
    steps = count_text(payload["run"]["steps"], "step")
    losses = [loss for loss in payload["full"] if loss is not None]
    thing = "network"
    if payload["line"]:
        thing = "softmax regression" if payload["task"] == "classes" else "line"
    if not payload["run"]["steps"]:
        return f"A {thing}, {rows}, no step taken yet."
    course = f"the loss went from {losses[0]:.4g} to {losses[-1]:.4g}" if losses else ""
    return f"A {thing}, {rows}, {steps} of descent: {course}."
