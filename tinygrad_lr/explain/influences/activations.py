"""The slopes of activations: the factors of a gradient that passes through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.chain_rule import pull_back
from ...core.primitive import PRIMITIVES
from ...support.abstract_array import Array
from ..graphs.layers import Layer
from .float64_graph import Float64Graph
from .units import has_kernels, split_by_unit


@dataclass(frozen=True, eq=False)
class Activation:
    """An activation of a layer, and its slopes at the current numbers.

    - `operation`: its name ("tanh"); `slopes`: an array with the shape of its result
    - `dead`: the units whose slope is exactly 0 in every row: no gradient passes through them
    - `stuck`: the dead units that get no gradient by any other path, such as a skip connection past
      the activation: the weights into them do not learn
    - `units`: the number of units
    """

    operation: str
    slopes: Array
    dead: tuple[int, ...]
    stuck: tuple[int, ...]
    units: int

    @property
    def mean(self) -> float:
        """The mean magnitude of the slopes."""
        return float(np.mean(np.abs(self.slopes)))

    @property
    def most(self) -> float | None:
        """The largest slope that this activation can have, None if unknown."""
        operation = PRIMITIVES.get(self.operation)
        return None if operation is None else operation.max_slope


def activations_of(graph: Float64Graph, layer: Layer) -> tuple[Activation, ...]:
    """Return the elementwise functions of one operand among the results of a layer.

    In a graph of scalars, the results of one operation are the units of one activation.

    >>> model = tg.nn.MLP(1, [2], 1, generator=0)
    >>> for parameter in model.parameters():
    ...     parameter.data = np.full(parameter.shape, -1.0)
    >>> graph = Float64Graph(tg.losses.mse(model(np.ones((3, 1))), np.ones((3, 1))), model)
    >>> activations_of(graph, graph.layers[0])[0].dead
    (0, 1)
    """
    found = []
    kernels = has_kernels(layer)
    scalars: dict[str, list[tuple[Array, Array]]] = {}
    for value in layer.results:
        operation, operands, _, _ = value.record  # type: ignore[misc]
        if operation.kind != "elementwise" or len(operands) != 1:
            continue
        twin, source = graph.twin[value], graph.twin[operands[0]]
        ones = np.ones(twin.shape) if twin.shape else 1.0
        slopes = np.asarray(pull_back({twin: ones}, wanted={source})[source])
        gradient = np.asarray(graph.gradient(operands[0]))
        if not slopes.shape:
            scalars.setdefault(operation.name, []).append((slopes, gradient))
            continue
        axis = 1 if kernels and slopes.ndim > 2 else slopes.ndim - 1
        found.append(_activation(operation.name, slopes, gradient, axis))
    for name, pairs in scalars.items():
        slopes, gradients = (np.stack(numbers) for numbers in zip(*pairs, strict=True))
        found.append(_activation(name, slopes, gradients, 0))
    return tuple(found)


def _activation(operation: str, slopes: Array, gradient: Array, axis: int) -> Activation:
    """Return an activation with its dead units; `gradient` is that of its operand."""
    by_unit = split_by_unit(slopes, axis)
    dead = ~by_unit.any(axis=1)
    stuck = dead & ~split_by_unit(gradient, axis).any(axis=1)
    named, lost = (tuple(int(i) for i in np.flatnonzero(units)) for units in (dead, stuck))
    return Activation(operation, slopes, named, lost, len(by_unit))
