"""Smooth activations: of one sigmoid, one tanh, or one fraction."""

import numpy as np

from ..core.primitive import primitive
from ..errors import ShapeError
from .activation import sigmoid, softplus


@primitive(
    latex=r"\operatorname{softsign}\left(<x>\right)",
    onnx="Softsign",
    kind="elementwise",
    examples=[((2, 3),), ((),), ((0,),)],
    max_slope=1.0,
)
def softsign(x):
    """x/(1 + |x|), which approaches ±1 more slowly than tanh. Source: `torch.nn.Softsign`.

    >>> softsign(Value([-1.0, 0.0, 3.0]))
    Value(data=[-0.5   0.    0.75], grad=None)
    """
    return x / (1 + np.abs(x))


softsign.vjp(x=lambda g, out, x: g / np.square(1 + np.abs(x)))


def mish(x):
    """x·tanh(softplus(x)), smooth everywhere.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019;
    `torch.nn.Mish`.

    >>> mish(Value([-1000.0, 0.0, 1000.0]))
    Value(data=[  -0.    0. 1000.], grad=None)
    """
    return np.multiply(x, np.tanh(softplus(x)))


def log_sigmoid(x):
    """ln σ(x) = -ln(1 + e^-x), exact where σ(x) itself would underflow.

    Source: `torch.nn.LogSigmoid`.

    >>> log_sigmoid(Value([-1000.0, 1000.0])).tolist()
    [-1000.0, -0.0]
    """
    return -softplus(np.negative(x))


def glu(x, axis=-1):
    """The gated linear unit a·σ(b), where a and b are the two halves of x along the axis.

    Raises `ShapeError` where the axis has no halves.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017;
    `torch.nn.GLU`.

    >>> glu(Value([1.0, 2.0, 0.0, 1000.0]))
    Value(data=[0.5 2. ], grad=None)
    """
    shape = np.shape(x)
    if not -len(shape) <= axis < len(shape) or shape[axis] % 2:
        raise ShapeError(
            f"glu: x must have an even number of entries along axis {axis}, got shape {shape}"
        )
    value, gate = np.split(x if hasattr(x, "shape") else np.asarray(x), 2, axis=axis)
    return value * sigmoid(gate)
