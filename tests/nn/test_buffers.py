"""Buffers of modules, and errors that tell the way to a layer."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.nn import Linear, Module, Sequential


class Counting(Module):
    """A parameter, buffers in an attribute, a dict and a tuple, and what is none."""

    def __init__(self):
        self.scale = tg.Value(np.ones(2))
        self.mean = np.zeros(2)
        self.count = np.zeros((), np.int64)
        self.tables = {"low": np.zeros(1), "rest": (np.zeros(1), [np.zeros(3)])}
        self._cache = [np.zeros(9)]
        self.generator = np.random.default_rng(0)

    def forward(self, x):
        self.mean = 0.5 * self.mean + 0.5 * np.asarray(x).mean(axis=0)
        self.count = self.count + 1
        return x * self.scale


BUFFERS = ["mean", "count", "tables.low", "tables.rest.0", "tables.rest.1.0"]


def test_arrays_are_buffers_unless_their_name_is_private():
    assert [name for name, _ in Counting().named_buffers()] == BUFFERS


def test_buffers_are_no_parameters():
    assert [name for name, _ in Counting().named_parameters()] == ["scale"]


def test_the_state_has_buffers_after_parameters_and_in_copies():
    model = Counting()
    state = model.state_dict()
    assert list(state) == ["scale", *BUFFERS]
    state["mean"] += 1
    assert model.mean.tolist() == [0, 0]


def test_buffers_that_forward_rebound_are_loaded_too():
    first, second = Counting(), Counting()
    for _ in range(3):
        first(np.ones((4, 2)))
    first.tables["rest"][0][:] = 7
    second.load_state_dict(first.state_dict())
    assert second.count == 3 and second.mean.tolist() == [0.875, 0.875]
    assert second.tables["rest"][0] == [7]


def test_a_missing_or_misshapen_buffer_is_named_and_nothing_changes():
    model = Counting()
    state = {**model.state_dict(), "scale": np.zeros(2), "mean": np.zeros(5)}
    del state["count"]
    with pytest.raises(ArgumentError, match=r"count is missing; mean has shape \(5,\), not \(2,\)"):
        model.load_state_dict(state)
    assert model.scale.tolist() == [1, 1]


def test_the_generators_of_layers_are_found_once():
    model = Sequential(Counting(), Counting())
    model[1].generator = model[0].generator
    assert model.generators() == [model[0].generator]


def test_a_copy_of_a_model_has_buffers_and_generators_of_its_own():
    model = Counting()
    twin = copy.deepcopy(model)
    twin(np.ones((1, 2)))
    assert model.count == 0 and twin.generators() != model.generators()


def test_a_model_changes_its_dtype_with_its_buffers():
    model = Counting().astype(np.float32)
    model(np.ones((1, 2)))
    assert model.scale.dtype == np.float32 and model.count.dtype == np.int64
    assert model.tables["rest"][1][0].dtype == np.float32 and model.scale.grad is None
    with pytest.raises(DtypeError, match=r"Counting\.astype: dtype must be a floating dtype"):
        model.astype(int)


class Pair(Module):
    """Two towers, under names of their own."""

    def __init__(self):
        self.left = Sequential(Linear(2, 3), Sequential(np.tanh, Linear(4, 1)))

    def forward(self, x):
        return self.left(x)


def test_an_error_in_a_layer_tells_the_path_to_it_once():
    expected = r"^left\.layers\.1\.layers\.1: Linear\(4, 1\): x must have shape \(\.\.\., 4\)"
    with pytest.raises(ShapeError, match=expected):
        Pair()(np.ones((5, 2)))


def test_an_error_in_the_module_itself_has_no_path():
    with pytest.raises(ShapeError, match=r"^Linear\(4, 1\)"):
        Linear(4, 1)(np.ones((5, 2)))
