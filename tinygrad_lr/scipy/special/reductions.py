"""Python functions of scipy.special, which take no Values, with the same arguments."""

import numpy as np
import scipy.special

from ...core.node import unwrap
from ...core.primitive import primitive
from ...ops import activation
from ...support.indexing import shift_axis
from ..equivalents import equivalent

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _peak(a, b, axis):
    counted = np.where(b == 0, -np.inf, a)
    peak = np.max(counted, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(peak), peak, 0.0)


@primitive(
    latex=r"\ln \left|\sum <b> \cdot e^{<a>}\right|",
    domain={"b": (0.5, 2.0)},
    examples=[((2, 3), (2, 3)), ((2, 3), (3,), {"axis": 0}), ((3,), (), {"keepdims": True})],
    whole=True,
)
def weighted_logsumexp(a, b, *, axis=None, keepdims=False):
    """ln |Σ b·e^a| along the axis, without overflow.

    >>> float(weighted_logsumexp(Value([1000.0, 1000.0]), 0.5).data)
    1000.0
    """
    a, b = np.broadcast_arrays(a, b)
    peak = _peak(a, b, axis)
    total = np.sum(b * np.exp(np.where(b == 0, 0.0, a - peak)), axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):  # a sum of 0 has the logarithm -inf
        out = np.log(np.abs(total)) + peak
    return out if keepdims else np.squeeze(out, axis=axis)[()]


def _sums_of_entries(a, b, axis, keepdims):
    axes = max(np.ndim(a), np.ndim(b)) - 1
    a, b = (
        np.reshape(x, (len(x), *(1,) * (axes + 1 - np.ndim(x)), *np.shape(x)[1:])) for x in (a, b)
    )
    return weighted_logsumexp(a, b, axis=shift_axis(axis, axes), keepdims=keepdims)


weighted_logsumexp.batch(_sums_of_entries)


def _slopes(out, a, b, axis, keepdims):
    """The derivative with respect to b, and the one with respect to a divided by b."""
    kept = out if keepdims or axis is None else np.expand_dims(out, axis)
    powers = np.exp(a - kept)
    return powers * np.sign(np.sum(b * powers, axis=axis, keepdims=True))


def _kept(g, axis, keepdims):
    return g if keepdims or axis is None else np.expand_dims(g, axis)


weighted_logsumexp.vjp(
    a=lambda g, out, a, b, axis, keepdims: (
        _kept(g, axis, keepdims) * b * _slopes(out, a, b, axis, keepdims)
    ),
    b=lambda g, out, a, b, axis, keepdims: (
        _kept(g, axis, keepdims) * _slopes(out, a, b, axis, keepdims)
    ),
)
weighted_logsumexp.jvp(
    a=lambda t, out, a, b, axis, keepdims: np.sum(
        b * _slopes(out, a, b, axis, keepdims) * t, axis=axis, keepdims=keepdims
    ),
    b=lambda t, out, a, b, axis, keepdims: np.sum(
        _slopes(out, a, b, axis, keepdims) * t, axis=axis, keepdims=keepdims
    ),
)


@equivalent(scipy.special.logsumexp)
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """ln Σ b·e^a along the axis, or over all entries, as `scipy.special.logsumexp`.

    With `return_sign`, return ln |Σ b·e^a| and the sign of the sum. Without it, a negative sum
    gives nan.

    >>> round(float(logsumexp(np.log([1.0, 2.0]), b=[1.0, 2.0])), 6)  # ln 5
    1.609438
    """
    if b is None and not return_sign:
        return activation.logsumexp(a, axis=axis, keepdims=keepdims)
    b = 1.0 if b is None else b
    out = weighted_logsumexp(a, b, axis=axis, keepdims=keepdims)
    whole, weights = np.broadcast_arrays(unwrap(a), unwrap(b))
    scaled = np.exp(np.where(weights == 0, 0.0, whole - _peak(whole, weights, axis)))
    sign = np.sign(np.sum(weights * scaled, axis=axis, keepdims=keepdims))
    return (out, sign) if return_sign else np.where(sign < 0, np.nan, out)


@equivalent(scipy.special.softmax)
def softmax(x, axis=None):
    """e^x / Σ e^x along the axis, or over all entries, as `scipy.special.softmax`."""
    return activation.softmax(x, axis=axis)


@equivalent(scipy.special.log_softmax)
def log_softmax(x, axis=None):
    """The logarithm of `softmax`, as `scipy.special.log_softmax`."""
    return activation.log_softmax(x, axis=axis)
