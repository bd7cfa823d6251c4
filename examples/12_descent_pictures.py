"""The lesson in pictures: a line's descent on 1000 students' SAT scores, and a network's.

The fit moving through the steps, the hill over w and the contours over w and b of raw scores (a
narrow valley) and standardised ones (a round bowl), three learning rates side by side; then what
a small network learns of two moons. Needs matplotlib: pip install 'tinygrad_lr[plot]'

Run it: python examples/12_descent_pictures.py [directory] [--dark]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_lr as tg

options = [argument for argument in sys.argv[1:] if argument != "--dark"]
directory = Path(options[0] if options else tempfile.mkdtemp())
directory.mkdir(parents=True, exist_ok=True)
dark = "--dark" in sys.argv
students = tg.datasets.sat_gpa()
scores, grades = students.sat_sum, students.fy_gpa
scaling = tg.data.Standardizer().fit(scores)
z = scaling.transform(scores)


def save(name, figure):
    """Write a picture."""
    figure.savefig(directory / f"{name}.png")
    print(f"   {name}.png: {figure.axes[0].get_title('left')}")


def descend(x, learning_rate, steps=60):
    """A line from w = 0, b = 0, and what its descent did."""
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line, tg.fit(line, x, grades, learning_rate=learning_rate, steps=steps, warn=False)


print("1000 students")
names = {"x_name": "SAT score in tenths", "dark": dark}
line, history = descend(z, 0.1)
units = {"x_scaling": scaling, "y_name": "GPA in the first year"}
save("fit", tg.plot.fit_course(line, z, grades, history, **names, **units))
save("hill", tg.plot.loss_over_weight(line, z, grades, history, **names))
save("bowl", tg.plot.loss_contours(line, z, grades, history, **names))
save("valley", tg.plot.loss_contours(*(raw := descend(scores, 9e-5))[:1], scores, grades, raw[1], **names))
runs = [descend(z, rate)[1] for rate in (0.01, 0.1, 1.05)]
save("rates", tg.plot.learning_rates(line, z, grades, runs, **names))

print("two moons")
moons = tg.datasets.moons(200, noise=0.2, generator=1)
network = tg.nn.MLP(2, [16, 16], 2, activation="tanh", generator=1)
adam = tg.optim.Adam(network.parameters(), tg.schedules.Cosine(0.03, steps=300))
training = {"validation": 0.25, "epochs": 60, "batch_size": 32, "metrics": "accuracy"}
loss = tg.losses.cross_entropy
learnt = tg.fit(network, moons.x, moons.y, loss=loss, optimizer=adam, **training)
save("curves", tg.plot.learning_curves(learnt, dark=dark))
save("borders", tg.plot.decision_boundary(network, moons.x, moons.y, learnt, dark=dark))
for plane in ("random", "path"):
    figure = tg.plot.loss_landscape(network, moons.x, moons.y, learnt, loss=loss, plane=plane, dark=dark)
    save(f"landscape_{plane}", figure)

assert [run.reason for run in runs] == ["limit", "limit", "diverged"]
assert len(list(directory.glob("*.png"))) >= 9
