"""Weights that are kept, compared and put back, and a copy of a model at any weights."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.data import DataLoader
from tinygrad_lr.errors import ArgumentError
from tinygrad_lr.train import weight_history
from tinygrad_lr.train.model_copy import ModelCopy, flatten
from tinygrad_lr.train.weight_history import (
    ModelWeights,
    Rollback,
    WeightHistory,
    copy_optimizer_states,
    is_same,
    restore_optimizer_states,
)

X = np.random.default_rng(0).normal(size=(9, 2))
Y = X @ [[1.0], [2.0]]
NAN = float("nan")


def mlp(seed=0):
    return nn.MLP(2, [3], 1, "tanh", dtype=np.float64, generator=seed)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (3, 3, True),
        (3, 4, False),
        (True, False, False),
        ("a", "a", True),
        ("a", "b", False),
        (1.5, 1.5, True),
        (NAN, float("nan"), True),
        (NAN, 1.0, False),
        (1.0, NAN, False),
        (1.5, np.float64(1.5), True),
        (np.int64(3), np.int64(3), True),
        (np.int64(3), np.int64(4), False),
        (None, None, True),
        (None, 0, False),
        ([1, 2.0], [1, 2.0], True),
        ([1, 2.0], [1, 2.5], False),
        ([1], [1, 2], False),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": [1]}, {"a": [2]}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        (np.array([1.0, NAN]), np.array([1.0, NAN]), True),
        (np.array([1.0, NAN]), np.array([1.0, 2.0]), False),
        (np.ones(2), [1.0, 1.0], False),
        ([1.0], {"a": 1.0}, False),
        (len, len, True),
        (SimpleNamespace(), SimpleNamespace(), False),
        (SimpleNamespace(a=1), SimpleNamespace(a=1), False),
    ],
)
def test_states_are_the_same_if_their_numbers_and_objects_are(a, b, same):
    assert is_same(a, b) == is_same(b, a) == same


def test_a_copied_state_is_not_changed_by_a_step_and_comes_back():
    model = mlp()
    optimizer = optim.Adam(model.parameters(), 0.1)

    def step():
        optimizer.zero_grad()
        tg.losses.mse(model(X), Y).backward()
        optimizer.step()

    step()
    (state,) = copy_optimizer_states([optimizer])
    assert is_same([state], copy_optimizer_states([optimizer]))
    first = [{k: np.array(v) for k, v in s.items()} for s in optimizer.state]
    step()
    assert not is_same([state], copy_optimizer_states([optimizer]))
    restore_optimizer_states([optimizer], [state])
    assert optimizer.steps == 1
    for now, then in zip(optimizer.state, first, strict=True):
        assert all((np.asarray(now[k]) == then[k]).all() for k in then)


def test_what_holds_no_array_and_no_float_is_not_copied():
    class Group:
        def __init__(self):
            self.names, self.numbers, self.mixed = ["a"], [1.5], {"x": np.ones(2), "n": 1}
            self.other = object()

    group = Group()
    (state,) = copy_optimizer_states([group])
    assert state["names"] is group.names and state["other"] is group.other
    assert state["numbers"] is not group.numbers and state["numbers"] == [1.5]
    group.mixed["x"][:] = 5
    assert state["mixed"]["x"].tolist() == [1, 1] and state["mixed"]["n"] == 1


def test_a_rollback_takes_back_weights_gradients_random_numbers_and_the_position():
    generator = np.random.default_rng(1)
    model = nn.Sequential(nn.Linear(2, 1, dtype=np.float64), nn.Dropout(0.5, generator=generator))
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    loader = DataLoader(X, Y, batch_size=2, shuffle=True, generator=3)
    before = [x.data.copy() for x in model.parameters()]
    model.parameters()[0].grad = gradient = np.ones((2, 1))
    rollback = Rollback(model, model.parameters(), [optimizer], loader)
    seen = []
    for _ in range(2):
        batches = iter(loader)
        rows = [next(batches) for _ in range(3)]
        tg.losses.mse(model(rows[0][0]), rows[0][1]).backward()
        optimizer.step()
        seen.append([rows[i][0].tolist() for i in range(3)] + [model(X).numpy().tolist()])
        rollback.restore()
        assert all((x.data == old).all() for x, old in zip(model.parameters(), before, strict=True))
        assert (model.parameters()[0].grad == gradient).all() and optimizer.steps == 0
        assert model.parameters()[1].grad is None
    assert seen[0] == seen[1]


def test_weights_and_buffers_come_back_in_place():
    model = nn.Sequential(nn.Linear(2, 3, dtype=np.float64), nn.BatchNorm1d(3, dtype=np.float64))
    weights, before = ModelWeights(model, model.parameters()), model.state_dict()
    held = model.layers[0].weight.data
    saved = weights.copy()
    model(X)
    for parameter in model.parameters():
        parameter.data += 1
    after = model.state_dict()
    assert all((after[name] != array).any() for name, array in before.items())
    weights.restore(saved)
    assert all((x == before[name]).all() for name, x in model.state_dict().items())
    assert model.layers[0].weight.data is held
    saved[-1][...] = 99
    assert (model.state_dict()[list(before)[-1]] != 99).all()


# ---- the weights of earlier steps


@pytest.mark.parametrize(("most", "capacity"), [(10**6, 400), (13 * 20, 20), (13 * 2, 2), (1, 2)])
def test_the_kept_steps_are_few_and_the_later_ones_evenly_far_apart(monkeypatch, most, capacity):
    monkeypatch.setattr(weight_history, "MAX_NUMBERS", most)
    model = mlp()
    assert sum(x.size for x in model.parameters()) == 13
    history = WeightHistory(model)
    assert (history.capacity, history.dense) == (capacity, capacity // 4)
    for step in range(1000):
        model.layers[0].weight.data[0, 0] = step
        history.add(step)
        assert len(history.steps) <= capacity
        assert history.steps_at(step + 1) == (history.steps, history.stride)
    stride, often = history.stride, history.in_each_doubling
    assert often == (8 if capacity == 400 else 0)
    between = [
        s for s in range(1000) if often and s % max(2 ** int(math.log2(s or 1)) // 8, 1) == 0
    ]
    expected = {*range(history.dense), *range(0, 1000, stride), *between}
    assert history.steps == sorted(expected)
    assert history.stride == max(2 ** math.ceil(math.log2(1000 / capacity)), 2)
    stacked = history.stack(999)
    assert stacked["layers.0.weight"][:, 0, 0].tolist() == history.steps
    assert history.steps[-1] == 999 and len(stacked["layers.2.bias"]) == len(history.steps)


@pytest.mark.parametrize("count", [401, 3000, 10**5, 10**6, 2**22 + 5])
def test_moments_of_a_long_run_are_spread_over_its_beginning_and_its_end(count):
    history = WeightHistory(nn.Linear(1, 1, dtype=np.float64))
    steps, stride = history.steps_at(count)
    kept = np.array(steps)
    assert len(steps) <= 400 and steps[:100] == list(range(100))
    for k in np.geomspace(100, count // 2, 50).astype(int):
        assert ((kept > k) & (kept <= 2 * k)).sum() >= 8
    late = kept[kept > count // 2]
    assert np.diff(late).max() <= stride and len(late) > 20 and count / stride > 40


def test_given_weights_are_kept_in_place_of_the_models():
    line = nn.Linear(2, 1, dtype=np.float64)
    history = WeightHistory(line)
    history.add(0, [np.full((2, 1), 7.0), np.full(1, 8.0)])
    assert history.stack(0)["bias"].tolist() == [[8.0]]
    assert history.stack(0)["weight"].tolist() == [[[7.0], [7.0]]]


def test_a_history_of_weights_continues_where_it_was():
    model, line = mlp(), mlp(1)
    histories = [WeightHistory(model), WeightHistory(line)]
    assert set(histories[0].state_dict()) == {"steps", "stride"}
    histories[1].load_state_dict(histories[0].state_dict())
    for step in range(500):
        histories[0].add(step)
    histories[1].load_state_dict(histories[0].state_dict())
    assert histories[1].steps == histories[0].steps and histories[1].stride == 2
    a, b = (history.stack(500) for history in histories)
    for name in a:
        assert (a[name][:-1] == b[name][:-1]).all()
        assert (b[name][-1] == line.state_dict()[name]).all()


# ---- a copy at any weights


def test_a_copy_predicts_at_other_weights_in_its_dtype(monkeypatch):
    monkeypatch.setattr("tinygrad_lr.train.model_copy.MAX_BATCH_ROWS", 4)
    model = nn.MLP(2, [3], 1, "tanh", dtype=np.float32, generator=0)
    twin, wide = ModelCopy(model), ModelCopy(model, np.float64)
    assert (twin.dtype, wide.dtype) == (np.float32, np.float64)
    other = nn.MLP(2, [3], 1, "tanh", dtype=np.float32, generator=5).state_dict()
    w, b, v, c = other.values()
    expected = np.tanh(X @ w + b) @ v + c
    assert wide.put(other).predict(X) == pytest.approx(expected, rel=1e-6)
    found = twin.put(other).predict(X)
    assert found.dtype == np.float32 and found == pytest.approx(expected, rel=1e-5)
    twin.put({"layers.0.bias": b})
    kept = model.state_dict()["layers.0.weight"]
    assert (twin.model.state_dict()["layers.0.weight"] == kept).all()
    assert wide.predict(np.zeros((0, 2))).shape == (0, 1)
    assert not twin.model.training and model.training


def test_rows_and_targets_are_those_of_fit():
    twin = ModelCopy(nn.Linear(1, 1, dtype=np.float32))
    assert twin.as_inputs([1, 2]).shape == (2, 1) and twin.as_inputs([1, 2]).dtype == np.float32
    assert twin.as_targets([1, 2]).dtype.kind == "i" and twin.as_targets([0.5]).dtype == np.float32
    words = ModelCopy(nn.Sequential(nn.Embedding(5, 2), nn.Linear(2, 1)))
    assert words.as_inputs([1, 2]).dtype.kind == "i" and words.as_inputs([1, 2]).shape == (2,)
    assert words.as_inputs([0.5]).dtype == words.dtype


def test_a_loss_at_weights_has_its_gradient_and_outputs():
    model = mlp()
    loss_at = ModelCopy(model).on(X, Y[:, 0], tg.losses.mse)
    weights = mlp(3).state_dict()
    twin = loss_at.twin
    flat = twin.flatten(weights)
    assert flat.tolist() == np.concatenate([x.ravel() for x in weights.values()]).tolist()
    back = twin.unflatten(flat)
    assert all(
        (back[name] == x).all() and x.shape == back[name].shape for name, x in weights.items()
    )
    w, b, v, c = weights.values()
    outputs = np.tanh(X @ w + b) @ v + c
    assert loss_at.outputs(weights) == pytest.approx(outputs)
    assert loss_at(weights) == pytest.approx(np.mean((outputs - Y) ** 2))
    for _ in range(2):
        loss, gradient = loss_at.gradient(weights)
    assert loss == pytest.approx(loss_at(weights)) and loss_at.record(weights).requires_grad
    for i in range(len(flat)):
        step = np.zeros(len(flat))
        step[i] = 1e-6
        ends = [loss_at(twin.unflatten(flat + sign * step)) for sign in (1, -1)]
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)
    records = {name: np.stack([x, 2 * x]) for name, x in weights.items()}
    assert (twin.flatten_records(records) == np.stack([flat, 2 * flat])).all()
    assert flatten([np.ones(2, np.float32), np.float64(3)]).tolist() == [1, 1, 3]
    with pytest.raises(ArgumentError, match=r"loss must be a function .*got 'mse'"):
        twin.on(X, Y, "mse")


def test_a_weight_that_the_loss_does_not_reach_has_gradient_zero_and_a_line_its_limit():
    class Partly(nn.Module):
        def __init__(self):
            self.used = nn.Linear(2, 1, dtype=np.float64, generator=0)
            self.unused = nn.Linear(2, 1, dtype=np.float64, generator=0)

        def forward(self, x):
            return self.used(x)

    model = Partly()
    loss_at = ModelCopy(model).on(X, Y, tg.losses.mse)
    gradient = loss_at.gradient(model.state_dict())[1]
    assert gradient[:3].all() and not gradient[3:].any()
    d = np.column_stack([np.ones(9), X])
    limit = 2 / np.linalg.eigvalsh(2 * d.T @ d / 9)[-1]
    assert loss_at.largest_stable_rate(model.state_dict()) == pytest.approx(limit, rel=1e-6)
