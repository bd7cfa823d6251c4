"""Random models and functions as nodes, whose state changes between forward and backward passes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, reject, settings
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value, nn, optim
from tinygrad_lr.errors import GraphError

KIND = {"dtype": np.float64}
X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def play(scene, story):
    for action, k in story:
        getattr(scene, action)(k)
    return scene.results


def run(make, story, backend):
    """Play a story with eager and with compiled code, and compare what both saw."""
    try:
        expected = play(make(lambda f: f), story)
    except GraphError:
        reject()  # a second derivative of what has moved since
    found = play(make(tg.compile(backend=backend)), story)
    assert_equal(found, expected, backend, {"rtol": 1e-7, "atol": 1e-9})


def gradients_of(values):
    """Their gradients; nan stands for None."""
    return [np.nan if x.grad is None else x.grad for x in values]


def stories(actions):
    return st.lists(st.tuples(st.sampled_from(actions), st.integers(0, 3)), max_size=14)


# ---- models


class Model:
    """A model and its loss, with what the loss reads, and calls that wait."""

    def __init__(self, wrap, layers):
        make = {
            "dropout": lambda: nn.Dropout(0.4, generator=1),
            "batch": lambda: nn.BatchNorm1d(4, **KIND),
            "layer": lambda: nn.LayerNorm(4, **KIND),
            "tanh": nn.Tanh,
            "linear": lambda: nn.Linear(4, 4, generator=2, **KIND),
        }
        first, last = nn.Linear(3, 4, generator=0, **KIND), nn.Linear(4, 2, generator=7, **KIND)
        model = self.model = nn.Sequential(first, *(make[name]() for name in layers), last)
        array, number = self.array, self.number = np.linspace(0.5, 1.5, 2), [1.5]
        self.parameters = model.parameters()
        self.optimizer = optim.SGD(self.parameters, 0.02, momentum=0.5)
        self.loss = wrap(lambda x: np.sum((model(x) * array) ** 2) * number[0])
        self.waiting, self.results = [], []

    def forward(self, k):
        x = Value(X**3 * (1 + k))
        self.waiting.append((self.loss(x), x))

    def backward(self, k):
        if self.waiting:
            out, x = self.waiting[k % len(self.waiting)]
            out.backward()
            self.results += [out.item(), x.grad, *gradients_of(self.parameters)]

    def scale(self, k):
        self.number[0] = 0.5 + k

    def write(self, k):
        self.array[...] = 1.0 + k / 2

    def switch(self, k):
        self.model.train(k % 2 == 0)

    def step(self, k):
        self.optimizer.step()
        self.results += [x.numpy() for x in self.parameters]

    def clear(self, k):
        self.optimizer.zero_grad()

    def replace(self, k):
        self.model.layers[0] = nn.Linear(3, 4, generator=10 + k, **KIND)
        self.parameters = [*self.parameters, *self.model.layers[0].parameters()]

    def buffers(self, k):
        for _, buffer in self.model.named_buffers():
            buffer *= 1.0 + k / 8
        self.results += [np.array(x) for _, x in self.model.named_buffers()]

    def differentiate(self, k):
        self.results += [tg.hvp(self.loss, (X**3,), (X + k,))[0], *tg.jvp(self.loss, (X,), (X,))]


LAYERS = st.lists(st.sampled_from(["dropout", "batch", "layer", "tanh", "linear"]), max_size=3)
MODEL_STORIES = stories(
    [
        *("forward", "forward", "forward", "backward", "backward", "backward", "scale", "write"),
        *("switch", "step", "clear", "replace", "buffers", "differentiate"),
    ]
)
MODEL_END = [("backward", 0), ("backward", 1), ("buffers", 0)]


@settings(max_examples=12)
@given(layers=LAYERS, story=MODEL_STORIES)
def test_a_node_of_a_model_remembers_its_forward_pass_through_any_story(layers, story):
    run(lambda wrap: Model(wrap, layers), [("forward", 0), *story, *MODEL_END], "numpy")


@pytest.mark.slow
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@backends("llvm")
@given(layers=LAYERS, story=MODEL_STORIES)
def test_a_node_of_machine_code_remembers_its_forward_pass_through_any_story(
    layers, story, backend
):
    run(lambda wrap: Model(wrap, layers), [("forward", 0), *story, *MODEL_END], backend)


# ---- functions


class Scaled(nn.Module):
    """A module with a parameter, an array that it moves in training, and a number."""

    def __init__(self):
        self.mean, self.shift, self.w = np.ones(3), 0.5, Value(np.linspace(0.5, 1.0, 3))

    def forward(self, x):
        out = x * self.w * self.mean + self.shift
        if self.training:
            self.mean = self.mean * 0.9 + 0.1
        return out


STEPS = [
    *("parameter", "number", "array", "draws", "draw", "permutation", "module", "inner", "frozen"),
    *("detach", "move", "bell", "where", "norm", "part", "sum"),
]


class World:
    """A function of a random program, with everything that it reads, and calls that wait."""

    def __init__(self, wrap, program):
        self.values = [Value(np.linspace(-1, 1, 3)), Value(0.7)]
        self.frozen = Value(np.ones(3), requires_grad=False)
        self.number, self.array = [1.5], np.linspace(0.1, 1.0, 3)
        self.random, self.module = np.random.default_rng(0), Scaled()
        self.trained = [*self.values, self.module.w]
        self.optimizer = optim.SGD(self.trained, 0.01)
        self.f, self.waiting, self.results = wrap(self.build(wrap, program)), [], []

    def build(self, wrap, program):
        values, frozen, number, array = self.values, self.frozen, self.number, self.array
        random, module, inner = self.random, self.module, wrap(lambda x: np.sin(x) * values[0])

        def f(x, y):
            h, parts = x, []
            for name in program:
                if name == "parameter":
                    h = h * values[0]
                elif name == "number":
                    h = np.tanh(h) * number[0]
                elif name == "array":
                    h = h + array * y
                elif name == "draws":
                    h = h * random.normal(size=3)
                elif name == "draw":
                    h = h * random.random() * values[1]
                elif name == "permutation":
                    h = h[random.permutation(3)]
                elif name == "module":
                    h = module(h)
                elif name == "inner":
                    h = inner(h)
                elif name == "frozen":
                    h = h * frozen
                elif name == "detach":
                    h = h - (h.detach() if isinstance(h, Value) else h) * 0.5
                elif name == "move":
                    frozen.data = frozen.data * 0.9 + 0.1
                elif name == "bell":
                    h = np.exp(-h * h)
                elif name == "where":
                    h = np.where(h > array, h, h * 0.5)
                elif name == "norm":
                    h = h / (1 + np.sum(h * h))
                elif name == "part":
                    parts.append(h)
                elif name == "sum":
                    parts.append(h.sum())
            return {"parts": tuple(parts), "loss": (h * h).sum()}

        return f

    def forward(self, k):
        self.waiting.append((self.f(X[k], 0.5 + k), []))

    def forward_value(self, k):
        x = Value(X[k])
        self.waiting.append((self.f(x, x * 1.5 if k % 2 else 1.0), [x]))

    def backward(self, k):
        if self.waiting:
            out, values = self.waiting[k % len(self.waiting)]
            total = out["loss"] + sum((i + 1) * np.sum(x) for i, x in enumerate(out["parts"]))
            if isinstance(total, Value) and total.requires_grad:
                total.backward()
            self.results += [x.data if isinstance(x, Value) else x for x in out["parts"]]
            self.results += gradients_of([*self.trained, *values])

    def write(self, k):
        self.number[0] = k + 0.5
        self.array += 0.1 * k

    def write_values(self, k):
        self.values[0].data[...] += 0.1
        self.frozen.data[...] = 1.0 + k

    def change_module(self, k):
        self.module.train(k % 2 == 0)
        self.module.shift = 0.1 * k
        self.module.mean = self.module.mean * 1.1

    def step(self, k):
        self.optimizer.step()
        if k % 2:
            self.optimizer.zero_grad()

    def differentiate(self, k):
        loss = lambda x: self.f(x, 1.0)["loss"]
        self.results += [
            *tg.hvp(loss, (X[k],), (X[0] + 1,)),
            *tg.jvp(loss, (X[k],), (X[1],)),
            tg.grad(loss)(X[k]),
        ]

    def penalize(self, k):
        slope = tg.grad(lambda x: self.f(x, 1.0)["loss"])(Value(X[k]))
        penalty = (slope * slope).sum()
        if penalty.requires_grad:
            penalty.backward()
        self.results += gradients_of(self.trained)

    def evaluate(self, k):
        with tg.no_grad():
            out = self.f(Value(X[k]), 2.0)
        self.results += [out["loss"], self.frozen.numpy(), self.module.mean.copy()]


PROGRAMS = st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)
WORLD_STORIES = stories(
    [
        *("forward", "forward", "forward_value", "forward_value", "backward", "backward"),
        *("backward", "write", "write_values", "change_module", "step", "differentiate"),
        *("penalize", "evaluate"),
    ]
)


def run_world(program, story, backend):
    note(", ".join(program))
    story = [("forward_value", 0), *story, ("backward", 0), ("backward", 1), ("evaluate", 0)]
    run(lambda wrap: World(wrap, program), story, backend)


@pytest.mark.slow
@settings(max_examples=60)
@given(program=PROGRAMS, story=WORLD_STORIES)
def test_a_node_of_a_function_remembers_its_forward_pass_through_any_story(program, story):
    run_world(program, story, "numpy")


@pytest.mark.slow
@backends("llvm")
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(program=PROGRAMS, story=WORLD_STORIES)
def test_a_node_of_a_function_in_machine_code_remembers_through_any_story(program, story, backend):
    run_world(program, story, backend)
