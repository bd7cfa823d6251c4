"""Convolutions: the same linear map for every window of a signal or an image."""

from __future__ import annotations

import math
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value, ValueLike
from ..errors import ArgumentError
from ..ops.windows.convolution import convolve
from ..ops.windows.sliding import geometry
from ..support.random_state import Seed, as_generator
from ..support.validation import check_flag, check_integer, require_memory, short_repr
from .initial_weights import draw_uniform
from .module import Module

__all__ = ["Conv1d", "Conv2d"]

Sizes: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = int | str | tuple[int | tuple[int, int], ...]


class Convolution(Module):
    """The base of Conv1d and Conv2d, for windows with any number of axes."""

    axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Padding = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        name = type(self).__name__
        inputs = check_integer(name, "in_channels", in_channels, low=1)
        outputs = check_integer(name, "out_channels", out_channels, low=1)
        where = f"{name}({inputs}, {outputs})"
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups = check_integer(where, "groups", groups, low=1)
        if inputs % self.groups or outputs % self.groups:
            raise ArgumentError(
                f"{where}: groups must divide in_channels and out_channels, "
                f"got {short_repr(groups)}"
            )
        size = geometry(where, self.axes, kernel_size, stride, padding, dilation)["size"]
        shape, bias = (outputs, inputs // self.groups, *size), check_flag(where, "bias", bias)
        require_memory(where, "weight", shape)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        random = as_generator(where, generator)
        self.weight = draw_uniform(where, shape, bound, dtype=dtype, generator=random)
        self.weight.name = "weight"
        self.bias: Value | Any = None  # Any: code that asks for a bias need not test for None
        if bias:
            self.bias = draw_uniform(where, (outputs,), bound, dtype=dtype, generator=random)
            self.bias.name = "bias"

    @property
    def in_channels(self) -> int:
        """The number of channels of x."""
        return self.weight.shape[1] * self.groups

    @property
    def out_channels(self) -> int:
        """The number of channels of the result."""
        return self.weight.shape[0]

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """The length of a window along each axis."""
        return self.weight.shape[2:]

    def forward(self, x: ValueLike) -> Value:
        """Return the bias plus the sum of weights times entries of each window of x."""
        where = f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
        steps = (self.stride, self.padding, self.dilation, self.groups)
        out: Value = convolve(where, x, self.weight, self.bias, *steps)
        return out


class Conv1d(Convolution):
    """A convolution of signals: `Conv2d` with one spatial axis.

    Shapes: x (N, in_channels, L) gives (N, out_channels, n); weight
    (out_channels, in_channels / groups, kernel_size), bias (out_channels,).

    Source: `torch.nn.Conv1d`.

    >>> layer = tg.nn.Conv1d(2, 4, 3, padding="same", generator=0)
    >>> layer(np.ones((5, 2, 10), np.float32)).shape
    (5, 4, 10)
    """

    axes = 1


class Conv2d(Convolution):
    """A convolution (a cross-correlation) of images: out[o] = bias[o] + Σ x[window] · weight[o].

    `stride` and `dilation` are a number, or a number for each axis. `padding` is a number, a number
    or (before, after) pair for each axis, "same" (zeros that preserve the size, for stride 1) or
    "valid" (none). With `groups`, the channels are split into that many independent parts.

    Shapes: x (N, in_channels, H, W) gives (N, out_channels, h, w), with
    h = (H + padding - dilation·(kernel_size - 1) - 1) // stride + 1; weight
    (out_channels, in_channels / groups, *kernel_size), bias (out_channels,) or None with
    `bias=False`. Both are drawn uniformly within ±1/√n with `generator`, where n is the number of
    entries of x that one entry of the result depends on.

    Raises `ArgumentError` if a size is below 1 or groups don't divide the channels, `ShapeError` if
    x has another number of channels or is smaller than a window.

    Source: `torch.nn.Conv2d`.

    >>> layer = tg.nn.Conv2d(1, 8, 5, generator=0)
    >>> layer
    Conv2d(stride=1, padding=0, dilation=1, groups=1, weight (8, 1, 5, 5), bias (8,)): \
208 parameters
    >>> layer(np.ones((2, 1, 28, 28), np.float32)).shape
    (2, 8, 24, 24)
    """

    axes = 2
