"""arcsin, arccos, arctan and arctan2.

Each is a polynomial near zero. Larger arguments are reduced first: arctan x = π/2 - arctan(1/x) for
x > 1, and arcsin x = π/2 - 2·arcsin √((1 - x)/2) for x > 1/2, where the polynomial would converge
slowly and cancel. π/2 is subtracted in two parts, since rounding it would cost the last digits.
"""

from __future__ import annotations

import math
from typing import Any

from .lanes import Lanes, elementary

HALF_PI = {  # π/2 rounded, and the rest; True for float32
    True: (1.5707963705062866, -4.371139000186241e-08),
    False: (1.5707963267948966, 6.123233995736766e-17),
}

# (arctan t - t)/t³ on [0, 1] and (arcsin t - t)/t³ on [0, 1/2] as polynomials in t², minimax
ARCTAN_SINGLE = (
    -0.33333298563957214,
    0.1999852955341339,
    -0.1426401436328888,
    0.10950867086648941,
    -0.0839923545718193,
    0.0578794926404953,
    -0.031094299629330635,
    0.010866755619645119,
    -0.0017822682857513428,
)
ARCSIN_SINGLE = (
    0.16666753590106964,
    0.07495247572660446,
    0.04547727108001709,
    0.0241426732391119,
    0.04223333299160004,
)

ARCTAN_DOUBLE = (
    -0.33333333333333287,
    0.19999999999990445,
    -0.14285714285036522,
    0.11111111086444184,
    -0.09090908547197045,
    0.07692299711056232,
    -0.06666583716484863,
    0.05881716113407952,
    -0.052594335920962125,
    0.0474492538712634,
    -0.04286388810149561,
    0.03821001605484253,
    -0.032785342980975234,
    0.02615154657237525,
    -0.018614068330525032,
    0.011317541476740712,
    -0.00561231858166118,
    0.0021515562922032544,
    -0.0005928831173655946,
    0.00010386989702345675,
    -8.654022486476903e-06,
)
ARCSIN_DOUBLE = (
    0.16666666666666763,
    0.07499999999969965,
    0.04464285717545599,
    0.0303819426652089,
    0.02237221624122026,
    0.017351588590258756,
    0.013981111552662113,
    0.01139645201157229,
    0.01079446633180338,
    0.0036511794902041868,
    0.021845451310050293,
    -0.02119934303773964,
    0.03275690872098115,
)


def _arctan_to_one(t: Lanes) -> Lanes:
    """Return arctan t for 0 <= t <= 1."""
    square = t * t
    return t.multiply_add(
        square * square.polynomial(ARCTAN_SINGLE if t.is_single else ARCTAN_DOUBLE), t
    )


def _from_half_pi(angle: Lanes) -> Lanes:
    """Return π/2 - angle."""
    half_pi, rest = HALF_PI[angle.is_single]
    return half_pi - (angle - rest)


def _from_pi(angle: Lanes) -> Lanes:
    """Return π - angle."""
    half_pi, rest = HALF_PI[angle.is_single]
    return 2 * half_pi - (angle - 2 * rest)


def _arcsin_to_half(size: Lanes) -> tuple[Lanes, Any]:
    """Return arcsin of a size up to 1/2, arcsin √((1 - size)/2) above, and where it is above."""
    large = size > 0.5
    square = ((1.0 - size) * 0.5).where(large, size * size)
    t = square.sqrt().where(large, size)
    coefficients = ARCSIN_SINGLE if t.is_single else ARCSIN_DOUBLE
    return t.multiply_add(square * square.polynomial(coefficients), t), large


@elementary(1.5, 2.0)
def arctan(x: Lanes) -> Lanes:
    """The inverse tangent; above 1, π/2 less that of 1/x."""
    size = abs(x)
    large = size > 1.0
    angle = _arctan_to_one((1.0 / size).where(large, size))
    return _from_half_pi(angle).where(large, angle).with_sign_of(x)


@elementary(2.0, 2.0)
def arctan2(y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y), from -π to π."""
    height, width = abs(y), abs(x)
    steep = height > width
    short, long = width.where(steep, height), height.where(steep, width)
    t = (short / long).unless(long.equals(0.0), 0.0).unless(short.equals(math.inf), 1.0)
    angle = _arctan_to_one(t)
    angle = _from_half_pi(angle).where(steep, angle)
    backwards = x.bits().is_negative()
    angle = _from_pi(angle).where(backwards, angle).with_sign_of(y)
    return angle.unless(x.unordered(y), math.nan)


@elementary(2.5, 2.5)
def arcsin(x: Lanes) -> Lanes:
    """The inverse sine; π/2 - 2·arcsin √((1 - x)/2) above 1/2."""
    angle, large = _arcsin_to_half(abs(x))
    return _from_half_pi(angle * 2.0).where(large, angle).with_sign_of(x)


@elementary(1.5, 1.5)
def arccos(x: Lanes) -> Lanes:
    """The inverse cosine, π/2 - arcsin x; 2·arcsin √((1 - x)/2) above 1/2."""
    angle, large = _arcsin_to_half(abs(x))
    twice = angle * 2.0
    far = _from_pi(twice).where(x < 0.0, twice)
    return far.where(large, _from_half_pi(angle.with_sign_of(x)))
