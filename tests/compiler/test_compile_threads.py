"""Threads and forks: many traces at once, and a child that is made in the middle of one."""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from operands import THOROUGH
from programs import Signal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.compiler.runtime import backends as runtime_backends
from tinygrad_lr.compiler.tracing import interception, trace_function
from tinygrad_lr.core.node import Node

ROWS = np.random.default_rng(0).normal(size=(20, 2))
X = np.linspace(-1.0, 1.0, 6)
SECONDS = 60  # after which a child that hangs is killed


@pytest.fixture(autouse=True)
def frequent_switches():
    """Let threads change places between nearly any two instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(count, work):
    """Return the results of `work(number, together)` in threads; `together()` waits for all."""
    barrier = threading.Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(work, i, lambda: barrier.wait(SECONDS)) for i in range(count)]
        return [future.result() for future in futures]


def network(seed):
    return tg.nn.Sequential(
        tg.nn.Linear(2, 4, dtype=np.float64, generator=seed),
        tg.nn.Tanh(),
        tg.nn.Linear(4, 1, dtype=np.float64, generator=seed),
    )


def require_no_trace_left():
    assert {name: vars(Node)[name] for name in interception.RAW_SLOTS} == interception.RAW_SLOTS
    assert not any("__getattribute__" in vars(x) for x in interception.INTERCEPTED_TYPES)
    assert not interception._tracing


@pytest.mark.slow
@backends()
@pytest.mark.parametrize("count", [2, 4, 8])
def test_compiled_training_in_several_threads_is_that_of_one(count, backend, monkeypatch):
    def train(seed, together=lambda: None):
        model = network(seed)
        together()
        options = {"epochs": 2, "batch_size": 5, "compile": True, "warn": False}
        history = tg.fit(model, ROWS, ROWS[:, :1] * 2, **options)
        return history.losses, [x.data.tolist() for x in model.parameters()]

    monkeypatch.setattr(runtime_backends, "has_llvm", lambda: backend == "llvm")
    expected = [train(seed) for seed in range(count)]
    for _ in range(30 if THOROUGH else 3):
        assert at_once(count, train) == expected
    require_no_trace_left()


def test_the_generator_of_pytorch_is_read_by_one_thread_at_a_time(monkeypatch):
    # It waits for its own lock while it keeps other threads from running Python.
    lock = threading.Lock()

    def get_rng_state():
        assert lock.acquire(blocking=False)
        sum(x for x in range(50_000))
        lock.release()
        return np.zeros(3, np.uint8).view(Plain)

    class Plain(np.ndarray):
        def numpy(self):
            return self

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_rng_state=get_rng_state))

    def work(number, together):
        together()
        return [tg.compile(lambda x: x * 2.0)(X).tolist() for _ in range(3)]

    assert at_once(4, work) == [[(X * 2).tolist()] * 3] * 4
    require_no_trace_left()


@backends()
def test_a_function_that_threads_share_is_traced_right_by_each(backend):
    class Scaled:
        def __init__(self, scale):
            self.weight = Value(np.full(6, scale))

        def run(self, x):
            return self.weight * np.tanh(x)

        run = tg.compile(run, backend=backend)

    objects = [Scaled(float(i)) for i in range(4)]
    shared = tg.compile(lambda x: np.sum(x * 2.0) + x, backend=backend)

    def work(number, together):
        found = []
        for round_ in range(8):
            together()
            rows = np.full(1 + (number + round_) % 5, float(number))
            found.append(np.array_equal(shared(rows), 2 * rows.sum() + rows))
            out = objects[(number + round_) % 4].run(X)
            expected = (number + round_) % 4 * np.tanh(X)
            found.append(np.allclose(out.data, expected, rtol=1e-12))
            repr(shared)
        return all(found)

    for _ in range(3):
        assert at_once(4, work) == [True] * 4
    require_no_trace_left()


def test_eager_threads_are_not_traced_while_another_thread_is():
    model, stop = network(0), threading.Event()
    expected = model(ROWS).data

    def work(number, together):
        together()
        if number:
            found = []
            while not stop.is_set():
                model.training = model.training
                found.append(np.array_equal(model(ROWS).data, expected))
            return all(found)
        try:
            for _ in range(10):
                tg.compile(lambda x: model(x) * 1.0, backend="numpy")(ROWS)
        finally:
            stop.set()
        return True

    assert at_once(3, work) == [True] * 3
    require_no_trace_left()


def test_a_model_is_walked_through_while_another_thread_adds_attributes():
    model, stop = network(0), threading.Event()
    names = [name for name, _ in model.named_parameters()]

    def work(number, together):
        together()
        if number:
            while not stop.is_set():
                for layer in model.modules():
                    setattr(layer, f"note{number}", 1.0)
                for layer in model.modules():
                    delattr(layer, f"note{number}")
            return True
        try:
            return all(
                [name for name, _ in model.named_parameters()] == names and repr(model)
                for _ in range(500)
            )
        finally:
            stop.set()

    assert at_once(3, work) == [True] * 3


def test_arrays_in_cycles_are_released_though_another_thread_collects(monkeypatch):
    class Slow:
        """Garbage whose finalizer keeps the collector busy until the trace waits for it."""

        def __init__(self):
            self.own = self

        def __del__(self):
            collecting.set()
            waited_for.wait(SECONDS)

    def wait(_):
        waited_for.set()
        other.join()

    collecting, waited_for = threading.Event(), threading.Event()
    monkeypatch.setattr(trace_function, "time", SimpleNamespace(sleep=wait))

    @tg.compile(backend="numpy")
    def f(x):
        cycle = [x * 2.0]
        cycle.append(cycle)
        return cycle[0] + 1.0

    def collect():
        Slow()
        gc.collect()

    other = threading.Thread(target=collect)
    other.start()
    assert collecting.wait(SECONDS)
    np.testing.assert_array_equal(f(X), X * 2.0 + 1.0)
    assert waited_for.is_set()


def test_a_function_that_a_finalizer_compiles_is_compiled(monkeypatch):
    monkeypatch.setattr(trace_function, "time", SimpleNamespace(sleep=lambda _: None))
    found = []

    def f(x):
        cycle = [x * 2.0]
        cycle.append(cycle)
        return cycle[0] + 1.0

    class Last:
        def __init__(self):
            self.own = self

        def __del__(self):
            found.append(tg.compile(f, backend="numpy")(X))

    Last()
    gc.collect()
    np.testing.assert_array_equal(found[0], X * 2.0 + 1.0)


def test_a_class_whose_base_sets_attributes_keeps_doing_so_while_a_thread_traces():
    class Noting:
        def __setattr__(self, name, new):
            noted.append(name)
            super().__setattr__(name, new)

    class Model(tg.nn.Module, Noting):
        def forward(self, x):
            return x

    noted, inside, done = [], Signal(), Signal()

    @tg.compile(backend="numpy")
    def f(x):
        inside.set()
        done.wait(SECONDS)
        return x * 2.0

    with ThreadPoolExecutor(1) as pool:
        tracing = pool.submit(f, X)
        assert inside.wait(SECONDS)
        model = Model()
        model.scale = 3.0
        done.set()
        tracing.result()
    assert noted == ["scale"] and model.scale == 3.0


# ---- forks


def forks(test):
    """Mark a test that forks a process with threads, on purpose."""
    test = pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")(test)


def exit_status_of_child(work):
    """Fork; return the child's status: 0 if `work()` is true there."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(SECONDS)  # ends the child if it hangs
        status = 0 if work() else 2
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


class Gate:
    """A place where another thread waits, once the gate is closed."""

    def __init__(self):
        self.closed, self.inside, self.done = threading.Event(), Signal(), Signal()

    def pass_through(self):
        if self.closed.is_set() and threading.current_thread() is not threading.main_thread():
            self.inside.set()
            self.done.wait(SECONDS)

    @contextlib.contextmanager
    def holding_another_thread(self, compiled):
        """Hold another thread inside a call of a compiled function."""
        self.closed.set()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(compiled, X)
            assert self.inside.wait(SECONDS)
            try:
                yield
            finally:
                self.done.set()
            running.result()


@forks
@backends()
@pytest.mark.parametrize("when", ["tracing", "running"])
def test_a_child_forked_while_another_thread_traces_or_runs_does_not_hang(when, backend):
    gate, weight = Gate(), Value(np.ones(6))

    def paused(x):
        gate.pass_through()
        return x

    def function(x):
        if when == "tracing":
            gate.pass_through()
        else:
            x = np.apply_along_axis(paused, 0, x)
        return np.tanh(x) * weight

    compiled = tg.compile(function, backend=backend)
    other = tg.compile(lambda x: weight * x, backend=backend)
    if when == "running":
        compiled(X)

    def child():
        require_no_trace_left()
        gate.closed.clear()
        found = [compiled(X).data, compiled(X * 2).data, other(X).data]
        expected = [np.tanh(X), np.tanh(X * 2), X]
        return all(np.allclose(a, b) for a, b in zip(found, expected, strict=True))

    with gate.holding_another_thread(compiled):
        assert exit_status_of_child(child) == 0
    assert exit_status_of_child(child) == 0


@pytest.mark.slow
@forks
def test_a_child_forked_while_another_thread_is_in_llvm_compiles():
    pytest.importorskip("llvmlite")
    started, stop = Signal(), Signal()

    def compile_one(scale):
        return tg.compile(lambda x: np.tanh(x) * scale, backend="llvm")(X)

    def keep_compiling():
        scale = 2.0
        while not stop.is_set():
            compile_one(scale)
            started.set()
            scale += 1.0

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(keep_compiling)
        try:
            assert started.wait(SECONDS)
            for _ in range(8):
                assert (
                    exit_status_of_child(lambda: np.allclose(compile_one(1.5), np.tanh(X) * 1.5))
                    == 0
                )
        finally:
            stop.set()
        running.result()


@forks
def test_a_process_forked_by_the_traced_function_itself_goes_on_tracing():
    status = queue.SimpleQueue()

    @tg.compile(backend="numpy")
    def f(x):
        y = x * 2.0
        status.put(
            exit_status_of_child(
                lambda: interception.CURRENT_TRACE.get() is not None and type(y + x) is type(y)
            )
        )
        return y

    np.testing.assert_array_equal(f(X), X * 2.0)
    assert status.get() == 0
    require_no_trace_left()
