"""Update only the rows of a table that a step names, such as those of an embedding.

The gradient of rows that were gathered is 0 in all others, which gradient descent leaves as they
are: w + c·0 is w. An optimiser with a state, such as momentum, changes every row.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..instruction import NATIVE_DTYPES, Hole, Instruction, constant, make
from ..program import Program
from ..sources import Source

MIN_ENTRIES = 1 << 16  # of a table: NumPy updates smaller ones faster than it finds rows
ROW_COST = 64  # entries of a table that are updated in the time that a row takes to be found


def update_named_rows(program: Program) -> Program:
    """Replace w + c·scatter(x) by `update_rows`, where w is an input, which it updates.

    Nothing else may read the results on the way. Whether it pays depends on shapes alone.
    """
    uses = collections.Counter(program.roots)
    for x in program.instructions():
        uses.update(x.inputs)
    numbers: dict[tuple[int, ...], Instruction] = {}
    updates = [
        (source, new and (make_row_update(source, new, uses, numbers) or new))
        for source, new in program.updates
    ]
    return replace(program, updates=updates)


def make_row_update(
    source: Source,
    new: Instruction,
    uses: Mapping[Instruction, int],
    numbers: dict[tuple[int, ...], Instruction],
) -> Instruction | None:
    """Return the update of a source as one of some rows; None if it isn't one, or doesn't pay.

    `numbers` has, for each shape, the numbers of rows that were made before.
    """
    if new.operation not in {"add", "subtract"}:
        return None
    table, moved = new.inputs
    if new.operation == "add" and table.operation != "input":
        table, moved = moved, table
    if table.operation != "input" or table.options["source"].key() != source.key():
        return None
    if moved.operation != "multiply" or table.dtype not in NATIVE_DTYPES:
        return None
    gradient, factor = moved.inputs
    if gradient.operation != "scatter":
        gradient, factor = factor, gradient
    if gradient.operation != "scatter" or any(uses[x] != 1 for x in (new, moved, gradient)):
        return None
    kinds = {(x.shape, x.dtype) for x in (table, moved, gradient, new)}
    if len(kinds) != 1 or table.dtype.kind != "f" or not is_number_like(factor, table.dtype):
        return None
    if not names_rows(gradient):
        return None
    shares, *indices = gradient.inputs
    named = shares.size // math.prod(table.shape[len(indices) :])
    if not pays(table.size, shares.size, named):
        return None
    shape, index = table.shape[: len(indices)], gradient.options["index"][: len(indices)]
    if shape not in numbers:
        numbers[shape] = constant(np.arange(math.prod(shape)).reshape(shape))
    rows = make("gather", [numbers[shape], *indices], index=index)
    if new.operation == "subtract":
        factor = make("negative", [factor])
    operands = (table, factor, shares, rows)
    return Instruction("update_rows", operands, {}, new.shape, new.dtype, name=new.name)


def is_number_like(x: Instruction, dtype: np.dtype[np.generic]) -> bool:
    """Return True for a number that an array of this dtype can be multiplied by as it is."""
    return not x.shape and x.dtype.kind == "f" and (x.weak or x.dtype == dtype)


def names_rows(scatter: Instruction) -> bool:
    """Return True if the indices choose along the first axes, and take whole what is there."""
    shares, *indices = scatter.inputs
    index = list(scatter.options["index"])
    count = len(indices)
    if not count or not shares.size or index[:count] != [Hole(i) for i in range(count)]:
        return False
    if any(x is not Ellipsis and x != slice(None) for x in index[count:]):
        return False
    if any(x.dtype.kind not in "iu" for x in indices):
        return False
    chosen = np.broadcast_shapes(*(x.shape for x in indices))
    return shares.shape == (*chosen, *scatter.shape[count:])


def pays(entries: int, shares: int, rows: int) -> bool:
    """Return True if that many rows, of so many shares, are updated faster than all entries."""
    return entries >= MIN_ENTRIES and 2 * shares + ROW_COST * rows <= entries
