"""A recorded graph as numbered vertices, for whoever draws it: who reads whom, and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back
from ...core.value import Value
from ...errors import NotDifferentiableError
from ...explain.graphs.naming import Names
from ...nn import Module

INPUTS = -1
"""The home of what enters before the first layer."""


class Graph:
    """The Values and array constants that a loss was computed from, operands before readers.

    - `things`: Values and constants, by number; leaves and constants first
    - `reads`: for each, the numbers of its operands, one for each time that it reads them
    - `readers`: for each, who reads it, once each
    - `home`: for each, the place of its layer in `names.layers`; `INPUTS` for the data

    Numbers in a formula (the 2 in x²) aren't vertices. Raises `ArgumentError` as `layers_of` does.

    >>> w = Value(2.0, name="w")
    >>> graph = Graph((w * np.array([1.0, 2.0])) ** 2)
    >>> graph.reads, [graph.label(i) for i in range(4)]
    ([[], [], [0, 1], [2]], ['w', 'x', 'z', 'L'])
    """

    def __init__(self, loss: Value, model: Module | None = None) -> None:
        self.loss = loss
        self.names = Names(loss, model)
        self.layers = self.names.layers
        self.things: list[Any] = []
        self.number: dict[int, int] = {}
        results = []
        for value in self.names.order:
            if value._record is None:
                self._enter(value)
            else:
                results.append(value)
        for value in results:
            _, operands, numbers, _ = value._record  # type: ignore[misc]
            for x, number in zip(operands, numbers, strict=True):
                if id(x) not in self.number and self._is_vertex(x, number):
                    self._enter(x)
        self.leaves = len(self.things)
        for value in results:
            self._enter(value)
        self.reads: list[list[int]] = [[] for _ in self.things]
        self.readers: list[list[int]] = [[] for _ in self.things]
        self.recorded: list[Any] = [None] * len(self.things)
        self.recorded[-1] = loss._content
        for i in range(self.leaves, len(self.things)):
            _, operands, numbers, _ = self.things[i]._record
            for x, number in zip(operands, numbers, strict=True):
                operand = self.vertex(x)
                if operand is not None:
                    self.reads[i].append(operand)
                    self.recorded[operand] = number
            for operand in dict.fromkeys(self.reads[i]):
                self.readers[operand].append(i)
        self.home = self._homes()
        self.multiplied = self._multiplied()

    def vertex(self, x: Any) -> int | None:
        """The number of a Value or constant, None for what is a number in a formula."""
        return self.number.get(id(x))

    def label(self, i: int) -> str:
        """The name of a vertex."""
        return self.names.text(self.things[i])

    def numbers(self, i: int) -> Any:
        """The data of a vertex as the graph remembers it: a leaf may have other numbers by now."""
        return self.recorded[i]

    def is_trained(self, i: int) -> bool:
        """True for a leaf that requires a gradient."""
        thing = self.things[i]
        return type(thing) is Value and thing._record is None and thing.requires_grad

    def gradients(self) -> tuple[Mapping[Value, Any], str]:
        """The gradient of each Value, and where it comes from; nothing is written.

        They are those that `backward()` left where it ran for this loss, and computed otherwise.
        """
        if self.loss._grad is not None:
            values = [x for x in self.names.order if x._grad is not None]
            held = {x: np.array(x._grad[0] if type(x._grad) is tuple else x._grad) for x in values}
            return held, "gradients: as backward() left them in .grad"
        if self.loss.size != 1:
            return {}, "no gradients: backward() has not run, and this has several entries"
        content = self.loss._content
        seed = 1.0 if type(content) is float else np.ones_like(content)
        try:
            found = pull_back({self.loss: seed if np.ndim(seed) else seed * 1.0})
        except NotDifferentiableError as error:
            return {}, f"no gradients: {error}"
        return found, "gradients: computed for this picture; .grad is as it was"

    def _enter(self, thing: Any) -> None:
        self.number[id(thing)] = len(self.things)
        self.things.append(thing)

    def _is_vertex(self, x: Any, number: Any) -> bool:
        """True if an operand without a gradient gets a box: arrays, and Values with a name."""
        if type(x) is Value and x.requires_grad:
            return False  # it is in the order already
        return np.ndim(number) > 0 or (type(x) is Value and bool(x.name))

    def _homes(self) -> list[int]:
        """Results by their layer; leaves and constants by their first reader's."""
        layer = {x: k for k, layer in enumerate(self.layers) for x in layer.results}
        home = [INPUTS] * len(self.things)
        for i in range(self.leaves, len(self.things)):
            home[i] = layer[self.things[i]]
        for i in range(self.leaves):
            home[i] = min(home[reader] for reader in self.readers[i])
            parameter = self.is_trained(i) and (
                not self.names.paths or self.things[i] in self.names.paths
            )
            if home[i] == 0 and not parameter and len(self.layers) > 1:
                home[i] = INPUTS
        return home

    def _multiplied(self) -> list[bool]:
        """Of the leaves, which are weights: something other than a sum reads them."""
        return [
            any(self.things[r]._record[0].name not in {"add", "subtract"} for r in self.readers[i])
            for i in range(self.leaves)
        ]
