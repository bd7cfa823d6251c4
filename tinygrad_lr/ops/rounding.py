"""Rounding, whose derivative is 0 wherever it has one, remainders, and the parts of a float."""

import numpy as np

from ..core.numpy_dispatch import numpy_functions
from ..core.primitive import implements, numbers_of, primitive
from ..errors import ArgumentError
from ..support.abstract_array import AbstractArray
from .index import as_integers
from .reduce import refuse_out

ONE = [((2, 3),), ((),)]
QUOTIENTS = [((2, 3), (3,)), ((), ())]
BELOW = {"x": (0.1, 0.9), "y": (1.1, 2.0)}


@primitive(np.floor, latex=r"\lfloor <x> \rfloor", onnx="Floor", examples=ONE, flat=True)
def floor(x):
    """The largest integer that is not above x. Its derivative is 0.

    >>> np.floor(Value(-1.5))
    Value(data=-2.0, grad=None)
    """
    return np.floor(x)


@primitive(np.ceil, latex=r"\lceil <x> \rceil", onnx="Ceil", examples=ONE, flat=True)
def ceil(x):
    """The smallest integer that is not below x. Its derivative is 0.

    >>> np.ceil(Value(-1.5))
    Value(data=-1.0, grad=None)
    """
    return np.ceil(x)


@primitive(np.trunc, latex=r"\operatorname{trunc}\left(<x>\right)", examples=ONE, flat=True)
def trunc(x):
    """x without its fraction. Its derivative is 0.

    >>> np.trunc(Value(-1.5))
    Value(data=-1.0, grad=None)
    """
    return np.trunc(x)


@primitive(
    np.rint,
    latex=r"\operatorname{round}\left(<x>\right)",
    onnx="Round",
    examples=ONE,
    flat=True,
    takes_complex=True,
)
def rint(x):
    """The nearest integer, the even one of two, of both parts. Its derivative is 0.

    >>> np.rint(Value(2.5))
    Value(data=2.0, grad=None)
    """
    return np.rint(x)


@implements(np.round, np.around, flat=True)
def round(a, decimals=0, out=None):
    """The nearest number with `decimals` decimals. Its derivative is 0.

    >>> np.round(Value(1.26), 1)
    Value(data=1.3, grad=None)
    """
    refuse_out("round", out)
    if not -300 <= decimals <= 300:
        raise ArgumentError(f"round: decimals must be from -300 to 300, got {decimals!r:.60}")
    if decimals == 0:
        return rint(a)
    scale = 10.0 ** abs(int(decimals))
    return rint(a * scale) / scale if decimals >= 0 else rint(a / scale) * scale


@primitive(
    np.remainder,
    latex=r"<x> \bmod <y>",
    examples=QUOTIENTS,
    domain=BELOW,
)
def remainder(x, y):
    """The remainder x - y·⌊x/y⌋, with the sign of y. The derivatives are 1 and -⌊x/y⌋.

    >>> np.mod(Value(7.0), 4.0)
    Value(data=3.0, grad=None)
    """
    return np.remainder(x, y)


remainder.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g * -np.floor(x / y))


@primitive(
    np.fmod, latex=r"\operatorname{fmod}\left(<x>, <y>\right)", examples=QUOTIENTS, domain=BELOW
)
def fmod(x, y):
    """The remainder x - y·trunc(x/y), with the sign of x. The derivatives are 1 and -trunc(x/y).

    >>> np.fmod(Value(-7.0), 4.0)
    Value(data=-3.0, grad=None)
    """
    return np.fmod(x, y)


fmod.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g * -np.trunc(x / y))


@primitive(
    np.floor_divide,
    latex=r"\left\lfloor \frac{<x>}{<y>} \right\rfloor",
    examples=QUOTIENTS,
    domain=BELOW,
    flat=True,
)
def floor_divide(x, y):
    """The quotient rounded down, ⌊x/y⌋: x // y. Its derivatives are 0.

    >>> Value(7.0) // 2
    Value(data=3.0, grad=None)
    """
    return np.floor_divide(x, y)


@implements(np.divmod)
def divmod(x, y, /):
    """The quotient rounded down and the remainder: (x // y, x % y).

    >>> np.divmod(Value(7.0), 2)
    (Value(data=3.0, grad=None), Value(data=1.0, grad=None))
    """
    return floor_divide(x, y), remainder(x, y)


@implements(*numpy_functions("fix"), flat=True)
def fix(x, out=None):
    """x without its fraction, as `trunc` gives it. Its derivative is 0.

    >>> fix(Value(-1.5))
    Value(data=-1.0, grad=None)
    """
    refuse_out("fix", out)
    return trunc(x)


@primitive(
    latex=r"\operatorname{fraction}\left(<x>\right)", kind="elementwise", examples=ONE, whole=True
)
def fractional_part(x):
    """x without its whole part, with the sign of x; 0 at infinity. Its derivative is 1.

    >>> fractional_part(Value(-1.25))
    Value(data=-0.25, grad=None)
    """
    return np.modf(x)[0]


fractional_part.vjp(x=lambda g, out, x: g)


@implements(np.modf)
def modf(x, /):
    """The fractional and the whole part of x, both with its sign.

    >>> np.modf(Value(-1.25))
    (Value(data=-0.25, grad=None), Value(data=-1.0, grad=None))
    """
    return fractional_part(x), trunc(x)


@implements(np.ldexp)
def ldexp(x1, x2, /):
    """x1·2^x2 for integers x2.

    >>> np.ldexp(Value(3.0), -1)
    Value(data=1.5, grad=None)
    """
    x2, dtype = as_integers("ldexp", "x2", x2), np.result_type(x1)
    one, limits = dtype.type(1), np.finfo(dtype)
    for _ in range(3):  # factors that the dtype can hold: one, but for what is nearly 0 or inf
        part = np.clip(x2, limits.minexp, limits.maxexp - 1)
        x1, x2 = x1 * np.ldexp(one, part), x2 - part
        if not isinstance(x2, AbstractArray) and not np.any(x2):
            break
    return x1


@implements(np.frexp)
def frexp(x, /):
    """The mantissa m and the exponent n, plain integers, of x = m·2^n with ½ ≤ |m| < 1.

    >>> mantissa, exponent = np.frexp(Value(6.0))
    >>> mantissa, int(exponent)
    (Value(data=0.75, grad=None), 3)
    """
    exponent = np.frexp(numbers_of(x))[1]
    return ldexp(x, -exponent), exponent


@primitive(np.nextafter, latex=r"\operatorname{next}\left(<x>, <y>\right)", examples=QUOTIENTS)
def nextafter(x, y):
    """The float beside x in the direction of y. The derivatives are 1 and 0.

    >>> bool(np.nextafter(Value(1.0), 2.0) > 1.0)
    True
    """
    return np.nextafter(x, y)


nextafter.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g * 0.0)


@primitive(np.spacing, latex=r"\operatorname{spacing}\left(<x>\right)", examples=ONE, flat=True)
def spacing(x):
    """The distance from x to the next float. Its derivative is 0.

    >>> np.spacing(Value(1.0))
    Value(data=2.220446049250313e-16, grad=None)
    """
    return np.spacing(x)
