"""The work of a program: operations on numbers, and bytes read and written."""

from __future__ import annotations

from collections.abc import Sequence

from .instruction import PRODUCTS, REDUCTIONS, VIEWS, Instruction

FREE = frozenset({"input", "constant", "part", "copy", *VIEWS})
"""Operations that cost nothing at run time."""


def count_flops(x: Instruction) -> int:
    """Return the number of floating-point operations of an instruction."""
    if x.operation in FREE or x.operation == "call":
        return 0
    if x.operation in PRODUCTS:
        return 2 * x.size * x.inputs[0].shape[-1]
    if x.operation == "update_rows":
        return 3 * x.inputs[2].size
    return x.inputs[0].size if x.operation in REDUCTIONS else x.size


ELEMENTARY = frozenset(
    {
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "hypot", "cbrt"),
        *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "power", "float_power"),
    }
)
"""Functions that are some fifty instructions of a processor."""


def code_size(x: Instruction) -> int:
    """Return the size of an instruction's code in a loop, in operations of a processor.

    For single numbers, a function's code is called, not repeated.
    """
    return 50 if x.operation in ELEMENTARY and x.shape else 1


def count_bytes_moved(instructions: Sequence[Instruction]) -> int:
    """Return the bytes read and written if every instruction goes to memory."""
    return sum(
        sum(y.nbytes for y in touched_arrays(x)) for x in instructions if x.operation not in FREE
    )


def touched_arrays(x: Instruction) -> Sequence[Instruction]:
    """Return what an instruction reads and writes, with rows in place of a table of them."""
    if x.operation == "gather":
        return (x, x, *x.inputs[1:])
    if x.operation == "update_rows":
        _, factor, shares, rows = x.inputs
        return (shares, shares, factor, shares, rows)
    return (x, *x.inputs)
