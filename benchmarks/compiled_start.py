"""The first step of 2-16-16-1 in a new process: the time to its loss, and peak memory.

    python benchmarks/compiled_start.py tinygrad_lr|JAX|PyTorch|torch.compile STARTED

STARTED is the value of `time.monotonic()` when the process was started. Prints a line of JSON.
"""

import sys
import time
from itertools import pairwise
from typing import Any

WIDTHS, ROWS, RATE = (2, 16, 16, 1), 100, 0.01


def make_data() -> Any:
    import numpy as np

    generator = np.random.default_rng(0)
    return (generator.normal(size=(ROWS, n)).astype("f4") for n in (WIDTHS[0], WIDTHS[-1]))


def tinygrad_lr() -> tuple[float, float]:
    import tinygrad_lr as tg

    x, y = make_data()
    imported = time.monotonic()
    model = tg.nn.MLP(WIDTHS[0], list(WIDTHS[1:-1]), WIDTHS[-1], activation="tanh")
    optimizer = tg.optim.SGD(model.parameters(), RATE)

    @tg.compile
    def step(x: Any, y: Any) -> Any:
        loss = tg.losses.mse(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return imported, float(step(x, y))


def jax() -> tuple[float, float]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    x, y = make_data()
    imported = time.monotonic()
    generator = np.random.default_rng(0)
    weights = [
        (generator.uniform(-0.5, 0.5, (a, b)).astype("f4"), np.zeros(b, "f4"))
        for a, b in pairwise(WIDTHS)
    ]

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        for i, (weight, bias) in enumerate(weights):
            x = (jnp.tanh(x) if i else x) @ weight + bias
        return jnp.mean((x - y) ** 2)

    @jax.jit
    def step(weights: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
        return jax.tree.map(lambda w, g: w - RATE * g, weights, gradients), loss

    return imported, float(step(weights, x, y)[1])


def pytorch(compiled: bool = False) -> tuple[float, float]:
    import torch

    x, y = map(torch.from_numpy, make_data())
    imported = time.monotonic()
    layers: list[Any] = []
    for a, b in pairwise(WIDTHS):
        layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def loss_of() -> Any:
        return torch.nn.functional.mse_loss(model(x), y)

    loss = (torch.compile(loss_of) if compiled else loss_of)()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return imported, float(loss.detach())


def peak_memory() -> float:
    """Return the peak memory of the process in MiB."""
    import resource  # not on Windows

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found / 2**20 if sys.platform == "darwin" else found / 2**10


STARTS = {
    "tinygrad_lr": tinygrad_lr,
    "JAX": jax,
    "PyTorch": pytorch,
    "torch.compile": lambda: pytorch(compiled=True),
}

if __name__ == "__main__":
    imported, loss = STARTS[sys.argv[1]]()
    done = time.monotonic()
    import json

    first, after = done - float(sys.argv[2]), done - imported
    print(json.dumps({"first": first, "after": after, "peak": peak_memory(), "loss": loss}))
