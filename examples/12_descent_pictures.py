"""The lesson in pictures: a line's descent on 1000 students' SAT scores, and a network's.

The fit on its way through the steps, the hill over w, the contours over w and b of standardised
scores (a round bowl) and of raw ones (a narrow valley), three learning rates side by side; then,
for a dark page, what a small network learns of two moons. It needs matplotlib.

Run it: python examples/12_descent_pictures.py [directory]
"""

import sys
import tempfile
from pathlib import Path

import tinygrad_lr as tg

directory = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
directory.mkdir(parents=True, exist_ok=True)
students = tg.datasets.sat_gpa()
scores, grades = students.sat_sum, students.fy_gpa
scaling = tg.data.Standardizer().fit(scores)
z = scaling.transform(scores)


def save(name, figure):
    """Save a picture and print its title."""
    figure.savefig(directory / f"{name}.png")
    print(f"   {name + '.png':18}{figure.axes[0].get_title('left')}")


def descend(x, learning_rate, steps=60):
    """Return a line trained from w = 0, b = 0, and its history."""
    line = tg.nn.Linear(1, 1, dtype="float64")
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line, tg.fit(line, x, grades, learning_rate=learning_rate, steps=steps, warn=False)


print(f"Pictures of a line, in {directory}")
name, units = {"x_name": "SAT score"}, {"x_scaling": scaling, "y_name": "GPA of the first year"}
line, history = descend(z, 0.1)
save("fit", tg.plot.fit_course(line, z, grades, history, **name, **units))
save("hill", tg.plot.loss_over_weight(line, z, grades, history, **name))
save("bowl", tg.plot.loss_contours(line, z, grades, history, **name))
raw_line, raw_history = descend(scores, 9e-5)
save("valley", tg.plot.loss_contours(raw_line, scores, grades, raw_history, **name))
runs = [descend(z, rate)[1] for rate in (0.01, 0.1, 1.05)]
save("rates", tg.plot.learning_rates(line, z, grades, runs, **name))

print("and of a network")
x, y = tg.datasets.moons(200, noise=0.2, generator=1)
network, loss = tg.nn.MLP(2, [16, 16], 2, activation="tanh", generator=1), tg.losses.cross_entropy
adam = tg.optim.Adam(network.parameters(), tg.schedules.Cosine(0.03, steps=300))
training = {"validation": 0.25, "epochs": 60, "batch_size": 32, "metrics": "accuracy"}
learnt = tg.fit(network, x, y, loss=loss, optimizer=adam, **training)
save("curves", tg.plot.learning_curves(learnt, dark=True))
save("borders", tg.plot.decision_boundary(network, x, y, learnt, dark=True))
save("landscape", tg.plot.loss_landscape(network, x, y, loss=loss, dark=True))
save("path", tg.plot.loss_landscape(network, x, y, learnt, loss=loss, plane="path", dark=True))

assert [run.reason for run in runs] == ["limit", "limit", "diverged"]
assert all((directory / f"{name}.png").stat().st_size > 9000 for name in ("fit", "valley", "path"))
