"""The terms whose sum is one entry of a gradient: one for each row, or for each use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...support.abstract_array import Array
from .steps import Share


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of a sum, and the factors of each.

    - `factors`: the names of the factors; `columns`: their numbers, (factors, terms)
    - `terms`: the products, which add up to the entry
    - `thing`, `over`: a noun for a term, singular and plural: "row", "rows"
    """

    factors: tuple[str, ...]
    columns: tuple[Array, ...]
    terms: Array
    thing: str
    over: str

    @property
    def count(self) -> int:
        """The number of terms."""
        return len(self.terms)


def terms_of(share: Share, at: tuple[int, ...]) -> Terms | None:
    """Return the terms of an entry's share of the gradient, or None if it is a single number.

    The weight of a matrix product has one for each row: the input times the gradient of the unit.
    An operand that broadcasting repeats has one for each use.
    """
    return _weight_terms(share, at) or _use_terms(share, at)


def _weight_terms(share: Share, at: tuple[int, ...]) -> Terms | None:
    operation, operands, numbers, _ = share.reader.record  # type: ignore[misc]
    alone = operation.matrix_product and share.pull.operation == operation.name
    if not alone or operands[1] is not share.value:
        return None
    x, g = np.asarray(numbers[0]), np.asarray(share.cotangent)
    if x.ndim < 2 or np.ndim(numbers[1]) != 2:
        return None
    i, j = at
    inputs = x.reshape(-1, x.shape[-1])[:, i]
    units = g.reshape(-1, g.shape[-1])[:, j]
    return Terms(("input", "gradient of the unit"), (inputs, units), inputs * units, "row", "rows")


def _use_terms(share: Share, at: tuple[int, ...]) -> Terms | None:
    terms, shape = np.asarray(share.pull.terms), share.value.shape
    if share.pull.spread <= 1:
        return None
    extra = terms.ndim - len(shape)
    index: list[Any] = [slice(None)] * extra
    for k, i in enumerate(at):
        index.append(slice(None) if terms.shape[extra + k] != shape[k] else i)
    found = terms[tuple(index)].reshape(-1)
    columns: tuple[Array, ...] = ()
    factors: tuple[str, ...] = ()
    local, g = share.pull.local_number, np.asarray(share.cotangent)
    if local is not None and np.shape(local) == terms.shape == g.shape:
        columns = tuple(z[tuple(index)].reshape(-1) for z in (g, np.asarray(local)))
        factors = ("gradient above", "local")
    return Terms(factors, columns, found, "use", "uses")
