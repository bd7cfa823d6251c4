"""A deferred Ctrl-C comes at the end of the block, and the handler is the one from before."""

from __future__ import annotations

import signal

import pytest
from interrupts import InterruptAt

from tinygrad_lr.support.deferred_interrupt import DeferredInterrupt


def test_ctrl_c_comes_at_the_end_of_the_block():
    interrupt, done = DeferredInterrupt(), []

    def work():
        with interrupt.installed():
            with interrupt:
                signal.raise_signal(signal.SIGINT)
                done.append("inside")
            done.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inside"]


def test_a_handler_that_only_takes_note_does_not_end_the_deferring():
    seen, interrupt = [], DeferredInterrupt()
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(interrupt.busy))
    try:
        with interrupt.installed():
            signal.raise_signal(signal.SIGINT)
            with interrupt:
                signal.raise_signal(signal.SIGINT)
                assert seen == [False]
            assert seen == [False, False]
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("depth", [1, 2])
def test_ctrl_c_at_any_instruction_leaves_the_handler_that_was_there(depth):
    def run(depth=depth):
        interrupt = DeferredInterrupt()
        with interrupt.installed(), interrupt:
            if depth > 1:
                run(depth - 1)

    functions = ("installed", "_receive", "__enter__", "__exit__", "helper", "run", "__init__")
    count = InterruptAt(None, ".py", functions)
    count.interrupts(run)
    handler = signal.getsignal(signal.SIGINT)
    for target in range(1, count.events):
        assert InterruptAt(target, ".py", functions, signalled=True).interrupts(run)
        assert signal.getsignal(signal.SIGINT) is handler
