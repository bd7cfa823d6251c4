"""Pooling as users call it, over the last one or two axes of (N, C, L) and (N, C, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.primitive import implements
from ...errors import ArgumentError
from ...support.validation import require_memory
from ..arrangement import pad_constant
from .sliding import as_floats, geometry, integers_by_axis, require_room, require_shape
from .window_reductions import window_max, window_sum


def pool_geometry(
    where: str, axes: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """As `geometry`, but no window may lie in the padding alone."""
    found = geometry(where, axes, kernel_size, stride, padding, dilation)
    if any(2 * max(p) > k for p, k in zip(found["padding"], found["size"], strict=True)):
        half = tuple(k // 2 for k in found["size"])
        raise ArgumentError(
            f"{where}: padding must be at most half of kernel_size, {half}, got {found['padding']}"
        )
    return found


def add_border(where, x, axes, fill, size, stride, padding, dilation):
    """x with its padding, and how its windows slide."""
    x = as_floats(where, "x", x)
    require_shape(where, np.shape(x), axes)
    require_room(where, np.shape(x), size, padding, dilation)
    if any(map(any, padding)):  # with the batch last in memory: see `convolution`
        widths = ((0, 0), *padding, (0, 0))
        x = np.moveaxis(pad_constant(np.moveaxis(x, 0, -1), widths=widths, fill=fill), -1, 0)
    return x, {"size": size, "stride": stride, "dilation": dilation}


def max_pool(
    where: str,
    axes: int,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
) -> Any:
    """The largest entry of each window; what padding adds is smaller than every number."""
    found = pool_geometry(where, axes, kernel_size, stride, padding, dilation)
    x, steps = add_border(where, x, axes, -np.inf, **found)
    return window_max(x, **steps)


def average_pool(
    where: str,
    axes: int,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    count_include_pad: bool = True,
) -> Any:
    """The mean of each window; `count_include_pad` counts the zeros of the padding."""
    x, found = as_floats(where, "x", x), pool_geometry(where, axes, kernel_size, stride, padding, 1)
    inside, steps = add_border(where, x, axes, 0.0, **found)
    total = window_sum(inside, **steps)
    if count_include_pad or inside is x:
        return total / float(np.prod(found["size"]))
    ones = pad_constant.forward(np.ones(np.shape(x)[2:]), widths=found["padding"])
    return total / window_sum.forward(ones, **steps).astype(total.dtype)


def adaptive_average_pool(where: str, axes: int, x: Any, output_size: Any) -> Any:
    """Means of as many parts of each axis as are asked for: part i of n covers the entries from
    ⌊i·L/n⌋ to ⌈(i + 1)·L/n⌉.
    """
    x = as_floats(where, "x", x)
    shape = np.shape(x)
    require_shape(where, shape, axes)
    asked = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    filled = tuple(
        n if k is None else k for n, k in zip(shape[2:], asked, strict=False)
    )  # None leaves the length as it is
    counts = integers_by_axis(where, "output_size", filled if len(asked) == axes else asked, axes)
    if all(n % k == 0 and n for n, k in zip(shape[2:], counts, strict=True)):
        size = tuple(n // k for n, k in zip(shape[2:], counts, strict=True))
        return average_pool(where, axes, x, size)
    require_memory(where, "the result", (*shape[:2], *counts))
    for axis, count in enumerate(counts, 2):
        x = means_of_parts(x, axis, count)
    return x


def means_of_parts(x, axis, count):
    """The means of overlapping parts of an axis, each of which has its own length."""
    length, part = np.shape(x)[axis], np.arange(count)
    begin, end = part * length // count, -(-(part + 1) * length // count)
    longest = int((end - begin).max())
    entries = begin[:, None] + np.arange(longest)  # (count, longest)
    within = entries < end[:, None]
    last = np.moveaxis(x, axis, -1)[..., np.minimum(entries, length - 1)]
    dtype = last.dtype
    means = np.sum(np.where(within, last, 0.0), axis=-1) / (end - begin).astype(dtype)
    return np.moveaxis(means, -1, axis)


@implements()
def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1):
    """The largest entry of each window of (N, C, L): `max_pool2d` with one spatial axis.

    >>> tg.ops.max_pool1d(Value([[[1.0, 3.0, 2.0, 0.0]]]), 2).tolist()
    [[[3.0, 2.0]]]
    """
    return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation)


@implements()
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1):
    """The largest entry of each window of (N, C, H, W); equal ones share the derivative.

    The windows lie side by side where no stride is given. Sizes are a number or one for each
    axis. Raises `ShapeError` for an x of another shape, or shorter than a window, and
    `ArgumentError` for other sizes or a padding of more than half a window.

    Source: `torch.nn.functional.max_pool2d`, which gives the derivative to the first of equals.

    >>> tg.ops.max_pool2d(Value(np.arange(16.0).reshape(1, 1, 4, 4)), 2)[0, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation)


@implements()
def avg_pool1d(x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """The mean of each window of (N, C, L): `avg_pool2d` with one spatial axis.

    >>> tg.ops.avg_pool1d(Value([[[1.0, 3.0, 2.0, 0.0]]]), 2).tolist()
    [[[2.0, 1.0]]]
    """
    return average_pool("avg_pool1d", 1, x, kernel_size, stride, padding, count_include_pad)


@implements()
def avg_pool2d(x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """The mean of each window of (N, C, H, W); errors are those of `max_pool2d`.

    The zeros that padding adds are counted, unless `count_include_pad` is False.

    Source: `torch.nn.functional.avg_pool2d`.

    >>> tg.ops.avg_pool2d(Value(np.arange(16.0).reshape(1, 1, 4, 4)), 2)[0, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    return average_pool("avg_pool2d", 2, x, kernel_size, stride, padding, count_include_pad)


@implements()
def adaptive_avg_pool1d(x, output_size):
    """The means of `output_size` parts of the last axis of (N, C, L): see `adaptive_avg_pool2d`.

    >>> tg.ops.adaptive_avg_pool1d(Value([[[1.0, 3.0, 8.0]]]), 2).tolist()
    [[[2.0, 5.5]]]
    """
    return adaptive_average_pool("adaptive_avg_pool1d", 1, x, output_size)


@implements()
def adaptive_avg_pool2d(x, output_size):
    """The means of `output_size` parts of each image of (N, C, H, W), whatever its size.

    Part i of n of an axis of length L covers the entries from ⌊i·L/n⌋ to ⌈(i + 1)·L/n⌉: parts
    overlap where n does not divide L. One number is used for both axes; None leaves an axis as it
    is. Raises `ShapeError` and `ArgumentError` as `avg_pool2d`.

    Source: `torch.nn.functional.adaptive_avg_pool2d`.

    >>> tg.ops.adaptive_avg_pool2d(Value(np.arange(16.0).reshape(1, 1, 4, 4)), 1).tolist()
    [[[[7.5]]]]
    """
    return adaptive_average_pool("adaptive_avg_pool2d", 2, x, output_size)
