"""scan, while_loop and cond in compiled functions: one loop, the numbers of eager code."""

from __future__ import annotations

import gc
import types
import weakref

import numpy as np
import pytest
from programs import assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.compiler.ir.control_flow import BodyCall
from tinygrad_lr.compiler.llvm.threads import THREADS
from tinygrad_lr.errors import DtypeError, GraphError, ShapeError, TraceError

RNG = np.random.default_rng(0)
W, H, X = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3), RNG.normal(size=(5, 3))
CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def loops_of(compiled):
    """The loops and branches of the only program of a compiled function."""
    return [
        x.options["function"]
        for x in compiled._last.program.instructions()
        if isinstance(x.options.get("function"), BodyCall)
    ]


def recurrence(w, h, xs, reverse=False):
    def step(h, x):
        h = np.tanh(h @ w + x)
        return h, {"h": h, "sum": (np.sum(h * x), None)}

    return tg.scan(step, h, xs, reverse=reverse)


def loss(w, h, xs, reverse=False):
    last, ys = recurrence(w, h, xs, reverse)
    return np.sum(last**2) + np.sum(ys["h"] * X) + np.sum(ys["sum"][0] ** 2)


@backends()
@pytest.mark.parametrize("reverse", [False, True])
def test_a_compiled_scan_gives_the_numbers_of_its_steps(backend, reverse):
    compiled = tg.compile(recurrence, backend=backend, static=("reverse",))
    for scale in (1.0, -2.0):
        arguments = (W, H * scale, X * scale, reverse)
        assert_equal(compiled(*arguments), recurrence(*arguments), backend)
    assert len(loops_of(compiled)) == 1


@backends()
@pytest.mark.parametrize("wrt", [0, 1, 2, (0, 1, 2)])
def test_its_gradients_are_those_of_eager_code(backend, wrt):
    expected = tg.grad(loss, wrt)(W, H, X)
    assert_equal(tg.compile(tg.grad(loss, wrt), backend=backend)(W, H, X), expected, backend)
    assert_equal(tg.grad(tg.compile(loss, backend=backend), wrt)(W, H, X), expected, backend)


@backends()
def test_its_gradient_is_one_loop_more_and_the_first_keeps_what_it_needs(backend):
    compiled = tg.compile(tg.value_and_grad(loss), backend=backend)
    compiled(W, H, X)
    assert sorted(x.name for x in loops_of(compiled)) == ["loop of step", "loop of step_backward"]


@backends()
def test_second_derivatives_and_forward_mode(backend):
    along = (np.cos(W), np.sin(H), np.cos(X))
    for derived in (
        lambda f: lambda *x: tg.hvp(f, x, along),
        lambda f: lambda *x: tg.jvp(f, x, along),
        lambda f: lambda w, h, x: tg.jacobian(lambda h: f(w, h, x) * h)(h),
        lambda f: (
            lambda w, h, x: tg.grad(lambda h: tg.hvp(lambda k: f(w, k, x), (h,), (h,))[0] @ h)(h)
        ),
    ):
        expected = derived(loss)(W, H, X)
        assert_equal(tg.compile(derived(loss), backend=backend)(W, H, X), expected, backend, CLOSE)
        compiled = tg.compile(loss, backend=backend)
        assert_equal(derived(compiled)(W, H, X), expected, backend, CLOSE)


ROLES = {
    "carry": lambda y: tg.scan(lambda c, _: (np.tanh(c @ W), np.sum(c)), y, length=2),
    "xs": lambda y: tg.scan(lambda c, r: (np.sin(c) * r, c * r), 1.5, y),
    "outside": lambda y: tg.scan(lambda c, _: (np.sin(c) * y, np.sum(c)), H, length=2),
    "carry of a body that writes": lambda y: tg.scan(
        lambda c, _: (write(c.copy()) * c, np.sum(c)), y, length=2
    ),
    "branch": lambda y: tg.cond(np.sum(y) > 0, lambda z: write(z * 1.0), np.cos, y),
}


def write(y):
    y[...] = y[::-1]
    y[1:] *= 0.5
    return y


@backends()
@pytest.mark.parametrize("use", ROLES.values(), ids=ROLES)
def test_arrays_that_were_written_to_have_the_gradients_of_new_ones(backend, use):
    def loss(x, write):
        found = use(write(x * 1.0))
        return sum(np.sum(np.sin(y)) for y in (found if isinstance(found, tuple) else (found,)))

    f = lambda x: loss(x, write)
    new = lambda x: loss(x, lambda y: y[::-1] * np.array([1.0, 0.5, 0.5]))
    for order in (tg.grad, tg.hessian, lambda f: lambda x: tg.jvp(f, (x,), (x,))):
        expected = order(new)(H)
        assert_equal(order(f)(H), expected, "numpy", CLOSE)
        assert_equal(tg.compile(order(f), backend=backend)(H), expected, backend, CLOSE)
        assert_equal(order(tg.compile(f, backend=backend))(H), expected, backend, CLOSE)


@backends()
@pytest.mark.parametrize("make", [float, np.float64, np.array], ids=lambda x: x.__name__)
def test_numbers_that_a_body_reads_have_gradients_of_every_order(backend, make):
    def f(w):
        return tg.scan(lambda h, t: (h * w + w * t, None), 0.5, X[0])[0]

    def compile_constant(f):
        return tg.compile(lambda: f(0.4), backend=backend)

    for order in (
        tg.grad,
        lambda f: tg.grad(tg.grad(f)),
        lambda f: lambda w: tg.hvp(f, (w,), (w,)),
    ):
        expected = order(f)(0.4)
        compiled, of_compiled = (
            tg.compile(order(f), backend=backend),
            tg.compile(f, backend=backend),
        )
        assert_equal(compiled(make(0.4)), expected, backend, CLOSE)
        assert_equal(order(of_compiled)(make(0.4)), expected, backend, CLOSE)
        assert_equal(compile_constant(order(f))(), expected, backend, CLOSE)
    w = tg.Value(make(0.4))
    tg.compile(f, backend=backend)(w).backward()
    assert_equal(w.grad, tg.grad(f)(0.4), backend, CLOSE)


@backends()
def test_weights_from_outside_are_read_at_each_call_and_get_gradients(backend):
    def train(wrap):
        layer = nn.Linear(3, 3, generator=0, dtype=np.float64)
        optimizer = optim.Adam(layer.parameters(), 0.05)

        def step(xs):
            optimizer.zero_grad()
            h, hs = tg.scan(lambda h, x: (np.tanh(layer(h + x)),) * 2, np.zeros(3), xs)
            total = np.mean((hs - 0.5) ** 2) + np.sum(h)
            total.backward()
            optimizer.step()
            return total

        step = wrap(step)
        losses = [step(X * k) for k in range(4)]
        layer.weight.data = layer.weight.data * 0.5
        return [*losses, step(X), layer.weight.data, layer.bias.data]

    assert_equal(train(tg.compile(backend=backend)), train(lambda f: f), backend)


@backends()
def test_loops_stand_in_loops_and_in_branches(backend):
    def f(x):
        def row(c, r):
            d, es = tg.scan(lambda d, e: (d * 0.5 + np.sin(e) * c, d * e), c, r)
            return tg.cond(np.sum(es) > 0, lambda d: d * 2, lambda d: np.cos(d), d), np.sum(es)

        c, ys = tg.cond(x[0, 0] > 0, lambda: tg.scan(row, 0.5, x), lambda: tg.scan(row, 0.1, -x))
        return c * np.sum(ys * ys)

    compiled = tg.compile(tg.value_and_grad(f), backend=backend)
    for x in (X, -X, X[::-1].copy()):
        assert_equal(compiled(x), tg.value_and_grad(f)(x), backend, CLOSE)
        hvp = tg.compile(lambda x: tg.hvp(f, (x,), (x,)), backend=backend)(x)
        assert_equal(hvp, tg.hvp(f, (x,), (x,)), backend, CLOSE)


@backends()
def test_dtypes_stay_and_integers_are_carried(backend):
    def f(x, tokens):
        def step(carry, token):
            count, total = carry
            return (count + 1, total + table[token]), (token * count, total > 0, token)

        return tg.scan(step, (0, np.float32(0)), tokens)[:2]

    table = np.float32([0.5, -2.0, 4.0])
    arguments = X, np.array([2, 0, 1, 1], np.int32)
    assert_equal(tg.compile(f, backend=backend)(*arguments), f(*arguments), backend)
    scaled = lambda x: tg.scan(lambda c, r: (c * r, c), np.float32(1), x)
    x = np.float32([0.5, 3.0, 2.0])
    assert_equal(tg.compile(scaled, backend=backend)(x), scaled(x), backend)


@backends()
@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "int8", "bool"])
def test_dtypes_that_machine_code_only_copies_are_carried_and_stacked(dtype, backend):
    """What it stores of them must have their size: it once wrote past the end."""

    def f(x):
        return tg.scan(lambda c, r: (c + r, (c[0], np.sum(c), c * r)), x[0], x, reverse=True)

    x = (np.arange(12).reshape(4, 3) % 3).astype(dtype)
    compiled = tg.compile(f, backend=backend)
    for _ in range(3):
        assert_equal(compiled(x), f(x), backend)


@backends()
def test_batches_of_loops_are_computed_or_refused(backend):
    rows = np.stack([X, -X, X * 2])
    last = lambda w, x: np.sum(loss(w, H, x))
    layer = nn.GRU(3, 2, generator=0, dtype=np.float64)
    for f in (
        tg.vmap(last, in_axes=(None, 0)),
        tg.vmap(tg.grad(last), in_axes=(None, 0)),
        lambda w, x: tg.grad(lambda w: np.sum(tg.vmap(last, in_axes=(None, 0))(w, x)))(w),
        lambda w, x: tg.vmap(lambda r: tg.cond(r[0, 0] > 0, np.sin, np.cos, r @ w))(x),
        lambda w, x: tg.vmap(layer)(x)[0],
    ):
        assert_equal(tg.compile(f, backend=backend)(W, rows), f(W, rows), backend, CLOSE)
    doubled = tg.vmap(lambda r: tg.while_loop(lambda v: np.sum(v) < 50.0, lambda v: v * 2.0, r))
    with pytest.raises(TraceError, match=r"a branch .* must not depend on a traced number"):
        tg.compile(doubled, backend=backend)(np.abs(rows))


@backends()
@pytest.mark.parametrize("shape", [(5, 2), (1, 3), (4, 0), (3,)])
def test_carries_change_places_and_may_be_empty(shape, backend):
    def f(x):
        step = lambda c, r: ((c[1], np.flip(c[0]) + r), (c[0], r))
        return tg.scan(step, (x[0], x[0] * 2 - 1), x)

    x = np.arange(np.prod(shape)).reshape(shape) + 0.5
    assert_equal(tg.compile(f, backend=backend)(x), f(x), backend)
    total = lambda x: sum(np.sum(y**2) for y in (*f(x)[0], *f(x)[1]))
    found = tg.compile(tg.grad(total), backend=backend)(x)
    assert_equal(found, tg.grad(total)(x), backend, CLOSE)


@backends()
def test_a_cotangent_of_zero_stays_zero_in_a_body(backend):
    """In the chain rule as it is, 0 times an infinite slope is nan."""

    def f(x):
        roots = tg.scan(lambda c, r: (c, np.sqrt(r)), 0.0, x)[1]
        branch = tg.cond(x[1] > 0, lambda: (np.sqrt(x[0]), x[1]), lambda: (x[0], x[1]))
        return np.sum(roots[1:]) + branch[1]

    x = np.array([0.0, 1.0, 4.0])
    expected = tg.grad(f)(x)
    assert expected.tolist() == [0.0, 1.5, 0.25]
    assert_equal(tg.compile(tg.grad(f), backend=backend)(x), expected, backend)
    assert_equal(tg.grad(tg.compile(f, backend=backend))(x), expected, backend)


@backends()
@pytest.mark.parametrize("reverse", [False, True])
def test_random_numbers_are_drawn_at_each_step_in_their_order(backend, reverse):
    def run(wrap):
        rng, drop = np.random.default_rng(5), nn.Dropout(0.5, generator=1)

        def step(c, x):
            return c + rng.normal() * x, (rng.uniform(size=2) * c, drop(np.ones(3) * x))

        f = wrap(lambda x: tg.scan(step, 0.0, x, reverse=reverse))
        return [f(np.arange(4.0)) for _ in range(2)], rng.normal()

    assert_equal(run(tg.compile(backend=backend)), run(lambda f: f), backend)


@backends()
def test_a_while_loop_runs_as_the_numbers_say(backend):
    def f(x, bound):
        return tg.while_loop(
            lambda v: (np.sum(v["x"]) < bound) & (v["n"] < 50),
            lambda v: {"x": v["x"] * 1.5 + 0.1, "n": v["n"] + 1},
            {"x": x, "n": 0},
        )

    compiled = tg.compile(f, backend=backend)
    for bound in (100.0, 1e5, -1.0, 1e30):
        assert_equal(compiled(np.ones(3), bound), f(np.ones(3), bound), backend, CLOSE)


@backends()
def test_a_while_loop_has_no_compiled_gradient_and_says_so(backend):
    f = lambda x: np.sum(tg.while_loop(lambda v: np.sum(v) < 9.0, lambda v: v * 2.0, x))
    with pytest.raises(
        GraphError, match=r"while_loop: has no gradient.*use tg.jvp outside branches, or tg.scan"
    ):
        tg.compile(tg.grad(f), backend=backend)(np.ones(3))
    compiled = tg.compile(f, backend=backend)
    assert compiled(np.ones(3)) == f(np.ones(3))
    with pytest.raises(GraphError, match="while_loop: has no gradient"):
        tg.grad(compiled)(np.ones(3))


WHILE_LOOPS = {
    "counts its steps": lambda x, w: tg.while_loop(
        lambda v: (np.sum(v["x"]) < 40.0) & (v["n"] < 20),
        lambda v: {"x": v["x"] * 1.5 + np.sin(w * v["x"]), "n": v["n"] + 1},
        {"x": x, "n": 0},
    )["x"],
    "gets its tangent from outside": lambda x, w: tg.while_loop(
        lambda v: np.sum(v) < 9.0, lambda v: v + np.sum(w * x), np.zeros(2)
    ),
    "never runs": lambda x, w: tg.while_loop(lambda v: v[0] > 1e9, lambda v: v * w, x * x),
    "in a scan": lambda x, w: tg.scan(
        lambda c, t: (tg.while_loop(lambda v: np.sum(v) < t, lambda v: v * (1.0 + w), c), c),
        x,
        np.arange(5.0, 50.0, 9.0),
    )[1],
    "around a scan": lambda x, w: tg.while_loop(
        lambda v: np.sum(v) < 60.0,
        lambda v: tg.scan(lambda c, t: (c + 0.1 * np.sin(w * c) + t, None), v, np.ones(3))[0],
        x,
    ),
}


@backends()
@pytest.mark.parametrize("name", WHILE_LOOPS)
def test_a_while_loop_has_forward_mode_of_every_order(name, backend):
    f = WHILE_LOOPS[name]
    given, moved = (np.array([0.7, 1.2]), 0.9), (np.array([1.0, -0.3]), 0.4)
    first = lambda f: lambda x, w: tg.jvp(f, (x, w), moved)
    second = lambda f: lambda x, w: tg.jvp(lambda *at: first(f)(*at)[1], (x, w), moved)
    for order in (first, second):
        expected = order(f)(*given)
        assert_equal(tg.compile(order(f), backend=backend)(*given), expected, backend, CLOSE)
        assert_equal(order(tg.compile(f, backend=backend))(*given), expected, backend, CLOSE)


@backends()
def test_forward_mode_goes_through_newtons_method(backend):
    def root(a):
        return tg.while_loop(
            lambda x: np.abs(x * x - a) > 1e-14 * a, lambda x: (x + a / x) / 2.0, np.float64(1.0)
        )

    _, slope = tg.compile(lambda a: tg.jvp(root, (a,), (1.0,)), backend=backend)(5.0)
    assert slope == pytest.approx(0.5 / np.sqrt(5.0), rel=1e-6)


@backends()
def test_the_numbers_choose_the_branch(backend):
    scale = tg.Value(3.0)

    def f(x, y):
        return tg.cond(
            np.sum(x) > 0,
            lambda a, b: (np.sin(a) * b * scale, 1.0, a),
            lambda a, b: (a**3, 2.0, b),
            *(x, y),
        )

    def total(x, y):
        first, second, third = f(x, y)
        return np.sum(first) * second + np.sum(third**2)

    compiled = tg.compile(f, backend=backend)
    gradient = tg.compile(tg.grad(total, (0, 1)), backend=backend)
    curvature = lambda g: lambda x, y: tg.hvp(g, (x, y), (y, x))
    for x in (H, -H, np.zeros(3)):
        assert_equal(compiled(x, X[0]), f(x, X[0]), backend, CLOSE)
        expected = tg.grad(total, (0, 1))(x, X[0])
        assert_equal(gradient(x, X[0]), expected, backend, CLOSE)
        outside = tg.compile(total, backend=backend)
        assert_equal(tg.grad(outside, (0, 1))(x, X[0]), expected, backend, CLOSE)
        found = tg.compile(curvature(total), backend=backend)(x, X[0])
        assert_equal(found, curvature(total)(x, X[0]), backend, CLOSE)


@backends()
def test_a_branch_that_does_not_run_raises_nothing(backend):
    f = lambda x, i: tg.cond(i < 3, lambda: x[i], lambda: 0.0 * x[0])
    compiled = tg.compile(f, backend=backend)
    for i in (1, 2, 7):
        assert_equal(compiled(H, np.int64(i)), f(H, np.int64(i)), backend)


@backends()
def test_an_index_out_of_range_in_a_body_raises_as_in_eager_code(backend):
    f = lambda x, tokens: tg.scan(lambda c, t: (c + x[t], None), 0.0, tokens)[0]
    compiled = tg.compile(f, backend=backend)
    tokens = np.array([2, 0, 1])
    assert_equal(compiled(H, tokens), f(H, tokens), backend)
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(H, np.array([0, 3, 1]))
    assert_equal(compiled(H, tokens), f(H, tokens), backend)


@backends()
def test_checks_of_numbers_in_a_body_raise_what_eager_code_raises(backend):
    def losses(x, labels):
        step = lambda c, r: (c + tg.losses.cross_entropy(r[0][None], r[1][None]), None)
        return tg.scan(step, 0.0, (x, labels))[0]

    def divided(x, k):
        return tg.while_loop(lambda v: np.sum(v) < 50.0, lambda v: v * 2.0 * (1.0 / k), x)

    for f, good, bad in (
        (losses, np.array([0, 2, 1, 0, 2]), np.array([0, 2, 1, 3, 2])),
        (divided, 0.5, 0.0),
    ):
        compiled, x = tg.compile(f, backend=backend), np.abs(X)
        assert_equal(compiled(x, good), f(x, good), backend, CLOSE)
        for run in (f, compiled):
            with pytest.raises((IndexError, ZeroDivisionError)):
                run(x, bad)
        assert_equal(compiled(x, good), f(x, good), backend, CLOSE)


@backends()
def test_the_time_to_compile_does_not_grow_with_the_steps(backend):
    sizes = []
    for steps in (4, 400):
        xs = np.ones((steps, 3))
        compiled = tg.compile(
            tg.grad(lambda w, h, xs: np.sum(recurrence(w, h, xs)[0])), backend=backend
        )
        compiled(W, H, xs)
        sizes.append(len(compiled._last.program.instructions()))
    assert sizes[0] == sizes[1]


@backends()
def test_a_program_with_loops_is_freed_with_its_function(backend):
    compiled = tg.compile(tg.grad(loss), backend=backend)
    compiled(W, H, X)
    kept = weakref.ref(compiled)
    del compiled
    gc.collect()
    assert kept() is None


# ---- what is refused


def leave_in_list(x):
    left = []
    tg.scan(lambda c, r: (c + r, left.append(c)), np.zeros(3), x)
    return left[0]


def read_list(x):
    left = [np.zeros(3)]

    def step(c, r):
        left.append(c + left[-1])
        return c + left[-1], None

    return tg.scan(step, np.zeros(3), x)[0]


def count(x):
    n = 0

    def step(c, r):
        nonlocal n
        n += 1
        return c + n * r, None

    return tg.scan(step, np.zeros(3), x)[0]


def count_outside(x):
    counter, weight = [0], x[0]

    def step(c, r):
        counter[0] += 1
        return c + weight * counter[0], None

    return tg.scan(step, np.zeros(3), x)[0]


def count_by_iterator(x):
    numbers = iter(range(9))
    return tg.scan(lambda c, r: (c + x[0] * next(numbers), None), np.zeros(3), x)[0]


def count_only(x):
    calls = []
    c, _ = tg.scan(lambda c, r: (c + r, calls.append(1)), np.zeros(3), x)
    return c * len(calls)


def count_in_object(x):
    counter = types.SimpleNamespace(n=0)

    def step(c, r):
        counter.n += 1
        return c + r, None

    return tg.scan(step, np.zeros(3), x)[0] * counter.n


def write_into(x):
    total = x[0] * 0

    def step(c, r):
        total[...] += r
        return c, None

    tg.scan(step, np.zeros(3), x)
    return total


def write_into_value(x):
    total = tg.Value(x[0]) * 1.0

    def step(c, r):
        total[0] = r[0]
        return c + total, None

    return tg.scan(step, np.zeros(3), x)[0]


def set_weight(x):
    def step(c, r):
        WEIGHT.data = WEIGHT.data * 2
        return c + r * WEIGHT, None

    return tg.scan(step, np.zeros(3), x)[0]


def back_within(x):
    def step(c, r):
        np.sum(WEIGHT * r).backward()
        return c + r, None

    return tg.scan(step, np.zeros(3), x)[0]


def normalize(x):
    return tg.scan(lambda c, r: (c + np.sum(NORM(r[:, None])), None), 0.0, x)[0]


def draw_in_branch(x):
    return tg.cond(np.sum(x) > 0, lambda: GENERATOR.normal(), lambda: 0.0)


def if_within(x):
    return tg.scan(lambda c, r: (c + r if r[0] > 0 else c - r, None), np.zeros(3), x)[0]


WEIGHT = tg.Value(np.ones(3))
NORM = nn.BatchNorm1d(1, dtype=np.float64)
GENERATOR = np.random.default_rng(0)


@backends()
@pytest.mark.parametrize(
    ("f", "text"),
    [
        (leave_in_list, "must not"),
        (read_list, "must not change what is outside it, or compute something else"),
        (count, "must not change what is outside it"),
        (count_outside, "must not change what is outside it"),
        (count_by_iterator, "must not"),
        (count_only, "must not change what is outside it"),
        (count_in_object, "must not change what is outside it"),
        (write_into, "the body of scan must not change an array outside it"),
        (write_into_value, "must not"),
        (set_weight, "the body of scan must not change a Value outside it"),
        (back_within, "the body of scan must not change a Value outside it"),
        (normalize, "the body of scan must not change BatchNorm1d"),
        (draw_in_branch, "random numbers must not be drawn in cond"),
        (if_within, "a branch .* must not depend on a traced number"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_body_that_does_more_than_return_is_refused_with_its_line(f, text, backend):
    WEIGHT.grad = None
    before = WEIGHT.data.copy()
    with pytest.raises(TraceError, match=text) as error:
        tg.compile(f, backend=backend)(X)
    assert "test_compile_control_flow.py, line" in str(error.value)
    assert np.array_equal(WEIGHT.data, before)
    assert WEIGHT.grad is None


@backends()
@pytest.mark.parametrize(
    ("f", "error", "text"),
    [
        (lambda x: tg.scan(lambda c, r: (r, None), 0.0, x), ShapeError, "keep its shapes"),
        (lambda x: tg.scan(lambda c, r: (c + 0.5, None), 0, x), DtypeError, "int64 .* float64"),
        (
            lambda x: tg.cond(x[0, 0] > 0, lambda: x, lambda: x[0]),
            TraceError,
            "both branches of cond must return the same shapes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(f, error, text, backend):
    with pytest.raises(error, match=text):
        tg.compile(f, backend=backend)(X)


# ---- together with the rest of the compiler


@backends()
def test_second_derivatives_reach_a_parameter_that_a_body_reads(backend):
    weight = tg.Value(W)

    def slope(x):
        f = lambda h: np.sum(tg.scan(lambda h, r: (np.tanh(h @ weight + r), None), h, x)[0] ** 2)
        return np.sum(tg.grad(f)(H) ** 2)

    def run(wrap):
        weight.grad = None
        out = wrap(slope)(tg.Value(X))
        out.backward()
        return out, weight.grad

    def step(x):
        weight.grad = None
        out = slope(x)
        out.backward()
        return out

    expected = run(lambda f: f)
    assert_equal(run(tg.compile(backend=backend)), expected, backend, CLOSE)
    compiled = tg.compile(step, backend=backend)
    for _ in range(2):
        assert_equal([compiled(X), weight.grad], expected, backend, CLOSE)


@backends()
def test_loops_run_in_loops_of_steps_and_in_epochs(backend):
    def make():
        weight = tg.Value(W)
        optimizer = optim.SGD([weight], 0.1)

        @tg.compile(backend=backend)
        def step(x):
            optimizer.zero_grad()
            h, hs = tg.scan(lambda h, r: (np.tanh(h @ weight + r),) * 2, H, x, reverse=True)
            loss = np.sum(h) + np.sum(hs[1:] * x[:-1])
            loss.backward()
            optimizer.step()
            return loss

        return weight, step

    (one, step), (two, loop) = make(), make()
    rows = np.stack([X * k for k in range(4)])
    expected = [step(x[0]) for x in np.split(rows, 4)]
    found = loop.epochs(rows.reshape(20, 3), batch_size=5, epochs=1, shuffle=False)
    assert_equal(found, np.stack([x.item() for x in expected]), backend)
    expected = [step(X).item() for _ in range(3)]
    assert_equal(loop.loop(X, steps=3), np.array(expected), backend)
    assert_equal(one.data, two.data, backend)


@backends("llvm")
def test_a_loop_stands_in_a_program_of_several_threads(backend):
    def f(x, w):
        x = np.tanh(x @ w)
        h, hs = tg.scan(lambda h, r: (np.tanh(h + r), h), x[0], x)
        return np.sum(np.tanh(hs @ w) * h)

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(400, 300)), rng.normal(size=(300, 300)) / 20
    expected = tg.value_and_grad(f)(x, w)
    before = THREADS.count
    tg.set_threads(2)
    try:
        compiled = tg.compile(tg.value_and_grad(f), backend=backend)
        found = compiled(x, w)
        assert compiled._last.executable.threads == 2
    finally:
        tg.set_threads(before)
    assert_equal(found, expected, backend, {"rtol": 1e-9, "atol": 1e-11})


@backends()
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_are_loops_for_any_length(kind, backend):
    sizes = []
    for length in (2, 5, 150):
        layer = kind(2, 3, generator=0, bidirectional=length == 5, dtype=np.float64)
        x = np.sin(np.arange(4 * length)).reshape(2, length, 2)

        def loss(x, layer=layer):
            out, _ = layer(x)
            return np.sum(out * np.cos(np.arange(out.size)).reshape(out.shape))

        compiled = tg.compile(tg.value_and_grad(loss), backend=backend)
        assert_equal(compiled(x), tg.value_and_grad(loss)(x), backend, CLOSE)
        sizes.append(len(compiled._last.program.instructions()))
        names = compiled.explain().kernels
        assert not [x for x in names if "call" in x and backend == "llvm"]
        hvp = tg.compile(lambda x, f=loss: tg.hvp(f, (x,), (x,)), backend=backend)
        if length != 150:
            assert_equal(hvp(x), tg.hvp(loss, (x,), (x,)), backend, CLOSE)
    assert sizes[0] == sizes[2]
