"""How the loss reaches back to the weights of earlier layers: chains of factors, with numbers.

The network is h1 = tanh(x @ W1 + b1), h2 = tanh(h1 @ W2 + b2), ŷ = h2 @ W3 + b3, L = (ŷ - y)².
For one weight of each layer, the local derivatives from the loss back to it are multiplied (where
several paths lead there, their products added): that is w.grad. Then the weight is nudged, and
the change that the loss shows is set against the one that the gradient predicts.

Run it: python examples/05_earlier_weights.py
"""

import numpy as np

import tinygrad_lr as tg

x, y, nudge = np.array([[0.5, -1.2]]), np.array([[0.7]]), 1e-3
network = tg.nn.MLP(2, [3, 2], 1, activation="tanh", dtype=np.float64, generator=2)
layers, activation = network[::2], network[1]


def forward():
    """What stands between x and the loss."""
    h1 = activation(layers[0](x))
    h2 = activation(layers[1](h1))
    y_hat = layers[2](h2)
    return h1, h2, y_hat, tg.losses.mse(y_hat, y)


h1, h2, y_hat, loss = forward()
loss.backward()
W2, W3 = layers[1].weight.data, layers[2].weight.data
i, j = 0, 1  # the weight from entry i of a layer's input to entry j of its output
to_y = {"dL/dŷ = 2(ŷ - y)": 2 * (y_hat.data - y)[0]}
slope1, slope2 = (1 - h.data[0] ** 2 for h in (h1, h2))  # tanh' = 1 - tanh²
chains = {
    (2, (j, 0)): {**to_y, "dŷ/dw = h2": h2.data[0, [j]]},
    (1, (i, j)): {**to_y, "dŷ/dh2 = W3": W3[j], "dh2/dz2 = 1 - h2²": slope2[[j]],
                  "dz2/dw = h1": h1.data[0, [i]]},
    (0, (i, j)): {**to_y, "dŷ/dh2 = W3": W3[:, 0], "dh2/dz2 = 1 - h2²": slope2,
                  "dz2/dh1 = W2": W2[j], "dh1/dz1 = 1 - h1²": slope1[[j]], "dz1/dw = x": x[0, [i]]},
}  # fmt: skip

print(f"{network}\n\nprediction {y_hat.item():.6f}, wanted {y.item():g}, loss {loss.item():.6f}")
for (place, entry), factors in chains.items():
    weight, paths = layers[place].weight, max(map(len, factors.values()))
    ways = "one path to the loss" if paths == 1 else f"{paths} paths, whose products add up"
    print(f"\nW{place + 1}{list(entry)} = {weight.data[entry]:.4f}: {ways}")
    product, grad = np.ones(paths), weight.grad[entry]
    for name, factor in factors.items():
        product = product * factor
        print(f"   {name:18} " + "".join(f"{number:10.5f}" for number in factor))
    print(f"   {'product':18} " + "".join(f"{number:10.5f}" for number in product))
    print(f"   dL/dw {product.sum():.12f} by hand, {grad:.12f} by backward()")
    assert abs(product.sum() - grad) <= 1e-14 * abs(grad)

    weight.data[entry] += nudge
    seen = forward()[-1].item() - loss.item()
    weight.data[entry] -= nudge
    print(f"   w + {nudge}: the loss should change by {grad * nudge:+.4e}, it did by {seen:+.4e}")
    assert abs(seen - grad * nudge) < 0.01 * abs(seen)
