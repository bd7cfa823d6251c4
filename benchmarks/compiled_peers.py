"""The workloads of `compiled.py`, how tinygrad_lr runs them, and their limits.

A peer is made by a function of a workload and the settings: it is a function that runs a number of
steps and returns their losses, and that number, or None if the workload has no such form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from peers import NETWORKS, RATE, Network

import tinygrad_lr as tg

Run = Callable[[], Any]
Peer = tuple[Run, int] | None


# ---- the workloads


@dataclass(frozen=True)
class Settings:
    """A configuration requested by `compiled.py`."""

    threads: int
    dtype: str
    rounds: int
    seconds: float
    names: tuple[str, ...]
    without: tuple[str, ...]


@dataclass(frozen=True)
class Training:
    """A step of SGD on the mean squared error of a network, on the same rows each time.

    `parts` builds the network from `tg.nn` or `torch.nn`; `kind` selects its JAX version. A
    recurrent network has a linear head on all its outputs. `loop` is the number of steps in one
    call of a compiled loop.
    """

    name: str
    kind: str
    loop: int
    x: tuple[int, ...]
    y: tuple[int, ...]
    parts: Callable[[Any], list[Any]]
    widths: tuple[int, ...] = ()

    def numbers(self, dtype: str) -> tuple[Any, Any]:
        generator = np.random.default_rng(0)
        x, y = (generator.normal(size=shape).astype(dtype) for shape in (self.x, self.y))
        return x, y

    @staticmethod
    def forward(parts: list[Any], x: Any) -> Any:
        body, *head = parts
        return head[0](body(x)[0]) if head else body(x)


@dataclass(frozen=True)
class Function:
    """A stateless function: `build(m, to_array)` returns it for the array module m.

    With `hessian`, the product of its Hessian with a vector is measured.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    build: Callable[[Any, Callable[[Any], Any]], Callable[..., Any]]
    hessian: bool = False

    def numbers(self, dtype: str) -> list[Any]:
        generator = np.random.default_rng(0)
        return [generator.random(size=shape, dtype="f4").astype(dtype) for shape in self.shapes]


def mlp(network: Network, loop: int, name: str = "") -> Training:
    """Return the workload of a network of linear layers."""

    def parts(nn: Any) -> list[Any]:
        layers: list[Any] = []
        for inputs, outputs in pairwise(network.widths):
            if layers:
                layers.append(nn.Tanh() if network.activation == "tanh" else nn.ReLU())
            layers.append(nn.Linear(inputs, outputs))
        return [nn.Sequential(*layers)]

    first, *_, last = widths = network.widths
    x, y = (network.rows, first), (network.rows, last)
    return Training(name or network.name, network.activation, loop, x, y, parts, widths)


def convolutions(nn: Any) -> list[Any]:
    return [nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 10),
    )]  # fmt: skip


def gru(nn: Any) -> list[Any]:
    return [nn.GRU(16, 64, batch_first=True), nn.Linear(64, 10)]


def chain_of_twelve(m: Any, to_array: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of twelve operations on each entry, all cheap but the last."""

    def chain(x: Any, y: Any) -> Any:
        z = m.abs(x * y - 0.25)
        z = m.maximum(z + x, y) * 0.5
        z = m.sqrt(z * z + 1.0)
        return m.tanh(m.minimum(z, x) - y)

    return chain


def mean_squared_error(m: Any, to_array: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the mean squared error of a one-hidden-layer network, as a function of its weights."""
    generator = np.random.default_rng(1)
    x, u, y = (to_array(generator.normal(size=shape)) for shape in ((100, 64), (32, 1), (100, 1)))
    return lambda w: m.mean((m.tanh(x @ w * 0.1) @ u - y) ** 2)


LOOPS = (1000, 1000, 200, 10)
WORKLOADS: list[Training | Function] = [
    *(mlp(network, loop) for network, loop in zip(NETWORKS, LOOPS, strict=True)),
    mlp(Network((1024, 1024, 1024), "relu", 512), 6),
    mlp(Network((32,) * 13, "relu", 64), 100, "12 layers of width 32 relu, 64 rows"),
    Training("convolutions, 32 images", "conv", 10, (32, 1, 28, 28), (32, 10), convolutions),
    Training("GRU 16-64, 32 rows of 16 steps", "gru", 10, (32, 16, 16), (32, 16, 10), gru),
    Function("chain of 12 operations, 10⁷ entries", ((10**7,), (10**7,)), chain_of_twelve),
    Function(
        "Hessian-vector product, 64-32-1 tanh", ((64, 32), (64, 32)), mean_squared_error, True
    ),
]

# ---- ours


@cache
def initial_weights(workload: Training, dtype: str) -> list[dict[str, Any]]:
    """Return the initial weights of each part, drawn once for all peers."""
    return [part.astype(np.dtype(dtype)).state_dict() for part in workload.parts(tg.nn)]


def make_our_parts(workload: Training, dtype: str) -> list[Any]:
    parts = [part.astype(np.dtype(dtype)) for part in workload.parts(tg.nn)]
    for part, state in zip(parts, initial_weights(workload, dtype), strict=True):
        part.load_state_dict(state)
    return parts


def make_our_step(workload: Training, dtype: str) -> Callable[[Any, Any], Any]:
    parts = make_our_parts(workload, dtype)
    optimizer = tg.optim.SGD([p for part in parts for p in part.parameters()], RATE)

    def step(x: Any, y: Any) -> Any:
        loss = tg.losses.mse(workload.forward(parts, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def make_our_function(workload: Function, dtype: str) -> Callable[..., Any]:
    f = workload.build(np, lambda array: array.astype(dtype))
    return (lambda x, v: tg.hvp(f, (x,), (v,))[0]) if workload.hessian else f


def make_call(workload: Training | Function, dtype: str, wrap: Callable[[Any], Any]) -> Peer:
    """Return a peer that calls the wrapped step or function."""
    numbers = workload.numbers(dtype)
    make = make_our_step if isinstance(workload, Training) else make_our_function
    f = wrap(make(workload, dtype))  # type: ignore[arg-type]
    return (lambda: f(*numbers)), 1


def eager(workload: Training | Function, settings: Settings) -> Peer:
    return make_call(workload, settings.dtype, lambda f: f)


def by_call(workload: Training | Function, settings: Settings) -> Peer:
    return make_call(workload, settings.dtype, tg.compile)


def numpy_backend(workload: Training | Function, settings: Settings) -> Peer:
    return make_call(workload, settings.dtype, lambda f: tg.compile(f, backend="numpy"))


def by_loop(workload: Training | Function, settings: Settings) -> Peer:
    if isinstance(workload, Function):
        return None
    step = tg.compile(make_our_step(workload, settings.dtype))
    x, y = workload.numbers(settings.dtype)
    return (lambda: step.loop(x, y, steps=workload.loop)), workload.loop


# ---- limits: the time of the part of the work that cannot be avoided, in NumPy


def limit(workload: Training | Function, settings: Settings) -> Peer:
    """Return the matrix products of a network in OpenBLAS, or the memory traffic of a chain."""
    if isinstance(workload, Function):
        if workload.hessian:
            return None
        x, y = workload.numbers(settings.dtype)
        out = np.empty_like(x)
        return (lambda: np.add(x, y, out=out)), 1
    if not workload.widths:
        return None
    generator = np.random.default_rng(0)

    def array(*shape: int) -> Any:
        return generator.normal(size=shape).astype(settings.dtype)

    products, rows = [], workload.x[0]
    for layer, (inputs, outputs) in enumerate(pairwise(workload.widths)):
        h, weight, g = array(rows, inputs), array(inputs, outputs), array(rows, outputs)
        products.append((h, weight, np.empty_like(g)))
        products.append((h.T, g, np.empty_like(weight)))
        if layer:
            products.append((g, weight.T, np.empty_like(h)))

    def run() -> None:
        for a, b, out in products:
            np.dot(a, b, out=out)

    return run, 1
