"""Indexing of every NumPy kind; an entry that is read twice gets both cotangents."""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..core.primitive import as_array, implements, is_complex, numbers_of, primitive
from ..errors import ArgumentError, BatchError, DtypeError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.indexing import follow, freeze_index, is_basic
from ..support.validation import as_input, require_unmasked
from .reduce import refuse_out

ARRAYS = (np.ndarray, AbstractArray)
ROWS = np.array([0, 2, 0])
MASK = np.array([[True, False, True], [False, False, True]])


@primitive(
    latex=r"{<x>}_{[\cdot]}",
    kind="linear",
    examples=[
        ((4, 3), {"index": 1}),
        ((4, 3), {"index": (slice(None, None, -2), None, -1)}),
        ((4, 3), {"index": ROWS}),
        ((4, 3), {"index": (ROWS, np.array([1, 1, 2]))}),
        ((2, 3), {"index": MASK}),
        ((2, 4, 3), {"index": (Ellipsis, np.array([[0, 0], [2, 1]]))}),
    ],
    sentence="{v} picks entries of {x}: the gradient goes back to their places, and all other "
    "entries get 0.",
    takes_complex=True,
)
def getitem_at(x, index=()):
    """The entries that a NumPy index chooses: slices, integers, arrays, masks, None, Ellipsis.

    Raises IndexError where there is no such entry.

    >>> Value([1.0, 2.0, 3.0])[[0, 0, 2]]
    Value(data=[1. 1. 3.], grad=None)
    """
    x = np.asarray(x) if type(x) is float else as_array(x)
    if type(x) is np.ndarray and (type(index) is tuple or isinstance(index, AbstractArray)):
        places = index if type(index) is tuple else (index,)
        for i in places:
            if isinstance(i, AbstractArray):  # a constant, at positions that a trace computes
                return i.own_copy(x)[index]
    return x[index]


@primitive(
    latex=r"\operatorname{scatter}\left(<x>\right)",
    kind="linear",
    examples=[
        ((2, 3), {"index": slice(0, 2), "shape": (4, 3)}),
        ((3,), {"index": ROWS, "shape": (4,)}),
        ((3,), {"index": MASK, "shape": (2, 3)}),
    ],
    takes_complex=True,
)
def put_at(x, index=(), shape=()):
    """Zeros of a shape, with the entries of x added where the index points: reading transposed.

    >>> put_at(Value([1.0, 2.0]), index=np.array([1, 1]), shape=(3,))
    Value(data=[0. 3. 0.], grad=None)
    """
    places = index if isinstance(index, tuple) else (index,)
    traced = next((i for i in (x, *places) if isinstance(i, AbstractArray)), None)
    if traced is not None:
        x = x if traced is x else traced.own_copy(x)
        return x.scatter_add(index, shape)
    out = np.zeros(shape, np.result_type(x))
    _add_entries(out, x, index)
    return out


def _add_entries(total, g, index):
    """Add cotangents to those of the entries that were read."""
    if is_basic(index):
        total[index] += g
    else:
        np.add.at(total, index, g)


getitem_at.vjp(x=lambda g, out, x, index: put_at(g, index=index, shape=np.shape(x)))
put_at.vjp(x=lambda g, out, x, index, shape: g[index])


def _put_entries_at(x, index, shape):
    """Return zeros for each entry of a batch, with its numbers added at the index."""
    parts = index if isinstance(index, tuple) else (index,)
    size = np.shape(x)[0]
    level = next(filter(None, map(level_of, parts)), None)
    if level is None:
        if is_basic(index) or (len(parts) == 1):
            return put_at(x, index=(slice(None), *parts), shape=(size, *shape))
        places = np.arange(math.prod(shape)).reshape(shape)[parts]
        spread = np.broadcast_to(x, (size, *places.shape))
        flat = put_at(spread, index=(slice(None), places), shape=(size, math.prod(shape)))
        return np.reshape(flat, (size, *shape))
    places = np.reshape(np.arange(math.prod(shape)), shape)
    places = _entries_at_each(np.broadcast_to(places, (size, *shape)), parts)
    if places is NotImplemented:
        return places
    rows = np.arange(size).reshape((size,) + (1,) * (np.ndim(places) - 1))
    spread = np.broadcast_to(x, np.shape(places))
    flat = put_at(spread, index=(rows, places), shape=(size, math.prod(shape)))
    return np.reshape(flat, (size, *shape))


put_at.batch(_put_entries_at, options=True)


def _entries_at(varies, x, index):
    """Return the entries of all arrays of a batch that an index chooses, or one index for each."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(map(level_of, parts)):
        return _entries_at_each(x, parts, varies[0])
    whole = all(isinstance(part, np.ndarray) for part in parts)
    if whole or is_basic(index) or len(parts) == 1:  # no axis moves to the front
        return getitem_at(x, index=(slice(None), *parts))
    size, *own = np.shape(x)
    places = np.arange(math.prod(own)).reshape(own)[parts]
    return getitem_at(np.reshape(x, (size, -1)), index=(slice(None), places))


def level_of(part):
    """Return the batch of a part of an index that differs from entry to entry, else None."""
    return part.level if isinstance(part, AbstractArray) else None


def _entries_at_each(x, parts, varies=True):
    """Return the entries that each entry of a batch chooses of its own array, or of a shared one.

    NotImplemented for an index with None, an ellipsis, or slices between its arrays.
    """
    level = next(filter(None, map(level_of, parts)))
    if any(isinstance(part, ARRAYS) and part.dtype.kind == "b" for part in parts):
        raise BatchError(
            "vmap: a mask that differs from entry to entry must not be an index, since it chooses "
            "another number of entries for each; write np.where(mask, x, y)"
        )
    chosen = [i for i, part in enumerate(parts) if not isinstance(part, slice)]
    odd = any(part is None or part is Ellipsis for part in parts)
    if odd or chosen != [*range(chosen[0], chosen[-1] + 1)]:
        return NotImplemented
    lead, before = int(varies), chosen[0]
    slices = tuple(part if isinstance(part, slice) else slice(None) for part in parts)
    x = getitem_at(x, index=(slice(None),) * lead + slices)
    x = np.moveaxis(x, range(lead, lead + before), range(-before, 0)) if before else x
    arrays = numbers_of_parts(level, [parts[i] for i in chosen])
    if varies:
        arrays = [np.arange(level.size).reshape((-1,) + (1,) * (np.ndim(arrays[0]) - 1)), *arrays]
    abstract = next((i for i in arrays if isinstance(i, AbstractArray)), None)
    if abstract is not None and isinstance(x, np.ndarray):
        x = abstract.own_copy(x)
    found = getitem_at(x, index=tuple(arrays))
    return np.moveaxis(found, range(-before, 0), range(1, 1 + before)) if before else found


def numbers_of_parts(level, parts):
    """Return integer indices of one entry as those of all, broadcast to one shape."""
    aligned = level.aligned([np.asarray(x) if isinstance(x, (int, list)) else x for x in parts])
    shape = np.broadcast_shapes(*map(np.shape, aligned))
    return [np.broadcast_to(x, shape) for x in aligned]


getitem_at.batch(_entries_at, mixed=True, options=True)
getitem_at.view = "writable"
getitem_at.pull_entries = _add_entries
getitem_at.reads_shapes = put_at.reads_shapes = True
getitem_at.moves = put_at.moves = True


@primitive(
    latex=r"\operatorname{set}\left(<x>, <v>\right)",
    examples=[
        ((4, 3), (3,), {"index": 1}),
        ((4, 3), (), {"index": (slice(None, None, -2), -1)}),
        ((4, 3), (3, 3), {"index": ROWS}),
        ((4, 3), (3,), {"index": (ROWS, np.array([1, 1, 1]))}),
        ((2, 3), (), {"index": MASK}),
        ((2, 3), (3,), {"index": MASK}),
        ((3,), (1, 2), {"index": slice(1, None)}),
    ],
    sentence="Entries of {v} come from {x}: their gradient goes back to them; others get 0.",
    takes_complex=True,
)
def set_item(x, v, index=(), path=()):
    """The array x with the entries that an index chooses replaced by v, as x[index] = v does.

    `path` leads to a view of x, in which the index counts: pairs of an operation and its options.
    Where an entry is chosen twice, the last one stays.

    >>> set_item(Value([1.0, 2.0, 3.0]), 0.0, index=1)
    Value(data=[1. 0. 3.], grad=None)
    """
    if is_complex(v) and not is_complex(x):
        raise DtypeError(
            "set_item: complex numbers must be written into a complex array, got a real one; make "
            "it with tg.zeros(shape, complex) or x.astype(complex)"
        )
    among = (x, v, *(index if isinstance(index, tuple) else (index,)))
    traced = next((y for y in among if isinstance(y, AbstractArray)), None)
    out = np.array(x, order="K") if traced is None else traced.own_copy(x)
    part = follow(out, path)
    reshapes = [i for i, (operation, _) in enumerate(path) if operation.view == "by layout"]
    if traced is not None or not reshapes or np.may_share_memory(part, out):
        part[index] = v
        return out  # a view, as in NumPy, unless the layout of a cotangent differs
    start = reshapes[-1] + 1
    places = follow(np.arange(np.size(x)).reshape(np.shape(x)), path[:start])
    out = np.ascontiguousarray(out)
    entries = out.reshape(-1)[places]
    follow(entries, path[start:])[index] = v
    out.reshape(-1)[places] = entries
    return out


def _is_mask(index):
    """Return True for an array of booleans that are not known yet."""
    return isinstance(index, AbstractArray) and index.dtype.kind == "b"


def _kept(g, out, x, v, index, path):
    return set_item(g, 0.0, index=index, path=path)


def _textbook_written(g, out, x, v, index, path):
    for operation, options in path:
        g = operation(g, **options)
    chosen = getitem_at(g, index=index)
    count = np.arange(math.prod(np.shape(chosen))).reshape(np.shape(chosen))
    order = np.zeros(np.shape(g), np.int64)
    order[index] = count
    last = order[index] == count
    return chosen if np.all(last) else np.where(last, chosen, 0.0)


def _written(g, out, x, v, index, path):
    for operation, options in path:
        g = operation(g, **options)
        g = -g if operation.name == "imag" else g  # the cotangent of i·v is -Im g
    if _is_mask(index):
        return np.where(index, g, 0.0)  # one number, written wherever the mask is True
    chosen = getitem_at(g, index=index)
    if is_basic(index) or np.size(chosen) < 2:
        return chosen
    order = np.zeros_like(g, dtype=np.int64)  # of an entry that is chosen twice, the last stays
    count = np.arange(np.size(chosen)).reshape(np.shape(chosen))
    order[index] = count
    return np.where(order[index] == count, chosen, 0.0)


set_item.vjp(x=_kept, v=_written)
set_item.textbook(v=_textbook_written)
set_item.jvp(
    x=lambda t, out, x, v, index, path: set_item(t, 0.0, index=index, path=path),
    v=lambda t, out, x, v, index, path: set_item(
        np.zeros(np.shape(x), np.result_type(x)), t, index=index, path=path
    ),
)
set_item.reads_shapes = True


def _set_entries(x, v, index, path):
    """Write to the same places of each entry's array, or to its own ones."""
    size, *own = np.shape(x)
    parts = index if isinstance(index, tuple) else (index,)
    if not all(operation.moves for operation, _ in path):
        return NotImplemented  # the real part of an entry has no place of its own
    places = follow(np.arange(math.prod(own)).reshape(own), path)
    level = next(filter(None, map(level_of, parts)), None)
    rows: Any = slice(None)
    if level is None:
        places = places[index]
    else:
        if path:
            return NotImplemented
        places = _entries_at_each(np.broadcast_to(places, (size, *places.shape)), parts)
        if places is NotImplemented:
            return places
        rows = np.arange(size).reshape((size,) + (1,) * (np.ndim(places) - 1))
    shape = np.shape(places) if level is not None else (size, *np.shape(places))
    given = np.shape(v)[1:]
    given = given[max(0, len(given) - len(shape) + 1) :]  # NumPy lets go of leading axes of 1
    v = np.reshape(v, (size, *(1,) * (len(shape) - 1 - len(given)), *given))
    flat = set_item(np.reshape(x, (size, -1)), v, index=(rows, places))
    return np.reshape(flat, (size, *own))


set_item.batch(_set_entries, options=True)


def _take_entries(g, x, v, index, path):
    """Return the cotangents of x, in the memory of g, and of v."""
    c = np.array(_written(g, None, x, v, index, path))
    return _put_entries(g, 0.0, index, path), c


def _put_entries(out, new, index, path):
    """Write entries into the array itself, where its layout allows it."""
    part = follow(out, path)
    if path and not np.may_share_memory(part, out):
        return set_item(out, 0.0 if new is None else new, index=index, path=path)
    part[index] = 0.0 if new is None else new
    return out


set_item.pull_entries, set_item.push_entries = _take_entries, _put_entries


@implements()
def getitem(x, index):
    """value[index], the index copied so that nobody can change it afterwards."""
    return getitem_at(x, index=freeze_index(index))


@implements(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    """The entries at positions along an axis; of the flattened array where it is None.

    A position outside raises IndexError, unless `mode` is "clip" or "wrap".

    >>> np.take(Value([1.0, 2.0]), [1, 1])
    Value(data=[2. 2.], grad=None)
    """
    refuse_out("take", out)
    indices = as_array(indices)
    if axis is None or not np.ndim(a):
        a, axis = np.ravel(a), 0
    if mode != "raise":
        indices = positions_in("take", indices, np.shape(a)[axis], mode)
    return getitem_at(a, index=(slice(None),) * (axis % np.ndim(a)) + (freeze_index(indices),))


def as_mask(where, name, condition):
    """Return a condition as an array of booleans or numbers. Raises `ArgumentError` for others."""
    found = condition if isinstance(condition, AbstractArray) else np.asarray(numbers_of(condition))
    require_unmasked(where, name, condition)
    if found.dtype.kind not in "biuf":
        raise ArgumentError(f"{where}: {name} must be booleans, got dtype {found.dtype}")
    return found


def as_integers(where, name, x):
    """Return integers as an array. Raises `ArgumentError` for anything else, Values too."""
    found = x if isinstance(x, AbstractArray) or hasattr(x, "__apply__") else np.asarray(x)
    if hasattr(x, "__apply__") or found.dtype.kind not in "iub":
        got = "a Value" if hasattr(x, "__apply__") else f"dtype {found.dtype}"
        raise ArgumentError(f"{where}: {name} must be integers, got {got}")
    return found


def positions_in(where, indices, length, mode):
    """Return positions as NumPy's mode reads those outside: the nearest one, or around."""
    if mode not in {"clip", "wrap"}:
        raise ArgumentError(f"{where}: mode must be 'raise', 'clip' or 'wrap', got {mode!r:.60}")
    return np.clip(indices, 0, length - 1) if mode == "clip" else indices % length


@implements(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    """The entries at positions given for each line along the axis, as argsort gives them.

    `arr` and `indices` have equal numbers of axes, and broadcast along the others.

    >>> np.take_along_axis(Value([3.0, 1.0]), np.array([1, 0]), axis=0)
    Value(data=[1. 3.], grad=None)
    """
    if axis is None:
        arr, axis = np.ravel(arr), 0
    indices, axes = as_array(indices), np.ndim(arr)
    if np.ndim(indices) != axes:
        raise ShapeError(
            f"take_along_axis: indices must have as many axes as arr, {axes}, got "
            f"{np.ndim(indices)}; add them with np.expand_dims"
        )
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"take_along_axis: indices must be integers, got dtype {indices.dtype}")
    if not -axes <= axis < axes:
        raise ArgumentError(
            f"take_along_axis: axis must be from {-axes} to {axes - 1}, got {axis!r:.60}"
        )
    index = list(np.ix_(*map(np.arange, np.shape(arr))))
    index[axis] = freeze_index(indices)
    return getitem_at(arr, index=tuple(index))


@implements(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None, descending=None):
    """The entries in rising order along the axis; each derivative follows its entry.

    In falling order with `descending`, which NumPy has since version 2.5; nan is last in both.

    >>> np.sort(Value([3.0, 1.0]))
    Value(data=[1. 3.], grad=None)
    """
    if order is not None:
        raise ArgumentError("sort: order must be None, since a Value has no fields")
    np.sort(np.empty(0), kind=kind, stable=stable)  # which refuses unknown kinds
    a = as_input("sort", "a", a, allow_complex=True)
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis_index(axis, np.ndim(a))
    found = falling_order if descending else stable_order
    return take_along_axis(a, found(numbers_of(a), axis), axis)


def falling_order(numbers, axis):
    """Return the positions of a stable sort in falling order, nan last."""
    if numbers.dtype.kind in "fc":
        return stable_order(-numbers, axis)
    # -x overflows for some integers, but they have no nan that would have to stay last
    backward = stable_order(np.flip(numbers, axis), axis)
    return np.shape(numbers)[axis] - 1 - np.flip(backward, axis)


def stable_order(numbers, axis):
    """Return the positions of a stable sort: where no entries are equal, any sort gives them."""
    if isinstance(numbers, AbstractArray) or numbers.ndim == 0:
        return np.argsort(numbers, axis=axis, kind="stable")
    found = np.argsort(numbers, axis=axis)  # NumPy's default is some five times as fast
    line = np.moveaxis(np.take_along_axis(numbers, found, axis), axis, -1)
    rises = np.all(line[..., 1:] > line[..., :-1])
    return found if rises else np.argsort(numbers, axis=axis, kind="stable")
