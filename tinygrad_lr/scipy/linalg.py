"""SciPy's linear algebra on Values: functions of a matrix, triangular and Cholesky solvers.

`scipy.linalg` converts its arguments with np.asarray, so it takes no Values: these have the same
names and arguments. A function f of a matrix has the derivative that stands in the corner of
f([[A, E], [0, A]]) (Mathias, 1996), for the exponential, the root and the logarithm alike.
"""

import itertools

import numpy as np
import scipy.linalg

from ..core.primitive import is_complex, primitive
from ..errors import ArgumentError
from ..support.validation import check_choice

SQUARE = [((3, 3),), ((1, 1),)]


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
    return _in_float64("logm", scipy.linalg.logm, a)


def _in_float64(name, function, a):
    a = np.asarray(a)
    result = function(a.astype(np.result_type(a, np.float64)))
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

    >>> solve_sylvester(Value([[1.0]]), [[3.0]], [[8.0]])
    Value(data=[[2.]], grad=None)
    """
    return scipy.linalg.solve_sylvester(a, b, q)


def _pulled_sylvester(g, a, b):
    return solve_sylvester(np.swapaxes(a, 0, 1), np.swapaxes(b, 0, 1), g)


solve_sylvester.vjp(
    a=lambda g, out, a, b, q: -_pulled_sylvester(g, a, b) @ np.swapaxes(out, 0, 1),
    b=lambda g, out, a, b, q: -np.swapaxes(out, 0, 1) @ _pulled_sylvester(g, a, b),
    q=lambda g, out, a, b, q: _pulled_sylvester(g, a, b),
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


def _pulled_banded(g, ab, lower, upper):
    rows, n = np.shape(ab)
    column, _ = _band(rows, n, lower, 1)
    transposed = ab[rows - 1 - np.arange(rows)[:, None], column]
    return banded_solution(transposed, g, lower=upper, upper=lower)


def _rule_of_band(g, out, ab, b, lower, upper):
    rows, n = np.shape(ab)
    row, inside = _band(rows, n, upper, 1)
    products = _pulled_banded(g, ab, lower, upper)[row] * out
    return np.where(inside, -products if np.ndim(out) == 1 else -np.sum(products, axis=-1), 0.0)


def _tangent_of_band(t, out, ab, b, lower, upper):
    rows, n = np.shape(ab)
    column, inside = _band(rows, n, upper, -1)
    entries = np.where(inside, np.take_along_axis(t, column, axis=1), 0.0)
    entries = entries if np.ndim(out) == 1 else entries[:, :, None]
    return -banded_solution(ab, np.sum(entries * out[column], axis=0), lower=lower, upper=upper)


banded_solution.vjp(
    ab=_rule_of_band,
    b=lambda g, out, ab, b, lower, upper: _pulled_banded(g, ab, lower, upper),
)
banded_solution.jvp(
    ab=_tangent_of_band,
    b=lambda t, out, ab, b, lower, upper: banded_solution(ab, t, lower=lower, upper=upper),
)


def solve_banded(l_and_u, ab, b):
    """Return the x with a x = b for a band matrix, as `scipy.linalg.solve_banded`.

    `l_and_u` are the numbers of diagonals below and above the main one; ab[u + i - j, j] = a[i, j].
    Entries of `ab` outside the matrix aren't read: their gradient is 0.

    >>> solve_banded((0, 1), np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([3.0, 4.0]))
    array([1., 2.])
    """
    lower, upper = l_and_u
    return banded_solution(ab, b, lower=int(lower), upper=int(upper))


def cholesky(a, lower=False):
    """Return the triangular factor of a positive definite matrix, as `scipy.linalg.cholesky`.

    a = L Lᴴ if lower, else a = Uᴴ U.
    """
    factor = np.linalg.cholesky(a)
    return factor if lower else _adjoint(factor)


def _adjoint(a):
    turned = np.swapaxes(a, -1, -2)
    return np.conj(turned) if np.iscomplexobj(turned) else turned


def cho_factor(a, lower=False):
    """Return a triangular factor and `lower`, for `cho_solve`, as `scipy.linalg.cho_factor`.

    The other triangle is 0; SciPy leaves numbers there that mean nothing.
    """
    return cholesky(a, lower), lower


def cho_solve(c_and_lower, b):
    """Return the x with a x = b, from the factor of `cho_factor`, as `scipy.linalg.cho_solve`.

    >>> cho_solve(cho_factor(np.array([[4.0, 0.0], [0.0, 1.0]])), np.array([8.0, 3.0]))
    array([2., 3.])
    """
    c, lower = c_and_lower
    c = c if lower else _adjoint(c)
    half = solve_triangular(c, b, lower=True)
    return solve_triangular(_adjoint(c), half)


def solve(a, b, assume_a=None):
    """Return the x with a x = b, as `scipy.linalg.solve`.

    `assume_a` is None or "gen", "pos" for a positive definite matrix, which is solved by Cholesky,
    or "sym" for a symmetric one, of which the upper triangle is read.
    """
    options = (None, "gen", "general", "sym", "symmetric", "pos", "positive definite")
    check_choice("solve", "assume_a", assume_a, options)
    if assume_a in ("pos", "positive definite"):
        return cho_solve(cho_factor(a), b)
    if assume_a in ("sym", "symmetric"):
        a = np.triu(a) + np.swapaxes(np.triu(a, 1), -1, -2)
    return np.linalg.solve(a, b)


def inv(a):
    """Return the inverse, as `scipy.linalg.inv`."""
    return np.linalg.inv(a)


def det(a):
    """Return the determinant, as `scipy.linalg.det`."""
    return np.linalg.det(a)


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


def toeplitz(c, r=None):
    """Return the matrix with first column c and first row r, as `scipy.linalg.toeplitz`.

    >>> toeplitz(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    array([[1., 5.],
           [2., 1.]])
    """
    if r is None:
        r = np.conj(c) if np.iscomplexobj(c) else c
    if np.ndim(c) > 1 or np.ndim(r) > 1:
        raise ArgumentError(
            f"toeplitz: c and r must be vectors, got shapes {np.shape(c)} and {np.shape(r)}"
        )
    m, n = np.size(c), np.size(r)
    line = np.concatenate([np.reshape(c, m)[::-1], np.reshape(r, n)[1:]])
    return line[m - 1 + np.arange(n) - np.arange(m)[:, None]]
