"""The factors of one path from a weight to the loss: x · σ′ · w · σ′ · w · dL/dŷ, in one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back
from ...core.value import Value
from ...support.text_format import index_text
from ..graphs.layers import Layer
from .edge_weights import Connections, connections_of
from .float64_graph import Float64Graph
from .paths import Journey, Path

SIGNS = {"sigmoid": "σ′"}
"""Names of derivatives that aren't that of the operation with a prime."""


@dataclass(frozen=True)
class PathFactors:
    """The derivatives along a path in one row of the batch; their product is the row's part."""

    row: int
    names: tuple[str, ...]
    numbers: tuple[float, ...]
    product: float


def activation_of(layer: Layer) -> Value | None:
    """Return the layer's output if it is an elementwise function of one result of the layer."""
    record = layer.output.record
    if record is None or record.operation.kind != "elementwise" or len(record.operands) != 1:
        return None
    before = record.operands[0]
    return layer.output if any(before is x for x in layer.results) else None


def before_activation(layer: Layer) -> Value:
    """Return z, the result that the activation of a layer reads; its output if it has none."""
    output = activation_of(layer)
    return layer.output if output is None else output.record.operands[0]  # type: ignore[union-attr]


def slope_name(output: Value) -> str:
    """Return the name of an activation's derivative: tanh′."""
    name = output.record.operation.name  # type: ignore[union-attr]
    return SIGNS.get(name, f"{name}′")


def path_factors(
    graph: Float64Graph, journey: Journey, path: Path, index: tuple[int, ...], row: int
) -> PathFactors | None:
    """Return the factors of a path in a row, or None unless each layer is a matrix of weights.

    None, too, if their product is not the row's part of the path, as beside a skip connection.
    """
    if path.by_row is None:
        return None
    names: list[str] = []
    numbers: list[float] = []

    def add(name: str, number: Any) -> None:
        names.append(name)
        numbers.append(float(number))

    try:
        for position, unit in enumerate(path.units):
            level = journey.first + position
            layer, edges = graph.layers[level], connections_of(graph, level)
            output, z = activation_of(layer), before_activation(layer)
            if position == 0:
                change = float(journey.changes[z][row, unit])
                plain = f"∂{graph.names.text(z)}[{unit}]/∂{journey.name}{index_text(index)}"
                add(_input_name(edges, unit, journey, index, change) or plain, change)
            elif edges is None:
                return None
            else:
                before = path.units[position - 1]
                add(edges.name(before, unit), edges.weights[before, unit])
            if output is not None:
                slopes = pull_back({graph.twin[output]: np.ones(output.shape)})[graph.twin[z]]
                add(f"{slope_name(output)}({graph.names.text(z)}[{unit}])", slopes[row, unit])
        last = graph.cuts[-1][-1]
        cotangent = np.asarray(graph.cotangents[-1][-1])
        add(f"dL/d{graph.names.text(last)}[{path.units[-1]}]", cotangent[row, path.units[-1]])
    except (IndexError, KeyError, TypeError):
        return None  # a layer whose units aren't the columns of its output
    product = float(np.prod(numbers))
    if not np.isclose(product, path.by_row[row], rtol=1e-9, atol=1e-300):
        return None
    return PathFactors(row, tuple(names), tuple(numbers), product)


def _input_name(
    edges: Connections | None, unit: int, journey: Journey, index: tuple[int, ...], change: float
) -> str:
    """Return what the weight multiplies: an input x[1], or 1 for a bias; "" for anything else."""
    if edges is not None:
        for before, after in edges.edges_of(journey.name, index):
            if after == unit:
                return edges.before[before]
    return "1" if change == 1 else ""
