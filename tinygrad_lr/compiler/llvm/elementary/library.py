"""Calls of the C library for the rare arguments that vector code does not serve."""

from __future__ import annotations

from typing import Any

from llvmlite import ir


def _new_function(module: Any, name: str, result: Any, arguments: list[Any], *traits: str) -> Any:
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    for trait in ("nounwind", *traits):
        function.attributes.add(trait)
    return function


def _c_function(module: Any, name: str, number: Any) -> Any:
    """The function of the C library for floats or doubles, which touches no memory."""
    full = name + ("f" if isinstance(number, ir.FloatType) else "")
    known = module.globals.get(full)
    return known or _new_function(module, full, number, [number], "readnone")


def _by_lane(builder: Any, name: str, value: Any) -> Any:
    """The C function `name` of every lane."""
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
    """The body that calls the C function, and keeps what is known of the near lanes."""
    builder = ir.IRBuilder(function.append_basic_block())
    far, x, near = function.args
    builder.ret(builder.select(far, _by_lane(builder, name, x), near))


def _write_choice(function: Any, calls: Any) -> None:
    """The body that returns what is known, but for a far lane."""
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


def unless_far(builder: Any, name: str, far: Any, x: Any, near: Any) -> Any:
    """`near`, and in the lanes that are far, the C function `name` of x.

    The branch stands in a function that LLVM inlines, so that the caller's block goes on; the calls
    stand in another, off the path of usual arguments.
    """
    module, vector = builder.module, isinstance(x.type, ir.VectorType)
    number = x.type.element if vector else x.type
    width = "f32" if isinstance(number, ir.FloatType) else "f64"
    full = f"{name}.v{x.type.count}{width}" if vector else f"{name}.{width}"
    function = module.globals.get(full)
    if function is None:
        types = [far.type, x.type, near.type]
        calls = _new_function(module, f"{full}.far", x.type, types, "noinline", "cold")
        function = _new_function(module, full, x.type, types, "alwaysinline")
        calls.linkage = function.linkage = "internal"
        _write_calls(calls, name)
        _write_choice(function, calls)
    return builder.call(function, [far, x, near])
