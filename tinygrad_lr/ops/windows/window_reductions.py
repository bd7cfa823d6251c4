"""Reductions of the windows of the last axes: their sum, and their largest entry."""

import numpy as np

from ...core.primitive import primitive, where_true
from ...support.abstract_array import AbstractArray
from . import unrolled
from .geometry import sliding_windows
from .sliding import window_counts, window_entries

CHOSEN = np.arange(8).reshape(2, 4) % 3 > 0
CHOSEN_IN_PLANES = np.arange(24).reshape(2, 2, 2, 3, 1) % 5 > 1
LINE = {"size": (2,), "stride": (1,), "dilation": (1,)}
PLANE = {"size": (2, 2), "stride": (2, 1), "dilation": (1, 2)}


def apply_mask(x, mask, entry):
    """The entries of x where the mask of that place in a window holds, else 0."""
    return x if mask is None else where_true(mask[entry], x)


def are_apart(length, size, stride, dilation):
    """Return True if no entry is in two windows, and True if each is in one."""
    apart = set(dilation) <= {1} and all(k <= s for k, s in zip(size, stride, strict=True))
    full = all(k == s and not n % s for n, k, s in zip(length, size, stride, strict=True))
    return apart, apart and full


@primitive(
    latex=r"\operatorname{windowsum}\left(<x>\right)",
    kind="linear",
    examples=[
        ((2, 5), LINE),
        ((5,), {**LINE, "mask": CHOSEN}),
        ((2, 6, 3), {**PLANE, "mask": CHOSEN_IN_PLANES}),
    ],
)
def window_sum(x, size=(), stride=(), dilation=(), mask=None):
    """The sum of each window's entries, or of those where the mask holds.

    Shapes: x (..., L1, L2) with size (k1, k2) and a mask (k1, k2, ..., n1, n2) gives
    (..., n1, n2), with as many windows as `sliding_windows`.

    >>> tg.ops.window_sum(np.array([1.0, 2.0, 3.0]), size=(2,), stride=(1,), dilation=(1,))
    array([3., 5.])
    """
    counts = window_counts(x.shape[-len(size) :], size, stride, dilation)
    out = np.zeros_like(x, shape=x.shape[: -len(size)] + counts)
    for entry, place in window_entries(size, stride, dilation, counts):
        part = apply_mask(x[(..., *place)], mask, entry)
        if isinstance(mask, AbstractArray):  # the result is traced, and out may not be
            out = out + part
        else:
            out += part
    return out


@primitive(
    latex=r"\operatorname{windowspread}\left(<x>; <length>\right)",
    kind="linear",
    examples=[
        ((2, 4), {**LINE, "length": (5,)}),
        ((4,), {**LINE, "length": (5,), "mask": CHOSEN}),
        ((2, 3, 1), {**PLANE, "length": (6, 3), "mask": CHOSEN_IN_PLANES}),
    ],
    whole=unrolled.window_spread,
)
def window_spread(x, length=(), size=(), stride=(), dilation=(), mask=None):
    """Each entry added to all places of its window, or where the mask holds: sums transposed.

    Shapes: x (..., n1, n2) gives (..., *length).

    >>> tg.ops.window_spread(np.ones(2), (3,), size=(2,), stride=(1,), dilation=(1,))
    array([1., 2., 1.])
    """
    counts = x.shape[-len(size) :]
    apart, full = are_apart(length, size, stride, dilation)
    make = np.empty_like if full else np.zeros_like
    out = make(x, shape=x.shape[: -len(size)] + tuple(length))
    for entry, place in window_entries(size, stride, dilation, counts):
        if apart:
            out[(..., *place)] = apply_mask(x, mask, entry)
        else:
            out[(..., *place)] += apply_mask(x, mask, entry)
    return out


def _batch_with_mask(operation):
    def rule(x, size, mask, **options):
        level = getattr(mask, "level", None)
        if level is not None:
            mask = np.moveaxis(level.expanded(mask), 0, len(size))
        elif mask is not None:
            mask = np.expand_dims(mask, len(size))
        return operation(x, size=size, mask=mask, **options)

    operation.batch(rule, options=True)


_batch_with_mask(window_sum)
_batch_with_mask(window_spread)
window_sum.vjp(
    x=lambda g, out, x, size, stride, dilation, mask: window_spread(
        g, np.shape(x)[-len(size) :], size, stride, dilation, mask
    )
)
window_spread.vjp(
    x=lambda g, out, x, length, size, stride, dilation, mask: window_sum(
        g, size, stride, dilation, mask
    )
)


def _winner(x, size, stride, dilation):
    """The place in each window of its largest entry, in flat order."""
    windows = sliding_windows.forward(x, size, stride, dilation)
    return np.argmax(np.reshape(windows, (-1, *windows.shape[len(size) :])), axis=0)


@primitive(
    latex=r"\operatorname{windowmax}\left(<x>\right)",
    selects=True,
    kinked=_winner,
    examples=[
        ((5,), LINE),
        ((2, 7), {"size": (3,), "stride": (2,), "dilation": (2,)}),
        ((2, 2, 4, 4), {"size": (2, 2), "stride": (2, 2), "dilation": (1, 1)}),
    ],
)
def window_max(x, size=(), stride=(), dilation=()):
    """The largest entry of each window over the last axes. Equal ones share the derivative.

    Shapes: as `window_sum`. A window with a nan gives nan.

    >>> tg.ops.window_max(Value([1.0, 3.0, 2.0, 0.0]), size=(2,), stride=(2,), dilation=(1,))
    Value(data=[3. 2.], grad=None)
    """
    counts = window_counts(x.shape[-len(size) :], size, stride, dilation)
    parts = (x[(..., *place)] for _, place in window_entries(size, stride, dilation, counts))
    out = next(parts).copy(order="K")
    for part in parts:
        np.maximum(out, part, out=out)
    return out


def _largest(x, out, geometry):
    """Return a mask of the entries equal to the largest of each window, and their number."""
    inside = sliding_windows(x, **geometry)
    largest, unknown = inside == out, out != out  # noqa: PLR0124
    if isinstance(unknown, AbstractArray) or unknown.any():
        largest = largest | (inside != inside)  # noqa: PLR0124
    first, *others = np.ndindex(geometry["size"])
    short = len(others) < 255 and not isinstance(largest, AbstractArray)
    several = largest[first].astype(np.uint8 if short else np.int32)
    for entry in others:
        several += largest[entry]
    if short and several.max(initial=1) == 1:
        return largest, 1.0
    return largest, several.astype(out.dtype)


def _max_rule(g, out, x, **geometry):
    largest, several = _largest(x, out, geometry)
    length = np.shape(x)[-len(geometry["size"]) :]
    return window_spread(g / several, length=length, mask=largest, **geometry)


def _max_tangent(t, out, x, **geometry):
    largest, several = _largest(x, out, geometry)
    return window_sum(t, mask=largest, **geometry) / several


window_max.batch(window_max)
window_max.vjp(x=_max_rule)
window_max.jvp(x=_max_tangent)
