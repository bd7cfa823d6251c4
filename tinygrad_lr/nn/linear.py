"""`Linear`: the line of the lesson, w·x + b, for any number of inputs and outputs."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ArgumentError, ShapeError, bad_argument
from ..ops import affine, matmul
from ..support.random_state import Seed, as_generator
from .initial_weights import within
from .module import Module


class Linear(Module):
    """The line (or plane) x @ weight + bias.

    Shapes: x (..., in_features) gives (..., out_features); weight (in_features, out_features),
    bias (out_features,), or None with `bias=False`. Both begin uniform in ±1/√in_features, as
    PyTorch's do, drawn from `generator`: a numpy Generator or a seed. Without one they come from
    a stream of the package's own, so that the same program gives the same bits.

    Results follow NumPy's promotion: a float64 array through a float32 layer comes out float64.

    Raises `ArgumentError` for sizes below 1, `ShapeError` for an x with other features.

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
        inputs = as_size("Linear", "in_features", in_features)
        outputs = as_size("Linear", "out_features", out_features)
        where = f"Linear({inputs}, {outputs})"
        random = as_generator(where, generator)
        bound = 1 / math.sqrt(inputs)
        self.weight = within(where, (inputs, outputs), bound, dtype=dtype, generator=random)
        self.weight.name = "weight"
        self.bias: Value | None = None
        if bias:
            self.bias = within(where, (outputs,), bound, dtype=dtype, generator=random)
            self.bias.name = "bias"

    @property
    def in_features(self) -> int:
        """How many numbers a row of x has."""
        return self.weight.shape[0]

    @property
    def out_features(self) -> int:
        """How many numbers a row of the result has."""
        return self.weight.shape[1]

    def forward(self, x: Any) -> Any:
        """x @ weight + bias."""
        try:
            if self.bias is None:
                return matmul(x, self.weight)  # (..., in_features) @ (in_features, out_features)
            return affine(x, self.weight, self.bias)
        except ShapeError as error:
            raise self._misfit(np.shape(x)) from error

    def _misfit(self, shape: tuple[int, ...]) -> ShapeError:
        features = self.in_features
        one_feature = features == 1 and len(shape) == 1
        return ShapeError(
            bad_argument(
                f"Linear({features}, {self.out_features})",
                f"x has {shape[-1] if shape else 'no'} features",
                expected=f"{features}, a shape (..., {features})",
                given=f"shape {shape}",
                cure="pass x[:, None] for one feature" if one_feature else "",
            )
        )


def as_size(where: str, name: str, given: Any) -> int:
    """A size as an int. Raises `ArgumentError` for what is not a whole number from 1."""
    try:
        size = 0 if isinstance(given, bool) else operator.index(given)
    except TypeError:
        size = 0
    if size < 1:
        raise ArgumentError(
            bad_argument(
                where, f"{name} is not a size", expected="a whole number from 1", given=repr(given)
            )
        )
    return size
