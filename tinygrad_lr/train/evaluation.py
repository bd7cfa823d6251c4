"""Predictions of a model, and how good they are: in evaluation mode, without a graph."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses, metrics
from ..core.grad_mode import no_grad
from ..core.value import Value
from ..data import DataLoader
from ..errors import ArgumentError
from ..metrics import Metric
from ..nn import Module
from ..support.abstract_array import Array
from ..support.validation import check_callable, check_instance, check_integer, check_list
from .inputs import as_inputs, as_targets, model_dtype

__all__ = ["evaluate", "predict"]

DEFAULT_BATCH_SIZE = 1024
WITH_THRESHOLD = {"accuracy", "f1", "precision", "recall"}
RESERVED_NAMES = {"step", "epoch", "loss"}  # in an evaluation


@contextlib.contextmanager
def training_mode(model: Module, training: bool) -> Iterator[None]:
    """Put a model in training or evaluation mode, and each module back in its own afterwards."""
    others = [module for module in model.modules() if module.training != training]
    for module in others:
        module.training = training
    try:
        yield
    finally:
        for module in others:
            module.training = not training


def predict(model: Module, x: ArrayLike, *, batch_size: int | None = None) -> Array:
    """Return the model's output for the rows of x as a plain array, in evaluation mode.

    Shapes: x (n, ...), or (n,) for one feature; the result has the shape of the model's output. At
    most `batch_size` rows are computed at once (default: 1024), without a graph.

    Raises `ArgumentError` if x contains nan or inf (with row and column), `ShapeError` if it
    doesn't fit the model (with the layer).

    >>> line = tg.nn.Linear(2, 1, dtype=np.float64, generator=0)
    >>> predict(line, np.ones((3, 2))).shape
    (3, 1)
    """
    check_instance("predict", "model", model, Module, "a tg.nn.Module")
    inputs = as_inputs("predict", model, x)
    given = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
    size = check_integer("predict", "batch_size", given, low=1)
    with no_grad(), training_mode(model, False), np.errstate(all="ignore"):
        parts = [model(inputs[i : i + size]) for i in range(0, len(inputs), size)]
    arrays = [part.numpy() if isinstance(part, Value) else np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def evaluate(
    model: Module,
    x: ArrayLike | DataLoader,
    y: ArrayLike | None = None,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
    metrics: str | Metric | Sequence[str | Metric] = (),
    batch_size: int | None = None,
) -> dict[str, float]:
    """Return the loss and the metrics of a model on data, in evaluation mode.

    `x` and `y` are arrays, or x is a `tg.data.DataLoader` of both. A metric is a name in
    `tg.metrics` ("accuracy", "r2", "mae") or a function of prediction and target. Loss and
    metrics are those of all rows together, not a mean over batches.

    Raises the errors of `predict`, and `ArgumentError` if a metric is unknown.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> line.load_state_dict({"weight": [[2.0]], "bias": [1.0]})
    >>> evaluate(line, [0.0, 1.0], [1.0, 3.5], metrics=["mae"])
    {'loss': 0.125, 'mae': 0.25}
    """
    check_instance("evaluate", "model", model, Module, "a tg.nn.Module")
    check_callable("evaluate", "loss", loss, "a function such as tg.losses.mse")
    if y is None and not isinstance(x, DataLoader):
        raise ArgumentError(
            "evaluate: y must be the targets, got None; pass them, or a tg.data.DataLoader as x"
        )
    if y is not None:
        x = as_inputs("evaluate", model, x)
        y = as_targets("evaluate", y, model_dtype(model), len(x))
    chosen = resolve_metrics(metrics, loss)
    return evaluate_checked(model, x, y, loss=loss, metrics=chosen, batch_size=batch_size)


def evaluate_checked(
    model: Module,
    x: Any,
    y: Any = None,
    *,
    loss: Callable[[Any, Any], Any],
    metrics: Mapping[str, Metric],
    batch_size: int | None = None,
) -> dict[str, float]:
    """Do what `evaluate` does, with data and metrics that were checked."""
    batches = [(x, y)] if y is not None else list(x)
    pairs = [(predict(model, rows, batch_size=batch_size), wanted) for rows, wanted in batches]
    predicted = np.concatenate([prediction for prediction, _ in pairs])
    wanted = np.concatenate([targets for _, targets in pairs])
    with no_grad(), np.errstate(all="ignore"):
        found = {"loss": float(compute_loss(loss, predicted, wanted))}
    return found | compute_metrics(metrics, [(predicted, wanted)])


def compute_loss(loss: Callable[[Any, Any], Any], predicted: Any, wanted: Any) -> Any:
    """Return the loss; targets (n,) are taken as a column where the model's output is one."""
    if not hasattr(predicted, "shape"):
        cure = ""
        if isinstance(predicted, tuple):
            cure = "; wrap the model so that it returns the first part only"
        given = type(predicted).__name__
        raise ArgumentError(f"fit: the model's output must be one array, got {given}{cure}")
    if wanted.ndim == 1 and predicted.shape == (len(wanted), 1):
        wanted = wanted[:, None]
    return loss(predicted, wanted)


def compute_metrics(
    chosen: Mapping[str, Metric], pairs: Iterable[tuple[Any, Any]]
) -> dict[str, float]:
    """Return each metric of all the predictions and targets together."""
    if not chosen:
        return {}
    several = list(pairs)
    predicted = np.concatenate([np.asarray(prediction) for prediction, _ in several])
    wanted = np.concatenate([target for _, target in several])
    with np.errstate(all="ignore"):
        return {name: float(compute_loss(f, predicted, wanted)) for name, f in chosen.items()}


def resolve_metrics(given: Any, loss: Any = None) -> dict[str, Metric]:
    """Return the metrics by name; beside a loss of logits, 0 is the threshold of those by name.

    Raises `ArgumentError` if a metric is unknown, or its name is that of another number.
    """
    function = loss.func if isinstance(loss, functools.partial) else loss
    binary = getattr(function, "__module__", "") == f"{losses.__name__}.binary"
    several = [given]
    if not isinstance(given, str) and not callable(given):
        several = check_list("metrics", "metrics", given, "a list of names or functions")
    found: dict[str, Metric] = {}
    for metric in several:
        if callable(metric):
            named = metric.func if isinstance(metric, functools.partial) else metric
            name = str(getattr(named, "__name__", type(named).__name__))
            _require_name(name, metric, found)
            found[name] = metric
        elif isinstance(metric, str) and metric in metrics.BY_NAME:
            by_name: Any = metrics.BY_NAME[metric]
            decides = binary and metric in WITH_THRESHOLD
            found[metric] = functools.partial(by_name, threshold=0) if decides else by_name
        else:
            names = ", ".join(metrics.BY_NAME)
            raise ArgumentError(
                f"metrics: a metric must be one of {names}, or a function of prediction and "
                f"target, got {metric!r:.60}"
            )
    return found


def _require_name(name: str, metric: Metric, others: Mapping[str, Metric]) -> None:
    """Raise `ArgumentError` for a name that another number of an evaluation has."""
    if name in RESERVED_NAMES or name.startswith("validation_"):
        raise ArgumentError(
            f"metrics: a metric's name must not be that of another number, got {name!r:.60}; "
            "rename the function"
        )
    if others.get(name, metric) is not metric:
        raise ArgumentError(
            f"metrics: metrics must have different names, got {name!r:.60} twice; rename a function"
        )
