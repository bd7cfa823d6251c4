"""Compiled steps between eager code: loops, epochs, kept gradients, and changes from outside."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from programs import assert_equal, backends
from test_compile_training import (
    CLASSES,
    LAYERS,
    ROWS,
    Training,
    assert_trained_alike,
    network,
    part,
)

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn, optim, schedules
from tinygrad_lr.errors import TraceError

# ---- many steps in compiled code


@backends()
@pytest.mark.parametrize("rate", [0.1, schedules.Cosine(0.1, steps=6)], ids=["number", "schedule"])
def test_a_loop_is_so_many_calls(rate, backend):
    dropping, x = LAYERS["dropout"]
    make = lambda: Training(dropping, x=x, optimizer=part(optim.NAdam, learning_rate=rate))
    eager, twin = make(), make()
    step = twin.compiled(backend)
    found = [step.loop(twin.x, twin.y, steps=n) for n in (3, 1, 2)]
    expected = [eager.step(eager.x, eager.y).data for _ in range(6)]
    assert_equal(np.concatenate(found), np.array(expected), backend)
    assert_equal(twin.kept(), eager.kept(), backend)
    assert (twin.optimizer.steps, twin.optimizer.rate) == (6, eager.optimizer.rate)


@pytest.mark.slow
@backends()
@pytest.mark.parametrize("batch_size", [1, 2, 4, 6])
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"drop_last": True}], ids=str)
def test_epochs_are_those_of_a_loader_with_the_same_generator(batch_size, options, backend):
    eager, twin = Training(network), Training(network)
    step = twin.compiled(backend)
    options = {"batch_size": batch_size, "generator": 3, **options}
    found = step.epochs(twin.x, twin.y, epochs=3, **options)
    loader = tg.data.DataLoader(eager.x, eager.y, **{"shuffle": True, **options})
    expected = [eager.step(x, y).data for _ in range(3) for x, y in loader]
    assert_equal(found, np.array(expected), backend)
    assert_equal(twin.kept(), eager.kept(), backend)


# ---- gradients that are kept


def accumulating(model, optimizer):
    def part_of_a_step(x, y):
        loss = losses.mse(model(x), y)
        loss.backward()
        return loss

    return part_of_a_step


@backends()
def test_gradients_add_up_over_calls_that_do_not_forget_them(backend):
    eager, twin = Training(network), Training(network)
    collect = tg.compile(accumulating(twin.model, twin.optimizer), backend=backend)
    for training, add in ((eager, accumulating(eager.model, None)), (twin, collect)):
        for half in (slice(3), slice(3, 6), slice(3)):
            add(training.x[half], training.y[half])
    gradients = [[x.grad for x in t.model.parameters()] for t in (twin, eager)]
    assert_equal(*gradients, backend)
    twin.optimizer.step(), eager.optimizer.step()
    assert_equal(twin.kept(), eager.kept(), backend)


@backends()
def test_the_gradient_of_a_value_that_a_step_does_not_move_is_left_in_it(backend):
    scale = [tg.Value(np.full(5, 0.7)), tg.Value(np.full(5, 0.7))]

    def training(own):
        made = Training(lambda dtype: nn.MLP(5, [4], 3, "tanh", dtype=dtype, generator=0))
        made.loss = lambda prediction, y: losses.mse(prediction, y) + (own**2).sum()
        return made

    eager, twin = map(training, scale)
    step = twin.compiled(backend)
    for _ in range(3):
        step(twin.x, twin.y), eager.step(eager.x, eager.y)
        assert_equal(scale[1].grad, scale[0].grad, backend)


@backends()
def test_a_parameter_without_a_gradient_and_a_frozen_one_stay(backend):
    class Partly(nn.Module):
        def __init__(self, dtype):
            self.used = nn.Linear(5, 3, dtype=dtype, generator=0)
            self.unused = nn.Linear(5, 3, dtype=dtype, generator=1)
            self.used.bias.requires_grad = False

        def forward(self, x):
            return self.used(x)

    adam = part(optim.Adam, learning_rate=0.1)
    _, twin = assert_trained_alike(lambda: Training(Partly, optimizer=adam), backend)
    assert twin.model.used.bias.grad is None and twin.model.unused.weight.grad is None


# ---- what happens between the calls


CHANGES = {
    "load_state_dict": lambda t: t.model.load_state_dict(
        {k: x * 0.5 for k, x in t.model.state_dict().items()}
    ),
    "data assigned": lambda t: setattr(t.model.layers[0].weight, "data", np.full((5, 8), 0.1)),
    "data in place": lambda t: t.model.layers[0].weight.data.fill(0.1),
    "an entry": lambda t: t.model.layers[0].weight.data.__setitem__((0, 0), 3.0),
    "optimizer restart": lambda t: t.optimizer.restart(),
    "optimizer state": lambda t: t.optimizer.load_state_dict(t.optimizer.state_dict()),
    "learning rate": lambda t: setattr(t.optimizer, "learning_rate", 0.01),
    "schedule": lambda t: setattr(t.optimizer, "learning_rate", lambda step: 0.3 / (1 + step)),
    "momentum": lambda t: setattr(t.optimizer, "momentum", 0.5),
    "weight decay": lambda t: setattr(t.optimizer, "weight_decay", 0.3),
    "frozen": lambda t: setattr(t.model.layers[0].weight, "requires_grad", False),
    "eager step": lambda t: t.step(t.x, t.y),
}


@pytest.mark.slow
@backends()
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_between_the_calls_is_seen(change, backend):
    momentum = part(optim.SGD, learning_rate=0.1, momentum=0.9)
    eager, twin = (Training(network, optimizer=momentum) for _ in range(2))
    step = twin.compiled(backend)
    for number in range(5):
        assert_equal(step(twin.x, twin.y), eager.step(eager.x, eager.y), backend)
        if number in (0, 2):
            change(eager), change(twin)
    assert_equal(twin.kept(), eager.kept(), backend)


@backends()
def test_another_graph_keeps_the_numbers_that_it_recorded(backend):
    twin = Training(network)
    first = twin.model.layers[0].weight
    recorded = (first * first).sum()
    before = np.array(first.data)
    step = twin.compiled(backend)
    step(twin.x, twin.y)
    later = (first * first).sum()
    middle = np.array(first.data)
    step(twin.x, twin.y), step(twin.x, twin.y)
    recorded.backward()
    np.testing.assert_array_equal(first.grad, 2 * before)
    first.grad = None
    later.backward()
    np.testing.assert_array_equal(first.grad, 2 * middle)


@backends()
def test_a_held_data_array_is_the_parameter_and_a_saved_state_is_a_copy(backend):
    twin = Training(network)
    held, saved = twin.model.layers[0].weight.data, twin.model.state_dict()
    start = np.array(held)
    twin.compiled(backend)(twin.x, twin.y)
    assert held is twin.model.layers[0].weight.data and not np.array_equal(held, start)
    np.testing.assert_array_equal(saved["layers.0.weight"], start)


# ---- L-BFGS


@backends()
def test_lbfgs_calls_a_compiled_closure(backend):
    made = [network(dtype=np.float64) for _ in range(2)]
    found = []
    for model, wrap in zip(made, (lambda f: f, part(tg.compile, backend=backend)), strict=True):
        optimizer = optim.LBFGS(model.parameters(), max_iter=5)

        def closure(model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = losses.mse(model(ROWS), CLASSES)
            loss.backward()
            return loss

        wrapped = wrap(closure)
        found.append([float(optimizer.step(wrapped)) for _ in range(2)])
    assert found[1] == pytest.approx(found[0], rel=1e-6) and found[1][1] < found[1][0]


def test_lbfgs_within_a_compiled_step_is_refused_in_a_sentence():
    model = network(dtype=np.float64)
    optimizer = optim.LBFGS(model.parameters())

    @tg.compile(backend="numpy")
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = losses.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    before = model.state_dict()
    with pytest.raises(TraceError, match="compile"):
        step(ROWS, CLASSES)
    assert_equal(model.state_dict(), before, "numpy")


# ---- states that are read where they are written

OTHER = np.random.default_rng(1).normal(size=(9, 9))
UPDATES = {
    "same": lambda v, w: (v, w),
    "swapped": lambda v, w: (w, v),
    "swapped and scaled": lambda v, w: (w * 0.5, v + 1),
    "both from both": lambda v, w: (v - 0.1 * w, w + 0.1 * v),
    "transposed": lambda v, w: (v.T * 0.5 + 1, np.transpose(w)),
    "transposed and added": lambda v, w: (v + 0.5 * v.T, w - w.T),
    "reversed": lambda v, w: (v[::-1], w[:, ::-1] * 2),
    "shifted": lambda v, w: (np.concatenate([v[1:], v[:1]]), np.roll(w, 2, axis=1)),
    "a row to all": lambda v, w: (np.broadcast_to(v[0], v.shape), w - w[:, :1]),
    "a product": lambda v, w: (v @ v / 9, w.T @ w / 9),
    "a product with itself last": lambda v, w: (v + OTHER @ v / 9, w - 0.1 * (OTHER @ w.T).T),
    "a product of both": lambda v, w: (v - v @ w / 9, w - w @ v / 9),
    "a square product transposed": lambda v, w: ((v @ OTHER).T / 9, (OTHER.T @ w).T / 9),
    "sums": lambda v, w: (v - v.sum(axis=1, keepdims=True) / 9, w - w.mean(axis=0)),
    "a sum of all": lambda v, w: (v - v.mean(), w / (1 + np.abs(v).max())),
    "softmax": lambda v, w: (tg.softmax(v, axis=-1), tg.softmax(w, axis=0)),
    "gathered": lambda v, w: (v[np.arange(9)[::-1]], w[:, np.arange(9) // 2]),
    "reshaped": lambda v, w: (
        np.reshape(v.T, 81).reshape(9, 9),
        np.reshape(w, -1)[::-1].reshape(9, 9),
    ),
    "fixed": lambda v, w: (OTHER, OTHER.T * 1.0),
}


@pytest.mark.slow
@backends()
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_new_numbers_are_made_of_the_old_ones_however_they_are_read(update, dtype, backend):
    def make(wrap=lambda f: f):
        v, w = (
            tg.Value(np.random.default_rng(k).normal(size=(9, 9)).astype(dtype)) for k in (2, 3)
        )

        def step(scale):
            before = v.data * scale
            v.data, w.data = update(v.data, w.data)
            return before, v.data.sum(), w.data.T * scale

        return v, w, wrap(step)

    eager, called, looped = (
        make(),
        make(tg.compile(backend=backend)),
        make(tg.compile(backend=backend)),
    )
    close = {"rtol": 1e-10, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-4}
    expected = [eager[2](2.0) for _ in range(4)]
    assert_equal([called[2](2.0) for _ in range(4)], expected, backend, close)
    found = looped[2].loop(2.0, steps=4)
    assert_equal(found, tuple(map(np.stack, zip(*expected, strict=True))), backend, close)
    for other in (called, looped):
        assert_equal(other[:2], eager[:2], backend, close)


# ---- structures of arguments and results


@backends()
@pytest.mark.parametrize("drop_last", [True, False])
def test_epochs_keep_the_structure_of_arguments_and_results(drop_last, backend):
    def f(batch, weights):
        rows, (more,) = batch["rows"], batch["more"]
        return {"sum": (rows * weights).sum(), "parts": [more.mean(), (rows[0], "name")]}

    rows, more, weights = np.arange(14.0).reshape(7, 2), np.arange(7) ** 2, np.ones((7, 1))
    compiled = tg.compile(f, backend=backend)
    options = {"batch_size": 3, "shuffle": True, "drop_last": drop_last, "generator": 4}
    found = compiled.epochs({"rows": rows, "more": (more,)}, weights, epochs=2, **options)
    loader = tg.data.DataLoader(rows, more, weights, **options)
    steps = [
        f({"rows": rows, "more": (more,)}, weights)
        for _ in range(2)
        for rows, more, weights in loader
    ]
    assert found["parts"][1][1] == "name"
    assert_equal(found["sum"], np.stack([x["sum"] for x in steps]), backend)
    assert_equal(found["parts"][0], np.stack([x["parts"][0] for x in steps]), backend)
    assert_equal(found["parts"][1][0], np.stack([x["parts"][1][0] for x in steps]), backend)
    none = compiled.epochs({"rows": rows, "more": (more,)}, weights, epochs=0, batch_size=3)
    assert none["sum"].shape == (0,) and none["parts"][1][0].shape == (0, 2)


@backends()
def test_epochs_of_a_function_that_returns_nothing_return_none(backend):
    w = Value(0.0)

    @tg.compile(backend=backend)
    def step(x):
        w.data = w.data + x.sum()

    assert step.epochs(np.ones(5), batch_size=2, epochs=2) is None
    assert w.data == 10.0


@backends()
def test_an_argument_may_be_an_array_first_and_none_later(backend):
    compiled = tg.compile(lambda x, m: x * 2 if m is None else x * m, backend=backend)
    x = np.arange(3.0)
    for m in (x, x, None, x, None, None, x + 1, x, None):
        assert_equal(compiled(x, m), x * 2 if m is None else x * m, backend)


@backends()
def test_a_gradient_that_was_read_is_not_changed_by_later_steps(backend):
    w = Value(np.arange(3.0))

    @tg.compile(backend=backend)
    def accumulate(x):
        (w * w * x).sum().backward()

    read = []
    for scale in (1.0, 2.0, 3.0, 4.0):
        accumulate(np.full(3, scale))
        read.append(w.grad)
    expected = [2 * w.data * total for total in (1.0, 3.0, 6.0, 10.0)]
    assert_equal(read, expected, backend)


# ---- draws


@backends()
@pytest.mark.parametrize("width", [(), (3,)])
def test_a_call_that_needs_another_program_draws_once(width, backend):
    def run(wrap):
        random, w = np.random.default_rng(0), Value(np.ones(3))
        options = {"size": width} if width else {}
        f = wrap(lambda x: (w.data * x * random.normal(**options)).sum())
        results = [f(np.ones((rows, 3))) for rows in (1, 1, 1, 2, 1, 2, 2, 1, 1)]
        w.data = w.data * 2  # another array
        results.append(f(np.ones((1, 3))))
        w.data[...] = 3.0
        return [*results, f(np.ones((1, 3))), random.random()]

    assert_equal(run(tg.compile(backend=backend)), run(lambda f: f), backend)


@backends()
def test_a_number_that_becomes_a_schedule_does_not_cost_a_draw(backend):
    def run(wrap):
        model = nn.Sequential(
            nn.Linear(3, 3, dtype=np.float64, generator=0), nn.Dropout(0.5, generator=1)
        )
        optimizer, results = optim.SGD(model.parameters(), 0.1), []

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        for rate in (None, None, 0.05, None, schedules.Cosine(0.1, steps=6), None):
            optimizer.learning_rate = optimizer.learning_rate if rate is None else rate
            results.append(step(np.ones((4, 3))))
        return [*results, model.layers[1].generator.random()]

    assert_equal(
        run(tg.compile(backend=backend)), run(lambda f: f), backend, {"rtol": 1e-10, "atol": 0}
    )


# ---- arrays that are passed to a program once


@backends()
def test_an_array_that_is_bound_again_is_passed_again(backend):
    contiguous = np.arange(9.0).reshape(3, 3)
    other, x = (contiguous + 100).T, np.ones((3, 3))
    array = contiguous
    f = tg.compile(lambda x: (x * array).sum(), backend=backend)
    for i in (0, 0, 1, 0, 0, 1, 1, 0):
        array = (contiguous, other)[i]
        assert f(x) == array.sum()


@backends()
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("place", ["argument", "closure"])
def test_a_part_of_an_updated_array_is_passed_at_each_step(place, whole, backend):
    w = Value(np.arange(4.0))
    part = w.data if whole else w.data[:2]

    @tg.compile(backend=backend)
    def step(x):
        before = np.sum(part if place == "closure" else x)
        w.data *= 0.5  # in place, as in eager code
        return before

    for k in range(5):
        expected = part.sum()
        assert step(part) == expected > 0
        assert part.sum() == expected * 0.5, k
    expected = part.sum() * 0.5 ** np.arange(3)
    assert_equal(step.loop(part, steps=3), expected, backend)


@backends()
def test_an_array_that_the_user_puts_into_a_module_is_not_written_to(backend):
    def run(wrap):
        layer, x = nn.BatchNorm1d(3, dtype=np.float64), np.arange(12.0).reshape(4, 3) ** 2
        f, mine, results = wrap(lambda x: layer(x)), np.ones(3), []
        for _ in range(2):
            layer.running_mean = mine
            results += [f(x), f(x), np.array(layer.running_mean)]
        return [*results, mine]

    assert_equal(
        run(tg.compile(backend=backend)), run(lambda f: f), backend, {"rtol": 1e-10, "atol": 1e-12}
    )


@backends()
def test_arrays_of_a_tuple_in_a_list_are_updated(backend):
    class Cell(nn.Module):
        def __init__(self):
            self.state = [(np.zeros(3), np.ones(3))]

        def forward(self, x):
            h, c = self.state[0]
            self.state[0] = (h + 1, c * 2)
            return x * h + c

    def run(wrap):
        cell = Cell()
        f = wrap(lambda x: cell(x))
        return [*(f(np.arange(3.0)) for _ in range(4)), *cell.state[0]]

    assert_equal(run(tg.compile(backend=backend)), run(lambda f: f), backend)


CHANGED_ATTRIBUTES = {  # what it is, what the function does, whether a compiled one can
    "an entry": ([np.zeros(2)], lambda m, x: m.held.__setitem__(0, x), True),
    "all entries": ([np.zeros(2)], lambda m, x: setattr(m, "held", [x]), True),
    "the order": ([np.zeros(2), np.ones(2)], lambda m, x: m.held.reverse(), True),
    "a tuple's entry": ((np.zeros(2), 1), lambda m, x: setattr(m, "held", (x, 1)), True),
    "beside a constant": ([1, np.zeros(2)], lambda m, x: setattr(m, "held", [1, x]), True),
    "an entry of a dict": ({"a": np.zeros(2)}, lambda m, x: m.held.update(a=x), True),
    "a new entry": ({"a": np.zeros(2)}, lambda m, x: m.held.update(b=x), True),
    "to itself": ([1, 2], lambda m, x: setattr(m, "held", m.held), True),
    "to its like": ((1, "a"), lambda m, x: setattr(m, "held", (1, "a")), True),
    "a longer list": ([np.zeros(2)], lambda m, x: m.held.append(x), False),
    "a shorter list": ([np.zeros(2), np.ones(2)], lambda m, x: m.held.pop(), False),
    "an entry less": ({"a": np.zeros(2)}, lambda m, x: m.held.clear(), False),
    "a constant": ((1, 2), lambda m, x: setattr(m, "held", (1, 3)), False),
    "a number": ([1, np.zeros(2)], lambda m, x: setattr(m, "held", [2, x]), False),
    "a new number": ({"a": np.zeros(2)}, lambda m, x: m.held.update(b=1), False),
    "list to tuple": ([np.zeros(2)], lambda m, x: setattr(m, "held", (x,)), False),
    "None to list": (None, lambda m, x: setattr(m, "held", [x]), False),
    "None to dict": (None, lambda m, x: setattr(m, "held", {}), False),
    "a Value": ([np.zeros(2)], lambda m, x: setattr(m, "held", Value(1.0)), False),
}


@backends()
@pytest.mark.parametrize("case", CHANGED_ATTRIBUTES)
def test_an_attribute_changes_as_in_eager_code_or_the_change_is_refused(case, backend):
    start, change, possible = CHANGED_ATTRIBUTES[case]

    class Holder(nn.Module):
        def __init__(self):
            self.held = copy.deepcopy(start)

        def forward(self, x):
            change(self, x)
            return x * 2

    def run(wrap):
        holder = Holder()
        f = wrap(lambda x: holder(x))
        results = [f(np.arange(2.0) + k) for k in range(3)]
        return results, holder.held

    if possible:
        np.testing.assert_equal(run(tg.compile(backend=backend)), run(lambda f: f))
    else:
        with pytest.raises(TraceError, match="the function must not set Holder"):
            run(tg.compile(backend=backend))


# ---- steps that change what the next step rests on


def new_steps(x):
    """Steps with a state of their own, by name, and what they leave behind."""
    w = Value(np.ones(3))
    optimizer = tg.optim.SGD([w], 0.1)
    average = tg.optim.ExponentialMovingAverage([w], 0.9)

    def train():
        loss = np.sum((x * w) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data * 1

    def accumulate():
        loss = np.sum((x * w) ** 2)
        loss.backward()
        return loss.data + w.grad.sum()

    def average_too():
        loss = train()
        average.update()
        return loss

    steps = {
        "a count that is compared": lambda: train() * (2 if optimizer.steps > 2 else 1),
        "a count that is a factor": lambda: train() * optimizer.steps,
        "a count before the step": lambda: (1 + optimizer.steps % 2) * train(),
        "a count by text": lambda: getattr(optimizer, "steps") * train(),  # noqa: B009
        "a count in a dict": lambda: train() * vars(optimizer)["steps"],
        "gradients that add up": accumulate,
        "a gradient that is there or not": lambda: accumulate() * (1 if w.grad is None else 2),
        "an average that begins": average_too,
    }
    return steps, lambda: [w.data, *average.state_dict().values()]


@pytest.mark.filterwarnings("ignore::tinygrad_lr.errors.CompileWarning")
@pytest.mark.parametrize("name", new_steps(np.ones(3))[0])
@backends("numpy", "llvm")
def test_a_loop_sees_what_its_own_steps_change(name, backend):
    x = np.array([0.1, 0.5, 1.0])
    steps, state = new_steps(x)
    expected = [steps[name]() for _ in range(6)]
    left = state()
    for run in (
        lambda f: f.loop(steps=6),
        lambda f: np.array([f() for _ in range(6)]),
        lambda f: np.concatenate([f.loop(steps=4), f.loop(steps=2)]),
    ):
        steps, state = new_steps(x)
        np.testing.assert_allclose(run(tg.compile(steps[name], backend=backend)), expected, 1e-12)
        for found, other in zip(state(), left, strict=True):
            np.testing.assert_allclose(found, other, rtol=1e-12)


def new_data():
    """Functions that read and write the data of Values outside, by name, and these Values."""
    w, n = Value(np.ones(3)), Value(np.ones(3), requires_grad=False)
    optimizer = tg.optim.SGD([w], 0.1)

    def train(x):
        optimizer.zero_grad()
        np.sum(w * x).backward()
        optimizer.step()

    def in_place(x):
        n.data *= 2
        n.data -= x
        return n.data

    def assigned(x):
        data = n.data
        data[0] = x[1]
        n.data = data
        return n.data * 2

    def replaced(x):
        before = n.data
        n.data = n.data + x
        return before + n.data

    def copied(x):
        before = w.data.copy()
        train(x)
        return w.data - before

    def held(x):
        before = w.data
        train(x)
        return before

    def held_in_a_view(x):
        before = n.data[1:]
        n.data += 1
        return before * x[1:]

    def by_index(x):
        n.data[0] = x[1]
        return n.data

    def of_a_part(x):
        n.data[1:] += x[1:]
        return n.data

    def sorted_in_place(x):
        n.data.sort()
        return n.data * x

    def out(x):
        return np.add(n.data, x, out=n.data)

    def after_it_was_assigned(x):
        data = n.data
        data += x
        n.data = data
        data *= 2
        return n.data

    def made_inside(x):
        v = Value(x)
        v.data[0] = 9.0
        return v.data

    right = [in_place, assigned, replaced, copied]
    refused = [held, held_in_a_view, by_index, of_a_part, sorted_in_place, out]
    refused += [after_it_was_assigned, made_inside]
    return {f.__name__: f for f in right}, {f.__name__: f for f in refused}, (w, n)


@pytest.mark.parametrize("name", new_data()[0])
@backends("numpy", "llvm")
def test_data_of_values_is_updated_as_in_eager_code(name, backend):
    x = np.array([3.0, 1.0, 2.0])
    (eager, _, left), (functions, _, values) = new_data(), new_data()
    f = tg.compile(functions[name], backend=backend)
    for _ in range(3):
        expected = np.array(eager[name](x))
        np.testing.assert_allclose(f(x), expected, rtol=1e-12)
        for found, other in zip(values, left, strict=True):
            np.testing.assert_allclose(found.data, other.data, rtol=1e-12)


@pytest.mark.parametrize("name", new_data()[1])
def test_data_whose_write_would_be_lost_or_whose_update_unseen_is_refused(name):
    f = tg.compile(new_data()[1][name], backend="numpy")
    with pytest.raises(
        TraceError, match=r"line \d+, in .*the data of a Value is (read after|writ)"
    ):
        f(np.array([3.0, 1.0, 2.0]))


class Twice(nn.Module):
    """A layer with two attributes in one memory."""

    def __init__(self, second):
        super().__init__()
        self.first = np.zeros(4)
        self.second = second(self.first)

    def forward(self, x):
        self.first[1:] += 1.0
        return x * self.second[:3]


@pytest.mark.parametrize("second", [lambda a: a, lambda a: a[1:], lambda a: a[::-1]])
def test_state_under_two_names_of_one_memory_is_refused(second):
    layer, x = Twice(second), np.ones(3)
    with pytest.raises(
        TraceError, match=r"line \d+, in forward: .* share memory, and the function"
    ):
        tg.compile(layer, backend="numpy")(x)
    layer, twin = Twice(np.copy), Twice(np.copy)
    np.testing.assert_array_equal(tg.compile(layer, backend="numpy")(x), twin(x))
    np.testing.assert_array_equal(layer.first, twin.first)


def test_a_loop_whose_steps_return_different_constants_is_refused():
    w = Value(np.ones(3))
    optimizer = tg.optim.SGD([w], 0.1)

    def step(x):
        optimizer.zero_grad()
        np.sum(w * x).backward()
        optimizer.step()
        return x, optimizer.steps

    f = tg.compile(step, backend="numpy")
    assert [f(np.ones(3))[1] for _ in range(3)] == [1, 2, 3]
    with pytest.raises(TraceError, match="in a loop the function must return the same numbers"):
        f.loop(np.ones(3), steps=2)
