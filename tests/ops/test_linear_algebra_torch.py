"""Factorisations, Fourier transforms and complex numbers beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg

pytestmark = pytest.mark.torch


def draw(seed, *shape, imaginary=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if imaginary else x


def positive(a):
    return a @ np.conj(a).swapaxes(-1, -2) + np.eye(a.shape[-1])


def weigh(torch, x):
    """A real loss of an output: no phase changes it, each entry has its weight."""
    x = torch.abs(x) ** 2
    return (x * x).sum() + (x * torch.arange(x.numel()).reshape(x.shape) / 7).sum()


def weigh_arrays(x):
    x = np.abs(x) ** 2
    return np.sum(x * x) + np.sum(x * np.arange(x.size).reshape(x.shape) / 7)


# NumPy's function, PyTorch's, and the shape; the matrix is made positive definite if it says so.
FUNCTIONS = {
    "cholesky": (np.linalg.cholesky, lambda t, a: t.linalg.cholesky(a), (2, 3, 3), positive),
    "eigvalsh": (np.linalg.eigvalsh, lambda t, a: t.linalg.eigvalsh(a), (3, 3), positive),
    "eigenvectors": (
        lambda a: np.linalg.eigh(a).eigenvectors,
        lambda t, a: t.linalg.eigh(a).eigenvectors,
        (2, 3, 3),
        positive,
    ),
    "eigvals": (np.linalg.eigvals, lambda t, a: t.linalg.eigvals(a), (4, 4), None),
    "svdvals": (np.linalg.svdvals, lambda t, a: t.linalg.svdvals(a), (3, 2), None),
    "left vectors": (
        lambda a: np.linalg.svd(a, full_matrices=False).U,
        lambda t, a: t.linalg.svd(a, full_matrices=False).U,
        (2, 4, 2),
        None,
    ),
    "right vectors": (
        lambda a: np.linalg.svd(a, full_matrices=False).Vh,
        lambda t, a: t.linalg.svd(a, full_matrices=False).Vh,
        (2, 4),
        None,
    ),
    "qr": (lambda a: np.linalg.qr(a).R, lambda t, a: t.linalg.qr(a).R, (4, 3), None),
    "q": (lambda a: np.linalg.qr(a).Q, lambda t, a: t.linalg.qr(a).Q, (2, 4, 3), None),
    "pinv": (np.linalg.pinv, lambda t, a: t.linalg.pinv(a), (3, 2), None),
    "slogdet": (
        lambda a: np.linalg.slogdet(a)[1],
        lambda t, a: t.linalg.slogdet(a)[1],
        (3, 3),
        None,
    ),
    "nuclear norm": (
        lambda a: np.linalg.norm(a, "nuc"),
        lambda t, a: t.linalg.norm(a, "nuc"),
        (3, 2),
        None,
    ),
    "norm of order 3": (
        lambda a: np.linalg.vector_norm(a, ord=3),
        lambda t, a: t.linalg.vector_norm(a, ord=3),
        (3, 2),
        None,
    ),
    "power": (
        lambda a: np.linalg.matrix_power(a, -2),
        lambda t, a: t.linalg.matrix_power(a, -2),
        (3, 3),
        None,
    ),
    "fft": (np.fft.fft, lambda t, a: t.fft.fft(a), (2, 5), None),
    "fftn": (
        lambda a: np.fft.fftn(a, (3, 5), norm="ortho"),
        lambda t, a: t.fft.fftn(a, (3, 5), norm="ortho"),
        (4, 4),
        None,
    ),
    "irfft": (
        lambda a: np.fft.irfft(a, 5),
        lambda t, a: t.fft.irfft(a, 5),
        (2, 3),
        None,
    ),
    "hfft": (np.fft.hfft, lambda t, a: t.fft.hfft(a), (2, 4), None),
    "abs and angle": (
        lambda a: np.abs(a) * np.angle(a) + np.real(a) * np.imag(a * a),
        lambda t, a: t.abs(a) * t.angle(a) + t.real(a) * t.imag(a * a),
        (5,),
        None,
    ),
    "sign": (lambda a: np.sign(a) + 0.3, lambda t, a: t.sgn(a) + 0.3, (5,), None),
    "elementary": (
        lambda a: np.sqrt(a) * np.log(a) + np.arctan(a) ** a,
        lambda t, a: t.sqrt(a) * t.log(a) + t.arctan(a) ** a,
        (5,),
        None,
    ),
}


@pytest.mark.parametrize(("f", "torchs", "shape", "made"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_complex_gradients_are_pytorchs(f, torchs, shape, made):
    torch = pytest.importorskip("torch")
    a = draw(0, *shape, imaginary=True)
    a = made(a) if made else a
    found = tg.grad(lambda a: weigh_arrays(f(a)))(a)
    t = torch.tensor(a, requires_grad=True)
    weigh(torch, torchs(torch, t)).backward()
    np.testing.assert_allclose(found, t.grad.resolve_conj().numpy(), rtol=1e-8, atol=1e-9)


REAL = {k: v for k, v in FUNCTIONS.items() if k not in {"abs and angle", "elementary", "sign"}}


@pytest.mark.parametrize(("f", "torchs", "shape", "made"), REAL.values(), ids=REAL)
def test_real_gradients_are_pytorchs(f, torchs, shape, made):
    torch = pytest.importorskip("torch")
    a = draw(1, *shape)
    a = made(a) if made else a
    found = tg.grad(lambda a: weigh_arrays(f(a)))(a)
    t = torch.tensor(a, requires_grad=True)
    weigh(torch, torchs(torch, t)).backward()
    np.testing.assert_allclose(found, t.grad.resolve_conj().numpy(), rtol=1e-8, atol=1e-9)


def test_adam_moves_complex_parameters_as_pytorchs_does():
    torch = pytest.importorskip("torch")
    start, target = draw(2, 3, imaginary=True), draw(3, 3, imaginary=True)
    w, t = tg.Value(start), torch.tensor(start, requires_grad=True)
    ours = tg.optim.Adam([w], 0.1, weight_decay=0.01)
    theirs = torch.optim.Adam([t], 0.1, weight_decay=0.01)
    for _ in range(5):
        ours.zero_grad()
        np.sum(np.abs(w * w - target) ** 2).backward()
        ours.step()
        theirs.zero_grad()
        (torch.abs(t * t - torch.tensor(target)) ** 2).sum().backward()
        theirs.step()
    np.testing.assert_allclose(w.data, t.detach().numpy(), rtol=1e-10)
