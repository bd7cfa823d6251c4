"""Systems of equations, inverses, determinants, norms: NumPy's operations with SciPy's options."""

import numpy as np
import scipy.linalg

from ...core.primitive import is_complex
from ...errors import ArgumentError
from ...support.validation import check_choice
from ..equivalents import equivalent
from .factors import cho_factor, cho_solve

__all__ = ["det", "inv", "lstsq", "norm", "pinv", "pinvh", "solve"]

STRUCTURES = (None, "gen", "general", "pos", "positive definite")
SYMMETRIC, HERMITIAN = ("sym", "symmetric"), ("her", "hermitian")


@equivalent(scipy.linalg.solve)
def solve(a, b, lower=False, assume_a=None, transposed=False):
    """Return the x with a x = b, or aᵀ x = b if `transposed`, as `scipy.linalg.solve`.

    `assume_a` is None or "gen", "pos" for a positive definite matrix, which is solved by Cholesky,
    or "sym" for a symmetric and "her" for a Hermitian one, of which the upper triangle is read, or
    the lower one if `lower`.

    >>> solve(Value([[2.0, 9.0], [9.0, 2.0]]), np.array([11.0, 11.0]), assume_a="sym").tolist()
    [1.0, 1.0]
    """
    check_choice("solve", "assume_a", assume_a, (*STRUCTURES, *SYMMETRIC, *HERMITIAN))
    if transposed:
        a = np.swapaxes(a, -1, -2)
        lower = not lower
    if assume_a in STRUCTURES[3:]:
        return cho_solve(cho_factor(a, lower), b)
    if assume_a in SYMMETRIC + HERMITIAN:
        half, other = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
        if assume_a in HERMITIAN and is_complex(a):
            half = np.where(np.eye(np.shape(a)[-1], dtype=bool), np.real(half), half)
            other = np.conj(other)
        a = half + np.swapaxes(other, -1, -2)
    return np.linalg.solve(a, b)


@equivalent(scipy.linalg.inv)
def inv(a):
    """Return the inverse, as `scipy.linalg.inv`."""
    return np.linalg.inv(a)


@equivalent(scipy.linalg.det)
def det(a):
    """Return the determinant, as `scipy.linalg.det`."""
    return np.linalg.det(a)


@equivalent(scipy.linalg.pinv)
def pinv(a, atol=None, rtol=None):
    """Return the pseudo-inverse, as `scipy.linalg.pinv`.

    Singular values up to atol + rtol·(the largest one) count as 0; the derivative is that among
    matrices of equal rank. With Values, `atol` must be 0.

    >>> pinv(Value([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    if atol is not None and atol != 0:
        raise ArgumentError(f"pinv: atol must be 0 for Values, got {atol!r:.60}; pass rtol")
    rtol = _rounding(a) * max(np.shape(a)[-2:]) if rtol is None else rtol
    return np.linalg.pinv(a, rcond=rtol)


@equivalent(scipy.linalg.pinvh)
def pinvh(a, atol=None, rtol=None, lower=True):
    """Return the pseudo-inverse of a Hermitian matrix, as `scipy.linalg.pinvh`; see `pinv`.

    >>> pinvh(Value([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    if atol is not None and atol != 0:
        raise ArgumentError(f"pinvh: atol must be 0 for Values, got {atol!r:.60}; pass rtol")
    rtol = _rounding(a) * max(np.shape(a)[-2:]) if rtol is None else rtol
    return np.linalg.pinv(a, rcond=rtol, hermitian=True)


def _rounding(a):
    return float(np.finfo(np.result_type(a, np.float32)).eps)


@equivalent(scipy.linalg.lstsq)
def lstsq(a, b, cond=None):
    """Return the x that minimises |a x - b|, squared errors, rank, singular values of a.

    As `scipy.linalg.lstsq`: singular values below cond·(the largest one) count as 0. The rank is a
    plain number. The derivative is that among matrices of equal rank.

    >>> lstsq(Value([[1.0], [1.0]]), np.array([1.0, 2.0]))[0].round(9).tolist()
    [1.5]
    """
    found = np.linalg.lstsq(a, b, rcond=_rounding(a) if cond is None else cond)
    x, errors, rank, values = found
    return x, errors[0] if np.ndim(b) == 1 and np.size(errors) else errors, rank, values


@equivalent(scipy.linalg.norm)
def norm(a, ord=None, axis=None, keepdims=False):
    """Return the norm of vectors or matrices, as `scipy.linalg.norm`; see `np.linalg.norm`."""
    return np.linalg.norm(a, ord=ord, axis=axis, keepdims=keepdims)
