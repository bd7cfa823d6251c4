"""Windows that slide over the last axes, as pooling and convolution read them, and their transpose.

A window of `size` entries on each spatial axis takes every `dilation`-th entry, and moves on by
`stride`. On an axis of length L there are 1 + (L - dilation·(size - 1) - 1) // stride of them.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ...core.primitive import primitive
from . import unrolled
from .sliding import window_entries

SHAPES = [
    ((5,), {"size": (2,), "stride": (1,), "dilation": (1,)}),
    ((2, 6), {"size": (3,), "stride": (1,), "dilation": (2,)}),
    ((2, 3, 4), {"size": (2, 1), "stride": (1, 3), "dilation": (1, 1)}),
]


def window_view(x, first, size, stride, dilation):
    """A read-only view of an array's windows; spatial axes begin at `first`, size axes go last."""
    axes = tuple(range(first, first + len(size)))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    view = sliding_window_view(x, spans, axes)
    steps = [slice(None, None, s) for s in stride]
    entries = [slice(None, None, d) for d in dilation]
    return view[(slice(None),) * first + (*steps, ..., *entries)]


@primitive(
    latex=r"\operatorname{windows}\left(<x>\right)",
    kind="linear",
    examples=SHAPES,
    whole=unrolled.sliding_windows,
)
def sliding_windows(x, size=(), stride=(), dilation=()):
    """The windows of x over its last len(size) axes; the places in a window come first.

    Shapes: x (..., L1, L2) with size (k1, k2) gives (k1, k2, ..., windows along L1, along L2). So
    what is done to each window is a reduction over the first axes: their mean is average pooling.
    Raises `ArgumentError` where a window is longer than its axis.

    >>> tg.ops.sliding_windows(Value([1.0, 2.0, 3.0]), size=(2,), stride=(1,), dilation=(1,))
    Value(data=[[1. 2.]
     [2. 3.]], grad=None)
    """
    first = x.ndim - len(size)
    view = window_view(x, first, size, stride, dilation)
    return view.transpose(*range(x.ndim, view.ndim), *range(x.ndim))


@primitive(
    latex=r"\operatorname{overlap}\left(<x>; <length>\right)",
    kind="linear",
    examples=[
        ((2, 4), {"length": (5,), "stride": (1,), "dilation": (1,)}),
        ((3, 2, 2), {"length": (8,), "stride": (2,), "dilation": (2,)}),
        ((2, 1, 2, 2, 2), {"length": (3, 4), "stride": (1, 3), "dilation": (1, 1)}),
    ],
    whole=True,
)
def overlap_add(x, length=(), stride=(), dilation=()):
    """The windows put back where they were read, added up where they overlap: its transpose.

    Shapes: x (k1, k2, ..., n1, n2) gives (..., *length).

    >>> tg.ops.overlap_add(np.ones((2, 2)), length=(3,), stride=(1,), dilation=(1,))
    array([1., 2., 1.])
    """
    axes = len(length)
    size, counts = x.shape[:axes], x.shape[-axes:]
    some = x[(0,) * axes]
    out = np.zeros_like(some, shape=some.shape[:-axes] + tuple(length))  # in the layout of x
    for entry, place in window_entries(size, stride, dilation, counts):
        out[(..., *place)] += x[entry]
    return out


def _windows_rule(g, out, x, size, stride, dilation):
    length = np.shape(x)[-len(size) :]
    return overlap_add(g, length=length, stride=stride, dilation=dilation)


def _overlap_rule(g, out, x, length, stride, dilation):
    return sliding_windows(g, size=np.shape(x)[: len(length)], stride=stride, dilation=dilation)


sliding_windows.batch(
    lambda x, size, **steps: np.moveaxis(sliding_windows(x, size, **steps), len(size), 0)
)
overlap_add.batch(
    lambda x, length, **steps: overlap_add(np.moveaxis(x, 0, len(length)), length, **steps)
)
sliding_windows.vjp(x=_windows_rule)
overlap_add.vjp(x=_overlap_rule)
