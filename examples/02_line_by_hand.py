"""The lesson's formulas in plain NumPy beside `Value`, equal to the last digit.

ŷ = w·x + b, u = ŷ - y, L = mean(u²), and from right to left: dL/du = 1/n · 2u, dL/dŷ = dL/du,
dL/dw = Σ dL/dŷ · x, dL/db = Σ dL/dŷ. Both ways then take the same 60 steps downhill.

Run it: python examples/02_line_by_hand.py
"""

import numpy as np

import tinygrad_lr as tg

students = tg.datasets.sat_gpa()
scores = tg.data.Standardizer().fit(students.sat_sum)
x, y = scores.transform(students.sat_sum), students.fy_gpa
learning_rate = 0.1


def by_hand(w: float, b: float) -> tuple[np.floating, ...]:
    """Return the loss and its slopes by the chain rule, from the loss back to w and b."""
    y_hat = w * x + b
    u = y_hat - y
    L = np.mean(u**2)
    dL_du = 1 / len(x) * (2 * u)
    dL_dy_hat = dL_du
    return L, np.sum(dL_dy_hat * x), np.sum(dL_dy_hat)


def by_value(w: float, b: float) -> tuple[float, ...]:
    """Return the same from the forward formula alone: backward() finds the factors in the graph."""
    slope, start = tg.Value(w, name="w"), tg.Value(b, name="b")
    loss = np.mean((slope * x + start - y) ** 2)
    loss.backward()
    return loss.data, slope.grad, start.grad


w = b = 0.0
equal = 0
print("step          loss         dL/dw         dL/db             w             b")
for step in range(61):
    hand, value = by_hand(w, b), by_value(w, b)
    equal += hand == value
    if step in {0, 1, 2, 3, 10, 30, 60}:
        print(f"{step:4d}" + "".join(f"{number:14.8f}" for number in (*value, w, b)))
    w, b = w - learning_rate * value[1], b - learning_rate * value[2]

slope, intercept = tg.data.original_units(w, b, scores)
exact = tg.linear.closed_form(students.sat_sum, students.fy_gpa)
print(f"\n{equal} of 61 steps agree with the formulas to the last digit.")
print(f"gradient descent: GPA = {slope:.6f} · SAT + {intercept:.6f}")
print(f"closed form:      GPA = {exact.slope:.6f} · SAT + {exact.intercept:.6f}")

assert equal == 61
assert abs(slope - exact.slope) < 1e-6 and abs(intercept - exact.intercept) < 1e-4
