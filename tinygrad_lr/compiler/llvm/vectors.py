"""Vectors as wide as the processor's registers: types, masks, loads and stores, shuffles.

LLVM's vector types are written out here, instead of leaving vectorization to LLVM: the tiles of a
matrix product and the order of sums depend on the width. A mask is a vector of i1, one for each
lane, or None where all lanes are active; memory behind an inactive lane is never touched, so a
masked load may run past the end of an array. In this module a dtype is 'float32' or 'float64'.
"""

import functools
from collections.abc import Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir

FAST_FLAGS = ("reassoc", "contract", "arcp", "nsz", "afn")  # not nnan or ninf: nan and inf matter
ITEM_SIZES = {"float32": 4, "float64": 8}
INDEX: Any = ir.IntType(64)


# ---- the processor


@functools.cache
def vector_bytes() -> int:
    """Return the width of this processor's vectors: 64 with AVX-512, 32 with AVX2, else 16."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") else 16


@functools.cache
def vector_registers() -> int:
    """Return the number of vector registers: 16 with SSE or AVX2, 32 with AVX-512 or NEON."""
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if "sse2" in features and not features.get("avx512f") else 32


# ---- types and constants


def lanes(dtype: str) -> int:
    """Return the number of entries in a vector."""
    return vector_bytes() // ITEM_SIZES[dtype]


def element_type(dtype: str) -> Any:
    """Return the LLVM type of one entry."""
    return ir.FloatType() if dtype == "float32" else ir.DoubleType()


def vector_type(dtype: str) -> Any:
    """Return the LLVM type of a vector."""
    return ir.VectorType(element_type(dtype), lanes(dtype))


def lane_count(value: Any) -> int:
    """Return the number of lanes of an LLVM value, 1 for a scalar."""
    return int(value.type.count) if isinstance(value.type, ir.VectorType) else 1


def index(value: Any) -> Any:
    """Return a Python int as an i64 constant, and an i64 value as it is."""
    return INDEX(value) if isinstance(value, int) else value


_constants: dict[tuple[str, str], Any] = {}


def constant(kind: Any, value: Any) -> Any:
    """Return a constant of any type: the same object each time, which has its text already.

    Most constants of a module are written many times, and those of vectors are long.
    """
    key = str(kind), repr(value)  # -0.0 and 0.0, True and 1 are equal
    found = _constants.get(key)
    if found is None:
        found = _constants[key] = ir.Constant(kind, value)
    return found


def repeat(element: Any, value: Any, count: int) -> Any:
    """Return a constant vector with the same number, or constant, in all lanes."""
    number = value.constant if isinstance(value, ir.Constant) else value
    return constant(ir.VectorType(element, count), [number] * count)


def constant_vector(value: float, dtype: str) -> Any:
    """Return a constant vector with the same number in all lanes."""
    return repeat(element_type(dtype), value, lanes(dtype))


def lane_mask(count: int, width: int) -> Any:
    """Return the mask of the first `count` of `width` lanes."""
    return constant(ir.VectorType(ir.IntType(1), width), [int(k < count) for k in range(width)])


def first_lanes(count: int, dtype: str) -> Any:
    """Return the mask of the first `count` lanes of a vector; None if these are all."""
    return None if count >= lanes(dtype) else lane_mask(count, lanes(dtype))


def splat(builder: ir.IRBuilder, value: Any, width: int) -> Any:
    """Return a vector with a scalar in every lane; a vector of this width is returned as it is."""
    if width == 1 or lane_count(value) == width:
        return value
    kind = ir.VectorType(value.type, width)
    if isinstance(value, ir.Constant):
        return repeat(value.type, value, width)
    undefined = constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.IntType(32)(0))
    zeros = repeat(ir.IntType(32), 0, width)
    return builder.shuffle_vector(one, undefined, zeros)


# ---- intrinsics


def type_suffix(kind: Any) -> str:
    """Return a type as it is spelled in the name of an intrinsic: f32, v16f32, v8i64."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{kind.element.intrinsic_name}"
    return str(kind.intrinsic_name)


def declare_intrinsic(builder: ir.IRBuilder, name: str, result: Any, arguments: list[Any]) -> Any:
    """Return the declaration of an intrinsic, given its full name; at most one per module."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def call_intrinsic(builder: ir.IRBuilder, name: str, arguments: Sequence[Any]) -> Any:
    """Call an intrinsic whose arguments and result are all of one type, such as sqrt or fma."""
    kind = arguments[0].type
    full_name = f"llvm.{name}.{type_suffix(kind)}"
    function = declare_intrinsic(builder, full_name, kind, [kind] * len(arguments))
    return builder.call(function, arguments)


# ---- memory


def element_at(builder: ir.IRBuilder, pointer: Any, offset: Any, dtype: str) -> Any:
    """Return a pointer moved by `offset` entries, an int or an i64."""
    if isinstance(offset, int) and not offset:
        return pointer
    return builder.gep(pointer, [index(offset)], source_etype=element_type(dtype))


def load_scalar(builder: ir.IRBuilder, pointer: Any, dtype: str) -> Any:
    """Load one entry."""
    return builder.load(pointer, typ=element_type(dtype), align=ITEM_SIZES[dtype])


def load_vector(builder: ir.IRBuilder, pointer: Any, mask: Any, dtype: str) -> Any:
    """Load a vector; inactive lanes are 0. The pointer need not be aligned to vectors."""
    kind = vector_type(dtype)
    if mask is None:
        return builder.load(pointer, typ=kind, align=ITEM_SIZES[dtype])
    return masked_load(builder, pointer, mask, kind, ITEM_SIZES[dtype])


def store_vector(builder: ir.IRBuilder, vector: Any, pointer: Any, mask: Any = None) -> None:
    """Store the active lanes of a vector. The pointer need not be aligned to vectors."""
    kind = vector.type
    size = 4 if isinstance(kind.element, ir.FloatType) else 8
    if mask is not None:
        masked_store(builder, vector, pointer, mask, size)
        return
    if not pointer.type.is_opaque:
        pointer = builder.bitcast(pointer, kind.as_pointer())
    builder.store(vector, pointer, align=size)


def masked_load(builder: ir.IRBuilder, pointer: Any, mask: Any, kind: Any, align: int) -> Any:
    """Load the active lanes of a vector of any type; the others are 0."""
    # LLVM upgrades this form, with the alignment as an argument, where it has a newer one
    arguments = [ir.PointerType(), ir.IntType(32), mask.type, kind]
    load = declare_intrinsic(builder, f"llvm.masked.load.{type_suffix(kind)}.p0", kind, arguments)
    zero = constant(kind, None)
    return builder.call(load, [pointer, ir.IntType(32)(align), mask, zero])


def masked_store(builder: ir.IRBuilder, vector: Any, pointer: Any, mask: Any, align: int) -> None:
    """Store the active lanes of a vector of any type."""
    arguments = [vector.type, ir.PointerType(), ir.IntType(32), mask.type]
    name = f"llvm.masked.store.{type_suffix(vector.type)}.p0"
    store = declare_intrinsic(builder, name, ir.VoidType(), arguments)
    builder.call(store, [vector, pointer, ir.IntType(32)(align), mask])


# ---- arithmetic across lanes


def multiply_add(builder: ir.IRBuilder, x: Any, y: Any, total: Any) -> Any:
    """Return total + x·y: one instruction where the processor has fused multiply-add."""
    return builder.fadd(total, builder.fmul(x, y, flags=FAST_FLAGS), flags=FAST_FLAGS)


def add_vectors(builder: ir.IRBuilder, vectors: Sequence[Any]) -> Any:
    """Return the sum of vectors, added pairwise."""
    rest = list(vectors)
    while len(rest) > 1:
        pairs = zip(rest[::2], rest[1::2], strict=False)
        odd = rest[len(rest) // 2 * 2 :]
        rest = [builder.fadd(x, y, flags=FAST_FLAGS) for x, y in pairs] + odd
    return rest[0]


def sum_lanes(builder: ir.IRBuilder, vector: Any) -> Any:
    """Return the sum of the lanes of a vector."""
    kind = vector.type
    name = f"llvm.vector.reduce.fadd.{type_suffix(kind)}"
    reduce = declare_intrinsic(builder, name, kind.element, [kind.element, kind])
    return builder.call(reduce, [kind.element(-0.0), vector], fastmath=FAST_FLAGS)


def transpose_lanes(builder: ir.IRBuilder, vectors: Sequence[Any]) -> list[Any]:
    """Transpose a square of V vectors of V lanes in registers, in log2 V rounds of V shuffles.

    A round exchanges the off-diagonal blocks of size V/2, then V/4, and so on.
    """
    rows, span = list(vectors), len(vectors) // 2
    while span:
        for low in range(len(rows)):
            if not low & span:
                pair = rows[low], rows[low + span]
                rows[low], rows[low + span] = _exchange_blocks(builder, *pair, span)
        span //= 2
    return rows


def sum_lanes_of_each(builder: ir.IRBuilder, vectors: Sequence[Any]) -> Any:
    """Return one vector whose lane n is the sum of vector n, for V vectors of V lanes.

    This is a transposition that adds the halves after each round: V - 1 additions in all.
    """
    rows = list(vectors)
    while len(rows) > 1:
        span = len(rows) // 2
        pairs = zip(rows[:span], rows[span:], strict=True)
        halves = [_exchange_blocks(builder, low, high, span) for low, high in pairs]
        rows = [builder.fadd(low, high, flags=FAST_FLAGS) for low, high in halves]
    return rows[0]


def _exchange_blocks(builder: ir.IRBuilder, low: Any, high: Any, span: int) -> tuple[Any, Any]:
    """Exchange the off-diagonal blocks of `span` lanes of two rows that are `span` rows apart."""
    side = low.type.count
    kind = ir.VectorType(ir.IntType(32), side)
    first = [n + (side - span if n & span else 0) for n in range(side)]
    second = [n + (side if n & span else span) for n in range(side)]
    return (
        builder.shuffle_vector(low, high, constant(kind, first)),
        builder.shuffle_vector(low, high, constant(kind, second)),
    )
