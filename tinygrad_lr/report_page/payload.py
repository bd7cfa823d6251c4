"""All numbers of a page, as one object."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..metrics import confusion_matrix
from ..nn import Module
from ..support.files import printable
from ..train import History
from ..train.history import count_of
from .data import Data
from .document import rounded
from .frames import Moments
from .learning_rate_trials import trials
from .model_copy import Twin
from .surface import line_surface, widest_surface
from .task_kind import Kind, kind_of, labelled

MOST_NUMBERS = 2_000_000  # of the rows that slopes are computed on, for a line
MOST_ROWS = 20_000  # that the surface is measured on
MOST_WORK = 10_000_000  # rows times parameters, for each point of a surface
CLOSED = 2000  # as many moments as of so many parameters, of a model that the page cannot compute
MOST_LOSSES = 1000  # points of the curve of the loss
MOST_LABELS = 12  # classes whose confusion there is room for
EXACT = 2000  # weights of all moments, above which they are told in six digits


def collected(
    history: History, model: Module, data: Data, loss: Callable[[Any, Any], Any]
) -> dict[str, Any]:
    """What there is to show: see the keys; rows of arrays are moments."""
    kind = kind_of(model, data, loss)
    rows = _rows(data, kind)
    twin = Twin(model, loss, data.x[rows], data.y[rows])
    shown = Twin(model, loss, data.x[data.shown], data.y[data.shown])
    moments = Moments(history, twin, data.parameters if kind.open else CLOSED)
    data = labelled(data, shown.outputs(twin.named_weights(moments.weights[0])).shape[-1])
    weight = int(np.argmax(_first_matrix(twin) * _travel(moments.weights)))
    found: dict[str, Any] = {
        "task": kind.task,
        "line": kind.line,
        "open": kind.open,
        "loss": kind.loss,
        "layers": kind.layers if kind.open else None,
        "data": data.as_json(),
        "rows_used": len(rows),
        "same_rows": len(rows) == len(data.x),
        "parameters": [{"name": name, "shape": p.shape, "size": p.size} for name, p in twin.named],
        "steps": moments.steps,
        "losses": moments.losses,
        "full": moments.full,
        "rates": moments.rates,
        "plain": moments.plain,
        "dropped": moments.dropped,
        "sizes": rounded(_sizes(twin, moments.gradients), 5),
        "chosen": weight,
        "surface": _surface(kind, twin if len(rows) <= MOST_ROWS else shown, moments, data, rows),
        "trials": None,
        "closed_form": _closed_form(data) if kind.task == "regression" else None,
        "curve": _curve(history),
        "evaluations": history.evaluations[-MOST_LOSSES:],
        "run": {
            "steps": history.steps,
            "reason": history.reason,
            "message": history.message,
            "limit": history.learning_rate_limit,
            "best_step": history.best_step,
            "warnings": history.warnings,
        },
        "versions": _versions(),
    }
    if kind.layers is not None:
        xy = data.x[rows], data.y[rows]
        found["trials"] = trials(twin, history, loss, *xy, exact=kind.parabola, weight=weight)
    if kind.open:
        tell = rounded if moments.weights.size > EXACT else np.asarray
        found |= {"weights": tell(moments.weights), "gradients": tell(moments.gradients)}
        found["next"] = tell(moments.next) if data.parameters <= 64 else None
    elif kind.task == "regression":
        outputs = [shown.outputs(twin.named_weights(row)).ravel() for row in moments.weights]
        found["outputs"] = rounded(outputs)
    if data.labels and len(data.labels) <= MOST_LABELS:
        found["confusion"] = [_confusion(shown, twin, row, data) for row in moments.weights]
    return found


def _surface(kind: Kind, twin: Twin, moments: Moments, data: Data, rows: Any) -> Any:
    """The loss over w and b of a line through one feature, else over the plane of the path."""
    if kind.layers is None:  # a surface has many points: too many for what may take long
        return None
    first = kind.layers[0]
    if kind.parabola and first["inputs"] == 1 and first["bias"] is not None:
        return line_surface(twin, moments, data.x[rows][:, 0], data.y[rows].reshape(len(rows)))
    return widest_surface(twin, moments) if len(rows) * data.parameters < MOST_WORK else None


def _rows(data: Data, kind: Kind) -> Any:
    """The rows that slopes are computed on: of a line all that there is room for."""
    if kind.line and data.x.size <= MOST_NUMBERS:
        return np.arange(len(data.x))
    return data.shown


def _travel(weights: Any) -> Any:
    """How far each weight came from its start, at most."""
    return np.abs(weights - weights[0]).max(axis=0) + 1e-300


def _first_matrix(twin: Twin) -> Any:
    """1 for an entry of the first matrix, 0 for any other, laid end to end; all 1 without one."""
    found = [np.zeros(p.size) for _, p in twin.named]
    first = next((i for i, (_, p) in enumerate(twin.named) if p.ndim > 1), None)
    if first is None:
        return np.ones(sum(map(len, found)))
    found[first] += 1.0
    return np.concatenate(found)


def _sizes(twin: Twin, gradients: Any) -> Any:
    """The root mean square of the slopes of each parameter, (moments, parameters)."""
    found, begin = [], 0
    for _, parameter in twin.named:
        part = gradients[:, begin : begin + parameter.size]
        found.append(np.sqrt(np.mean(part * part, axis=1)))
        begin += parameter.size
    return np.array(found).T


def _confusion(shown: Twin, twin: Twin, row: Any, data: Data) -> Any:
    """Counts of the rows in the file, true by predicted."""
    outputs = shown.outputs(twin.named_weights(row))
    outputs = outputs.reshape(len(outputs), -1)
    outputs = np.where(np.isfinite(outputs), outputs, 0.0)
    return confusion_matrix(outputs, data.y[data.shown], max(len(data.labels), outputs.shape[1]))


def _closed_form(data: Data) -> dict[str, Any] | None:
    line = data.line()
    if line is None:
        return None
    return {
        "slope": np.atleast_1d(line.slope),
        "intercept": line.intercept,
        "mse": line.mse,
        "r_squared": line.r_squared,
        "slope_error": np.atleast_1d(line.slope_error),
    }


def _curve(history: History) -> dict[str, Any]:
    """The loss by step; of very many the lowest and the highest of each stretch."""
    values = np.array(history.losses, np.float64)
    places = np.arange(len(values))
    if len(values) > MOST_LOSSES:
        safe = np.where(np.isfinite(values), values, np.inf)
        parts = np.array_split(places, MOST_LOSSES // 2)
        kept = {0, len(values) - 1}
        for part in parts:
            kept |= {int(part[safe[part].argmin()]), int(part[safe[part].argmax()])}
        places = np.array(sorted(kept))
    return {"steps": places, "losses": values[places]}


def _versions() -> list[tuple[str, str]]:
    from .. import __version__

    return [
        ("tinygrad_lr", __version__),
        ("NumPy", np.__version__),
        ("Python", platform.python_version()),
    ]


def settings(
    history: History, model: Module, loss: str, given: Mapping[str, object] | None
) -> list[tuple[str, str]]:
    """The run's settings as lines of a table: what the history knows, then what the caller adds."""
    size = sum(parameter.size for parameter in model.parameters())
    names = {"mse": "mean squared error", "cross_entropy": "cross entropy"}
    rates = history.learning_rates
    moving = bool(rates) and min(rates) != max(rates)
    used = math.isfinite(history.learning_rate)
    rate = f"{rates[0]:.4g}, later {rates[-1]:.4g}" if moving else f"{history.learning_rate:.6g}"
    own = {
        "model": f"{type(model).__name__} with {count_of(size, 'weight')}",
        "loss": names.get(loss, loss),
        **({"learning rate": rate} if used else {}),
        "steps": str(history.steps),
    }
    told = own | {printable(str(k)): printable(str(v)) for k, v in (given or {}).items()}
    return [*told.items()]
