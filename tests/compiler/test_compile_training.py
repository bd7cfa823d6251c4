"""Whole training steps, compiled: losses, weights and state are those of eager code."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import losses, nn, optim, schedules

pytestmark = pytest.mark.slow

LABELS = np.array([0, 2, 1, 2, 0, 1])
CLASSES = np.eye(3)[LABELS]
CLOSE = {"rtol": 1e-10, "atol": 1e-13}  # where eager code adds column by column
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(6, 5))
TOKENS = RANDOM.integers(0, 7, (6, 4))
SERIES = RANDOM.normal(size=(6, 4, 3))
PICTURES = RANDOM.normal(size=(6, 2, 6, 6))


class Training:
    """A model, an optimiser, and the step that trains them: the same one each time it is made."""

    def __init__(
        self, network, loss=losses.mse, optimizer=None, x=ROWS, y=CLASSES, dtype="float64"
    ):
        self.model = network(dtype=np.dtype(dtype))
        self.optimizer = (optimizer or functools.partial(optim.SGD, learning_rate=0.1))(
            self.model.parameters()
        )
        self.loss, self.x, self.y = loss, x.astype(dtype) if x.dtype.kind == "f" else x, y
        self.before = self.after = lambda: None

    def step(self, x, y):
        loss = self.loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.before()
        self.optimizer.step()
        self.after()
        return loss

    def kept(self):
        return [self.model.state_dict(), self.optimizer.state_dict()]

    def compiled(self, backend):
        model, optimizer, loss_of = self.model, self.optimizer, self.loss
        before, after = self.before, self.after

        def step(x, y):
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            before()
            optimizer.step()
            after()
            return loss

        return tg.compile(step, backend=backend)


def assert_trained_alike(make, backend, steps=4, tolerance=None):
    """Some steps of each: the same losses, the same weights and the same state."""
    eager, twin = make(), make()
    step = twin.compiled(backend)
    for _ in range(steps):
        assert_equal(step(twin.x, twin.y), eager.step(eager.x, eager.y), backend, tolerance)
        assert_equal(twin.kept(), eager.kept(), backend, tolerance)
    assert twin.optimizer.steps == eager.optimizer.steps == steps
    assert twin.optimizer.rate == eager.optimizer.rate
    assert all(x.grad is None for x in twin.model.parameters())
    return eager, twin


network = functools.partial(nn.MLP, 5, [8, 7], 3, "tanh", generator=0)


def groups(parameters):
    first, second, *rest = parameters
    given = [
        {"parameters": [first], "learning_rate": 0.03},
        {"parameters": [second], "momentum": 0.5},
        {"parameters": rest, "learning_rate": schedules.Exponential(0.2, 0.9), "weight_decay": 0.1},
    ]
    return optim.SGD(given, 0.1)


OPTIMIZERS = {
    "SGD": functools.partial(optim.SGD, learning_rate=0.1),
    "momentum": functools.partial(optim.SGD, learning_rate=0.1, momentum=0.9),
    "nesterov": functools.partial(optim.SGD, learning_rate=0.1, momentum=0.9, nesterov=True),
    "weight decay": functools.partial(optim.SGD, learning_rate=0.1, weight_decay=0.1),
    "Adagrad": functools.partial(optim.Adagrad, learning_rate_decay=0.1, weight_decay=0.01),
    "RMSprop": optim.RMSprop,
    "centered": functools.partial(optim.RMSprop, centered=True, momentum=0.9),
    "Adam": functools.partial(optim.Adam, weight_decay=0.1),
    "amsgrad": functools.partial(optim.Adam, amsgrad=True),
    "AdamW": optim.AdamW,
    "NAdam": optim.NAdam,
    "NAdam decoupled": functools.partial(
        optim.NAdam, weight_decay=0.1, decoupled_weight_decay=True
    ),
    "Adadelta": functools.partial(optim.Adadelta, weight_decay=0.1),
    "Lion": functools.partial(optim.Lion, weight_decay=0.1),
    "groups": groups,
}


@backends()
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_moves_the_weights_as_in_eager_code(optimizer, backend):
    assert_trained_alike(lambda: Training(network, optimizer=optimizer), backend)


@backends()
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_in_float32_too(optimizer, backend):
    make = lambda: Training(network, optimizer=optimizer, dtype="float32")
    assert_trained_alike(make, backend, tolerance={"rtol": 2e-3, "atol": 2e-4})


SCHEDULES = [
    schedules.Constant(0.1),
    schedules.Cosine(0.1, steps=3),
    schedules.Warmup(schedules.StepDecay(0.1, every=2), steps=2),
    schedules.OneCycle(0.1, steps=4),
    0.5 * schedules.Exponential(0.1, 0.9),
    lambda step: 0.1 / (1 + step),
]


@backends()
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_a_schedule_gives_each_step_its_rate(schedule, backend):
    adam = functools.partial(optim.Adam, learning_rate=schedule)
    assert_trained_alike(lambda: Training(network, optimizer=adam), backend)


@backends()
def test_a_learning_rate_reduced_on_a_plateau_is_seen(backend):
    def make():
        plateau = schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0)
        return Training(network, optimizer=functools.partial(optim.SGD, learning_rate=plateau))

    eager, twin = make(), make()
    step = twin.compiled(backend)
    for seen in (1.0, 2.0, 3.0):
        assert_equal(step(twin.x, twin.y), eager.step(eager.x, eager.y), backend)
        for training in (eager, twin):
            training.optimizer.learning_rate.see(seen)
    assert_equal(twin.kept(), eager.kept(), backend)
    assert twin.optimizer.rate == eager.optimizer.rate == 0.05


CLIPPING = {
    "norm": lambda parameters: optim.clip_gradient_norm(parameters, 0.1),
    "large norm": lambda parameters: optim.clip_gradient_norm(parameters, 1e3),
    "largest": lambda parameters: optim.clip_gradient_norm(parameters, 0.1, order=np.inf),
    "value": lambda parameters: optim.clip_gradient_value(parameters, 0.01),
}


@backends()
@pytest.mark.parametrize("clip", CLIPPING.values(), ids=CLIPPING)
def test_gradients_are_clipped_as_in_eager_code(clip, backend):
    def make():
        training = Training(network)
        parameters = training.model.parameters()
        training.before = lambda: clip(parameters)
        return training

    assert_trained_alike(make, backend)


@backends()
def test_an_average_of_the_weights_follows_them(backend):
    averages = []

    def make():
        training = Training(network)
        average = optim.ExponentialMovingAverage(training.model, 0.75)
        training.after = average.update
        averages.append(average)
        return training

    assert_trained_alike(make, backend)
    assert averages[0].updates == averages[1].updates == 4
    assert_equal(averages[1].state_dict(), averages[0].state_dict(), backend)


# ---- layers


class Tagger(nn.Module):
    """Embeddings, recurrent states, and a line: the classes of whole sequences."""

    def __init__(self, kind, dtype, **options):
        self.embedding = nn.Embedding(7, 3, dtype=dtype, generator=0)
        self.states = kind(3, 5, dtype=dtype, generator=1, **options)
        self.line = nn.Linear(
            10 if options.get("bidirectional") else 5, 3, dtype=dtype, generator=2
        )

    def forward(self, tokens):
        return self.line(np.tanh(self.states(self.embedding(tokens))[0])[:, -1])


class Attending(nn.Module):
    """Attention to a series, over its positions, normalised."""

    def __init__(self, dtype, norm=nn.LayerNorm, dropout=0.0):
        self.line = nn.Linear(3, 8, dtype=dtype, generator=0)
        self.attention = nn.MultiHeadAttention(8, 2, dropout, dtype=dtype, generator=1)
        self.norm = norm(8, dtype=dtype)
        self.out = nn.Linear(8, 3, dtype=dtype, generator=2)

    def forward(self, x):
        h = self.line(x)
        found = self.attention(h, h, h)
        attended = found[0] if isinstance(found, tuple) else found
        return self.out(self.norm(h + attended).mean(axis=1))


def layers(*parts):
    return lambda dtype: nn.Sequential(
        *[part(dtype=dtype) if isinstance(part, functools.partial) else part() for part in parts]
    )


part = functools.partial
LAYERS = {
    "dropout": (layers(part(nn.Linear, 5, 9, generator=0), lambda: nn.Dropout(0.4, generator=5),
                       part(nn.Linear, 9, 3, generator=1)), ROWS),
    "batch norm": (layers(part(nn.Linear, 5, 9, generator=0), part(nn.BatchNorm1d, 9), nn.ReLU,
                          part(nn.Linear, 9, 3, generator=1)), ROWS),
    "layer norm": (layers(part(nn.LayerNorm, 5), part(nn.Linear, 5, 3, generator=1)), ROWS),
    "RMS norm": (layers(part(nn.RMSNorm, 5), part(nn.Linear, 5, 3, generator=1)), ROWS),
    "convolution": (layers(part(nn.Conv2d, 2, 4, 3, generator=0), part(nn.BatchNorm2d, 4), nn.GELU,
                           lambda: nn.MaxPool2d(2), nn.Flatten,
                           part(nn.Linear, 16, 3, generator=1)), PICTURES),
    "embedding": (layers(part(nn.Embedding, 7, 5, 0, generator=0), nn.Flatten,
                         part(nn.Linear, 20, 3, generator=1)), TOKENS),
    "GRU": (part(Tagger, nn.GRU, num_layers=2), TOKENS),
    "LSTM": (part(Tagger, nn.LSTM, bidirectional=True), TOKENS),
    "RNN with dropout": (part(Tagger, nn.RNN, num_layers=2, dropout=0.3), TOKENS),
    "attention": (Attending, SERIES),
    "attention with dropout": (part(Attending, norm=nn.RMSNorm, dropout=0.2), SERIES),
    "residual": (layers(part(nn.Linear, 5, 5, generator=0), lambda: nn.Residual(nn.SiLU()),
                        part(nn.Linear, 5, 3, generator=1), nn.Mish), ROWS),
}  # fmt: skip


@backends()
@pytest.mark.parametrize(("network", "x"), LAYERS.values(), ids=LAYERS)
def test_a_layer_is_trained_as_in_eager_code(network, x, backend):
    tolerance = CLOSE if x is PICTURES else None
    assert_trained_alike(lambda: Training(network, x=x), backend, tolerance=tolerance)


LOSSES = {
    "labels": (losses.cross_entropy, LABELS),
    "ignored labels": (part(losses.cross_entropy, ignore_index=2), LABELS),
    "weights": (part(losses.cross_entropy, weights=np.array([1.0, 2.0, 0.5])), LABELS),
    "smoothing": (part(losses.cross_entropy, label_smoothing=0.1), LABELS),
    "probabilities": (losses.cross_entropy, CLASSES),
    "sum": (part(losses.cross_entropy, reduction="sum"), LABELS),
    "mse": (losses.mse, CLASSES),
    "mae": (losses.mae, CLASSES),
    "huber": (losses.huber, CLASSES),
    "binary": (losses.binary_cross_entropy, CLASSES),
    "hinge": (losses.hinge, 2 * CLASSES - 1),
    "kl": (losses.kl_divergence, CLASSES * 0.7 + 0.1),
    "poisson": (losses.poisson_nll, CLASSES),
}


@backends()
@pytest.mark.parametrize(("loss", "y"), LOSSES.values(), ids=LOSSES)
def test_a_loss_is_brought_down_as_in_eager_code(loss, y, backend):
    tolerance = CLOSE if y is LABELS else None
    assert_trained_alike(lambda: Training(network, loss, y=y), backend, tolerance=tolerance)
