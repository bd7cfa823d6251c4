"""Choosing entries by conditions, and functions applied along axes."""

import functools

import numpy as np

from ..core.primitive import implements
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import check_numbers
from ..support.validation import as_input, check_callable, check_instance
from .index import as_integers, as_mask, positions_in, put_at, take
from .reduce import refuse_out


@implements(np.select)
def select(condlist, choicelist, default=0):
    """The choice of the first condition that holds, entry by entry, or the default.

    >>> x = Value([1.0, 2.0, 3.0])
    >>> np.select([x < 1.5, x > 2.5], [x, x**2])
    Value(data=[1. 0. 9.], grad=None)
    """
    condlist, choicelist = list(condlist), list(choicelist)
    if len(condlist) != len(choicelist) or not condlist:
        raise ArgumentError(
            "select: condlist and choicelist must have the same length, 1 or more, got "
            f"{len(condlist)} and {len(choicelist)}"
        )
    found = default
    conditions = [as_mask("select", "a condition", x) for x in condlist]
    for condition, choice in zip(conditions[::-1], choicelist[::-1], strict=True):
        if condition.dtype.kind != "b":
            raise ArgumentError(f"select: conditions must be booleans, got {condition.dtype}")
        found = np.where(condition, choice, found)
    return found


@implements(np.piecewise)
def by_pieces(x, condlist, funclist, *args, **kw):
    """Functions of the entries for which their condition holds; the last of several wins.

    A function takes these entries alone, along one axis; a number stands for itself. One more
    function than conditions is for the entries for which none holds, else they are 0.

    >>> x = Value([-2.0, 3.0])
    >>> np.piecewise(x, [x < 0, x >= 0], [lambda x: x**2, 5.0])
    Value(data=[4. 5.], grad=None)
    """
    x = as_input("piecewise", "x", x)
    shape = np.shape(x)
    single = not isinstance(condlist, (list, tuple)) or (not np.ndim(condlist[0]) and shape)
    condlist = [condlist] if single else condlist
    conditions = [as_mask("piecewise", "a condition", c).astype(bool) for c in condlist]
    check_instance("piecewise", "funclist", funclist, (list, tuple), "a list")
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    if len(funclist) != len(conditions):
        raise ArgumentError(
            f"piecewise: funclist must have {len(conditions)} functions, or one more, got "
            f"{len(funclist)}"
        )
    taken, out = np.zeros(shape, bool), np.zeros(shape, x.dtype)
    for condition, function in zip(conditions[::-1], funclist[::-1], strict=True):
        mask = np.broadcast_to(condition, shape) & ~taken
        taken = taken | mask
        if not callable(function):
            out = np.where(mask, function, out)
        elif np.any(mask):
            entries = function(x[mask], *args, **kw)
            spread = np.broadcast_to(entries, (int(np.sum(mask)),))
            out = out + put_at(spread, index=mask, shape=shape)
    return out


@implements(np.choose)
def choose(a, choices, out=None, mode="raise"):
    """The entry of the choice with the number a, entry by entry.

    >>> np.choose([1, 0], [Value([1.0, 2.0]), Value([3.0, 4.0])])
    Value(data=[3. 2.], grad=None)
    """
    refuse_out("choose", out)
    a, count = as_integers("choose", "a", a), len(choices)
    if mode == "raise":
        check_numbers(a, functools.partial(_require_choice, count))
    else:
        a = positions_in("choose", a, count, mode)
    found = np.copy(choices[0])
    for i in range(1, count):
        found = np.where(a == i, choices[i], found)
    shape = np.broadcast_shapes(np.shape(a), *map(np.shape, choices))
    return found if np.shape(found) == shape else np.copy(np.broadcast_to(found, shape))


def _require_choice(count, numbers):
    if np.any((numbers < 0) | (numbers >= count)):
        raise ArgumentError(f"choose: a must be from 0 to {count - 1}, got {numbers!r:.60}")


@implements(np.compress)
def compress(condition, a, axis=None, out=None):
    """The parts along the axis for which the condition holds; of the flattened array for None.

    >>> np.compress([True, False], Value([1.0, 2.0]))
    Value(data=[1.], grad=None)
    """
    refuse_out("compress", out)
    return take(a, np.flatnonzero(as_mask("compress", "condition", condition)), axis)


@implements(np.extract)
def extract(condition, arr):
    """The entries for which the condition holds, along one axis.

    >>> np.extract(np.array([True, False]), Value([1.0, 2.0]))
    Value(data=[1.], grad=None)
    """
    return np.ravel(arr)[np.flatnonzero(as_mask("extract", "condition", condition))]


@implements(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """A function of one-dimensional arrays applied to each line along the axis.

    >>> np.apply_along_axis(lambda x: x * x[0], 1, Value([[2.0, 3.0]]))
    Value(data=[[4. 6.]], grad=None)
    """
    check_callable("apply_along_axis", "func1d", func1d)
    lines = np.moveaxis(arr, axis, -1)
    lead = np.shape(lines)[:-1]
    if 0 in lead:
        raise ShapeError(f"apply_along_axis: arr must have entries, got shape {np.shape(arr)}")
    found = [func1d(lines[i], *args, **kwargs) for i in np.ndindex(lead)]
    inner = np.shape(found[0])
    out = np.reshape(np.stack(found), (*lead, *inner))
    own = tuple(range(len(lead), len(lead) + len(inner)))
    return np.moveaxis(out, own, tuple(i + axis % np.ndim(arr) for i in range(len(inner))))


@implements(np.apply_over_axes)
def apply_over_axes(func, a, axes):
    """A function of an array and an axis applied for one axis after the other.

    >>> np.apply_over_axes(np.sum, Value([[1.0, 2.0]]), [0, 1])
    Value(data=[[3.]], grad=None)
    """
    ndim = np.ndim(a)
    for axis in np.lib.array_utils.normalize_axis_tuple(axes, ndim, allow_duplicate=True):
        found = func(a, axis)
        a = found if np.ndim(found) == ndim else np.expand_dims(found, axis)
        if np.ndim(a) != ndim:
            raise ShapeError(
                "apply_over_axes: func must return an array with as many axes, or one "
                f"less, got {np.ndim(found)}"
            )
    return a
