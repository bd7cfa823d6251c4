"""Learning rates that are too small, right and too large, on 1000 students' SAT scores and GPAs.

A step multiplies the distance to the minimum by 1 - rate·λ, for each curvature λ of the loss. So
rates below 2/λmax converge and rates above it diverge; the smallest curvature determines how
slowly. Standardised scores have the same curvature in both directions, so one rate suits both.

Run it: python examples/03_learning_rates.py
"""

import numpy as np

import tinygrad_lr as tg

students = tg.datasets.sat_gpa()
y = students.fy_gpa
standard = tg.data.Standardizer().fit(students.sat_sum)
raw = tg.data.Standardizer().fit([-1.0, 1.0])  # mean 0 and deviation 1 already: changes nothing
exact = tg.linear.closed_form(students.sat_sum, y)


def descend(
    scaling: tg.data.Standardizer, rate: float, steps: int = 1000
) -> tuple[tg.History, tuple[float, float], float]:
    """Descend from w = 0, b = 0; return the history, the line in original units, and the limit."""
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    x = scaling.transform(students.sat_sum)
    history = tg.fit(line, x, y, learning_rate=rate, steps=steps, tolerance=1e-12, warn=False)
    limit = tg.linear.learning_rate_limit(line, tg.losses.mse, x[:, None], y[:, None])
    w, b = (parameter.item() for parameter in line.parameters())
    return history, tg.data.original_units(w, b, scaling), limit


def table(scaling: tg.data.Standardizer, rates: dict[float, str]) -> list[str]:
    """Descend with each of the rates and print the outcomes."""
    reasons = []
    print(f"the limit 2/λmax is {descend(scaling, 0.1, steps=0)[2]:.6g}")
    print("     rate   steps        loss       slope    intercept  why it stopped")
    for rate, verdict in rates.items():
        history, (slope, intercept), _ = descend(scaling, rate)
        course = f"{rate:9.3g}{history.steps:8d}{history.losses[-1]:12.5g}"
        print(f"{course}{slope:12.8f}{intercept:13.8f}  {history.reason}: {verdict}")
        reasons.append(history.reason)
    print(f"      the closed form{exact.mse:8.5f}{exact.slope:12.8f}{exact.intercept:13.8f}\n")
    return reasons


print("Raw scores, 53 to 144 points: steep in w, flat in b, and no rate suits both.")
rates = {1e-9: "too small", 5e-5: "b has hardly moved", 9.1e-5: "neither here"}
first = table(raw, {**rates, 9.2e-5: "just too large", 0.001: "far too large"})

print("The same scores standardised, to mean 0 and deviation 1: the curvature is 2 both ways.")
rates = {0.001: "too small", 0.1: "right", 0.5: "perfect: 1 - rate·λ = 0", 0.99: "swings, slowly"}
second = table(standard, {**rates, 1.01: "too large"})

assert abs(descend(raw, 0.1, steps=0)[2] - 9.1897e-5) < 1e-9
assert first == ["limit"] * 3 + ["diverged"] * 2
assert second == ["limit", "converged", "converged", "limit", "diverged"]
slope, intercept = descend(standard, 0.1)[1]
assert abs(slope - exact.slope) < 1e-9 and abs(intercept - exact.intercept) < 1e-6
