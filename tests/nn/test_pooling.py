"""Pooling: PyTorch's numbers, shared ties, and errors that help."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, ShapeError

POOLS = {
    "max": ("MaxPool2d", (2,), {}),
    "max overlapping": ("MaxPool2d", (3, 2), {}),
    "max of each axis": ("MaxPool2d", ((2, 3), (2, 1)), {}),
    "max padded": ("MaxPool2d", (3,), {"stride": 2, "padding": 1}),
    "max dilated": ("MaxPool2d", (2,), {"stride": 1, "dilation": 2}),
    "mean": ("AvgPool2d", (2,), {}),
    "mean overlapping": ("AvgPool2d", (3, 2), {}),
    "mean padded": ("AvgPool2d", (3, 2, 1), {}),
    "mean without padding": ("AvgPool2d", (3, 2, (1, 0)), {"count_include_pad": False}),
    "adaptive": ("AdaptiveAvgPool2d", (1,), {}),
    "adaptive that divides": ("AdaptiveAvgPool2d", ((4, 1),), {}),
    "adaptive that does not": ("AdaptiveAvgPool2d", ((3, 5),), {}),
    "adaptive, larger": ("AdaptiveAvgPool2d", ((11, None),), {}),
    "signal max": ("MaxPool1d", (3, 2, 1), {}),
    "signal mean": ("AvgPool1d", (2,), {}),
    "signal adaptive": ("AdaptiveAvgPool1d", (3,), {}),
}
each_pool = pytest.mark.parametrize(("name", "arguments", "options"), POOLS.values(), ids=POOLS)


def distinct(*shape):
    """Numbers of which no two are equal or close."""
    count = int(np.prod(shape))
    return np.random.default_rng(0).permutation(count).reshape(shape) / 10 + 0.01


def signal_or_image(name):
    return distinct(2, 3, 8) if "1d" in name else distinct(2, 3, 8, 7)


@pytest.mark.torch
@each_pool
def test_values_and_gradients_are_those_of_pytorch(name, arguments, options):
    torch = pytest.importorskip("torch")
    data = signal_or_image(name)
    x, their_x = tg.Value(data), torch.tensor(data, requires_grad=True)
    out = getattr(nn, name)(*arguments, **options)(x)
    expected = getattr(torch.nn, name)(*arguments, **options)(their_x)
    out.backward(distinct(*out.shape))
    expected.backward(torch.tensor(distinct(*out.shape)))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(x.grad, their_x.grad.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@each_pool
def test_derivatives_agree_with_central_differences(name, arguments, options):
    layer = getattr(nn, name)(*arguments, **options)
    tg.check_gradients(lambda x: layer(x) ** 2, signal_or_image(name)[:1, :1], order=2)


@each_pool
def test_float32_stays_float32(name, arguments, options):
    x = tg.Value(signal_or_image(name).astype(np.float32))
    out = getattr(nn, name)(*arguments, **options)(x)
    out.sum().backward()
    assert out.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("size", [2, 20])
def test_equal_entries_of_a_window_share_its_derivative(size):
    x = tg.Value(np.zeros((1, 1, size, size)))
    nn.MaxPool2d(size)(x).backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(x.grad, 1 / size**2, rtol=1e-15)


def test_an_entry_that_is_not_the_largest_gets_nothing_of_an_infinite_cotangent():
    x = tg.Value([[[1.0, 2.0, 4.0, 3.0]]])
    nn.MaxPool1d(2)(x).backward([[[np.inf, 1.0]]])
    assert x.grad.tolist() == [[[0.0, np.inf, 1.0, 0.0]]]


def test_nan_travels_and_takes_its_derivative():
    x = tg.Value([[[1.0, np.nan, 4.0, 3.0]]])
    out = nn.MaxPool1d(2)(x)
    out.backward([[[5.0, 1.0]]])
    assert np.isnan(out.data[0, 0, 0]) and x.grad.tolist() == [[[0.0, 5.0, 1.0, 0.0]]]


def test_an_infinite_entry_stays_in_its_own_parts():
    x = np.array([[[np.inf, 1.0, 2.0, 3.0, 4.0]]])
    assert nn.AdaptiveAvgPool1d(3)(x).tolist() == [[[np.inf, 2.0, 3.5]]]


@pytest.mark.parametrize("layer", [nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1)], ids=repr)
def test_whole_numbers_are_computed_as_floats(layer):
    assert layer(np.uint8([[[200, 201]]])).tolist() == layer([[[200, 201]]]).tolist() == [[[200.5]]]
    assert nn.MaxPool1d(2, padding=1)(np.array([[[-3, -4]]])).tolist() == [[[-3.0, -4.0]]]


def test_the_layout_of_memory_does_not_matter():
    x = distinct(3, 2, 6, 6)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
    found = [tg.vjp(nn.MaxPool2d(3, 1), a)[1](distinct(3, 2, 4, 4))[0] for a in (x, last)]
    np.testing.assert_allclose(*found, rtol=1e-14)


def test_layers_print_their_settings():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1)"
    assert repr(nn.AdaptiveAvgPool1d(3)) == "AdaptiveAvgPool1d(output_size=3)"
    expected = "AvgPool1d(kernel_size=3, stride=1, padding='same', count_include_pad=True)"
    assert repr(nn.AvgPool1d(3, 1, "same")) == expected


WRONG = {
    r"MaxPool2d\(0\): kernel_size must be an integer >= 1, or 2 such": lambda: nn.MaxPool2d(0),
    r"MaxPool1d\(2\): stride must be an integer >= 1, got 0": lambda: nn.MaxPool1d(2, 0),
    r"AvgPool2d\(3\): padding must be at most half of": lambda: nn.AvgPool2d(3, 1, 2),
    r"AvgPool1d\(2\): padding must be an integer >= 0": lambda: nn.AvgPool1d(2, padding=-1),
    r"AdaptiveAvgPool2d\(0\): output_size must be": lambda: nn.AdaptiveAvgPool2d(0),
    r"AdaptiveAvgPool2d\(\(1, 2, 3\)\): output_size": lambda: nn.AdaptiveAvgPool2d((1, 2, 3)),
    r"AdaptiveAvgPool2d\(\(\)\): output_size": lambda: nn.AdaptiveAvgPool2d(()),
    "Flatten: start_axis ": lambda: nn.Flatten(-1),
}


@pytest.mark.parametrize(("match", "make"), WRONG.items(), ids=WRONG)
def test_settings_that_do_not_fit_are_refused(match, make):
    with pytest.raises(ArgumentError, match=match):
        make()


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (nn.MaxPool2d(2), r"MaxPool2d\(2\): x must have a shape \(N, C, H, W\), got \(2, 2, 3\)"),
        (nn.MaxPool1d(4), r"MaxPool1d\(4\): x must be at least as long as a window.* got \(3,\)"),
        (nn.AdaptiveAvgPool2d(1), r"AdaptiveAvgPool2d\(1\): x must have a shape"),
        (nn.Flatten(4), r"Flatten\(4\): x must have at least 4 axes"),
    ],
    ids=repr,
)
def test_an_x_that_does_not_fit_is_refused(layer, match):
    with pytest.raises(ShapeError, match=match):
        layer(np.ones((2, 2, 3)))


@pytest.mark.parametrize(
    ("start", "shape"), [(0, (24,)), (1, (2, 12)), (2, (2, 3, 4)), (3, (2, 3, 4, 1))]
)
def test_flatten_joins_the_last_axes(start, shape):
    x = distinct(2, 3, 4)
    out = nn.Flatten(start)(tg.Value(x))
    assert out.shape == shape and (out.data.ravel() == x.ravel()).all()
    assert nn.Flatten()(np.ones((0, 2, 3))).shape == (0, 6)
