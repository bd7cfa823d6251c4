"""Functions with derivatives of their own: rules of users, functions run again, and equations."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import (
    ArgumentError,
    BatchError,
    DivergenceError,
    GraphError,
    ShapeError,
)

X = np.array([0.3, 0.7, -1.2])
GENERATOR = np.random.default_rng(0)
MATRIX = np.array([[2.0, 0.5, 0.1], [0.3, 1.0, 0.2], [0.0, 0.4, 1.5]])


@tg.custom_vjp
def sine_times(x, y):
    return np.sin(x) * y


sine_times.defvjp(
    lambda x, y: (np.sin(x) * y, (np.cos(x), np.sin(x), y)),
    lambda kept, g: (g * kept[0] * kept[2], g * kept[1]),
)


@tg.custom_jvp
def softplus(x):
    return np.log1p(np.exp(x))


@softplus.defjvp
def softplus_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return softplus(x), t * tg.sigmoid(x)


def cubic(x, b):
    return MATRIX @ x + x**3 - b


def contraction(x, b):
    return np.tanh(MATRIX @ x / 4 + b)


FUNCTIONS = {
    "custom_vjp": (lambda x: sine_times(x, 2.0), lambda x: np.sin(x) * 2.0),
    "custom_vjp of two": (lambda x: sine_times(x, x * x), lambda x: np.sin(x) * x * x),
    "custom_jvp": (softplus, lambda x: np.logaddexp(x, 0.0)),
    "remat": (tg.remat(lambda x: np.sin(x) * x), lambda x: np.sin(x) * x),
    "remat with a closure": (
        lambda x: tg.remat(lambda y: np.tanh(MATRIX @ y) * x)(x * x),
        lambda x: np.tanh(MATRIX @ (x * x)) * x,
    ),
    "nested remat": (
        tg.remat(lambda x: tg.remat(lambda y: np.exp(y) * y)(np.sin(x))),
        lambda x: np.exp(np.sin(x)) * np.sin(x),
    ),
    "root": (lambda x: tg.root(cubic, np.zeros(3), x), None),
    "root with a closure": (lambda x: tg.root(lambda y: cubic(y, x), np.zeros(3)), None),
    "fixed_point": (lambda x: tg.fixed_point(contraction, np.zeros(3), x), None),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_agree_with_central_differences(name):
    f, plain = FUNCTIONS[name]
    if plain is not None:
        np.testing.assert_allclose(np.asarray(f(X)), plain(X), rtol=1e-12)
    if not name.startswith("custom"):
        tg.check_gradients(f, X, order=2)
        return
    for order in (tg.jacobian, tg.hessian):
        found, expected = (order(lambda x, g=g: np.sum(g(x) ** 2))(X) for g in (f, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    t = np.cos(X)
    np.testing.assert_allclose(tg.jvp(f, (X,), (t,))[1], tg.jvp(plain, (X,), (t,))[1])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians_and_hessians_are_those_of_single_rows(name):
    f, _ = FUNCTIONS[name]
    rows = np.stack([tg.grad(lambda x, i=i: f(x)[i])(X) for i in range(3)])
    np.testing.assert_allclose(tg.jacobian(f)(X), rows, rtol=1e-9, atol=1e-10)
    slope = tg.grad(lambda x: np.sum(f(x) ** 2))
    second = np.stack([tg.grad(lambda x, i=i: slope(x)[i])(X) for i in range(3)])
    found = tg.hessian(lambda x: np.sum(f(x) ** 2))(X)
    np.testing.assert_allclose(found, second, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_argument_that_was_written_to_has_the_derivatives_of_a_new_array(name):
    f, _ = FUNCTIONS[name]

    def written(x):
        y = x * 1.0
        y[...] = y[::-1]
        y[1:] *= 0.5
        return np.sum(f(y) ** 2)

    def new(x):
        return np.sum(f(x[::-1] * np.array([1.0, 0.5, 0.5])) ** 2)

    for order in (tg.grad, tg.hessian):
        np.testing.assert_allclose(order(written)(X), order(new)(X), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(tg.jvp(written, (X,), (X,)), tg.jvp(new, (X,), (X,)), rtol=1e-9)


@pytest.mark.parametrize("name", ["custom_vjp", "custom_jvp", "remat", "remat with a closure"])
def test_compiled_and_in_a_batch(name):
    f, _ = FUNCTIONS[name]
    slope = tg.grad(lambda x: np.sum(f(x)))
    np.testing.assert_allclose(tg.compile(slope)(X), slope(X), rtol=1e-12)
    steps = lambda x: tg.scan(lambda c, r: (f(c) * r, np.sum(c)), x, np.stack([X, X]))[0]
    for g in (f, steps, lambda x: np.sum(tg.cond(x[0] > 0, f, np.cos, x) * x)):
        for order in (tg.jacobian, lambda g: tg.hessian(lambda x: np.sum(g(x) ** 2))):
            expected = order(g)(X)
            for found in (order(tg.compile(g))(X), tg.compile(order(g))(X)):
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    batch = np.stack([X, 2 * X])
    np.testing.assert_allclose(tg.vmap(slope)(batch), np.stack([slope(x) for x in batch]))


@pytest.mark.parametrize("order", [tg.grad, lambda f: lambda x, c: tg.jvp(f, (x, c), (x, c))[1]])
def test_a_result_that_all_entries_share_has_a_gradient_for_each(order):
    @tg.custom_vjp
    def one(hard, soft):
        return hard

    @tg.custom_jvp
    def other(hard, soft):
        return hard

    one.defvjp(lambda hard, soft: (hard, None), lambda _, g: (None, g))
    other.defjvp(lambda primals, tangents: (primals[0], tangents[1]))
    for straight_through in (one, other):
        slope = order(lambda x, c, f=straight_through: np.sum(x * f(c, x)))
        batch = np.stack([X, 2 * X, -X])
        expected = np.stack([slope(x, np.ones(3)) for x in batch])
        for batched in (vmapped := tg.vmap(slope, in_axes=(0, None)), tg.compile(vmapped)):
            np.testing.assert_allclose(batched(batch, np.ones(3)), expected, rtol=1e-12)
        found = tg.vmap(slope, in_axes=(0, None))(X, 1.0)
        np.testing.assert_allclose(found, [slope(x, 1.0) for x in X.tolist()], rtol=1e-12)


def test_an_equation_is_solved_for_each_entry_of_a_batch():
    square_root = lambda a: tg.root(lambda x, a: x * x - a, 1.0, a)
    numbers = np.array([1.0, 4.0, 9.0])
    np.testing.assert_allclose(tg.vmap(square_root)(numbers), np.sqrt(numbers), rtol=1e-12)
    np.testing.assert_allclose(tg.vmap(tg.grad(square_root))(numbers), 0.5 / np.sqrt(numbers))


def test_the_rule_counts_and_not_the_steps():
    @tg.custom_vjp
    def clip_gradient(x):
        return x * 1.0

    clip_gradient.defvjp(lambda x: (x * 1.0, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    np.testing.assert_array_equal(
        tg.grad(lambda x: np.sum(clip_gradient(x) * X * 9))(X), np.sign(X)
    )

    @tg.custom_jvp
    def straight_through(x):
        return np.round(x)

    straight_through.defjvp(lambda primals, tangents: (np.round(primals[0]), tangents[0]))
    np.testing.assert_array_equal(tg.grad(lambda x: np.sum(straight_through(x)))(X), np.ones(3))


def test_nested_arguments_and_results():
    @tg.custom_vjp
    def both(p):
        return {"a": p["x"] * 2.0, "b": p["y"][0] ** 2}

    both.defvjp(
        lambda p: ({"a": p["x"] * 2.0, "b": p["y"][0] ** 2}, p),
        lambda p, g: ({"x": g["a"] * 2.0, "y": [g["b"] * 2.0 * p["y"][0]]},),
    )
    given = {"x": X, "y": [np.float64(3.0)]}
    found = tg.grad(lambda p: np.sum(both(p)["a"]) + both(p)["b"] * 5.0)(given)
    np.testing.assert_array_equal(found["x"], np.full(3, 2.0))
    assert found["y"] == [30.0]


def test_nested_residuals_of_a_compiled_call():
    @functools.partial(tg.custom_vjp, nondiff_argnums=(0,))
    def product(power, p):
        return {"a": p["x"] ** power * p["y"][0], "b": np.sum(p["x"])}

    product.defvjp(
        lambda power, p: (product.f(power, p), {"p": p, "slope": (power * p["x"], None)}),
        lambda power, kept, g: (
            {
                "x": g["a"] * kept["slope"][0] * kept["p"]["y"][0] + g["b"],
                "y": [np.sum(g["a"] * kept["p"]["x"] ** power)],
            },
        ),
    )

    def loss(p, f):
        found = f(2, p)
        return np.sum(found["a"] ** 2) + found["b"] ** 3

    p = {"x": X, "y": [3.0]}
    expected = tg.grad(loss)(p, product.f)
    compiled = tg.compile(lambda p: loss(p, product))
    for found in (tg.grad(loss)(p, product), tg.grad(compiled)(p)):
        np.testing.assert_allclose(found["x"], expected["x"], rtol=1e-12)
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-12)


def test_arguments_without_a_derivative():
    power = tg.custom_vjp(lambda n, x: x**n, nondiff_argnums=(0,))
    power.defvjp(lambda n, x: (x**n, x), lambda n, x, g: (g * n * x ** (n - 1),))
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(power(3, x)))(X), 3 * X**2)


def test_backward_on_values_and_parameters():
    w = Value(MATRIX)
    block = tg.remat(lambda x: np.tanh(x @ w))
    x = Value(X)
    np.sum(block(x) ** 2).backward()
    expected = tg.grad(lambda x, w: np.sum(np.tanh(x @ w) ** 2), (0, 1))(X, MATRIX)
    np.testing.assert_allclose(x.grad, expected[0])
    np.testing.assert_allclose(w.grad, expected[1])


def test_remat_keeps_no_graph_of_its_steps():
    def steps(x):
        for _ in range(10):
            x = np.sin(x)
        return x

    x = Value(X)
    out = tg.remat(steps)(x)
    assert out.record.operation.name == "steps"
    assert out.record.operands == (x,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.custom_vjp(lambda x: x)(Value(1.0)), GraphError, "must have a derivative"),
        (lambda: tg.custom_jvp(lambda x: x)(Value(1.0)), GraphError, r"\.defjvp"),
        (lambda: tg.fixed_point(lambda x: 2 * x + 1, 1.0), DivergenceError, "settle within 1000"),
        (lambda: tg.root(lambda x: x * x + 1, 0.5), DivergenceError, "settle within 100"),
        (lambda: tg.root(lambda x: np.stack([x, x]), 1.0), ShapeError, "shape"),
        (
            lambda: tg.grad(tg.remat(lambda x: x * GENERATOR.normal()))(1.0),
            GraphError,
            "the same result when it runs again",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rules_of_the_wrong_form_are_refused():
    f = tg.custom_vjp(lambda x: x)
    f.defvjp(lambda x: x, lambda kept, g: (g,))
    with pytest.raises(ArgumentError, match="forward must return"):
        tg.grad(f)(1.0)
    f.defvjp(lambda x: (x, None), lambda kept, g: (g, g))
    with pytest.raises(ArgumentError, match="a tuple of 1 cotangents"):
        tg.grad(f)(1.0)
    f.defvjp(lambda x: (x, None), lambda kept, g: (np.ones(4),))
    with pytest.raises(ShapeError, match="the shape of its argument"):
        tg.grad(lambda x: np.sum(f(x)))(X)


def test_a_value_from_outside_is_refused_and_not_lost():
    w = Value(2.0)
    f = tg.custom_vjp(lambda x: x * w)
    f.defvjp(lambda x: (x * w, None), lambda kept, g: (g * 2.0,))
    with pytest.raises(GraphError, match="take all Values that require a gradient"):
        tg.grad(f)(1.0)


def test_a_gradient_around_a_batch_is_refused_and_not_lost():
    with pytest.raises(BatchError, match="inside vmap"):
        tg.grad(lambda x: np.sum(tg.vmap(lambda y: sine_times(y, 2.0))(x)))(X)


# ---- has_aux, linearize, stop_gradient


def test_more_results_come_along():
    f = lambda x: (np.sum(x**3), {"half": x / 2, "note": "text"})
    (value, more), slope = tg.value_and_grad(f, has_aux=True)(X)
    assert value == np.sum(X**3)
    assert more["note"] == "text"
    assert type(more["half"]) is np.ndarray
    np.testing.assert_array_equal(slope, 3 * X**2)
    assert tg.grad(f, has_aux=True)(X)[1]["note"] == "text"
    matrix, more = tg.hessian(f, has_aux=True)(X)
    np.testing.assert_allclose(matrix, np.diag(6 * X))
    np.testing.assert_array_equal(more["half"], X / 2)
    rows, more = tg.jacobian(lambda x: (x**2, 1), has_aux=True)(X)
    np.testing.assert_array_equal(rows, np.diag(2 * X))
    assert more == 1
    _, pullback, more = tg.vjp(lambda x: (x**2, "a"), X, has_aux=True)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], 2 * X)
    assert more == "a"
    _, pushed, more = tg.jvp(lambda x: (x**2, "a"), (X,), (np.ones(3),), has_aux=True)
    np.testing.assert_array_equal(pushed, 2 * X)
    assert more == "a"
    with pytest.raises(ArgumentError, match="must return \\(result, more\\)"):
        tg.grad(lambda x: x, has_aux=True)(1.0)


def test_a_linearised_function_runs_once():
    runs = []

    def f(x, y):
        runs.append(1)
        return np.sin(x) * y["s"]

    out, derivative = tg.linearize(f, X, {"s": 2.0})
    np.testing.assert_array_equal(out, np.sin(X) * 2.0)
    for t in (np.ones(3), X):
        np.testing.assert_allclose(derivative(t, {"s": 0.5}), np.cos(X) * 2 * t + np.sin(X) * 0.5)
    assert len(runs) == 1


def test_no_derivative_passes_stop_gradient():
    f = lambda x: np.sum(tg.stop_gradient(x) * x)
    np.testing.assert_array_equal(tg.grad(f)(X), X)
    np.testing.assert_array_equal(tg.jvp(f, (X,), (np.ones(3),))[1], np.sum(X))
    np.testing.assert_array_equal(tg.compile(tg.grad(f))(X), X)
    assert tg.stop_gradient({"a": 1.0, "b": [X]})["b"][0] is X
    w = Value(2.0)
    np.sum(tg.vmap(lambda x: tg.stop_gradient(x * w) * w)(X)).backward()
    np.testing.assert_allclose(w.grad, np.sum(X * 2.0))


AROUND = {
    "root": lambda x, c: tg.root(lambda y: y**3 + y - c * x, 0.5),
    "root beside": lambda x, c: x * tg.root(lambda y: y**3 + y - c, 0.5),
    "root, argument": lambda x, c: x * tg.root(lambda y, a: y**3 + y - a, 0.5, c),
    "fixed point": lambda x, c: tg.fixed_point(lambda y: 0.1 * np.cos(y) + c * x, 0.5),
    "fixed point, argument": lambda x, c: x * tg.fixed_point(lambda y, a: 0.1 * y + a, 0.5, c),
    "remat": lambda x, c: tg.remat(lambda y: y * c * c)(x),
    "remat, argument": lambda x, c: x * tg.remat(lambda y: y * y)(c),
    "rule": lambda x, c: clipped_cube(c * x),
    "rule, argument": lambda x, c: x * clipped_cube(c),
}


@tg.custom_vjp
def clipped_cube(x):
    return x**3


clipped_cube.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("transform", ["grad", "jvp", "backward"])
def test_gradients_around_a_batch_are_right_or_refused(name, transform):
    f, x = AROUND[name], np.array([0.5, 1.0, 1.5])
    several = lambda c: np.sum(tg.vmap(lambda x: f(x, c))(x))
    value = tg.Value(1.5)
    expected = sum(tg.grad(lambda c, one=one: f(one, c))(1.5) for one in x)

    def run():
        if transform == "grad":
            return tg.grad(several)(1.5)
        if transform == "jvp":
            return tg.jvp(several, (1.5,), (1.0,))[1]
        several(value).backward()
        return value.grad

    if name.startswith("remat") or name == "rule, argument":
        assert np.allclose(run(), expected, rtol=1e-9)
        return
    with pytest.raises(tg.errors.BatchError, match="inside vmap"):
        run()


def test_a_forward_rule_of_complex_numbers():
    square = tg.custom_jvp(lambda z: z * z)
    square.defjvp(lambda primals, tangents: (primals[0] ** 2, 2 * primals[0] * tangents[0]))
    plain = lambda z: z * z
    z, t = np.array([1.0 + 2.0j, -0.5j]), np.array([1.0j, 2.0 - 1.0j])
    assert np.allclose(tg.jvp(square, (z,), (t,))[1], 2 * z * t)
    assert np.allclose(tg.vjp(square, z)[1](t)[0], tg.vjp(plain, z)[1](t)[0])
    assert np.allclose(tg.jacobian(square)(z), tg.jacobian(plain)(z))
    loss = lambda f: tg.grad(lambda z: np.sum(np.abs(f(z)) ** 2))(z)
    assert np.allclose(loss(square), loss(plain))
