"""Powers, roots and lengths: x^y, √x, ∛x and √(x² + y²), as vector code."""

from __future__ import annotations

import math
from typing import Any

from .double_double_log import log_in_two
from .exponential import exp_of
from .lanes import Lanes

# less a third of the bits of x: those of x^(-1/3), within 4 %
CBRT_START = {True: 0x54A2FA8C, False: 0x553EF0FF289DD796}  # in float32 or not


def _power_of_size(size: Lanes, y: Lanes) -> Lanes:
    """size^y of finite sizes above 0."""
    y = y.at_most(2.0**64).at_least(-(2.0**64))  # as good as ±∞, and 0 times it is 0
    high, low = log_in_two(size)
    product = y * high
    return exp_of(product, y.fma(high, -product) + y * low)


def power(builder: Any, base: Any, exponent: Any) -> Any:
    """x^y = e^(y·ln |x|), with the sign and the special cases of C's pow."""
    x, y = Lanes(builder, base), Lanes(builder, exponent)
    size, half = abs(x), y * 0.5
    whole, even = y.equals(y.floor()), half.equals(half.floor())
    out = _power_of_size(size, y)
    end = builder.or_(size.equals(0.0), size.equals(math.inf))
    out = out.unless(end, x.same(math.inf).where(builder.xor(size > 1.0, y < 0.0), 0.0))
    out = out.with_sign_of(x).where(builder.and_(whole, builder.not_(even)), out)
    no_root = builder.and_(builder.and_(x < 0.0, x > -math.inf), builder.not_(whole))
    out = out.unless(builder.or_(no_root, x.unordered(y)), math.nan)
    return out.unless(builder.or_(y.equals(0.0), x.equals(1.0)), 1.0).value


def sqrt(builder: Any, value: Any) -> Any:
    """√x, rounded to nearest."""
    return Lanes(builder, value).square_root().value


def _inverse_cbrt_start(size: Lanes) -> Lanes:
    """About size^(-1/3), from a third of the upper half of the bits."""
    half = size.layout.width // 2
    third = ((size.bits() >> half) * ((1 << half) // 3 + 1)) & -(1 << half)
    return (CBRT_START[size.narrow] - third).number()


def cbrt(builder: Any, value: Any) -> Any:
    """∛x = y - z²·(y³ - |x|)/3 with y = |x|·z² and z = |x|^(-1/3), with the sign of x.

    z is found by steps of z·(1 + e/3 + 2e²/9), e = 1 - |x|·z³.
    """
    x = Lanes(builder, value)
    smallest, steps = (2.0**-126, 2) if x.narrow else (2.0**-1022, 3)
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
    return out.where(size < math.inf, size).unless(size.equals(0.0), 0.0).with_sign_of(x).value


def hypot(builder: Any, first: Any, second: Any) -> Any:
    """√(x² + y²), after a division of both by the power of two in the larger; ∞ where either is."""
    a, b = abs(Lanes(builder, first)), abs(Lanes(builder, second))
    layout = a.layout
    smallest, largest = (2.0**-126, 2.0**126) if a.narrow else (2.0**-1022, 2.0**1022)
    larger = a.where(a > b, b)
    scale = (larger.at_least(smallest).at_most(largest).bits() & layout.infinity).number()
    inverse = (2 * layout.one - scale.bits()).number()
    c, d = a * inverse, b * inverse
    out = c.times_plus(c, d * d).square_root() * scale
    infinite = builder.or_(a.equals(math.inf), b.equals(math.inf))
    return out.unless(infinite, math.inf).value
