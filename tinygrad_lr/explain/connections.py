"""The weights between the units of one layer and the next: what a drawing of a network shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..value import Value
from .recorded import Recorded
from .units import Units

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Connections:
    """The weight and its gradient on the edge from each unit before a layer to each of its own.

    - `before`, `after`: labels of the units; `before` is x[0], x[1], ... for the first layer
    - `weights`, `gradients`: (units before, units after); 0 where `there` is False
    - `there`: which edges there are
    - `parameters`: for each edge, the name of its weight, by place: {(0, 3): "W₁[0, 3]"}
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    weights: Array
    gradients: Array
    there: Array
    parameters: Mapping[tuple[int, int], str]


def connections_of(recorded: Recorded, layer: int) -> Connections | None:
    """The edges into the units of a layer (counted from 0), None where there are none.

    A matrix of shape (units before, units after), or the other way round in W @ x, gives all edges
    between them, a vector those into a single unit, or (a scale) those from each unit to itself;
    in a graph of scalars an edge is a product of a leaf and a unit. Where a result passes by, its
    edges carry no weight.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> recorded = Recorded(tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1))), model)
    >>> edges = connections_of(recorded, 0)
    >>> edges.before, edges.after, edges.parameters[1, 2]
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
    for value in arrays:
        for upright in _ways(recorded, layer, value):
            shape = value.shape if upright else value.shape[::-1]
            block = _block(shape, before, after)
            if block is not None:
                return _array(recorded, value, before, after, block, upright)
    return None


def _ways(recorded: Recorded, layer: int, value: Value) -> list[bool]:
    """Whether the rows of a matrix stand for the units before a layer (x @ W), or W @ x."""
    for x in recorded.layers[layer].results:
        operation, operands, numbers, _ = x._record  # type: ignore[misc]
        if operation.name == "matmul" and operands[0] is value and value.ndim == 2:
            return [False] if np.ndim(numbers[1]) == 1 else []
        if operation.name == "affine" and operands[0] is value:
            return []
    return [True]


def _block(shape: tuple[int, ...], before: Units | None, after: Units) -> tuple[int, int] | None:
    """Where the edges of a parameter begin: at which unit before a layer, and at which of its own.

    A vector is a matrix of one column where the layer has one unit, else a scale of each unit.
    """
    own = [x for x in after.cut if before is None or not any(x is y for y in before.cut)]
    columns = {shape[-1], 1} if len(shape) == 1 else {shape[1]}
    for x in own:
        if after.count(x) in columns:
            if before is None:
                return None if len(shape) == 1 and after.count(x) > 1 else (0, after.start(x))
            for y in before.cut:
                if before.count(y) == shape[0]:
                    return before.start(y), after.start(x)
    return None


def _array(
    recorded: Recorded,
    value: Value,
    before: Units | None,
    after: Units,
    block: tuple[int, int],
    upright: bool,
) -> Connections:
    """The edges of a matrix, or of a scale, and those of what passes by."""
    data = np.asarray(recorded.twin[value]._content)
    gradient = np.asarray(recorded.gradient(value))
    names = before.labels if before else [f"x[{i}]" for i in range(data.shape[not upright])]
    shape = (len(names), len(after.labels))
    weights, gradients, there = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    found = {}
    text = recorded.names.text(value)
    scale = data.ndim == 1 and len(after.labels) > 1
    for index in np.ndindex(data.shape):
        row, column = (index if upright else index[::-1]) if data.ndim == 2 else (index[0], 0)
        place = (block[0] + row, block[1] + (row if scale else column))
        weights[place], gradients[place], there[place] = data[index], gradient[index], True
        found[place] = f"{text}[{', '.join(map(str, index))}]"
    if before:
        for x in after.cut:
            if any(x is y for y in before.cut):
                steps = np.arange(after.count(x))
                there[before.start(x) + steps, after.start(x) + steps] = True
    return Connections(tuple(names), tuple(after.labels), weights, gradients, there, found)


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
            operands = product._record[1]  # type: ignore[index]
            leaf = next(x for x in operands if type(x) is Value and x._record is None)
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
    weights, gradients, there = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    for row, column, leaf in edges:
        weights[row, column] = float(recorded.twin[leaf]._content)
        gradients[row, column] = float(recorded.gradient(leaf))
        there[row, column] = True
    found = {(row, column): recorded.names.text(leaf) for row, column, leaf in edges}
    return Connections(tuple(names), tuple(after.labels), weights, gradients, there, found)


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
        operation, operands, _, _ = value._record  # type: ignore[misc]
        of = [x for x in operands if type(x) is Value]
        if operation.name == "multiply" and any(x._record is None for x in of):
            found.append(value)
        else:
            waiting += of
    return iter(sorted(found, key=lambda x: x._age))
