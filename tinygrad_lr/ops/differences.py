"""Differences, slopes, running sums and products, and weighted means along an axis."""

import math

import numpy as np

from ..core.numpy_dispatch import numpy_functions
from ..core.primitive import implements
from ..errors import ArgumentError, ShapeError
from ..support.validation import as_input, check_integer
from .reduce import cumsum, products_before, refuse_out
from .shape import astype, cast


@implements(np.diff)
def diff(a, n=1, axis=-1, prepend=None, append=None):
    """Each entry less the one before it, n times, after joining what is before and after.

    >>> np.diff(Value([1.0, 4.0, 9.0]))
    Value(data=[3. 5.], grad=None)
    """
    a = as_input("diff", "a", a)
    ends = [
        np.broadcast_to(x, (*np.shape(a)[: axis % a.ndim], 1, *np.shape(a)[axis % a.ndim + 1 :]))
        if x is not None and not np.ndim(x)
        else x
        for x in (prepend, append)
    ]
    if prepend is not None or append is not None:
        parts = [x for x in (ends[0], a, ends[1]) if x is not None]
        a = np.concatenate(parts, axis)
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
    if axis is None or not np.ndim(a):
        a, axis = np.ravel(a), 0
    line = np.moveaxis(a, axis, -1)
    return np.moveaxis(products_before(line) * line, -1, axis)


@implements(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    """The weighted mean Σ w·a / Σ w along an axis, or of all entries, with Σ w if `returned`.

    >>> np.average(Value([1.0, 4.0]), weights=[3.0, 1.0])
    Value(data=1.75, grad=None)
    """
    if weights is None:
        found = np.mean(a, axis=axis, keepdims=keepdims)
        count = np.size(a) / max(np.size(found), 1)
        return (found, np.full(np.shape(found), count, found.dtype)) if returned else found
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
    found = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (found, np.broadcast_to(total, np.shape(found))) if returned else found


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


def with_start(cumulated, axis, first):
    """Return a cumulated array with what it starts from in front of it."""
    shape = list(np.shape(cumulated))
    shape[axis] = 1
    return np.concatenate([np.full(tuple(shape), first, cumulated.dtype), cumulated], axis)


def _only_axis(where, x, axis):
    if axis is None and np.ndim(x) != 1:
        raise ArgumentError(f"{where}: axis must be given for an array with {np.ndim(x)} axes")
    return 0 if axis is None else axis


@implements(*numpy_functions("cumulative_sum"))
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """The sums of all entries up to each one along the axis, after a 0 if it is wanted.

    >>> cumulative_sum(Value([1.0, 2.0]), include_initial=True)
    Value(data=[0. 1. 3.], grad=None)
    """
    axis = _only_axis("cumulative_sum", x, axis)
    found = cumsum(x, axis, dtype, out)
    return with_start(found, axis, 0.0) if include_initial else found


@implements(*numpy_functions("cumulative_prod"))
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """The products of all entries up to each one along the axis, after a 1 if it is wanted.

    >>> cumulative_prod(Value([2.0, 3.0]), include_initial=True)
    Value(data=[1. 2. 6.], grad=None)
    """
    axis = _only_axis("cumulative_prod", x, axis)
    found = cumprod(x, axis, dtype, out)
    return with_start(found, axis, 1.0) if include_initial else found


@implements(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    """The differences of neighbours in the flattened array, between other entries.

    >>> np.ediff1d(Value([1.0, 4.0]), to_end=9.0)
    Value(data=[3. 9.], grad=None)
    """
    ary = as_input("ediff1d", "ary", ary)
    parts = [to_begin, np.diff(np.ravel(ary)), to_end]
    return np.concatenate([np.ravel(cast(x, dtype=ary.dtype.name)) for x in parts if x is not None])


@implements(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """The slope of f along each axis: central differences, one-sided ones of an order at the ends.

    The points are 1 apart, or as far as a number for all or each axis says, or at the positions
    that an array for each axis gives. Several axes give a tuple.

    >>> np.gradient(Value([1.0, 4.0, 9.0, 16.0]))
    Value(data=[3. 4. 6. 7.], grad=None)
    """
    f = as_input("gradient", "f", f)
    axes = range(f.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, f.ndim)
    spacings = varargs * len(axes) if len(varargs) == 1 and not np.ndim(varargs[0]) else varargs
    spacings = spacings or (1.0,) * len(axes)
    if len(spacings) != len(axes):
        raise ArgumentError(
            f"gradient: spacings must be one for all axes or one for each of {len(axes)}, got "
            f"{len(varargs)}"
        )
    if edge_order not in {1, 2}:
        raise ArgumentError(f"gradient: edge_order must be 1 or 2, got {edge_order!r:.60}")
    found = tuple(
        np.moveaxis(_slopes(np.moveaxis(f, i, 0), h, edge_order), 0, i)
        for i, h in zip(axes, spacings, strict=True)
    )
    return found if len(found) != 1 else found[0]


def _slopes(f, h, edge_order):
    """Return the slopes along the first axis, of points that are h apart or at the positions h."""
    n = np.shape(f)[0]
    if n < edge_order + 1:
        raise ShapeError(f"gradient: f must have {edge_order + 1} entries along the axis, got {n}")
    if np.ndim(h) > 1 or (np.ndim(h) and np.shape(h) != (n,)):
        raise ShapeError(
            f"gradient: positions must have the length of the axis, {n}, got shape {np.shape(h)}"
        )
    if np.ndim(h):
        width = np.reshape(np.diff(h), (n - 1,) + (1,) * (np.ndim(f) - 1))
    else:
        width = h * np.ones((n - 1,) + (1,) * (np.ndim(f) - 1), f.dtype)
    step = f[1:] - f[:-1]
    slope = step / width
    before, after = width[:-1], width[1:]
    inner = (before * slope[1:] + after * slope[:-1]) / (before + after)
    first, last = slope[:1], slope[-1:]
    if edge_order == 2:
        first = first - (slope[1:2] - slope[:1]) * width[:1] / (width[:1] + width[1:2])
        last = last + (slope[-1:] - slope[-2:-1]) * width[-1:] / (width[-1:] + width[-2:-1])
    return np.concatenate([first, inner, last])


@implements(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    """The entries with jumps of more than half a period taken out; the derivative is 1.

    >>> np.unwrap(Value([0.0, 3.0, 6.0 - 2 * np.pi])).data.round(12).tolist()
    [0.0, 3.0, 6.0]
    """
    step = np.diff(p, axis=axis)
    half = period / 2
    within = np.remainder(step + half, period) - half
    within = np.where((within == -half) & (step > 0), half, within)
    jump = np.abs(step) >= (half if discont is None else np.maximum(discont, half))
    change = np.where(jump, within - step, 0.0)
    lead = (slice(None),) * (axis % np.ndim(p))
    rest = p[(*lead, slice(1, None))] + np.cumsum(change, axis)
    return np.concatenate([p[(*lead, slice(None, 1))], rest], axis)
