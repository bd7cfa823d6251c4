"""Differences, running products and weighted means along an axis, composed of operations."""

import numpy as np

from ..core.primitive import implements
from ..errors import ShapeError
from ..support.validation import as_input, check_integer
from .reduce import products_before, refuse_out
from .shape import astype


@implements(np.diff)
def diff(a, n=1, axis=-1):
    """Each entry less the one before it, n times.

    >>> np.diff(Value([1.0, 4.0, 9.0]))
    Value(data=[3. 5.], grad=None)
    """
    n = min(check_integer("diff", "n", n), np.shape(a)[axis])  # then nothing is left
    lead = (slice(None),) * (axis % np.ndim(a))
    for _ in range(n):
        a = a[(*lead, slice(1, None))] - a[(*lead, slice(None, -1))]
    return a


@implements(np.cumprod)
def cumprod(a, axis=None, dtype=None, out=None):
    """The products of all entries up to each one; of the flattened array where axis is None.

    >>> np.cumprod(Value([2.0, 0.0, 3.0]))
    Value(data=[2. 0. 0.], grad=None)
    """
    refuse_out("cumprod", out)
    a = a if dtype is None else astype(a, dtype)
    if axis is None:
        a, axis = np.ravel(a), 0
    line = np.moveaxis(a, axis, -1)
    return np.moveaxis(products_before(line) * line, -1, axis)


@implements(np.average)
def average(a, axis=None, weights=None, *, keepdims=False):
    """The weighted mean Σ w·a / Σ w along an axis, or of all entries.

    >>> np.average(Value([1.0, 4.0]), weights=[3.0, 1.0])
    Value(data=1.75, grad=None)
    """
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    if np.shape(weights) != np.shape(a):
        if axis is None or isinstance(axis, tuple) or np.shape(weights) != (np.shape(a)[axis],):
            raise ShapeError(
                f"average: weights must have shape {np.shape(a)}, or the length of one axis, got "
                f"shape {np.shape(weights)}"
            )
        shape = [1] * np.ndim(a)
        shape[axis] = -1
        weights = np.broadcast_to(np.reshape(weights, tuple(shape)), np.shape(a))
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    return np.sum(a * weights, axis=axis, keepdims=keepdims) / total


@implements(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    """The largest entry less the smallest.

    >>> np.ptp(Value([1.0, 4.0, 2.0]))
    Value(data=3.0, grad=None)
    """
    refuse_out("ptp", out)
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


@implements(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral of the straight lines through the points y, at x or dx apart.

    >>> np.trapezoid(Value([1.0, 3.0]))
    Value(data=2.0, grad=None)
    """
    y = as_input("trapezoid", "y", y)
    if not y.ndim:
        raise ShapeError("trapezoid: y must have at least one axis, got a number")
    lead = (slice(None),) * (axis % y.ndim)
    if x is not None:
        dx = np.diff(x, axis=-1 if np.ndim(x) == 1 else axis)
        if np.ndim(x) == 1:
            shape = [1] * np.ndim(y)
            shape[axis] = -1
            dx = np.reshape(dx, tuple(shape))
    middle = (y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]) / 2
    return np.sum(middle * dx, axis=axis)
