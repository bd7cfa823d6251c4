"""Per-sample gradients: which points pull hardest on the weights, and so are labelled wrongly?

`tg.vmap(tg.grad(loss))` gives the gradient of each point, all at once, of a loss written for one
point. A point whose label is wrong still pulls after a little training: its gradient is long.

Run it: python examples/15_per_sample_gradients.py
"""

import time
from typing import Any

import numpy as np

import tinygrad_lr as tg

WRONG = [13, 57, 101, 128, 170]  # points whose labels are exchanged
moons = tg.datasets.moons(200, noise=0.1, generator=0)
labels = moons.y.astype(float)
labels[WRONG] = 1 - labels[WRONG]


def loss(weights: list[np.ndarray], x: np.ndarray, label: float) -> Any:
    """Return the cross entropy of one point: x (2,), through one hidden layer."""
    w1, b1, w2, b2 = weights
    score = np.tanh(x @ w1 + b1) @ w2 + b2
    return tg.losses.binary_cross_entropy(score, label)


losses, gradients = (tg.vmap(f, in_axes=(None, 0, 0)) for f in (loss, tg.grad(loss)))
whole = tg.compile(tg.value_and_grad(lambda weights: np.mean(losses(weights, moons.x, labels))))

random, value = np.random.default_rng(1), np.inf
weights = [random.normal(0, 1, shape) for shape in ((2, 12), (12,), (12,), ())]
for _ in range(400):
    value, slopes = whole(weights)
    weights = [w - 0.5 * slope for w, slope in zip(weights, slopes, strict=True)]
print(f"200 points, loss {value:.3f} after 400 steps")

started = time.perf_counter()
per_point = gradients(weights, moons.x, labels)
at_once = time.perf_counter() - started
one = tg.grad(loss)
started = time.perf_counter()
singles = [one(weights, x, label) for x, label in zip(moons.x, labels, strict=True)]
one_by_one = time.perf_counter() - started
for part, rows in zip(per_point, zip(*singles, strict=True), strict=True):
    assert np.allclose(part, np.stack(rows), rtol=1e-10)
print(f"all gradients at once take 1/{one_by_one / at_once:.0f} of the time of one after the other")

lengths = np.sqrt(sum(np.sum(part.reshape(200, -1) ** 2, axis=1) for part in per_point))
longest = np.argsort(lengths)[::-1][:8]
print("\n point    length of its gradient")
for place in longest:
    note = "  labelled wrongly" if place in WRONG else ""
    print(
        f"{place:6d} {lengths[place]:9.3f} {'▪' * int(40 * lengths[place] / lengths.max())}{note}"
    )
found = sorted(int(place) for place in longest[: len(WRONG)])
print(f"\nThe {len(WRONG)} longest are those of {found}; labelled wrongly are {WRONG}.")
assert found == WRONG
