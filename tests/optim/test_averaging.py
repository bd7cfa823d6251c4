"""The moving average of the weights: PyTorch's numbers, and weights that always come back."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError
from tinygrad_lr.optim import SGD, ExponentialMovingAverage


def test_the_first_update_takes_the_weights_and_the_next_move_towards_them():
    w = tg.Value(np.zeros(2))
    average = ExponentialMovingAverage([w], 0.75)
    for w.data in ([4.0, 8.0], [0.0, 8.0], [0.0, 8.0]):
        average.update()
    with average.applied():
        assert w.tolist() == [2.25, 8.0]
    assert w.tolist() == [0.0, 8.0] and average.updates == 3


def test_before_an_update_the_average_is_that_of_the_beginning():
    w = tg.Value(1.0)
    average = ExponentialMovingAverage([w])
    w.data = 2.0
    with average.applied():
        assert w.data == 1.0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_weights_return_after_an_error(error):
    model = nn.Linear(2, 1, generator=0)
    average, before = ExponentialMovingAverage(model), model.state_dict()
    average.update()
    model.weight.data += 1
    changed = model.state_dict()

    def fail():
        with average.applied():
            assert (model.weight.data == before["weight"]).all()
            raise error

    with pytest.raises(error):
        fail()
    assert (model.weight.data == changed["weight"]).all()


def test_what_is_written_to_applied_weights_does_not_reach_the_average():
    w = tg.Value(np.ones(2))
    average = ExponentialMovingAverage([w])
    with average.applied():
        w.data[:] = 5.0
    with average.applied():
        assert w.tolist() == [1.0, 1.0]
    assert w.tolist() == [1.0, 1.0]


def test_an_array_that_the_user_holds_shows_the_average_and_the_weights_again():
    w = tg.Value(np.ones(2))
    average, held = ExponentialMovingAverage([w]), w.data
    held[:] = 3.0
    with average.applied():
        assert held.tolist() == [1.0, 1.0]
    assert held.tolist() == [3.0, 3.0] and held is w.data


@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0), np.ones(3, np.float32)])
def test_type_and_dtype_of_the_weights_are_kept(number):
    w = tg.Value(number)
    average = ExponentialMovingAverage([w], 0.3)
    average.update()
    average.update()
    with average.applied():
        assert type(w.data) is type(number) and w.dtype == getattr(number, "dtype", np.float64)


def test_a_graph_that_is_alive_keeps_its_numbers():
    w, x = tg.Value([2.0]), tg.Value([3.0])
    average = ExponentialMovingAverage([w])
    w.data = [5.0]
    loss = (w * x).sum()
    with average.applied():
        loss.backward()
    assert x.grad.tolist() == [5.0]


def test_the_average_goes_on_from_its_state():
    w, v = tg.Value([1.0]), tg.Value([9.0])
    first, second = (ExponentialMovingAverage([x], 0.5) for x in (w, v))
    first.update()
    second.load_state_dict(first.state_dict())
    w.data = v.data = [2.0]
    for average in (first, second):
        average.update()
    assert first.state_dict()["0"].tolist() == second.state_dict()["0"].tolist() == [1.5]


def test_a_state_that_does_not_fit_is_refused():
    average = ExponentialMovingAverage([tg.Value([1.0])])
    with pytest.raises(ArgumentError, match="updates is missing; '1' is unknown; 0 is float64"):
        average.load_state_dict({"0": np.ones(2), "1": np.ones(1)})


@pytest.mark.parametrize("decay", [1.0, -0.1, np.nan, "0.9"])
def test_the_decay_is_a_number_from_zero_below_one(decay):
    with pytest.raises(ArgumentError, match="ExponentialMovingAverage: decay"):
        ExponentialMovingAverage([tg.Value(1.0)], decay)


@pytest.mark.torch
@pytest.mark.parametrize("decay", [0.0, 0.4, 0.9, 0.999])
def test_a_hundred_averages_are_pytorchs(decay):
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model = nn.Linear(3, 2, dtype=np.float64, generator=0)
    other = torch.nn.Linear(3, 2).double()
    theirs = AveragedModel(copy.deepcopy(other), multi_avg_fn=get_ema_multi_avg_fn(decay))
    ours, optimizer = ExponentialMovingAverage(model, decay), SGD(model.parameters(), 0.1)
    for step in range(100):
        model.weight.grad, model.bias.grad = np.sin(step), np.cos(step)
        optimizer.step()
        ours.update()
        other.weight.data, other.bias.data = map(
            torch.tensor, (model.weight.numpy().T.copy(), model.bias.numpy())
        )
        theirs.update_parameters(other)
    with ours.applied():
        expected = theirs.module.weight.detach().numpy().T
        np.testing.assert_allclose(model.weight.data, expected, rtol=1e-12)
