"""Values and derivatives at the edges: infinite, singular, masked, empty and float16 operands."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import tinygrad_lr as tg
from tinygrad_lr import Value, ops
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

inf, nan = np.inf, np.nan
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


# ---- arrays without axes, of which NumPy takes axis 0


@pytest.mark.parametrize(
    "f", [np.sum, np.max, np.prod, np.ptp, np.cumsum, np.cumprod, np.nansum, np.nanmean]
)
def test_a_number_is_reduced_along_axis_0_as_in_numpy(f):
    for axis in (0, -1):
        assert f(Value(2.5), axis=axis).data == f(np.array(2.5), axis=axis)
        tg.check_gradients(lambda x, axis=axis: f(x, axis=axis), np.array(2.5))


def test_the_triangle_of_a_vector_is_that_of_its_rows():
    for f in (np.tril, np.triu):
        np.testing.assert_array_equal(f(Value([1.0, 2.0])).data, f(np.array([1.0, 2.0])))


# ---- indices along an axis


@given(data=st.data())
def test_take_along_axis_broadcasts_as_numpy_does(data):
    shape = data.draw(array_shapes(min_dims=1, max_dims=3, max_side=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    others = [data.draw(st.sampled_from([1, 3] if n == 1 else [1, n])) for n in shape]
    others[axis] = data.draw(st.integers(0, 4))
    length = shape[axis]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, indices = rng.normal(size=shape), rng.integers(-length, length, others)
    out = np.take_along_axis(Value(x), indices, axis)
    np.testing.assert_array_equal(out.data, np.take_along_axis(x, indices, axis))
    tg.check_gradients(lambda x: np.take_along_axis(x, indices, axis), x)


@pytest.mark.parametrize(
    ("indices", "axis", "error"),
    [
        (np.array([0, 1]), 1, ShapeError),
        (np.array([[0.0, 1.0]]), 1, DtypeError),
        (np.array([[True, False]]), 1, DtypeError),
        (np.array([[0]]), 2, ArgumentError),
        (np.array([[0]]), None, ShapeError),
        (np.array([[7]]), 1, IndexError),
    ],
)
def test_take_along_axis_refuses_what_numpy_refuses(indices, axis, error):
    with pytest.raises(error):
        np.take_along_axis(Value(np.ones((2, 3))), indices, axis)


# ---- determinants of singular matrices


def cofactor_matrix(a):
    """By minors."""
    size = len(a)
    minor = lambda i, j: np.delete(np.delete(a, i, 0), j, 1)
    return np.array(
        [[(-1) ** (i + j) * np.linalg.det(minor(i, j)) for j in range(size)] for i in range(size)]
    )


def of_rank(rank, size, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(-3, 4, (size, rank)) @ rng.integers(-3, 4, (rank, size)) * 1.0


SINGULAR = {
    "2×2": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "1×1": np.zeros((1, 1)),
    "zeros": np.zeros((3, 3)),
    "rank 1": np.ones((3, 3)),
    "a row of zeros": np.diag([1.0, 2.0, 0.0]),
    "consecutive numbers": np.arange(1.0, 10.0).reshape(3, 3),
    "rank 3 of 4": of_rank(3, 4, 0),
    "rank 2 of 4": of_rank(2, 4, 1),
    "underflow": np.diag([1e-200, 1e-200]),
}


@pytest.mark.parametrize("a", SINGULAR.values(), ids=SINGULAR)
def test_the_gradient_of_a_singular_determinant_are_the_cofactors(a):
    expected, scale = cofactor_matrix(a), max(np.abs(a).max(), 1e-300) ** (len(a) - 1)
    np.testing.assert_allclose(tg.grad(np.linalg.det)(a) / scale, expected / scale, atol=1e-12)
    t = np.arange(a.size).reshape(a.shape) - 1.5
    forward = tg.jvp(np.linalg.det, (a,), (t,))[1]
    np.testing.assert_allclose(forward / scale, np.sum(expected * t) / scale, atol=1e-11)


@pytest.mark.parametrize("a", [a for name, a in SINGULAR.items() if name != "underflow"])
def test_higher_derivatives_of_a_singular_determinant_are_those_of_the_polynomial(a):
    t = np.cos(np.arange(a.size)).reshape(a.shape)
    f = lambda x: np.linalg.det(a + x * t)  # a polynomial in x, of degree len(a)
    points = np.linspace(-1, 1, len(a) + 1)
    fitted = np.polynomial.Polynomial.fit(points, [f(x) for x in points], len(a)).convert()
    once = tg.grad(f)
    twice = tg.grad(once)
    thrice = tg.grad(twice)
    for order, derivative in enumerate([once, twice, thrice], 1):
        expected = fitted.deriv(order)(0.0) if order <= len(a) else 0.0
        np.testing.assert_allclose(derivative(0.0), expected, atol=1e-8)
    np.testing.assert_allclose(
        tg.hvp(np.linalg.det, (a,), (t,))[0].ravel(),
        tg.hessian(np.linalg.det)(a).reshape(a.size, a.size) @ t.ravel(),
        atol=1e-10,
    )


def test_a_batch_may_hold_singular_and_regular_matrices_and_nan():
    batch = np.stack([np.ones((2, 2)), np.array([[1.0, 2.0], [3.0, 5.0]]), np.full((2, 2), nan)])
    found = tg.grad(lambda a: np.sum(np.linalg.det(a) * [1.0, 1.0, 0.0]))(batch)
    np.testing.assert_allclose(found[:2], [[[1, -1], [-1, 1]], [[5, -3], [-2, 1]]], atol=1e-14)
    np.testing.assert_array_equal(found[2], 0.0)
    assert np.isnan(tg.grad(lambda a: np.sum(np.linalg.det(a)))(batch)[2]).all()


# ---- infinite operands

POINTS = [(inf, 1.0), (1.0, inf), (-inf, 0.0), (0.0, -inf), (inf, -inf), (-2.0, -inf)]


@pytest.mark.parametrize(("y", "x"), POINTS)
def test_an_angle_at_infinity_does_not_turn(y, x):
    for wrap in (float, np.array, lambda v: np.full(2, v)):
        angle, slopes = tg.vjp(np.arctan2, wrap(y), wrap(x))
        np.testing.assert_array_equal(angle, np.arctan2(wrap(y), wrap(x)))
        np.testing.assert_array_equal(slopes(np.ones_like(angle)), np.zeros_like(slopes(angle)))


def test_the_angle_of_finite_points_is_as_ever():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(2, 50)) * 10.0 ** rng.integers(-3, 4, (2, 50))
    slopes = tg.vjp(np.arctan2, y, x)[1](np.ones(50))
    np.testing.assert_allclose(slopes, [x / (x * x + y * y), -y / (x * x + y * y)], rtol=1e-14)


@pytest.mark.parametrize(
    ("x", "y", "slopes"),
    [(inf, 1.0, (1, 0)), (-inf, 1.0, (-1, 0)), (0.0, -inf, (0, -1)), (inf, inf, (nan, nan))],
)
def test_the_length_at_infinity_grows_with_the_infinite_entry(x, y, slopes):
    np.testing.assert_array_equal(tg.grad(np.hypot, (0, 1))(x, y), slopes)


SUMS = {
    "all -inf": ([-inf, -inf], -inf, [nan, nan]),
    "one -inf": ([-inf], -inf, [1.0]),
    "one inf": ([inf, 0.0, -inf], inf, [1.0, 0.0, 0.0]),
    "two inf": ([inf, 0.0, inf], inf, [nan, 0.0, nan]),
    "nan": ([nan, inf], nan, [nan, nan]),
    "-inf beside a number": ([-inf, 3.0], 3.0, [0.0, 1.0]),
    "empty": ([], -inf, []),
}


@pytest.mark.parametrize(("x", "value", "slopes"), SUMS.values(), ids=SUMS)
def test_logsumexp_of_infinities_is_the_limit_or_nan(x, value, slopes):
    x = np.array(x, float)
    for axis, keepdims in ((None, False), (0, False), (0, True)):
        f = lambda x, a=axis, k=keepdims: np.sum(ops.logsumexp(x, axis=a, keepdims=k))
        out, gradient = tg.value_and_grad(f)(x)
        np.testing.assert_array_equal(out, value)
        np.testing.assert_array_equal(gradient, slopes)
        forward = [tg.jvp(f, (x,), (unit,))[1] for unit in np.eye(x.size)]
        if not np.isnan(slopes).any():
            np.testing.assert_array_equal(forward, slopes)


@pytest.mark.parametrize(
    ("x", "y", "value", "slopes"),
    [
        (inf, 0.0, inf, (1, 0)),
        (inf, -inf, inf, (1, 0)),
        (-inf, 0.0, 0.0, (0, 1)),
        (-inf, -inf, -inf, (nan, nan)),
        (inf, inf, inf, (nan, nan)),
    ],
)
def test_logaddexp_of_infinities_has_the_same_conventions(x, y, value, slopes):
    out, found = tg.value_and_grad(np.logaddexp, (0, 1))(x, y)
    assert out == value
    np.testing.assert_array_equal(found, slopes)


# ---- float16


@pytest.mark.parametrize("size", [3, 65_503, 65_504, 70_000, 200_000])
def test_a_mean_in_float16_has_no_overflow_in_its_size_or_its_gradient(size):
    x = np.ones(size, np.float16)
    for f in (np.mean, lambda x: np.mean(x, axis=0), lambda x: np.mean(x, where=x > 0)):
        out, gradient = tg.value_and_grad(f)(x)
        assert out == 1.0 and out.dtype == gradient.dtype == np.float16
        np.testing.assert_allclose(gradient, 1 / size, rtol=1e-3, atol=6e-8)
        assert tg.jvp(f, (x,), (x,))[1] == 1.0


def test_moments_of_chosen_entries_in_float16_are_computed_in_float32():
    x = np.linspace(1, 2, 70_000).astype(np.float16)
    mask = np.arange(70_000) % 2 == 0
    wide = x.astype(np.float32)
    for f in (np.mean, np.var, np.std):
        out = f(Value(x), where=mask)
        assert out.dtype == np.float16
        np.testing.assert_allclose(out.data, f(wide, where=mask), rtol=1e-3)


# ---- empty products and rows

EMPTY = [
    (lambda a, b: np.tensordot(a, b, axes=1), (2, 0), (0, 3)),
    (lambda a, b: np.tensordot(a, b, axes=2), (2, 0), (2, 0)),
    (lambda a, b: np.tensordot(a, b, axes=0), (0, 2), (3,)),
    (lambda a, b: np.tensordot(a, b, axes=([0], [1])), (0, 2), (3, 0)),
    (np.inner, (0,), (0,)),
    (np.inner, (2, 0), (3, 0)),
    (np.inner, (0, 3), (2, 3)),
    (np.dot, (2, 0), (4, 0, 3)),
    (np.vdot, (0,), (0,)),
    (np.outer, (0,), (3,)),
    (np.kron, (0, 2), (2, 2)),
    (np.matmul, (2, 0), (0, 3)),
]


@pytest.mark.parametrize(("f", "a", "b"), EMPTY)
def test_a_product_over_no_entries_is_zero(f, a, b):
    a, b = np.ones(a), np.ones(b)
    np.testing.assert_array_equal(f(Value(a), Value(b)).data, f(a, b), strict=True)
    gradients = tg.grad(lambda a, b: np.sum(f(a, b)), (0, 1))(a, b)
    assert [g.shape for g in gradients] == [a.shape, b.shape]
    assert not any(g.any() for g in gradients)


@pytest.mark.parametrize("f", [ops.softmax, ops.log_softmax])
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 2)])
def test_rows_without_entries_have_empty_probabilities(f, shape):
    x = np.ones(shape)
    assert f(Value(x)).shape == tg.grad(lambda x: np.sum(f(x)))(x).shape == shape


@pytest.mark.parametrize(
    ("q", "k", "v"),
    [((0, 4), (3, 4), (3, 5)), ((2, 4), (0, 4), (0, 5)), ((2, 0), (3, 0), (3, 5))],
    ids=["queries", "keys", "features"],
)
def test_attention_without_entries_is_zero_or_the_mean(q, k, v):
    arrays = [np.ones(shape) for shape in (q, k, v)]
    out, pullback = tg.vjp(tg.nn.scaled_dot_product_attention, *arrays)
    np.testing.assert_array_equal(out, np.full((q[0], v[1]), float(k[0] > 0)))
    assert [g.shape for g in pullback(np.ones(out.shape))] == [q, k, v]


# ---- what has no derivative

RESULTS = {
    "int": lambda x: 3,
    "bool": lambda x: True,
    "comparison": lambda x: x > 0,
    "NumPy integer": lambda x: np.int64(3),
    "argmax": np.argmax,
    "array of integers": lambda x: np.array([1, 2]),
    "text": lambda x: "loss",
    "complex": lambda x: 1j,
}
TRANSFORMS = {
    "grad": lambda f: tg.grad(f)(1.0),
    "grad of grad": lambda f: tg.grad(tg.grad(f))(1.0),
    "vjp": lambda f: tg.vjp(f, 1.0),
    "jvp": lambda f: tg.jvp(f, (1.0,), (1.0,)),
    "jacobian": lambda f: tg.jacobian(f)(1.0),
    "hessian": lambda f: tg.hessian(f)(1.0),
    "one of two": lambda f: tg.vjp(lambda x: (x * x, f(x)), 1.0),
}


@pytest.mark.parametrize("f", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_result_that_is_not_a_float_has_no_derivative(transform, f):
    with pytest.raises(DtypeError, match="must return floats, got"):
        transform(f)


@pytest.mark.parametrize("f", [lambda x: 2.0, lambda x: np.float32(2), lambda x: np.array(2.0)])
def test_a_result_that_is_a_constant_float_has_the_derivative_zero(f):
    assert tg.grad(f)(1.0) == 0.0


# ---- PyTorch at the same edges

EDGES = [0.0, 0.5, 1.0, -1.0, -2.0, 3.0, 40.0, -40.0, 700.0, -800.0, 1e-200, inf, -inf]
IN_TORCH = {
    **{name: name for name in ("add", "subtract", "multiply", "divide", "negative", "abs", "sign")},
    **{name: name for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square")},
    **{name: name for name in ("reciprocal", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp2")},
    **{name: name for name in ("floor", "ceil", "trunc", "erf", "erfc", "sigmoid", "relu")},
    **{name: name for name in ("arcsin", "arccos", "arctan", "arcsinh", "arctanh")},
    **{name: name for name in ("maximum", "minimum", "logaddexp", "hypot")},
    "power": "pow",
    "rint": "round",
    "softplus": "nn.functional.softplus",
    "elu": "nn.functional.elu",
    "silu": "nn.functional.silu",
    "softsign": "nn.functional.softsign",
    "mish": "nn.functional.mish",
    "selu": "nn.functional.selu",
    "log_sigmoid": "nn.functional.logsigmoid",
}


@pytest.mark.torch
@pytest.mark.parametrize("name", IN_TORCH)
def test_values_and_gradients_at_edges_are_those_of_torch_where_those_are_finite(name):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(ops, name), operator.attrgetter(IN_TORCH[name])(torch)
    count = len(getattr(ours, "operands", "x"))
    grid = [x.ravel() for x in np.meshgrid(*[EDGES] * count)]
    values = [Value(x) for x in grid]
    tensors = [torch.tensor(x, requires_grad=True) for x in grid]
    out, expected = ours(*values), theirs(*tensors)
    out.backward(np.ones(out.shape))
    expected.sum().backward()
    rows = [[out.data, *(v.grad for v in values)], [expected.detach(), *(t.grad for t in tensors)]]
    found, wanted = (np.array([np.asarray(x) for x in row]) for row in rows)
    known = np.isfinite(wanted).all(axis=0)
    assert known.sum() >= 3
    np.testing.assert_allclose(found[:, known], wanted[:, known], rtol=1e-10, atol=1e-300)


# ---- arguments with a sign


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_the_trapezoids_of_any_axis_are_numpys(axis):
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    for points in (None, x, np.arange(y.shape[axis]) ** 2.0):
        found = np.trapezoid(Value(y), points, axis=axis)
        np.testing.assert_allclose(found.data, np.trapezoid(y, points, axis=axis), rtol=1e-13)


@pytest.mark.parametrize("decimals", [-3, -1, 0, 2])
def test_round_to_tens_and_to_hundredths_is_numpys(decimals):
    x = np.array([1234.5678, -49.951, 0.125, 2500.0])
    assert np.round(Value(x), decimals).tolist() == np.round(x, decimals).tolist()


@pytest.mark.parametrize("subscripts", ["...i,...i->...", "...i,...i", "i...,...->i..."])
@pytest.mark.parametrize("first", [(2, 3, 4), (3, 4), (4,)])
def test_the_ellipses_of_einsum_are_aligned_from_the_right(subscripts, first):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=first), rng.normal(size=(2, 3, 4))
    if subscripts.startswith("i"):
        x, y = rng.normal(size=(5, *first)), y
    expected = np.einsum(subscripts, x, y)
    np.testing.assert_allclose(np.einsum(subscripts, Value(x), Value(y)).data, expected, rtol=1e-13)


@pytest.mark.parametrize("copy", [None, False, True])
def test_a_reshape_without_a_copy_is_a_view_or_an_error(copy):
    x = tg.zeros((2, 3))
    np.reshape(x, 6, copy=copy)[1] = 7.0
    assert x[0, 1] == (0.0 if copy else 7.0)
    if copy is False:
        with pytest.raises(ArgumentError, match="reshape: copy must be None or True"):
            np.reshape(x.T, 6, copy=False)
