"""The slopes of activations: what a gradient is multiplied by where it passes through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.chain_rule import pull_back
from ...core.primitive import PRIMITIVES
from ...support.abstract_array import Array
from ..graphs.layers import Layer
from .float64_graph import Recorded
from .units import by_units, has_kernels


@dataclass(frozen=True, eq=False)
class Activation:
    """An activation of a layer, and its slopes at the numbers of the moment.

    - `operation`: its name ("tanh"); `slopes`: of the shape of its result
    - `dead`: the units whose slope is exactly 0 in every row: no gradient passes through them
    - `stuck`: those of the dead ones that get no gradient in any other way, such as a skip
      connection past the activation: no weight into them learns
    - `units`: how many there are
    """

    operation: str
    slopes: Array
    dead: tuple[int, ...]
    stuck: tuple[int, ...]
    units: int

    @property
    def mean(self) -> float:
        """The mean size of the slopes."""
        return float(np.mean(np.abs(self.slopes)))

    @property
    def most(self) -> float | None:
        """The largest slope that this activation has anywhere, None where it is not known."""
        operation = PRIMITIVES.get(self.operation)
        return None if operation is None else operation.max_slope


def activations_of(recorded: Recorded, layer: Layer) -> tuple[Activation, ...]:
    """The functions of one operand, entry by entry, among the results of a layer.

    Those on numbers (a graph of scalars) are taken together by operation, each one a unit.

    >>> model = tg.nn.MLP(1, [2], 1, generator=0)
    >>> for parameter in model.parameters():
    ...     parameter.data = np.full(parameter.shape, -1.0)
    >>> recorded = Recorded(tg.losses.mse(model(np.ones((3, 1))), np.ones((3, 1))), model)
    >>> activations_of(recorded, recorded.layers[0])[0].dead
    (0, 1)
    """
    found = []
    kernels = has_kernels(layer)
    scalars: dict[str, list[tuple[Array, Array]]] = {}
    for value in layer.results:
        operation, operands, _, _ = value.record  # type: ignore[misc]
        if operation.kind != "elementwise" or len(operands) != 1:
            continue
        twin, source = recorded.twin[value], recorded.twin[operands[0]]
        ones = np.ones(twin.shape) if twin.shape else 1.0
        slopes = np.asarray(pull_back({twin: ones}, wanted={source})[source])
        gradient = np.asarray(recorded.gradient(operands[0]))
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
    """An activation with its dead units found; `gradient` is that of its operand."""
    by_unit = by_units(slopes, axis)
    dead = ~by_unit.any(axis=1)
    stuck = dead & ~by_units(gradient, axis).any(axis=1)
    named, lost = (tuple(int(i) for i in np.flatnonzero(units)) for units in (dead, stuck))
    return Activation(operation, slopes, named, lost, len(by_unit))
