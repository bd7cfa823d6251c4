"""A first network: two layers learn a curve that no line fits, drawn in the terminal.

Run it: python examples/04_first_network.py
"""

import numpy as np

import tinygrad_lr as tg

random = np.random.default_rng(0)
x = np.sort(random.uniform(-3, 3, 120))[:, None]
y = np.sin(2 * x) * np.exp(-((x / 3) ** 2)) + 0.05 * random.normal(size=x.shape)


def draw(*curves: tuple[np.ndarray, np.ndarray, str], width: int = 72, height: int = 15) -> None:
    """Draw points (x, y, mark) on a grid of characters, later curves over earlier ones."""
    rows = [[" "] * width for _ in range(height)]
    for xs, ys, mark in curves:
        columns = np.round((xs + 3) / 6 * (width - 1)).astype(int)
        levels = np.round((1.1 - ys) / 2.2 * (height - 1)).astype(int)
        for column, level in zip(columns.ravel(), levels.ravel(), strict=True):
            rows[np.clip(level, 0, height - 1)][column] = mark
    print("\n".join("  " + "".join(row).rstrip() for row in rows))


def r_squared(prediction: np.ndarray) -> float:
    """Return R², the share of the variation in y that the prediction explains."""
    return float(1 - np.mean((prediction - y) ** 2) / np.var(y))


line = tg.linear.closed_form(x[:, 0], y[:, 0])
network = tg.nn.MLP(1, [16], 1, activation="tanh", dtype=np.float64, generator=1)
optimizer = tg.optim.SGD(network.parameters(), learning_rate=0.1, momentum=0.9)
grid = np.linspace(-3, 3, 144)[:, None]

print(f"The best line explains {r_squared(line.predict(x[:, 0])[:, None]):.1%} of the variation:")
draw((x, y, "·"), (grid, line.predict(grid[:, 0])[:, None], "─"))

print(f"\n{network}\n")
print("step     loss   explained")
for step in range(2001):
    loss = tg.losses.mse(network(x), y)
    if step in {0, 10, 100, 500, 1000, 2000}:
        print(f"{step:4d}{loss:9.4f}{r_squared(network(x).numpy()):11.1%}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print("\nThe network, two layers with tanh between them:")
draw((x, y, "·"), (grid, network(grid).numpy(), "█"))

assert r_squared(line.predict(x[:, 0])[:, None]) < 0.3
assert r_squared(network(x).numpy()) > 0.97
