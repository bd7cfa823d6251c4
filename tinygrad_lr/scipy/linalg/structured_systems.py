"""Systems whose matrix is triangular or a band."""

import itertools

import numpy as np
import scipy.linalg

from ...core.primitive import is_complex, primitive
from ...errors import ArgumentError
from ...ops.decompositions import conjugate
from ..equivalents import equivalent, zeros_of

__all__ = [
    "banded_solution",
    "solve_banded",
    "solve_triangular",
    "solveh_banded",
    "triangular_solution",
]


@primitive(
    latex=r"{\operatorname{triangle}\left(<a>\right)}^{-1} <b>",
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
        conjugate(a) if trans in (2, "C") else a,
        b,
        lower=bool(lower),
        trans=int(trans not in (0, "N")),
        unit_diagonal=bool(unit_diagonal),
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
    other = [conjugate(x) for x in read]
    above, below = (other, read) if lower else (read, other)
    outside = [zeros_of((k + 1,), ab) for k in range(u)]  # these entries aren't in the matrix
    upper_rows = [np.concatenate([zeros, x]) for zeros, x in zip(outside, above, strict=True)]
    lower_rows = [np.concatenate([x, zeros]) for zeros, x in zip(outside, below, strict=True)]
    return banded_solution(np.stack([*upper_rows[::-1], main, *lower_rows]), b, lower=u, upper=u)
