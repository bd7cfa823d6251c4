"""Arithmetic on Python numbers that returns inf and nan where Python raises, as eager mode does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.instruction import UFUNCS

MATH_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "divide": lambda x, y: x / y,
    "power": lambda x, y: x * x if y == 2.0 else math.pow(x, y),
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan")},
    **{name: getattr(math, name) for name in ("sinh", "cosh", "tanh", "expm1", "log1p", "hypot")},
    **{name: getattr(math, name) for name in ("log2", "log10", "exp2", "cbrt")},
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "absolute": abs,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1.0 / x,
    "positive": lambda x: x,
}
"""The functions that eager mode computes these ufuncs of numbers with."""


def number_function(name: str) -> Callable[..., Any]:
    """Return a ufunc as a function of Python numbers that returns one."""
    ufunc, fast = UFUNCS[name], MATH_FUNCTIONS.get(name)

    def careful(*numbers: Any) -> Any:
        with np.errstate(all="ignore"):
            return ufunc(*map(np.asarray, numbers)).item()

    if fast is None:
        return careful

    def call(*numbers: Any) -> Any:
        try:
            found = fast(*numbers)
        except (ArithmeticError, ValueError):
            return careful(*numbers)
        return careful(*numbers) if isinstance(found, complex) else found

    call.__name__ = call.__qualname__ = f"number_{name}"
    return call


def where(condition: Any, x: Any, y: Any) -> Any:
    """Return x where the condition holds, else y."""
    return x if condition else y
