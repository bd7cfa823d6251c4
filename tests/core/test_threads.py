"""Modes: `no_grad` in threads, tasks, generators and after exceptions."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value


def recording():
    return (Value(1.0) * 2).requires_grad


@pytest.fixture(autouse=True)
def modes_are_left_as_they_were():
    assert recording()
    yield
    assert recording()


def test_eight_threads_differentiate_their_own_graphs():
    def work(seed):
        x = np.random.default_rng(seed).normal(size=(5, 4))
        f = lambda x: (np.tanh(x @ x.T) ** 2).sum()
        return x, [tg.grad(f)(x) for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    for x, gradients in found:
        expected = tg.grad(lambda x: (np.tanh(x @ x.T) ** 2).sum())(x)
        assert all(np.array_equal(g, expected) for g in gradients)


def test_no_grad_holds_for_its_own_thread_only():
    inside, done = threading.Event(), threading.Event()

    def work():
        with tg.no_grad():
            inside.set()
            done.wait(10)
            return recording()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(work)
        inside.wait(10)
        here = recording()
        done.set()
    assert here and not other.result()


def test_a_new_thread_records_though_its_maker_does_not():
    with tg.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(recording).result()


def test_no_grad_holds_for_its_own_task_only():
    async def one(entered):
        with tg.no_grad():
            entered.set()
            await asyncio.sleep(0)
            return recording()

    async def main():
        entered = asyncio.Event()
        task = asyncio.create_task(one(entered))
        await entered.wait()
        return recording(), await task

    assert asyncio.run(main()) == (True, False)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_ends_no_grad(error):
    with pytest.raises(error), tg.no_grad():
        raise error
    assert recording()


def test_no_grad_can_be_nested():
    with tg.no_grad():
        with tg.no_grad():
            assert not recording()
        assert not recording()


def test_one_no_grad_can_be_entered_again_and_within_itself():
    off = tg.no_grad()
    for _ in range(2):
        with off:
            with off:
                assert not recording()
            assert not recording()
        assert recording()


def test_a_decorated_function_does_not_record():
    @tg.no_grad()
    def f(x, *, by=2):
        """Doc."""
        return x * by, recording()

    out, recorded = f(Value(1.0), by=3)
    assert (out.data, out.requires_grad, recorded, f.__name__, f.__doc__) == (
        *(3.0, False, False, "f", "Doc."),
    )


def test_a_decorated_function_may_call_itself():
    @tg.no_grad()
    def f(depth):
        return (f(depth - 1) if depth else []) + [recording()]

    assert f(3) == [False] * 4


def test_a_decorated_generator_records_only_outside():
    @tg.no_grad()
    def steps():
        first = yield recording()
        second = yield first, recording()
        return second, recording()

    run = steps()
    assert next(run) is False and recording()
    assert run.send("a") == ("a", False) and recording()
    with pytest.raises(StopIteration) as stop:
        run.send("b")
    assert stop.value.value == ("b", False)


def test_a_decorated_generator_receives_what_is_thrown_into_it():
    @tg.no_grad()
    def steps():
        try:
            yield 1
        except ValueError:
            yield recording()

    run = steps()
    next(run)
    assert run.throw(ValueError("x")) is False and recording()


def test_a_decorated_generator_is_closed_with_its_wrapper():
    closed = []

    @tg.no_grad()
    def steps():
        try:
            yield 1
        finally:
            closed.append(recording())

    run = steps()
    next(run)
    run.close()
    assert closed == [False] and recording()


def test_a_decorated_coroutine_does_not_record():
    @tg.no_grad()
    async def f():
        before = recording()
        await asyncio.sleep(0)
        return before, recording()

    async def main():
        return await f(), recording()

    assert asyncio.run(main()) == ((False, False), True)


def test_gradients_are_taken_inside_no_grad():
    with tg.no_grad():
        assert tg.grad(lambda x: x**3)(2.0) == 12.0
        assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12.0
        assert tg.hvp(lambda x: x**3, (2.0,), (1.0,)) == (12.0,)


def test_a_gradient_taken_inside_no_grad_does_not_depend_on_values_outside():
    y = Value(5.0)
    with tg.no_grad():
        gradient = tg.grad(lambda x: x * x * y)(2.0)
    assert gradient == 20.0 and type(gradient) is float


def test_a_function_under_grad_may_switch_recording_off_for_a_part():
    def f(x):
        with tg.no_grad():
            scale = x * 2
        return x * scale

    assert tg.grad(f)(3.0) == 6.0


def test_an_error_in_a_differentiated_function_restores_the_mode():
    with tg.no_grad():
        with pytest.raises(ZeroDivisionError):
            tg.grad(lambda x: x * (1 // 0))(1.0)
        assert not recording()


def test_values_made_in_no_grad_are_still_leaves():
    with tg.no_grad():
        x = Value(3.0)
    (x * x).backward()
    assert x.grad == 6.0


def test_one_no_grad_is_shared_by_threads():
    off, turns = tg.no_grad(), threading.Barrier(4)

    def work(_):
        before = recording()
        turns.wait(10)
        with off:
            turns.wait(10)
            inside = recording()
            turns.wait(10)
        return before, inside, recording()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [(True, False, True)] * 4


def test_one_trace_is_shared_by_threads(capsys):
    seen, turns = tg.trace(), threading.Barrier(4)

    def work(number):
        x = Value(float(number))
        turns.wait(10)
        with seen:
            turns.wait(10)
            y = x * 2
            turns.wait(10)
        z = x - 77
        return y.data, z.data, "77" in seen.text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [(2.0 * i, i - 77.0, False) for i in range(4)]
    assert len(seen.lines) == 4 and capsys.readouterr().out.count("\n") == 4


def test_blocks_of_no_grad_may_end_in_any_order():
    first, second = tg.no_grad(), tg.no_grad()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not recording()
    second.__exit__(None, None, None)
    assert recording()


def test_a_decorated_asynchronous_generator_records_only_outside():
    closed = []

    @tg.no_grad()
    async def steps():
        try:
            sent = yield recording()
            await asyncio.sleep(0)
            try:
                yield sent, recording()
            except ValueError:
                yield recording()
            yield "more"
        finally:
            await asyncio.sleep(0)
            closed.append(recording())

    async def main():
        run = steps()
        assert await anext(run) is False and recording()
        assert await run.asend("a") == ("a", False) and recording()
        assert await run.athrow(ValueError("x")) is False and recording()
        await run.aclose()
        assert closed == [False] and recording()
        assert [x async for x in steps()] == [False, (None, False), "more"]
        with pytest.raises(KeyError):
            await (bad := steps()).asend(None), await bad.athrow(KeyError("x"))
        return recording()

    assert asyncio.run(main()) and closed == [False] * 3


def test_a_decorated_asynchronous_generator_that_is_left_is_closed_without_recording():
    closed = []

    @tg.no_grad()
    async def steps():
        try:
            while True:
                yield 1
        finally:
            closed.append(recording())

    async def main():
        async for _ in steps():
            break
        await asyncio.sleep(0)
        return recording()

    assert asyncio.run(main()) and closed == [False]


def test_a_decorated_coroutine_driven_by_hand_records_outside():
    class Pause:
        def __await__(self):
            return (yield recording())

    @tg.no_grad()
    async def f():
        return await Pause(), recording()

    run = f()
    assert run.send(None) is False and recording()
    with pytest.raises(StopIteration) as stop:
        run.send("a")
    assert stop.value.value == ("a", False) and recording()
