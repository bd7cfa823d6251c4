"""Negative log likelihoods of counts and of normal numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import losses
from tinygrad_lr.errors import ArgumentError, ShapeError

RATES = np.random.default_rng(0).normal(size=(4, 3))
COUNTS = np.random.default_rng(1).poisson(2.0, size=(4, 3)).astype(float)
VARIANCE = np.random.default_rng(2).uniform(0.5, 2.0, size=(4, 3))
SHAPES = {"entries": VARIANCE, "rows": VARIANCE[:, :1], "number": VARIANCE[0, 0]}

each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_variance = pytest.mark.parametrize("variance", SHAPES.values(), ids=SHAPES)


@quick
@given(st.floats(-5, 5), st.integers(0, 9))
def test_the_poisson_loss_is_the_negative_logarithm_of_the_probability(log_rate, count):
    rate = math.exp(log_rate)
    exact = rate - count * log_rate
    assert losses.poisson_nll([log_rate], [count]) == pytest.approx(exact, rel=1e-12, abs=1e-12)
    found = losses.poisson_nll([rate], [count], log_input=False)
    assert found == pytest.approx(exact, rel=1e-5, abs=1e-5)
    full = losses.poisson_nll([log_rate], [count + 2], full=True)
    law = rate - (count + 2) * log_rate + math.lgamma(count + 3)
    assert full == pytest.approx(law, abs=0.05)  # Stirling's formula at 2!


@quick
@given(st.floats(-5, 5), st.floats(0.1, 9))
def test_the_gaussian_loss_is_the_negative_logarithm_of_the_density(u, variance):
    density = math.exp(-u * u / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    found = losses.gaussian_nll([u], [0.0], variance, full=True)
    assert found == pytest.approx(-math.log(density), rel=1e-9, abs=1e-9)


def test_the_variance_may_be_one_for_each_row_of_any_number_of_axes():
    random = np.random.default_rng(0)
    u, v = random.normal(size=(2, 3, 4)), random.uniform(0.5, 2.0, (2, 3, 1))
    found = losses.gaussian_nll(u, np.zeros((2, 3, 4)), v, reduction="none")
    np.testing.assert_allclose(found, (np.log(v) + u**2 / v) / 2, rtol=1e-14)
    with pytest.raises(ShapeError, match=r"variance must be a number or have shape \(2, 3, 4\) or"):
        losses.gaussian_nll(u, np.zeros((2, 3, 4)), v[:, :1])


@each_reduction
@pytest.mark.parametrize("full", [False, True])
def test_poisson_derivatives_agree_with_differences(full, reduction):
    options = {"full": full, "reduction": reduction}
    tg.check_gradients(lambda x: losses.poisson_nll(x, COUNTS, **options), RATES, order=2)
    rate = lambda x: losses.poisson_nll(x, COUNTS, log_input=False, **options)
    tg.check_gradients(rate, np.exp(RATES), order=2)


@each_reduction
@each_variance
def test_gaussian_derivatives_agree_with_differences(variance, reduction):
    f = lambda x, y, v: losses.gaussian_nll(x, y, v, reduction=reduction)
    tg.check_gradients(f, RATES, COUNTS, variance, order=2)


def test_a_variance_below_eps_counts_as_eps_and_can_leave():
    variance = tg.Value([0.0])
    loss = losses.gaussian_nll(tg.Value([1.0]), [0.0], variance, eps=1e-2)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (math.log(1e-2) + 1e2))
    assert variance.grad[0] == pytest.approx(0.5 * (1e2 - 1e4))


@each_dtype
def test_large_predictions_have_finite_losses_and_gradients(dtype):
    for size in (1e4, -1e4):
        x, v = tg.Value(np.full(2, size, dtype)), tg.Value(np.array([0.0, 1.0], dtype))
        loss = losses.gaussian_nll(x, np.zeros(2), v)
        loss.backward()
        assert np.isfinite([loss.item(), *x.grad, *v.grad]).all()
    x = tg.Value(np.full(2, -1e4, dtype))
    loss = losses.poisson_nll(x, [3, 0])
    loss.backward()
    assert loss.item() == 1.5e4 and x.grad.tolist() == [-1.5, 0.0]


@each_dtype
def test_a_log_rate_beyond_the_floats_is_infinite_and_neither_nan_nor_a_warning(dtype):
    x = tg.Value(np.full(2, 1e4, dtype))
    loss = losses.poisson_nll(x, [3, 0])
    loss.backward()
    assert loss.item() == np.inf and (x.grad == np.inf).all()
    assert loss.dtype == x.grad.dtype == dtype
    assert losses.poisson_nll(np.full(2, 1e4, dtype), [3, 0]) == np.inf


@pytest.mark.parametrize("shape", [(4,), (3,), (1, 3), (4, 3, 1)])
def test_a_variance_that_only_broadcasts_is_refused(shape):
    with pytest.raises(ShapeError, match=r"variance must be a number or have shape"):
        losses.gaussian_nll(tg.Value(RATES), COUNTS, np.ones(shape))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: losses.poisson_nll(RATES, -COUNTS), "target must be >= 0, got -5"),
        (
            lambda: losses.poisson_nll(RATES, COUNTS, log_input=False),
            "the predicted rate must be >= 0",
        ),
        (lambda: losses.poisson_nll(RATES, COUNTS, reduction="avg"), "reduction must be"),
        (lambda: losses.gaussian_nll(RATES, COUNTS, -VARIANCE), "variance must be >= 0"),
        (
            lambda: losses.gaussian_nll(RATES, COUNTS, VARIANCE, eps=0.0),
            "eps must be a finite number > 0",
        ),
    ],
)
def test_what_no_law_allows_is_refused(wrong, match):
    with pytest.raises(ArgumentError, match=match):
        wrong()


@pytest.mark.parametrize("loss", [losses.poisson_nll, lambda x, y: losses.gaussian_nll(x, y, 1.0)])
def test_shapes_that_only_broadcast_are_refused(loss):
    with pytest.raises(
        ShapeError, match=r"target must have the shape of.*pass target\[\.\.\., None\]"
    ):
        loss(tg.Value(np.ones((4, 1))), np.ones(4))


def agree(ours, theirs, arrays, dtype):
    """The same values, and the same gradients of the sum of the entries."""
    torch = pytest.importorskip("torch")
    given = [tg.Value(x.astype(dtype)) for x in arrays]
    tensors = [torch.tensor(x.astype(dtype), requires_grad=True) for x in arrays]
    found, expected = ours(*given), theirs(torch.nn.functional, *tensors)
    found.sum().backward()
    expected.sum().backward()
    close = {"rtol": 1e-12, "atol": 1e-13} if dtype is np.float64 else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(found.data, expected.detach().numpy(), **close)
    for a, b in zip(given, tensors, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), **close)


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("log_input", [False, True])
def test_the_poisson_loss_equals_pytorchs(log_input, full, reduction, dtype):
    options = {"log_input": log_input, "full": full, "reduction": reduction}
    agree(
        lambda x: losses.poisson_nll(x, COUNTS, **options),
        lambda f, x: f.poisson_nll_loss(x, x.new_tensor(COUNTS), **options),
        [RATES if log_input else np.exp(RATES)],
        dtype,
    )


@pytest.mark.torch
@each_dtype
@each_reduction
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("variance", [VARIANCE, VARIANCE[:, :1], np.zeros((4, 3))])
def test_the_gaussian_loss_equals_pytorchs(variance, full, reduction, dtype):
    options = {"full": full, "reduction": reduction, "eps": 1e-3}
    agree(
        lambda x, y, v: losses.gaussian_nll(x, y, v, **options),
        lambda f, x, y, v: f.gaussian_nll_loss(x, y, v, **options),
        [RATES, COUNTS, variance],
        dtype,
    )


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_no_events_where_none_are_expected_cost_nothing():
    loss = lambda z: tg.losses.poisson_nll(z, [0.0, 1.0], reduction="sum")
    value, gradient = tg.value_and_grad(loss)(np.array([-np.inf, 1.0]))
    np.testing.assert_allclose(value, np.e - 1)
    np.testing.assert_allclose(gradient, [0.0, np.e - 1])
    rate = lambda r: tg.losses.poisson_nll(r, [0.0, 1.0], log_input=False, eps=0.0, reduction="sum")
    value, gradient = tg.value_and_grad(rate)(np.array([0.0, 2.0]))
    np.testing.assert_allclose(value, 2 - np.log(2))
    np.testing.assert_allclose(gradient, [1.0, 0.5])


def test_one_number_is_the_variance_of_all_rows():
    u, v = np.array([1.0, 3.0]), 0.3
    loss = lambda v: tg.losses.gaussian_nll(u, [0.0, 0.0], v, reduction="sum")
    value, slope = tg.value_and_grad(loss)(v)
    np.testing.assert_allclose(value, math.log(v) + 10 / (2 * v))
    np.testing.assert_allclose(slope, 1 / v - 10 / (2 * v * v))
