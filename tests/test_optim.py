"""Optimisers: SGD follows its rule (PyTorch's), validates, keeps state, and spoils no graph."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import losses, nn
from tinygrad_lr.errors import ArgumentError, DtypeError
from tinygrad_lr.optim import SGD, Optimizer, restore, snapshot

KINDS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "decay": {"weight_decay": 0.1},
    "all": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
}
every_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


def data(dtype=np.float64):
    random = np.random.default_rng(0)
    x = random.normal(size=(20, 3)).astype(dtype)
    return x, np.sin(x.sum(axis=1, keepdims=True))


def descend(model, optimizer, steps, x, y):
    for _ in range(steps):
        optimizer.zero_grad()
        losses.mse(model(x), y).backward()
        optimizer.step()
    return model.state_dict()


def model_of(dtype=np.float64):
    return nn.MLP(3, [4], 1, "tanh", dtype=dtype, generator=0)


def same(a, b):
    return all((a[name] == b[name]).all() for name in a)


def test_a_step_is_the_weight_minus_rate_times_gradient():
    w = tg.Value([1.0, -2.0])
    w.grad = [0.5, 0.25]
    SGD([w], learning_rate=0.1).step()
    assert w.tolist() == [1.0 - 0.1 * 0.5, -2.0 - 0.1 * 0.25]


@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0), np.ones((2, 3), np.float32)])
@every_kind
def test_kind_shape_and_dtype_of_the_data_are_kept(number, options):
    w = tg.Value(number)
    optimizer = SGD([w], 0.1, **options)
    for _ in range(3):
        w.grad = np.float64(1.0) * np.ones(w.shape)
        optimizer.step()
    assert type(w.data) is type(number) and w.dtype == getattr(number, "dtype", np.float64)


@every_kind
def test_a_parameter_without_a_gradient_is_skipped(options):
    used, unused = tg.Value(1.0), tg.Value(1.0)
    used.grad = 1.0
    SGD([used, unused], 0.1, **options).step()
    assert used.data != 1.0 and unused.data == 1.0


@every_kind
def test_a_live_graph_keeps_its_numbers_through_a_step(options):
    w, x = tg.Value([2.0]), tg.Value([3.0])
    loss = (w * x).sum()
    w.grad = [1.0]
    SGD([w], 0.5, **options).step()
    loss.backward()
    assert x.grad.tolist() == [2.0]


def test_an_array_that_the_user_holds_follows_the_weights():
    w = tg.Value([2.0])
    held = w.data
    w.grad = [1.0]
    SGD([w], 0.5).step()
    assert held.tolist() == [1.5] and held is w.data


@every_kind
def test_gradients_and_old_weights_are_left_alone(options):
    w = tg.Value([2.0])
    w.grad = [1.0]
    before, gradient = snapshot([w]), w.grad
    optimizer = SGD([w], 0.5, **options)
    for _ in range(3):
        optimizer.step()
    assert gradient.tolist() == [1.0] and before[0].tolist() == [2.0]
    restore([w], before)
    assert w.tolist() == [2.0]


def test_the_learning_rate_may_be_a_function_of_the_step():
    w = tg.Value(0.0)
    optimizer = SGD([w], lambda step: np.float64(1) / (step + 1))
    for expected in (-1.0, -1.5):
        w.grad = 1.0
        optimizer.step()
        assert w.data == expected
    assert optimizer.steps == 2 and optimizer.rate == 0.5


def test_a_rate_from_a_function_does_not_widen_the_weights():
    w = tg.Value(np.ones(2, np.float32))
    w.grad = [1.0, 1.0]
    SGD([w], lambda step: np.float64(0.1)).step()
    assert w.dtype == np.float32


def test_a_function_that_returns_no_rate_is_refused_and_nothing_moves():
    w = tg.Value(1.0)
    w.grad = 1.0
    optimizer = SGD([w], lambda step: float("nan"))
    with pytest.raises(ArgumentError, match=r"learning_rate\(0\)"):
        optimizer.step()
    assert w.data == 1.0 and optimizer.steps == 0


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "0.1", None, True])
def test_a_learning_rate_is_a_finite_number_above_zero(rate):
    with pytest.raises(ArgumentError, match="expected a finite number > 0"):
        SGD([tg.Value(1.0)], rate)
    with pytest.raises(ArgumentError, match="expected a finite number > 0"):
        SGD([tg.Value(1.0)], 0.1).learning_rate = rate


@pytest.mark.parametrize("number", [-0.1, np.nan, np.inf, "0.1"])
@pytest.mark.parametrize("name", ["momentum", "weight_decay"])
def test_momentum_and_decay_are_finite_numbers_from_zero(name, number):
    with pytest.raises(ArgumentError, match=f"SGD: {name} is"):
        SGD([tg.Value(1.0)], 0.1, **{name: number})


def test_nesterov_needs_momentum():
    with pytest.raises(ArgumentError, match="nesterov needs momentum"):
        SGD([tg.Value(1.0)], 0.1, nesterov=True)


def test_no_parameters_are_refused():
    with pytest.raises(ArgumentError, match="there are no parameters"):
        SGD([], 0.1)


def test_a_parameter_that_is_listed_twice_is_refused():
    first, second = tg.Value(1.0), tg.Value(1.0)
    with pytest.raises(ArgumentError, match="the same Value at 0 and 2"):
        SGD([first, second, first], 0.1)


@pytest.mark.parametrize("given", [nn.ReLU(), tg.Value(1.0), {"w": tg.Value(1.0)}, [1.0]])
def test_parameters_are_a_list_of_values(given):
    with pytest.raises(DtypeError, match="expected a list of Values"):
        SGD(given, 0.1)


def test_a_computed_value_is_no_parameter():
    with pytest.raises(ArgumentError, match=r"parameter 0 is a result.*computed by multiply"):
        SGD([tg.Value(1.0) * 2], 0.1)


@every_kind
def test_a_run_continued_from_its_state_gives_the_same_bits(options):
    x, y = data()
    whole, first, second = model_of(), model_of(), model_of()
    expected = descend(whole, SGD(whole.parameters(), 0.1, **options), 20, x, y)
    optimizer = SGD(first.parameters(), 0.1, **options)
    second.load_state_dict(descend(first, optimizer, 10, x, y))
    resumed = SGD(second.parameters(), 0.7, **options)
    resumed.load_state_dict(optimizer.state_dict())
    assert same(expected, descend(second, resumed, 10, x, y)) and resumed.steps == 20


def test_a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing():
    w = tg.Value([1.0, 2.0])
    optimizer = SGD([w], 0.1, momentum=0.9)
    state = {"steps": 3, "other": 1, "0.velocity": np.ones(3)}
    with pytest.raises(ArgumentError) as error:
        optimizer.load_state_dict(state)
    told = ("learning_rate is missing", "'other' is unknown", "0.velocity is float64 of shape (3,)")
    assert all(text in str(error.value) for text in told) and optimizer.steps == 0


def test_numpy_set_to_raise_changes_nothing():
    w = tg.Value(np.array([1e-300, 1e300]))
    w.grad = [1e-300, -1e300]
    with np.errstate(all="raise"):
        SGD([w], 1e300, momentum=1e-20).step()
        SGD([w], 1e-20, weight_decay=1e-20).step()
    assert w.tolist()[0] == -1.0


def interrupting(function, at):
    """The function, except that Ctrl-C comes just before it runs for the `at`-th time."""
    calls = iter(range(1, 10**9))

    def call(*args):
        if next(calls) == at:
            raise KeyboardInterrupt
        return function(*args)

    return call


def test_an_interrupted_step_moves_all_parameters(monkeypatch):
    parameters = [tg.Value(1.0), tg.Value(1.0), tg.Value(1.0)]
    for x in parameters:
        x.grad = 1.0
    optimizer = SGD(parameters, 0.5)
    monkeypatch.setattr(tg.Value, "_replace", interrupting(tg.Value._replace, at=2))
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert [x.data for x in parameters] == [0.5, 0.5, 0.5] and optimizer.steps == 1


def test_an_algorithm_without_update_says_so():
    w = tg.Value(1.0)
    w.grad = 1.0
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        Optimizer([w], 0.1).step()


@pytest.mark.torch
@every_kind
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 3e-6)])
def test_a_hundred_steps_equal_pytorchs(options, dtype, rtol):
    torch = pytest.importorskip("torch")
    (x, y), ours = data(dtype), model_of(dtype)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    state = {k.removeprefix("layers."): torch.tensor(v.T) for k, v in ours.state_dict().items()}
    theirs.to(getattr(torch, np.dtype(dtype).name)).load_state_dict(state)
    expected = pytorch_descent(torch, theirs, options, torch.tensor(x), torch.tensor(y))
    found = descend(ours, SGD(ours.parameters(), 0.05, **options), 100, x, y)
    for name, array in found.items():
        wanted = expected[name.removeprefix("layers.")].numpy().T
        np.testing.assert_allclose(array, wanted, rtol=rtol, atol=rtol)


def pytorch_descent(torch, model, options, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, **options)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    return model.state_dict()
