"""Objects from outside of a compiled function are never stale: changes are seen."""

from __future__ import annotations

import functools
import sys
import types

import numpy as np
import pytest
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value, nn

X = np.linspace(-1.0, 1.0, 6)
SETTINGS = types.SimpleNamespace(scale=2.0, flag=True, table=np.arange(3.0))
SCALE, TABLE, ONES = 2.0, np.array([1.0, 2.0, 3.0]), np.ones(6)


def global_number(x):
    return x * SCALE


def global_array(x):
    return x[:3] * TABLE


def attribute_number(x):
    return x * SETTINGS.scale


def attribute_flag(x):
    return x * 2 if SETTINGS.flag else x * 3


def attribute_array(x):
    return x[:3] * SETTINGS.table


def helper(x):
    return x * SCALE


def through_another_function(x):
    return helper(x) + 1


def through_a_comprehension(x):
    return sum(x * SCALE for _ in range(3))


OUTSIDE = {
    global_number: ("SCALE", 3.0),
    global_array: ("TABLE", np.array([7.0, 8.0, 9.0])),
    attribute_number: (SETTINGS, "scale", 3.0),
    attribute_flag: (SETTINGS, "flag", False),
    attribute_array: (SETTINGS, "table", np.array([7.0, 8.0, 9.0])),
    through_another_function: ("helper", lambda x: x * 5),
    through_a_comprehension: ("SCALE", 5.0),
}


@backends()
@pytest.mark.parametrize("f", OUTSIDE, ids=lambda f: f.__name__)
def test_c5_what_the_function_finds_outside_is_never_stale(f, backend, monkeypatch):
    compiled = tg.compile(f, backend=backend)
    assert_equal(compiled(X), f(X), backend)
    *where, new = OUTSIDE[f]
    where = where if len(where) == 2 else [sys.modules[__name__], *where]
    before = f(X)
    monkeypatch.setattr(*where, new)
    assert_equal(compiled(X), f(X), backend)
    assert not np.array_equal(f(X), before)
    monkeypatch.undo()
    assert_equal(compiled(X), before, backend)


@backends()
def test_c5_an_outer_array_changed_in_place_is_seen(backend):
    table, nested = np.ones(6), {"a": [np.ones(6)]}
    f = lambda x: x * table + nested["a"][0]
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(X), f(X), backend)
        table += 1
        nested["a"][0] *= 2


@backends()
def test_c5_an_entry_of_an_outer_list_or_dict_that_is_replaced_is_seen(backend):
    numbers, arrays = {"a": 2.0}, [np.ones(6)]
    f = lambda x: x * numbers["a"] + arrays[0]
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(X), f(X), backend)
        numbers["a"] += 1
        arrays[0] = arrays[0] * 2


@backends()
def test_c5_a_variable_of_a_closure_that_is_rebound_is_seen(backend):
    scale, array = 2.0, np.ones(6)
    f = lambda x: x * scale + array
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(X), f(X), backend)
        scale, array = scale + 1, array * 2
    array = np.ones((2, 6))
    assert_equal(compiled(X), f(X), backend)


@backends()
def test_c5_defaults_and_partial_arguments_are_seen(backend):
    def f(x, scale=SETTINGS.scale, *, shift=ONES):
        return x * scale + shift

    bound = functools.partial(f, scale=np.full(6, 2.0))
    assert_equal(tg.compile(f, backend=backend)(X), f(X), backend)
    compiled = tg.compile(bound, backend=backend)
    assert_equal(compiled(X), bound(X), backend)
    bound.keywords["scale"][0] = 9.0
    assert_equal(compiled(X), bound(X), backend)


line = functools.partial(nn.Linear, dtype=np.float64, generator=0)
MODES = {
    "eval": lambda model: model.eval(),
    "a layer's training": lambda model: setattr(model.layers[1], "training", False),
    "p": lambda model: setattr(model.layers[1], "p", 0.25),
    "a layer replaced": lambda model: model.layers.__setitem__(2, line(4, 3)),
    "a layer added": lambda model: model.layers.append(nn.Tanh()),
}  # fmt: skip


@backends()
@pytest.mark.parametrize("change", MODES.values(), ids=MODES)
def test_c5_what_changes_in_a_model_is_seen(change, backend):
    def make():
        return nn.Sequential(line(6, 4), nn.Dropout(0.5, generator=1), line(4, 2))

    eager, twin = make(), make()
    compiled = tg.compile(lambda x: twin(x).data, backend=backend)
    for number in range(4):
        assert_equal(compiled(X[None]), eager(X[None]).data, backend)
        if number == 1:
            change(eager), change(twin)


@backends()
def test_c5_what_a_users_layer_finds_outside_is_seen(backend, monkeypatch):
    class Scaling(nn.Module):
        def __init__(self):
            self.weight = Value(np.full(6, 2.0))

        def forward(self, x):
            return x * self.weight * SCALE

    model = Scaling()
    compiled = tg.compile(lambda x: model(x).data, backend=backend)
    assert_equal(compiled(X), model(X).data, backend)
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    assert_equal(compiled(X), model(X).data, backend)


def test_c5_a_method_of_a_class_that_is_replaced_is_seen(monkeypatch):
    class Shifting(nn.Module):
        def forward(self, x):
            return x + 1

    model = Shifting()
    compiled = tg.compile(lambda x: model(x), backend="numpy")
    assert_equal(compiled(X), X + 1, "numpy")
    monkeypatch.setattr(Shifting, "forward", lambda self, x: x - 2)
    assert_equal(compiled(X), X - 2, "numpy")


def test_a_cached_property_that_is_traced_is_kept_by_its_object():
    class Table:
        def __init__(self):
            self.w = np.ones(6)

        @functools.cached_property
        def doubled(self):
            return self.w * 2

    table = Table()
    np.testing.assert_array_equal(tg.compile(lambda x: x * table.doubled)(X), X * 2)
    np.testing.assert_array_equal(vars(table)["doubled"], np.full(6, 2.0))
