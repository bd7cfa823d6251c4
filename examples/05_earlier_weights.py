"""The gradient's path back to the weights of earlier layers: chains of factors, with numbers.

The network is h1 = tanh(x @ W1 + b1), h2 = tanh(h1 @ W2 + b2), ŷ = h2 @ W3 + b3, L = (ŷ - y)².
For one weight of each layer, the local derivatives from the loss back to it are multiplied by
hand; if several paths lead there, their products add up: that is dL/dw. `tg.influence` finds the
same from the graph of any network: each path's part, the curvature, and what a nudge does.

Run it: python examples/05_earlier_weights.py
"""

import numpy as np

import tinygrad_lr as tg

x, y = np.array([[0.5, -1.2]]), np.array([[0.7]])
network = tg.nn.MLP(2, [3, 2], 1, activation="tanh", dtype=np.float64, generator=2)
loss = tg.losses.mse(network(x), y)

# The same forward pass in plain NumPy, whose numbers the chains need.
W1, b1, W2, b2, W3, b3 = (parameter.numpy() for parameter in network.parameters())
h1 = np.tanh(x @ W1 + b1)
h2 = np.tanh(h1 @ W2 + b2)
y_hat = h2 @ W3 + b3

i, j = 0, 1  # the weight from entry i of a layer's input to entry j of its output
to_y = {"dL/dŷ = 2(ŷ - y)": 2 * (y_hat - y)[0]}
slope1, slope2 = (1 - h[0] ** 2 for h in (h1, h2))  # tanh' = 1 - tanh²
chains = {
    (2, (j, 0)): {**to_y, "∂ŷ/∂w = h2": h2[0, [j]]},
    (1, (i, j)): {**to_y, "∂ŷ/∂h2 = W3": W3[j], "∂h2/∂z2 = 1 - h2²": slope2[[j]],
                  "∂z2/∂w = h1": h1[0, [i]]},
    (0, (i, j)): {**to_y, "∂ŷ/∂h2 = W3": W3[:, 0], "∂h2/∂z2 = 1 - h2²": slope2,
                  "∂z2/∂h1 = W2": W2[j], "∂h1/∂z1 = 1 - h1²": slope1[[j]], "∂z1/∂w = x": x[0, [i]]},
}  # fmt: skip

weights = [(f"layers.{2 * place}.weight", entry) for place, entry in chains]
influence = tg.influence(network, loss, weight=weights, nudge=1e-3)

print(f"{network}\n\nprediction {y_hat.item():.6f}, target {y.item():g}, loss {loss.item():.6f}")
for ((place, entry), factors), w in zip(chains.items(), influence.weights, strict=True):
    paths = max(map(len, factors.values()))
    ways = "one path to the loss" if paths == 1 else f"{paths} paths, whose products add up"
    print(f"\nW{place + 1}{list(entry)} = {w.value:.4f}: {ways}")
    product = np.ones(paths)
    for name, factor in factors.items():
        product = product * factor
        print(f"   {name:18} " + "".join(f"{number:10.5f}" for number in factor))
    print(f"   {'product':18} " + "".join(f"{number:10.5f}" for number in product))
    print(f"   dL/dw {product.sum():.12f} by hand, {w.gradient:.12f} by the chain rule")
    print(f"   w + {w.nudge}: dL/dw predicts {w.predicted:+.4e}, seen {w.seen:+.4e}")
    found = [path.contribution for path in w.paths]  # the strongest first
    assert np.allclose(sorted(product, key=abs, reverse=True), found, rtol=1e-12)
    assert abs(w.seen - w.predicted_with_curvature) < 1e-4 * abs(w.seen)

print("\n" + influence.findings[0])
