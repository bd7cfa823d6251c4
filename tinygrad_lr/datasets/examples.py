"""The result of most data sets: inputs and targets."""

from __future__ import annotations

from typing import NamedTuple

from ..support.abstract_array import Array

__all__ = ["Examples"]


class Examples(NamedTuple):
    """Inputs `x`, a row for each example, and their targets `y`; both are read-only.

    >>> x, y = Examples(np.zeros((3, 2)), np.zeros(3, int))
    >>> Examples(x, y)
    Examples(x: (3, 2) float64, y: (3,) int64)
    """

    x: Array
    y: Array

    def __repr__(self) -> str:
        shown = (f"{name}: {a.shape} {a.dtype}" for name, a in self._asdict().items())
        return f"Examples({', '.join(shown)})"


def read_only_examples(x: Array, y: Array) -> Examples:
    """Make both arrays read-only, and return them: graphs then need no copy of them."""
    x.flags.writeable = y.flags.writeable = False
    return Examples(x, y)
