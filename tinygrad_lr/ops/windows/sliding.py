"""How windows slide: sizes, steps and borders as users give them, checked and brought to one form.

All functions take `where`, the layer or function that an error is to name, and the number of
spatial axes.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...core.primitive import as_array
from ...errors import ArgumentError, ShapeError, refuse

Sizes = tuple[int, ...]

AXES = {1: "L", 2: "H, W"}


def whole_numbers(where: str, name: str, given: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """One whole number for each axis: a number stands for all of them.

    >>> from tinygrad_lr.ops.windows.sliding import whole_numbers
    >>> whole_numbers("Conv2d", "stride", 2, 2), whole_numbers("Conv2d", "stride", (2, 1), 2)
    ((2, 2), (2, 1))
    """
    many = isinstance(given, (tuple, list))
    numbers = tuple(map(whole, given)) if many else (whole(given),) * axes
    enough = tuple(n for n in numbers if n is not None and n >= least)
    if not len(numbers) == axes == len(enough):
        each = f" or {axes} of them" if axes > 1 else ""
        expected = f"a whole number from {least}{each}"
        refuse(ArgumentError, where, f"{name} does not fit", expected=expected, given=repr(given))
    return enough


def whole(given: Any) -> int | None:
    """The number as an int, or None for what is no whole number."""
    try:
        return None if isinstance(given, (bool, np.bool_)) else operator.index(given)
    except TypeError:
        return None


def borders(where: str, given: Any, size: Sizes, stride: Sizes, dilation: Sizes) -> Any:
    """The entries (before, after) that padding adds to each axis.

    From a number for all sides; a number or a pair for each axis; "valid" for none; or "same" for
    as many as leave the length as it is.

    >>> from tinygrad_lr.ops.windows.sliding import borders
    >>> borders("Conv1d", "same", (4,), (1,), (1,)), borders("Conv1d", 1, (4,), (1,), (1,))
    (((1, 2),), ((1, 1),))
    """
    axes = len(size)
    if isinstance(given, str) and given == "valid":
        return ((0, 0),) * axes
    if isinstance(given, str) and given == "same":
        if any(s != 1 for s in stride):
            wrong, cure = "padding 'same' needs steps of 1", "give the padding in numbers"
            refuse(ArgumentError, where, wrong, expected="stride 1", given=stride, cure=cure)
        extra = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in extra)
    sides = given if isinstance(given, (tuple, list)) else (given,) * axes
    pairs = [side if isinstance(side, (tuple, list)) else (side, side) for side in sides]
    numbers = tuple(tuple(map(whole, pair)) for pair in pairs)
    wrong_pair = any(len(p) != 2 or any(n is None or n < 0 for n in p) for p in numbers)
    if len(numbers) != axes or wrong_pair:
        each = f"{axes} numbers or pairs" if axes > 1 else "one pair ((before, after),)"
        expected = f"a whole number from 0, {each}, 'same' or 'valid'"
        refuse(ArgumentError, where, "padding does not fit", expected=expected, given=repr(given))
    return numbers


def require_shape(where: str, shape: Sizes, axes: int, channels: int | None = None) -> None:
    """Raises `ShapeError` for an x that is not (N, channels, *spatial)."""
    expected = f"a shape (N, {'C' if channels is None else channels}, {AXES[axes]})"
    if len(shape) != axes + 2:
        cure = "write x[None] for a batch of one" if len(shape) == axes + 1 else ""
        wrong = f"x has {len(shape)} {'axis' if len(shape) == 1 else 'axes'}"
        expected = f"{axes + 2}, {expected}"
        refuse(ShapeError, where, wrong, expected=expected, given=shape, cure=cure)
    if channels is not None and shape[1] != channels:
        wrong = f"x has {shape[1]} channel{'s' * (shape[1] != 1)}"
        last = len(shape) > 2 and shape[-1] == channels
        cure = "write np.moveaxis(x, -1, 1) to put the channels first" if last else ""
        expected = f"{channels}, {expected}"
        refuse(ShapeError, where, wrong, expected=expected, given=shape, cure=cure)


def as_floats(x: Any) -> Any:
    """Lists, and arrays of whole numbers (in which sums overflow), as arrays of floats."""
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    return x if kind == "f" else as_array(x).astype(np.float64)


def require_room(where: str, length: Sizes, size: Sizes, padding: Any, dilation: Sizes) -> None:
    """Raises `ShapeError` where an axis is shorter than a window."""
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    widened = tuple(n + sum(p) for n, p in zip(length, padding, strict=True))
    if any(n < span for n, span in zip(widened, spans, strict=True)):
        padded = f" with its padding {widened}" if widened != tuple(length) else ""
        expected = f"lengths of {spans} or more"
        given = f"{tuple(length)}{padded}"
        refuse(ShapeError, where, "x is shorter than a window", expected=expected, given=given)


def geometry(
    where: str, axes: int, size: Any, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """Size, stride, padding and dilation of windows, each with one entry for each axis.

    A stride that is None is the size: windows side by side.
    """
    size = whole_numbers(where, "kernel_size", size, axes)
    stride = size if stride is None else whole_numbers(where, "stride", stride, axes)
    dilation = whole_numbers(where, "dilation", dilation, axes)
    return {
        "size": size,
        "stride": stride,
        "padding": borders(where, padding, size, stride, dilation),
        "dilation": dilation,
    }
