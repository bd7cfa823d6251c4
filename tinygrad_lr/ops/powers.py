"""Powers of fixed base or exponent, and the units of angles."""

import math

import numpy as np

from ..core.primitive import chain, implements, primitive

ONE = [((2, 3),), ((),)]


@primitive(np.exp2, latex="2^{<x>}", examples=ONE, scalar=math.exp2)
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


cbrt.vjp(x=lambda g, out, x: chain(g, 1 / (3 * out * out)))


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
