"""Indexing of traced arrays: what an index reads, and what is written where it points."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import TraceError
from ..ir.instruction import Hole, Instruction, make
from .trace_errors import refuse_numbers
from .traced_array import Traced, as_instruction, cast_to
from .views import View


def split_index(index: Any) -> tuple[tuple[Any, ...], list[Instruction]]:
    """An index with holes in the place of its arrays, and the arrays."""
    parts: list[Any] = []
    arrays: list[Instruction] = []
    for x in index if isinstance(index, tuple) else (index,):
        if isinstance(x, Traced) and x.dtype.kind == "b":
            refuse_numbers(
                "a mask that is only known later chooses entries, so that the result has no "
                "fixed shape",
                "write np.where(mask, x, 0) or multiply by the mask",
            )
        if isinstance(x, Traced):
            if x.dtype.kind not in "iu":
                raise IndexError("arrays used as indices must be of integer (or boolean) type")
            parts.append(Hole(len(arrays)))
            arrays.append(x.instruction)
        elif isinstance(x, (list, np.ndarray)):
            array = np.asarray(x)
            if array.dtype.kind == "b":
                for axis in array.nonzero():
                    parts.append(Hole(len(arrays)))
                    arrays.append(as_instruction(np.array(axis)))
            else:
                array = array.astype(np.intp) if array.size == 0 else array
                parts.append(Hole(len(arrays)))
                arrays.append(as_instruction(array))
        else:
            parts.append(x)
    return tuple(parts), arrays


def item(x: Traced, index: Any) -> Traced:
    """x[index]."""
    parts, arrays = split_index(index)
    if isinstance(index, (bool, np.bool_)) or any(isinstance(p, (bool, np.bool_)) for p in parts):
        raise TraceError("compile: True and False are no index here; use None or a slice")
    if arrays:
        return Traced(make("gather", [x.instruction, *arrays], index=parts))
    if is_everything(parts):
        whole = View(x, lambda now: now, lambda _, new: new)
        return Traced(x.instruction, whole, place=x.place)

    def read(now: Instruction) -> Instruction:
        return make("slice", [now], index=parts)

    def write(now: Instruction, new: Instruction) -> Instruction:
        return make("assign", [now, cast_to(new, now.dtype, weak=False)], index=parts)

    return Traced(read(x.instruction), View(x, read, write))


def assigned(x: Traced, index: Any, new: Any) -> Traced:
    """x with other entries where the index points."""
    parts, arrays = split_index(index)
    value = cast_to(as_instruction(new), x.dtype, weak=False)
    if is_everything(parts):
        return Traced(value)
    return Traced(make("assign", [x.instruction, value, *arrays], index=parts))


def is_everything(parts: tuple[Any, ...]) -> bool:
    """Whether an index stands for the whole array."""
    return not parts or (len(parts) == 1 and parts[0] is Ellipsis)
