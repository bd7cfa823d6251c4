"""Eigenvalues and singular values: NumPy's operations with SciPy's options."""

import numpy as np
import scipy.linalg

from ...core.node import unwrap
from ...core.primitive import is_complex
from ...errors import ArgumentError
from ...ops.decompositions import adjoint, as_matrices, general_eigen, split_row
from ...support.abstract_array import AbstractArray
from ..equivalents import equivalent

__all__ = ["eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals"]


@equivalent(scipy.linalg.eigh)
def eigh(a, b=None, *, lower=True, eigvals_only=False, subset_by_index=None):
    """Return eigenvalues, rising, and eigenvectors of a symmetric matrix, as `scipy.linalg.eigh`.

    They solve a v = w v, or a v = w b v with a positive definite b; then vᴴ b v = 1.
    `subset_by_index` is the first and the last that is wanted. An eigenvector's sign isn't
    determined: it needn't be SciPy's. Gradients are nan where a loss reads vectors of a repeated
    eigenvalue.

    >>> w, v = eigh(Value([[2.0, 0.0], [0.0, 1.0]]))
    >>> w.tolist(), np.abs(v).tolist()
    ([1.0, 2.0], [[0.0, 1.0], [1.0, 0.0]])
    """
    if b is not None:
        factor = np.linalg.cholesky(b)
        half = np.linalg.solve(factor, a)
        a = adjoint(np.linalg.solve(factor, adjoint(half)))
        a = (a + adjoint(a)) / 2
    w, v = np.linalg.eigh(a, UPLO="L" if lower else "U")
    if subset_by_index is not None:
        first, last = subset_by_index
        w, v = w[..., first : last + 1], v[..., first : last + 1]
    if eigvals_only:
        return w
    return w, v if b is None else np.linalg.solve(adjoint(factor), v)


@equivalent(scipy.linalg.eigvalsh)
def eigvalsh(a, b=None, *, lower=True, subset_by_index=None):
    """Return the eigenvalues of a symmetric matrix, rising, as `scipy.linalg.eigvalsh`.

    See `eigh`. Repeated ones have gradients, too.

    >>> eigvalsh(Value([[2.0, 0.0], [0.0, 1.0]]), np.diag([1.0, 4.0])).tolist()
    [0.25, 2.0]
    """
    return eigh(a, b, lower=lower, eigvals_only=True, subset_by_index=subset_by_index)


def _eigen(name, a):
    a = as_matrices(name, a, square=True)
    n = np.shape(a)[-1]
    return split_row(general_eigen(a), (n,), (n, n))


@equivalent(scipy.linalg.eig)
def eig(a, b=None, left=False, right=True):
    """Return complex eigenvalues and the eigenvectors of a square matrix, as `scipy.linalg.eig`.

    The vectors are real if all eigenvalues of a real matrix are; in a compiled function, they are
    complex. With Values, `b` must be None and `left` False. Gradients are nan where a loss reads
    vectors of a repeated eigenvalue.

    >>> eig(Value([[2.0, 1.0], [0.0, 1.0]]))[0].tolist()
    [(2+0j), (1+0j)]
    """
    if b is not None:
        raise ArgumentError("eig: b must be None for Values; pass np.linalg.solve(b, a) as a")
    if left:
        raise ArgumentError(
            "eig: left must be False for Values; take eig(a.conj().T), of the conjugate eigenvalues"
        )
    w, v = _eigen("eig", a)
    if not right:
        return w
    number = unwrap(w)
    real = not (is_complex(a) or isinstance(number, AbstractArray) or np.imag(number).any())
    return w, np.real(v) if real else v


@equivalent(scipy.linalg.eigvals)
def eigvals(a, b=None):
    """Return the complex eigenvalues of a square matrix, as `scipy.linalg.eigvals`.

    They solve a v = w v, or a v = w b v.

    >>> eigvals(Value([[0.0, 1.0], [-1.0, 0.0]])).tolist()
    [1j, -1j]
    """
    return _eigen("eigvals", a if b is None else np.linalg.solve(b, a))[0]


@equivalent(scipy.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True):
    """Return U, the singular values s, falling, and Vᴴ with a = U diag(s) Vᴴ, or s alone.

    As `scipy.linalg.svd`. With Values, `full_matrices` must be False unless a is square; see
    `np.linalg.svd`.

    >>> svd(Value([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False).tolist()
    [4.0, 3.0]
    """
    return np.linalg.svd(a, full_matrices=full_matrices, compute_uv=compute_uv)


@equivalent(scipy.linalg.svdvals)
def svdvals(a):
    """Return the singular values, falling, as `scipy.linalg.svdvals`."""
    return np.linalg.svdvals(a)
