"""Memory stays flat without the collector, and the same program gives the same bits."""

from __future__ import annotations

import gc
import os
import platform
import re
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core import chain_rule
from tinygrad_lr.core.graph_memory import format_size, measure_graph
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


# ---- graphs that don't fit

WIDE = np.broadcast_to(1.0, (1, 5_000_000))  # times its transpose: more than an address space


@given(st.integers(1, 60), st.integers(0, 100))
def test_a_graph_is_measured_once_for_each_operation(count, seed):
    rng = np.random.default_rng(seed)
    nodes = [Value(np.ones(5)), Value(2.0)]
    for _ in range(count):
        nodes.append(nodes[rng.integers(len(nodes))] * nodes[rng.integers(len(nodes))])
    operations, held, arrays = measure_graph(nodes)
    assert operations == count == len(nodes) - 2
    assert arrays == sum(x.data.nbytes for x in nodes[2:] if np.shape(x.data))
    assert held > arrays


@pytest.mark.parametrize("number", [1.0, np.float32(1), np.ones(20), np.ones((300, 300))])
def test_the_bytes_of_a_graph_are_about_those_that_were_allocated(number):
    x, ends = Value(number), []
    for _ in range(2):  # the first uses up the memory that Python keeps for small objects
        tracemalloc.start()
        y = x
        for _ in range(2000 if np.size(number) < 100 else 20):
            y = y * 1.0
        allocated = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        ends.append(y)
    assert allocated < measure_graph([y])[1] < 1.5 * allocated


@pytest.mark.parametrize(
    ("start", "step", "most"),
    [
        (0.5, lambda y: y * 0.5, 400),
        (0.5, np.sin, 400),
        (np.full(4, 0.5), lambda y: y * 0.5, 500 + 32),
        (np.full(4, 0.5), np.sin, 500 + 32),
    ],
)
def test_an_operation_takes_few_bytes(start, step, most):
    y = Value(start)
    for _ in range(1000):
        y = step(y)
    count, held, _ = measure_graph([y])
    assert count == 1000 and held / count < most


PAGE_FAULTS = """
import resource, numpy as np, tinygrad_lr
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step = lambda: [np.ones(1 << 18) for _ in range(8)]
step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc keeps what it has freed")
def test_the_memory_of_a_freed_graph_serves_the_next_one():
    run = [sys.executable, "-c", PAGE_FAULTS]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    found = subprocess.run(run, capture_output=True, check=True, text=True, env=environment)
    assert int(found.stdout) < 8 << 21 >> 12  # the pages of one step, of ten


def test_a_result_that_does_not_fit_says_how_much_the_graph_takes():
    x = Value(1.0) * WIDE
    sentence = (
        r"^{}: the graph of one operation takes 40 MB, and the next result \(Unable to .*\) do"
    )
    for name, make in {
        "multiply": lambda: x * WIDE.T,
        "hypot": lambda: np.hypot(x, WIDE.T),
    }.items():
        with pytest.raises(MemoryError, match=sentence.format(name)):
            make()


def test_an_array_that_does_not_fit_by_itself_is_numpys_to_explain():
    with pytest.raises(MemoryError, match=r"^Unable to allocate"):
        Value(WIDE) * WIDE.T


@pytest.mark.parametrize("run", [Value.backward, None], ids=["backward", "grad"])
def test_a_backward_pass_that_does_not_fit_says_what_it_needs(run, monkeypatch):
    def fail(*_):
        raise MemoryError

    def f(x):
        for _ in range(1000):
            x = x * 1.5
        return np.sum(x)

    x = Value(np.ones(10_000))
    out = f(x)
    monkeypatch.setattr(chain_rule, "heappush", fail)
    needs = r"^backward: the graph of 1,001 operations takes 80 MB, and its gradients 80 MB more, "
    with pytest.raises(MemoryError, match=needs + "which do not fit in memory; use fewer"):
        run(out) if run else tg.grad(f)(np.ones(10_000))
    assert x.grad is None
    monkeypatch.undo()
    out.backward()
    np.testing.assert_allclose(x.grad, 1.5**1000)


def test_the_memory_of_a_pass_over_small_numbers_counts_what_each_needs(monkeypatch):
    def fail(*_):
        raise MemoryError

    out = Value(1.0)
    for _ in range(10_000):
        out = out * 1.5
    monkeypatch.setattr(chain_rule, "heappush", fail)
    with pytest.raises(MemoryError, match="and its gradients 2 MB more, which do"):
        out.backward()


@pytest.mark.parametrize("call", [np.negative, np.tanh, np.sum, lambda x: np.stack([x, x])])
def test_what_is_computed_without_leaves_keeps_no_operands(call):
    start = Value([1.0, 2.0], requires_grad=False)
    gone = weakref.ref(start)
    out = call(start)
    del start
    assert gone() is None and not out.requires_grad


SCRIPT = """
import resource
import numpy as np, tinygrad_lr as tg

y = tg.Value(1.0)
for _ in range(100_000):
    y = y * 1.0
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20), resource.RLIM_INFINITY))
try:
    {}
except MemoryError as error:
    text = str(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(text)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y.backward()", r"backward: the graph of 100,000 operations takes \d+ MB, and its grad"),
        *(
            (f"while True: y = {step}", rf"{name}: the graph of 1\d\d,\d\d\d operations takes \d+ ")
            for step, name in {"y * 1.0": "multiply", "np.tanh(y)": "tanh"}.items()
        ),
    ],
)
def test_a_graph_in_a_process_with_little_memory_says_what_it_needs(line, said):
    command = [sys.executable, "-c", SCRIPT.format(line)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert re.match(said, out)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize("line", ["y * 1.0", "np.tanh(y)"])
def test_memory_that_was_full_may_be_full_again(line):
    full = SCRIPT.format(f"while True: y = {line}")
    again = full.replace("import", "y = error = None\nimport", 1)
    command = [sys.executable, "-c", f"{full}{again}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert len(re.findall(r": the graph of 1\d\d,\d\d\d operations takes", out)) == 2


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 MB"), (1_000_000, "1 MB"), (2_600_000, "3 MB"), (999_400_000, "999 MB")),
        *((10**9, "1.0 GB"), (1_250_000_000, "1.2 GB"), (123 * 10**9, "123.0 GB")),
    ],
)
def test_a_size_is_told_in_megabytes_or_gigabytes(count, text):
    assert format_size(count) == text
