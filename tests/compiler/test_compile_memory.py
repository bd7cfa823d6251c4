"""Compiled functions share no memory: not with arguments, parameters, other results or calls."""

from __future__ import annotations

import queue

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from operands import examples, quick
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr import Value, nn, optim
from tinygrad_lr.errors import GraphError

windows = np.lib.stride_tricks.sliding_window_view
SIDES = [3, 3, 17, 92]  # rows in registers, in loops; results whose memory is used again
many = settings(quick, suppress_health_check=list(HealthCheck))


@tg.primitive(whole=True)
def same(x):
    return x


@tg.primitive(whole=True)
def reversed_rows(x):
    return x[::-1]


same.vjp(x=lambda g, out, x: g)
reversed_rows.vjp(x=lambda g, out, x: g[::-1])


def plain(x):
    return x.data if isinstance(x, Value) else x


def widen(row):
    return np.broadcast_to(row, (len(row), len(row)))


def swap_where(x, y):
    mask = x > y
    return np.where(np.where(mask, mask.T, x > 0), x, y)


UNARY = [
    lambda x: x * 2,
    np.tanh,
    lambda x: x.T,
    lambda x: x[::-1],
    lambda x: x[:, ::-1].T,
    lambda x: x.reshape(-1).reshape(x.shape),
    lambda x: x.copy(),
    lambda x: x.astype(float, copy=False),
    lambda x: widen(x[0]),
    lambda x: widen(x[np.argmax(np.sum(x, axis=1))]),
    lambda x: x[:, np.argmin(x[0])].reshape(-1, 1) + x[:1],
    lambda x: np.einsum("ij->ji", x),
    lambda x: np.einsum("ij->ij", x),
    lambda x: widen(np.einsum("ii->i", x)),
    lambda x: widen(np.diagonal(x)),
    lambda x: np.rot90(x),
    lambda x: np.sort(x, axis=1),
    lambda x: np.cumsum(x, axis=0) * 0.5,
    lambda x: plain(same(x * 1)),
    lambda x: plain(same(x)),
    lambda x: plain(reversed_rows(x)),
    lambda x: x + np.mean(x, axis=0),
]
BINARY = [
    np.add,
    np.subtract,
    lambda x, y: np.tanh(x * y),
    np.maximum,
    lambda x, y: np.where(x > y, x, y.T),
    lambda x, y: np.where(x > 0, y, x),
    swap_where,
    lambda x, y: np.concatenate([x[:1], y[1:]]),
    lambda x, y: np.concatenate([x[:, :1], y[:, 1:]], axis=1),
    lambda x, y: np.tanh(x @ y),
]
steps_of_a_program = st.lists(
    st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0), st.integers(0)),
    min_size=1,
    max_size=8,
)
LAYOUTS = {
    "C": lambda x: x.copy(),
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "repeated": lambda x: widen(x[0].copy()),
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), offset=1).reshape(x.shape),
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "overlapping": lambda x: windows(x.reshape(-1)[: 2 * len(x) - 1], len(x)),
}
ALIASES = {
    "first": lambda world: world.first.data,
    "first, transposed": lambda world: world.first.data.T,
    "first, windows": lambda world: windows(world.first.data, world.first.shape)[0, 0],
    "second, by its buffer": lambda world: np.asarray(memoryview(world.second.data)),
    "second, reversed": lambda world: world.second.data[::-1],
    "state": lambda world: world.module.state,
    "a result": lambda world: world.results[-1],
    "a result, transposed": lambda world: world.results[-1].T,
    "the argument before": lambda world: world.arguments[-1],
}


class World:
    """A program's parameters and state, what was passed and returned, and the user's arrays."""

    def __init__(self, run, numbers):
        self.first, self.second = Value(numbers[0]), Value(numbers[1])
        self.module = nn.Module()
        self.module.state = numbers[2].copy()
        self.results, self.arguments = [numbers[3].copy()], [numbers[4].copy()]
        self.held = [self.module.state]
        self.call = run(self)

    def argument(self, kind, numbers):
        made = LAYOUTS[kind](numbers) if kind in LAYOUTS else ALIASES[kind](self)
        self.arguments.append(made)
        return made

    def hold(self):
        self.held += [self.first.data, self.second.data, self.module.state]

    def everything(self):
        return [*self.held, self.first.data, self.second.data, self.module.state]


def build(world, program, results, updates):
    """The function of a program: steps on earlier arrays, updates, and results in any order."""

    def function(a, b):
        module = world.module
        known = [a, b, world.first.data, world.second.data, module.state]
        known = [x.copy() for x in known]  # a name for the same numbers, in compiled code
        for number, i, j in program:
            x, y = known[i % len(known)], known[j % len(known)]
            one = number < len(UNARY)
            known.append(UNARY[number](x) if one else BINARY[number - len(UNARY)](x, y))
        if "first" in updates:
            world.first.data = np.tanh(known[updates["first"] % len(known)])
        if "second" in updates:
            world.second.data += known[updates["second"] % len(known)]
        if "state" in updates:
            module.state = known[updates["state"] % len(known)] * 1
        return tuple(known[i % len(known)] for i in results)

    return function


@pytest.mark.slow
@backends()
@examples(10, 300, parent=many)
@given(
    program=steps_of_a_program,
    results=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    updates=st.dictionaries(st.sampled_from(["first", "second", "state"]), st.integers(0, 12)),
    kinds=st.lists(st.sampled_from([*LAYOUTS, *ALIASES]), min_size=6, max_size=6),
    exposed=st.booleans(),
    side=st.sampled_from(SIDES),
)
def test_whatever_shares_memory_each_call_gives_what_eager_code_gives(
    program, results, updates, kinds, exposed, side, backend
):
    note(f"{program} {results} {updates} {kinds}")
    rng = np.random.default_rng(len(program))
    start = rng.uniform(-1, 1, (5, side, side))
    eager = World(lambda world: build(world, program, results, updates), start)
    compiled = World(
        lambda world: tg.compile(build(world, program, results, updates), backend=backend), start
    )
    kept, copies = [], []
    for turn in range(3):
        if exposed or turn:
            eager.hold(), compiled.hold()
        numbers = rng.uniform(-1, 1, (2, side, side))
        kinds_now = kinds[2 * turn : 2 * turn + 2]
        given_eager = [eager.argument(*pair) for pair in zip(kinds_now, numbers, strict=True)]
        given = [compiled.argument(*pair) for pair in zip(kinds_now, numbers, strict=True)]
        expected = [np.array(x) for x in eager.call(*given_eager)]
        found = compiled.call(*given)
        pairs = [*zip(found, expected, strict=True)]
        for x, y in [*pairs, *zip(compiled.everything(), eager.everything(), strict=True)]:
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)
        for x, copy in zip(kept, copies, strict=True):  # earlier results are as they were
            np.testing.assert_array_equal(x, copy)
        for i, x in enumerate(found):
            shared = [*given, *compiled.everything(), *kept, *found[:i]]
            assert not any(np.may_share_memory(x, y) for y in shared)
        kept += found
        copies += [x.copy() for x in found]
        eager.results.append(expected[0])
        compiled.results.append(found[0])


MIXED = [
    lambda x, y: x + y,
    lambda x, y: np.tanh(x - y * 0.5),
    lambda x, y: x * 0.5,
    lambda x, y: np.mean(x, axis=-1, keepdims=True) if x.ndim else x,
    lambda x, y: np.mean(x, axis=0, keepdims=x.ndim > 1) if x.ndim else x,
    lambda x, y: np.max(x) + y * 0.25,
    lambda x, y: np.sum(x * 0.1) / (1 + x.size) + y,
    lambda x, y: x[::-1] if x.ndim else x,
    lambda x, y: x.T,
    lambda x, y: x[..., :1] if x.ndim else x,
    lambda x, y: np.concatenate([x[..., 1:], x[..., :1]], axis=-1) if x.ndim else x,
]


@pytest.mark.slow
@backends()
@examples(10, 300, parent=many)
@given(
    rows=st.sampled_from([1, 2, 3, 9]),
    columns=st.sampled_from([1, 2, 3, 9, 70, 1100]),
    steps=st.lists(
        st.tuples(st.integers(0, len(MIXED) - 1), st.integers(0), st.integers(0)), max_size=10
    ),
    updates=st.lists(st.integers(0), min_size=5, max_size=5),
    results=st.lists(st.integers(0), max_size=3),
    seed=st.integers(0, 9),
)
def test_updates_of_all_shapes_read_what_was_there_before(
    rows, columns, steps, updates, results, seed, backend
):
    shapes = [(), (1,), (columns,), (rows, 1), (rows, columns)]
    rng = np.random.default_rng(seed)
    values = [Value(rng.uniform(-1, 1, shape)) for shape in shapes]

    def combine(now, x):
        """Return the new states and the results; what doesn't fit to a state is averaged."""
        known = [*now, x]
        for number, i, j in steps:
            a, b = known[i % len(known)], known[j % len(known)]
            try:
                np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                b = np.mean(b)
            known.append(MIXED[number](a, b))
        new = []
        for old, i in zip(now, updates, strict=True):
            y = known[i % len(known)]
            new.append(old * 0.5 + (y if y.shape == old.shape else np.mean(y)))
        return new, [known[i % len(known)] * 1 for i in results]

    def step(x):
        new, found = combine([v.data for v in values], x)
        for value, y in zip(values, new, strict=True):
            value.data = y
        return (*found, np.sum(x))

    compiled = tg.compile(step, backend=backend)
    states = [v.data.copy() for v in values]
    for turn in range(3):
        x = rng.uniform(-1, 1, (rows, columns))
        if turn == 1:
            found = [y[-1] for y in compiled.loop(x, steps=2)]
            states, _ = combine(states, x)
        else:
            found = compiled(x)
        states, expected = combine(states, x)
        for a, b in [*zip(found, expected, strict=False), *zip(values, states, strict=True)]:
            a = a.data if isinstance(a, Value) else a
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


# ---- what the user holds


def training(momentum=0.0):
    w = Value(np.array([1.0, 2.0, 3.0]))
    optimizer = optim.SGD([w], 0.1, momentum=momentum)

    def step(x):
        loss = np.sum(w * x * w)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        return loss

    return w, step


@backends()
@pytest.mark.parametrize("take", [lambda x: x, lambda x: x[::-1]])
def test_a_loop_on_a_parameters_own_array_is_separate_calls(take, backend):
    (w, eager), (v, step) = training(), training()
    expected = [eager(take(w.data)).item() for _ in range(3)]
    found = tg.compile(step, backend=backend).loop(take(v.data), steps=3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(v.data, w.data, rtol=1e-12)


@backends()
def test_an_outer_array_that_shares_a_parameters_memory_is_read_at_each_call(backend):
    w, _ = training()
    optimizer, window = optim.SGD([w], 0.1), np.frombuffer(w.data)

    def step(x):
        loss = np.sum(w * x * window)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        return loss

    compiled, numbers = tg.compile(step, backend=backend), np.array([1.0, 2.0, 3.0])
    for _ in range(4):
        loss = compiled(np.ones(3)).item()
        assert loss == pytest.approx(np.sum(numbers * numbers))
        numbers = numbers - 0.1 * numbers


@backends()
def test_state_and_gradients_that_the_user_holds_stay_as_they_were(backend):
    norm, w = nn.BatchNorm1d(2, dtype=np.float64), Value(np.ones(2))
    x = np.array([[1.0, 2.0], [3.0, 5.0]])

    @tg.compile(backend=backend)
    def accumulate(x):
        loss = np.sum(norm(x) * w * w)
        loss.backward()
        return loss

    held, copies = [], []
    for _ in range(4):
        held += [norm.running_mean, norm.running_var]
        held += [w.grad] if held[2:] else []
        copies += [x.copy() for x in held[len(copies) :]]
        accumulate(x)
    for x, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(x, copy)


@backends()
def test_state_that_nobody_holds_is_updated_in_place(backend):
    norm = nn.BatchNorm1d(2, dtype=np.float64)
    compiled = tg.compile(lambda x: norm(x), backend=backend)
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    places = []
    for _ in range(4):
        compiled(x)
        places.append(norm.running_mean.ctypes.data)
    assert len(set(places)) == 1


@backends()
@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")  # since NumPy 2.5
def test_a_result_that_the_user_has_reshaped_in_place_is_not_used_again(backend):
    x = np.ones((100, 100))
    compiled = tg.compile(lambda x: x * 2, backend=backend)
    for spoil in ("shape", "dtype", "flags"):
        y = compiled(x)
        if spoil == "shape":
            y.resize((10000,))
        elif spoil == "dtype":
            y.dtype = np.int64
        else:
            y.flags.writeable = False
        del y
        found = compiled(x)
        np.testing.assert_array_equal(found, np.full((100, 100), 2.0), strict=True)
        assert found.flags.writeable


@backends()
@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")  # since NumPy 2.5
def test_an_argument_that_has_changed_its_dtype_in_place_is_read_as_it_is(backend):
    x = np.array([1.0, 2.0])
    compiled = tg.compile(lambda x: x + 1, backend=backend)
    compiled(x), compiled(x)
    x.dtype = np.int64
    np.testing.assert_array_equal(compiled(x), x + 1, strict=True)


@backends()
def test_an_array_made_while_tracing_is_returned_in_copies(backend):
    compiled = tg.compile(lambda x: (np.ones(2), x), backend=backend)
    x = np.zeros(2)
    for _ in range(3):
        ones, same_numbers = compiled(x)
        np.testing.assert_array_equal(ones, [1, 1])
        ones += 1
        same_numbers += 1
    np.testing.assert_array_equal(x, [0, 0])


@backends()
@pytest.mark.parametrize("in_place", [False, True])
def test_data_is_replaced_or_updated_in_place_as_in_eager_code(in_place, backend):
    def build():
        w = Value(np.ones(3))

        def f(x):
            if in_place:
                w.data -= x
            else:
                w.data = w.data - x

        return w, f

    (w, eager), (v, f) = build(), build()
    compiled = tg.compile(f, backend=backend)
    held, expected = [], []
    for _ in range(3):
        expected.append(w.data), held.append(v.data)
        eager(np.ones(3)), compiled(np.ones(3))
    np.testing.assert_array_equal(held, expected)
    np.testing.assert_array_equal(v.data, w.data)


# ---- the order of what a kernel reads and writes


@backends()
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 1), (5, 700), (2, 20_000)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_updates_that_read_each_other_read_what_was_there_before(shape, dtype, backend):
    a, b = np.ones(shape, dtype), np.full(shape, 2.0, dtype)
    v, w = Value(a), Value(b)

    @tg.compile(backend=backend)
    def f(x):
        old_v, old_w = v.data, w.data
        v.data = old_w * x
        w.data = old_w + old_v + np.sum(old_v)

    for _ in range(3):
        f(0.5)
        a, b = b * 0.5, b + a + np.sum(a)
    np.testing.assert_allclose(v.data, a, rtol=1e-5)
    np.testing.assert_allclose(w.data, b, rtol=1e-5)


@backends()
def test_a_mask_that_is_chosen_from_masks_is_not_written_over_too_early(backend):
    def f(x, y):
        mask = x > y
        return np.where(mask, mask.T, x > 0) * 1.0

    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 5, 5))
    np.testing.assert_array_equal(tg.compile(f, backend=backend)(x, y), f(x, y))


@backends()
def test_half_precision_parts_are_concatenated_in_their_places(backend):
    f = lambda x: np.concatenate([x, x * 2, x + 1], axis=1)
    x = np.arange(6, dtype=np.float16).reshape(2, 3)
    np.testing.assert_array_equal(tg.compile(f, backend=backend)(x), f(x), strict=True)


@backends()
def test_a_gradient_through_a_view_that_a_call_returns_is_right(backend):
    def loss(x):
        y = np.einsum("ij->ji", x * 2)
        z = np.einsum("ii->i", x * 3)
        return np.sum(y * x) + np.sum(np.sin(z) * np.cos(x[0] * 2))

    x = np.random.default_rng(0).uniform(-1, 1, (4, 4))
    gradient = tg.compile(tg.grad(loss), backend=backend)
    np.testing.assert_allclose(gradient(x), tg.grad(loss)(x), rtol=1e-12)


# ---- what a graph has saved


@backends(None, "numpy", "llvm")
@pytest.mark.parametrize("view", [lambda x: x, lambda x: np.broadcast_to(x, (2, 3))])
def test_a_gradient_does_not_change_with_what_a_read_only_argument_shows(view, backend):
    f = lambda w, x: np.sum(w * x)
    f = f if backend is None else tg.compile(f, backend=backend)
    base = np.ones(3)
    x = view(base.view())
    x.flags.writeable = False
    w = Value(np.ones(x.shape))
    loss = f(w, x)
    base[:] = 9
    loss.backward()
    np.testing.assert_array_equal(w.grad, np.ones(x.shape))


@backends()
def test_a_graph_keeps_its_numbers_while_compiled_steps_go_on(backend):
    w, step = training(momentum=0.5)
    step = tg.compile(step, backend=backend)
    inner = tg.compile(lambda x: np.sum(np.sin(w) * x), backend=backend)
    for _ in range(3):
        losses = [inner(np.ones(3)), np.sum(np.sin(w))]
        expected = np.cos(w.numpy())
        step(np.ones(3))
        for loss in losses:
            w.grad = None
            loss.backward()
            np.testing.assert_allclose(w.grad, expected, rtol=1e-12)


@backends()
def test_what_a_users_primitive_keeps_stays_as_it_was(backend):
    kept = queue.SimpleQueue()  # a list would change outside the function while it is traced

    @tg.primitive(whole=True)
    def keep(x):
        kept.put(x)
        return x * 1.0

    keep.vjp(x=lambda g, out, x: g)

    def f(x):
        return np.sum(np.exp(keep(x * 2))) + np.sum(keep(x.T + 1))

    compiled = tg.compile(f, backend=backend)
    compiled(np.zeros((2, 2)))
    while not kept.empty():
        kept.get()
    for k in range(3):
        compiled(np.full((2, 2), float(k)))
    assert sorted(kept.get()[0, 0] for _ in range(6)) == [0, 1, 2, 2, 3, 4]


@backends()
def test_a_program_that_is_called_while_it_runs_keeps_its_memory(backend):
    depth = 0

    @tg.primitive(whole=True)
    def run_it_again(x):
        nonlocal depth
        if depth == 2:
            return x * 1.0
        depth += 1
        try:
            return f(x)
        finally:
            depth -= 1

    def f(x):
        y = np.tanh(x * 3) + 1
        return np.exp(y * 0.3) + plain(run_it_again(y * 1.5))

    eager, x = f, np.array([0.1, 0.2])
    expected = f(x)
    f = tg.compile(eager, backend=backend)
    for _ in range(2):
        np.testing.assert_allclose(f(x), expected, rtol=1e-12)


@backends()
def test_a_loop_inside_its_own_program_is_refused(backend):
    @tg.primitive(whole=True)
    def looped(x):
        return f.loop(x, steps=1)[0] if f._last else x * 1.0

    f = tg.compile(lambda x: looped(x * 2), backend=backend)
    with pytest.raises(GraphError, match=r"loop: must not be called while it runs"):
        f(np.ones(2))
