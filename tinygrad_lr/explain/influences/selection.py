"""Select the weights of an influence: the requested ones, or one of each layer."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import ArgumentError
from ...support.files import printable
from ...support.validation import short_repr
from .float64_graph import Float64Graph

MAX_WEIGHTS = 30  # selected by default

Entry = tuple[int, ...]
Weight = str | Value | tuple[str | Value, Any]
"""A parameter, by path, by name in formulas or as a Value; or (parameter, entry)."""


def select_weights(
    graph: Float64Graph, weight: Weight | Sequence[Weight] | None, at: Entry | int | None
) -> list[tuple[Value, Entry]]:
    """Return the requested entries, or the one of each layer with the largest gradient."""
    if weight is None:
        if at is not None:
            raise ArgumentError(
                f"influence: weight must be given with at, got at={short_repr(at)} alone"
            )
        found: list[tuple[Value, Entry]] = []
        seen: set[Value] = set()
        for layer in graph.layers:
            own = [x for x in layer.parameters if x not in seen]  # a shared one once
            if graph.names.paths:
                own = [x for x in own if x in graph.names.paths]
            seen.update(own)
            own = [x for x in own if x.size]
            if own:
                found.append(_largest(graph, [x for x in own if x.ndim > 1] or own))
        spread = np.linspace(0, len(found) - 1, min(len(found), MAX_WEIGHTS)).round()
        return [found[int(i)] for i in spread]
    asked = weight if isinstance(weight, list) else [weight]
    return [_entry(graph, one, at) for one in asked]


def largest_entry(gradient: Any) -> Entry:
    """Return the index of the entry of largest magnitude; nan counts as largest.

    >>> largest_entry(np.array([[1.0, -3.0], [2.0, 0.0]]))
    (0, 1)
    """
    size = np.abs(np.asarray(gradient))
    size = np.where(np.isnan(size), np.inf, size)
    return tuple(int(i) for i in np.unravel_index(size.argmax(), size.shape))


def _largest(graph: Float64Graph, among: Sequence[Value]) -> tuple[Value, Entry]:
    """Return the parameter and entry with the largest gradient."""
    best = [(x, largest_entry(graph.gradient(x))) for x in among]
    return max(best, key=lambda pair: abs(np.asarray(graph.gradient(pair[0]))[pair[1]]))


def _entry(graph: Float64Graph, asked: Any, at: Any) -> tuple[Value, Entry]:
    """Return the leaf and the entry that were requested."""
    if isinstance(asked, tuple) and len(asked) != 2:
        raise ArgumentError(
            f"influence: weight must be a parameter, or (parameter, entry), got {short_repr(asked)}"
        )
    given, at = asked if isinstance(asked, tuple) else (asked, at)
    leaves: Mapping[str, Value] = {
        **{graph.names.text(x): x for x in graph.order if x.record is None},
        **{x.name: x for x in graph.order if x.record is None and x.name},
        **{path: x for x, path in graph.names.paths.items() if x in graph.twin},
    }
    text = given if isinstance(given, str) else short_repr(given)
    value = given if isinstance(given, Value) else leaves.get(printable(text))
    if value is None or value not in graph.twin or value.record is not None:
        name = repr(given) if isinstance(given, str) else text
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
        return _largest(graph, [value])
    index = np.atleast_1d(np.asarray(at))
    lengths = value.shape
    whole = index.dtype.kind in "iu" or not index.size
    if (
        not whole
        or index.shape != (len(lengths),)
        or not all(-n <= i < n for i, n in zip(index, lengths, strict=True))
    ):
        raise ArgumentError(
            f"influence: at must be an entry of a weight of shape {lengths}, got {short_repr(at)}"
        )
    return value, tuple(int(i) % n for i, n in zip(index, lengths, strict=True))
