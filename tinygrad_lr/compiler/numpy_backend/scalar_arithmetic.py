"""Arithmetic of Python numbers that gives inf and nan where Python raises: as eager mode has it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.instruction import UFUNCS

DIRECT: dict[str, Callable[..., Any]] = {
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
"""How eager mode computes them."""


def on_numbers(name: str) -> Callable[..., Any]:
    """A ufunc of Python numbers that returns one."""
    ufunc, quick = UFUNCS[name], DIRECT.get(name)

    def careful(*numbers: Any) -> Any:
        with np.errstate(all="ignore"):
            return ufunc(*map(np.asarray, numbers)).item()

    if quick is None:
        return careful

    def call(*numbers: Any) -> Any:
        try:
            found = quick(*numbers)
        except (ArithmeticError, ValueError):
            return careful(*numbers)
        return careful(*numbers) if isinstance(found, complex) else found

    call.__name__ = call.__qualname__ = f"number_{name}"
    return call


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y."""
    return x if condition else y
