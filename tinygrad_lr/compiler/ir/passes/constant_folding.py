"""Compute at compile time what depends on constants only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..instruction import PYTHON_TYPES, VIEWS, Instruction, constant, execute, replace_operands
from ..program import Program

MAX_FOLDED_ENTRIES = 4096  # a larger constant would cost more memory than computing it costs time


def fold_constants(program: Program) -> Program:
    """Replace instructions whose operands are constants by their results, unless these are large.

    A writable array may still change: only read-only ones are folded.
    """
    return program.rewrite(fold)


def fold(x: Instruction, inputs: Sequence[Instruction]) -> Instruction:
    """Return the constant that an instruction evaluates to, or the instruction itself."""
    known = bool(inputs) and all(y.is_constant and is_read_only(y) for y in inputs)
    small = x.size <= MAX_FOLDED_ENTRIES or x.operation in VIEWS - {"broadcast"}
    if known and small and x.operation not in {"call", "part"}:
        with np.errstate(all="ignore"):
            out = execute(x, [y.value for y in inputs])
        if x.weak and not x.shape:
            kind = PYTHON_TYPES[x.dtype.kind]
            return constant(kind(out))
        out = np.asarray(out, x.dtype)
        out.flags.writeable = False
        return constant(out)
    return replace_operands(x, inputs)


def is_read_only(x: Instruction) -> bool:
    """Return True if a constant is a number, or an array that cannot be written to."""
    return not isinstance(x.value, np.ndarray) or not x.value.flags.writeable
