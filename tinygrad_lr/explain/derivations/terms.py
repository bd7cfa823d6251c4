"""The terms that one entry of a gradient is the sum of: row by row, or use by use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...support.abstract_array import Array
from .steps import Share


@dataclass(frozen=True)
class Terms:
    """Terms and the factors of each.

    - `factors`: what the factors are, `columns`: their numbers, (factors, terms)
    - `terms`: the products, which add up to the entry
    - `thing`, `over`: what there is one term for: "row", "rows"
    """

    factors: tuple[str, ...]
    columns: tuple[Array, ...]
    terms: Array
    thing: str
    over: str

    @property
    def count(self) -> int:
        """How many terms there are."""
        return len(self.terms)


def terms_of(share: Share, at: tuple[int, ...]) -> Terms | None:
    """The terms of an entry's share of the gradient, or None where it is but one number.

    The weight of a matrix product has one for each row: input times gradient of the unit. What
    broadcasting repeats has one for each use.
    """
    return _of_a_weight(share, at) or _of_uses(share, at)


def _of_a_weight(share: Share, at: tuple[int, ...]) -> Terms | None:
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


def _of_uses(share: Share, at: tuple[int, ...]) -> Terms | None:
    terms, shape = np.asarray(share.pull.terms), share.value.shape
    if share.pull.spread <= 1:
        return None
    extra = terms.ndim - len(shape)
    place: list[Any] = [slice(None)] * extra
    for k, i in enumerate(at):
        place.append(slice(None) if terms.shape[extra + k] != shape[k] else i)
    found = terms[tuple(place)].reshape(-1)
    columns: tuple[Array, ...] = ()
    factors: tuple[str, ...] = ()
    local, g = share.pull.local_number, np.asarray(share.cotangent)
    if local is not None and np.shape(local) == terms.shape == g.shape:
        columns = tuple(z[tuple(place)].reshape(-1) for z in (g, np.asarray(local)))
        factors = ("gradient above", "local")
    return Terms(factors, columns, found, "use", "uses")
