"""A step of gradient descent that explains itself: each operation, and each use of the chain rule.

`tg.trace()` prints every operation as it runs, and every derivative as the chain rule finds it: the
derivative before it times a local one, the rule for the local one, and the sums over several paths.
Here it traces the line ŷ = w · x + b for one student, and one step of a small network.

Run it: python examples/14_traced.py
"""

import numpy as np

import tinygrad_lr as tg

print("A line, one student, in units of 1000 points:\n")
w, b = tg.Value(0.0), tg.Value(2.0)
optimizer = tg.optim.SGD([w, b], learning_rate=0.1)

with tg.trace() as line:
    y_hat = w * 1.7 + b
    u = y_hat - 3.4
    L = u**2
    L.backward()
    optimizer.step()

# The printed lines are kept. The last number of dL/dw is w's gradient, and a nudge confirms it:
described = next(text for text in line.lines if text.strip().startswith("dL/dw"))
printed = float(described.partition("  (")[0].rpartition("= ")[2].replace("−", "-"))
nudge = 1e-6
slope = ((nudge * 1.7 + 2 - 3.4) ** 2 - (-nudge * 1.7 + 2 - 3.4) ** 2) / (2 * nudge)
print(f"\nThe line above says that dL/dw is {printed:g}; nudging w gives {slope:.4f}.")
assert printed == round(w.grad, 2)
assert abs(slope - w.grad) < 1e-6

print("\nA network with one hidden layer, three rows:\n")
model = tg.nn.MLP(2, [2], 1, activation="tanh", dtype=np.float64, generator=0)
x, y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[1.0], [1.0], [0.0]])


def gradients() -> list[bytes]:
    """Return the gradients of all parameters."""
    model.zero_grad()
    prediction = model(x)
    loss = tg.losses.mse(prediction, y)
    loss.backward()
    return [parameter.grad.tobytes() for parameter in model.parameters()]


with tg.trace() as network:
    traced = gradients()

print(f"\n{len(network.lines)} lines. Tracing did not change a single bit of the gradients.")
assert gradients() == traced
