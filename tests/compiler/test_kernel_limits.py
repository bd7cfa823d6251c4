"""Machine code for every size: near the limits of the kernels no module is invalid or wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from operands import examples, quick

pytest.importorskip("llvmlite")

import programs

import tinygrad_lr as tg
from tinygrad_lr.compiler.ir.cost import code_size
from tinygrad_lr.compiler.ir.fusion import MAX_LOOP_CODE, Loop
from tinygrad_lr.compiler.ir.schedule import make_schedule
from tinygrad_lr.compiler.llvm import engine, executable, module
from tinygrad_lr.compiler.llvm.loop_plan import group_axes
from tinygrad_lr.compiler.llvm.module import MAX_PART
from tinygrad_lr.compiler.llvm.threads import THREADS
from tinygrad_lr.errors import ShapeError

assert programs.CACHE  # not the user's cache

many = settings(quick, suppress_health_check=list(HealthCheck))


def normalized(x, axis):
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return centered / np.sqrt(np.var(x, axis=axis, keepdims=True) + 1e-5)


AXES = [  # shape, strides of arrays, axes that members vary along: the axes that run as one
    ((2, 3, 4), [(12, 4, 1)], [{0, 1, 2}], [[0, 1, 2]]),
    ((2, 1, 4), [(4, 0, 1)], [{0, 2}], [[0, 2]]),
    ((2, 3, 4), [(12, 4, 1), (0, 4, 1)], [{0, 1, 2}], [[0], [1, 2]]),
    ((2, 3, 4), [(12, 4, 1)], [{0, 1, 2}, {0, 1}], [[0, 1], [2]]),
    ((2, 3), [(1, 2)], [{0, 1}], [[0], [1]]),
    ((1, 1), [(1, 1)], [set()], []),
]


@pytest.mark.parametrize(("shape", "strides", "varying", "groups"), AXES)
def test_axes_run_as_one_if_arrays_step_through_them_alike(shape, strides, varying, groups):
    assert group_axes(Loop([], shape), strides, varying) == groups


FUNCTIONS = {
    "logsumexp": lambda x, axis: tg.logsumexp(x, axis=axis),
    "softmax": lambda x, axis: tg.softmax(x, axis=axis),
    "std": lambda x, axis: np.std(x, axis=axis),
    "total": lambda x, axis: np.sum(x),
    "sigmoid": lambda x, axis: np.sum(tg.sigmoid(x), axis=axis),
    "normalized": normalized,
    "range": lambda x, axis: (x - np.min(x)) / (np.max(x, axis=axis, keepdims=True) + 10),
    "several": lambda x, axis: (np.sum(x, axis=axis), np.max(x, axis=0), x * np.sum(x), x[::-1]),
    "masked": lambda x, axis: np.sum(np.where(x > np.max(x, axis=0) * 0.5, x, 0.0), axis=axis),
    "counted": lambda x, axis: np.sum(x > 0, axis=axis) + np.any(x > 2, axis=axis),
    "joined": lambda x, axis: np.exp(np.concatenate([x, np.flip(x, -1)], axis=axis)),
    "strided": lambda x, axis: np.sum(np.tanh(x[..., ::3]), axis=axis),
    "turned": lambda x, axis: np.sum(np.exp(x.T) * 2, axis=0),
    "product": lambda x, axis: np.tanh(x.reshape(len(x), -1)[:9] @ x.reshape(len(x), -1)[:5].T),
    "gradient": lambda x, axis: tg.grad(lambda y: np.sum(normalized(y, axis) ** 2 * y))(x),
}
LIMITS = [1, 8, 16, 64, 128, 256, 512, 1024, 4096, 8192, 16384, 20480, 32768, 65536, 98304]
"""Lanes, unrolled rows, several sums at once, blocks of sums, and their multiples."""

lengths = st.builds(
    lambda limit, off: max(limit + off, 1), st.sampled_from(LIMITS), st.integers(-17, 17)
)
others = st.sampled_from([1, 1, 2, 3, 7, 8, 17])


@st.composite
def shapes(draw):
    long, short = draw(lengths), draw(others)
    forms = [(long,), (long, short), (short, long), (short, long, 1), (short, long // 3 + 1, 3)]
    return draw(st.sampled_from(forms))


def check(name, shape, dtype, axis, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    f = lambda x: FUNCTIONS[name](x, axis)
    compiled = tg.compile(f, backend="llvm")
    found, expected = compiled(x), f(x.astype(np.float64))
    assert compiled._last.executable.backend == "llvm"  # not NumPy, for want of a valid module
    tolerance = {"float32": 2e-4, "float64": 1e-9}[dtype]
    for a, b in zip(programs.numbers_of(found), programs.numbers_of(expected), strict=True):
        scale = 1 + np.max(np.abs(b), initial=0)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
@examples(8, parent=many)
@given(shape=shapes(), dtype=st.sampled_from(["float32", "float64"]), axis=st.sampled_from([0, -1]))
def test_every_size_near_a_limit_compiles_to_the_right_numbers(name, shape, dtype, axis):
    note(f"{name} {shape} {dtype} {axis}")
    check(name, shape, dtype, axis)


@pytest.mark.slow
@settings(many, max_examples=40)
@given(
    name=st.sampled_from(list(FUNCTIONS)),
    shape=shapes(),
    threads=st.integers(2, 3),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_kernels_of_every_size_that_threads_share_are_right(name, shape, threads, dtype):
    check_shared(name, shape, threads, dtype)


@pytest.mark.parametrize("name", ["softmax", "total", "sigmoid", "normalized"])
def test_the_rows_that_threads_share_are_all_computed(name):
    check_shared(name, (7, 40), 3, "float64")


def check_shared(name, shape, threads, dtype):
    limits = module.MIN_SHARED_WORK, module.MIN_THREADED_WORK, THREADS.count
    module.MIN_SHARED_WORK = module.MIN_THREADED_WORK = 0
    THREADS.count = threads
    try:
        check(name, shape, dtype, -1)
    finally:
        module.MIN_SHARED_WORK, module.MIN_THREADED_WORK, THREADS.count = limits


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "std", "sigmoid", "normalized"])
@pytest.mark.parametrize("shape", [(17_000,), (2, 17_000)])
def test_statistics_of_long_rows_are_computed_by_valid_modules(name, shape):
    check(name, shape, "float32", -1)


@pytest.mark.slow
def test_a_process_survives_statistics_of_long_rows():
    code = (
        "import numpy as np, tinygrad_lr as tg\n"
        "for f in (tg.logsumexp, tg.softmax, np.std, lambda x: np.sum(tg.sigmoid(x))):\n"
        "    for dtype in (np.float32, np.float64):\n"
        "        tg.compile(f, backend='llvm')(np.ones(17_000, dtype))\n"
    )
    environment = {**os.environ, "TINYGRAD_LR_CACHE": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_module_that_llvm_refuses_is_computed_by_numpy(monkeypatch):
    invalid = "define i64 @run(i1 %c) {\na: br i1 %c, label %b, label %d\nb: %x = add i64 1, 2\n"
    invalid += "br label %d\nd: ret i64 %x\n}"
    monkeypatch.setattr(module.ModuleWriter, "text", invalid)
    monkeypatch.setattr(executable, "NativeCode", engine.NativeCode)  # not that of the tests
    compiled = tg.compile(lambda x: x * 12345.678, backend="llvm")
    np.testing.assert_array_equal(compiled(np.arange(3.0)), np.arange(3.0) * 12345.678)
    assert compiled._last.executable.backend == "numpy"


# ---- shapes and programs at the edges


@programs.backends()
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3), (1,) * 32, (1, 2) * 8])
def test_empty_and_many_dimensional_arrays(shape, backend):
    def f(x):
        return np.sum(x, axis=-1), x * 2, np.exp(x.T), np.sum(x), np.sum(x, axis=0)

    x = np.random.default_rng(0).uniform(size=shape)
    for a, b in zip(tg.compile(f, backend=backend)(x), f(x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, strict=True)


@programs.backends()
def test_more_dimensions_than_numpy_broadcasts_are_refused(backend):
    compiled = tg.compile(np.exp, backend=backend)
    with pytest.raises(ShapeError, match="exp: arrays must have at most 32 dimensions, got 33"):
        compiled(np.ones((1,) * 33))


@pytest.mark.slow
@programs.backends()
def test_hundreds_of_arguments_and_results(backend):
    arrays = [np.full((3, 40), float(k)) for k in range(300)]

    def f(*arrays):
        return [np.sum(x) for x in arrays], np.concatenate(arrays), sum(arrays)

    sums, joined, total = tg.compile(f, backend=backend)(*arrays)
    np.testing.assert_array_equal(sums, [120.0 * k for k in range(300)])
    np.testing.assert_array_equal(joined, np.concatenate(arrays))
    np.testing.assert_array_equal(total, np.full((3, 40), 300 * 299 / 2.0))


@pytest.mark.slow
@programs.backends()
def test_a_chain_of_thousands_of_operations(backend):
    def f(x):
        for k in range(2000):
            x = x * 0.5 + 1 if k % 2 else x - 0.25
        return x

    x = np.random.default_rng(0).uniform(size=9)
    np.testing.assert_allclose(tg.compile(f, backend=backend)(x), f(x), rtol=1e-12)


# ---- long programs


def chain(count):
    def f(x):
        for _ in range(count):
            x = np.sin(x) * 0.5 + x * 1.01
        return x

    return f


def layers(count):
    def f(x, weights):
        for w in weights:
            x = np.tanh(x @ w + 0.1)
        return x

    return f, (np.ones((4, 8)), [np.eye(8) * (0.9 + i * 1e-5) for i in range(count)])


def functions_of(text):
    return re.findall(r"(?ms)^define .*?^}", text)


def test_a_long_chain_is_compiled_as_short_loops_of_the_same_code():
    """Time to compile a loop grows faster than its length."""
    compiled, x = tg.compile(chain(300), backend="llvm"), np.linspace(0, 1, 64)
    np.testing.assert_allclose(compiled(x), chain(300)(x), rtol=1e-12)
    kernels = compiled._last.executable.plan.kernels
    assert all(sum(map(code_size, kernel.members)) <= MAX_LOOP_CODE for kernel in kernels)
    assert len(functions_of(compiled._last.executable.llvm)) < 8 < len(kernels)


def test_a_short_row_of_much_code_is_not_unrolled():
    f = lambda x: np.sum(np.tanh(np.sin(x) * np.exp(x) + np.cos(x)) ** x, axis=-1)
    x = np.random.default_rng(0).random((5, 64))
    wide, narrow = (tg.compile(f, backend="llvm") for _ in range(2))
    np.testing.assert_allclose(wide(x), f(x), rtol=1e-12)
    np.testing.assert_allclose(narrow(x[:, :8]), f(x[:, :8]), rtol=1e-12)
    lines = [g._last.executable.llvm.count("\n") for g in (wide, narrow)]
    assert lines[0] < 3 * lines[1]


def test_no_function_of_a_long_program_calls_many_kernels():
    f, given = layers(300)
    compiled = tg.compile(f, backend="llvm")
    np.testing.assert_allclose(compiled(*given), f(*given), rtol=1e-10)
    kernels = len(compiled._last.executable.plan.kernels)
    calls = [text.count("call void") for text in functions_of(compiled._last.executable.llvm)]
    assert kernels >= 300 and max(calls) <= MAX_PART and sum(calls) >= kernels
    stepped = compiled.loop(*given, steps=2)
    np.testing.assert_allclose(stepped[1], f(*given), rtol=1e-10)


def test_a_part_of_a_long_program_ends_it_if_an_index_is_out_of_range():
    f, (x, weights) = layers(100)
    g = lambda x, weights, i: f(x[i], weights)[i] * 2.0
    compiled = tg.compile(g, backend="llvm")
    np.testing.assert_allclose(
        compiled(x, weights, np.array([3, 0, 1, 1])), g(x, weights, np.array([3, 0, 1, 1]))
    )
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        compiled(x, weights, np.array([3, 0, 1, 4]))


def training(count):
    weights = [tg.Value(w) for w in layers(count)[1][1]]
    optimizer = tg.optim.Adam(weights)

    def step(x):
        loss = np.sum(layers(count)[0](x, weights))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return tg.compile(step, backend="llvm")


def test_fusing_takes_a_number_of_steps_that_grows_with_the_length_of_the_program(monkeypatch):
    counts = []

    def counting(*args):
        calls = 0

        def count(frame, event, argument):
            nonlocal calls
            calls += event == "call"

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            return make_schedule(*args)
        finally:
            sys.setprofile(before)
            counts.append(calls)

    monkeypatch.setattr(executable, "make_schedule", counting)
    for count in (75, 150, 300):
        training(count)(np.ones((4, 8)))
    assert counts[2] / counts[1] < 2.4
