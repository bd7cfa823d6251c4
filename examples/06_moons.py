"""Two moons: micrograd's demo, a network that separates two interleaved crescents.

The same problem as micrograd's: 100 points, two hidden layers of 16 ReLUs, the hinge loss with a
little weight decay, and plain gradient descent with a learning rate that decays from 1 to 0.1. It
takes about a minute there, where a Value is one number; here a Value is an array.

Run it: python examples/06_moons.py
"""

import time

import numpy as np

import tinygrad_lr as tg

moons = tg.datasets.moons(100, noise=0.1, generator=1)
signs = 2.0 * moons.y - 1  # -1 and +1, for the hinge loss
network = tg.nn.MLP(2, [16, 16], 1, activation="relu")
random = np.random.default_rng(2)
for layer in network[::2]:  # as in micrograd: weights from -1 to 1, biases 0
    tg.nn.init.uniform(layer.weight, -1, 1, generator=random)
    tg.nn.init.zeros(layer.bias)
descent = tg.optim.SGD(
    network.parameters(),
    learning_rate=tg.schedules.Polynomial(1.0, steps=100, final=0.1),
    weight_decay=2e-4,
)


def accuracy(prediction: np.ndarray, target: np.ndarray) -> float:
    """Return the fraction of points on the right side of the border."""
    return float(np.mean((prediction > 0) == (target > 0)))


def picture(width: int = 64, height: int = 22) -> str:
    """Draw the regions of both classes, + and ·, and the points, X and o."""
    (left, low), (right, high) = moons.x.min(axis=0) - 0.4, moons.x.max(axis=0) + 0.4
    xs, ys = np.linspace(left, right, width), np.linspace(high, low, height)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)  # (height, width, 2)
    score = tg.train.predict(network, grid.reshape(-1, 2)).reshape(height, width)
    rows = [["+" if s > 0 else "·" for s in line] for line in score]
    for (x, y), label in zip(moons.x, moons.y, strict=True):
        row, column = np.abs(ys - y).argmin(), np.abs(xs - x).argmin()
        rows[row][column] = "X" if label else "o"
    return "\n".join("  " + "".join(row) for row in rows)


print(f"{network}\n")
started = time.perf_counter()
history = tg.fit(
    network, moons.x, signs, loss=tg.losses.hinge, optimizer=descent, steps=100, metrics=accuracy
)
seconds = time.perf_counter() - started

print("step    loss   accuracy")
for figures in history.evaluations[9::10]:
    print(f"{figures['step']:4d}{figures['loss']:8.4f}{figures['accuracy']:10.0%}")
print(f"\n{history.steps} steps in {seconds:.2f} s: {history.message}\n\n{picture()}")

assert accuracy(tg.train.predict(network, moons.x)[:, 0], signs) == 1
