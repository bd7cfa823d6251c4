"""A copy of the model, to be asked at any weights: what is reported on is left alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.grad_mode import no_grad
from ..core.value import Value
from ..nn import Module
from ..support.abstract_array import Array
from ..train.evaluation import compute_loss

Weights = Mapping[str, Array]


class Twin:
    """A copy of a model on fixed rows: its loss, its slopes and its outputs, in evaluation mode.

    Shapes: x (n, ...), y as the loss takes it, or (n,) for outputs of (n, 1).
    """

    def __init__(self, model: Module, loss: Callable[[Any, Any], Any], x: Array, y: Array) -> None:
        self.model = copy.deepcopy(model).eval()
        self._loss, self._x, self._y = loss, x, y
        self._buffers = dict(self.model.named_buffers())
        self.named = self.model.named_parameters()

    def put(self, weights: Weights) -> None:
        """Give the copy these weights."""
        self.model.load_state_dict({**self._buffers, **weights})

    def loss(self, weights: Weights) -> float:
        """The loss at these weights."""
        self.put(weights)
        with no_grad(), np.errstate(all="ignore"):
            return float(compute_loss(self._loss, self.model(self._x), self._y))

    def recorded(self, weights: Weights) -> Value:
        """The loss at these weights, with its graph."""
        self.put(weights)
        self.model.zero_grad()
        with np.errstate(all="ignore"):
            loss: Value = compute_loss(self._loss, self.model(self._x), self._y)
        return loss

    def slopes(self, weights: Weights) -> tuple[float, Array]:
        """The loss at these weights, and all its slopes laid end to end, by `backward()`."""
        loss = self.recorded(weights)
        with np.errstate(all="ignore"):
            loss.backward()
        grads = [parameter.grad for _, parameter in self.named]
        return float(loss), laid(
            [
                np.zeros(p.shape) if g is None else np.asarray(g)
                for (_, p), g in zip(self.named, grads, strict=True)
            ]
        )

    def outputs(self, weights: Weights) -> Array:
        """What the model gives for the rows, (n, ...)."""
        self.put(weights)
        with no_grad(), np.errstate(all="ignore"):
            answer = self.model(self._x)
        return np.asarray(answer.numpy() if isinstance(answer, Value) else answer)

    def laid(self, weights: Weights) -> Array:
        """The weights laid end to end, in the order of the parameters."""
        return laid([weights[name] for name, _ in self.named])

    def named_weights(self, flat: Array) -> dict[str, Array]:
        """Numbers laid end to end as weights by name."""
        found, begin = {}, 0
        for name, parameter in self.named:
            part = flat[begin : begin + parameter.size]
            found[name] = part.reshape(parameter.shape).astype(parameter.dtype)
            begin += parameter.size
        return found


def laid(arrays: list[Array]) -> Array:
    """Arrays laid end to end, in float64."""
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])
