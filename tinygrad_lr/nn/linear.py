"""`Linear`, the line w·x + b for any number of inputs and outputs, and `Bilinear`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value, ValueLike
from ..errors import ShapeError
from ..ops.linear_algebra import affine, matmul
from ..support.random_state import Seed, as_generator
from ..support.validation import as_input, check_flag, check_integer
from .initial_weights import draw_uniform
from .module import Module

__all__ = ["Bilinear", "Linear"]


class Linear(Module):
    """The line (or plane) x @ weight + bias.

    Shapes: x (..., in_features) gives (..., out_features); weight (in_features, out_features), bias
    (out_features,), or None with `bias=False`. Both are drawn uniformly within ±1/√in_features, as
    in PyTorch, with `generator`: a NumPy Generator or a seed. The default is a seeded generator
    that the package shares, so the same program gives the same bits.

    Results follow NumPy's promotion: a float64 array through a float32 layer comes out float64.

    Raises `ArgumentError` if a size is below 1, `ShapeError` if x has another number of features.

    Source: `torch.nn.Linear`, whose weight is the transpose of this one.

    >>> line = tg.nn.Linear(2, 1, dtype=np.float64, generator=0)
    >>> line
    Linear(weight (2, 1), bias (1,)): 3 parameters
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> bool((line(x).data == x @ line.weight.data + line.bias.data).all())
    True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        inputs = check_integer("Linear", "in_features", in_features, low=1)
        outputs = check_integer("Linear", "out_features", out_features, low=1)
        where = f"Linear({inputs}, {outputs})"
        random, bias = as_generator(where, generator), check_flag(where, "bias", bias)
        bound = 1 / math.sqrt(inputs)
        self.weight = draw_uniform(where, (inputs, outputs), bound, dtype=dtype, generator=random)
        self.weight.name = "weight"
        self.bias: Value | Any = None  # Any: code that asks for a bias need not test for None
        if bias:
            self.bias = draw_uniform(where, (outputs,), bound, dtype=dtype, generator=random)
            self.bias.name = "bias"

    @property
    def in_features(self) -> int:
        """The number of features of x."""
        return self.weight.shape[0]

    @property
    def out_features(self) -> int:
        """The number of features of the result."""
        return self.weight.shape[1]

    def forward(self, x: ValueLike) -> Value:
        """Return x @ weight + bias."""
        try:
            if self.bias is None:
                return matmul(x, self.weight)  # (..., in_features) @ (in_features, out_features)
            return affine(x, self.weight, self.bias)
        except ShapeError as error:
            raise self._shape_error(as_input("Linear", "x", x).shape) from error

    def _shape_error(self, shape: tuple[int, ...]) -> ShapeError:
        features = self.in_features
        one_feature = features == 1 and len(shape) == 1
        cure = "; pass x[:, None] for one feature" if one_feature else ""
        return ShapeError(
            f"Linear({features}, {self.out_features}): x must have shape (..., {features}), "
            f"got {shape}{cure}"
        )


class Bilinear(Module):
    """x1ᵀ·weight[k]·x2 + bias[k] for each entry k of the result.

    Shapes: x1 (..., in1_features) and x2 (..., in2_features), with the same leading axes, give
    (..., out_features); weight (out_features, in1_features, in2_features), bias (out_features,) or
    None with `bias=False`. Both are drawn uniformly within ±1/√in1_features with `generator`.

    Raises `ArgumentError` if a size is below 1, `ShapeError` if an input has another shape.

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
        first = check_integer("Bilinear", "in1_features", in1_features, low=1)
        second = check_integer("Bilinear", "in2_features", in2_features, low=1)
        outputs = check_integer("Bilinear", "out_features", out_features, low=1)
        title, bound = f"Bilinear({first}, {second}, {outputs})", 1 / math.sqrt(first)
        random, shape = as_generator(title, generator), (outputs, first, second)
        bias = check_flag(title, "bias", bias)
        self.weight = draw_uniform(title, shape, bound, dtype=dtype, generator=random)
        self.weight.name = "weight"
        self.bias: Value | Any = None  # Any: code that asks for a bias need not test for None
        if bias:
            self.bias = draw_uniform(title, (outputs,), bound, dtype=dtype, generator=random)
            self.bias.name = "bias"

    def forward(self, x1: ValueLike, x2: ValueLike) -> Value:
        """Return x1ᵀ·weight·x2 + bias."""
        outputs, first, second = self.weight.shape
        title = f"Bilinear({first}, {second}, {outputs})"
        first_input, second_input = as_input(title, "x1", x1), as_input(title, "x2", x2)
        shape, other = np.shape(first_input), np.shape(second_input)
        if shape[-1:] != (first,) or other[-1:] != (second,) or shape[:-1] != other[:-1]:
            raise ShapeError(
                f"{title}: x1 and x2 must have shapes "
                f"(..., {first}) and (..., {second}) with the same leading axes, "
                f"got {shape} and {other}"
            )
        weight: Any = self.weight
        table = np.reshape(np.moveaxis(weight, 0, 1), (first, outputs * second))
        lines = np.reshape(matmul(first_input, table), (*shape[:-1], outputs, second))
        products = lines * np.expand_dims(second_input, -2)  # (..., out, in2)
        out: Value = np.sum(products, axis=-1)
        return out if self.bias is None else out + self.bias
