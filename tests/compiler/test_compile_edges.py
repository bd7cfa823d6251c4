"""Numbers at the edge: nan, inf, zeros and overflow come out of a program as of eager code."""

from __future__ import annotations

import numpy as np
import pytest
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.errors import TraceError

EDGES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1.0, -1.0, 700.0, -750.0]
)

EDGE_FUNCTIONS = {
    "divide": lambda x: 1.0 / x,
    "divide by itself": lambda x: x / x,
    "divide zero": lambda x: np.zeros_like(x) / x,
    "log": np.log,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "tanh": np.tanh,
    "power": lambda x: x**-1.5,
    "square": lambda x: x**2,
    "negative": lambda x: -x,
    "absolute": np.abs,
    "sign": np.sign,
    "add 0": lambda x: x + 0.0,
    "subtract 0": lambda x: x - 0.0,
    "times 0": lambda x: x * 0.0,
    "times 1": lambda x: x * 1.0,
    "maximum": lambda x: np.maximum(x, 0.0),
    "maximum reversed": lambda x: np.maximum(1.0, x),
    "minimum": lambda x: np.minimum(x, x[::-1]),
    "relu": lambda x: tg.relu(x),
    "clip": lambda x: np.clip(x, -1.0, 1.0),
    "where": lambda x: np.where(x > 0, x, np.log(x)),
    "where zero": lambda x: np.where(x > 0, x, 0.0),
    "max": lambda x: np.max(x),
    "min": lambda x: np.min(x[1:]),
    "sum": lambda x: np.sum(np.where(np.abs(x) < 1e300, x, 1.0)),
    "prod": lambda x: np.prod(x[5:]),
    "mean": lambda x: np.mean(np.stack([x, x]), axis=0),
    "softmax": lambda x: tg.softmax(x[3:] / 1e300, axis=-1),
    "logsumexp": lambda x: tg.logsumexp(x[1:], axis=-1),
    "sigmoid": lambda x: tg.sigmoid(x),
    "softplus": lambda x: tg.softplus(x),
    "logaddexp": lambda x: np.logaddexp(x, x[::-1]),
    "hypot": lambda x: np.hypot(x, 1e200),
    "comparison": lambda x: (x == x).astype(float) + (x < 1) + (x >= 0) * 2.0,
    "isnan": lambda x: np.where(np.isnan(x), -1.0, x) + np.isfinite(x) + 2.0 * np.isinf(x),
    "floor": np.floor,
    "remainder": lambda x: np.remainder(x, 3.0),
    "arctan2": lambda x: np.arctan2(x, -0.0),
    "expm1": np.expm1,
    "log1p": np.log1p,
}


@backends()
@pytest.mark.parametrize("f", EDGE_FUNCTIONS.values(), ids=EDGE_FUNCTIONS)
def test_c9_nan_inf_and_signed_zeros_travel_as_in_eager_code(f, backend):
    compiled = tg.compile(f, backend=backend)
    for x in (EDGES, np.roll(EDGES, 5)):  # in vectors and in what is left of them
        with np.errstate(all="ignore"):
            expected = np.asarray(f(x))
        found = np.asarray(compiled(x))
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        zeros = (expected == 0) & (backend == "numpy")  # machine code lets x + 0 be x
        np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]))


@backends()
@pytest.mark.parametrize("f", EDGE_FUNCTIONS.values(), ids=EDGE_FUNCTIONS)
def test_c9_gradients_at_the_edge_are_those_of_eager_code(f, backend):
    gradient = tg.grad(lambda x: np.sum(f(x) * 1.5))
    compiled = tg.compile(gradient, backend=backend)
    for x in (EDGES, np.roll(EDGES, 5)):
        with np.errstate(all="ignore"):
            expected = gradient(x)
        np.testing.assert_allclose(compiled(x), expected, rtol=1e-12)


@backends()
@pytest.mark.parametrize("number", [0.0, -1.0, 1e308, float("inf"), float("nan")])
def test_c9_python_numbers_give_what_python_gives_and_raise_where_it_raises(number, backend):
    for f in (lambda x: 1 / x, lambda x: x**0.5, np.exp, np.log, lambda x: x**-2, np.tan):
        compiled = tg.compile(f, backend=backend)
        with np.errstate(all="ignore"):
            try:
                expected = f(number)
            except ArithmeticError as error:
                with pytest.raises(type(error)):
                    compiled(number)
                continue
        if isinstance(expected, complex):
            with pytest.raises(TraceError, match="is a complex number"):
                compiled(number)
        else:
            np.testing.assert_allclose(compiled(number), expected, rtol=1e-14)


@backends()
@pytest.mark.parametrize("how", ["raise", "warn"])
def test_n18_the_users_seterr_changes_no_result_and_stays(how, backend):
    with np.errstate(all="ignore"):
        expected = np.exp(EDGES) / EDGES
    with np.errstate(all=how):
        compiled = tg.compile(lambda x: np.exp(x) / x, backend=backend)
        found = [compiled(EDGES), compiled(EDGES), *compiled.loop(EDGES, steps=2)]
        assert np.geterr()["divide"] == how
    for x in found:
        np.testing.assert_allclose(x, expected, rtol=1e-13)


@backends()
def test_a_comparison_of_a_number_multiplies_an_array(backend):
    x = np.array([1.0, -2.0])
    f = tg.compile(lambda x, limit: x * (limit > 0), backend=backend)
    assert f(x, 1.5).tolist() == x.tolist() and f(x, -1.5).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("first", [None, 0, 1])
@pytest.mark.parametrize("second", [None, 0, 1])
@pytest.mark.parametrize(
    ("inner", "outer"), [(np.sum, np.sum), (np.max, np.prod), (np.sum, np.max)]
)
@backends("llvm")
def test_a_number_repeated_along_a_row_counts_as_often(inner, outer, second, first, backend):
    x = np.arange(1.0, 13.0).reshape(4, 3) / 7

    def f(x):
        once = inner(x, axis=first, keepdims=True)
        return outer(np.broadcast_to(once, x.shape), axis=second), x * once

    for found, expected in zip(tg.compile(f, backend=backend)(x), f(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
