"""Smooth activations and the softmax family, as layers."""

from __future__ import annotations

from typing import Any

from ..ops import log_softmax, smooth, softmax
from .module import Module


class Softsign(Module):
    """x/(1 + |x|), entry by entry.

    >>> tg.nn.Softsign()(Value([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    def forward(self, x: Any) -> Any:
        """x/(1 + |x|)."""
        return smooth.softsign(x)


class Mish(Module):
    """x·tanh(ln(1 + e^x)), entry by entry.

    >>> tg.nn.Mish()(Value([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        """x·tanh(ln(1 + e^x))."""
        return smooth.mish(x)


class LogSigmoid(Module):
    """ln σ(x), entry by entry, exact where σ(x) itself would underflow.

    >>> tg.nn.LogSigmoid()(Value([-1000.0])).tolist()
    [-1000.0]
    """

    def forward(self, x: Any) -> Any:
        """ln σ(x)."""
        return smooth.log_sigmoid(x)


class GLU(Module):
    """The gated linear unit: one half of x times σ of the other; the axis becomes half as long.

    Raises `ShapeError` where the axis has no halves.

    >>> tg.nn.GLU()(Value([1.0, 2.0, 0.0, 1000.0])).tolist()
    [0.5, 2.0]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """a·σ(b)."""
        return smooth.glu(x, self.axis)


class Softmax(Module):
    """Positive numbers that add up to 1 along the axis, e^x / Σ e^x.

    The losses take logits, and need no softmax before them.

    >>> tg.nn.Softmax()(Value([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """e^x / Σ e^x."""
        return softmax(x, axis=self.axis)


class LogSoftmax(Module):
    """The logarithm of softmax along the axis, exact where softmax itself would underflow.

    >>> tg.nn.LogSoftmax()(Value([0.0, -1000.0])).tolist()
    [0.0, -1000.0]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """x - ln Σ e^x."""
        return log_softmax(x, axis=self.axis)
