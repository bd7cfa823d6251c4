"""The conventions at kinks, at the edges of domains, and at numbers of extreme size."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import PRIMITIVES

inf, nan = np.inf, np.nan
relu, leaky_relu, elu = PRIMITIVES["relu"], PRIMITIVES["leaky_relu"], PRIMITIVES["elu"]
sigmoid, softplus, gelu, silu = (
    PRIMITIVES[name] for name in ("sigmoid", "softplus", "gelu", "silu")
)
softmax, log_softmax, logsumexp = (PRIMITIVES[n] for n in ("softmax", "log_softmax", "logsumexp"))

# a function, where, its value, its derivative there
AT = {
    "relu at 0": (relu, 0.0, 0.0, 0.0),
    "relu at -0": (relu, -0.0, 0.0, 0.0),
    "leaky relu at 0": (leaky_relu, 0.0, 0.0, 0.01),
    "elu at 0": (elu, 0.0, 0.0, 1.0),
    "abs at 0": (np.abs, 0.0, 0.0, 0.0),
    "fabs at 0": (np.fabs, 0.0, 0.0, 0.0),
    "sign at 0": (np.sign, 0.0, 0.0, 0.0),
    "sign at 2": (np.sign, 2.0, 1.0, 0.0),
    "maximum with itself": (lambda x: np.maximum(x, x), 3.0, 3.0, 1.0),
    "maximum at a tie": (lambda x: np.maximum(x, 3.0), 3.0, 3.0, 0.5),
    "maximum at a tie, on the right": (lambda x: np.maximum(3.0, x), 3.0, 3.0, 0.5),
    "minimum at a tie": (lambda x: np.minimum(x, 3.0), 3.0, 3.0, 0.5),
    "clip at its lower bound": (lambda x: np.clip(x, 1.0, 2.0), 1.0, 1.0, 1.0),
    "clip at its upper bound": (lambda x: np.clip(x, 1.0, 2.0), 2.0, 2.0, 1.0),
    "clip below": (lambda x: np.clip(x, 1.0, 2.0), 0.0, 1.0, 0.0),
    "clip to one point": (lambda x: np.clip(x, 1.0, 1.0), 1.0, 1.0, 1.0),
    "clip with crossed bounds": (lambda x: np.clip(x, 2.0, 1.0), 1.5, 1.0, 0.0),
    "sqrt at 0": (np.sqrt, 0.0, 0.0, inf),
    "log at 0": (np.log, 0.0, -inf, inf),
    "log2 at 0": (np.log2, 0.0, -inf, inf),
    "log10 at 0": (np.log10, 0.0, -inf, inf),
    "log1p at -1": (np.log1p, -1.0, -inf, inf),
    "log below 0": (np.log, -1.0, nan, -1.0),
    "sqrt below 0": (np.sqrt, -1.0, nan, nan),
    "reciprocal at 0": (np.reciprocal, 0.0, inf, -inf),
    "1/x at 0": (lambda x: 1 / x, 0.0, inf, -inf),
    "x/0 at 1": (lambda x: x / 0.0, 1.0, inf, inf),
    "0/0": (lambda x: x / 0.0, 0.0, nan, inf),
    "x**0.5 at 0": (lambda x: x**0.5, 0.0, 0.0, inf),
    "x**0 at 0": (lambda x: x**0, 0.0, 1.0, 0.0),
    "x**0.0 at 0": (lambda x: x**0.0, 0.0, 1.0, 0.0),
    "x**1 at 0": (lambda x: x**1, 0.0, 0.0, 1.0),
    "x**2 at 0": (lambda x: x**2, 0.0, 0.0, 0.0),
    "x**3 below 0": (lambda x: x**3, -2.0, -8.0, 12.0),
    "x**-1 at 0": (lambda x: x**-1, 0.0, inf, -inf),
    "x**0.5 below 0": (lambda x: x**0.5, -8.0, nan, nan),
    "0**y at 0": (lambda y: 0.0**y, 0.0, 1.0, 0.0),
    "0**y at 2": (lambda y: 0.0**y, 2.0, 0.0, 0.0),
    "0**y at -1": (lambda y: 0.0**y, -1.0, inf, -inf),
    "x**1.5 at -8": (lambda x: x**1.5, -8.0, nan, nan),
    "(-2)**y at 2": (lambda y: np.power(-2.0, y), 2.0, 4.0, nan),
    "arcsin at 1": (np.arcsin, 1.0, np.pi / 2, inf),
    "arccos at 1": (np.arccos, 1.0, 0.0, -inf),
    "arccosh at 1": (np.arccosh, 1.0, 0.0, inf),
    "arctanh at 1": (np.arctanh, 1.0, inf, inf),
    "hypot at the origin": (lambda x: np.hypot(x, 0.0), 0.0, 0.0, 0.0),
    "arctan2 at the origin, y": (lambda y: np.arctan2(y, 0.0), 0.0, 0.0, 0.0),
    "arctan2 at the origin, x": (lambda x: np.arctan2(0.0, x), 0.0, 0.0, 0.0),
    "hypot of huge numbers": (lambda x: np.hypot(x, 1e200), 1e200, 2**0.5 * 1e200, 0.5**0.5),
    "arctan2 of huge numbers": (lambda y: np.arctan2(y, 1e300), 1e300, np.pi / 4, 0.5e-300),
    "sigmoid at 1000": (sigmoid, 1000.0, 1.0, 0.0),
    "sigmoid at -1000": (sigmoid, -1000.0, 0.0, 0.0),
    "sigmoid at -inf": (sigmoid, -inf, 0.0, 0.0),
    "softplus at 1000": (softplus, 1000.0, 1000.0, 1.0),
    "softplus at -1000": (softplus, -1000.0, 0.0, 0.0),
    "elu at -1000": (elu, -1000.0, -1.0, 0.0),
    "gelu at 1000": (gelu, 1000.0, 1000.0, 1.0),
    "gelu at -1000": (gelu, -1000.0, 0.0, 0.0),
    "silu at 1000": (silu, 1000.0, 1000.0, 1.0),
    "silu at -1000": (silu, -1000.0, 0.0, 0.0),
    "tanh at 1000": (np.tanh, 1000.0, 1.0, 0.0),
    "arcsinh at 1e300": (np.arcsinh, 1e300, np.arcsinh(1e300), 1e-300),
    "arctan at 1e300": (np.arctan, 1e300, np.pi / 2, 0.0),
    "exp at -1000": (np.exp, -1000.0, 0.0, 0.0),
    "log1p near 0": (np.log1p, 1e-20, 1e-20, 1.0),
    "expm1 near 0": (np.expm1, 1e-20, 1e-20, 1.0),
    "logaddexp of 1000 and 1000": (
        lambda x: np.logaddexp(x, 1000.0),
        1000.0,
        1000 + np.log(2),
        0.5,
    ),
    "logaddexp of -1000 and -1000": (
        *(lambda x: np.logaddexp(x, -1000.0), -1000.0, -1000 + np.log(2), 0.5),
    ),
    "logaddexp of -inf and 0": (lambda x: np.logaddexp(x, 0.0), -inf, 0.0, 0.0),
    "where, the untaken sqrt": (lambda x: np.where(x > 1, np.sqrt(x - 1), x), 0.5, 0.5, 1.0),
    "where, the untaken log": (lambda x: np.where(x > 0, np.log(x), 2 * x), 0.0, 0.0, 2.0),
    "where, the untaken quotient": (lambda x: np.where(x == 0, x, x / x), 0.0, 0.0, 1.0),
    "where, the untaken power": (lambda x: np.where(x > 0, x**0.5, 3 * x), 0.0, 0.0, 3.0),
}
KINDS = {"number": lambda x: x, "0-d": np.array, "array": lambda x: np.full(3, x)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("f", "x", "value", "slope"), AT.values(), ids=AT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_convention_holds(f, x, value, slope, kind):
    x = Value(kind(x))
    out = f(x)
    out.backward(np.ones(out.shape))
    np.testing.assert_allclose(out.data, np.broadcast_to(value, out.shape), rtol=1e-14)
    np.testing.assert_allclose(x.grad, np.broadcast_to(slope, x.shape), rtol=1e-14)


@pytest.mark.parametrize(("f", "x", "value", "slope"), AT.values(), ids=AT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forward_mode_has_the_same_conventions(f, x, value, slope):
    out, tangent = tg.jvp(f, (x,), (1.0,))
    np.testing.assert_allclose([out, tangent], [value, slope], rtol=1e-14)


@pytest.mark.parametrize(("f", "x", "value", "slope"), AT.values(), ids=AT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_second_derivatives_of_numbers_and_of_arrays_agree_there(f, x, value, slope):
    twice = tg.grad(tg.grad(f))
    np.testing.assert_allclose(twice(x), twice(np.array(x)), rtol=1e-12)


REDUCED = {
    "max of a tie": (np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
    "min of a tie": (np.min, [1.0, 1.0, 3.0, 1.0], [1 / 3, 1 / 3, 0, 1 / 3]),
    "max with nan": (np.max, [1.0, nan, 3.0], [0, 1, 0]),
    "prod with a zero": (np.prod, [2.0, 0.0, 3.0], [0, 6, 0]),
    "prod with two zeros": (np.prod, [0.0, 2.0, 0.0], [0, 0, 0]),
    "norm of the zero vector": (np.linalg.norm, [0.0, 0.0], [0, 0]),
    "std of equal values": (np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
    "std of equal values left in": (
        *(lambda x: np.std(x, where=np.array([1, 1, 0], bool)), [2.0, 2.0, 5.0], [0, 0, 0]),
    ),
    "var of equal values": (np.var, [2.0, 2.0], [0, 0]),
    "var with ddof = n": (lambda x: np.var(x, ddof=2), [1.0, 2.0], [nan, nan]),
    "std of one value with ddof": (lambda x: np.std(x, ddof=1), [1.0], [nan]),
    "softmax at ±1000": (lambda x: softmax(x)[1], [-1000.0, 1000.0], [0, 0]),
    "log_softmax at ±1000": (lambda x: log_softmax(x)[0], [-1000.0, 1000.0], [1, -1]),
    "logsumexp at ±1000": (logsumexp, [-1000.0, 1000.0], [0, 1]),
    "logsumexp with -inf": (logsumexp, [-inf, 0.0], [0, 1]),
    "sum of inf": (np.sum, [inf, 1.0], [1, 1]),
    "mean of nan": (np.mean, [nan, 1.0], [0.5, 0.5]),
    "the logarithm, zeros left out": (
        *(lambda x: np.sum(np.log(x), where=np.array([0, 1], bool)), [0.0, 2.0], [0, 0.5]),
    ),
}


@pytest.mark.parametrize(("f", "x", "slopes"), REDUCED.values(), ids=REDUCED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_reduction_has_its_convention(f, x, slopes):
    x = np.array(x)
    np.testing.assert_allclose(tg.grad(f)(x), slopes, rtol=1e-14)
    forward = [tg.jvp(f, (x,), (unit,))[1] for unit in np.eye(x.size)]
    np.testing.assert_allclose(forward, slopes, rtol=1e-14)


@pytest.mark.parametrize("f", [np.max, np.min, np.amax, np.amin])
def test_the_extreme_of_nothing_is_an_error(f):
    with pytest.raises(ValueError, match=r"max|min"):
        f(Value(np.zeros((0,))))


@pytest.mark.parametrize("f", [np.mean, np.var, np.std])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_moment_of_nothing_is_nan_with_an_empty_gradient(f):
    x = Value(np.zeros((0, 3)))
    out = f(x)
    out.backward()
    assert np.isnan(out.data) and x.grad.shape == (0, 3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_mean_of_no_entries_along_an_axis_is_nan():
    x = Value(np.zeros((0, 3)))
    out = x.mean(axis=0)
    out.backward(np.ones(3))
    assert np.isnan(out.data).all() and x.grad.shape == (0, 3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_logaddexp_of_minus_infinities_is_minus_infinity_with_any_slope_but_no_exception():
    out, (slope, _) = tg.value_and_grad(np.logaddexp, (0, 1))(-inf, -inf)
    assert out == -inf and (np.isnan(slope) or slope == 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_dead_relu_stops_an_infinite_slope():
    assert tg.grad(lambda x: relu(np.sqrt(x) - 1))(0.0) == 0.0


def test_nan_travels_along_its_own_entry_only():
    np.testing.assert_array_equal(tg.grad(lambda x: (x * x).sum())(np.array([nan, 1.0])), [nan, 2])


# ---- second derivatives under where


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("x", [0.5, 1.0, np.array([0.5, 1.0])], ids=str)
def test_the_branch_not_taken_gives_no_second_derivative(x):
    f = lambda x: np.sum(np.where(x > 1, np.sqrt(x - 1), x * x))
    np.testing.assert_array_equal(tg.grad(f)(x), 2 * x)
    np.testing.assert_array_equal(tg.grad(lambda x: np.sum(tg.grad(f)(x)))(x), np.full_like(x, 2.0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f", [np.log, np.sqrt, np.reciprocal, lambda x: x**0.5, lambda x: 1 / x])
def test_a_cotangent_of_zero_stays_zero_through_infinite_slopes(f):
    x = Value([0.0, 4.0])
    f(x).backward([0.0, 1.0])
    assert x.grad[0] == 0 and np.isfinite(x.grad).all()


# ---- numbers of extreme size


@pytest.mark.parametrize("f", [softmax, log_softmax], ids=lambda f: f.name)
@pytest.mark.parametrize("axis", [0, -1])
def test_softmax_of_huge_numbers_is_finite_with_finite_gradients(f, axis):
    x = np.array([[1000.0, -1000.0, 0.0], [1000.0, 1000.0, 1000.0]])
    out, pullback = tg.vjp(lambda x: f(x, axis=axis), x)
    np.testing.assert_allclose(np.exp(out).sum(axis) if f is log_softmax else out.sum(axis), 1)
    assert np.isfinite(out).all() and np.isfinite(pullback(np.eye(2, 3))[0]).all()


def test_the_sum_of_softmax_has_no_gradient():
    np.testing.assert_allclose(tg.grad(lambda x: softmax(x).sum())(np.arange(4.0)), 0, atol=1e-16)


@pytest.mark.parametrize("x", [1e-20, -1e-15, 1e-8])
@pytest.mark.parametrize(("f", "inverse"), [(np.log1p, np.expm1), (np.expm1, np.log1p)])
def test_logarithms_and_exponentials_near_0_keep_their_digits(f, inverse, x):
    assert inverse(f(Value(x))).item() == pytest.approx(x, rel=1e-15, abs=0)


def test_the_variance_of_numbers_far_from_0_takes_two_passes():
    x = Value([1e8, 1e8 + 1])
    x.var().backward()
    assert np.var(x).item() == 0.25 and x.grad.tolist() == [-0.5, 0.5]


@pytest.mark.parametrize(
    "x", [1e200, np.array(1e200), np.full(2, 1e200)], ids=["float", "0-d", "1-d"]
)
def test_an_overflow_is_infinite_with_a_warning_at_most(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert np.all((Value(x) ** 2).data == inf)
        assert np.all((Value(x) * x).data == inf)
        assert np.all(np.exp(Value(x)).data == inf)


# ---- warnings and NumPy's error state

USES = {
    "a network": lambda x: np.mean((np.tanh(x @ x.T) - 1) ** 2) / 2 + relu(x).sum(),
    "a classifier": lambda x: -log_softmax(x * 1000)[:, 0].mean(),
    "probabilities": lambda x: np.log(softmax(x)).sum() + sigmoid(x * 1e4).sum(),
    "smooth": lambda x: (softplus(x * 1e4) + gelu(x * 1e3) + silu(x * 1e3) + elu(x * 1e3)).sum(),
    "powers": lambda x: (x**2 + x**3 + np.abs(x) ** 0.5 + x**0).sum(),
    "the untaken branch": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), x).sum(),
    "spreads": lambda x: (x.std(axis=1) + x.var() + np.linalg.norm(x, axis=0).sum()).sum(),
    "tiny": lambda x: (np.exp(x * 1e4 - 5e4) * 1e-300 * 1e-300).sum(),
}
POINTS = np.array([[0.5, -1.5, 2.0], [0.25, 3.0, -0.75]])


@pytest.mark.parametrize("f", USES.values(), ids=USES)
def test_ordinary_use_warns_of_nothing(f):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, gradient = tg.value_and_grad(f)(POINTS)
        tg.hvp(f, (POINTS,), (POINTS,))
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_zeros_in_ordinary_use_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = lambda x: (np.linalg.norm(x) + x.std() + np.hypot(x, x) + np.arctan2(x, x) + x**2).sum()
        gradient = tg.grad(f)(np.zeros(3))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("f", USES.values(), ids=USES)
def test_the_error_state_of_numpy_changes_no_result(f):
    expected = tg.value_and_grad(f)(POINTS)
    with np.errstate(all="raise"):
        value, gradient = tg.value_and_grad(f)(POINTS)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("x", [0.0, np.array(0.0), np.zeros(2)], ids=["float", "0-d", "1-d"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 / x,
        np.log,
        np.reciprocal,
        lambda x: x**-1,
        lambda x: np.exp(1 / x),
        lambda x: x / x,
    ],
    ids=["1/x", "log", "reciprocal", "x**-1", "exp(1/x)", "x/x"],
)
def test_under_an_error_state_of_raise_infinities_still_travel(f, x):
    with np.errstate(all="ignore"):
        expected = tg.jvp(f, (x,), (np.ones_like(x),))
    with np.errstate(all="raise"):
        found = tg.jvp(f, (x,), (np.ones_like(x),))
    np.testing.assert_array_equal(found, expected)
