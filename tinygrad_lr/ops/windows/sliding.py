"""The geometry of sliding windows: sizes, strides and padding as users pass them, checked.

Functions that check take `where`, the layer or function that an error names.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...support.validation import float_array, require_memory, short_repr

Sizes = tuple[int, ...]

AXES = {1: "L", 2: "H, W"}


def integers_by_axis(
    where: str, name: str, given: Any, axes: int, least: int = 1
) -> tuple[int, ...]:
    """Return one integer for each axis: a number is repeated for all of them.

    >>> from tinygrad_lr.ops.windows.sliding import integers_by_axis
    >>> integers_by_axis("Conv2d", "stride", 2, 2), integers_by_axis("Conv2d", "stride", (2, 1), 2)
    ((2, 2), (2, 1))
    """
    many = isinstance(given, (tuple, list))
    numbers = tuple(map(as_int, given)) if many else (as_int(given),) * axes
    enough = tuple(n for n in numbers if n is not None and n >= least)
    if not len(numbers) == axes == len(enough):
        each = f", or {axes} such integers" if axes > 1 else ""
        raise ArgumentError(
            f"{where}: {name} must be an integer >= {least}{each}, got {short_repr(given)}"
        )
    return enough


def as_int(given: Any) -> int | None:
    """Return the number as an int, or None unless it is an integer."""
    try:
        number = operator.index(given)
    except TypeError:
        return None
    return None if isinstance(given, (bool, np.bool_)) or number > sys.maxsize else number


def padding_by_side(where: str, given: Any, size: Sizes, stride: Sizes, dilation: Sizes) -> Any:
    """The entries (before, after) that padding adds to each axis.

    From a number for all sides; a number or a pair for each axis; "valid" for none; or "same" for
    as many as leave the length as it is.

    >>> from tinygrad_lr.ops.windows.sliding import padding_by_side
    >>> padding_by_side("Conv1d", "same", (4,), (1,), (1,))
    ((1, 2),)
    >>> padding_by_side("Conv1d", 1, (4,), (1,), (1,))
    ((1, 1),)
    """
    axes = len(size)
    if isinstance(given, str) and given == "valid":
        return ((0, 0),) * axes
    if isinstance(given, str) and given == "same":
        if any(s != 1 for s in stride):
            raise ArgumentError(
                f"{where}: stride must be 1 for padding 'same', got {stride}; "
                "give the padding in numbers"
            )
        extra = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in extra)
    sides = given if isinstance(given, (tuple, list)) else (given,) * axes
    pairs = [side if isinstance(side, (tuple, list)) else (side, side) for side in sides]
    numbers = tuple(tuple(map(as_int, pair)) for pair in pairs)
    wrong_pair = any(len(p) != 2 or any(n is None or n < 0 for n in p) for p in numbers)
    if len(numbers) != axes or wrong_pair:
        each = f"{axes} numbers or pairs" if axes > 1 else "one pair ((before, after),)"
        raise ArgumentError(
            f"{where}: padding must be an integer >= 0, {each}, 'same' or 'valid', "
            f"got {short_repr(given)}"
        )
    return numbers


def require_shape(where: str, shape: Sizes, axes: int, channels: int | None = None) -> None:
    """Raise `ShapeError` unless x has a shape (N, channels, *spatial)."""
    expected = f"(N, {'C' if channels is None else channels}, {AXES[axes]})"
    cure = ""
    if len(shape) == axes + 2 and channels in {None, shape[1]}:
        return
    if len(shape) == axes + 1:
        cure = "; write x[None] for a batch of one"
    elif len(shape) == axes + 2 and shape[-1] == channels:
        cure = "; write np.moveaxis(x, -1, 1) to put the channels first"
    raise ShapeError(f"{where}: x must have a shape {expected}, got {shape}{cure}")


def as_floats(where: str, name: str, x: Any) -> Any:
    """Return lists, and arrays of integers (in which sums overflow), as arrays of floats."""
    return x if hasattr(type(x), "__apply__") else float_array(where, name, x)


def require_room(where: str, shape: Sizes, size: Sizes, padding: Any, dilation: Sizes) -> None:
    """Raise `ShapeError` if an axis of x is shorter than a window."""
    length = shape[2:]
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    padded_length = tuple(n + sum(p) for n, p in zip(length, padding, strict=True))
    require_memory(where, "padded x", (*shape[:2], *padded_length))
    if any(n < span for n, span in zip(padded_length, spans, strict=True)):
        padded = f", with its padding {padded_length}" if padded_length != tuple(length) else ""
        raise ShapeError(
            f"{where}: x must be at least as long as a window, {spans}, got {tuple(length)}{padded}"
        )


def geometry(
    where: str, axes: int, size: Any, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """Size, stride, padding and dilation of windows, each with one entry for each axis.

    A stride that is None is the size: windows side by side.
    """
    size = integers_by_axis(where, "kernel_size", size, axes)
    stride = size if stride is None else integers_by_axis(where, "stride", stride, axes)
    dilation = integers_by_axis(where, "dilation", dilation, axes)
    return {
        "size": size,
        "stride": stride,
        "padding": padding_by_side(where, padding, size, stride, dilation),
        "dilation": dilation,
    }


def window_counts(
    length: Sizes, size: Sizes, stride: Sizes, dilation: Sizes, padding: Any = None
) -> Sizes:
    """Return the number of windows along each axis."""
    borders = padding or ((0, 0),) * len(size)
    axes = zip(length, size, stride, dilation, borders, strict=True)
    return tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in axes)


def window_entries(
    size: Sizes, stride: Sizes, dilation: Sizes, counts: Sizes
) -> Iterator[tuple[Sizes, tuple[slice, ...]]]:
    """Yield for each entry of a window its index, and the slices of what all windows have there."""
    for entry in itertools.product(*map(range, size)):
        geometry = zip(entry, stride, dilation, counts, strict=True)
        yield entry, tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, s, d, n in geometry)
