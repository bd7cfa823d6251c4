"""Machine code is freed with its function."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.compiler.runtime.compiled import MAX_SIGNATURES
from tinygrad_lr.compiler.runtime.specialization import Specialization
from tinygrad_lr.compiler.tracing import trace_function

X = np.linspace(-1.0, 1.0, 6)


@pytest.fixture
def live(monkeypatch):
    """The programs, and the executables, that were made during the test and are not yet freed."""
    made = weakref.WeakSet()
    build = Specialization._build_executable

    def build_executable(self, backend):
        executable = build(self, backend)
        made.update([self, executable, *filter(None, [getattr(executable, "native", None)])])
        return executable

    monkeypatch.setattr(Specialization, "_build_executable", build_executable)
    return made


def train_step(backend):
    model = tg.nn.MLP(6, [3], 1, generator=0)
    optimizer = tg.optim.Adam(model.parameters())

    def step(x):
        loss = np.mean((model(x[None]) - 1.0) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss}

    return tg.compile(step, backend=backend)


@backends()
def test_a_trace_leaves_no_cycles_that_the_garbage_collector_must_find(backend, monkeypatch):
    """In a large process, a look at all objects takes longer than the trace."""
    monkeypatch.setattr(
        trace_function, "collect_garbage", lambda generation: pytest.fail("it looks")
    )
    train_step(backend)(X)


MAKERS = {
    "a number": lambda backend: tg.compile(lambda x: np.sum(x * 2), backend=backend),
    "an array": lambda backend: tg.compile(lambda x: np.tanh(x) * 2, backend=backend),
    "a tuple": lambda backend: tg.compile(lambda x: (x + 1, x.sum()), backend=backend),
    "a call of Python": lambda backend: tg.compile(lambda x: np.sort(x), backend=backend),
    "a training step": train_step,
}


@backends()
@pytest.mark.parametrize("kind", MAKERS)
def test_programs_are_freed_with_their_function_without_the_collector(kind, backend, live):
    gc.collect()
    gc.disable()
    try:
        for way in (lambda f: f(X), lambda f: (f(X), f(X)), lambda f: f.loop(X, steps=3)):
            function = MAKERS[kind](backend)
            way(function)
            assert live
            del function
            assert not live
    finally:
        gc.enable()


@backends()
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
def test_programs_of_old_shapes_are_freed(backend, live):
    f = tg.compile(lambda x: np.tanh(x) * 2, backend=backend)
    for rows in range(1, 2 * MAX_SIGNATURES):
        assert f(np.ones(rows)).shape == (rows,)
    kinds = 3 if backend == "llvm" else 2
    assert len(live) == kinds * MAX_SIGNATURES


@backends()
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
def test_changing_shapes_leave_no_memory_behind(backend):
    """Each call traces again, since there are more shapes than programs kept: 100 000 stay flat."""
    weight = tg.Value(np.ones((6, 6)))
    loss = lambda x: tg.grad(lambda w: np.sum(np.tanh(x @ w) ** 2))(weight)
    f = tg.compile(loss, backend=backend)
    shapes = range(1, MAX_SIGNATURES + 5)

    def go_round(times):
        for rows in [*shapes] * times:
            f(np.ones((rows, 6)))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    go_round(1)
    tracemalloc.start()
    try:
        begin = go_round(2)
        grown = go_round(2) - begin
    finally:
        tracemalloc.stop()
    assert grown / (2 * len(shapes)) < 1000  # bytes of a trace; the text of its code has 2 000


@backends()
def test_a_method_keeps_the_programs_of_few_objects(backend, live):
    class Scaled:
        def __init__(self, scale):
            self.scale = scale

        def run(self, x):
            return np.tanh(x) * self.scale

        run = tg.compile(run, backend=backend)

    for scale in range(MAX_SIGNATURES + 4):
        np.testing.assert_allclose(Scaled(scale).run(X), np.tanh(X) * scale, rtol=1e-12)
    gc.collect()
    kinds = 3 if backend == "llvm" else 2
    assert len(live) <= kinds * MAX_SIGNATURES
    del Scaled
    gc.collect()
    assert not live


SCRIPT = """
import ctypes, gc
import numpy as np, tinygrad_lr as tg

trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)

def resident():
    gc.collect()
    trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4

def compile_and_drop(count):
    for _ in range(count):
        tg.compile(lambda x: np.tanh(x) * 2 + x, backend="llvm")(np.ones(7))

compile_and_drop(30)
before = resident()
compile_and_drop(100)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_100_programs_that_are_dropped_leave_less_than_20_kb_each():
    pytest.importorskip("llvmlite")
    environment = {
        "TINYGRAD_LR_CACHE": "",
        "PATH": "",
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert float(out) < 100 * 20  # 8000 kB while each pass manager was kept


def test_the_garbage_collector_goes_on_after_a_compilation_and_in_a_forked_child():
    engine = pytest.importorskip("tinygrad_lr.compiler.llvm.engine")
    assert gc.isenabled()
    with contextlib.suppress(KeyboardInterrupt), engine.pause_collections():
        assert not gc.isenabled()
        raise KeyboardInterrupt
    assert gc.isenabled()
    with engine.pause_collections():
        engine.resume_collections()  # what a child runs, without the thread that has paused it
        assert gc.isenabled()
