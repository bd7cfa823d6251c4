"""The lesson in pictures: a line's descent on 1000 students' SAT scores, and a network's.

The fit through the steps, the hill over w, the contours over w and b of standardised scores (a
bowl) and of raw ones (a valley), three learning rates; then what a network learns of two moons.

Run it: python examples/12_descent_pictures.py [directory]     (needs matplotlib)
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_lr as tg

directory = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
directory.mkdir(parents=True, exist_ok=True)
students = tg.datasets.sat_gpa()
scores, grades = students.sat_sum, students.fy_gpa
units = tg.data.Standardizer().fit(scores)
z = units.transform(scores)


def save(name: str, figure: Any) -> None:
    """Save a picture and print its title."""
    figure.savefig(directory / f"{name}.png")
    print(f"   {name + '.png':18}{figure.axes[0].get_title('left')}")


def descend(x: Any, rate: float) -> tuple[tg.nn.Linear, tg.History]:
    """Return a line trained from w = 0, b = 0, and its history."""
    line = tg.nn.Linear(1, 1, dtype="float64")
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line, tg.fit(line, x, grades, learning_rate=rate, steps=60, warn=False)


print(f"Pictures of a line, in {directory}")
SAT, GPA = "SAT score", "GPA of the first year"
line, history = descend(z, 0.1)
save("fit", tg.plot.fit_course(line, z, grades, history, x_name=SAT, y_name=GPA, x_scaling=units))
save("hill", tg.plot.loss_over_weight(line, z, grades, history, x_name=SAT))
save("bowl", tg.plot.loss_contours(line, z, grades, history, x_name=SAT))
raw_line, raw_history = descend(scores, 9e-5)
save("valley", tg.plot.loss_contours(raw_line, scores, grades, raw_history, x_name=SAT))
runs = [descend(z, rate)[1] for rate in (0.01, 0.1, 1.05)]
save("rates", tg.plot.learning_rates(line, z, grades, runs, x_name=SAT))

print("and of a network")
x, y = tg.datasets.moons(200, noise=0.2, generator=1)
network, loss = tg.nn.MLP(2, [16, 16], 2, activation="tanh", generator=1), tg.losses.cross_entropy
adam = tg.optim.Adam(network.parameters(), tg.schedules.Cosine(0.03, steps=300))
options: dict[str, Any] = {"epochs": 60, "batch_size": 32, "metrics": "accuracy"}
learnt = tg.fit(network, x, y, loss=loss, optimizer=adam, validation=0.25, **options)
save("curves", tg.plot.learning_curves(learnt, dark=True))
save("borders", tg.plot.decision_boundary(network, x, y, learnt, dark=True))
save("landscape", tg.plot.loss_landscape(network, x, y, loss=loss, dark=True))
save("path", tg.plot.loss_landscape(network, x, y, learnt, loss=loss, plane="path", dark=True))

assert [run.reason for run in runs] == ["limit", "limit", "diverged"]
assert all((directory / f"{name}.png").stat().st_size > 9000 for name in ("fit", "valley", "path"))
