"""Orthogonal polynomials at x. Their slopes are polynomials of the degree below.

Derivatives with respect to the degree, or to a parameter of the family, are refused.
"""

import numpy as np
import scipy.special as sc

from ...core.primitive import implements, primitive
from ...errors import ArgumentError, NotDifferentiableError

TWO = [((2, 3), (3,)), ((), ())]
THREE = [((2, 3), (), (3,)), ((), (), ())]
FOUR = [((2, 3), (), (), (3,)), ((), (), (), ())]
DEGREE = (0.5, 4.0)
PARAMETER = (0.6, 2.0)
INSIDE = (-0.9, 0.9)
MAX_DEGREE = 10_000
"""The largest degree that is computed by a recurrence, in as many steps."""


def _evaluate(function, n, *arguments):
    """Evaluate with whole degrees as integers, for which SciPy has exact recurrences."""
    whole = np.rint(n)
    exact = np.all((whole == n) & (np.abs(whole) <= MAX_DEGREE))
    degree = whole.astype(np.int64) if exact else n
    out = np.asarray(function(degree, *arguments))
    return out.astype(np.result_type(n, *arguments), copy=False)[()]


def _slope_factor(n, polynomial):
    """A polynomial of a slope: there is none of whole degrees below 0."""
    none = np.logical_and(np.less(n, 0), np.equal(np.rint(n), n))
    return np.where(none, 0.0, polynomial(np.where(none, 0.0, n)))


@primitive(
    sc.eval_jacobi,
    latex=r"P_{<n>}^{(<alpha>, <beta>)}\left(<x>\right)",
    domain={"n": DEGREE, "alpha": PARAMETER, "beta": PARAMETER, "x": INSIDE},
    examples=FOUR,
    whole=True,
)
def eval_jacobi(n, alpha, beta, x):
    """The Jacobi polynomial of degree n.

    >>> float(eval_jacobi(1.0, 0.0, 0.0, Value(0.5)).data)
    0.5
    """
    return _evaluate(sc.eval_jacobi, n, alpha, beta, x)


eval_jacobi.vjp(
    x=lambda g, out, n, alpha, beta, x: (
        g
        * 0.5
        * (n + alpha + beta + 1)
        * _slope_factor(n - 1, lambda m: eval_jacobi(m, alpha + 1, beta + 1, x))
    )
)


@primitive(
    sc.eval_gegenbauer,
    latex=r"C_{<n>}^{(<alpha>)}\left(<x>\right)",
    domain={"n": DEGREE, "alpha": PARAMETER, "x": INSIDE},
    examples=THREE,
    whole=True,
)
def eval_gegenbauer(n, alpha, x):
    """The Gegenbauer polynomial of degree n.

    >>> float(eval_gegenbauer(1.0, 1.0, Value(0.5)).data)
    1.0
    """
    return _evaluate(sc.eval_gegenbauer, n, alpha, x)


eval_gegenbauer.vjp(
    x=lambda g, out, n, alpha, x: (
        g * 2 * alpha * _slope_factor(n - 1, lambda m: eval_gegenbauer(m, alpha + 1, x))
    )
)


@primitive(
    sc.eval_legendre,
    latex=r"P_{<n>}\left(<x>\right)",
    domain={"n": DEGREE, "x": INSIDE},
    examples=TWO,
    whole=True,
)
def eval_legendre(n, x):
    """The Legendre polynomial of degree n.

    >>> float(eval_legendre(2.0, Value(1.0)).data)
    1.0
    """
    return _evaluate(sc.eval_legendre, n, x)


def _legendre_slope(n, x):
    n = np.where(np.less(n, -0.5), -n - 1, n)  # the polynomials of -n - 1 and n are the same
    factor = _slope_factor(n - 1, lambda m: eval_jacobi(m, 1.0, 1.0, x))
    return 0.5 * (n + 1) * factor


eval_legendre.vjp(x=lambda g, out, n, x: g * _legendre_slope(n, x))


@primitive(
    sc.eval_chebyt,
    latex=r"T_{<n>}\left(<x>\right)",
    domain={"n": DEGREE, "x": INSIDE},
    examples=TWO,
    whole=True,
)
def eval_chebyt(n, x):
    """The Chebyshev polynomial of the first kind of degree n, cos(n arccos x).

    >>> float(eval_chebyt(2.0, Value(0.5)).data)
    -0.5
    """
    return _evaluate(sc.eval_chebyt, n, x)


@primitive(
    sc.eval_chebyu,
    latex=r"U_{<n>}\left(<x>\right)",
    domain={"n": DEGREE, "x": INSIDE},
    examples=TWO,
    whole=True,
)
def eval_chebyu(n, x):
    """The Chebyshev polynomial of the second kind of degree n.

    >>> float(eval_chebyu(2.0, Value(0.5)).data)
    0.0
    """
    return _evaluate(sc.eval_chebyu, n, x)


eval_chebyt.vjp(x=lambda g, out, n, x: g * (n * eval_chebyu(n - 1, x)))
eval_chebyu.vjp(x=lambda g, out, n, x: g * _chebyu_slope(n, x))


def _chebyu_slope(n, x):
    mirrored = np.less(n, -1)  # that of -n - 2 is the negative of that of n
    n = np.where(mirrored, -n - 2, n)
    factor = _slope_factor(n - 1, lambda m: eval_gegenbauer(m, 2.0, x))
    return np.where(mirrored, -2.0, 2.0) * factor


@primitive(
    sc.eval_genlaguerre,
    latex=r"\operatorname{laguerre}_{<n>}^{(<alpha>)}\left(<x>\right)",
    domain={"n": DEGREE, "alpha": PARAMETER},
    examples=THREE,
    whole=True,
)
def eval_genlaguerre(n, alpha, x):
    """The generalised Laguerre polynomial of degree n.

    >>> float(eval_genlaguerre(1.0, 1.0, Value(0.5)).data)
    1.5
    """
    return _evaluate(sc.eval_genlaguerre, n, alpha, x)


@primitive(
    sc.eval_laguerre,
    latex=r"\operatorname{laguerre}_{<n>}\left(<x>\right)",
    domain={"n": DEGREE},
    examples=TWO,
    whole=True,
)
def eval_laguerre(n, x):
    """The Laguerre polynomial of degree n.

    >>> float(eval_laguerre(1.0, Value(0.5)).data)
    0.5
    """
    return _evaluate(sc.eval_laguerre, n, x)


eval_genlaguerre.vjp(
    x=lambda g, out, n, alpha, x: (
        g * -_slope_factor(n - 1, lambda m: eval_genlaguerre(m, alpha + 1, x))
    )
)
eval_laguerre.vjp(
    x=lambda g, out, n, x: g * -_slope_factor(n - 1, lambda m: eval_genlaguerre(m, 1.0, x))
)


@primitive(
    kind="elementwise",
    latex=r"H_{<n>}\left(<x>\right)",
    examples=[((2, 3),), ((), {"n": 3})],
    whole=True,
)
def hermite_of(x, *, n=0):
    """The physicists' Hermite polynomial of whole degree n, of the weight e^(-x²).

    >>> round(float(hermite_of(Value(1.0), n=2).data), 9)
    2.0
    """
    return np.asarray(sc.eval_hermite(n, x), getattr(x, "dtype", float))[()]


@primitive(
    kind="elementwise",
    latex=r"\mathrm{He}_{<n>}\left(<x>\right)",
    examples=[((2, 3),), ((), {"n": 3})],
    whole=True,
)
def hermite_norm_of(x, *, n=0):
    """The probabilists' Hermite polynomial of whole degree n, of the weight e^(-x²/2).

    >>> round(float(hermite_norm_of(Value(2.0), n=2).data), 9)
    3.0
    """
    return np.asarray(sc.eval_hermitenorm(n, x), getattr(x, "dtype", float))[()]


def _declare_hermite(operation, factor):
    def rule(g, out, x, n):
        below = operation(x, n=np.maximum(np.subtract(n, 1), 0).tolist())
        degree = float(n) if np.ndim(n) == 0 else np.asarray(n, float)
        return g * (factor * degree * below)

    operation.vjp(x=rule)


_declare_hermite(hermite_of, 2.0)
_declare_hermite(hermite_norm_of, 1.0)


def _degrees(name, n):
    if hasattr(type(n), "__apply__") or np.asarray(n).dtype.kind not in "iu":
        raise NotDifferentiableError(
            f"{name}: n must be plain integers for Values, got {n!r:.60}; there is no derivative "
            "in the degree"
        )
    if np.any(np.abs(n) > MAX_DEGREE):
        raise ArgumentError(f"{name}: n must be at most {MAX_DEGREE}, got {n!r:.60}")
    return n


@implements(sc.eval_hermite)
def eval_hermite(n, x):
    """The physicists' Hermite polynomial of whole degree n, as `scipy.special.eval_hermite`."""
    return hermite_of(x, n=_degrees("eval_hermite", n))


@implements(sc.eval_hermitenorm)
def eval_hermitenorm(n, x):
    """The probabilists' Hermite polynomial, as `scipy.special.eval_hermitenorm`."""
    return hermite_norm_of(x, n=_degrees("eval_hermitenorm", n))
