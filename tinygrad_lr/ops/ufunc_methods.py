"""The methods of NumPy's ufuncs on Values: outer, reduce, accumulate, reduceat, and its options."""

import functools

import numpy as np

from ..core.numpy_dispatch import REDUCTIONS, UFUNC_METHODS
from ..core.primitive import NUMPY_IMPLS
from ..errors import ArgumentError, NotDifferentiableError
from ..support.indexing import freeze_index
from ..support.validation import as_input
from .activation import logsumexp
from .assignment import add_at, require_value
from .differences import cumprod
from .index import put_at, take_along_axis
from .reduce import cumsum, refuse_out
from .shape import cast


def ufunc_method(method):
    """Register a function as a method of ufuncs on Values."""

    def decorate(function):
        UFUNC_METHODS[method] = function
        return function

    return decorate


def _require_two(ufunc, method):
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature:
        raise ArgumentError(f"np.{ufunc.__name__}.{method}: the ufunc must have two operands")


def _as_line(ufunc, method, array, axis, dtype, out):
    """Return the array with the axis as its first."""
    _require_two(ufunc, method)
    refuse_out(f"{ufunc.__name__}.{method}", out)
    array = as_input(f"{ufunc.__name__}.{method}", "array", array)
    array = array if dtype is None else cast(array, dtype=np.dtype(dtype).name)
    return np.moveaxis(array, axis, np.arange(np.size(axis)) if isinstance(axis, list) else 0)


@ufunc_method("__call__")
def call(ufunc, *inputs, where=True, dtype=None, casting="same_kind", order="K", subok=True):
    """The ufunc with options: the dtype it computes in."""
    if where is not True:
        raise NotDifferentiableError(
            f"np.{ufunc.__name__}: where= leaves entries without a number; write "
            f"np.where(mask, np.{ufunc.__name__}(...), other)"
        )
    if dtype is not None:
        inputs = tuple(cast(x, dtype=np.dtype(dtype).name) for x in inputs)
    return NUMPY_IMPLS[ufunc](*inputs)


@ufunc_method("outer")
def outer(ufunc, a, b, /, **options):
    """The ufunc of each entry of a with each entry of b."""
    _require_two(ufunc, "outer")
    a, b = (as_input(f"{ufunc.__name__}.outer", n, x) for n, x in {"a": a, "b": b}.items())
    spread = np.reshape(a, np.shape(a) + (1,) * np.ndim(b))
    return call(ufunc, spread, b, **options)


@ufunc_method("reduce")
def reduce(ufunc, array, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
    """The ufunc of all entries along the axis, from the first to the last."""
    name = f"np.{ufunc.__name__}.reduce"
    if where is not True:
        raise ArgumentError(f"{name}: where must be True; replace the entries by np.where")
    if ufunc is np.logaddexp and initial is None:
        refuse_out(name, out)
        array = array if dtype is None else cast(array, dtype=np.dtype(dtype).name)
        return logsumexp(array, axis=axis, keepdims=keepdims)
    ndim = np.ndim(array)
    axes = sorted(
        np.lib.array_utils.normalize_axis_tuple(range(ndim) if axis is None else axis, ndim)
    )
    if len(axes) > 1 and ufunc not in COMMUTATIVE:
        raise ArgumentError(f"{name}: axis must be one axis, got {axis!r:.60}")
    lines = _as_line(ufunc, "reduce", array, axes, dtype, out) if axes else array
    for _ in axes:
        count = np.shape(lines)[0]
        start = [] if initial is None else [initial]
        if not count and not start:
            if ufunc.identity is None:
                raise ArgumentError(f"{name}: array must not be empty along the axis")
            start = [np.full(np.shape(lines)[1:], ufunc.identity, lines.dtype)]
        lines = functools.reduce(ufunc, [*start, *(lines[i] for i in range(count))])
        initial = None
    shape = [1 if i in axes else n for i, n in enumerate(np.shape(array))]
    return np.reshape(lines, tuple(shape)) if keepdims else lines


COMMUTATIVE = {np.logaddexp, np.logaddexp2, np.fmax, np.fmin, np.hypot}
"""Ufuncs of two operands that reduce several axes, besides those of `REDUCTIONS`."""


def _last_extreme(compare, lines):
    """Return for each entry where the extreme up to it is: the last of equal ones."""
    ufunc = np.maximum if compare is np.greater else np.minimum
    numbers = np.moveaxis(lines, 0, -1)
    numbers = numbers.data if hasattr(numbers, "__apply__") else numbers
    best = ufunc.accumulate(numbers, axis=-1)
    places = np.where((numbers == best) | np.isnan(numbers), np.arange(np.shape(numbers)[-1]), 0)
    return np.moveaxis(np.maximum.accumulate(places, axis=-1), -1, 0)


@ufunc_method("accumulate")
def accumulate(ufunc, array, axis=0, dtype=None, out=None):
    """The ufunc of all entries up to each one.

    The derivative of a running maximum or minimum goes to the last of equal entries.
    """
    if ufunc in {np.add, np.multiply}:
        return (cumsum if ufunc is np.add else cumprod)(array, axis, dtype, out)
    lines = _as_line(ufunc, "accumulate", array, axis, dtype, out)
    if not np.shape(lines)[0]:
        return array
    if ufunc in {np.maximum, np.minimum}:
        compare = np.greater if ufunc is np.maximum else np.less
        found = take_along_axis(lines, _last_extreme(compare, lines), 0)
    else:
        parts = [lines[0]]
        for i in range(1, np.shape(lines)[0]):
            parts.append(ufunc(parts[-1], lines[i]))
        found = np.stack(parts)
    return np.moveaxis(found, 0, axis)


@ufunc_method("reduceat")
def reduceat(ufunc, array, indices, axis=0, dtype=None, out=None):
    """The ufunc of the entries from each index to the next, of the last to the end.

    Where the next index isn't larger, it is the entry at the index.
    """
    lines = _as_line(ufunc, "reduceat", array, axis, dtype, out)
    starts, length = np.atleast_1d(freeze_index(indices)), np.shape(lines)[0]
    if starts.dtype.kind not in "iu" or starts.ndim != 1:
        raise ArgumentError(f"np.{ufunc.__name__}.reduceat: indices must be integers on one axis")
    if np.any((starts < 0) | (starts >= length)):
        raise ArgumentError(
            f"np.{ufunc.__name__}.reduceat: indices must be from 0 to {length - 1}, got "
            f"{starts!r:.60}"
        )
    ends = np.maximum(np.append(starts[1:], length), starts + 1)
    if ufunc is np.add:
        places = np.concatenate([np.arange(*pair) for pair in zip(starts, ends, strict=True)])
        target = np.repeat(np.arange(len(starts)), ends - starts)
        found = put_at(lines[places], index=target, shape=(len(starts), *np.shape(lines)[1:]))
    else:
        one = (
            NUMPY_IMPLS[REDUCTIONS[ufunc]]
            if ufunc in REDUCTIONS
            else functools.partial(reduce, ufunc)
        )
        parts = [one(lines[i:j], axis=0) for i, j in zip(starts, ends, strict=True)]
        found = np.stack(parts)
    return np.moveaxis(found, 0, axis)


@ufunc_method("at")
def at(ufunc, a, indices, b=None, /):
    """Apply a ufunc to the entries that an index chooses, and write the results there.

    An entry that is chosen twice is changed twice: for sums and differences alone.
    """
    if ufunc in {np.add, np.subtract}:
        add_at(a, indices, b if ufunc is np.add else np.multiply(b, -1))
        return
    where = f"np.{ufunc.__name__}.at"
    places = np.arange(np.size(a)).reshape(np.shape(a))[indices]
    if np.unique(places).size < np.size(places):
        raise NotDifferentiableError(
            f"{where}: the index must choose no entry twice, since only np.add.at and "
            "np.subtract.at add up; write a loop"
        )
    a = require_value(where, a)
    part = a[indices]
    a[indices] = ufunc(part) if b is None else ufunc(part, b)
