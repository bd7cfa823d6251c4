"""log, log2, log10, log1p, logaddexp and the inverse hyperbolic functions.

Write x = 2^n·(1 + f) with an integer n and 2/3 <= 1 + f < 4/3. Then ln x = n·ln 2 + ln(1 + f) with
ln(1 + f) = f - f²/2 + f³·P(f). The interval is centred on 1 so that n = 0 there and nothing
cancels. The inverse hyperbolic functions are written as ln(1 + x), accurate near zero.
"""

from __future__ import annotations

import math

from .exponential import exp
from .lanes import Lanes, elementary

LN_2 = math.log(2)
LOG2_E = math.log2(math.e)
LOG10_2_PARTS = {  # log₁₀ 2 = high + low; high has few bits, so that n·high is exact
    True: (0.301025390625, 4.605038981195214e-06),
    False: (0.30102999566361177, 3.694239077158931e-13),
}
LOG10_E_PARTS = {  # log₁₀ e, rounded, and the rest
    True: (0.4342944920063019, -1.0103050052231683e-08),
    False: (0.4342944819032518, 1.098319650216765e-17),
}
TWO_THIRDS_BITS = {True: 0x3F2AAAAB, False: 0x3FE5555555555555}
LARGE = 2.0**60  # from here on, √(x² ± 1) is x

# P: (ln(1 + f) - f + f²/2)/f³, minimax for the relative error of ln(1 + f)
LOG_SINGLE = (
    0.3333321511745453,
    -0.25001415610313416,
    0.2001085877418518,
    -0.16604915261268616,
    0.13995838165283203,
    -0.13247141242027283,
    0.14038389921188354,
    -0.08245079219341278,
)
LOG_DOUBLE = (
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


def _log1p_reduced(f: Lanes) -> Lanes:
    """Return ln(1 + f) for 2/3 <= 1 + f < 4/3."""
    polynomial = f.polynomial(LOG_SINGLE if f.is_single else LOG_DOUBLE)
    return (f * f).multiply_add(f.multiply_add(polynomial, -0.5), f)


def _split_normal(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return n and f, where x = 2^n·(1 + f), for normal x.

    Subtracting the bits of 2/3 leaves n in the exponent field: it is rounded down at 2/3·2^n
    instead of 2^n.
    """
    layout = x.layout
    bits = x.bits()
    distance = bits - TWO_THIRDS_BITS[x.is_single]
    n = (distance >> layout.significand).to_float()
    fraction = bits - (distance & -(1 << layout.significand))
    return n, fraction.as_float() - 1.0


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return n and f, where x = 2^n·(1 + f), for subnormal x too."""
    smallest, places = (2.0**-126, 25.0) if x.is_single else (2.0**-1022, 54.0)
    subnormal = x < smallest
    n, f = _split_normal(x.unless(subnormal, x * 2.0**places))
    return n - x.constant(places).where(subnormal, 0.0), f


def _with_limits(out: Lanes, x: Lanes, pole: float = 0.0) -> Lanes:
    """Return a logarithm with its special values: -∞ at the pole, NaN below; ∞ and NaN stay."""
    out = out.where(x < math.inf, x)
    return out.unless(x < pole, math.nan).unless(x.equals(pole), -math.inf)


@elementary(1.5, 1.5)
def log(x: Lanes) -> Lanes:
    """ln x."""
    n, f = split(x)
    return _with_limits(n.multiply_add(LN_2, _log1p_reduced(f)), x)


@elementary(2.0, 2.0)
def log2(x: Lanes) -> Lanes:
    """log₂ x, exact for powers of two."""
    n, f = split(x)
    return _with_limits(_log1p_reduced(f).multiply_add(LOG2_E, n), x)


@elementary(2.5, 2.5)
def log10(x: Lanes) -> Lanes:
    """log₁₀ x."""
    n, f = split(x)
    natural = _log1p_reduced(f)
    scale, scale_rest = LOG10_E_PARTS[x.is_single]
    log10_2, log10_2_rest = LOG10_2_PARTS[x.is_single]
    rest = n.multiply_add(log10_2_rest, natural * scale_rest)
    out = natural.multiply_add(scale, n * log10_2) + rest
    return _with_limits(out, x)


@elementary(2.0, 2.5)
def log1p(x: Lanes) -> Lanes:
    """ln(1 + x), accurate near zero.

    n is that of 1 + x, but f = x·2^(-n) + (2^(-n) - 1) is computed from x, and loses none of its
    digits.
    """
    layout = x.layout
    four = layout.one + (2 << layout.significand)
    exponent = ((x + 1.0).bits() - TWO_THIRDS_BITS[x.is_single]) & -(1 << layout.significand)
    scale = (four - exponent).as_float()  # 4·2^(-n): never subnormal, unlike 2^(-n)
    f = (x * 0.25).multiply_add(scale, scale.multiply_add(0.25, -1.0))
    n = (exponent >> layout.significand).to_float()
    out = n.multiply_add(LN_2, _log1p_reduced(f))
    tiny = abs(x) < (2.0**-26 if x.is_single else 2.0**-54)
    return _with_limits(out.unless(tiny, x), x, -1.0)


@elementary(1.0, 4.0)  # in units of the larger of |x|, |y| and the result: ln(1/2 + 1/2) cancels
def logaddexp(x: Lanes, y: Lanes) -> Lanes:
    """ln(e^x + e^y) = m + ln(1 + e^(-|x - y|)), m the larger; in float64 for float32."""
    is_single = x.is_single
    if is_single:
        x, y = x.to_float64(), y.to_float64()
    larger = x.where(x > y, y)
    distance = abs(x - y).unless(x.equals(y), 0.0)  # ∞ - ∞ would be NaN
    out = larger + log1p(exp(-distance))
    return out.to_float32() if is_single else out


def _log1p_of_sum(size: Lanes, root: Lanes) -> Lanes:
    """Return ln(1 + (size + root)) where root is about size if that is large: no overflow."""
    large = size > LARGE
    return log1p(size.where(large, size + root)) + size.constant(LN_2).where(large, 0.0)


@elementary(2.5, 3.0)
def arcsinh(x: Lanes) -> Lanes:
    """arcsinh x = ±ln(1 + (|x| + x²/(1 + √(x² + 1))))."""
    square = x * x
    root = square / ((square + 1.0).sqrt() + 1.0)
    return _log1p_of_sum(abs(x), root).with_sign_of(x)


@elementary(3.0, 3.0)
def arccosh(x: Lanes) -> Lanes:
    """arccosh x = ln(1 + (t + √(t·(t + 2)))) with t = x - 1."""
    t = x - 1.0
    return _log1p_of_sum(t, (t * (t + 2.0)).sqrt()).unless(t < 0.0, math.nan)


@elementary(2.5, 3.0)
def arctanh(x: Lanes) -> Lanes:
    """arctanh x = ±ln(1 + 2|x|/(1 - |x|))/2."""
    size = abs(x)
    return (log1p(size * 2.0 / (1.0 - size)) * 0.5).with_sign_of(x)
