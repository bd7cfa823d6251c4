"""Build the data of a page, as one object: see `schema`."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..metrics import confusion_matrix
from ..nn import Module
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.thinning import thin_curve
from ..support.version import __version__
from ..train import History
from ..train.history import count_of
from ..train.model_copy import LossAtWeights, ModelCopy
from .data import Data
from .document import round_digits
from .frames import Frames
from .learning_rate_trials import run_trials
from .schema import ClosedForm, Curve, LineSurface, Payload, PrincipalSurface
from .surface import line_surface, principal_surface
from .task_kind import MAX_PARAMETERS, Kind, classify_task

MAX_NUMBERS = 2_000_000  # of the rows that gradients are computed on, for a line
MAX_ROWS = 20_000  # that the surface is measured on
MAX_WORK = 10_000_000  # rows times parameters, for each point of a surface
MAX_LOSSES = 1000  # points of the curve of the loss
MAX_LABELS = 12  # classes whose confusion there is room for
MAX_EXACT = 2000  # weights of all frames, above which they are rounded to six digits


def build_payload(
    history: History,
    model: Module,
    data: Data,
    loss: Callable[[Any, Any], Any],
    settings: Mapping[str, object] | None = None,
    command: str | None = None,
) -> Payload:
    """Build the data of a page; the first axis of arrays is the frame."""
    kind = classify_task(model, data, loss)
    rows = _select_rows(data, kind)
    twin = ModelCopy(model)
    loss_at = twin.on(data.x[rows], data.y[rows], loss)
    shown = twin.on(data.x[data.shown], data.y[data.shown], loss)
    # a model that the page can't compute gets the frames of the largest one that it can
    frames = Frames(history, loss_at, data.parameters if kind.open else MAX_PARAMETERS)
    data = data.with_labels(shown.outputs(twin.unflatten(frames.weights[0])).shape[-1])
    weight = int(np.argmax(_mask_first_matrix(twin) * _travel(frames.weights)))
    fits = len(rows) <= MAX_ROWS
    payload: Payload = {
        "task": kind.task,
        "line": kind.line,
        "open": kind.open,
        "loss": kind.loss,
        "layers": kind.layers if kind.open else None,
        "data": data.as_payload(),
        "rows_used": len(rows),
        "same_rows": len(rows) == len(data.x),
        "parameters": [{"name": name, "shape": p.shape, "size": p.size} for name, p in twin.named],
        "steps": frames.steps,
        "losses": frames.losses,
        "full": frames.full,
        "rates": frames.rates,
        "plain": frames.is_plain,
        "dropped": frames.dropped,
        "sizes": round_digits(_root_mean_squares(twin, frames.gradients), 5),
        "chosen": weight,
        "surface": _choose_surface(kind, loss_at if fits else shown, frames, data, rows),
        "trials": None,
        "closed_form": _closed_form(data) if kind.task == "regression" else None,
        "curve": _thin_losses(history),
        "evaluations": history.evaluations[-MAX_LOSSES:],
        "run": {
            "steps": history.steps,
            "reason": history.reason,
            "message": history.message,
            "limit": history.learning_rate_limit,
            "best_step": history.best_step,
            "warnings": history.warnings,
        },
        "versions": [
            ("tinygrad_lr", __version__),
            ("NumPy", np.__version__),
            ("Python", platform.python_version()),
        ],
        "settings": _list_settings(history, model, kind.loss, settings),
        "command": None if command is None else printable(command),
    }
    if kind.layers is not None:
        xy = data.x[rows], data.y[rows]
        payload["trials"] = run_trials(
            *(twin, history, loss, *xy), exact=kind.parabola, weight=weight
        )
    if kind.open:
        form = round_digits if frames.weights.size > MAX_EXACT else np.asarray
        payload["weights"] = form(frames.weights)
        payload["gradients"] = form(frames.gradients)
        payload["next"] = form(frames.next) if data.parameters <= 64 else None
    elif kind.task == "regression":
        outputs = [shown.outputs(twin.unflatten(row)).ravel() for row in frames.weights]
        payload["outputs"] = round_digits(outputs)
    if data.labels and len(data.labels) <= MAX_LABELS:
        payload["confusion"] = [_confusion(shown, row, data) for row in frames.weights]
    return payload


def _choose_surface(
    kind: Kind, loss_at: LossAtWeights, frames: Frames, data: Data, rows: Array
) -> LineSurface | PrincipalSurface | None:
    """Return the loss over w and b for a line of one feature, else over the plane of the path."""
    if kind.layers is None:  # a surface has many points: too many for what may take long
        return None
    first = kind.layers[0]
    if kind.parabola and first["inputs"] == 1 and first["bias"] is not None:
        return line_surface(loss_at, frames, data.x[rows][:, 0], data.y[rows].reshape(len(rows)))
    return principal_surface(loss_at, frames) if len(rows) * data.parameters < MAX_WORK else None


def _select_rows(data: Data, kind: Kind) -> Array:
    """Return the rows to compute gradients on: for a line, as many as possible."""
    if kind.line and data.x.size <= MAX_NUMBERS:
        return np.arange(len(data.x))
    return data.shown


def _travel(weights: Array) -> Array:
    """Return the largest distance of each weight from its start."""
    return np.asarray(np.abs(weights - weights[0]).max(axis=0) + 1e-300)


def _mask_first_matrix(twin: ModelCopy) -> Array:
    """Return 1 for entries of the first matrix and 0 for others, flat; all 1 without a matrix."""
    masks = [np.zeros(p.size) for _, p in twin.named]
    first = next((i for i, (_, p) in enumerate(twin.named) if p.ndim > 1), None)
    if first is None:
        return np.ones(sum(map(len, masks)))
    masks[first] += 1.0
    return np.concatenate(masks)


def _root_mean_squares(twin: ModelCopy, gradients: Array) -> Array:
    """Return the root mean square of the gradient of each parameter, (frames, parameters)."""
    ends = np.cumsum([parameter.size for _, parameter in twin.named])
    parts = np.split(gradients, ends[:-1], axis=1)
    return np.array([np.sqrt(np.mean(part * part, axis=1)) for part in parts]).T


def _confusion(shown: LossAtWeights, row: Array, data: Data) -> Array:
    """Count the rows in the file, true by predicted."""
    outputs = shown.outputs(shown.twin.unflatten(row))
    outputs = outputs.reshape(len(outputs), -1)
    outputs = np.where(np.isfinite(outputs), outputs, 0.0)
    classes = max(len(data.labels), outputs.shape[1])
    return np.asarray(confusion_matrix(outputs, data.y[data.shown], classes))


def _closed_form(data: Data) -> ClosedForm | None:
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


def _thin_losses(history: History) -> Curve:
    """Return the loss by step; of very many, the lowest and the highest of each stretch."""
    losses = np.array(history.losses, np.float64)
    steps = np.arange(len(losses))
    if len(losses) > MAX_LOSSES:
        starts = [stretch[0] for stretch in np.array_split(steps, MAX_LOSSES // 2)]
        steps = thin_curve(losses, starts)
    return {"steps": steps, "losses": losses[steps]}


def _list_settings(
    history: History, model: Module, loss: str, given: Mapping[str, object] | None
) -> list[tuple[str, str]]:
    """Return the settings as lines of a table: those in the history, then the caller's."""
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
