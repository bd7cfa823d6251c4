"""Elementary functions as LLVM code for scalars and vectors, float32 and float64.

Each takes the builder and its arguments, appends code at the builder's position, in the same block
and without memory, and returns the value. Infinities, NaN, zeros with their signs and subnormal
numbers come out as NumPy gives them. The names are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .exponential import exp, exp2, expm1
from .hyperbolic import cosh, sinh, tanh
from .inverse_hyperbolic import arccosh, arcsinh, arctanh
from .inverse_trigonometric import arccos, arcsin, arctan, arctan2
from .log_of_sum import logaddexp
from .logarithm import log, log1p, log2, log10
from .power import cbrt, hypot, power, sqrt
from .trigonometric import cos, sin, tan

EMIT: dict[str, Callable[[Any, Any], Any]] = {
    "arccos": arccos,
    "arccosh": arccosh,
    "arcsin": arcsin,
    "arcsinh": arcsinh,
    "arctan": arctan,
    "arctanh": arctanh,
    "cbrt": cbrt,
    "cos": cos,
    "cosh": cosh,
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "log": log,
    "log10": log10,
    "log1p": log1p,
    "log2": log2,
    "sin": sin,
    "sinh": sinh,
    "sqrt": sqrt,
    "tan": tan,
    "tanh": tanh,
}

EMIT_BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "arctan2": arctan2,
    "hypot": hypot,
    "logaddexp": logaddexp,
    "power": power,
}

# The largest error in units in the last place of the true value, in float32 and float64; that of
# logaddexp in units of the largest of its arguments and its value.
ULP: dict[str, tuple[float, float]] = {
    "arccos": (1.5, 1.5),
    "arccosh": (3.0, 3.0),
    "arcsin": (2.5, 2.5),
    "arcsinh": (2.5, 3.0),
    "arctan": (1.5, 2.0),
    "arctan2": (2.0, 2.0),
    "arctanh": (2.5, 3.0),
    "cbrt": (1.0, 1.0),
    "cos": (2.0, 2.5),
    "cosh": (2.0, 2.0),
    "exp": (1.5, 1.5),
    "exp2": (1.5, 1.5),
    "expm1": (2.0, 2.5),
    "hypot": (1.5, 1.5),
    "log": (1.5, 1.5),
    "log10": (2.5, 2.5),
    "log1p": (2.0, 2.5),
    "log2": (2.0, 2.0),
    "logaddexp": (1.0, 4.0),
    "power": (1.5, 1.5),
    "sin": (2.0, 2.5),
    "sinh": (2.0, 2.0),
    "sqrt": (0.5, 0.5),
    "tan": (4.0, 4.0),
    "tanh": (3.0, 3.0),
}
