"""What a model gives, and how good that is: in evaluation mode, without a graph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses, metrics
from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import ArgumentError, bad_argument
from ..nn import Module
from ..support.abstract_array import Array
from ..support.validation import check_integer
from .inputs import as_inputs, as_targets, model_dtype

Metric = Callable[[Any, Any], float]
ROWS_AT_ONCE = 1024


@contextlib.contextmanager
def mode(model: Module, training: bool) -> Iterator[None]:
    """Training or evaluation mode for the time, and that of each module again afterwards."""
    others = [module for module in model.modules() if module.training != training]
    for module in others:
        module.training = training
    try:
        yield
    finally:
        for module in others:
            module.training = not training


def predict(model: Module, x: ArrayLike, *, batch_size: int | None = None) -> Array:
    """What the model gives for the rows of x, as a plain array: in evaluation mode, no graph.

    Shapes: x (n, ...), or (n,) for one feature; the result is that of the model. `batch_size`
    bounds the rows that are computed at once (1024 unless told otherwise).

    Raises `ArgumentError` for nan or inf in x (with row and column), `ShapeError` where the model
    does not take it, with the layer.

    >>> line = tg.nn.Linear(2, 1, dtype=np.float64, generator=0)
    >>> predict(line, np.ones((3, 2))).shape
    (3, 1)
    """
    inputs = as_inputs("predict", model, x)
    given = ROWS_AT_ONCE if batch_size is None else batch_size
    size = check_integer("predict", "batch_size", given, low=1)
    with no_grad(), mode(model, False), np.errstate(all="ignore"):
        parts = [model(inputs[i : i + size]) for i in range(0, len(inputs), size)]
    arrays = [part.numpy() if isinstance(part, Value) else np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def evaluate(
    model: Module,
    x: Any,
    y: ArrayLike | None = None,
    *,
    loss: Callable[[Any, Any], Value] = losses.mse,
    metrics: str | Metric | Sequence[str | Metric] = (),
    batch_size: int | None = None,
) -> dict[str, float]:
    """The loss and the metrics of a model on data, in evaluation mode.

    `x` and `y` are arrays, or x is a `tg.data.DataLoader` of both. A metric is a name in
    `tg.metrics` ("accuracy", "r2", "mae") or a function of prediction and target. Loss and
    metrics are those of all rows together, not a mean over batches.

    Raises what `predict` raises, and `ArgumentError` for a metric that is not known.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> line.load_state_dict({"weight": [[2.0]], "bias": [1.0]})
    >>> evaluate(line, [0.0, 1.0], [1.0, 3.5], metrics=["mae"])
    {'loss': 0.125, 'mae': 0.25}
    """
    if y is not None:
        x = as_inputs("evaluate", model, x)
        y = as_targets("evaluate", y, model_dtype(model), len(x))
    return judged(model, x, y, loss=loss, metrics=checked_metrics(metrics), batch_size=batch_size)


def judged(
    model: Module,
    x: Any,
    y: Any = None,
    *,
    loss: Callable[[Any, Any], Any],
    metrics: Mapping[str, Metric],
    batch_size: int | None = None,
) -> dict[str, float]:
    """What `evaluate` returns, of data and metrics that were checked."""
    batches = [(x, y)] if y is not None else list(x)
    pairs = [(predict(model, rows, batch_size=batch_size), wanted) for rows, wanted in batches]
    predicted = np.concatenate([prediction for prediction, _ in pairs])
    wanted = np.concatenate([targets for _, targets in pairs])
    with no_grad(), np.errstate(all="ignore"):
        figures = {"loss": float(compared(loss, predicted, wanted))}
    return figures | measured(metrics, [(predicted, wanted)])


def compared(loss: Callable[[Any, Any], Any], predicted: Any, wanted: Any) -> Any:
    """The loss, a plain column of targets taken as the one output that it is."""
    if not hasattr(predicted, "shape"):
        given = type(predicted).__name__
        wrong, cure = "the model's output is no array", "wrap it, and return its first part alone"
        cure = cure if isinstance(predicted, tuple) else ""
        raise ArgumentError(
            bad_argument("fit", wrong, expected="one array", given=given, cure=cure)
        )
    if wanted.ndim == 1 and predicted.shape == (len(wanted), 1):
        wanted = wanted[:, None]
    return loss(predicted, wanted)


def measured(chosen: Mapping[str, Metric], seen: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    """Each metric of all the predictions and targets together."""
    if not chosen:
        return {}
    pairs = list(seen)
    predicted = np.concatenate([np.asarray(prediction) for prediction, _ in pairs])
    wanted = np.concatenate([target for _, target in pairs])
    with np.errstate(all="ignore"):
        return {name: float(compared(f, predicted, wanted)) for name, f in chosen.items()}


def checked_metrics(given: Any) -> dict[str, Metric]:
    """The metrics by name. Raises `ArgumentError` for one that is not known."""
    several = [given] if isinstance(given, str) or callable(given) else list(given)
    found: dict[str, Metric] = {}
    for metric in several:
        if callable(metric):
            found[str(getattr(metric, "__name__", type(metric).__name__))] = metric
            continue
        if metric not in metrics.BY_NAME:
            raise ArgumentError(
                bad_argument(
                    "metrics",
                    f"{metric!r:.60} is no metric",
                    expected=f"one of {', '.join(metrics.BY_NAME)}, or a function of "
                    "prediction and target",
                    given=f"{metric!r:.60}",
                )
            )
        found[metric] = metrics.BY_NAME[metric]
    return found
