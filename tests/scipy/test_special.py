"""scipy.special on Values: the bed of operations checks the derivatives, this the dispatch."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import NUMPY_IMPLS, implementation_of
from tinygrad_lr.errors import DtypeError, NotDifferentiableError

sc = pytest.importorskip("scipy.special")
KNOWS_COMPLEX_HYP1F1 = pytest.importorskip(
    "tinygrad_lr.scipy.special.integrals"
).KNOWS_COMPLEX_HYP1F1
mine = tg.scipy.special
implementation_of(sc.gamma)  # loads ours
UFUNCS = sorted(
    f.__name__ for f in NUMPY_IMPLS if isinstance(f, np.ufunc) and getattr(sc, f.__name__, 0) is f
)
INTEGERS = {"bdtr": (2, 5), "bdtrc": (2, 5), "nbdtr": (2, 5), "nbdtrc": (2, 5), "pdtr": (2,)}
INTEGERS |= {
    "pdtrc": (2,),
    "expn": (3,),
    "yn": (2,),
    "kn": (2,),
    "eval_hermite": (3,),
    "eval_hermitenorm": (3,),
}


@pytest.mark.parametrize("name", [*UFUNCS, "logsumexp", "softmax", "log_softmax"])
def test_the_functions_of_scipy_special_have_their_names_here(name):
    assert callable(getattr(mine, name))


def arguments(ufunc):
    given = INTEGERS.get(ufunc.__name__, ())
    return [*given, *np.linspace(0.35, 0.65, 4)[: ufunc.nin - len(given)]]


COMPLEX = ["dawsn", "digamma", "erf", "erfc", "erfcx", "erfi", "exp1", "expi", "fresnel", "gamma"]
COMPLEX += ["hankel1", "hankel2", "hyp0f1", "hyp1f1", "hyp2f1", "iv", "jv", "kv", "kve", "loggamma"]
COMPLEX += [
    "airy",
    "wofz",
    "wrightomega",
    "log_ndtr",
    "ndtr",
    "psi",
    "rgamma",
    "spence",
    "xlog1py",
    "xlogy",
    "yv",
]
if not KNOWS_COMPLEX_HYP1F1:
    COMPLEX.remove("hyp1f1")


@pytest.mark.parametrize("name", [name for name in UFUNCS if name not in INTEGERS])
def test_complex_numbers_have_scipys_results_or_are_refused(name):
    ufunc = getattr(sc, name)
    *given, x = arguments(ufunc)
    z = np.array([x + 0.3j, -x + 1.2j])
    if name not in COMPLEX:
        if not hasattr(np, name):  # NumPy's own, such as expm1, take them
            with pytest.raises(DtypeError, match="operands must be real, got complex128; take"):
                ufunc(*given, Value(z))
        return
    results = map(as_tuple, (ufunc(*given, Value(z)), ufunc(*given, z)))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found.data, expected, rtol=1e-13)


def test_a_complex_order_is_refused():
    with pytest.raises(DtypeError, match="jv: operands must be real, got complex128"):
        sc.jv(1j, Value(1.0))


def test_the_gamma_function_of_complex_numbers_has_no_second_derivative():
    with pytest.raises(NotDifferentiableError, match="digamma has no derivative with respect to x"):
        tg.hessian(lambda z: np.abs(sc.gamma(z)))(1 + 1j)


def test_names_of_the_package_are_functions_and_not_its_files():
    assert mine.gamma(Value(4.0)).data == 6.0
    assert [name for name in dir(mine) if not callable(getattr(mine, name))] == []


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_of_scipy_computes_on_values_what_it_computes_on_arrays(name):
    ufunc = getattr(sc, name)
    numbers = arguments(ufunc)
    found = ufunc(*numbers[:-1], Value([numbers[-1]] * 2))
    expected = ufunc(*numbers[:-1], np.array([numbers[-1]] * 2))
    for a, b in zip(as_tuple(found), as_tuple(expected), strict=True):
        np.testing.assert_allclose(getattr(a, "data", a), b, rtol=1e-14)
        assert isinstance(a, Value)


@pytest.mark.parametrize("name", UFUNCS)
def test_the_derivative_of_a_ufunc_agrees_with_central_differences(name):
    ufunc = getattr(sc, name)
    *given, x = arguments(ufunc)
    tg.check_gradients(lambda x: sum(as_tuple(ufunc(*given, x))), x, order=2)


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (lambda f, a: f(a, 2.5), [0.01, 0.7, 2.5, 40.0]),
        (lambda f, a: f(2.5, a), [0.01, 0.7, 2.5, 40.0]),
    ],
)
@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_incomplete_gamma_in_both_arguments_and_orders(name, function, numbers):
    for x in numbers:
        tg.check_gradients(lambda x: function(getattr(sc, name), x), x, order=2)


# d/da P(a, x) and d/da I(a, b, x), by mpmath 1.3.0 with 40 digits: mp.diff of mp.gammainc and
# mp.betainc with regularized=True.
SLOPES_OF_GAMMA = [
    (0.001, 0.0001, -8.560635309048715),
    (0.1, 0.5, -0.6090919772111218),
    (0.7, 0.0625, -0.462538440224688),
    (1.0, 1.0, -0.4317297106348987),
    (3.5, 12.0, -0.0016797957639135164),
    (20.0, 5.0, -4.920268403228746e-07),
    (300.0, 300.0, -0.023039342930868643),
    (10000.0, 10000.0, -0.003989456049453668),
]
SLOPES_OF_BETA = [
    (0.01, 0.5, 0.25, -2.5371729016802256),
    (0.5, 0.5, 0.999, -0.027906380086556385),
    (2.0, 30.0, 0.0625, -0.2875650844880303),
    (30.0, 30.0, 0.5, -0.05186274574988563),
    (1000.0, 2.0, 0.9, -1.842503112971206e-45),
    (1000.0, 1000.0, 0.5, -0.008922479336000141),
]


@pytest.mark.parametrize(("a", "x", "slope"), SLOPES_OF_GAMMA)
def test_the_slope_of_the_incomplete_gamma_function_in_its_shape_has_all_digits(a, x, slope):
    np.testing.assert_allclose(tg.grad(sc.gammainc)(a, x), slope, rtol=2e-12)
    np.testing.assert_allclose(tg.grad(sc.gammaincc)(a, x), -slope, rtol=2e-12)


@pytest.mark.parametrize(("a", "b", "x", "slope"), SLOPES_OF_BETA)
def test_the_slope_of_the_incomplete_beta_function_in_its_shapes_has_all_digits(a, b, x, slope):
    np.testing.assert_allclose(tg.grad(sc.betainc)(a, b, x), slope, rtol=2e-12)
    np.testing.assert_allclose(tg.grad(lambda a: sc.betainc(b, a, 1 - x))(a), -slope, rtol=1e-10)


def test_outside_their_domain_the_incomplete_functions_are_what_scipy_says():
    a = np.array([0.0, 1.0, -1.0, np.nan, 1.0, 1.0])
    x = np.array([1.0, 0.0, 1.0, 1.0, np.inf, -1.0])
    for f in (sc.gammainc, sc.gammaincc):
        np.testing.assert_array_equal(f(Value(a), x).data, f(a, x))
    assert tg.grad(sc.gammainc)(1.0, 0.0) == 0
    assert tg.grad(sc.gammainc)(1.0, np.inf) == 0
    assert np.isnan(tg.grad(sc.gammainc)(1.0, -1.0))
    assert tg.grad(lambda b: sc.betainc(1.0, b, 1.0))(2.0) == 0


def test_the_order_of_a_bessel_function_has_no_derivative_and_says_so():
    with pytest.raises(NotDifferentiableError, match="jv has no derivative with respect to order"):
        tg.grad(lambda v: sc.jv(v, 1.0))(0.5)


def test_a_function_of_scipy_without_a_derivative_says_what_to_do():
    with pytest.raises(NotDifferentiableError, match=r"tg\.primitive"):
        sc.kolmogorov(Value(1.0))


def test_the_second_derivative_of_the_confluent_function_is_compiled():
    slope = tg.grad(lambda x: tg.grad(sc.exprel)(x) ** 2)
    assert tg.compile(slope)(0.5) == pytest.approx(slope(0.5), rel=1e-12)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_has_the_arguments_and_the_numbers_of_scipys(axis, keepdims):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    b[0, 0] = 0
    for options in ({}, {"b": np.abs(b)}, {"b": b, "return_sign": True}):
        options = {"axis": axis, "keepdims": keepdims} | options
        found, expected = mine.logsumexp(Value(a), **options), sc.logsumexp(a, **options)
        if isinstance(expected, tuple):
            np.testing.assert_array_equal(found[1].data, expected[1])
            found, expected = found[0], expected[0]
        np.testing.assert_allclose(found.data, expected, rtol=1e-13)
    tg.check_gradients(
        lambda a, b: mine.logsumexp(a, axis=axis, b=b, keepdims=keepdims), a, np.abs(b) + 0.1
    )


def test_logsumexp_of_a_negative_sum_is_nan_without_its_sign():
    assert np.isnan(mine.logsumexp(Value([1.0]), b=-1.0).data)
    assert mine.logsumexp(Value([1000.0, -1000.0]), b=[1.0, 0.0]).data == 1000.0


def test_softmax_goes_over_all_entries_as_scipys_does():
    x = np.random.default_rng(1).normal(size=(2, 3))
    for name in ("softmax", "log_softmax"):
        for axis in (None, 0, 1):
            found = getattr(mine, name)(Value(x), axis=axis).data
            np.testing.assert_allclose(found, getattr(sc, name)(x, axis=axis), rtol=1e-14)


def test_python_functions_of_scipy_have_equivalents_with_its_arguments():
    x = np.array([0.3, 1.7])
    for found, expected in [
        (mine.polygamma(2, Value(x)), sc.polygamma(2, x)),
        (mine.multigammaln(Value(x + 2), 3), [sc.multigammaln(a, 3) for a in x + 2]),
        (mine.zeta(3.0, Value(x)), sc.zeta(3.0, x)),
    ]:
        np.testing.assert_allclose(found.data, expected, rtol=1e-13)


def test_a_compiled_function_calls_scipys_ufunc():
    f = tg.compile(lambda x: np.sum(sc.gammaln(x) * sc.jv(0.5, x)))
    x = np.array([0.5, 1.5, 2.5])
    for shift in (0, 1):
        np.testing.assert_allclose(
            f(x + shift), np.sum(sc.gammaln(x + shift) * sc.jv(0.5, x + shift)), rtol=1e-13
        )
    slope = tg.compile(tg.grad(lambda a: sc.betainc(a, 2.0, 0.3)))
    for a in (0.5, 3.0):
        np.testing.assert_allclose(slope(a), tg.grad(lambda a: sc.betainc(a, 2.0, 0.3))(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *(([1.0, 1.0], [1.0, -1.0]), ([np.inf, 1.0], [1.0, 1.0]), ([np.inf, 1.0], [-1.0, 1.0])),
        *(([-np.inf, -np.inf], [1.0, 1.0]), ([1000.0, 999.0], [-1.0, 2.0]), ([3.0, 0.0], [0, 1])),
    ],
)
def test_the_sign_of_a_weighted_sum_is_scipys(a, b):
    expected = sc.logsumexp(a, b=b, return_sign=True)
    found = mine.logsumexp(Value(a), b=b, return_sign=True)
    np.testing.assert_allclose([x.item() for x in found], expected)
    compiled = tg.compile(lambda a: mine.logsumexp(a, b=b, return_sign=True))(np.array(a))
    np.testing.assert_allclose(compiled, expected)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 2.5])
@pytest.mark.parametrize("name", ["legendre", "chebyt", "chebyu", "laguerre"])
def test_polynomials_of_every_degree_have_slopes(name, n):
    if name != "laguerre" or n >= 0:
        tg.check_gradients(
            lambda x: getattr(sc, f"eval_{name}")(n, x), np.array([0.3, 0.55]), order=2
        )


@pytest.mark.parametrize("name", ["eval_hermite", "eval_hermitenorm"])
def test_a_degree_of_a_hermite_polynomial_is_an_integer(name):
    degrees = np.array([0, 2, 5])
    tg.check_gradients(lambda x: getattr(sc, name)(degrees, x), np.array([0.3, 0.5, -1.2]), order=2)
    for n in (2.5, Value(2.0)):
        with pytest.raises(NotDifferentiableError, match=f"{name}: n must be plain integers"):
            getattr(sc, name)(n, Value(1.0))


PYTHON_FUNCTIONS = {
    "comb": [(5.5, 2.3), (3.0, 4.0), (-1.0, 0.5)],
    "perm": [(5.5, 2.3), (3.0, 4.0)],
    "factorial": [(3.7,), (-2.5,)],
    "lambertw": [(0.7,), (1.5 + 0.3j,), (2.0, -1)],
    "jvp": [(1.5, 0.7, n) for n in (0, 1, 3)],
    "yvp": [(1.5, 0.7, n) for n in (0, 1, 3)],
    "ivp": [(1.5, 0.7, n) for n in (0, 1, 3)],
    "kvp": [(1.5, 0.7, n) for n in (0, 1, 2, 3)],
    "sph_harm_y": [(2, 1, 0.7, 0.3), (3, -3, 0.7, 0.3), (2, 2, 0.0, 0.4), (4, 0, 1.1, 0.2)],
}
"""Functions and arguments: integers are no operands, nor are orders of Bessel functions."""


@pytest.mark.parametrize(
    ("name", "args"), [(name, args) for name, cases in PYTHON_FUNCTIONS.items() for args in cases]
)
def test_python_functions_have_scipys_results_and_derivatives(name, args):
    if not hasattr(sc, name):
        pytest.skip("SciPy has it since version 1.15")
    fixed = [i for i, x in enumerate(args) if isinstance(x, int) or (i == 0 and name[1:] == "vp")]
    moved = [x for i, x in enumerate(args) if i not in fixed]

    def function(*given):
        rest = iter(given)
        return getattr(mine, name)(
            *[args[i] if i in fixed else next(rest) for i in range(len(args))]
        )

    np.testing.assert_allclose(function(*map(Value, moved)).data, getattr(sc, name)(*args))
    tg.check_gradients(function, *moved, order=2)


def test_spherical_harmonics_have_whole_degrees():
    if hasattr(sc, "sph_harm_y"):
        with pytest.raises(NotDifferentiableError, match="sph_harm_y: n must be plain integers"):
            mine.sph_harm_y(2.0, 1, Value(0.5), 0.1)


def test_reductions_take_lists_of_values():
    x, y = Value(0.5), Value(1.5)
    np.testing.assert_allclose(mine.logsumexp([x, y, 1.0]).data, sc.logsumexp([0.5, 1.5, 1.0]))
    np.testing.assert_allclose(mine.softmax([x, y]).data, sc.softmax([0.5, 1.5]))


@pytest.mark.parametrize("sigma", [0.0, 0.4])
def test_a_voigt_profile_is_scipys(sigma):
    found = sc.voigt_profile(Value([0.0, 1.3]), sigma, 0.2)
    np.testing.assert_allclose(found.data, sc.voigt_profile([0.0, 1.3], sigma, 0.2))


def test_a_ufunc_without_a_derivative_is_named_as_scipys():
    with pytest.raises(
        NotDifferentiableError, match=r"^scipy\.special\.kolmogorov has no derivative"
    ):
        sc.kolmogorov(Value(0.5, requires_grad=True))
