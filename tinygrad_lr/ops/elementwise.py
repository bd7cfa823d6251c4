"""Elementary functions and choices, entry by entry. The derivative is inf where a slope is."""

import math

import numpy as np

from ..core.primitive import implements, is_complex, primitive
from .activation import sigmoid

ONE = [((2, 3),), ((),), ((0,),), ((1, 1, 1, 1),)]
POSITIVE = {"x": (0.3, 3.0)}
INSIDE = {"x": (-0.9, 0.9)}


@primitive(
    np.exp,
    latex="e^{<x>}",
    onnx="Exp",
    examples=ONE,
    scalar=math.exp,
    takes_complex=True,
)
def exp(x):
    """The exponential e^x.

    >>> np.exp(Value(0.0))
    Value(data=1.0, grad=None)
    """
    return np.exp(x)


exp.vjp(x=lambda g, out, x: g * out)


@primitive(
    np.expm1,
    latex="e^{<x>} - 1",
    examples=ONE,
    scalar=math.expm1,
    takes_complex=True,
)
def expm1(x):
    """e^x - 1, exact near 0.

    >>> np.expm1(Value(1e-20))
    Value(data=1e-20, grad=None)
    """
    return np.expm1(x)


expm1.vjp(x=lambda g, out, x: g * (out + 1))


@primitive(
    np.log,
    latex=r"\ln <x>",
    onnx="Log",
    examples=ONE,
    domain=POSITIVE,
    scalar=math.log,
    takes_complex=True,
)
def log(x):
    """The natural logarithm ln x: -inf at 0 with the derivative inf, nan below.

    >>> np.log(Value(1.0))
    Value(data=0.0, grad=None)
    """
    return np.log(x)


log.vjp(x=lambda g, out, x: g * (1 / x))


@primitive(
    np.log1p,
    latex=r"\ln\left(1 + <x>\right)",
    examples=ONE,
    domain=POSITIVE,
    scalar=math.log1p,
    takes_complex=True,
)
def log1p(x):
    """ln(1 + x), exact near 0.

    >>> np.log1p(Value(1e-20))
    Value(data=1e-20, grad=None)
    """
    return np.log1p(x)


log1p.vjp(x=lambda g, out, x: g * (1 / (1 + x)))


@primitive(
    np.log2,
    latex=r"\log_2 <x>",
    examples=ONE,
    domain=POSITIVE,
    scalar=math.log2,
    takes_complex=True,
)
def log2(x):
    """The logarithm to the base 2.

    >>> np.log2(Value(8.0))
    Value(data=3.0, grad=None)
    """
    return np.log2(x)


log2.vjp(x=lambda g, out, x: g * (1 / (x * math.log(2))))


@primitive(
    np.log10,
    latex=r"\log_{10} <x>",
    examples=ONE,
    domain=POSITIVE,
    scalar=math.log10,
    takes_complex=True,
)
def log10(x):
    """The logarithm to the base 10.

    >>> np.log10(Value(1000.0))
    Value(data=3.0, grad=None)
    """
    return np.log10(x)


log10.vjp(x=lambda g, out, x: g * (1 / (x * math.log(10))))


@primitive(
    np.sqrt,
    latex=r"\sqrt{<x>}",
    onnx="Sqrt",
    examples=ONE,
    domain=POSITIVE,
    scalar=math.sqrt,
    takes_complex=True,
)
def sqrt(x):
    """The square root. Its derivative 1/(2√x) is inf at 0.

    >>> np.sqrt(Value(9.0))
    Value(data=3.0, grad=None)
    """
    return np.sqrt(x)


sqrt.vjp(x=lambda g, out, x: g * (0.5 / out))


@primitive(
    np.square,
    latex="{<x>}^2",
    examples=ONE,
    takes_complex=True,
)
def square(x):
    """The square x².

    >>> np.square(Value(3.0))
    Value(data=9.0, grad=None)
    """
    return x * x


square.vjp(x=lambda g, out, x: g * (2 * x))


@primitive(
    np.reciprocal,
    latex=r"\frac{1}{<x>}",
    onnx="Reciprocal",
    examples=ONE,
    domain=POSITIVE,
    takes_complex=True,
)
def reciprocal(x):
    """1/x; inf at 0.

    >>> np.reciprocal(Value(4.0))
    Value(data=0.25, grad=None)
    """
    return np.divide(1, x)


reciprocal.vjp(x=lambda g, out, x: g * (-out * out))


@primitive(
    np.sin,
    latex=r"\sin <x>",
    onnx="Sin",
    examples=ONE,
    scalar=math.sin,
    takes_complex=True,
)
def sin(x):
    """The sine of x in radians.

    >>> np.sin(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.sin(x)


sin.vjp(x=lambda g, out, x: g * np.cos(x))


@primitive(
    np.cos,
    latex=r"\cos <x>",
    onnx="Cos",
    examples=ONE,
    scalar=math.cos,
    takes_complex=True,
)
def cos(x):
    """The cosine of x in radians.

    >>> np.cos(Value(0.0))
    Value(data=1.0, grad=None)
    """
    return np.cos(x)


cos.vjp(x=lambda g, out, x: g * -np.sin(x))


@primitive(
    np.tan,
    latex=r"\tan <x>",
    onnx="Tan",
    examples=ONE,
    domain={"x": (-1.2, 1.2)},
    scalar=math.tan,
    takes_complex=True,
)
def tan(x):
    """The tangent of x in radians.

    >>> np.tan(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.tan(x)


tan.vjp(x=lambda g, out, x: g * (1 + out * out))


@primitive(
    np.arcsin,
    latex=r"\arcsin <x>",
    onnx="Asin",
    examples=ONE,
    domain=INSIDE,
    scalar=math.asin,
    takes_complex=True,
)
def arcsin(x):
    """The inverse sine, in radians; nan outside [-1, 1].

    >>> np.arcsin(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.arcsin(x)


arcsin.vjp(x=lambda g, out, x: g * (1 / np.sqrt((1 - x) * (1 + x))))


@primitive(
    np.arccos,
    latex=r"\arccos <x>",
    onnx="Acos",
    examples=ONE,
    domain=INSIDE,
    scalar=math.acos,
    takes_complex=True,
)
def arccos(x):
    """The inverse cosine, in radians; nan outside [-1, 1].

    >>> np.arccos(Value(1.0))
    Value(data=0.0, grad=None)
    """
    return np.arccos(x)


arccos.vjp(x=lambda g, out, x: g * (-1 / np.sqrt((1 - x) * (1 + x))))


@primitive(
    np.arctan,
    latex=r"\arctan <x>",
    onnx="Atan",
    examples=ONE,
    scalar=math.atan,
    takes_complex=True,
)
def arctan(x):
    """The inverse tangent, in radians.

    >>> np.arctan(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.arctan(x)


arctan.vjp(x=lambda g, out, x: g / (1 + x * x))


def _over_square_of_length(g, numerator, y, x):
    """g·numerator/(x² + y²), 0 at the origin and at infinity; scaled: no square overflows."""
    largest = np.maximum(np.abs(x), np.abs(y))
    edge = (largest == 0) | (largest == math.inf)
    scale = np.where(edge, 1.0, largest)
    a, b = np.where(edge, 1.0, x / scale), np.where(edge, 1.0, y / scale)
    return g * (np.where(edge, 0.0, numerator / scale) / ((a * a + b * b) * scale))


@primitive(
    np.arctan2,
    latex=r"\operatorname{atan2}\left(<y>, <x>\right)",
    examples=[((2, 3), (3,)), ((), ())],
    domain={"x": (0.5, 2.0)},
    scalar=math.atan2,
)
def arctan2(y, x):
    """The angle of the point (x, y), in radians.

    Both derivatives are 0 at the origin, and where an argument is infinite.

    >>> np.arctan2(Value(0.0), 1.0)
    Value(data=0.0, grad=None)
    """
    return np.arctan2(y, x)


arctan2.vjp(
    y=lambda g, out, y, x: _over_square_of_length(g, x, y, x),
    x=lambda g, out, y, x: _over_square_of_length(g, -y, y, x),
)
arctan2.textbook(
    y=lambda g, out, y, x: g * x / (x * x + y * y),
    x=lambda g, out, y, x: -g * y / (x * x + y * y),
)


@primitive(
    np.sinh,
    latex=r"\sinh <x>",
    onnx="Sinh",
    examples=ONE,
    scalar=math.sinh,
    takes_complex=True,
)
def sinh(x):
    """The hyperbolic sine.

    >>> np.sinh(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.sinh(x)


sinh.vjp(x=lambda g, out, x: g * np.cosh(x))


@primitive(
    np.cosh,
    latex=r"\cosh <x>",
    onnx="Cosh",
    examples=ONE,
    scalar=math.cosh,
    takes_complex=True,
)
def cosh(x):
    """The hyperbolic cosine.

    >>> np.cosh(Value(0.0))
    Value(data=1.0, grad=None)
    """
    return np.cosh(x)


cosh.vjp(x=lambda g, out, x: g * np.sinh(x))


@primitive(
    np.tanh,
    latex=r"\tanh\left(<x>\right)",
    onnx="Tanh",
    examples=ONE,
    scalar=math.tanh,
    max_slope=1.0,
    gain=5 / 3,
    takes_complex=True,
)
def tanh(x):
    """The hyperbolic tangent. Its derivative is 1 - tanh²x.

    >>> np.tanh(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.tanh(x)


tanh.vjp(x=lambda g, out, x: g * (1 - out * out))


@primitive(
    np.arcsinh,
    latex=r"\operatorname{arsinh} <x>",
    onnx="Asinh",
    examples=ONE,
    scalar=math.asinh,
    takes_complex=True,
)
def arcsinh(x):
    """The inverse hyperbolic sine.

    >>> np.arcsinh(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.arcsinh(x)


arcsinh.vjp(x=lambda g, out, x: g / (np.sqrt(1 + x * x) if is_complex(x) else np.hypot(x, 1.0)))


@primitive(
    np.arccosh,
    latex=r"\operatorname{arcosh} <x>",
    onnx="Acosh",
    examples=ONE,
    domain={"x": (1.3, 3.0)},
    scalar=math.acosh,
    takes_complex=True,
)
def arccosh(x):
    """The inverse hyperbolic cosine; nan below 1.

    >>> np.arccosh(Value(1.0))
    Value(data=0.0, grad=None)
    """
    return np.arccosh(x)


arccosh.vjp(x=lambda g, out, x: g * (1 / (np.sqrt(x - 1) * np.sqrt(x + 1))))


@primitive(
    np.arctanh,
    latex=r"\operatorname{artanh} <x>",
    onnx="Atanh",
    examples=ONE,
    domain=INSIDE,
    scalar=math.atanh,
    takes_complex=True,
)
def arctanh(x):
    """The inverse hyperbolic tangent; ±inf at ±1, nan outside.

    >>> np.arctanh(Value(0.0))
    Value(data=0.0, grad=None)
    """
    return np.arctanh(x)


arctanh.vjp(x=lambda g, out, x: g * (1 / ((1 - x) * (1 + x))))


@primitive(
    np.logaddexp,
    latex=r"\ln\left(e^{<x>} + e^{<y>}\right)",
    examples=[((2, 3), (3,)), ((), ())],
)
def logaddexp(x, y):
    """ln(e^x + e^y) without overflow. The derivative is the share e^x / (e^x + e^y).

    >>> np.logaddexp(Value(1000.0), -1000.0)
    Value(data=1000.0, grad=None)
    """
    return np.logaddexp(x, y)


logaddexp.vjp(
    x=lambda g, out, x, y: g * sigmoid(x - y),
    y=lambda g, out, x, y: g * sigmoid(y - x),
)


@primitive(
    np.logaddexp2,
    latex=r"\log_2\left(2^{<x>} + 2^{<y>}\right)",
    examples=[((2, 3), (3,)), ((), ())],
)
def logaddexp2(x, y):
    """log2(2^x + 2^y) without overflow. The derivative is the share 2^x / (2^x + 2^y).

    >>> np.logaddexp2(Value(3.0), 3.0)
    Value(data=4.0, grad=None)
    """
    return np.logaddexp2(x, y)


logaddexp2.vjp(
    x=lambda g, out, x, y: g * sigmoid((x - y) * math.log(2)),
    y=lambda g, out, x, y: g * sigmoid((y - x) * math.log(2)),
)


@primitive(
    np.hypot,
    latex=r"\sqrt{{<x>}^2 + {<y>}^2}",
    examples=[((2, 3), (3,)), ((), ())],
    domain={"x": (0.5, 2.0)},
    scalar=math.hypot,
)
def hypot(x, y):
    """The length of the vector (x, y). Both derivatives are 0 at the origin.

    Where one of the two is infinite its derivative is ±1 and the other's 0; where both are, nan.

    >>> np.hypot(Value(3.0), 4.0)
    Value(data=5.0, grad=None)
    """
    return np.hypot(x, y)


def _share_of_length(out, x, y):
    share = x / np.where(out == 0, 1.0, out)
    return np.where((np.abs(x) == math.inf) & (np.abs(y) != math.inf), np.sign(x), share)


hypot.vjp(
    x=lambda g, out, x, y: g * _share_of_length(out, x, y),
    y=lambda g, out, x, y: g * _share_of_length(out, y, x),
)


# ---- powers of fixed base or exponent, and the units of angles


@primitive(
    np.exp2,
    latex="2^{<x>}",
    examples=ONE,
    scalar=math.exp2,
    takes_complex=True,
)
def exp2(x):
    """The power 2^x.

    >>> np.exp2(Value(3.0))
    Value(data=8.0, grad=None)
    """
    return np.exp2(x)


exp2.vjp(x=lambda g, out, x: g * (out * math.log(2)))


@primitive(np.cbrt, latex=r"\sqrt[3]{<x>}", examples=ONE, scalar=math.cbrt)
def cbrt(x):
    """The cube root, negative where x is. Its derivative is inf at 0.

    >>> np.cbrt(Value(-8.0))
    Value(data=-2.0, grad=None)
    """
    return np.cbrt(x)


cbrt.vjp(x=lambda g, out, x: g * (1 / (3 * out * out)))


@primitive(
    np.sinc,
    kind="elementwise",
    latex=r"\operatorname{sinc}\left(<x>\right)",
    examples=[((2, 3),), ((),)],
)
def sinc(x):
    """The normalised sinc, sin(πx) / (πx), and 1 at 0.

    >>> np.sinc(Value(0.0))
    Value(data=1.0, grad=None)
    """
    y = np.pi * np.where(x == 0, 1e-20, x)
    return np.sin(y) / y


def _sinc_slope(x, out):
    """Return the derivative of sinc, (cos(πx) - sinc x) / x; near 0, its Taylor series.

    d/dx sinc x = Σ (-1)^k 2k π^(2k) x^(2k - 1) / (2k + 1)!  for k = 1, 2, ...
    """
    near, y2 = np.abs(x) < 0.1, (np.pi * x) ** 2
    series = 0.0
    for k in range(8, 0, -1):  # the next term is below 1e-18 of the first
        series = (-1) ** k * 2 * k / math.factorial(2 * k + 1) + y2 * series
    away = (np.cos(np.pi * x) - out) / np.where(near, 1.0, x)
    return np.where(near, np.pi**2 * x * series, away)


sinc.vjp(x=lambda g, out, x: g * _sinc_slope(x, out))


@primitive(
    latex=r"I_{<order>}\left(<x>\right)",
    examples=[((2, 3), {"order": 1}), ((), {"order": 0}), ((4,), {"order": 2})],
    whole=True,
)
def bessel_i(x, order=0):
    """The modified Bessel function I_n of integer order n. I_n' = (I_(n-1) + I_(n+1)) / 2.

    Below 30 it is the power series Σ (x/2)^(2k+n) / (k! (k+n)!), whose terms have one sign, and
    above Hankel's asymptotic series.

    >>> float(np.round(bessel_i(1.0, order=1), 12))
    0.565159103992
    """
    size = np.abs(x)
    near = size < 30
    half = np.where(near, size, 1.0) / 2
    term = series = half**order / math.factorial(order)
    for k in range(1, 50):
        term = term * (half * half / (k * (k + order)))
        series = series + term
    away = np.where(near, 30.0, size)
    ratio = tail = np.ones_like(away)
    for k in range(1, 25):
        ratio = ratio * (((2 * k - 1) ** 2 - 4 * order**2) / (8 * k * away))
        tail = tail + ratio
    found = np.where(near, series, np.exp(away) / np.sqrt(2 * math.pi * away) * tail)
    found = np.sign(x) * found if order % 2 else found
    return float(found) if type(x) is float else found[()]


@primitive(
    kind="elementwise",
    latex=r"I_1\left(<x>\right)",
    examples=[((2, 3),), ((),)],
    domain={"x": (0.6, 3.0)},
)
def i1(x):
    """The modified Bessel function of order 1. I_1' = (I_0 + I_2) / 2.

    >>> float(np.round(i1(1.0), 12))
    0.565159103992
    """
    return bessel_i.forward(x, order=1)


def _i1_slope(x, out):
    """Return I_0 - I_1/x; near 0 as (I_0 + I_2)/2, which has all derivatives there."""
    near = np.abs(x) < 0.5
    away = i0(x) - out / np.where(near, 1.0, x)
    return np.where(near, 0.5 * (i0(x) + bessel_i(x, order=2)), away)


def _bessel_rule(g, out, x, order):
    """Both modes: each entry of the result depends on its own of x."""
    return g * (0.5 * (bessel_i(x, order=abs(order - 1)) + bessel_i(x, order=order + 1)))


i1.vjp(x=lambda g, out, x: g * _i1_slope(x, out))
bessel_i.vjp(x=_bessel_rule)
bessel_i.batch(bessel_i)
bessel_i.jvp(x=_bessel_rule)
bessel_i.reach = lambda live, x, order: live


@primitive(
    np.i0,
    kind="elementwise",
    latex=r"I_0\left(<x>\right)",
    examples=[((2, 3),), ((),)],
    whole=True,
)
def i0(x):
    """The modified Bessel function of order 0. Its derivative is the one of order 1.

    >>> np.i0(Value(0.0))
    Value(data=1.0, grad=None)
    """
    return float(np.i0(x)) if type(x) is float else np.i0(x)[()]


i0.vjp(x=lambda g, out, x: g * i1(x))
i1.textbook(x=lambda g, out, x: g * (i0(x) - out / x))


@implements(np.deg2rad, np.radians)
def deg2rad(x, /):
    """Degrees as radians.

    >>> np.deg2rad(Value(180.0))
    Value(data=3.141592653589793, grad=None)
    """
    return x * (math.pi / 180)


@implements(np.rad2deg, np.degrees)
def rad2deg(x, /):
    """Radians as degrees.

    >>> np.rad2deg(Value(np.pi))
    Value(data=180.0, grad=None)
    """
    return x * (180 / math.pi)


# ---- choosing between entries


@primitive(
    np.where,
    latex=r"\begin{cases} <x> & <condition> \\ <y> & \text{otherwise} \end{cases}",
    onnx="Where",
    kind="elementwise",
    examples=[((2, 3), (2, 3), (3,)), ((3,), (), (2, 3)), ((), (), ())],
    domain={"condition": (0, 1)},
    takes_complex=True,
)
def where(condition, x, y):
    """x where the condition holds, else y. The branch that is not taken gets exactly 0.

    >>> np.where(np.array([True, False]), Value(1.0), 2.0)
    Value(data=[1. 2.], grad=None)
    """
    return np.where(condition, x, y)[()]


where.vjp(
    x=lambda g, out, condition, x, y: np.where(condition, g, 0.0),
    y=lambda g, out, condition, x, y: np.where(condition, 0.0, g),
)


@primitive(
    latex=r"\operatorname{clip}\left(<x>, <low>, <high>\right)",
    kind="elementwise",
    examples=[((2, 3), (), ()), ((4,), (4,), (4,)), ((), (), ())],
    domain={"x": (-2.0, 2.0), "low": (-1.2, -0.8), "high": (0.8, 1.2)},
    kinked=lambda x, low, high: np.subtract(
        high is not None and x > high, low is not None and x < low, dtype=int
    ),
)
def clip_between(x, low, high):
    """The entries of x held between low and high; a bound that is None does not hold.

    >>> clip_between(Value([1.0, 5.0]), 2.0, None)
    Value(data=[2. 5.], grad=None)
    """
    return np.clip(x, low, high)


def _inside(x, low, high):
    return (True if low is None else x >= low) & (True if high is None else x <= high)


clip_between.vjp(
    x=lambda g, out, x, low, high: np.where(_inside(x, low, high), g, 0.0),
    low=lambda g, out, x, low, high: np.where(
        (x < low) & (True if high is None else low <= high), g, 0.0
    ),
    high=lambda g, out, x, low, high: np.where(
        (x > high) | (False if low is None else low > high), g, 0.0
    ),
)


@implements(np.clip)
def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    """The entries of `a` held between `a_min` and `a_max`. At a bound the derivative is 1.

    `out` is a Value that they are written into.

    >>> np.clip(Value([1.0, 5.0]), 2.0, 4.0)
    Value(data=[2. 4.], grad=None)
    """
    low = a_min if min is None else min
    high = a_max if max is None else max
    found = clip_between(a, low, high)
    if out is None:
        return found
    np.copyto(out, found)
    return out
