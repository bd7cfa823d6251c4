"""Epochs of batches in compiled code: the rows are laid in order, then walked through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, ShapeError, refuse

if TYPE_CHECKING:
    from .compiled import Compiled

AT_ONCE = 64 << 20  # bytes of rows that are laid in order at a time


def run_epochs(
    compiled: Compiled,
    where: str,
    arrays: Sequence[Any],
    *,
    batch_size: int,
    epochs: int,
    random: np.random.Generator,
    shuffle: bool,
    drop_last: bool,
) -> Any:
    """What `Compiled.epochs` returns."""
    given = [np.asarray(x) for x in arrays]
    lengths = sorted({x.shape[0] if x.ndim else 0 for x in given})
    if len(lengths) != 1 or not lengths[0]:
        expected, told = "arrays with as many rows each, one or more", f"lengths {lengths}"
        refuse(ShapeError, where, "the arrays do not fit together", expected=expected, given=told)
    rows = lengths[0]
    if batch_size > rows:
        wrong, expected = "batch_size is larger than the data", f"at most {rows}"
        refuse(ArgumentError, where, wrong, expected=expected, given=batch_size)
    whole = rows // batch_size
    row_bytes = max(1, sum(x.nbytes for x in given) // rows)
    most = max(1, AT_ONCE // (row_bytes * batch_size))
    parts: list[list[Any]] = []
    for _ in range(epochs):
        order = random.permutation(rows) if shuffle else np.arange(rows)
        for first in range(0, whole, most):
            steps = min(most, whole - first)
            taken = order[first * batch_size : (first + steps) * batch_size]
            laid = [x[taken].reshape(steps, batch_size, *x.shape[1:]) for x in given]
            stacked = dict(enumerate(laid))
            parts.append(compiled.looped([x[0] for x in laid], steps, stacked))
        rest = order[whole * batch_size :]
        if len(rest) and not drop_last:
            last = [x[rest] for x in given]
            parts.append(compiled.looped(last, 1, {i: x[None] for i, x in enumerate(last)}))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return columns[0] if len(columns) == 1 else tuple(columns)
