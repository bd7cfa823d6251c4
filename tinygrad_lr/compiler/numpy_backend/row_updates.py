"""The rows of a table that a step changes, found by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...support.abstract_array import Array


def find_new_rows(table: Array, factor: Any, shares: Array, rows: Array) -> tuple[Any, Array]:
    """Return an index of the rows that change in `table + factor * scatter(shares)`, and the rows.

    Others don't, unless the factor makes -0.0 to 0.0, or isn't finite; then all rows are returned.
    """
    rest = shares.shape[np.ndim(rows) :]
    number = table.dtype.type(factor)
    if not (np.signbit(number) and np.isfinite(number)):
        total = np.zeros_like(table)
        np.add.at(total.reshape(-1, *rest), rows, shares)
        return ..., total * factor + table
    named, places = np.unique(rows, return_inverse=True)
    total = np.zeros((len(named), *rest), table.dtype.type)
    length = total[0].size
    entries = places.reshape(-1, 1) * length + np.arange(length)
    # NumPy is ten times as fast with one axis, if both have the same dtype object
    np.add.at(total.reshape(-1), entries.reshape(-1), shares.reshape(-1))
    index = np.unravel_index(named, table.shape[: table.ndim - len(rest)])
    return index, total * factor + table[index]
