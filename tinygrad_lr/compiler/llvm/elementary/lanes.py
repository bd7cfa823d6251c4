"""Formulas written once for scalars and vectors, float32 and float64.

`Lanes` is a floating-point value of an LLVM function, scalar or vector, with overloaded operators:
`x * y + 1` appends a product and a sum at its builder's position. `Bits` is the integer with the
same bits. There are no fast-math flags anywhere: the formulas depend on each rounding, and a
compiler that reordered them would cancel their corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from ..vectors import call_intrinsic, constant, repeat

Formula = Callable[..., "Lanes"]
EMITTERS: dict[str, Callable[..., Any]] = {}
MAX_ULP_ERROR: dict[str, tuple[float, float]] = {}


def elementary(float32: float, float64: float) -> Callable[[Formula], Formula]:
    """Register a formula as the code of the NumPy function with its name.

    The numbers bound its error in float32 and float64, in units in the last place.
    """

    def register(formula: Formula) -> Formula:
        def emit(builder: Any, *values: Any) -> Any:
            return formula(*(Lanes(builder, value) for value in values)).value

        EMITTERS[formula.__name__] = emit
        MAX_ULP_ERROR[formula.__name__] = (float32, float64)
        return formula

    return register


class Layout(NamedTuple):
    """The fields of an IEEE float: total and significand bits, and special bit patterns."""

    width: int
    significand: int  # bits after the leading 1
    one: int  # the bits of 1.0
    infinity: int
    round_to_integer: float  # 1.5·2^significand: x + this has the nearest integer in its low bits


SINGLE = Layout(32, 23, 0x3F800000, 0x7F800000, 1.5 * 2.0**23)
DOUBLE = Layout(64, 52, 0x3FF << 52, 0x7FF << 52, 1.5 * 2.0**52)


def _type_like(type: Any, element: Any) -> Any:
    """Return `element`, or a vector of it with as many lanes as `type`."""
    return ir.VectorType(element, type.count) if isinstance(type, ir.VectorType) else element


def _constant(type: Any, number: float | int | bool) -> Any:
    """Return a constant of a scalar or vector type."""
    if isinstance(type, ir.VectorType):
        return repeat(type.element, number, type.count)
    return constant(type, number)


class Lanes:
    """A floating-point value, scalar or vector, whose operators append instructions."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any):
        self.builder = builder
        self.value = value

    @property
    def type(self) -> Any:
        """The LLVM type."""
        return self.value.type

    @property
    def layout(self) -> Layout:
        """The format of its floats."""
        element = self.type.element if isinstance(self.type, ir.VectorType) else self.type
        return SINGLE if isinstance(element, ir.FloatType) else DOUBLE

    @property
    def is_single(self) -> bool:
        """True for float32."""
        return self.layout is SINGLE

    def _value(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else _constant(self.type, other)

    def _new(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def constant(self, number: float) -> Lanes:
        """Return a constant of this type."""
        return self._new(_constant(self.type, number))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fadd(self.value, self._value(other)))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fsub(self.value, self._value(other)))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fmul(self.value, self._value(other)))

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fdiv(self.value, self._value(other)))

    def __rsub__(self, other: float) -> Lanes:
        return self.constant(other) - self

    def __rtruediv__(self, other: float) -> Lanes:
        return self.constant(other) / self

    def __neg__(self) -> Lanes:
        return self._new(self.builder.fneg(self.value))

    def __abs__(self) -> Lanes:
        return self._new(call_intrinsic(self.builder, "fabs", [self.value]))

    def __lt__(self, other: Lanes | float) -> Any:
        return self.builder.fcmp_ordered("<", self.value, self._value(other))

    def __gt__(self, other: Lanes | float) -> Any:
        return self.builder.fcmp_ordered(">", self.value, self._value(other))

    def equals(self, other: Lanes | float) -> Any:
        """Return the lanes in which both are equal; NaN equals nothing."""
        return self.builder.fcmp_ordered("==", self.value, self._value(other))

    def unordered(self, other: Lanes) -> Any:
        """Return the lanes in which either is NaN."""
        return self.builder.fcmp_unordered("uno", self.value, other.value)

    def where(self, condition: Any, other: Lanes | float) -> Lanes:
        """Return self where the condition holds, else `other`."""
        return self._new(self.builder.select(condition, self.value, self._value(other)))

    def unless(self, condition: Any, other: Lanes | float) -> Lanes:
        """Return `other` where the condition holds, else self."""
        return self._new(self.builder.select(condition, self._value(other), self.value))

    def at_most(self, bound: float) -> Lanes:
        """Return min(self, bound); NaN stays NaN."""
        return self.unless(self > bound, bound)

    def at_least(self, bound: float) -> Lanes:
        """Return max(self, bound); NaN stays NaN."""
        return self.unless(self < bound, bound)

    def with_sign_of(self, other: Lanes) -> Lanes:
        """Return |self| with the sign of `other`."""
        arguments = [self.value, other.value]
        return self._new(call_intrinsic(self.builder, "copysign", arguments))

    def sqrt(self) -> Lanes:
        """Return √self, correctly rounded."""
        return self._new(call_intrinsic(self.builder, "sqrt", [self.value]))

    def floor(self) -> Lanes:
        """Return the largest integer that is not above self."""
        return self._new(call_intrinsic(self.builder, "floor", [self.value]))

    def fma(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """Return self·factor + term, rounded once: a slow C call on processors without FMA."""
        arguments = [self.value, self._value(factor), self._value(term)]
        return self._new(call_intrinsic(self.builder, "fma", arguments))

    def multiply_add(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """Return self·factor + term, rounded once on processors with FMA, else twice."""
        arguments = [self.value, self._value(factor), self._value(term)]
        return self._new(call_intrinsic(self.builder, "fmuladd", arguments))

    def polynomial(self, coefficients: Sequence[float]) -> Lanes:
        """Return Σ coefficients[k]·self^k, by Horner's rule."""
        out = self.constant(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            out = out.multiply_add(self, coefficient)
        return out

    def bits(self) -> Bits:
        """Return the bit pattern as an integer."""
        whole = _type_like(self.type, ir.IntType(self.layout.width))
        return Bits(self.builder, self.builder.bitcast(self.value, whole), self.type)

    def to_float64(self) -> Lanes:
        """Return the same number as float64."""
        double = _type_like(self.type, ir.DoubleType())
        return self._new(self.builder.fpext(self.value, double))

    def to_float32(self) -> Lanes:
        """Return the nearest float32."""
        single = _type_like(self.type, ir.FloatType())
        return self._new(self.builder.fptrunc(self.value, single))


class Bits:
    """The bit pattern of a floating-point value, with integer arithmetic."""

    __slots__ = ("builder", "floating", "value")

    def __init__(self, builder: Any, value: Any, floating: Any):
        self.builder = builder
        self.value = value
        self.floating = floating  # the type of the float with these bits

    def _value(self, other: Bits | int) -> Any:
        return other.value if isinstance(other, Bits) else _constant(self.value.type, other)

    def _new(self, value: Any) -> Bits:
        return Bits(self.builder, value, self.floating)

    def __add__(self, other: Bits | int) -> Bits:
        return self._new(self.builder.add(self.value, self._value(other)))

    def __sub__(self, other: Bits | int) -> Bits:
        return self._new(self.builder.sub(self.value, self._value(other)))

    def __rsub__(self, other: int) -> Bits:
        return self._new(self.builder.sub(self._value(other), self.value))

    def __and__(self, other: Bits | int) -> Bits:
        return self._new(self.builder.and_(self.value, self._value(other)))

    def __xor__(self, other: Bits | int) -> Bits:
        return self._new(self.builder.xor(self.value, self._value(other)))

    def __lshift__(self, count: int) -> Bits:
        return self._new(self.builder.shl(self.value, self._value(count)))

    def __rshift__(self, count: int) -> Bits:
        """Shift right, copying the sign bit."""
        return self._new(self.builder.ashr(self.value, self._value(count)))

    def is_zero(self) -> Any:
        """Return the lanes in which no bit is set."""
        return self.builder.icmp_signed("==", self.value, self._value(0))

    def is_negative(self) -> Any:
        """Return the lanes in which the sign bit is set."""
        return self.builder.icmp_signed("<", self.value, self._value(0))

    def __mul__(self, factor: int) -> Bits:
        return self._new(self.builder.mul(self.value, self._value(factor)))

    def as_float(self) -> Lanes:
        """Return the float with this bit pattern."""
        return Lanes(self.builder, self.builder.bitcast(self.value, self.floating))

    def to_float(self) -> Lanes:
        """Return the float nearest to this integer."""
        return Lanes(self.builder, self.builder.sitofp(self.value, self.floating))
