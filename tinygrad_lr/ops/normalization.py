"""Entries brought to mean 0 and variance 1, or to mean square 1, along axes."""

import numpy as np

from ..core.primitive import primitive
from .reduce import reduced_size

LINES = [
    ((2, 4), {"axis": (-1,), "eps": 0.1}),
    ((3, 2, 2), {"axis": (0, 2), "eps": 1e-5}),
    ((4,), {"axis": (0,), "eps": 0.0}),
]


def mean_along(x, axis):
    """The mean along axes, which stay with length 1."""
    return np.sum(x, axis=axis, keepdims=True) / reduced_size(x, axis)


def widen(x):
    """float16 as float32, in which sums of squares neither overflow nor lose digits.

    Whole numbers, of a plain array, as float64.
    """
    x = x if hasattr(x, "dtype") else np.float64(x)
    narrow = {"e": np.float32}.get(x.dtype.char, x.dtype if x.dtype.kind == "f" else np.float64)
    return x if narrow == x.dtype else x.astype(narrow)


def as_narrow(out, x):
    """The result in float16 where x is."""
    return out.astype(x.dtype) if x.dtype.char == "e" else out


def _rms_inverse(x, axis, eps):
    return 1 / np.sqrt(mean_along(x * x, axis) + eps)


@primitive(latex=r"\operatorname{rms\,normalize}\left(<x>; <eps>\right)", examples=LINES)
def rms_normalize(x, axis=-1, eps=0.0):
    """x / √(mean(x²) + eps), the mean taken along the axis.

    Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019.

    >>> tg.ops.rms_normalize(Value([3.0, 3.0, -3.0]))
    Value(data=[ 1.  1. -1.], grad=None)
    """
    wide = widen(x)
    return as_narrow(wide * _rms_inverse(wide, axis, eps), x)


def _rms_rule(g, out, x, axis, eps):
    # the Jacobian (1 - out outᵀ / n) / rms is symmetric: the same product serves both modes
    x = widen(x)
    return (g - out * mean_along(g * out, axis)) * _rms_inverse(x, axis, eps)


rms_normalize.vjp(x=_rms_rule)
rms_normalize.jvp(x=_rms_rule)


@primitive(
    latex=r"\operatorname{standardize}\left(<x>; <eps>\right)",
    examples=LINES,
)
def standardize(x, axis=-1, eps=0.0):
    """(x - mean) / √(variance + eps) along the axis, the variance taken in two passes.

    Two passes, since the mean of the squares less the square of the mean has no correct digit
    for numbers near 1e8. The variance is that of the entries (divided by n, not n - 1).

    Source: Ba, Kiros, Hinton, "Layer Normalization", 2016.

    >>> tg.ops.standardize(Value([1e8, 1e8 + 2]))
    Value(data=[-1.  1.], grad=None)
    """
    wide = widen(x)
    centred = wide - mean_along(wide, axis)
    centred *= _rms_inverse(centred, axis, eps)  # in place: nobody else has it
    return as_narrow(centred, x)


def _standardize_rule(g, out, x, axis, eps):
    x = widen(x)
    inverse = _rms_inverse(x - mean_along(x, axis), axis, eps)
    return (g - mean_along(g, axis) - out * mean_along(g * out, axis)) * inverse


standardize.vjp(x=_standardize_rule)
standardize.jvp(x=_standardize_rule)
