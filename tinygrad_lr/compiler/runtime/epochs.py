"""Run epochs of batches in compiled code: put the rows in order, then walk through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...support import pytree as tree

MAX_CHUNK_BYTES = 64 << 20  # of rows that are put in order at a time

RunSteps = Callable[[Sequence[Any], int, dict[int, Any]], Any]


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

    `run_steps(arguments, steps, stacked)` runs some steps; `stacked` has the arrays of all steps
    for the leaves of the arguments.
    """
    given = [np.asarray(x) for x in tree.leaves(arrays)]
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
    parts: list[Any] = []

    def run(steps: int, stacked: list[Any]) -> None:
        first = tree.unflatten(list(arrays), [x[0] for x in stacked])
        parts.append(run_steps(first, steps, dict(enumerate(stacked))))

    for _ in range(epochs):
        order = random.permutation(rows) if shuffle else np.arange(rows)
        for first in range(0, batches, max_steps):
            steps = min(max_steps, batches - first)
            chosen = order[first * batch_size : (first + steps) * batch_size]
            run(steps, [x[chosen].reshape(steps, batch_size, *x.shape[1:]) for x in given])
        rest = order[batches * batch_size :]
        if len(rest) and not drop_last:
            run(1, [x[rest][None] for x in given])
    if not parts:
        run(0, [x[None, :batch_size] for x in given])
    return tree.map_leaves(join_stacks, *parts)


def join_stacks(first: Any, *others: Any) -> Any:
    """Return stacked results one after another; what is no array is the same in each."""
    if not others or not isinstance(first, np.ndarray):
        return first
    return np.concatenate([first, *others])
