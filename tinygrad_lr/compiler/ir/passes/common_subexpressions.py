"""Compute equal expressions once (common subexpression elimination)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..instruction import Instruction, replace_operands
from ..program import Program

MAX_COMPARED_BYTES = 4096  # larger constant arrays are equal only if they are the same object


def merge_common_subexpressions(program: Program) -> Program:
    """Merge instructions with the same operation, operands and options into one."""
    known: dict[Any, Instruction] = {}

    def merge(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        new = replace_operands(x, inputs)
        if x.operation == "input":
            return x
        options = tuple(sorted((k, make_hashable(v)) for k, v in x.options.items()))
        key = (x.operation, tuple(map(id, inputs)), options, x.shape, x.dtype, x.weak)
        return known.setdefault(key, new)

    return program.rewrite(merge)


def make_hashable(option: Any) -> Any:
    """Return a hashable key that is equal for equal options."""
    if isinstance(option, np.ndarray):
        if option.flags.writeable or option.nbytes > MAX_COMPARED_BYTES:
            return id(option)
        return (option.dtype.str, option.shape, option.tobytes())
    if isinstance(option, slice):
        return ("slice", option.start, option.stop, option.step)
    if isinstance(option, (list, tuple)):
        return tuple(map(make_hashable, option))
    if isinstance(option, float):
        return option.hex()  # distinguishes 0.0 from -0.0, which compare equal
    try:
        hash(option)
    except TypeError:
        return id(option)
    return (type(option).__name__, option)
