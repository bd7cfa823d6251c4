"""Activation functions as layers, and by name.

An activation names its operation once. `MLP(activation="relu")` finds the class by that name:

    class ReLU(Activation):
        operation = "relu"
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from .. import ops
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, ShapeError
from ..ops.activation import glu
from ..support.lazy_imports import modules_of
from ..support.validation import (
    allocate,
    as_input,
    check_choice,
    check_dtype,
    check_finite,
    check_integer,
    check_number,
    short_repr,
)
from .module import Module, Weightless

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
]

ACTIVATIONS: dict[str, type[Activation]] = {}
"""The activations by the names of their operations. Each class registers itself."""


class Activation(Weightless):
    """A layer that applies one operation and keeps the shape of x.

    `operation` is a function, or the name of one in `tg.ops` (some of these are imported on first
    use). A layer with options passes them on in its own `forward`.

    >>> class Square(Activation):
    ...     operation = np.square
    >>> tg.nn.MLP(1, [2], 1, activation="square").layers[1](3.0)
    np.float64(9.0)
    >>> del ACTIVATIONS["square"]
    """

    operation: ClassVar[str | Callable[..., Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        operation = vars(cls).get("operation")
        if operation is None:  # a subclass of an activation: its parent keeps the name
            return
        name = operation if isinstance(operation, str) else operation.__name__
        known = ACTIVATIONS.get(name)
        if known is not None and known.__module__ != cls.__module__:
            raise ArgumentError(
                f"{cls.__name__}: operation must be one that no other activation has, got {name!r} "
                f"of {known.__module__}.{known.__name__}; subclass that one instead"
            )
        ACTIVATIONS[name] = cls

    @classmethod
    def apply_operation(cls, *operands: Any, **options: Any) -> Any:
        """Apply the operation of the class."""
        for operand in operands:
            if type(operand) is not float:
                as_input(cls.__name__, "x", operand)  # raises for what isn't real numbers
        operation: Any = cls.operation
        function = getattr(ops, operation) if isinstance(operation, str) else operation
        return function(*operands, **options)

    def forward(self, x: ValueLike) -> Any:
        """Return operation(x)."""
        return self.apply_operation(x)


def identity(x: Any) -> Any:
    """Return x."""
    return x


class Identity(Activation):
    """The input, unchanged: a placeholder where a layer is expected.

    >>> tg.nn.Identity()(3.0)
    3.0
    """

    operation = identity

    def forward(self, x: ValueLike) -> Any:
        """Return x, whatever it is."""
        return x


class ReLU(Activation):
    """The rectifier max(x, 0), elementwise; its derivative at 0 is 0.

    >>> tg.nn.ReLU()(Value([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    operation = "relu"


class LeakyReLU(Activation):
    """x where x > 0, else slope·x, elementwise; its derivative at 0 is the slope.

    >>> tg.nn.LeakyReLU(slope=0.1)(Value([-1.0, 2.0])).tolist()
    [-0.1, 2.0]
    """

    operation = "leaky_relu"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = check_finite("LeakyReLU", "slope", slope)

    def forward(self, x: ValueLike) -> Any:
        """Return x or slope·x."""
        return self.apply_operation(x, slope=self.slope)


class PReLU(Activation):
    """x where x > 0, else weight·x, with a trainable slope.

    `count` is 1, one slope for all entries, or the number of channels, one slope for each. The
    channels are the second axis of x, (batch, channels, ...), or the only one. Every slope is
    initialised to `slope`, so there is no generator.

    Raises `ArgumentError` if count is below 1, `ShapeError` if x has another number of channels.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.PReLU`.

    >>> layer = tg.nn.PReLU()
    >>> layer
    PReLU(weight (1,)): 1 parameter
    >>> layer(np.float32([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    operation = "prelu"

    def __init__(
        self, count: int = 1, slope: float = 0.25, *, dtype: DTypeLike = np.float32
    ) -> None:
        size = check_integer("PReLU", "count", count, low=1)
        where, number = f"PReLU({size})", check_finite("PReLU", "slope", slope)
        kind = check_dtype(where, dtype)
        slopes = allocate(where, "weight", (size,), lambda shape: np.full(shape, number, kind))
        self.weight = Value(slopes, name="weight")

    def forward(self, x: ValueLike) -> Any:
        """Return x or weight·x."""
        count = self.weight.size
        data = as_input(f"PReLU({count})", "x", x)
        shape = data.shape
        if count == 1:
            return self.apply_operation(data, self.weight)
        axis = min(1, len(shape) - 1)
        if axis < 0 or shape[axis] != count:
            raise ShapeError(
                f"PReLU({count}): x must have shape (batch, {count}, ...), got {shape}"
            )
        slopes = self.weight.reshape((count, *(1 for _ in shape[axis + 1 :])))
        return self.apply_operation(data, slopes)


class ReLU6(Activation):
    """The rectifier capped at 6, elementwise; its derivative is 0 at 0 and at 6.

    >>> tg.nn.ReLU6()(Value([-1.0, 3.0, 8.0])).tolist()
    [0.0, 3.0, 6.0]
    """

    operation = "relu6"


class ELU(Activation):
    """x where x > 0, else alpha·(e^x - 1), elementwise.

    >>> tg.nn.ELU()(Value([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    operation = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_finite("ELU", "alpha", alpha)

    def forward(self, x: ValueLike) -> Any:
        """Return x or alpha·(e^x - 1)."""
        return self.apply_operation(x, alpha=self.alpha)


class CELU(Activation):
    """x where x > 0, else alpha·(e^(x/alpha) - 1), elementwise.

    >>> tg.nn.CELU(0.5)(Value([-1000.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    operation = "celu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_number("CELU", "alpha", alpha, positive=True)

    def forward(self, x: ValueLike) -> Any:
        """Return x or alpha·(e^(x/alpha) - 1)."""
        return self.apply_operation(x, alpha=self.alpha)


class SELU(Activation):
    """The scaled ELU, which preserves mean 0 and variance 1, elementwise.

    >>> tg.nn.SELU()(Value([-1000.0, 0.0])).tolist()
    [-1.7580993408473766, 0.0]
    """

    operation = "selu"


class GELU(Activation):
    """The Gaussian error linear unit x·Φ(x), in its tanh form or, with `approximate="none"`, exact.

    PyTorch's default is "none".

    >>> tg.nn.GELU()(Value([0.0, 100.0])).tolist()
    [0.0, 100.0]
    """

    operation = "gelu"

    def __init__(self, approximate: str = "tanh") -> None:
        self.approximate = check_choice("GELU", "approximate", approximate, ("tanh", "none"))

    def forward(self, x: ValueLike) -> Any:
        """Return x/2·(1 + tanh(√(2/π)(x + 0.044715x³))), or x·Φ(x)."""
        return self.apply_operation(x, approximate=self.approximate)


class SiLU(Activation):
    """The sigmoid linear unit x·σ(x), also called swish, elementwise.

    >>> tg.nn.SiLU()(Value([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    operation = "silu"


class Mish(Activation):
    """x·tanh(ln(1 + e^x)), elementwise.

    >>> tg.nn.Mish()(Value([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    operation = "mish"


class Sigmoid(Activation):
    """The logistic function 1/(1 + e^-x), elementwise.

    >>> tg.nn.Sigmoid()(Value([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """

    operation = "sigmoid"


class LogSigmoid(Activation):
    """ln σ(x), elementwise, exact where σ(x) itself would underflow.

    >>> tg.nn.LogSigmoid()(Value([-1000.0])).tolist()
    [-1000.0]
    """

    operation = "log_sigmoid"


class Hardsigmoid(Activation):
    """A piecewise linear sigmoid, min(max(x + 3, 0), 6)/6, elementwise.

    >>> tg.nn.Hardsigmoid()(Value([-5.0, 0.0, 5.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    operation = "hardsigmoid"


class Hardswish(Activation):
    """x times a piecewise linear sigmoid, x·min(max(x + 3, 0), 6)/6, elementwise.

    >>> tg.nn.Hardswish()(Value([0.0, 5.0])).tolist()
    [0.0, 5.0]
    """

    operation = "hardswish"


class Tanh(Activation):
    """The hyperbolic tangent, elementwise.

    >>> tg.nn.Tanh()(Value([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """

    operation = "tanh"


class Hardtanh(Activation):
    """x clipped to the range from low to high, elementwise; its derivative is 0 at the two bounds.

    >>> tg.nn.Hardtanh()(Value([-5.0, 0.5, 5.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    operation = "hardtanh"

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = check_finite("Hardtanh", "low", low)
        self.high = check_finite("Hardtanh", "high", high)
        self.apply_operation(0.0, low=low, high=high)  # raises here, not on the first use

    def forward(self, x: ValueLike) -> Any:
        """Return min(max(x, low), high)."""
        return self.apply_operation(x, low=self.low, high=self.high)


class Softplus(Activation):
    """The smooth rectifier ln(1 + e^x), elementwise.

    >>> tg.nn.Softplus()(Value([-1000.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    operation = "softplus"


class Softsign(Activation):
    """x/(1 + |x|), elementwise.

    >>> tg.nn.Softsign()(Value([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    operation = "softsign"


class Softmax(Activation):
    """Positive numbers that add up to 1 along the axis, e^x / Σ e^x.

    The losses take logits: don't put a softmax before them.

    >>> tg.nn.Softmax()(Value([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    operation = "softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_integer(type(self).__name__, "axis", axis, low=None)

    def forward(self, x: ValueLike) -> Any:
        """Return e^x / Σ e^x."""
        return self.apply_operation(x, axis=self.axis)


class LogSoftmax(Activation):
    """The logarithm of softmax along the axis, exact where softmax itself would underflow.

    >>> tg.nn.LogSoftmax()(Value([0.0, -1000.0])).tolist()
    [0.0, -1000.0]
    """

    operation = "log_softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_integer(type(self).__name__, "axis", axis, low=None)

    def forward(self, x: ValueLike) -> Any:
        """Return x - ln Σ e^x."""
        return self.apply_operation(x, axis=self.axis)


class GLU(Weightless):
    """The gated linear unit: one half of x times σ of the other.

    The axis becomes half as long, so this isn't an `Activation` for `MLP`. Raises `ShapeError` if
    the axis has an odd length.

    >>> tg.nn.GLU()(Value([1.0, 2.0, 0.0, 1000.0])).tolist()
    [0.5, 2.0]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_integer(type(self).__name__, "axis", axis, low=None)

    def forward(self, x: ValueLike) -> Any:
        """Return a·σ(b)."""
        return glu(x, self.axis)


class Function(Module):
    """A layer that applies a function of one Value.

    >>> tg.nn.Sequential(np.exp)(Value([0.0])).tolist()
    [1.0]
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        """Return function(x)."""
        return self.function(x)

    def _title(self) -> str:
        """Return the name of the function."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))


def as_layer(where: str, given: Any) -> Module:
    """Return a layer for a module, a class of modules, a function, or the name of an activation.

    Raises `ArgumentError` for anything else, and suggests the nearest name.

    >>> as_layer("MLP", "tanh")
    Tanh()
    >>> as_layer("MLP", "tahn")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tinygrad_lr.errors.ArgumentError: MLP: activation must be ...; did you mean 'tanh'?
    """
    if isinstance(given, str) and given not in ACTIVATIONS:
        for name in modules_of(__package__):  # an activation in a file that isn't loaded yet
            importlib.import_module(name)
    if isinstance(given, str) and given in ACTIVATIONS:
        return ACTIVATIONS[given]()
    if isinstance(given, Module):
        return given
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if callable(given):
        return Function(given)
    import difflib  # a millisecond, for an error only

    text = given.lower() if isinstance(given, str) else ""
    near = difflib.get_close_matches(text, ACTIVATIONS, n=1)
    cure = f"; did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(
        f"{where}: activation must be a function, a module or one of "
        f"{', '.join(sorted(ACTIVATIONS))}; got {short_repr(given)}{cure}"
    )
