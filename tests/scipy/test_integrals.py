"""tg.scipy.integrate and interpolate: SciPy's numbers, closed forms, central differences."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, NotDifferentiableError, TraceError

integrate = pytest.importorskip("scipy.integrate")
interpolate = pytest.importorskip("scipy.interpolate")
optimize = pytest.importorskip("scipy.optimize")
mine = tg.scipy.integrate
curves = tg.scipy.interpolate


def bell(x, w):
    return np.exp(-w * x * x)


@pytest.mark.parametrize("function", [bell, lambda x, w: np.sin(w * x) + x * w])
@pytest.mark.parametrize("w", [0.7, np.array([0.7, 0.3])], ids=["number", "array"])
def test_an_integral_is_differentiated_in_its_bounds_and_arguments(function, w):
    tg.check_gradients(lambda a, b, w: mine.quad(function, a, b, (w,))[0], 0.1, 1.2, w, order=2)


def test_an_integral_over_a_line_has_the_derivatives_of_its_closed_form():
    def area(w):
        return mine.quad(bell, -np.inf, np.inf, w)[0]

    closed = lambda w: np.sqrt(np.pi / w)
    for order in range(3):
        f, g = area, closed
        for _ in range(order):
            f, g = tg.grad(f), tg.grad(g)
        assert f(0.7) == pytest.approx(g(0.7), rel=1e-7)


def test_quad_returns_scipys_estimate_of_the_error():
    value, error = mine.quad(bell, 0.0, Value(1.0), (0.5,), epsabs=1e-3)
    assert (value.data, error) == integrate.quad(bell, 0.0, 1.0, (0.5,), epsabs=1e-3)
    assert mine.quad(bell, 0.0, 1.0, (0.5,)) == integrate.quad(bell, 0.0, 1.0, (0.5,))


OUTER = Value(2.0)


def test_a_value_that_the_integrand_reads_from_a_module_is_refused():
    with pytest.raises(NotDifferentiableError, match="quad: what the function reads must be"):
        mine.quad(lambda x: x * OUTER, 0.0, Value(1.0))


def test_values_of_the_functions_around_get_gradients():
    def area(w, b):
        shape = {"power": [w, 1.0]}

        def height(x, b=b):
            return b * x ** shape["power"][0] if x > 0 else again(x)

        def again(x):
            return height(1.0) * 0.0 * x  # each holds the other

        return mine.quad(height, 0.0, 1.0)[0]

    tg.check_gradients(area, 2.0, 1.5, tolerance=1e-5)
    assert area(2.0, 1.5) == pytest.approx(0.5)


def test_equations_read_values_of_the_functions_around():
    def end(solver):
        def of(w):
            def rhs(t, y):
                return [w[0] * y[1] - t, -np.sin(y[0]) * w[1]]

            if solver == "odeint":
                return mine.odeint(rhs, [w[1], 0.5], TIMES, tfirst=True, rtol=1e-10, atol=1e-10)[-1]
            options = {"rtol": 1e-10, "atol": 1e-10}
            return mine.solve_ivp(rhs, (0, 1.3), [w[1], 0.5], t_eval=TIMES, **options).y[:, -1]

        return of

    w = np.array([0.7, 0.3])
    for solver in ("odeint", "solve_ivp"):
        tg.check_gradients(end(solver), w, order=1, tolerance=1e-5)
    np.testing.assert_allclose(end("odeint")(w), end("solve_ivp")(w), rtol=1e-8)


def pendulum(t, y, w):
    return [w * y[1] - t, -np.sin(y[0])]


START, TIMES = np.array([0.3, -0.2]), np.array([0.0, 0.5, 1.3])


def test_odeint_has_scipys_numbers_and_their_derivatives():
    def solution(y0, t, w):
        return mine.odeint(pendulum, y0, t, (w,), tfirst=True)

    np.testing.assert_array_equal(
        solution(Value(START), TIMES, 0.7).data,
        integrate.odeint(pendulum, START, TIMES, (0.7,), tfirst=True),
    )
    tg.check_gradients(solution, START, TIMES, 0.7, order=1)


def test_an_equation_has_second_derivatives():
    def end(y0, w):
        fine = {"rtol": 1e-10, "atol": 1e-10}
        return mine.odeint(pendulum, y0, TIMES[[0, 2]], (w,), tfirst=True, **fine)[1]

    tg.check_gradients(end, START, 0.7, order=2)


@pytest.mark.parametrize("times", [[0.0, 0.4, 1.5], [0.2, 1.0], None])
@pytest.mark.parametrize("method", ["RK45", "LSODA"])
def test_solve_ivp_is_scipys_with_derivatives(times, method):
    def logistic(t, y, w):
        return w * y * (1 - y)

    options = {"method": method, "rtol": 1e-9, "atol": 1e-9}
    span = (0.0, 1.5)
    found = mine.solve_ivp(logistic, span, Value([0.3]), t_eval=times, args=(0.7,), **options)
    expected = integrate.solve_ivp(logistic, span, [0.3], t_eval=times, args=(0.7,), **options)
    np.testing.assert_allclose(found.t, expected.t, rtol=1e-12)
    np.testing.assert_allclose(found.y.data, expected.y, rtol=1e-7)
    assert found.success

    def last(y0, w, end):
        t = None if times is None else [*times[:-1], end]
        return mine.solve_ivp(logistic, (0.0, end), y0, t_eval=t, args=(w,), **options).y[0, -1]

    # y(t) = 1/(1 + (1/y0 - 1) e^(-wt))
    def closed(y0, w, end):
        return 1 / (1 + (1 / y0[0] - 1) * np.exp(-w * end))

    given = (np.array([0.3]), 0.7, 1.5)
    for slope, expected_slope in zip(
        tg.grad(last, (0, 1, 2))(*given), tg.grad(closed, (0, 1, 2))(*given), strict=True
    ):
        np.testing.assert_allclose(slope, expected_slope, rtol=1e-5)


def test_solve_ivp_refuses_what_has_no_derivative():
    with pytest.raises(NotDifferentiableError, match=r"solve_ivp: .* got events"):
        mine.solve_ivp(lambda t, y: -y, (0.0, 1.0), Value([1.0]), events=lambda t, y: y[0] - 0.5)
    with pytest.raises(ArgumentError, match="solve_ivp: the equation must be solvable"):
        mine.solve_ivp(lambda t, y: y * y, (0.0, 2.0), Value([1.0]), t_eval=[0.0, 2.0])


def test_compiled_code_solves_anew_for_each_call():
    def loss(w):
        return np.sum(mine.odeint(pendulum, START, TIMES, (w,), tfirst=True) ** 2)

    slope = tg.compile(tg.grad(loss))
    for w in (0.7, 1.1):
        assert slope(w) == pytest.approx(tg.grad(loss)(w), rel=1e-9)
    area = tg.compile(tg.grad(lambda w: mine.quad(bell, 0.0, 1.0, (w,))[0]))
    for w in (0.7, 1.1):
        assert area(w) == pytest.approx(tg.grad(lambda w: mine.quad(bell, 0.0, 1.0, (w,))[0])(w))


# ---- interpolation

NODES = np.array([0.0, 0.7, 1.5, 2.2, 4.0])
HEIGHTS = np.random.default_rng(0).normal(size=(5, 2))
AT = np.array([-0.5, 0.3, 0.7, 1.7, 3.9, 5.0])
ENDS = ["not-a-knot", "natural", "clamped", ((1, 0.3), (2, -0.4)), ((2, 0.5), (1, 0.2))]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("ends", ENDS, ids=str)
def test_a_cubic_spline_is_scipys(n, ends):
    y = HEIGHTS[:n] if isinstance(ends, str) else HEIGHTS[:n, 0]
    found, expected = (
        f(NODES[:n], y, bc_type=ends) for f in (curves.CubicSpline, interpolate.CubicSpline)
    )
    for nu in range(4):
        np.testing.assert_allclose(found(AT, nu), expected(AT, nu), atol=1e-12)


def test_a_cubic_spline_is_differentiated_in_nodes_heights_and_positions():
    tg.check_gradients(lambda x, y, at: curves.CubicSpline(x, y)(at), NODES, HEIGHTS, AT + 0.01)
    found = tg.grad(lambda at: curves.CubicSpline(NODES, HEIGHTS[:, 0])(at))(1.2)
    assert found == pytest.approx(curves.CubicSpline(NODES, HEIGHTS[:, 0])(1.2, 1))


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_interp1d_is_scipys(kind):
    at = AT[1:5]
    expected = interpolate.interp1d(NODES, HEIGHTS, kind=kind, axis=0)(at)
    np.testing.assert_allclose(curves.interp1d(NODES, HEIGHTS, kind=kind, axis=0)(at), expected)
    tg.check_gradients(lambda x, y, t: curves.interp1d(x, y, kind, 0)(t), NODES, HEIGHTS, at + 0.01)
    filled = curves.interp1d(NODES, HEIGHTS, kind=kind, axis=0, fill_value=7.0)(AT)
    np.testing.assert_allclose(
        filled,
        interpolate.interp1d(NODES, HEIGHTS, kind=kind, axis=0, fill_value=7.0, bounds_error=False)(
            AT
        ),
    )
    with pytest.raises(ArgumentError, match="interp1d: x must be between"):
        curves.interp1d(NODES, HEIGHTS, kind=kind, axis=0)(AT)
    beyond = curves.interp1d(NODES, HEIGHTS, kind=kind, axis=0, fill_value="extrapolate")
    expected = interpolate.interp1d(NODES, HEIGHTS, kind=kind, axis=0, fill_value="extrapolate")
    np.testing.assert_allclose(beyond(AT), expected(AT), atol=1e-12)


def test_nodes_that_do_not_increase_and_missing_heights_are_refused():
    with pytest.raises(ArgumentError, match="x must increase"):
        curves.CubicSpline(NODES[::-1], HEIGHTS)
    with pytest.raises(ArgumentError, match="y must have a value for each"):
        curves.CubicSpline(NODES, HEIGHTS[:3])
    with pytest.raises(ArgumentError, match="bc_type must be 'not-a-knot', 'natural'"):
        curves.CubicSpline(NODES, HEIGHTS, bc_type="periodic")


def test_a_function_that_is_infinite_at_a_bound_is_integrated():
    found = tg.grad(lambda p: mine.quad(lambda x, p: x**p, 0, 1, (p,))[0])(-0.5)
    assert found == pytest.approx(-4.0)
    assert mine.quad(lambda x: 1 / x**0.5, 0.0, 1.0)[0] == pytest.approx(2.0)
    for a, b in ((-np.inf, 0.0), (0.0, np.inf), (-np.inf, np.inf)):
        expected = integrate.quad(lambda x: np.exp(-abs(x)), a, b)
        assert mine.quad(lambda x: np.exp(-abs(x)), a, b) == expected


def test_options_that_the_derivatives_of_an_integral_would_ignore_are_refused():
    weighted = {"weight": "cos", "wvar": 2.0}
    assert mine.quad(np.exp, 0, 1, **weighted) == integrate.quad(np.exp, 0, 1, **weighted)
    assert len(mine.quad(np.exp, 0, 1, full_output=1)) == 3
    for options in (weighted, {"full_output": 1}):
        with pytest.raises(NotDifferentiableError, match="quad: with Values the options must"):
            mine.quad(np.exp, 0, Value(1.0), **options)
    with pytest.raises(ArgumentError, match=r"quad: b must be a number, got shape \(2,\)"):
        mine.quad(np.exp, 0, Value([1.0, 2.0]))


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
@pytest.mark.parametrize("at", [0.7, np.array([0.2, 1.4]), np.array([[0.2], [1.4]])])
def test_curves_lie_along_any_axis(axis, at):
    x, y = np.arange(3.0), np.random.default_rng(0).normal(size=(3, 3, 3))
    for ours, theirs in ((curves.interp1d, interpolate.interp1d),) * 2 + (
        (curves.CubicSpline, interpolate.CubicSpline),
    ):
        np.testing.assert_allclose(ours(x, y, axis=axis)(at), theirs(x, y, axis=axis)(at))
    tg.check_gradients(lambda y: curves.interp1d(x, y, axis=axis)(at), y)
    np.testing.assert_allclose(curves.interp1d(x, y)(at), interpolate.interp1d(x, y)(at))


@pytest.mark.parametrize("ends", [("not-a-knot", "clamped"), ("natural", "not-a-knot")])
def test_a_spline_of_three_nodes_with_different_ends_is_scipys(ends):
    x, y, at = np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 2.0]), np.linspace(-1, 4, 9)
    expected = interpolate.CubicSpline(x, y, bc_type=ends)(at)
    np.testing.assert_allclose(curves.CubicSpline(x, y, bc_type=ends)(at), expected)


def test_nodes_may_be_lists_and_small_integers():
    x, y = [0, 1, 2, 3], [1, 3, 2, 5]
    expected = interpolate.CubicSpline(x, y)([0.5, 2.5])
    for kind in (list, np.uint8, np.int8):
        given = (x, y) if kind is list else (np.array(x, kind), np.array(y, kind))
        np.testing.assert_allclose(curves.CubicSpline(*given)([0.5, 2.5]), expected)
        assert curves.interp1d(*given)(1.5) == 2.5


def test_two_numbers_fill_below_and_above_the_nodes():
    x, y, at = np.arange(3.0), np.array([1.0, 3.0, 2.0]), np.array([-1.0, 3.0, 1.5, 9.0])
    expected = interpolate.interp1d(x, y, fill_value=(-1.0, 9.0), bounds_error=False)(at)
    np.testing.assert_array_equal(curves.interp1d(x, y, fill_value=(-1.0, 9.0))(at), expected)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: curves.interp1d([1.0, 0.0], [0.0, 1.0]), "interp1d: x must increase"),
        (lambda: curves.interp1d([0.0, 1.0], np.arange(5.0)), "interp1d: y must have a value"),
        (lambda: curves.interp1d([0.0], [1.0]), "interp1d: y must have a value for each of n >= 2"),
        (lambda: curves.interp1d([0.0, 1.0], 1.0), "interp1d: y must have a value"),
        (lambda: curves.interp1d([0, 1], [0, 1], fill_value="up"), "must be 'extrapolate'"),
        (lambda: curves.interp1d([0, 1], [0, 1], fill_value=(1, 2, 3)), "fill_value must be a"),
        (lambda: curves.CubicSpline(1.0, 2.0), "CubicSpline: y must have a value"),
        (lambda: curves.CubicSpline([0, 1], [0, 1], bc_type=0), "CubicSpline: bc_type must be"),
        (lambda: curves.CubicSpline([0, 1], [0, 1], bc_type=("up", "up")), "bc_type must be"),
        (lambda: curves.CubicSpline([0, 1], [0, 1], axis=1), "along axis 1"),
    ],
)
def test_what_makes_no_curve_is_refused(call, told):
    with pytest.raises(ArgumentError, match=told):
        call()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"t_eval": [2.0]}, "t_eval must lie within t_span"),
        ({"t_eval": [0.5, 0.2]}, "each time beyond the one before"),
        ({"t_eval": [0.5, 0.5]}, "each time beyond the one before"),
        ({"t_eval": [np.nan]}, "t_eval must lie within t_span"),
        ({"t_eval": []}, "t_eval must have a time"),
        ({"t_span": (0.0, 1.0, 2.0)}, "t_span must be two times"),
        ({"method": "Euler"}, "method must be 'RK23'"),
        ({"y0": Value(1.0)}, "y0 must be a vector"),
    ],
)
def test_an_interval_that_scipy_would_refuse_is_refused(given, told):
    call = {"t_span": (0.0, 1.0), "y0": Value([1.0]), "t_eval": [0.5]} | given
    with pytest.raises(ArgumentError, match=f"solve_ivp: .*{told}"):
        mine.solve_ivp(lambda t, y: -y, **call)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_a_curve_through_plain_nodes_is_compiled_in_its_points(kind):
    def slope(at):
        curve = curves.interp1d(np.arange(3.0), [1.0, 3.0, 2.0], kind, fill_value=0.0)
        return tg.grad(lambda at: np.sum(curve(at) ** 2))(at)

    compiled = tg.compile(slope)
    for at in (np.array([0.5, 1.5]), np.array([1.7, -1.0])):
        np.testing.assert_allclose(compiled(at), slope(at), rtol=1e-12)


# ---- functions of SciPy's own, which a Value gets into by a closure


THROUGH_SCIPY = {
    "quad": lambda a: integrate.quad(lambda x: a * x, 0.0, 1.0)[0],
    "dblquad": lambda a: integrate.dblquad(lambda y, x: a * x, 0.0, 1.0, 0.0, 1.0)[0],
    "solve_ivp": lambda a: integrate.solve_ivp(lambda t, y: a * y, (0.0, 1.0), [1.0]).y,
    "odeint": lambda a: integrate.odeint(lambda y, t: a * y, [1.0], [0.0, 1.0]),
    "minimize": lambda a: optimize.minimize(lambda x: (x[0] - a) ** 2, [0.0]).x[0],
    "least_squares": lambda a: optimize.least_squares(lambda x: x - a, [0.0]).x[0],
    "brentq": lambda a: optimize.brentq(lambda x: x - a, 0.0, 5.0),
}


@pytest.mark.parametrize("transform", [tg.grad, tg.compile, lambda f: tg.compile(tg.grad(f))])
@pytest.mark.parametrize("name", THROUGH_SCIPY)
def test_a_closure_in_a_function_of_scipy_is_refused_with_what_to_write(name, transform):
    module = "integrate" if hasattr(integrate, name) else "optimize"
    written = "tg.scipy.integrate" if module == "integrate" and name != "dblquad" else "of your own"
    try:
        transform(THROUGH_SCIPY[name])(np.float64(2.0))
    except (NotDifferentiableError, TraceError) as error:
        message = str(error)
        assert written in message and f"scipy.{module}.{name}" in message
    else:
        pytest.fail("a number, whose gradient is lost")
