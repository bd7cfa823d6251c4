"""The units of a layer: its numbers summed over rows and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.value import Value
from ...support.abstract_array import Array
from ..graphs.layers import Layer
from .float64_graph import Float64Graph


class Units:
    """The output of a layer by units: columns of a dense layer, channels, scalars.

    - `cut`: the Values that the layer passes on; `labels`: a name for each unit ("h₁[3]")

    Units are along the last axis, or along axis 1 for a layer with kernels (a convolution); the
    axis of rows, and all others, are summed over.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> graph = Float64Graph(tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1))), model)
    >>> Units(graph, 0).labels, Units(graph, 0).sum_units([np.ones((4, 3))]).tolist()
    (['h₁[0]', 'h₁[1]', 'h₁[2]'], [4.0, 4.0, 4.0])
    """

    def __init__(self, graph: Float64Graph, layer: int) -> None:
        kernels = has_kernels(graph.layers[layer])
        self.cut = graph.cuts[layer]
        self.batch = graph.batch
        self.axes: list[int | None] = []
        self.labels: list[str] = []
        self.counts: list[int] = []
        for x in self.cut:
            rows = self.batch is not None and x.shape[:1] == (self.batch,)
            axis = None if x.ndim <= rows else 1 if kernels and rows else x.ndim - 1
            count = 1 if axis is None else x.shape[axis]
            name = graph.names.text(x)
            self.axes.append(axis)
            self.counts.append(count)
            self.labels += [name] if axis is None else [f"{name}[{i}]" for i in range(count)]

    def sum_units(self, arrays: Sequence[Any]) -> Array:
        """Return the sum over all numbers of each unit: (units,)."""
        parts = [
            np.sum(x) if axis is None else np.sum(split_by_unit(x, axis), 1)
            for x, axis in zip(arrays, self.axes, strict=True)
        ]
        return np.concatenate([np.atleast_1d(part) for part in parts])

    def by_row(self, arrays: Sequence[Any]) -> Array | None:
        """Return the same for each row: (rows, units), None if a Value has no rows."""
        if self.batch is None or any(np.shape(x)[:1] != (self.batch,) for x in arrays):
            return None
        parts = [
            np.sum(x, axis=tuple(range(1, np.ndim(x))))[:, None]
            if axis is None
            else np.sum(x, axis=tuple(i for i in range(1, np.ndim(x)) if i != axis))
            for x, axis in zip(arrays, self.axes, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def keep_unit(self, arrays: Sequence[Any], unit: int) -> list[Any]:
        """Return the arrays with zeros in all units but one."""
        found = []
        for x, axis, count in zip(arrays, self.axes, self.counts, strict=True):
            kept = np.zeros_like(x)
            if 0 <= unit < count:
                index = () if axis is None else (slice(None),) * axis + (unit,)
                kept = np.array(x) if axis is None else kept
                kept[index] = np.asarray(x)[index]
            found.append(kept[()] if np.ndim(x) else kept)
            unit -= count
        return found

    def count(self, member: Value) -> int:
        """Return the number of units of a Value of the cut."""
        return next(n for x, n in zip(self.cut, self.counts, strict=True) if x is member)

    def start(self, member: Value) -> int:
        """Return the first unit of a Value of the cut."""
        index = next(i for i, x in enumerate(self.cut) if x is member)
        return sum(self.counts[:index])


def split_by_unit(x: Any, axis: int) -> Array:
    """Return the numbers of each unit: (units, numbers of each)."""
    moved = np.moveaxis(np.asarray(x), axis, 0)
    return moved.reshape(len(moved), int(np.prod(moved.shape[1:])))


def has_kernels(layer: Layer) -> bool:
    """Return whether the units of a layer are along axis 1, as the channels of a convolution."""
    return any(x.ndim >= 3 for x in layer.parameters)
