"""SciPy's distributions on Values: SciPy's numbers, and derivatives by central differences."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, NotDifferentiableError

st = pytest.importorskip("scipy.stats")
from scipy.stats._distr_params import distcont  # noqa: E402  # SciPy's own test cases

WHOLE = {"erlang"}  # its shape is a whole number
CONTINUOUS = [x for x in distcont if isinstance(x[0], str) and x[0] not in WHOLE]
METHODS = ["logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf"]
EVERYDAY = {
    *("beta", "cauchy", "chi2", "expon", "f", "gamma", "genextreme", "genpareto", "gumbel_l"),
    *("gumbel_r", "halfnorm", "invgamma", "laplace", "logistic", "lognorm", "norm", "pareto"),
    *("rayleigh", "skewnorm", "t", "triang", "truncnorm", "uniform", "weibull_min"),
}
LOC, SCALE = 0.4, 1.3


def evaluate(name, method, x, *parameters):
    """A method of ours on Values, and of SciPy's on numbers; None where SciPy takes no Values."""
    distribution = getattr(tg.scipy.stats, name)
    try:
        found = getattr(distribution, method)(Value(x), *parameters)
    except NotDifferentiableError:
        assert name not in EVERYDAY
        return None
    with np.errstate(all="ignore"):
        return found.data, getattr(getattr(st, name), method)(x, *parameters)


def points(name, args, method):
    if method in {"ppf", "isf"}:
        return np.array([0.2, 0.55, 0.8])
    with np.errstate(all="ignore"):
        return getattr(st, name).ppf([0.3, 0.45, 0.7], *args) * SCALE + LOC


@pytest.mark.parametrize("name", sorted(EVERYDAY))
@pytest.mark.parametrize("method", METHODS)
def test_the_everyday_distributions_have_all_their_derivatives(name, method):
    args = dict(CONTINUOUS)[name]
    x = points(name, args, method)
    found, expected = evaluate(name, method, x, *args, LOC, SCALE)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    function = getattr(getattr(tg.scipy.stats, name), method)
    tg.check_gradients(function, x, *map(float, args), LOC, SCALE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "args"), CONTINUOUS, ids=lambda x: str(x)[:30])
def test_any_distribution_has_scipys_numbers_and_derivatives_or_refuses(name, args):
    tolerance = 1e-3 if name == "fatiguelife" else 1e-5  # steep there: 4e3 per unit
    for method in METHODS:
        x = points(name, args, method)[:1]
        both = evaluate(name, method, x, *args, LOC, SCALE)
        if both is not None:
            np.testing.assert_allclose(*both, rtol=1e-9, atol=1e-12)
            function = getattr(getattr(tg.scipy.stats, name), method)
            given = (x, *map(float, args), LOC, SCALE)
            with suppress(NotDifferentiableError):  # gausshyper: in a parameter of 2F1
                tg.check_gradients(function, *given, order=1, tolerance=tolerance)


@pytest.mark.parametrize("method", METHODS[:6])
@pytest.mark.parametrize("name", sorted(EVERYDAY))
def test_outside_the_support_and_of_bad_parameters_it_is_what_scipy_says(name, method):
    args = dict(CONTINUOUS)[name]
    x = np.array([-np.inf, -1e3, -1.0, 0.0, 1.0, 1e3, np.inf, np.nan])
    for scale in (SCALE, -1.0):
        found, expected = evaluate(name, method, x, *args, 0.0, scale)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "k", "whole", "parameters"),
    [
        ("poisson", [0, 2, 5], (), [2.5]),
        ("bernoulli", [0, 1, 1], (), [0.3]),
        ("binom", [0, 3, 8], (8,), [0.3]),
        ("geom", [1, 2, 5], (), [0.3]),
        ("nbinom", [0, 2, 5], (), [3.5, 0.3]),
    ],
)
@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf", "sf"])
def test_discrete_distributions_are_differentiable_in_their_parameters(
    name, k, whole, parameters, method
):
    k = np.array(k)
    function = getattr(getattr(tg.scipy.stats, name), method)
    expected = getattr(getattr(st, name), method)(k, *whole, *parameters)
    values = function(k, *whole, *map(Value, parameters)).data
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    tg.check_gradients(lambda *p: function(k, *whole, *p), *parameters)
    outside = np.array([-1, 100000])
    found = function(outside, *whole, *map(Value, parameters)).data
    np.testing.assert_allclose(
        found, getattr(getattr(st, name), method)(outside, *whole, *parameters), atol=1e-300
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_quantile_has_exact_derivatives_of_higher_orders(order):
    # the quantile of Exp(rate) is -ln(1 - q)/rate: derivatives in the scale vanish from order 2 on
    def quantile(scale):
        return tg.scipy.stats.expon.ppf(0.3, 0.0, scale)

    found = quantile
    for _ in range(order):
        found = tg.grad(found)
    expected = -np.log(0.7) if order == 1 else 0.0
    assert found(2.0) == pytest.approx(expected, abs=1e-12)


def test_a_frozen_distribution_keeps_its_parameters():
    frozen = tg.scipy.stats.norm(Value(1.0), scale=2.0)
    assert frozen.logpdf(0.5).data == pytest.approx(st.norm(1.0, scale=2.0).logpdf(0.5))
    assert tg.scipy.stats.norm(0.0, 1.0).cdf(0.0) == 0.5
    assert isinstance(tg.scipy.stats.norm(0.0, 1.0).cdf(0.0), float)


def test_what_a_frozen_distribution_does_not_compute_is_scipys():
    for frozen, plain in (
        (tg.scipy.stats.expon(2.0), st.expon(2.0)),
        (tg.scipy.stats.multivariate_normal([0.0, 1.0]), st.multivariate_normal([0.0, 1.0])),
        (tg.scipy.stats.dirichlet([1.5, 2.0]), st.dirichlet([1.5, 2.0])),
    ):
        np.testing.assert_array_equal(frozen.rvs(10, random_state=0), plain.rvs(10, random_state=0))
        np.testing.assert_array_equal(
            np.asarray(frozen.mean() if callable(frozen.mean) else frozen.mean),
            np.asarray(plain.mean() if callable(plain.mean) else plain.mean),
        )
    with pytest.raises(NotDifferentiableError):
        tg.scipy.stats.expon(Value(2.0)).mean()


def test_the_entropy_of_a_multivariate_normal_distribution():
    normal = tg.scipy.stats.multivariate_normal
    cov = np.array([[2.0, 0.3], [0.3, 1.0]])
    assert normal.entropy(None, cov) == pytest.approx(st.multivariate_normal.entropy(None, cov))
    assert normal.entropy(np.zeros(3), 2.0) == pytest.approx(1.5 * np.log(4 * np.pi * np.e))
    tg.check_gradients(lambda a: normal.entropy(None, a @ a.T), cov)
    with pytest.raises(ArgumentError, match="allow_singular must be False"):
        normal.logpdf(np.zeros(2), None, cov, allow_singular=True)


def test_the_maximum_of_the_likelihood_has_no_slope():
    x = st.gamma.rvs(2.5, scale=1.5, size=50, random_state=0)
    shape, _, scale = st.gamma.fit(x, floc=0)
    slopes = tg.grad(
        lambda a, s: np.mean(tg.scipy.stats.gamma.logpdf(x, a, 0.0, s)), argnums=(0, 1)
    )
    np.testing.assert_allclose(slopes(shape, scale), 0, atol=1e-6)


def test_multivariate_distributions_agree_with_scipys():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    cov, mean, x = root @ root.T + np.eye(3), rng.normal(size=3), rng.normal(size=(5, 3))
    normal = tg.scipy.stats.multivariate_normal
    for points in (x, x[0]):
        np.testing.assert_allclose(
            normal.logpdf(points, Value(mean), Value(cov)).data,
            st.multivariate_normal.logpdf(points, mean, cov),
        )
    tg.check_gradients(lambda m, r: normal.logpdf(x, m, r @ r.T + np.eye(3)), mean, root)
    with pytest.raises(ArgumentError, match="cov must be symmetric and positive definite"):
        normal.logpdf(x, mean, Value(-cov))

    alpha, shares = np.array([0.7, 1.5, 2.0]), np.array([[0.2, 0.1], [0.3, 0.4], [0.5, 0.5]])
    dirichlet = tg.scipy.stats.dirichlet
    np.testing.assert_allclose(
        dirichlet.logpdf(shares, Value(alpha)).data, st.dirichlet.logpdf(shares, alpha)
    )
    tg.check_gradients(lambda a: dirichlet.logpdf(shares, a), alpha)

    counts, p = np.array([[1, 2, 0], [0, 0, 3], [1, 0, 0]]), np.array([0.2, 0.3, 0.5])
    multinomial = tg.scipy.stats.multinomial
    found = multinomial.logpmf(counts, 3, Value(p)).data
    np.testing.assert_allclose(found, st.multinomial.logpmf(counts, 3, p))
    tg.check_gradients(lambda p: multinomial.logpmf(counts[:2], 3, p), p)


def test_what_scipy_computes_without_values_is_refused_with_its_name():
    with pytest.raises(NotDifferentiableError, match=r"tg\.scipy\.stats\.kstwo\.logpdf: SciPy's"):
        tg.scipy.stats.kstwo.logpdf(Value(0.5), 10)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        tg.scipy.stats.nothing


def test_a_compiled_likelihood_is_the_eager_one():
    x = st.norm.rvs(size=20, random_state=0)

    def loss(loc, scale):
        return -np.sum(tg.scipy.stats.norm.logpdf(x, loc, scale))

    slopes, eager = tg.compile(tg.grad(loss, argnums=(0, 1))), tg.grad(loss, argnums=(0, 1))
    for given in ((0.1, 1.0), (0.5, 2.0), (0.5, -1.0)):
        np.testing.assert_allclose(slopes(*given), eager(*given), rtol=1e-12)


NORMAL, DIRICHLET, MULTINOMIAL = "multivariate_normal", "dirichlet", "multinomial"
ROWS = np.random.default_rng(0).normal(size=(4, 2))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (NORMAL, ([1.0, 2.0, 3.0],)),  # three points in one dimension
        (NORMAL, (1.5, [0.5], [[2.0]])),
        (NORMAL, ([1.0, 2.0], [0.0, 1.0], [[1.0, 0.3], [0.3, 2.0]])),
        (NORMAL, (ROWS, [0.0, 1.0], [1.0, 4.0])),
        (NORMAL, (np.stack([ROWS, ROWS + 1]), [1.0, 2.0])),
        (DIRICHLET, ([0.2, 0.8], [1.0, 2.0])),
        (DIRICHLET, ([0.2, 0.3], [1.0, 2.0, 3.0])),
        (DIRICHLET, ([[0.2, 0.5], [0.8, 0.5]], [2.0, 3.0])),
        *((MULTINOMIAL, (x, 2, [0.3, 0.7])) for x in ([1, 1], [-1, 3], [0.5, 1.5], [1, 2])),
    ],
)
def test_distributions_of_vectors_take_what_scipys_take(name, given):
    method = "logpmf" if name == MULTINOMIAL else "logpdf"
    expected = getattr(getattr(st, name), method)(*given)
    ours = getattr(getattr(tg.scipy.stats, name), method)
    np.testing.assert_allclose(ours(*given), expected)
    *before, last = given
    found = ours(*before, Value(last))
    np.testing.assert_allclose(found.data, expected)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        (NORMAL, ([1.0, 2.0, 3.0], [0.0, 0.0]), r"x must have shape \(..., 2\), got \(3,\)"),
        (NORMAL, (ROWS, 0.0, np.ones((3, 2, 2))), r"cov must have shape \(2, 2\), got \(3, 2, 2\)"),
        (NORMAL, (ROWS, np.ones((4, 2))), "mean must have shape"),
        (DIRICHLET, ([0.2, 0.9], [1.0, 2.0]), "x must be shares >= 0 that add up to 1"),
        (DIRICHLET, ([-0.2, 1.2], [1.0, 2.0]), "x must be shares"),
        (DIRICHLET, ([0.2, 0.8], [-0.5, 2.0]), "alpha must be > 0, got -0.5"),
        (DIRICHLET, ([0.2, 0.8], 1.0), "alpha must be a vector"),
        (MULTINOMIAL, ([1, 1], 2, [0.5, 0.9]), "p must add up to 1"),
    ],
)
def test_what_is_no_argument_of_a_distribution_of_vectors_is_refused(name, given, told):
    method = "logpmf" if name == MULTINOMIAL else "logpdf"
    ours = getattr(getattr(tg.scipy.stats, name), method)
    for last in (given[-1], Value(given[-1])):
        with pytest.raises(ArgumentError, match=told):
            ours(*given[:-1], last)


def test_lists_of_numbers_are_taken_beside_values():
    found = tg.scipy.stats.gamma.logpdf([1, 2], Value(2.0))
    np.testing.assert_allclose(found.data, st.gamma.logpdf([1, 2], 2.0))
    found = tg.scipy.stats.poisson(Value(2.0)).pmf([0, 1, -1])
    np.testing.assert_allclose(found.data, st.poisson.pmf([0, 1, -1], 2.0))


@pytest.mark.parametrize("given", [(), (1.0, 2.0, 3.0, 4.0)])
def test_parameters_that_a_distribution_does_not_have_are_refused(given):
    with pytest.raises(ArgumentError, match=r"gamma\.logpdf: the parameters must be a, loc and"):
        tg.scipy.stats.gamma.logpdf(Value(1.0), *given)
