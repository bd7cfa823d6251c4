"""`split`: rows for training, and rows held out for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from ..support.validation import check_flag, short_repr
from .sources import as_rows

__all__ = ["split"]

WHERE = "split"
Rows = NDArray[np.int64]


def split(
    *arrays: ArrayLike,
    test: float | None = None,
    sizes: Sequence[float] | None = None,
    shuffle: bool = True,
    stratify: ArrayLike | None = None,
    generator: Seed = None,
) -> tuple[Array, ...]:
    """Split the rows of arrays into parts, for training and testing.

    `test` is the fraction of the rows to hold out (default: 0.2), or their number. `sizes` gives
    the parts instead, in order: shares that add up to 1, such as (0.7, 0.15, 0.15), or numbers of
    rows. The rows are shuffled by `generator`, a NumPy Generator or a seed (default: 0); with
    `shuffle=False` they stay in order, as a time series must.

    With `stratify`, a label for each row, every part has the classes in the proportions of the
    whole: each class is within a row of its share of the test rows.

    Shapes: arrays (n, ...), each read into memory; the result has the parts of each array in
    turn: x_train, x_test, y_train, y_test. A data set of samples is split by its indices,
    split(np.arange(len(dataset))).

    Raises `ArgumentError` if a part has no rows, the sizes don't add up, or a class has fewer rows
    than there are parts; `ShapeError` if arrays have different lengths.

    Source: `sklearn.model_selection.train_test_split`.

    >>> x, y = np.arange(10.0), np.repeat([0, 1], 5)
    >>> x_train, x_test, y_train, y_test = split(x, y, test=0.4, stratify=y)
    >>> np.bincount(y_train), np.bincount(y_test)
    (array([3, 3]), array([2, 2]))
    >>> [part.size for part in split(x, sizes=(0.5, 0.3, 0.2))]
    [5, 3, 2]
    """
    if not arrays:
        raise ArgumentError(f"{WHERE}: data must be at least one array, got none")
    tables = [as_rows(WHERE, f"argument {place}", given) for place, given in enumerate(arrays, 1)]
    rows = len(tables[0])
    if any(len(table) != rows for table in tables):
        lengths = [len(table) for table in tables]
        raise ShapeError(f"{WHERE}: arrays must have the same number of rows, got {lengths}")
    counts = _counts(test, sizes, rows)
    random = as_generator(WHERE, 0 if generator is None else generator)
    shuffle = check_flag(WHERE, "shuffle", shuffle)
    order = random.permutation(rows) if shuffle else np.arange(rows)
    if stratify is None:
        parts = np.split(order, np.cumsum(counts)[:-1])
    else:
        if not shuffle:
            raise ArgumentError(f"{WHERE}: shuffle must be True for stratify, got False")
        parts = _split_stratified(_classes(stratify, rows, len(counts)), counts, order)
    return tuple(table[part] for table in tables for part in parts)


def _counts(test: float | None, sizes: Sequence[float] | None, rows: int) -> list[int]:
    """Return the number of rows of each part."""
    if test is not None and sizes is not None:
        raise ArgumentError(f"{WHERE}: the parts must be given by test or sizes, got both")
    name, asked = ("test", 0.2 if test is None else test) if sizes is None else ("sizes", sizes)
    try:
        numbers = np.asarray(asked)
    except ValueError:  # nested
        numbers = np.asarray(None)
    shares = numbers.dtype.kind == "f"
    right = numbers.dtype.kind in "iuf" and numbers.ndim == (sizes is not None)
    if right and sizes is None:
        numbers = np.array([(1 if shares else rows) - numbers, numbers])
    whole = 1 if shares else rows
    if not right or not (numbers > 0).all() or abs(numbers.sum() - whole) > 1e-9:
        expected = f"a share between 0 and 1, or from 1 to {rows - 1} rows"
        if sizes is not None:
            expected = f"shares that add up to 1, or numbers of rows that add up to {rows}"
        raise ArgumentError(f"{WHERE}: {name} must be {expected}, got {short_repr(asked)}")
    counts = _round_to_total(numbers * rows, rows) if shares else numbers.astype(np.int64)
    if not counts.all():
        raise ArgumentError(
            f"{WHERE}: each part must have at least one row, got {counts.tolist()} of {rows}; take "
            "larger shares or more data"
        )
    found: list[int] = counts.tolist()
    return found


def _round_to_total(amounts: NDArray[np.floating[Any]], total: int) -> Rows:
    """Round to integers with that total: the largest remainders are rounded up."""
    amounts = np.round(amounts, 6)  # 0.1 · 30 is 3, not 3.0000000000000004
    counts: Rows = np.floor(amounts).astype(np.int64)
    largest = np.argsort(counts - amounts, kind="stable")
    counts[largest[: total - counts.sum()]] += 1
    return counts


def _classes(stratify: Any, rows: int, parts: int) -> Rows:
    """Return the class of each row, as a number from 0."""
    labels = as_rows(WHERE, "stratify", stratify)
    if labels.shape != (rows,):
        raise ShapeError(
            f"{WHERE}: stratify must have shape ({rows},), a label for each row, got {labels.shape}"
        )
    names, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sizes.min() < parts:
        raise ArgumentError(
            f"{WHERE}: each class must have at least {parts} rows, one for each part, got "
            f"{sizes.min()} of class {names[sizes.argmin()].item()!r:.60}; merge classes"
        )
    return numbers.astype(np.int64)


def _split_stratified(classes: Rows, counts: list[int], order: Rows) -> list[Rows]:
    """Return the parts, each with its share of every class; the last is taken first."""
    parts: list[Rows] = []
    for count in counts[:0:-1]:
        there = np.bincount(classes[order], minlength=classes.max() + 1)
        wanted = _round_to_total(there * (count / len(order)), count)
        taken = np.zeros(len(order), bool)
        for label, number in enumerate(wanted):
            taken[np.flatnonzero(classes[order] == label)[:number]] = True
        parts.insert(0, order[taken])
        order = order[~taken]
    return [order, *parts]
