"""Names of attributes and keys may be any text: they are never part of generated code."""

from __future__ import annotations

import enum
import keyword

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from operands import examples, in_turn
from programs import BACKENDS, backends, needs

import tinygrad_lr as tg
from tinygrad_lr import Value

X = np.linspace(-1.0, 1.0, 3)


class Text(str):
    """A name that would do something if it were read as code."""

    __slots__ = ()

    def __repr__(self):
        return "(_ for _ in ()).throw(RuntimeError('run as code'))"

    __str__ = __repr__


class Key(enum.Enum):
    """A key of a dict whose text isn't Python."""

    A = 1


KINDS = {
    "number": lambda: 2.0,
    "array": lambda: np.full(3, 2.0),
    "list": lambda: [np.full(3, 2.0)],
    "dict": lambda: {"a": np.full(3, 2.0), Key.A: np.ones(3), (1, 2): np.ones(3)},
    "parameter": lambda: Value(np.full(3, 2.0)),
}
names = st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(keyword.kwlist)).filter(
    lambda name: (
        not (name.startswith("__") and name.endswith("__")) and not hasattr(tg.nn.Module, name)
    )
)


def inner(held):
    return (
        held["a"] * held[Key.A] * held[1, 2]
        if isinstance(held, dict)
        else held[0]
        if isinstance(held, list)
        else held
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        pytest.param(kind, backend, marks=needs(backend))
        for i, kind in enumerate(KINDS)
        for backend in in_turn(BACKENDS, i)
    ],
)
@examples(5, 100)
@given(name=names)
@example(name="lambda")
@example(name="class")
@example(name="None")
@example(name="ﬁ")  # a ligature, which Python reads as fi
@example(name="ａ")  # a wide letter, which Python reads as a
@example(name="__x")
@example(name="x is None or gv0")
@example(name=Text("x"))
def test_an_attribute_of_any_name_is_read_and_guarded(kind, backend, name):
    model = tg.nn.Module()
    model.fi = model.a = 77.0
    setattr(model, name, KINDS[kind]())

    def f(x):
        return inner(getattr(model, name)) * x

    compiled = tg.compile(f, backend=backend)
    for factor in (2.0, 2.0, 3.0, 3.0):
        if factor == 3.0:
            new = KINDS[kind]()
            first = new["a"] if kind == "dict" else new[0] if kind == "list" else new
            if kind in {"number", "array"}:
                new = new * 1.5
            elif kind == "parameter":
                new.data = new.data * 1.5
            else:
                first *= 1.5
            setattr(model, name, new)
        out = compiled(X)
        np.testing.assert_allclose(out.data if isinstance(out, Value) else out, factor * X)


@backends()
@settings(max_examples=20)
@given(name=names)
@example(name="lambda")
@example(name="ﬁ")
@example(name=Text("x"))
def test_an_array_of_any_name_or_key_is_updated(backend, name):
    model = tg.nn.Module()
    model.fi = np.full(3, 77.0)
    setattr(model, name, np.ones(3))
    model.held = {name: np.ones(3), Key.A: np.ones(3)}

    def step(x):
        setattr(model, name, getattr(model, name) * 2.0)
        model.held[name] = model.held[name] + x
        model.held[Key.A] = model.held[Key.A] - x
        return np.sum(x)

    compiled = tg.compile(step, backend=backend)
    for count in (1, 2, 3):
        compiled(X)
        np.testing.assert_allclose(getattr(model, name), np.full(3, 2.0**count))
        np.testing.assert_allclose(model.held[name], 1 + count * X)
        np.testing.assert_allclose(model.held[Key.A], 1 - count * X)
