"""Programs on Values, with the types of operators, derivatives, layers and compiled functions."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr as tg
import tinygrad_lr.numpy as np
from tinygrad_lr import Value

w = Value([1.0, 2.0])
array: NDArray[numpy.float64] = numpy.ones(2)

assert_type(w * 2.0 + 1, Value)
assert_type(2.0 / w, Value)
assert_type(w @ array, Value)
assert_type(-w, Value)
assert_type(w**2, Value)
assert_type(w[0], Value)
assert_type(w[0].item(), float | complex)
assert_type(w.astype(int), numpy.ndarray[Any, numpy.dtype[Any]])
assert_type(w.astype(numpy.float32), Value)
assert_type(w.T, Value)
assert_type(w.mean(axis=0), Value)
assert_type(w.reshape(2, 1), Value)
assert_type(w.shape, tuple[int, ...])
assert_type(w[..., None, 1:], Value)
assert_type(w.argmax(), numpy.intp)
assert_type(w.argsort(), numpy.ndarray[Any, numpy.dtype[Any]])
assert_type(w.all(), numpy.bool)
assert_type(w.clip(0.0, w), Value)
assert_type(list(w), list[Value])
w += 1.0
assert_type(w, Value)

assert_type(tg.relu(w), Value)
assert_type(tg.softmax(w, axis=-1), Value)
assert_type(tg.sigmoid(w), Value)
assert_type(tg.ops.maximum(0.0, w), Value)
assert_type(tg.ops.quantile(w, 0.5), Value)
assert_type(tg.ops.conv1d(array, w), Value)
assert_type(tg.ops.split(w, 2), list[Value])
assert_type(tg.ops.slogdet(w).logabsdet, Value)
assert_type(tg.zeros(3), Value)
assert_type(tg.ones((2, 2), numpy.float32), Value)
assert_type(tg.full(3, w[0]), Value)
assert_type(tg.zeros_like(w), Value)
assert_type(tg.array([w[0], [w[1]]]), Value)
assert_type(tg.zeros(3, int), numpy.ndarray[Any, numpy.dtype[Any]])


def loss(weights: Value, x: NDArray[numpy.float64]) -> Value:
    """Return a mean square."""
    residuals = weights * x - 1.0
    return np.mean(residuals * residuals)


found: tuple[Any, Any] = tg.value_and_grad(loss)(array, array)
gradient: Callable[..., Any] = tg.grad(loss, argnums=(0, 1))
out, pullback = tg.vjp(loss, array, array)
pulled: tuple[Any, ...] = pullback(1.0)
tg.hvp(loss, (array, array), (array, array))
assert_type(tg.remat(loss)(w, array), Value)


@tg.compile
def step(weights: Value, x: NDArray[numpy.float64]) -> Value:
    """Return a compiled loss."""
    return loss(weights, x)


@tg.compile(static=["count"])
def repeated(weights: Value, count: int = 2) -> Value:
    """Return a product."""
    for _ in range(count):
        weights = weights * weights
    return weights


assert_type(step(w, array), Value)
assert_type(step(weights=w, x=array), Value)
assert_type(repeated(w, count=3), Value)
assert_type(tg.compile(loss)(w, array), Value)
assert_type(step.source, str)


class Model(tg.nn.Module):
    """A layer with a compiled method."""

    def __init__(self) -> None:
        self.weight = Value([1.0, 1.0])

    def forward(self, x: NDArray[numpy.float64]) -> Value:
        """Return a product."""
        return self.weight * x

    @tg.compile
    def predict(self, x: NDArray[numpy.float64]) -> Value:
        """Return the same, compiled."""
        return self.forward(x)


model = Model()
assert_type(model.predict(array), Value)
loss(model.predict(array), array).backward()
optimizer = tg.optim.SGD(model.parameters(), 0.1)
optimizer.step()

layers = tg.nn.Sequential(tg.nn.Linear(2, 1), tg.nn.Tanh())
layer: tg.nn.Module = layers[0]
assert_type(layers[0](w), Any)
assert_type(tg.linear.closed_form([0, 1, 2], [1, 3, 5]).predict(1.0), float)
