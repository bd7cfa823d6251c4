"""Gather and scatter in machine code: NumPy's numbers and errors."""

from __future__ import annotations

import numpy as np
import pytest
from programs import assert_equal

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim
from tinygrad_lr.compiler.llvm.threads import THREADS

pytest.importorskip("llvmlite")

RANDOM = np.random.default_rng(0)
FLOATS = RANDOM.normal(size=(5, 7, 6))
I = RANDOM.integers(-5, 5, (3, 4))
J = RANDOM.integers(-6, 6, (4,))
K = RANDOM.integers(0, 7, (3, 1))
INDICES = {
    "rows": (lambda x, i: x[i], I),
    "one row": (lambda x, i: x[i], np.array(-2)),
    "several entries of the last axis": (lambda x, i: x[..., i], J),
    "the middle axis": (lambda x, i: x[:, i], K),
    "adjacent axes": (lambda x, i, j: x[i, j], I, K),
    "the last two": (lambda x, i, j: x[:, i, j], K, J),
    "axes apart, which come first": (lambda x, i, j: x[i, :, j], I, J),
    "all axes": (lambda x, i, j, k: x[i, j, k], I, K, J),
    "of a view": (lambda x, i: np.swapaxes(x, 0, 2)[i, 1:6:2], J),
    "of a reversed view": (lambda x, i: x[::-1, ::-1, ::-2][i], I),
    "of one column": (lambda x, i: x[:, :1, 0][i], I),
    "by a view": (lambda x, i: x[i.T[::2]], I),
    "by a broadcast": (lambda x, i: x[np.broadcast_to(i, (2, 3, 1))], K % 5),
    "by a constant": (lambda x, i: x[[1, -1, 1]] * i.sum(), J),
    "with a number": (lambda x, i: x[i, 2], I),
    "with a number apart": (lambda x, i: x[1, :, i], J),
    "with a new axis": (lambda x, i: x[i, None, 1:4], I),
    "with new axes between": (lambda x, i, j: x[i, None, j], I, J),
    "by no array": (lambda x, i: x[1:4, None, -1] * i.sum(), J),
    "and computed from": (lambda x, i: np.tanh(x[i] * 2.0) + x[-1 - i], I),
}
DTYPES = ["float64", "float32", "int64", "int32", "int8", "uint8", "bool"]
INDEX_DTYPES = ["int64", "int32", "int8"]


@pytest.mark.parametrize("index_dtype", INDEX_DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_machine_code_gathers_what_numpy_does(dtype, index_dtype):
    """All of them in one program."""
    x = np.abs(FLOATS * 10).astype(dtype)
    given = [[i.astype(index_dtype) for i in indices] for _, *indices in INDICES.values()]

    def gather(x, given):
        return [f(x, *indices) for (f, *_), indices in zip(INDICES.values(), given, strict=True)]

    compiled = tg.compile(gather, backend="llvm")
    found = compiled(x, given)
    assert not compiled._last.executable.calls
    assert_equal(found, gather(x, given), "llvm")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_machine_code_scatters_gradients(dtype):
    x = FLOATS.astype(dtype)
    given = [indices for _, *indices in INDICES.values()]

    def gradients(x, given):
        return [
            tg.grad(lambda x, f=f, indices=indices: np.sum(f(x, *indices) ** 2))(x)
            for (f, *_), indices in zip(INDICES.values(), given, strict=True)
        ]

    compiled = tg.compile(gradients, backend="llvm")
    found = compiled(x, given)
    assert not compiled._last.executable.calls
    assert_equal(found, gradients(x, given), "llvm")


def test_a_scatter_adds_each_entry_in_the_order_of_the_indices():
    """Sums of floats in another order would have other bits."""
    rows = (RANDOM.normal(size=(4000, 3)) * 10.0 ** RANDOM.integers(-8, 8, (4000, 1))).astype("f4")
    index = RANDOM.integers(0, 4, 4000)
    table = Value(np.zeros((4, 3), "f4"))

    def scattered(rows, index):
        return tg.vjp(lambda t: t[index], table.data)[1](rows)

    expected = np.zeros((4, 3), "f4")
    np.add.at(expected, index, rows)
    compiled = tg.compile(scattered, backend="llvm")
    np.testing.assert_array_equal(np.asarray(compiled(rows, index)[0]), expected)


@pytest.mark.parametrize("bad", [5, -6, 10**12, -(10**12)])
def test_an_index_out_of_range_raises_numpys_error_before_anything_changes(bad):
    weight = Value(FLOATS[:, :, 0].copy())
    optimizer = optim.SGD([weight], 0.1)

    @tg.compile(backend="llvm")
    def step(index, x):
        loss = np.sum((weight[index] - x) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    good, wrong, x = np.array([0, -5, 4]), np.array([0, 1, bad]), np.ones(7)
    step(good, x)
    assert step._fast_call is not None and not step._last.executable.calls
    before = weight.numpy()
    for _ in range(2):
        with pytest.raises(IndexError) as found:
            step(wrong, x)
        with pytest.raises(IndexError) as expected:
            before[wrong]
        assert str(found.value) == str(expected.value)
    np.testing.assert_array_equal(weight.data, before)
    step(good, x)
    assert optimizer.steps == 2 and not np.array_equal(weight.data, before)


def test_threads_wait_for_an_index_and_end_if_it_is_out_of_range():
    before = THREADS.count
    tg.set_threads(2)
    try:
        f = tg.compile(lambda x, i: np.tanh(x[i]) * np.exp(-x[::-1][i]), backend="llvm")
        x, i = RANDOM.normal(size=(2000, 1000)), RANDOM.integers(-2000, 2000, 2000)
        assert_equal(f(x, i), np.tanh(x[i]) * np.exp(-x[::-1][i]), "llvm")
        assert f._last.executable.threads == 2
        with pytest.raises(IndexError, match="index 2000 is out of bounds"):
            f(x, np.where(i == i.max(), 2000, i))
        assert_equal(f(x, i), np.tanh(x[i]) * np.exp(-x[::-1][i]), "llvm")
    finally:
        tg.set_threads(before)


def letters(dtype="float32"):
    embedding = nn.Embedding(27, 10, dtype=dtype, generator=0)
    head = nn.Sequential(
        nn.Linear(30, 20, dtype=dtype, generator=1),
        nn.Tanh(),
        nn.Linear(20, 27, dtype=dtype, generator=2),
    )
    optimizer = optim.Adam([*embedding.parameters(), *head.parameters()], 0.01)

    def step(x, y):
        loss = losses.cross_entropy(head(embedding(x).reshape(-1, 30)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, embedding, optimizer


def test_a_step_with_an_embedding_calls_no_python():
    x, y = RANDOM.integers(0, 27, (32, 3)), RANDOM.integers(0, 27, 32)
    eager, table, _ = letters("float64")
    made, twin, optimizer = letters("float64")
    step = tg.compile(made, backend="llvm")
    expected = [float(eager(x, y)) for _ in range(5)]
    np.testing.assert_allclose([float(step(x, y)), *step.loop(x, y, steps=4)], expected)
    np.testing.assert_allclose(twin.weight.data, table.weight.data, rtol=1e-9)
    assert not step._last.executable.calls and step._fast_call is not None
    for wrong in (27, -1):
        x[3, 1] = wrong
        with pytest.raises(tg.errors.ArgumentError, match=r"indices must be from 0 to 26"):
            step(x, y)
        with pytest.raises(tg.errors.ArgumentError, match=r"indices must be from 0 to 26"):
            step.loop(x, y, steps=2)
    assert optimizer.steps == 5


def test_labels_are_looked_at_for_all_steps_of_an_epoch_at_once(monkeypatch):
    looks = []
    check = tg.compiler.ir.checks.BoundCheck
    monkeypatch.setattr(
        check, "holds", lambda self, x, holds=check.holds: looks.append(x.shape) or holds(self, x)
    )
    made, _, _ = letters()
    step = tg.compile(made, backend="llvm")
    x, y = RANDOM.integers(0, 27, (96, 3)), RANDOM.integers(0, 27, 96)
    step.epochs(x, y, batch_size=32, epochs=2)
    assert (3, 32) in looks or (2, 32) in looks
    y[70] = 27
    with pytest.raises(tg.errors.LabelError, match="got 27"):
        step.epochs(x, y, batch_size=32, epochs=1)


@pytest.mark.parametrize("wrong", [1.5, -1.5])
def test_labels_within_the_bounds_dont_excuse_a_bad_option(wrong):
    f = tg.compile(lambda x, y: losses.cross_entropy(x, y, ignore_index=wrong), backend="llvm")
    with pytest.raises(tg.errors.ArgumentError, match="ignore_index must be an integer"):
        f(np.eye(3), np.array([0, 1, 2]))
