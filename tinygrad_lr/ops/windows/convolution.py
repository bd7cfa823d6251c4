"""Convolution over any number of axes: three products that are each other's derivatives.

With the sum T(x, w, g) = Σ g · (x ⋆ w), `cross_correlation`, `cross_correlation_transposed` and
`cross_correlation_kernel` are its derivatives with respect to g, x and w; so the derivatives of all
three, of every order, are among them.

The batch goes to the last axis of memory: then windows that lie beside each other are runs of
entries that lie together, and all of x is read in order. Large ones are computed in machine code,
where llvmlite is installed, which multiplies the entries where they are. Else the windows are laid
out as the columns of a matrix, and the product with the kernels is one of matrices. Columns are
made a slab at a time, which stays in the cache, and made again by the derivatives, not kept: a
graph holds x and the result alone.
"""

import functools
import math
from typing import Any

import numpy as np

from ...core.primitive import implements, primitive
from ...errors import ShapeError
from ...support.machine_code import find_kernels
from ...support.validation import as_input
from . import unrolled
from .geometry import window_view
from .sliding import (
    as_floats,
    geometry,
    integers_by_axis,
    require_room,
    require_shape,
    window_counts,
    window_entries,
)

SLAB_BYTES = 1 << 19
"""About how many bytes of columns are made at a time."""

MIN_RUN = 16
"""The entries of a run for which machine code is quick: those of its longest vector."""

GEOMETRIES: list[Any] = [
    ((2, 2, 5), (3, 2, 2), {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}),
    ((1, 4, 7), (2, 2, 2), {"stride": (2,), "padding": ((1, 0),), "dilation": (2,), "groups": 2}),
    (
        (2, 1, 3, 4),
        (2, 1, 2, 3),
        {"stride": (2, 1), "padding": ((0, 1), (1, 1)), "dilation": (1, 1)},
    ),
]


def pad_last(x, padding):
    """x (N, C, ...) as (C, ..., N), contiguous in memory, with zeros around."""
    last = np.moveaxis(x, 0, -1)
    if not any(map(any, padding)):
        return np.ascontiguousarray(last)
    spatial = zip(last.shape[1:-1], padding, strict=True)
    out = np.zeros((last.shape[0], *(a + n + b for n, (a, b) in spatial), last.shape[-1]), x.dtype)
    out[inner(last.shape[1:-1], padding)] = last
    return out


def inner(length, padding):
    """Return the index of the entries between the zeros around them."""
    return (..., *(slice(a, a + n) for n, (a, _) in zip(length, padding, strict=True)), slice(None))


def slabs(counts, batch, rows, itemsize):
    """Parts of the windows, as slices of the first axis of windows and of the matrix's columns."""
    line = math.prod(counts[1:]) * batch
    step = max(1, SLAB_BYTES // max(1, line * rows * itemsize))
    for a in range(0, counts[0], step):
        b = min(a + step, counts[0])
        yield slice(a, b), slice(a * line, b * line)


def part_of(memory, shape):
    """The memory, made longer where it is too short, and its beginning in that shape."""
    size = math.prod(shape)
    memory = memory if memory.size >= size else np.empty(size, memory.dtype)
    return memory, memory[:size].reshape(shape)


def columns(source, size, stride, dilation, groups):
    """The windows of a padded x as columns: (which, (groups, channels·size, columns)) by slabs."""
    axes = len(size)
    view = window_view(source, 1, size, stride, dilation)  # (C, counts, N, size)
    counts, batch = view.shape[1 : 1 + axes], source.shape[-1]
    order = (0, *range(axes + 2, 2 * axes + 2), *range(1, axes + 2))
    view = view.transpose(order)  # (C, size, counts, N)
    rows = view.shape[0] * math.prod(size)
    memory = np.empty(0, source.dtype)
    for windows, chosen in slabs(counts, batch, rows, source.itemsize):
        part = view[(slice(None),) * (1 + axes) + (windows,)]
        memory, slab = part_of(memory, part.shape)
        np.copyto(slab, part)
        yield chosen, slab.reshape(groups, rows // groups, chosen.stop - chosen.start)


def as_matrix(g, groups):
    """g (N, out, counts) as (groups, out / groups, counts·N)."""
    last = np.ascontiguousarray(np.moveaxis(g, 0, -1))
    return last.reshape(groups, g.shape[1] // groups, math.prod(last.shape[1:]))


# ---- in machine code


@functools.lru_cache(maxsize=256)
def offsets(shape, size, stride, dilation):
    """Where windows of a padded x (channels, ..., N) are: see `compiler/llvm/window_kernels.py`.

    The offsets of a window's entries from its first, the starts of runs of windows in x, those in
    the result, and the length of a run.
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    counts = window_counts(shape[1:-1], size, stride, dilation)
    steps = [s * d for s, d in zip(strides[1:-1], dilation, strict=True)]
    taps = positions((shape[0], *size), [strides[0], *steps])
    apart = [n * s for n, s in zip(strides[1:-1], stride, strict=True)]
    beside = stride[-1] == 1  # then the windows along the last axis are one run
    rows, apart = (counts[:-1], apart[:-1]) if beside else (counts, apart)
    length = shape[-1] * (counts[-1] if beside else 1)
    return taps, positions(rows, apart), positions((math.prod(rows),), [length]), length


def positions(shape, strides):
    """The offset of each entry of an array with those strides, in C order."""
    grid = np.indices(shape).reshape(len(shape), math.prod(shape))
    return np.asarray(strides, np.int64) @ grid


def find_machine_code(source, other, channels, windows, size, stride):
    """The functions in machine code, if they are for this work: that of a group, in products."""
    run = source.shape[-1] * (windows[-1] if stride[-1] == 1 else 1)
    work = channels * math.prod(size) * math.prod(windows) * source.shape[-1]
    return find_kernels("window_kernels", work if run >= MIN_RUN else 0, source, other)


def by_groups(function, x, other, place):
    """The results of a function for each group of channels of x, joined."""
    split = len(x) // len(other)
    parts = [
        function(x[k * split : (k + 1) * split], given, *place) for k, given in enumerate(other)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def correlate(source, kernels, size, stride, dilation):
    """The products of kernels (groups, out, entries) with all windows of a padded x (C, ..., N).

    Gives (groups · out, counts · N).
    """
    groups, out_channels, _ = kernels.shape
    counts = window_counts(source.shape[1:-1], size, stride, dilation)
    work = out_channels * (len(source) // groups)
    native = find_machine_code(source, kernels, work, counts, size, stride)
    if native is not None:
        place = offsets((len(source) // groups, *source.shape[1:]), size, stride, dilation)
        return by_groups(native.correlate, source, kernels, place)
    out = np.empty((groups, out_channels, math.prod(counts) * source.shape[-1]), source.dtype)
    for chosen, slab in columns(source, size, stride, dilation, groups):
        np.matmul(kernels, slab, out=out[:, :, chosen])
    return out.reshape(groups * out_channels, -1)


# ---- the three operations


@primitive(
    latex=r"<x> \star <weight>",
    kind="multilinear",
    examples=GEOMETRIES,
    whole=unrolled.cross_correlation,
    sentence="Each window of the input is multiplied by the kernel: the gradient of {x} is added "
    "up over all windows.",
)
def cross_correlation(x, weight, stride=(), padding=(), dilation=(), groups=1):
    """The products of the kernels with all windows of x, added up: cross-correlation.

    Shapes: x (N, C, L1, ...) and weight (out, C / groups, k1, ...) give (N, out, n1, ...).

    >>> x, weight = Value([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]])
    >>> tg.ops.cross_correlation(x, weight, stride=(1,), padding=((0, 0),), dilation=(1,))
    Value(data=[[[1. 2.]]], grad=None)
    """
    dtype = np.result_type(x, weight)
    x, size = x.astype(dtype, copy=False), weight.shape[2:]
    counts = window_counts(x.shape[2:], size, stride, dilation, padding)
    kernels = weight.astype(dtype, copy=False).reshape(groups, weight.shape[0] // groups, -1)
    out = correlate(pad_last(x, padding), kernels, size, stride, dilation)
    return np.moveaxis(out.reshape(weight.shape[0], *counts, x.shape[0]), -1, 0)


def borders_of_transpose(length, counts, size, stride, padding, dilation):
    """How many zeros around g make the transpose a correlation with turned kernels; or None.

    There are none if windows aren't beside each other, or leave out entries of the padding.
    """
    axes = zip(length, counts, size, dilation, padding, strict=True)
    borders = [(d * (k - 1) - a, n - c + a) for n, c, k, d, (a, _) in axes]
    return borders if set(stride) == {1} and min(map(min, borders)) >= 0 else None


def turn_kernels(weight, groups):
    """The kernels (out, C / groups, ...) turned around, by groups and channels of x."""
    axes = tuple(range(3, weight.ndim + 1))
    by_group = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    turned = np.flip(np.swapaxes(by_group, 1, 2), axes)
    return turned.reshape(groups, weight.shape[1], -1)


@primitive(
    latex=r"<g> \star^{\mathsf{T}} <weight>",
    kind="multilinear",
    examples=[
        ((2, 3, 4), (3, 2, 2), {**GEOMETRIES[0][-1], "length": (5,)}),
        ((1, 2, 3), (2, 2, 2), {**GEOMETRIES[1][-1], "length": (7,)}),
        ((2, 2, 2, 4), (2, 1, 2, 3), {**GEOMETRIES[2][-1], "length": (3, 4)}),
    ],
    whole=unrolled.cross_correlation_transposed,
)
def cross_correlation_transposed(
    g, weight, length=(), stride=(), padding=(), dilation=(), groups=1
):
    """The kernels spread over an array of that length, as often as g says: the transpose in x.

    Shapes: g (N, out, n1, ...) and weight (out, C / groups, k1, ...) give (N, C, *length).

    >>> g, weight = Value([[[1.0, 2.0]]]), np.array([[[-1.0, 1.0]]])
    >>> options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> tg.ops.cross_correlation_transposed(g, weight, length=(3,), **options)
    Value(data=[[[-1. -1.  2.]]], grad=None)
    """
    dtype = np.result_type(g, weight)
    size, counts, batch = weight.shape[2:], g.shape[2:], g.shape[0]
    g, weight = g.astype(dtype, copy=False), weight.astype(dtype, copy=False)
    work = weight[0].size // math.prod(size) * (len(weight) // groups)
    borders = borders_of_transpose(length, counts, size, stride, padding, dilation)
    if borders and find_machine_code(g.T, weight, work, length, size, stride):
        kernels = turn_kernels(weight, groups)
        out = correlate(pad_last(g, borders), kernels, size, stride, dilation)
        return np.moveaxis(out.reshape(-1, *length, batch), -1, 0)
    matrix = as_matrix(g, groups)
    kernels = weight.reshape(groups, weight.shape[0] // groups, -1)
    turned = kernels.transpose(0, 2, 1)
    channels = weight.shape[1] * groups
    whole = [n + sum(p) for n, p in zip(length, padding, strict=True)]
    out = np.zeros((channels, *whole, batch), dtype)
    memory = np.empty(0, dtype)
    for windows, chosen in slabs(counts, batch, channels * math.prod(size), dtype.itemsize):
        here = (windows.stop - windows.start, *counts[1:])
        shape = (groups, turned.shape[1], math.prod(here) * batch)
        memory, slab = part_of(memory, shape)
        outer = (
            np.multiply if turned.shape[2] == 1 else np.matmul
        )  # the same, in a fifth of the time
        outer(turned, matrix[:, :, chosen], out=slab)
        slab = slab.reshape(channels, *size, *here, batch)
        rows = out[:, windows.start * stride[0] :]
        for entry, place in window_entries(size, stride, dilation, here):
            rows[(slice(None), *place)] += slab[(slice(None), *entry)]
    return np.moveaxis(out[inner(length, padding)], -1, 0)


@primitive(
    latex=r"<x> \star_{n} <g>",
    kind="multilinear",
    examples=[
        ((2, 2, 5), (2, 3, 4), {**GEOMETRIES[0][-1], "size": (2,)}),
        ((1, 4, 7), (1, 2, 3), {**GEOMETRIES[1][-1], "size": (2,)}),
        ((2, 1, 3, 4), (2, 2, 2, 4), {**GEOMETRIES[2][-1], "size": (2, 3)}),
    ],
    whole=unrolled.cross_correlation_kernel,
)
def cross_correlation_kernel(x, g, size=(), stride=(), padding=(), dilation=(), groups=1):
    """The windows of x added up, as often as g says: the transpose in the kernels.

    Shapes: x (N, C, L1, ...) and g (N, out, n1, ...) give (out, C / groups, *size).

    >>> x, g = Value([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, 2.0]]])
    >>> options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> tg.ops.cross_correlation_kernel(x, g, size=(2,), **options)
    Value(data=[[[ 5. 10.]]], grad=None)
    """
    dtype = np.result_type(x, g)
    x, matrix = x.astype(dtype, copy=False), as_matrix(g.astype(dtype, copy=False), groups)
    source, channels = pad_last(x, padding), x.shape[1] // groups
    work = matrix.shape[1] * channels
    native = find_machine_code(source, matrix, work, g.shape[2:], size, stride)
    if native is not None:
        place = offsets((channels, *source.shape[1:]), size, stride, dilation)
        out = by_groups(native.kernels, source, matrix, place)
    else:
        out = np.zeros((groups, matrix.shape[1], channels * math.prod(size)), dtype)
        for chosen, slab in columns(source, size, stride, dilation, groups):
            out += np.matmul(matrix[:, :, chosen], slab.transpose(0, 2, 1))
    return out.reshape(g.shape[1], channels, *size)


def _input_rule(g, out, x, weight, **steps):
    return cross_correlation_transposed(g, weight, length=np.shape(x)[2:], **steps)


def _weight_rule(g, out, x, weight, **steps):
    return cross_correlation_kernel(x, g, size=np.shape(weight)[2:], **steps)


cross_correlation.vjp(x=_input_rule, weight=_weight_rule)
cross_correlation_transposed.vjp(
    g=lambda h, out, g, weight, length, **steps: cross_correlation(h, weight, **steps),
    weight=lambda h, out, g, weight, length, **steps: _weight_rule(g, out, h, weight, **steps),
)
cross_correlation_kernel.vjp(
    x=lambda h, out, x, g, size, **steps: _input_rule(g, out, x, h, **steps),
    g=lambda h, out, x, g, size, **steps: cross_correlation(x, h, **steps),
)


# ---- as users call it


def convolve(
    where: str,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Any:
    """The convolution of checked arguments, with a bias for each channel of the result."""
    x, weight = as_input(where, "x", x), as_floats(where, "weight", weight)
    kernels = np.shape(weight)
    axes = len(kernels) - 2
    found = geometry(where, axes, kernels[2:], stride, padding, dilation)
    require_shape(where, np.shape(x), axes, kernels[1] * groups)
    size = found.pop("size")
    require_room(where, np.shape(x), size, found["padding"], found["dilation"])
    out = cross_correlation(x, weight, groups=groups, **found)
    return out if bias is None else out + np.reshape(bias, (-1,) + (1,) * axes)


def require_kernels(where, weight, bias, groups, axes):
    """Raise `ShapeError` unless weight, bias and groups fit together."""
    integers_by_axis(where, "groups", groups, 1)
    shape = np.shape(weight)
    if len(shape) != axes + 2 or shape[0] % groups:
        kernel = ", ".join(["k"] * axes)
        raise ShapeError(
            f"{where}: weight must have a shape (out, in / groups, {kernel}) with out a multiple "
            f"of groups={groups}, got {shape}"
        )
    if bias is not None and np.shape(bias) != shape[:1]:
        raise ShapeError(f"{where}: bias must have shape {shape[:1]}, got {np.shape(bias)}")


@implements()
def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The cross-correlation of signals with kernels: `conv2d` with one spatial axis.

    Shapes: x (N, in, L), weight (out, in / groups, k), bias (out,); gives (N, out, n).

    Source: `torch.nn.functional.conv1d`.

    >>> tg.ops.conv1d(Value([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]])).tolist()
    [[[1.0, 2.0]]]
    """
    require_kernels("conv1d", weight, bias, groups, 1)
    return convolve("conv1d", x, weight, bias, stride, padding, dilation, groups)


@implements()
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The cross-correlation of images with kernels: out[o] = bias[o] + Σ x[window] · weight[o].

    Shapes: x (N, in, H, W), weight (out, in / groups, kh, kw), bias (out,); gives (N, out, h, w)
    with h = (H + padding - dilation·(kh - 1) - 1) // stride + 1. Stride and dilation are a number
    or one for each axis; padding is a number, one number or (before, after) pair for each axis,
    "same" (for stride 1) or "valid".

    Raises `ShapeError` where the shapes do not fit, `ArgumentError` for other steps or borders.

    Source: `torch.nn.functional.conv2d`.

    >>> image, edges = np.eye(3)[None, None], np.array([[[[1.0, -1.0]]]])
    >>> tg.ops.conv2d(Value(image), edges)[0, 0].tolist()
    [[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]]
    """
    require_kernels("conv2d", weight, bias, groups, 2)
    return convolve("conv2d", x, weight, bias, stride, padding, dilation, groups)


# ---- many entries at once: as more rows, or with kernels of their own as more groups


def _beside(x):
    """Return x (entries, N, C, ...) as (N, entries · C, ...)."""
    size, batch, channels = np.shape(x)[:3]
    return np.reshape(np.moveaxis(x, 0, 1), (batch, size * channels, *np.shape(x)[3:]))


def _apart(x, size):
    """Return x (N, entries · C, ...) as (entries, N, C, ...)."""
    batch, channels = np.shape(x)[:2]
    split = np.reshape(x, (batch, size, channels // size, *np.shape(x)[2:]))
    return np.moveaxis(split, 1, 0)


def _joined(x):
    """Return an array with its first two axes as one."""
    return np.reshape(x, (np.shape(x)[0] * np.shape(x)[1], *np.shape(x)[2:]))


def _batch_with_kernels(operation):
    def rule(varies, x, weight, *, groups=1, **options):
        if not varies[1]:
            out = operation(_joined(x), weight, groups=groups, **options)
            return np.reshape(out, (*np.shape(x)[:2], *np.shape(out)[1:]))
        size = np.shape(weight)[0]
        x = x if varies[0] else np.broadcast_to(x, (size, *np.shape(x)))
        out = operation(_beside(x), _joined(weight), groups=size * groups, **options)
        return _apart(out, size)

    operation.batch(rule, mixed=True)


def _kernels_of_entries(x, g, *, groups=1, **options):
    size = np.shape(x)[0]
    out = cross_correlation_kernel(_beside(x), _beside(g), groups=size * groups, **options)
    return np.reshape(out, (size, np.shape(out)[0] // size, *np.shape(out)[1:]))


_batch_with_kernels(cross_correlation)
_batch_with_kernels(cross_correlation_transposed)
cross_correlation_kernel.batch(_kernels_of_entries)
