"""sin, cos and tan.

Write x = n·π/2 + r with an integer n and |r| <= π/4. Then sin r and cos r are polynomials, and the
last two bits of n decide which of them is the result, and its sign. π/2 is subtracted in three
parts (Cody and Waite): enough for |x| up to `MAX_REDUCED`. Lanes
beyond that call the C library, in a function off the path of usual arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..vectors import type_suffix
from .lanes import Bits, Lanes, elementary

TWO_OVER_PI = 0.6366197723675814
HALF_PI_PARTS = {  # their sum is π/2; True for float32
    True: (1.570796012878418, 3.1391647326017846e-07, 5.390302529957765e-15),
    False: (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}
MAX_REDUCED = {True: 32768.0, False: 1048576.0}  # the largest |x| that three parts serve

# (sin r - r)/r³ and (cos r - 1 + r²/2)/r⁴ as polynomials in r², minimax for the relative error
SIN_SINGLE = (-0.16666655242443085, 0.008332188241183758, -0.00019518070621415973)
COS_SINGLE = (0.04166664555668831, -0.0013887309469282627, 2.4432327336398885e-05)
SIN_DOUBLE = (
    -0.1666666666666663,
    0.00833333333332184,
    -0.0001984126982935852,
    2.7557313538506513e-06,
    -2.5050734387163145e-08,
    1.5895433100468836e-10,
)
COS_DOUBLE = (
    0.041666666666666595,
    -0.001388888888887331,
    2.4801587288967137e-05,
    -2.7557314203693767e-07,
    2.0875703225177714e-09,
    -1.1358621363711804e-11,
)


def _reduce(x: Lanes) -> tuple[Bits, Lanes]:
    """Return an integer with the last bits of n, and r, where x = n·π/2 + r."""
    layout = x.layout
    shifted = x.fma(TWO_OVER_PI, layout.round_to_integer)
    n = shifted - layout.round_to_integer
    for part in HALF_PI_PARTS[x.is_single]:
        x = n.fma(-part, x)
    return shifted.bits(), x


def _sin_and_cos(r: Lanes) -> tuple[Lanes, Lanes]:
    """Return sin r and cos r for |r| <= π/4."""
    square = r * r
    sin = r.multiply_add(square * square.polynomial(SIN_SINGLE if r.is_single else SIN_DOUBLE), r)
    cosines = COS_SINGLE if r.is_single else COS_DOUBLE
    cos = (square * square).multiply_add(square.polynomial(cosines), square.multiply_add(-0.5, 1.0))
    return sin.with_sign_of(r), cos


def _rotate(sin: Lanes, cos: Lanes, quarters: Bits) -> Lanes:
    """Return sin(r + quarters·π/2), given sin r and cos r."""
    out = sin.where((quarters & 1).is_zero(), cos)
    sign = (quarters & 2) << (sin.layout.width - 2)
    return (out.bits() ^ sign).as_float()


# ---- arguments too large for the reduction: the C library


def _new_function(module: Any, name: str, result: Any, arguments: list[Any], *traits: str) -> Any:
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    for trait in ("nounwind", *traits):
        function.attributes.add(trait)
    return function


def _c_function(module: Any, name: str, number: Any) -> Any:
    """Return the C library's function for floats (sinf) or doubles (sin), without side effects."""
    full = name + ("f" if isinstance(number, ir.FloatType) else "")
    known = module.globals.get(full)
    return known or _new_function(module, full, number, [number], "readnone")


def _call_by_lane(builder: Any, name: str, value: Any) -> Any:
    """Call the C function `name` for each lane."""
    if not isinstance(value.type, ir.VectorType):
        return builder.call(_c_function(builder.module, name, value.type), [value])
    function = _c_function(builder.module, name, value.type.element)
    out = ir.Constant(value.type, ir.Undefined)
    for lane in range(value.type.count):
        place = ir.Constant(ir.IntType(32), lane)
        called = builder.call(function, [builder.extract_element(value, place)])
        out = builder.insert_element(out, called, place)
    return out


def _write_calls(function: Any, name: str) -> None:
    """Write the body that calls the C function, and keeps the near lanes as they are."""
    builder = ir.IRBuilder(function.append_basic_block())
    far, x, near = function.args
    builder.ret(builder.select(far, _call_by_lane(builder, name, x), near))


def _write_choice(function: Any, calls: Any) -> None:
    """Write the body that returns `near` unless a lane is far."""
    usual, rare = function.append_basic_block("near"), function.append_basic_block("far")
    builder = ir.IRBuilder(usual)
    far, _, near = function.args
    if isinstance(far.type, ir.VectorType):
        together = ir.IntType(far.type.count)
        far = builder.icmp_unsigned("!=", builder.bitcast(far, together), together(0))
    end = function.append_basic_block("end")
    builder.cbranch(far, rare, end)
    builder.position_at_end(rare)
    called = builder.call(calls, function.args)
    builder.branch(end)
    builder.position_at_end(end)
    out = builder.phi(near.type)
    out.add_incoming(near, usual)
    out.add_incoming(called, rare)
    builder.ret(out)


def _call_c_library_when_far(formula: Callable[[Lanes], Lanes]) -> Callable[[Lanes], Lanes]:
    """Extend a formula: in lanes where |x| is too large, the C function of its name is called.

    The branch is in a function that LLVM inlines, so that the code here stays one basic block. The
    calls are in a cold function that is not inlined, off the path of usual arguments.
    """

    @functools.wraps(formula)
    def extended(x: Lanes) -> Lanes:
        far = abs(x) > MAX_REDUCED[x.is_single]
        near = formula(x)
        module, name, kind = x.builder.module, formula.__name__, x.type
        full_name = f"{name}.{type_suffix(kind)}"
        function = module.globals.get(full_name)
        if function is None:
            types = [far.type, kind, kind]
            calls = _new_function(module, f"{full_name}.far", kind, types, "noinline", "cold")
            function = _new_function(module, full_name, kind, types, "alwaysinline")
            calls.linkage = function.linkage = "internal"
            _write_calls(calls, name)
            _write_choice(function, calls)
        return Lanes(x.builder, x.builder.call(function, [far, x.value, near.value]))

    return extended


# ---- the functions


@elementary(2.0, 2.5)
@_call_c_library_when_far
def sin(x: Lanes) -> Lanes:
    """The sine, sin r or cos r."""
    quarters, r = _reduce(x)
    return _rotate(*_sin_and_cos(r), quarters)


@elementary(2.0, 2.5)
@_call_c_library_when_far
def cos(x: Lanes) -> Lanes:
    """The cosine, sin(x + π/2)."""
    quarters, r = _reduce(x)
    return _rotate(*_sin_and_cos(r), quarters + 1)


@elementary(4.0, 4.0)
@_call_c_library_when_far
def tan(x: Lanes) -> Lanes:
    """The tangent, sin r/cos r, or -cos r/sin r for odd n."""
    quarters, r = _reduce(x)
    sine, cosine = _sin_and_cos(r)
    even = (quarters & 1).is_zero()
    return sine.where(even, -cosine) / cosine.where(even, sine)
