"""sin, cos and tan as vector code.

x = n·π/2 + r with a whole number n and |r| <= π/4, where π/2 is given in three parts. Then sin r
and cos r are polynomials, and n says which of them is meant and with which sign. Where an argument
is too large for the three parts, a function kept out of the way calls the C library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .lanes import Bits, Lanes
from .library import unless_far

TWO_OVER_PI = 0.6366197723675814
HALF_PI_PARTS = {  # in float32 or not
    True: (1.570796012878418, 3.1391647326017846e-07, 5.390302529957765e-15),
    False: (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}
FARTHEST = {True: 32768.0, False: 1048576.0}

# (sin r - r)/r³ and (cos r - 1 + r²/2)/r⁴ as polynomials in r², minimax for the relative error
SIN_SINGLE = (-0.16666655242443085, 0.008332188241183758, -0.00019518070621415973)
COS_SINGLE = (0.04166664555668831, -0.0013887309469282627, 2.4432327336398885e-05)
SIN_DOUBLE = (
    -0.1666666666666663,
    0.00833333333332184,
    -0.0001984126982935852,
    2.7557313538506513e-06,
    -2.5050734387163145e-08,
    1.5895433100468836e-10,
)
COS_DOUBLE = (
    0.041666666666666595,
    -0.001388888888887331,
    2.4801587288967137e-05,
    -2.7557314203693767e-07,
    2.0875703225177714e-09,
    -1.1358621363711804e-11,
)


def _reduced(x: Lanes) -> tuple[Bits, Lanes]:
    """A whole number that ends in the two bits of n, and r, where x = n·π/2 + r."""
    layout = x.layout
    shifted = x.fma(TWO_OVER_PI, layout.round_to_whole)
    n = shifted - layout.round_to_whole
    for part in HALF_PI_PARTS[x.narrow]:
        x = n.fma(-part, x)
    return shifted.bits(), x


def _sin_and_cos(r: Lanes) -> tuple[Lanes, Lanes]:
    """Both for |r| <= π/4."""
    square = r * r
    sin = r.times_plus(square * square.polynomial(SIN_SINGLE if r.narrow else SIN_DOUBLE), r)
    cosines = COS_SINGLE if r.narrow else COS_DOUBLE
    cos = (square * square).times_plus(square.polynomial(cosines), square.times_plus(-0.5, 1.0))
    return sin.with_sign_of(r), cos


def _turned(sin: Lanes, cos: Lanes, quarters: Bits) -> Lanes:
    """sin(r + quarters·π/2)."""
    out = sin.where((quarters & 1).is_zero(), cos)
    sign = (quarters & 2) << (sin.layout.width - 2)
    return (out.bits() ^ sign).number()


def _sin(x: Lanes) -> Lanes:
    quarters, r = _reduced(x)
    return _turned(*_sin_and_cos(r), quarters)


def _cos(x: Lanes) -> Lanes:
    quarters, r = _reduced(x)
    return _turned(*_sin_and_cos(r), quarters + 1)


def _tan(x: Lanes) -> Lanes:
    quarters, r = _reduced(x)
    sin, cos = _sin_and_cos(r)
    even = (quarters & 1).is_zero()
    return sin.where(even, -cos) / cos.where(even, sin)


def _near(name: str, formula: Callable[[Lanes], Lanes]) -> Callable[[Any, Any], Any]:
    """The formula, and the C function `name` for arguments too far from zero for it."""

    def emit(builder: Any, value: Any) -> Any:
        x = Lanes(builder, value)
        far = abs(x) > FARTHEST[x.narrow]
        return unless_far(builder, name, far, value, formula(x).value)

    return emit


sin = _near("sin", _sin)
cos = _near("cos", _cos)
tan = _near("tan", _tan)
