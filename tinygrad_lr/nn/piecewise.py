"""Activations made of pieces, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ShapeError, refuse
from ..ops import piecewise
from .initial_weights import as_dtype
from .linear import as_size
from .module import Module


class ReLU6(Module):
    """The rectifier that stops at 6, entry by entry; its derivative is 0 at 0 and at 6.

    >>> tg.nn.ReLU6()(Value([-1.0, 3.0, 8.0])).tolist()
    [0.0, 3.0, 6.0]
    """

    def forward(self, x: Any) -> Any:
        """min(max(x, 0), 6)."""
        return piecewise.relu6(x)


class Hardtanh(Module):
    """x held between low and high, entry by entry; its derivative is 0 at the two bounds.

    >>> tg.nn.Hardtanh()(Value([-5.0, 0.5, 5.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low, self.high = low, high
        piecewise.hardtanh(0.0, low=low, high=high)  # refused here, not at the first use

    def forward(self, x: Any) -> Any:
        """min(max(x, low), high)."""
        return piecewise.hardtanh(x, low=self.low, high=self.high)


class Hardsigmoid(Module):
    """A sigmoid of three lines, entry by entry.

    >>> tg.nn.Hardsigmoid()(Value([-5.0, 0.0, 5.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, x: Any) -> Any:
        """min(max(x + 3, 0), 6)/6."""
        return piecewise.hardsigmoid(x)


class Hardswish(Module):
    """x times a sigmoid of three lines, entry by entry.

    >>> tg.nn.Hardswish()(Value([0.0, 5.0])).tolist()
    [0.0, 5.0]
    """

    def forward(self, x: Any) -> Any:
        """x·min(max(x + 3, 0), 6)/6."""
        return piecewise.hardswish(x)


class SELU(Module):
    """The scaled elu, which keeps mean 0 and variance 1, entry by entry.

    >>> tg.nn.SELU()(Value([-1000.0, 0.0])).tolist()
    [-1.7580993408473766, 0.0]
    """

    def forward(self, x: Any) -> Any:
        """1.0507·x, or 1.0507·1.6733·(e^x - 1)."""
        return piecewise.selu(x)


class CELU(Module):
    """x where x > 0, else alpha·(e^(x/alpha) - 1), entry by entry.

    >>> tg.nn.CELU(0.5)(Value([-1000.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha
        piecewise.celu(0.0, alpha)  # refused here, not at the first use

    def forward(self, x: Any) -> Any:
        """x or alpha·(e^(x/alpha) - 1)."""
        return piecewise.celu(x, self.alpha)


class PReLU(Module):
    """x where x > 0, else weight·x, with a slope that is trained.

    `count` is 1, one slope for all entries, or the number of channels, one slope for each. The
    channels are the second axis of x, (batch, channels, ...), or the only one. All slopes begin at
    `slope`. There are no draws, so there is no generator.

    Raises `ArgumentError` for a count below 1, `ShapeError` for an x with other channels.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.PReLU`.

    >>> layer = tg.nn.PReLU()
    >>> layer
    PReLU(weight (1,)): 1 parameter
    >>> layer(np.float32([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self, count: int = 1, slope: float = 0.25, *, dtype: DTypeLike = np.float32
    ) -> None:
        size = as_size("PReLU", "count", count)
        self.weight = Value(np.full(size, slope, as_dtype(f"PReLU({size})", dtype)), name="weight")

    def forward(self, x: Any) -> Any:
        """x or weight·x."""
        shape, count = np.shape(x), self.weight.size
        if count == 1:
            return piecewise.prelu(x, self.weight)
        axis = min(1, len(shape) - 1)
        if axis < 0 or shape[axis] != count:
            refuse(
                ShapeError,
                f"PReLU({count})",
                f"x has {shape[axis] if shape else 'no'} channels",
                expected=f"{count}, a shape (batch, {count}, ...)",
                given=f"shape {shape}",
            )
        spread = (count, *(1 for _ in shape[axis + 1 :]))
        return piecewise.prelu(x, self.weight.reshape(spread))
