"""Tables of which a step names few rows: the same bits as if all rows were updated."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operands import examples, quick
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim
from tinygrad_lr.compiler.ir.passes import EXACT_PASSES, row_updates
from tinygrad_lr.compiler.llvm.threads import THREADS

RANDOM = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, -1e-42, 3e38, 1e300]
UPDATE = row_updates.update_named_rows


@contextlib.contextmanager
def dense():
    """Compile without the pass."""
    place = EXACT_PASSES.index(UPDATE)
    del EXACT_PASSES[place]
    try:
        yield
    finally:
        EXACT_PASSES.insert(place, UPDATE)


@contextlib.contextmanager
def any_table():
    """Let the pass update rows of small tables too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_updates, "pays", lambda *sizes: True)
        yield


def updated_rows(step):
    """The number of tables of which a compiled step updates rows."""
    updates = [x for _, x in step._last.program.updates if x is not None]
    return sum(x.operation == "update_rows" for x in updates)


def assert_same_bits(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    assert np.all((np.signbit(found) == np.signbit(expected)) | np.isnan(found))


def assert_alike(make, run, backend, tables=1):
    """Assert that `run(step)` leaves the same bits with and without the pass.

    `make()` returns a step and the Values that it updates.
    """
    with any_table():
        function, values = make()
        step = tg.compile(function, backend=backend)
        found = run(step)
    assert updated_rows(step) == tables
    with dense():
        function, expected = make()
        other = tg.compile(function, backend=backend)
        told = run(other)
    assert not updated_rows(other)
    for a, b in zip(values, expected, strict=True):
        assert_same_bits(a.numpy(), b.numpy())
    for a, b in zip(found, told, strict=True):
        np.testing.assert_array_equal(a, b)


def special(random, shape, dtype):
    """An array with zeros of both signs, infinities and nan among its numbers."""
    with np.errstate(over="ignore"):
        chosen = random.choice(SPECIAL, shape).astype(dtype)
    return np.where(random.random(shape) < 0.3, chosen, random.normal(size=shape)).astype(dtype)


@st.composite
def tables(draw):
    """A table, indices of its rows with duplicates, and shares of these rows."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    chosen = draw(st.sampled_from([(1,), (2,), (9,), (40,), (3, 5)]))
    rest = draw(st.sampled_from([(), (1,), (3,), (8,), (17,), (2, 5), (65,)]))
    batch = draw(st.sampled_from([(), (1,), (7,), (4, 3), (30,)]))
    kind = draw(st.sampled_from(["int64", "int32", "uint8"]))
    low = 0 if kind == "uint8" else -1
    index = [random.integers(low * n, n, batch).astype(kind) for n in chosen]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    table, shares = (special(random, (*x, *rest), dtype) for x in (chosen, batch))
    return table, tuple(index), shares


RULES = {
    "w + c g": lambda w, g, c: w + c * g,
    "w + g c": lambda w, g, c: w + g * c,
    "c g + w": lambda w, g, c: c * g + w,
    "w - c g": lambda w, g, c: w - c * g,
    "w - g c": lambda w, g, c: w - g * c,
    "w - -c g": lambda w, g, c: w - -c * g,
}
FACTORS = [-0.1, 0.1, -2.0, 0.0, -0.0, -1e-50, -1e300, np.inf, -np.inf, np.nan]


@pytest.mark.slow
@backends()
@examples(40, parent=settings(quick, deadline=None))
@given(
    given=tables(),
    rule=st.sampled_from(list(RULES)),
    factor=st.sampled_from(FACTORS),
    form=st.sampled_from(["number", "array", "constant"]),
)
def test_rows_that_are_named_get_what_the_whole_table_gets(given, rule, factor, form, backend):
    table, index, shares = given

    def make():
        weight = Value(table.copy())

        def step(index, shares, c):
            weight.grad = None
            np.sum(weight[index] * shares).backward()
            weight.data = RULES[rule](weight.data, weight.grad, factor if c is None else c)
            weight.grad = None

        return step, [weight]

    with np.errstate(over="ignore"):
        array = np.array(factor).astype(table.dtype)
    c = {"number": factor, "array": array, "constant": None}[form]

    def run(step):
        for i in (index, tuple(x[..., ::-1] if x.ndim else x for x in index)):
            step(i, shares, c)
        return []

    assert_alike(make, run, backend)


def steps_of(count, dim, dtype="float32", make_optimizer=optim.SGD, **options):
    """Return a function that makes a step of a classifier of three words."""

    def make():
        table = nn.Embedding(count, dim, dtype=dtype, generator=0, **options)
        table.weight.data[::3, 0] = -0.0
        head = nn.Linear(dim, 5, dtype=dtype, generator=1)
        parameters = [*table.parameters(), *head.parameters()]
        optimizer = make_optimizer(parameters, 0.5)

        def step(x, y):
            loss = losses.cross_entropy(head(np.tanh(table(x)).sum(axis=1)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, parameters

    return make


WORDS, LABELS = RANDOM.integers(0, 50, (32, 3)), RANDOM.integers(0, 5, 32)
WORDS[:4, 1] = WORDS[:4, 0]


@pytest.mark.slow
@backends()
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"padding_index": int(WORDS[0, 0])}], ids=str)
def test_an_embedding_is_trained_to_the_same_bits(dtype, options, backend):
    def run(step):
        return [
            step(WORDS, LABELS).data,
            step.loop(WORDS, LABELS, steps=5),
            step(WORDS[::-1], LABELS).data,
            step.epochs(WORDS, LABELS, batch_size=8, epochs=3, generator=0),
        ]

    assert_alike(steps_of(50, 7, dtype, **options), run, backend)


@backends()
def test_rates_of_a_schedule_may_be_0(backend):
    def scheduled(parameters, rate):
        return optim.SGD(parameters, lambda step: rate * (step % 2))

    def run(step):
        return [step(WORDS, LABELS).data for _ in range(4)]

    assert_alike(steps_of(50, 7, make_optimizer=scheduled), run, backend)


@backends()
def test_two_tables_are_updated_after_all_indices_are_looked_at(backend):
    def make():
        weights = [Value(RANDOM_TABLES[k].copy()) for k in range(2)]
        optimizer = optim.SGD(weights, 0.25)

        def step(i, j):
            loss = np.sum(np.sin(weights[0][i]) * weights[1][j])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, weights

    i, j = np.array([1, 1, -3, 0]), np.array([5, 2, 5, -1])
    assert_alike(make, lambda step: step.loop(i, j, steps=3)[None], backend, tables=2)
    with any_table():
        function, weights = make()
        step = tg.compile(function, backend=backend)
        step(i, j)
        before = [w.numpy() for w in weights]
        for wrong in ((i, j + 1), (i - 30, j)):
            for run in (step, lambda i, j: step.loop(i, j, steps=2)):
                with pytest.raises(IndexError, match="out of bounds for axis 0 with size"):
                    run(*wrong)
        for a, b in zip(weights, before, strict=True):
            assert_same_bits(a.numpy(), b)


RANDOM_TABLES = RANDOM.normal(size=(2, 6, 5))


@backends()
def test_rows_of_several_tables_are_named_by_two_arrays(backend):
    def make():
        weight = Value(RANDOM_TABLES.copy())
        optimizer = optim.SGD([weight], 0.25)

        def step(i):
            loss = np.sum(weight[np.arange(2)[:, None], i] ** 3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, [weight]

    i = np.array([[1, 1, 4], [-1, 0, 0]])
    assert_alike(make, lambda step: step.loop(i, steps=3)[None], backend)


def clipped(clip):
    return lambda weight: clip([weight], 0.1)


SGD = optim.SGD
WHOLE = {
    "momentum": (lambda p: SGD(p, 0.1, momentum=0.9), {}),
    "weight decay": (lambda p: SGD(p, 0.1, weight_decay=0.1), {}),
    "Adam": (lambda p: optim.Adam(p, 0.1), {}),
    "RMSprop": (lambda p: optim.RMSprop(p, 0.1), {}),
    "a gradient that is returned": (lambda p: SGD(p, 0.1), {"before": lambda w: w.grad}),
    "a limited norm": (lambda p: SGD(p, 0.1), {"before": clipped(optim.clip_gradient_norm)}),
    "limited entries": (lambda p: SGD(p, 0.1), {"before": clipped(optim.clip_gradient_value)}),
    "weights that are returned": (lambda p: SGD(p, 0.1), {"after": lambda w: w.data}),
    "weights that are read": (lambda p: SGD(p, 0.1), {"after": lambda w: np.sum(w.data)}),
    "another loss": (lambda p: SGD(p, 0.1), {"more": lambda w: 0.01 * np.sum(w**2)}),
    "two indices": (lambda p: SGD(p, 0.1), {"more": lambda w: np.sum(w[[1, 1, 5]] ** 3)}),
    "a product with it": (lambda p: SGD(p, 0.1), {"more": lambda w: np.sum(np.tanh(w @ w.T))}),
    "a column": (lambda p: SGD(p, 0.1), {"index": lambda i: (i, slice(1, 3))}),
    "columns": (lambda p: SGD(p, 0.1), {"index": lambda i: (slice(None), i)}),
}


@backends()
@pytest.mark.parametrize(("make_optimizer", "options"), WHOLE.values(), ids=WHOLE)
def test_the_whole_table_is_updated_where_all_of_it_may_change(make_optimizer, options, backend):
    index = options.get("index", lambda i: i)
    before, after = (options.get(name, lambda w: None) for name in ("before", "after"))
    more = options.get("more", lambda w: 0.0)

    def make():
        weight = Value(RANDOM_TABLES[0].copy())
        optimizer = make_optimizer([weight])

        def step(i):
            loss = np.sum(np.sin(weight[index(i)])) + more(weight)
            optimizer.zero_grad()
            loss.backward()
            seen = before(weight)
            optimizer.step()
            return loss, seen, after(weight)

        return step, [weight]

    i = np.array([1, 0, 1, -2])
    assert_alike(make, lambda step: [step(i)[0].data for _ in range(3)], backend, tables=0)


@backends("llvm")
def test_a_table_that_others_must_read_first_is_updated_elsewhere(backend):
    """Each of two updates reads what the other writes to."""

    def make():
        weight, other = Value(RANDOM_TABLES[0].copy()), Value(RANDOM_TABLES[1, :2].copy())

        def step(i):
            shares, old = other.data, weight.data
            other.data = shares * old[1:3] - old[3:5]
            gradient = tg.vjp(lambda table: table[i], old)[1](shares)[0]
            weight.data = old - 0.5 * gradient

        return step, [weight, other]

    def run(step):
        for i in ([1, 1], [3, 0]):
            step(np.array(i))
        storage = step._last.executable.plan.storage
        assert all(x.kind == "own" for y, x in storage.items() if y.operation == "update_rows")
        return []

    assert_alike(make, run, backend)


@pytest.mark.parametrize(("count", "pays"), [(20_000, True), (1000, False)])
def test_shapes_decide_whether_rows_are_updated(count, pays):
    function, _ = steps_of(count, 5)()
    step = tg.compile(function, backend="numpy")
    step(WORDS, LABELS)
    assert updated_rows(step) == pays


@backends("llvm")
def test_threads_leave_the_rows_to_one(backend):
    before = THREADS.count
    table, scale = (RANDOM.normal(size=(n, 300)).astype("f4") for n in (6000, 500))

    def make():
        weights = [Value(table.copy()), Value(np.eye(300, dtype="f4"))]
        optimizer = optim.SGD(weights, 0.25)

        def step(i):
            loss = np.sum(np.tanh(weights[0][i] * scale) @ weights[1] * scale)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return step, weights

    def run(step):
        step.loop(np.arange(500) % 450, steps=2)
        assert step._last.executable.threads == 2
        return []

    try:
        tg.set_threads(2)
        assert_alike(make, run, backend)
    finally:
        tg.set_threads(before)


def test_the_source_shows_which_rows_are_written():
    function, _ = steps_of(20_000, 5)()
    step = tg.compile(function, backend="numpy")
    step(WORDS, LABELS)
    assert "new_table_weight = find_new_rows(table_weight, " in step.source
    assert "    table_weight[new_table_weight[0]] = new_table_weight[1]\n" in step.source
    assert "update_named_rows" in str(step.explain())
    assert "new_table_weight: float32[20000, 5] = update_rows table_weight, " in str(step.program)


@backends()
def test_the_report_counts_the_rows_that_are_read_and_written(backend):
    function, _ = steps_of(20_000, 5)()
    step = tg.compile(function, backend=backend)
    step(WORDS, LABELS)
    report = step.explain()
    assert report.bytes_moved < 20_000 * 5 * 4 and report.flops < 20_000 * 5
