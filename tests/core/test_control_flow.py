"""scan, while_loop and cond run as Python's for, while and if, with all derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

RNG = np.random.default_rng(0)
W, H, X = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3), RNG.normal(size=(5, 3))


def cell(w):
    return lambda h, x: (np.tanh(h @ w + x), np.sum(h * x))


def unrolled(w, h, xs, reverse=False):
    """The same loop in Python."""
    ys = [0.0] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        h, ys[t] = cell(w)(h, xs[t])
    return h, np.stack(ys)


def scanned(w, h, xs, reverse=False):
    return tg.scan(cell(w), h, xs, reverse=reverse)


def total(f, reverse=False):
    def loss(w, h, xs):
        last, ys = f(w, h, xs, reverse)
        return np.sum(last**2) + np.sum(ys * np.arange(len(xs)))

    return loss


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_the_loop_written_out(reverse):
    for got, expected in zip(scanned(W, H, X, reverse), unrolled(W, H, X, reverse), strict=True):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("wrt", [0, 1, 2])
def test_the_derivatives_of_a_scan_are_those_of_its_steps(wrt, reverse):
    f, g = total(scanned, reverse), total(unrolled, reverse)
    assert np.array_equal(tg.grad(f, wrt)(W, H, X), tg.grad(g, wrt)(W, H, X))
    along = [np.cos(np.arange(x.size)).reshape(x.shape) for x in (W, H, X)]
    assert np.array_equal(
        tg.hvp(f, (W, H, X), tuple(along))[wrt], tg.hvp(g, (W, H, X), tuple(along))[wrt]
    )


def test_a_scan_has_batches_and_forward_mode():
    rows = np.stack([X, 2 * X])
    last, ys = tg.vmap(lambda x: scanned(W, H, x))(rows)
    for row, h, y in zip(rows, last, ys, strict=True):
        expected = unrolled(W, H, row)
        assert np.allclose(h, expected[0], rtol=1e-15, atol=0)
        assert np.allclose(y, expected[1], rtol=1e-15, atol=1e-16)
    tg.check_gradients(lambda w: scanned(w, H, X)[0], W)


def test_the_carry_and_the_results_are_nested():
    def step(carry, x):
        n, (total,) = carry["n"], carry["total"]
        return {"total": [total + x["a"] * x["b"][0]], "n": n + 1}, (None, {"n": n})

    init = {"n": 0, "total": [np.zeros(2)]}
    xs = {"a": np.arange(6.0).reshape(3, 2), "b": (np.array([1.0, 2.0, 3.0]),)}
    carry, (nothing, ys) = tg.scan(step, init, xs)
    assert nothing is None
    assert carry["n"] == 3
    assert carry["total"][0].tolist() == [0.0 + 4.0 + 12.0, 1.0 + 6.0 + 15.0]
    assert ys["n"].tolist() == [0, 1, 2]


def test_without_slices_the_length_counts():
    carry, ys = tg.scan(lambda c, _: (2.0 * c, None), 1.0, length=10)
    assert (float(carry), ys) == (1024.0, None)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tg.scan(lambda c, x: c, 0.0, X), ArgumentError, "f must return a pair"),
        (lambda: tg.scan(lambda c, x: (c, x), 0.0), ArgumentError, "length or xs must be given"),
        (lambda: tg.scan(lambda c, x: (c, x), 0.0, X, 4), ArgumentError, r"got \[4, 5\]"),
        (lambda: tg.scan(lambda c, x: (c, x), 0.0, X[:0]), ShapeError, "at least one step"),
        (lambda: tg.scan(lambda c, x: (c, x), 0.0, 1.0), ShapeError, "axis of steps"),
        (lambda: tg.scan(lambda c, x: (x, x), 0.0, X), ShapeError, r"float64 \(\), got .*\(3,\)"),
        (lambda: tg.scan(lambda c, x: (c + 0.5, x), 0, X), DtypeError, "int64 .*, got float64"),
        (lambda: tg.scan(lambda c, x: ([c], x), 0.0, X), ArgumentError, "the structure must be"),
        (lambda: tg.while_loop(np.all, lambda x: x[:1], X), ShapeError, "keep its shapes"),
        (lambda: tg.while_loop(lambda x: x > 0, lambda x: x, X), ShapeError, "cond_fun must be"),
        (lambda: tg.cond(X > 0, np.sin, np.cos, X), ShapeError, "pred must be one boolean"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@given(st.floats(0.1, 50.0), st.integers(1, 4))
def test_a_while_loop_runs_while_its_condition_holds(x, factor):
    value, count = tg.while_loop(
        lambda v: v[0] < 100.0, lambda v: (v[0] * (1.0 + factor), v[1] + 1), (x, 0)
    )
    expected, steps = x, 0
    while expected < 100.0:
        expected, steps = expected * (1.0 + factor), steps + 1
    assert (float(value), int(count)) == (expected, steps)
    slope = tg.grad(lambda x: tg.while_loop(lambda v: v < 100.0, lambda v: v * (1 + factor), x))(x)
    assert slope == (1.0 + factor) ** steps


def test_the_entries_of_a_batch_end_their_loops_one_by_one():
    doubled = tg.vmap(lambda x: tg.while_loop(lambda v: v < 10.0, lambda v: v * 2.0, x))
    assert doubled(np.array([1.0, 2.0, 3.0, 20.0])).tolist() == [16.0, 16.0, 12.0, 20.0]


def test_cond_calls_one_branch():
    calls = []

    def branch(name):
        return lambda x: (calls.append(name), np.sin(x))[1]

    assert tg.grad(lambda x: tg.cond(x > 0, branch("t"), branch("f"), x))(2.0) == np.cos(2.0)
    assert calls == ["t"]
    slopes = tg.vmap(tg.grad(lambda x: tg.cond(x > 0, np.sin, np.cos, x)))(np.array([1.0, -1.0]))
    assert np.allclose(slopes, [np.cos(1.0), np.sin(1.0)], rtol=1e-15, atol=0)
