"""Functions in machine code for arrays of every size, which eager operations call.

Those of compiled programs are written for one shape. These take the addresses of arrays, and sizes,
from a table of 64-bit numbers, so each is compiled once for a dtype, and comes from the cache then.
Operations find them through `support/machine_code.py`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from ..ir.stages import Stages
from .engine import NativeCode
from .vectors import INDEX, element_at, lanes, load_vector, splat, vector_bytes

Emit = Callable[[Any, str], None]


class TableFunction:
    """A function being emitted, and its arguments by name: the first ones are pointers."""

    def __init__(
        self, module: Any, name: str, names: Sequence[str], pointers: int, dtype: str
    ) -> None:
        self.dtype, self.width = dtype, lanes(dtype)
        pointer = ir.PointerType()
        kind = ir.FunctionType(INDEX, [pointer, pointer, INDEX, INDEX])
        function = ir.Function(module, kind, name)
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.given: dict[str, Any] = {}
        for place, argument in enumerate(names):
            number = self.number_in(function.args[0], INDEX(place))
            is_pointer = place < pointers
            self.given[argument] = self.builder.inttoptr(number, pointer) if is_pointer else number

    def number_in(self, table: Any, place: Any) -> Any:
        """Return an entry of a table of 64-bit numbers."""
        at = self.builder.gep(table, [place], source_etype=INDEX)
        return self.builder.load(at, typ=INDEX, align=8)

    def move(self, pointer: Any, *offsets: Any) -> Any:
        """Return a pointer moved by entries."""
        for offset in offsets:
            pointer = element_at(self.builder, pointer, offset, self.dtype)
        return pointer

    def mask_of(self, count: Any) -> Any:
        """Return the mask of the first `count` lanes, an i64 that may be below 0 or too large."""
        numbers = ir.Constant(ir.VectorType(INDEX, self.width), list(range(self.width)))
        return self.builder.icmp_signed("<", numbers, splat(self.builder, count, self.width))

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """Load a vector."""
        return load_vector(self.builder, pointer, mask, self.dtype)


def write_module(name: str, dtype: str, emit: Emit) -> str:
    """Return the text of the module of a function."""
    module = ir.Module(name)
    emit(module, dtype)
    wide = ' "prefer-vector-width"="512"' if vector_bytes() == 64 else ""
    return re.sub(r"(?m)^(define .*\))", rf"\1{wide}", str(module))


@functools.cache
def load_code(name: str, dtype: str, emit: Emit) -> NativeCode:
    """Return the machine code of a function: that of the cache, or compiled now."""
    key = f"table function {name} {dtype}"
    return NativeCode(key, lambda: write_module(name, dtype, emit), name, Stages())


def load_function(name: str, dtype: str, emit: Emit) -> Callable[[int, int, int, int], int]:
    """Return a function, to be called with the address of a table and zeros."""
    return load_code(name, dtype, emit).function
