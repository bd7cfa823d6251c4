"""Rounding, whose derivative is 0 wherever it has one, and remainders."""

import numpy as np

from ..core.primitive import implements, primitive
from ..errors import ArgumentError
from .reduce import refuse_out

ONE = [((2, 3),), ((),)]


def _flat(g, out, x):
    return g * 0.0


@primitive(np.floor, latex=r"\lfloor <x> \rfloor", onnx="Floor", examples=ONE)
def floor(x):
    """The largest integer that is not above x. Its derivative is 0.

    >>> np.floor(Value(-1.5))
    Value(data=-2.0, grad=None)
    """
    return np.floor(x)


floor.vjp(x=_flat)


@primitive(np.ceil, latex=r"\lceil <x> \rceil", onnx="Ceil", examples=ONE)
def ceil(x):
    """The smallest integer that is not below x. Its derivative is 0.

    >>> np.ceil(Value(-1.5))
    Value(data=-1.0, grad=None)
    """
    return np.ceil(x)


ceil.vjp(x=_flat)


@primitive(np.trunc, latex=r"\operatorname{trunc}\left(<x>\right)", examples=ONE)
def trunc(x):
    """x without its fraction. Its derivative is 0.

    >>> np.trunc(Value(-1.5))
    Value(data=-1.0, grad=None)
    """
    return np.trunc(x)


trunc.vjp(x=_flat)


@primitive(np.rint, latex=r"\operatorname{round}\left(<x>\right)", onnx="Round", examples=ONE)
def rint(x):
    """The nearest integer, the even one of two. Its derivative is 0.

    >>> np.rint(Value(2.5))
    Value(data=2.0, grad=None)
    """
    return np.rint(x)


rint.vjp(x=_flat)


@implements(np.round, np.around)
def round(a, decimals=0, out=None):
    """The nearest number with `decimals` decimals. Its derivative is 0.

    >>> np.round(Value(1.26), 1)
    Value(data=1.3, grad=None)
    """
    refuse_out("round", out)
    if not -300 <= decimals <= 300:
        raise ArgumentError(f"round: decimals must be from -300 to 300, got {decimals!r:.60}")
    scale = 10.0 ** abs(int(decimals))
    return rint(a * scale) / scale if decimals >= 0 else rint(a / scale) * scale


@primitive(
    np.remainder,
    latex=r"<x> \bmod <y>",
    examples=[((2, 3), (3,)), ((), ())],
    domain={"x": (0.1, 0.9), "y": (1.1, 2.0)},
)
def remainder(x, y):
    """The remainder x - y·⌊x/y⌋, with the sign of y. The derivatives are 1 and -⌊x/y⌋.

    >>> np.mod(Value(7.0), 4.0)
    Value(data=3.0, grad=None)
    """
    return np.remainder(x, y)


remainder.vjp(x=lambda g, out, x, y: g, y=lambda g, out, x, y: g * -np.floor(x / y))
