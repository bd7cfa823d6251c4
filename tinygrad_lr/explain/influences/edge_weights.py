"""The weights between the units of one layer and the next: what a drawing of a network shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from .float64_graph import Recorded
from .units import Units


@dataclass(frozen=True, eq=False)
class Connections:
    """The weight and its gradient on the edge from each unit before a layer to each of its own.

    - `before`, `after`: labels of the units; `before` is x[0], x[1], ... for the first layer
    - `weights`, `gradients`: (units before, units after); 0 where `there` is False
    - `there`: which edges there are
    - `names`: of the parameter, or of all the parameters in a graph of scalars
    - `shape`: of the parameter, () in a graph of scalars
    - `entries`: (units before, units after), which entry of the parameter stands on an edge, its
      rows read one after another (of scalars, which parameter); -1 where there is none
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
        """What the weight on an edge is called (W₁[0, 3]), "" where there is none."""
        entry = int(self.entries[before, after])
        if entry < 0:
            return ""
        if not self.shape:
            return self.names[entry]
        index = np.unravel_index(entry, self.shape)
        return f"{self.names[0]}[{', '.join(map(str, index))}]"

    def places(self, parameter: str, index: tuple[int, ...]) -> list[tuple[int, int]]:
        """The edges that an entry of a parameter stands on."""
        if parameter not in self.names or len(index) != len(self.shape):
            return []
        entry = (
            int(np.ravel_multi_index(index, self.shape)) if index else self.names.index(parameter)
        )
        return [(int(i), int(j)) for i, j in np.argwhere(self.entries == entry)]


def connections_of(recorded: Recorded, layer: int) -> Connections | None:
    """The edges into the units of a layer (counted from 0), None where there are none.

    A matrix of shape (units before, units after), or the other way round in W @ x, gives all edges
    between them, a vector those into a single unit, or (a scale) those from each unit to itself;
    in a graph of scalars an edge is a product of a leaf and a unit. Where a result passes by, its
    edges carry no weight.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> recorded = Recorded(tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1))), model)
    >>> edges = connections_of(recorded, 0)
    >>> edges.before, edges.after, edges.name(1, 2)
    (('x[0]', 'x[1]'), ('h₁[0]', 'h₁[1]', 'h₁[2]'), 'W₁[1, 2]')
    """
    after = Units(recorded, layer)
    before = Units(recorded, layer - 1) if layer else None
    parameters = recorded.layers[layer].parameters
    if all(x.shape == () for x in parameters):
        return _scalars(recorded, layer, before, after)
    known = [x for x in parameters if x in recorded.names.paths] or parameters
    arrays = [x for x in known if x.ndim == 2] or [
        x for x in known if x.ndim == 1 and all(y.ndim < 2 for y in known)
    ]
    found = []
    for value in arrays:
        for upright in _ways(recorded, layer, value):
            block = _block(value.shape if upright else value.shape[::-1], before, after)
            if block is not None:
                found.append((value, block, upright))
    if len(found) != 1:  # of several, as in attention, none is the weight of an edge
        return None
    value, block, upright = found[0]
    return _array(recorded, value, before, after, block[:2], upright, block[2] > 1)


def _ways(recorded: Recorded, layer: int, value: Value) -> set[bool]:
    """Whether the rows of a matrix stand for the units before a layer (x @ W), or not (W @ x).

    Empty where it is read in any other way: then no entry of it is the weight of an edge.
    """
    found: set[bool] = set()
    for x in recorded.layers[layer].results:
        operation, operands, numbers, _ = x.record  # type: ignore[misc]
        for place, operand in enumerate(operands):
            if operand is not value:
                continue
            if operation.matrix_product:
                turned = value.ndim == 2 and np.ndim(numbers[1]) == 1
                found |= {True} if place == 1 else {False} if turned else set()
            elif operation.name == "transpose_to" and value.ndim == 2:
                found |= {not upright for upright in _ways(recorded, layer, x)}
            elif operation.name == ("getitem_at" if value.ndim == 2 else "multiply"):
                found.add(True)
    return found if len(found) < 2 else set()


def _block(
    shape: tuple[int, ...], before: Units | None, after: Units
) -> tuple[int, int, int] | None:
    """Where the edges of a parameter begin: at which unit before a layer, and at which of its own.

    The third is how many units the result has that it leads to. A vector is a matrix of one column
    where the layer has one unit, else a scale of each unit.
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
    recorded: Recorded,
    value: Value,
    before: Units | None,
    after: Units,
    block: tuple[int, int],
    upright: bool,
    scale: bool,
) -> Connections:
    """The edges of a matrix, or of a scale, and those of what passes by."""
    data = np.asarray(recorded.twin[value]._content)
    gradient = np.asarray(recorded.gradient(value))
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
        (recorded.names.text(value),), value.shape, entries,
    )  # fmt: skip


def _scalars(
    recorded: Recorded, layer: int, before: Units | None, after: Units
) -> Connections | None:
    """The edges of a graph of scalars: the products that each unit is the sum of."""
    members = set(recorded.layers[layer].results)
    parameters = set(recorded.layers[layer].parameters)
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
        weights[row, column] = float(recorded.twin[leaf]._content)
        gradients[row, column] = float(recorded.gradient(leaf))
        entries[row, column] = number
    of_edges = tuple(recorded.names.text(leaf) for _, _, leaf in edges)
    return Connections(
        tuple(names), tuple(after.labels), weights, gradients, entries >= 0,
        of_edges, (), entries,
    )  # fmt: skip


def _products(unit: Value, members: Sequence[Value] | set[Value]) -> Iterator[Value]:
    """The products with a leaf that a result of a layer is computed from, in their order."""
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
