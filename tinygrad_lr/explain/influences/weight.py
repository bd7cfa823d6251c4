"""Measure one weight: derivatives of the loss, a nudge, and the paths to the loss."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ...core.node import unwrap
from ...core.value import Value
from ...support.abstract_array import Array
from ...support.text_format import index_text, number_text
from .factors import PathFactors, path_factors
from .float64_graph import Float64Graph
from .paths import Journey, Path, Through


class WeightInfluence:
    """One entry of a parameter, and its effect on the loss.

    - `name` (W₁[0, 3]), `path` in the model, `index`, `layer`
    - `value`, `gradient` dL/dw, `curvature` d²L/dw² (by forward mode over reverse mode)
    - `nudge` δ; `predicted` g·δ; `predicted_with_curvature` g·δ + ½·h·δ²; `seen`, L(w+δ) − L(w)
    - `by_row`: each row's part of dL/dw, (rows,), or None without an axis of rows
    - `through`: the contributions of paths through each unit, for each layer from its own on
    - `paths`: the paths one by one, the strongest first; `paths_complete`: whether these are all.
      Then they add up to dL/dw, together with `through[0].later` if the parameter is read again
    """

    def __init__(
        self, graph: Float64Graph, value: Value, index: tuple[int, ...], nudge: float, layer: str
    ) -> None:
        self.parameter = graph.names.text(value)
        self.path, self.index, self.layer = graph.names.path(value), index, layer
        self.name = self.parameter + index_text(index)
        self._graph, self._leaf = graph, value
        self._data = np.asarray(graph.twin[value]._content)
        self.value = float(self._data[index])
        self.journey = Journey(graph, value, index)
        self.gradient = self.journey.gradient
        direction = np.zeros(value.shape)
        direction[index] = 1.0
        bent = graph.second_derivative(value, direction if value.shape else 1.0)
        self.curvature = float(np.asarray(bent)[index])
        self.nudge = nudge
        self.loss = graph.loss_at({})
        self.seen = self.loss_at(self.value + nudge) - self.loss

    def loss_at(self, number: float) -> float:
        """Return the loss with this entry at another number, and all others as they are."""
        return self._graph.loss_at({self._leaf: self._numbers_with(number)})

    def _numbers_with(self, number: float) -> Any:
        moved = self._data.copy()
        moved[self.index] = number
        return moved if self._leaf.shape else number

    @property
    def switched(self) -> int:
        """The number of entries of relu, clip, maximum, ... that the nudge moves across a kink.

        If there are any, the change of the loss may differ from g·δ, however small the nudge.
        """
        moved = self._numbers_with(self.value + self.nudge)
        now = self._graph.replay.at({self._graph.twin[self._leaf]: moved})
        count = 0
        for value in now:
            record = value.record
            if record is not None and record.operation.kinked:
                before = list(map(unwrap, record.operands))
                after = [
                    now.get(x, old) if isinstance(x, Value) else old
                    for x, old in zip(record.operands, before, strict=True)
                ]
                pieces = (record.operation.pieces(x, record.options) for x in (before, after))
                count += int(np.sum(np.not_equal(*pieces)))
        return count

    def __repr__(self) -> str:
        """Return the weight and its gradient as text."""
        return f"{self.name} = {number_text(self.value)}: dL/dw = {number_text(self.gradient)}"

    @property
    def predicted(self) -> float:
        """The change that the gradient predicts for the nudge: g·δ."""
        return self.gradient * self.nudge

    @property
    def predicted_with_curvature(self) -> float:
        """The change that gradient and curvature predict: g·δ + ½·h·δ²."""
        return self.predicted + 0.5 * self.curvature * self.nudge**2

    @property
    def through(self) -> tuple[Through, ...]:
        """The part of dL/dw through each unit, for each layer from its own on."""
        return self.journey.through

    @property
    def by_row(self) -> Array | None:
        """The part of dL/dw from each row of the batch."""
        rows = self.through[-1].by_row if self.through else None
        return None if rows is None else np.asarray(rows.sum(axis=1))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths to the loss, the strongest first (not all of them beyond 256)."""
        return self.journey.paths[0]

    def factors(self, path: Path, row: int = 0) -> PathFactors | None:
        """Return the factors of a path in a row of the batch, or None where layers aren't dense."""
        return path_factors(self._graph, self.journey, path, self.index, row)

    @property
    def paths_complete(self) -> bool:
        """Return whether `paths` are all the paths."""
        return self.journey.paths[1]

    @cached_property
    def edges(self) -> tuple[Array | None, ...]:
        """The parts of dL/dw along the edges to the next layer's units, from its own layer on."""
        last = len(self.journey.units) - 1
        return tuple(self.journey.edges(i) for i in range(self.journey.first, last))
