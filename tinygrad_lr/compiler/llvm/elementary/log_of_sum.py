"""ln(e^x + e^y) as vector code."""

from __future__ import annotations

from typing import Any

from .exponential import exp_of
from .lanes import Lanes
from .logarithm import log1p_of


def logaddexp(builder: Any, first: Any, second: Any) -> Any:
    """ln(e^x + e^y) = m + ln(1 + e^(-|x - y|)), m the larger; in float64 for float32."""
    x, y = Lanes(builder, first), Lanes(builder, second)
    narrow = x.narrow
    if narrow:
        x, y = x.widened(), y.widened()
    larger = x.where(x > y, y)
    distance = abs(x - y).unless(x.equals(y), 0.0)  # ∞ less ∞ is no number
    out = larger + log1p_of(exp_of(-distance))
    return (out.narrowed() if narrow else out).value
