"""Training steps of models that are tuned for in no other benchmark, for `training.py`.

Each loss is written once, of parameters and data, for NumPy's names and a few more; a library gives
these, and makes the step of SGD: tinygrad_lr eager and compiled, JAX by `jit`, PyTorch eager.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy
from numerics import Namespace

RATE = 1e-2
Model = tuple[Callable[..., Any], list[Any], tuple[Any, ...]]
"""A loss of (names, parameters, data), the initial parameters, and the data."""


def drawn(random: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """Return weights (inputs first) of variance 1 / inputs, and biases of 0."""
    found = []
    for shape in shapes:
        scale = 0.0 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[:-1]))
        found.append((scale * random.normal(size=shape)).astype("f4"))
    return found


def rows_of(random: Any, *shapes: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(random.normal(size=shape).astype("f4") for shape in shapes)


def normalize(np: Any, x: Any, axes: tuple[int, ...]) -> Any:
    centred = x - np.mean(x, axis=axes, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + 1e-5)


# ---- the models


def attention_block(random: Any) -> Model:
    """Four heads over 8 sequences of 32 vectors of 64 numbers, and a network 64-128-64."""
    shapes = [(64, 64)] * 4 + [(64, 128), (128,), (128, 64), (64,)]

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        h = normalize(np, x, (2,))
        heads = [np.matmul(h, w).reshape(8, 32, 4, 16) for w in p[:3]]
        q, k, v = (np.swapaxes(z, 1, 2) for z in heads)  # (batch, heads, time, 16)
        scores = np.matmul(q, np.swapaxes(k, 2, 3)) / 4.0
        shares = np.exp(scores - np.max_along(scores, 3))
        shares = shares / np.sum(shares, axis=3, keepdims=True)
        x = x + np.matmul(np.swapaxes(np.matmul(shares, v), 1, 2).reshape(8, 32, 64), p[3])
        h = np.tanh(np.matmul(normalize(np, x, (2,)), p[4]) + p[5])
        return np.mean((x + np.matmul(h, p[6]) + p[7] - y) ** 2)

    return loss, drawn(random, *shapes), rows_of(random, (8, 32, 64), (8, 32, 64))


def normalized_convolutions(random: Any) -> Model:
    """Two convolutions with batch normalisation on 32 images of 3 × 16 × 16."""
    kernels = [random.normal(size=s).astype("f4") / 8 for s in ((16, 3, 3, 3), (32, 16, 3, 3))]

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        for kernel in p[:2]:
            x = np.relu(normalize(np, np.conv2d(x, kernel), (0, 2, 3)))
            x = np.max_pool2d(x)
        return np.mean((np.matmul(x.reshape(32, 512), p[2]) + p[3] - y) ** 2)

    parameters = [*kernels, *drawn(random, (512, 10), (10,))]
    return loss, parameters, rows_of(random, (32, 3, 16, 16), (32, 10))


def residual_layers(random: Any) -> Model:
    """Fifty residual layers of width 32 on 64 rows."""

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        for i in range(0, len(p), 2):
            x = x + 0.1 * np.tanh(np.matmul(x, p[i]) + p[i + 1])
        return np.mean((x - y) ** 2)

    return loss, drawn(random, *[(32, 32), (32,)] * 50), rows_of(random, (64, 32), (64, 32))


def physics_informed(random: Any) -> Model:
    """A network 1-32-32-1 whose second derivative is to be -sin x, at 256 points."""

    def loss(np: Any, p: Any, x: Any) -> Any:
        def u(x: Any) -> Any:
            h = np.tanh(np.matmul(np.tanh(np.matmul(x, p[0]) + p[1]), p[2]) + p[3])
            return np.matmul(h, p[4]) + p[5]

        second = np.slope(np.slope(u))(x)
        return np.mean((second + np.sin(x)) ** 2) + np.mean(u(x[:1]) ** 2)

    shapes = ((1, 32), (32,), (32, 32), (32,), (32, 1), (1,))
    points = numpy.linspace(0, 6, 256, dtype="f4")[:, None]
    return loss, drawn(random, *shapes), (points,)


def runge_kutta(random: Any) -> Model:
    """Twenty steps of the classical Runge-Kutta method for y' = tanh(y W + b) V, 32 orbits."""

    def loss(np: Any, p: Any, y: Any, target: Any) -> Any:
        def f(y: Any) -> Any:
            return np.matmul(np.tanh(np.matmul(y, p[0]) + p[1]), p[2])

        for _ in range(20):
            a = f(y)
            b = f(y + 0.05 * a)
            c = f(y + 0.05 * b)
            d = f(y + 0.1 * c)
            y = y + (0.1 / 6) * (a + 2.0 * b + 2.0 * c + d)
        return np.mean((y - target) ** 2)

    shapes = ((4, 24), (24,), (24, 4))
    return loss, drawn(random, *shapes), rows_of(random, (32, 4), (32, 4))


def odd_sizes(random: Any) -> Model:
    """A network 17-33-65-7 on 29 rows: no width fills vectors."""
    shapes = ((17, 33), (33,), (33, 65), (65,), (65, 7), (7,))

    def loss(np: Any, p: Any, x: Any, y: Any) -> Any:
        x = np.relu(np.matmul(x, p[0]) + p[1])
        x = np.relu(np.matmul(x, p[2]) + p[3])
        return np.mean((np.matmul(x, p[4]) + p[5] - y) ** 2)

    return loss, drawn(random, *shapes), rows_of(random, (29, 17), (29, 7))


MODELS: dict[str, Callable[[Any], Model]] = {
    "attention block, 8 × 32 × 64": attention_block,
    "convolutions, batch norm, 32 images": normalized_convolutions,
    "50 residual layers of width 32": residual_layers,
    "physics-informed, second derivative": physics_informed,
    "Runge-Kutta, 20 steps unrolled": runge_kutta,
    "17-33-65-7 relu, 29 rows": odd_sizes,
}

# ---- the libraries


def make_ours(model: Model, compiled: bool) -> Callable[[], Any]:
    tg = importlib.import_module("tinygrad_lr")
    loss_of, initial, data = model
    names = Namespace(
        numpy,
        relu=tg.relu,
        max_along=lambda x, axis: numpy.max(x, axis=axis, keepdims=True),
        conv2d=lambda x, w: tg.ops.conv2d(x, w, padding=1),
        max_pool2d=lambda x: tg.ops.max_pool2d(x, 2),
        slope=lambda f: tg.grad(lambda x: numpy.sum(f(x))),
    )
    parameters = [tg.Value(x) for x in initial]
    optimizer = tg.optim.SGD(parameters, RATE)

    def step(*data: Any) -> Any:
        loss = loss_of(names, parameters, *data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = tg.compile(step) if compiled else step
    return lambda: run(*data)


def make_jax(model: Model) -> Callable[[], Any]:
    jax = importlib.import_module("jax")
    lax, jnp = jax.lax, jax.numpy
    loss_of, initial, data = model

    def conv2d(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, (1, 1), "SAME")

    def max_pool2d(x: Any) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    names = Namespace(
        jnp,
        relu=jax.nn.relu,
        max_along=lambda x, axis: jnp.max(x, axis=axis, keepdims=True),
        conv2d=conv2d,
        max_pool2d=max_pool2d,
        slope=lambda f: jax.grad(lambda x: jnp.sum(f(x))),
    )

    @jax.jit
    def step(p: Any, *data: Any) -> Any:
        loss, g = jax.value_and_grad(lambda p: loss_of(names, p, *data))(p)
        return loss, [x - RATE * d for x, d in zip(p, g, strict=True)]

    data = tuple(map(jnp.asarray, data))
    parameters = list(map(jnp.asarray, initial))

    def run() -> Any:
        nonlocal parameters
        loss, parameters = step(parameters, *data)
        return jax.block_until_ready(loss)

    return run


def make_torch(model: Model) -> Callable[[], Any]:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    functions = torch.nn.functional
    loss_of, initial, data = model

    def slope(f: Any) -> Any:
        def of(x: Any) -> Any:
            x = x if x.requires_grad else x.detach().requires_grad_()
            return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0]

        return of

    def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return x.mean() if axis is None else x.mean(dim=axis, keepdim=keepdims)

    names = Namespace(
        torch,
        mean=mean,
        relu=torch.relu,
        max_along=lambda x, axis: x.max(dim=axis, keepdim=True).values,
        conv2d=lambda x, w: functions.conv2d(x, w, padding=1),
        max_pool2d=lambda x: functions.max_pool2d(x, 2),
        slope=slope,
    )
    parameters = [torch.from_numpy(x.copy()).requires_grad_() for x in initial]
    data = tuple(torch.from_numpy(x.copy()) for x in data)
    optimizer = torch.optim.SGD(parameters, RATE)

    def run() -> Any:
        loss = loss_of(names, parameters, *data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return run
