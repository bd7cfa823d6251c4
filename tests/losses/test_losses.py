"""Losses: their values and gradients, the residual in the graph, shapes that must be equal."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import losses
from tinygrad_lr.core.graph import topological_order
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

LOSSES = [losses.mse, losses.mae, losses.huber]
every_loss = pytest.mark.parametrize("loss", LOSSES)
residuals = st.floats(-100, 100)


def pair(dtype=np.float64, shape=(4, 3)):
    random = np.random.default_rng(0)
    return tuple(3 * random.normal(size=shape).astype(dtype) for _ in range(2))


@pytest.mark.slow
@given(residuals)
def test_mse_is_the_square_and_its_derivative_twice_the_residual(u):
    prediction = tg.Value(u + 0.0)
    loss = losses.mse(prediction, 0.0)
    loss.backward()
    assert (loss.data, prediction.grad) == (u * u, 2 * u)


@pytest.mark.slow
@given(residuals)
def test_mae_is_the_absolute_value_and_its_derivative_the_sign(u):
    prediction = tg.Value(u)
    loss = losses.mae(prediction, 0.0)
    loss.backward()
    assert (loss.data, prediction.grad) == (abs(u), np.sign(u))


@pytest.mark.slow
@given(residuals, st.floats(0.1, 10))
def test_huber_is_a_parabola_within_delta_and_straight_beyond(u, delta):
    prediction = tg.Value([u])
    loss = losses.huber(prediction, [0.0], delta)
    loss.backward()
    expected = u * u / 2 if abs(u) <= delta else delta * (abs(u) - delta / 2)
    assert loss.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert prediction.grad[0] == np.clip(u, -delta, delta)


def test_huber_has_the_second_derivative_one_at_zero_and_none_far_out():
    second = tg.hessian(lambda p: losses.huber(p, np.zeros(3), reduction="sum"))
    assert np.diag(second(np.array([0.0, 0.5, 2.0]))).tolist() == [1.0, 1.0, 0.0]


def test_the_residual_has_its_gradient_after_backward():
    prediction = tg.Value([1.0, 3.0])
    loss = losses.mse(prediction, [0.0, 1.0])
    loss.backward()
    order = topological_order([loss])
    u = next(v for v in order if v.record and v.record.operation.name == "subtract")
    assert u.tolist() == [1.0, 2.0] and u.grad.tolist() == [1.0, 2.0]


@pytest.mark.slow
@every_loss
def test_derivatives_agree_with_differences_to_second_order(loss):
    prediction, target = pair()
    tg.check_gradients(lambda p: loss(p, target), prediction, order=2)
    tg.check_gradients(loss, prediction, target, order=2)


@every_loss
@pytest.mark.parametrize(("shape", "other"), [((4, 1), (4,)), ((4,), (4, 1))])
def test_shapes_that_only_broadcast_are_refused_with_the_cure(loss, shape, other):
    with pytest.raises(
        ShapeError, match=r"target must have the shape of.*pass target\[\.\.\., (None|0)\]"
    ):
        loss(tg.Value(np.ones(shape)), np.ones(other))
    with pytest.raises(ShapeError, match="must have the shape of the prediction"):
        loss(tg.Value(np.ones(shape)), tg.Value(np.ones(other)))


@every_loss
@pytest.mark.parametrize("target", [1.0, 1, np.float32(1), np.ones(3), np.ones((4, 2))])
def test_a_target_of_another_shape_is_refused(loss, target):
    with pytest.raises(ShapeError, match=r"the shape of the prediction, \(4, 3\), got"):
        loss(tg.Value(np.ones((4, 3))), target)


@every_loss
def test_a_reduction_is_the_mean_the_sum_or_none(loss):
    prediction, target = pair()
    entries = loss(tg.Value(prediction), target, reduction="none").data
    assert entries.shape == (4, 3)
    assert loss(tg.Value(prediction), target).data == pytest.approx(entries.mean())
    assert loss(tg.Value(prediction), target, reduction="sum").data == pytest.approx(entries.sum())
    with pytest.raises(ArgumentError, match="reduction must be 'mean', 'sum' or 'none', got 'avg'"):
        loss(tg.Value(prediction), target, reduction="avg")


@every_loss
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("other", [np.float32, np.float64, int, bool])
def test_a_plain_target_takes_the_dtype_of_the_prediction(loss, dtype, other):
    prediction = tg.Value(np.ones(3, dtype))
    result = loss(prediction, np.zeros(3, other))
    result.backward()
    assert result.dtype == dtype == prediction.grad.dtype


def test_a_target_that_is_a_value_keeps_its_dtype_and_gets_a_gradient():
    prediction, target = tg.Value(np.ones(3, np.float32)), tg.Value(np.zeros(3))
    result = losses.mse(prediction, target)
    result.backward()
    assert result.dtype == np.float64 and target.grad.tolist() == [-2 / 3] * 3


def test_a_python_number_keeps_the_graph_in_python_numbers():
    assert type(losses.mse(tg.Value(3.0), 1).data) is float


@every_loss
def test_plain_predictions_give_plain_numbers(loss):
    prediction, target = pair()
    assert loss(prediction, target) == loss(tg.Value(prediction), target).data


@every_loss
@pytest.mark.parametrize("target", [["a", "b"], [1j, 2j], [None, 1.0]])
def test_a_target_that_is_not_real_numbers_is_refused(loss, target):
    with pytest.raises(DtypeError, match="target must contain integers or floats"):
        loss(tg.Value([1.0, 2.0]), target)


def test_a_masked_target_is_refused_and_not_unmasked():
    with pytest.raises(DtypeError, match="masked"):
        losses.mse(tg.Value([1.0, 2.0]), np.ma.masked_array([1.0, 2.0], [True, False]))


@every_loss
def test_the_target_is_left_alone(loss):
    target = np.array([1.0, 2.0])
    loss(tg.Value([3.0, 4.0]), target).backward()
    assert target.flags.writeable and target.tolist() == [1.0, 2.0]


@every_loss
def test_nan_travels_and_an_infinite_residual_keeps_its_sign(loss):
    prediction = tg.Value([np.nan, np.inf, 1.0])
    entries = loss(prediction, np.zeros(3), reduction="none")
    assert np.isnan(entries.data[0]) and entries.data[1] == np.inf
    entries.sum().backward()
    assert prediction.grad[1] > 0 and np.isfinite(prediction.grad[2])


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf, "1", None])
def test_hubers_delta_is_a_number_above_zero(delta):
    with pytest.raises(ArgumentError, match="huber: delta "):
        losses.huber(tg.Value([1.0]), [0.0], delta)


@pytest.mark.torch
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "name"), list(zip(LOSSES, ["mse_loss", "l1_loss", "huber_loss"], strict=True))
)
def test_losses_and_gradients_equal_pytorchs(loss, name, dtype, reduction):
    torch = pytest.importorskip("torch")
    prediction, target = pair(dtype)
    ours, theirs = tg.Value(prediction), torch.tensor(prediction, requires_grad=True)
    result = loss(ours, target, reduction=reduction)
    other = getattr(torch.nn.functional, name)(theirs, torch.tensor(target), reduction=reduction)
    result.sum().backward()
    other.sum().backward()
    close = {"rtol": 1e-13 if dtype is np.float64 else 1e-6}
    np.testing.assert_allclose(result.data, other.detach().numpy(), **close)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), **close)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("huber", "huber_loss"),
        ("hinge", "multi_margin_loss"),
        ("cross_entropy", "cross_entropy"),
        ("poisson_nll", "poisson_nll_loss"),
        ("gaussian_nll", "gaussian_nll_loss"),
    ],
)
def test_numbers_and_switches_left_out_are_those_of_pytorch(loss, name):
    torch = pytest.importorskip("torch")
    functions = getattr(losses, loss), getattr(torch.nn.functional, name)
    ours, theirs = (inspect.signature(f).parameters for f in functions)
    left_out = {x: p.default for x, p in ours.items() if isinstance(p.default, (bool, float))}
    assert left_out and left_out == {x: theirs[x].default for x in left_out}
