"""Convolution and correlation of sequences."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view as sliding_windows

from ..core.primitive import implements, is_complex, primitive
from ..errors import ArgumentError, ShapeError
from ..support.indexing import shift_axis
from ..support.validation import as_input, check_choice
from .index import put_at

MODES = ("full", "same", "valid")


@primitive(
    latex=r"<a> * <v>",
    kind="multilinear",
    examples=[((4,), (3,)), ((2,), (5,)), ((1,), (1,))],
    takes_complex=True,
)
def convolve_full(a, v):
    """All sums Σ a[i]·v[k - i], of len(a) + len(v) - 1 entries.

    >>> convolve_full(Value([1.0, 2.0]), np.array([1.0, 1.0]))
    Value(data=[1. 3. 2.], grad=None)
    """
    return np.convolve(a, v)


def _correlated(g, v):
    """Σ g[i + k]·v[i], wherever the shorter v is within g: the convolution transposed."""
    return convolve_full(g, v[::-1])[np.shape(v)[0] - 1 : np.shape(g)[0]]


convolve_full.vjp(
    a=lambda g, out, a, v: _correlated(g, v), v=lambda g, out, a, v: _correlated(g, a)
)


def _convolve_entries(a, v):
    long, short = (a, v) if np.shape(a)[1] >= np.shape(v)[1] else (v, a)
    count = np.shape(short)[1]
    wide = np.pad(long, ((0, 0), (count - 1, count - 1)))
    places = np.arange(np.shape(long)[1] + count - 1)[:, None] + np.arange(count)[::-1]
    return np.einsum("bik,bk->bi", wide[:, places], short)


convolve_full.batch(_convolve_entries)


def _sequences(where, a, v, mode):
    a, v = (as_input(where, n, x, allow_complex=True) for n, x in {"a": a, "v": v}.items())
    a, v = (x if np.ndim(x) else np.atleast_1d(x) for x in (a, v))
    if np.ndim(a) != 1 or np.ndim(v) != 1:
        raise ShapeError(
            f"{where}: a and v must have one axis, got shapes {np.shape(a)} and {np.shape(v)}"
        )
    if not np.size(a) or not np.size(v):
        raise ArgumentError(f"{where}: a and v must not be empty")
    check_choice(where, "mode", mode, MODES)
    return a, v


@implements(np.convolve)
def convolve(a, v, mode="full"):
    """The sums Σ a[i]·v[k - i]: all of them, as many as the longer has, or where both overlap.

    >>> np.convolve(Value([1.0, 2.0, 3.0]), [1.0, 1.0], mode="valid")
    Value(data=[3. 5.], grad=None)
    """
    a, v = _sequences("convolve", a, v, mode)
    if np.shape(v)[0] > np.shape(a)[0]:
        a, v = v, a
    return _middle(convolve_full(a, v), np.shape(a)[0], np.shape(v)[0], mode)


def _middle(full, long, short, mode):
    """Return the part of a full convolution that a mode keeps."""
    if mode == "valid":
        return full[short - 1 : long]
    if mode == "same":
        return full[(short - 1) // 2 : (short - 1) // 2 + long]
    return full


@implements(np.correlate)
def correlate(a, v, mode="valid"):
    """The sums Σ a[i + k]·v*[i]: where both overlap, as many as the longer has, or all of them.

    >>> np.correlate(Value([1.0, 2.0, 3.0]), [0.0, 1.0])
    Value(data=[2. 3.], grad=None)
    """
    a, v = _sequences("correlate", a, v, mode)
    v = np.conj(v) if is_complex(v) else v
    long, short = np.shape(a)[0], np.shape(v)[0]
    if short > long:
        return _middle(convolve_full(v, a[::-1]), short, long, mode)[::-1]
    return _middle(convolve_full(a, v[::-1]), long, short, mode)


@primitive(
    latex=r"\operatorname{windows}\left(<x>\right)",
    kind="linear",
    examples=[((5,), {"spans": (2,), "axes": (0,)}), ((3, 4), {"spans": (2, 3), "axes": (0, 1)})],
    takes_complex=True,
)
def windows_of(x, spans=(), axes=()):
    """All windows of some lengths along some axes, as last axes; read-only, as in NumPy.

    >>> windows_of(Value([1.0, 2.0, 3.0]), spans=(2,), axes=(0,)).data.tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    return x[_window_index(np.shape(x), spans, axes)]


def _window_index(shape, spans, axes):
    """Return the index of each entry of all windows, an array for each axis."""
    return np.unravel_index(
        _windows(np.arange(math.prod(shape)).reshape(shape), spans, axes), shape
    )


def _windows(x, spans, axes):
    return sliding_windows(x, spans, axes)


windows_of.vjp(
    x=lambda g, out, x, spans, axes: put_at(
        g, index=_window_index(np.shape(x), spans, axes), shape=np.shape(x)
    )
)
windows_of.moves = True
windows_of.batch(
    lambda x, spans, axes: windows_of(x, spans=spans, axes=shift_axis(axes, np.ndim(x) - 1))
)
windows_of.view, windows_of.reads_shapes = "read-only", True
windows_of.as_view = _windows


@implements(sliding_windows)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """All windows of a shape, as last axes.

    >>> np.lib.stride_tricks.sliding_window_view(Value([1.0, 2.0, 3.0]), 2).data.tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    if writeable:
        raise ArgumentError("sliding_window_view: writeable must be False for a Value")
    n = np.ndim(x)
    sliding_windows(np.empty(np.shape(x)), window_shape, axis)  # raises what NumPy raises
    spans, axes = np.atleast_1d(window_shape), range(n) if axis is None else np.atleast_1d(axis) % n
    return windows_of(x, spans=tuple(map(int, spans)), axes=tuple(map(int, axes)))
