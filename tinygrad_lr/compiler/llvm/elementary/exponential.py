"""exp, exp2, expm1 and the hyperbolic functions.

Write x = n·ln 2 + r with an integer n and |r| <= ln 2/2. Then e^r - 1 = r + r²·P(r) with a
polynomial P, and e^x = 2^n·e^r. Multiplying by 2^n takes two steps, each with an exponent in range:
results next to the largest float do not overflow early, and subnormal results are rounded once.
"""

from __future__ import annotations

from .lanes import Bits, Lanes, Layout, elementary

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
LN_2_PARTS = {  # ln 2 = high + low (Cody and Waite); high has few bits, so that n·high is exact
    True: (0.693145751953125, 1.428606765330187e-06),
    False: (0.6931471803691238, 1.9082149292705877e-10),
}

# P: (e^r - 1 - r)/r² on |r| <= ln 2/2, minimax for the relative error of e^r - 1
EXP_SINGLE = (
    0.4999999701976776,
    0.16666539013385773,
    0.04166774824261665,
    0.008367096073925495,
    0.0013837333535775542,
)
EXP_DOUBLE = (
    0.5000000000000006,
    0.16666666666666588,
    0.041666666666576466,
    0.008333333333389712,
    0.0013888888931667942,
    0.00019841269718756774,
    2.48015051418814e-05,
    2.7557407645571264e-06,
    2.762609311548848e-07,
    2.505378827081584e-08,
)

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


def _expm1_reduced(r: Lanes) -> Lanes:
    """Return e^r - 1 for |r| <= ln 2/2."""
    return (r * r).multiply_add(r.polynomial(EXP_SINGLE if r.is_single else EXP_DOUBLE), r)


def _reduce(x: Lanes) -> tuple[Bits, Lanes]:
    """Return n, shifted to the exponent field of a float, and r, where x = n·ln 2 + r."""
    layout = x.layout
    high, low = LN_2_PARTS[x.is_single]
    shifted = x.multiply_add(LOG2_E, layout.round_to_integer)
    n = shifted - layout.round_to_integer
    return shifted.bits() << layout.significand, n.multiply_add(-low, n.multiply_add(-high, x))


def _power_of_two(exponent: Bits, layout: Layout) -> Lanes:
    """Return 2^n, given n in the exponent field; the result must be normal and finite."""
    return (exponent + layout.one).as_float()


def _scale(x: Lanes, exponent: Bits) -> Lanes:
    """Return x·2^n for x near 1 and any n for which a result exists, in two multiplications."""
    layout = x.layout
    half = (exponent >> 1) & -(1 << layout.significand)
    rest = exponent - half
    return x * _power_of_two(half, layout) * _power_of_two(rest, layout)


def exp_of_sum(x: Lanes, rest: Lanes | None = None) -> Lanes:
    """Return e^(x + rest), where rest holds the digits that x has no room for."""
    smallest, largest = (-104.0, 89.0) if x.is_single else (-746.0, 710.0)
    exponent, r = _reduce(x.at_most(largest).at_least(smallest))
    if rest is not None:
        r = r + rest.where(abs(x) < -smallest, 0.0)
    return _scale(_expm1_reduced(r) + 1.0, exponent)


@elementary(1.5, 1.5)
def exp(x: Lanes) -> Lanes:
    """e^x."""
    return exp_of_sum(x)


@elementary(1.5, 1.5)
def exp2(x: Lanes) -> Lanes:
    """2^x, exact for integers x."""
    layout = x.layout
    smallest, largest = (-151.0, 129.0) if x.is_single else (-1076.0, 1025.0)
    x = x.at_most(largest).at_least(smallest)
    shifted = x + layout.round_to_integer
    r = (x - (shifted - layout.round_to_integer)) * LN_2
    return _scale(_expm1_reduced(r) + 1.0, shifted.bits() << layout.significand)


@elementary(2.0, 2.5)
def expm1(x: Lanes) -> Lanes:
    """e^x - 1 = 2·(2^(n-1)·(e^r - 1) + (2^(n-1) - 1/2)), accurate near zero too."""
    layout = x.layout
    smallest, largest, tiny = (-20.0, 89.0, 2.0**-26) if x.is_single else (-40.0, 710.0, 2.0**-54)
    exponent, r = _reduce(x.at_most(largest).at_least(smallest))
    half_power = _power_of_two(exponent - (1 << layout.significand), layout)
    out = half_power.multiply_add(_expm1_reduced(r), half_power - 0.5) * 2.0
    return out.unless(abs(x) < tiny, x)


def _half_exp(x: Lanes) -> Lanes:
    """Return e^x/2 for x >= 0, finite as long as the half is; NaN stays NaN."""
    exponent, r = _reduce(x.at_most(90.0 if x.is_single else 711.0))
    return _scale(_expm1_reduced(r) + 1.0, exponent - (1 << x.layout.significand))


def _expm1_from_zero(x: Lanes) -> Lanes:
    """Return e^x - 1 for 0 <= x < some hundred; NaN stays NaN."""
    exponent, r = _reduce(x)
    power = _power_of_two(exponent, x.layout)
    return power.multiply_add(_expm1_reduced(r), power - 1.0)


@elementary(3.0, 3.0)
def tanh(x: Lanes) -> Lanes:
    """tanh x = ±g/(g + 2) with g = e^(2|x|) - 1: accurate near zero, and never above 1."""
    size = abs(x).at_most(10.0 if x.is_single else 20.0)  # tanh is 1 from here on
    grown = _expm1_from_zero(size * 2.0)
    return (grown / (grown + 2.0)).with_sign_of(x)


@elementary(2.0, 2.0)
def sinh(x: Lanes) -> Lanes:
    """sinh x = ±(h - 1/(4h)) with h = e^|x|/2; a polynomial for |x| < 1."""
    size = abs(x)
    half = _half_exp(size)
    square = x * x
    small = size.multiply_add(
        square * square.polynomial(SINH_SINGLE if x.is_single else SINH_DOUBLE), size
    )
    return small.where(size < 1.0, half - 0.25 / half).with_sign_of(x)


@elementary(2.0, 2.0)
def cosh(x: Lanes) -> Lanes:
    """cosh x = h + 1/(4h) with h = e^|x|/2."""
    half = _half_exp(abs(x))
    return half + 0.25 / half
