"""Activations made of pieces: straight lines that meet, and lines that meet an exponential."""

import numpy as np

from ..core.primitive import primitive
from ..errors import ArgumentError
from .activation import elu

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@primitive(
    latex=r"\operatorname{hardtanh}\left(<x>\right)",
    kind="elementwise",
    examples=[((2, 3),), ((),), ((0,),), ((4,), {"low": 0.0, "high": 1.2})],
)
def hardtanh(x, low=-1.0, high=1.0):
    """x held between low and high. Its derivative is 0 at the two bounds, where clip's is 1.

    Raises `ArgumentError` unless low < high. Source: `torch.nn.Hardtanh`.

    >>> hardtanh(Value([-5.0, 0.5, 5.0]))
    Value(data=[-1.   0.5  1. ], grad=None)
    """
    if not low < high:
        raise ArgumentError(f"hardtanh: low must be below high, got low={low}, high={high}")
    return np.clip(x, low, high)


hardtanh.vjp(x=lambda g, out, x, low, high: np.where((x > low) & (x < high), g, 0.0))


def relu6(x):
    """The rectifier that stops at 6, min(max(x, 0), 6). Its derivative is 0 at 0 and at 6.

    Source: `torch.nn.ReLU6`.

    >>> relu6(Value([-1.0, 3.0, 8.0]))
    Value(data=[0. 3. 6.], grad=None)
    """
    return hardtanh(x, low=0.0, high=6.0)


def hardsigmoid(x):
    """A sigmoid of three lines, relu6(x + 3)/6. Its derivative is 0 at ±3.

    Source: `torch.nn.Hardsigmoid`.

    >>> hardsigmoid(Value([-5.0, 0.0, 5.0]))
    Value(data=[0.  0.5 1. ], grad=None)
    """
    return relu6(np.add(x, 3)) / 6


def hardswish(x):
    """x·hardsigmoid(x): silu with a sigmoid of three lines.

    Source: Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardswish`.

    >>> hardswish(Value([-5.0, 0.0, 5.0])).tolist()
    [-0.0, 0.0, 5.0]
    """
    return np.multiply(x, hardsigmoid(x))


def selu(x):
    """The scaled elu, which keeps mean 0 and variance 1 through layers of standardised weights.

    1.0507·x where x > 0, else 1.0507·1.6733·(e^x - 1).

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.SELU`.

    >>> selu(Value([-1000.0, 0.0])).tolist()
    [-1.7580993408473766, 0.0]
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


def celu(x, alpha=1.0):
    """x where x > 0, else alpha·(e^(x/alpha) - 1), whose derivative at 0 is 1 for every alpha.

    Raises `ArgumentError` unless alpha > 0.

    Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017; `torch.nn.CELU`.

    >>> celu(Value([-1000.0, 2.0]), alpha=0.5)
    Value(data=[-0.5  2. ], grad=None)
    """
    if not alpha > 0:
        raise ArgumentError(f"celu: alpha must be > 0, got {alpha!r:.60}")
    x = x if hasattr(x, "shape") else np.asarray(x)
    return np.where(x > 0, x, alpha * elu(x / alpha))[()]


def prelu(x, weight):
    """x where x > 0, else weight·x, with a weight that may be trained and that broadcasts.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.functional.prelu`.

    >>> prelu(np.array([-2.0, 2.0]), Value(0.25))
    Value(data=[-0.5  2. ], grad=None)
    """
    x = x if hasattr(x, "shape") else np.asarray(x)
    return np.where(x > 0, x, weight * x)[()]
