"""Inverses, linear systems and determinants, of one matrix or of a batch of them."""

import numpy as np

from ..core.primitive import implements, primitive

SQUARE = [((2, 2),), ((3, 2, 2),)]


def _transposed(x):
    return np.swapaxes(x, -1, -2)


@primitive(np.linalg.inv, latex="{<a>}^{-1}", examples=SQUARE)
def inv(a):
    """The inverse of a matrix. With out = a⁻¹: dL/da = -outᵀ g outᵀ.

    Raises `numpy.linalg.LinAlgError` for a singular one.

    >>> np.linalg.inv(Value([[2.0, 0.0], [0.0, 4.0]]))
    Value(data=[[0.5  0.  ]
     [0.   0.25]], grad=None)
    """
    return np.linalg.inv(a)


inv.vjp(a=lambda g, out, a: -np.matmul(np.matmul(_transposed(out), g), _transposed(out)))
inv.jvp(a=lambda t, out, a: -np.matmul(np.matmul(out, t), out))


@implements(np.linalg.solve)
def solve(a, b):
    """The solution x of a @ x = b, for a vector b or the columns of a matrix.

    With out = a⁻¹b: dL/db = a⁻ᵀ g and dL/da = -(a⁻ᵀ g) outᵀ.

    >>> np.linalg.solve(Value([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    Value(data=[1.  0.5], grad=None)
    """
    if np.ndim(b) == 1:
        return solve_columns(a, np.expand_dims(b, -1))[..., 0]
    return solve_columns(a, b)


@primitive(latex="{<a>}^{-1} <b>", examples=[((2, 2), (2, 3)), ((3, 2, 2), (2, 1))])
def solve_columns(a, b):
    """The solution of a @ x = b for every column of b.

    >>> solve_columns(Value([[2.0]]), np.array([[6.0]]))
    Value(data=[[3.]], grad=None)
    """
    return np.linalg.solve(a, b)


solve_columns.vjp(
    a=lambda g, out, a, b: -np.matmul(solve_columns(_transposed(a), g), _transposed(out)),
    b=lambda g, out, a, b: solve_columns(_transposed(a), g),
)
solve_columns.jvp(
    a=lambda t, out, a, b: -solve_columns(a, np.matmul(t, out)),
    b=lambda t, out, a, b: solve_columns(a, np.broadcast_to(t, np.shape(out))),
)


@primitive(np.linalg.det, latex=r"\det <a>", onnx="Det", examples=SQUARE)
def det(a):
    """The determinant of a matrix. Where it is not 0, its derivative is the determinant times a⁻ᵀ.

    >>> np.linalg.det(Value([[2.0]]))
    Value(data=2.0, grad=None)
    """
    return np.linalg.det(a)


def _scaled(g, out):
    return np.expand_dims(np.expand_dims(g * out, -1), -1)


det.vjp(a=lambda g, out, a: _scaled(g, out) * _transposed(np.linalg.inv(a)))
det.jvp(
    a=lambda t, out, a: out * np.trace(np.matmul(np.linalg.inv(a), t), axis1=-2, axis2=-1),
)
