"""The paths from one entry of a parameter to the loss, and what each of them contributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ...support.errstate import silent
from .float64_graph import Recorded
from .units import Units

MOST_PATHS = 256  # followed one by one; of more, the strongest beginnings are followed
MOST_UNITS = 512  # passes through a layer, for the edges between its units and the next one's


@dataclass(frozen=True, eq=False)
class Through:
    """What the paths through each unit of one layer contribute to dL/dw.

    - `layer`: its name; `units`: a label for each unit ("h₁[3]")
    - `contributions`: (units,), the sum over all paths through the unit, and over the rows
    - `by_row`: (rows, units), or None where the results have no axis of rows
    - `later`: what comes to dL/dw past this layer, because the parameter is read again after it
    """

    layer: str
    units: tuple[str, ...]
    contributions: Array
    by_row: Array | None
    later: float


@dataclass(frozen=True, eq=False)
class Path:
    """One way from a weight to the loss: the units that it goes through, and what it contributes.

    `contribution` is the product of its derivatives, summed over the rows, `by_row` the product of
    each row, (rows,), or None where there is no axis of rows; `units` has the number of the unit in
    each layer, as `Through.units` counts them.
    """

    units: tuple[int, ...]
    labels: tuple[str, ...]
    contribution: float
    by_row: Array | None


class Journey:
    """How a change of one entry of a parameter travels to the loss: forward, layer by layer.

    At each cut dL/dw is the inner product of the tangents dh/dw and the cotangents dL/dh; the
    part of one unit is the sum over all paths through it. `first` is the first cut that the
    entry reaches.
    """

    @silent
    def __init__(self, recorded: Recorded, value: Value, index: tuple[int, ...]) -> None:
        direction = np.zeros(value.shape)
        direction[index] = 1.0
        self._recorded = recorded
        changes = recorded.tangents(value, direction[()] if value.shape else 1.0)
        self.gradient = float(np.asarray(recorded.gradient(value))[index])
        self._tangents = [
            [np.asarray(changes.get(x, np.zeros(x.shape))) for x in cut] for cut in recorded.cuts
        ]
        self._last_read = max(  # the last layer in which the parameter joins
            recorded.level[x]
            for x in recorded.order
            if (record := x.record) is not None and any(y is value for y in record.operands)
        )
        reached = [any(x in changes for x in cut) for cut in recorded.cuts]
        self.first = reached.index(True) if True in reached else len(recorded.cuts)
        self.units = [Units(recorded, i) for i in range(len(recorded.cuts))]

    @cached_property
    @silent
    def through(self) -> tuple[Through, ...]:
        """For each layer from the first that is reached on, the part of each unit."""
        found = []
        for i in range(self.first, len(self.units)):
            products = self._products(self._tangents[i], i)
            contributions = self.units[i].gathered(products)
            found.append(
                Through(
                    self._recorded.layers[i].name,
                    tuple(self.units[i].labels),
                    contributions,
                    self.units[i].by_row(products),
                    self.gradient - float(contributions.sum()) if self._last_read > i else 0.0,
                )
            )
        return tuple(found)

    @silent
    def edges(self, i: int) -> Array | None:
        """What all paths along each edge contribute: (units of layer i, units of the next one).

        Layers count from 0. A row adds up to the part of its unit, and so does a column, but for
        a parameter that is read again in the next layer. None beyond 512 units of both layers.

        One pass through the next layer for each unit of the narrower one of the two.
        """
        before, after = self.units[i], self.units[i + 1]
        segment = self._recorded.segments[i]
        rows, columns = len(before.labels), len(after.labels)
        if min(rows, columns) > MOST_UNITS:
            return None
        if rows <= columns:
            sent = (segment.push(before.only(self._tangents[i], u)) for u in range(rows))
            return np.stack([after.gathered(self._products(t, i + 1)) for t in sent])
        cotangents = self._recorded.cotangents[i + 1]
        pulled = (segment.pull(after.only(cotangents, v)) for v in range(columns))
        return np.stack(
            [before.gathered(self._times(self._tangents[i], g)) for g in pulled], axis=1
        )

    @cached_property
    @silent
    def paths(self) -> tuple[tuple[Path, ...], bool]:
        """The paths from the first layer that is reached, the strongest first; whether all.

        Up to 256 are followed one by one. Where there are more, at each layer the 256 beginnings
        go on that contribute most, which is no promise that no stronger path was left out.
        """
        if self.first == len(self.units):
            return (), True
        begun: list[tuple[tuple[int, ...], list[Any]]] = [((), self._tangents[self.first])]
        complete = True
        for i in range(self.first, len(self.units)):
            units = self.units[i]
            arrived = [
                (so_far, sent if i == self.first else self._recorded.segments[i - 1].push(sent))
                for so_far, sent in begun
            ]
            onward = [
                (-abs(part), place, unit)
                for place, (_, sent) in enumerate(arrived)
                for unit, (part, moved) in enumerate(
                    zip(
                        units.gathered(self._products(sent, i)),
                        units.gathered([np.abs(t) for t in sent]),
                        strict=True,
                    )
                )
                if moved
            ]
            complete = complete and len(onward) <= MOST_PATHS
            begun = [
                ((*arrived[place][0], unit), units.only(arrived[place][1], unit))
                for _, place, unit in sorted(onward)[:MOST_PATHS]
            ]
        return tuple(self._path(units, sent) for units, sent in begun), complete

    def _path(self, units: tuple[int, ...], sent: Sequence[Any]) -> Path:
        """A path from the units that it goes through, and the tangents that arrive at its end."""
        last = len(self.units) - 1
        products = self._products(sent, last)
        by_row = self.units[last].by_row(products)
        return Path(
            units,
            tuple(self.units[self.first + k].labels[u] for k, u in enumerate(units)),
            float(self.units[last].gathered(products).sum()),
            None if by_row is None else by_row.sum(axis=1),
        )

    def _products(self, tangents: Sequence[Any], i: int) -> list[Any]:
        """Tangents times cotangents, number by number."""
        return self._times(tangents, self._recorded.cotangents[i])

    def _times(self, tangents: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        return [np.asarray(t) * np.asarray(g) for t, g in zip(tangents, cotangents, strict=True)]
