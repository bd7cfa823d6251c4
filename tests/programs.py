"""Parts that tests of the compiler share: its backends, a cache of their own, random programs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.support import pytree as tree

CACHE = tempfile.mkdtemp(prefix="tinygrad_lr-")  # before the first compile: not the user's cache
os.environ["TINYGRAD_LR_CACHE"] = CACHE
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)

BACKENDS = ["numpy", "llvm"]
TOLERANCE = {"float64": {"rtol": 1e-10, "atol": 1e-12}, "float32": {"rtol": 3e-5, "atol": 3e-5}}


def backends(*names):
    """Run a test on each backend; that of an extra is skipped where the extra is missing."""
    return pytest.mark.parametrize(
        "backend", [pytest.param(name, marks=needs(name)) for name in names or BACKENDS]
    )


def needs(backend):
    """The marks of a test on this backend."""
    missing = backend == "llvm" and not has_llvmlite()
    return [pytest.mark.skipif(missing, reason="needs llvmlite")]


def has_llvmlite():
    try:
        import llvmlite  # noqa: F401
    except ImportError:
        return False
    return True


def refuse_invalid_modules():
    """Let a module that LLVM refuses be an error, where users get NumPy's numbers instead."""
    from tinygrad_lr.compiler.llvm import engine, executable

    class Native(engine.NativeCode):
        def __init__(self, *arguments):
            try:
                super().__init__(*arguments)
            except engine.InvalidModule as error:
                raise AssertionError(f"LLVM refuses a module: {error}") from None

    executable.NativeCode = Native


if has_llvmlite():
    refuse_invalid_modules()


def enter_into(table):
    """Return a decorator that enters functions into a table by their names."""

    def enter(function):
        table[function.__name__] = function
        return function

    return enter


def numbers_of(nest):
    """Arrays and numbers of nested results, without the Values around them."""
    return [x.data if isinstance(x, Value) else x for x in tree.leaves([nest])]


def assert_equal(found, expected, backend, tolerance=None):
    """Compiled results are those of eager code: to the last bit where that is promised."""
    found, expected = numbers_of(found), numbers_of(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        if tolerance is None and backend == "numpy" and np.asarray(b).dtype == np.float64:
            np.testing.assert_array_equal(a, b, strict=True)
        else:
            told = tolerance or TOLERANCE.get(str(np.asarray(b).dtype), {"rtol": 0})
            np.testing.assert_allclose(a, b, **told)


# ---- random programs

LENGTHS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 129, 300]  # around whole vectors and past them
MOST = 3000  # entries of an array
OFFSET = 0.0137  # so that what is compared is never equal

UNARY = {
    "tanh": np.tanh,
    "sin": np.sin,
    "sigmoid": tg.sigmoid,
    "softplus": tg.softplus,
    "gelu": tg.gelu,
    "negative": np.negative,
    "square": lambda x: np.square(np.tanh(x)),
    "exp": lambda x: np.exp(np.tanh(x)),
    "log": lambda x: np.log(1.5 + x * x),
    "root": lambda x: np.sqrt(1.5 + x**2),
    "inverse": lambda x: 1 / (1.5 + x * x),
    "cube": lambda x: np.tanh(x) ** 3,
    "relu": lambda x: tg.relu(x - OFFSET),
    "abs": lambda x: np.abs(x - OFFSET),
    "clip": lambda x: np.clip(x, -0.7, 0.9),
    "double": lambda x: 0.5 * x + x,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": lambda x, y: np.tanh(x) * y,
    "divide": lambda x, y: x / (1.5 + y * y),
    "maximum": lambda x, y: np.maximum(x, y + OFFSET),
    "minimum": lambda x, y: np.minimum(x, y - OFFSET),
    "where": lambda x, y: np.where(x > y + OFFSET, x * x, np.sin(y)),
    "logaddexp": np.logaddexp,
    "hypot": lambda x, y: np.hypot(x + 3.1, y),
    "power": lambda x, y: (1.5 + np.tanh(x)) ** y,
}
REDUCING = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "std": lambda x, **options: np.sqrt(0.3 + np.var(x, **options)),
    "logsumexp": tg.logsumexp,
    "prod": lambda x, **options: np.prod(1 + 0.01 * np.tanh(x), **options),
    "norm": lambda x, **options: np.sqrt(0.3 + np.sum(x * x, **options)),
}


def standardize(x, axis):
    away = x - np.mean(x, axis=axis, keepdims=True)
    return away / np.sqrt(np.mean(away * away, axis=axis, keepdims=True) + 0.01)


ALONG = {"softmax": tg.softmax, "log_softmax": tg.log_softmax, "standardize": standardize}


class Program:
    """A list of steps, each a function of earlier results, and which of these come out."""

    def __init__(self):
        self.steps, self.outputs, self.text = [], [], []

    def __call__(self, *inputs):
        pool = [*inputs]
        for function, places in self.steps:
            pool.append(function(*[pool[i] for i in places]))
        return tuple(pool[i] for i in self.outputs)

    def __repr__(self):
        return "\n".join([*self.text, f"return {', '.join(f'x{i}' for i in self.outputs)}"])


class Drawing:
    """A program while it is being drawn: its results on numbers, so that shapes are known."""

    def __init__(self, seed, dtype):
        self.random, self.program = np.random.default_rng(seed), Program()
        self.dtype = dtype
        self.pool = []

    def below(self, n):
        return int(self.random.integers(n))

    def one_of(self, options):
        return list(options)[self.below(len(options))]

    def array(self, shape):
        return self.random.uniform(-1.5, 1.5, shape).astype(self.dtype)

    def shape(self):
        sides = [self.one_of(LENGTHS) for _ in range(1 + self.below(2))]  # some alike: squares
        shape = tuple(self.one_of(sides) for _ in range(self.below(4)))
        shape = (0, *shape[1:]) if shape and not self.below(12) else shape
        return shape if np.prod(shape) <= MOST else shape[:1]

    def given(self, shape):
        self.program.text.append(f"x{len(self.pool)} = array of shape {shape}, {self.dtype}")
        self.pool.append(self.array(shape))

    def step(self, name, function, *places):
        """Add a step, unless it is impossible for these shapes."""
        try:
            with np.errstate(all="ignore"):
                out = function(*[self.pool[i] for i in places])
        except (ValueError, IndexError, RuntimeWarning):  # no mean of nothing
            return
        if np.size(out) > MOST or not np.all(np.isfinite(out)) or np.any(np.abs(out) > 1e3):
            return
        operands = ", ".join(f"x{i}" for i in places)
        self.program.text.append(f"x{len(self.pool)} = {name}({operands})  # {np.shape(out)}")
        self.program.steps.append((function, places))
        self.pool.append(np.asarray(out))

    def place(self):
        """One of the results, more often a late one."""
        latest = self.below(2) or len(self.pool)
        return len(self.pool) - 1 - self.below(latest)

    def axes(self, ndim):
        if ndim == 0 or self.below(2):
            return self.one_of([None, *range(-ndim, ndim)])
        return tuple(i for i in range(ndim) if self.below(2))


def unary(d):
    name = d.one_of(UNARY)
    d.step(name, UNARY[name], d.place())


def binary(d):
    name = d.one_of(BINARY)
    d.step(name, BINARY[name], d.place(), d.place())


def with_new_operand(d):
    """An elementwise operation with an array that broadcasts."""
    i, name = d.place(), d.one_of(BINARY)
    shape = tuple(d.one_of([1, n]) for n in d.pool[i].shape)
    drop = d.below(len(shape) + 1)
    constant = d.array(shape[drop:])
    f = BINARY[name]
    both = d.one_of([lambda x: f(x, constant), lambda x: f(constant, x)])
    d.step(f"{name} with {constant.shape}", both, i)


def reduction(d):
    i, name = d.place(), d.one_of(REDUCING)
    options = {"axis": d.axes(d.pool[i].ndim), "keepdims": bool(d.below(2))}
    f = REDUCING[name]
    d.step(f"{name} {options}", lambda x: f(x, **options), i)


def spread(d):
    """A reduction, repeated to the shape of its operand."""
    i, name = d.place(), d.one_of(REDUCING)
    axis, f = d.axes(d.pool[i].ndim), REDUCING[name]
    shape = d.pool[i].shape
    d.step(
        f"{name} axis={axis}, spread",
        lambda x: np.broadcast_to(f(x, axis=axis, keepdims=True), shape),
        i,
    )


def along(d):
    i, name = d.place(), d.one_of(ALONG)
    axis, f = d.one_of([*range(-d.pool[i].ndim, 0), -1]), ALONG[name]
    d.step(f"{name} axis={axis}", lambda x: f(x, axis=axis), i)


def movement(d):
    i = d.place()
    shape = d.pool[i].shape
    order = [int(i) for i in d.random.permutation(len(shape))]
    position = d.below(len(shape) + 1)
    split = d.one_of([n for n in (1, 2, 3, 5) if shape and not shape[-1] % n] or [1])
    name, f = d.one_of(
        [
            ("reshape -1", lambda x: np.reshape(x, -1)),
            (f"split {split}", lambda x: np.reshape(x, (*shape[:-1], split, -1))),
            (f"join {shape[1:]}", lambda x: np.reshape(x, (-1, *shape[2:]))),
            (f"transpose {order}", lambda x: np.transpose(x, order)),
            ("transpose", np.transpose),
            (f"expand_dims {position}", lambda x: np.expand_dims(x, position)),
            ("squeeze", np.squeeze),
            (f"broadcast (2, {shape})", lambda x: np.broadcast_to(x, (2, *shape))),
        ]
    )
    d.step(name, f, i)


def piece(d):
    i = d.place()
    n = d.pool[i].shape[-1] if d.pool[i].ndim else 0
    indices = (
        d.random.integers(-n, n, d.one_of([(1,), (4,), (2, 3), (9,)])) if n else np.zeros(1, int)
    )
    index = d.one_of(
        [
            (..., slice(1, None)),
            (..., slice(None, None, 2)),
            (..., slice(None, None, -1)),
            (..., None, slice(None)),
            (0,),
            (..., -1),
            (..., indices),
            (indices % max(len(d.pool[i]), 1),) if d.pool[i].ndim else (None,),
        ]
    )
    d.step(f"[{index}]", lambda x: x[index], i)


def joining(d):
    axis = d.one_of([-1, 0])
    name, f = d.one_of([("concatenate", np.concatenate), ("stack", np.stack)])
    i = d.place()
    alike = [j for j, x in enumerate(d.pool) if x.shape == d.pool[i].shape]
    d.step(f"{name} axis={axis}", lambda *xs: f(xs, axis), i, d.one_of(alike), i)


def product(d):
    i = d.place()
    x = d.pool[i]
    n = x.shape[-1] if x.ndim else 1
    right = d.array(d.one_of([(n,), (n, 1), (n, 3), (n, 8), (n, 17), (n, 40), (n, n)])) / np.sqrt(
        max(n, 1)
    )
    m = x.shape[-2] if x.ndim > 1 else n
    left = d.array(d.one_of([(m,), (1, m), (5, m), (33, m), (m, m)])) / np.sqrt(max(m, 1))
    right, left = right.astype(d.dtype), left.astype(d.dtype)
    name, f = d.one_of(
        [
            (f"@ {right.shape}", lambda x: x @ right),
            (f"@ {right.T.shape}.T", lambda x: x @ np.ascontiguousarray(right.T).T),
            (f"{left.shape} @", lambda x: left @ x),
            ("x @ x.T", lambda x: x @ np.swapaxes(x, -1, -2) / n),
            ("x.T @ x", lambda x: np.swapaxes(x, -1, -2) @ x / m),
            ("tanh(x @ w + b)", lambda x: np.tanh(x @ right + right[0])),
            ("dot", lambda x: np.dot(x, right)),
        ]
    )
    d.step(name, f, i)


KINDS = [
    unary,
    unary,
    binary,
    with_new_operand,
    reduction,
    spread,
    along,
    movement,
    piece,
    joining,
    product,
]


def drawn(seed, steps, dtype):
    """A program of so many steps, or some less, and arrays to run it on."""
    d = Drawing(seed, dtype)
    count = 1 + d.below(2)
    for _ in range(count):
        d.given(d.shape())
    for _ in range(steps):
        d.one_of(KINDS)(d)
    d.program.outputs = [len(d.pool) - 1, *(d.place() for _ in range(d.below(3)))]
    return d.program, d.pool[:count]


def derived(program, weights):
    """The function that gives a program's results, gradients and second derivatives."""

    def scalar(*inputs):
        small = sum(np.sum(x * x) * 0.05 for x in inputs)
        return small + sum(
            np.sum(out * w) for out, w in zip(program(*inputs), weights, strict=True)
        )

    def f(*inputs):
        gradients = tg.grad(scalar, argnums=tuple(range(len(inputs))))(*inputs)
        return program(*inputs), gradients, tg.hvp(scalar, inputs, [0.3 + 0.1 * x for x in inputs])

    return f


class Signal:
    """An event for functions that are traced: its state is a lock's, which a trace can't watch."""

    def __init__(self):
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self):
        """Let all who wait go on."""
        if self._lock.locked():
            self._lock.release()

    def is_set(self):
        """Return True once it is set."""
        return not self._lock.locked()

    def wait(self, seconds):
        """Wait; return True unless it took too long."""
        came = self._lock.acquire(timeout=seconds)
        if came:
            self._lock.release()
        return came
