"""Run epochs of batches in compiled code: put the rows in order, then walk through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError

MAX_CHUNK_BYTES = 64 << 20  # of rows that are put in order at a time

RunSteps = Callable[[Sequence[Any], int, dict[int, Any]], list[Any]]


def run_epochs(
    run_steps: RunSteps,
    where: str,
    arrays: Sequence[Any],
    *,
    batch_size: int,
    epochs: int,
    random: np.random.Generator,
    shuffle: bool,
    drop_last: bool,
) -> Any:
    """Return what the function returned at each step, stacked. See `Compiled.epochs`.

    `run_steps` is `Compiled.run_steps`.
    """
    given = [np.asarray(x) for x in arrays]
    lengths = sorted({x.shape[0] if x.ndim else 0 for x in given})
    if len(lengths) != 1 or not lengths[0]:
        raise ShapeError(
            f"{where}: arrays must have the same number of rows, at least one, got {lengths}"
        )
    rows = lengths[0]
    if batch_size > rows:
        raise ArgumentError(
            f"{where}: batch_size must be at most the number of rows, {rows}, got {batch_size}"
        )
    batches = rows // batch_size
    row_bytes = max(1, sum(x.nbytes for x in given) // rows)
    max_steps = max(1, MAX_CHUNK_BYTES // (row_bytes * batch_size))
    parts: list[list[Any]] = []
    for _ in range(epochs):
        order = random.permutation(rows) if shuffle else np.arange(rows)
        for first in range(0, batches, max_steps):
            steps = min(max_steps, batches - first)
            chosen = order[first * batch_size : (first + steps) * batch_size]
            stacked = [x[chosen].reshape(steps, batch_size, *x.shape[1:]) for x in given]
            parts.append(run_steps([x[0] for x in stacked], steps, dict(enumerate(stacked))))
        rest = order[batches * batch_size :]
        if len(rest) and not drop_last:
            last = [x[rest] for x in given]
            parts.append(run_steps(last, 1, {i: x[None] for i, x in enumerate(last)}))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return columns[0] if len(columns) == 1 else tuple(columns)
