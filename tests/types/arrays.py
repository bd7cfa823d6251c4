"""NumPy's functions of `tinygrad_lr.numpy` have NumPy's types where there is no Value."""

from typing import assert_type

import numpy
from numpy.typing import NDArray

import tinygrad_lr.numpy as np

array: NDArray[numpy.float64] = numpy.ones(4)
matrix: NDArray[numpy.float64] = numpy.eye(4)

assert_type(np.mean(array), numpy.floating)
assert_type(np.sum(array), numpy.float64)
assert_type(np.sort(array), NDArray[numpy.float64])
assert_type(np.cumsum(array), NDArray[numpy.float64])
assert_type(np.argmax(array), numpy.intp)
assert_type(np.fft.fft(array), NDArray[numpy.complex128])
assert_type(np.split(array, 2), list[NDArray[numpy.float64]])
assert_type(np.float32(1.0), numpy.float32)
assert_type(np.pi, float)

inverse: NDArray[numpy.floating] = np.linalg.inv(matrix)
solution: NDArray[numpy.floating] = np.linalg.solve(matrix, array)
reshaped: NDArray[numpy.float64] = np.reshape(array, (2, 2))
sines: NDArray[numpy.float64] = np.sin(array)
sums: NDArray[numpy.float64] = np.add(array, 1.0)
slopes: NDArray[numpy.float64] = np.polynomial.polynomial.polyder(array)
height: float = np.polynomial.polynomial.polyval(0.5, array)
joined: NDArray[numpy.float64] = np.concatenate([array, array])
chosen: NDArray[numpy.float64] = np.where(array > 0, array, 0.0)
