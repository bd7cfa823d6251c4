"""NumPy's functions composed of operations: NumPy's own results, and derivatives, a line a case."""

from __future__ import annotations

import inspect
import re
import sys

import numpy as np
import pytest
from operands import THOROUGH, numbers
from programs import BACKENDS

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import METHOD_IMPLS, NUMPY_IMPLS, Primitive
from tinygrad_lr.errors import ArgumentError, NotDifferentiableError, ShapeError, TinygradError

pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")

MASK = np.array([[True, False, True], [True, True, False]])
ORDER = np.array([[2, 0, 1], [0, 0, 2]])
NAN = np.where(MASK, 0, np.nan).astype(np.float32)
LEFT = np.array([[True, True, True], [True, True, False]])

# Each line is run on arrays (what NumPy says) and on Values; x, y and z have the shapes behind it.
CASES = {
    "np.clip(x, -0.7, 0.7)": [(3, 4)],
    "np.clip(x, None, 0.7)": [(3, 4)],
    "np.clip(x, -0.7, None)": [(3, 4)],
    "np.clip(x, min=-0.7, max=0.7)": [(3, 4)],
    "np.clip(x, y, y + 1)": [(3, 4), (4,)],
    "np.real(x) + np.real(x * 1j)": [(2, 3)],
    "np.imag(x) + np.imag(x * 1j)": [(2, 3)],
    "np.angle(x * (1 + 2j), deg=True)": [(2, 3)],
    "np.real_if_close(x * (1 + 1e-16j))": [(2, 3)],
    "np.take(x, [0, 2, 2])": [(2, 3)],
    "np.take(x, [[0, -1], [2, 2]], axis=1)": [(2, 3)],
    "np.take(x, 1, axis=-1)": [(2, 3)],
    "np.take_along_axis(x, ORDER, axis=1)": [(2, 3)],
    "np.take_along_axis(x, ORDER[:, :2], axis=-1)": [(2, 3)],
    "np.take_along_axis(x, ORDER[:1], axis=0)": [(3, 3)],
    "np.take_along_axis(x, np.array([5, 0]), axis=None)": [(2, 3)],
    "np.sort(x)": [(2, 3)],
    "np.sort(x, axis=0)": [(3, 2)],
    "np.sort(x, axis=None)": [(2, 3)],
    "np.sort(x, axis=0, descending=True)": [(3, 2)],
    "x[np.argsort(x, descending=True)]": [(3,)],
    "np.cumsum(x)": [(2, 3)],
    "np.cumsum(x, axis=-2)": [(2, 3)],
    "np.cumsum(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.sum(x, axis=-1)": [(2, 3)],
    "np.sum(x, axis=(0, -1), keepdims=True)": [(2, 3, 2)],
    "np.sum(x, axis=())": [(2, 3)],
    "np.sum(x, where=MASK)": [(2, 3)],
    "np.sum(x, axis=1, where=MASK, initial=2.5)": [(2, 3)],
    "np.sum(x, axis=0, dtype=np.float64)": [(2, 3)],
    "np.sum(x, axis=0)": [(0, 3)],
    "np.sum(x, initial=3.0)": [(0,)],
    "np.prod(x, axis=-1)": [(2, 3)],
    "np.prod(x, axis=(0, 2))": [(2, 3, 2)],
    "np.prod(x, where=MASK, axis=0)": [(2, 3)],
    "np.prod(x, initial=2.5)": [(4,)],
    "np.prod(x, axis=0)": [(0, 3)],
    "np.max(x, axis=(0, -1))": [(2, 3, 2)],
    "np.max(x, axis=1, initial=0.3)": [(2, 3)],
    "np.max(x, axis=1, where=MASK, initial=-9.0)": [(2, 3)],
    "np.amax(x, axis=0)": [(2, 3)],
    "np.min(x, axis=(0, -1), keepdims=True)": [(2, 3, 2)],
    "np.min(x, initial=0.3)": [(2, 3)],
    "np.min(x, axis=0, where=MASK, initial=9.0)": [(2, 3)],
    "np.amin(x, axis=0)": [(2, 3)],
    "np.mean(x, axis=(0, -1))": [(2, 3, 2)],
    "np.mean(x, where=MASK)": [(2, 3)],
    "np.mean(x, axis=1, where=MASK, keepdims=True)": [(2, 3)],
    "np.mean(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.var(x, axis=-1, ddof=1)": [(2, 3)],
    "np.var(x, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.var(x, correction=1)": [(2, 3)],
    "np.var(x, axis=1, where=MASK, ddof=1)": [(2, 3)],
    "np.std(x, axis=-1, ddof=1)": [(2, 3)],
    "np.std(x, where=MASK)": [(2, 3)],
    "np.std(x, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.add.reduce(x)": [(2, 3)],
    "np.multiply.reduce(x, axis=1)": [(2, 3)],
    "np.maximum.reduce(x, axis=None)": [(2, 3)],
    "np.minimum.reduce(x, axis=(0, 1), keepdims=True)": [(2, 3)],
    "np.dot(x, y)": [(2, 3), (3, 4)],
    "np.dot(x, y) + np.dot(y, x)": [(3,), (3,)],
    "np.dot(x, y) * np.dot(y, x)": [(2, 2), ()],
    "np.dot(x, y) * 1.0": [(2, 3), (4, 3, 2)],
    "np.vdot(x, y)": [(2, 3), (2, 3)],
    "np.vdot(x, y) * 1.0": [(3,), (3,)],
    "np.inner(x, y)": [(2, 3), (4, 3)],
    "np.inner(x, y) + np.inner(x, x[0]).sum()": [(3,), (3,)],
    "np.outer(x, y)": [(2, 3), (2,)],
    "np.tensordot(x, y)": [(2, 3, 4), (3, 4, 2)],
    "np.tensordot(x, y, axes=0)": [(2,), (3,)],
    "np.tensordot(x, y, axes=1)": [(2, 3), (3, 4)],
    "np.tensordot(x, y, axes=((0, -1), (1, 0)))": [(2, 3, 4), (4, 2)],
    "np.tensordot(x, y, axes=(0, 1))": [(2, 3), (4, 2)],
    "np.einsum('ij,jk', x, y)": [(2, 3), (3, 2)],
    "np.einsum('ba', x)": [(2, 3)],
    "np.einsum('ii', x)": [(3, 3)],
    "np.einsum('iij->j', x)": [(2, 2, 3)],
    "np.einsum('iii->', x)": [(2, 2, 2)],
    "np.einsum('i,j->', x, y)": [(2,), (3,)],
    "np.einsum('...ij,...jk->...ik', x, y)": [(2, 2, 3), (3, 2)],
    "np.einsum('...ij,...jk', x, y)": [(3, 1, 2, 3), (2, 3, 2)],
    "np.einsum('i...->...', x)": [(2, 3, 2)],
    "np.einsum('...,...->...', x, y)": [(2, 3), (3,)],
    "np.einsum('ij, jk, kl -> il', x, y, z)": [(2, 3), (3, 2), (2, 3)],
    "np.einsum('i,i->i', x, x)": [(3,)],
    "np.einsum(',i->i', x, y)": [(), (3,)],
    "np.diagonal(x)": [(3, 4)],
    "np.diagonal(x, 1, axis1=2, axis2=0)": [(2, 3, 4)],
    "np.diagonal(x, -2)": [(3, 4)],
    "np.trace(x)": [(3, 4)],
    "np.trace(x, offset=1, axis1=0, axis2=2)": [(2, 3, 4)],
    "np.diag(x)": [(3,)],
    "np.diag(x, k=-1)": [(3,)],
    "np.diag(x, k=1)": [(3, 4)],
    "np.tril(x)": [(3, 4)],
    "np.tril(x, -1)": [(2, 3, 3)],
    "np.triu(x, 1)": [(3, 4)],
    "np.linalg.norm(x)": [(2, 3)],
    "np.linalg.norm(x, axis=1)": [(2, 3)],
    "np.linalg.norm(x, ord=2, axis=-1, keepdims=True)": [(2, 3)],
    "np.linalg.norm(x, ord=1, axis=0)": [(2, 3)],
    "np.linalg.norm(x, np.inf)": [(4,)],
    "np.linalg.norm(x, 'fro')": [(2, 3)],
    "np.linalg.vector_norm(x, axis=0)": [(2, 3)],
    "np.linalg.vector_norm(x)": [(2, 3)],
    "np.linalg.vector_norm(x, ord=1)": [(2, 3)],
    "np.linalg.norm(x, 3)": [(4,)],
    "np.linalg.norm(x, -2.5, axis=0)": [(2, 3)],
    "np.linalg.norm(x, 0.5, axis=1, keepdims=True)": [(2, 3)],
    "np.linalg.norm(x, -np.inf, axis=1)": [(2, 3)],
    "np.linalg.norm(x, ord=np.inf)": [(2, 3)],
    "np.linalg.norm(x, -np.inf, axis=(2, 0))": [(2, 3, 2)],
    "np.linalg.norm(x, 1, axis=(0, 1), keepdims=True)": [(2, 3, 2)],
    "np.linalg.norm(x, -1)": [(2, 3)],
    "np.linalg.norm(x, 2)": [(2, 3)],
    "np.linalg.norm(x, -2, axis=(0, 2))": [(2, 3, 2)],
    "np.linalg.norm(x, 'nuc', axis=(1, 2), keepdims=True)": [(2, 2, 3)],
    "np.linalg.norm(x, 'fro', axis=(0, 1))": [(2, 3, 2)],
    "np.linalg.norm(x * (1 + 2j), 'nuc') + np.linalg.norm(x + 1j, 3, axis=0)": [(2, 3)],
    "np.linalg.vector_norm(x, ord=3.5, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.linalg.vector_norm(x, ord=-np.inf)": [(2, 3)],
    "np.linalg.matrix_norm(x)": [(2, 2, 3)],
    "np.linalg.matrix_norm(x, ord='nuc', keepdims=True)": [(2, 2, 3)],
    "np.linalg.matrix_norm(x, ord=-np.inf)": [(2, 2, 3)],
    "np.linalg.cond(x)": [(2, 3)],
    "np.linalg.cond(x, -2)": [(2, 2, 3)],
    "np.linalg.cond(x, 'fro')": [(2, 2, 2)],
    "np.linalg.cond(x, 1)": [(3, 3)],
    "np.linalg.matrix_rank(x) * np.sum(x)": [(2, 3)],
    "np.linalg.cholesky(x @ np.swapaxes(x, -1, -2) + np.eye(2))": [(2, 2, 2)],
    "np.linalg.cholesky(x @ x.T + np.eye(3), upper=True)": [(3, 3)],
    "np.concatenate([y.ravel() for y in np.linalg.eigh(x + x.T)])": [(3, 3)],
    "np.linalg.eigh(x + x.T, UPLO='U').eigenvectors": [(3, 3)],
    "np.linalg.eigvalsh(x + np.swapaxes(x, -1, -2))": [(2, 3, 3)],
    "np.concatenate([y.ravel() for y in np.linalg.eig(x)])": [(3, 3)],
    "np.linalg.eigvals(x)": [(2, 2, 2)],
    "np.linalg.eigvals(x @ x.T)": [(3, 3)],
    "np.concatenate([y.ravel() for y in np.linalg.svd(x, full_matrices=False)])": [(2, 3)],
    "np.concatenate([y.ravel() for y in np.linalg.svd(x)])": [(2, 2, 2)],
    "np.linalg.svd(x, compute_uv=False)": [(3, 2)],
    "np.linalg.svdvals(x)": [(2, 2, 3)],
    "np.concatenate([y.ravel() for y in np.linalg.qr(x)])": [(2, 3, 2)],
    "np.concatenate([y.ravel() for y in np.linalg.qr(x, 'complete')])": [(2, 4)],
    "np.linalg.qr(x, mode='r')": [(4, 2)],
    "np.linalg.pinv(x)": [(2, 2, 3)],
    "np.linalg.pinv(x @ y, rcond=1e-6)": [(3, 1), (1, 2)],
    "np.linalg.pinv(x, rtol=None)": [(3, 2)],
    "np.concatenate([y.ravel() for y in np.linalg.lstsq(x, y)[:2]])": [(4, 2), (4, 3)],
    "np.concatenate([np.ravel(y) for y in np.linalg.lstsq(x, y)])": [(4, 2), (4,)],
    "np.linalg.lstsq(x, y)[0]": [(2, 4), (2,)],
    "np.linalg.lstsq(x @ z, y, rcond=1e-6)[0]": [(4, 1), (4,), (1, 3)],
    "np.stack(np.linalg.slogdet(x))": [(2, 3, 3)],
    "np.linalg.tensorinv(x)": [(2, 3, 6)],
    "np.linalg.tensorinv(x, ind=1)": [(4, 2, 2)],
    "np.linalg.tensorsolve(x, y)": [(2, 2, 4), (2, 2)],
    "np.linalg.tensorsolve(x, y, axes=(1,))": [(2, 4, 2), (2, 2)],
    "np.linalg.matrix_power(x, 3)": [(2, 2, 2)],
    "np.linalg.matrix_power(x, -2) + np.linalg.matrix_power(x, 0)": [(2, 2)],
    "np.linalg.multi_dot([x, y])": [(2, 4), (4, 3)],
    "np.linalg.multi_dot([x, y, z])": [(2, 4), (4, 3), (3, 2)],
    "np.linalg.multi_dot([x, y, z]) * 1.0": [(4,), (4, 3), (3,)],
    "np.linalg.outer(x, y)": [(2,), (3,)],
    "np.linalg.vecdot(x, y)": [(2, 3), (3,)],
    "np.linalg.vecdot(x, y, axis=0)": [(3, 2), (3, 2)],
    "np.linalg.cross(x, y)": [(2, 3), (2, 3)],
    "np.linalg.cross(x, y, axis=0)": [(3, 2), (3, 2)],
    "np.linalg.matmul(x, y)": [(2, 3), (3, 2)],
    "np.linalg.tensordot(x, y, axes=1)": [(2, 3), (3, 2)],
    "np.linalg.trace(x)": [(2, 3, 4)],
    "np.linalg.trace(x, offset=1)": [(2, 3, 4)],
    "np.linalg.diagonal(x, offset=-1)": [(2, 3, 4)],
    "np.linalg.matrix_transpose(x)": [(2, 3, 4)],
    "np.vecdot(x, y)": [(2, 3), (3,)],
    "np.vecdot(x * 1j, y, axis=0)": [(3, 2), (3, 2)],
    "np.vecdot(x, y, axis=0)": [(3, 3), (3,)],
    "np.matvec(x, y)": [(2, 2, 3), (3,)],
    "np.vecmat(x * (1 + 1j), y)": [(2,), (4, 2, 3)],
    "np.kron(x, y) * 1.0": [(3,), (2,)],
    "np.kron(x, y) * np.kron(y, x)": [(2, 3), ()],
    "np.kron(x, y[0])": [(2, 3, 1), (2, 2)],
    "np.vander(x)": [(3,)],
    "np.vander(x, 4, increasing=True)": [(2,)],
    "np.vander(x, N=1) + np.vander(x, 0).sum()": [(2,)],
    "np.einsum(x, [0, 1], y, [1, 2], [0, 2])": [(2, 3), (3, 2)],
    "np.einsum(x, [0, 0])": [(3, 3)],
    "np.einsum(x, [Ellipsis, 1], [1, Ellipsis])": [(2, 3)],
    "np.cov(x)": [(3, 4)],
    "np.cov(x) * 1.0": [(4,)],
    "np.cov(x, y, rowvar=False, ddof=0)": [(4, 2), (4, 2)],
    "np.cov(x, bias=True)": [(2, 4)],
    "np.cov(x, fweights=[1, 2, 1])": [(2, 3)],
    "np.cov(x, aweights=np.abs(y))": [(2, 3), (3,)],
    "np.cov(x, fweights=[1, 2, 1], aweights=[0.5, 1.0, 2.0], ddof=2)": [(2, 3)],
    "np.corrcoef(x)": [(3, 4)],
    "np.corrcoef(x, y)": [(4,), (4,)],
    "np.corrcoef(x + 1j * y, rowvar=False)": [(4, 2), (4, 2)],
    "np.polyval(x, y)": [(3,), (2, 2)],
    "np.polyval(x, 1.5)": [(3,)],
    "np.polyval([2.0, 1.0, 3.0], x)": [(4,)],
    "np.polymul(x, y)": [(3,), (2,)],
    "np.polyadd(x, y)": [(3,), (2,)],
    "np.polyadd(x, 2.0)": [(3,)],
    "np.polysub(x, y)": [(2,), (4,)],
    "np.concatenate(np.polydiv(x, y))": [(4,), (2,)],
    "np.concatenate(np.polydiv(x, y)) * 2.0": [(3,), (1,)],
    "np.concatenate(np.polydiv(x, y)) * 3.0": [(2,), (3,)],
    "np.concatenate(np.polydiv(np.polymul(x, y), y))": [(2,), (3,)],
    "np.polyder(x)": [(4,)],
    "np.polyder(x, 2)": [(4,)],
    "np.polyint(x)": [(3,)],
    "np.polyint(x, 2, k=y)": [(3,), (2,)],
    "np.polyint(x, 2, k=1.5)": [(3,)],
    "np.corrcoef(x) * x": [(4,)],
    "np.roots(np.stack([0 * x[0], x[1], 0 * x[0], 0 * x[0]])) * x": [(2,)],
    "np.poly(x[:0]) * x": [(2,)],
    "np.histogram_bin_edges(x, 'sturges')": [(6,)],
    "np.polyfit(x, y, 2)": [(5,), (5,)],
    "np.polyfit(x, y, 1, w=np.abs(z))": [(5,), (5, 2), (5,)],
    "np.concatenate([np.ravel(a) for a in np.polyfit(x, y, 1, cov=True)])": [(5,), (5,)],
    "np.polyfit(x, y, 1, cov='unscaled')[1] * y[0]": [(4,), (4, 2)],
    "np.polyfit(x, y, 1, cov=True)[1]": [(4,), (4, 2)],
    "np.concatenate([np.ravel(a) for a in np.polyfit(x, y, 1, full=True)[:2]])": [(5,), (5,)],
    "np.roots(x)": [(4,)],
    "np.roots(np.stack([0 * x[0], x[0], x[1], x[2], 0 * x[0]]))": [(3,)],
    "np.poly(x)": [(3,)],
    "np.poly(x) * 1.0": [(3, 3)],
    "np.poly(np.stack([x[0] + 1j * x[1], x[0] - 1j * x[1]]))": [(2,)],
    "np.fft.fft(x)": [(2, 5)],
    "np.fft.fft(x, 3, axis=0, norm='ortho')": [(4, 2)],
    "np.fft.fft(x, 6, norm='forward')": [(4,)],
    "np.fft.ifft(x * (1 + 2j), axis=-2)": [(4, 2)],
    "np.fft.fft2(x)": [(2, 3, 4)],
    "np.fft.fft2(x, s=(2, -1))": [(3, 4)],
    "np.fft.ifft2(x, axes=(0, 1), norm='forward')": [(2, 3, 2)],
    "np.fft.fftn(x)": [(2, 3, 2)],
    "np.fft.fftn(x, s=(3, 2), axes=(0, 1))": [(2, 3, 2)],
    "np.fft.ifftn(x + 1j * y, axes=(0, 2))": [(2, 3, 2), (2, 3, 2)],
    "np.fft.rfft(x)": [(2, 5)],
    "np.fft.rfft(x, 6, axis=0, norm='ortho')": [(4, 2)],
    "np.fft.rfft2(x)": [(2, 3, 4)],
    "np.fft.rfftn(x, s=(3, 3), axes=(1, 0), norm='forward')": [(2, 4)],
    "np.fft.irfft(x + 1j * y)": [(2, 4), (2, 4)],
    "np.fft.irfft(x + 1j * y, 5, norm='ortho')": [(4,), (4,)],
    "np.fft.irfft(x + 1j * y, 3, axis=0)": [(4, 2), (4, 2)],
    "np.fft.irfft2(x + 1j * y)": [(2, 3, 3), (2, 3, 3)],
    "np.fft.irfftn(x + 1j * y, s=(3, 5), axes=(1, 0))": [(3, 2), (3, 2)],
    "np.fft.hfft(x + 1j * y)": [(4,), (4,)],
    "np.fft.hfft(x + 1j * y, 5, norm='forward')": [(2, 4), (2, 4)],
    "np.fft.ihfft(x, 5, norm='ortho')": [(2, 6)],
    "np.fft.fftshift(x)": [(3, 4)],
    "np.fft.fftshift(x, axes=1)": [(2, 5)],
    "np.fft.ifftshift(x, axes=(0,))": [(5, 2)],
    "np.real(np.fft.ifft(np.fft.fft(x) * np.fft.fft(y)))": [(4,), (4,)],
    "np.reshape(x, (3, -1))": [(2, 3)],
    "np.reshape(x, 6)": [(2, 3)],
    "np.ravel(x)": [(2, 3)],
    "np.transpose(x)": [(2, 3, 4)],
    "np.transpose(x, [1, -1, 0])": [(2, 3, 4)],
    "np.permute_dims(x, (1, 0))": [(2, 3)],
    "np.matrix_transpose(x)": [(2, 3, 4)],
    "np.swapaxes(x, 0, -1)": [(2, 3, 4)],
    "np.moveaxis(x, 0, -1)": [(2, 3, 4)],
    "np.moveaxis(x, [0, 1], [-1, 0])": [(2, 3, 4)],
    "np.expand_dims(x, (0, -1))": [(2, 3)],
    "np.squeeze(x)": [(1, 3, 1)],
    "np.squeeze(x, axis=-1)": [(1, 3, 1)],
    "np.broadcast_to(x, (2, 4, 3))": [(4, 1)],
    "np.broadcast_to(x, 3)": [()],
    "np.broadcast_to(x, np.int64(3))": [()],
    "np.broadcast_to(x, ())": [()],
    "np.add(*np.broadcast_arrays(x, y))": [(3, 1), (4,)],
    "np.concatenate([x, y])": [(2, 3), (1, 3)],
    "np.concatenate((x, y, x), axis=-1)": [(2, 3), (2, 1)],
    "np.concatenate([x, y], axis=None)": [(2, 3), (2,)],
    "np.concat([x, np.ones((1, 3), x.dtype)])": [(2, 3)],
    "np.concatenate([x, y], 0)": [(0, 3), (2, 3)],
    "np.stack([x, y])": [(2, 3), (2, 3)],
    "np.stack((x, y, x), axis=-1)": [(2, 3), (2, 3)],
    "np.stack([x, x * y])": [(), ()],
    "np.hstack([x, y])": [(2, 3), (2, 1)],
    "np.hstack((x, y))": [(3,), ()],
    "np.vstack([x, y])": [(3,), (2, 3)],
    "np.atleast_1d(x) * 1.0": [()],
    "np.atleast_2d(x)": [(3,)],
    "np.multiply(*np.split(x, 2))": [(4, 3)],
    "np.multiply(*np.split(x, [3], axis=-1)[::-1])[..., :1]": [(2, 4)],
    "np.split(x, [1, 3])[1]": [(4,)],
    "np.concatenate(np.array_split(x, 3)[::-1])": [(5,)],
    "np.array_split(x, 2, axis=1)[0]": [(2, 3)],
    "np.pad(x, 2)": [(2, 3)],
    "np.pad(x, ((1, 0), (0, 2)), constant_values=1.5)": [(2, 3)],
    "np.pad(x, (1, 2), mode='edge')": [(2, 3)],
    "np.pad(x, 4, 'reflect')": [(3,)],
    "np.pad(x, ((0, 0), (3, 1)), mode='symmetric')": [(2, 2)],
    "np.pad(x, 3, mode='wrap')": [(2, 2)],
    "np.pad(x, {-1: (1, 2)})": [(2, 3)],
    "np.flip(x)": [(2, 3)],
    "np.flip(x, axis=-1)": [(2, 3)],
    "np.flip(x, (0, 2))": [(2, 3, 2)],
    "np.fliplr(x) + np.flipud(x)": [(2, 3)],
    "np.roll(x, 2)": [(2, 3)],
    "np.roll(x, [1, -2], axis=(0, 1))": [(2, 3)],
    "np.repeat(x, 2)": [(2, 3)],
    "np.repeat(x, [0, 3, 1], axis=-1)": [(2, 3)],
    "np.lib.stride_tricks.sliding_window_view(x, 2)": [(4,)],
    "np.tile(x, 2)": [(2, 3)],
    "np.tile(x, (2, 1, 3))": [(2, 3)],
    "np.astype(x, np.float64)": [(2, 3)],
    "np.copy(x)": [(2, 3)],
    "np.zeros_like(x) + x": [(2, 3)],
    "np.ones_like(x) * x": [(2, 3)],
    "np.empty_like(x) * 0 + x": [(2, 3)],
    "np.full_like(x, 2.0) * x": [(2, 3)],
    "written(lambda v: np.copyto(v, y), x)": [(2, 3), (3,)],
    "written(lambda v: np.copyto(v, y, where=ORDER[:2] > 0), x)": [(2, 3), (3,)],
    "written(lambda v: np.put(v, [0, -1, 2], y), x)": [(2, 3), (2,)],
    "written(lambda v: np.place(v, x > 0, y), x)": [(2, 3), (2,)],
    "written(lambda v: np.putmask(v, x > 0, y), x)": [(2, 3), (2,)],
    "written(lambda v: np.put_along_axis(v, ORDER[:2, :1], y, 1), x)": [(2, 3), (2, 1)],
    "written(lambda v: np.put_along_axis(v, np.array([0, 2]), y, None), x)": [(2, 3), (2,)],
    "written(lambda v: np.fill_diagonal(v, y), x)": [(3, 3), (2,)],
    "written(lambda v: np.fill_diagonal(v, y, wrap=True), x)": [(5, 2), ()],
    "written(lambda v: np.fill_diagonal(v, 0.5), x)": [(3, 3, 3)],
    "written(lambda v: np.add.at(v, ([0, 0], [1, 1]), y), x)": [(2, 3), (2,)],
    "np.round(x) + np.around(x, 1) * x": [(2, 3)],
    "x % 0.7 + 3 % (2 + y * y)": [(2, 3), (3,)],
    "np.deg2rad(x) + np.rad2deg(y)": [(2, 3), (3,)],
    "np.radians(x) - np.degrees(x)": [(3,)],
    "np.diff(x)": [(2, 4)],
    "np.diff(x, 2, axis=0)": [(4, 2)],
    "np.cumprod(x)": [(2, 3)],
    "np.cumprod(x, axis=0)": [(3, 2)],
    "np.average(x)": [(2, 3)],
    "np.average(x, axis=1, weights=np.array([1.0, 2.0, 4.0], x.dtype))": [(2, 3)],
    "np.average(x, weights=np.exp(y), axis=0)": [(2, 3), (2, 3)],
    "np.ptp(x, axis=1)": [(2, 3)],
    "np.trapezoid(x, dx=0.5)": [(2, 3)],
    "np.trapezoid(x, np.array([0.0, 1.0, 4.0], x.dtype), axis=0)": [(3, 2)],
    "np.trapezoid(x, y)": [(2, 3), (2, 3)],
    # rounding and the parts of a float
    "x // 0.7 + 3 // y + x * y": [(2, 3), (3,)],
    "np.divmod(x, 0.7)[1] * np.divmod(x, 0.7)[0]": [(2, 3)],
    "divmod(x, 0.7)[1] + divmod(2.0, y)[1]": [(2, 3), (3,)],
    "np.fix(x) * x": [(2, 3)],
    "np.modf(x)[0] * np.modf(x)[1] * x": [(2, 3)],
    "np.ldexp(x, [1, -2, 0])": [(2, 3)],
    "np.frexp(x)[0] * x": [(2, 3)],
    "np.float_power(np.abs(x), y)": [(2, 3), (3,)],
    "np.nan_to_num(np.where(MASK, x, np.nan) + np.where(x > 1, np.inf, x), posinf=3.0)": [(2, 3)],
    # order statistics and sets
    "np.partition(x, 1)[..., 1]": [(2, 3)],
    "np.partition(x, 2, axis=None)[2]": [(2, 3)],
    "np.median(x)": [(2, 3)],
    "np.median(x, axis=0)": [(3, 2)],
    "np.median(x, axis=(0, 2), keepdims=True)": [(2, 3, 2)],
    "np.quantile(x, 0.3)": [(2, 3)],
    "np.quantile(x, [0.1, 0.5, 1.0], axis=1)": [(2, 4)],
    "np.quantile(x, [[0.1], [0.0]], axis=(0, 1), keepdims=True)": [(2, 4, 2)],
    "np.quantile(x, 1 / (2 + y * y), axis=-1)": [(2, 4), (3,)],
    "np.quantile(x, 0.4, weights=np.array([1.0, 2, 1]), axis=1, method='inverted_cdf')": [(2, 3)],
    "np.percentile(x, 30, axis=0)": [(3, 2)],
    "np.percentile(x, [20, 70], method='hazen')": [(5,)],
    "np.nanmedian(x)": [(2, 3)],
    "np.nanmedian(np.where(MASK, x, np.nan), axis=1)": [(2, 3)],
    "np.nanquantile(np.where(MASK, x, np.nan), 0.3, axis=0)": [(2, 3)],
    "np.nanquantile(np.where(MASK, x, np.nan), [0.3, 0.8], axis=1, keepdims=True)": [(2, 3)],
    "np.nanpercentile(x, 30)": [(2, 3)],
    "np.unique(x)": [(2, 3)],
    "np.unique(x, return_index=True, return_counts=True, axis=0)[0]": [(2, 3)],
    "np.sort(np.unique_values(x))": [(3,)],
    "np.unique_all(x).values": [(3,)],
    "np.unique_counts(x)[0]": [(3,)],
    "np.unique_inverse(x)[0]": [(3,)],
    "np.union1d(x, y)": [(2, 3), (2,)],
    "np.intersect1d(x, x.ravel()[:2])": [(2, 3)],
    "np.intersect1d(x, x.ravel()[:2], return_indices=True)[0]": [(2, 3)],
    "np.setdiff1d(x, x.ravel()[:2])": [(2, 3)],
    "np.setxor1d(x, x.ravel()[:2])": [(2, 3)],
    # leaving nan out
    "np.nansum(np.where(MASK, x, np.nan), axis=1)": [(2, 3)],
    "np.nansum(x)": [(2, 3)],
    "np.nanprod(np.where(MASK, x, np.nan), axis=0)": [(2, 3)],
    "np.nanmean(np.where(MASK, x, np.nan), axis=0, keepdims=True)": [(2, 3)],
    "np.nanmean(x)": [(2, 3)],
    "np.nanvar(np.where(MASK, x, np.nan), axis=1, ddof=1)": [(2, 3)],
    "np.nanstd(np.where(MASK, x, np.nan))": [(2, 3)],
    "np.nanmax(np.where(MASK, x, np.nan), axis=1)": [(2, 3)],
    "np.nanmin(np.where(MASK, x, np.nan), axis=1, keepdims=True)": [(2, 3)],
    "np.nancumsum(np.where(MASK, x, np.nan), axis=1)": [(2, 3)],
    "np.nancumprod(np.where(MASK, x, np.nan))": [(2, 3)],
    # differences and interpolation
    "np.cumulative_sum(x, axis=1, include_initial=True)": [(2, 3)],
    "np.cumulative_sum(x)": [(3,)],
    "np.cumulative_prod(x, axis=0, include_initial=True)": [(2, 3)],
    "np.ediff1d(x, to_begin=[1.0, 2.0], to_end=y)": [(2, 3), (2,)],
    "np.ediff1d(x)": [(4,)],
    "np.diff(x, prepend=0.0, append=y)": [(2, 3), (2, 2)],
    "np.multiply(*np.average(x, axis=0, weights=np.exp(y), returned=True))": [(2, 3), (2, 3)],
    "np.gradient(x)[1]": [(3, 4)],
    "np.gradient(x, 0.5, axis=0, edge_order=2)": [(4, 2)],
    "np.gradient(x, np.cumsum(np.exp(y)), axis=1, edge_order=2)": [(2, 5), (5,)],
    "np.gradient(x, 2.0, np.array([0.0, 1.0, 3.0], x.dtype))[1]": [(2, 3)],
    "np.unwrap(4 * x)": [(2, 5)],
    "np.unwrap(4 * x, axis=0, period=3.0)": [(5, 2)],
    "np.interp(x, [-1.0, 0.0, 1.0], [1.0, 3.0, 2.0])": [(2, 3)],
    "np.interp(x, np.cumsum(np.exp(y)) - 3, z, left=-1.0)": [(2, 3), (4,), (4,)],
    "np.interp(x, [0.1, 0.4, 0.9], y, period=1.5)": [(2, 3), (3,)],
    "np.linspace(x, y, 5)": [(2,), (2,)],
    "np.linspace(x, 3.0, 4, endpoint=False, axis=-1)": [(2,)],
    "np.linspace(x, 3.0, 4, retstep=True)[1]": [(2,)],
    "np.logspace(x, y, 4, base=3.0)": [(2,), (2,)],
    "np.geomspace(np.exp(x), 3.0, 4)": [(2,)],
    "np.geomspace(-np.exp(x), -3.0, 4, endpoint=False)": [(2,)],
    # choosing, joining and moving
    "np.select([x < 0, x > 1], [x**2, y], 3.0)": [(2, 3), (3,)],
    "np.select([x < 0], [x**2])": [(2, 3)],
    "np.piecewise(x, [x < 0, x > 1], [lambda x: x**2, 3.0, np.exp])": [(2, 3)],
    "np.piecewise(x, x < 0, [lambda x, k: k * x**2], 3.0)": [(4,)],
    "np.choose(ORDER, [x, x * x, y])": [(2, 3), (3,)],
    "np.choose(ORDER + 1, [x, y], mode='clip')": [(2, 3), (3,)],
    "np.choose(ORDER - 1, [x, y], mode='wrap')": [(2, 3), (3,)],
    "np.compress([True, False, True], x, axis=1)": [(2, 3)],
    "np.compress([True, False, True], x)": [(2, 3)],
    "np.extract(MASK, x)": [(2, 3)],
    "np.take(x, [5, -7], mode='wrap') + np.take(x, [5, -7], mode='clip')": [(2, 3)],
    "np.apply_along_axis(lambda v: v * v[0], 1, x)": [(2, 3)],
    "np.apply_along_axis(lambda v: v.sum() ** 2, 0, x)": [(2, 3)],
    "np.apply_along_axis(lambda v: np.stack([v, v * v]), 1, x)": [(2, 3, 2)],
    "np.apply_over_axes(np.sum, x * x, [0, 2])": [(2, 3, 2)],
    "np.dstack([x, y])": [(2, 3), (2, 3)],
    "np.dstack([x, x[0]])[..., 1]": [(1, 3)],
    "np.block([[x, y], [y, 2 * x]])": [(2, 2), (2, 2)],
    "np.block([x, y, 3.0])": [(2,), (3,)],
    "np.block(x)": [(2,)],
    "np.insert(x, 1, y)": [(2, 3), ()],
    "np.insert(x, [1, 1], [[7.0], [8.0]], axis=1)": [(2, 3)],
    "np.insert(x, 1, y, axis=1)": [(2, 3), (2,)],
    "np.insert(x, slice(0, 2), y, axis=0)": [(2, 3), (2, 3)],
    "np.delete(x, 1)": [(2, 3)],
    "np.delete(x, [0, -1], axis=1)": [(2, 3)],
    "np.resize(x, (3, 5))": [(2, 3)],
    "np.resize(x, 2)": [(0,)],
    "np.trim_zeros(np.where(MASK, 0.0, x).ravel())": [(2, 3)],
    "np.trim_zeros(np.append(x, 0.0), 'f')": [(3,)],
    "np.diagflat(x, 1)": [(2, 2)],
    "np.multiply(*np.meshgrid(x, y))": [(2,), (3,)],
    "np.multiply(*np.meshgrid(x, y, indexing='ij', sparse=True))": [(2,), (3,)],
    "np.meshgrid(x, y, x)[2] * y[0]": [(2,), (3,)],
    "np.multiply(*np.dsplit(x, 2))": [(2, 1, 4)],
    "np.multiply(*np.unstack(x, axis=1))": [(3, 2)],
    "np.atleast_3d(x)": [(2, 3)],
    "np.multiply(*np.atleast_3d(x, y))": [(2, 3), (3,)],
    "np.atleast_1d(x, y)[0] * np.atleast_2d(x, y)[1]": [(), (2,)],
    "np.rollaxis(x, 2, 1)": [(2, 3, 4)],
    # sequences and bins
    "np.convolve(x, y)": [(4,), (3,)],
    "np.convolve(x, y, mode='same')": [(3,), (6,)],
    "np.convolve(x, y, 'valid')": [(5,), (2,)],
    "np.correlate(x, y)": [(5,), (2,)],
    "np.correlate(x, y, 'same')": [(6,), (3,)],
    "np.correlate(x, y, 'same')[::-1]": [(3,), (6,)],
    "np.correlate(x, y, 'full')": [(2,), (5,)],
    "np.correlate(x, y, 'valid')": [(2,), (5,)],
    "np.bincount([0, 2, 2, 5], weights=x, minlength=8)": [(4,)],
    "np.histogram([0.0, 1.5, 2.0, 9.0], [0.0, 1.0, 2.0], weights=x)[0]": [(4,)],
    "np.histogram(x, 3, weights=y, density=True)[0] * 1.0": [(6,), (6,)],
    "np.histogram(x, 3, density=True)[0] * 1.0": [(6,)],
    "np.histogram(x, 3, weights=x * x)[1]": [(6,)],
    "np.histogram_bin_edges(x, 4)": [(6,)],
    "np.histogram2d([0.0, 1.5, 2.0], [0.0, 1.5, 9.0], 2, weights=x)[0]": [(3,)],
    "np.histogramdd(np.eye(3)[:, :2], (2, 3), weights=x, density=True)[0]": [(3,)],
    # methods and options of ufuncs
    "np.multiply.outer(x, y)": [(2, 3), (2,)],
    "np.subtract.reduce(x, axis=1)": [(2, 3)],
    "np.logaddexp.reduce(x, axis=1, keepdims=True)": [(2, 3)],
    "np.hypot.reduce(x, axis=(0, 1))": [(2, 3)],
    "np.fmax.reduce(x, axis=0)": [(2, 3)],
    "np.add.accumulate(x) + np.multiply.accumulate(x, axis=1)": [(2, 3)],
    "np.maximum.accumulate(x, axis=1)": [(2, 5)],
    "np.minimum.accumulate(x)": [(5, 2)],
    "np.logaddexp.accumulate(x, axis=1)": [(2, 3)],
    "np.add.reduceat(x, [0, 2, 1], axis=1)": [(2, 4)],
    "np.multiply.reduceat(x, [0, 2])": [(4, 2)],
    "np.maximum.reduceat(x, [0, 2, 3])": [(4,)],
    "np.add(x, y, dtype=np.float64, where=True)": [(2, 3), (3,)],
    "np.multiply.outer(x, y, dtype=np.float64)": [(2,), (3,)],
    "np.subtract.reduce(x, 1, np.float64, keepdims=True, initial=0.3)": [(2, 3)],
    "np.fmax.reduce(x, axis=(-1, 0), keepdims=True, initial=0.3)": [(2, 3, 2)],
    "np.fmin.reduce(x, None, initial=0.3)": [(2, 3)],
    "np.logaddexp.reduce(x, axis=-1, dtype=np.float64)": [(2, 3)],
    "np.logaddexp.reduce(x, axis=1, initial=0.5)": [(2, 3)],
    "np.hypot.accumulate(x, axis=-1, dtype=np.float64)": [(2, 3)],
    "np.maximum.accumulate(x, axis=-2, dtype=np.float64)": [(5, 2)],
    "np.multiply.accumulate(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.add.reduceat(x, [2, 0], axis=-1, dtype=np.float64)": [(2, 4)],
    "np.logaddexp.reduceat(x, [1, 0, 3], axis=1)": [(2, 4)],
    # methods
    "x.take([1, 0], axis=1).compress([True, False], axis=0).round(1).copy() * x[0, 0]": [(2, 3)],
    "x.cumprod() * x.ravel()[x.argsort(axis=None)]": [(2, 3)],
    "np.linalg.solve(x + 3 * np.eye(2, dtype=x.dtype), y)": [(2, 2), (2,)],
    "np.linalg.solve(x + 3 * np.eye(2, dtype=x.dtype), y)[..., ::-1]": [(3, 2, 2), (2, 2)],
    "np.column_stack([x, y])": [(3,), (3, 2)],
    "np.append(x, y)": [(2, 3), (2,)],
    "np.append(x, y, axis=0)": [(2, 3), (1, 3)],
    "np.multiply(*np.vsplit(x, 2)) + np.multiply(*np.hsplit(x, 2))[:1, :1]": [(4, 2)],
    "np.hsplit(x, [2])[1]": [(3,)],
    "np.rot90(x)": [(2, 3)],
    "np.rot90(x, 3, axes=(2, 0))": [(2, 3, 2)],
    "np.cross(x, y)": [(2, 3), (3,)],
    "np.cross(x, y, axis=0)": [(3, 2), (3, 2)],
    "x.reshape(3, 2).T.sum(axis=0).clip(-1, 1)": [(2, 3)],
    "x.transpose(1, 0).flatten()": [(2, 3)],
    "x.swapaxes(0, 1).squeeze().mean()": [(2, 3)],
    "x.std() + x.var(axis=0) - x.min() * x.max(axis=0)": [(2, 3)],
    "x.prod(axis=0) @ x.cumsum(axis=1).diagonal(1, 0, 1)[:1].repeat(3)": [(2, 3)],
    # options
    "np.amax(x, axis=1, keepdims=True, where=MASK, initial=-9.0)": [(2, 3)],
    "np.amin(x, axis=1, keepdims=True, where=MASK, initial=9.0)": [(2, 3)],
    "np.max(x, axis=0, keepdims=True)": [(2, 3)],
    "np.prod(x, axis=1, dtype=np.float64, keepdims=True)": [(2, 3)],
    "np.std(x, axis=1, dtype=np.float64, correction=1)": [(2, 3)],
    "np.var(x, axis=0, dtype=np.float64)": [(2, 3)],
    "np.ptp(x, axis=1, keepdims=True)": [(2, 3)],
    "np.average(x, axis=1, weights=np.exp(y), keepdims=True)": [(2, 3), (3,)],
    "np.average(x, axis=0, returned=True)[1] * np.average(x, keepdims=True)": [(2, 3)],
    "np.cov(x, dtype=np.float64) + np.corrcoef(x, dtype=np.float64)": [(3, 4)],
    "np.cross(x, y, axisa=0, axisb=1, axisc=0)": [(3, 2), (2, 3)],
    "np.cumprod(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.cumulative_prod(x, axis=1, dtype=np.float64)": [(2, 3)],
    "np.cumulative_sum(x, axis=0, dtype=np.float64)": [(2, 3)],
    "np.einsum('ij,jk', x, y, optimize=True)": [(2, 3), (3, 2)],
    "np.trace(x, axis1=1, axis2=2, dtype=np.float64)": [(2, 3, 4)],
    "np.linalg.trace(x, dtype=np.float64)": [(2, 3, 4)],
    "np.linalg.eigvalsh(x + x.T, UPLO='U')": [(3, 3)],
    "np.linalg.pinv(x + x.T, hermitian=True)": [(3, 3)],
    "np.linalg.svd(x + x.T, hermitian=True, compute_uv=False)": [(3, 3)],
    "np.zeros_like(x, np.float64, shape=(3,)) + x": [(2, 3)],
    "np.ones_like(x, np.float64, shape=(3,)) * x": [(2, 3)],
    "np.empty_like(x, np.float64, shape=(3,)) * 0 + x": [(2, 3)],
    "np.full_like(x, 2.0, np.float64, shape=(3,)) * x": [(2, 3)],
    "np.real_if_close(x * (1 + 1e-14j), tol=1e4)": [(2, 3)],
    "np.round(x, 1) * x": [(2, 3)],
    "np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 0))": [(4, 3)],
    "np.fft.fft2(x, axes=(0, 2), norm='forward')": [(2, 2, 3)],
    "np.fft.fftn(x, norm='ortho')": [(2, 3)],
    "np.fft.ifft(x, 3, norm='forward')": [(2, 4)],
    "np.fft.ifft2(x, s=(3, 2))": [(2, 3)],
    "np.fft.ifftn(x, s=(3, 2), axes=(0, 1), norm='ortho')": [(2, 3, 2)],
    "np.fft.rfft2(x, s=(3, 3), axes=(1, 0), norm='ortho')": [(2, 4)],
    "np.fft.irfft2(x + 1j * y, s=(3, 5), axes=(1, 0), norm='ortho')": [(3, 2), (3, 2)],
    "np.fft.irfftn(x + 1j * y, norm='forward')": [(3, 2), (3, 2)],
    "np.fft.hfft(x + 1j * y, axis=0)": [(3, 2), (3, 2)],
    "np.fft.ihfft(x, 3, axis=0)": [(4, 2)],
    "np.linspace(x, y, 3, dtype=np.float64)": [(2,), (2,)],
    "np.logspace(x, y, 4, endpoint=False, base=3.0, dtype=np.float64, axis=1)": [(2,), (2,)],
    "np.geomspace(np.exp(x), 3.0, 4, dtype=np.float64, axis=1)": [(2,)],
    "np.interp(x, [-1.0, 0.0, 1.0], [1.0, 3.0, 2.0], left=y, right=z)": [(2, 3), (), ()],
    "np.unwrap(4 * x, discont=4.0)": [(2, 5)],
    "np.unwrap(4 * x, discont=1.0)": [(2, 5)],
    "np.trim_zeros(np.where(MASK, 0.0, x), axis=-1)": [(2, 3)],
    "np.histogram([-2.0, 0.0, 0.9, 1.0], 3, range=(-1.0, 1.0), weights=x)[0]": [(4,)],
    "np.histogram(x, 3, weights=x)[1] + np.histogram(y, 3, range=(x[0], 9))[1] * y": [(4,), (4,)],
    "np.histogram_bin_edges(x, 5, range=(y[0], 3.0), weights=x) * x": [(6,), (1,)],
    "np.histogram_bin_edges(x[:1], 4) + np.histogram_bin_edges(x, 4, (y[0], y[0]))": [(3,), (1,)],
    "np.histogram2d([0.0, 1.5, 2.0], [0.0, 1.5, 9.0], [2, 3], ((0, 1.6), (1, 9)), True, x)[0]": [
        (3,)
    ],
    "np.histogramdd(np.eye(3)[:, :2], 2, ((0.0, 0.5), (-1.0, 2.0)), weights=x)[0]": [(3,)],
    # options of order statistics, sets and what leaves nan out
    "np.percentile(x, [30, 60], 1, method='hazen', keepdims=True)": [(2, 4)],
    "np.percentile(x, 40, weights=[1, 2, 1], axis=1, method='inverted_cdf', keepdims=True)": [
        (2, 3)
    ],
    "np.quantile(x, [0.2, 0.6], weights=[[1, 2, 1], [3, 1, 0]], method='inverted_cdf')": [(2, 3)],
    "np.nanmedian(NAN + x, axis=0, keepdims=True)": [(2, 3)],
    "np.nanpercentile(NAN + x, [30, 60], 1, method='weibull', keepdims=True)": [(2, 3)],
    "np.nanquantile(NAN + x, 0.3, axis=1, method='hazen')": [(2, 3)],
    "joined(np.unique(x, True, True, True))": [(2, 3)],
    "joined(np.unique(x, return_inverse=True))": [(2, 3)],
    "joined(np.unique_all(x))": [(3,)],
    "joined(np.unique_counts(x)[1:]) * x": [(3,)],
    "joined(np.unique_inverse(x))": [(2, 3)],
    "joined(np.intersect1d(x, x.ravel()[1:3], True, True))": [(2, 3)],
    "np.setdiff1d(x, x.ravel()[:2], assume_unique=True)": [(2, 3)],
    "np.setxor1d(x.ravel(), x.ravel()[:2], assume_unique=True)": [(2, 3)],
    "np.nan_to_num(NAN + np.where(x > 0, -np.inf, x), nan=0.5, neginf=-3.0)": [(2, 3)],
    "np.nansum(NAN + x, 1, np.float64, keepdims=True, initial=2.5, where=LEFT)": [(2, 3)],
    "np.nanprod(NAN + x, 1, np.float64, keepdims=True, initial=2.5, where=LEFT)": [(2, 3)],
    "np.nancumsum(NAN + x, dtype=np.float64)": [(2, 3)],
    "np.nancumprod(NAN + x, 1, np.float64)": [(2, 3)],
    "np.nanmean(NAN + x, 1, np.float64, keepdims=True, where=LEFT)": [(2, 3)],
    "np.nanvar(NAN + x, 1, np.float64, keepdims=True, where=LEFT)": [(2, 3)],
    "np.nanvar(NAN + x, correction=1)": [(2, 3)],
    "np.nanstd(NAN + x, 1, np.float64, ddof=1, keepdims=True, where=LEFT)": [(2, 3)],
    "np.nanstd(NAN + x, correction=1.5)": [(2, 3)],
    "np.nanmax(NAN + x, axis=1, keepdims=True, initial=-9.0, where=LEFT)": [(2, 3)],
    "np.nanmin(NAN + x, axis=1, keepdims=True, initial=9.0, where=LEFT)": [(2, 3)],
}
SINCE = {
    **{"np.clip(x, min=": "2.1.0", "MASK, 0.0, x), axis=-1)": "2.2.0", "np.pad(x, {": "2.3.0"},
    "descending": "2.5.0",
}
"""Options that NumPy has since a version, by a part of a line."""
HERE = [
    line
    for line in CASES
    if all(hasattr(np, x) for x in re.findall(r"\bnp\.(\w+)", line))
    and not any(x in line and np.lib.NumpyVersion(np.__version__) < SINCE[x] for x in SINCE)
]
"""The lines whose functions this version of NumPy has."""

each_case = pytest.mark.parametrize(
    ("line", "shapes"),
    [(line, CASES[line]) for line in HERE],
    ids=[line.replace(" ", "") for line in HERE],
)


def written(write, x):
    """A copy of x, after a function has written into it."""
    out = np.copy(x)
    write(out)
    return out


def joined(parts):
    """Everything that a function returns, in one array."""
    return np.concatenate([np.ravel(1.0 * part) for part in parts])


NAMES = {"np": np, "tg": tg, "MASK": MASK, "NAN": NAN, "LEFT": LEFT, "ORDER": ORDER}
NAMES |= {"written": written, "joined": joined}


def function(line):
    return lambda *xyz: eval(line, NAMES | dict(zip("xyz", xyz, strict=False)))


@each_case
def test_values_compute_what_numpy_computes_on_arrays(line, shapes):
    f, arrays = function(line), numbers(0, *shapes)
    found, expected = f(*map(Value, arrays)), f(*arrays)
    if expected.size and any(shapes):
        assert isinstance(found, Value)
    data = found.data if isinstance(found, Value) else found
    assert np.shape(data) == np.shape(expected)
    np.testing.assert_allclose(data, expected, rtol=1e-14, atol=1e-15)


@each_case
def test_with_complex_numbers_it_is_numpys_or_refused(line, shapes):
    f = function(line)
    z, t = (
        [x + 1j * y for x, y in zip(numbers(i, *shapes), numbers(i + 1, *shapes), strict=True)]
        for i in (0, 2)
    )
    try:
        expected = f(*z)
        found = f(*map(Value, z))
    except (TypeError, ValueError, np.linalg.LinAlgError, np.exceptions.ComplexWarning):
        return  # refused, by NumPy or by us
    data = found.data if isinstance(found, Value) else found
    assert np.shape(data) == np.shape(expected)
    np.testing.assert_allclose(data, expected, rtol=1e-12, atol=1e-13)
    if "svd" in line or not isinstance(found, Value):  # vectors whose phases are free
        return
    step = 1e-6
    ahead, behind = (f(*(x + s * dx for x, dx in zip(z, t, strict=True))) for s in (step, -step))
    _, tangent = tg.jvp(f, tuple(z), tuple(t))
    np.testing.assert_allclose(tangent, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7)
    g = np.cos(np.arange(np.size(expected))).reshape(np.shape(expected))
    cotangents = tg.vjp(f, *z)[1](g.astype(found.dtype))
    pairs = zip(cotangents if len(z) > 1 else [cotangents], t, strict=True)
    inner = sum(np.sum(np.real(np.conj(c) * dx)) for c, dx in pairs)
    np.testing.assert_allclose(inner, np.sum(np.real(tangent) * g), rtol=1e-9, atol=1e-10)


@each_case
def test_first_and_second_derivatives_agree_with_central_differences(line, shapes):
    tg.check_gradients(function(line), *numbers(0, *shapes), order=2)


@each_case
def test_the_dtype_is_the_one_that_numpy_gives(line, shapes):
    f, arrays = function(line), [x.astype(np.float32) for x in numbers(0, *shapes)]
    values = [*map(Value, arrays)]
    out = f(*values)
    assert out.dtype == f(*arrays).dtype
    if isinstance(out, Value):
        out.backward(np.ones(out.shape))
        assert all(value.grad.dtype == np.float32 for value in values)


REFUSED_COMPILED = re.compile(
    r"sturges|uni(que|on)|(intersect|setdiff|setxor)1d|trim_zeros|piecewise|real_if_close|eig(vals)?\(x"
    r"|polydiv|poly\((x\) \*|np)|polymul\(np|roots|lstsq\(x @ z|np\.place"
)
"""Functions whose result's shape or dtype, or whose calls, depend on the numbers that they get."""


def compiled_gradients(line, arrays, backend):
    """The value and the gradients of a line's weighted sum, compiled, from the second call."""
    names = ", ".join("xyz"[: len(arrays)])
    if np.iscomplexobj(function(line)(*arrays)):
        line = f"np.real(out := {line}) + 0.5 * np.imag(out)"
    code = f"lambda {names}: tg.value_and_grad(lambda {names}: np.sum(({line}) * 1.5)"
    code += f", argnums={tuple(range(len(arrays)))})({names})"
    f = eval(code, dict(NAMES))
    step = tg.compile(f, backend=backend)
    step(*arrays)
    return f(*arrays), step(*arrays)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "backend"),
    [
        pytest.param(line, backend, id=f"{line}-{backend}".replace(" ", ""))
        for i, line in enumerate(HERE)
        for backend in (BACKENDS if THOROUGH else [BACKENDS[i % 4 == 0]])
    ],
)
def test_compiled_gradients_are_those_of_eager_code_or_refused(line, backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    arrays = numbers(0, *CASES[line])
    if REFUSED_COMPILED.search(line):
        with pytest.raises(TinygradError, match="; "):  # with a cure
            compiled_gradients(line, arrays, backend)
        return
    (value, gradients), (found_value, found) = compiled_gradients(line, arrays, backend)
    np.testing.assert_allclose(found_value, value, rtol=1e-12, atol=1e-13)
    for g, expected in zip(found, gradients, strict=True):
        np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-12)


COMPOSED = {
    function.__name__
    for function, by in NUMPY_IMPLS.items()
    if not isinstance(by, Primitive)
    and getattr(sys.modules.get("scipy.special"), function.__name__, 0) is not function
}


@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_every_composed_function_has_a_case(name):
    assert any(re.search(rf"\b{name}\(", line) for line in CASES)


WITHOUT_CASE = {
    *("out", "copy", "overwrite_input", "order", "kind", "stable", "casting", "writeable"),
    *("subok", "device"),
    *("concatenate dtype", "stack dtype", "hstack dtype", "vstack dtype", "pad reflect_type"),
    *("amax dtype", "amin dtype", "max dtype", "min dtype", "nanmax dtype", "nanmin dtype"),
    *("nanquantile weights", "nanpercentile weights", "put mode", "polyfit rcond"),
}
"""Options that are refused, that NumPy doesn't have, or that change nothing for a Value."""


NUMPY = np.lib.NumpyVersion(np.__version__)
if np.lib.NumpyVersion(np.__version__) < SINCE["descending"]:
    WITHOUT_CASE.add("sort descending")


@pytest.mark.skipif(NUMPY < "2.4.0", reason="the cases are for NumPy's newest functions")
def test_every_option_of_a_composed_function_has_a_case(monkeypatch):
    composed = {
        numpy: ours
        for numpy, ours in NUMPY_IMPLS.items()
        if numpy.__name__ in COMPOSED and not isinstance(ours, Primitive)
    }
    used = set()

    def noting(name, ours):
        signature = inspect.signature(ours, follow_wrapped=False)

        def call(*args, **options):
            for key, x in signature.bind(*args, **options).arguments.items():
                default = signature.parameters[key].default
                if type(x) is not type(default) or x != default:
                    used.add(f"{name} {key}")
            return ours(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for numpy, ours in composed.items():
            patch.setitem(NUMPY_IMPLS, numpy, noting(numpy.__name__, ours))
        for line in HERE:
            function(line)(*map(Value, numbers(0, *CASES[line])))
    options = {(numpy.__name__, key) for numpy, ours in composed.items() for key in defaults(ours)}
    here = {f"{name} {key}" for name, key in options if key not in WITHOUT_CASE}
    assert not here - WITHOUT_CASE - used


def defaults(function):
    """The arguments that may be left out, with what NumPy or we take for them."""
    parameters = inspect.signature(getattr(function, "forward", function)).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def has_signature(function):
    """NumPy says what the arguments are: of ufuncs never, of functions in C since 2.4."""
    try:
        return not isinstance(function, np.ufunc) and bool(inspect.signature(function))
    except ValueError:
        return False


@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_arguments_left_out_are_those_of_numpy(name):
    for function, ours in NUMPY_IMPLS.items():
        if function.__name__ != name or not has_signature(function):
            continue
        stated = {k: x for k, x in defaults(function).items() if x is not np._NoValue}
        own = defaults(ours)
        assert {k: own[k] for k in stated if k in own} == {k: stated[k] for k in stated if k in own}
        # NumPy leaves these to each kind of array; for arrays they mean:
        unstated = {"keepdims": False, "where": True, "initial": None, "dtype": None}
        both = own.keys() & unstated.keys() - stated.keys()
        assert {k: own[k] for k in both} == {k: unstated[k] for k in both}


def test_methods_state_the_defaults_of_what_they_call():
    names = [name for name in METHOD_IMPLS if callable(getattr(Value, name, None))]
    assert len(names) > 30
    for name in names:
        stated = defaults(getattr(Value, name))
        ours = defaults(METHOD_IMPLS[name]) | ({"order": "C"} if name == "copy" else {})
        assert stated == {key: ours[key] for key in stated}, name


REFUSED = {
    "np.sum(x, out=np.zeros(3))": ArgumentError,
    "np.max(x, where=MASK)": ValueError,
    "np.max(x[:0])": ValueError,
    "np.sum(x, axis=2)": np.exceptions.AxisError,
    "np.sum(x, axis=(0, 0))": ValueError,
    "np.flip(x, 2)": np.exceptions.AxisError,
    "np.expand_dims(x, 4)": np.exceptions.AxisError,
    "np.squeeze(x, 0)": ValueError,
    "np.reshape(x, (4, 2))": ValueError,
    "np.broadcast_to(x, (2, 2))": ValueError,
    "np.concatenate([x, x[:, :2]])": ValueError,
    "np.stack([x, x[0]])": ValueError,
    "np.split(x, 2, axis=1)": ValueError,
    "np.pad(x, 1, mode='mean')": ArgumentError,
    "np.pad(x, 1, mode='reflect', reflect_type='odd')": ArgumentError,
    "np.pad(x, 1, constant_values=((1, 2), (3, 4)))": ArgumentError,
    "np.linalg.norm(x, 3)": ArgumentError,
    "np.linalg.norm(x[0], 'nuc')": ArgumentError,
    "np.linalg.norm(x, axis=(0, 1, 1), ord=2)": ArgumentError,
    "np.linalg.cholesky(x)": ValueError,
    "np.linalg.cholesky(np.array([[1.0, 0.0], [0.5, 1.0]]) + 0 * x[0, 0])": ArgumentError,
    "np.linalg.eigh(x @ x.T + np.array([[0.0, 5.0], [0.0, 0.0]]))": ArgumentError,
    "np.linalg.eigvals(x)": ValueError,
    "np.linalg.svd(x)": NotDifferentiableError,
    "np.linalg.svd(x[0])": ValueError,
    "np.linalg.qr(x.T, mode='complete')": NotDifferentiableError,
    "np.linalg.qr(x, mode='raw')": ArgumentError,
    "np.linalg.pinv(x, 1e-3, rtol=1e-3)": ArgumentError,
    "np.linalg.lstsq(x, np.ones(3))": ValueError,
    "np.linalg.tensorinv(x)": ValueError,
    "np.linalg.tensorsolve(x, np.ones(2))": ValueError,
    "np.linalg.matrix_power(x, 2)": ValueError,
    "np.linalg.matrix_power(x @ x.T, 0.5)": ArgumentError,
    "np.linalg.multi_dot([x])": ArgumentError,
    "np.linalg.outer(x, x)": ValueError,
    "np.vander(x)": ValueError,
    "np.cov(np.stack([x, x]))": ValueError,
    "np.lib.stride_tricks.sliding_window_view(x, 2, axis=1, writeable=True)": ArgumentError,
    "np.nanquantile(x, 0.5, weights=MASK)": ArgumentError,
    "np.nanpercentile(x, 50, weights=MASK)": ArgumentError,
    "np.put(np.copy(x), [0], 1.0, mode='wrap')": ArgumentError,
    "np.stack([x, x], dtype=np.float32)": ArgumentError,
    "np.hstack([x, x], dtype=np.float32)": ArgumentError,
    "np.vstack([x, x], dtype=np.float32)": ArgumentError,
    "np.partition(x, 1, order='a')": ArgumentError,
    "np.fft.fft(x, 0)": ValueError,
    "np.fft.fft(x, norm='half')": ValueError,
    "np.fft.fftn(x, s=(2,), axes=(0, 1))": ArgumentError,
    "np.fft.rfft(x * 1j)": (TypeError, ValueError),
    "np.diag(np.stack([x]))": ArgumentError,
    "np.einsum('ij,jk', x)": ValueError,
    "np.einsum(x, [0, 'j'])": ArgumentError,
    "np.einsum(x, [0, 99])": ArgumentError,
    "np.tensordot(x, x.T)": ValueError,
    "np.dot(x, x)": ValueError,
    "np.vecdot(x, x[:, :1])": ValueError,
    "np.vecdot(x[:, :1], x[:, :0])": ValueError,
    "np.inner(x, x.T)": ValueError,
    "np.take(x, 9)": IndexError,
    "np.take(x, 9, mode='near')": ArgumentError,
    "np.take(x, 1, out=np.zeros(()))": ArgumentError,
    "np.sort(x, order='a')": ValueError,
    "np.concatenate([x, x], dtype=np.float32)": ArgumentError,
    "np.astype(x, 'M8[D]')": NotDifferentiableError,
    "np.outer(x, x, out=np.zeros((6, 6)))": ArgumentError,
    "np.dot(x, x.T, out=np.zeros((2, 2)))": ArgumentError,
    "np.transpose(x, (0, 0))": ValueError,
    "np.clip(x, 0, 1, out=np.zeros((2, 3)))": TypeError,
    "np.cumsum(x, out=np.zeros(6))": ArgumentError,
    "np.copyto(np.copy(x), 1j)": TypeError,
    "np.place(np.copy(x), MASK, [])": ArgumentError,
    "np.fill_diagonal(np.copy(x[0]), 1.0)": ArgumentError,
    "np.fill_diagonal(np.copy(np.stack([x, x])), 1.0)": ArgumentError,
    "np.block([[x], x])": ArgumentError,
    "np.block([[x], []])": ArgumentError,
    "np.select([MASK], [x, x])": ArgumentError,
    "np.select([x], [x])": ArgumentError,
    "np.compress(['a'], x)": ArgumentError,
    "np.piecewise(x, [MASK], [1.0, 2.0, 3.0])": ArgumentError,
    "np.piecewise(x, [MASK, ~MASK], [1.0])": ArgumentError,
    "np.choose(ORDER, [x, x])": ArgumentError,
    "np.choose(ORDER - 1, [x, x, x])": ArgumentError,
    "np.choose(x, [x, x])": ArgumentError,
    "np.apply_over_axes(lambda a, axis: a[0, 0], x, [0])": ShapeError,
    "np.bincount(ORDER, x)": ShapeError,
    "np.bincount([0, 1], x[0])": ShapeError,
    "np.bincount([0, -1, 2], x[0])": ArgumentError,
    "np.histogram(x, 2, weights=x[0])": ShapeError,
    "np.histogram(x, 0)": ArgumentError,
    "np.histogramdd(x, (2, 2), weights=x[:, 0])": ArgumentError,
    "np.histogramdd(x, 2, [(0, 1), (0, 1)], weights=x[:, 0])": ArgumentError,
    "np.average(x, weights=[1.0, 2.0])": ShapeError,
    "np.average(x, (0, 1), weights=[1.0, 2.0])": ShapeError,
    "np.average(x, 1, weights=[1.0, 2.0])": ShapeError,
    "np.quantile(x, 0.5, weights=[1.0, 2.0], method='inverted_cdf')": ShapeError,
    "np.quantile(x, 0.5, (0, 1), weights=[1.0, 2.0], method='inverted_cdf')": ShapeError,
    "np.quantile(x, 0.5, 1, weights=[1.0, 2.0], method='inverted_cdf')": ShapeError,
    "np.trapezoid(x[0, 0])": ShapeError,
    "np.gradient(x, 1.0, 2.0, 3.0)": ArgumentError,
    "np.gradient(x, edge_order=3)": ArgumentError,
    "np.gradient(x, edge_order=2)": ShapeError,
    "np.gradient(x, np.ones(2), axis=1)": ShapeError,
    "np.gradient(x, np.ones((2, 3)), axis=1)": ShapeError,
    "np.geomspace(x[0, 0] * 0 + 1, -1.0)": ArgumentError,
    "np.geomspace(x[0, 0] * 0, 1.0)": ArgumentError,
    "np.cross(x[:, :2], x)": ShapeError,
    "np.cross(x, x[:, :2])": ShapeError,
    "np.tensordot(x, x, axes=3)": ArgumentError,
    "np.tensordot(x, x, axes=-1)": ArgumentError,
    "np.correlate(x, x[0])": ShapeError,
    "np.convolve(x[0], x)": ShapeError,
    "np.polyval(x, 1.0)": ShapeError,
    "np.polyint(x[0], 2, k=[1.0, 2.0, 3.0][:0])": ArgumentError,
    "np.polyint(x[0], 3, k=[1.0, 2.0])": ArgumentError,
    "np.polyfit(x[0], x[0, :2], 1)": ShapeError,
    "np.polyfit(x[0], np.stack([x]), 1)": ShapeError,
    "np.polyfit(x[0, :0], x[0, :0], 1)": ShapeError,
    "np.polyfit(x[0], x[0], 2, cov=True)": ArgumentError,
    "np.poly(x)": ShapeError,
    "np.sort(x[0, 0])": np.exceptions.AxisError,
    "np.sort(x, kind='no such kind')": ValueError,
    "np.sort(x, kind='stable', stable=True)": ValueError,
    "np.linalg.svd(x[:, :2], hermitian=True)": ArgumentError,
    "np.round(x, 301)": ArgumentError,
    "np.round(x, -301)": ArgumentError,
    "tg.ops.gelu(x, approximate='erf')": ArgumentError,
    "tg.ops.celu(x, alpha=0.0)": ArgumentError,
    "tg.ops.norm_of_order(x, order=0.0)": ArgumentError,
    "np.exp.outer(x, x)": (ArgumentError, ValueError),
    "np.divmod.reduce(x)": (ArgumentError, ValueError),
    "np.subtract.reduce(x, where=MASK)": ArgumentError,
    "np.subtract.reduce(x, axis=(0, 1))": ArgumentError,
    "np.maximum.reduceat(x, [0.5])": ArgumentError,
    "np.maximum.reduceat(x, [[0, 1]])": ArgumentError,
    "np.maximum.reduceat(x, [2])": ArgumentError,
    "np.maximum.reduceat(x, [-1])": ArgumentError,
}


@pytest.mark.parametrize(("line", "error"), REFUSED.items(), ids=REFUSED)
def test_what_has_no_meaning_is_refused(line, error):
    with pytest.raises(error):
        function(line)(Value(numbers(0, (2, 3))[0]))
