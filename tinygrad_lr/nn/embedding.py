"""`Embedding`: a vector of weights for each of so many things."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.node import unwrap
from ..core.primitive import as_array
from ..core.value import Value
from ..errors import ArgumentError, DtypeError, bad_argument, refuse
from ..ops import getitem, where
from ..support.abstract_array import looked_at
from ..support.random_state import Seed, as_generator
from .initial_weights import as_dtype
from .linear import as_size
from .module import Module


class Embedding(Module):
    """The rows of a table of weights: one vector for each word, character or label.

    The weight (count, dim) begins normal (mean 0, variance 1), drawn from `generator`. The row
    `padding_index`, if there is one, begins as zeros and gets no gradient: it stands for no word.

    Shapes: indices of any shape give (*indices, dim). Raises `DtypeError` for indices that are not
    whole numbers, and `ArgumentError` for one below 0 or from `count`.

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
        count = as_size("Embedding", "count", count)
        dim = as_size("Embedding", "dim", dim)
        title, kind = f"Embedding({count}, {dim})", as_dtype("Embedding", dtype)
        self.padding_index: int | None = None
        try:
            rows = as_generator(title, generator).normal(size=(count, dim)).astype(kind)
        except (MemoryError, ValueError) as error:
            wrong, expected = "the weights do not fit in memory", "a smaller table"
            sentence = bad_argument(title, wrong, expected=expected, given=f"{(count, dim)}")
            raise ArgumentError(sentence) from error
        if padding_index is not None:
            whole = isinstance(padding_index, (int, np.integer))
            if not whole or isinstance(padding_index, bool) or not 0 <= padding_index < count:
                wrong, expected = "padding_index is no row", f"a whole number from 0 to {count - 1}"
                refuse(ArgumentError, title, wrong, expected=expected, given=repr(padding_index))
            self.padding_index = int(padding_index)
            rows[self.padding_index] = 0
        self.weight = Value(rows, name="weight")

    @property
    def count(self) -> int:
        """How many rows the table has."""
        return self.weight.shape[0]

    @property
    def dim(self) -> int:
        """How long each row is."""
        return self.weight.shape[1]

    def forward(self, indices: Any) -> Any:
        """The rows with these indices."""
        chosen = self._checked(indices)
        rows = getitem(self.weight, chosen)
        if self.padding_index is None:
            return rows
        padding = chosen[..., None] == self.padding_index
        return where(padding, unwrap(self.weight)[self.padding_index].copy(), rows)

    def _checked(self, indices: Any) -> np.ndarray[Any, np.dtype[Any]]:
        """The indices as an array of whole numbers, all of which are rows of the table."""
        title = f"Embedding({self.count}, {self.dim})"
        chosen = as_array(unwrap(indices))
        chosen = np.asarray(chosen) if isinstance(chosen, (int, float)) else chosen
        if chosen.size == 0 and not hasattr(indices, "dtype"):
            chosen = chosen.astype(np.intp)  # an empty list
        if chosen.dtype.kind not in "iu":
            given, cure = f"dtype {chosen.dtype}", "write indices.astype(int), of a plain array"
            wrong, expected = "the indices are not whole numbers", "an array of integers"
            refuse(DtypeError, title, wrong, expected=expected, given=given, cure=cure)
        looked_at(chosen, lambda now: self._require_rows(title, now))
        return chosen

    def _require_rows(self, title: str, chosen: Any) -> None:
        """Raises `ArgumentError` for the first index that is no row of the table."""
        outside = (chosen < 0) | (chosen >= self.count)
        if outside.any():
            place = tuple(np.argwhere(outside)[0].tolist())
            at = f" at {list(place)}" if place else ""
            wrong, expected = f"the index{at} is not in the table", f"0 to {self.count - 1}"
            refuse(ArgumentError, title, wrong, expected=expected, given=chosen[place])
