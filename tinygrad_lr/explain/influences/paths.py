"""Follow the paths from one entry of a parameter to the loss, and their contributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ...support.errstate import ignore_float_errors
from .float64_graph import Float64Graph
from .units import Units

MAX_PATHS = 256  # followed one by one; if there are more, the strongest
MAX_UNITS = 512  # passes through a layer, for the edges to the next one's units


@dataclass(frozen=True, eq=False)
class Through:
    """The contributions to dL/dw of the paths through each unit of one layer.

    - `layer`: its name; `units`: a label for each unit ("h₁[3]")
    - `contributions`: (units,), the sum over all paths through the unit, and over the rows
    - `by_row`: (rows, units), or None if the results have no axis of rows
    - `later`: the part of dL/dw that bypasses this layer, if the parameter is read again after it
    """

    layer: str
    units: tuple[str, ...]
    contributions: Array
    by_row: Array | None
    later: float


@dataclass(frozen=True, eq=False)
class Path:
    """One path from a weight to the loss: its units, and its contribution to dL/dw.

    `contribution` is the product of its derivatives, summed over the rows; `by_row` is the product
    of each row, (rows,), or None without an axis of rows; `units` has the index of the unit in each
    layer, as in `Through.units`.
    """

    units: tuple[int, ...]
    labels: tuple[str, ...]
    contribution: float
    by_row: Array | None


class Journey:
    """The effect of a change of one entry of a parameter, followed forward to the loss.

    At each cut dL/dw is the inner product of the tangents dh/dw and the cotangents dL/dh; the
    part of one unit is the sum over all paths through it. `first` is the first cut that the
    entry reaches, `changes` the tangents of all results, `name` that of the parameter.
    """

    @ignore_float_errors
    def __init__(self, graph: Float64Graph, value: Value, index: tuple[int, ...]) -> None:
        direction = np.zeros(value.shape)
        direction[index] = 1.0
        self._graph = graph
        self.name = graph.names.text(value)
        changes = self.changes = graph.tangents(value, direction[()] if value.shape else 1.0)
        self.gradient = float(np.asarray(graph.gradient(value))[index])
        self._tangents = [
            [np.asarray(changes.get(x, np.zeros(x.shape))) for x in cut] for cut in graph.cuts
        ]
        self._last_read = max(  # the last layer that reads the parameter
            graph.level[x]
            for x in graph.order
            if (record := x.record) is not None and any(y is value for y in record.operands)
        )
        reached = [any(x in changes for x in cut) for cut in graph.cuts]
        self.first = reached.index(True) if True in reached else len(graph.cuts)
        self.units = [Units(graph, i) for i in range(len(graph.cuts))]

    @cached_property
    @ignore_float_errors
    def through(self) -> tuple[Through, ...]:
        """The contribution of each unit, for each layer from the first one reached."""
        found = []
        for i in range(self.first, len(self.units)):
            products = self._products(self._tangents[i], i)
            contributions = self.units[i].sum_units(products)
            found.append(
                Through(
                    self._graph.layers[i].name,
                    tuple(self.units[i].labels),
                    contributions,
                    self.units[i].by_row(products),
                    self.gradient - float(contributions.sum()) if self._last_read > i else 0.0,
                )
            )
        return tuple(found)

    @ignore_float_errors
    def edges(self, i: int) -> Array | None:
        """Return the contribution of all paths along each edge: (units of layer i, of the next).

        Layers count from 0. A row adds up to the part of its unit, and so does a column, except for
        a parameter that is read again in the next layer. None beyond 512 units of both layers.

        It takes one pass through the next layer for each unit of the narrower one of the two.
        """
        before, after = self.units[i], self.units[i + 1]
        segment = self._graph.segments[i]
        rows, columns = len(before.labels), len(after.labels)
        if min(rows, columns) > MAX_UNITS:
            return None
        if rows <= columns:
            sent = (segment.push(before.keep_unit(self._tangents[i], u)) for u in range(rows))
            return np.stack([after.sum_units(self._products(t, i + 1)) for t in sent])
        cotangents = self._graph.cotangents[i + 1]
        pulled = (segment.pull(after.keep_unit(cotangents, v)) for v in range(columns))
        return np.stack(
            [before.sum_units(self._times(self._tangents[i], g)) for g in pulled], axis=1
        )

    @cached_property
    @ignore_float_errors
    def paths(self) -> tuple[tuple[Path, ...], bool]:
        """The paths from the first layer reached, the strongest first; and whether these are all.

        Up to 256 are followed one by one. If there are more, only the 256 strongest beginnings are
        followed at each layer: a stronger path may be missed.
        """
        if self.first == len(self.units):
            return (), True
        begun: list[tuple[tuple[int, ...], list[Any]]] = [((), self._tangents[self.first])]
        complete = True
        for i in range(self.first, len(self.units)):
            units = self.units[i]
            arrived = [
                (so_far, sent if i == self.first else self._graph.segments[i - 1].push(sent))
                for so_far, sent in begun
            ]
            onward = [
                (-abs(part), start, unit)
                for start, (_, sent) in enumerate(arrived)
                for unit, (part, moved) in enumerate(
                    zip(
                        units.sum_units(self._products(sent, i)),
                        units.sum_units([np.abs(t) for t in sent]),
                        strict=True,
                    )
                )
                if moved
            ]
            complete = complete and len(onward) <= MAX_PATHS
            begun = [
                ((*arrived[start][0], unit), units.keep_unit(arrived[start][1], unit))
                for _, start, unit in sorted(onward)[:MAX_PATHS]
            ]
        return tuple(self._path(units, sent) for units, sent in begun), complete

    def _path(self, units: tuple[int, ...], sent: Sequence[Any]) -> Path:
        """Return a path from its units, and the tangents that arrive at its end."""
        last = len(self.units) - 1
        products = self._products(sent, last)
        by_row = self.units[last].by_row(products)
        return Path(
            units,
            tuple(self.units[self.first + k].labels[u] for k, u in enumerate(units)),
            float(self.units[last].sum_units(products).sum()),
            None if by_row is None else by_row.sum(axis=1),
        )

    def _products(self, tangents: Sequence[Any], i: int) -> list[Any]:
        """Multiply tangents and cotangents, number by number."""
        return self._times(tangents, self._graph.cotangents[i])

    def _times(self, tangents: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        return [np.asarray(t) * np.asarray(g) for t, g in zip(tangents, cotangents, strict=True)]
