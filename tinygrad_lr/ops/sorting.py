"""Order statistics and sets: each derivative follows its entry to the place it has in the result.

Where entries are equal, the derivative goes to the one that a stable sort chooses, as in JAX and
PyTorch.
"""

import math

import numpy as np

from ..core.numpy_dispatch import numpy_functions
from ..core.primitive import implements, numbers_of
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_choice
from .arrangement import concatenate
from .index import take, take_along_axis
from .reduce import refuse_out

CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
"""α and β of the methods of Hyndman and Fan: the position of q is n·q + α + q·(1 - α - β) - 1."""

DISCRETE = {
    "inverted_cdf": lambda n, q: np.ceil(n * q - 1),
    "averaged_inverted_cdf": lambda n, q: np.ceil(n * q - 1) + 0.5 * (n * q % 1 == 0),
    "closest_observation": lambda n, q: np.ceil(n * q - 1.5) + ((n * q - 1.5) % 2 == 0),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "nearest": lambda n, q: np.rint((n - 1) * q),
}
"""The position of q among n sorted entries; between two of them, their mean."""


def as_lines(a, axis):
    """Return the array with the axes to be reduced as one, the last."""
    ndim = np.ndim(a)
    axes = range(ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    others = [i for i in range(ndim) if i not in axes]
    order = [*others, *axes]
    moved = a if order == [*range(ndim)] else np.transpose(a, order)
    length = math.prod(np.shape(a)[i] for i in axes)
    shape = (*(np.shape(a)[i] for i in others), length)
    return moved if np.shape(moved) == shape else np.reshape(moved, shape)


def restore_lines(out, a, axis, keepdims, lead=0):
    """Return a result of `as_lines` with the reduced axes of length 1, where they are wanted."""
    if not keepdims:
        return out
    ndim = np.ndim(a)
    axes = range(ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    lengths = [1 if i in axes else n for i, n in enumerate(np.shape(a))]
    return np.reshape(out, (*np.shape(out)[:lead], *lengths))


def nan_where(mask, out):
    """Return the result with nan where the mask holds, and no gradient there."""
    if not isinstance(mask, AbstractArray) and not np.any(mask):
        return out
    return np.where(mask, np.nan, out)


@implements(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    """The entries with the kth smallest in its place, smaller ones before it, others after it.

    >>> np.partition(Value([3.0, 1.0, 2.0]), 0)[0]
    Value(data=1.0, grad=None)
    """
    if order is not None:
        raise ArgumentError("partition: order must be None, since a Value has no fields")
    if axis is None:
        a, axis = np.ravel(a), 0
    return take_along_axis(a, np.argpartition(a, kth, axis=axis, kind=kind), axis)


@implements(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The middle entry along the axis; the mean of the two in the middle of an even number.

    Each of these two gets half of the derivative. A nan makes the result nan.

    >>> np.median(Value([3.0, 1.0, 7.0, 2.0]))
    Value(data=2.5, grad=None)
    """
    refuse_out("median", out)
    a = as_input("median", "a", a)
    line = np.sort(as_lines(a, axis))
    n = np.shape(line)[-1]
    middle = np.mean(line[..., (n - 1) // 2 : n // 2 + 1], axis=-1)
    found = nan_where(np.isnan(line[..., -1]), middle) if n else middle
    return restore_lines(found, a, axis, keepdims)


def position(where, n, q, method):
    """Return where the quantile q is among n sorted entries, as a real number from 0."""
    if method in CONTINUOUS:
        alpha, beta = CONTINUOUS[method]
        return n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method == "linear":
        return (n - 1) * q
    check_choice(where, "method", method, ("linear", *CONTINUOUS, *DISCRETE))
    return DISCRETE[method](n, numbers_of(q))


def between_entries(where, n, q, method, dtype):
    """Return the place below the quantile q among n entries, the one above, and the share of it."""
    exact, last = position(where, n, q, method), np.maximum(n - 1, 0)
    number = np.clip(numbers_of(exact), 0, last)
    below = np.floor(number)
    if hasattr(q, "__apply__") and method not in DISCRETE:
        inside = (numbers_of(exact) >= 0) & (numbers_of(exact) < last)
        share = np.where(inside, exact - below, 0.0)
        above = np.minimum(below + 1, last)
    else:
        share = number - below
        above = below + (share > 0)
    return below.astype(np.intp), above.astype(np.intp), share.astype(dtype)


def check_share(where, q):
    """Raise `ArgumentError` where q is not from 0 to 1."""
    number = numbers_of(q)
    if not isinstance(number, AbstractArray) and not np.all((number >= 0) & (number <= 1)):
        bounds = "0 to 100" if where.endswith("percentile") else "0 to 1"
        raise ArgumentError(f"{where}: q must be from {bounds}, got {q!r:.60}")


def quantiles(where, a, q, axis, method, keepdims, weights=None, ignore_nan=False):
    """The quantiles of NumPy's functions of four names; see `quantile`."""
    a, weak = as_input(where, "a", a), isinstance(q, (int, float))
    q = q if weak or hasattr(q, "__apply__") else as_input(where, "q", q)
    check_share(where, q)
    a = a if a.dtype.kind == "f" else a.astype(np.float64)
    unsorted = as_lines(a, axis)
    dtype = a.dtype if weak else np.result_type(a.dtype, q.dtype)
    flat = q if weak or not np.ndim(q) else np.ravel(q)
    line = np.sort(unsorted)
    n = np.shape(line)[-1]
    if not n:
        found = np.broadcast_to(np.mean(line, axis=-1), np.shape(q) + np.shape(line)[:-1])
        return restore_lines(found, a, axis, keepdims, np.ndim(q))
    nan = np.isnan(line)
    if weights is not None:
        found = weighted_quantiles(where, a, flat, axis, method, weights, line)
    else:
        if ignore_nan:
            n = np.sum(~nan, axis=-1)
            n = n if not np.ndim(flat) else np.expand_dims(n, -1)
        below, above, share = between_entries(where, n, flat, method, dtype)
        own = np.ndim(flat) if ignore_nan else None
        low, high = read_line(line, below, own), read_line(line, above, own)
        found = low + (high - low) * share
    lost = nan[..., 0] if ignore_nan else nan[..., -1]
    if np.ndim(flat):
        found = nan_where(np.expand_dims(lost, -1), found)
        found = np.reshape(np.moveaxis(found, -1, 0), np.shape(q) + np.shape(line)[:-1])
    else:
        found = nan_where(lost, found)
    return restore_lines(found, a, axis, keepdims, np.ndim(q))


def read_line(line, places, own=None):
    """Return the entries at places along the last axis; 0 or 1: each line has its own one or more.

    None: the places are those of all lines.
    """
    if own is None:
        return line[..., places]
    if own:
        return take_along_axis(line, places, -1)
    return take_along_axis(line, np.expand_dims(places, -1), -1)[..., 0]


def weighted_quantiles(where, a, q, axis, method, weights, line):
    """The quantiles of weighted entries: NumPy finds the places, on the ranks of the entries."""
    if np.shape(weights) != np.shape(a):
        if axis is None or isinstance(axis, tuple) or np.shape(weights) != (np.shape(a)[axis],):
            raise ShapeError(
                f"{where}: weights must have shape {np.shape(a)}, or the length of one axis, got "
                f"shape {np.shape(weights)}"
            )
        shape = [1] * np.ndim(a)
        shape[axis] = -1
        weights = np.broadcast_to(np.reshape(weights, tuple(shape)), np.shape(a))
    ranks = np.argsort(np.argsort(as_lines(numbers_of(a), axis), kind="stable"))
    options = {"axis": -1, "method": method, "weights": as_lines(numbers_of(weights), axis)}
    places = np.quantile(ranks * 1.0, numbers_of(q), **options).astype(np.intp)
    return read_line(line, np.moveaxis(places, 0, -1) if np.ndim(q) else places, np.ndim(q))


@implements(np.quantile)
def quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The quantiles q, from 0 to 1, of the entries along the axis, by any of NumPy's methods.

    The derivative goes to the two sorted entries beside the quantile, by their shares. With
    respect to q it is their difference times the number of entries that q passes: 0 for a method
    that chooses an entry, and for weights. A nan makes the result nan.

    >>> np.quantile(Value([3.0, 1.0, 7.0, 2.0]), 0.25)
    Value(data=1.75, grad=None)
    """
    refuse_out("quantile", out)
    return quantiles("quantile", a, q, axis, method, keepdims, weights)


@implements(np.percentile)
def percentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The percentiles q, from 0 to 100; see `quantile`.

    >>> np.percentile(Value([3.0, 1.0, 7.0, 2.0]), 50)
    Value(data=2.5, grad=None)
    """
    refuse_out("percentile", out)
    return quantiles("percentile", a, _hundredth(q), axis, method, keepdims, weights)


def _hundredth(q):
    return (q if isinstance(q, (int, float)) or hasattr(q, "__apply__") else np.asarray(q)) / 100


# ---- leaving nan out


@implements(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The median of the entries that aren't nan, which get the derivative; nan where all are.

    >>> np.nanmedian(Value([3.0, np.nan, 7.0, 2.0]))
    Value(data=3.0, grad=None)
    """
    refuse_out("nanmedian", out)
    return quantiles("nanmedian", a, 0.5, axis, "linear", keepdims, ignore_nan=True)


@implements(np.nanquantile)
def nanquantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The quantiles of the entries that aren't nan, which get the derivative; see `quantile`.

    >>> np.nanquantile(Value([3.0, np.nan, 7.0, 2.0]), 0.5)
    Value(data=3.0, grad=None)
    """
    refuse_out("nanquantile", out)
    _refuse_weights("nanquantile", weights)
    return quantiles("nanquantile", a, q, axis, method, keepdims, ignore_nan=True)


@implements(np.nanpercentile)
def nanpercentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The percentiles of the entries that aren't nan; see `nanquantile`.

    >>> np.nanpercentile(Value([3.0, np.nan, 7.0, 2.0]), 50)
    Value(data=3.0, grad=None)
    """
    refuse_out("nanpercentile", out)
    _refuse_weights("nanpercentile", weights)
    return quantiles("nanpercentile", a, _hundredth(q), axis, method, keepdims, ignore_nan=True)


def _refuse_weights(where, weights):
    if weights is not None:
        raise ArgumentError(
            f"{where}: weights must be None; leave the nan out, and use np.quantile with weights"
        )


# ---- sets


@implements(np.unique)
def unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    **options,
):
    """The entries without repetition, sorted; the derivative goes to the first of equal ones.

    Positions and counts are plain integers.

    >>> np.unique(Value([2.0, 1.0, 2.0]))
    Value(data=[1. 2.], grad=None)
    """
    flags = return_inverse, return_counts
    _, index, *rest = np.unique(numbers_of(ar), True, *flags, axis=axis, **options)
    values = take(ar, index, axis)
    found = (values, *([index] if return_index else []), *rest)
    return found if len(found) > 1 else values


@implements(*numpy_functions("unique_values"))
def unique_values(x, /):
    """The entries without repetition; see `unique`.

    >>> unique_values(Value([2.0, 1.0, 2.0]))
    Value(data=[1. 2.], grad=None)
    """
    return unique(x, equal_nan=False)


def _with_values(numpy, x):
    """NumPy's named tuple with values that have a derivative."""
    return numpy(numbers_of(x))._replace(values=unique(x, equal_nan=False))


@implements(*numpy_functions("unique_all"))
def unique_all(x, /):
    """The values, their first positions, the positions to rebuild x from, and the counts.

    >>> unique_all(Value([2.0, 1.0, 2.0])).counts
    array([1, 2])
    """
    return _with_values(np.unique_all, x)


@implements(*numpy_functions("unique_counts"))
def unique_counts(x, /):
    """The values and how often each occurs.

    >>> unique_counts(Value([2.0, 1.0, 2.0])).counts
    array([1, 2])
    """
    return _with_values(np.unique_counts, x)


@implements(*numpy_functions("unique_inverse"))
def unique_inverse(x, /):
    """The values, and their positions to rebuild x from.

    >>> unique_inverse(Value([2.0, 1.0, 2.0])).inverse_indices
    array([1, 0, 1])
    """
    return _with_values(np.unique_inverse, x)


@implements(np.union1d)
def union1d(ar1, ar2):
    """The entries of both arrays, sorted and without repetition.

    >>> np.union1d(Value([2.0, 1.0]), [2.0, 3.0])
    Value(data=[1. 2. 3.], grad=None)
    """
    return unique(concatenate([ar1, ar2], None))


@implements(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    """The entries that both arrays have, sorted; the derivative goes to the first array.

    >>> np.intersect1d(Value([2.0, 1.0]), [2.0, 3.0])
    Value(data=[2.], grad=None)
    """
    _, first, second = np.intersect1d(numbers_of(ar1), numbers_of(ar2), assume_unique, True)
    values = take(ar1, first)
    return (values, first, second) if return_indices else values


@implements(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """The entries of the first array that the second doesn't have, sorted.

    >>> np.setdiff1d(Value([2.0, 1.0]), [2.0, 3.0])
    Value(data=[1.], grad=None)
    """
    ar1 = np.ravel(ar1) if assume_unique else unique(ar1)
    return ar1[~np.isin(ar1, ar2)]


@implements(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """The entries that only one of the arrays has, sorted.

    >>> np.setxor1d(Value([2.0, 1.0]), [2.0, 3.0])
    Value(data=[1. 3.], grad=None)
    """
    return np.sort(concatenate([setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]))
