"""ln x as an unevaluated sum of two floats, with a dozen bits more than one float has, for power.

With s = f/(2 + f), ln(1 + f) = 2·artanh s = 2s + s·q·W(q), q = s². The sums and products that the
result depends on keep what they round away (double-double arithmetic): a + b = c + (b - (c - a))
for |a| >= |b| (Dekker), and a·b = c + fma(a, b, -c). None of these steps may be reordered.
"""

from __future__ import annotations

from .exponential import LN_2_PARTS
from .lanes import Lanes
from .logarithm import split

TWO_THIRDS = {  # 2/3 rounded, and the rest; True for float32
    True: (0.6666666865348816, -1.9868214925130207e-08),
    False: (0.6666666666666666, 3.700743415417188e-17),
}

# (2·artanh(s)/s - 2 - 2q/3)/q², minimax for the relative error of artanh s up to |s| = 1/5
ARTANH_SINGLE = (
    0.3999999463558197,
    0.2857246696949005,
    0.22155515849590302,
    0.19921289384365082,
)
ARTANH_DOUBLE = (
    0.39999999999999714,
    0.28571428571582075,
    0.22222222190392754,
    0.18181821603667886,
    0.15384402728694113,
    0.13341256171702184,
    0.11590679952404467,
    0.12581775999131994,
)


def _product(a: Lanes, a_rest: Lanes, b: Lanes, b_rest: Lanes) -> tuple[Lanes, Lanes]:
    """Return (a + a_rest)·(b + b_rest) as a sum of two."""
    c = a * b
    return c, a.fma(b, -c) + (a * b_rest + a_rest * b)


def _sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """Return a + b as a sum of two; |a| >= |b|, or a = 0."""
    c = a + b
    return c, b - (c - a)


def log_double_double(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return ln x = high + low, for finite x above 0."""
    n, f = split(x)
    divisor, divisor_rest = _sum(x.constant(2.0), f)
    inverse = 1.0 / divisor
    s = f * inverse
    s_rest = ((-s).fma(divisor, f) - s * divisor_rest) * inverse
    q, q_rest = _product(s, s_rest, s, s_rest)
    two_thirds, two_thirds_rest = TWO_THIRDS[x.is_single]
    tail = q * q.polynomial(ARTANH_SINGLE if x.is_single else ARTANH_DOUBLE)
    w, w_rest = _sum(x.constant(two_thirds), tail)
    u, u_rest = _product(s, s_rest, *_product(q, q_rest, w, w_rest + two_thirds_rest))
    ln_2, ln_2_rest = LN_2_PARTS[x.is_single]
    high, low = _sum(n * ln_2, s * 2.0)
    high, lower = _sum(high, u)
    return high, lower + (low + (u_rest + (s_rest * 2.0 + n * ln_2_rest)))
