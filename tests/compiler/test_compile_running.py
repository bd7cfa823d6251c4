"""Running programs: numbers at the edge, exceptions, threads, processes, and the cache on disk."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from programs import Signal, assert_equal, backends

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim
from tinygrad_lr.errors import ArgumentError, LabelError

X = np.linspace(-1.0, 1.0, 6)
CLOSE = {"rtol": 1e-12, "atol": 0}


# ---- C6, C7, C13: generators, parameters, odd steps


@backends()
def test_c6_random_numbers_are_new_at_each_call_and_those_of_eager_code(backend):
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    f = lambda x: x * ours.random(6) + ours.normal(0.0, 2.0, size=6)
    compiled = tg.compile(f, backend=backend)
    found = [compiled(X) for _ in range(3)] + [*compiled.loop(X, steps=2)]
    expected = [X * theirs.random(6) + theirs.normal(0.0, 2.0, size=6) for _ in range(5)]
    assert_equal(found, expected, backend)
    assert ours.random() == theirs.random()


@backends()
def test_c6_a_random_number_that_is_not_used_is_drawn_too(backend):
    def run(wrap):
        generator = np.random.default_rng(3)

        def f(x):
            generator.normal()
            return x * generator.random()

        g = wrap(f)
        return [*(g(X) for _ in range(4)), generator.random()]

    assert_equal(run(tg.compile(backend=backend)), run(lambda f: f), backend)


@backends()
def test_c7_parameters_updated_in_place_are_seen_by_another_program(backend):
    model = nn.Linear(6, 2, dtype=np.float64, generator=0)
    optimizer = optim.SGD(model.parameters(), 0.1)
    predict = tg.compile(lambda x: model(x).data, backend=backend)

    @tg.compile(backend=backend)
    def step(x):
        loss = (model(x) ** 2).sum()
        optimizer.zero_grad(), loss.backward(), optimizer.step()

    for _ in range(3):
        assert_equal(
            predict(X[None]), X[None] @ model.weight.data + model.bias.data, backend, CLOSE
        )
        assert step(X[None]) is None


@backends()
def test_c13_a_step_with_an_unused_an_integer_and_a_frozen_parameter_is_compiled(backend):
    w, unused, frozen = Value(X), Value(X), Value(X * 2, requires_grad=False)
    count = np.arange(6)
    optimizer = optim.Adam([w, unused, frozen], 0.1)

    @tg.compile(backend=backend)
    def step(x):
        loss = (w * x * frozen * count).sum()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        return loss

    step(X), step(X)
    np.testing.assert_array_equal([unused.data, frozen.data], [X, X * 2])
    assert unused.grad is None and not np.array_equal(w.data, X) and count.tolist() == [*range(6)]


@backends()
def test_c13_no_rows_are_computed_with(backend):
    model = nn.MLP(3, [4], 2, dtype=np.float64, generator=0)
    compiled = tg.compile(lambda x: model(x).data, backend=backend)
    assert compiled(np.zeros((0, 3))).shape == (0, 2)
    f = lambda x: (np.sum(x, axis=0), np.prod(x), np.concatenate([x, x]), x @ np.zeros((3, 2)))
    assert_equal(tg.compile(f, backend=backend)(np.zeros((0, 3))), f(np.zeros((0, 3))), backend)
    g = lambda x: np.zeros((2, 0)) @ x
    assert_equal(tg.compile(g, backend=backend)(np.zeros((0, 3))), np.zeros((2, 3)), backend)


@backends()
@pytest.mark.parametrize("x", [X, 1.5, np.float32(1.5)], ids=["array", "number", "float32"])
def test_a_function_that_returns_what_it_is_given_or_nothing(x, backend):
    assert_equal(tg.compile(lambda x: x, backend=backend)(x), x, backend)
    assert tg.compile(lambda x: None, backend=backend)(x) is None
    assert tg.compile(lambda x: (3, "a"), backend=backend)(x) == (3, "a")
    assert_equal(tg.compile(lambda: np.ones(3) * 2, backend=backend)(), np.full(3, 2.0), backend)


# ---- exceptions while a program runs


@tg.primitive(whole=True)
def limited(x):
    if float(np.max(x)) > 5:
        raise OverflowError("more than 5")
    return x * 1.0


limited.vjp(x=lambda g, out, x: g)


def training(backend, error=None):
    w, optimizer = Value(X.copy()), None
    optimizer = optim.Adam([w], 0.1)

    @tg.compile(backend=backend)
    def step(x):
        loss = limited(w * x).sum()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        return loss

    return w, optimizer, step


@backends()
def test_an_exception_leaves_parameters_and_state_as_they_were(backend):
    w, optimizer, step = training(backend)
    step(X)
    before = [np.array(w.data), optimizer.state_dict()]
    for call in (step, lambda x: step.loop(x, steps=2)):
        with pytest.raises(OverflowError, match="more than 5"):
            call(X * 100)
        assert_equal([w.data, optimizer.state_dict()], before, "numpy")
    step(X)
    assert optimizer.steps == 2 and not np.array_equal(w.data, before[0])


@backends()
def test_an_interrupt_within_a_call_passes_and_moves_nothing(backend):
    interrupted = [False]

    @tg.primitive(whole=True)
    def waiting(x):
        if interrupted[0]:
            raise KeyboardInterrupt
        return x * 1.0

    w = Value(X.copy())

    @tg.compile(backend=backend)
    def step(x):
        w.data = w.data + x
        return waiting(x * 2)

    step(X)
    interrupted[0] = True
    with pytest.raises(KeyboardInterrupt):
        step(X)
    np.testing.assert_array_equal(w.data, 2 * X)


@backends()
@pytest.mark.parametrize("label", [3, -1, 99])
def test_labels_out_of_range_are_refused_before_anything_moves(label, backend):
    model = nn.Linear(6, 3, dtype=np.float64, generator=0)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)

    @tg.compile(backend=backend)
    def step(x, y):
        loss = losses.cross_entropy(model(x), y)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        return loss

    step(X[None], np.array([1]))
    before = [model.state_dict(), optimizer.state_dict()]
    with pytest.raises(LabelError, match=str(label)):
        step(X[None], np.array([label]))
    with pytest.raises(LabelError):
        step.epochs(np.stack([X, X]), np.array([0, label]), batch_size=1, epochs=1)
    assert_equal(model.state_dict()["bias"].shape, before[0]["bias"].shape, "numpy")
    assert optimizer.steps in (1, 2)


@backends()
def test_embedding_indices_out_of_range_are_refused(backend):
    layer = nn.Embedding(5, 2, dtype=np.float64, generator=0)
    compiled = tg.compile(lambda i: layer(i).data, backend=backend)
    assert compiled(np.array([0, 4])).shape == (2, 2)
    for index in (5, -6, 1000):
        with pytest.raises(ArgumentError, match=r"from 0 to \d+, got -?\d+ at \[1\]"):
            compiled(np.array([0, index]))


@backends()
def test_captured_index_arrays_out_of_range_are_refused(backend):
    compiled = tg.compile(lambda x, i: x[i] * 2, backend=backend)
    assert_equal(compiled(X, np.array([-1, 0])), X[[-1, 0]] * 2, backend)
    for index in (6, -7):
        with pytest.raises(IndexError):
            compiled(X, np.array([index, 0]))


# ---- C12, T: threads


@backends()
def test_c12_threads_compile_at_once(backend):
    barrier = threading.Barrier(4)

    def work(seed):
        x = np.full(3 + seed % 2, float(seed))
        f = lambda x: np.tanh(x).sum() * seed
        barrier.wait(10)
        compiled = tg.compile(f, backend=backend)
        return [float(compiled(x)) for _ in range(20)], float(f(x))

    with ThreadPoolExecutor(4) as pool:
        for found, expected in pool.map(work, range(4)):
            assert found == pytest.approx([expected] * 20, rel=1e-12)


@backends()
def test_c12_threads_call_one_function_of_several_shapes(backend):
    compiled = tg.compile(lambda x: np.exp(x).sum() + x[0], backend=backend)
    barrier = threading.Barrier(4)

    def work(seed):
        xs = [np.full(1 + (seed + k) % 5, 0.1 * seed + k % 7) for k in range(60)]
        barrier.wait(10)
        return [(float(compiled(x)), float(np.exp(x).sum() + x[0])) for x in xs]

    with ThreadPoolExecutor(4) as pool:
        for pairs in pool.map(work, range(4)):
            assert [a for a, _ in pairs] == pytest.approx([b for _, b in pairs], rel=1e-12)


@backends()
def test_c12_threads_that_call_one_step_lose_no_update(backend):
    w = Value(np.zeros(50))

    @tg.compile(backend=backend)
    def step(x):
        w.data = w.data + x
        return w.data.sum()

    step(np.zeros(50))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: [step(np.ones(50)) for _ in range(100)], range(4)))
    assert w.data.tolist() == [400.0] * 50


@backends()
def test_c12_while_one_thread_traces_another_computes_eagerly(backend):
    tracing, done = Signal(), Signal()
    model = nn.Linear(6, 2, dtype=np.float64, generator=0)

    def slow(x):
        out = model(x)
        tracing.set()
        done.wait(10)
        return out.data

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(tg.compile(slow, backend=backend), X[None])
        tracing.wait(10)
        out = model(X[None])
        out.sum().backward()
        assert type(out.data) is np.ndarray and type(model.weight.grad) is np.ndarray
        done.set()
        assert_equal(other.result(), out.data, backend, CLOSE)
