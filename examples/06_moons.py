"""Two moons: micrograd's demonstration, a network that tells two interleaved crescents apart.

The same problem as micrograd's: 100 points, two hidden layers of 16 ReLUs, the hinge loss with a
little weight decay, and plain gradient descent whose learning rate falls from 1 to 0.1. There it
takes one Value a number and about a minute; here a Value is an array.

Run it: python examples/06_moons.py
"""

import time

import numpy as np

import tinygrad_lr as tg

moons = tg.datasets.moons(100, noise=0.1, generator=1)
signs = 2.0 * moons.y - 1  # -1 and +1: what the hinge loss wants
network = tg.nn.MLP(2, [16, 16], 1, activation="relu")
random = np.random.default_rng(2)
for layer in network[::2]:  # micrograd begins so: weights from -1 to 1, biases at 0
    tg.nn.init.uniform(layer.weight, -1, 1, generator=random)
    tg.nn.init.zeros(layer.bias)
descent = tg.optim.SGD(
    network.parameters(),
    learning_rate=tg.schedules.Polynomial(1.0, steps=100, final=0.1),
    weight_decay=2e-4,
)


def told_apart(prediction, target):
    """The share of points on the right side of the border."""
    return np.mean((prediction > 0) == (target > 0))


def picture(width=64, height=22):
    """Where the network says + and where -, with the points as they are, X and o."""
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
    network, moons.x, signs, loss=tg.losses.hinge, optimizer=descent, steps=100, metrics=told_apart
)
seconds = time.perf_counter() - started

print("step    loss   accuracy")
for figures in history.evaluations[9::10]:
    print(f"{figures['step']:4d}{figures['loss']:8.4f}{figures['told_apart']:10.0%}")
print(f"\n{history.steps} steps in {seconds:.2f} s: {history.message}\n\n{picture()}")

assert told_apart(tg.train.predict(network, moons.x)[:, 0], signs) == 1
