"""micrograd's expression: one number computed, and its derivative with respect to two others.

Run it: python examples/01_scalar.py
"""

import tinygrad_lr as tg

a = tg.Value(-4.0, name="a")
b = tg.Value(2.0, name="b")
c = a + b
d = a * b + b**3
c += c + 1
c += 1 + c + (-a)
d += d * 2 + (b + a).relu()
d += 3 * d + (b - a).relu()
e = c - d
f = e**2
g = f / 2.0
g += 10.0 / f
g.backward()

print("forward                          micrograd's README says")
print(f"  g     = {g.data:10.4f}                    24.7041")
print("backward: how g changes when a or b changes a little")
print(f"  dg/da = {a.grad:10.4f}                   138.8338")
print(f"  dg/db = {b.grad:10.4f}                   645.5773")

nudge = 1e-3
print(f"\nThat is a prediction: raise b by {nudge} and g rises by about {b.grad * nudge:.4f}.")


def expression(a: float, b: float) -> float:
    """The same on plain numbers."""
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c - a
    d += d * 2 + max(b + a, 0.0)
    d += 3 * d + max(b - a, 0.0)
    f = (c - d) ** 2
    return f / 2 + 10 / f


seen = expression(-4.0, 2.0 + nudge) - expression(-4.0, 2.0)
print(f"Measured: {seen:.4f}.")

assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"
assert g.data == expression(-4.0, 2.0)
assert abs(seen - b.grad * nudge) < 0.01 * abs(seen)
