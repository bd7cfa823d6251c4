"""Factors of a matrix: Cholesky's, L and U, the polar ones, Q and R."""

import numpy as np
import scipy.linalg

from ...core.node import unwrap
from ...core.primitive import primitive
from ...errors import ArgumentError, ShapeError
from ...ops.decompositions import (
    adjoint,
    as_matrices,
    conjugate,
    join_row,
    require_independent,
    split_row,
)
from ...support.abstract_array import as_single_call
from ...support.validation import check_choice
from ..equivalents import equivalent, zeros_of
from .matrix_equations import solve_sylvester
from .structured_systems import solve_triangular

__all__ = [
    "cho_factor",
    "cho_solve",
    "cholesky",
    "lu",
    "lu_factor",
    "lu_solve",
    "polar",
    "qr",
    "triangular_factors",
    "unitary_factor",
]


@equivalent(scipy.linalg.cholesky)
def cholesky(a, lower=False):
    """Return the triangular factor of a positive definite matrix, as `scipy.linalg.cholesky`.

    a = L Lᴴ if lower, else a = Uᴴ U.

    >>> cholesky(Value([[4.0]])).tolist()
    [[2.0]]
    """
    factor = np.linalg.cholesky(a)
    return factor if lower else adjoint(factor)


def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """Return a triangular factor and `lower`, for `cho_solve`, as `scipy.linalg.cho_factor`.

    The other triangle is 0; SciPy leaves numbers there that mean nothing.
    """
    return cholesky(a, lower=lower), lower


@equivalent(scipy.linalg.cho_solve)
def cho_solve(c_and_lower, b):
    """Return the x with a x = b, from the factor of `cho_factor`, as `scipy.linalg.cho_solve`.

    >>> cho_solve(cho_factor(Value([[4.0, 0.0], [0.0, 1.0]])), np.array([8.0, 3.0])).tolist()
    [2.0, 3.0]
    """
    c, lower = c_and_lower
    c = c if lower else adjoint(c)
    half = solve_triangular(c, b, lower=True)
    return solve_triangular(adjoint(c), half)


@primitive(
    latex=r"\operatorname{lu}\left(<a>\right)",
    examples=[((3, 3),), ((3, 2),), ((2, 3),), ((2, 2, 2),)],
    whole=True,
    takes_complex=True,
)
def triangular_factors(a):
    """The factors of a = P L U in one row (P, L, U): a permutation, L with ones on its diagonal, U.

    The permutation has no derivative. Source: `scipy.linalg.lu`.

    >>> triangular_factors(np.array([[2.0]])).tolist()
    [1.0, 1.0, 2.0]
    """
    return join_row(*scipy.linalg.lu(a, check_finite=False))


def _split_triangular(row, a):
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    return split_row(row, (m, m), (m, k), (k, n))


def _turn(x):
    return np.swapaxes(x, -1, -2)


def _over(x, y):
    """X Y⁻¹."""
    return _turn(np.linalg.solve(_turn(y), _turn(x)))


def _triangular_rule(g, out, a):
    (p, lower, upper), (_, g_lower, g_upper) = _split_triangular(out, a), _split_triangular(g, a)
    require_independent("lu", upper[..., : min(np.shape(a)[-2:])])
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    top, left = lower[..., :k, :], upper[..., :k]
    if m >= n:  # dU = triu(X) U and dL = (dA - L dU) U⁻¹, with X = L⁻¹ dA U⁻¹ of the first rows
        outside = _over(g_lower, _turn(upper))
        inner = np.triu((g_upper - _turn(lower) @ outside) @ _turn(upper))
    else:  # dL = L tril(X, -1) and dU = L⁻¹ (dA - dL U)
        outside = np.linalg.solve(_turn(lower), g_upper)
        inner = np.tril(_turn(lower) @ (g_lower - outside @ _turn(upper)), -1)
    square = _over(np.linalg.solve(_turn(top), inner), _turn(left))
    zeros = zeros_of((*np.shape(a)[:-2], max(m - k, n - k), k), a)
    zeros = zeros if m > n else _turn(zeros)
    return p @ (outside + (square if m == n else np.concatenate([square, zeros], -2 + (n > m))))


def _triangular_tangent(t, out, a):
    p, lower, upper = _split_triangular(out, a)
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    require_independent("lu", upper[..., :k])
    moved = _turn(p) @ t
    inner = np.linalg.solve(lower[..., :k, :], moved[..., :k, :k])
    inner = _over(inner, upper[..., :k])
    if m >= n:
        d_upper = np.triu(inner) @ upper
        d_lower = _over(moved - lower @ d_upper, upper)
    else:
        d_lower = lower @ np.tril(inner, -1)
        d_upper = np.linalg.solve(lower, moved - d_lower @ upper)
    return join_row(0.0 * p, d_lower, d_upper)


triangular_factors.vjp(a=_triangular_rule)
triangular_factors.jvp(a=_triangular_tangent)


@equivalent(scipy.linalg.lu)
def lu(a, permute_l=False):
    """Return P, L and U with a = P L U, or P L and U, as `scipy.linalg.lu`.

    Raises `numpy.linalg.LinAlgError`, in the backward pass, if U is singular.

    >>> [x.tolist() for x in lu(Value([[2.0, 1.0], [4.0, 8.0]]), permute_l=True)]
    [[[0.5, 1.0], [1.0, 0.0]], [[4.0, 8.0], [0.0, -3.0]]]
    """
    a = as_matrices("lu", a)
    p, lower, upper = _split_triangular(triangular_factors(a), a)
    return (p @ lower, upper) if permute_l else (np.real(p), lower, upper)


@equivalent(scipy.linalg.lu_factor)
def lu_factor(a):
    """Return L below the diagonal of U, and the rows exchanged, as `scipy.linalg.lu_factor`.

    >>> [x.tolist() for x in lu_factor(Value([[2.0, 1.0], [4.0, 8.0]]))]
    [[[4.0, 8.0], [0.5, -3.0]], [1, 1]]
    """
    a = as_matrices("lu_factor", a)
    if np.ndim(a) != 2:
        raise ShapeError(f"lu_factor: a must be a matrix, got shape {np.shape(a)}")
    m, n = np.shape(a)
    _, lower, upper = _split_triangular(triangular_factors(a), a)
    lower = np.concatenate([lower, zeros_of((m, n - m), a)], 1) if n > m else lower
    upper = np.concatenate([upper, zeros_of((m - n, n), a)], 0) if m > n else upper
    return np.tril(lower, -1) + upper, as_single_call(_exchanges)(unwrap(a))


def _exchanges(a):
    (factor,) = scipy.linalg.get_lapack_funcs(("getrf",), (a,))
    return factor(a)[1]  # without the warning of `scipy.linalg.lu_factor` for a singular matrix


def _permutation(exchanges, like):
    """The matrix that exchanges one row after the other."""
    out = np.eye(len(exchanges), dtype=like.dtype)
    for i, j in enumerate(exchanges):
        out[[i, j]] = out[[j, i]]
    return out


@equivalent(scipy.linalg.lu_solve)
def lu_solve(lu_and_piv, b, trans=0):
    """Return the x with a x = b, from `lu_factor`'s result, as `scipy.linalg.lu_solve`.

    `trans` is 0 for a, 1 for its transpose, 2 for its conjugate transpose.

    >>> lu_solve(lu_factor(Value([[0.0, 2.0], [4.0, 0.0]])), np.array([2.0, 8.0])).tolist()
    [2.0, 1.0]
    """
    both, exchanges = lu_and_piv
    check_choice("lu_solve", "trans", trans, (0, 1, 2))
    permutation = as_single_call(_permutation)(unwrap(exchanges), unwrap(both))
    if not trans:
        half = solve_triangular(both, permutation @ b, lower=True, unit_diagonal=True)
        return solve_triangular(both, half)
    half = solve_triangular(both, b, trans=trans)
    found = solve_triangular(both, half, trans=trans, lower=True, unit_diagonal=True)
    return np.swapaxes(permutation, 0, 1) @ found


@primitive(
    latex=r"\operatorname{polar}\left(<a>\right)",
    examples=[((3, 3),), ((3, 2),), ((1, 1),)],
    whole=True,
    takes_complex=True,
)
def unitary_factor(a):
    """The u of a = u p, for a with at least as many rows as columns.

    du = u x + (1 - u uᴴ) da p⁻¹, where p x + x p = uᴴ da - daᴴ u. This map is its own transpose.
    Source: Higham, Functions of Matrices, 2008, chapter 8.

    >>> unitary_factor(np.array([[-2.0]])).tolist()
    [[-1.0]]
    """
    return scipy.linalg.polar(a)[0]


def _polar_change(u, a, moved):
    """The part of a change that turns u, and the part that leaves its columns' space."""
    p = adjoint(u) @ a
    p = (p + adjoint(p)) / 2
    inner = adjoint(u) @ moved
    turned = u @ solve_sylvester(p, p, inner - adjoint(inner))
    if np.shape(a)[0] == np.shape(a)[1]:
        return turned
    outside = moved - u @ inner
    return turned + adjoint(np.linalg.solve(p, adjoint(outside)))


unitary_factor.vjp(a=lambda g, out, a: conjugate(_polar_change(out, a, conjugate(g))))
unitary_factor.jvp(a=lambda t, out, a: _polar_change(out, a, t))


@equivalent(scipy.linalg.polar)
def polar(a, side="right"):
    """Return u and p with a = u p, or a = p u for `side="left"`, as `scipy.linalg.polar`.

    u has orthonormal columns (or rows), p is positive semidefinite. Where a hasn't full rank, u
    isn't determined: its derivative raises `numpy.linalg.LinAlgError`.

    >>> u, p = polar(Value([[0.0, -2.0], [3.0, 0.0]]))
    >>> u.round(9).tolist(), p.round(9).tolist()
    ([[0.0, -1.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 2.0]])
    """
    check_choice("polar", "side", side, ("right", "left"))
    a = as_matrices("polar", a)
    m, n = np.shape(a)[-2:]
    u = unitary_factor(a) if m >= n else adjoint(unitary_factor(adjoint(a)))
    p = adjoint(u) @ a if side == "right" else a @ adjoint(u)
    return u, (p + adjoint(p)) / 2


@equivalent(scipy.linalg.qr)
def qr(a, mode="full"):
    """Return Q and R with a = Q R, as `scipy.linalg.qr`; see `np.linalg.qr`.

    `mode` is "economic", "r" for R alone, in a tuple, or "full" where there are no more rows than
    columns.

    >>> np.abs(qr(Value([[3.0], [4.0]]), mode="r")[0]).tolist()
    [[5.0], [0.0]]
    """
    check_choice("qr", "mode", mode, ("full", "r", "economic"))
    m, n = np.shape(as_matrices("qr", a))[-2:]
    if mode == "full" and m > n:
        raise ArgumentError(
            f"qr: mode must be 'economic' or 'r' for shape {np.shape(a)}, got 'full'; the other "
            "columns of Q have no derivative"
        )
    q, r = np.linalg.qr(a)
    if mode == "r":
        below = zeros_of((*np.shape(a)[:-2], max(0, m - n), n), a)
        return (np.concatenate([r, below], axis=-2),)
    return q, r
