"""The functions that differentiate functions: grad, vjp, jvp, jacobian, hessian, hvp; primitive."""

from __future__ import annotations

import functools
import math
from collections import namedtuple

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import METHOD_IMPLS, NUMPY_IMPLS, PRIMITIVES
from tinygrad_lr.errors import (
    ArgumentError,
    DtypeError,
    GradientCheckError,
    GraphError,
)

X = np.array([0.5, -1.5, 2.0])
Pair = namedtuple("Pair", "a b")


@pytest.fixture
def table():
    """Forget after a test what it has declared."""
    kept = [(mapping, dict(mapping)) for mapping in (PRIMITIVES, METHOD_IMPLS, NUMPY_IMPLS)]
    yield PRIMITIVES
    for mapping, before in kept:
        mapping.clear()
        mapping.update(before)


def same(found, expected):
    """The same structure, types of containers included, with close numbers."""
    assert isinstance(found, type(expected))
    if expected is None:
        return
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = found.values(), expected.values()
    if isinstance(expected, (float, np.ndarray, np.generic)):
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        return
    for a, b in zip(found, expected, strict=True):
        same(a, b)


# ---- grad and value_and_grad

GRADIENTS = {
    "a number": (lambda x: x**3, (2.0,), 12.0),
    "an integer": (lambda x: x**3, (2,), 12.0),
    "an array": (lambda x: (x**2).sum(), (X,), 2 * X),
    "a 0-d array": (lambda x: x**3, (np.array(2.0),), np.array(12.0)),
    "a numpy number": (lambda x: x**3, (np.float32(2),), np.float32(12)),
    "nested lists": (lambda x: x[0] * x[1][0] + x[1][1], ([2.0, [3.0, 4.0]],), [3.0, [2.0, 1.0]]),
    "a tuple": (lambda x: x[0] * x[1], ((2.0, 3.0),), (3.0, 2.0)),
    "a named tuple": (lambda p: p.a * p.b, (Pair(2.0, 3.0),), Pair(3.0, 2.0)),
    "a dict": (
        lambda p: (p["w"] * X).sum() + p["b"],
        ({"w": X * 2, "b": 1.0},),
        {"w": X, "b": 1.0},
    ),
    "a list with None": (lambda p: p[0] * 2, ([3.0, None],), [2.0, None]),
    "an empty list": (lambda p, x: x * 2, ([], 1.0), []),
    "an unused argument": (lambda x, y: y * 2, (3.0, 1.0), 0.0),
    "an unused array": (lambda x, y: y * 2, (X, 1.0), 0 * X),
    "an unused entry": (lambda p: p["a"] * 2, ({"a": 1.0, "b": X},), {"a": 2.0, "b": 0 * X}),
    "a constant function": (lambda x: 3.0, (X,), 0 * X),
    "the argument itself": (lambda x: x, (2.0,), 1.0),
}


@pytest.mark.parametrize(("f", "args", "expected"), GRADIENTS.values(), ids=GRADIENTS)
def test_the_gradient_has_the_structure_of_the_argument(f, args, expected):
    same(tg.grad(f)(*args), expected)
    value, gradient = tg.value_and_grad(f)(*args)
    same(gradient, expected)
    assert not isinstance(value, Value) and np.ndim(value) == 0


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 12.0),
        (1, 8.0),
        (-1, 6.0),
        ((0, 2), (12.0, 6.0)),
        ([2, 0], (6.0, 12.0)),
        ((1,), (8.0,)),
        ((0, 0), (12.0, 12.0)),
        (range(3), (12.0, 8.0, 6.0)),
        ((), ()),
    ],
    ids=str,
)
def test_argnums_chooses_the_arguments_and_their_order(argnums, expected):
    f = lambda x, y, z: x * y * z
    assert tg.grad(f, argnums)(2.0, 3.0, 4.0) == expected
    assert tg.value_and_grad(f, argnums)(2.0, 3.0, 4.0) == (24.0, expected)


@pytest.mark.parametrize("argnums", [1, -2, (0, 3)])
@pytest.mark.parametrize("transform", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
def test_an_argument_that_is_not_there_is_an_error(transform, argnums):
    with pytest.raises(ArgumentError, match="argnums"):
        transform(lambda x: x * 2, argnums)(1.0)


def test_keyword_arguments_are_passed_on_and_not_differentiated():
    f = lambda x, *, by, shift=0.0: (x * by + shift).sum()
    np.testing.assert_array_equal(tg.grad(f)(X, by=3.0), np.full(3, 3.0))
    assert tg.jacobian(f)(X, by=3.0, shift=X).tolist() == [3.0] * 3


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_derivatives_of_any_order_are_taken_by_repetition(n):
    f, expected = np.exp, np.exp(0.3)
    for _ in range(n):
        f = tg.grad(f)
    assert f(0.3) == pytest.approx(expected, rel=1e-14)


def test_the_third_derivative_of_an_array_function_agrees_with_differences():
    third = tg.jacobian(tg.hessian(lambda x: (np.tanh(x) * x).sum() * x[0]))
    second = tg.hessian(lambda x: (np.tanh(x) * x).sum() * x[0])
    for i, unit in enumerate(np.eye(3)):
        rise = (second(X + 1e-5 * unit) - second(X - 1e-5 * unit)) / 2e-5
        np.testing.assert_allclose(third(X)[..., i], rise, rtol=1e-6, atol=1e-8)
    tg.check_gradients(lambda x: np.sin(x) * x, 0.3, order=4, tolerance=1e-5)


def test_branches_and_loops_of_python_are_differentiated():
    def f(x):
        while x < 10:
            x = x * x if x > 2 else x * 3
        return x

    assert tg.grad(f)(1.0) == 4 * 81.0  # 1, 3, 9, 81: the function is (3x)⁴ here


@pytest.mark.parametrize("out", [X, np.zeros((2, 2)), np.zeros(0)], ids=["3", "2x2", "0"])
def test_the_gradient_of_many_numbers_is_an_error(out):
    with pytest.raises((GraphError, ArgumentError), match="scalar"):
        tg.grad(lambda x: x * out)(1.0)


@pytest.mark.parametrize(
    "wrap", [lambda x: (x, x), lambda x: [x], lambda x: {"a": x}, lambda x: None]
)
def test_the_gradient_of_a_structure_is_an_error(wrap):
    with pytest.raises((ArgumentError, GraphError, TypeError)):
        tg.grad(wrap)(1.0)


@pytest.mark.parametrize("data", ["abc", 1j, object()], ids=lambda x: type(x).__name__)
def test_an_argument_that_is_not_made_of_numbers_is_an_error(data):
    with pytest.raises((TypeError, ValueError)):
        tg.grad(lambda x: x * 2)(data)


# ---- what comes out: plain arrays, or Values where Values from outside are involved


def test_plain_arrays_give_plain_arrays():
    out, pullback = tg.vjp(lambda x: x * 2, X)
    results = [out, *pullback(X), *tg.jvp(np.tanh, (X,), (X,)), tg.jacobian(np.tanh)(X)]
    results += [*tg.value_and_grad(np.sum)(X), tg.hessian(np.sum)(X), *tg.hvp(np.sum, (X,), (X,))]
    assert not any(isinstance(result, Value) for result in results)


def test_a_value_from_outside_makes_the_gradient_a_value_with_a_graph():
    w = Value([1.0, 2.0, 3.0], name="w")
    gradient = tg.grad(lambda x: (w * x * x).sum())(X)
    assert isinstance(gradient, Value)
    gradient.sum().backward()
    np.testing.assert_allclose(w.grad, 2 * X)


def test_a_value_as_argument_gives_a_gradient_that_can_be_differentiated():
    x = Value(3.0)
    gradient = tg.grad(lambda x: x**3)(x)
    gradient.backward()
    assert (gradient.data, x.grad) == (27.0, 18.0)


def test_a_penalty_on_the_gradient_is_differentiated():
    def penalty(w):
        slope = tg.grad(lambda x: np.tanh(w * x).sum())(X)
        return (slope**2).sum()

    tg.check_gradients(penalty, np.array([0.3, -0.2, 0.9]), order=2)


@pytest.mark.parametrize(
    "inner",
    [
        lambda w: tg.jvp(lambda x: np.sin(w * x), (X,), (X,))[1],
        lambda w: tg.vjp(lambda x: np.sin(w * x), X)[1](X)[0],
        lambda w: tg.jacobian(lambda x: np.sin(w * x))(X),
        lambda w: tg.hvp(lambda x: (np.sin(w * x) * x).sum(), (X,), (X,))[0],
        lambda w: tg.vjp(lambda x: np.sin(x), X)[1](w)[0],
        lambda w: tg.jvp(np.sin, (X,), (w,))[1],
        lambda w: tg.jvp(np.sin, (w,), (X,))[1],
        lambda w: tg.hessian(lambda x: (x**3 * w).sum())(X),
    ],
    ids=["jvp", "vjp", "jacobian", "hvp", "cotangent", "tangent", "primal", "hessian"],
)
def test_every_transform_is_differentiated_through_a_closure(inner):
    tg.check_gradients(inner, np.array([0.3, -0.2, 0.9]), order=2)


# ---- vjp and jvp


def test_vjp_of_structures_gives_structures():
    f = lambda p, x: {"out": [p["w"] * x, p["b"]]}
    out, pullback = tg.vjp(f, {"w": X, "b": 2.0}, 3.0)
    same(out, {"out": [3 * X, 2.0]})
    same(pullback({"out": [X, 5.0]}), ({"w": 3 * X, "b": 5.0}, float(X @ X)))


def test_a_pull_back_can_be_used_again():
    _, pullback = tg.vjp(np.square, X)
    for scale in (1.0, 2.0, 0.0):
        same(pullback(scale * np.ones(3)), (2 * X * scale,))


def test_jvp_of_structures_gives_structures():
    f = lambda p, x: (p["w"] * x, [p["b"]])
    out, tangent = tg.jvp(f, ({"w": X, "b": 2.0}, 3.0), ({"w": 0 * X, "b": 7.0}, 1.0))
    same(out, (3 * X, [2.0]))
    same(tangent, (X, [7.0]))


@pytest.mark.parametrize("f", [lambda x: 3.0, lambda x: X, lambda x: (x, X)[1] * 1.0])
def test_what_does_not_depend_on_the_argument_has_a_tangent_of_zero(f):
    out, tangent = tg.jvp(f, (2.0,), (1.0,))
    assert np.shape(out) == np.shape(tangent) and np.all(np.asarray(tangent) == 0)


def test_an_output_that_appears_twice_gets_both_cotangents():
    _, pullback = tg.vjp(lambda x: [x, x, x * 2], 3.0)
    assert pullback([1.0, 10.0, 100.0]) == (211.0,)


@pytest.mark.parametrize("cotangent", [X[:2], 1.0, [X, X], {"a": 1.0}, X[:, None]], ids=str)
def test_a_cotangent_of_another_structure_or_shape_is_an_error(cotangent):
    _, pullback = tg.vjp(np.tanh, X)
    with pytest.raises(ArgumentError, match="vjp"):
        pullback(cotangent)


@pytest.mark.parametrize("primals", [X[:2], 3.0, "ab", {"x": 1.0, "y": 2.0}], ids=str)
def test_arguments_that_are_no_tuple_are_an_error(primals):
    with pytest.raises(ArgumentError, match="jvp: primals must be a tuple of arguments"):
        tg.jvp(np.multiply, primals, (1.0, 0.0))


@pytest.mark.parametrize("tangents", [(X[:2],), (1.0,), (X, X), ()], ids=str)
def test_tangents_of_another_structure_or_shape_are_an_error(tangents):
    with pytest.raises(ArgumentError, match="jvp"):
        tg.jvp(np.tanh, (X,), tangents)
    with pytest.raises(ArgumentError):
        tg.hvp(lambda x: (x**3).sum(), (X,), tangents)


def test_a_structure_with_the_right_number_of_leaves_but_another_shape_is_an_error():
    with pytest.raises(ArgumentError):
        tg.jvp(lambda p: p["a"] * p["b"], ({"a": 1.0, "b": 2.0},), ([1.0, 0.0],))


def test_dicts_are_paired_by_key_not_by_order():
    f, p = (lambda p: p["a"] * 10 + p["b"]), {"a": 1.0, "b": 2.0}
    assert tg.jvp(f, (p,), ({"b": 0.0, "a": 1.0},))[1] == 10.0
    _, pullback = tg.vjp(lambda x: {"a": x * 10, "b": x}, 1.0)
    assert pullback({"b": 0.0, "a": 1.0}) == (10.0,)


@pytest.mark.parametrize("container", [tuple, list])
def test_hvp_gives_the_container_that_it_was_given(container):
    found = tg.hvp(lambda x, y: (x * y).sum() * y, container([X, 2.0]), container([X * 0, 1.0]))
    assert type(found) is container
    same(list(found), [np.full(3, 4.0), float(2 * X.sum())])


# ---- jacobian and hessian


def test_the_jacobian_has_the_shape_of_the_output_and_then_of_the_argument():
    x = np.arange(6.0).reshape(2, 3)
    jacobian = tg.jacobian(lambda x: (x @ x.T)[:, :, None] * np.ones(4))(x)
    assert jacobian.shape == (2, 2, 4, 2, 3)
    np.testing.assert_allclose(jacobian[0, 1, 2], [x[1], x[0]])


def test_nested_outputs_and_arguments_give_nested_jacobians():
    f = lambda p: {"y": p[0] * p[1], "z": p[1]}
    found = tg.jacobian(f)([X, 2.0])
    same(found, {"y": [2 * np.eye(3), X], "z": [np.zeros(3), 1.0]})


def test_the_jacobian_of_a_number_is_a_number():
    same(tg.jacobian(lambda x: x**2)(3.0), 6.0)
    same(tg.jacobian(lambda x, y: x * y, (0, 1))(3.0, 2.0), (2.0, 3.0))


@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_the_jacobian_of_nothing_is_empty(shape):
    assert tg.jacobian(lambda x: x * 2)(np.ones(shape)).shape == shape + shape
    assert tg.jacobian(lambda x: x[:0])(X).shape == (0, 3)


PEER = {
    "tanh": lambda np, x: np.tanh(x * x[::-1]),
    "softmax": lambda np, x: np.exp(x) / np.sum(np.exp(x)),
    "norms": lambda np, x: np.sqrt(np.sum(np.outer(x, x) ** 2, axis=0)),
    "sorted": lambda np, x: np.sort(x) * np.cumsum(x),
    "products": lambda np, x: np.dot(np.outer(x, x), x) * np.prod(x),
    "spread": lambda np, x: np.array([1.0, 2.0]) * np.std(x) + np.var(x),
}


@pytest.mark.parametrize("f", PEER.values(), ids=PEER)
def test_autograd_gives_the_same_jacobian_and_hessian(f):
    autograd = pytest.importorskip("autograd")
    peer = __import__("autograd.numpy").numpy
    ours, theirs = (lambda x: f(np, x)), (lambda x: f(peer, x))
    np.testing.assert_allclose(tg.jacobian(ours)(X), autograd.jacobian(theirs)(X), rtol=1e-12)
    np.testing.assert_allclose(
        tg.hessian(lambda x: ours(x).sum())(X),
        autograd.hessian(lambda x: peer.sum(theirs(x)))(X),
        rtol=1e-10,
        atol=1e-12,
    )


def test_the_hessian_is_symmetric_and_nested_by_arguments():
    f = lambda x, y: (np.sin(x) * y).sum() + (x * x).sum() * y
    (xx, xy), (yx, yy) = tg.hessian(f, (0, 1))(X, 2.0)
    np.testing.assert_allclose(xx, np.diag(4 - 2 * np.sin(X)))
    np.testing.assert_allclose(xy, yx)
    assert yy == 0.0


# ---- check_gradients


def test_an_entry_is_named_by_its_argument_and_place_and_nan_equals_nan_only():
    @tg.primitive
    def wrong(x, y):
        """x + y with a wrong slope at the last entry of y."""
        return x + y

    bad = np.array([[1.0, 1.0], [1.0, 3.0]])
    wrong.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g * bad)
    with pytest.raises(
        tg.errors.GradientCheckError, match=r"argument 1, entry \(1, 1\), of output"
    ):
        tg.check_gradients(wrong, np.ones((2, 2)), np.ones((2, 2)), order=1)
    with np.errstate(invalid="ignore"):
        tg.check_gradients(lambda x: x * np.nan, 1.0, order=1)


@pytest.mark.parametrize(
    ("slope", "error", "accepted"),
    [(0.25, 9e-4, True), (0.25, 1.5e-3, False), (8.0, 7e-3, True), (8.0, 0.012, False)],
)
def test_slopes_are_compared_relative_to_their_size_and_to_1_if_they_are_smaller(
    slope, error, accepted, table
):
    @tg.primitive
    def scaled(x):
        return x * slope

    scaled.vjp(x=lambda g, out, x: g * (slope + error))
    scaled.jvp(x=lambda t, out, x: t * slope)
    check = functools.partial(tg.check_gradients, scaled, 0.7, order=1, tolerance=1e-3)
    if accepted:
        check()
    else:
        with pytest.raises(GradientCheckError, match="central differences give"):
            check()


def test_a_wrong_rule_is_found_in_either_mode_and_order(table):
    @tg.primitive
    def wrong(x):
        return x * x

    wrong.vjp(x=lambda g, out, x: g * 2 * x.detach() if isinstance(x, Value) else g * 2 * x)
    tg.check_gradients(wrong, 3.0, order=1)
    with pytest.raises(GradientCheckError, match="order 2"):
        tg.check_gradients(wrong, 3.0)
    wrong.jvp(x=lambda t, out, x: t * 3 * x)
    with pytest.raises(GradientCheckError, match="forward mode, order 1"):
        tg.check_gradients(wrong, 3.0)


def test_two_orders_are_checked_unless_others_are_asked_for(table):
    @tg.primitive
    def wrong(x):
        return x**3

    slope = lambda x: 3 * x.detach() * (2 * x - x.detach()) if isinstance(x, Value) else 3 * x * x
    wrong.vjp(x=lambda g, out, x: g * slope(x))  # with a third derivative of 0
    tg.check_gradients(wrong, 2.0)
    with pytest.raises(GradientCheckError, match="order 3"):
        tg.check_gradients(wrong, 2.0, order=3)


@pytest.mark.parametrize("order", [0, -1])
def test_the_order_of_a_check_is_1_or_more(order):
    with pytest.raises(ArgumentError, match="order"):
        tg.check_gradients(np.tanh, 1.0, order=order)


def test_a_check_covers_structures_and_several_outputs():
    tg.check_gradients(lambda p, x: [p["w"] @ x, p["b"] * x], {"w": np.eye(3), "b": 2.0}, X)


def test_a_layer_is_checked_though_its_weights_are_values_too():
    layer = tg.nn.Linear(3, 2, dtype=np.float64, generator=0)
    tg.check_gradients(lambda x: np.tanh(layer(x)), np.ones((4, 3)), order=2)


@pytest.mark.parametrize("tolerance", [math.nan, math.inf, -1.0, None, "1e-6", True])
def test_a_tolerance_that_would_accept_anything_is_refused(tolerance):
    with pytest.raises(ArgumentError, match="tolerance must be a finite number >= 0"):
        tg.check_gradients(np.tanh, 0.3, tolerance=tolerance)


NO_FLOATS = {
    "a position": np.argmax,
    "a comparison": lambda x: x.data > 0,
    "an integer": lambda x: 3,
    "text": lambda x: "text",
    "integers among floats": lambda x: [x.sum(), np.arange(2)],
}
TRANSFORMS = {
    "vjp": lambda f, x: tg.vjp(f, x),
    "jvp": lambda f, x: tg.jvp(f, (x,), (x,)),
    "jacobian": lambda f, x: tg.jacobian(f)(x),
    "grad": lambda f, x: tg.grad(f)(x),
    "value_and_grad": lambda f, x: tg.value_and_grad(f)(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("f", NO_FLOATS.values(), ids=NO_FLOATS)
def test_what_has_no_derivative_is_refused_as_an_output(name, f):
    with pytest.raises(DtypeError, match=f"{name.split('_')[-1]}: the function must return floats"):
        TRANSFORMS[name](f, np.ones((2, 3)))
