"""minimize: SciPy's methods with our gradients and Hessian-vector products."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, GraphError, MissingExtraError
from tinygrad_lr.optim import minimize

scipy = pytest.importorskip("scipy.optimize")
START = np.array([-1.2, 1.0, -0.5, 0.8])
NEAR = np.array([0.5, 0.8, 0.7, 0.6])  # of the minimum at 1, and not of the one at (-0.8, ...)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


METHODS = ["BFGS", "L-BFGS-B", "CG", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov"]


@pytest.mark.parametrize("method", [*METHODS, "trust-exact", "trust-constr", "dogleg", "Powell"])
def test_each_method_finds_the_minimum_without_a_warning(method):
    start = np.full(4, 1.02) if method == "dogleg" else NEAR
    options = {"maxfun": 2000} if method == "TNC" else {}
    found = minimize(rosenbrock, start, method=method, options=options)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)
    assert isinstance(found, scipy.OptimizeResult) and NEAR[0] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-ncg"])
def test_the_course_is_that_of_scipy_with_its_own_derivatives(method):
    derivatives = {"jac": scipy.rosen_der} | (
        {} if method == "BFGS" else {"hessp": scipy.rosen_hess_prod}
    )
    expected = scipy.minimize(scipy.rosen, START, method=method, **derivatives)
    found = minimize(rosenbrock, START, method=method)
    assert found.nit == expected.nit and found.nfev == expected.nfev
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-8)


def test_bounds_hold():
    found = minimize(rosenbrock, START, method="L-BFGS-B", bounds=[(-2.0, 0.5)] * 4)
    assert found.success and found.x.max() <= 0.5 and found.x[0] == 0.5


def test_constraints_tolerance_options_and_callback_reach_scipy():
    seen = []
    line = scipy.LinearConstraint(np.ones((1, 4)), 2.0, 2.0)
    found = minimize(
        rosenbrock, START, method="SLSQP", constraints=line, tol=1e-9, callback=seen.append
    )
    assert found.x.sum() == pytest.approx(2.0) and len(seen) == found.nit
    assert minimize(rosenbrock, START, options={"maxiter": 2}).nit == 2


def test_a_tree_of_arrays_and_numbers_comes_back_as_one():
    target = np.arange(6.0).reshape(2, 3)

    def f(p):
        return (
            ((p["layers"][0] - target) ** 2).sum() + (p["layers"][1] ** 2).sum() + (p["b"] - 3) ** 2
        )

    start = {"b": 0.0, "layers": [np.zeros((2, 3)), (np.ones(2, np.float32))]}
    found = minimize(f, start, method="Newton-CG")
    assert type(found.x["b"]) is float and found.x["b"] == pytest.approx(3.0)
    np.testing.assert_allclose(found.x["layers"][0], target, atol=1e-5)
    assert found.x["layers"][1].dtype == np.float32 and start["b"] == 0.0
    assert found.jac["layers"][0].shape == (2, 3)


def test_a_line_is_fitted_to_points():
    x = np.linspace(0, 1, 20)
    found = minimize(lambda w: ((w[0] * x + w[1] - (2 * x + 1)) ** 2).mean(), np.zeros(2))
    np.testing.assert_allclose(found.x, [2.0, 1.0], atol=1e-5)


@pytest.mark.parametrize("name", ["jac", "hess", "hessp", "fun", "args"])
def test_derivatives_are_not_for_the_caller_to_give(name):
    with pytest.raises(ArgumentError, match=f"minimize: arguments must be .*got {name};"):
        minimize(rosenbrock, START, **{name: None})


@pytest.mark.parametrize("method", [None, 3, lambda f, x: x, ["BFGS"]])
def test_a_method_is_the_name_of_one_of_scipys(method):
    with pytest.raises(ArgumentError, match="minimize: method must be the name of a method of Sci"):
        minimize(rosenbrock, START, method=method)


@pytest.mark.parametrize("x0", [[], np.zeros(0), {}])
def test_nothing_to_move_is_refused(x0):
    with pytest.raises(ArgumentError, match="x0 must have at least one entry"):
        minimize(rosenbrock, x0)


def test_a_function_that_returns_no_number_is_refused():
    with pytest.raises(GraphError, match=r"must be a scalar|one scalar"):
        minimize(lambda x: x * 2, START)


def test_without_scipy_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad_lr\[scipy\]'"):
        minimize(rosenbrock, START)


def test_it_is_imported_at_first_use_and_listed():
    assert "minimize" in dir(tg.optim) and callable(tg.optim.minimize)
