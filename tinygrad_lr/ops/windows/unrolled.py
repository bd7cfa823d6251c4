"""Convolutions and windows in steps that a compiled loop or product can compute.

The functions have the arguments of the operations that they stand for, and give None where the
operation is better called: for groups, for strides on the way back, for large windows.
Windows are the rows of a matrix, one for each place in the window and each channel.
"""

import functools
import math

import numpy as np

from ...support.machine_code import find_kernels
from .sliding import window_counts, window_entries

MAX_PLACES = 25  # in a window of 5 × 5
MAX_NUMBERS = 1 << 24  # in all windows together
MAX_COPIED = 1 << 19  # beyond it, the machine code that reads windows in place is quicker


def surround(x, before, after, axes):
    """Return x with `before` and `after` zeros around the given axes."""
    for axis, first, last in zip(axes, before, after, strict=True):
        parts = [
            np.zeros_like(x, shape=(*x.shape[:axis], count, *x.shape[axis + 1 :]))
            for count in (first, last)
        ]
        x = np.concatenate([parts[0], x, parts[1]], axis=axis)
    return x


def is_too_large(size, entries):
    """Return True if a copy of the entries for each place in a window would be slower, or slow to
    compile, compared with the operation, which takes one place after the other.
    """
    return math.prod(size) > MAX_PLACES or math.prod(size) * entries > MAX_NUMBERS


def is_better_called(size, entries, *arrays):
    """Return True if the operation is better than its steps: as above, or in machine code."""
    copied = math.prod(size) * entries
    if copied > MAX_COPIED and find_kernels("window_kernels", copied, *arrays) is not None:
        return True
    return is_too_large(size, entries)


def window_rows(x, size, stride, padding, dilation, counts):
    """The windows of x (N, C, ...) as a matrix (places · C, N · windows)."""
    before, after = zip(*padding, strict=True)
    x = np.moveaxis(surround(x, before, after, range(2, x.ndim)), 1, 0)  # (C, N, ...)
    rows = [x[(..., *place)] for _, place in window_entries(size, stride, dilation, counts)]
    return np.reshape(
        np.stack(rows), (math.prod(size) * x.shape[0], x.shape[1] * math.prod(counts))
    )


def as_rows(g):
    """g (N, out, windows) as a matrix (out, N · windows)."""
    return np.reshape(np.moveaxis(g, 1, 0), (g.shape[1], g.shape[0] * math.prod(g.shape[2:])))


def cross_correlation(x, weight, stride=(), padding=(), dilation=(), groups=1):
    """`convolution.cross_correlation`: one product, kernels times windows."""
    size = weight.shape[2:]
    counts = window_counts(x.shape[2:], size, stride, dilation, padding)
    if groups != 1 or is_better_called(size, math.prod((*x.shape[:2], *counts)), x, weight):
        return None
    rows = window_rows(x, size, stride, padding, dilation, counts)
    kernels = np.reshape(np.moveaxis(weight, 1, -1), (weight.shape[0], rows.shape[0]))
    out = np.reshape(np.dot(kernels, rows), (weight.shape[0], x.shape[0], *counts))
    return np.moveaxis(out, 0, 1)


def cross_correlation_kernel(x, g, size=(), stride=(), padding=(), dilation=(), groups=1):
    """`convolution.cross_correlation_kernel`: one product, the same windows transposed."""
    counts = g.shape[2:]
    if groups != 1 or is_better_called(size, math.prod((*x.shape[:2], *counts)), x, g):
        return None
    rows = window_rows(x, size, stride, padding, dilation, counts)
    out = np.reshape(np.dot(as_rows(g), rows.T), (g.shape[1], *size, x.shape[1]))
    return np.moveaxis(out, -1, 1)


def cross_correlation_transposed(
    g, weight, length=(), stride=(), padding=(), dilation=(), groups=1
):
    """`convolution.cross_correlation_transposed`: one product, and a sum of shifted pieces."""
    (images, _, *counts), (out, channels, *size) = g.shape, weight.shape
    beside = set(stride) == {1} and g.shape[2:] == window_counts(
        length, size, stride, dilation, padding
    )
    copied = math.prod((images, channels, *counts))
    if groups != 1 or not beside or is_better_called(size, copied, g, weight):
        return None
    kernels = np.moveaxis(np.moveaxis(weight, 0, -1), 0, -2)  # (*size, C, out)
    kernels = np.reshape(kernels, (math.prod(size) * channels, out))
    pieces = np.dot(kernels, as_rows(g))  # (places · C, N · windows)
    pieces = np.reshape(pieces, (math.prod(size) * channels, images, *counts))
    far = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
    pieces = surround(pieces, far, far, range(2, pieces.ndim))
    parts = []
    for number, entry in enumerate(np.ndindex(*size)):
        starts = [
            f - i * d + p for f, i, d, (p, _) in zip(far, entry, dilation, padding, strict=True)
        ]
        place = tuple(slice(a, a + n) for a, n in zip(starts, length, strict=True))
        own = slice(number * channels, (number + 1) * channels)
        parts.append(pieces[(own, slice(None), *place)])
    return np.moveaxis(functools.reduce(np.add, parts), 0, 1)


def sliding_windows(x, size=(), stride=(), dilation=()):
    """`windows.sliding_windows`: the places in a window one after the other."""
    first = x.ndim - len(size)
    counts = window_counts(x.shape[first:], size, stride, dilation)
    if min(counts) < 1 or is_too_large(size, math.prod((*x.shape[:first], *counts))):
        return None
    parts = [x[(..., *place)] for _, place in window_entries(size, stride, dilation, counts)]
    return np.reshape(np.stack(parts), (*size, *parts[0].shape))


def window_spread(x, length=(), size=(), stride=(), dilation=(), mask=None):
    """`window_reductions.window_spread` of windows side by side: their entries, interleaved."""
    counts = x.shape[x.ndim - len(size) :]
    beside = size == stride and set(dilation) == {1}
    if not beside or math.prod(size) > MAX_PLACES:
        return None

    def interleaved(entry):
        """Along the axes after those of the entry so far."""
        if len(entry) == len(size):
            return x if mask is None else np.where(mask[entry], x, 0.0)
        axis = x.ndim - len(size) + len(entry)
        parts = [interleaved((*entry, i)) for i in range(size[len(entry)])]
        together = np.stack(parts, axis=axis + 1)
        shape = list(parts[0].shape)
        shape[axis] *= size[len(entry)]
        return np.reshape(together, tuple(shape))

    out = interleaved(())
    rest = [n - k * s for n, k, s in zip(length, counts, size, strict=True)]
    return surround(out, [0] * len(rest), rest, range(x.ndim - len(size), x.ndim))
