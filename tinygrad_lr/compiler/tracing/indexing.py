"""Split an index into its fixed parts and the arrays that come at run time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.instruction import Hole, Instruction, constant
from .trace_errors import raise_trace_error

Parts = tuple[Any, ...]


def split_index(index: Any) -> tuple[Parts, list[Instruction]]:
    """Return an index with a hole for each array, and these arrays.

    Traced arrays in the index are instructions.
    """
    parts: list[Any] = []
    arrays: list[Instruction] = []

    def add_array(array: Instruction) -> None:
        parts.append(Hole(len(arrays)))
        arrays.append(array)

    for x in index if isinstance(index, tuple) else (index,):
        if isinstance(x, Instruction):
            if x.dtype.kind == "b":
                raise_trace_error(
                    "indexing with a traced boolean mask gives a result whose shape is unknown "
                    "while tracing",
                    "use np.where(mask, x, 0), or multiply by the mask",
                    needed=[x],
                )
            if x.dtype.kind not in "iu":
                raise IndexError("arrays used as indices must be of integer (or boolean) type")
            add_array(x)
        elif isinstance(x, (list, np.ndarray)):
            array = np.asarray(x)
            if array.dtype.kind == "b":
                for axis in array.nonzero():
                    add_array(constant(np.array(axis)))
            else:
                add_array(constant(array.astype(np.intp) if array.size == 0 else array))
        else:
            parts.append(x)
    return tuple(parts), arrays


def require_no_flags(parts: Parts) -> None:
    """Raise `TraceError` for True or False in an index, which adds an axis in NumPy."""
    for x in parts:
        if isinstance(x, (bool, np.bool_)):
            raise_trace_error(
                f"an index must not be {bool(x)}", "use None for a new axis, or a slice"
            )


def selects_everything(parts: Parts) -> bool:
    """Return True if an index selects the whole array."""
    return not parts or (len(parts) == 1 and parts[0] is Ellipsis)
