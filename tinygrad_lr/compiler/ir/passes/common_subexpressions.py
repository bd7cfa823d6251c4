"""What is computed twice from the same numbers is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..instruction import Instruction
from ..program import Program
from .constant_folding import remade


def repeats(program: Program) -> Program:
    """Let equal instructions of equal operands be one."""
    known: dict[Any, Instruction] = {}

    def once(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
        made = remade(x, inputs)
        if x.operation == "input":
            return x
        options = tuple(sorted((k, hashable(v)) for k, v in x.options.items()))
        key = (x.operation, tuple(map(id, inputs)), options, x.shape, x.dtype, x.weak)
        return known.setdefault(key, made)

    return program.rewritten(once)


def hashable(option: Any) -> Any:
    """Something that is equal for equal options."""
    if isinstance(option, np.ndarray):
        if option.flags.writeable or option.nbytes > 4096:
            return id(option)
        return (option.dtype.str, option.shape, option.tobytes())
    if isinstance(option, slice):
        return ("slice", option.start, option.stop, option.step)
    if isinstance(option, (list, tuple)):
        return tuple(map(hashable, option))
    if isinstance(option, float):
        return option.hex()  # 0.0 is not -0.0
    try:
        hash(option)
    except TypeError:
        return id(option)
    return (type(option).__name__, option)
