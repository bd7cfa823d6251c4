"""Convolutions, windows and recurrences in steps for machine code give what the operations give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

import tinygrad_lr as tg
from tinygrad_lr import Value, nn, ops
from tinygrad_lr.ops import recurrent
from tinygrad_lr.ops.windows import unrolled, window_reductions
from tinygrad_lr.ops.windows.geometry import sliding_windows

numbers = np.random.default_rng(0).normal

# How many gates and states each has, and its single step.
RECURRENCES = {
    "tanh": (ops.rnn_states, 1, 1, recurrent._rnn_step("tanh"), {"nonlinearity": "tanh"}),
    "relu": (ops.rnn_states, 1, 1, recurrent._rnn_step("relu"), {"nonlinearity": "relu"}),
    "gru": (ops.gru_states, 3, 1, recurrent._gru_step, {}),
    "lstm": (ops.lstm_states, 4, 2, recurrent._lstm_step, {}),
}


@st.composite
def geometries(draw):
    """Lengths, sizes, strides, paddings, dilations of one or two axes in which windows fit."""
    axes = []
    for _ in range(draw(st.integers(1, 2))):
        size, stride, dilation = (draw(st.integers(1, 3)) for _ in range(3))
        padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
        least = max(dilation * (size - 1) + 1 - sum(padding), 1)
        axes.append((draw(st.integers(least, least + 5)), size, stride, padding, dilation))
    return tuple(zip(*axes, strict=True))


@quick
@given(geometries(), st.tuples(*map(st.integers, (0, 1, 1), (3, 3, 3))))
def test_cross_correlation_and_its_transposes_in_steps_agree_with_the_operations(geometry, counts):
    length, size, stride, padding, dilation = geometry
    images, channels, out = counts
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 1}
    x, weight = numbers(size=(images, channels, *length)), numbers(size=(out, channels, *size))

    y = unrolled.cross_correlation(x, weight, **options)
    np.testing.assert_allclose(y, ops.cross_correlation(x, weight, **options), atol=1e-12)

    g = numbers(size=y.shape)
    kernel = unrolled.cross_correlation_kernel(x, g, size=size, **options)
    expected = ops.cross_correlation_kernel(x, g, size=size, **options)
    np.testing.assert_allclose(kernel, expected, atol=1e-12)

    back = unrolled.cross_correlation_transposed(g, weight, length=length, **options)
    assert (back is None) == any(s != 1 for s in stride)
    if back is not None:
        expected = ops.cross_correlation_transposed(g, weight, length=length, **options)
        np.testing.assert_allclose(back, expected, atol=1e-12)


@quick
@given(geometries(), st.booleans())
def test_windows_in_steps_agree_with_the_operations(geometry, chosen):
    length, size, stride, _, dilation = geometry
    length = tuple(max(n, d * (k - 1) + 1) for n, k, d in zip(length, size, dilation, strict=True))
    x, options = numbers(size=(2, *length)), {"stride": stride, "dilation": dilation}
    windows = sliding_windows(x, size=size, **options)
    np.testing.assert_array_equal(unrolled.sliding_windows(x, size=size, **options), windows)

    g = numbers(size=windows.shape[len(size) :])
    options |= {"length": length, "size": size, "mask": windows > 0 if chosen else None}
    spread = unrolled.window_spread(g, **options)
    beside = size == stride and set(dilation) == {1}
    assert (spread is not None) == beside
    if beside:
        np.testing.assert_array_equal(spread, window_reductions.window_spread(g, **options))


@pytest.mark.parametrize(("groups", "size"), [(2, (1, 1)), (1, (8, 8))])
def test_groups_and_large_windows_stay_calls(groups, size):
    x, weight = np.ones((1, 2, 9, 9)), np.ones((2, 2 // groups, *size))
    options = {"stride": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": groups}
    g = ops.cross_correlation(x, weight, **options)
    assert unrolled.cross_correlation(x, weight, **options) is None
    assert unrolled.cross_correlation_kernel(x, g, size=size, **options) is None
    assert unrolled.cross_correlation_transposed(g, weight, length=(9, 9), **options) is None


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("kind", RECURRENCES)
def test_recurrences_in_steps_agree_with_the_operations(kind, steps):
    operation, gates, states, step, options = RECURRENCES[kind]
    shapes = (steps, 2, 3 * gates), *[(2, 3)] * states, (3, 3 * gates), (3 * gates,)
    operands = [numbers(size=shape) for shape in shapes]
    found = recurrent.steps_of(step, operands)
    expected = operation.forward(*operands, **{**operation.defaults, **options})
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_a_network_of_convolutions_and_pooling_is_loops_and_products_only(pool):
    pytest.importorskip("llvmlite")
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), pool)
    x = Value(numbers(size=(2, 1, 6, 7)), requires_grad=False)

    def step(x):
        model.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        return loss

    compiled = tg.compile(step)
    loss, gradients = step(x).item(), [p.grad.copy() for p in model.parameters()]
    np.testing.assert_allclose(compiled(x).item(), loss, rtol=1e-6)
    for p, gradient in zip(model.parameters(), gradients, strict=True):
        np.testing.assert_allclose(p.grad, gradient, rtol=1e-4, atol=1e-7)
    assert not [name for name in compiled.explain().kernels if "call" in name]
