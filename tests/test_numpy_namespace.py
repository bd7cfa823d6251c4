"""`tinygrad_lr.numpy`: NumPy's names, with arrays that Values can be written into."""

from __future__ import annotations

import operator

import numpy
import pytest

import tinygrad_lr as tg
import tinygrad_lr.numpy as np
from tinygrad_lr import Value
from tinygrad_lr.compiler import runtime  # noqa: F401 - the compiler is loaded
from tinygrad_lr.errors import ArgumentError

BACKENDS = ["numpy", "llvm"]


@pytest.mark.parametrize("module", ["", "linalg", "fft", "polynomial"])
def test_every_public_name_of_numpy_is_there(module):
    own, theirs = (operator.attrgetter(module)(m) if module else m for m in (np, numpy))
    names = [name for name in dir(theirs) if not name.startswith("_")]
    assert dir(own) == own.__all__ == sorted(names)
    assert [name for name in names if not hasattr(own, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        own.nothing


def test_functions_that_numpy_dispatches_call_its_own():
    for own, theirs in (
        (np.sin, numpy.sin),
        (np.mean, numpy.mean),
        (np.linalg.norm, numpy.linalg.norm),
        (np.fft.rfft, numpy.fft.rfft),
        (np.add.reduce, numpy.add.reduce),
    ):
        assert own.__wrapped__ == theirs
    assert np.add.nin == 2 and np.mean is np.mean and np.linalg.norm is np.linalg.norm
    assert np.float32 is numpy.float32 and np.pi is numpy.pi


LISTS = [
    *(
        "np.mean([x, 2.0])",
        "np.std((x, x + 2, 5.0))",
        "np.sum([x, [1.0, x]][1])",
        "np.sin([x, v[0]])",
    ),
    *(
        "np.add([x, 1.0], [2.0, x])",
        "np.add.reduce([v, v])",
        "np.maximum.accumulate([x, 2.0, v[1]])",
    ),
    *(
        "np.linalg.norm([x, v[0], v[1]])",
        "np.linalg.det([[x, 1.0], [v[1], x]])",
        "np.dot([x, 1.0], v)",
    ),
    *(
        "np.linalg.solve([[x, 0.0], [1.0, x]], v)",
        "np.fft.fft([x, v[0]])",
        "np.median([x, 1.0, v[0]])",
    ),
    *("np.append([x, 2.0], v)", "np.append(v, [x])", "np.append([[x, 1.0]], [[2.0, x]], axis=0)"),
    *("np.concatenate([v, [x]])", "np.concatenate(([x, 1.0], [v[0]]))", "np.vstack([[x, 1.0], v])"),
    *("np.where([True, False], [x, x], 0.0)", "np.interp([0.3, 0.6], [0.0, 1.0], [x, v[1]])"),
    *("np.einsum('i,i', [x, 1.0], v)", "np.polyval([x, 1.0, v[0]], 1.5)", "np.outer([x, 1.0], v)"),
    *(
        "np.average([x, 2.0], weights=[1.0, v[0]])",
        "np.full((2, 2), [x, v[0]])",
        "np.stack([v, v])",
    ),
    *(
        "np.r_[v, 3, v]",
        "np.r_[x, 1:4]",
        "np.r_[1:3, v]",
        "np.r_['1,2,0', v, v]",
        "np.r_['-1', v, x]",
    ),
    *("np.c_[v, v]", "np.c_[[1.0, 2.0], v, 1:3]", "np.r_[[x, 2.0], v]", "np.r_['0,2', v, v]"),
    *(
        "np.r_[np.outer(v, v), [[x, 2.0]]]",
        "np.c_[np.outer(v, v), v]",
        "np.r_[v]",
        "np.r_[x, x, 1j]",
    ),
]


@pytest.mark.parametrize("line", LISTS)
def test_lists_of_values_are_read_as_arrays(line):
    """NumPy doesn't ask lists whether Values are in them."""
    program = eval(f"lambda np, x, v: {line}")
    x, v = 1.5, numpy.array([0.7, 2.2])
    found = program(np, Value(x), Value(v))
    expected = program(numpy, x, v)
    assert isinstance(found, Value) and found.dtype == expected.dtype
    numpy.testing.assert_allclose(found.data, expected, rtol=1e-14)
    tg.check_gradients(lambda x, v: program(np, x, v), x, v)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("line", LISTS[::2])
def test_lists_of_values_are_compiled(line, backend):
    program = eval(f"lambda x, v: np.sum(np.abs({line}) ** 2)", {"np": np})
    slope = tg.grad(program, argnums=(0, 1))
    compiled = tg.compile(slope, backend=backend)
    for x in (1.5, 0.4):
        v = numpy.array([0.7, 2.2])
        for a, b in zip(compiled(x, v), slope(x, v), strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-10)


def test_a_list_beside_an_output_is_read_and_the_output_written():
    out = np.zeros(2)
    np.add([Value(1.0), 2.0], [3.0, 4.0], out=(out,))
    assert out.data.tolist() == [4.0, 6.0]


def test_brackets_keep_the_dtype_and_what_has_no_values():
    half = Value(numpy.ones(2, numpy.float32))
    assert np.r_[half, 2.0].dtype == numpy.float32 and np.r_[half, numpy.ones(1)].dtype == float
    assert type(np.r_[1:4]) is numpy.ndarray and isinstance(np.r_[1.0, 2.0], Value)


def test_an_error_of_a_call_without_lists_of_values_is_numpys():
    with pytest.raises(ValueError, match="could not be broadcast"):
        np.add(numpy.ones(2), numpy.ones(3))
    with pytest.raises(ArgumentError, match="the text must be axes"):
        np.r_["c", Value(1.0)]
    with pytest.raises(ArgumentError, match="the arrays must have one shape"):
        np.mean([Value(1.0), [Value(2.0)]])


MADE = [
    *("np.zeros(3)", "np.ones((2, 3))", "np.empty(2) * 0", "np.full(3, 0.5)", "np.eye(3)"),
    *("np.array([[1.0, 2.0]])", "np.array([1, 2], float)", "np.array(1.5)", "np.asarray([1.0])"),
    *("np.linspace(0, 1, 5)", "np.arange(0.0, 1.0, 0.25)", "np.logspace(0, 1, 3)", "np.tri(3)"),
    *("np.zeros_like(np.arange(3.0))", "np.full_like([1.0], 3)", "np.copy(np.ones(2))"),
    *("np.geomspace(1, 4, 3)", "np.identity(2)", "np.asanyarray([0.5])", "np.hanning(4)"),
    *("np.array([1.0], ndmin=2)", "np.ascontiguousarray([1.0])", "np.fromiter([1.0], float)"),
]


@pytest.mark.parametrize("line", MADE)
def test_new_arrays_of_floats_are_constant_values(line):
    found, expected = eval(line, {"np": np}), eval(line, {"np": numpy})
    assert isinstance(found, Value) and not found.requires_grad
    assert found.dtype == expected.dtype
    numpy.testing.assert_array_equal(found.data, expected)


@pytest.mark.parametrize("line", ["np.zeros(3, int)", "np.array([1, 2])", "np.arange(3)"])
def test_new_arrays_of_integers_are_plain(line):
    assert type(eval(line, {"np": np})) is numpy.ndarray


def test_what_is_an_array_already_stays_the_same_object():
    plain, value = numpy.ones(2), Value([1.0])
    assert np.asarray(plain) is plain and np.asarray(value) is value
    assert np.ascontiguousarray(value) is value and np.asfortranarray(value) is value
    assert np.array(value) is not value


def test_a_value_names_its_namespace():
    assert Value(1.0).__array_namespace__() is np


def heat(np, u):
    u = u.copy()
    for _ in range(5):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**2)


def longest_path(np, cost):
    n = len(cost)
    best = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            before = np.array([best[i - 1, j], best[i, j - 1], best[i - 1, j - 1]])
            best[i, j] = cost[i, j] + np.log(np.sum(np.exp(before)))
    return best[-1, -1]


def markov(np, logits):
    moves = np.exp(logits)
    moves /= np.sum(moves, axis=1, keepdims=True)
    history, now = np.zeros((4, 3)), np.array([1.0, 0.0, 0.0])
    for t in range(4):
        now = now @ moves
        history[t] = now
    return -np.sum(np.log(history[:, 1]))


def cholesky(np, a):
    a = a @ a.T + 3 * np.eye(len(a))
    lower = np.zeros_like(a)
    for j in range(len(a)):
        lower[j, j] = np.sqrt(a[j, j] - np.sum(lower[j, :j] ** 2))
        for i in range(j + 1, len(a)):
            lower[i, j] = (a[i, j] - np.sum(lower[i, :j] * lower[j, :j])) / lower[j, j]
    return np.sum(np.log(np.diag(lower)))


def smooth(np, x):
    y = np.empty(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.9 * y[i - 1] + 0.1 * x[i]
    y -= np.mean(y)
    return np.sum(y**2)


def spline(np, y):
    a, b, c, d, m = (np.full(len(y), value) for value in (0.0, 1.0, 0.0, 0.0, 0.0))
    for i in range(1, len(y) - 1):
        a[i], b[i], c[i], d[i] = 0.5, 2.0, 0.5, 12 * (y[i + 1] - 2 * y[i] + y[i - 1])
    for i in range(1, len(y)):
        w = a[i] / b[i - 1]
        b[i] -= w * c[i - 1]
        d[i] -= w * d[i - 1]
    m[-1] = d[-1] / b[-1]
    for i in range(len(y) - 2, -1, -1):
        m[i] = (d[i] - c[i] * m[i + 1]) / b[i]
    return np.sum(m**2)


PROGRAMS = {heat: 8, longest_path: (3, 3), markov: (3, 3), cholesky: (3, 3), smooth: 7, spline: 6}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_a_program_runs_with_the_import_as_its_only_change(program):
    x = numpy.random.default_rng(0).uniform(0.2, 1.0, PROGRAMS[program])
    f = lambda x: program(np, x)
    numpy.testing.assert_allclose(tg.value_and_grad(f)(x)[0], program(numpy, x), rtol=1e-14)
    tg.check_gradients(f, x, order=2)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_a_compiled_program_gives_the_numbers_of_eager_code(program, backend):
    x = numpy.random.default_rng(0).uniform(0.2, 1.0, PROGRAMS[program])
    slope = tg.grad(lambda x: program(np, x))
    compiled = tg.compile(slope, backend=backend)
    for scale in (1.0, 0.5):
        numpy.testing.assert_allclose(compiled(scale * x), slope(scale * x), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "f4"])
def test_entries_sort_in_falling_order_and_equal_ones_keep_theirs(dtype):
    x = np.array([[3, 0, 3, 100], [0, 1, 1, 0]], dtype)
    order = np.argsort(x, axis=1, descending=True, stable=True)
    assert order.tolist() == [[3, 0, 2, 1], [1, 2, 0, 3]]
    assert np.sort(x, axis=1, descending=True).tolist() == [[100, 3, 3, 0], [1, 1, 0, 0]]
