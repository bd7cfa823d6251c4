"""Check the arguments that plots of a descent share: model, data, history and loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import losses
from ...core.value import Value
from ...errors import ArgumentError, ShapeError
from ...nn import Module
from ...support.abstract_array import Array
from ...support.validation import (
    check_callable,
    check_instance,
    check_list,
    float_array,
    real_array,
    short_repr,
)
from ...train.model_copy import ModelCopy
from .frame_selection import HistoryLike

__all__ = ["loss_of"]

Loss = Callable[[Any, Any], Value]

LOSS_NAMES = {"mse": "mean squared error", "mae": "mean absolute error", "<lambda>": "loss"}


def loss_of(
    model: Module,
    x: ArrayLike,
    y: ArrayLike,
    loss: Loss = losses.mse,
) -> Callable[[Mapping[str, Array]], float]:
    """Return the loss as a function of the weights by name; the model is not changed.

    Shapes: those of `fit`; x (n,) or (n, features), y as the model's output or (n,).

    >>> line = tg.nn.Linear(1, 1)
    >>> loss_at = loss_of(line, [1.0, 2.0], [2.0, 5.0])
    >>> loss_at({"weight": np.float32([[2.0]]), "bias": np.float32([0.0])})
    0.5
    """
    check_callable("loss_of", "loss", loss, "a function such as tg.losses.mse")
    rows, target = check_rows("loss_of", model, x, y)
    return ModelCopy(model).on(rows, target, loss)


def describe_loss(loss: Loss) -> str:
    """Return the name of a loss for an axis.

    >>> describe_loss(tg.losses.mse), describe_loss(tg.losses.cross_entropy)
    ('mean squared error', 'cross entropy')
    """
    name = getattr(loss, "__name__", "loss")
    return LOSS_NAMES.get(name, name.replace("_", " "))


def as_real_numbers(where: str, name: str, given: Any) -> Array:
    """Return the numbers as float64. Raises `DtypeError` for anything else."""
    return float_array(where, name, given).astype(np.float64)


def check_rows(where: str, model: Any, x: Any, y: Any) -> tuple[Array, Array]:
    """Return inputs and targets as arrays, with a row of y for each row of x.

    Raises `ArgumentError` if the model isn't a module (the order may be wrong), `ShapeError` if
    x and y don't match, `DtypeError` for anything but real numbers.
    """
    cure = f"call {where}(model, x, y, ...): the model comes first"
    check_instance(where, "model", model, Module, "a tg.nn.Module", cure)
    inputs, targets = real_array(where, "x", x), real_array(where, "y", y)
    if not inputs.ndim or not targets.ndim or len(inputs) != len(targets) or not len(inputs):
        raise ShapeError(
            f"{where}: x must have shape (n,) or (n, features) and y a row for each row of x, "
            f"got x {inputs.shape} and y {targets.shape}"
        )
    return inputs, targets


def check_one_feature(where: str, x: Array, cure: str) -> Array:
    """Return the feature, (n,). Raises `ShapeError` if there are several."""
    if x.size != len(x):
        raise ShapeError(f"{where}: x must have one feature, (n,) or (n, 1), got {x.shape}; {cure}")
    return x.reshape(len(x)).astype(np.float64)


def check_history(where: str, model: Module, history: HistoryLike) -> Mapping[str, Array]:
    """Return the weights of a history.

    Raises `ArgumentError` for a history without weights, or of another model.
    """
    weights: Mapping[str, Array] = getattr(history, "weights", {})
    cure = "pass what fit returned for this model"
    if not any(len(records) for records in weights.values()):
        raise ArgumentError(
            f"{where}: history must have the weights of a model, got {short_repr(history)}; {cure}"
        )
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    given = {name: records.shape[1:] for name, records in weights.items()}
    if wanted != given:
        shapes = [", ".join(f"{n} {s}" for n, s in list(d.items())[:6]) for d in (wanted, given)]
        raise ArgumentError(
            f"{where}: history must be of this model, with weights {shapes[0]}, got {shapes[1]}; "
            f"{cure}"
        )
    return weights


def check_names(where: str, x: Array, names: str | Sequence[str], default: str = "x") -> list[str]:
    """Return a name for each feature of x. Raises `ShapeError` for another number of names."""
    columns = int(np.prod(x.shape[1:], dtype=int))
    listed = [names] if isinstance(names, str) else check_list(where, "names of x", names, "a list")
    given = [str(name) for name in listed]
    if columns > 1 and given == [default]:
        return [f"{default}[{i}]" for i in range(columns)]
    if len(given) != columns:
        raise ShapeError(
            f"{where}: names of x must be {columns}, one for each feature, got {len(given)}"
        )
    return given
