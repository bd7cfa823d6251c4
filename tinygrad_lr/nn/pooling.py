"""Pooling layers, which shrink signals and images, and `Flatten`."""

from __future__ import annotations

import math
from typing import Any, ClassVar, TypeAlias

from ..core.value import ValueLike
from ..errors import ShapeError
from ..ops.shape import reshape
from ..ops.windows.pooling import adaptive_average_pool, average_pool, max_pool, pool_geometry
from ..ops.windows.sliding import integers_by_axis
from ..support.validation import as_input, check_flag, check_integer, short_repr
from .module import Weightless

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "Flatten",
    "MaxPool1d",
    "MaxPool2d",
]

Sizes: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = int | str | tuple[int | tuple[int, int], ...]


class Pooling(Weightless):
    """The base of the pooling layers."""

    axes: ClassVar[int]

    def _where(self, setting: object) -> str:
        """Return the name of the layer in errors."""
        return f"{type(self).__name__}({short_repr(setting)})"


class MaxPooling(Pooling):
    """The base of MaxPool1d and MaxPool2d."""

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Padding = 0,
        dilation: Sizes = 1,
    ) -> None:
        stride = kernel_size if stride is None else stride
        where = self._where(kernel_size)
        pool_geometry(where, self.axes, kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation

    def forward(self, x: ValueLike) -> Any:
        """Return the largest entry of each window."""
        steps = (self.kernel_size, self.stride, self.padding, self.dilation)
        return max_pool(self._where(self.kernel_size), self.axes, x, *steps)


class MaxPool1d(MaxPooling):
    """The largest entry of each window of a signal: `MaxPool2d` with one spatial axis.

    Shapes: x (N, C, L) gives (N, C, n). Source: `torch.nn.MaxPool1d`.

    >>> tg.nn.MaxPool1d(2)(Value([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
    [[[3.0, 2.0]]]
    """

    axes = 1


class MaxPool2d(MaxPooling):
    """The largest entry of each window of an image; by default, windows are adjacent.

    The gradient goes to that entry; equal entries share it. Padding adds entries that are smaller
    than every number, and is at most half a window.

    Shapes: x (N, C, H, W) gives (N, C, h, w), with
    h = (H + padding - dilation·(kernel_size - 1) - 1) // stride + 1.

    Raises `ArgumentError` if a size is out of range, `ShapeError` if x has another shape.

    Source: `torch.nn.MaxPool2d`, which gives the gradient to the first of equal entries.

    >>> tg.nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1)
    >>> tg.nn.MaxPool2d(2)(Value(np.arange(16.0).reshape(1, 1, 4, 4)))[0, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """

    axes = 2


class AveragePooling(Pooling):
    """The base of AvgPool1d and AvgPool2d."""

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Padding = 0,
        count_include_pad: bool = True,
    ) -> None:
        stride = kernel_size if stride is None else stride
        where = self._where(kernel_size)
        pool_geometry(where, self.axes, kernel_size, stride, padding, 1)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.count_include_pad = check_flag(where, "count_include_pad", count_include_pad)

    def forward(self, x: ValueLike) -> Any:
        """Return the mean of each window."""
        steps = (self.kernel_size, self.stride, self.padding, self.count_include_pad)
        return average_pool(self._where(self.kernel_size), self.axes, x, *steps)


class AvgPool1d(AveragePooling):
    """The mean of each window of a signal: `AvgPool2d` with one spatial axis.

    Shapes: x (N, C, L) gives (N, C, n). Source: `torch.nn.AvgPool1d`.

    >>> tg.nn.AvgPool1d(2)(Value([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
    [[[2.0, 1.0]]]
    """

    axes = 1


class AvgPool2d(AveragePooling):
    """The mean of each window of an image; by default, windows are adjacent.

    The zeros that padding adds are counted, unless `count_include_pad` is False. Shapes and errors
    are those of `MaxPool2d`. Source: `torch.nn.AvgPool2d`.

    >>> tg.nn.AvgPool2d(2)(Value(np.arange(16.0).reshape(1, 1, 4, 4)))[0, 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """

    axes = 2


class AdaptiveAveragePooling(Pooling):
    """The base of AdaptiveAvgPool1d and AdaptiveAvgPool2d."""

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        many = isinstance(output_size, (tuple, list))
        given: Any = output_size if many else (output_size,) * self.axes
        filled = tuple(1 if n is None else n for n in given)
        integers_by_axis(self._where(output_size), "output_size", filled, self.axes)
        self.output_size = output_size

    def forward(self, x: ValueLike) -> Any:
        """Return the mean of each part."""
        return adaptive_average_pool(self._where(self.output_size), self.axes, x, self.output_size)


class AdaptiveAvgPool1d(AdaptiveAveragePooling):
    """The mean of each of `output_size` parts of a signal: `AdaptiveAvgPool2d` with one axis.

    Shapes: x (N, C, L) gives (N, C, output_size). Source: `torch.nn.AdaptiveAvgPool1d`.

    >>> tg.nn.AdaptiveAvgPool1d(2)(Value([[[1.0, 3.0, 8.0]]])).tolist()
    [[[2.0, 5.5]]]
    """

    axes = 1


class AdaptiveAvgPool2d(AdaptiveAveragePooling):
    """The mean of each of `output_size` parts of an image; with 1, of each channel.

    Part i of n of an axis of length L covers the entries from ⌊i·L/n⌋ to ⌈(i + 1)·L/n⌉. One number
    is used for both axes; None leaves an axis as it is.

    Shapes: x (N, C, H, W) gives (N, C, *output_size). Errors are those of `MaxPool2d`.

    Source: `torch.nn.AdaptiveAvgPool2d`.

    >>> tg.nn.AdaptiveAvgPool2d(1)(Value(np.arange(16.0).reshape(1, 1, 4, 4))).tolist()
    [[[[7.5]]]]
    """

    axes = 2


class Flatten(Weightless):
    """Join the axes from `start_axis` on into one: images become rows of numbers.

    Shapes: x (N, C, H, W) gives (N, C·H·W). Raises `ShapeError` if x has fewer axes.

    Source: `torch.nn.Flatten`.

    >>> tg.nn.Flatten()(np.ones((5, 2, 3, 4))).shape
    (5, 24)
    """

    def __init__(self, start_axis: int = 1) -> None:
        self.start_axis = check_integer("Flatten", "start_axis", start_axis)

    def forward(self, x: ValueLike) -> Any:
        """Return x with its last axes joined."""
        start = self.start_axis
        data = as_input(f"Flatten({start})", "x", x)
        shape = data.shape
        if len(shape) < start:
            raise ShapeError(
                f"Flatten({start}): x must have at least {start} axes, got shape {shape}"
            )
        return reshape(data, (*shape[:start], math.prod(shape[start:])))
