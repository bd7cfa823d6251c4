"""NumPy's functions of `tinygrad_lr.numpy` return Values for Values."""

from typing import Any, assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr.numpy as np
from tinygrad_lr import Value

v = Value([1.0, 2.0])
m = Value([[2.0, 1.0], [1.0, 3.0]])
array: NDArray[numpy.float64] = numpy.ones(2)

# reductions
assert_type(np.mean(v), Value)
assert_type(np.sum(v, axis=0, keepdims=True), Value)
assert_type(np.median(v), Value)
assert_type(np.quantile(v, 0.5), Value)
assert_type(np.cumsum(v), Value)
assert_type(np.average(v, weights=array), Value)
assert_type(np.average(array, weights=v), Value)
assert_type(np.nanmean(v), Value)

# entry by entry
assert_type(np.exp(v), Value)
assert_type(np.sin(v, out=np.zeros(2)), Value)
assert_type(np.multiply(array, v), Value)
assert_type(np.add.reduce(v), Value)
assert_type(np.where(array > 1, v, 0.0), Value)
assert_type(np.where(array > 1, 0.0, v), Value)
assert_type(np.clip(v, 0.0, None), Value)
assert_type(np.maximum(0.0, v), Value)
assert_type(np.floor(v), Value)
assert_type(np.modf(v), tuple[Value, Value])

# products, shapes, lists
assert_type(np.dot(array, v), Value)
assert_type(np.matmul(m, v), Value)
assert_type(np.einsum("ij,j->i", m, array), Value)
assert_type(np.einsum("j,ij->i", array, m), Value)
assert_type(np.outer(v, array), Value)
assert_type(np.reshape(v, (2, 1)), Value)
assert_type(np.take(v, [0, 1]), Value)
assert_type(np.concatenate([v, v]), Value)
assert_type(np.concatenate([v, array]), Value)
assert_type(np.concatenate([array, v]), Value)
assert_type(np.stack((v, array), axis=1), Value)
assert_type(np.hstack([v, 1.0]), Value)
assert_type(np.block([[m, m], [m, m]]), Value)
assert_type(np.split(v, 2), list[Value])
assert_type(np.meshgrid(v, v), tuple[Value, ...])
assert_type(np.interp(v, array, array), Value)
assert_type(np.convolve(array, v), Value)
assert_type(np.trapezoid(v, dx=0.5), Value)
assert_type(np.diff(v), Value)

# linear algebra and Fourier transforms
assert_type(np.linalg.solve(m, array), Value)
assert_type(np.linalg.solve(numpy.eye(2), v), Value)
assert_type(np.linalg.norm(v), Value)
assert_type(np.linalg.cholesky(m), Value)
assert_type(np.linalg.svd(m, compute_uv=False), Value)
assert_type(np.linalg.slogdet(m).logabsdet, Value)
assert_type(np.linalg.eigh(m).eigenvalues, Value)
eigenvalues, eigenvectors = np.linalg.eigh(m)
assert_type(eigenvectors, Value)
assert_type(np.fft.fft(v), Value)

# new arrays
assert_type(np.zeros(3), Value)
assert_type(np.zeros((2, 3), dtype=int), numpy.ndarray[Any, numpy.dtype[Any]])
assert_type(np.array([v, 1.0]), Value)
assert_type(np.array([[1.0, 2.0]]), Value)
assert_type(np.array([1, 2]), numpy.ndarray[Any, numpy.dtype[Any]])
assert_type(np.linspace(0.0, 1.0, 5), Value)
assert_type(np.arange(0.0, 1.0, 0.1), Value)
assert_type(np.arange(3), numpy.ndarray[tuple[int], numpy.dtype[numpy.int_]])
assert_type(np.eye(2), Value)
assert_type(np.zeros_like(v), Value)
assert_type(np.asarray(v), Value)
assert_type(np.asarray(array), NDArray[numpy.float64])

# polynomials
assert_type(np.polynomial.polynomial.polyval(0.5, v), Value)
assert_type(np.polynomial.polynomial.polyval(v, array), Value)
assert_type(np.polynomial.polynomial.polyder(v), Value)
assert_type(np.polynomial.polynomial.polydiv(v, array), tuple[Value, Value])
assert_type(np.polynomial.chebyshev.chebint(v, lbnd=-1), Value)
assert_type(np.polynomial.legendre.legfit(array, v, 1), Value)
assert_type(np.polynomial.hermite.hermval2d(v, v, m), Value)
assert_type(np.polynomial.Polynomial(v), np.polynomial.Polynomial)
assert_type(np.polynomial.Chebyshev(v).integ(lbnd=-1), np.polynomial.Chebyshev)
assert_type(np.polynomial.Polynomial([1.0, 2.0])(v), Value)
