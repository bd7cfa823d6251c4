"""Activation functions, stable for arguments of any size, and the softmax family."""

import math

import numpy as np

from ..core.primitive import implements, primitive, where_true
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import AbstractArray
from ..support.validation import as_input, check_choice, check_integer

ONE = [((2, 3),), ((),), ((0,),)]
ROWS = [((2, 3),), ((4,), {"axis": 0}), ((2, 3, 2), {"axis": (0, 2)})]


def as_floats(x):
    """Return integers and booleans as float64, as Values hold them; others as they are.

    -x of an unsigned integer would wrap, and e^x of a small one would be a float16.
    """
    dtype = getattr(x, "dtype", None)
    return x if dtype is None or dtype.kind not in "iub" else x.astype(np.float64)


@primitive(
    latex=r"\operatorname{relu}\left(<x>\right)",
    onnx="Relu",
    kind="elementwise",
    examples=ONE,
    scalar=lambda x: 0.0 if x < 0 else x,
    kinked=True,
    max_slope=1.0,
    gain=math.sqrt(2.0),
)
def relu(x):
    """The rectifier max(x, 0). Its derivative is 0 at 0.

    >>> relu(Value([-1.0, 2.0]))
    Value(data=[0. 2.], grad=None)
    """
    return np.maximum(x, 0)


def _relu_rule(g, out, x):
    if type(x) is float:
        return g if x > 0 else 0.0
    return where_true(x > 0, g)


relu.vjp(x=_relu_rule)


@primitive(
    latex=r"\operatorname{leaky\,relu}_{<slope>}\left(<x>\right)",
    kind="elementwise",
    examples=[*ONE, ((3,), {"slope": 0.3})],
    kinked=True,
    gain=lambda slope: math.sqrt(2 / (1 + slope**2)),
)
def leaky_relu(x, slope=0.01):
    """x where x > 0, else slope·x. Its derivative at 0 is the slope.

    >>> leaky_relu(Value([-1.0, 2.0]))
    Value(data=[-0.01  2.  ], grad=None)
    """
    return np.where(x > 0, x, slope * x)[()]


leaky_relu.vjp(x=lambda g, out, x, slope: np.where(x > 0, g, slope * g))


def _sigmoid_of_number(x):
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


@primitive(
    latex=r"\sigma\left(<x>\right)",
    onnx="Sigmoid",
    kind="elementwise",
    examples=ONE,
    scalar=_sigmoid_of_number,
    max_slope=0.25,
    gain=1.0,
)
def sigmoid(x):
    """The logistic function 1/(1 + e^-x), computed from e^-|x|, which cannot overflow.

    >>> sigmoid(Value([-1000.0, 0.0, 1000.0]))
    Value(data=[0.  0.5 1. ], grad=None)
    """
    x = as_floats(x)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small)[()] / (1 + small)


sigmoid.vjp(x=lambda g, out, x: g * (out * (1 - out)))


@primitive(
    latex=r"\operatorname{softplus}\left(<x>\right)",
    onnx="Softplus",
    kind="elementwise",
    examples=ONE,
)
def softplus(x):
    """ln(1 + e^x), the smooth rectifier; its derivative is the logistic function.

    >>> softplus(Value([-1000.0, 1000.0]))
    Value(data=[   0. 1000.], grad=None)
    """
    x = as_floats(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus.vjp(x=lambda g, out, x: g * sigmoid(x))


@primitive(
    latex=r"\operatorname{elu}\left(<x>; <alpha>\right)",
    onnx="Elu",
    kind="elementwise",
    examples=[*ONE, ((3,), {"alpha": 0.5})],
    kinked=lambda x, alpha: np.logical_and(x > 0, alpha != 1),
)
def elu(x, alpha=1.0):
    """x where x > 0, else alpha·(e^x - 1).

    Source: Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by
    Exponential Linear Units (ELUs)", 2015.

    >>> elu(Value([-1000.0, 2.0]))
    Value(data=[-1.  2.], grad=None)
    """
    x = as_floats(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))[()]


elu.vjp(x=lambda g, out, x, alpha: np.where(x > 0, g, g * (alpha * np.exp(np.minimum(x, 0)))))

GELU_SCALE = math.sqrt(2 / math.pi)


def _gelu_inner(x):
    return np.tanh(GELU_SCALE * (x + 0.044715 * x * x * x))


def _gelu_slope(x):
    inner = _gelu_inner(x)
    inner_slope = (1 - inner * inner) * (GELU_SCALE * (1 + 3 * 0.044715 * x * x))
    return 0.5 * (1 + inner) + 0.5 * x * inner_slope


@primitive(
    latex=r"\operatorname{gelu}\left(<x>\right)",
    onnx="Gelu",
    kind="elementwise",
    examples=[*ONE, ((3,), {"approximate": "none"})],
)
def gelu(x, approximate="tanh"):
    """The Gaussian error linear unit x·Φ(x), in its tanh form or to all digits.

    With `approximate="tanh"` it is x/2·(1 + tanh(√(2/π)(x + 0.044715x³))), within 5e-4 of x·Φ(x);
    with "none" it is x·Φ(x) itself, where Φ is the normal distribution function, at several times
    the cost. As `torch.nn.GELU(approximate=...)`, whose default is "none".

    Raises `ArgumentError` for another form.

    Source: Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", 2016.

    >>> gelu(Value([-100.0, 0.0, 100.0]))
    Value(data=[ -0.   0. 100.], grad=None)
    """
    x = as_floats(x)
    if approximate == "tanh":
        return 0.5 * x * (1 + _gelu_inner(x))
    if approximate != "none":
        check_choice("gelu", "approximate", approximate, ("tanh", "none"))
    from .error_function import normal_cdf  # imported when it is first needed

    return x * normal_cdf(x)


def _gelu_rule(g, out, x, approximate):
    if approximate == "tanh":
        return g * _gelu_slope(x)
    from .error_function import normal_cdf, normal_pdf

    return g * (normal_cdf(x) + x * normal_pdf(x))


gelu.vjp(x=_gelu_rule)


@primitive(latex=r"\operatorname{silu}\left(<x>\right)", kind="elementwise", examples=ONE)
def silu(x):
    """The sigmoid linear unit x·σ(x), also called swish.

    >>> silu(Value([-1000.0, 0.0, 1000.0]))
    Value(data=[  -0.    0. 1000.], grad=None)
    """
    return x * sigmoid(x)


silu.vjp(x=lambda g, out, x: g * (sigmoid(x) * (1 + x * (1 - sigmoid(x)))))


@primitive(
    latex=r"\operatorname{softmax}\left(<x>\right)",
    onnx="Softmax",
    examples=ROWS,
    sentence="The entries of {v} add up to 1: when one rises, the others together fall.",
)
def softmax(x, axis=-1):
    """e^x / Σ e^x along the axis: positive numbers that add up to 1.

    >>> softmax(Value([1000.0, 1000.0]))
    Value(data=[0.5 0.5], grad=None)
    """
    x = as_floats(x)
    powers = np.exp(x - _peak(x, axis))
    powers /= np.add.reduce(powers, axis=axis, keepdims=True)
    return powers


def _peak(x, axis):
    """Return the largest entry along the axis; 0 where there are none."""
    reduce = np.maximum.reduce if np.size(x) else np.add.reduce
    return reduce(x, axis=axis, keepdims=True)


def _softmax_rule(g, out, x, axis):
    # the Jacobian diag(p) - p pᵀ is symmetric: the same product serves both modes
    return out * (g - np.sum(g * out, axis=axis, keepdims=True))


softmax.vjp(x=_softmax_rule)
softmax.jvp(x=_softmax_rule)
softmax.reach = lambda live, x, axis: np.any(live, axis=axis, keepdims=True)


@primitive(latex=r"\ln\operatorname{softmax}\left(<x>\right)", onnx="LogSoftmax", examples=ROWS)
def log_softmax(x, axis=-1):
    """The logarithm of softmax, x - ln Σ e^x, exact where softmax itself would underflow.

    >>> log_softmax(Value([0.0, -1000.0]))
    Value(data=[    0. -1000.], grad=None)
    """
    x = as_floats(x)
    shifted = x - _peak(x, axis)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


log_softmax.vjp(x=lambda g, out, x, axis: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True))
log_softmax.jvp(x=lambda t, out, x, axis: t - np.sum(np.exp(out) * t, axis=axis, keepdims=True))
log_softmax.reach = softmax.reach


def _finite_peak(x, axis):
    peak = _peak(x, axis)
    return np.where(np.isfinite(peak), peak, 0.0)


@primitive(latex=r"\ln \sum e^{<x>}", examples=[*ROWS, ((2, 3), {"axis": None})])
def logsumexp(x, axis=None, keepdims=False):
    """ln Σ e^x along the axis (over all entries where it is None), without overflow.

    It is -inf where all entries are, or where there are none. The derivative is softmax(x), also
    at an infinite sum: 1 for the entry that is infinite, or nan for each of several.

    >>> logsumexp(Value([1000.0, 1000.0])) - 1000
    Value(data=0.6931471805598903, grad=None)
    """
    x = as_floats(x)
    peak = _finite_peak(x, axis)
    with np.errstate(divide="ignore"):  # ln 0 where there are no entries, or all are -inf
        total = np.log(np.sum(np.exp(x - peak), axis=axis, keepdims=True)) + peak
    return total if keepdims else np.squeeze(total, axis=axis)[()]


def _shares(out, x, axis, keepdims):
    """The derivative of logsumexp: softmax, and its limit where one entry is infinite."""
    shares, total = softmax(x, axis), _kept(out, x, axis, keepdims)
    infinite = np.isinf(total)
    if not isinstance(infinite, AbstractArray) and not np.any(infinite):
        return shares
    largest = x == total
    alone = np.sum(largest * 1.0, axis=axis, keepdims=True) == 1
    return np.where(infinite, np.where(largest, np.where(alone, 1.0, math.nan), 0.0), shares)


logsumexp.vjp(
    x=lambda g, out, x, axis, keepdims: (
        _kept(g, x, axis, keepdims) * _shares(out, x, axis, keepdims)
    )
)
logsumexp.jvp(
    x=lambda t, out, x, axis, keepdims: np.sum(
        _shares(out, x, axis, keepdims) * t, axis=axis, keepdims=keepdims
    )
)


def _kept(g, x, axis, keepdims):
    return g if keepdims or axis is None else np.expand_dims(g, axis)


logsumexp.reach = _kept


# ---- composed of one sigmoid, one tanh or one fraction


@primitive(
    latex=r"\operatorname{softsign}\left(<x>\right)",
    onnx="Softsign",
    kind="elementwise",
    examples=ONE,
    max_slope=1.0,
)
def softsign(x):
    """x/(1 + |x|), which approaches ±1 more slowly than tanh. Source: `torch.nn.Softsign`.

    >>> softsign(Value([-1.0, 0.0, 3.0]))
    Value(data=[-0.5   0.    0.75], grad=None)
    """
    x = as_floats(x)
    return x / (1 + np.abs(x))


softsign.vjp(x=lambda g, out, x: g / np.square(1 + np.abs(x)))


@implements()
def mish(x):
    """x·tanh(softplus(x)), smooth everywhere.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019;
    `torch.nn.Mish`.

    >>> mish(Value([-1000.0, 0.0, 1000.0]))
    Value(data=[  -0.    0. 1000.], grad=None)
    """
    return np.multiply(x, np.tanh(softplus(x)))


@implements()
def log_sigmoid(x):
    """ln σ(x) = -ln(1 + e^-x), exact where σ(x) itself would underflow.

    Source: `torch.nn.LogSigmoid`.

    >>> log_sigmoid(Value([-1000.0, 1000.0])).tolist()
    [-1000.0, -0.0]
    """
    return -softplus(np.negative(as_floats(x)))


@implements()
def glu(x, axis=-1):
    """The gated linear unit a·σ(b), where a and b are the two halves of x along the axis.

    Raises `ShapeError` where the axis has no halves.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017;
    `torch.nn.GLU`.

    >>> glu(Value([1.0, 2.0, 0.0, 1000.0]))
    Value(data=[0.5 2. ], grad=None)
    """
    x, axis = as_input("glu", "x", x), check_integer("glu", "axis", axis, low=None)
    shape = np.shape(x)
    if not -len(shape) <= axis < len(shape) or shape[axis] % 2:
        raise ShapeError(
            f"glu: x must have an even number of entries along axis {axis}, got shape {shape}"
        )
    value, gate = np.split(x, 2, axis=axis)
    return value * sigmoid(gate)


# ---- in pieces: straight lines that meet, and lines that meet an exponential


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@primitive(
    latex=r"\operatorname{clip}\left(<x>, <low>, <high>\right)",
    kind="elementwise",
    examples=[*ONE, ((4,), {"low": 0.0, "high": 1.2})],
    kinked=lambda x, low, high: np.add(x > low, x >= high, dtype=int),
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


@implements()
def relu6(x):
    """The rectifier that stops at 6, min(max(x, 0), 6). Its derivative is 0 at 0 and at 6.

    Source: `torch.nn.ReLU6`.

    >>> relu6(Value([-1.0, 3.0, 8.0]))
    Value(data=[0. 3. 6.], grad=None)
    """
    return hardtanh(x, low=0.0, high=6.0)


@implements()
def hardsigmoid(x):
    """A sigmoid of three lines, relu6(x + 3)/6. Its derivative is 0 at ±3.

    Source: `torch.nn.Hardsigmoid`.

    >>> hardsigmoid(Value([-5.0, 0.0, 5.0]))
    Value(data=[0.  0.5 1. ], grad=None)
    """
    return relu6(np.add(as_floats(x), 3)) / 6


@implements()
def hardswish(x):
    """x·hardsigmoid(x): silu with a sigmoid of three lines.

    Source: Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardswish`.

    >>> hardswish(Value([-5.0, 0.0, 5.0])).tolist()
    [-0.0, 0.0, 5.0]
    """
    return np.multiply(x, hardsigmoid(x))


@implements()
def selu(x):
    """The scaled elu, which keeps mean 0 and variance 1 through layers of standardised weights.

    1.0507·x where x > 0, else 1.0507·1.6733·(e^x - 1).

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.SELU`.

    >>> selu(Value([-1000.0, 0.0])).tolist()
    [-1.7580993408473766, 0.0]
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


@primitive(
    latex=r"\operatorname{celu}\left(<x>; <alpha>\right)",
    onnx="Celu",
    kind="elementwise",
    examples=[*ONE, ((3,), {"alpha": 0.5})],
)
def celu(x, alpha=1.0):
    """x where x > 0, else alpha·(e^(x/alpha) - 1), whose derivative at 0 is 1 for every alpha.

    Raises `ArgumentError` unless alpha > 0.

    Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017; `torch.nn.CELU`.

    >>> celu(Value([-1000.0, 2.0]), alpha=0.5)
    Value(data=[-0.5  2. ], grad=None)
    """
    if not alpha > 0:
        raise ArgumentError(f"celu: alpha must be > 0, got {alpha!r:.60}")
    x = as_floats(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))[()]


celu.vjp(x=lambda g, out, x, alpha: np.where(x > 0, g, g * np.exp(np.minimum(x, 0) / alpha)))


@primitive(
    latex=r"\operatorname{prelu}\left(<x>, <weight>\right)",
    onnx="PRelu",
    kind="elementwise",
    examples=[((2, 3), ()), ((2, 3), (3,)), ((), ())],
    kinked=True,
)
def prelu(x, weight):
    """x where x > 0, else weight·x, with a weight that may be trained and that broadcasts.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.functional.prelu`.

    >>> prelu(np.array([-2.0, 2.0]), Value(0.25))
    Value(data=[-0.5  2. ], grad=None)
    """
    return np.where(np.greater(x, 0), x, np.multiply(weight, x))[()]


prelu.vjp(
    x=lambda g, out, x, weight: np.where(x > 0, g, weight * g),
    weight=lambda g, out, x, weight: np.where(x > 0, 0.0, g * x),
)
