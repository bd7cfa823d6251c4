"""arcsinh, arccosh and arctanh as vector code, by ln(1 + x)."""

from __future__ import annotations

import math
from typing import Any

from .lanes import Lanes
from .logarithm import LN_2, log1p_of

LARGE = 2.0**60  # from here on, √(x² ± 1) is x


def _log_of_sum(size: Lanes, root: Lanes) -> Lanes:
    """ln(1 + (size + root)), where root is as good as size when that is large."""
    large = size > LARGE
    return log1p_of(size.where(large, size + root)) + size.same(LN_2).where(large, 0.0)


def arcsinh(builder: Any, value: Any) -> Any:
    """arcsinh x = ±ln(1 + (|x| + x²/(1 + √(x² + 1))))."""
    x = Lanes(builder, value)
    square = x * x
    root = square / ((square + 1.0).square_root() + 1.0)
    return _log_of_sum(abs(x), root).with_sign_of(x).value


def arccosh(builder: Any, value: Any) -> Any:
    """arccosh x = ln(1 + (t + √(t·(t + 2)))) with t = x - 1."""
    t = Lanes(builder, value) - 1.0
    return _log_of_sum(t, (t * (t + 2.0)).square_root()).unless(t < 0.0, math.nan).value


def arctanh(builder: Any, value: Any) -> Any:
    """arctanh x = ±ln(1 + 2|x|/(1 - |x|))/2."""
    x = Lanes(builder, value)
    size = abs(x)
    return (log1p_of(size * 2.0 / (1.0 - size)) * 0.5).with_sign_of(x).value
