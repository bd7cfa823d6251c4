"""Points where a derivative is a choice: ties, even counts, missing entries, knots, no entries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, ShapeError
from tinygrad_lr.ops.sorting import CONTINUOUS, DISCRETE

NAN = np.nan
METHODS = ["linear", *CONTINUOUS, *DISCRETE]


def gradient(f, x):
    """The gradient of the sum of what f returns."""
    value = Value(x)
    out = f(value)
    out.backward(np.ones(np.shape(out.data)) if np.ndim(out.data) else 1.0)
    return value.grad


# ---- ties and even counts


def test_where_entries_are_equal_a_sort_gives_each_place_its_own_entry():
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    g = gradient(lambda x: np.sort(x) * weights, [2.0, 1.0, 2.0, 1.0])
    np.testing.assert_array_equal(g, [100.0, 1.0, 1000.0, 10.0])


def test_the_two_entries_in_the_middle_share_the_derivative_of_a_median():
    np.testing.assert_array_equal(gradient(np.median, [4.0, 1.0, 3.0, 9.0]), [0.5, 0, 0.5, 0])


def test_one_of_equal_entries_in_the_middle_gets_the_derivative_of_a_median():
    np.testing.assert_array_equal(gradient(np.median, [2.0, 2.0, 2.0]), [0, 1, 0])


@pytest.mark.parametrize("function", [np.nanmax, np.nanmin, np.max, np.min])
def test_equal_extremes_share_the_derivative(function):
    np.testing.assert_array_equal(gradient(function, [2.0, 2.0]), [0.5, 0.5])


def test_an_infinite_extreme_shares_nothing_with_nan():
    np.testing.assert_array_equal(gradient(np.nanmax, [-np.inf, NAN, -np.inf]), [0.5, 0, 0.5])


def test_the_last_of_equal_entries_gets_the_derivative_of_a_running_maximum():
    g = gradient(np.maximum.accumulate, [2.0, 1.0, 2.0, 0.0])
    np.testing.assert_array_equal(g, [2, 0, 2, 0])


def test_a_running_maximum_stays_nan_after_one():
    out = np.maximum.accumulate(Value([1.0, NAN, 3.0]))
    np.testing.assert_array_equal(out.data, np.maximum.accumulate([1.0, NAN, 3.0]))


def test_the_first_of_equal_entries_gets_the_derivative_of_unique():
    np.testing.assert_array_equal(gradient(np.unique, [3.0, 1.0, 3.0]), [1, 1, 0])


@pytest.mark.parametrize("function", [np.fmax, np.fmin, np.maximum, np.minimum])
def test_equal_operands_share_the_derivative(function):
    np.testing.assert_array_equal(gradient(lambda x: function(x, 2.0), [2.0, 2.0]), [0.5, 0.5])


@pytest.mark.parametrize("function", [np.fmax, np.fmin])
def test_the_operand_beside_a_nan_gets_the_whole_derivative(function):
    np.testing.assert_array_equal(gradient(lambda x: function(x, NAN), [1.0]), [1])
    np.testing.assert_array_equal(gradient(lambda x: function(x, 3.0), [NAN]), [0])


# ---- quantiles


@pytest.mark.parametrize("method", METHODS)
@quick
@given(st.integers(1, 9), st.integers(0, 24), st.integers(0, 2**16))
def test_quantiles_of_all_methods_are_numpys_with_right_derivatives(method, n, twelfth, seed):
    x = np.random.default_rng(seed).permutation(n) + np.random.default_rng(seed).uniform(0, 0.5, n)
    for q in (twelfth / 24, [twelfth / 24, 0.0, 0.37, 1.0]):
        f = lambda x, q=q: np.quantile(x, q, method=method)
        np.testing.assert_allclose(f(Value(x)).data, f(x), rtol=1e-13)
        tg.check_gradients(f, x)


@pytest.mark.parametrize("method", METHODS)
def test_quantiles_without_nan_are_those_of_nanquantile(method):
    rows = np.array([[3.0, NAN, 1.0, 2.5], [NAN, NAN, 7.0, 5.0]])
    for q in (0.4, [0.0, 0.5, 0.9]):
        out = np.nanquantile(Value(rows), q, axis=1, method=method)
        np.testing.assert_allclose(out.data, np.nanquantile(rows, q, axis=1, method=method))


@pytest.mark.parametrize("method", ["linear", *CONTINUOUS])
def test_the_derivative_with_respect_to_q_is_the_slope_between_entries(method):
    x = np.array([3.0, 1.0, 7.0, 2.0, 6.0])
    tg.check_gradients(lambda q: np.quantile(x, q, method=method), np.array([0.3, 0.61]))


def test_beyond_the_outer_entries_a_quantile_does_not_depend_on_q():
    x = np.array([3.0, 1.0, 7.0])
    g = gradient(lambda q: np.quantile(x, q, method="weibull"), np.array([0.01, 0.99]))
    np.testing.assert_array_equal(g, [0, 0])


def test_a_weighted_quantile_gives_its_entry_the_derivative():
    weights = np.array([1.0, 5.0, 1.0])
    f = lambda x: np.quantile(x, 0.5, weights=weights, method="inverted_cdf")
    np.testing.assert_array_equal(gradient(f, [3.0, 1.0, 2.0]), [0, 1, 0])


def test_a_share_outside_0_to_1_and_an_unknown_method_are_refused():
    with pytest.raises(ArgumentError, match=r"quantile: q must be from 0 to 1, got 1\.5"):
        np.quantile(Value([1.0]), 1.5)
    with pytest.raises(ArgumentError, match="percentile: q must be from 0 to 100"):
        np.percentile(Value([1.0]), 150)
    with pytest.raises(ArgumentError, match="quantile: method must be"):
        np.quantile(Value([1.0]), 0.5, method="best")


# ---- missing entries


MISSING = np.array([[1.0, NAN, 3.0, 2.5], [NAN, -2.0, 0.5, NAN]])
LEAVING_OUT = {
    np.nansum: np.sum,
    np.nanprod: np.prod,
    np.nanmean: np.mean,
    np.nanvar: np.var,
    np.nanstd: np.std,
    np.nanmax: np.max,
    np.nanmin: np.min,
    np.nanmedian: np.median,
    lambda x: np.nanquantile(x, 0.3): lambda x: np.quantile(x, 0.3),
    lambda x: np.nanpercentile(x, 70, method="hazen"): lambda x: np.percentile(
        x, 70, method="hazen"
    ),
    lambda x: np.nancumsum(x)[-1]: np.sum,
    lambda x: np.nancumprod(x)[-1]: np.prod,
}


@pytest.mark.parametrize("function", LEAVING_OUT, ids=lambda f: f.__name__)
def test_entries_that_are_there_get_the_gradient_that_they_get_alone(function):
    here = ~np.isnan(MISSING)
    g = gradient(function, MISSING)
    np.testing.assert_allclose(g[here], gradient(LEAVING_OUT[function], MISSING[here]), rtol=1e-14)
    np.testing.assert_array_equal(g[~here], 0)


@pytest.mark.parametrize(
    "function", [np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nanmedian]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_row_of_nan_is_nan_and_has_the_gradient_0(function):
    rows = np.array([[NAN, NAN], [1.0, 4.0]])
    value = Value(rows)
    out = function(value, axis=1)
    np.testing.assert_array_equal(np.isnan(out.data), [True, False])
    out[1].backward()
    np.testing.assert_array_equal(value.grad[0], 0)


@pytest.mark.parametrize("function", [np.median, lambda x: np.quantile(x, 0.2)])
def test_a_nan_makes_a_quantile_nan_with_the_gradient_0(function):
    value = Value([1.0, NAN, 3.0])
    out = function(value)
    assert np.isnan(out.item())
    out.backward()
    np.testing.assert_array_equal(value.grad, 0)


def test_replaced_entries_get_no_derivative():
    g = gradient(np.nan_to_num, [1.0, NAN, np.inf, -np.inf])
    np.testing.assert_array_equal(g, [1, 0, 0, 0])
    data = np.nan_to_num(Value(np.float32([np.inf, -np.inf]))).data
    np.testing.assert_array_equal(data, np.nan_to_num(np.float32([np.inf, -np.inf])))


# ---- knots and jumps


def test_at_a_knot_the_slope_of_interp_is_the_one_to_its_right_and_outside_0():
    f = lambda x: np.interp(x, [0.0, 1.0, 3.0], [0.0, 5.0, 1.0])
    np.testing.assert_array_equal(gradient(f, [-1.0, 0.0, 1.0, 3.0, 4.0]), [0, 5, -2, -2, 0])


def test_a_step_in_interp_is_finite():
    x = Value([0.5, 1.0, 1.5])
    out = np.interp(x, [0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 5.0, 6.0])
    np.testing.assert_array_equal(out.data, np.interp(x.data, [0, 1, 1, 2.0], [0, 1, 5, 6.0]))
    out.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [1, 1, 1])


def test_interp_of_one_point_and_of_nan():
    out = np.interp(Value([0.0, 1.0, 2.0]), [1.0], Value([7.0]), right=9.0)
    np.testing.assert_array_equal(out.data, [7, 7, 9])
    assert np.isnan(np.interp(Value(NAN), [0.0, 1.0], [0.0, 1.0]).item())


def test_the_sign_of_zero_has_the_derivative_0():
    np.testing.assert_array_equal(gradient(lambda x: np.copysign(x, -1.0), [0.0, 2.0]), [0, -1])


def test_a_step_passes_its_height_at_0_alone():
    g = gradient(lambda h: np.heaviside([-1.0, 0.0, 1.0], h), [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(g, [0, 1, 0])


@pytest.mark.parametrize(
    ("function", "slopes"), {np.sinc: (0.0, -(np.pi**2) / 3), np.i0: (0.0, 0.5)}.items()
)
def test_at_0_all_derivatives_are_those_of_the_power_series(function, slopes):
    first = tg.grad(function)
    assert first(0.0) == pytest.approx(slopes[0], abs=1e-15)
    assert tg.grad(first)(0.0) == pytest.approx(slopes[1], rel=1e-12)
    assert tg.grad(tg.grad(first))(0.0) == pytest.approx(0.0, abs=1e-12)


def test_the_parts_of_a_float_are_numpys_at_its_edges():
    edges = np.array([0.0, -0.0, 1e-310, -5e-324, np.inf, 1e300])
    for ours, numpys in zip(np.frexp(Value(edges)), np.frexp(edges), strict=True):
        np.testing.assert_array_equal(getattr(ours, "data", ours), numpys)
    for ours, numpys in zip(np.modf(Value(edges)), np.modf(edges), strict=True):
        np.testing.assert_array_equal(ours.data, numpys)


def test_a_power_of_two_beyond_the_range_of_floats_is_exact():
    assert np.ldexp(Value(5e-324), 2000).item() == np.ldexp(5e-324, 2000)


def test_a_polynomial_of_low_rank_is_numpys_and_leaves_out_what_rcond_says():
    x, y = np.linspace(0, 1, 5), np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    for rcond in (0.1, 0.4):
        with pytest.warns(np.exceptions.RankWarning):
            expected = np.polyfit(x, y, 2, rcond)
        np.testing.assert_allclose(np.polyfit(x, Value(y), 2, rcond).data, expected, rtol=1e-12)
        tg.check_gradients(lambda y, r=rcond: np.polyfit(x, y, 2, r), y)


# ---- empty operands


EMPTY = {
    "np.sort(x)": (0,),
    "np.partition(x, 0)": (0, 3),
    "np.unique(x)": (0,),
    "np.cumsum(x)": (0,),
    "np.cumprod(x)": (0,),
    "np.cumprod(x, axis=1)": (2, 0),
    "np.diff(x)": (0,),
    "np.diff(x, axis=0)": (0, 3),
    "np.nansum(x)": (0,),
    "np.nanprod(x, axis=0)": (0, 3),
    "np.concatenate([x, x])": (0, 2),
    "np.stack([x, x])": (0,),
    "np.block([x, x])": (0,),
    "np.append(x, x)": (0,),
    "np.insert(x, 0, x)": (0,),
    "np.delete(x, [])": (0,),
    "np.trim_zeros(x)": (0,),
    "np.select([x > 0], [x])": (0,),
    "np.compress([], x)": (0,),
    "np.extract(x > 0, x)": (0,),
    "np.take(x, [])": (0,),
    "np.interp(x, [0.0, 1.0], [0.0, 1.0])": (0,),
    "np.linspace(x, 1.0, 3)": (0,),
    "np.meshgrid(x, x)[0]": (0,),
    "np.unwrap(x)": (0,),
    "np.median(x, axis=0)": (3, 0),
    "np.quantile(x, 0.5, axis=0)": (3, 0),
    "np.tile(x, 2)": (0,),
    "np.repeat(x, 2)": (0,),
    "np.roll(x, 1)": (0,),
    "np.flip(x)": (0,),
    "np.pad(x, 1)": (0,),
    "np.outer(x, x)": (0,),
    "np.add.outer(x, x)": (0,),
    "np.add.accumulate(x)": (0,),
    "np.maximum.accumulate(x)": (0,),
    "np.add.reduce(x)": (0,),
    "np.diag(x)": (0,),
    "np.diagflat(x)": (0,),
    "np.dot(x, x)": (0,),
    "np.trapezoid(x)": (0,),
    "np.resize(x, (0, 2))": (0,),
    "np.dstack([x, x])": (0,),
    "np.array_split(x, 2)[0]": (0,),
    "np.nan_to_num(x)": (0,),
    "np.sinc(x) + np.i0(x)": (0,),
    "np.histogram([], [0.0, 1.0], weights=x)[0]": (0,),
    "np.bincount(np.zeros(0, int), weights=x, minlength=2)": (0,),
    "np.ediff1d(x)": (0,),
}


@pytest.mark.parametrize(("line", "shape"), EMPTY.items(), ids=EMPTY)
def test_an_empty_array_gives_numpys_result_and_an_empty_gradient(line, shape):
    x = Value(np.zeros(shape))
    out, expected = (eval(line, {"np": np, "x": given}) for given in (x, x.data))
    assert out.shape == np.shape(expected)
    np.testing.assert_array_equal(out.data, expected)
    out.backward(np.ones(out.shape) if out.ndim else 1.0)
    assert x.grad.shape == shape


REFUSED = {
    "np.median(x)": None,
    "np.quantile(x, 0.5)": None,
    "np.quantile(x.reshape(0, 1), [0.5], axis=0, keepdims=True)": None,
    "np.nanmax(x)": ValueError,
    "np.convolve(x, x)": ArgumentError,
    "np.interp(1.0, x, x)": ShapeError,
    "np.gradient(x)": ShapeError,
    "np.logaddexp.reduce(x)": None,
    "np.fmax.reduce(x)": ArgumentError,
    "np.apply_along_axis(np.sum, 0, x.reshape(0, 0))": ShapeError,
}


@pytest.mark.parametrize(("line", "error"), REFUSED.items(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_an_empty_array_has_no_answer_for_is_nan_or_refused(line, error):
    names = {"np": np, "x": Value(np.zeros(0))}
    if error is None:
        assert not np.isfinite(eval(line, names).item())
    else:
        with pytest.raises(error):
            eval(line, names)
