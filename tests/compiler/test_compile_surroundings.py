"""Whatever a compiled function reads outside itself, it reads as eager code does, or is refused.

Each case makes a function and what changes around it between calls.
"""

from __future__ import annotations

import abc
import array
import builtins
import collections
import contextlib
import contextvars
import dataclasses
import datetime
import functools
import itertools
import operator
import os
import random
import sys
import threading
import time
import types
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_equal, backends, enter_into

import tinygrad_lr as tg
from tinygrad_lr import Value, nn
from tinygrad_lr.errors import TraceError

X = np.linspace(-1.0, 1.0, 6)
SCALE, ARRAY = 2.0, np.ones(6)
CASES, REFUSED = {}, {}
case = enter_into(CASES)
refused = enter_into(REFUSED)


def assign(holder, key, new):
    """The change that puts something else under a key, a position or an attribute."""
    by_item = isinstance(
        holder, (dict, list, np.ndarray, collections.deque, array.array, bytearray)
    )
    return lambda: operator.setitem(holder, key, new) if by_item else setattr(holder, key, new)


def set_global(name, new):
    return assign(globals(), name, new)


# ---- objects and classes


class Node:
    """An object with an array, known by its identity."""

    def __init__(self, k, *children):
        self.k, self.w, self.children = k, X * k, children


@case
def objects_that_are_keys():
    a, b = Node(2.0), Node(3.0)
    found, members, nested = {a: 2.0, b: 3.0}, {a}, {("a", a): X}
    arrays = {a: X * 2, b: X * 3}

    def f(x):
        y = x * found.get(a, 1.0) + arrays[b] * (2 if a in members else 3) + nested.get(("a", a), 0)
        return y * a.w + sum(k.w * v for k, v in arrays.items())

    changes = [assign(found, a, 5.0), lambda: members.clear(), assign(a.w, 0, 3.0)]
    return f, [*changes, assign(arrays[b], 1, 7.0), assign(b, "w", X), lambda: nested.clear()]


@case
def objects_behind_weak_references():
    a = Node(2.0)
    weak, keys = weakref.ref(a), weakref.WeakKeyDictionary({a: 2.0})
    f = lambda x: x * a.w * (2 if weak() is a else 3) + keys.get(a, 1.0) * weak().w
    return f, [assign(a.w, 0, 3.0), lambda: keys.update({a: 5.0}), assign(a, "w", X + 1)]


@case
def a_walk_through_a_graph():
    leaf = Node(2.0)
    root = Node(3.0, leaf, Node(4.0, leaf))
    costs = {id(leaf): 2.0, id(root): 3.0}

    def f(x):
        seen, waiting, out = set(), [root], x
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += node.children
                out = out * node.w + costs.get(id(node), 1.0)
        return out

    return f, [assign(leaf.w, 0, 3.0), assign(costs, id(leaf), 5.0), assign(root, "children", ())]


@case
def a_cache_by_objects():
    a = Node(2.0)
    factor = functools.lru_cache(lambda node: node.k)
    factor(a)
    return lambda x: x * factor(a) * a.w, [assign(a, "k", 5.0), lambda: factor.cache_clear()]


@case
def attributes_of_functions():
    def g(x):
        return x * g.k + getattr(g, "bias", 0.0)

    g.k = X * 2
    changes = [assign(g.k, 0, 3.0), assign(g, "k", 3.0), assign(g, "bias", 1.0)]
    return lambda x: g(x), [*changes, lambda: delattr(g, "bias")]


@case
def attributes_of_methods():
    class Scaling:
        def scale(self, x):
            return x * type(self).scale.k

    Scaling.scale.k, owner = 2.0, Scaling()
    return lambda x: owner.scale(x), [assign(Scaling.scale, "k", 3.0)]


@case
def attributes_that_a_class_gets_later():
    class Meta(type):
        k = 2.0

        def __getattr__(cls, name):
            return len(name)

    class Base:
        def __getattr__(self, name):
            return 2.0 if name == "rate" else object.__getattribute__(self, name)

    made, other = Meta("Made", (), {}), type("Other", (Base,), {})
    one = other()

    def f(x):
        return x * made.k * made.factor * one.rate * getattr(one, "bias", 3.0)

    changes = [assign(made, "k", 3.0), assign(made, "factor", 7.0), assign(Base, "rate", 5.0)]
    return f, [*changes, assign(other, "rate", 7.0), assign(other, "bias", 11.0)]


@case
def names_among_the_builtins():
    def f(x):
        try:
            return x * AN_ADDED_BUILTIN
        except NameError:
            return x

    held = vars(builtins)
    held.pop("AN_ADDED_BUILTIN", None)
    return f, [
        *(assign(held, "AN_ADDED_BUILTIN", x) for x in (2.0, X.copy())),
        lambda: held["AN_ADDED_BUILTIN"].__imul__(2),
        lambda: held.pop("AN_ADDED_BUILTIN"),
    ]


@case
def a_class_attribute():
    class Config:
        scale, table = 2.0, np.ones(6)

    changes = [assign(Config, "scale", 3.0), assign(Config.table, 0, 5.0)]
    return lambda x: x * Config.scale + Config.table * 2, [
        *changes,
        assign(Config, "table", np.full(6, 3.0)),
    ]


@case
def an_inherited_class_attribute():
    class Base:
        scale = 2.0

    class Config(Base):
        pass

    return lambda x: x * Config().scale, [assign(Base, "scale", 3.0), assign(Config, "scale", 4.0)]


@case
def slots():
    class Slotted:
        __slots__ = ("k", "w")

        def __init__(self):
            self.k, self.w = 2.0, np.ones(6)

    s = Slotted()
    changes = [assign(s, "k", 3.0), assign(s.w, 0, 9.0), assign(s, "w", np.full(6, 4.0))]
    return lambda x: x * s.k + s.w * 2, changes


@case
def properties():
    class Scaling:
        def __init__(self):
            self._k, self.w = 2.0, np.ones(6)

        @property
        def k(self):
            return self._k * SCALE

        @functools.cached_property
        def v(self):
            return 3.0

    s = Scaling()
    assert s.v == 3.0
    changes = [assign(s, "_k", 3.0), set_global("SCALE", 5.0), assign(s.w, 0, 9.0)]
    return lambda x: x * s.k * s.v + s.w * 2, changes


@case
def a_descriptor_and_getattr():
    class Reading:
        def __get__(self, owner, kind):
            return SCALE

    class Holder:
        d = Reading()

        def __getattr__(self, name):
            return SCALE * len(name)

    h = Holder()
    changes = [set_global("SCALE", 5.0), assign(h, "other", 1.0)]
    return lambda x: x * h.d + h.other, changes


@case
def an_attribute_by_text():
    o = types.SimpleNamespace(k=2.0)
    return lambda x: x * getattr(o, "".join("k")) * getattr(o, "new", 1.0), [
        assign(o, "k", 3.0),
        assign(o, "new", 2.0),
    ]


@case
def attributes_by_getters_and_vars():
    o = types.SimpleNamespace(k=2.0, j=1.0)
    read = operator.attrgetter("k")
    return lambda x: x * read(o) + vars(o)["j"], [assign(o, "k", 3.0), assign(o, "j", 4.0)]


@case
def a_callable_object():
    class Scaling:
        def __init__(self):
            self.k, self.w = 2.0, np.ones(6)

        def __call__(self, x):
            return x * self.k + self.w * 2 * SCALE

    s = Scaling()
    return s, [assign(s, "k", 3.0), assign(s.w, 0, 9.0), set_global("SCALE", 4.0)]


@case
def operators_of_a_class():
    class Table:
        def __getitem__(self, i):
            return SCALE * i

        def __len__(self):
            return int(SCALE)

        def __mul__(self, x):
            return x * (ARRAY * 2)

    t = Table()
    changes = [
        set_global("SCALE", 4.0),
        assign(ARRAY, 0, 7.0),
        assign(Table, "__len__", lambda _: 9),
    ]
    return lambda x: (t * x) * t[3] + len(t), changes


@case
def a_method_through_super():
    class Base:
        def f(self, x):
            return x * SCALE * (ARRAY * 2) * self.q

    class Derived(Base):
        def __init__(self):
            self.q, self.w = 2.0, np.ones(6)

        def f(self, x):
            return super().f(x) + self.w * 2

    d = Derived()
    changes = [set_global("SCALE", 7.0), assign(ARRAY, 0, 3.0), assign(d, "q", 5.0)]
    return lambda x: d.f(x), [*changes, assign(d.w, 1, 8.0)]


@case
def a_class_method_and_a_property_of_a_class():
    class Kind(type):
        @property
        def z(cls):
            return cls._z

    class Single(metaclass=Kind):
        _z, made = 2.0, None

        @classmethod
        def get(cls):
            return cls.made

    Single.made = types.SimpleNamespace(k=1.0)
    changes = [assign(Single, "_z", 3.0), assign(Single.made, "k", 4.0)]
    return lambda x: x * Single.z + Single.get().k, changes


@case
def a_frozen_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Config:
        w: np.ndarray
        k: float = 2.0

    held = {"c": Config(np.ones(6))}
    changes = [assign(held["c"].w, 0, 9.0), assign(held, "c", Config(np.ones(6), 3.0))]
    return lambda x: x * (held["c"].w * 2) * held["c"].k, changes


@case
def a_method_that_is_replaced():
    class Scaling:
        def f(self, x):
            return x * 2

    s = Scaling()
    changes = [assign(Scaling, "f", lambda self, x: x * 5), assign(s, "f", lambda x: x * 7)]
    return lambda x: s.f(x), changes


# ---- containers


@case
def a_named_tuple():
    Pair = collections.namedtuple("Pair", "a b")
    held = [Pair(2.0, np.ones(6))]
    changes = [assign(held[0].b, 0, 9.0), assign(held, 0, Pair(3.0, held[0].b))]
    return lambda x: x * held[0].a + held[0].b * 2, changes


@case
def arrays_that_numpy_reads_first():
    w, nest = np.ones(6), {"a": [np.ones(6), "relu"]}
    f = lambda x: w * 2 * x + w[0] * x + w.sum() * x + np.where(w > 2, 1.0, 0.0)
    g = lambda x: f(x) + nest["a"][0] * 2 + nest["a"][0].sum() * len(nest["a"][1])
    changes = [assign(w, 0, 5.0), lambda: operator.imul(w, 2), assign(nest["a"][0], 1, 4.0)]
    return g, [*changes, assign(nest["a"], 1, "tanh"), assign(nest, "a", [np.zeros(6), ""])]


@case
def numbers_that_tracing_needs():
    table, mask, rows = np.array([1.0, 2.0, 3.0]), np.arange(6) % 2 > 0, np.array([0, 2])
    config = types.SimpleNamespace(w=np.ones(6))

    def f(x):
        y = x * 2 if table.sum() > 5 else x
        y = y + np.ascontiguousarray(config.w) * float(table[0])
        return y * x[mask].sum() + len(np.unique(table)) + x[rows].sum()

    changes = [assign(table, 0, -9.0), assign(mask, 0, True), assign(config.w, 0, 4.0)]
    return f, [*changes, assign(table, 1, 3.0), assign(rows, 0, 1)]


@case
def a_default_dict():
    d = collections.defaultdict(lambda: 3.0, a=2.0)
    return lambda x: x * d["a"], [assign(d, "a", 4.0)]


@case
def deques():
    d, arrays = collections.deque([1.0, 2.0]), collections.deque([np.ones(6)])
    changes = [lambda: d.appendleft(4.0), d.rotate, assign(arrays[0], 1, 5.0)]
    return lambda x: x * d[0] + arrays[0] * 2, changes


@case
def sets_and_views_of_a_dict():
    s, d = {1.0}, {"a": 2.0}
    values = d.values()
    changes = [lambda: s.add(4.0), assign(d, "b", 5.0), assign(d, "a", 6.0)]
    return lambda x: x * sum(s) + sum(values), changes


@case
def buffers():
    a, b = array.array("d", [1.0, 2.0]), bytearray(b"ab")
    view = memoryview(b)
    changes = [assign(a, 0, 5.0), assign(b, 0, 5), assign(b, 1, 7)]
    return lambda x: x * a[0] + b[0] + view[1], changes


@case
def subclasses_of_containers():
    class OwnDict(dict):
        k = 3.0

    class OwnList(list):
        pass

    d, a = OwnDict(a=2.0, w=np.ones(6)), OwnList([2.0])
    a.k = 1.0
    changes = [lambda: d.update(a=4.0), assign(d["w"], 0, 4.0), assign(d, "k", 6.0)]
    changes[2] = lambda: setattr(d, "k", 6.0)
    return lambda x: x * d["a"] * d.k + d["w"] * 2 + a[0] * a.k, [
        *changes,
        lambda: a.append(1.0) or a.__setitem__(0, 9.0),
        lambda: setattr(a, "k", 5.0),
    ]


@case
def a_long_and_a_deep_list():
    long, deep = [float(i) for i in range(3000)], [[[[[[[2.0]]]]]]]
    changes = [assign(long, 2500, 1.0), assign(deep[0][0][0][0][0][0], 0, 5.0)]
    return lambda x: x * long[2500] + deep[0][0][0][0][0][0][0], changes


@case
def a_number_of_another_type():
    held = [1]
    return lambda x: np.add(held[0], held[0]) * x, [assign(held, 0, True), assign(held, 0, 1.0)]


@case
def a_masked_array():
    a = np.ma.array(np.ones(6), mask=[1, 0, 0, 0, 0, 0])
    return lambda x: x * a.filled(3.0), [lambda: a.mask.__setitem__(0, False)]


# ---- functions


@case
def mutable_defaults():
    def f(x, k=[2.0], *, w=np.ones(6)):  # noqa: B006, B008
        return x * k[0] + w * 2

    changes = [assign(f.__defaults__[0], 0, 5.0), assign(f, "__defaults__", ([7.0],))]
    return f, [*changes, assign(f.__kwdefaults__["w"], 0, 8.0)]


@case
def partial_functions():
    p = functools.partial(lambda s, x, k: x * s * k, 2.0, k=np.ones(6))
    q = functools.partial(lambda w, x: x * w.sum(), np.ones(3))
    changes = [assign(p.keywords["k"], 0, 4.0), assign(p.keywords, "k", np.full(6, 2.0))]
    return lambda x: p(x) + q(x), [*changes, assign(q.args[0], 0, 3.0)]


@case
def closures_in_a_list():
    def make(k):
        a = np.full(6, k)

        def inner(x):
            return x * (a * 2) * k

        def set_k(new):
            nonlocal k
            k = new

        inner.a, inner.set_k = a, set_k
        return inner

    f = make(2.0)
    held = [f]
    changes = [assign(f.a, 0, 9.0), lambda: f.set_k(5.0), assign(held, 0, make(3.0))]
    return lambda x: held[0](x), changes


@case
def a_decorated_function():
    def counting(f):
        factor = [1.0]

        @functools.wraps(f)
        def g(x):
            return f(x) * factor[0]

        g.factor = factor
        return g

    @counting
    def f(x):
        return x * SCALE

    return f, [assign(f.factor, 0, 3.0), set_global("SCALE", 5.0)]


@case
def a_function_with_a_cache():
    @functools.lru_cache
    def table(n):
        return np.eye(6) * n * SCALE

    changes = [set_global("SCALE", 9.0), table.cache_clear, lambda: assign(table(2), (0, 0), 4.0)()]
    return lambda x: table(2) @ x + (table(2) * 2) @ x, changes


@case
def a_single_dispatch():
    @functools.singledispatch
    def f(x):
        return x * SCALE

    return lambda x: f(x), [set_global("SCALE", 6.0)]


@case
def a_compiled_function_within():
    inner = tg.compile(lambda x: x * SCALE + ARRAY * 2, backend="numpy")
    return lambda x: inner(x) + 1, [set_global("SCALE", 6.0), assign(ARRAY, 0, 3.0)]


@case
def a_gradient_of_a_closure():
    w = np.ones(6)
    df = tg.grad(lambda x: np.sum(x**2) * SCALE * np.sum(w * 2))
    return lambda x: df(x), [set_global("SCALE", 6.0), assign(w, 0, 3.0)]


@case
def builtins_that_call_back():
    held = [1.0, 2.0]
    changes = [lambda: held.append(3.0), set_global("SCALE", -6.0)]
    return (
        lambda x: (
            sum(map(lambda k: x * k * SCALE, held))  # noqa: C417
            + sorted(held, key=lambda k: -k * SCALE)[0]
        ),
        changes,
    )


@case
def names_of_a_text():
    return lambda x: x * eval("SCALE") + globals()["SCALE"], [set_global("SCALE", 6.0)]


@case
def a_builtin_that_is_shadowed():
    return lambda x: x * abs(-2.0), [set_global("abs", lambda x: 7.0), lambda: globals().pop("abs")]


# ---- modules and the system


@case
def another_module():
    module = types.ModuleType("another")
    exec("def f(x): return x * k + w * 2", vars(module))
    module.k, module.w = 2.0, np.ones(6)
    changes = [assign(module, "k", 3.0), assign(module.w, 0, 4.0)]
    return lambda x: module.f(x) + module.w * 2 * module.k, changes


@case
def a_module_that_is_imported_inside():
    module = sys.modules.setdefault("own_settings_of_a_test", types.ModuleType("own_settings"))
    module.k, module.w = 2.0, np.ones(6)

    def f(x):
        import own_settings_of_a_test
        from own_settings_of_a_test import w

        return x * own_settings_of_a_test.k + w * 2

    return f, [assign(module, "k", 3.0), assign(module.w, 0, 4.0)]


@case
def the_environment():
    os.environ["TINYGRAD_LR_TEST"] = "2.0"
    change = lambda: os.environ.__setitem__("TINYGRAD_LR_TEST", "3.0")
    return lambda x: x * float(os.environ["TINYGRAD_LR_TEST"]), [change]


@case
def context_variables_and_thread_locals():
    variable, local = contextvars.ContextVar("v", default=2.0), threading.local()
    local.k = 2.0
    return lambda x: x * variable.get() + local.k, [
        lambda: variable.set(3.0),
        assign(local, "k", 4.0),
    ]


@case
def weak_references():
    o = types.SimpleNamespace(k=2.0)

    class Kept:
        k = 1.0

    kept = Kept()
    reference = weakref.ref(kept)
    return lambda x: x * reference().k * o.k, [assign(kept, "k", 3.0), assign(o, "k", 4.0)]


# ---- models


@case
def everything_in_a_module():
    class Layer(nn.Module):
        factor, table = 2.0, np.ones(6)

        def __init__(self):
            self.settings = {"k": 2.0, "n": [1.0]}
            self.mixed, self.functions = (np.ones(6), "x"), [lambda x: x * 2]
            self.config = types.SimpleNamespace(k=1.0, w=np.ones(6))
            self.weight = Value(np.ones(6))

        def forward(self, x):
            found = x * self.settings["k"] * self.settings["n"][0] * self.factor * SCALE
            found = found + self.mixed[0] * 2 + self.table * 2 + ARRAY * 2
            return self.functions[0](found + self.config.w * 2 * self.config.k) * self.weight

    m = Layer()
    changes = [
        assign(m.settings, "k", 3.0),
        assign(m.settings["n"], 0, 3.0),
        assign(m.mixed[0], 0, 3.0),
        assign(m.functions, 0, lambda x: x * 3),
        assign(m.config, "k", 3.0),
        assign(m.config.w, 0, 3.0),
        assign(Layer, "factor", 3.0),
        lambda: setattr(m, "factor", 4.0),
        assign(Layer.table, 0, 3.0),
        set_global("SCALE", 3.0),
        assign(ARRAY, 1, 3.0),
        assign(Layer, "forward", lambda self, x: x * self.weight),
    ]
    return lambda x: m(x).data, changes


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_what_changes_outside_changes_the_result(make, backend, monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    monkeypatch.setitem(globals(), "ARRAY", np.ones(6))
    f, changes = make()
    compiled = tg.compile(f, backend=backend)
    found = [compiled(X)]
    assert_equal(found[0], f(X), backend)
    for change in changes:
        change()
        found.append(f(X))
        for _ in range(2):
            assert_equal(compiled(X), found[-1], backend)
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(found))


# ---- arguments


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
def test_what_changes_in_an_argument_changes_the_result(backend):
    class Config:
        def __init__(self):
            self.k, self.w, self.f = 2.0, np.ones(6), lambda x: x * 2
            self.nest = {"a": np.ones(6), "b": 1.0}

    def f(x, config, settings, g=None):
        out = config.f(x) * config.k + config.w * 2 + config.nest["a"] * 2 * config.nest["b"]
        out = out + settings["w"] * 2 * settings["n"] + settings["config"].k
        return out if g is None else g(out)

    config, w = Config(), np.ones(6)
    settings = {"w": np.ones(6), "n": 2, "config": config}
    compiled = tg.compile(f, backend=backend)
    changes = [
        *(assign(config, "k", 3.0), assign(config.w, 0, 9.0), assign(config, "f", lambda x: x * 5)),
        *(assign(config.nest["a"], 0, 7.0), assign(config.nest, "b", 8.0)),
        *(assign(settings["w"], 0, 3.0), assign(settings, "n", 5), assign(w, 0, 5.0)),
    ]
    g = lambda x: x + w * 2
    for change in [lambda: None, *changes]:
        change()
        assert_equal(compiled(X, config, settings), f(X, config, settings), backend)
        assert_equal(compiled(X, config, settings, g), f(X, config, settings, g), backend)


# ---- results


@backends()
def test_results_from_outside_are_themselves_and_constants_are_new_arrays(backend):
    config, numbers = types.SimpleNamespace(w=np.ones(6), k=2.0), [1.0]
    f = lambda x: (x * config.w, config, numbers, np.zeros(2), "text", None, 3)
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        found, same, listed, zeros, *rest = compiled(X)
        assert_equal(found, X, backend)
        assert same is config and listed == [1.0] and rest == ["text", None, 3]
        np.testing.assert_array_equal(zeros, [0.0, 0.0])
        zeros[0] = 9.0


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x, {1.0, 2.0}),
        lambda x: (x, types.SimpleNamespace(k=1.0)),
        lambda x: (x, bytearray(b"a")),
        lambda x: (x, (y for y in [1.0])),
        lambda x: (x, lambda y: y),
    ],
)
def test_a_result_that_would_be_made_only_once_is_refused(f):
    with pytest.raises(TraceError, match="must return arrays, numbers, texts, or lists"):
        tg.compile(f, backend="numpy")(X)


# ---- randomness


@backends()
def test_generators_draw_at_each_call_wherever_they_come_from(backend):
    def make():
        o = types.SimpleNamespace(rng=np.random.default_rng(5))
        held = {"rng": np.random.default_rng(6)}
        default = np.random.default_rng(7)

        def f(x, rng, d, third=default):
            out = x[rng.permutation(6)] * d["rng"].normal(size=6) + o.rng.normal()
            return out * third.uniform() * np.random.default_rng(3).normal()

        return f, np.random.default_rng(8), held

    (f, rng, held), (g, twin, twins) = make(), make()
    compiled = tg.compile(f, backend=backend)
    for _ in range(4):
        assert_equal(compiled(X, rng, held), g(X, twin, twins), backend)


STATE = np.random.RandomState(0)


@refused
def whether_arrays_share_memory():
    w = X.copy()
    part = w[1:]
    return lambda x: x * (2 if np.shares_memory(w, part) else 3)


@refused
def whether_a_slice_may_share_memory():
    return lambda x: x * np.may_share_memory(x, x[1:])


@refused
def an_array_by_its_id():
    held = {id(ARRAY): 2.0}
    return lambda x: x * held.get(id(ARRAY), 3.0)


@refused
def a_counter_on_a_function():
    def count(x):
        count.calls += 1
        return x * count.calls

    count.calls = 0
    return lambda x: count(x)


@refused
def global_draws():
    return lambda x: x * np.random.rand(6)  # noqa: NPY002


@refused
def a_global_permutation():
    return lambda x: x[np.random.permutation(6)]  # noqa: NPY002


@refused
def a_random_state():
    return lambda x: x * STATE.normal()


@refused
def draws_of_the_random_module():
    return lambda x: x * random.random()


@refused
def draws_of_a_random_object():
    r = random.Random(0)
    return lambda x: x * r.gauss(0, 1)


@refused
def a_generator_without_seed():
    return lambda x: x * np.random.default_rng().normal()


@refused
def the_time():
    return lambda x: x * time.time()


@refused
def the_date():
    return lambda x: x * datetime.datetime.now().microsecond


@refused
def the_systems_randomness():
    return lambda x: x * os.urandom(1)[0]


@refused
def a_file():
    return lambda x: x * len(os.fspath(__file__)) * _length_of(__file__)


def _length_of(path):
    with open(path) as file:
        return len(file.read())


@refused
def a_list_that_grows():
    held = []
    return lambda x: (held.append(1), x * len(held))[1]


@refused
def a_counter():
    held = {"n": 0}

    def f(x):
        held["n"] += 1
        return x * held["n"]

    return f


@refused
def an_attribute_that_is_set():
    o = types.SimpleNamespace(n=0, w=np.ones(6))

    def f(x):
        o.n += 1
        return x * o.n * o.w

    return f


@refused
def a_class_attribute_that_is_set():
    class Count:
        n = 0

    def f(x):
        Count.n += 1
        return x * Count.n

    return f


@refused
def a_masked_array_in_a_layer():
    class Scale(nn.Module):
        def __init__(self):
            self.w = np.ma.array(np.ones(6), mask=[1, 0, 0, 0, 0, 0])

        def forward(self, x):
            return x * self.w

    model = Scale()
    return lambda x: model(x)


@refused
def a_refusal_that_is_caught():
    def f(x):
        try:
            if x.sum() > 0:
                return x
        except TypeError:
            pass
        return x * 2

    return f


@refused
def a_refusal_that_is_suppressed():
    def f(x):
        with contextlib.suppress(Exception):
            return x if float(x.sum()) > 0 else -x
        return x * 2

    return f


@refused
def a_refusal_behind_a_default():
    return lambda x: x * (2 if getattr(x, "tolist", None) and _has_numbers(x) else 3)


def _has_numbers(x):
    try:
        return bool(np.asarray(x).size)
    except Exception:
        return False


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_would_be_computed_once_is_refused_with_its_line(make):
    f = make()
    compiled = tg.compile(f, backend="numpy")
    for _ in range(2):
        with pytest.raises(TraceError, match=r"test_compile_surroundings\.py, line \d+, in .*; "):
            compiled(X)


@pytest.mark.parametrize(
    "held",
    [iter([1.0]), itertools.count(), (x for x in [1.0]), np.ones(2).flat],
    ids=lambda x: type(x).__name__,
)
def test_an_iterator_that_tracing_would_use_up_is_refused(held):
    with pytest.raises(TraceError, match="is an iterator, which a trace uses up"):
        tg.compile(lambda x: x * next(held), backend="numpy")(X)


def test_a_refusal_changes_nothing_and_the_next_call_is_judged_anew():
    held = types.SimpleNamespace(draw=True)
    compiled = tg.compile(lambda x: x * (random.random() if held.draw else 2.0), backend="numpy")
    with pytest.raises(TraceError, match="must not draw from random"):
        compiled(X)
    held.draw = False
    assert_equal(compiled(X), X * 2.0, "numpy")


def test_a_profiler_goes_on_after_a_trace():
    import cProfile

    profile = cProfile.Profile()
    with profile:
        tg.compile(lambda x: x * SCALE, backend="numpy")(X)
        _length_of(__file__)
    names = {entry.code if isinstance(entry.code, str) else entry.code.co_name
             for entry in profile.getstats()}  # fmt: skip
    assert "_length_of" in names


# ---- random programs: what they read, and what changes


class Box:
    """An object with what programs read."""

    def __init__(self, numbers, arrays):
        self.number, self.numbers = numbers[0], numbers
        self.array, self.arrays = arrays[0], {"a": arrays[1], "more": [arrays[2]]}
        self.function = lambda x: x * numbers[1] + arrays[3]


READS = {
    "a number": lambda x, box: x * box.number,
    "a list": lambda x, box: x + box.numbers[2],
    "an array": lambda x, box: x * box.array,
    "an array that NumPy reads": lambda x, box: x * (box.array.sum() + box.array[1] * 2),
    "an array in a dict": lambda x, box: x + box.arrays["a"] * 2,
    "an array in a list": lambda x, box: x * box.arrays["more"][0].max(),
    "a function": lambda x, box: box.function(x),
    "a loop": lambda x, box: sum((x * k for k in box.numbers), start=0 * x),
    "a choice": lambda x, box: x * 2 if box.number > 0 else x - 1,
    "by name": lambda x, box: x * getattr(box, "num" + "ber"),
}
CHANGES = {
    "number": lambda box, new: setattr(box, "number", new),
    "numbers": lambda box, new: box.numbers.__setitem__(int(abs(new)) % 3, new),
    "append": lambda box, new: box.numbers.append(new),
    "array in place": lambda box, new: box.array.__setitem__(0, new),
    "array": lambda box, new: setattr(box, "array", np.full(6, new)),
    "dict": lambda box, new: box.arrays.__setitem__("a", np.full(6, new)),
    "dict in place": lambda box, new: box.arrays["a"].__imul__(new),
    "nested": lambda box, new: box.arrays["more"].__setitem__(0, np.full(6, new)),
    "function": lambda box, new: setattr(box, "function", lambda x: x - new),
    "nothing": lambda box, new: None,
}


@backends()
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@given(st.data())
def test_random_programs_read_what_eager_programs_read(backend, data):
    reads = data.draw(st.lists(st.sampled_from(sorted(READS)), min_size=1, max_size=3))
    how = data.draw(st.sampled_from(["closure", "argument", "attribute", "list"]))
    with_gradient = data.draw(st.booleans())
    numbers = [1.5, -0.5, 2.0]
    box = Box(numbers, [np.linspace(0.1 * i, 1.0, 6) for i in range(4)])
    outer = types.SimpleNamespace(box=box)
    held = [box]

    def apply(x, found):
        for name in reads:
            x = READS[name](x, found)
        return x

    bodies = {
        "closure": lambda x: apply(x, box),
        "argument": lambda x, given=box: apply(x, given),
        "attribute": lambda x: apply(x, outer.box),
        "list": lambda x: apply(x, held[0]),
    }
    f = bodies[how]
    if with_gradient:
        f = tg.value_and_grad(lambda x, body=bodies[how]: np.sum(body(x) ** 2))
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(X), f(X), backend, {"rtol": 1e-9, "atol": 1e-12})
        change = data.draw(st.sampled_from(sorted(CHANGES)))
        CHANGES[change](box, data.draw(st.sampled_from([-2.0, -1.0, 0.5, 3.0])))


def test_an_array_of_which_only_the_form_is_read_may_get_another():
    held, value = types.SimpleNamespace(a=np.zeros((2, 5))), Value(np.zeros(3))

    def f(x):
        like = np.zeros_like(held.a).sum()
        return x.astype(held.a.dtype) * held.a.shape[1] * len(held.a) + like + value.data.ndim

    compiled = tg.compile(f, backend="numpy")
    for a in (np.zeros((2, 5)), np.zeros((3, 4)), np.zeros((3, 4), np.float32), np.zeros((2, 5))):
        held.a = a
        value._content = np.zeros((1,) * len(a))
        found, expected = compiled(X), f(X)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("ask", "name", "method"),
    [
        (lambda x: 2.0 if x else 3.0, "__bool__", lambda self: False),
        (lambda x: 2.0 if callable(x) else 3.0, "__call__", lambda self: 1),
        (lambda x: 2.0 if x == 1 else 3.0, "__eq__", lambda self, other: True),
        (lambda x: 2.0 if hasattr(x, "__len__") else 3.0, "__len__", lambda self: 0),
    ],
)
def test_a_class_may_get_an_operator(ask, name, method):
    class Plain:
        pass

    plain = Plain()
    f = lambda x: x * ask(plain)
    compiled = tg.compile(f, backend="numpy")
    np.testing.assert_array_equal(compiled(X), f(X))
    setattr(Plain, name, method)
    np.testing.assert_array_equal(compiled(X), f(X))


def test_whatever_a_library_reads_is_watched(monkeypatch):
    polynomial = np.poly1d([1.0, 2.0])
    f = lambda x: polynomial(x) * float(os.getenv("A_NUMBER", "1"))
    compiled = tg.compile(f, backend="numpy")
    for change in (
        lambda: polynomial.__setitem__(0, 5.0),
        lambda: monkeypatch.setenv("A_NUMBER", "3"),
    ):
        np.testing.assert_array_equal(compiled(X), f(X))
        change()
        np.testing.assert_array_equal(compiled(X), f(X))


class Scaling:
    """An object whose method runs as it is."""

    k = 2.0

    def scale(self, x):
        return x * self.k


class Holding(nn.Module):
    """A layer with an object that has an array."""

    def __init__(self):
        super().__init__()
        self.table = types.SimpleNamespace(w=np.ones(6))


def test_an_array_is_an_input_though_a_method_without_stand_ins_ran_before():
    scaling, model = Scaling(), Holding()
    f = tg.compile(lambda x: scaling.scale(x) * model.table.w, backend="numpy")
    for number in (1.0, 5.0, 7.0):
        model.table.w[0] = number
        np.testing.assert_array_equal(f(X), X * 2 * model.table.w)
    assert "1 program," in repr(f)


def test_a_module_that_can_be_imported_later_is_imported(monkeypatch):
    def f(x):
        try:
            import a_module_that_is_not_there_yet as found
        except ImportError:
            return x + 1
        return x * found.k

    compiled = tg.compile(f, backend="numpy")
    np.testing.assert_array_equal(compiled(X), X + 1)
    module = types.ModuleType("a_module_that_is_not_there_yet")
    module.k = 3.0
    monkeypatch.setitem(sys.modules, module.__name__, module)
    np.testing.assert_array_equal(compiled(X), X * 3)


def test_a_class_may_be_registered_with_an_abstract_one():
    class Abstract(abc.ABC):  # noqa: B024
        pass

    class Plain:
        pass

    plain = Plain()
    f = lambda x: x * (2 if isinstance(plain, Abstract) else 3)
    compiled = tg.compile(f, backend="numpy")
    np.testing.assert_array_equal(compiled(X), X * 3)
    Abstract.register(Plain)
    np.testing.assert_array_equal(compiled(X), X * 2)
