"""Factors of matrices: Cholesky, eigenvalues, singular values, QR; and the pseudo-inverse.

A factorisation is one operation, whose result is the entries of all factors in one row; NumPy's
functions take it apart. Rules are written for gradients, which are the conjugates of cotangents.

The vectors of a repeated eigenvalue or singular value aren't determined: where a loss reads them,
its gradient is nan. A loss of the values, or of other vectors, has its gradient there, too.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..core.primitive import implements, is_complex, numbers_of, primitive
from ..errors import ArgumentError, NotDifferentiableError, ShapeError, TraceError
from ..support.abstract_array import AbstractArray, check_numbers
from ..support.validation import as_input, check_choice
from .linear_algebra import inv, matmul
from .shape import line_up

SQUARE = [((2, 2),), ((3, 3),), ((2, 2, 2),)]
MATRICES = [((3, 2),), ((2, 3),), ((2, 3, 2),)]
COMPLEX_EIG = np.lib.NumpyVersion(np.__version__) >= "2.5.0"  # eig, eigvals of real matrices, too
MAX_ASYMMETRY = 1e-3  # relative to the largest entry: far more than rounding, or a step of a check


# ---- matrices and rows of entries


def conjugate(x):
    """The conjugate of complex numbers; real ones as they are."""
    return np.conj(x) if is_complex(x) else x


def _real(x):
    return np.real(x) if is_complex(x) else x


def adjoint(x):
    """The transpose of each matrix, conjugated if it is complex."""
    return conjugate(np.swapaxes(x, -1, -2))


def _hermitian(x):
    return (x + adjoint(x)) / 2


def _diagonal(x):
    return np.diagonal(x, axis1=-2, axis2=-1)


def _on_diagonal(x):
    return _rows(x) * np.eye(np.shape(x)[-1])


def _rows(x):  # of a plain array, an index takes a tenth of the time of expand_dims
    return x[..., None] if type(x) is np.ndarray else np.expand_dims(x, -1)


def _columns(x):
    return x[..., None, :] if type(x) is np.ndarray else np.expand_dims(x, -2)


def join_row(*parts):
    """The entries of several factors, of equal batches, in one row; the last two axes of each."""
    shapes = [(*np.shape(part)[:-2], math.prod(np.shape(part)[-2:])) for part in parts]
    rows = [np.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
    return np.concatenate(rows, axis=-1)


def split_row(row, *shapes):
    """The factors in a row, in their shapes."""
    batch, parts, start = np.shape(row)[:-1], [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        part = row[..., start:end]
        parts.append(part if len(shape) == 1 else np.reshape(part, (*batch, *shape)))
        start = end
    return parts


def as_matrices(name, a, square=False):
    """Return a as it is, or as an array. Raises `ShapeError` unless it is matrices."""
    a = as_input(name, "a", a, allow_complex=True)
    shape = np.shape(a)
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "square matrices" if square else "matrices"
        raise ShapeError(f"{name}: a must be {kind}, got shape {shape}")
    return a


def as_symmetric(name, a):
    """Return a as matrices. Raises `ArgumentError` unless they are symmetric, or Hermitian."""
    a = as_matrices(name, a, square=True)

    def look(number):
        difference = np.abs(number - adjoint(number)).max(initial=0.0)
        if difference > MAX_ASYMMETRY * np.abs(number).max(initial=0.0):
            raise ArgumentError(
                f"{name}: a must be symmetric (Hermitian if complex), got a matrix that differs "
                f"from its transpose by {difference:.3g}; pass (a + a.T) / 2, or "
                "np.tril(a) + np.tril(a, -1).T"
            )

    check_numbers(numbers_of(a), look)
    return a


def _tolerance(values, size):
    """The error of eigenvalues or singular values by rounding."""
    eps = float(np.finfo(numbers_of(values).dtype).eps)
    return 4 * size * eps * np.max(np.abs(values), axis=-1, keepdims=True, initial=0.0)


def _over_gap(numerator, read, gap, closed):
    """numerator / gap off the diagonal, 0 on it; nan where the gap is closed and `read` isn't 0."""
    itself = np.eye(np.shape(gap)[-1], dtype=bool)
    hidden = closed | itself
    quotient = np.where(hidden, 0.0, numerator / np.where(hidden, 1.0, gap))
    lost = closed & ~itself
    if type(lost) is np.ndarray and not lost.any():
        return quotient
    return np.where(lost & (read != 0), np.nan, quotient)


def _others(closed):
    """The pairs of two different values that are equal."""
    return closed & ~np.eye(np.shape(closed)[-1], dtype=bool)


def _over_values(x, values, closed):
    """x / values; where a value is 0, nan unless x is 0."""
    quotient = x / np.where(closed, 1.0, values)
    return np.where(closed & (x != 0), np.nan, np.where(closed, 0.0, quotient))


@primitive(
    latex=r"\left[<x>\right]_{<lost>}",
    examples=[((2, 2), (2, 2)), ((2, 2, 2), (2, 2))],
    domain={"lost": (0.0, 0.4)},
    takes_complex=True,
)
def first_order(x, lost):
    """x, or 0 where it is lost (> 1/2): a second derivative isn't determined there and is nan.

    >>> x = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> first_order(x, np.array([[0.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return np.where((lost > 0.5) & ~np.isnan(x), 0.0, x)


first_order.vjp(
    x=lambda g, out, x, lost: np.where((lost > 0.5) & (g != 0), np.nan, g),
    lost=lambda g, out, x, lost: 0.0 * g,
)
first_order.jvp(
    x=lambda t, out, x, lost: np.where((lost > 0.5) | np.zeros(np.shape(t), bool), np.nan, t),
    lost=lambda t, out, x, lost: np.zeros(np.shape(out)),
)
first_order.batch(lambda varies, x, lost: first_order(*line_up(varies, x, lost)), mixed=True)


def _gradients_of_values(g, lost):
    """The gradients of eigenvalues or singular values on a diagonal.

    Those of values that are equal, or 0, don't determine second derivatives.
    """
    return first_order(_on_diagonal(g), 1.0 * numbers_of(lost))


# ---- Cholesky


@primitive(latex=r"\operatorname{chol}\left(<a>\right)", examples=SQUARE, takes_complex=True)
def cholesky_factor(a):
    """The lower triangular L with L Lᵀ = a, for a symmetric positive definite matrix.

    Raises `numpy.linalg.LinAlgError` if it is not positive definite.

    >>> cholesky_factor(Value([[4.0]]))
    Value(data=[[2.]], grad=None)
    """
    return np.linalg.cholesky(_hermitian(a))


def _lower_half(x):
    """The lower triangle, with half of the diagonal."""
    size = np.shape(x)[-1]
    if is_complex(x):
        x = np.where(np.eye(size, dtype=bool), np.real(x), x)
    return x * (np.tri(size) - 0.5 * np.eye(size))


def _cholesky_rule(g, out, a):
    upper = adjoint(out)
    inner = np.linalg.solve(upper, _lower_half(matmul(upper, conjugate(g))))
    return conjugate(_hermitian(np.linalg.solve(upper, adjoint(inner))))


def _cholesky_tangent(t, out, a):
    inner = np.linalg.solve(out, adjoint(np.linalg.solve(out, _hermitian(t))))
    return matmul(out, _lower_half(inner))


cholesky_factor.batch(cholesky_factor)
cholesky_factor.vjp(a=_cholesky_rule)
cholesky_factor.jvp(a=_cholesky_tangent)


@implements(np.linalg.cholesky)
def cholesky(a, /, *, upper=False):
    """The lower triangular L with L Lᵀ = a, or the upper one Lᵀ.

    The gradient is symmetric, as a is; `ArgumentError` is raised if a isn't. Raises
    `numpy.linalg.LinAlgError` if it is not positive definite.

    >>> np.linalg.cholesky(Value([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    lower = cholesky_factor(as_symmetric("cholesky", a))
    return adjoint(lower) if upper else lower


# ---- symmetric matrices


class EighResult(NamedTuple):
    """The eigenvalues of symmetric matrices, rising, and their eigenvectors, as columns."""

    eigenvalues: Any
    eigenvectors: Any


@primitive(latex=r"\operatorname{eigh}\left(<a>\right)", examples=SQUARE, takes_complex=True)
def symmetric_eigen(a, uplo="L"):
    """The eigenvalues w and the eigenvectors v of a symmetric matrix, in one row (w, v).

    >>> symmetric_eigen(np.diag([1.0, 2.0])).round(12).tolist()
    [1.0, 2.0, 1.0, 0.0, 0.0, 1.0]
    """
    check_choice("eigh", "UPLO", uplo, ("L", "U", "l", "u"))
    w, v = np.linalg.eigh(_hermitian(a), uplo)
    return join_row(_columns(w), v)


def _split_eigen(row, a):
    size = np.shape(a)[-1]
    w, v = split_row(row, (size,), (size, size))
    return _real(w), v


def _eigen_gaps(w):
    gap = _columns(w) - _rows(w)
    return gap, np.abs(gap) <= _rows(_tolerance(w, np.shape(w)[-1]))


def _symmetric_eigen_rule(g, out, a, uplo):
    w, v = _split_eigen(out, a)
    gw, gv = _split_eigen(g, a)
    read = matmul(adjoint(v), conjugate(gv))
    gap, closed = _eigen_gaps(w)
    inner = _over_gap(read, read, gap, closed) + _gradients_of_values(gw, _others(closed))
    return conjugate(_hermitian(matmul(matmul(v, inner), adjoint(v))))


def _symmetric_eigen_tangent(t, out, a, uplo):
    w, v = _split_eigen(out, a)
    inner = matmul(matmul(adjoint(v), _hermitian(t)), v)
    turned = matmul(v, _over_gap(inner, inner, *_eigen_gaps(w)))
    return join_row(_columns(_real(_diagonal(inner))), turned)


symmetric_eigen.batch(symmetric_eigen)
symmetric_eigen.vjp(a=_symmetric_eigen_rule)


def _textbook_of_eigenvalues(g, out, a, uplo):
    """The rule for a loss that reads eigenvalues alone."""
    (_, v), (gw, _) = _split_eigen(out, a), _split_eigen(g, a)
    return np.einsum("ik,k,jk->ij", v, gw, v)


symmetric_eigen.textbook(a=_textbook_of_eigenvalues)
symmetric_eigen.jvp(a=_symmetric_eigen_tangent)


@implements(np.linalg.eigh)
def eigh(a, UPLO="L"):
    """The eigenvalues of symmetric matrices, rising, and their eigenvectors, as columns.

    The gradient is symmetric, as a is; `ArgumentError` is raised if a isn't. It is nan where a loss
    reads vectors of a repeated eigenvalue. A complex eigenvector has no determined phase: the loss
    must not depend on it.

    >>> np.linalg.eigh(Value([[2.0, 0.0], [0.0, 1.0]])).eigenvalues.tolist()
    [1.0, 2.0]
    """
    a = as_symmetric("eigh", a)
    return EighResult(*_split_eigen(symmetric_eigen(a, uplo=UPLO), a))


@implements(np.linalg.eigvalsh)
def eigvalsh(a, UPLO="L"):
    """The eigenvalues of symmetric matrices, rising; repeated ones have gradients, too.

    >>> np.linalg.eigvalsh(Value([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 2.0]
    """
    return eigh(a, UPLO).eigenvalues


# ---- square matrices


class EigResult(NamedTuple):
    """The eigenvalues of square matrices and their eigenvectors, as columns of length 1."""

    eigenvalues: Any
    eigenvectors: Any


@primitive(
    latex=r"\operatorname{eig}\left(<a>\right)", examples=SQUARE, whole=True, takes_complex=True
)
def general_eigen(a):
    """The eigenvalues w and the eigenvectors v of a matrix, in one row (w, v) of complex numbers.

    >>> general_eigen(np.array([[2.0]])).tolist()
    [(2+0j), (1+0j)]
    """
    w, v = np.linalg.eig(a)
    return join_row(_columns(w), v) + 0j


def _split_general(row, a):
    size = np.shape(a)[-1]
    return split_row(row, (size,), (size, size))


def _largest_entries(v):
    """A mask of the entry of each vector that NumPy makes real: the largest."""
    if not np.size(v):
        return np.zeros(np.shape(v), bool)
    position = np.argmax(np.real(v * np.conj(v)), axis=-2)
    return np.arange(np.shape(v)[-2])[:, None] == np.expand_dims(position, -2)


def _general_eigen_rule(g, out, a):
    (w, v), (gw, gv) = _split_general(out, a), _split_general(g, a)
    gw, gv = np.conj(gw), np.conj(gv)
    largest = _largest_entries(v)
    # the phase: NumPy turns each vector until its largest entry is real
    turning = np.sum(np.imag(np.conj(v) * gv), axis=-2, keepdims=True)
    length = np.sum(np.where(largest, np.real(v), 0.0), axis=-2, keepdims=True)
    gv = gv - np.where(largest, 1j * turning / length, 0.0)
    read = matmul(adjoint(v), gv)
    read = read - matmul(adjoint(v), v) * _columns(np.real(_diagonal(read)))
    gap, closed = _eigen_gaps(w)
    inner = _over_gap(read, read, np.conj(gap), closed)
    inner = inner + _gradients_of_values(gw, _others(closed))
    return np.conj(np.linalg.solve(adjoint(v), matmul(inner, adjoint(v))))


def _general_eigen_tangent(t, out, a):
    w, v = _split_general(out, a)
    inner = np.linalg.solve(v, matmul(t, v))
    turned = matmul(v, _over_gap(inner, inner, *_eigen_gaps(w)))
    turned = turned - v * np.sum(np.real(np.conj(v) * turned), axis=-2, keepdims=True)
    at_largest = np.where(_largest_entries(v), np.imag(turned) / np.where(v == 0, 1.0, v), 0.0)
    turned = turned - 1j * v * np.real(np.sum(at_largest, axis=-2, keepdims=True))
    return join_row(_columns(_diagonal(inner)), turned)


general_eigen.batch(general_eigen)
general_eigen.vjp(a=_general_eigen_rule)
general_eigen.jvp(a=_general_eigen_tangent)


@implements(np.linalg.eig)
def eig(a):
    """The eigenvalues of square matrices and their eigenvectors, as columns of length 1.

    They are complex since NumPy 2.5. Before, they are real if all of them are, and a compiled
    function needs a complex matrix, since it cannot know. The gradient is nan where a loss reads
    vectors of a repeated eigenvalue, and wherever a matrix cannot be diagonalised.

    >>> np.linalg.eig(Value([[2.0, 1.0], [0.0, 1.0]])).eigenvalues.real.tolist()
    [2.0, 1.0]
    """
    a = as_matrices("eig", a, square=True)
    if COMPLEX_EIG:
        return EigResult(*_split_general(general_eigen(a), a))
    if isinstance(numbers_of(a), AbstractArray) and not is_complex(a):
        raise TraceError(
            "eig: a must be complex in a compiled function, since eigenvalues of a real matrix are "
            "real or complex depending on its numbers; pass a + 0j"
        )
    w, v = _split_general(general_eigen(a), a)
    if is_complex(a) or np.imag(numbers_of(w)).any():
        return EigResult(w, v)
    return EigResult(np.real(w), np.real(v))


@implements(np.linalg.eigvals)
def eigvals(a):
    """The eigenvalues of square matrices; see `eig` for when they are real.

    >>> np.linalg.eigvals(Value([[0.0, 1.0], [-1.0, 0.0]])).tolist()
    [1j, -1j]
    """
    return eig(a).eigenvalues


# ---- singular values


class SVDResult(NamedTuple):
    """Orthonormal columns U, singular values S, falling, and orthonormal rows Vh."""

    U: Any
    S: Any
    Vh: Any


@primitive(latex=r"\operatorname{svd}\left(<a>\right)", examples=MATRICES, takes_complex=True)
def singular_factors(a):
    """The thin factors of a = u s v, with falling s ≥ 0, in one row (u, s, v).

    >>> np.abs(singular_factors(np.array([[2.0]]))).round(12).tolist()
    [1.0, 2.0, 1.0]
    """
    u, s, v = np.linalg.svd(a, full_matrices=False)
    return join_row(u, _columns(s), v)


def _split_factors(row, a):
    m, n = np.shape(a)[-2:]
    u, s, v = split_row(row, (m, min(m, n)), (min(m, n),), (min(m, n), n))
    return u, _real(s), v


def _singular_gaps(s, a):
    """The differences of squares, where they are 0, and where a singular value is."""
    tolerance = _tolerance(s, max(np.shape(a)[-2:]))
    difference, total = _columns(s) - _rows(s), _columns(s) + _rows(s)
    return difference * total, np.abs(difference) <= _rows(tolerance), s <= tolerance


def _singular_rule(g, out, a):
    (u, s, v), (gu, gs, gv) = _split_factors(out, a), _split_factors(g, a)
    gu, gv = conjugate(gu), conjugate(gv)
    m, n = np.shape(a)[-2:]
    gap, closed, zero = _singular_gaps(s, a)
    left, right = matmul(adjoint(u), gu), matmul(v, adjoint(gv))
    inner = (
        _over_gap(left - adjoint(left), left, gap, closed) * _columns(s)
        + _rows(s) * _over_gap(right - adjoint(right), right, gap, closed)
        + _gradients_of_values(gs, _others(closed) | _rows(zero) & np.eye(min(m, n), dtype=bool))
    )
    if is_complex(inner):  # u and v turn against each other
        inner = inner + _on_diagonal(_over_values(1j * np.imag(_diagonal(left)), s, zero))
    found = matmul(matmul(u, inner), v)
    if m > n:
        scaled = _over_values(gu - matmul(u, left), _columns(s), _columns(zero))
        found = found + matmul(scaled, v)
    if n > m:
        scaled = _over_values(gv - matmul(adjoint(right), v), _rows(s), _rows(zero))
        found = found + matmul(u, scaled)
    return conjugate(found)


def _singular_tangent(t, out, a):
    u, s, v = _split_factors(out, a)
    m, n = np.shape(a)[-2:]
    gap, closed, zero = _singular_gaps(s, a)
    left, right = matmul(adjoint(u), t), matmul(t, adjoint(v))
    inner = matmul(left, adjoint(v))
    ds = np.where(zero, 0.0, _real(_diagonal(inner)))
    of_u = inner * _columns(s) + _rows(s) * adjoint(inner)
    of_v = _rows(s) * inner + adjoint(inner) * _columns(s)
    turn_u, turn_v = (_over_gap(x, x, gap, closed) for x in (of_u, of_v))
    if is_complex(inner):
        phase = _on_diagonal(_over_values(0.5j * np.imag(_diagonal(inner)), s, zero))
        turn_u, turn_v = turn_u + phase, turn_v - phase
    du, dv = matmul(u, turn_u), matmul(adjoint(turn_v), v)
    if m > n:
        du = du + _over_values(right - matmul(u, inner), _columns(s), _columns(zero))
    if n > m:
        dv = dv + _over_values(left - matmul(inner, v), _rows(s), _rows(zero))
    return join_row(du, _columns(ds), dv)


singular_factors.batch(singular_factors)
singular_factors.vjp(a=_singular_rule)


def _textbook_of_singular_values(g, out, a):
    """The rule for a loss that reads singular values alone."""
    (u, _, v), (_, gs, _) = _split_factors(out, a), _split_factors(g, a)
    return np.einsum("ik,k,kj->ij", u, gs, v)


singular_factors.textbook(a=_textbook_of_singular_values)
singular_factors.jvp(a=_singular_tangent)


@implements(np.linalg.svd)
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """The factors of a = U S Vh, or the singular values S alone, falling.

    `full_matrices` must be False unless a is square or a constant: the other columns of U or Vh
    have no derivative. The gradient is nan where a loss reads vectors of a repeated singular value,
    or of 0. That of a singular value of 0 is 0. A complex vector has no determined phase: the loss
    must not depend on it.

    >>> np.linalg.svd(Value([[3.0, 0.0], [0.0, 4.0]])).S.tolist()
    [4.0, 3.0]
    """
    a = as_symmetric("svd", a) if hermitian else as_matrices("svd", a)
    m, n = np.shape(a)[-2:]
    if compute_uv and full_matrices and m != n:
        raise NotDifferentiableError(
            f"svd: full_matrices must be False for matrices that are not square, got shape "
            f"{np.shape(a)}; the other columns have no derivative"
        )
    factors = SVDResult(*_split_factors(singular_factors(a), a))
    return factors if compute_uv else factors.S


@implements(np.linalg.svdvals)
def svdvals(x, /):
    """The singular values of matrices, falling; repeated ones have gradients, too.

    >>> np.linalg.svdvals(Value([[3.0, 0.0], [0.0, 4.0]])).tolist()
    [4.0, 3.0]
    """
    return svd(x, compute_uv=False)


# ---- QR


class QRResult(NamedTuple):
    """Orthonormal columns Q and the upper triangular R."""

    Q: Any
    R: Any


@primitive(
    latex=r"\operatorname{qr}\left(<a>\right)",
    examples=[((2, 2),), ((3, 2),), ((2, 3, 2),)],
    takes_complex=True,
)
def orthogonal_factors(a):
    """The factors of a = q r, where a has at least as many rows as columns, in one row (q, r).

    >>> np.abs(orthogonal_factors(np.array([[2.0]]))).tolist()
    [1.0, 2.0]
    """
    return join_row(*np.linalg.qr(a))


def _split_orthogonal(row, a):
    m, n = np.shape(a)[-2:]
    return split_row(row, (m, n), (n, n))


def require_independent(where, r):
    """Raise `LinAlgError` if a column of the triangular r depends on those before it."""

    def look(number):
        size = np.shape(number)[-1]
        lengths = np.sqrt(np.sum(np.abs(number) ** 2, axis=-2))
        rounding = 4 * size * float(np.finfo(number.dtype).eps) * lengths
        if np.any(np.abs(_diagonal(number)) <= rounding):
            raise np.linalg.LinAlgError(
                f"{where}: the first {size} columns of a must be independent to have a derivative, "
                "got one that is a combination of those before it; use svd, pinv or lstsq"
            )

    check_numbers(numbers_of(r), look)


def _over_triangle(x, r):
    """X r⁻¹."""
    return adjoint(np.linalg.solve(adjoint(r), adjoint(x)))


def _orthogonal_rule(g, out, a):
    (q, r), (gq, gr) = _split_orthogonal(out, a), _split_orthogonal(g, a)
    require_independent("qr", r)
    gq, gr = conjugate(gq), conjugate(gr)
    size = np.shape(r)[-1]
    above = (matmul(gr, adjoint(r)) - matmul(adjoint(q), gq)) * np.tri(size).T
    whole = (above + adjoint(above)) * (1.0 - 0.5 * np.eye(size))
    return conjugate(adjoint(np.linalg.solve(r, adjoint(gq + matmul(q, whole)))))


def _orthogonal_tangent(t, out, a):
    q, r = _split_orthogonal(out, a)
    require_independent("qr", r)
    moved = _over_triangle(t, r)
    inner = matmul(adjoint(q), moved)
    below = inner * np.tri(np.shape(r)[-1], k=-1)
    turn = below - adjoint(below)
    if is_complex(inner):  # the diagonal of r stays real
        turn = turn + 1j * _on_diagonal(np.imag(_diagonal(inner)))
    return join_row(matmul(q, turn - inner) + moved, matmul(inner - turn, r))


orthogonal_factors.batch(orthogonal_factors)
orthogonal_factors.vjp(a=_orthogonal_rule)
orthogonal_factors.jvp(a=_orthogonal_tangent)


@implements(np.linalg.qr)
def qr(a, mode="reduced"):
    """The factors of a = Q R with orthonormal columns Q and an upper triangular R, or R alone.

    `mode` is "reduced" or "r". "complete" needs a constant, or no more rows than columns. Raises
    `numpy.linalg.LinAlgError`, in the backward pass, if the first columns of a are dependent.

    >>> np.abs(np.linalg.qr(Value([[3.0], [4.0]])).R).tolist()
    [[5.0]]
    """
    a = as_matrices("qr", a)
    m, n = np.shape(a)[-2:]
    check_choice("qr", "mode", mode, ("reduced", "r", "complete"))
    if mode == "complete" and m > n:
        raise NotDifferentiableError(
            f"qr: mode must be 'reduced' or 'r' for shape {np.shape(a)}, got 'complete'; the other "
            "factors have no derivative"
        )
    front = a if n <= m else a[..., :m]
    q, r = _split_orthogonal(orthogonal_factors(front), front)
    if n > m:
        r = np.concatenate([r, matmul(adjoint(q), a[..., m:])], axis=-1)
    r = np.triu(r)
    return r if mode == "r" else QRResult(q, r)


# ---- the pseudo-inverse and least squares


@primitive(latex="{<a>}^{+}", examples=[*MATRICES, ((2, 2),)], takes_complex=True)
def pseudo_inverse(a, rcond=1e-15):
    """The pseudo-inverse of a matrix; singular values below rcond times the largest count as 0.

    Its derivative is that among matrices of equal rank.

    >>> pseudo_inverse(Value([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    return np.linalg.pinv(a, rcond)


def _pseudo_inverse_rule(g, out, a, rcond):
    g, p = adjoint(conjugate(g)), out
    ph = adjoint(p)
    rest_left, rest_right = g - matmul(a, matmul(p, g)), g - matmul(matmul(g, p), a)
    return conjugate(
        matmul(matmul(rest_left, p), ph)
        + matmul(ph, matmul(p, rest_right))
        - matmul(matmul(ph, adjoint(g)), ph)
    )


def _pseudo_inverse_tangent(t, out, a, rcond):
    p, th = out, adjoint(t)
    ph = adjoint(p)
    return (
        matmul(p, matmul(ph, th - matmul(matmul(th, a), p)))
        + matmul(matmul(th - matmul(p, matmul(a, th)), ph), p)
        - matmul(matmul(p, t), p)
    )


pseudo_inverse.batch(pseudo_inverse)
pseudo_inverse.vjp(a=_pseudo_inverse_rule)
pseudo_inverse.jvp(a=_pseudo_inverse_tangent)


@implements(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    """The pseudo-inverse; singular values below rcond (or rtol) times the largest count as 0.

    Where the rank would change, the derivative is that among matrices of equal rank.

    >>> np.linalg.pinv(Value([[2.0], [0.0]])).tolist()
    [[0.5, 0.0]]
    """
    a = as_symmetric("pinv", a) if hermitian else as_matrices("pinv", a)
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
        rcond = _rank_tolerance(a) if rcond is None else rcond
    elif rtol is not np._NoValue:
        raise ArgumentError("pinv: rcond and rtol must not both be given")
    return pseudo_inverse(a, rcond=float(rcond))


def _rank_tolerance(a):
    dtype = np.result_type(a, np.float32)
    return max(np.shape(a)[-2:]) * float(np.finfo(dtype).eps)


@primitive(
    latex="{<a>}^{+} <b>",
    examples=[((3, 2), (3, 2)), ((2, 3), (2, 1))],
    whole=True,
    takes_complex=True,
)
def least_squares(a, b, rcond=1e-15):
    """The columns x of least length that minimise |a x - b|, for each column of b.

    >>> np.round(least_squares(Value([[1.0], [1.0]]), np.array([[1.0], [2.0]])), 12).tolist()
    [[1.5]]
    """
    return np.linalg.lstsq(a, b, rcond)[0]


def _least_squares_rule(g, out, a, b, rcond):
    of_inverse = matmul(g, np.swapaxes(b, -1, -2))
    inverse = pseudo_inverse(a, rcond=rcond)
    return _pseudo_inverse_rule(of_inverse, inverse, a, rcond)


least_squares.batch(lambda a, b, rcond: matmul(pseudo_inverse(a, rcond=rcond), b))
least_squares.vjp(
    a=_least_squares_rule,
    b=lambda g, out, a, b, rcond: matmul(np.swapaxes(pseudo_inverse(a, rcond=rcond), -1, -2), g),
)


def _textbook_least_squares(g, out, a, b, rcond):
    """The rule for independent columns, or independent rows."""
    inverse = pseudo_inverse(a, rcond=rcond)
    back = matmul(adjoint(inverse), g)
    if np.shape(a)[-2] < np.shape(a)[-1]:
        rest = g - matmul(inverse, matmul(a, g))
        return matmul(matmul(adjoint(inverse), out), adjoint(rest)) - matmul(back, adjoint(out))
    rest = b - matmul(a, out)
    return matmul(rest, adjoint(matmul(inverse, back))) - matmul(back, adjoint(out))


least_squares.textbook(a=_textbook_least_squares)
least_squares.jvp(
    a=lambda t, out, a, b, rcond: matmul(
        _pseudo_inverse_tangent(t, pseudo_inverse(a, rcond=rcond), a, rcond), b
    ),
    b=lambda t, out, a, b, rcond: matmul(pseudo_inverse(a, rcond=rcond), t),
)


@implements(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """The x of least length that minimises |a x - b|: x, squared errors, rank, singular values.

    The rank is a plain number. The derivative is that among matrices of equal rank.

    >>> np.round(np.linalg.lstsq(Value([[1.0], [1.0]]), [1.0, 2.0])[0], 12).tolist()
    [1.5]
    """
    a = as_matrices("lstsq", a)
    b = as_input("lstsq", "b", b, allow_complex=True)
    if np.ndim(a) != 2 or np.ndim(b) not in {1, 2} or np.shape(a)[0] != np.shape(b)[0]:
        raise ShapeError(
            "lstsq: a must be a matrix and b a vector or a matrix with as many rows, got shapes "
            f"{np.shape(a)} and {np.shape(b)}"
        )
    rcond = _rank_tolerance(a) if rcond is None else float(rcond)
    columns = b if np.ndim(b) == 2 else np.expand_dims(b, -1)
    x, values = least_squares(a, columns, rcond=rcond), svdvals(a)
    m, n = np.shape(a)
    number = numbers_of(values)
    rank = np.sum(number > rcond * np.max(number, initial=0.0))
    if m > n and isinstance(number, AbstractArray):
        check_numbers(rank, lambda rank: _require_full(rank, n))
    full = m > n and (isinstance(number, AbstractArray) or rank == n)
    errors = np.abs(columns - matmul(a, x)) ** 2 if full else np.zeros((0, 0), number.dtype)
    return x if np.ndim(b) == 2 else x[..., 0], np.sum(errors, axis=0), rank, values


def _require_full(rank, n):
    if rank < n:
        raise ArgumentError(
            f"lstsq: a must have the full rank {n} in a compiled function, got rank {rank}; call "
            "lstsq outside of it"
        )


# ---- the logarithm of a determinant


class SlogdetResult(NamedTuple):
    """The sign of determinants, of length 1 if they are complex, and ln |det|."""

    sign: Any
    logabsdet: Any


@primitive(latex=r"\operatorname{slogdet}\left(<a>\right)", examples=SQUARE, takes_complex=True)
def log_determinant(a):
    """The sign of the determinant, det/|det|, and ln |det|, without overflow, as one row.

    >>> log_determinant(Value([[-1.0]])).tolist()
    [-1.0, 0.0]
    """
    return np.stack(np.linalg.slogdet(a), axis=-1)


def _log_determinant_rule(g, out, a):
    turned, grown = g[..., 0], g[..., 1]
    if is_complex(a):  # the sign turns by Im tr(a⁻¹ da), a real one stays
        grown = np.real(grown) - 1j * np.real(1j * turned * out[..., 0])
    return np.expand_dims(grown, (-2, -1)) * np.swapaxes(inv(a), -1, -2)


def _log_determinant_tangent(t, out, a):
    moved = np.sum(np.swapaxes(inv(a), -1, -2) * t, axis=(-2, -1))
    turned = 1j * out[..., 0] * np.imag(moved) if is_complex(a) else moved * 0.0
    return np.stack([turned, np.real(moved) if is_complex(a) else moved], axis=-1)


log_determinant.batch(log_determinant)
log_determinant.vjp(a=_log_determinant_rule)
log_determinant.jvp(a=_log_determinant_tangent)


@implements(np.linalg.slogdet)
def slogdet(a):
    """The sign and the logarithm of the absolute value of a determinant, without overflow.

    The derivative of the sign is 0, unless a is complex.

    >>> np.linalg.slogdet(Value([[-1.0]]))
    SlogdetResult(sign=Value(data=-1.0, grad=None), logabsdet=Value(data=0.0, grad=None))
    """
    a = as_matrices("slogdet", a, square=True)
    row = log_determinant(a)
    return SlogdetResult(row[..., 0], _real(row[..., 1]))
