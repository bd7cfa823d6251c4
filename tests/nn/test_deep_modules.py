"""Modules within modules, hundreds deep: copies, pickles and everything that walks through them."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.nn import Module

DEPTH = 300
X = np.ones((2, 1), np.float32)


class Nest(Module):
    """A weight, and whatever modules are given."""

    def __init__(self, *inner, weight=1.0):
        self.weight = Value(weight)
        self.inner = inner

    def forward(self, x):
        for module in self.inner:
            x = module(x)
        return x * self.weight


class InContainers(Nest):
    def __init__(self, *inner, weight=1.0):
        super().__init__(weight=weight)
        self.inner = [{"a": (module,)} for module in inner]


class WithState(Nest):
    """A module that decides itself what is pickled."""

    def __getstate__(self):
        return {"weight": self.weight.data, "inner": self.inner}

    def __setstate__(self, state):
        self.weight, self.inner = Value(state["weight"]), state["inner"]


class WithSlots(Nest):
    __slots__ = ("scale",)

    def __init__(self, *inner, weight=1.0):
        super().__init__(*inner, weight=weight)
        self.scale = 2.0 * weight


def chain(kind, depth=DEPTH):
    module = tg.nn.Linear(1, 1, generator=0)
    for level in range(depth):
        module = kind(module, weight=float(level)) if issubclass(kind, Nest) else kind(module)
    return module


def loads(protocol):
    return lambda x: pickle.loads(pickle.dumps(x, protocol))


KINDS = [Nest, InContainers, WithState, WithSlots, tg.nn.Sequential]
COPIES = {"deepcopy": copy.deepcopy, "old pickle": loads(2), "pickle": loads(5)}


def numbers(model):
    return {name: np.asarray(x).tolist() for name, x in model.state_dict().items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", COPIES)
def test_a_deep_model_is_copied_with_all_that_it_holds(way, kind):
    model = chain(kind)
    twin = COPIES[way](model)
    assert numbers(twin) == numbers(model) and len(twin.modules()) == len(model.modules())
    assert not {id(x) for x in model.modules()} & {id(x) for x in twin.modules()}
    assert not {id(x) for x in model.parameters()} & {id(x) for x in twin.parameters()}
    if kind is WithSlots:
        assert (twin.scale, twin.inner[0].scale) == (2.0 * (DEPTH - 1), 2.0 * (DEPTH - 2))


@pytest.mark.parametrize("way", COPIES)
def test_what_is_shared_stays_shared_in_a_copy(way):
    shared = chain(Nest, 40)
    model = Nest(chain(Nest, 60), Nest(shared), shared)
    optimizer = tg.optim.SGD(model.parameters(), 0.1)
    twin, inner, stepper = COPIES[way]((model, model.inner[0].inner[0], optimizer))
    assert twin.inner[0].inner[0] is inner and twin.inner[1].inner[0] is twin.inner[2]
    assert all(a is b for a, b in zip(stepper.parameters, twin.parameters(), strict=True))


@pytest.mark.parametrize("way", COPIES)
def test_a_deep_model_whose_innermost_module_holds_it_is_copied(way):
    model = chain(Nest, 50)
    innermost = model.modules()[-1]
    innermost.outer = model
    twin = COPIES[way](model)
    assert twin.modules()[-1].outer is twin and len(twin.modules()) == len(model.modules())


@pytest.mark.slow
@settings(max_examples=40)
@given(st.data())
def test_any_graph_of_modules_keeps_its_form_in_a_copy(data):
    modules = [Nest(weight=float(i)) for i in range(data.draw(st.integers(1, 40)))]
    for i, module in enumerate(modules[1:], 1):  # each is within one before it, so all are reached
        owner = modules[data.draw(st.integers(max(0, i - 3), i - 1))]
        owner.inner = (*owner.inner, module)
    for _ in range(data.draw(st.integers(0, 5))):
        owner, other = (data.draw(st.sampled_from(modules)) for _ in range(2))
        owner.inner = [owner.inner, {"b": other}]
    root = modules[0]
    names = {id(x): name for name, x in root.named_modules()}

    def form(model):
        held = {id(x): i for i, x in enumerate(model.modules())}

        def outline(x):
            if isinstance(x, Module):
                return held[id(x)]
            return (
                {k: outline(y) for k, y in x.items()}
                if isinstance(x, dict)
                else list(map(outline, x))
            )

        return [(x.weight.data, outline(x.inner)) for x in model.modules()]

    assert len(names) == len(modules)
    for twin in COPIES.values():
        assert form(twin(root)) == form(root)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shallow_copy_of_a_deep_model_shares_what_it_holds(kind):
    model = chain(kind)
    twin = copy.copy(model)
    assert type(twin) is kind and twin is not model
    assert kind is tg.nn.Sequential or twin.inner is model.inner


def test_a_shallow_model_is_pickled_as_always():
    model = tg.nn.MLP(2, [3], 1, generator=0)
    assert model.__reduce_ex__(4) == object.__reduce_ex__(model, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_deep_model_is_walked_through(kind):
    model, limit = chain(kind), sys.getrecursionlimit()
    weights = numbers(model)
    assert len(model.parameters()) == len(weights) and len(model.generators()) == 0
    assert len(repr(model).splitlines()) >= DEPTH and model._repr_html_()
    model.eval()
    assert not any(x.training for x in model.modules())
    model.load_state_dict({name: np.zeros_like(x) for name, x in model.state_dict().items()})
    assert not any(np.any(x) for x in numbers(model).values())
    assert model.astype(np.float64).parameters()[0].dtype == np.float64
    model.zero_grad()
    if kind is not InContainers:  # which has no forward
        depth = 200 if sys.version_info[:2] == (3, 12) else DEPTH  # it allows few calls from C
        table = tg.nn.summary(chain(kind, depth).astype(np.float32), X.shape)
        assert len(table.rows) >= depth and table.parameters == len(numbers(chain(kind, depth)))
    assert sys.getrecursionlimit() == limit
