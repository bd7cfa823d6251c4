"""Which weights an influence tells of: those that were asked for, or one of each layer."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import ArgumentError
from ...support.files import printable
from .float64_graph import Recorded

MOST_WEIGHTS = 30  # chosen without being asked for

Entry = tuple[int, ...]
Weight = str | Value | tuple[str | Value, Any]
"""A parameter by its path, its name in formulas or itself; or (it, an entry of it)."""


def chosen_weights(
    recorded: Recorded, weight: Weight | Sequence[Weight] | None, at: Entry | int | None
) -> list[tuple[Value, Entry]]:
    """The chosen entries: those asked for, or the one of each layer with the largest gradient."""
    if weight is None:
        if at is not None:
            raise ArgumentError(f"influence: at= needs weight= beside it, got at={at!r:.60} alone")
        found: list[tuple[Value, Entry]] = []
        told: set[Value] = set()
        for layer in recorded.layers:
            own = [x for x in layer.parameters if x not in told]  # a shared one is told once
            if recorded.names.paths:
                own = [x for x in own if x in recorded.names.paths]
            told.update(own)
            own = [x for x in own if x.size]
            if own:
                found.append(_largest(recorded, [x for x in own if x.ndim > 1] or own))
        spread = np.linspace(0, len(found) - 1, min(len(found), MOST_WEIGHTS)).round()
        return [found[int(i)] for i in spread]
    asked = weight if isinstance(weight, list) else [weight]
    return [_entry(recorded, one, at) for one in asked]


def largest_entry(gradient: Any) -> Entry:
    """The place of the entry that is largest in magnitude; nan counts as largest.

    >>> largest_entry(np.array([[1.0, -3.0], [2.0, 0.0]]))
    (0, 1)
    """
    size = np.abs(np.asarray(gradient))
    size = np.where(np.isnan(size), np.inf, size)
    return tuple(int(i) for i in np.unravel_index(size.argmax(), size.shape))


def _largest(recorded: Recorded, among: Sequence[Value]) -> tuple[Value, Entry]:
    """Of some parameters, the entry with the largest gradient."""
    best = [(x, largest_entry(recorded.gradient(x))) for x in among]
    return max(best, key=lambda pair: abs(np.asarray(recorded.gradient(pair[0]))[pair[1]]))


def _entry(recorded: Recorded, asked: Any, at: Any) -> tuple[Value, Entry]:
    """The leaf and the entry that were asked for."""
    given, at = asked if isinstance(asked, tuple) else (asked, at)
    leaves: Mapping[str, Value] = {
        **{recorded.names.text(x): x for x in recorded.order if x.record is None},
        **{x.name: x for x in recorded.order if x.record is None and x.name},
        **{path: x for x, path in recorded.names.paths.items() if x in recorded.twin},
    }
    value = given if isinstance(given, Value) else leaves.get(printable(str(given)))
    if value is None or value not in recorded.twin or value.record is not None:
        name = repr(given) if isinstance(given, str) else f"{given!r:.60}"
        known = textwrap.shorten(", ".join(leaves), 400, placeholder=" ...")
        raise ArgumentError(
            f"influence: weight must be a leaf that the loss was computed from, got {name}; choose "
            f"one of {known}"
        )
    if not value.size:
        raise ArgumentError(
            f"influence: weight must have at least one entry, got shape {value.shape}"
        )
    if at is None:
        return _largest(recorded, [value])
    index = np.atleast_1d(np.asarray(at))
    lengths = value.shape
    whole = index.dtype.kind in "iu" or not index.size
    if (
        not whole
        or index.shape != (len(lengths),)
        or not all(-n <= i < n for i, n in zip(index, lengths, strict=True))
    ):
        raise ArgumentError(
            f"influence: at must be an entry of a weight of shape {lengths}, got {at!r:.60}"
        )
    return value, tuple(int(i) % n for i, n in zip(index, lengths, strict=True))
