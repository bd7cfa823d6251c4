"""Reading and writing the entries of arrays in a kernel: one at a time, or a vector of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction
from ..ir.layout import contiguous_strides
from . import arithmetic
from .loops import counted_loop

I64, I32, I1, I8 = (ir.IntType(n) for n in (64, 32, 1, 8))


class Memory:
    """The arrays of a kernel: a pointer for each, and how their entries are read and written.

    A pointer points to the entry `first` of its array, `place` says where an array that the kernel
    writes begins, and its strides: it may be a part of another.
    """

    def __init__(
        self,
        pointers: Mapping[Instruction, Any],
        first: Mapping[Instruction, int] = MappingProxyType({}),
        is_input: Callable[[Instruction], bool] = lambda x: False,
        place: Callable[[Instruction], tuple[int, tuple[int, ...]]] | None = None,
    ) -> None:
        self.pointers, self.first, self.is_input = pointers, first, is_input
        self.place = place or (lambda x: (0, contiguous_strides(x.shape)))

    def __contains__(self, x: Instruction) -> bool:
        return x in self.pointers

    def pointer(self, b: Any, x: Instruction, place: Any) -> Any:
        """The pointer to an entry, so many entries from the array's first."""
        first, before = self.pointers[x], self.first.get(x, 0)
        if isinstance(place, int):
            if place == before:
                return first
            place = I64(place - before)
        elif before:
            place = b.sub(place, I64(before))
        return b.gep(first, [place], source_etype=in_memory(x.dtype))

    def load(
        self,
        b: Any,
        x: Instruction,
        place: Any,
        lanes: int,
        stride: int = 1,
        tail: int | None = None,
    ) -> Any:
        """An entry, or a vector of entries a stride apart, of which the first `tail` count."""
        size = x.dtype.itemsize
        if lanes == 1:
            value = b.load(self.pointer(b, x, place), typ=in_memory(x.dtype), align=size)
            return from_memory(b, value, x.dtype)
        kind = ir.VectorType(in_memory(x.dtype), lanes)
        if stride == 1:
            pointer = self.pointer(b, x, place)
            if tail is None:
                return from_memory(b, b.load(pointer, typ=kind, align=size), x.dtype)
            mask = first_lanes(tail, lanes)
            name = f"llvm.masked.load.{kind_name(kind)}.p0"
            load = declared(b, name, kind, [ir.PointerType(), I32, mask.type, kind])
            zero = ir.Constant(kind, None)
            return from_memory(b, b.call(load, [pointer, I32(size), mask, zero]), x.dtype)
        value = ir.Constant(kind, None if tail is not None else ir.Undefined)
        start = I64(place) if isinstance(place, int) else place
        for lane in range(lanes if tail is None else tail):
            at = b.add(start, I64(lane * stride)) if lane else start
            one = b.load(self.pointer(b, x, at), typ=in_memory(x.dtype), align=size)
            value = b.insert_element(value, one, I32(lane))
        return from_memory(b, value, x.dtype)

    def store(
        self,
        b: Any,
        x: Instruction,
        value: Any,
        place: Any,
        lanes: int,
        tail: int | None = None,
        stride: int = 1,
    ) -> None:
        """Write an entry, or a vector of them, of which the first `tail` count."""
        size = x.dtype.itemsize
        value = into_memory(b, value, x.dtype)
        if lanes == 1:
            b.store(value, self.pointer(b, x, place), align=size)
            return
        if stride == 1:
            pointer = self.pointer(b, x, place)
            if tail is None:
                b.store(value, pointer, align=size)
                return
            mask = first_lanes(tail, lanes)
            name = f"llvm.masked.store.{kind_name(value.type)}.p0"
            arguments = [value.type, ir.PointerType(), I32, mask.type]
            store = declared(b, name, ir.VoidType(), arguments)
            b.call(store, [value, pointer, I32(size), mask])
            return
        start = I64(place) if isinstance(place, int) else place
        for lane in range(lanes if tail is None else tail):
            at = b.add(start, I64(lane * stride)) if lane else start
            one = b.extract_element(value, I32(lane))
            b.store(one, self.pointer(b, x, at), align=size)

    def fill(self, b: Any, x: Instruction, value: Any) -> None:
        """One number in every entry."""
        start, _ = self.place(x)
        counted_loop(b, start, start + x.size, 1, lambda i: self.store(b, x, value, i, 1))


def in_memory(dtype: np.dtype[Any]) -> Any:
    """The type of an entry as it lies in memory: a bool takes a byte."""
    return I8 if dtype.kind == "b" else arithmetic.llvm_type(dtype)


def from_memory(b: Any, value: Any, dtype: np.dtype[Any]) -> Any:
    """A bool out of its byte."""
    if dtype.kind != "b":
        return value
    zero = ir.Constant(value.type, None) if isinstance(value.type, ir.VectorType) else I8(0)
    return b.icmp_unsigned("!=", value, zero)


def into_memory(b: Any, value: Any, dtype: np.dtype[Any]) -> Any:
    """A bool as a byte."""
    if dtype.kind != "b":
        return value
    lanes = arithmetic.lanes_of(value)
    return b.zext(value, I8 if lanes == 1 else ir.VectorType(I8, lanes))


def first_lanes(count: int, lanes: int) -> Any:
    """The mask of the first lanes."""
    return ir.Constant(ir.VectorType(I1, lanes), [int(k < count) for k in range(lanes)])


def kind_name(kind: Any) -> str:
    """A vector type as it stands in an intrinsic's name: v16f32."""
    one = kind.element
    if isinstance(one, ir.IntType):
        return f"v{kind.count}i{one.width}"
    return f"v{kind.count}f{32 if isinstance(one, ir.FloatType) else 64}"


def declared(b: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """One of LLVM's own functions."""
    known = b.module.globals.get(name)
    return known or ir.Function(b.module, ir.FunctionType(result, arguments), name)
