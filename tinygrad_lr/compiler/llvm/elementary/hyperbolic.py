"""tanh, sinh and cosh as vector code."""

from __future__ import annotations

from typing import Any

from .exponential import expm1_from_zero, half_exp
from .lanes import Lanes

# (sinh t - t)/t³ as a polynomial in t² on [0, 1], minimax for the relative error of sinh t
SINH_SINGLE = (
    0.1666666716337204,
    0.00833331048488617,
    0.00019842895562760532,
    2.7822197807836346e-06,
)
SINH_DOUBLE = (
    0.16666666666666666,
    0.008333333333333316,
    0.00019841269841285283,
    2.7557319217641912e-06,
    2.5052109773797152e-08,
    1.6058877882629857e-10,
    7.657305080288012e-13,
    2.5737887322230745e-15,
)


def tanh(builder: Any, value: Any) -> Any:
    """tanh x = ±g/(g + 2) with g = e^(2|x|) - 1: all digits near zero, never above 1."""
    x = Lanes(builder, value)
    size = abs(x).at_most(10.0 if x.narrow else 20.0)  # where tanh is 1
    grown = expm1_from_zero(size * 2.0)
    return (grown / (grown + 2.0)).with_sign_of(x).value


def sinh(builder: Any, value: Any) -> Any:
    """sinh x = ±(h - 1/(4h)) with h = e^|x|/2, and a polynomial below 1."""
    x = Lanes(builder, value)
    size = abs(x)
    half = half_exp(size)
    square = x * x
    small = size.times_plus(
        square * square.polynomial(SINH_SINGLE if x.narrow else SINH_DOUBLE), size
    )
    return small.where(size < 1.0, half - 0.25 / half).with_sign_of(x).value


def cosh(builder: Any, value: Any) -> Any:
    """cosh x = h + 1/(4h) with h = e^|x|/2."""
    half = half_exp(abs(Lanes(builder, value)))
    return (half + 0.25 / half).value
