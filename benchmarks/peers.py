"""The same training step as a user of each library would write it, on the same data."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_lr as tg

RATE = 0.01
OURS, HAND = "tinygrad_lr", "NumPy by hand"
Step = Callable[[], Any]


@dataclass(frozen=True)
class Network:
    """Widths from input to output, the activation between layers, and the rows of a batch."""

    widths: tuple[int, ...]
    activation: str
    rows: int

    @property
    def name(self) -> str:
        kind = f" {self.activation}" if len(self.widths) > 2 else ""
        return f"{'-'.join(map(str, self.widths))}{kind}, {self.rows} rows"

    def numbers(self) -> tuple[Any, Any, list[tuple[Any, Any]]]:
        """Return the data and the initial weights, the same for all."""
        generator = np.random.default_rng(0)
        x = generator.normal(size=(self.rows, self.widths[0])).astype(np.float32)
        y = generator.normal(size=(self.rows, self.widths[-1])).astype(np.float32)
        weights = []
        for inputs, outputs in pairwise(self.widths):
            bound = inputs**-0.5
            shapes = ((inputs, outputs), (outputs,))
            drawn = (generator.uniform(-bound, bound, shape).astype(np.float32) for shape in shapes)
            weights.append(tuple(drawn))
        return x, y, weights


NETWORKS = [
    Network((1, 1), "tanh", 1000),
    Network((2, 16, 16, 1), "tanh", 100),
    Network((64, 128, 10), "relu", 64),
    Network((784, 256, 128, 10), "relu", 128),
]

# ---- the training step in each library


def tinygrad_lr(network: Network) -> Step:
    x, y, weights = network.numbers()
    inputs, *hidden, outputs = network.widths
    model = tg.nn.MLP(inputs, hidden, outputs, activation=network.activation)
    linear = [layer for layer in model if isinstance(layer, tg.nn.Linear)]
    for layer, (weight, bias) in zip(linear, weights, strict=True):
        layer.weight.data, layer.bias.data = weight, bias
    optimizer = tg.optim.SGD(model.parameters(), RATE)

    def step() -> Any:
        loss = tg.losses.mse(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def numpy_by_hand(network: Network) -> Step:
    x, y, weights = network.numbers()
    weights = [(weight.copy(), bias.copy()) for weight, bias in weights]
    last = len(weights) - 1
    tanh = network.activation == "tanh"

    def step() -> Any:
        layers = [x]
        for i, (weight, bias) in enumerate(weights):
            z = layers[-1] @ weight + bias
            layers.append(z if i == last else np.tanh(z) if tanh else np.maximum(z, 0))
        u = layers[-1] - y
        loss = np.mean(u**2)
        g = 2 * u / u.size
        for i in range(last, -1, -1):
            weight, bias = weights[i]
            weight_gradient, bias_gradient = layers[i].T @ g, g.sum(axis=0)
            if i:
                h = layers[i]
                g = (g @ weight.T) * ((1 - h**2) if tanh else (h > 0))
            weight -= RATE * weight_gradient
            bias -= RATE * bias_gradient
        return loss

    return step


def pytorch(network: Network) -> Step:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    x, y, weights = network.numbers()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    layers: list[Any] = []
    for weight, bias in weights:
        if layers:
            layers.append(torch.nn.Tanh() if network.activation == "tanh" else torch.nn.ReLU())
        layers.append(torch.nn.Linear(*weight.shape))
        with torch.no_grad():
            layers[-1].weight.copy_(torch.from_numpy(weight.T.copy()))
            layers[-1].bias.copy_(torch.from_numpy(bias))
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step() -> Any:
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def autograd(network: Network) -> Step:
    package = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    x, y, weights = network.numbers()
    tanh = network.activation == "tanh"

    def loss_of(weights: Any) -> Any:
        h = x
        for i, (weight, bias) in enumerate(weights):
            if i:
                h = anp.tanh(h) if tanh else anp.maximum(h, 0)
            h = anp.dot(h, weight) + bias
        return anp.mean((h - y) ** 2)

    value_and_grad = package.value_and_grad(loss_of)
    held = [weights]

    def step() -> Any:
        loss, gradients = value_and_grad(held[0])
        held[0] = [
            (weight - RATE * weight_gradient, bias - RATE * bias_gradient)
            for (weight, bias), (weight_gradient, bias_gradient) in zip(
                held[0], gradients, strict=True
            )
        ]
        return loss

    return step


def mygrad(network: Network) -> Step:
    mg = importlib.import_module("mygrad")
    relu = importlib.import_module("mygrad.nnet").activations.relu
    x, y, weights = network.numbers()
    parameters = [tuple(map(mg.tensor, pair)) for pair in weights]
    activation = mg.tanh if network.activation == "tanh" else relu

    def step() -> Any:
        h = x
        for i, (weight, bias) in enumerate(parameters):
            h = (activation(h) if i else h) @ weight + bias
        loss = mg.mean((h - y) ** 2)
        loss.backward()
        for pair in parameters:
            for tensor in pair:
                tensor.data -= RATE * tensor.grad
        return loss.item()

    return step


PEERS: dict[str, tuple[str, Callable[[Network], Step]]] = {
    OURS: ("numpy", tinygrad_lr),
    HAND: ("numpy", numpy_by_hand),
    "PyTorch": ("torch", pytorch),
    "autograd": ("autograd", autograd),
    "MyGrad": ("mygrad", mygrad),
}

# ---- graphs of scalars: micrograd's programs, on either Value


def expression(value: Any) -> Step:
    """Return the expression of micrograd's README."""

    def step() -> Any:
        a, b = value(-4.0), value(2.0)
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        g += 10.0 / f
        g.backward()
        return g.data + a.grad + b.grad

    return step


def perceptron(value: Any) -> Step:
    """Return a step of micrograd's own MLP(3, [4, 4, 1]) on four rows."""
    nn = importlib.import_module("micrograd.nn")
    random.seed(0)
    own, nn.Value = nn.Value, value
    try:
        model = nn.MLP(3, [4, 4, 1])
    finally:
        nn.Value = own
    rows = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    targets = [1.0, -1.0, -1.0, 1.0]

    def step() -> Any:
        loss = sum((model(row) - target) ** 2 for row, target in zip(rows, targets, strict=True))
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= RATE * p.grad
        return loss.data

    return step


SCALARS = {"micrograd's README expression": expression, "micrograd's MLP(3, [4, 4, 1])": perceptron}
