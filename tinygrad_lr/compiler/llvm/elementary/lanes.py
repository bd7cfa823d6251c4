"""Formulas written once for scalars and vectors, float32 and float64, and appended as LLVM code.

`Lanes` is a floating-point number, or one in each lane of a vector; `Bits` is the whole number with
the same bits. Both know their builder, so that `x * y + 1` appends a product and a sum. No fast
flags anywhere: an argument reduction means every rounding that it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir


class Layout(NamedTuple):
    """The fields of a float: widths of the whole and of its significand, and special patterns."""

    width: int
    significand: int  # bits behind the leading one
    one: int  # the bits of 1.0
    infinity: int
    round_to_whole: (
        float  # 1.5·2^significand: a sum with it has the nearest whole number in its end
    )


SINGLE = Layout(32, 23, 0x3F800000, 0x7F800000, 1.5 * 2.0**23)
DOUBLE = Layout(64, 52, 0x3FF << 52, 0x7FF << 52, 1.5 * 2.0**52)


def _with_element(type: Any, element: Any) -> Any:
    """The scalar `element`, or as many lanes of it as `type` has."""
    return ir.VectorType(element, type.count) if isinstance(type, ir.VectorType) else element


def splat(type: Any, number: float | int | bool) -> Any:
    """The constant of the given scalar or vector type."""
    if isinstance(type, ir.VectorType):
        return ir.Constant(type, [ir.Constant(type.element, number)] * type.count)
    return ir.Constant(type, number)


def intrinsic(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """A call of the LLVM intrinsic `name` at the type of its result, declared on first use."""
    vector = isinstance(result, ir.VectorType)
    element = {ir.FloatType: "f32", ir.DoubleType: "f64"}[
        type(result.element if vector else result)
    ]
    full = f"llvm.{name}.v{result.count}{element}" if vector else f"llvm.{name}.{element}"
    function = builder.module.globals.get(full)
    if function is None:
        signature = ir.FunctionType(result, [argument.type for argument in arguments])
        function = ir.Function(builder.module, signature, full)
    return builder.call(function, arguments)


class Lanes:
    """A floating-point number, or a vector of them, with the arithmetic of its builder."""

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
        """The fields of its floats."""
        element = self.type.element if isinstance(self.type, ir.VectorType) else self.type
        return SINGLE if isinstance(element, ir.FloatType) else DOUBLE

    @property
    def narrow(self) -> bool:
        """Whether the numbers are float32."""
        return self.layout is SINGLE

    def _value(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else splat(self.type, other)

    def _new(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def same(self, number: float) -> Lanes:
        """The constant of this type."""
        return self._new(splat(self.type, number))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fadd(self.value, self._value(other)))

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fsub(self.value, self._value(other)))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fmul(self.value, self._value(other)))

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._new(self.builder.fdiv(self.value, self._value(other)))

    def __rsub__(self, other: float) -> Lanes:
        return self.same(other) - self

    def __rtruediv__(self, other: float) -> Lanes:
        return self.same(other) / self

    def __neg__(self) -> Lanes:
        return self._new(self.builder.fneg(self.value))

    def __abs__(self) -> Lanes:
        return self._new(intrinsic(self.builder, "fabs", self.type, [self.value]))

    def __lt__(self, other: Lanes | float) -> Any:
        return self.builder.fcmp_ordered("<", self.value, self._value(other))

    def __gt__(self, other: Lanes | float) -> Any:
        return self.builder.fcmp_ordered(">", self.value, self._value(other))

    def equals(self, other: Lanes | float) -> Any:
        """Where both are the same number; NaN equals nothing."""
        return self.builder.fcmp_ordered("==", self.value, self._value(other))

    def unordered(self, other: Lanes) -> Any:
        """Where one of both is NaN."""
        return self.builder.fcmp_unordered("uno", self.value, other.value)

    def where(self, condition: Any, other: Lanes | float) -> Lanes:
        """Itself where the condition holds, and `other` elsewhere."""
        return self._new(self.builder.select(condition, self.value, self._value(other)))

    def unless(self, condition: Any, other: Lanes | float) -> Lanes:
        """Itself, but `other` where the condition holds."""
        return self._new(self.builder.select(condition, self._value(other), self.value))

    def at_most(self, bound: float) -> Lanes:
        """The smaller of itself and the bound; NaN stays NaN."""
        return self.unless(self > bound, bound)

    def at_least(self, bound: float) -> Lanes:
        """The larger of itself and the bound; NaN stays NaN."""
        return self.unless(self < bound, bound)

    def with_sign_of(self, other: Lanes) -> Lanes:
        """|self| with the other's sign."""
        arguments = [self.value, other.value]
        return self._new(intrinsic(self.builder, "copysign", self.type, arguments))

    def square_root(self) -> Lanes:
        """√self, rounded to nearest."""
        return self._new(intrinsic(self.builder, "sqrt", self.type, [self.value]))

    def floor(self) -> Lanes:
        """The largest whole number that is not above."""
        return self._new(intrinsic(self.builder, "floor", self.type, [self.value]))

    def fma(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """self·factor + term, rounded once. Where a processor cannot, a slow library call does."""
        arguments = [self.value, self._value(factor), self._value(term)]
        return self._new(intrinsic(self.builder, "fma", self.type, arguments))

    def times_plus(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """self·factor + term, rounded once where the processor can and twice where it cannot."""
        arguments = [self.value, self._value(factor), self._value(term)]
        return self._new(intrinsic(self.builder, "fmuladd", self.type, arguments))

    def polynomial(self, coefficients: Sequence[float]) -> Lanes:
        """Σ coefficients[k]·self^k."""
        out = self.same(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            out = out.times_plus(self, coefficient)
        return out

    def bits(self) -> Bits:
        """The pattern of the number, as a whole number."""
        whole = _with_element(self.type, ir.IntType(self.layout.width))
        return Bits(self.builder, self.builder.bitcast(self.value, whole), self.type)

    def widened(self) -> Lanes:
        """The same number in float64."""
        double = _with_element(self.type, ir.DoubleType())
        return self._new(self.builder.fpext(self.value, double))

    def narrowed(self) -> Lanes:
        """The nearest number in float32."""
        single = _with_element(self.type, ir.FloatType())
        return self._new(self.builder.fptrunc(self.value, single))


class Bits:
    """The pattern of a floating-point number, with the arithmetic of whole numbers."""

    __slots__ = ("builder", "floating", "value")

    def __init__(self, builder: Any, value: Any, floating: Any):
        self.builder = builder
        self.value = value
        self.floating = floating  # the type of the number that has this pattern

    def _value(self, other: Bits | int) -> Any:
        return other.value if isinstance(other, Bits) else splat(self.value.type, other)

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
        """Shifted right; the sign comes in from the left."""
        return self._new(self.builder.ashr(self.value, self._value(count)))

    def is_zero(self) -> Any:
        """Where no bit is set."""
        return self.builder.icmp_signed("==", self.value, self._value(0))

    def is_negative(self) -> Any:
        """Where the first bit, the sign, is set."""
        return self.builder.icmp_signed("<", self.value, self._value(0))

    def __mul__(self, factor: int) -> Bits:
        return self._new(self.builder.mul(self.value, self._value(factor)))

    def number(self) -> Lanes:
        """The floating-point number with this pattern."""
        return Lanes(self.builder, self.builder.bitcast(self.value, self.floating))

    def as_number(self) -> Lanes:
        """The floating-point number nearest to this whole number."""
        return Lanes(self.builder, self.builder.sitofp(self.value, self.floating))
