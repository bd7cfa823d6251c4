"""Ctrl-C: compiled loops answer between whole steps, and a trace leaves nothing behind."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from interrupts import InterruptAt, is_free
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.compiler.llvm.threads import run_together
from tinygrad_lr.compiler.runtime import specialization
from tinygrad_lr.compiler.tracing import interception
from tinygrad_lr.core.grad_mode import RECORDING
from tinygrad_lr.core.node import Node

ROWS = np.random.default_rng(0).normal(size=(30, 2))


@pytest.fixture(autouse=True)
def no_collection_callbacks():
    """Take away Hypothesis's callback: Python drops a Ctrl-C that comes in one."""
    before = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = before


class Training:
    """A model, an optimiser and a step, with a Ctrl-C while a step's learning rate is computed."""

    def __init__(self, interrupted_at=None, backend="numpy"):
        self.model = tg.nn.Sequential(
            tg.nn.Linear(2, 3, dtype=np.float64, generator=0), tg.nn.Dropout(0.3, generator=1)
        )
        self.interrupted_at = interrupted_at
        self.optimizer = tg.optim.Adam(self.model.parameters(), self.rate)
        self.compiled = tg.compile(self.step, backend=backend)

    def rate(self, step):
        if step == self.interrupted_at:
            self.interrupted_at = None
            signal.raise_signal(signal.SIGINT)
        return 0.1 / (1 + step)

    def step(self, x):
        loss = np.mean((self.model(x) - 1.0) ** 2)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self):
        (generator,) = self.model.generators()
        weights = [x.data.copy() for x in self.model.parameters()]
        moments = [x for x in vars(self.optimizer).values() if isinstance(x, list)]
        return weights, generator.bit_generator.state, self.optimizer.steps, len(moments)


def assert_same_state(found, expected):
    for a, b in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert found[1:] == expected[1:]


@backends()
@pytest.mark.parametrize("seconds", [0.0, 0.05], ids=["single_steps", "chunks"])
@pytest.mark.parametrize("way", ["loop", "epochs"])
def test_ctrl_c_leaves_what_whole_steps_have_learnt(way, seconds, backend, monkeypatch):
    monkeypatch.setattr(specialization, "MAX_CHUNK_SECONDS", seconds)
    training = Training(20, backend)
    handler = signal.getsignal(signal.SIGINT)
    run, options = {
        "loop": (training.compiled.loop, {"steps": 10**6 if seconds else 10**5}),
        "epochs": (training.compiled.epochs, {"batch_size": 30, "epochs": 10**5, "shuffle": False}),
    }[way]
    with pytest.raises(KeyboardInterrupt):
        run(ROWS, **options)
    count = training.optimizer.steps
    assert count == 21 if not seconds else 21 <= count < 10**5
    assert signal.getsignal(signal.SIGINT) is handler
    expected = Training()
    for _ in range(count):
        expected.step(ROWS)
    assert_same_state(training.state(), expected.state())
    training.compiled.loop(ROWS, steps=2)
    expected.step(ROWS)
    expected.step(ROWS)
    assert_same_state(training.state(), expected.state())


def require_no_trace_left():
    assert {name: vars(Node)[name] for name in interception.RAW_SLOTS} == interception.RAW_SLOTS
    for kind in interception.INTERCEPTED_TYPES:
        assert not {"__getattribute__", "__setattr__"} & set(vars(kind))
    assert interception.CURRENT_TRACE.get() is None and sys.getprofile() is None
    assert not interception._tracing and is_free(interception._lock)


def trace_alone(training):
    """Trace a step without the machine's part, which moves the parameters."""
    nothing = SimpleNamespace(holds_inputs=0)
    args = [training.step, "step", ["x", ""], [ROWS, {}], lambda *parts: nothing]
    specialization.Specialization(*args)


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [False, True], ids=["raised", "signalled"])
@pytest.mark.parametrize(
    ("file", "stride"),
    [("interception.py", 23), ("frames.py", 59), ("trace_function.py", 29), ("", 2999)],
)
def test_ctrl_c_at_any_point_of_a_trace_leaves_nothing_of_it(file, stride, signalled):
    count = InterruptAt(None, file)
    count.interrupts(trace_alone, Training())
    missed = 0
    for target in range(1, count.events, stride):
        training, expected = Training(), Training()
        before = training.state()
        with tg.no_grad():
            interrupt = InterruptAt(target, file, signalled=signalled)
            missed += not interrupt.interrupts(trace_alone, training)
            assert RECORDING.get() is False
        require_no_trace_left()
        assert_same_state(training.state(), before)
        training.compiled(ROWS)
        expected.step(ROWS)
        assert_same_state(training.state(), expected.state())
    assert missed <= 2  # those that fell into a finalizer, where Python drops exceptions


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [False, True], ids=["raised", "signalled"])
def test_ctrl_c_at_any_instruction_of_redirecting_frees_its_lock(signalled):
    def at(target):
        functions = ("_begin", "_end", "intercept")
        return InterruptAt(target, "interception.py", functions, signalled)

    def nothing():
        interception.intercept(object(), lambda: None)

    count = at(None)
    count.interrupts(nothing)
    for target in range(1, count.events):
        assert at(target).interrupts(nothing)
        require_no_trace_left()


def test_an_interrupted_trace_is_not_kept():
    @tg.compile
    def broken(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken(ROWS)
    require_no_trace_left()
    assert repr(broken).count("0 programs") == 1


def test_ctrl_c_waits_for_all_threads_of_a_program():
    for _ in range(3):  # the team is used again
        done, go_on = [], threading.Event()

        def work(part, done=done, go_on=go_on):
            if part == 0:
                signal.raise_signal(signal.SIGINT)
                go_on.set()
            else:
                assert go_on.wait(60)
            done.append(part)
            return 0

        with pytest.raises(KeyboardInterrupt):
            run_together(3, work)
        assert sorted(done) == [0, 1, 2]
