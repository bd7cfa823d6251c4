"""Memory stays flat without the collector, and the same program gives the same bits."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import METHOD_IMPLS, PRIMITIVES


def train(steps, rows=4):
    x, y = np.ones((rows, 3)), np.ones((rows, 1))
    w = Value(np.zeros((3, 1)))
    for _ in range(steps):
        loss = ((x @ w - y) ** 2).mean()
        w.grad = None
        loss.backward()
        w.data = w.data - 0.01 * w.grad


@pytest.mark.slow
def test_memory_stays_flat_over_ten_thousand_steps_without_the_collector():
    train(100)
    gc.collect()
    gc.disable()
    try:
        before, pending = sys.getallocatedblocks(), gc.get_count()[0]
        train(10_000)
        assert sys.getallocatedblocks() - before < 1_000  # a tenth of a block a step
        assert gc.get_count()[0] - pending < 200  # nothing that only the collector could free
    finally:
        gc.enable()


def test_arrays_of_dead_graphs_are_freed_at_once():
    gc.disable()
    tracemalloc.start()
    try:
        train(2, rows=1000)
        before = tracemalloc.get_traced_memory()[0]
        train(20, rows=1000)
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.slow
def test_numbers_kept_from_the_losses_keep_no_graph():
    gc.collect()
    w, kept = Value(np.ones(10_000)), []
    tracemalloc.start()
    for _ in range(50):
        kept.append((w * w).sum().item())
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 80_000  # one array of the graph is 80 000 bytes


@pytest.mark.slow
def test_a_gradient_of_a_gradient_leaves_nothing_behind():
    f = lambda x: (np.tanh(x) * x).sum()
    tg.hvp(f, (np.ones(3),), (np.ones(3),))
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        tg.hvp(f, (np.ones(3),), (np.ones(3),))
    assert gc.collect() == 0 or sys.getallocatedblocks() - before < 200


# ---- the same bits


def test_printing_a_graph_does_not_change_its_gradients():
    def run(look):
        x = Value(np.linspace(-1, 1, 7), name="x")
        inner = np.tanh(x) * x
        look(inner)
        loss = (inner @ inner).sum()
        look(loss)
        loss.backward()
        return x.grad.tobytes()

    assert run(lambda v: None) == run(lambda v: (repr(v), str(v.data), v.grad, v == 0, f"{v}"))


PROGRAM = """
import numpy as np, tinygrad_lr as tg
x = tg.Value(np.random.default_rng(0).normal(size=(5, 4)), name="x")
loss = sum(np.tanh(x[:, i] * x[:, j]).sum() for i in range(4) for j in range(4)) + np.exp(x).mean()
loss.backward()
print(x.grad.tobytes().hex(), loss.item().hex())
"""


@pytest.mark.slow
def test_two_processes_with_other_hash_seeds_give_the_same_bits():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={
                "PYTHONHASHSEED": seed,
                "OPENBLAS_NUM_THREADS": "1",
                "PYTHONPATH": ":".join(sys.path),
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and len(runs[0]) > 100


def test_the_global_generator_is_neither_read_nor_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tg.check_gradients(np.tanh, np.ones(3))
    train(3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_table_was_not_changed_by_these_tests():
    assert "shaky" not in PRIMITIVES and "shaky" not in METHOD_IMPLS
