"""One training step, eager and compiled: the same numbers, in a fraction of the time.

`tg.compile` is the only change. The function is traced once, including loss, backward and the
optimiser's update. From then on it runs as a program, which can be read.

Run it: python examples/11_compiled.py
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lr as tg

warnings.simplefilter("ignore", tg.errors.CompileWarning)  # without llvmlite it calls NumPy
spirals = tg.datasets.spirals(100, classes=2, noise=0.05, generator=0)


def training() -> tuple[tg.nn.MLP, Callable[[np.ndarray, np.ndarray], tg.Value]]:
    """Return a new network and its training step."""
    network = tg.nn.MLP(2, [16, 16], 2, activation="tanh", generator=1)
    optimizer = tg.optim.Adam(network.parameters(), learning_rate=0.01)

    def step(x: np.ndarray, y: np.ndarray) -> tg.Value:
        loss = tg.losses.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return network, step


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Run a thousand steps; return the µs per step and the result."""
    started = time.perf_counter()
    found = run()
    return (time.perf_counter() - started) * 1e3, found


x, y = spirals.x.astype(np.float32), spirals.y
_, eager = training()
network, step = training()
compiled = tg.compile(step)
first = float(compiled(x, y))  # traced and compiled here
assert abs(first - float(eager(x, y))) < 1e-5

slow, losses = timed(lambda: [float(eager(x, y)) for _ in range(1000)])
quick, more = timed(lambda: compiled.loop(x, y, steps=1000))
score = tg.train.predict(network, x)
right = np.mean(score.argmax(axis=1) == y)
print(f"eager {slow:.0f} µs per step, compiled {quick:.1f} µs: {slow / quick:.0f} times as fast")
print(f"loss {first:.3f} -> {more[-1]:.3f}, where eager code reaches {losses[-1]:.3f}")
print(f"{right:.0%} of the points are classified correctly\n\nthe first lines of the program:")
print("\n".join(compiled.program.splitlines()[:8]))

assert np.allclose(more[:50], losses[:50], rtol=1e-3) and right > 0.9
