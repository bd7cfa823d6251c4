"""Joining, cutting, padding, turning and repeating arrays: entries move, none is changed."""

import math

import numpy as np

from ..core.numpy_dispatch import numpy_functions
from ..core.primitive import implements, primitive
from ..errors import ArgumentError
from ..support.indexing import shift_axis
from ..support.validation import as_input, check_choice, check_integer, require_memory
from .index import as_integers
from .shape import astype, broadcast_to, reshape_to


@primitive(
    latex=r"\operatorname{concatenate}\left(<arrays>\right)",
    onnx="Concat",
    examples=[((2, 3), (1, 3)), ((2, 1), (2, 3), (2, 2), {"axis": -1}), ((3,),)],
    additive=True,
    sentence="{x} is a part of {v}: it gets its part of the gradient.",
    takes_complex=True,
)
def concatenate_all(*arrays, axis=0):
    """Arrays joined along an axis that they have.

    >>> np.concatenate([Value([1.0]), [2.0]])
    Value(data=[1. 2.], grad=None)
    """
    return np.concatenate(arrays, axis)


def _parts(g, out, *arrays, axis):
    ends = np.cumsum([np.shape(a)[axis] for a in arrays])
    before = (slice(None),) * (axis % np.ndim(out))
    return lambda i: g[(*before, slice(ends[i] - np.shape(arrays[i])[axis], ends[i]))]


def _joined(tangents, out, *arrays, axis):
    given = [np.zeros_like(a) if t is None else t for t, a in zip(tangents, arrays, strict=True)]
    return np.concatenate(given, axis)


concatenate_all.vjp(arrays=_parts)
concatenate_all.jvp(arrays=_joined)
concatenate_all.moves = True
concatenate_all.batch(
    lambda *arrays, axis: concatenate_all(*arrays, axis=shift_axis(axis, np.ndim(arrays[0]) - 1))
)


@implements(np.concatenate, np.concat)
def concatenate(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Arrays joined along an axis; along the flattened one where `axis` is None."""
    if out is not None or dtype is not None:
        raise ArgumentError("concatenate: out and dtype must not be given; use astype")
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    return concatenate_all(*arrays, axis=axis)


@implements(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Arrays of one shape joined along a new axis.

    >>> np.stack([Value(1.0), 2.0])
    Value(data=[1. 2.], grad=None)
    """
    arrays = list(arrays)
    if len({np.shape(a) for a in arrays}) > 1:
        shapes = sorted({np.shape(a) for a in arrays})
        raise ArgumentError(f"stack: the arrays must have one shape, got {shapes}")
    return concatenate([np.expand_dims(a, axis) for a in arrays], axis, out, dtype=dtype)


@implements(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """Arrays joined along the second axis, or along the only one."""
    arrays = [np.atleast_1d(a) for a in tup]
    return concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1, dtype=dtype)


@implements(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """Arrays joined as rows."""
    return concatenate([np.atleast_2d(a) for a in tup], 0, dtype=dtype)


@implements(np.dstack)
def dstack(tup):
    """Arrays joined along the third axis.

    >>> np.dstack([Value([1.0]), [2.0]])
    Value(data=[[[1. 2.]]], grad=None)
    """
    return concatenate([np.atleast_3d(a) for a in tup], 2)


@implements(np.block)
def block(arrays):
    """Nested lists of arrays joined: the innermost along the last axis, and so on outwards.

    >>> np.block([[Value([1.0]), np.array([2.0])], [np.zeros(2)]])
    Value(data=[[1. 2.]
     [0. 0.]], grad=None)
    """
    depth = _depth(arrays)
    ndim = max([depth, *(np.ndim(a) for a in _innermost(arrays))])
    joined = _joined_blocks(arrays, depth, ndim)
    return joined if depth else np.copy(joined)


def _depth(arrays):
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(a) for a in arrays}
    if len(depths) != 1:
        raise ArgumentError(
            "block: arrays must be nested equally deep in lists, none of them empty, got depths "
            f"{sorted(depths)}"
        )
    return 1 + depths.pop()


def _innermost(arrays):
    return [x for a in arrays for x in _innermost(a)] if isinstance(arrays, list) else [arrays]


def _joined_blocks(arrays, depth, ndim):
    if not isinstance(arrays, list):
        return np.reshape(arrays, (1,) * (ndim - np.ndim(arrays)) + np.shape(arrays))
    return concatenate([_joined_blocks(a, depth - 1, ndim) for a in arrays], -depth)


@implements(np.column_stack)
def column_stack(tup):
    """Arrays joined as columns, vectors each as one.

    >>> np.column_stack([Value([1.0, 2.0]), [3.0, 4.0]]).shape
    (2, 2)
    """
    return concatenate([a if np.ndim(a) == 2 else np.reshape(a, (-1, 1)) for a in tup], 1)


@implements(np.append)
def append(arr, values, axis=None):
    """Entries joined at the end of the axis; both flattened where it is None.

    >>> np.append(Value([1.0]), [2.0])
    Value(data=[1. 2.], grad=None)
    """
    return concatenate([arr, values], axis)


def positions_of(a, start=0):
    """Return the positions of an array's entries, in its shape: what NumPy moves as it would them.

    Moved, they are the index that moves the entries.
    """
    return np.arange(start, start + np.size(a)).reshape(np.shape(a))


@implements(np.insert)
def insert(arr, obj, values, axis=None):
    """The array with values before the positions `obj` of the axis; flattened where it is None.

    >>> np.insert(Value([1.0, 2.0]), 1, 9.0)
    Value(data=[1. 9. 2.], grad=None)
    """
    arr = as_input("insert", "arr", arr, allow_complex=True)
    values = as_input("insert", "values", values, allow_complex=True)
    obj = obj if isinstance(obj, slice) else as_integers("insert", "obj", obj)
    source = np.insert(positions_of(arr), obj, positions_of(values, arr.size), axis)
    dtype = arr.dtype if arr.dtype.kind in "fc" else np.dtype(np.float64)
    return astype(concatenate([arr, values], None), dtype)[source]


@implements(np.delete)
def delete(arr, obj, axis=None):
    """The array without the positions `obj` of the axis; flattened where it is None.

    >>> np.delete(Value([1.0, 2.0, 3.0]), [0, 2])
    Value(data=[2.], grad=None)
    """
    if axis is None:
        arr, axis = np.ravel(arr), 0
    if not isinstance(obj, slice):
        obj = as_integers("delete", "obj", obj) if np.size(obj) else np.zeros(0, int)
    kept = np.delete(np.arange(np.shape(arr)[axis]), obj)
    return arr[(slice(None),) * (axis % np.ndim(arr)) + (kept,)]


@implements(np.resize)
def resize(a, new_shape):
    """The entries repeated, or cut off, to fill a shape; zeros where there are none.

    >>> np.resize(Value([1.0, 2.0]), 3)
    Value(data=[1. 2. 1.], grad=None)
    """
    a = as_input("resize", "a", a)
    shape = tuple(np.atleast_1d(new_shape).tolist())
    require_memory("resize", "the result", shape)
    if not a.size:
        return pad_constant(np.ravel(a), widths=((0, math.prod(shape)),)).reshape(shape)
    return np.ravel(a)[np.resize(np.arange(a.size), shape)]


@implements(np.trim_zeros)
def trim_zeros(filt, trim="fb", axis=None):
    """The array without the zeros at its front ("f") and back ("b"), along the axis or all.

    >>> np.trim_zeros(Value([0.0, 1.0, 0.0, 2.0, 0.0]))
    Value(data=[1. 0. 2.], grad=None)
    """
    filt = as_input("trim_zeros", "filt", filt)
    trim = trim.lower() if isinstance(trim, str) else trim
    check_choice("trim_zeros", "trim", trim, ("fb", "bf", "f", "b"))
    axes = range(filt.ndim) if axis is None else np.atleast_1d(axis) % filt.ndim
    places = np.argwhere(filt)
    index = [slice(None)] * filt.ndim
    for i in axes:
        length = np.shape(filt)[i]
        # of zeros alone, the front takes all
        first, last = (places[:, i].min(), places[:, i].max()) if len(places) else (length, -1)
        start = int(first) if "f" in trim else 0
        index[i] = slice(start, int(last) + 1 if "b" in trim else length)
    return filt[tuple(index)]


@implements(np.diagflat)
def diagflat(v, k=0):
    """The matrix with all entries of an array on its diagonal.

    >>> np.diagflat(Value([[1.0], [2.0]]))
    Value(data=[[1. 0.]
     [0. 2.]], grad=None)
    """
    return np.diag(np.ravel(v), k)


@implements(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """The coordinates of a grid: each array along an axis of its own, broadcast to all.

    >>> [x.shape for x in np.meshgrid(Value([1.0, 2.0]), [1.0, 2.0, 3.0])]
    [(3, 2), (3, 2)]
    """
    check_choice("meshgrid", "indexing", indexing, ("xy", "ij"))
    count = len(xi)
    order = [1, 0, *range(2, count)] if indexing == "xy" and count > 1 else range(count)
    spread = [
        np.reshape(x, tuple(-1 if i == place else 1 for i in range(count)))
        for x, place in zip(xi, order, strict=True)
    ]
    whole = tuple(spread) if sparse else np.broadcast_arrays(*spread)
    return tuple(map(np.copy, whole)) if copy else whole


@implements(np.dsplit)
def dsplit(ary, indices_or_sections):
    """The parts along the third axis; see `split`.

    >>> len(np.dsplit(Value(np.zeros((1, 1, 4))), 2))
    2
    """
    return split(ary, indices_or_sections, 2)


@implements(*numpy_functions("unstack"))
def unstack(x, /, *, axis=0):
    """The tuple of the parts along an axis, without it.

    >>> unstack(Value([1.0, 2.0]))
    (Value(data=1.0, grad=None), Value(data=2.0, grad=None))
    """
    moved = np.moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(np.shape(moved)[0]))


@implements(np.vsplit)
def vsplit(ary, indices_or_sections):
    """The parts along the rows; see `split`."""
    return split(ary, indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary, indices_or_sections):
    """The parts along the columns, or along the only axis; see `split`."""
    return split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1)


@implements(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    """A quarter turn of a plane, k times, from the first axis towards the second.

    >>> np.rot90(Value([[1.0, 2.0]])).shape
    (2, 1)
    """
    for _ in range(k % 4):
        m = np.flip(np.swapaxes(m, *axes), axes[0])
    return m


@implements(np.split)
def split(ary, indices_or_sections, axis=0):
    """The list of the parts along an axis: equal ones, by their number, or cut at positions.

    >>> [part.data.tolist() for part in np.split(Value([1.0, 2.0, 3.0]), [1])]
    [[1.0], [2.0, 3.0]]
    """
    return parts(np.split, ary, indices_or_sections, axis)


@implements(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    """The list of the parts along an axis, as in `split`; they need not be equal."""
    return parts(np.array_split, ary, indices_or_sections, axis)


def parts(cut, ary, indices_or_sections, axis):
    """The slices of an array that NumPy cuts its positions into."""
    if not np.ndim(indices_or_sections):
        sections = check_integer(cut.__name__, "indices_or_sections", indices_or_sections, low=1)
        require_memory(cut.__name__, "the list of parts", (sections,), 100)
    positions = np.arange(np.shape(ary)[axis])
    before = (slice(None),) * (axis % np.ndim(ary))
    return [
        ary[(*before, slice(part[0], part[-1] + 1) if len(part) else slice(0, 0))]
        for part in cut(positions, indices_or_sections)
    ]


@primitive(
    latex=r"\operatorname{pad}\left(<x>; <fill>\right)",
    examples=[((2, 3), {"widths": ((1, 0), (2, 1))}), ((3,), {"widths": ((1, 1),), "fill": 2.0})],
    takes_complex=True,
)
def pad_constant(x, widths=(), fill=0.0):
    """The array with entries `fill` around it: (before, after) for each axis.

    >>> np.pad(Value([1.0, 2.0]), 1)
    Value(data=[0. 1. 2. 0.], grad=None)
    """
    return np.pad(x, widths, constant_values=fill)


def _inner(g, out, x, widths, fill):
    return g[tuple(slice(b, b + n) for (b, _), n in zip(widths, np.shape(x), strict=True))]


pad_constant.vjp(x=_inner)
pad_constant.batch(lambda x, widths, fill: pad_constant(x, widths=((0, 0), *widths), fill=fill))
pad_constant.jvp(x=lambda t, out, x, widths, fill: pad_constant(t, widths=widths))


@implements(np.pad)
def pad(array, pad_width, mode="constant", *, constant_values=0.0, reflect_type="even"):
    """The array with a border: constant, or copied from it (edge, reflect, symmetric, wrap).

    >>> np.pad(Value([1.0, 2.0]), (0, 2), mode="edge")
    Value(data=[1. 2. 2. 2.], grad=None)
    """
    shape = np.shape(array)
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - len(shape), 0)) for i in range(len(shape))]
        pad_width = [(w, w) if isinstance(w, int) else w for w in pad_width]
    widths = tuple(map(tuple, np.broadcast_to(pad_width, (len(shape), 2)).tolist()))
    if mode == "constant":
        if np.ndim(constant_values) != 0:
            raise ArgumentError("pad: constant_values must be one number for all sides")
        return pad_constant(array, widths=widths, fill=float(constant_values))
    if mode not in {"edge", "reflect", "symmetric", "wrap"} or reflect_type != "even":
        raise ArgumentError(
            "pad: mode must be 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', with "
            f"reflect_type 'even', got {mode!r:.60}"
        )
    for axis, width in enumerate(widths):  # which entry stands where, as NumPy pads positions
        source = np.pad(np.arange(shape[axis]), width, mode=mode)
        array = array[(slice(None),) * axis + (source,)]
    return array


@implements(np.flip)
def flip(m, axis=None):
    """The entries in the opposite order along the axis, or along all.

    >>> np.flip(Value([1.0, 2.0]))
    Value(data=[2. 1.], grad=None)
    """
    m = as_input("flip", "m", m, allow_complex=True)
    ndim = m.ndim
    axes = range(ndim) if axis is None else np.atleast_1d(axis)
    flipped = {int(i) % ndim for i in axes if -ndim <= i < ndim or _no_axis(i, ndim)}
    return m[tuple(slice(None, None, -1 if i in flipped else None) for i in range(ndim))]


def _no_axis(axis, ndim):
    raise np.exceptions.AxisError(int(axis), ndim)


@implements(np.fliplr)
def fliplr(m):
    """The columns in the opposite order."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m):
    """The rows in the opposite order."""
    return flip(m, 0)


@primitive(
    latex=r"\operatorname{roll}\left(<x>; <shift>\right)",
    kind="linear",
    examples=[
        ((5,), {"shift": 2}),
        ((2, 3), {"shift": -1, "axis": 1}),
        ((2, 3), {"shift": (1, 2), "axis": (0, 1)}),
    ],
    takes_complex=True,
)
def roll_by(x, shift=0, axis=None):
    """The entries shifted along the axis, those that leave coming back at the other end.

    >>> np.roll(Value([1.0, 2.0, 3.0]), 1)
    Value(data=[3. 1. 2.], grad=None)
    """
    return np.roll(x, shift, axis)


roll_by.vjp(x=lambda g, out, x, shift, axis: np.roll(g, _opposite(shift), axis))


def _roll_entries(x, shift, axis):
    if axis is None:
        line = roll_by(np.reshape(x, (np.shape(x)[0], -1)), shift=shift, axis=1)
        return np.reshape(line, np.shape(x))
    return roll_by(x, shift=shift, axis=shift_axis(axis, np.ndim(x) - 1))


roll_by.moves = True
roll_by.batch(_roll_entries)


def _opposite(shift):
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


@implements(np.roll)
def roll(a, shift, axis=None):
    """The entries shifted along the axis (along the flattened array where it is None)."""
    if isinstance(shift, (list, np.ndarray)):
        shift = tuple(shift) if np.ndim(shift) else np.asarray(shift).item()
    return roll_by(a, shift=shift, axis=axis)


@implements(np.repeat)
def repeat(a, repeats, axis=None):
    """Every entry several times in a row; of the flattened array where `axis` is None.

    >>> np.repeat(Value([1.0, 2.0]), 2)
    Value(data=[1. 1. 2. 2.], grad=None)
    """
    if axis is None or not np.ndim(a):
        a, axis = np.ravel(a), 0
    source = np.repeat(np.arange(np.shape(a)[axis]), repeats)
    return a[(slice(None),) * (axis % np.ndim(a)) + (source,)]


@implements(np.tile)
def tile(A, reps):
    """The whole array several times along each axis.

    >>> np.tile(Value([1.0, 2.0]), 2)
    Value(data=[1. 2. 1. 2.], grad=None)
    """
    reps = tuple(np.atleast_1d(reps).tolist())
    shape = (1,) * (len(reps) - np.ndim(A)) + np.shape(A)
    reps = (1,) * (len(shape) - len(reps)) + reps
    split_axes = tuple(n for pair in zip([1] * len(shape), shape, strict=True) for n in pair)
    copies = tuple(n for pair in zip(reps, shape, strict=True) for n in pair)
    spread = broadcast_to(reshape_to(A, shape=split_axes), shape=copies)
    whole = tuple(r * n for r, n in zip(reps, shape, strict=True))
    out = reshape_to(spread, shape=whole)
    copied = any(r > 1 and n > 1 for r, n in zip(reps, shape, strict=True))
    return out if copied else np.copy(out)  # not a view of A, into which nobody could write
