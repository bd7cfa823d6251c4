"""Activation functions as layers, and by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, bad_argument
from ..ops import activation, elementwise
from .module import Module


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
    """The Gaussian error linear unit in its tanh form (`approximate="tanh"` in PyTorch).

    >>> tg.nn.GELU()(Value([0.0, 100.0])).tolist()
    [0.0, 100.0]
    """

    def forward(self, x: Any) -> Any:
        """x/2·(1 + tanh(√(2/π)(x + 0.044715x³)))."""
        return activation.gelu(x)


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


ACTIVATIONS: dict[str, type[Module]] = {
    "elu": ELU,
    "gelu": GELU,
    "leaky_relu": LeakyReLU,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "silu": SiLU,
    "softplus": Softplus,
    "tanh": Tanh,
}
"""The activations that can be asked for by name."""


def as_layer(where: str, given: Any) -> Module:
    """The layer that is meant: a module, a kind of module, a function, or the name of one.

    Raises `ArgumentError` for anything else; for an unknown name it tells the nearest.

    >>> as_layer("MLP", "tahn")
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: MLP: 'tahn' is no activation; expected one of elu, gelu, \
leaky_relu, relu, sigmoid, silu, softplus, tanh, or a function, given 'tahn'; did you mean 'tanh'?
    """
    if isinstance(given, str) and given in ACTIVATIONS:
        return ACTIVATIONS[given]()
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
