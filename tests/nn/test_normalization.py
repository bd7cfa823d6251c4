"""Normalisation: PyTorch's numbers in training and evaluation, precision, and bad inputs."""

from __future__ import annotations

import numpy as np
import pytest
from operands import frozen

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, ShapeError

LAYERS = {
    "layer": ("LayerNorm", (5,), {}, (4, 5)),
    "layer of images": ("LayerNorm", ((3, 4),), {"eps": 0.1}, (2, 5, 3, 4)),
    "layer without bias": ("LayerNorm", (5,), {"bias": False}, (4, 2, 5)),
    "rms": ("RMSNorm", (5,), {}, (4, 5)),
    "rms of images": ("RMSNorm", ((3, 4),), {"eps": 0.1}, (2, 3, 4)),
    "batch": ("BatchNorm1d", (5,), {}, (6, 5)),
    "batch of signals": ("BatchNorm1d", (3,), {"eps": 0.1, "momentum": 0.3}, (4, 3, 5)),
    "batch of images": ("BatchNorm2d", (3,), {"affine": False}, (2, 3, 4, 5)),
}
each_layer = pytest.mark.parametrize(
    ("name", "arguments", "options", "shape"), LAYERS.values(), ids=LAYERS
)


def normal(*shape, seed=0):
    return 3 + 2 * np.random.default_rng(seed).normal(size=shape)


def weighted(layer):
    """The layer with weights that are neither ones nor zeros."""
    for i, parameter in enumerate(layer.parameters()):
        parameter.data = normal(*parameter.shape, seed=i + 1)
    return layer


def twins(name, arguments, options):
    """Our layer and PyTorch's, with the same numbers in them."""
    torch = pytest.importorskip("torch")
    ours = weighted(getattr(nn, name)(*arguments, **options, dtype=np.float64))
    theirs = getattr(torch.nn, name)(*arguments, **options).double()
    state = {k: torch.tensor(v) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state, strict=False)
    return torch, ours, theirs


@pytest.mark.torch
@each_layer
def test_values_and_gradients_are_those_of_pytorch(name, arguments, options, shape):
    torch, ours, theirs = twins(name, arguments, options)
    for seed in range(2):
        x, g = tg.Value(normal(*shape, seed=seed)), normal(*shape, seed=7)
        their_x = torch.tensor(x.data, requires_grad=True)
        out, expected = ours(x), theirs(their_x)
        out.backward(g)
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(x.grad, their_x.grad.numpy(), rtol=1e-9, atol=1e-11)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-11)


@pytest.mark.torch
@pytest.mark.parametrize("case", ["batch", "batch of signals", "batch of images"])
def test_running_mean_and_variance_are_those_of_pytorch_and_serve_after_eval(case):
    name, arguments, options, shape = LAYERS[case]
    torch, ours, theirs = twins(name, arguments, options)
    for seed in range(3):
        ours(normal(*shape, seed=seed)), theirs(torch.tensor(normal(*shape, seed=seed)))
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-13)
    np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-13)
    x, held = normal(1, *shape[1:]), ours.running_mean
    expected = theirs.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(tg.Value(x)).data, expected, rtol=1e-12)
    assert ours.running_mean is held


@pytest.mark.slow
@each_layer
def test_derivatives_agree_with_central_differences(name, arguments, options, shape):
    layer = frozen(weighted(getattr(nn, name)(*arguments, **options, dtype=np.float64)))
    tg.check_gradients(lambda x: layer(x) ** 2, normal(*shape), order=1)
    tg.check_gradients(lambda x: layer.eval()(x) ** 2, normal(*shape), order=2)


@each_layer
def test_float32_stays_float32_in_training_and_evaluation(name, arguments, options, shape):
    layer = getattr(nn, name)(*arguments, **options)
    x = tg.Value(normal(*shape).astype(np.float32))
    for mode in (True, False):
        out = layer.train(mode)(x)
        out.backward(np.ones(shape, np.float32))
        assert out.dtype == x.grad.dtype == np.float32
    assert all(p.grad is None or p.grad.dtype == np.float32 for p in layer.parameters())
    assert all(b.dtype == np.float32 for _, b in layer.named_buffers())


@pytest.mark.parametrize("axis", [-1, (0,)])
def test_large_numbers_close_together_keep_their_variance(axis):
    rows = np.array([[1e8, 1e8 + 1], [1e8 + 1, 1e8]])
    expected = [[-1.0, 1.0], [1.0, -1.0]]
    assert tg.ops.standardize(rows, axis, 0.0).tolist() == expected
    assert nn.BatchNorm1d(2, eps=0.0, dtype=np.float64)(rows).tolist() == expected


def test_equal_entries_become_zeros_with_a_finite_derivative():
    x = tg.Value(np.full((3, 4), 7.0))
    out = nn.LayerNorm(4)(x)
    out.backward(normal(3, 4))
    assert not out.data.any() and np.isfinite(x.grad).all()


def test_float16_neither_overflows_nor_loses_the_mean():
    x = np.float16([[300, 600, 900, 1200]])
    for f in (tg.ops.standardize, tg.ops.rms_normalize):
        out = f(x)
        assert out.dtype == np.float16
        np.testing.assert_allclose(out, f(x.astype(float)), rtol=1e-3)


@pytest.mark.parametrize("layer", [nn.LayerNorm(2), nn.RMSNorm(2), nn.BatchNorm1d(2)], ids=repr)
def test_whole_numbers_are_computed_as_floats(layer):
    x = np.array([[1, 4], [3, -2]])
    np.testing.assert_array_equal(layer(x).data, layer(x.astype(float)).data)


def test_nan_and_inf_travel_in_their_own_feature():
    layer, x = nn.BatchNorm1d(2), np.array([[np.inf, 1.0], [1.0, 2.0]])
    with np.errstate(invalid="ignore"):
        out = layer(tg.Value(x)).data
    assert np.isnan(out[:, 0]).all() and np.isfinite(out[:, 1]).all()
    assert np.isfinite(layer.running_var[1]) and np.isnan(layer.running_var[0])


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.BatchNorm1d(3), (1, 3)), (nn.BatchNorm2d(3), (1, 3, 1, 1))]
)
def test_one_row_in_training_is_refused_and_leaves_the_running_mean(layer, shape):
    with pytest.raises(ArgumentError, match=r"BatchNorm.d\(3\): x .* at least two rows.*eval\(\)"):
        layer(np.ones(shape))
    assert not layer.running_mean.any()
    assert layer.eval()(np.ones(shape)).shape == shape


def test_one_image_of_several_pixels_can_be_trained():
    assert nn.BatchNorm2d(3)(np.ones((1, 3, 2, 2))).shape == (1, 3, 2, 2)


def test_running_statistics_are_saved_and_loaded_with_the_weights():
    layer, other = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    layer(normal(5, 2))
    other.load_state_dict(layer.state_dict())
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert len(layer.parameters()) == 2 and (other.running_var == layer.running_var).all()


MISFITS = {
    r"LayerNorm\(4\): x must have shape \(..., 4\), got \(2, 3\)": (nn.LayerNorm(4), (2, 3)),
    r"LayerNorm\(\(3, 4\)\): .* shape \(..., 3, 4\)": (nn.LayerNorm((3, 4)), (4,)),
    r"RMSNorm\(4\): x must have": (nn.RMSNorm(4), ()),
    r"BatchNorm1d\(4\): .* shape \(N, 4\) or \(N, 4, L\), got \(5, 3\)": (
        nn.BatchNorm1d(4),
        (5, 3),
    ),
    r"BatchNorm2d\(4\): .* shape \(N, 4, H, W\), got \(5, 4\)": (nn.BatchNorm2d(4), (5, 4)),
}


@pytest.mark.parametrize(("match", "case"), MISFITS.items(), ids=MISFITS)
def test_an_x_that_does_not_fit_is_refused(match, case):
    layer, shape = case
    with pytest.raises(ShapeError, match=match):
        layer(np.ones(shape))


WRONG = {
    "LayerNorm: shape ": lambda: nn.LayerNorm(0),
    "LayerNorm: shape must have at least one length": lambda: nn.LayerNorm(()),
    "LayerNorm: eps ": lambda: nn.LayerNorm(2, eps=-1),
    "RMSNorm: eps ": lambda: nn.RMSNorm(2, eps=np.nan),
    "BatchNorm1d: features ": lambda: nn.BatchNorm1d(1.5),
    "BatchNorm2d: momentum must be a number from 0 to 1, got 2": (
        lambda: nn.BatchNorm2d(2, momentum=2)
    ),
}


@pytest.mark.parametrize(("match", "make"), WRONG.items(), ids=WRONG)
def test_settings_that_do_not_fit_are_refused(match, make):
    with pytest.raises(ArgumentError, match=match):
        make()


def test_layers_print_their_settings_and_shapes():
    assert repr(nn.LayerNorm(4, affine=False)) == "LayerNorm(features=(4,), eps=1e-05)"
    assert repr(nn.RMSNorm(4)) == "RMSNorm(features=(4,), weight (4,)): 4 parameters"
    expected = "BatchNorm2d(features=3, eps=1e-05, momentum=0.1, weight (3,), bias (3,))"
    assert repr(nn.BatchNorm2d(3)) == f"{expected}: 6 parameters"
