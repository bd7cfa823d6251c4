"""Layers that bring their inputs to one size: over a row's features, or over a batch's rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..core.node import unwrap
from ..core.primitive import as_array
from ..core.value import Value
from ..errors import ArgumentError, ShapeError, refuse
from ..ops.normalization import rms_normalize, standardize
from ..ops.shape import reshape
from ..support.abstract_array import Array
from ..support.errstate import silent
from .initial_weights import as_dtype
from .linear import as_size
from .module import Module


def as_features(where: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of what is normalised: of the last axes of x."""
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not lengths:
        refuse(ArgumentError, where, "shape is empty", expected="one length or more", given="()")
    return tuple(as_size(where, "shape", length) for length in lengths)


def as_share(where: str, name: str, given: Any, most: float = math.inf) -> float:
    """A number from 0. Raises `ArgumentError` for anything else."""
    number = isinstance(given, (int, float, np.number)) and not isinstance(given, bool)
    if not number or not 0 <= given <= most or given == math.inf:
        to = "" if most == math.inf else f" to {most:g}"
        expected = f"a number from 0{to}"
        refuse(ArgumentError, where, f"{name} is out of range", expected=expected, given=f"{given}")
    return float(given)


def parameter(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Value:
    """The scale of a layer, which begins as ones, or its shift, which begins as zeros."""
    return Value(np.full(shape, float(name == "weight"), dtype), name=name)


class OverFeatures(Module):
    """What LayerNorm and RMSNorm share: they normalise the last axes of x, row by row."""

    features: tuple[int, ...]

    def _name(self) -> str:
        """How errors call the layer."""
        lengths = self.features[0] if len(self.features) == 1 else self.features
        return f"{type(self).__name__}({lengths})"

    def _last_axes(self, x: Any) -> tuple[int, ...]:
        """The axes to be normalised, if they have the lengths that they should."""
        shape, axes = np.shape(x), len(self.features)
        if shape[-axes:] != self.features:
            lengths = ", ".join(map(str, self.features))
            expected = f"a shape (..., {lengths})"
            wrong = "x has other features"
            refuse(ShapeError, self._name(), wrong, expected=expected, given=f"shape {shape}")
        return tuple(range(-axes, 0))


class LayerNorm(OverFeatures):
    """(x - mean) / √(variance + eps) of each row's features, times weight, plus bias.

    `shape` is the length of the last axis, or the lengths of the last axes, over which mean and
    variance (in two passes) are taken. The weight begins as ones and the bias as zeros, both of
    that shape; with `affine=False` there is neither, with `bias=False` no bias.

    Raises `ShapeError` for an x with other last axes.

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
        self.features = as_features("LayerNorm", shape)
        self.eps = as_share("LayerNorm", "eps", eps)
        kind = as_dtype("LayerNorm", dtype)
        self.weight = parameter("weight", self.features, kind) if affine else None
        self.bias = parameter("bias", self.features, kind) if affine and bias else None

    def forward(self, x: Any) -> Any:
        """x, its rows brought to mean 0 and variance 1, times weight, plus bias."""
        out = standardize(x, axis=self._last_axes(x), eps=self.eps)
        out = out if self.weight is None else out * self.weight
        return out if self.bias is None else out + self.bias


class RMSNorm(OverFeatures):
    """x / √(mean(x²) + eps) of each row's features, times weight.

    `shape` is as for `LayerNorm`. An eps of None is the distance from 1 to the next number in the
    dtype of x. With `affine=False` there is no weight.

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
        self.features = as_features("RMSNorm", shape)
        self.eps = None if eps is None else as_share("RMSNorm", "eps", eps)
        kind = as_dtype("RMSNorm", dtype)
        self.weight = parameter("weight", self.features, kind) if affine else None

    def forward(self, x: Any) -> Any:
        """x, its rows brought to mean square 1, times weight."""
        axis, eps = self._last_axes(x), self.eps
        if eps is None:
            dtype = np.result_type(unwrap(x))
            eps = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
        out = rms_normalize(x, axis=axis, eps=eps)
        return out if self.weight is None else out * self.weight


@silent
def moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and variance (divided by n - 1) of the entries along the axes."""
    return np.mean(x, axis=axes), np.var(x, axis=axes, ddof=1)


class BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share."""

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
        self.features = as_size(name, "features", features)
        self.eps = as_share(name, "eps", eps)
        self.momentum = as_share(name, "momentum", momentum, most=1)
        shape, kind = (self.features,), as_dtype(name, dtype)
        self.weight = parameter("weight", shape, kind) if affine else None
        self.bias = parameter("bias", shape, kind) if affine else None
        self.running_mean, self.running_var = np.zeros(shape, kind), np.ones(shape, kind)

    def forward(self, x: Any) -> Any:
        """x, each feature brought to mean 0 and variance 1, times weight, plus bias."""
        where = f"{type(self).__name__}({self.features})"
        shape = np.shape(x)
        if len(shape) not in self.shapes or shape[1] != self.features:
            forms = " or ".join(self.shapes.values()).replace("C", str(self.features))
            expected, wrong = f"a shape {forms}", "x has other features"
            refuse(ShapeError, where, wrong, expected=expected, given=f"shape {shape}")
        line = (1, self.features) + (1,) * (len(shape) - 2)
        if self.training:
            axes = (0, *range(2, len(shape)))
            if math.prod(shape[i] for i in axes) < 2:
                wrong = "one row has no variance to train with"
                cure = "give larger batches, or call eval() to use the running mean and variance"
                expected, given = "two rows or more", f"shape {shape}"
                refuse(ArgumentError, where, wrong, expected=expected, given=given, cure=cure)
            self._remember(as_array(unwrap(x)), axes)
            out = standardize(x, axis=axes, eps=self.eps)
        else:
            scale = 1 / np.sqrt(self.running_var + self.eps)
            out = (x - self.running_mean.reshape(line)) * scale.reshape(line)
        out = out if self.weight is None else out * reshape(self.weight, line)
        return out if self.bias is None else out + reshape(self.bias, line)

    def _remember(self, x: Array, axes: tuple[int, ...]) -> None:
        """Move the running mean and variance towards those of the batch."""
        mean, variance = moments(x, axes)
        kept, kind = 1 - self.momentum, self.running_mean.dtype
        self.running_mean = (kept * self.running_mean + self.momentum * mean).astype(kind)
        self.running_var = (kept * self.running_var + self.momentum * variance).astype(kind)


class BatchNorm1d(BatchNorm):
    """(x - mean) / √(variance + eps) of each feature over the rows, times weight, plus bias.

    In training the mean and variance are the batch's, and `running_mean` and `running_var`
    (the latter divided by n - 1) move towards them by the share `momentum`; after `eval()` these
    are used. Both are saved with the weights.

    Shapes: x (N, C) or (N, C, L), the same out; weight, bias, running_mean, running_var (C,).

    Raises `ShapeError` for an x with other features, `ArgumentError` for one row in training.

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
