"""The weights between the units of one layer and the next, as a drawing of a network shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ...support.text_format import index_text
from .float64_graph import Float64Graph
from .units import Units


@dataclass(frozen=True, eq=False)
class Connections:
    """The weight and its gradient on the edge from each unit before a layer to each of its own.

    - `before`, `after`: labels of the units; `before` is x[0], x[1], ... for the first layer
    - `weights`, `gradients`: (units before, units after); 0 where `there` is False
    - `there`: a mask of the edges that exist
    - `names`: of the parameter, or of all the parameters in a graph of scalars
    - `shape`: of the parameter, () in a graph of scalars
    - `entries`: (units before, units after), the flat index of the parameter's entry on each edge
      (for scalars, the index of the parameter); -1 without an edge
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    weights: Array
    gradients: Array
    there: Array
    names: tuple[str, ...]
    shape: tuple[int, ...]
    entries: Array

    def name(self, before: int, after: int) -> str:
        """Return the name of the weight on an edge (W₁[0, 3]), "" without one."""
        entry = int(self.entries[before, after])
        if entry < 0:
            return ""
        if not self.shape:
            return self.names[entry]
        index = np.unravel_index(entry, self.shape)
        return self.names[0] + index_text(tuple(map(int, index)))

    def edges_of(self, parameter: str, index: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return the edges whose weight is this entry of a parameter."""
        if parameter not in self.names or len(index) != len(self.shape):
            return []
        entry = (
            int(np.ravel_multi_index(index, self.shape)) if index else self.names.index(parameter)
        )
        return [(int(i), int(j)) for i, j in np.argwhere(self.entries == entry)]


def connections_of(graph: Float64Graph, layer: int) -> Connections | None:
    """Return the edges into the units of a layer (counted from 0), None if there are none.

    A matrix of shape (units before, units after), or its transpose in W @ x, has all edges between
    them. A vector has those into a single unit, or (a scale) those from each unit to itself. In a
    graph of scalars an edge is a product of a leaf and a unit. The edges of a result that bypasses
    the layer carry no weight.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> graph = Float64Graph(tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1))), model)
    >>> edges = connections_of(graph, 0)
    >>> edges.before, edges.after, edges.name(1, 2)
    (('x[0]', 'x[1]'), ('h₁[0]', 'h₁[1]', 'h₁[2]'), 'W₁[1, 2]')
    """
    after = Units(graph, layer)
    before = Units(graph, layer - 1) if layer else None
    parameters = graph.layers[layer].parameters
    if all(x.shape == () for x in parameters):
        return _scalars(graph, layer, before, after)
    known = [x for x in parameters if x in graph.names.paths] or parameters
    arrays = [x for x in known if x.ndim == 2] or [
        x for x in known if x.ndim == 1 and all(y.ndim < 2 for y in known)
    ]
    found = []
    for value in arrays:
        for upright in _orientations(graph, layer, value):
            block = _block(value.shape if upright else value.shape[::-1], before, after)
            if block is not None:
                found.append((value, block, upright))
    if len(found) != 1:  # with several, as in attention, none is the weight of an edge
        return None
    value, block, upright = found[0]
    return _array(graph, value, before, after, block[:2], upright, block[2] > 1)


def _orientations(graph: Float64Graph, layer: int, value: Value) -> set[bool]:
    """Return whether the rows of a matrix are the units before a layer (x @ W), or not (W @ x).

    Empty if it is used in any other way: then no entry of it is the weight of an edge.
    """
    found: set[bool] = set()
    for x in graph.layers[layer].results:
        operation, operands, numbers, _ = x.record  # type: ignore[misc]
        for position, operand in enumerate(operands):
            if operand is not value:
                continue
            if operation.matrix_product:
                turned = value.ndim == 2 and np.ndim(numbers[1]) == 1
                found |= {True} if position == 1 else {False} if turned else set()
            elif operation.name == "transpose_to" and value.ndim == 2:
                found |= {not upright for upright in _orientations(graph, layer, x)}
            elif operation.name == ("getitem_at" if value.ndim == 2 else "multiply"):
                found.add(True)
    return found if len(found) < 2 else set()


def _block(
    shape: tuple[int, ...], before: Units | None, after: Units
) -> tuple[int, int, int] | None:
    """Return the first unit before a layer, and the first of the layer, that a parameter connects.

    The third number is the count of units of the result that it leads to. A vector is a matrix of
    one column if the layer has one unit, else a scale of each unit.
    """
    own = [x for x in after.cut if before is None or not any(x is y for y in before.cut)]
    columns = {shape[-1], 1} if len(shape) == 1 else {shape[1]}
    for x in own:
        if after.count(x) in columns:
            if before is None:
                return (
                    None
                    if len(shape) == 1 and after.count(x) > 1
                    else (0, after.start(x), after.count(x))
                )
            for y in before.cut:
                if before.count(y) == shape[0]:
                    return before.start(y), after.start(x), after.count(x)
    return None


def _array(
    graph: Float64Graph,
    value: Value,
    before: Units | None,
    after: Units,
    block: tuple[int, int],
    upright: bool,
    scale: bool,
) -> Connections:
    """Return the edges of a matrix, or of a scale, and those of results that bypass the layer."""
    data = np.asarray(graph.twin[value]._content)
    gradient = np.asarray(graph.gradient(value))
    names = before.labels if before else [f"x[{i}]" for i in range(data.shape[not upright])]
    entries = np.full((len(names), len(after.labels)), -1)
    numbered: Array = np.arange(data.size)
    row, column = block
    if data.ndim == 1 and scale:
        steps = np.arange(data.size)
        entries[row + steps, column + steps] = steps
    else:
        numbered = numbered.reshape(len(data), int(np.prod(data.shape[1:])))
        numbered = numbered if upright else numbered.T
        height, width = numbered.shape
        entries[row : row + height, column : column + width] = numbered
    there = entries >= 0
    weights = np.where(there, data.ravel()[entries], 0.0)
    gradients = np.where(there, gradient.ravel()[entries], 0.0)
    if before:
        for x in after.cut:
            if any(x is y for y in before.cut):
                steps = np.arange(after.count(x))
                there[before.start(x) + steps, after.start(x) + steps] = True
    return Connections(
        tuple(names), tuple(after.labels), weights, gradients, there,
        (graph.names.text(value),), value.shape, entries,
    )  # fmt: skip


def _scalars(
    graph: Float64Graph, layer: int, before: Units | None, after: Units
) -> Connections | None:
    """Return the edges of a graph of scalars: the products whose sum is each unit."""
    members = set(graph.layers[layer].results)
    parameters = set(graph.layers[layer].parameters)
    edges: list[tuple[int, int, Value]] = []
    for column, unit in enumerate(after.cut):
        position = 0
        for product in _products(unit, members):
            operands = product.record.operands  # type: ignore[union-attr]
            leaf = next(x for x in operands if type(x) is Value and x.record is None)
            if leaf not in parameters:
                return None
            other = operands[1] if operands[0] is leaf else operands[0]
            if before is None:
                row: int | None = position
                position += 1
            else:
                row = next((i for i, x in enumerate(before.cut) if x is other), None)
            if row is None:
                return None
            edges.append((row, column, leaf))
    if not edges:
        return None
    height = 1 + max(row for row, _, _ in edges)
    names = before.labels if before else [f"x[{i}]" for i in range(height)]
    shape = (len(names), len(after.labels))
    weights, gradients, entries = np.zeros(shape), np.zeros(shape), np.full(shape, -1)
    for number, (row, column, leaf) in enumerate(edges):
        weights[row, column] = float(graph.twin[leaf]._content)
        gradients[row, column] = float(graph.gradient(leaf))
        entries[row, column] = number
    of_edges = tuple(graph.names.text(leaf) for _, _, leaf in edges)
    return Connections(
        tuple(names), tuple(after.labels), weights, gradients, entries >= 0,
        of_edges, (), entries,
    )  # fmt: skip


def _products(unit: Value, members: Sequence[Value] | set[Value]) -> Iterator[Value]:
    """Yield the products with a leaf that a result of a layer is computed from, oldest first."""
    seen: set[Value] = set()
    waiting = [unit]
    found = []
    while waiting:
        value = waiting.pop()
        if value in seen or value not in members:
            continue
        seen.add(value)
        operation, operands, _, _ = value.record  # type: ignore[misc]
        of = [x for x in operands if type(x) is Value]
        if operation.name == "multiply" and any(x.record is None for x in of):
            found.append(value)
        else:
            waiting += of
    return iter(sorted(found, key=lambda x: x._serial))
