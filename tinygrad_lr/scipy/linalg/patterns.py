"""Matrices of a pattern, and systems of them."""

import math

import numpy as np
import scipy.linalg

from ...errors import ArgumentError, ShapeError
from ...ops.decompositions import conjugate
from ...support.validation import check_choice, check_integer
from ..equivalents import equivalent, zeros_of

__all__ = [
    "block_diag",
    "circulant",
    "companion",
    "convolution_matrix",
    "eigh_tridiagonal",
    "fiedler",
    "hankel",
    "khatri_rao",
    "leslie",
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


@equivalent(scipy.linalg.companion)
def companion(a):
    """Return the matrix whose eigenvalues are the roots of a polynomial, highest power first.

    As `scipy.linalg.companion`.

    >>> companion(Value([1.0, -3.0, 2.0])).tolist()
    [[3.0, -2.0], [1.0, 0.0]]
    """
    _require_vectors("companion", a=a)
    n = np.size(a)
    if n < 2:
        raise ShapeError(f"companion: a must have two coefficients or more, got {n}")
    first = -a[1:] / a[0]
    below = np.eye(n - 2, n - 1, dtype=np.result_type(first))
    return np.concatenate([first[None], below])


@equivalent(scipy.linalg.leslie)
def leslie(f, s):
    """Return the matrix of a population with birth rates f and survival s, as `scipy.linalg`'s.

    >>> leslie(Value([0.5, 2.0]), np.array([0.25])).tolist()
    [[0.5, 2.0], [0.25, 0.0]]
    """
    _require_vectors("leslie", f=f, s=s)
    n = np.size(f)
    if np.size(s) != n - 1:
        raise ShapeError(f"leslie: s must have {n - 1} entries, one less than f, got {np.size(s)}")
    below = np.concatenate([np.diag(s), zeros_of((n - 1, 1), s)], axis=1)
    return np.concatenate([np.reshape(f, (1, n)), below])


@equivalent(scipy.linalg.convolution_matrix)
def convolution_matrix(a, n, mode="full"):
    """Return the A with A @ v = convolve(a, v, mode) for v of n entries, as `scipy.linalg`'s.

    >>> convolution_matrix(Value([1.0, 2.0]), 2).tolist()
    [[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]]
    """
    check_choice("convolution_matrix", "mode", mode, ("full", "same", "valid"))
    _require_vectors("convolution_matrix", a=a)
    n, m = check_integer("convolution_matrix", "n", n, low=1), np.size(a)
    steps = np.arange(n + m - 1)[:, None] - np.arange(n)
    inside = (steps >= 0) & (steps < m)
    full = np.where(inside, a[np.where(inside, steps, 0)], 0.0)
    if mode == "full":
        return full
    length = max(m, n) if mode == "same" else max(m, n) - min(m, n) + 1
    start = (min(m, n) - 1) // (2 if mode == "same" else 1)
    return full[start : start + length]


@equivalent(scipy.linalg.fiedler)
def fiedler(a):
    """Return the matrix |a[i] - a[j]|, as `scipy.linalg.fiedler`.

    >>> fiedler(Value([1.0, 3.0])).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    return np.abs(np.expand_dims(a, -1) - np.expand_dims(a, -2))


@equivalent(scipy.linalg.eigh_tridiagonal)
def eigh_tridiagonal(d, e, eigvals_only=False):
    """Return eigenvalues and vectors of a symmetric matrix with diagonal d and e beside it.

    As `scipy.linalg.eigh_tridiagonal`, in n³ steps; see `numpy.linalg.eigh`.

    >>> eigh_tridiagonal(Value([2.0, 1.0]), np.array([0.0]), eigvals_only=True).tolist()
    [1.0, 2.0]
    """
    _require_vectors("eigh_tridiagonal", d=d, e=e)
    if np.size(e) != np.size(d) - 1:
        raise ShapeError(
            f"eigh_tridiagonal: e must have {np.size(d) - 1} entries, one less than d, got "
            f"{np.size(e)}"
        )
    matrix = np.diag(d) + np.diag(e, 1) + np.diag(e, -1)
    return np.linalg.eigvalsh(matrix) if eigvals_only else tuple(np.linalg.eigh(matrix))
