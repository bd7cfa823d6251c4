"""Compiled code sees what changes, whatever way the function reaches it, or refuses.

Each case makes a function, and what changes around it between calls.
"""

from __future__ import annotations

import argparse
import collections
import configparser
import ctypes
import dataclasses
import enum
import functools
import importlib
import logging
import numbers
import queue
import sys
import threading
import types
import typing
import weakref

import numpy as np
import pytest
from programs import assert_equal, backends, enter_into

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import TraceError

X = np.linspace(-1.0, 1.0, 6)
CASES, REFUSED, ARGUMENTS = {}, {}, {}
case = enter_into(CASES)
refused = enter_into(REFUSED)
arguments = enter_into(ARGUMENTS)


def assign(owner, name, new):
    return lambda: setattr(owner, name, new)


def put(holder, key, new):
    return lambda: holder.__setitem__(key, new)


def text(name):
    """A name that isn't in the code of the function that uses it."""
    return name


def scale_by_all(x, held):
    for name, k in held.items():
        if not name.startswith("__"):
            x = x * k + 1
    return x


# ---- bound methods


@case
def a_bound_method_of_a_dict():
    held = {"k": 2.0}
    get, item = held.get, held.__getitem__
    return lambda x: x * get("k") + item("k"), [put(held, "k", 3.0)]


@case
def a_bound_method_of_a_dict_of_arrays():
    held = {"k": np.ones(6)}
    get = held.get
    changes = [put(held["k"], 0, 3.0), put(held, "k", np.full(6, 4.0))]
    return lambda x: x * get("k"), changes


@case
def bound_methods_of_a_set_and_an_array():
    held, array = {1}, np.ones(6)
    has, total = held.__contains__, array.sum
    return lambda x: x * total() * (2 if has(2) else 1), [put(array, 0, 3.0), lambda: held.add(2)]


@backends()
@pytest.mark.parametrize("wrap", [lambda draw: draw, lambda draw: functools.partial(draw, 1.0)])
def test_a_bound_method_of_a_generator_draws_at_each_call(wrap, backend):
    def make():
        owner = types.SimpleNamespace(draw=wrap(np.random.default_rng(3).normal))
        return lambda x: x * owner.draw(size=6)

    f, compiled = make(), tg.compile(make(), backend=backend)
    for _ in range(3):
        assert_equal(compiled(X), f(X), backend)


@refused
def a_bound_method_that_changes_a_list():
    held = []
    add = held.append

    def f(x):
        add(1)
        return x

    return f


# ---- classes


@case
def the_class_of_an_object():
    class A:
        k = 2.0

    class B:
        k = 3.0

    a = A()
    return lambda x: x * a.k, [assign(a, "__class__", B)]


@case
def the_class_of_an_object_with_arrays():
    class A:
        def __init__(self):
            self.w = np.ones(6)

        def scale(self, x):
            return x * self.w

    class B(A):
        def scale(self, x):
            return x + self.w

    a = A()
    return lambda x: a.scale(x), [assign(a, "__class__", B)]


@case
def the_class_of_a_layer():
    model = nn.Sequential(nn.Tanh())
    return lambda x: model(x), [assign(model.layers[0], "__class__", nn.Sigmoid)]


@case
def the_bases_of_a_class():
    class Root:
        pass

    class A(Root):
        k = 2.0

    class B(Root):
        k = 3.0

    class C(A):
        pass

    c = C()
    return lambda x: x * c.k, [assign(C, "__bases__", (B,))]


@case
def a_property_of_a_metaclass():
    class Meta(type):
        @property
        def k(cls):
            return 2.0

    class A(metaclass=Meta):
        pass

    return lambda x: x * A.k, [assign(Meta, "k", property(lambda cls: 3.0))]


@case
def the_subclasses_of_a_class():
    class Base:
        k = 1.0

    made = []

    def f(x):
        for kind in Base.__subclasses__():
            x = x * kind.k
        return x

    define = lambda: made.append(type("Derived", (Base,), {"k": 3.0}))
    return f, [define, lambda: setattr(made[0], "k", 4.0)]


@case
def members_of_an_enum():
    class Rate(enum.Enum):
        LOW = [2.0]  # noqa: RUF012 - that it changes is tested

    Rate.LOW.factor = 1.0
    f = lambda x: x * Rate.LOW.value[0] * Rate.LOW.factor
    return f, [put(Rate.LOW.value, 0, 3.0), assign(Rate.LOW, "factor", 5.0)]


@case
def a_cached_property_that_is_computed_once():
    class Table:
        def __init__(self):
            self.w = np.ones(6)

        @functools.cached_property
        def doubled(self):
            return self.w * 2

    table = Table()
    changes = [assign(table, "w", np.full(6, 3.0)), lambda: vars(table).pop("doubled")]
    return lambda x: x * table.doubled, changes


# ---- computed names


@case
def a_computed_attribute_of_a_class():
    class Config:
        rate = 2.0

    name, config = text("rate"), Config()
    f = lambda x: x * getattr(Config, name) + getattr(config, name)
    return f, [assign(Config, "rate", 3.0)]


@case
def all_attributes_of_a_class():
    class Config:
        a, b = 2.0, 3.0

    f = lambda x: scale_by_all(x, vars(Config))
    return f, [assign(Config, "a", 4.0), assign(Config, "c", 5.0)]


@case
def all_attributes_of_an_object():
    config = types.SimpleNamespace(a=2.0, b=3.0)
    f = lambda x: scale_by_all(x, vars(config))
    return f, [assign(config, "a", 4.0), assign(config, "c", 5.0), lambda: delattr(config, "b")]


@case
def getattr_by_another_name():
    read, config, name = getattr, types.SimpleNamespace(a=2.0), text("a")
    return lambda x: x * read(config, name), [assign(config, "a", 4.0)]


def new_module(name="a_module_of_settings"):
    module = types.ModuleType(name)
    module.a, module.b = 2.0, 3.0
    sys.modules[name] = module
    return module


@case
def a_computed_name_of_a_module():
    module, name = new_module(), text("a")
    return lambda x: x * getattr(module, name), [assign(module, "a", 4.0)]


@case
def a_computed_name_of_a_module_in_a_method():
    module, name = new_module(), text("a")

    class Scaling:
        def scale(self, x):
            return x * getattr(module, name)

    scaling = Scaling()
    return lambda x: scaling.scale(x), [assign(module, "a", 4.0)]


@case
def all_names_of_a_module():
    module = new_module()
    f = lambda x: scale_by_all(x, vars(module))
    return f, [assign(module, "a", 4.0), assign(module, "c", 5.0)]


@case
def a_module_by_import_module():
    module = new_module()
    f = lambda x: x * importlib.import_module("a_module_of_settings").a
    return f, [assign(module, "a", 4.0), lambda: assign(new_module(), "a", 5.0)()]


@case
def a_module_that_another_replaces():
    new_module()

    def f(x):
        from a_module_of_settings import a

        return x * a

    return f, [lambda: assign(new_module(), "a", 5.0)()]


@case
def the_dict_of_a_layer():
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.k, self.w = 2.0, np.ones(6)

        def forward(self, x):
            return x * self.__dict__["k"] * vars(self)["w"]

    layer = Layer()
    changes = [assign(layer, "k", 3.0), put(layer.w, 0, 4.0), assign(layer, "w", np.full(6, 5.0))]
    return lambda x: layer(x), changes


@case
def a_layer_with_another_dict():
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.k = 2.0

        def forward(self, x):
            return x * self.k

    layer = Layer()
    return lambda x: layer(x), [lambda: setattr(layer, "__dict__", {**vars(layer), "k": 3.0})]


@case
def the_name_of_a_value():
    w = tg.Value(np.ones(6), name="bias")
    return lambda x: (x * w * (2 if w.name == "bias" else 1)).data, [assign(w, "name", "weight")]


@backends()
def test_a_mode_that_is_set_and_set_back_is_no_change(backend):
    model = nn.Sequential(nn.Dropout(0.5))

    def f(x):
        model.eval()
        out = model(x)
        model.train()
        return out

    assert_equal(tg.compile(f, backend=backend)(X), X, backend)
    assert model.training


@refused
def an_attribute_of_a_computed_name_that_is_set():
    class Counter:
        k = 2.0

    counter = Counter()

    def f(x):
        setattr(counter, f"n{len(vars(counter))}", 1)
        return x * counter.k

    return f


@case
def a_global_name_that_appears_later():
    def f(x):
        try:
            return x * appears_later
        except NameError:
            return x + 1

    define = lambda: globals().__setitem__("appears_later", 3.0)
    return f, [define, lambda: globals().pop("appears_later")]


# ---- objects of Python's own classes


@case
def a_namespace_of_arguments():
    args = argparse.Namespace(k=2.0, w=np.ones(6))
    return lambda x: x * args.k * args.w, [assign(args, "k", 3.0), put(args.w, 0, 4.0)]


@case
def a_dict_in_another_order():
    owner = types.SimpleNamespace(held={"a": 2.0, "b": 3.0})
    return lambda x: scale_by_all(x, owner.held), [assign(owner, "held", {"b": 3.0, "a": 2.0})]


@case
def an_event_and_a_queue():
    event, waiting = threading.Event(), queue.Queue()
    f = lambda x: x * (2 if event.is_set() else 1) * (1 + waiting.qsize())
    return f, [event.set, lambda: waiting.put(1)]


@case
def weak_dicts():
    class Key:
        k = 2.0

    key = Key()
    by_key, by_name = weakref.WeakKeyDictionary({key: 2.0}), weakref.WeakValueDictionary(a=key)
    f = lambda x: x * by_key[key] * by_name["a"].k
    return f, [put(by_key, key, 3.0), assign(key, "k", 4.0)]


@case
def a_parser_of_configurations():
    config = configparser.ConfigParser()
    config.read_string("[a]\nk = 2")
    return lambda x: x * config.getfloat("a", "k"), [lambda: config.set("a", "k", "3")]


@case
def text_that_changes_and_the_level_of_a_log():
    log, words = logging.getLogger("reach"), collections.UserString("ab")
    log.setLevel(10)
    f = lambda x: x * len(words) * log.level
    return f, [assign(words, "data", "abc"), lambda: log.setLevel(20)]


@refused
def a_queue_that_is_emptied():
    waiting = queue.Queue()
    for k in range(9):
        waiting.put(k)
    return lambda x: x * waiting.get()


@refused
def a_number_of_ctypes():
    number = ctypes.c_double(2.0)
    return lambda x: x * number.value


@refused
def a_record():
    record = np.array([(2.0,)], [("k", "f8")])[0]
    return lambda x: x * record["k"]


@refused
def seeds_that_are_spawned():
    seeds = np.random.SeedSequence(0)
    return lambda x: x * np.random.default_rng(seeds.spawn(1)[0]).normal()


@refused
def a_file_that_numpy_reads():
    return lambda x: x * np.fromfile(__file__, "u1", 6)


@refused
def a_folder():
    import os

    return lambda x: x * len(os.listdir("."))


# ---- what stands for arguments


@arguments
def the_class_of_an_array():
    f = lambda x, k: x * 2 if isinstance(x, np.ndarray) and isinstance(k, float) else x
    return f, [(X, 2.0)]


@arguments
def the_class_of_a_number():
    return lambda x, k: x * 2 if isinstance(k, numbers.Real) and np.isscalar(k) else x, [(X, 2.0)]


@arguments
def the_class_of_a_scalar():
    f = lambda x, k: x * 2 if isinstance(k, np.floating) else x * 3
    return f, [(X, np.float64(2)), (X, np.array(2.0)), (X, np.float32(2))]


@arguments
def the_class_of_a_generator():
    def f(x, rng):
        assert isinstance(rng, np.random.Generator)
        return x + np.random.default_rng(rng).normal(size=6)

    rng = np.random.default_rng(0)
    return f, [(X, rng)] * 3


class Pair(typing.NamedTuple):
    k: object


@dataclasses.dataclass(frozen=True)
class Frozen:
    k: object


@dataclasses.dataclass(frozen=True)
class Named:
    name: str
    k: float = dataclasses.field(compare=False)


@arguments
def equal_objects_of_different_types():
    ks = [1, 1.0, True, np.float32(1)]
    x = np.arange(6)
    return lambda x, o: x * o.k, [(x, kind(k)) for kind in (Pair, Frozen) for k in ks]


@arguments
def equal_objects_of_different_content():
    return lambda x, o: x * o.k, [(X, Named("a", 1.0)), (X, Named("a", 2.0))]


@arguments
def zeros_of_both_signs():
    return lambda x, o: np.copysign(x, o.k), [(X, Frozen(0.0)), (X, Frozen(-0.0))]


@arguments
def sets_of_different_types():
    x = np.arange(6)
    return lambda x, s: x * next(iter(s)), [(x, frozenset([1])), (x, frozenset([1.0]))]


class Attributes(dict):
    __getattr__ = dict.__getitem__


@arguments
def dicts_and_lists_of_other_classes():
    class Listed(list):
        pass

    def f(x, held):
        if isinstance(held, Attributes):
            return x * held.w * held.k
        return x * (held["w"] * held["k"] if isinstance(held, dict) else held[0])

    kinds = collections.OrderedDict, Attributes, functools.partial(collections.defaultdict, float)
    calls = [(X, kind(w=np.full(6, k), k=k)) for kind in kinds for k in (2.0, 3.0)]
    return f, [*calls, (X, Listed([X, 2.0])), (X, Listed([X + 1, 2.0]))]


# ---- all of them


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_what_changes_changes_the_result(make, backend, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_module_of_settings", None)  # is removed afterwards
    f, changes = make()
    compiled = tg.compile(f, backend=backend)
    last = f(X)
    for change in [lambda: None, *changes]:
        for _ in range(2):
            assert_equal(compiled(X), last, backend)
        change()
        last, before = f(X), last
        assert change is not changes[-1] or not np.array_equal(last, before)
        assert_equal(compiled(X), last, backend)


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_watched_is_refused_with_its_line(make):
    with pytest.raises(TraceError, match=r", line \d+, in .*; "):
        tg.compile(make(), backend="numpy")(X)


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_look_as_in_eager_code(make, backend):
    f, calls = make()
    g, twins = make()
    compiled = tg.compile(g, backend=backend)
    for args, twin in [*zip(calls, twins, strict=True)] * 2:
        assert_equal(compiled(*twin), f(*args), backend)


@backends()
def test_a_static_zero_keeps_its_sign(backend):
    f = tg.compile(lambda x, k: np.copysign(x, k), static=("k",), backend=backend)
    for k in (0.0, -0.0, 0.0):
        assert_equal(f(X, k), np.copysign(X, k), backend)


def test_a_traced_number_is_no_key():
    f = tg.compile(lambda x, k: x * {1.0: 2.0}.get(k, 3.0), backend="numpy")
    with pytest.raises(TraceError, match="value of a traced number"):
        f(X, 1.0)
