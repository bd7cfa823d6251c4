"""Vectors as wide as the processor's registers: their types, and how they are read and written.

A dtype is named by its string, 'float32' or 'float64'. A mask is a vector of i1, one for each
lane, or None where all lanes count. What is masked away is neither read nor written.
"""

import functools
from collections.abc import Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir

FLAGS = ("reassoc", "contract", "arcp", "nsz", "afn")  # never nnan or ninf: nan and inf travel
ITEM_SIZES = {"float32": 4, "float64": 8}
INDEX: Any = ir.IntType(64)


@functools.cache
def vector_bytes() -> int:
    """The width of this processor's vector registers: 64 with AVX-512, 32 with AVX2, else 16."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") else 16


@functools.cache
def vector_registers() -> int:
    """How many vectors the processor holds at once: 16 with AVX2 or SSE, else 32."""
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if "sse2" in features and not features.get("avx512f") else 32


def lanes(dtype: str) -> int:
    """How many numbers one vector holds."""
    return vector_bytes() // ITEM_SIZES[dtype]


def element_type(dtype: str) -> Any:
    """The LLVM type of one number."""
    return ir.FloatType() if dtype == "float32" else ir.DoubleType()


def vector_type(dtype: str) -> Any:
    """The LLVM type of one vector."""
    return ir.VectorType(element_type(dtype), lanes(dtype))


def index(value: Any) -> Any:
    """A Python int as the i64 constant; an i64 that is one already as it is."""
    return INDEX(value) if isinstance(value, int) else value


def constant_vector(value: float, dtype: str) -> Any:
    """The same number in all lanes, known now."""
    return ir.Constant(vector_type(dtype), [element_type(dtype)(value)] * lanes(dtype))


def first_lanes(count: int, dtype: str) -> Any:
    """The mask that lets the first `count` lanes count: None if these are all."""
    width = lanes(dtype)
    if count >= width:
        return None
    return ir.Constant(ir.VectorType(ir.IntType(1), width), [int(k < count) for k in range(width)])


def splat(builder: ir.IRBuilder, scalar: Any) -> Any:
    """The same number in all lanes: a vector of `scalar`, which is a float or a double."""
    width = vector_bytes() // (4 if isinstance(scalar.type, ir.FloatType) else 8)
    kind = ir.VectorType(scalar.type, width)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


def element_at(builder: ir.IRBuilder, pointer: Any, offset: Any, dtype: str) -> Any:
    """The pointer `offset` elements further: an int or an i64."""
    if isinstance(offset, int) and not offset:
        return pointer
    return builder.gep(pointer, [index(offset)], source_etype=element_type(dtype))


def load_scalar(builder: ir.IRBuilder, pointer: Any, dtype: str) -> Any:
    """The number at a pointer to elements."""
    return builder.load(pointer, typ=element_type(dtype), align=ITEM_SIZES[dtype])


def load_vector(builder: ir.IRBuilder, pointer: Any, mask: Any, dtype: str) -> Any:
    """The vector that starts at a pointer to elements; lanes masked away are 0."""
    kind = vector_type(dtype)
    if mask is None:
        return builder.load(pointer, typ=kind, align=ITEM_SIZES[dtype])
    load = _masked(builder, "load", kind, kind, [ir.PointerType(), ir.IntType(32), mask.type, kind])
    zero = ir.Constant(kind, None)
    return builder.call(load, [pointer, ir.IntType(32)(ITEM_SIZES[dtype]), mask, zero])


def store_vector(builder: ir.IRBuilder, vector: Any, pointer: Any, mask: Any = None) -> None:
    """Write a vector where a pointer to elements points, except the lanes masked away."""
    kind = vector.type
    size = 4 if isinstance(kind.element, ir.FloatType) else 8
    if mask is None:
        if not pointer.type.is_opaque:
            pointer = builder.bitcast(pointer, kind.as_pointer())
        builder.store(vector, pointer, align=size)
        return
    arguments = [kind, ir.PointerType(), ir.IntType(32), mask.type]
    store = _masked(builder, "store", kind, ir.VoidType(), arguments)
    builder.call(store, [vector, pointer, ir.IntType(32)(size), mask])


def _masked(builder: ir.IRBuilder, verb: str, kind: Any, result: Any, arguments: list[Any]) -> Any:
    """LLVM's intrinsic for a masked load or store; its newest forms are upgraded from this one."""
    return _intrinsic(builder, f"llvm.masked.{verb}.{_name(kind)}.p0", result, arguments)


def multiply_add(builder: ir.IRBuilder, x: Any, y: Any, total: Any) -> Any:
    """total + x * y, one instruction where the processor has it."""
    return builder.fadd(total, builder.fmul(x, y, flags=FLAGS), flags=FLAGS)


def sum_of_vectors(builder: ir.IRBuilder, vectors: Sequence[Any]) -> Any:
    """Vectors added up in pairs, and pairs of pairs."""
    rest = list(vectors)
    while len(rest) > 1:
        pairs = zip(rest[::2], rest[1::2], strict=False)
        rest = [builder.fadd(x, y, flags=FLAGS) for x, y in pairs] + rest[len(rest) // 2 * 2 :]
    return rest[0]


def sum_of_lanes(builder: ir.IRBuilder, vector: Any) -> Any:
    """The lanes of a vector, added up to one number."""
    kind = vector.type
    name = f"llvm.vector.reduce.fadd.{_name(kind)}"
    reduce = _intrinsic(builder, name, kind.element, [kind.element, kind])
    return builder.call(reduce, [kind.element(-0.0), vector], fastmath=FLAGS)


def transposed(builder: ir.IRBuilder, vectors: Sequence[Any]) -> list[Any]:
    """A square of as many vectors as they have lanes, turned: log2 V rounds of V shuffles."""
    rows, span = list(vectors), len(vectors) // 2
    while span:
        for low in range(len(rows)):
            if not low & span:
                pair = rows[low], rows[low + span]
                rows[low], rows[low + span] = _exchanged(builder, *pair, span)
        span //= 2
    return rows


def sums_of_lanes(builder: ir.IRBuilder, vectors: Sequence[Any]) -> Any:
    """For as many vectors as they have lanes, each one's sum in the lane of its number."""
    rows = list(vectors)
    while len(rows) > 1:
        span = len(rows) // 2
        pairs = zip(rows[:span], rows[span:], strict=True)
        halves = [_exchanged(builder, low, high, span) for low, high in pairs]
        rows = [builder.fadd(low, high, flags=FLAGS) for low, high in halves]
    return rows[0]


def _exchanged(builder: ir.IRBuilder, low: Any, high: Any, span: int) -> tuple[Any, Any]:
    """Two rows whose numbers are `span` apart, the off-diagonal blocks of that size exchanged."""
    side = low.type.count
    kind = ir.VectorType(ir.IntType(32), side)
    first = [n + (side - span if n & span else 0) for n in range(side)]
    second = [n + (side if n & span else span) for n in range(side)]
    return (
        builder.shuffle_vector(low, high, ir.Constant(kind, first)),
        builder.shuffle_vector(low, high, ir.Constant(kind, second)),
    )


def _name(kind: Any) -> str:
    """A vector type as it stands in an intrinsic's name: v16f32."""
    return f"v{kind.count}{kind.element.intrinsic_name}"


def _intrinsic(builder: ir.IRBuilder, name: str, result: Any, arguments: list[Any]) -> Any:
    known = builder.module.globals
    return known.get(name) or ir.Function(builder.module, ir.FunctionType(result, arguments), name)
