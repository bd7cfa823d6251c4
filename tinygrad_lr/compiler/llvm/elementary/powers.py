"""power, sqrt, cbrt and hypot."""

from __future__ import annotations

import math

from .double_double_log import log_double_double
from .exponential import exp_of_sum
from .lanes import Lanes, elementary

# A third of the bits of x, subtracted from this, are the bits of x^(-1/3) within 4 %.
CBRT_START_BITS = {True: 0x54A2FA8C, False: 0x553EF0FF289DD796}


def _power_of_size(size: Lanes, y: Lanes) -> Lanes:
    """Return size^y for finite sizes above 0.

    The error of y·ln(size) becomes a relative error of the result, and |y·ln(size)| may be several
    hundred: the logarithm needs about ten bits more than a float has.
    """
    y = y.at_most(2.0**64).at_least(-(2.0**64))  # like ±∞, but 0·y is 0
    high, low = log_double_double(size)
    product = y * high
    return exp_of_sum(product, y.fma(high, -product) + y * low)


@elementary(1.5, 1.5)
def power(x: Lanes, y: Lanes) -> Lanes:
    """x^y = e^(y·ln |x|), with the sign and the special cases of C's pow."""
    and_, or_, xor, not_ = x.builder.and_, x.builder.or_, x.builder.xor, x.builder.not_
    size, half = abs(x), y * 0.5
    is_integer, is_even = y.equals(y.floor()), half.equals(half.floor())
    out = _power_of_size(size, y)
    is_limit = or_(size.equals(0.0), size.equals(math.inf))
    out = out.unless(is_limit, x.constant(math.inf).where(xor(size > 1.0, y < 0.0), 0.0))
    out = out.with_sign_of(x).where(and_(is_integer, not_(is_even)), out)
    is_undefined = and_(and_(x < 0.0, x > -math.inf), not_(is_integer))
    out = out.unless(or_(is_undefined, x.unordered(y)), math.nan)
    return out.unless(or_(y.equals(0.0), x.equals(1.0)), 1.0)


@elementary(0.5, 0.5)
def sqrt(x: Lanes) -> Lanes:
    """√x, correctly rounded."""
    return x.sqrt()


def _inverse_cbrt_start(size: Lanes) -> Lanes:
    """Return about size^(-1/3): a third of the upper half of the bits, as in the fast √."""
    half = size.layout.width // 2
    third = ((size.bits() >> half) * ((1 << half) // 3 + 1)) & -(1 << half)
    return (CBRT_START_BITS[size.is_single] - third).as_float()


@elementary(1.0, 1.0)
def cbrt(x: Lanes) -> Lanes:
    """∛x = y - z²·(y³ - |x|)/3 with y = |x|·z² and z = |x|^(-1/3), with the sign of x.

    z is refined by z·(1 + e/3 + 2e²/9), e = 1 - |x|·z³: each step triples its digits. The residual
    y³ - |x| is computed with twice the digits.
    """
    smallest, steps = (2.0**-126, 2) if x.is_single else (2.0**-1022, 3)
    size = abs(x)
    subnormal = size < smallest
    size = size.unless(subnormal, size * 2.0**54)
    z = _inverse_cbrt_start(size)
    for _ in range(steps):
        e = 1.0 - size * z * z * z
        z = z * e.polynomial((1.0, 1 / 3, 2 / 9))
    out = size * z * z
    square = out * out
    rest = out.fma(out, -square)  # square + rest is the square, exactly
    excess = square.fma(out, -size) + rest * out
    out = out - excess * (z * z) * (1 / 3)
    out = out.unless(subnormal, out * 2.0**-18)
    return out.where(size < math.inf, size).unless(size.equals(0.0), 0.0).with_sign_of(x)


@elementary(1.5, 1.5)
def hypot(x: Lanes, y: Lanes) -> Lanes:
    """√(x² + y²), both scaled by the power of two in the larger; ∞ where either is, as in C."""
    a, b = abs(x), abs(y)
    layout = a.layout
    smallest, largest = (2.0**-126, 2.0**126) if a.is_single else (2.0**-1022, 2.0**1022)
    larger = a.where(a > b, b)
    scale = (larger.at_least(smallest).at_most(largest).bits() & layout.infinity).as_float()
    inverse = (2 * layout.one - scale.bits()).as_float()
    c, d = a * inverse, b * inverse
    out = c.multiply_add(c, d * d).sqrt() * scale
    infinite = x.builder.or_(a.equals(math.inf), b.equals(math.inf))
    return out.unless(infinite, math.inf)
