"""Calls of NumPy on the arrays of a compiled function, with their options, are NumPy's."""

from __future__ import annotations

import numpy as np
import programs
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import TraceError

X = np.round(np.sin(np.arange(24.0) * 1.7), 3).reshape(2, 3, 4)
Y = np.round(np.cos(np.arange(12.0) * 0.9), 3).reshape(3, 4)
I = np.arange(24).reshape(2, 3, 4) * 5 % 7

CALLS = [
    # axes
    *("np.transpose(x)", "np.transpose(x, (2, 0, 1))", "np.transpose(x, [-2, 0, -1])", "x.T"),
    *("x.transpose()", "x.transpose(1, 2, 0)", "x.transpose((1, 0, 2))", "y.T @ y"),
    *("np.swapaxes(x, 0, -1)", "x.swapaxes(1, 2)", "np.moveaxis(x, 0, -1)", "x.mT @ x"),
    *("np.moveaxis(x, [0, 2], [-1, 0])", "np.rollaxis(x, 2)", "np.rollaxis(x, 1, 3)"),
    *("np.expand_dims(x, 1)", "np.expand_dims(x, (0, -1))", "np.squeeze(x[:, :1], 1)"),
    *("np.squeeze(x[:1])", "x[:, 1:2].squeeze(axis=-2)", "np.atleast_2d(y[0])"),
    *("np.atleast_3d(y)", "np.broadcast_to(y, (2, 3, 4))", "np.broadcast_to(y[:, :1], (3, 5))"),
    *("np.broadcast_arrays(x, y[0])[1]", "np.reshape(x, (4, -1))", "x.reshape(-1)"),
    *("x.reshape(3, 8)", "x.reshape((2, -1))", "np.ravel(x)", "x.ravel()", "x.flatten()"),
    *("np.flip(x)", "np.flip(x, 1)", "np.flip(x, (0, -1))", "np.fliplr(y)", "np.flipud(y)"),
    *("np.roll(x, 1)", "np.roll(x, -2, axis=1)", "np.roll(x, (1, 2), axis=(0, -1))"),
    *("np.rot90(y)", "np.rot90(y, -1)", "np.rot90(x, 2, (1, 2))", "np.diagonal(y)"),
    *("np.diagonal(x, 1, 1, 2)", "np.trace(x, axis1=1, axis2=2)", "np.trace(y, 1)"),
    *("np.diag(y[0])", "np.diag(y, -1)", "np.tril(y)", "np.triu(y, 1)", "np.tril(x, -1)"),
    # parts and wholes
    *("x[0]", "x[..., -1]", "x[:, 1, None]", "x[::-1, 1:, ::2]", "x[1, [0, 2, 0]]", "x[-1, -2]"),
    *("x[[1, 0], :, [3, -1]]", "x[..., [1, -1]]", "x[np.ix_([1, 0], [2, 0])]"),
    *("x[x.argmax(0)[0, 0]]", "np.take(x, [1, -1], axis=1)", "np.take(x, [[0, 5], [7, 1]])"),
    *("x.take([2, 0], axis=-1)", "np.take_along_axis(x, np.argsort(x, 1), 1)", "x.repeat(2)"),
    *("np.concatenate([x, x], axis=1)", "np.concatenate([x[0], y], axis=-1)", "np.stack([y, y])"),
    *("np.stack([x, x], axis=-1)", "np.hstack([y, y])", "np.vstack([y, y])", "np.dstack([y, y])"),
    *("np.column_stack([y[0], y[1]])", "np.append(y, y)", "np.append(y, y, axis=1)"),
    *("np.split(x, 2, axis=-1)", "np.split(y, [1], 0)", "np.array_split(y, 3, 1)"),
    *("np.hsplit(y, 2)", "np.vsplit(y, 3)", "np.tile(y, 2)", "np.tile(y, (2, 1, 3))"),
    *("np.repeat(y, 2, axis=0)", "np.repeat(y, [1, 0, 2], axis=0)", "np.pad(y, 1)"),
    *("np.pad(y, ((0, 1), (2, 0)))", "np.insert(y, 1, 0.5, axis=1)", "np.delete(y, 1, axis=0)"),
    *("list(y)[1]", "[row.sum() for row in y]", "len(x) * y"),
    # sums, moments and extremes
    *("np.sum(x)", "np.sum(x, axis=1)", "np.sum(x, axis=(0, -1))", "x.sum(-1, keepdims=True)"),
    *("np.sum(x, where=x > 0)", "np.sum(x, axis=0, initial=2.5)", "x.sum(axis=())"),
    *("np.mean(x, axis=(1, 2))", "x.mean(0)", "np.mean(x, 1, where=i != 3)", "i.mean()"),
    *("np.var(x, axis=1)", "x.var(ddof=1)", "np.std(x, 0, ddof=1, keepdims=True)", "x.std(-1)"),
    *("np.max(x, axis=1)", "x.max(axis=(0, 2))", "np.min(x, keepdims=True)", "x.min(-1)"),
    *("np.max(x, axis=1, initial=0.5)", "np.amax(i)", "np.ptp(x, axis=0)", "np.prod(y, axis=1)"),
    *("np.argmax(x)", "x.argmax(axis=1)", "np.argmin(x, -1)", "x.argmin(0, keepdims=True)"),
    *("np.cumsum(x)", "np.cumsum(x, axis=1)", "x.cumsum(-1)", "np.cumprod(y, 0)", "np.diff(y)"),
    *("np.diff(x, axis=0)", "np.diff(y, n=2, axis=1)", "np.any(x > 0.9, axis=1)", "np.all(i)"),
    *("(x > 0).any()", "(x > 0).all(axis=(0, 1))", "np.count_nonzero(i > 3)", "(i > 3).sum(1)"),
    *("np.median(y, axis=1)", "np.average(y, axis=0, weights=[1.0, 2.0, 0.5])", "np.average(x)"),
    *("np.linalg.norm(y)", "np.linalg.norm(x, axis=(1, 2))"),
    *("np.linalg.norm(y, ord=1, axis=0)", "np.nansum(x, 1)", "np.sort(y, axis=0)", "np.argsort(y)"),
    # products
    *(
        "x @ y.T",
        "y @ x.mT",
        "y[0] @ y.T",
        "np.dot(y, y[1])",
        "np.dot(x, y.T)",
        "np.dot(y, x.mT)",
        "np.dot(y[0], x.mT)",
        "np.dot(2.0, y)",
        "x.dot(y[0])",
    ),
    *("np.inner(y, y)", "np.outer(y[0], y[1])", "np.vdot(y, y)", "np.tensordot(x, y, 2)"),
    *("np.tensordot(x, y, ([2, 1], [1, 0]))", "np.einsum('ijk,jk->i', x, y)", "np.kron(y, y[:2])"),
    *(
        "np.matmul(x, x.mT)",
        "np.vecdot(x, y)",
        "np.cross(y[:, :3], y[:, 1:])",
    ),
    *("np.linalg.multi_dot([y, y.T, y])", "np.linalg.matrix_power(y @ y.T, 3)"),
    # entries
    *("np.where(x > 0, x, y)", "np.where(i > 3, 1, x)", "np.clip(x, -0.5, 0.5)", "x.clip(min=0)"),
    *("np.clip(x, None, y)", "np.maximum(x, y)", "np.fmin(x, 0.1)", "np.round(x, 1)", "x.round()"),
    *("x // 0.3", "x % 0.3", "2.0 ** x", "x**2", "x**0.5 if x.min() is None else abs(x) ** 0.5"),
    *("-x", "+x", "abs(x)", "1 - x", "1 / (x + 2)", "i // 2", "i % 3", "-i", "i**2", "5 - i"),
    *("i & 3", "i | 8", "i ^ 5", "~i", "i << 2", "i >> 1", "1 << i", "(x > 0) & (i > 2)"),
    *("(x > 0) | (y > 0)", "~(x > 0)", "(x > 0) ^ (i > 2)", "x < y", "x <= 0", "i == 3", "i != x"),
    *("np.sign(x)", "np.sqrt(abs(x))", "np.hypot(x, y)", "np.arctan2(x, y)", "np.expm1(x)"),
    *("np.isnan(x)", "np.isfinite(1 / (i * 1.0 + 1))", "np.nan_to_num(x)", "np.isclose(x, y)"),
    *("np.select([x > 0.5, x < 0], [x, -x], 0.25)", "np.piecewise(y, [y > 0], [1.0, -1.0])"),
    *("np.interp(y, [-1.0, 1.0], [0.0, 2.0])", "np.digitize(y, [0.0, 0.5])", "np.heaviside(x, 0)"),
    *("x.astype(np.float32)", "x.astype(int)", "(x > 0).astype(float)", "i.astype('f4') * x"),
    *("np.add(x, y, dtype=np.float32)", "np.sum(x, dtype=np.float32)", "np.float32(2) * x"),
    *("np.zeros_like(x) + y", "np.full_like(y, 3) * x", "np.ones((3, 4)) * x", "np.eye(4) + y[0]"),
    *("np.arange(4) * x", "np.linspace(0, 1, 4) + y", "np.meshgrid(y[0], y[1])[1]", "np.copy(y)"),
    *("np.add.reduce(x, axis=1)", "np.multiply.outer(y[0], y[1])", "np.maximum.reduce(x, -1)"),
    *("np.add.accumulate(y, axis=1)", "np.logaddexp.reduce(y, axis=0)", "x.size + x.ndim * y"),
    *("x.real - y.imag", "y.conj()"),
]


@pytest.mark.parametrize("number", range(len(CALLS)), ids=CALLS)
def test_a_call_in_a_compiled_function_gives_what_numpy_gives(number):
    f = eval(f"lambda x, y, i: {CALLS[number]}", {"np": np})
    backend = programs.BACKENDS[number % 2 if programs.has_llvmlite() else 0]
    step = tg.compile(f, backend=backend)
    # products in another order differ in the last bit
    product = any(x in CALLS[number] for x in ("linalg", "dot", "einsum", "@", "inner"))
    tolerance = programs.TOLERANCE["float64"] if product else None
    for given in ((X, Y, I), (X[::-1] * 0.5, Y[:, ::-1] + 0.25, I[:, ::-1])):
        programs.assert_equal(step(*given), f(*given), backend, tolerance)


VIEWS = [
    *("a.T", "a.reshape(-1)", "a.reshape(4, -1)", "a[::-1]", "a[:, 1:]", "a[..., 2]", "a[None]"),
    *("a.swapaxes(0, 1)", "np.broadcast_to(a, (2, *a.shape))", "np.split(a, 2, -1)[1]"),
    *("np.diagonal(a, 0, 1, 2)", "np.squeeze(a[:1])", "np.flip(a, 1)", "np.moveaxis(a, 0, -1)"),
    *("a.T[1:].reshape(-1)", "np.stack([a, a * 2])[1]", "np.concatenate([a, a * 2])[1:3]"),
]


@pytest.mark.parametrize("backend", programs.BACKENDS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_may_be_read_long_after_its_array(view, backend):
    """Its memory is not used for something else in between."""
    if backend == "llvm" and not programs.has_llvmlite():
        pytest.skip("needs llvmlite")
    take = eval(f"lambda a: {view}", {"np": np})

    def f(x):
        a = x * 2 + 1
        seen = take(a)
        b = np.sort(np.sin(seen), axis=-1)
        c = np.cumsum(np.cos(seen) * b, axis=-1)
        return np.sort(np.exp(c) - seen, axis=0) + seen, c.sum() * seen

    for x in (X, X[::-1] - 0.5):
        found = tg.compile(f, backend=backend)(x)
        programs.assert_equal(found, f(x), backend, programs.TOLERANCE["float64"])


@programs.backends()
def test_calls_loops_and_epochs_in_any_order_advance_alike(backend):
    def make(wrap):
        w = tg.Value(np.zeros(3))

        def step(x, scale):
            w.data = w.data * 0.5 + x.sum(axis=0) * np.sum(scale)
            return (w.data * x).sum()

        return wrap(step), w

    rows = np.round(np.cos(np.arange(24.0)), 2).reshape(8, 3)
    scales = np.arange(8.0)[:, None] * np.ones(3)
    (step, w), (eager, expected) = make(lambda f: tg.compile(f, backend=backend)), make(lambda f: f)
    for turn, kind in enumerate("cecllecelc"):
        x, scale = rows[turn % 3 : turn % 3 + 2], scales[turn % 3 : turn % 3 + 2]
        if kind == "c":
            found, told = [step(x, scale)], [eager(x, scale)]
        elif kind == "l":
            found, told = step.loop(x, scale, steps=3), [eager(x, scale) for _ in range(3)]
        else:
            found = step.epochs(rows, scales, batch_size=2, epochs=2, shuffle=False)
            told = [eager(rows[i : i + 2], scales[i : i + 2]) for i in (0, 2, 4, 6) * 2]
        np.testing.assert_allclose(found, told, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(w.data, expected.data, rtol=1e-12, atol=1e-12)


@programs.backends()
def test_defaults_of_an_inner_function_are_read_as_they_are_now(backend):
    first, second = np.array([1.0, 2.0]), np.array([3.0, 4.0])

    def helper(x, a=first, k=0.5, *, b=second, c=2.0):
        return x * a * k + b * c

    step, x = tg.compile(lambda x: helper(x), backend=backend), np.array([0.25, -1.5])

    def check():
        np.testing.assert_allclose(step(x), helper(x), rtol=1e-14)

    check()
    helper.__defaults__[0][:] = 5.0
    check()
    helper.__kwdefaults__["b"][0] = -7.0
    check()
    helper.__kwdefaults__["c"] = 3.0
    check()
    helper.__kwdefaults__ = {"b": np.ones(2), "c": 0.25}
    check()
    helper.__defaults__ = (np.array([-1.0, 1.0]), 4.0)
    check()


FLAT = {
    "a floor": lambda x, y: x * 2 + np.floor(y),
    "a sign": lambda x, y: x * np.sign(y),
    "a comparison": lambda x, y: np.where(y > 0, x, x * x),
    "a position": lambda x, y: x[np.argmax(y)] * 2,
    "one of two results": lambda x, y: (x * 2, y * 3)[0],
    "a part of it": lambda x, y: x + y[0],
    "a detached Value": lambda x, y: x * y.detach() if isinstance(y, tg.Value) else x * y,
}


@programs.backends()
@pytest.mark.parametrize("f", FLAT.values(), ids=FLAT)
def test_what_a_result_does_not_depend_on_smoothly_gets_the_gradient_0(f, backend):
    grads = []
    for call in (f, tg.compile(f, backend=backend)):
        x, y = tg.Value(Y[0]), tg.Value(Y[1])
        np.sum(call(x, y) * Y[2]).backward()
        grads.append([np.zeros(4) if v.grad is None else v.grad for v in (x, y)])
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-12)


@programs.backends()
def test_both_results_of_a_compiled_function_have_gradients_of_their_own(backend):
    step = tg.compile(lambda x, y: (x * 2, np.sin(y) * x), backend=backend)
    for chosen in ([0], [1], [0, 1]):
        grads = []
        for call in (lambda x, y: (x * 2, np.sin(y) * x), step):
            x, y = tg.Value(Y[0]), tg.Value(Y[1])
            out = call(x, y)
            sum(np.sum(out[i] * Y[2]) for i in chosen).backward()
            grads.append([np.zeros(4) if v.grad is None else v.grad for v in (x, y)])
        np.testing.assert_allclose(grads[1], grads[0], rtol=1e-12)


@programs.backends()
@pytest.mark.parametrize("kind", [float, complex, np.float64, np.float32, int, bool])
def test_a_number_from_outside_is_the_one_it_is_now_to_the_last_bit(kind, backend):
    box = {"k": kind(1)}
    f = lambda x: np.copysign(x, np.real(box["k"])) + (1 / x) * box["k"]
    step = tg.compile(f, backend=backend)
    for number in (1, 0.0, -0.0, np.nan, np.inf, 1e-300):
        if not (kind in {int, bool} and not np.isfinite(number)):
            with np.errstate(all="ignore"):
                box["k"] = kind(number)
                np.testing.assert_array_equal(np.signbit(step(Y).real), np.signbit(f(Y).real))
                np.testing.assert_allclose(step(Y), f(Y), rtol=1e-6)


def test_a_call_that_fails_on_samples_says_how_it_failed():
    @tg.primitive(whole=True)
    def find(x):
        raise KeyError("gone")

    with pytest.raises(TraceError, match=r"find raised KeyError on the sample inputs .*\('gone'\)"):
        tg.compile(lambda x: find(x), backend="numpy")(np.ones(3))
