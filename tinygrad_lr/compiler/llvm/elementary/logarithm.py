"""ln x, log₂ x, log₁₀ x and ln(1 + x) as vector code.

x = 2^n·(1 + f) with a whole number n and 2/3 <= 1 + f < 4/3. Then ln(1 + f) = f - f²/2 + f³·P(f).
"""

from __future__ import annotations

import math
from typing import Any

from .lanes import Lanes

LN_2 = math.log(2)
LOG2_E = math.log2(math.e)
LOG10_2_PARTS = {  # the upper part has few digits, so that its product with n is exact
    True: (0.301025390625, 4.605038981195214e-06),
    False: (0.30102999566361177, 3.694239077158931e-13),
}
LOG10_E_PARTS = {  # in float32 or not
    True: (0.4342944920063019, -1.0103050052231683e-08),
    False: (0.4342944819032518, 1.098319650216765e-17),
}
TWO_THIRDS = {True: 0x3F2AAAAB, False: 0x3FE5555555555555}  # the bits, in float32 or not

# (ln(1 + f) - f + f²/2)/f³, minimax for the relative error of ln(1 + f)
SINGLE = (
    0.3333321511745453,
    -0.25001415610313416,
    0.2001085877418518,
    -0.16604915261268616,
    0.13995838165283203,
    -0.13247141242027283,
    0.14038389921188354,
    -0.08245079219341278,
)
DOUBLE = (
    0.3333333333333323,
    -0.25000000000013334,
    0.20000000000054696,
    -0.16666666662931856,
    0.14285714276535472,
    -0.1250000038886182,
    0.11111111840272597,
    -0.09999979302806786,
    0.09090876599935303,
    -0.08333971924158587,
    0.07693188765961947,
    -0.07130796715029801,
    0.06651603367614128,
    -0.0639085268177576,
    0.06044741565630468,
    -0.04573784495126161,
    0.04204355766083633,
    -0.08624283815890245,
    0.08448846892691347,
)


def _near_one(f: Lanes) -> Lanes:
    """ln(1 + f) for 2/3 <= 1 + f < 4/3."""
    polynomial = f.polynomial(SINGLE if f.narrow else DOUBLE)
    return (f * f).times_plus(f.times_plus(polynomial, -0.5), f)


def _split_normal(x: Lanes) -> tuple[Lanes, Lanes]:
    """n and f where x = 2^n·(1 + f), for normal x."""
    layout = x.layout
    bits = x.bits()
    distance = bits - TWO_THIRDS[x.narrow]
    n = (distance >> layout.significand).as_number()
    fraction = bits - (distance & -(1 << layout.significand))
    return n, fraction.number() - 1.0


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """n and f where x = 2^n·(1 + f), for subnormal x too."""
    smallest, places = (2.0**-126, 25.0) if x.narrow else (2.0**-1022, 54.0)
    subnormal = x < smallest
    n, f = _split_normal(x.unless(subnormal, x * 2.0**places))
    return n - x.same(places).where(subnormal, 0.0), f


def _with_limits(out: Lanes, x: Lanes, pole: float = 0.0) -> Lanes:
    """The logarithm, given away from its ends: -∞ at the pole, NaN below it; ∞ and NaN stay."""
    out = out.where(x < math.inf, x)
    return out.unless(x < pole, math.nan).unless(x.equals(pole), -math.inf)


def log(builder: Any, value: Any) -> Any:
    """ln x."""
    x = Lanes(builder, value)
    n, f = split(x)
    return _with_limits(n.times_plus(LN_2, _near_one(f)), x).value


def log2(builder: Any, value: Any) -> Any:
    """log₂ x, exact for powers of two."""
    x = Lanes(builder, value)
    n, f = split(x)
    return _with_limits(_near_one(f).times_plus(LOG2_E, n), x).value


def log10(builder: Any, value: Any) -> Any:
    """log₁₀ x."""
    x = Lanes(builder, value)
    n, f = split(x)
    natural = _near_one(f)
    scale, scale_rest = LOG10_E_PARTS[x.narrow]
    log10_2, log10_2_rest = LOG10_2_PARTS[x.narrow]
    rest = n.times_plus(log10_2_rest, natural * scale_rest)
    out = natural.times_plus(scale, n * log10_2) + rest
    return _with_limits(out, x).value


def log1p_of(x: Lanes) -> Lanes:
    """ln(1 + x): n from 1 + x, and f = x·2^(-n) + (2^(-n) - 1), which loses no digit of x."""
    layout = x.layout
    four = layout.one + (2 << layout.significand)
    exponent = ((x + 1.0).bits() - TWO_THIRDS[x.narrow]) & -(1 << layout.significand)
    scale = (four - exponent).number()  # 4·2^(-n): never subnormal
    f = (x * 0.25).times_plus(scale, scale.times_plus(0.25, -1.0))
    n = (exponent >> layout.significand).as_number()
    out = n.times_plus(LN_2, _near_one(f))
    tiny = abs(x) < (2.0**-26 if x.narrow else 2.0**-54)
    return _with_limits(out.unless(tiny, x), x, -1.0)


def log1p(builder: Any, value: Any) -> Any:
    """ln(1 + x), to all digits near zero."""
    return log1p_of(Lanes(builder, value)).value
