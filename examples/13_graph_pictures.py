"""Pictures of computation graphs: every Value with its data and its gradient, layers folded.

Three graphs: micrograd's first lines, a line through five points, and a network of scalars with
over two thousand Values, drawn with one box for each layer. The pictures are saved as SVG (for a
document), HTML (its boxes open in a browser) and DOT (for Graphviz) in the given folder, or in a
temporary one; the tree is for the terminal.

Run it: python examples/13_graph_pictures.py [FOLDER]
"""

import random
import sys
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_lr as tg
from tinygrad_lr import Value


def line() -> Value:
    """Return the mean squared error of a line."""
    w, b = Value(0.5, name="w"), Value(0.0, name="b")
    x, y = np.arange(5.0), 2 * np.arange(5.0) + 1
    return ((w * x + b - y) ** 2).mean()


def neuron(inputs: list[Value | float], draw: random.Random) -> Value:
    """Return tanh(w·x + b), number by number as in micrograd."""
    products = (Value(draw.uniform(-1, 1)) * x for x in inputs)
    return sum(products, Value(draw.uniform(-1, 1))).tanh()


def network(draw: random.Random) -> Value:
    """Return the squared error of a network: two layers of 24 neurons and an output neuron."""
    h: list[Value | float] = [0.5, -1.2]
    for width in (24, 24):
        h = [neuron(h, draw) for _ in range(width)]
    return (neuron(h, draw) - 1.0) ** 2


a, b = Value(-4.0, name="a"), Value(2.0, name="b")
first = (a * b + b**3) / 2 + (a + b).relu()
losses = {"first": first, "line": line(), "network": network(random.Random(0))}
pictures = {name: tg.plot.computation_graph(loss) for name, loss in losses.items()}
print(pictures["line"].tree())
print(f"\n{pictures['network']!r}\n{pictures['network'].tree()}\n")

with tempfile.TemporaryDirectory() as temporary:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
    for name, picture in pictures.items():
        for ending in ("svg", "html", "dot"):
            picture.save(folder / f"{name}.{ending}")
        print(f"{name}: {len(picture.boxes)} boxes, {len(picture.svg())} characters of SVG")

shown = {box.name: box.rows[-1].text for box in pictures["line"].boxes}
x, y = np.arange(5.0), 2 * np.arange(5.0) + 1
assert shown["w"] == f"{np.mean(2 * (0.5 * x - y) * x):g}".replace("-", "−") == "−22"
assert len(pictures["network"].boxes) < 10
