"""Activations: PyTorch's values and slopes, also at their kinks and far out; names and layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, ops
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.nn.activations import ACTIVATIONS, Activation, as_layer

FUNCTIONS = {
    "celu": "celu",
    "elu": "elu",
    "erf": "erf",
    "erfc": "erfc",
    "gelu": "gelu",
    "glu": "glu",
    "hardsigmoid": "hardsigmoid",
    "hardswish": "hardswish",
    "hardtanh": "hardtanh",
    "leaky_relu": "leaky_relu",
    "log_sigmoid": "logsigmoid",
    "log_softmax": "log_softmax",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "tanh": "tanh",
}
KINKS = [-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 2.0]
FAR = [-1e4, -800.0, -60.0, 60.0, 800.0, 1e4]

each = pytest.mark.parametrize("name", FUNCTIONS)


def theirs(torch, name):
    """PyTorch's function for one of ours."""
    special = {
        "gelu": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        # PyTorch takes softplus for x beyond 20, to a relative error of 1e-10
        "softplus": lambda x: torch.nn.functional.softplus(x, threshold=50.0),
        # PyTorch's own takes 1/6 in float32 on the way back
        "hardsigmoid": lambda x: torch.nn.functional.relu6(x + 3) / 6,
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
    }
    return special.get(name) or getattr(
        torch.nn.functional, FUNCTIONS[name], getattr(torch, FUNCTIONS[name], None)
    )


@pytest.mark.torch
@pytest.mark.parametrize("where", ["anywhere", "at kinks", "far"])
@each
def test_values_and_slopes_are_pytorchs(name, where):
    torch = pytest.importorskip("torch")
    drawn = np.random.default_rng(0).normal(scale=3, size=(4, 6))
    x = {"anywhere": drawn, "at kinks": np.array(KINKS), "far": np.array(FAR)}[where]
    mine, other = tg.Value(x), torch.tensor(x, requires_grad=True)
    out, expected = getattr(ops, name)(mine), theirs(torch, name)(other)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    weights = np.random.default_rng(1).normal(size=out.shape)
    (out * weights).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    rough = 1e-7 if name == "hardsigmoid" else 1e-11  # PyTorch's slope is 1/6 in float32
    np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=rough, atol=1e-14)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "ours", "options"),
    [
        ("celu", {"alpha": 0.25}, {"alpha": 0.25}),  # exact in float32, in which PyTorch keeps it
        ("hardtanh", {"low": -2.0, "high": 0.5}, {"min_val": -2.0, "max_val": 0.5}),
        ("gelu", {"approximate": "none"}, {"approximate": "none"}),
        ("glu", {"axis": 0}, {"dim": 0}),
    ],
)
def test_options_mean_what_pytorchs_mean(name, ours, options):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(scale=3, size=(4, 3))
    mine, other = tg.Value(x), torch.tensor(x, requires_grad=True)
    out = getattr(ops, name)(mine, **ours)
    expected = getattr(torch.nn.functional, name)(other, **options)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    out.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-11, atol=1e-14)


@each
def test_nothing_overflows_and_float32_stays_float32(name):
    x = tg.Value(np.array([*FAR, 0.0, -0.5], np.float32))
    out = getattr(ops, name)(x)
    out.sum().backward()
    assert np.isfinite(out.data).all() and np.isfinite(x.grad).all()
    assert out.dtype == x.grad.dtype == np.float32


@each
def test_derivatives_agree_with_central_differences(name):
    x = np.array([-2.7, -1.3, -0.4, 0.6, 1.7, 2.2])
    tg.check_gradients(getattr(ops, name), x, order=2)


@each
def test_plain_arrays_and_lists_are_taken(name):
    x = np.array([-2.7, 0.6, 1.7, 2.2])
    function = getattr(ops, name)
    expected = function(tg.Value(x)).data
    np.testing.assert_array_equal(function(x), expected)
    np.testing.assert_array_equal(function(x.tolist()), expected)
    assert not isinstance(function(x), tg.Value)


# ---- the error function


def spread(function, low, high, count=20_000):
    """The largest error of our function against the reference's, in units in the last place."""
    x = np.random.default_rng(0).uniform(low, high, count)
    exact = np.array([getattr(math, function)(number) for number in x])
    found = getattr(ops, function)(x)
    normal = abs(exact) > 1e-300
    return (abs(found - exact) / np.spacing(abs(exact)))[normal].max()


@pytest.mark.parametrize(
    ("function", "low", "high", "most"),
    [
        ("erf", -1e-8, 1e-8, 2),
        ("erf", -1.1, 1.1, 3),  # math.erf itself is not exact: up to one unit
        ("erf", -7.0, 7.0, 3),
        ("erfc", -6.0, 0.6, 3),
        ("erfc", 0.4, 3.0, 6),
        ("erfc", 3.0, 26.0, 6),
    ],
)
def test_the_error_function_is_right_to_the_last_places(function, low, high, most):
    assert spread(function, low, high) <= most


def test_the_error_function_agrees_with_exact_values():
    mpmath = pytest.importorskip("mpmath")
    x = np.random.default_rng(1).uniform(-4, 4, 500)
    for found, number in zip(ops.erf(x), x, strict=True):
        assert abs(mpmath.erf(mpmath.mpf(float(number))) - float(found)) <= 2 * np.spacing(
            abs(found)
        )
    for found, number in zip(ops.erfc(x), x, strict=True):
        assert abs(mpmath.erfc(mpmath.mpf(float(number))) - float(found)) <= 5 * np.spacing(found)


def test_the_ends_of_the_error_function():
    ends = np.array([-np.inf, -0.0, 0.0, np.inf, np.nan])
    np.testing.assert_array_equal(ops.erf(ends), [-1, -0.0, 0.0, 1, np.nan])
    np.testing.assert_array_equal(ops.erfc(ends), [2, 1, 1, 0, np.nan])
    assert np.signbit(ops.erf(-0.0)) and ops.erf(np.zeros((0, 3))).shape == (0, 3)


def test_the_error_function_of_many_entries_is_that_of_each():
    x = np.random.default_rng(0).normal(size=(3, 10_001))
    one = np.array([float(ops.erf(np.array(number))) for number in x[1, ::500]])
    np.testing.assert_array_equal(ops.erf(x)[1, ::500], one)
    narrow = x.astype(np.float32)
    np.testing.assert_array_equal(ops.erf(narrow), ops.erf(narrow.astype(float)).astype(np.float32))
    assert ops.erf(np.array([1, 0])).dtype == np.float64


def test_exact_gelu_keeps_its_digits_where_the_probability_is_small():
    x, expected = -20.0, -20.0 * 2.753624118606233695e-89  # Φ(-20), from tables
    assert float(ops.gelu(np.array(x), approximate="none")) == pytest.approx(expected, rel=1e-13)


def test_gelu_in_its_tanh_form_is_close_to_the_exact_one():
    x = np.linspace(-6, 6, 1000)
    gap = abs(ops.gelu(x) - ops.gelu(x, approximate="none"))
    assert 1e-4 < gap.max() < 5e-4


# ---- layers


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_gives_the_layer_of_its_function(name):
    x = np.array([[-2.7, 0.6, 1.7, 7.2]])
    layer = as_layer("here", name)
    out = layer(tg.Value(x)).data
    if name == "prelu":
        expected = ops.prelu(x, 0.25)
    elif name == "identity":
        expected = x
    else:
        expected = getattr(ops, name)(x)
    np.testing.assert_array_equal(out, expected)
    assert as_layer("here", type(layer)).__class__ is type(layer)


def test_a_second_activation_of_one_operation_is_refused_and_the_first_stays():
    relu = ACTIVATIONS["relu"]
    with pytest.raises(ArgumentError, match=r"Mine: operation must be one .*got 'relu' of tiny"):
        type("Mine", (Activation,), {"operation": "relu", "__module__": "elsewhere"})
    assert ACTIVATIONS["relu"] is relu is nn.ReLU


def test_layers_hand_their_settings_on():
    x = np.array([[-2.7, 0.6], [1.7, 7.2]])
    pairs = [
        (nn.GELU("none"), ops.gelu(x, approximate="none")),
        (nn.Hardtanh(0.0, 2.0), ops.hardtanh(x, low=0.0, high=2.0)),
        (nn.CELU(0.3), ops.celu(x, 0.3)),
        (nn.GLU(0), ops.glu(x, 0)),
        (nn.Softmax(0), ops.softmax(x, 0)),
        (nn.LogSoftmax(0), ops.log_softmax(x, 0)),
    ]
    for layer, expected in pairs:
        np.testing.assert_array_equal(layer(tg.Value(x)).data, expected)
    assert repr(nn.Hardtanh(0.0, 2.0)) == "Hardtanh(low=0.0, high=2.0)"
    assert repr(nn.GELU("none")) == "GELU(approximate='none')"


def test_identity_gives_back_what_it_is_given():
    x = object()
    assert nn.Identity()(x) is x


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("count", [1, 3])
def test_prelu_gives_pytorchs_values_and_gradients(count, shape):
    torch = pytest.importorskip("torch")
    if shape == (3,) and count > 1:
        shape = (4, 3)
    x, slopes = np.random.default_rng(0).normal(size=shape), np.linspace(0.1, 0.5, count)
    ours, mine = nn.PReLU(count, dtype=np.float64), tg.Value(x)
    ours.load_state_dict({"weight": slopes})
    weight, other = torch.tensor(slopes, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, expected = ours(mine), torch.nn.functional.prelu(other, weight)
    np.testing.assert_array_equal(out.data, expected.detach().numpy())
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-14)
    np.testing.assert_allclose(ours.weight.grad, weight.grad.numpy(), rtol=1e-13)


def test_prelu_begins_at_its_slope_and_is_trained():
    layer = nn.PReLU(slope=0.1)
    assert layer.weight.tolist() == pytest.approx([0.1]) and layer.weight.dtype == np.float32
    layer(np.float32([-2.0])).sum().backward()
    assert layer.weight.grad.tolist() == [-2.0]


def test_bad_use_is_refused():
    with pytest.raises(ShapeError, match=r"PReLU\(3\): x must have shape \(batch, 3, ...\)"):
        nn.PReLU(3)(np.ones((2, 4)))
    with pytest.raises(DtypeError, match=r"PReLU\(1\): dtype must be a floating"):
        nn.PReLU(dtype=int)
    with pytest.raises(ShapeError, match=r"glu: x must have an even number.*got shape \(2, 3\)"):
        nn.GLU()(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="glu: x must have an even number"):
        ops.glu(np.ones(2), axis=1)
    with pytest.raises(ArgumentError, match="celu: alpha must be > 0"):
        nn.CELU(0.0)
    with pytest.raises(ArgumentError, match=r"low must be below high, got low=1\.0, high=1\.0"):
        nn.Hardtanh(1.0, 1.0)
    with pytest.raises(ArgumentError, match="approximate must be 'tanh' or 'none'"):
        nn.GELU("erf")


ON_INTEGERS = (
    "sigmoid softplus elu gelu silu softmax log_softmax logsumexp softsign mish log_sigmoid "
    "hardsigmoid hardswish relu relu6 selu celu glu leaky_relu hardtanh"
)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.bool_])
@pytest.mark.parametrize("name", ON_INTEGERS.split())
def test_activations_of_integers_are_those_of_the_same_floats(name, dtype):
    x = np.array([200, 1, 255, 0]).astype(dtype)
    activation = getattr(ops, name)
    np.testing.assert_allclose(activation(x), activation(x.astype(np.float64)), rtol=1e-15)


def test_the_mean_of_a_value_has_no_ddof():
    with pytest.raises(TypeError, match="ddof"):
        np.mean(tg.Value([1.0, 2.0]), ddof=1)
