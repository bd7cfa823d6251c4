"""SciPy's linear algebra on Values: factors, functions of a matrix, systems, matrices of a pattern.

`scipy.linalg` converts its arguments with np.asarray, so it takes no Values: these have the same
names and arguments. What NumPy has too is NumPy's operation. A function f of a matrix has the
derivative that stands in the corner of f([[A, E], [0, A]]) (Mathias, 1996), for the exponential,
the root and the logarithm alike.
"""

import itertools
import math
import threading

import numpy as np
import scipy.linalg

from ..core.node import unwrap
from ..core.primitive import is_complex, primitive
from ..errors import ArgumentError, ShapeError
from ..ops.decompositions import (
    adjoint,
    as_matrices,
    general_eigen,
    join_row,
    require_independent,
    split_row,
)
from ..support.abstract_array import AbstractArray, as_single_call
from ..support.validation import check_choice
from .equivalents import equivalent, names_of

SQUARE = [((3, 3),), ((1, 1),)]
DRAWING = threading.Lock()


def _derivative(function, a, e):
    """The derivative of a function of the matrix a in the direction e."""
    n = np.shape(a)[-1]
    both = np.concatenate(
        [np.concatenate([a, e], axis=-1), np.concatenate([0 * a, a], axis=-1)], axis=-2
    )
    return function(both)[..., :n, n:]


@primitive(latex="e^{<a>}", examples=SQUARE, whole=True, takes_complex=True)
def expm(a):
    """The matrix exponential Σ aⁿ/n!, of a square matrix.

    Source: `scipy.linalg.expm`.

    >>> expm(Value([[0.0, 1.0], [0.0, 0.0]]))
    Value(data=[[1. 1.]
     [0. 1.]], grad=None)
    """
    return scipy.linalg.expm(a)


expm.batch(expm)


@primitive(latex=r"\sqrt{<a>}", examples=SQUARE, whole=True, takes_complex=True)
def sqrtm(a):
    """The principal square root of a square matrix without negative eigenvalues.

    Source: `scipy.linalg.sqrtm`. Raises `ArgumentError` where the root isn't real.

    >>> sqrtm(Value([[4.0, 0.0], [0.0, 9.0]]))
    Value(data=[[2. 0.]
     [0. 3.]], grad=None)
    """
    return _in_float64("sqrtm", scipy.linalg.sqrtm, a)


@primitive(latex=r"\ln <a>", examples=SQUARE, whole=True, takes_complex=True)
def logm(a):
    """The principal logarithm of a square matrix without eigenvalues <= 0.

    Source: `scipy.linalg.logm`. Raises `ArgumentError` where the logarithm isn't real.

    >>> logm(Value([[1.0, 1.0], [0.0, 1.0]]))
    Value(data=[[0. 1.]
     [0. 0.]], grad=None)
    """
    return _in_float64("logm", _repeatable_logm, a)


def _repeatable_logm(a):
    """SciPy's logm, which estimates norms by numbers drawn from np.random: here always the same.

    np.random is left as it was, so that a program that draws from it isn't changed by a logarithm.
    Another thread that draws from np.random meanwhile gets numbers of this seed, since SciPy takes
    no generator; numbers of a Generator are never changed.
    """
    with DRAWING:
        state = np.random.get_state()  # noqa: NPY002 - SciPy draws from it
        try:
            np.random.seed(0)  # noqa: NPY002
            return scipy.linalg.logm(a)
        finally:
            np.random.set_state(state)  # noqa: NPY002


def _in_float64(name, function, a):
    a = np.asarray(a)
    wide = a.astype(np.result_type(a, np.float64))
    if a.ndim > 2 and a.size:  # SciPy takes stacks since version 1.16
        matrices = wide.reshape(-1, *a.shape[-2:])
        result = np.stack([function(x) for x in matrices]).reshape(a.shape)
    else:
        result = function(wide)
    if np.isrealobj(a) and np.iscomplexobj(result):
        raise ArgumentError(
            f"{name}: the result must be real, got complex numbers; pass a complex a"
        )
    return result.astype(a.dtype)


def _declare_rules(function):
    function.vjp(a=lambda g, out, a: _derivative(function, np.swapaxes(a, -1, -2), g))
    function.jvp(a=lambda t, out, a: _derivative(function, a, t))


for _function in (expm, sqrtm, logm):
    _declare_rules(_function)


@primitive(
    latex=r"<a>^{-1} <b>",
    examples=[((3, 3), (3, 2)), ((3, 3), (3,), {"lower": True}), ((2, 2), (2,), {"trans": 1})],
    domain={"a": (0.5, 2.0)},
    whole=True,
    takes_complex=True,
)
def triangular_solution(a, b, *, lower=False, trans=0, unit_diagonal=False):
    """The x with a x = b, or aᵀ x = b with trans=1, of one triangle of a.

    >>> triangular_solution(Value([[2.0, 0.0], [0.0, 4.0]]), [2.0, 4.0])
    Value(data=[1. 1.], grad=None)
    """
    return scipy.linalg.solve_triangular(
        a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal, check_finite=False
    )


def _look_up_solvers():
    """Fill SciPy's cache of LAPACK routines, which a function that is traced must not change."""
    rows = [np.ones((2, 2), dtype) for dtype in "fdFD"]
    arrays = [*rows, *(x.T for x in rows)]
    for a, b in itertools.product(arrays, arrays):
        scipy.linalg.get_lapack_funcs(("trtrs",), (a, b))


_look_up_solvers()


def _triangles(varies, a, b, lower, trans, unit_diagonal):
    """Return the solutions of each entry: of one system with all right sides if it is shared."""
    options = {"lower": lower, "trans": trans, "unit_diagonal": unit_diagonal}
    if varies[0]:
        return NotImplemented
    together = np.moveaxis(b, 0, -1)  # the entries are columns, beside those of a matrix
    columns = np.reshape(together, (np.shape(together)[0], -1))
    found = np.reshape(triangular_solution(a, columns, **options), np.shape(together))
    return np.moveaxis(found, -1, 0)


triangular_solution.batch(_triangles, mixed=True)


def _triangle(x, lower, unit_diagonal):
    keep = np.tril if lower else np.triu
    return keep(x, (-1 if lower else 1) if unit_diagonal else 0)


def _product(x, y):
    """x yᵀ, of two matrices or two vectors."""
    return np.outer(x, y) if np.ndim(x) == 1 else x @ np.swapaxes(y, -1, -2)


def _rule_of_a(g, out, a, b, lower, trans, unit_diagonal):
    given = {"lower": lower, "unit_diagonal": unit_diagonal}
    c = triangular_solution(a, g, trans=1 - trans, **given)
    return -_triangle(_product(out, c) if trans else _product(c, out), lower, unit_diagonal)


def _tangent_of_a(t, out, a, b, lower, trans, unit_diagonal):
    given = {"lower": lower, "unit_diagonal": unit_diagonal, "trans": trans}
    step = _triangle(t, lower, unit_diagonal)
    return -triangular_solution(a, (np.swapaxes(step, -1, -2) if trans else step) @ out, **given)


triangular_solution.vjp(
    a=_rule_of_a,
    b=lambda g, out, a, b, lower, trans, unit_diagonal: triangular_solution(
        a, g, lower=lower, trans=1 - trans, unit_diagonal=unit_diagonal
    ),
)
triangular_solution.jvp(
    a=_tangent_of_a,
    b=lambda t, out, a, b, lower, trans, unit_diagonal: triangular_solution(
        a, t, lower=lower, trans=trans, unit_diagonal=unit_diagonal
    ),
)


@equivalent(scipy.linalg.solve_triangular)
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    """Return the x with a x = b, reading one triangle of a, as `scipy.linalg.solve_triangular`.

    `trans` is 0 or "N" for a, 1 or "T" for its transpose, 2 or "C" for its conjugate transpose.

    >>> solve_triangular(np.array([[2.0, 9.0], [0.0, 4.0]]), np.array([2.0, 4.0]), lower=True)
    array([1., 1.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ArgumentError(
            f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r:.60}"
        )
    return triangular_solution(
        _conjugate(a) if trans in (2, "C") else a,
        b,
        lower=bool(lower),
        trans=int(trans not in (0, "N")),
        unit_diagonal=bool(unit_diagonal),
    )


def _conjugate(x):
    return np.conj(x) if is_complex(x) else x


@primitive(
    latex=r"\operatorname{sylvester}\left(<a>, <b>, <q>\right)",
    examples=[((3, 3), (2, 2), (3, 2)), ((1, 1), (1, 1), (1, 1))],
    domain={"a": (0.5, 2.0), "b": (0.5, 2.0)},
    whole=True,
    takes_complex=True,
)
def solve_sylvester(a, b, q):
    """The x with a x + x b = q, as `scipy.linalg.solve_sylvester`.

    Raises `LinAlgError` where a and -b have an eigenvalue in common: SciPy solves another equation.

    >>> solve_sylvester(Value([[1.0]]), [[3.0]], [[8.0]])
    Value(data=[[2.]], grad=None)
    """
    if not np.size(q):
        return np.zeros(np.shape(q), np.result_type(a, b, q))
    # SciPy's own reads half of the blocks of real factors where another operand is complex
    output = "real" if all(map(np.isrealobj, (a, b, q))) else "complex"
    r, u = scipy.linalg.schur(a, output=output)
    s, v = scipy.linalg.schur(adjoint(b), output=output)
    f = adjoint(u) @ q @ v
    solver = scipy.linalg.get_lapack_funcs("trsyl", (r, s, f))
    y, scale, info = solver(r, s, f, tranb="C" if np.iscomplexobj(f) else "T")
    if info:
        raise np.linalg.LinAlgError(
            "solve_sylvester: the equation must have one solution, so no eigenvalue of a may be "
            "one of -b"
        )
    return u @ (scale * y) @ adjoint(v)


def _pull_sylvester(g, a, b):
    return solve_sylvester(np.swapaxes(a, 0, 1), np.swapaxes(b, 0, 1), g)


solve_sylvester.vjp(
    a=lambda g, out, a, b, q: -_pull_sylvester(g, a, b) @ np.swapaxes(out, 0, 1),
    b=lambda g, out, a, b, q: -np.swapaxes(out, 0, 1) @ _pull_sylvester(g, a, b),
    q=lambda g, out, a, b, q: _pull_sylvester(g, a, b),
)
solve_sylvester.jvp(
    a=lambda t, out, a, b, q: -solve_sylvester(a, b, t @ out),
    b=lambda t, out, a, b, q: -solve_sylvester(a, b, out @ t),
    q=lambda t, out, a, b, q: solve_sylvester(a, b, t),
)


@primitive(
    latex=r"<ab>^{-1} <b>",
    examples=[
        ((3, 4), (4,), {"lower": 1, "upper": 1}),
        ((3, 4), (4, 2), {"lower": 2, "upper": 0}),
    ],
    domain={"ab": (0.5, 2.0)},
    whole=True,
    takes_complex=True,
)
def banded_solution(ab, b, *, lower=1, upper=1):
    """The x with a x = b, for ab[upper + i - j, j] = a[i, j], the diagonals of a.

    >>> banded_solution(Value([[2.0, 4.0]]), [2.0, 4.0], lower=0, upper=0)
    Value(data=[1. 1.], grad=None)
    """
    return scipy.linalg.solve_banded((lower, upper), ab, b)


def _band(rows, n, first, sign):
    """The row or column of a that meets each entry of the diagonals, and which are inside a."""
    at = np.arange(n) + sign * (np.arange(rows)[:, None] - first)
    return np.clip(at, 0, n - 1), (at >= 0) & (at < n)


def _pull_banded(g, ab, lower, upper):
    rows, n = np.shape(ab)
    column, _ = _band(rows, n, lower, 1)
    transposed = ab[rows - 1 - np.arange(rows)[:, None], column]
    return banded_solution(transposed, g, lower=upper, upper=lower)


def _rule_of_band(g, out, ab, b, lower, upper):
    rows, n = np.shape(ab)
    row, inside = _band(rows, n, upper, 1)
    products = _pull_banded(g, ab, lower, upper)[row] * out
    return np.where(inside, -products if np.ndim(out) == 1 else -np.sum(products, axis=-1), 0.0)


def _tangent_of_band(t, out, ab, b, lower, upper):
    rows, n = np.shape(ab)
    column, inside = _band(rows, n, upper, -1)
    entries = np.where(inside, np.take_along_axis(t, column, axis=1), 0.0)
    entries = entries if np.ndim(out) == 1 else entries[:, :, None]
    return -banded_solution(ab, np.sum(entries * out[column], axis=0), lower=lower, upper=upper)


banded_solution.vjp(
    ab=_rule_of_band,
    b=lambda g, out, ab, b, lower, upper: _pull_banded(g, ab, lower, upper),
)
banded_solution.jvp(
    ab=_tangent_of_band,
    b=lambda t, out, ab, b, lower, upper: banded_solution(ab, t, lower=lower, upper=upper),
)


@equivalent(scipy.linalg.solve_banded)
def solve_banded(l_and_u, ab, b):
    """Return the x with a x = b for a band matrix, as `scipy.linalg.solve_banded`.

    `l_and_u` are the numbers of diagonals below and above the main one; ab[u + i - j, j] = a[i, j].
    Entries of `ab` outside the matrix aren't read: their gradient is 0.

    >>> solve_banded((0, 1), Value([[0.0, 1.0], [1.0, 2.0]]), np.array([3.0, 4.0])).tolist()
    [1.0, 2.0]
    """
    lower, upper = l_and_u
    return banded_solution(ab, b, lower=int(lower), upper=int(upper))


@equivalent(scipy.linalg.solveh_banded)
def solveh_banded(ab, b, lower=False):
    """Return the x with a x = b for a Hermitian band matrix, as `scipy.linalg.solveh_banded`.

    ab[u + i - j, j] = a[i, j] for the u diagonals above the main one, or ab[i - j, j] = a[i, j] for
    those below with `lower`.

    >>> solveh_banded(Value([[0.0, 1.0], [2.0, 2.0]]), np.array([3.0, 3.0])).round(9).tolist()
    [1.0, 1.0]
    """
    u, n = np.shape(ab)[0] - 1, np.shape(ab)[1]
    main = np.real(ab[0 if lower else u]) if is_complex(ab) else ab[0 if lower else u]
    read = [ab[k, : n - k] if lower else ab[u - k, k:] for k in range(1, u + 1)]
    other = [_conjugate(x) for x in read]
    above, below = (other, read) if lower else (read, other)
    outside = [_zeros(k + 1, ab) for k in range(u)]  # these entries aren't in the matrix
    upper_rows = [np.concatenate([zeros, x]) for zeros, x in zip(outside, above, strict=True)]
    lower_rows = [np.concatenate([x, zeros]) for zeros, x in zip(outside, below, strict=True)]
    return banded_solution(np.stack([*upper_rows[::-1], main, *lower_rows]), b, lower=u, upper=u)


def _zeros(shape, like):
    return np.zeros(shape, np.result_type(like))


def _eye(like):
    return np.eye(np.shape(like)[-1], dtype=np.result_type(like))


# ---- Lyapunov's equations


@equivalent(scipy.linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a, q):
    """Return the x with a x + x aᴴ = q, as `scipy.linalg.solve_continuous_lyapunov`.

    >>> solve_continuous_lyapunov(Value([[1.0]]), np.array([[4.0]])).tolist()
    [[2.0]]
    """
    return solve_sylvester(a, adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


@equivalent(scipy.linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a, q, method=None):
    """Return the x with a x aᴴ - x + q = 0, as `scipy.linalg.solve_discrete_lyapunov`.

    `method` is "direct", a system of n² unknowns and the choice for n < 10, or "bilinear".

    >>> solve_discrete_lyapunov(Value([[0.5]]), np.array([[3.0]])).tolist()
    [[4.0]]
    """
    check_choice("solve_discrete_lyapunov", "method", method, (None, "direct", "bilinear"))
    n = np.shape(a)[-1]
    if method == "direct" or (method is None and n < 10):
        left = np.eye(n * n, dtype=np.result_type(a)) - np.kron(a, _conjugate(a))
        return np.reshape(np.linalg.solve(left, np.reshape(q, -1)), np.shape(q))
    turned = adjoint(a)
    inverse = np.linalg.inv(turned + _eye(a))
    moved = (turned - _eye(a)) @ inverse
    right = -2.0 * np.linalg.inv(a + _eye(a)) @ q @ inverse
    return solve_continuous_lyapunov(adjoint(moved), right)


# ---- Cholesky


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


# ---- L and U


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
    zeros = _zeros((*np.shape(a)[:-2], max(m - k, n - k), k), a)
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
    lower = np.concatenate([lower, _zeros((m, n - m), a)], 1) if n > m else lower
    upper = np.concatenate([upper, _zeros((m - n, n), a)], 0) if m > n else upper
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


# ---- the polar decomposition


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


unitary_factor.vjp(a=lambda g, out, a: _conjugate(_polar_change(out, a, _conjugate(g))))
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


# ---- systems, inverses, determinants


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


# ---- eigenvalues and singular values


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
        below = _zeros((*np.shape(a)[:-2], max(0, m - n), n), a)
        return (np.concatenate([r, below], axis=-2),)
    return q, r


# ---- functions of a matrix by its exponential and logarithm


@equivalent(scipy.linalg.expm_frechet)
def expm_frechet(A, E, compute_expm=True):
    """Return e^A and its derivative in the direction E, as `scipy.linalg.expm_frechet`.

    >>> [x.tolist() for x in expm_frechet(Value([[0.0]]), np.array([[2.0]]))]
    [[[1.0]], [[2.0]]]
    """
    slope = _derivative(expm, A, E)
    return (expm(A), slope) if compute_expm else slope


@equivalent(scipy.linalg.cosm)
def cosm(A):
    """Return the cosine of a matrix, as `scipy.linalg.cosm`."""
    return np.real(expm(1j * A)) if not is_complex(A) else 0.5 * (expm(1j * A) + expm(-1j * A))


@equivalent(scipy.linalg.sinm)
def sinm(A):
    """Return the sine of a matrix, as `scipy.linalg.sinm`."""
    return np.imag(expm(1j * A)) if not is_complex(A) else -0.5j * (expm(1j * A) - expm(-1j * A))


@equivalent(scipy.linalg.tanm)
def tanm(A):
    """Return the tangent of a matrix, (cos A)⁻¹ sin A, as `scipy.linalg.tanm`."""
    return np.linalg.solve(cosm(A), sinm(A))


@equivalent(scipy.linalg.coshm)
def coshm(A):
    """Return the hyperbolic cosine of a matrix, as `scipy.linalg.coshm`."""
    return 0.5 * (expm(A) + expm(-A))


@equivalent(scipy.linalg.sinhm)
def sinhm(A):
    """Return the hyperbolic sine of a matrix, as `scipy.linalg.sinhm`."""
    return 0.5 * (expm(A) - expm(-A))


@equivalent(scipy.linalg.tanhm)
def tanhm(A):
    """Return the hyperbolic tangent of a matrix, as `scipy.linalg.tanhm`."""
    return np.linalg.solve(coshm(A), sinhm(A))


@equivalent(scipy.linalg.fractional_matrix_power)
def fractional_matrix_power(A, t):
    """Return A^t = e^(t ln A), as `scipy.linalg.fractional_matrix_power`; see `logm`.

    A power whose exponent is a whole number is a product of matrices, or of inverses.

    >>> fractional_matrix_power(Value([[4.0]]), 0.5).round(9).tolist()
    [[2.0]]
    """
    if isinstance(t, (int, float, np.integer, np.floating)) and float(t).is_integer():
        return np.linalg.matrix_power(A, int(t))
    return expm(t * logm(A))


# ---- matrices of a pattern


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
    r = _conjugate(c) if r is None else r
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
    r = _zeros(np.shape(c), c) if r is None else r
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


__getattr__ = names_of(scipy.linalg, __name__)
