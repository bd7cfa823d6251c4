"""The report of a program on itself, and that threads change no bit of it."""

from __future__ import annotations

import math
import threading

import numpy as np
import programs
import pytest

import tinygrad_lr as tg
from tinygrad_lr.compiler.llvm import object_cache
from tinygrad_lr.compiler.llvm.threads import THREADS, run_together
from tinygrad_lr.errors import ArgumentError

pytest.importorskip("llvmlite")
_ = programs  # a cache of the tests' own


def training_step(rows=16, widths=(6, (8,), 3), dtype=np.float32, backend="llvm"):
    inputs, hidden, outputs = widths
    model = tg.nn.MLP(inputs, list(hidden), outputs, dtype=dtype, generator=0)
    optimizer = tg.optim.Adam(model.parameters(), 0.01)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(rows, inputs)).astype(dtype), random.integers(0, outputs, rows)

    @tg.compile(backend=backend)
    def step(x, y):
        loss = tg.losses.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, x, y


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_report_says_what_the_program_costs(backend):
    step, _, x, y = training_step(backend=backend)
    step(x, y)
    report = step.explain()
    assert report.backend == backend and report.flops > 2 * 16 * 6 * 8
    assert 0 < report.bytes_after <= report.bytes_before and report.bytes_moved > 0
    assert 0 < report.seconds < 1 and 0 < report.limit < 1
    assert {name for name, *_ in report.passes} >= {
        "fold_constants",
        "simplify_algebra",
        "merge_common_subexpressions",
    }
    assert all(word in str(report) for word in (backend, "fold_constants", "limit", "measured"))


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_report_says_where_the_time_of_compiling_went(backend, monkeypatch):
    monkeypatch.setattr(object_cache, "read", lambda name: None)
    monkeypatch.setattr(object_cache, "write", lambda name, code: None)
    step, _, x, y = training_step(backend=backend)
    step(x, y)
    report = step.explain()
    written = ["write LLVM", "parse", "optimise", "generate code"]
    expected = {
        "llvm": [
            "trace",
            "passes",
            "load llvmlite",
            "fuse",
            "look into the cache",
            *written,
            "load",
        ],
        "numpy": ["trace", "passes", "write Python", "compile Python"],
    }
    names = [name for name, _ in report.stages]
    assert names == expected[backend] and all(name in str(report) for name in names)
    assert report.compile_seconds == pytest.approx(sum(seconds for _, seconds in report.stages))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_report_changes_nothing(backend):
    step, model, x, y = training_step(backend=backend)
    other, twin, *_ = training_step(backend=backend)
    for turn in range(4):
        if turn == 2:
            step.explain()
        assert float(step(x, y)) == float(other(x, y))
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_a_call_that_fails_on_sample_inputs_is_reported_without_a_time(backend):
    """Of two equal matrices, the difference has no inverse."""
    inverse = tg.compile(lambda x, y: np.linalg.inv(x - y), backend=backend)
    x, y = np.eye(3) * 4, np.eye(3)
    np.testing.assert_allclose(inverse(x, y), np.eye(3) / 3)
    found = inverse.explain()
    assert math.isnan(found.seconds)
    assert "raises an error on sample inputs" in str(found)
    np.testing.assert_allclose(inverse(x, y), np.eye(3) / 3)


def test_a_report_needs_a_program():
    with pytest.raises(ArgumentError, match="call it once"):
        tg.compile(np.tanh).explain()


@pytest.fixture
def threads():
    before = THREADS.count
    yield tg.set_threads
    tg.set_threads(before)


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit(threads):
    found = []
    for count in (1, 2, 3):
        threads(count)
        step, model, x, y = training_step(192, (784, (256,), 10))
        losses = [float(step(x, y)), *step.loop(x, y, steps=2)]
        found.append([losses, *(p.data for p in model.parameters())])
        assert step._last.executable.threads == count
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_threads_share_long_rows_and_wait_for_calls(threads):
    x = np.random.default_rng(0).normal(size=2_000_003)
    f = lambda x: np.sort(np.tanh(x * 0.5) + np.abs(x))[::-1] * 2 + np.exp(-x * x)
    found = []
    for count in (1, 2):
        threads(count)
        compiled = tg.compile(f, backend="llvm")
        found.append(compiled(x))
        assert compiled._last.executable.threads == count
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], f(x), rtol=1e-12)


def test_a_call_that_fails_ends_all_threads(threads):
    threads(2)

    @tg.primitive(whole=True)
    def refusing(x):
        if x.max() > 5:
            raise ValueError("too large")
        return x

    f = tg.compile(lambda x: np.tanh(refusing(np.tanh(x) * 3)) * x, backend="llvm")
    x = np.linspace(-1, 1, 2_000_000)
    expected = f(x)
    with pytest.raises(ValueError, match="too large"):
        tg.compile(lambda x: refusing(x * 6) + np.tanh(np.exp(x) * x), backend="llvm")(x)
    np.testing.assert_array_equal(f(x), expected)


def test_a_small_program_runs_on_one_thread(threads):
    threads(2)
    step, _, x, y = training_step()
    step(x, y)
    assert step._last.executable.threads == 1


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_is_a_whole_number_from_one(count):
    with pytest.raises(ArgumentError, match="set_threads"):
        tg.set_threads(count)


def test_a_team_that_is_busy_is_not_waited_for():
    inside = threading.Barrier(4, timeout=30)

    def outer(part):
        return run_together(2, lambda inner: inside.wait() and 0) if part >= 0 else 0

    assert run_together(2, outer) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_work_on_several_threads_is_done_when_its_call_returns(count):
    """However late the other parts are: they begin when the first one has ended."""
    for _ in range(20):
        ended, done = threading.Event(), []

        def work(part, ended=ended, done=done):
            if part:
                ended.wait()
                sum(range(1000))
            done.append(part)
            if not part:
                ended.set()
            return part

        assert run_together(count, work) == 0
        assert sorted(done) == list(range(count))
