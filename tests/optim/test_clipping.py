"""Clipping: PyTorch's numbers, no overflow, nothing written that others hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError
from tinygrad_lr.optim import clip_gradient_norm, clip_gradient_value
from tinygrad_lr.optim.clipping import norm_of

ORDERS = [1, 2, 3, 0.5, np.inf]


def with_gradients(*gradients):
    values = [tg.Value(np.zeros(np.shape(g))) for g in gradients]
    for value, gradient in zip(values, gradients, strict=True):
        value.grad = gradient
    return values


def test_gradients_above_the_norm_are_scaled_down_together():
    x, y = with_gradients([3.0], [0.0, 4.0])
    assert clip_gradient_norm([x, y], 1.0) == 5.0
    np.testing.assert_allclose([*x.grad, *y.grad], [0.6, 0.0, 0.8], rtol=1e-6)


def test_gradients_below_the_norm_are_left_as_they_are():
    (x,) = with_gradients([3.0, 4.0])
    gradient = x.grad
    assert clip_gradient_norm([x], 5.1) == 5.0 and x.grad is gradient


@pytest.mark.parametrize("order", ORDERS)
def test_the_norm_in_compiled_code_is_that_of_numpy_in_any_unit(order):
    compiled = tg.compile(lambda x, y: norm_of([x, y], order), backend="numpy")
    x, y = np.array([0.25, -0.5, 0.75]), np.array([[0.125], [0.375]])
    whole = np.linalg.norm(np.concatenate([x, y.ravel()]), order)
    for unit in (0.0, 1e-200, 1e-3, 1.0, 1e200, np.inf, np.nan):
        given, expected = (x * unit, y * unit), whole * unit
        for found in (compiled(*given), norm_of(given, order)):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_zero_gradients_stay_zero_without_a_division(order):
    x, y = with_gradients([0.0, 0.0], np.zeros((0, 3)))
    assert clip_gradient_norm([x, y], 1.0, order=order) == 0.0
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_norm_neither_overflows_nor_vanishes(size):
    (x,) = with_gradients([3 * size, 4 * size])
    assert clip_gradient_norm([x], 1e301) == pytest.approx(5 * size, rel=1e-15)


def test_float32_gradients_have_a_norm_beyond_float32_and_stay_float32():
    w = tg.Value(np.zeros(4, np.float32))
    w.grad = np.full(4, 3e38, np.float32)
    assert clip_gradient_norm([w], 2.0) == pytest.approx(6e38)
    assert w.grad.dtype == np.float32 and w.grad.tolist() == pytest.approx([1.0] * 4)


@given(
    arrays.arrays(np.float64, st.integers(1, 8), elements=st.floats(-1e150, 1e150)),
    st.sampled_from([1, 2, np.inf]),
)
@quick
def test_the_norm_is_numpys(x, order):
    with np.errstate(over="ignore", under="ignore"):
        expected = np.linalg.norm(x, order)
    assert norm_of([x[:3], x[3:]], order) == pytest.approx(expected, rel=1e-12, abs=1e-160)


def test_nan_is_an_error_on_request_and_changes_nothing_then():
    x, y = with_gradients([1.0], [2.0, np.nan])
    y.name = "bias"
    with pytest.raises(ArgumentError, match=r"gradient of parameter 1 \(bias\) must.*nan"):
        clip_gradient_norm([x, y], 1.0, error_if_nonfinite=True)
    assert x.grad.tolist() == [1.0]
    assert np.isnan(clip_gradient_norm([x, y], 1.0)) and np.isnan(x.grad).all()


def test_an_infinite_gradient_makes_the_others_zero():
    x, y = with_gradients([1.0], [np.inf])
    assert clip_gradient_norm([x, y], 1.0) == np.inf and x.grad.tolist() == [0.0]


def test_values_are_brought_within_the_limit():
    (x,) = with_gradients([-3.0, 0.5, np.nan, np.inf])
    clip_gradient_value([x], 1.0)
    np.testing.assert_array_equal(x.grad, [-1.0, 0.5, np.nan, 1.0])


@pytest.mark.parametrize("clip", [clip_gradient_norm, clip_gradient_value])
def test_gradients_that_others_hold_are_not_written_to(clip):
    x, y = tg.Value([2.0, 2.0]), tg.Value([1.0, 1.0])
    (x + y).sum().backward()  # both may share one array
    held = y.grad
    clip([x], 0.25)
    assert held.tolist() == [1.0, 1.0] and max(x.grad) <= 0.25


@pytest.mark.parametrize("clip", [clip_gradient_norm, clip_gradient_value])
@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0)])
def test_the_type_of_a_gradient_is_kept_and_none_is_skipped(clip, number):
    x, y = tg.Value(number), tg.Value(1.0)
    x.grad = 3.0
    clip([x, y], 1.0)
    assert type(x.grad) is type(number) and y.grad is None and float(x.grad) <= 1.0


@pytest.mark.parametrize("given", [0.0, -1.0, np.nan, "1", None])
def test_limits_are_numbers_above_zero(given):
    parameters = with_gradients([1.0])
    with pytest.raises(ArgumentError, match="clip_gradient_norm: max_norm"):
        clip_gradient_norm(parameters, given)
    with pytest.raises(ArgumentError, match="clip_gradient_norm: order"):
        clip_gradient_norm(parameters, 1.0, order=given)
    with pytest.raises(ArgumentError, match="clip_gradient_value: limit"):
        clip_gradient_value(parameters, given)


def test_a_model_in_the_place_of_its_parameters_is_told():
    with pytest.raises(DtypeError, match=r"pass model.parameters\(\)"):
        clip_gradient_norm(nn.Linear(1, 1), 1.0)


@pytest.mark.torch
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1e-6, 0.5, 1e3])
def test_norms_and_gradients_are_pytorchs(order, limit):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    gradients = [random.normal(size=shape) for shape in [(3, 4), (4,), ()]]
    ours, theirs = with_gradients(*gradients), [torch.zeros(np.shape(g)) for g in gradients]
    theirs = [t.double().requires_grad_() for t in theirs]
    for t, g in zip(theirs, gradients, strict=True):
        t.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type=order)
    assert clip_gradient_norm(ours, limit, order=order) == pytest.approx(norm.item(), rel=1e-13)
    for x, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-12)
