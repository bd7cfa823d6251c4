"""Normalisation layers: over the features of each row, or over the rows of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..core.node import unwrap
from ..core.primitive import as_array
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, BatchError, ShapeError
from ..ops.normalization import rms_normalize, standardize
from ..ops.shape import reshape
from ..support.abstract_array import Array
from ..support.errstate import ignore_float_errors
from ..support.validation import (
    allocate,
    as_input,
    check_dtype,
    check_flag,
    check_fraction,
    check_integer,
    check_number,
)
from .module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "RMSNorm"]


def check_features(where: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return the lengths of the last axes of x, over which to normalise."""
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not lengths:
        raise ArgumentError(f"{where}: shape must have at least one length, got {shape!r}")
    return tuple(check_integer(where, "shape", length, low=1) for length in lengths)


def make_parameter(where: str, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Value:
    """Return a parameter named "weight", of ones, or "bias", of zeros."""
    number = float(name == "weight")
    return Value(
        allocate(where, "weight", shape, lambda shape: np.full(shape, number, dtype)), name=name
    )


class OverFeatures(Module):
    """The base of LayerNorm and RMSNorm, which normalise the last axes of x, row by row.

    Their results are Values; with `affine=False`, an array for an array.
    """

    features: tuple[int, ...]

    def _name(self) -> str:
        """Return the name of the layer in errors."""
        lengths = self.features[0] if len(self.features) == 1 else self.features
        return f"{type(self).__name__}({lengths})"

    def _last_axes(self, x: Any) -> tuple[int, ...]:
        """Return the axes to normalise. Raises `ShapeError` if x has other features."""
        shape, axes = np.shape(x), len(self.features)
        if shape[-axes:] != self.features:
            lengths = ", ".join(map(str, self.features))
            raise ShapeError(f"{self._name()}: x must have shape (..., {lengths}), got {shape}")
        return tuple(range(-axes, 0))


class LayerNorm(OverFeatures):
    """(x - mean) / √(variance + eps) of each row's features, times weight, plus bias.

    `shape` is the length of the last axis, or the lengths of the last axes, over which mean and
    variance (in two passes) are computed. The weight is initialised to ones and the bias to zeros,
    both of that shape; with `affine=False` there is neither, with `bias=False` no bias.

    Raises `ShapeError` if the last axes of x don't have that shape.

    Source: Ba, Kiros, Hinton, "Layer Normalization", 2016; `torch.nn.LayerNorm`.

    >>> tg.nn.LayerNorm(2)
    LayerNorm(features=(2,), eps=1e-05, weight (2,), bias (2,)): 4 parameters
    >>> tg.nn.LayerNorm(2, eps=0.0, dtype=np.float64)(Value([[1.0, 3.0], [5.0, 4.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.features = check_features("LayerNorm", shape)
        self.eps = check_number("LayerNorm", "eps", eps)
        kind, title = check_dtype("LayerNorm", dtype), self._name()
        affine, bias = check_flag(title, "affine", affine), check_flag(title, "bias", bias)
        self.weight: Value | Any = (
            make_parameter(title, "weight", self.features, kind) if affine else None
        )
        self.bias: Value | Any = (
            make_parameter(title, "bias", self.features, kind) if affine and bias else None
        )

    def forward(self, x: ValueLike) -> Value | Any:
        """Return x, each row normalised to mean 0 and variance 1, times weight, plus bias."""
        data = as_input(self._name(), "x", x)
        out = standardize(data, axis=self._last_axes(data), eps=self.eps)
        out = out if self.weight is None else out * self.weight
        return out if self.bias is None else out + self.bias


class RMSNorm(OverFeatures):
    """x / √(mean(x²) + eps) of each row's features, times weight.

    `shape` is as for `LayerNorm`. An eps of None is the machine epsilon of the dtype of x. With
    `affine=False` there is no weight.

    Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019; `torch.nn.RMSNorm`.

    >>> tg.nn.RMSNorm(2, eps=0.0, dtype=np.float64)(Value([[3.0, -3.0]])).tolist()
    [[1.0, -1.0]]
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float | None = None,
        affine: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.features = check_features("RMSNorm", shape)
        self.eps = None if eps is None else check_number("RMSNorm", "eps", eps)
        kind, affine = check_dtype("RMSNorm", dtype), check_flag("RMSNorm", "affine", affine)
        self.weight: Value | Any = (
            make_parameter(self._name(), "weight", self.features, kind) if affine else None
        )

    def forward(self, x: ValueLike) -> Value | Any:
        """Return x, each row normalised to mean square 1, times weight."""
        data = as_input(self._name(), "x", x)
        axis, eps = self._last_axes(data), self.eps
        if eps is None:
            dtype = np.result_type(unwrap(data))
            eps = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
        out = rms_normalize(data, axis=axis, eps=eps)
        return out if self.weight is None else out * self.weight


@ignore_float_errors
def moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and variance (divided by n - 1) of the entries along the axes."""
    return np.mean(x, axis=axes), np.var(x, axis=axes, ddof=1)


class BatchNorm(Module):
    """The base of BatchNorm1d and BatchNorm2d."""

    shapes: ClassVar[dict[int, str]]

    def __init__(
        self,
        features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.features = check_integer(name, "features", features, low=1)
        self.eps = check_number(name, "eps", eps)
        self.momentum = check_fraction(name, "momentum", momentum)
        shape, kind = (self.features,), check_dtype(name, dtype)
        affine = check_flag(name, "affine", affine)
        self.weight: Value | Any = make_parameter(name, "weight", shape, kind) if affine else None
        self.bias: Value | Any = make_parameter(name, "bias", shape, kind) if affine else None
        self.running_mean = allocate(name, "weight", shape, lambda shape: np.zeros(shape, kind))
        self.running_var = np.ones(shape, kind)

    def forward(self, x: ValueLike) -> Value | Any:
        """Return x, each feature normalised to mean 0 and variance 1, times weight, plus bias."""
        where = f"{type(self).__name__}({self.features})"
        data = as_input(where, "x", x)
        shape = data.shape
        if len(shape) not in self.shapes or shape[1] != self.features:
            forms = " or ".join(self.shapes.values()).replace("C", str(self.features))
            raise ShapeError(f"{where}: x must have shape {forms}, got {shape}")
        line = (1, self.features) + (1,) * (len(shape) - 2)
        if self.training:
            axes = (0, *range(2, len(shape)))
            if math.prod(shape[i] for i in axes) < 2:
                raise ArgumentError(
                    f"{where}: x must have at least two rows in training, got shape {shape}; "
                    "use larger batches, or call eval() to use the running mean and variance"
                )
            self._update_running(as_array(unwrap(data)), axes)
            out = standardize(data, axis=axes, eps=self.eps)
        else:
            scale = 1 / np.sqrt(self.running_var + self.eps)
            out = (data - self.running_mean.reshape(line)) * scale.reshape(line)
        out = out if self.weight is None else out * reshape(self.weight, line)
        return out if self.bias is None else out + reshape(self.bias, line)

    def _update_running(self, x: Array, axes: tuple[int, ...]) -> None:
        """Move the running mean and variance towards those of the batch."""
        mean, variance = moments(x, axes)
        if getattr(mean, "level", None) is not None:
            raise BatchError(
                "BatchNorm must not be in training mode under vmap, where each entry would have "
                "its own running statistics; call eval() first"
            )
        kept, kind = 1 - self.momentum, self.running_mean.dtype
        self.running_mean = (kept * self.running_mean + self.momentum * mean).astype(kind)
        self.running_var = (kept * self.running_var + self.momentum * variance).astype(kind)


class BatchNorm1d(BatchNorm):
    """(x - mean) / √(variance + eps) of each feature over the rows, times weight, plus bias.

    In training, mean and variance are those of the batch, and `running_mean` and `running_var` (the
    latter divided by n - 1) move towards them by the fraction `momentum`; after `eval()` the
    running ones are used. Both are saved with the weights.

    Shapes: x (N, C) or (N, C, L), the same out; weight, bias, running_mean, running_var (C,).

    Raises `ShapeError` if x has another number of features, `ArgumentError` if it has a single row
    in training.

    Source: Ioffe, Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm1d`.

    >>> layer = tg.nn.BatchNorm1d(1, eps=0.0, dtype=np.float64)
    >>> layer
    BatchNorm1d(features=1, eps=0.0, momentum=0.1, weight (1,), bias (1,)): 2 parameters
    >>> layer(Value([[1.0], [3.0]])).tolist(), layer.running_mean.tolist()
    ([[-1.0], [1.0]], [0.2])
    """

    shapes: ClassVar = {2: "(N, C)", 3: "(N, C, L)"}
    least_rows = 2


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for images: mean and variance of each channel over rows, height and width.

    Shapes: x (N, C, H, W), the same out; weight, bias, running_mean, running_var (C,).

    Source: `torch.nn.BatchNorm2d`.

    >>> layer = tg.nn.BatchNorm2d(3)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    """

    shapes: ClassVar = {4: "(N, C, H, W)"}
