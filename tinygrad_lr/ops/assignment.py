"""NumPy's functions that write into an array, for Values: each is an item assignment.

They return None, as NumPy's do. An array that is no Value cannot take up one: its gradient would be
lost, so this is an error which says how to make an array that can.
"""

import numpy as np

from ..core.primitive import as_array, implements
from ..errors import ArgumentError, NotDifferentiableError
from ..support.abstract_array import AbstractArray
from .index import put_at

BUFFERS = "make it with tg.zeros, tg.empty, tg.full or tg.array, or with tinygrad_lr.numpy"


def require_value(where, a):
    """Raise an error for a plain array, into which a Value is to be written."""
    if not hasattr(type(a), "__apply__") and not isinstance(a, AbstractArray):
        raise NotDifferentiableError(
            f"{where}: a Value cannot be written into a plain array, which would lose its "
            f"gradient; {BUFFERS}"
        )
    return a


def _require_raise(where, mode):
    if mode != "raise":
        raise ArgumentError(f"{where}: mode must be 'raise', got {mode!r:.60}")


@implements(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    """Write src into dst, where the mask is True; both are broadcast to the shape of dst.

    >>> v = np.copy(Value([1.0, 2.0]))
    >>> np.copyto(v, 0.0, where=np.array([True, False]))
    >>> v
    Value(data=[0. 2.], grad=None)
    """
    dst = require_value("copyto", dst)
    dst[...] = src if where is True else np.where(where, src, dst)


@implements(np.put)
def put(a, ind, v, mode="raise"):
    """Write to positions of the flattened array; v is repeated where it is shorter.

    >>> v = np.copy(Value([[1.0, 2.0], [3.0, 4.0]]))
    >>> np.put(v, [0, 3], 0.0)
    >>> v.data.tolist()
    [[0.0, 2.0], [3.0, 0.0]]
    """
    _require_raise("put", mode)
    a, ind = require_value("put", a), np.ravel(as_array(ind))
    places = np.where(ind < 0, ind + a.size, ind)
    if np.size(v) and ind.size:
        several = np.ravel(v)[np.arange(ind.size) % np.size(v)] if np.ndim(v) else v
        a[np.unravel_index(places, a.shape)] = several


@implements(np.place)
def place(arr, mask, vals):
    """Write the first of the values where the mask is True, repeated where there are too few.

    >>> v = np.copy(Value([1.0, 2.0, 3.0]))
    >>> np.place(v, v > 1.5, [0.0, -1.0])
    >>> v
    Value(data=[ 1.  0. -1.], grad=None)
    """
    require_value("place", arr).flat.require_apart("place", vals)
    mask = np.reshape(as_array(mask), np.shape(arr)).astype(bool)
    vals = np.ravel(vals)
    count = int(mask.sum())
    if count and not np.size(vals):
        raise ArgumentError("place: vals must not be empty")
    if count:
        arr[mask] = vals[np.arange(count) % np.size(vals)]


@implements(np.putmask)
def putmask(a, mask, values):
    """Write values where the mask is True, those at the same positions.

    >>> v = np.copy(Value([1.0, 2.0, 3.0]))
    >>> np.putmask(v, v > 1.5, v * 10)
    >>> v
    Value(data=[ 1. 20. 30.], grad=None)
    """
    a, mask = require_value("putmask", a), np.reshape(as_array(mask), np.shape(a))
    if np.size(values):
        a[...] = np.where(mask, np.resize(values, np.shape(a)), a)


@implements(np.put_along_axis)
def put_along_axis(arr, indices, values, axis):
    """Write to positions given for each line along the axis, as `argsort` gives them.

    >>> v = np.copy(Value([[3.0, 1.0], [0.0, 2.0]]))
    >>> np.put_along_axis(v, np.array([[1], [0]]), 9.0, axis=1)
    >>> v.data.tolist()
    [[3.0, 9.0], [9.0, 2.0]]
    """
    arr, indices = require_value("put_along_axis", arr), as_array(indices)
    if axis is None:
        arr[np.unravel_index(indices, arr.shape)] = values
        return
    index = list(np.ix_(*map(np.arange, np.shape(arr))))
    index[axis] = indices
    arr[tuple(index)] = values


@implements(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    """Write to the diagonal of a matrix; val is repeated where it is shorter.

    >>> v = np.copy(Value([[1.0, 2.0], [3.0, 4.0]]))
    >>> np.fill_diagonal(v, 0.0)
    >>> v.data.tolist()
    [[0.0, 2.0], [3.0, 0.0]]
    """
    a, shape = require_value("fill_diagonal", a), np.shape(a)
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ArgumentError(
            f"fill_diagonal: a must have 2 axes, or more of one length, got shape {shape}"
        )
    if len(shape) == 2:
        stop = None if wrap else shape[1] * shape[1]
        places = np.unravel_index(np.arange(a.size)[: stop : shape[1] + 1], shape)
    else:
        places = (np.arange(shape[0]),) * len(shape)
    a.flat.require_apart("fill_diagonal", val)
    count = np.size(places[0])
    a[places] = np.ravel(val)[np.arange(count) % np.size(val)] if np.ndim(val) else val


@implements()
def add_at(a, indices, b):
    """Add to the entries that an index chooses, to one that is chosen twice both, as `np.add.at`.

    >>> v = np.zeros_like(Value([1.0, 2.0]))
    >>> np.add.at(v, [0, 0], Value([5.0, 6.0]))
    >>> v
    Value(data=[11.  0.], grad=None)
    """
    a = require_value("np.add.at", a)
    shape = np.shape(a[indices])
    a += put_at(np.broadcast_to(b, shape), index=_frozen(indices), shape=np.shape(a))


def _frozen(indices):
    return np.array(indices) if isinstance(indices, list) else indices
