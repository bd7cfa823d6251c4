"""`Bilinear`: what is linear in each of two inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ShapeError, refuse
from ..ops import matmul
from ..support.random_state import Seed, as_generator
from .initial_weights import within
from .linear import as_size
from .module import Module


class Bilinear(Module):
    """x1ᵀ·weight[k]·x2 + bias[k] for each entry k of the result.

    Shapes: x1 (..., in1_features) and x2 (..., in2_features), with the same axes before the last,
    give (..., out_features); weight (out_features, in1_features, in2_features), bias
    (out_features,) or None with `bias=False`. Both begin uniform in ±1/√in1_features, drawn from
    `generator`.

    Raises `ArgumentError` for sizes below 1, `ShapeError` for inputs that do not fit.

    Source: `torch.nn.Bilinear`.

    >>> layer = tg.nn.Bilinear(2, 3, 4, generator=0)
    >>> layer
    Bilinear(weight (4, 2, 3), bias (4,)): 28 parameters
    >>> layer(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32)).shape
    (5, 4)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        first = as_size("Bilinear", "in1_features", in1_features)
        second = as_size("Bilinear", "in2_features", in2_features)
        outputs = as_size("Bilinear", "out_features", out_features)
        title, bound = f"Bilinear({first}, {second}, {outputs})", 1 / math.sqrt(first)
        random, shape = as_generator(title, generator), (outputs, first, second)
        self.weight = within(title, shape, bound, dtype=dtype, generator=random)
        self.weight.name = "weight"
        self.bias: Value | None = None
        if bias:
            self.bias = within(title, (outputs,), bound, dtype=dtype, generator=random)
            self.bias.name = "bias"

    def forward(self, x1: Any, x2: Any) -> Any:
        """x1ᵀ·weight·x2 + bias."""
        outputs, first, second = self.weight.shape
        shape, other = np.shape(x1), np.shape(x2)
        if shape[-1:] != (first,) or other[-1:] != (second,) or shape[:-1] != other[:-1]:
            title, wrong = f"Bilinear({first}, {second}, {outputs})", "the inputs do not fit"
            expected = f"shapes (..., {first}) and (..., {second}) with the same axes before"
            refuse(ShapeError, title, wrong, expected=expected, given=f"{shape} and {other}")
        weight: Any = self.weight
        table = np.reshape(np.moveaxis(weight, 0, 1), (first, outputs * second))
        lines = np.reshape(matmul(x1, table), (*shape[:-1], outputs, second))
        out = np.sum(lines * np.expand_dims(x2, -2), axis=-1)  # (..., out, in2) -> (..., out)
        return out if self.bias is None else out + self.bias
