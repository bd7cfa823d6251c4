"""Loads and stores in a kernel: one entry of an array, or a vector of entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from llvmlite import ir

from ..ir.instruction import Instruction
from ..ir.layout import contiguous_strides
from . import arithmetic
from .loops import emit_loop
from .vectors import lane_count, lane_mask, masked_load, masked_store

I64, I32, I8 = (ir.IntType(n) for n in (64, 32, 8))


class Memory:
    """The arrays of a kernel.

    - `pointers`: a pointer for each array, to its entry number `first`
    - `is_input`: returns True for arrays that are updated inputs
    - `placement`: returns the first entry and the strides of an array that the kernel writes,
      which may be stored within another one
    """

    def __init__(
        self,
        pointers: Mapping[Instruction, Any],
        first: Mapping[Instruction, int] = MappingProxyType({}),
        is_input: Callable[[Instruction], bool] = lambda x: False,
        placement: Callable[[Instruction], tuple[int, tuple[int, ...]]] | None = None,
    ) -> None:
        self.pointers, self.first, self.is_input = pointers, first, is_input
        self.placement = placement or (lambda x: (0, contiguous_strides(x.shape)))

    def __contains__(self, x: Instruction) -> bool:
        return x in self.pointers

    def pointer(self, b: Any, x: Instruction, entry: Any) -> Any:
        """Return a pointer to an entry, an int or an i64."""
        first, before = self.pointers[x], self.first.get(x, 0)
        if isinstance(entry, int):
            if entry == before:
                return first
            entry = I64(entry - before)
        elif before:
            entry = b.sub(entry, I64(before))
        return b.gep(first, [entry], source_etype=memory_type(x.dtype))

    def load(
        self,
        b: Any,
        x: Instruction,
        entry: Any,
        lanes: int,
        stride: int = 1,
        tail: int | None = None,
    ) -> Any:
        """Load an entry, or a vector of entries a stride apart: the first `tail` of it, or all."""
        size = x.dtype.itemsize
        if lanes == 1:
            value = b.load(self.pointer(b, x, entry), typ=memory_type(x.dtype), align=size)
            return decode_bool(b, value, x.dtype)
        kind = ir.VectorType(memory_type(x.dtype), lanes)
        if stride == 1:
            pointer = self.pointer(b, x, entry)
            if tail is None:
                return decode_bool(b, b.load(pointer, typ=kind, align=size), x.dtype)
            value = masked_load(b, pointer, lane_mask(tail, lanes), kind, size)
            return decode_bool(b, value, x.dtype)
        value = ir.Constant(kind, None if tail is not None else ir.Undefined)
        start = I64(entry) if isinstance(entry, int) else entry
        for lane in range(lanes if tail is None else tail):
            at = b.add(start, I64(lane * stride)) if lane else start
            one = b.load(self.pointer(b, x, at), typ=memory_type(x.dtype), align=size)
            value = b.insert_element(value, one, I32(lane))
        return decode_bool(b, value, x.dtype)

    def store(
        self,
        b: Any,
        x: Instruction,
        value: Any,
        entry: Any,
        lanes: int,
        tail: int | None = None,
        stride: int = 1,
    ) -> None:
        """Store an entry, or a vector of them: the first `tail` of it, or all."""
        size = x.dtype.itemsize
        value = encode_bool(b, value, x.dtype)
        if lanes == 1:
            b.store(value, self.pointer(b, x, entry), align=size)
            return
        if stride == 1:
            pointer = self.pointer(b, x, entry)
            if tail is None:
                b.store(value, pointer, align=size)
                return
            masked_store(b, value, pointer, lane_mask(tail, lanes), size)
            return
        start = I64(entry) if isinstance(entry, int) else entry
        for lane in range(lanes if tail is None else tail):
            at = b.add(start, I64(lane * stride)) if lane else start
            one = b.extract_element(value, I32(lane))
            b.store(one, self.pointer(b, x, at), align=size)

    def fill(self, b: Any, x: Instruction, value: Any) -> None:
        """Store the same number in every entry."""
        start, _ = self.placement(x)
        emit_loop(b, start, start + x.size, 1, lambda i: self.store(b, x, value, i, 1))


def memory_type(dtype: np.dtype[Any]) -> Any:
    """Return the type of an entry in memory: an i1 is stored as a byte."""
    return I8 if dtype.kind == "b" else arithmetic.llvm_type(dtype)


def decode_bool(b: Any, value: Any, dtype: np.dtype[Any]) -> Any:
    """Convert bytes to i1 after a load; other dtypes stay as they are."""
    if dtype.kind != "b":
        return value
    zero = ir.Constant(value.type, None) if isinstance(value.type, ir.VectorType) else I8(0)
    return b.icmp_unsigned("!=", value, zero)


def encode_bool(b: Any, value: Any, dtype: np.dtype[Any]) -> Any:
    """Convert i1 to bytes before a store; other dtypes stay as they are."""
    if dtype.kind != "b":
        return value
    lanes = lane_count(value)
    return b.zext(value, I8 if lanes == 1 else ir.VectorType(I8, lanes))
