"""Activation functions as layers, and by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, bad_argument
from ..ops import activation, elementwise
from .module import Module


class Identity(Module):
    """What it is given, unchanged: where a layer is expected and none is wanted.

    >>> tg.nn.Identity()(3.0)
    3.0
    """

    def forward(self, x: Any) -> Any:
        """x."""
        return x


class ReLU(Module):
    """The rectifier max(x, 0), entry by entry; its derivative at 0 is 0.

    >>> tg.nn.ReLU()(Value([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Any) -> Any:
        """max(x, 0)."""
        return activation.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else slope·x, entry by entry; its derivative at 0 is the slope.

    >>> tg.nn.LeakyReLU(slope=0.1)(Value([-1.0, 2.0])).tolist()
    [-0.1, 2.0]
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        """x or slope·x."""
        return activation.leaky_relu(x, slope=self.slope)


class ELU(Module):
    """x where x > 0, else alpha·(e^x - 1), entry by entry.

    >>> tg.nn.ELU()(Value([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """x or alpha·(e^x - 1)."""
        return activation.elu(x, alpha=self.alpha)


class GELU(Module):
    """The Gaussian error linear unit x·Φ(x), in its tanh form or with `approximate="none"` exact.

    PyTorch's default is "none".

    >>> tg.nn.GELU()(Value([0.0, 100.0])).tolist()
    [0.0, 100.0]
    """

    def __init__(self, approximate: str = "tanh") -> None:
        self.approximate = approximate
        activation.gelu(0.0, approximate=approximate)  # refused here, not at the first use

    def forward(self, x: Any) -> Any:
        """x/2·(1 + tanh(√(2/π)(x + 0.044715x³))), or x·Φ(x)."""
        return activation.gelu(x, approximate=self.approximate)


class SiLU(Module):
    """The sigmoid linear unit x·σ(x), also called swish, entry by entry.

    >>> tg.nn.SiLU()(Value([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        """x·σ(x)."""
        return activation.silu(x)


class Sigmoid(Module):
    """The logistic function 1/(1 + e^-x), entry by entry.

    >>> tg.nn.Sigmoid()(Value([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """

    def forward(self, x: Any) -> Any:
        """1/(1 + e^-x)."""
        return activation.sigmoid(x)


class Softplus(Module):
    """The smooth rectifier ln(1 + e^x), entry by entry.

    >>> tg.nn.Softplus()(Value([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        """ln(1 + e^x)."""
        return activation.softplus(x)


class Tanh(Module):
    """The hyperbolic tangent, entry by entry.

    >>> tg.nn.Tanh()(Value([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """

    def forward(self, x: Any) -> Any:
        """Tanh x."""
        return elementwise.tanh(x)


class Function(Module):
    """A layer made of a function of one Value.

    >>> tg.nn.Sequential(np.exp)(Value([0.0])).tolist()
    [1.0]
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        """function(x)."""
        return self.function(x)

    def _title(self) -> str:
        """The function's own name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


ACTIVATIONS: dict[str, tuple[str, str]] = {
    "celu": ("piecewise", "CELU"),
    "elu": ("activation", "ELU"),
    "gelu": ("activation", "GELU"),
    "hardsigmoid": ("piecewise", "Hardsigmoid"),
    "hardswish": ("piecewise", "Hardswish"),
    "hardtanh": ("piecewise", "Hardtanh"),
    "identity": ("activation", "Identity"),
    "leaky_relu": ("activation", "LeakyReLU"),
    "log_sigmoid": ("smooth", "LogSigmoid"),
    "log_softmax": ("smooth", "LogSoftmax"),
    "mish": ("smooth", "Mish"),
    "prelu": ("piecewise", "PReLU"),
    "relu": ("activation", "ReLU"),
    "relu6": ("piecewise", "ReLU6"),
    "selu": ("piecewise", "SELU"),
    "sigmoid": ("activation", "Sigmoid"),
    "silu": ("activation", "SiLU"),
    "softmax": ("smooth", "Softmax"),
    "softplus": ("activation", "Softplus"),
    "softsign": ("smooth", "Softsign"),
    "tanh": ("activation", "Tanh"),
}
"""The activations that can be asked for by name: the module and the class of each."""


def as_layer(where: str, given: Any) -> Module:
    """The layer that is meant: a module, a kind of module, a function, or the name of one.

    Raises `ArgumentError` for anything else; for an unknown name it tells the nearest.

    >>> as_layer("MLP", "tanh")
    Tanh()
    >>> as_layer("MLP", "tahn")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: MLP: 'tahn' is no activation; expected one of \
celu, elu, gelu, hardsigmoid, hardswish, hardtanh, identity, leaky_relu, log_sigmoid, \
log_softmax, mish, prelu, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh, \
or a function, given 'tahn'; did you mean 'tanh'?
    """
    if isinstance(given, str) and given in ACTIVATIONS:
        module, kind = ACTIVATIONS[given]
        named: type[Module] = getattr(importlib.import_module(f".{module}", __package__), kind)
        return named()
    if isinstance(given, Module):
        return given
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if callable(given):
        return Function(given)
    import difflib  # a millisecond, for an error only

    near = difflib.get_close_matches(str(given).lower(), ACTIVATIONS, n=1)
    raise ArgumentError(
        bad_argument(
            where,
            f"{given!r:.60} is no activation",
            expected=f"one of {', '.join(ACTIVATIONS)}, or a function",
            given=f"{given!r:.60}",
            cure=f"did you mean {near[0]!r}?" if near else "",
        )
    )
