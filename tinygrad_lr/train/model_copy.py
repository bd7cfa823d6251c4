"""A copy of a model at any weights: pictures and pages evaluate it and leave the model alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import ArgumentError
from ..nn import Module
from ..support.abstract_array import Array
from ..support.validation import short_repr
from .evaluation import compute_loss
from .monitors import largest_stable_rate

Weights = Mapping[str, Array]
Loss = Callable[[Any, Any], Any]

MAX_BATCH_ROWS = 4096


class ModelCopy:
    """A copy of a model, in evaluation mode, with the weights of any step.

    Buffers (a running mean) are those that the model has now: a history has none. The copy can
    compute in another dtype: curvatures, which are small differences of losses, need float64.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> twin = ModelCopy(line)
    >>> twin.put({"weight": np.array([[2.0]]), "bias": np.array([1.0])}).predict([3.0])
    array([[7.]])
    """

    def __init__(self, model: Module, dtype: Any = None) -> None:
        self.model = copy.deepcopy(model).eval()
        if dtype is not None:
            self.model.astype(dtype)
        self.named = self.model.named_parameters()
        self.dtype = np.result_type(*(parameter.dtype for _, parameter in self.named))
        self._state = self.model.state_dict()
        self._takes_integers = any(module.takes_integers for module in self.model.modules())

    def put(self, weights: Weights) -> ModelCopy:
        """Give the copy these weights."""
        own = {name: array.astype(self._state[name].dtype) for name, array in weights.items()}
        self.model.load_state_dict({**self._state, **own})
        return self

    def as_inputs(self, x: ArrayLike) -> Array:
        """Return rows as `fit` passes them to the model: (n,) is one feature."""
        array = np.asarray(x)
        if self._takes_integers:
            return array if array.dtype.kind in "iu" else array.astype(self.dtype)
        array = array.astype(self.dtype)
        return array[:, None] if array.ndim == 1 else array

    def as_targets(self, y: ArrayLike) -> Array:
        """Return targets in the dtype of the copy; labels stay integers."""
        target = np.asarray(y)
        return target.astype(self.dtype) if target.dtype.kind == "f" else target

    def predict(self, x: ArrayLike) -> Array:
        """Return the outputs for the rows, computed in batches."""
        rows = self.as_inputs(x)
        with no_grad(), np.errstate(all="ignore"):
            starts = range(0, max(len(rows), 1), MAX_BATCH_ROWS)
            parts = [self.model(rows[i : i + MAX_BATCH_ROWS]) for i in starts]
        arrays = [p.numpy() if isinstance(p, Value) else np.asarray(p) for p in parts]
        return np.concatenate(arrays)

    def on(self, x: ArrayLike, y: ArrayLike, loss: Loss) -> LossAtWeights:
        """Return the loss on these rows as a function of the weights."""
        return LossAtWeights(self, x, y, loss)

    def flatten(self, weights: Weights) -> Array:
        """Return the weights end to end in float64, (numbers,), in the order of the parameters."""
        return flatten([weights[name] for name, _ in self.named])

    def flatten_records(self, records: Weights) -> Array:
        """Return the weights of a history end to end in float64, (records, numbers)."""
        parts = [np.asarray(records[name], np.float64) for name, _ in self.named]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)

    def unflatten(self, flat: Array) -> dict[str, Array]:
        """Return the weights by name, in their own shapes and dtypes."""
        found, begin = {}, 0
        for name, parameter in self.named:
            part = flat[begin : begin + parameter.size]
            found[name] = part.reshape(parameter.shape).astype(parameter.dtype)
            begin += parameter.size
        return found


class LossAtWeights:
    """The loss of a model on fixed rows as a function of its weights, with gradients.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> loss_at = ModelCopy(line).on([1.0, 2.0], [2.0, 5.0], tg.losses.mse)
    >>> loss_at({"weight": np.array([[2.0]]), "bias": np.array([0.0])})
    0.5
    """

    def __init__(self, twin: ModelCopy, x: ArrayLike, y: ArrayLike, loss: Loss) -> None:
        if not callable(loss):
            raise ArgumentError(
                f"loss must be a function such as tg.losses.mse, got {short_repr(loss)}"
            )
        self.twin, self.loss = twin, loss
        self.x, self.y = twin.as_inputs(x), twin.as_targets(y)

    def __call__(self, weights: Weights) -> float:
        """The loss at these weights."""
        with no_grad():
            return float(self._compute(weights))

    def record(self, weights: Weights) -> Value:
        """Return the loss at these weights, with its graph."""
        found: Value = self._compute(weights)
        return found

    def gradient(self, weights: Weights) -> tuple[float, Array]:
        """Return the loss at these weights, and its gradient end to end."""
        loss = self.record(weights)
        with np.errstate(all="ignore"):
            loss.backward()
        gradients = [
            np.zeros(p.shape) if p.grad is None else np.asarray(p.grad) for _, p in self.twin.named
        ]
        return float(loss), flatten(gradients)

    def largest_stable_rate(self, weights: Weights) -> float | None:
        """Return the largest stable learning rate at these weights, 2/λmax, or None."""
        model = self.twin.put(weights).model
        return largest_stable_rate(model, partial(compute_loss, self.loss), self.x, self.y)

    def outputs(self, weights: Weights) -> Array:
        """Return the outputs of the model for the rows."""
        return self.twin.put(weights).predict(self.x)

    def _compute(self, weights: Weights) -> Any:
        self.twin.put(weights)
        self.twin.model.zero_grad()
        with np.errstate(all="ignore"):
            return compute_loss(self.loss, self.twin.model(self.x), self.y)


def flatten(arrays: list[Array]) -> Array:
    """Return arrays end to end, in float64."""
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])
