"""Arithmetic, entry by entry, with broadcasting: what `+ - * / **` mean."""

import math
import operator

import numpy as np

from ..core.primitive import chain, implements, is_complex, primitive
from .complex_numbers import unit_slope, unit_tangent
from .shape import cast

PAIRS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (3,)), ((), ()), ((0, 3), (3,))]


@primitive(
    np.add,
    latex="<x> + <y>",
    onnx="Add",
    examples=PAIRS,
    scalar=operator.add,
    additive=True,
    takes_complex=True,
)
def add(x, y):
    """The sum x + y.

    >>> np.add(Value(2.0), 3)
    Value(data=5.0, grad=None)
    """
    return x + y


add.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g)


@primitive(
    np.subtract,
    latex="<x> - <y>",
    onnx="Sub",
    examples=PAIRS,
    scalar=operator.sub,
    additive=True,
    takes_complex=True,
)
def subtract(x, y):
    """The difference x - y.

    >>> 3 - Value(2.0)
    Value(data=1.0, grad=None)
    """
    return x - y


subtract.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: -g)


@primitive(
    np.multiply,
    latex=r"<x> \cdot <y>",
    onnx="Mul",
    examples=PAIRS,
    scalar=operator.mul,
    takes_complex=True,
)
def multiply(x, y):
    """The product x·y.

    >>> Value([1.0, 2.0]) * 3
    Value(data=[3. 6.], grad=None)
    """
    return x * y


multiply.vjp(x=lambda g, out, x, y: g * y, y=lambda g, out, x, y: g * x)


@primitive(
    np.divide,
    latex=r"\frac{<x>}{<y>}",
    onnx="Div",
    examples=PAIRS,
    domain={"y": (0.5, 2.0)},
    scalar=operator.truediv,
    takes_complex=True,
)
def divide(x, y):
    """The quotient x/y; inf or nan where y is 0, never an exception.

    >>> Value(1.0) / 4
    Value(data=0.25, grad=None)
    """
    return x / y


def _divide_rule_of_y(g, out, x, y):
    # -g·x/y², and 0 where y is infinite. From the same g/y as the rule of x, so that x/x has the
    # slope 0, in a fused multiply-add too.
    if type(y) is float and y:
        share = g / y
        if type(share) is float:
            return share * -out if share else 0.0
        return chain(share, -out)
    return chain(chain(g, 1 / y), -out)


divide.vjp(
    x=lambda g, out, x, y: g / y if type(y) is float and y else chain(g, 1 / y),
    y=_divide_rule_of_y,
)


def _power_of_numbers(x, y):
    return x * x if y == 2.0 else math.pow(x, y)


def _power_rule_of_x(g, out, x, y):
    # y·x^(y-1), and 0 where y is 0, at x = 0 too
    return g * np.where(y == 0, 0.0, y * x ** np.where(y == 0, 1.0, y - 1.0))


def _power_rule_of_y(g, out, x, y):
    # x^y·ln x, and 0 where x is 0 and y is not negative
    at_zero = (x == 0) & (y >= 0)
    base = np.where(at_zero, 1.0, x)
    return g * np.where(at_zero, 0.0, out * np.log(base + 0j if is_complex(out) else base))


@primitive(
    np.power,
    latex="{<x>}^{<y>}",
    onnx="Pow",
    examples=PAIRS,
    domain={"x": (0.5, 2.0)},
    scalar=_power_of_numbers,
    takes_complex=True,
)
def power(x, y):
    """The power x^y. The derivative of x^0 is 0 with respect to x, at x = 0 too.

    With respect to y it is x^y·ln x: 0 at x = 0 for y ≥ 0, and nan for negative x.

    >>> Value(3.0) ** 2
    Value(data=9.0, grad=None)
    """
    return x**y


def _power_by_number(g, out, x, y):
    if type(y) is float:
        if y == 2.0:
            return g * (2.0 * x)
        complex_root = type(x) is float and x < 0.0 and not y.is_integer()  # in Python, not NumPy
        if y >= 1.0 and not complex_root:
            return g * (y * x ** (y - 1.0))
    return _power_rule_of_x(g, out, x, y)


power.vjp(x=_power_by_number, y=_power_rule_of_y)


@primitive(
    np.negative,
    latex="-<x>",
    onnx="Neg",
    examples=[((2, 3),), ((),)],
    scalar=operator.neg,
    takes_complex=True,
)
def negative(x):
    """The negative -x.

    >>> -Value(2.0)
    Value(data=-2.0, grad=None)
    """
    return -x


negative.vjp(x=lambda g, out, x: -g)


@primitive(
    np.positive,
    latex="<x>",
    onnx="Identity",
    examples=[((2, 3),), ((),)],
    identity=True,
    takes_complex=True,
)
def positive(x):
    """The same numbers, +x.

    >>> +Value(2.0)
    Value(data=2.0, grad=None)
    """
    return +x


positive.vjp(x=lambda g, out, x: g)


@primitive(
    np.abs,
    np.fabs,
    latex=r"\left|<x>\right|",
    onnx="Abs",
    examples=[((2, 3),), ((),)],
    scalar=math.fabs,
    kinked=True,
    takes_complex=True,
)
def abs(x):
    """The absolute value |x|. Its derivative is the sign of x (x/|x| if complex), 0 at 0.

    >>> abs(Value(-2.0))
    Value(data=2.0, grad=None)
    """
    return np.abs(x)


def _abs_rule(g, out, x):
    if is_complex(x):
        return g * (np.conj(x) * (1.0 / np.where(out == 0, 1.0, out)))
    return g * np.sign(x)


abs.vjp(x=_abs_rule)


@primitive(
    np.sign,
    latex=r"\operatorname{sign}\left(<x>\right)",
    onnx="Sign",
    examples=[((2, 3),), ((),)],
    takes_complex=True,
    flat=True,
)
def sign(x):
    """The sign of x: -1, 0 or 1, and x/|x| for a complex x. Its derivative for a real x is 0.

    >>> np.sign(Value(-2.0))
    Value(data=-1.0, grad=None)
    """
    return np.sign(x)


sign.vjp(x=lambda g, out, x: unit_slope(g, out, x) if is_complex(x) else g * 0.0)
sign.jvp(x=lambda t, out, x: unit_tangent(t, out, x) if is_complex(x) else t * 0.0)


# Ties are shared equally: each side of max(x, x) gets half of the cotangent.
@primitive(
    np.maximum,
    latex=r"\max\left(<x>, <y>\right)",
    onnx="Max",
    examples=PAIRS,
    kinked=lambda x, y: x > y,
    takes_complex=True,
)
def maximum(x, y):
    """The larger of x and y; nan if either is nan. Where they are equal, each gets half of g.

    >>> np.maximum(Value([1.0, 5.0]), 3)
    Value(data=[3. 5.], grad=None)
    """
    return np.maximum(x, y)


maximum.vjp(
    x=lambda g, out, x, y: g * ((x > y) + 0.5 * (x == y)),
    y=lambda g, out, x, y: g * ((y > x) + 0.5 * (x == y)),
)


@primitive(
    np.minimum,
    latex=r"\min\left(<x>, <y>\right)",
    onnx="Min",
    examples=PAIRS,
    kinked=lambda x, y: x < y,
    takes_complex=True,
)
def minimum(x, y):
    """The smaller of x and y; nan if either is nan. Where they are equal, each gets half of g.

    >>> np.minimum(Value([1.0, 5.0]), 3)
    Value(data=[1. 3.], grad=None)
    """
    return np.minimum(x, y)


minimum.vjp(
    x=lambda g, out, x, y: g * ((x < y) + 0.5 * (x == y)),
    y=lambda g, out, x, y: g * ((y < x) + 0.5 * (x == y)),
)


@primitive(
    np.fmax,
    latex=r"\operatorname{fmax}\left(<x>, <y>\right)",
    examples=PAIRS[:2] + PAIRS[4:],
    kinked=lambda x, y: x > y,
)
def fmax(x, y):
    """The larger of x and y, or the other one where one is nan. Ties share as in `maximum`.

    >>> np.fmax(Value([1.0, np.nan]), 3)
    Value(data=[3. 3.], grad=None)
    """
    return np.fmax(x, y)


@primitive(
    np.fmin,
    latex=r"\operatorname{fmin}\left(<x>, <y>\right)",
    examples=PAIRS[:2] + PAIRS[4:],
    kinked=lambda x, y: x < y,
)
def fmin(x, y):
    """The smaller of x and y, or the other one where one is nan. Ties share as in `minimum`.

    >>> np.fmin(Value([1.0, np.nan]), 3)
    Value(data=[1. 3.], grad=None)
    """
    return np.fmin(x, y)


def _wins(larger, x, y):
    """Return the share of x in fmax or fmin, if the arguments are given in the order of `>`."""
    return (larger | (y != y)) + 0.5 * (x == y)  # noqa: PLR0124 - y is nan


fmax.vjp(
    x=lambda g, out, x, y: g * _wins(x > y, x, y), y=lambda g, out, x, y: g * _wins(y > x, y, x)
)
fmin.vjp(
    x=lambda g, out, x, y: g * _wins(x < y, x, y), y=lambda g, out, x, y: g * _wins(y < x, y, x)
)


@primitive(
    np.copysign,
    latex=r"\operatorname{copysign}\left(<x>, <y>\right)",
    examples=PAIRS[:2] + PAIRS[4:],
    kinked=True,
)
def copysign(x, y):
    """|x| with the sign of y. The derivatives are ±1, or 0 at x = 0; and 0.

    >>> np.copysign(Value(2.0), -1.0)
    Value(data=-2.0, grad=None)
    """
    return np.copysign(x, y)


copysign.vjp(
    x=lambda g, out, x, y: g * (np.sign(x) * np.copysign(1.0, y)),
    y=lambda g, out, x, y: g * 0.0,
)


@primitive(
    np.heaviside,
    latex=r"\operatorname{H}\left(<x>, <y>\right)",
    examples=PAIRS[:2] + PAIRS[4:],
)
def heaviside(x, y):
    """The step: 0 below 0, 1 above, y at 0. The derivatives are 0, and 1 for y where x is 0.

    >>> np.heaviside(Value([-1.0, 0.0, 1.0]), 0.5)
    Value(data=[0.  0.5 1. ], grad=None)
    """
    return np.heaviside(x, y)


heaviside.vjp(x=lambda g, out, x, y: g * 0.0, y=lambda g, out, x, y: np.where(x == 0, g, 0.0))


@implements(np.float_power)
def float_power(x, y, /):
    """The power x^y in float64, or complex128; see `power`.

    >>> np.float_power(Value(3.0), 2)
    Value(data=9.0, grad=None)
    """
    dtype = "complex128" if is_complex(x) or is_complex(y) else "float64"
    return power(cast(x, dtype=dtype), cast(y, dtype=dtype))
