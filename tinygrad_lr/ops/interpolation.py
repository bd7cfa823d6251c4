"""Numbers between others: linear interpolation, and evenly spaced points."""

import numpy as np

from ..core.primitive import implements, is_complex, numbers_of
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import check_numbers, take_rows
from ..support.validation import as_input, check_integer, require_memory
from .shape import astype, cast


@implements(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """The straight lines through the points (xp, fp) at x; fp at the ends outside, or left, right.

    It has derivatives with respect to x, xp and fp, and left and right. At a point between two
    lines, that of x is the slope to its right.

    >>> np.interp(Value(1.5), [1.0, 2.0], [10.0, 20.0])
    Value(data=15.0, grad=None)
    """
    x, xp = _as_float64("interp", "x", x), _as_float64("interp", "xp", xp)
    fp = as_input("interp", "fp", fp, allow_complex=True)
    fp = cast(fp, dtype="complex128" if is_complex(fp) else "float64")
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp) or not np.size(xp):
        raise ShapeError(
            "interp: xp and fp must have one axis and the same length, 1 or more, got shapes "
            f"{np.shape(xp)} and {np.shape(fp)}"
        )
    if period is not None:
        x, xp = np.remainder(x, abs(period)), np.remainder(xp, abs(period))
        order = np.argsort(xp)
        xp, fp = _read(xp, order), _read(fp, order)
        xp = np.concatenate([xp[-1:] - abs(period), xp, xp[:1] + abs(period)])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    last = np.shape(xp)[0] - 1
    start = np.clip(
        np.searchsorted(numbers_of(xp), numbers_of(x), "right") - 1, 0, max(last - 1, 0)
    )
    end = np.minimum(start + 1, last)
    origin, value = _read(xp, start), _read(fp, start)
    width = _read(xp, end) - origin
    slope = (_read(fp, end) - value) / np.where(width == 0, 1.0, width)
    found = slope * (x - origin) + value
    found = np.where(x < xp[0], fp[0] if left is None else left, found)
    return np.where(x > xp[-1], fp[-1] if right is None else right, found)


def _as_float64(where, name, x):
    x = as_input(where, name, x)
    return x if x.dtype == np.float64 else astype(x, np.float64)


def _read(table, index):
    """Return the entries at positions, which may be traced where the table is a plain array."""
    return table[index] if hasattr(table, "__apply__") else take_rows(table, index)


@implements(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """Evenly spaced numbers from start to stop, as a new axis.

    >>> np.linspace(Value(1.0), 2.0, 3)
    Value(data=[1.  1.5 2. ], grad=None)
    """
    num = check_integer("linspace", "num", num)
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop))
    require_memory("linspace", "the result", (num, *shape))
    parts = num - 1 if endpoint else num
    steps = np.reshape(np.arange(num), (num,) + (1,) * len(shape))
    steps = steps.astype(np.result_type(numbers_of(start), numbers_of(stop), 1.0))
    step = (stop - start) / parts if parts > 0 else np.nan * (stop - start)
    found = start + steps * (step if parts > 0 else 0.0)
    if endpoint and num > 1:
        found = np.concatenate([found[:-1], np.broadcast_to(stop, (1, *shape))])
    found = np.moveaxis(found, 0, axis) if axis else found
    found = found if dtype is None else astype(found, dtype)
    return (found, step) if retstep else found


@implements(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """The powers base^x of evenly spaced x from start to stop.

    >>> np.logspace(Value(0.0), 2.0, 3)
    Value(data=[  1.  10. 100.], grad=None)
    """
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
    ends = (np.broadcast_to(x, shape) if shape else x for x in (start, stop))
    exponents = linspace(*ends, num, endpoint, axis=axis)
    base = np.expand_dims(base, axis) if np.ndim(base) else base
    found = np.power(base, exponents)
    return found if dtype is None else astype(found, dtype)


def _require_positive(product):
    if np.any(product <= 0):
        raise ArgumentError(
            "geomspace: start and stop must have the same sign and not be 0; complex ones are not "
            "supported"
        )


@implements(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """Numbers from start to stop with the same quotient, both positive or both negative.

    >>> np.geomspace(Value(1.0), 100.0, 3)
    Value(data=[  1.  10. 100.], grad=None)
    """
    start, stop = (
        _as_float64("geomspace", n, x) for n, x in {"start": start, "stop": stop}.items()
    )
    check_numbers(numbers_of(start) * numbers_of(stop), _require_positive)
    ratio = linspace(0.0 * start, np.log10(stop / start), num, endpoint)
    found = start * 10.0**ratio
    if endpoint and num > 1:
        found = np.concatenate([found[:-1], np.broadcast_to(stop, np.shape(found[-1:]))])
    found = np.moveaxis(found, 0, axis) if axis else found
    return found if dtype is None else astype(found, dtype)
