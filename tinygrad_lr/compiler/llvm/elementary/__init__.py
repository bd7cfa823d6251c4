"""Elementary functions as LLVM code, for scalars and vectors, float32 and float64.

`EMITTERS[name](builder, *values)` appends code at the builder's position, in the same block and
without memory accesses, and returns the value. Names and special values are NumPy's: infinities,
NaN, signed zeros and subnormal numbers give what NumPy gives.

`MAX_ULP_ERROR[name]` bounds the error in float32 and float64, in units in the last place of the
true value. The tests check it at every exponent. A function is added by one decorated formula.
"""

from __future__ import annotations

from . import exponential, inverse_trigonometric, logarithm, powers, trigonometric
from .lanes import EMITTERS, MAX_ULP_ERROR

__all__ = [
    "EMITTERS",
    "MAX_ULP_ERROR",
    "exponential",
    "inverse_trigonometric",
    "logarithm",
    "powers",
    "trigonometric",
]
