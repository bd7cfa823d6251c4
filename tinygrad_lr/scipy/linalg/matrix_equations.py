"""Sylvester's and Lyapunov's equations, whose unknown is a matrix."""

import numpy as np
import scipy.linalg

from ...core.primitive import primitive
from ...ops.decompositions import adjoint, conjugate
from ...support.validation import check_choice
from ..equivalents import equivalent

__all__ = [
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
]


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


def _eye(like):
    return np.eye(np.shape(like)[-1], dtype=np.result_type(like))


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
        left = np.eye(n * n, dtype=np.result_type(a)) - np.kron(a, conjugate(a))
        return np.reshape(np.linalg.solve(left, np.reshape(q, -1)), np.shape(q))
    turned = adjoint(a)
    inverse = np.linalg.inv(turned + _eye(a))
    moved = (turned - _eye(a)) @ inverse
    right = -2.0 * np.linalg.inv(a + _eye(a)) @ q @ inverse
    return solve_continuous_lyapunov(adjoint(moved), right)
