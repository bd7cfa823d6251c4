"""The entries of a Value one after another, as NumPy's `array.flat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .versions import require_apart


class FlatEntries:
    """The entries of a Value along one axis: `value.flat`.

    What is read is a copy, as in NumPy; what is written is written to the Value, repeated where it
    is shorter. NumPy writes each before it reads the next, so a view of the same memory is refused.

    >>> v = np.copy(Value([[1.0, 2.0], [3.0, 4.0]]))
    >>> v.flat[1:3] = 0.0
    >>> v.data.tolist()
    [[1.0, 0.0], [0.0, 4.0]]
    """

    __slots__ = ("base",)

    def __init__(self, base: Any) -> None:
        self.base = base

    def __len__(self) -> int:
        return int(self.base.size)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.copy())

    def __getitem__(self, index: Any) -> Any:
        return self.copy()[index]

    def __setitem__(self, index: Any, new: Any) -> None:
        self.require_apart("flat", new)
        self.base.put(np.arange(len(self))[index], new)

    def require_apart(self, where: str, new: Any) -> None:
        """Raise an error for new entries in the memory of these, which NumPy writes in turn."""
        require_apart(where, self.base, new)

    def copy(self) -> Any:
        """Return the entries as a Value of their own."""
        return self.base.flatten()
