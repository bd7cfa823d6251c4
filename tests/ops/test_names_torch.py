"""NumPy's functions against PyTorch's of the same meaning: values and gradients, ties included."""

import numpy as np
import pytest

from tinygrad_lr import Value

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

X = np.array([[0.7, -1.3, 2.2, 0.1], [1.9, 0.4, -0.6, -2.5]])
Y = np.array([[1.1, -0.3, 2.0, -1.7], [-0.9, 1.4, 0.6, 2.5]])
HOLES = np.where(X > 1.5, np.nan, X)

ONE = {
    "sinc": (np.sinc, torch.sinc),
    "i0": (np.i0, torch.i0),
    "quantile": (
        lambda x: np.quantile(x, 0.3, axis=1),
        lambda x: torch.quantile(x, 0.3, dim=1),
    ),
    "quantiles": (
        lambda x: np.quantile(x, [0.1, 0.9]),
        lambda x: torch.quantile(x, torch.tensor([0.1, 0.9], dtype=torch.float64)),
    ),
    "midpoint": (
        lambda x: np.quantile(x, 0.4, axis=0, method="midpoint"),
        lambda x: torch.quantile(x, 0.4, dim=0, interpolation="midpoint"),
    ),
    "sort": (lambda x: np.sort(x) * Y, lambda x: x.sort(dim=-1)[0] * torch.tensor(Y)),
    "running maximum": (
        lambda x: np.maximum.accumulate(x, axis=1),
        lambda x: torch.cummax(x, dim=1)[0],
    ),
    "logaddexp": (
        lambda x: np.logaddexp.accumulate(x, axis=1),
        lambda x: torch.logcumsumexp(x, dim=1),
    ),
    "gradient": (
        lambda x: np.gradient(x, 0.5, axis=1, edge_order=2),
        lambda x: torch.gradient(x, spacing=0.5, dim=1, edge_order=2)[0],
    ),
    "trapezoid": (np.trapezoid, torch.trapezoid),
    "rot90": (np.rot90, lambda x: torch.rot90(x, 1, (0, 1))),
    "modf": (lambda x: np.modf(x)[0], torch.frac),
    "frexp": (lambda x: np.frexp(x)[0], lambda x: torch.frexp(x)[0]),
    "nan_to_num": (np.nan_to_num, torch.nan_to_num),
}
TWO = {
    "fmax": (np.fmax, torch.fmax),
    "fmin": (np.fmin, torch.fmin),
    "copysign": (np.copysign, torch.copysign),
    "fmod": (np.fmod, torch.fmod),
    "logaddexp2": (np.logaddexp2, torch.logaddexp2),
    "float_power": (
        lambda x, y: np.float_power(x * x, y),
        lambda x, y: torch.float_power(x * x, y),
    ),
}


def agree(ours, theirs, *arrays):
    """Compare the values and the gradients of two functions."""
    values = [*map(Value, arrays)]
    tensors = [torch.tensor(x, requires_grad=True) for x in arrays]
    out, expected = ours(*values), theirs(*tensors)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    weights = np.linspace(1.0, 2.0, out.size).reshape(out.shape)
    out.backward(weights)
    expected.backward(torch.tensor(weights))
    for value, tensor in zip(values, tensors, strict=True):
        np.testing.assert_allclose(value.grad, tensor.grad.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ONE)
def test_a_function_of_one_array_has_pytorchs_gradient(name):
    agree(*ONE[name], X)


@pytest.mark.parametrize("name", TWO)
def test_a_function_of_two_arrays_has_pytorchs_gradients(name):
    agree(*TWO[name], X, Y)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (np.nansum, torch.nansum),
        (np.nanmean, torch.nanmean),
        (lambda x: np.nanquantile(x, 0.3, axis=1), lambda x: torch.nanquantile(x, 0.3, dim=1)),
        (np.nan_to_num, torch.nan_to_num),
    ],
)
def test_entries_that_are_there_get_pytorchs_gradient(ours, theirs):
    agree(ours, theirs, HOLES)


@pytest.mark.parametrize("name", ["sort", "running maximum"])
def test_the_entry_that_ties_choose_is_pytorchs(name):
    agree(*ONE[name], np.array([[2.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))
