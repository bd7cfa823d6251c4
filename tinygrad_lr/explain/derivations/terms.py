"""The terms whose sum is one entry of a gradient: one for each row, or for each use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.node import Record
from ...core.value import Value
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

    The weight of a matrix product has one for each row: the input times the gradient of the unit;
    that of a convolution, one for each window.
    An operand that broadcasting repeats has one for each use.
    """
    return _weight_terms(share, at) or _use_terms(share, at)


def _weight_terms(share: Share, at: tuple[int, ...]) -> Terms | None:
    operation, operands, numbers, options = _weighing_record(share)
    weighs = len(operands) > 1 and operands[1] is share.value
    alone = weighs and share.pull.operation == operation.name
    x, g = np.asarray(numbers[0]), np.asarray(share.cotangent)
    if alone and operation.name == "cross_correlation":
        one = np.zeros_like(numbers[1])
        one[at] = 1.0  # which picks that entry of each window
        inputs, units = operation.forward(x, one, **options)[:, at[0]].ravel(), g[:, at[0]].ravel()
        names = ("entry of the window", "gradient of the unit")
        return Terms(names, (inputs, units), inputs * units, "window", "windows")
    if not alone or not operation.matrix_product or x.ndim < 2:
        return None
    inputs = x.reshape(-1, x.shape[-1])[:, at[0]]
    if np.ndim(numbers[1]) == 1:
        units = g.reshape(-1)
    elif np.ndim(numbers[1]) == 2:
        units = g.reshape(-1, g.shape[-1])[:, at[1]]
    else:
        return None
    return Terms(("input", "gradient of the unit"), (inputs, units), inputs * units, "row", "rows")


def _weighing_record(share: Share) -> Record:
    """Return the operation that reads the Value: the reader's, or one to which it adds a bias."""
    record: Record = share.reader.record  # type: ignore[assignment]
    if record.operation.name == "add" and share.pull.operation != "add":
        for x in record.operands:
            inner = x.record if type(x) is Value and x.shape == share.reader.shape else None
            if inner is not None and inner.operation.name == share.pull.operation:
                return inner
    return record


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
