"""Record the graph of a loss a second time in float64, and cut it between its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back, push_forward, seed
from ...core.grad_mode import RECORDING
from ...core.graph import topological_order
from ...core.value import Value
from ...nn import Module
from ...support.errstate import ignore_float_errors
from ..graphs.layers import Layer, require_real_graph
from ..graphs.naming import Names
from ..graphs.replay import Replay, leaf_numbers, rerun


class Float64Graph:
    """A copy of a graph in float64: the same operations on the recorded numbers.

    Small changes of a float32 loss are lost in its rounding, and products of many small factors
    underflow; in float64 neither happens. The original graph is not changed, and the copy keeps
    the numbers of the time at which it was recorded.

    - `twin`: the copy of each Value of the graph
    - `layers`, `names`: of the graph, as returned by `layers_of` and `Names`
    - `cuts`: for each layer but the loss, the Values that it and those before it pass on
    - `segments`: the parts between the cuts, the first from the first cut on, the last to the loss
    - `cotangents`: dL/d(each Value of each cut), as the chain rule carries them from the loss down
    - `batch`: the number of rows that the results share, None without an axis of rows

    >>> w = Value(np.float32(2.0), name="w")
    >>> graph = Float64Graph((w * 3.0 - 1.0) ** 2)
    >>> graph.gradient(w), graph.twin[w].dtype
    (np.float64(30.0), dtype('float64'))
    """

    def __init__(
        self,
        loss: Value,
        model: Module | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        one = seed("influence", loss)
        require_real_graph("influence", loss)
        self.names = Names(loss, model, variables)
        self.layers: Sequence[Layer] = self.names.layers
        self.order: Sequence[Value] = topological_order([loss])[
            ::-1
        ]  # operands before their readers
        leaves = {x: Value(as_float64(number)) for x, number in leaf_numbers(self.order).items()}
        self.twin: Mapping[Value, Value] = rerun_in_float64(self.order, leaves, {})
        self.loss, self._one = loss, as_float64(one)
        self.level = {x: i for i, layer in enumerate(self.layers) for x in layer.results}
        self.cuts = self._cuts()
        self._gradients: dict[Value, Any] = pull_back({self.twin[loss]: self._one})
        self._slopes: dict[Value, Any] = {}

    @cached_property
    def segments(self) -> Sequence[Segment]:
        """The parts of the graph between its cuts."""
        ends = [*self.cuts, (self.loss,)][1:]
        return [
            Segment(self, layer, before, after)
            for layer, before, after in zip(self.layers[1:], self.cuts, ends, strict=True)
        ]

    @cached_property
    def cotangents(self) -> Sequence[Sequence[Any]]:
        """dL/d(cut), each from the next: dL/dh = (∂h⁺/∂h)ᵀ·dL/dh⁺."""
        found: list[Sequence[Any]] = [[self._one]]
        for segment in reversed(self.segments):
            found.append(segment.pull(found[-1]))
        return found[:0:-1]

    @cached_property
    def batch(self) -> int | None:
        """The number of rows: the length of the first axis of the prediction.

        None for a network of vectors without rows, whose entries mix in a layer.
        """
        last = self.cuts[-1] if self.cuts else ()
        length = next((x.shape[0] for x in reversed(last) if x.shape), None)
        vectors = all(x.ndim < 2 for cut in self.cuts for x in cut)
        if vectors and any(segment.mixes_entries() for segment in self.segments[:-1]):
            return None
        return length

    def gradient(self, value: Value) -> Any:
        """Return dL/d(value), zeros if no path leads to the loss."""
        twin = self.twin[value]
        found = self._gradients.get(twin)
        return np.zeros(twin.shape)[()] if found is None else found

    @cached_property
    def replay(self) -> Replay:
        """The float64 graph as a function of other numbers for its Values (those in `twin`)."""
        return Replay(self.twin[self.loss])

    def loss_at(self, numbers: Mapping[Value, Any]) -> float:
        """Return the loss with other numbers for some of the Values."""
        twin = self.twin
        now = self.replay.at({twin[x]: number for x, number in numbers.items()})
        return float(np.asarray(now[twin[self.loss]]).reshape(()))

    @ignore_float_errors
    def second_derivative(self, value: Value, direction: Any) -> Any:
        """Return H·direction for the Hessian of one leaf, by forward mode over reverse mode."""
        if not self._slopes:
            pulled = pull_back({self.twin[self.loss]: self._one}, recording=True)
            self._slopes = {x: pulled[twin] for x, twin in self.twin.items() if twin in pulled}
        slope = self._slopes.get(value)
        if not isinstance(slope, Value):  # constant: the loss is linear in it
            return np.zeros(np.shape(direction))[()]
        tangents = push_forward(topological_order([slope]), {self.twin[value]: direction})
        found = tangents.get(slope)
        return np.zeros(np.shape(direction))[()] if found is None else found

    def tangents(self, value: Value, direction: Any) -> Mapping[Value, Any]:
        """Return d(result)/d(value)·direction for all results that depend on a leaf."""
        order = topological_order([self.twin[self.loss]])
        tangents = push_forward(order, {self.twin[value]: direction})
        return {x: tangents[twin] for x, twin in self.twin.items() if twin in tangents}

    def _cuts(self) -> Sequence[tuple[Value, ...]]:
        """Return the Values that each layer, with those before it, passes on."""
        last: dict[Value, int] = {}  # the last layer that reads a result
        for value in self.order:
            if (record := value.record) is not None:
                for x in record.operands:
                    if type(x) is Value and x in self.level:
                        last[x] = max(last.get(x, 0), self.level[value])
        return [
            tuple(x for x in self.level if self.level[x] <= i < last.get(x, 0))
            for i in range(len(self.layers) - 1)
        ]


class Segment:
    """The part of a graph between two cuts, on fresh Values: its inputs and its outputs.

    A Value that bypasses the part (a skip connection) is among both.
    """

    def __init__(
        self,
        graph: Float64Graph,
        layer: Layer,
        before: Sequence[Value],
        after: Sequence[Value],
    ) -> None:
        starts = {x: Value(graph.twin[x]._content) for x in before}
        now = rerun_in_float64(layer.results, starts, graph.twin)
        self.before, self.after = tuple(before), tuple(after)
        self.inputs = [starts[x] for x in before]
        self.outputs: list[Value] = [  # from parameters alone: independent of the cut before
            now[x] if x in now else Value(graph.twin[x]._content) for x in after
        ]
        self._order = topological_order(self.outputs)

    def pull(self, cotangents: Iterable[Any]) -> list[Any]:
        """Return the cotangents of the inputs from those of the outputs: Jᵀ·g."""
        given = {x: g for x, g in zip(self.outputs, cotangents, strict=True) if x.requires_grad}
        pulled = pull_back(given)
        return [pulled.get(x, np.zeros(x.shape)[()]) for x in self.inputs]

    def mixes_entries(self) -> bool:
        """Return whether the first entries of outputs depend on other entries than first ones."""
        firsts = [np.arange(x.size).reshape(x.shape) == 0 for x in self.outputs]
        pulled = self.pull([first.astype(np.float64)[()] for first in firsts])
        return any(np.ravel(x)[1:].any() for x in pulled)

    def push(self, tangents: Iterable[Any]) -> list[Any]:
        """Return the tangents of the outputs from those of the inputs: J·t."""
        given = dict(zip(self.inputs, tangents, strict=True))
        pushed = push_forward(self._order, given)
        return [pushed.get(x, np.zeros(x.shape)[()]) for x in self.outputs]


@ignore_float_errors
def rerun_in_float64(
    order: Iterable[Value], starts: Mapping[Value, Any], twin: Mapping[Value, Value]
) -> dict[Value, Any]:
    """Run recorded operations again in float64; from Values, they are recorded again.

    Results that do not depend on `starts` have the numbers of `twin`, or the recorded ones.
    """
    token = RECORDING.set(True)
    try:
        return rerun(
            order,
            starts,
            constant=lambda x, number: (
                twin[x]._content if type(x) is Value and x in twin else as_float64(number)
            ),
        )
    finally:
        RECORDING.reset(token)


def as_float64(number: Any) -> Any:
    """Return a floating number or array as float64, anything else as it is."""
    kind = getattr(number, "dtype", None)
    return number.astype(np.float64) if kind is not None and kind.kind == "f" else number
