"""Matrices of a pattern, and systems of them."""

import math

import numpy as np
import scipy.linalg

from ...errors import ArgumentError, ShapeError
from ...ops.decompositions import conjugate
from ..equivalents import equivalent, zeros_of

__all__ = [
    "block_diag",
    "circulant",
    "hankel",
    "khatri_rao",
    "matmul_toeplitz",
    "solve_toeplitz",
    "toeplitz",
]


def block_diag(*arrays):
    """Return a matrix with the given ones along its diagonal, as `scipy.linalg.block_diag`.

    >>> block_diag(np.ones((1, 1)), 2 * np.ones((1, 2)))
    array([[1., 0., 0.],
           [0., 2., 2.]])
    """
    if not arrays or any(np.ndim(x) > 2 for x in arrays):
        raise ArgumentError(
            "block_diag: arrays must be one or more matrices, "
            f"got {len(arrays)} with {max(map(np.ndim, arrays), default=0)} dimensions at most"
        )
    arrays = tuple(np.atleast_2d(x) for x in arrays)
    width, rows, start = sum(np.shape(x)[-1] for x in arrays), [], 0
    for x in arrays:
        height, columns = np.shape(x)
        left = np.zeros((height, start), x.dtype)
        right = np.zeros((height, width - start - columns), x.dtype)
        rows.append(np.concatenate([left, x, right], axis=1))
        start += columns
    return np.concatenate(rows, axis=0)


def _require_vectors(name, **given):
    """Raise `ShapeError` unless all that are given are vectors or numbers."""
    shapes = {x: np.shape(array) for x, array in given.items()}
    if any(len(shape) > 1 for shape in shapes.values()):
        raise ShapeError(
            f"{name}: {' and '.join(shapes)} must be {'vectors' if shapes else 'a vector'}, got "
            f"shapes {' and '.join(map(str, shapes.values()))}"
        )


@equivalent(scipy.linalg.toeplitz)
def toeplitz(c, r=None):
    """Return the matrix with first column c and first row r, as `scipy.linalg.toeplitz`.

    >>> toeplitz(Value([1.0, 2.0]), np.array([1.0, 5.0])).tolist()
    [[1.0, 5.0], [2.0, 1.0]]
    """
    r = conjugate(c) if r is None else r
    _require_vectors("toeplitz", c=c, r=r)
    m, n = np.size(c), np.size(r)
    line = np.concatenate([np.reshape(c, m)[::-1], np.reshape(r, n)[1:]])
    return line[m - 1 + np.arange(n) - np.arange(m)[:, None]]


@equivalent(scipy.linalg.hankel)
def hankel(c, r=None):
    """Return the matrix with first column c and last row r, by default 0, of equal antidiagonals.

    As `scipy.linalg.hankel`: the first entry of r isn't read.

    >>> hankel(Value([1.0, 2.0]), np.array([9.0, 5.0])).tolist()
    [[1.0, 2.0], [2.0, 5.0]]
    """
    r = zeros_of(np.shape(c), c) if r is None else r
    _require_vectors("hankel", c=c, r=r)
    m, n = np.size(c), np.size(r)
    line = np.concatenate([np.reshape(c, m), np.reshape(r, n)[1:]])
    return line[np.arange(n) + np.arange(m)[:, None]]


@equivalent(scipy.linalg.circulant)
def circulant(c):
    """Return the matrix whose columns are c, turned by one more each, as `scipy.linalg.circulant`.

    >>> circulant(Value([1.0, 2.0, 3.0])).tolist()
    [[1.0, 3.0, 2.0], [2.0, 1.0, 3.0], [3.0, 2.0, 1.0]]
    """
    steps = np.arange(np.shape(c)[-1])
    return c[..., (steps[:, None] - steps) % max(1, len(steps))]


@equivalent(scipy.linalg.khatri_rao)
def khatri_rao(a, b):
    """Return the Kronecker products of the columns of a and b, as `scipy.linalg.khatri_rao`.

    >>> khatri_rao(Value([[1.0], [2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[3.0], [4.0], [6.0], [8.0]]
    """
    products = np.expand_dims(a, -2) * np.expand_dims(b, -3)
    shape = np.shape(products)
    return np.reshape(products, (*shape[:-3], math.prod(shape[-3:-1]), shape[-1]))


def _column_and_row(c_or_cr):
    return c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)


@equivalent(scipy.linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr, b):
    """Return the x with toeplitz(c, r) x = b, as `scipy.linalg.solve_toeplitz`, in n³ steps.

    >>> solve_toeplitz(Value([2.0, 0.0]), np.array([2.0, 4.0])).tolist()
    [1.0, 2.0]
    """
    return np.linalg.solve(toeplitz(*_column_and_row(c_or_cr)), b)


@equivalent(scipy.linalg.matmul_toeplitz)
def matmul_toeplitz(c_or_cr, x):
    """Return toeplitz(c, r) @ x, as `scipy.linalg.matmul_toeplitz`.

    >>> matmul_toeplitz(Value([2.0, 0.0]), np.array([2.0, 4.0])).tolist()
    [4.0, 8.0]
    """
    return toeplitz(*_column_and_row(c_or_cr)) @ x
