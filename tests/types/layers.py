"""Layers, losses, optimisers and training, as a user's program has them, with their types."""

from typing import Any, assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr as tg
from tinygrad_lr import Value, nn

Floats = NDArray[numpy.float64]
w = Value([[1.0, 2.0]])
x: Floats = numpy.ones((1, 2))
labels: NDArray[numpy.int64] = numpy.array([1])

# a call of a layer has the types of its `forward`
assert_type(nn.Linear(2, 1)(x), Value)
assert_type(nn.Linear(2, 1)(w), Value)
assert_type(nn.Linear(2, 1)([[1.0, 2.0]]), Value)
assert_type(nn.MLP(2, [3], 1)(x), Value)
assert_type(nn.Bilinear(2, 2, 1)(x, w), Value)
assert_type(nn.Embedding(4, 2)(labels), Value)
assert_type(nn.Conv1d(2, 4, 3)(x), Value)
assert_type(nn.GRU(2, 3)(x), tuple[Value, Value])
assert_type(nn.RNN(2, 3)(x, state=w), tuple[Value, Value])
assert_type(nn.LSTM(2, 3)(x), tuple[Value, tuple[Value, Value]])
assert_type(nn.LSTM(2, 3)(x, (w, w)), tuple[Value, tuple[Value, Value]])
assert_type(nn.GRUCell(2, 3)(x), Value)
assert_type(nn.LSTMCell(2, 3)(x), tuple[Value, Value])
assert_type(nn.LayerNorm(2)(x), Value | Any)
assert_type(nn.MultiHeadAttention(2, 1)(x), Value | Any)
assert_type(nn.scaled_dot_product_attention(w, x, x, causal=True), Value)

# one without parameters returns a Value for a Value, and an array or a number for one
assert_type(nn.ReLU()(w), Value)
assert_type(nn.Softmax(axis=0)(w), Value)
assert_type(nn.Dropout(0.5)(w), Value)
assert_type(nn.MaxPool1d(2)(w), Value)
assert_type(nn.Flatten()(w), Value)
assert_type(nn.GLU()(w), Value)
activated: Floats = nn.Tanh()(x)

# whatever the layers of a Sequential are
network = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), numpy.tanh, lambda x: x * 2.0)
assert_type(network(x), Any)
network[0].weight.data -= 0.1
for layer in network[::2]:
    nn.init.zeros(layer.weight)
nn.Linear(2, 1).bias.data -= 0.1


class Tagger(nn.Module):
    """A network with an argument of its own."""

    def __init__(self, width: int = 8) -> None:
        self.memory = nn.GRU(2, width)
        self.head = nn.Linear(width, 3)
        self.norm = nn.LayerNorm(3)

    def forward(self, steps: Floats | Value, scale: float = 1.0) -> Value:
        """Return scores, scaled."""
        hidden, last = self.memory(steps)
        assert_type(last, Value)
        return self.norm(self.head(hidden)) * scale


class Reversed(Tagger):
    """A network that calls the one that it is made from."""

    def forward(self, steps: Floats | Value, scale: float = 1.0) -> Value:
        """Return the scores of the steps in reverse."""
        return super().forward(steps[::-1], scale)


model = Reversed()
assert_type(model(x, scale=2.0), Value)
modules: list[nn.Module] = [model, nn.ReLU()]
assert_type(modules[0](x), Any)

# losses and metrics
assert_type(tg.losses.mse(w, x), Value)
assert_type(tg.losses.huber(nn.Linear(2, 2)(x), x, 0.5, reduction="none"), Value)
assert_type(tg.losses.cross_entropy(model(x), labels, label_smoothing=0.1), Value)
assert_type(tg.losses.kl_divergence(w, w), Value)
assert_type(tg.losses.binary_cross_entropy(w, x, pos_weight=2.0), Value)
assert_type(tg.losses.gaussian_nll(w, x, w), Value)
error: float = tg.losses.mse(x, x)
assert_type(tg.metrics.accuracy(w, labels), float)
assert_type(tg.metrics.r2([1.0, 2.0], w), float)
assert_type(tg.metrics.confusion_matrix(labels, labels), numpy.ndarray[Any, numpy.dtype[Any]])


def closure() -> Value:
    """Return a loss after its backward pass."""
    loss = tg.losses.mse(model(x), x)
    loss.backward()
    return loss


# optimisers and training
tg.optim.Adam(model.parameters(), tg.schedules.Cosine(0.1, steps=3)).step()
assert_type(tg.optim.SGD(model.parameters(), 0.1).step(closure), Value)
assert_type(tg.optim.LBFGS(model.parameters()).step(closure), Value)


class SignDescent(tg.optim.Optimizer):
    """An optimiser with a rule of its own, for arrays."""

    def update(
        self, gradient: Floats, data: Floats, state: dict[str, Any], rate: float
    ) -> tuple[Floats, dict[str, Any]]:
        """Return the new data."""
        return data - rate * numpy.sign(gradient), state


def weighted(prediction: Value, target: Floats) -> Value:
    """Return a loss."""
    return tg.losses.mse(prediction, target) * 2.0


def show(moment: tg.train.Moment) -> None:
    """Print the loss."""
    print(moment.loss)


loader = tg.data.DataLoader(x, labels, batch_size=1, transform=lambda x, y: (x, y))
history = tg.fit(model, x, [0.0], loss=weighted, validation=(x, labels), callback=show)
assert_type(history, tg.History)
assert_type(tg.fit(model, loader, loss=tg.losses.cross_entropy, validation=0.2), tg.History)
assert_type(tg.train.evaluate(model, x, [1.0], metrics="mae"), dict[str, float])
assert_type(tg.linear.learning_rate_limit(model, weighted, x, x), float)
train, test = tg.data.split(x, test=0.5, stratify=labels)
tg.optim.ExponentialMovingAverage(model).update()
found = tg.optim.minimize(lambda p: p["w"] ** 2, {"w": 1.0, "b": [x, w]})
nn.Linear(2, 1).load_state_dict({"weight": [[1.0], [2.0]], "bias": x})

# derivatives: how many there are is known, and whether they are arrays depends on the call
assert_type(tg.grad(weighted, (0, 1))(x, x), tuple[Any, ...])
assert_type(tg.value_and_grad(weighted)(x, x), tuple[Any, Any])
assert_type(tg.value_and_grad(weighted, argnums=[0, 1])(x, x), tuple[Any, tuple[Any, ...]])
assert_type(tg.hessian(weighted, (0, 1))(x, x), tuple[tuple[Any, ...], ...])
assert_type(tg.hvp(weighted, (x, x), (x, x)), tuple[Any, ...])
assert_type(tg.hvp(weighted, [x, x], (x, x)), list[Any])
assert_type(tg.vjp(weighted, x, x)[1](1.0), tuple[Any, ...])
assert_type(tg.jvp(weighted, (x, x), (x, x)), tuple[Any, Any])
