"""Convolutions: PyTorch's numbers in every geometry, derivatives, and errors that help."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import frozen, quick

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, ShapeError
from tinygrad_lr.ops.windows import convolution

GEOMETRIES = {
    "plain": {},
    "stride": {"stride": 2},
    "stride of each axis": {"stride": (2, 3)},
    "padding": {"padding": 1},
    "padding of each axis": {"padding": (2, 0)},
    "dilation": {"dilation": 2},
    "same": {"padding": "same", "dilation": (1, 2)},
    "valid": {"padding": "valid"},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "padding": 1},
    "everything": {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2},
    "no bias": {"bias": False},
}
each_geometry = pytest.mark.parametrize("options", GEOMETRIES.values(), ids=GEOMETRIES)


def image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def conv2d(*arguments, **options):
    return nn.Conv2d(*arguments, dtype=np.float64, generator=0, **options)


def loops(x, weight, stride, padding, dilation):
    """The definition of a convolution with one axis, one group: sums over three loops."""
    x = np.pad(x, ((0, 0), (0, 0), padding))
    count = (x.shape[2] - dilation * (weight.shape[2] - 1) - 1) // stride + 1
    out = np.zeros((len(x), len(weight), count))
    for i in range(count):
        for k in range(weight.shape[2]):
            out[:, :, i] += x[:, :, i * stride + k * dilation] @ weight[:, :, k].T
    return out


@quick
@given(*(st.integers(1, 3) for _ in range(4)), st.integers(0, 3), st.integers(0, 3))
def test_a_convolution_is_the_sum_that_defines_it(size, stride, dilation, count, before, after):
    x, weight = image(count, 2, 8), image(3, 2, size, seed=1)
    out = tg.ops.conv1d(x, weight, None, stride, ((before, after),), dilation)
    expected = loops(x, weight, stride, (before, after), dilation)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.torch
@each_geometry
@pytest.mark.parametrize("layout", [(0, 1, 2, 3), (1, 2, 3, 0)], ids=["batch first", "batch last"])
def test_values_and_gradients_are_those_of_pytorch(options, layout):
    torch = pytest.importorskip("torch")
    ours, theirs = conv2d(4, 8, (3, 2), **options), torch.nn.Conv2d(4, 8, (3, 2), **options)
    theirs = theirs.double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    data = np.ascontiguousarray(image(3, 4, 9, 8).transpose(layout)).transpose(np.argsort(layout))
    x, their_x = tg.Value(data), torch.tensor(np.ascontiguousarray(data), requires_grad=True)
    out, their_out = ours(x), theirs(their_x)
    g = image(*out.shape, seed=1)
    out.backward(g)
    their_out.backward(torch.tensor(g))
    pairs = [(out.data, their_out.detach()), (x.grad, their_x.grad)]
    pairs += [(a.grad, b.grad) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.torch
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}])
def test_conv1d_is_that_of_pytorch(options):
    torch = pytest.importorskip("torch")
    layer = nn.Conv1d(4, 2, 3, dtype=np.float64, generator=0, **options)
    x, weights = image(2, 4, 11), [torch.tensor(p.numpy()) for p in layer.parameters()]
    expected = torch.nn.functional.conv1d(torch.tensor(x), *weights, **options)
    np.testing.assert_allclose(layer(x).data, expected.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@each_geometry
def test_the_derivatives_of_a_layer_agree_with_central_differences(options):
    layer = frozen(conv2d(4, 4, 2, **options))
    tg.check_gradients(lambda x: layer(x) ** 2, image(1, 4, 4, 5), order=2)


def test_parts_of_the_columns_give_what_all_of_them_give(monkeypatch):
    x, weight, steps = image(2, 3, 9, 9), image(4, 3, 3, 3, seed=1), {"stride": 2, "padding": 1}
    f = lambda x, weight: tg.ops.conv2d(x, weight, **steps)
    out, pullback = tg.vjp(f, x, weight)
    whole = [out, *pullback(image(2, 4, 5, 5))]
    monkeypatch.setattr(convolution, "SLAB_BYTES", 1)
    out, pullback = tg.vjp(f, x, weight)
    for a, b in zip([out, *pullback(image(2, 4, 5, 5))], whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_uneven_padding_pads_each_side_by_its_own():
    x, weight = image(1, 1, 4, 4), image(1, 1, 2, 2, seed=1)
    out = tg.ops.conv2d(x, weight, padding=((1, 0), 2))
    expected = tg.ops.conv2d(np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 2))), weight)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (1, 2, 5, 5)])
def test_a_batch_may_have_one_image_or_none(shape):
    layer = conv2d(2, 3, 3)
    out = layer(tg.Value(image(*shape)))
    out.backward(np.ones(out.shape))
    assert out.shape == (shape[0], 3, 3, 3) and np.isfinite(layer.weight.grad).all()


def test_float32_stays_float32():
    layer = nn.Conv2d(1, 2, 3)
    x = tg.Value(image(2, 1, 5, 5).astype(np.float32))
    layer(x).sum().backward()
    grads = [x.grad, layer.weight.grad, layer.bias.grad]
    assert {a.dtype for a in [layer(x), *grads]} == {np.dtype(np.float32)}


def test_whole_numbers_are_computed_as_floats():
    image, kernel = np.full((1, 1, 3, 3), 200, np.uint8), np.ones((1, 1, 3, 3), np.uint8)
    assert tg.ops.conv2d(image, kernel).tolist() == [[[[1800.0]]]]
    assert nn.Conv2d(1, 2, 3)(image).dtype == np.float32


def test_weights_begin_within_the_bound_and_repeat_by_seed():
    layer, again = nn.Conv2d(4, 8, 3, groups=2, generator=3), nn.Conv2d(4, 8, 3, groups=2)
    assert np.abs(layer.weight.data).max() <= 1 / np.sqrt(2 * 9) < 1.1 * layer.weight.data.max()
    assert not (again.weight.data == layer.weight.data).any()
    same = nn.Conv2d(4, 8, 3, groups=2, generator=3).state_dict()
    assert all((same[k] == v).all() for k, v in layer.state_dict().items())


def test_a_layer_prints_its_settings_and_shapes():
    expected = "Conv1d(stride=2, padding='valid', dilation=1, groups=1, weight (3, 2, 4)): "
    assert repr(nn.Conv1d(2, 3, 4, 2, "valid", bias=False)) == expected + "24 parameters"
    layer = nn.Conv2d(2, 4, (3, 5))
    assert (layer.in_channels, layer.out_channels, layer.kernel_size) == (2, 4, (3, 5))


MISFITS = {
    r"Conv2d\(3, 8\): x must have a shape \(N, 3, H, W\), got \(5, 1, 8, 8\)": ((5, 1, 8, 8)),
    r"x must have .* write np.moveaxis\(x, -1, 1\) to put the channels first": (5, 8, 8, 3),
    r"x must have a shape .* write x\[None\] for a batch of one": (3, 8, 8),
    r"x must be at least as long as a window, \(3, 3\), got \(8, 2\)": ((1, 3, 8, 2)),
}


@pytest.mark.parametrize(("match", "shape"), MISFITS.items(), ids=range(len(MISFITS)))
def test_an_x_that_does_not_fit_is_refused_with_what_would(match, shape):
    with pytest.raises(ShapeError, match=match):
        nn.Conv2d(3, 8, 3)(np.ones(shape))


WRONG = {
    "in_channels ": {"in_channels": 0},
    "kernel_size must be .*or 2 such integers": {"kernel_size": (3, 3, 3)},
    "stride must be an integer >= 1": {"stride": 0},
    "dilation must be an integer >= 1": {"dilation": 1.5},
    "padding must be .*'same' or 'valid'": {"padding": "full"},
    "padding must be an integer >= 0": {"padding": (1, -1)},
    "stride must be 1 for padding 'same'": {"padding": "same", "stride": 2},
    "groups must divide in_channels and out_channels, got 3": {"groups": 3},
    "generator must be": {"generator": "seed"},
}


@pytest.mark.parametrize(("match", "options"), WRONG.items(), ids=WRONG)
def test_settings_that_do_not_fit_are_refused(match, options):
    with pytest.raises(ArgumentError, match=r"^Conv2d.*" + match):
        nn.Conv2d(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **options})


@pytest.mark.parametrize(
    ("weight", "bias", "match"),
    [
        ((3, 1, 2), None, "weight"),
        ((3, 1, 2, 2), (2,), r"bias must have shape \(3,\), got \(2,\)"),
    ],
)
def test_the_function_refuses_weights_that_do_not_fit(weight, bias, match):
    bias = bias and np.ones(bias)
    with pytest.raises(ShapeError, match=match):
        tg.ops.conv2d(np.ones((1, 1, 4, 4)), np.ones(weight), bias)
