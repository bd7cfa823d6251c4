"""A cotangent of exactly 0 stays 0: the branch that `where` did not take reaches no gradient."""

from __future__ import annotations

import numpy as np
import pytest
from operands import CASES, OPERATIONS

import tinygrad_lr as tg
from tinygrad_lr import Value, ops
from tinygrad_lr.core.primitive import PRIMITIVES

W = np.array([[1.0, 2.0], [3.0, 4.0]])
inf, nan = np.inf, np.nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def rows(x, *others):
    return np.stack([np.exp(x), *others], axis=0)


# Each has a slope that is infinite or nan at x = 1000; at x = 1 all is ordinary.
BRANCHES = {
    "exp": np.exp,
    "exp in sin": lambda x: np.sin(np.exp(x)),
    "exp in tanh": lambda x: np.tanh(np.exp(x) - np.exp(x)),
    "sinh": np.sinh,
    "cosh": np.cosh,
    "expm1": np.expm1,
    "exp2": lambda x: np.exp2(2 * x),
    "power": lambda x: x**400,
    "power of a constant": lambda x: 1e10**x,
    "product": lambda x: np.exp(x) * np.exp(x / 2),
    "quotient": lambda x: np.exp(x) / np.exp(x / 2),
    "x * inf": lambda x: x * inf,
    "inf * x": lambda x: inf * x,
    "square": lambda x: np.square(np.exp(x)),
    "softplus by hand": lambda x: np.log(1 + np.exp(x)),
    "sigmoid by hand": lambda x: np.exp(x) / (1 + np.exp(x)),
    "sqrt": lambda x: np.sqrt(4 - x),
    "sqrt in tanh": lambda x: np.tanh(np.sqrt(4 - x)),
    "log in sin": lambda x: np.sin(np.log(4 - x)),
    "reciprocal": lambda x: 1 / (x - 1000),
    "pole": lambda x: x / (x - 1000),
    "remainder": lambda x: np.remainder(1.5, x - 1000),
    "hypot": lambda x: np.hypot(np.exp(x), 1.0),
    "gelu": lambda x: ops.gelu(np.exp(x)),
    "silu": lambda x: ops.silu(np.exp(x)),
    "sum": lambda x: np.sum(rows(x, x), axis=0),
    "cumsum": lambda x: np.cumsum(rows(x, x), axis=0)[1],
    "prod": lambda x: np.prod(rows(x, x, x), axis=0),
    "std": lambda x: np.std(rows(x, x, x), axis=0),
    "norm": lambda x: np.linalg.norm(rows(x, x, x), axis=0),
    "max": lambda x: np.max(rows(x, x), axis=0),
    "softmax": lambda x: ops.softmax(rows(x, x), axis=0)[0],
    "log_softmax": lambda x: ops.log_softmax(rows(x, x), axis=0)[0],
    "logsumexp": lambda x: ops.logsumexp(np.square(rows(x, x)), axis=0),
    "matmul": lambda x: (np.stack([np.exp(x), x], axis=-1) @ W)[..., 0],
    "einsum": lambda x: np.einsum("a...,ab->b...", rows(x, x), W)[0],
}
POINTS = {
    "number": 1000.0,
    "0-d": np.array(1000.0),
    "float32": np.float32(1000.0),
    "array": np.array([1.0, 1000.0, 2.0]),
}
each_branch = pytest.mark.parametrize("branch", BRANCHES.values(), ids=BRANCHES)
each_point = pytest.mark.parametrize("x", POINTS.values(), ids=POINTS)


def choose(branch):
    """A sum of cases: the branch below 5, else x²."""
    return lambda x: np.sum(np.where(x > 5, x * x, branch(x)))


def expected(branch, x):
    """The gradient where the branch is evaluated at the points alone at which it is taken."""
    one = lambda x: 2 * x if x > 5 else tg.grad(branch)(x)
    return np.vectorize(one, otypes=[float])(x)


@each_branch
@each_point
def test_the_branch_that_where_did_not_take_gives_no_nan(branch, x):
    np.testing.assert_allclose(tg.grad(choose(branch))(x), expected(branch, x), rtol=1e-6)


@each_branch
@each_point
def test_backward_agrees_with_grad_and_with_forward_mode_there(branch, x):
    value = Value(x)
    choose(branch)(value).backward()
    np.testing.assert_array_equal(value.grad, tg.grad(choose(branch))(x))
    forward = tg.jvp(choose(branch), (x,), (np.ones_like(x),))[1]
    np.testing.assert_allclose(forward, np.sum(value.grad), rtol=1e-6)


@pytest.mark.slow
@each_branch
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_compiled_gradients_are_those_of_eager_code_there(branch, backend):
    compiled = tg.compile(tg.grad(choose(branch)), backend=backend)
    for x in (POINTS["number"], POINTS["array"], POINTS["array"][::-1].copy()):
        np.testing.assert_allclose(compiled(x), tg.grad(choose(branch))(x), rtol=1e-12)


UNKNOWN = {"prod"}  # its second derivative is nan there, not a wrong number
UNKNOWN_CURVED = {"prod", "norm", "x * inf", "inf * x"}
UNKNOWN_COMPILED = {"prod", "exp in tanh", "sqrt in tanh"}


@pytest.mark.parametrize("name", [name for name in BRANCHES if name not in UNKNOWN])
@each_point
def test_the_branch_gives_no_nan_to_second_derivatives_either(name, x):
    twice = lambda f: tg.grad(lambda x: np.sum(tg.grad(f)(x)))
    one = lambda x: 2.0 if x > 5 else twice(BRANCHES[name])(x)
    np.testing.assert_allclose(
        twice(choose(BRANCHES[name]))(x), np.vectorize(one, otypes=[float])(x), rtol=1e-5
    )


@pytest.mark.parametrize("name", [name for name in BRANCHES if name not in UNKNOWN_CURVED])
@each_point
def test_what_follows_where_may_be_curved(name, x):
    branch = BRANCHES[name]
    curved = lambda x: np.sum(np.sin(np.where(x > 5, x, branch(x))))
    taken = lambda x: np.sin(x) if x > 5 else np.sin(branch(x))
    twice = lambda f: tg.grad(lambda x: np.sum(tg.grad(f)(x)))
    second = np.vectorize(twice(taken), otypes=[float])(x)
    np.testing.assert_allclose(twice(curved)(x), second, rtol=1e-4)
    ones = np.ones_like(x)
    np.testing.assert_allclose(tg.hvp(curved, (x,), (ones,))[0], second, rtol=1e-4)
    np.testing.assert_allclose(np.sum(tg.hessian(curved)(x)), np.sum(second), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BRANCHES if name not in UNKNOWN_COMPILED])
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_compiled_second_derivatives_are_those_of_eager_code_there(name, backend):
    f = choose(BRANCHES[name])
    twice = tg.grad(lambda x: np.sum(tg.grad(f)(x)))
    for x in (POINTS["number"], POINTS["array"]):
        np.testing.assert_allclose(tg.compile(twice, backend=backend)(x), twice(x), rtol=1e-9)


NUMBERS = np.array([0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, inf, -inf, nan])


def tuples(count):
    """All tuples of this many of the numbers; of more than two, a thousand of them."""
    rng = np.random.default_rng(0)
    if count > 2:
        return rng.choice(NUMBERS, (count, 1000))
    return np.array([x.ravel() for x in np.meshgrid(*[NUMBERS] * count)])


@pytest.mark.parametrize(
    "name",
    [o.name for o in OPERATIONS if o.kind == "elementwise"],
)
def test_an_entry_with_a_cotangent_of_zero_gets_no_gradient_from_any_operand(name):
    operation = PRIMITIVES[name]
    operands = tuples(len(operation.operands))
    operands = [
        x > 0 if n == "condition" else x for n, x in zip(operation.operands, operands, strict=True)
    ]
    varying = [i for i, rule in enumerate(operation.rules) if rule is not None]
    drawn = np.random.default_rng(1).random(operands[0].size) < 0.5
    for mask in (drawn, ~drawn):
        values = [Value(x) if i in varying else x for i, x in enumerate(operands)]
        (operation(*values) * 1.0).backward(np.where(mask, 1.0, 0.0))
        alone = [Value(x[mask]) if i in varying else x[mask] for i, x in enumerate(operands)]
        operation(*alone).backward(np.ones(mask.sum()))
        for i in varying:
            np.testing.assert_array_equal(values[i].grad[~mask], 0.0)
            np.testing.assert_array_equal(values[i].grad[mask], alone[i].grad)


@pytest.mark.parametrize("name", ["divide", "power", "sqrt", "cbrt", "arcsin"])
def test_an_entry_with_a_tangent_of_zero_gets_none_in_compiled_forward_mode(name):
    operation = PRIMITIVES[name]
    operands = tuples(len(operation.operands))
    t = [np.zeros(operands.shape[1])] * len(operands)
    tangent = tg.compile(lambda *x: tg.jvp(operation, x, t)[1], backend="numpy")
    np.testing.assert_array_equal(tangent(*operands), 0.0)


PRODUCTS = [
    case
    for case in CASES
    if case.operation.kind == "multilinear" or case.operation.matrix_product
    if all(x.size for x in case.arrays)
]


@pytest.mark.parametrize("case", PRODUCTS, ids=repr)
@pytest.mark.parametrize("bad", [inf, nan])
def test_a_product_reaches_what_is_not_finite_only_by_cotangents_that_are_not_zero(case, bad):
    rng = np.random.default_rng(0)
    out = case(*case.inputs)
    g = rng.normal(size=out.shape) * (rng.random(out.shape) < 0.3)
    ordinary = tg.vjp(case, *case.inputs)[1](g)
    for i, x in enumerate(case.inputs):
        entry = rng.integers(x.size)
        spoilt, moved = x.copy(), x.copy()
        spoilt.flat[entry], moved.flat[entry] = bad, x.flat[entry] + 1000
        with_operand = lambda new, i=i: [new if k == i else y for k, y in enumerate(case.inputs)]
        found = tg.vjp(case, *with_operand(spoilt))[1](g)
        other = tg.vjp(case, *with_operand(moved))[1](g)
        for a, b, c in zip(found, other, ordinary, strict=True):
            depends = np.abs(b - c) > 1e-6
            np.testing.assert_array_equal(np.isfinite(a), ~depends)
            np.testing.assert_allclose(a[~depends], c[~depends])


def test_a_matrix_product_sums_only_the_terms_whose_cotangent_is_not_zero():
    x, w = Value([[1.0, inf], [nan, 2.0], [3.0, 4.0]]), Value([[1.0, nan], [inf, 5.0]])
    (x @ w).backward([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    np.testing.assert_array_equal(x.grad, [[0, 0], [nan, 5], [2, inf]])
    np.testing.assert_array_equal(w.grad, [[6, nan], [8, 2]])


def test_a_product_of_three_sums_only_the_terms_whose_cotangent_is_not_zero():
    x, y, z = Value([1.0, inf]), Value([2.0, nan]), Value([3.0, 5.0])
    np.einsum("i,i,i->i", x, y, z).backward([1.0, 0.0])
    assert [v.grad.tolist() for v in (x, y, z)] == [[6.0, 0.0], [3.0, 0.0], [2.0, 0.0]]


def test_a_factor_of_zero_in_the_forward_pass_stays_nan_as_in_numpy():
    x = Value([0.0, 1.0])
    assert np.isnan((x * inf).data[0])
    assert np.isnan(tg.grad(lambda x: x * 0.0 * inf)(1.0))  # inf·0, of which 0 is the slope
    assert np.isnan(tg.grad(lambda x: np.exp(x) * nan)(0.0))


def test_a_cotangent_that_is_zero_by_chance_has_no_second_derivative_instead_of_a_wrong_one():
    f = lambda x: np.sqrt(x) ** 4  # x², whose slope 4u³ at u = 0 meets the slope inf of the root
    assert tg.grad(f)(0.0) == 0.0
    assert np.isnan(tg.grad(tg.grad(f))(0.0))
    assert np.isnan(tg.grad(lambda x: tg.grad(f)(x).sum())(np.zeros(1))).all()


def test_second_derivatives_beside_a_nan_are_not_disturbed():
    x = np.array([0.0, 0.5, -1.0])
    f = lambda x: np.sum(np.where(x < 0, np.sqrt(x), (x - 0.5) ** 3 + x**4))
    first, second = tg.grad(f)(x), tg.grad(lambda x: np.sum(tg.grad(f)(x)))(x)
    third = tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(tg.grad(f)(x)))(x)))(x)
    np.testing.assert_allclose(first[:2], 3 * (x[:2] - 0.5) ** 2 + 4 * x[:2] ** 3)
    np.testing.assert_allclose(second[:2], 6 * (x[:2] - 0.5) + 12 * x[:2] ** 2)
    np.testing.assert_allclose(third[:2], 6 + 24 * x[:2])
    assert np.isnan([first[2], second[2], third[2]]).all()
