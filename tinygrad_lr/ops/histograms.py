"""Counting entries in bins; what they weigh has a derivative."""

import numpy as np

from ..core.primitive import implements, numbers_of
from ..errors import ArgumentError, ShapeError
from ..support.validation import as_input, check_integer, require_memory
from .index import as_integers, put_at
from .interpolation import linspace
from .shape import cast


@implements(np.bincount)
def bincount(x, /, weights=None, minlength=0):
    """The sum of the weights of each integer 0, 1, 2, ... in x.

    >>> np.bincount([0, 2, 2], weights=Value([1.0, 2.0, 3.0]))
    Value(data=[1. 0. 5.], grad=None)
    """
    x = as_integers("bincount", "x", x)
    if np.ndim(x) != 1:
        raise ShapeError(f"bincount: x must have one axis, got shape {np.shape(x)}")
    weights = cast(as_input("bincount", "weights", weights), dtype="float64")
    if np.shape(weights) != np.shape(x):
        raise ShapeError(
            f"bincount: weights must have the shape of x, {np.shape(x)}, got {np.shape(weights)}"
        )
    length = max(
        int(np.max(x)) + 1 if x.size else 0, check_integer("bincount", "minlength", minlength)
    )
    require_memory("bincount", "the result", (length,))
    if np.any(x < 0):
        raise ArgumentError(f"bincount: x must be integers >= 0, got {np.min(x)}")
    return put_at(weights, index=x, shape=(length,))


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    """The edges of bins: so many of equal width from the smallest to the largest entry.

    The derivative goes to these two entries. Rules for the number of bins choose it by the numbers.

    >>> np.histogram_bin_edges(Value([1.0, 3.0, 2.0]), 2)
    Value(data=[1. 2. 3.], grad=None)
    """
    if np.ndim(bins) == 1:
        return np.asarray(bins) if isinstance(bins, (list, tuple)) else bins
    if isinstance(bins, str):
        bins = np.histogram_bin_edges(numbers_of(a), bins, range).size - 1
    count = check_integer("histogram", "bins", bins, low=1)
    if range is None and not np.size(a):
        range = (0.0, 1.0)
    low, high = (np.min(a), np.max(a)) if range is None else range
    dtype = np.result_type(as_input("histogram", "a", a), low, high)
    half = np.where(numbers_of(low) == numbers_of(high), 0.5, 0.0)
    half = half.astype(dtype if dtype.kind == "f" else np.float64)
    return linspace(low - half, high + half, count + 1)


def bin_of(x, edges):
    """Return the bin of each entry, and the mask of those that are in one; the last is closed."""
    x, edges = numbers_of(x), numbers_of(edges)
    last = np.shape(edges)[0] - 2
    index = np.clip(np.searchsorted(edges, x, "right") - 1, 0, last)
    return index, (x >= edges[0]) & (x <= edges[-1])


@implements(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    """The weight of the entries in each bin, and the edges of the bins.

    Without weights these are plain counts. Entries have no derivative but through the edges, which
    end at the smallest and the largest one, unless a range or the edges are given.

    >>> np.histogram([1.0, 2.0, 2.5], bins=[0.0, 2.0, 3.0], weights=Value([1.0, 2.0, 3.0]))[0]
    Value(data=[1. 5.], grad=None)
    """
    edges = histogram_bin_edges(a, bins, range)
    a = np.ravel(a)
    if weights is None:
        found = np.histogram(numbers_of(a), numbers_of(edges))[0]
    else:
        if np.size(weights) != np.size(a):
            raise ShapeError(
                f"histogram: weights must have the shape of a, got {np.shape(weights)}"
            )
        index, inside = bin_of(a, edges)
        weights = np.where(inside, np.ravel(weights), 0.0)
        found = put_at(weights, index=index, shape=(np.shape(edges)[0] - 1,))
    if density:
        return found / cast(np.diff(edges), dtype="float64") / np.sum(found), edges
    return found, edges


@implements(np.histogramdd)
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    """The weight of the points in each cell of a grid, and the edges along each axis.

    >>> np.histogramdd(np.zeros((2, 1)), bins=[[0.0, 1.0]], weights=Value([1.0, 2.0]))[0]
    Value(data=[3.], grad=None)
    """
    joined = isinstance(sample, (list, tuple))
    columns = [
        as_input("histogramdd", "sample", x) for x in (sample if joined else np.transpose(sample))
    ]
    axes = len(columns)
    bins = [bins] * axes if not isinstance(bins, (list, tuple)) or isinstance(bins, str) else bins
    ranges = [None] * axes if range is None else range
    if len(bins) != axes or len(ranges) != axes:
        raise ArgumentError(
            f"histogramdd: bins and range must have {axes} parts, one for each axis"
        )
    edges = [histogram_bin_edges(*given) for given in zip(columns, bins, ranges, strict=True)]
    placed = [bin_of(x, e) for x, e in zip(columns, edges, strict=True)]
    inside = np.all(np.stack([mask for _, mask in placed]), axis=0)
    weights = cast(np.where(inside, 1.0 if weights is None else weights, 0.0), dtype="float64")
    shape = tuple(np.shape(e)[0] - 1 for e in edges)
    require_memory("histogramdd", "the result", shape)
    found = put_at(weights, index=tuple(index for index, _ in placed), shape=shape)
    if density:
        found = found / np.sum(found)
        for axis, e in enumerate(edges):
            found = found / np.reshape(np.diff(e), (-1,) + (1,) * (axes - 1 - axis))
    return found, tuple(edges)


@implements(np.histogram2d)
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """The weight of the points (x, y) in each cell of a grid, and the edges of both axes.

    >>> edges = np.array([0.0, 1.0])
    >>> np.histogram2d([0.0], [0.0], bins=[edges, edges], weights=Value([2.0]))[0]
    Value(data=[[2.]], grad=None)
    """
    pair = isinstance(bins, (list, tuple)) and len(bins) == 2
    found, (first, second) = histogramdd(
        [x, y], bins if pair else [bins, bins], range, density, weights
    )
    return found, first, second
