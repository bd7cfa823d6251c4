"""`vmap`: a function of one entry does for a batch what a loop over the entries does."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import programs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from operands import Case, each_case

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import BatchError, BatchWarning, ShapeError
from tinygrad_lr.support import pytree as tree

SIZE = 3
IN_A_LOOP = {
    *("banded_solution", "integral", "logm", "ode_solution", "recursive_filter", "solve_sylvester"),
    *("sqrtm", "triangular_factors", "triangular_solution", "unitary_factor"),
}
"""Operations without a rule: SciPy's functions of one matrix or of one problem."""


def batch_of(case):
    """Three cases of one example, and their inputs as batches."""
    example = (
        (*(x.shape for x in case.arrays), case.options)
        if case.options
        else tuple(x.shape for x in case.arrays)
    )
    several = [Case(case.operation, example, seed) for seed in range(SIZE)]
    return several, [np.stack(inputs) for inputs in zip(*(c.inputs for c in several), strict=True)]


def loop(f, arguments, axes):
    """Return what `vmap` must return."""
    entries = [
        [
            x if axis is None else np.take(x, i, axis)
            for x, axis in zip(arguments, axes, strict=True)
        ]
        for i in range(SIZE)
    ]
    return np.stack([f(*args) for args in entries])


def shared(case, batches):
    """Each choice of the operands that all entries share, but that of all."""
    for chosen in itertools.product((0, None), repeat=len(batches)):
        if any(axis is not None for axis in chosen):
            yield chosen, [x if a == 0 else x[0] for x, a in zip(batches, chosen, strict=True)]


@pytest.fixture(autouse=True)
def no_warning_but_of_loops(request):
    """A warning is an error, but for the operations that are known to run for each entry."""
    with warnings.catch_warnings():
        case = request.node.callspec.params.get("case") if hasattr(request.node, "callspec") else 0
        if case and case.operation.name in IN_A_LOOP:
            warnings.simplefilter("ignore", BatchWarning)
        yield


def close(found, expected):
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * scale)


@each_case
def test_an_operation_computes_all_entries_at_once(case):
    _, batches = batch_of(case)
    for axes, arguments in shared(case, batches):
        expected = loop(case, arguments, axes)
        close(tg.vmap(case, in_axes=axes)(*arguments), expected)


@each_case
def test_gradients_inside_and_outside(case):
    _, batches = batch_of(case)
    like = case(*case.inputs)
    if not np.size(like) or not case.varying:
        return
    weight = np.cos(np.arange(np.size(like))).reshape(np.shape(like))
    everything = tuple(range(len(batches)))

    def scalar(*inputs):
        return np.sum(case(*inputs) * weight)

    for axes, arguments in shared(case, batches):
        for k in everything:
            expected = loop(tg.grad(scalar, k), arguments, axes)
            close(tg.vmap(tg.grad(scalar, k), in_axes=axes)(*arguments), expected)
            several = tg.vmap(scalar, in_axes=axes)
            whole = tg.grad(lambda *xs, f=several: np.sum(f(*xs)), k)(*arguments)
            close(whole, expected.sum(0) if axes[k] is None else expected)


@each_case
def test_tangents_inside(case):
    _, batches = batch_of(case)

    def along(*inputs):
        return tg.jvp(case, inputs, tuple(0.5 + 0.1 * x for x in inputs))[1]

    axes = (0,) * len(batches)
    close(tg.vmap(along, in_axes=axes)(*batches), loop(along, batches, axes))


# ---- what functions may do

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
W = RNG.normal(size=(3, 2))


def rows(f, *arguments):
    return np.stack([f(*row) for row in zip(*arguments, strict=True)])


PROGRAMS = {
    "sorted": lambda x: np.sort(x)[::-1] * np.arange(3),
    "median": lambda x: np.median(x) + np.quantile(x, 0.3),
    "largest": lambda x: x[np.argmax(x)] * np.argmin(x),
    "ranks": lambda x: np.argsort(np.argsort(x)) * x,
    "where": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), x),
    "norms": lambda x: np.linalg.norm(x) + np.linalg.norm(np.outer(x, x), 1),
    "solve": lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x),
    "eigen": lambda x: np.linalg.eigvalsh(np.outer(x, x) + np.diag(x)),
    "spectrum": lambda x: np.abs(np.fft.fft(x)) ** 2,
    "interpolated": lambda x: np.interp(x, [-1.0, 0.0, 1.0], [1.0, 3.0, 2.0]),
    "masks": lambda x: np.sum(x * (x > 0)) + np.any(x > 1) + np.count_nonzero(x > 0),
    "parts": lambda x: np.concatenate([x[1:], x[:1] ** 2, [1.0]]),
    "loop": lambda x: np.stack([y**i for i, y in enumerate(x)]),
    "slices": lambda x: np.outer(x, x)[:, None, [2, 0]][..., ::-1],
    "separated": lambda x: np.multiply.outer(np.outer(x, x), x)[[0, 1], :, [1, 2]],
    "shared": lambda x: np.tanh(x @ W) @ W.T,
    "tensor": lambda x: np.tensordot(np.outer(x, x), W, 1) + np.einsum("i,ij->j", x, W),
    "statistics": lambda x: np.cov(np.stack([x, x**2])) + np.var(x) + np.std(x, ddof=1),
    "conditions": lambda x: np.select([x < 0, x > 1], [x, x**2], 3.0) + np.clip(x, -0.5, 0.5),
    "gradient": tg.grad(lambda x: np.sum(np.sin(x) * x[::-1])),
    "hessian": tg.hessian(lambda x: np.prod(x) + np.sum(x**3)),
    "jacobian": tg.jacobian(lambda x: np.tanh(x @ W)),
    "hvp": lambda x: tg.hvp(lambda y: np.sum(y**3), (x,), (np.arange(3.0),))[0],
    "vmap": lambda x: tg.vmap(lambda y: np.sum(y * x))(X),
    "gradient of a vmap": tg.grad(lambda x: np.sum(tg.vmap(lambda y: np.sum(y * x) ** 2)(X))),
    "third derivative": lambda x: tg.grad(tg.grad(tg.grad(lambda y: np.exp(y) * y)))(x[0]),
    "compiled": tg.compile(lambda x: np.tanh(x) * 2),
    "gradient of a compiled function": tg.grad(tg.compile(lambda x: np.sum(np.tanh(x) * x))),
}


def buffer(x):
    made = tg.zeros(4)
    made[1] = x[0]
    made[2:] = x[1:] ** 2
    made *= 2.0
    made[2:4] += x[:2]
    return made


def table(x):
    made = tg.zeros((3, 3))
    for i in range(3):
        made[i, : i + 1] = x[i]
    view = made[1:]
    view[0] = x * 3.0
    return made @ x


PROGRAMS |= {"buffer": buffer, "table": table}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_do_for_a_batch_what_a_loop_does(name):
    f = PROGRAMS[name]
    expected = rows(lambda x: np.asarray(tg.numpy.asarray(f(Value(x, requires_grad=False)))), X)
    close(tg.vmap(f)(X), expected)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_of_programs(name):
    f = PROGRAMS[name]

    def scalar(x):
        out = f(x)
        return np.sum(out * np.cos(np.arange(np.size(out))).reshape(np.shape(out)))

    expected = rows(tg.grad(scalar), X)
    close(tg.vmap(tg.grad(scalar))(X), expected)
    close(tg.grad(lambda x: np.sum(tg.vmap(scalar)(x)))(X), expected)


COMPILED = sorted(PROGRAMS.keys() - {"median", "largest", "ranks", "sorted"})


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_programs(name):
    f = tg.vmap(PROGRAMS[name])
    close(tg.compile(f)(X), f(X))


def test_per_sample_gradients_of_a_network():
    model = tg.nn.Sequential(
        tg.nn.Linear(3, 4, generator=0, dtype=float),
        tg.nn.Tanh(),
        tg.nn.Linear(4, 2, generator=1, dtype=float),
    )
    targets = RNG.normal(size=(5, 2))

    def error(x, y):
        return np.mean((model(x) - y) ** 2)

    np.mean(tg.vmap(error)(X, targets)).backward()
    found = [p.grad for p in model.parameters()]
    model.zero_grad()
    np.mean(np.stack([error(x, y) for x, y in zip(X, targets, strict=True)])).backward()
    for p, g in zip(model.parameters(), found, strict=True):
        close(g, p.grad)


def test_axes_of_arguments_and_results():
    f = tg.vmap(lambda x, y: (x @ y, {"x": x}), in_axes=(1, None), out_axes=(0, {"x": -1}))
    product, more = f(X.T, W)
    close(product, X @ W)
    close(more["x"], X.T)
    assert tg.vmap(lambda x: 2.0, out_axes=None)(X) == 2.0
    assert tg.vmap(lambda x: np.ones(2))(X).shape == (5, 2)


def test_axes_in_nested_arguments():
    given = {"w": X[0], "rows": (X, np.arange(5.0))}
    f = tg.vmap(lambda p: p["w"] @ p["rows"][0] + p["rows"][1], in_axes=({"w": None, "rows": 0},))
    close(f(given), X @ X[0] + np.arange(5))


def test_keyword_arguments_are_mapped_along_the_first_axis():
    close(tg.vmap(lambda x, y: x - y)(X, y=X[::-1]), X - X[::-1])


@pytest.mark.parametrize("shape", [(2, 3), (3,), (3, 2, 3)], ids=str)
def test_a_stack_of_matrices_of_outside_is_no_batch(shape):
    x, stack = RNG.normal(size=(3, *shape)), RNG.normal(size=(3, 3, 4))
    found = tg.vmap(lambda x: x @ stack)(x)
    np.testing.assert_allclose(found, np.stack([each @ stack for each in x]), rtol=1e-13)


def test_integers_choose_entries():
    at = np.array([2, 0, 1, 1, 2])
    close(tg.vmap(lambda x, i: x[i] * 2)(X, at), 2 * X[np.arange(5), at])
    close(tg.vmap(lambda t, i: t[i], in_axes=(None, 0))(X, at), X[at])
    close(tg.vmap(lambda t, i: t[1:, i], in_axes=(None, 0))(X, at), X[1:, at].T)
    close(tg.grad(lambda t: np.sum(tg.vmap(lambda i: t[i] ** 2)(at)))(W), 2 * W * [[1], [2], [2]])

    def written(x, i):
        made = tg.zeros(3)
        made[i] = x[0]
        return made

    close(tg.vmap(written)(X, at), np.eye(3)[at] * X[:, :1])
    close(tg.vmap(lambda i: (np.arange(3) == i) * 1.0)(at), np.eye(3)[at])


def test_dtypes_stay():
    narrow = X.astype(np.float32)
    assert tg.vmap(lambda x: np.exp(x) * 2.0)(narrow).dtype == np.float32
    assert tg.vmap(tg.grad(lambda x: np.sum(x * x)))(narrow).dtype == np.float32
    assert tg.vmap(lambda i: i + 1)(np.arange(3)).dtype == int
    z = X * (1 + 2j)
    close(tg.vmap(lambda x: np.conj(x) * x[0])(z), np.conj(z) * z[:, :1])


def test_values_of_outside_get_gradients():
    w = Value(W)
    out = tg.vmap(lambda x: np.tanh(x @ w) + w[0])(X)
    np.sum(out**2).backward()
    expected = tg.grad(lambda w: np.sum((np.tanh(X @ w) + w[0]) ** 2))(W)
    close(w.grad, expected)


def test_random_numbers_are_the_same_for_all_entries():
    out = tg.vmap(lambda x: x * 0.0 + np.random.default_rng(0).normal(size=3))(X)
    assert (out == out[0]).all()


def test_a_batch_of_nothing():
    assert tg.vmap(lambda x: x @ W)(np.zeros((0, 3))).shape == (0, 2)


# ---- what functions may not do


def condition(x):
    return x[0] if x[0] > 0 else x[1]


KEPT: list[object] = []
OUTSIDE = tg.zeros(3)


def keeps(x):
    KEPT[:] = [x]
    return x


def writes_outside(x):
    OUTSIDE[0] = x[0]
    return x


def writes_data(x):
    leaf = Value(np.zeros(3))
    leaf.data = x.data
    return leaf


REFUSED = [
    (condition, "if, while, and, or and not must not depend on the entry"),
    (lambda x: x[x > 0], "a mask that differs"),
    (np.nonzero, "np.nonzero depends on the numbers"),
    (np.unique, "np.unique depends on the numbers"),
    (lambda x: float(x[0]), r"float\(\), item\(\)"),
    (lambda x: x[0].item(), r"float\(\), item\(\)"),
    (lambda x: np.eye(3)[np.argmax(x)], r"tg\.array\(array\)\[index\]"),
    (lambda x: range(int(np.argmax(x))), r"int\(\) must not depend"),
    (writes_outside, "must not be written to by the function"),
    (writes_data, r"Value\.data"),
    (lambda x: tg.nn.BatchNorm1d(3, dtype=float)(x + np.zeros((2, 3))), "training mode"),
]


@pytest.mark.parametrize(("f", "message"), REFUSED)
def test_what_can_not_be_done_for_all_entries_is_refused(f, message):
    with pytest.raises(BatchError, match=message):
        tg.vmap(f)(X)
    assert OUTSIDE.tolist() == [0.0, 0.0, 0.0]


def test_an_entry_can_not_be_kept():
    tg.vmap(keeps)(X)
    with pytest.raises(BatchError, match="kept after the function had returned"):
        KEPT[0] * 2
    with pytest.raises(BatchError, match="kept after the function had returned"):
        tg.vmap(lambda x: x + KEPT[0])(X)


def test_backward_inside_is_refused():
    with pytest.raises(tg.errors.GraphError, match=r"use tg\.grad"):
        tg.vmap(lambda x: np.sum(x * Value(2.0)).backward())(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tg.vmap(lambda x, y: x)(X, X.T), "one length in all arguments, got 3 and 5"),
        (lambda: tg.vmap(lambda x: x)(2.0), "must be axes of the arguments, got 0"),
        (lambda: tg.vmap(lambda x: x, in_axes=None)(X), "got no axis"),
        (lambda: tg.vmap(lambda x: x, in_axes=2)(X), "got 2 for one of shape"),
        (lambda: tg.vmap(lambda x: x, out_axes=2)(X), "axis of the result of shape"),
    ],
)
def test_axes_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_wrong_nests_of_axes_are_refused():
    with pytest.raises(tg.errors.ArgumentError, match="one entry for each of the 1 positional"):
        tg.vmap(lambda x: x, in_axes=(0, 0))(X)
    with pytest.raises(tg.errors.ArgumentError, match="nested like the arguments or results"):
        tg.vmap(lambda x: x, in_axes=((0, 0),))(X)
    with pytest.raises(BatchError, match="out_axes must not be None"):
        tg.vmap(lambda x: x, out_axes=None)(X)


def test_an_operation_without_a_rule_runs_for_each_entry_with_a_warning():
    @tg.primitive(examples=[((3,),)])
    def first_of_three(x):
        return np.asarray(x)[0] * 1.0

    first_of_three.vjp(x=lambda g, out, x: np.stack([g, 0.0 * g, 0.0 * g]))
    try:
        with pytest.warns(BatchWarning, match="first_of_three has no rule for batches"):
            found = tg.vmap(first_of_three)(X)
        close(found, X[:, 0])
        first_of_three.batch(lambda x: x[:, 0] * 1.0)
        close(tg.vmap(first_of_three)(X), X[:, 0])
    finally:
        del tg.core.primitive.PRIMITIVES["first_of_three"]


def test_an_axis_of_a_users_operation_is_not_taken_for_numpys():
    @tg.primitive(examples=[((3,),)])
    def share_of_all(x, axis=0):
        return np.sum(x, axis=axis) * np.sum(x)

    share_of_all.vjp(
        x=lambda g, out, x, axis: np.expand_dims(g, axis) * np.sum(x) + np.sum(g * np.sum(x, axis))
    )
    try:
        rows = np.linspace(0.5, 2.0, 4 * 20).reshape(4, 20)
        with pytest.warns(BatchWarning, match="share_of_all has no rule"):
            found = tg.vmap(share_of_all)(rows.reshape(2, 2, 20))
        close(found, np.stack([share_of_all(x) for x in rows.reshape(2, 2, 20)]))
        close(tg.jacobian(share_of_all)(rows[:1]), dense(lambda x: share_of_all(x), rows[:1]))
    finally:
        del tg.core.primitive.PRIMITIVES["share_of_all"]


# ---- Jacobians, which are made of batches


def dense(f, x):
    """The Jacobian row by row, by gradients."""
    return np.stack([tg.grad(lambda x, i=i: f(x)[i])(x) for i in range(len(f(x)))])


BANDS = {
    "entrywise": lambda x: np.tanh(x) * x,
    "differences": lambda x: np.diff(x) ** 2,
    "second differences": lambda x: x[2:] * x[:-2] - 2 * x[1:-1] ** 2,
    "backwards": lambda x: x[::-1] * np.arange(20.0) + x,
    "sums": lambda x: np.sum(np.reshape(x, (10, 2)) ** 2, axis=1),
    "spread": lambda x: np.repeat(x, 2) ** 2,
    "rolled": lambda x: np.roll(x, 1) * x,
    "cumulative": lambda x: np.cumsum(x) * x,
    "maxima": lambda x: np.max(np.reshape(x, (4, 5)), axis=1) ** 2,
    "constant": lambda x: np.concatenate([x[:5] ** 2, np.ones(15)]),
    "product": lambda x: np.outer(x, x)[3],
    "product of matrices": lambda x: np.cos(np.ones((20, 20))) @ x**2,
    "nothing": lambda x: x * 0.0,
    "softmax": lambda x: tg.softmax(np.reshape(x, (5, 4)), axis=-1).reshape(-1),
    "gathered": lambda x: x[np.array([3, 3, 0, 19, 5] * 4)] ** 3,
    "diagonal": lambda x: np.diagonal(np.outer(x, np.arange(20.0))) * x,
}


@pytest.mark.parametrize("name", BANDS)
def test_jacobians_with_few_entries_in_a_row(name):
    f, x = BANDS[name], np.linspace(0.3, 2.1, 20) * np.cos(np.arange(20))
    expected = dense(f, x)
    close(tg.jacobian(f)(x), expected)
    close(tg.compile(tg.jacobian(f))(x), expected)
    hessian = np.stack(
        [tg.grad(lambda x, i=i: tg.grad(lambda x: np.sum(f(x)))(x)[i])(x) for i in range(20)]
    )
    close(tg.hessian(lambda x: np.sum(f(x)))(x), hessian)


def test_a_jacobian_beside_infinite_slopes_is_that_of_gradients():
    def f(x):
        return np.where(x > 0, np.sqrt(np.abs(x)) * x, x**1.5)[:3] @ np.ones((3, 4))

    x = np.array([1.0, 2.0, 3.0, 0.0, 0.0])
    close(tg.jacobian(f)(x), dense(f, x))


def test_a_hessian_with_an_infinite_slope_keeps_zeros():
    x = np.concatenate([np.zeros(1), np.linspace(1.0, 2.0, 19)])
    found = tg.hessian(lambda x: np.sum(np.where(x > 0.5, x**1.5, x**2)))(x)
    expected = np.diag(np.where(x > 0.5, 0.75 / np.sqrt(np.where(x > 0, x, 1.0)), 2.0))
    close(found, expected)


def test_large_jacobians_are_made_in_parts(monkeypatch):
    monkeypatch.setattr("tinygrad_lr.core.jacobians.MOST_NUMBERS", 50)
    f = BANDS["product of matrices"]
    x = np.linspace(0.3, 2.1, 20)
    close(tg.jacobian(f)(x), dense(f, x))
    close(
        tg.jacobian(lambda x: np.stack([f(x), f(x) ** 2]))(x),
        np.stack([dense(f, x), dense(lambda x: f(x) ** 2, x)]),
    )


def test_jacobians_of_compiled_functions():
    f = tg.compile(lambda x: np.tanh(x @ W) * 2)
    close(tg.jacobian(f)(X[0]), tg.jacobian(lambda x: np.tanh(x @ W) * 2)(X[0]))
    g = tg.compile(lambda x: np.sum(np.tanh(x) ** 2))
    close(tg.hessian(g)(X[0]), tg.hessian(lambda x: np.sum(np.tanh(x) ** 2))(X[0]))


# ---- random programs


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(0, 0), (0, None), (None, 0)]))
def test_random_programs_with_gradients_and_second_derivatives(seed, axes):
    program, inputs = programs.drawn(seed, 2 + seed % 9, "float64")
    assume(sum(map(np.size, inputs)) < 400)
    axes = axes[: len(inputs)] if any(a == 0 for a in axes[: len(inputs)]) else (0,)
    results = program(*inputs)
    weights = [np.cos(np.arange(np.size(x))).reshape(np.shape(x)) for x in results]
    f = programs.derived(program, weights)
    arguments = [
        np.asarray(x) if a is None else np.stack([x, 0.9 * x + 0.01, -0.8 * x])
        for x, a in zip(inputs, axes, strict=True)
    ]
    rows = [
        [x if a is None else x[i] for x, a in zip(arguments, axes, strict=True)]
        for i in range(SIZE)
    ]
    singles = [list(tree.leaves(f(*row))) for row in rows]
    found = tree.leaves(tg.vmap(f, in_axes=axes)(*arguments))
    for all_at_once, one_by_one in zip(found, zip(*singles, strict=True), strict=True):
        close(all_at_once, np.stack(one_by_one))


INDEXED = {
    "an index": lambda x, i: x[i],
    "beside None": lambda x, i: x[None, i],
    "after an ellipsis": lambda x, i: x[..., i],
    "apart": lambda x, i: np.stack([x, 2 * x])[i % 2, :, i],
    "shift": lambda x, i: np.roll(x, i),
    "shift along an axis": lambda x, i: np.roll(x, i, axis=0),
    "take": lambda x, i: np.take(x, i, axis=1),
    "write": lambda x, i: written(x, i),
}


def written(x, i):
    total = tg.zeros((4, 4)) + x
    total[i] = 1.0
    return total


def looped(f, x, i, axes):
    size = len(i) if axes[1] == 0 else len(x)
    rows = [f(x[k] if axes[0] == 0 else x, i[k] if axes[1] == 0 else i) for k in range(size)]
    return np.stack([np.asarray(row.data if isinstance(row, Value) else row) for row in rows])


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize("name", INDEXED)
def test_indices_of_each_entry_and_shared_ones(name, axes):
    rng = np.random.default_rng(0)
    f = INDEXED[name]
    x = rng.normal(size=(3, 4, 4) if axes[0] == 0 else (4, 4))
    shared = np.array([0, 3, 1])  # as many as there are entries
    i = shared if name not in {"shift", "shift along an axis"} else np.array([1, 2, 1])
    if axes[1] is None and name.startswith("shift"):
        i = np.array(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BatchWarning)
        got = tg.vmap(f, in_axes=axes)(x, i)
        want = looped(f, x, i, axes)
        assert np.array_equal(got, want)
        weights = np.cos(np.arange(want.size)).reshape(want.shape)
        gradient = tg.grad(lambda x: np.sum(tg.vmap(f, in_axes=axes)(x, i) * weights))(x)
    each = range(len(want))
    pick = [(lambda x, k=k: x[k]) if axes[0] == 0 else (lambda x: x) for k in each]
    at = [i[k] if axes[1] == 0 else i for k in each]
    loss = lambda x: sum(np.sum(f(pick[k](x), at[k]) * weights[k]) for k in each)
    assert np.allclose(gradient, tg.grad(loss)(x), rtol=1e-12, atol=1e-12)


def test_an_index_of_the_batch_outside():
    x = np.random.default_rng(0).normal(size=(3, 4))
    i = np.array([[0, 3, 1], [1, 1, 2]])
    rows = lambda i: tg.vmap(lambda row: row[i])(x)
    assert np.array_equal(tg.vmap(rows)(i), np.stack([x[:, j] for j in i]))
    assert np.array_equal(tg.vmap(rows)(i[:, 0]), np.stack([x[:, j] for j in i[:, 0]]))
    both = tg.vmap(lambda i: tg.vmap(lambda j: tg.array(x)[i, j])(np.array([0, 3])))
    assert np.array_equal(both(np.array([0, 2])), x[[0, 2]][:, [0, 3]])


def test_labels_of_each_entry():
    logits = np.random.default_rng(0).normal(size=(3, 5, 3))
    labels = np.random.default_rng(1).integers(0, 3, size=(3, 5))
    for loss in (tg.losses.cross_entropy, tg.losses.hinge, tg.losses.nll):
        each = [loss(*pair) for pair in zip(logits, labels, strict=True)]
        assert np.allclose(tg.vmap(loss)(logits, labels), each)
        one = [tg.grad(loss)(x, y) for x, y in zip(logits[:, 0], labels[:, 0], strict=True)]
        assert np.allclose(tg.vmap(tg.grad(loss))(logits[:, 0], labels[:, 0]), one)
        with pytest.raises(tg.errors.LabelError):
            tg.vmap(loss)(logits, labels + 3)
        outside = tg.vmap(lambda y, f=loss: tg.vmap(f, in_axes=(0, None))(logits, y))(labels)
        assert np.allclose(outside, [[loss(x, y) for x in logits] for y in labels])


OF_INTEGERS = {
    "norm": np.linalg.norm,
    "norm1": lambda x: np.linalg.norm(x, 1),
    "eigvalsh": lambda x: np.linalg.eigvalsh(x + x.T),
    "cumprod": np.cumprod,
    "gradient": lambda x: np.gradient(x, axis=0),
    "triu": np.triu,
    "var": np.var,
    "nansum": np.nansum,
    "quantile": lambda x: np.quantile(x, 0.3, method="lower"),
    "sum with initial": lambda x: np.sum(x, initial=4),
    "round": np.round,
    "argmin": lambda x: np.argmin(x, keepdims=True),
    "any where": lambda x: np.any(x > 9, where=x > 5),
    "full_like": lambda x: np.full_like(x, x[0, 1]),
    "split": lambda x: np.vsplit(x, 2)[1],
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
@pytest.mark.parametrize("name", OF_INTEGERS)
def test_integers_give_what_numpy_gives(name, dtype):
    f = OF_INTEGERS[name]
    x = (np.arange(48).reshape(3, 4, 4) * 37 % 256).astype(dtype)
    try:
        want = np.stack([f(row) for row in x])
    except TypeError:
        return  # NumPy doesn't take booleans here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BatchWarning)
        got = tg.vmap(f)(x)
    assert got.dtype == want.dtype
    assert np.allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("result", [(i for i in range(2)), "text", object(), {1, 2}])
def test_results_must_be_numbers(result):
    with pytest.raises(tg.errors.DtypeError, match="a result must contain integers or floats"):
        tg.vmap(lambda x: result)(np.ones(3))


def test_an_entry_of_what_was_kept_is_refused():
    kept = []
    tg.vmap(lambda x: (kept.append(x), 2 * x)[1])(np.ones((3, 4)))
    for use in (lambda x: x[0], lambda x: x[0] * 2, list, np.sum):
        with pytest.raises(BatchError, match="was kept"):
            use(kept[0])
