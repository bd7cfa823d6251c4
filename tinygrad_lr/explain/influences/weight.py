"""Measure one weight: derivatives of the loss, a nudge, and the paths to the loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ...core.grad_mode import no_grad
from ...core.node import unwrap
from ...core.value import Value
from ...errors import ArgumentError
from ...support.abstract_array import Array
from ...support.text_format import index_text, number_text
from ...support.validation import check_instance
from .factors import PathFactors, path_factors
from .float64_graph import Float64Graph
from .paths import Journey, Path, Through


class Rerun:
    """The program of a loss, run again with another number for one entry of a leaf.

    Raises `ArgumentError` unless the program gives the same loss twice.
    """

    def __init__(self, program: Callable[[], Value]) -> None:
        self._program = program
        self.first = program()
        check_instance("influence", "what loss() returns", self.first, Value, "a Value")
        again = self._run()
        self.loss = float(np.asarray(self.first._content).reshape(-1)[0])
        if again != self.loss and not (np.isnan(again) and np.isnan(self.loss)):
            raise ArgumentError(
                "influence: loss() must give the same number each time, got "
                f"{number_text(self.loss, 8)} and {number_text(again, 8)}; put the model into "
                "evaluation mode, and seed what is drawn"
            )

    def _run(self) -> float:
        with no_grad():
            return float(np.asarray(unwrap(self._program())).reshape(-1)[0])

    def at(self, leaf: Value, index: tuple[int, ...], number: float) -> float:
        """Return the loss with another number for an entry; the leaf gets its own one back."""
        before = leaf.data
        moved = np.array(before, np.result_type(before))
        moved[index] = number
        try:
            leaf.data = moved if leaf.shape else float(moved)
            return self._run()
        finally:
            leaf.data = before


class WeightInfluence:
    """One entry of a parameter, and its effect on the loss.

    - `name` (W₁[0, 3]), `path` in the model, `index`, `layer`
    - `value`, `gradient` dL/dw, `curvature` d²L/dw² (by forward mode over reverse mode)
    - `nudge` ε; `predicted` g·ε; `predicted_with_curvature` g·ε + ½·h·ε²; `seen`, L(w+ε) − L(w)
    - `chosen`: the number of operations of the graph that select by plain booleans. They may come
      from comparisons with numbers that move with the weight: unless the program was run again,
      `seen` keeps their choices
    - `by_row`: each row's part of dL/dw, (rows,), or None without an axis of rows
    - `through`: the contributions of paths through each unit, for each layer from its own on
    - `paths`: the paths one by one, the strongest first; `paths_complete`: whether these are all.
      Then they add up to dL/dw, together with `through[0].later` if the parameter is read again
    """

    def __init__(
        self,
        graph: Float64Graph,
        value: Value,
        index: tuple[int, ...],
        nudge: float,
        layer: str,
        run: Rerun | None = None,
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
        self._run = run
        self.loss = graph.loss_at({}) if run is None else run.loss
        self.rounding = np.finfo(np.float64 if run is None else value.dtype).eps * abs(self.loss)
        self.seen = self.loss_at(self.value + nudge) - self.loss
        self.chosen = 0 if run is not None else sum(map(_selects_by_booleans, graph.order))

    def loss_at(self, number: float) -> float:
        """Return the loss with this entry at another number, and all others as they are."""
        if self._run is not None:
            return self._run.at(self._leaf, self.index, number)
        return self._graph.loss_at({self._leaf: self._numbers_with(number)})

    def _numbers_with(self, number: float) -> Any:
        moved = self._data.copy()
        moved[self.index] = number
        return moved if self._leaf.shape else number

    @property
    def switched(self) -> int:
        """The number of entries of relu, clip, maximum, ... that the nudge moves across a kink.

        If there are any, the change of the loss may differ from g·ε, however small the nudge.
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
        """The change that the gradient predicts for the nudge: g·ε."""
        return self.gradient * self.nudge

    @property
    def predicted_with_curvature(self) -> float:
        """The change that gradient and curvature predict: g·ε + ½·h·ε²."""
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


def _selects_by_booleans(value: Value) -> bool:
    """Return whether a result chooses entries by an array of booleans that has both kinds."""
    if value.record is None or value.record.operation.name not in {"where", "getitem_at"}:
        return False
    _, operands, _, options = value.record
    index = options.get("index", ())
    given = [operands[0], *(index if isinstance(index, tuple) else (index,))]
    masks = [x for x in given if isinstance(x, np.ndarray) and x.dtype == np.bool_]
    return any(mask.any() and not mask.all() for mask in masks)
