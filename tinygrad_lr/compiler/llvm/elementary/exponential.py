"""e^x, 2^x and e^x - 1 as vector code.

x = n·ln 2 + r with a whole number n and |r| <= ln 2/2. Then e^r - 1 = r + r²·P(r), and a product
with 2^n finishes: in two steps, each inside the range of exponents, so that results next to the
largest number do not overflow early and subnormal results are rounded once.
"""

from __future__ import annotations

from typing import Any

from .lanes import Bits, Lanes, Layout

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
LN_2_PARTS = {  # the upper part has few digits, so that its product with n is exact
    True: (0.693145751953125, 1.428606765330187e-06),
    False: (0.6931471803691238, 1.9082149292705877e-10),
}

# (e^r - 1 - r)/r², minimax for the relative error of e^r - 1
SINGLE = (
    0.4999999701976776,
    0.16666539013385773,
    0.04166774824261665,
    0.008367096073925495,
    0.0013837333535775542,
)
DOUBLE = (
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


def _near_zero(r: Lanes) -> Lanes:
    """e^r - 1 for |r| <= ln 2/2."""
    return (r * r).times_plus(r.polynomial(SINGLE if r.narrow else DOUBLE), r)


def _whole_multiple(x: Lanes) -> tuple[Bits, Lanes]:
    """n, at the place of the exponent, and r, where x = n·ln 2 + r."""
    layout = x.layout
    high, low = LN_2_PARTS[x.narrow]
    shifted = x.times_plus(LOG2_E, layout.round_to_whole)
    n = shifted - layout.round_to_whole
    return shifted.bits() << layout.significand, n.times_plus(-low, n.times_plus(-high, x))


def _power_of_two(exponent: Bits, layout: Layout) -> Lanes:
    """2^n of n at the place of the exponent, for a result neither subnormal nor infinite."""
    return (exponent + layout.one).number()


def _scaled(x: Lanes, exponent: Bits) -> Lanes:
    """x·2^n, for x about 1 and any n that a result can have."""
    layout = x.layout
    half = (exponent >> 1) & -(1 << layout.significand)
    rest = exponent - half
    return x * _power_of_two(half, layout) * _power_of_two(rest, layout)


def exp_of(x: Lanes, rest: Lanes | None = None) -> Lanes:
    """e^(x + rest), with a rest that x is too short to hold."""
    smallest, largest = (-104.0, 89.0) if x.narrow else (-746.0, 710.0)
    exponent, r = _whole_multiple(x.at_most(largest).at_least(smallest))
    if rest is not None:
        r = r + rest.where(abs(x) < -smallest, 0.0)
    return _scaled(_near_zero(r) + 1.0, exponent)


def exp(builder: Any, value: Any) -> Any:
    """e^x."""
    return exp_of(Lanes(builder, value)).value


def exp2(builder: Any, value: Any) -> Any:
    """2^x, exact for whole x."""
    x = Lanes(builder, value)
    layout = x.layout
    smallest, largest = (-151.0, 129.0) if x.narrow else (-1076.0, 1025.0)
    x = x.at_most(largest).at_least(smallest)
    shifted = x + layout.round_to_whole
    r = (x - (shifted - layout.round_to_whole)) * LN_2
    return _scaled(_near_zero(r) + 1.0, shifted.bits() << layout.significand).value


def expm1(builder: Any, value: Any) -> Any:
    """e^x - 1, to all digits near zero: 2·(2^(n-1)·(e^r - 1) + (2^(n-1) - 1/2))."""
    x = Lanes(builder, value)
    layout = x.layout
    smallest, largest, tiny = (-20.0, 89.0, 2.0**-26) if x.narrow else (-40.0, 710.0, 2.0**-54)
    exponent, r = _whole_multiple(x.at_most(largest).at_least(smallest))
    half_power = _power_of_two(exponent - (1 << layout.significand), layout)
    out = half_power.times_plus(_near_zero(r), half_power - 0.5) * 2.0
    return out.unless(abs(x) < tiny, x).value


def half_exp(x: Lanes) -> Lanes:
    """e^x/2 for x from 0, as far as the half is finite; NaN stays NaN."""
    exponent, r = _whole_multiple(x.at_most(90.0 if x.narrow else 711.0))
    return _scaled(_near_zero(r) + 1.0, exponent - (1 << x.layout.significand))


def expm1_from_zero(x: Lanes) -> Lanes:
    """e^x - 1 for x from 0 to some hundred; NaN stays NaN."""
    exponent, r = _whole_multiple(x)
    power = _power_of_two(exponent, x.layout)
    return power.times_plus(_near_zero(r), power - 1.0)
