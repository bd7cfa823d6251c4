"""`Embedding`: a vector of weights for each word, character or label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.node import unwrap
from ..core.primitive import as_array
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, DtypeError
from ..ops.elementwise import where
from ..ops.index import getitem
from ..support.abstract_array import check_numbers
from ..support.random_state import Seed, as_generator
from ..support.validation import allocate, check_dtype, check_integer, shape_of
from .module import Module

__all__ = ["Embedding"]


class Embedding(Module):
    """A lookup table of weights: one row for each word, character or label.

    The weight (count, dim) is drawn from the standard normal distribution with `generator`. The row
    `padding_index`, if given, is initialised to zeros and gets no gradient.

    Shapes: indices of any shape give (*indices, dim). Raises `DtypeError` if indices are not
    integers, `ArgumentError` if one is below 0 or not below `count`.

    Source: `torch.nn.Embedding`.

    >>> words = tg.nn.Embedding(10, 3, generator=0)
    >>> words
    Embedding(weight (10, 3)): 30 parameters
    >>> words([[1, 2], [2, 9]]).shape
    (2, 2, 3)
    """

    takes_integers = True

    def __init__(
        self,
        count: int,
        dim: int,
        padding_index: int | None = None,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        count = check_integer("Embedding", "count", count, low=1)
        dim = check_integer("Embedding", "dim", dim, low=1)
        title, floating = f"Embedding({count}, {dim})", check_dtype("Embedding", dtype)
        self.padding_index: int | None = None
        random = as_generator(title, generator)
        rows = allocate(title, "weight", (count, dim), lambda shape: random.normal(size=shape))
        rows = rows.astype(floating)
        if padding_index is not None:
            row = check_integer(title, "padding_index", padding_index)
            if row >= count:
                raise ArgumentError(f"{title}: padding_index must be below {count}, got {row}")
            self.padding_index = row
            rows[self.padding_index] = 0
        self.weight = Value(rows, name="weight")

    @property
    def count(self) -> int:
        """The number of rows of the weight."""
        return self.weight.shape[0]

    @property
    def dim(self) -> int:
        """The length of each row."""
        return self.weight.shape[1]

    def forward(self, indices: ValueLike) -> Value:
        """Return the rows with these indices."""
        chosen = self._check_indices(indices)
        rows: Value = getitem(self.weight, chosen)
        if self.padding_index is None:
            return rows
        padding = chosen[..., None] == self.padding_index
        rows = where(padding, unwrap(self.weight)[self.padding_index].copy(), rows)
        return rows

    def _check_indices(self, indices: Any) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the indices as an array of integers from 0, below `count`."""
        title = f"Embedding({self.count}, {self.dim})"
        shape_of(title, "indices", indices)
        chosen = as_array(unwrap(indices))
        chosen = np.asarray(chosen) if not hasattr(chosen, "dtype") else chosen
        if chosen.size == 0 and not hasattr(indices, "dtype"):
            chosen = chosen.astype(np.intp)  # an empty list
        if chosen.dtype.kind not in "iu":
            raise DtypeError(
                f"{title}: indices must be an array of integers, got dtype {chosen.dtype}; "
                "pass indices.astype(int)"
            )
        check_numbers(chosen, lambda now: self._require_rows(title, now), self.count)
        return chosen

    def _require_rows(self, title: str, chosen: Any) -> None:
        """Raise `ArgumentError` for the first index that is out of range."""
        outside = (chosen < 0) | (chosen >= self.count)
        if outside.any():
            place = tuple(np.argwhere(outside)[0].tolist())
            at = f" at {list(place)}" if place else ""
            raise ArgumentError(
                f"{title}: indices must be from 0 to {self.count - 1}, got {chosen[place]}{at}"
            )
