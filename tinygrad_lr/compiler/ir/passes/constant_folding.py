"""Constants are computed while compiling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instruction import VIEWS, Instruction, constant, execute
from ..program import Program

LARGEST = 4096  # entries: what is larger is made when it is needed


def constants(program: Program) -> Program:
    """Compute instructions whose operands are all known, unless the result would be large."""
    return program.rewritten(folded)


def folded(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
    """The constant that an instruction comes to, or the instruction."""
    known = bool(inputs) and all(y.is_constant and fixed(y) for y in inputs)
    small = x.size <= LARGEST or x.operation in VIEWS - {"broadcast"}
    if known and small and x.operation not in {"call", "part"}:
        with np.errstate(all="ignore"):
            out = execute(x, [y.value for y in inputs])
        if x.weak and not x.shape:
            kind = {"f": float, "i": int, "b": bool}[x.dtype.kind]
            return constant(kind(out))
        out = np.asarray(out, x.dtype)
        out.flags.writeable = False
        return constant(out)
    return remade(x, inputs)


def fixed(x: Instruction) -> bool:
    """Whether nobody can write to a constant's array."""
    return not isinstance(x.value, np.ndarray) or not x.value.flags.writeable


def remade(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
    """The instruction with other operands of the same shapes and dtypes."""
    if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
        return x
    return Instruction(x.operation, inputs, x.options, x.shape, x.dtype, x.weak, x.name)
