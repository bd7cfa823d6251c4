"""NumPy's indices: which choose no entry twice, and in a form that nobody can change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

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
