"""NumPy's indices and axes: which choose no entry twice, in a form that nobody can change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .validation import require_unmasked


def is_basic(index: Any) -> bool:
    """Slices and integers choose every entry at most once; arrays and lists need not."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer))
        for part in parts
    ) and not any(isinstance(part, (bool, np.bool_)) for part in parts)


def freeze_index(index: Any) -> Any:
    """The index in a form that belongs to the graph: arrays copied, lists made arrays."""
    if isinstance(index, tuple):
        return tuple(map(freeze_index, index))
    if isinstance(index, (list, np.ndarray)):
        if type(index) is not np.ndarray:
            require_unmasked("getitem", "the index", index)
        array = np.array(index)
        return array.astype(np.intp) if array.size == 0 and array.dtype.kind == "f" else array
    if hasattr(index, "__apply__"):
        raise IndexError(
            "an index must be integers, got a Value; use argmax, or value.numpy().astype(int)"
        )
    return index


def follow(array: Any, path: Iterable[tuple[Any, Any]]) -> Any:
    """Return the view of an array to which a path of operations with their options leads."""
    for operation, options in path:
        array = operation.forward(array, **options)
    return array


def shift_axis(axis: Any, ndim: int) -> Any:
    """Return the axes of an array of so many axes as those of the array with one more in front.

    >>> shift_axis(None, 2), shift_axis(-1, 2), shift_axis((0, 1), 2)
    ((1, 2), 2, (1, 2))
    """
    if axis is None:
        return tuple(range(1, ndim + 1))
    if isinstance(axis, (tuple, list)):
        return tuple(normalize_axis_index(i, ndim) + 1 for i in axis)
    return normalize_axis_index(axis, ndim) + 1
