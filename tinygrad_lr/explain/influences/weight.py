"""One weight and how the loss follows it: derivatives, a nudge, and the paths that lead there."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ...support.text_format import number_text
from .float64_graph import Recorded
from .paths import Journey, Path, Through


class WeightInfluence:
    """One entry of a parameter, and how the loss follows it.

    - `name` (W₁[0, 3]), `path` in the model, `index`, `layer`
    - `value`, `gradient` dL/dw, `curvature` d²L/dw² (by forward mode over reverse mode)
    - `nudge` δ; `predicted` g·δ; `predicted_with_curvature` g·δ + ½·h·δ²; `seen`, L(w+δ) − L(w)
    - `by_row`: each row's part of dL/dw, (rows,), or None where there is no axis of rows
    - `through`: for each layer from its own on, what the paths through each unit contribute
    - `paths`: the paths one by one, the strongest first; `paths_complete`: whether these are all,
      so that with what comes later (`through[0].later`, where the parameter is read again) they
      add up to dL/dw
    """

    def __init__(
        self, recorded: Recorded, value: Value, index: tuple[int, ...], nudge: float, layer: str
    ) -> None:
        self.parameter = recorded.names.text(value)
        self.path, self.index, self.layer = recorded.names.path(value), index, layer
        self.name = f"{self.parameter}[{', '.join(map(str, index))}]" if index else self.parameter
        self._recorded, self._leaf = recorded, value
        self._data = np.asarray(recorded.twin[value]._content)
        self.value = float(self._data[index])
        self.journey = Journey(recorded, value, index)
        self.gradient = self.journey.gradient
        direction = np.zeros(value.shape)
        direction[index] = 1.0
        bent = recorded.second_derivative(value, direction if value.shape else 1.0)
        self.curvature = float(np.asarray(bent)[index])
        self.nudge = nudge
        self.loss = recorded.loss_at({})
        self.seen = self.loss_at(self.value + nudge) - self.loss

    def loss_at(self, number: float) -> float:
        """The loss with this entry at another number, and all others as they are."""
        return self._recorded.loss_at({self._leaf: self._moved(number)})

    def _moved(self, number: float) -> Any:
        moved = self._data.copy()
        moved[self.index] = number
        return moved if self._leaf.shape else number

    @property
    def switched(self) -> int:
        """How many relu, leaky relu and abs meet the other side of their kink after the nudge.

        Where some do, the loss need not follow the gradient, however small the nudge.
        """
        now = self._recorded.at({self._leaf: self._moved(self.value + self.nudge)})
        count = 0
        for value in now:
            record = value.record
            if record is not None and record.operation.kinked:
                (source,) = record.operands
                before = np.asarray(self._recorded.twin[source]._content) > 0
                count += int(np.sum(before != (np.asarray(now[source]) > 0)))
        return count

    def __repr__(self) -> str:
        """The weight and its gradient."""
        return f"{self.name} = {number_text(self.value)}: dL/dw = {number_text(self.gradient)}"

    @property
    def predicted(self) -> float:
        """The change that the gradient promises for the nudge: g·δ."""
        return self.gradient * self.nudge

    @property
    def predicted_with_curvature(self) -> float:
        """The change that gradient and curvature promise: g·δ + ½·h·δ²."""
        return self.predicted + 0.5 * self.curvature * self.nudge**2

    @property
    def through(self) -> tuple[Through, ...]:
        """For each layer from its own on, the part of dL/dw that goes through each unit."""
        return self.journey.through

    @property
    def by_row(self) -> Array | None:
        """The part of each row of the batch in dL/dw."""
        rows = self.through[-1].by_row if self.through else None
        return None if rows is None else np.asarray(rows.sum(axis=1))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths to the loss, the strongest first (of more than 256, those that were found)."""
        return self.journey.paths[0]

    @property
    def paths_complete(self) -> bool:
        """Whether `paths` are all that there are."""
        return self.journey.paths[1]

    @cached_property
    def edges(self) -> tuple[Array | None, ...]:
        """For each layer from its own on, the parts along the edges to the next layer's units."""
        last = len(self.journey.units) - 1
        return tuple(self.journey.edges(i) for i in range(self.journey.first, last))
