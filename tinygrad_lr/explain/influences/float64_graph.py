"""The graph of a loss, recorded a second time in double precision, and cut between its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back, push_forward, seed
from ...core.grad_mode import RECORDING
from ...core.graph import topological_order
from ...core.node import unwrap
from ...core.value import Value
from ...nn import Module
from ...support.errstate import silent
from ..graphs.layers import Layer
from ..graphs.naming import Names
from ..graphs.replay import recorded_leaves, run_again


class Recorded:
    """A graph's twin: the same operations on the recorded numbers, in float64.

    Small changes of a float32 loss drown in its rounding, and products of many small factors
    underflow; in the twin neither happens. The graph that it was made of stays as it is, and may
    go its way: the twin holds the numbers of the moment at which the graph was recorded.

    - `twin`: from each Value of the graph to the one that stands for it here
    - `layers`, `names`: of the graph, as `layers_of` and `Names` give them
    - `cuts`: for each layer but the loss, what it and those before it hand on to those after it
    - `segments`: the parts between the cuts, the first from the first cut on, the last to the loss
    - `cotangents`: dL/d(each Value of each cut), as the chain rule carries them from the loss down
    - `batch`: how many rows the results have in common, None where they have no axis of rows

    >>> w = Value(np.float32(2.0), name="w")
    >>> recorded = Recorded((w * 3.0 - 1.0) ** 2)
    >>> recorded.gradient(w), recorded.twin[w].dtype
    (np.float64(30.0), dtype('float64'))
    """

    def __init__(self, loss: Value, model: Module | None = None) -> None:
        one = seed("influence", loss)
        self.names = Names(loss, model)
        self.layers: Sequence[Layer] = self.names.layers
        # operands before what reads them
        self.order: Sequence[Value] = topological_order([loss])[::-1]
        leaves = {x: Value(double(number)) for x, number in recorded_leaves(self.order).items()}
        self.twin: Mapping[Value, Value] = in_double(self.order, leaves, {})
        self.loss, self._one = loss, double(one)
        self.level = {x: i for i, layer in enumerate(self.layers) for x in layer.results}
        self.cuts = self._cuts()
        self._gradients: dict[Value, Any] = pull_back({self.twin[loss]: self._one})
        self._slopes: dict[Value, Any] = {}

    @cached_property
    def segments(self) -> Sequence[Segment]:
        """The graph between its cuts."""
        ends = [*self.cuts, (self.loss,)][1:]
        return [
            Segment(self, layer, before, after)
            for layer, before, after in zip(self.layers[1:], self.cuts, ends, strict=True)
        ]

    @cached_property
    def cotangents(self) -> Sequence[Sequence[Any]]:
        """dL/d(cut), each made of the next: dL/dh = (∂h⁺/∂h)ᵀ·dL/dh⁺."""
        found: list[Sequence[Any]] = [[self._one]]
        for segment in reversed(self.segments):
            found.append(segment.pull(found[-1]))
        return found[:0:-1]

    @cached_property
    def batch(self) -> int | None:
        """The length of the first axis of what the loss compares, where that is an axis of rows.

        It is none in a network of vectors without rows, whose entries mix in a layer.
        """
        last = self.cuts[-1] if self.cuts else ()
        length = next((x.shape[0] for x in reversed(last) if x.shape), None)
        vectors = all(x.ndim < 2 for cut in self.cuts for x in cut)
        if vectors and any(segment.mixes_entries() for segment in self.segments[:-1]):
            return None
        return length

    def gradient(self, value: Value) -> Any:
        """dL/d(value), zeros where no path leads to the loss."""
        twin = self.twin[value]
        found = self._gradients.get(twin)
        return np.zeros(twin.shape)[()] if found is None else found

    def at(self, numbers: Mapping[Value, Any]) -> Mapping[Value, Any]:
        """What changes with other numbers in some of the Values, as plain numbers."""
        return in_double(self.order, numbers, self.twin)

    def loss_at(self, numbers: Mapping[Value, Any]) -> float:
        """The loss with other numbers in some of the Values."""
        now = self.at(numbers).get(self.loss, self.twin[self.loss])
        return float(np.asarray(unwrap(now)).reshape(()))

    @silent
    def second_derivative(self, value: Value, direction: Any) -> Any:
        """H·direction for the Hessian with respect to one leaf: forward mode over reverse mode."""
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
        """How all that is computed from a leaf changes with it: d(result)/d(value)·direction."""
        order = topological_order([self.twin[self.loss]])
        tangents = push_forward(order, {self.twin[value]: direction})
        return {x: tangents[twin] for x, twin in self.twin.items() if twin in tangents}

    def _cuts(self) -> Sequence[tuple[Value, ...]]:
        """What each layer, with those before it, hands on."""
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
    """The part of a graph between two cuts, on fresh Values: what comes in, and what goes out.

    Where a Value passes by (a skip connection), it is among both.
    """

    def __init__(
        self,
        recorded: Recorded,
        layer: Layer,
        before: Sequence[Value],
        after: Sequence[Value],
    ) -> None:
        starts = {x: Value(recorded.twin[x]._content) for x in before}
        now = in_double(layer.results, starts, recorded.twin)
        self.before, self.after = tuple(before), tuple(after)
        self.inputs = [starts[x] for x in before]
        self.outputs: list[Value] = [  # of parameters alone: nothing before the cut moves it
            now[x] if x in now else Value(recorded.twin[x]._content) for x in after
        ]
        self._order = topological_order(self.outputs)

    def pull(self, cotangents: Iterable[Any]) -> list[Any]:
        """The cotangents of what comes in, from those of what goes out: Jᵀ·g."""
        given = {x: g for x, g in zip(self.outputs, cotangents, strict=True) if x.requires_grad}
        pulled = pull_back(given)
        return [pulled.get(x, np.zeros(x.shape)[()]) for x in self.inputs]

    def mixes_entries(self) -> bool:
        """Whether the first entries of what goes out are computed from other than first ones."""
        firsts = [np.arange(x.size).reshape(x.shape) == 0 for x in self.outputs]
        pulled = self.pull([first.astype(np.float64)[()] for first in firsts])
        return any(np.ravel(x)[1:].any() for x in pulled)

    def push(self, tangents: Iterable[Any]) -> list[Any]:
        """The tangents of what goes out, from those of what comes in: J·t."""
        given = dict(zip(self.inputs, tangents, strict=True))
        pushed = push_forward(self._order, given)
        return [pushed.get(x, np.zeros(x.shape)[()]) for x in self.outputs]


@silent
def in_double(
    order: Iterable[Value], starts: Mapping[Value, Any], twin: Mapping[Value, Value]
) -> dict[Value, Any]:
    """Recorded operations once more, in float64; from Values, they are recorded again.

    What does not depend on `starts` has the numbers of `twin`, or the recorded ones.
    """
    token = RECORDING.set(True)
    try:
        return run_again(
            order,
            starts,
            constant=lambda x, number: (
                twin[x]._content if type(x) is Value and x in twin else double(number)
            ),
        )
    finally:
        RECORDING.reset(token)


def double(number: Any) -> Any:
    """A floating number or array of less than double precision in double precision."""
    kind = getattr(number, "dtype", None)
    return number.astype(np.float64) if kind is not None and kind.kind == "f" else number
