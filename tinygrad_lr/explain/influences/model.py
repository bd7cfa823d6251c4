"""The data of an influence: layers with their parameters, gradients and Jacobians, and weights."""

from __future__ import annotations

from dataclasses import dataclass

from ...support.abstract_array import Array
from .activations import Activation
from .edge_weights import Connections
from .jacobians import Jacobian, length
from .selection import Entry, largest_entry
from .weight import WeightInfluence


@dataclass(frozen=True, eq=False)
class ParameterInfluence:
    """A parameter: dL/d(it) as an array (float64), its length, and its largest entry.

    - `name`: as formulas call it (W₁); `path`: where it is in the model, "" without one
    - `data`: the numbers that the loss was computed with
    """

    name: str
    path: str
    data: Array
    gradient: Array

    @property
    def norm(self) -> float:
        """The length of the gradient: the root of the sum of its squares."""
        return length(self.gradient)

    @property
    def largest(self) -> Entry:
        """The place of the entry whose gradient is largest in magnitude; nan counts as largest."""
        return largest_entry(self.gradient)


@dataclass(frozen=True, eq=False)
class LayerInfluence:
    """A layer: the gradients of its parameters, and its factor in the chain to the loss.

    - `output`: what the layer hands on, by name (h₁); where a skip connection passes by, that too
    - `cotangent`: dL/d(output), (rows, numbers), or one row where there is no axis of rows
    - `factor`: ∂(output)/∂(output of the layer before), None for the first layer
    - `product`: ∂(output of the last layer)/∂(output), the product of all factors above this
      layer; None for the last layer
    - `activations`: the slopes of its activations
    - `units`: a label for each unit of the output (h₁[3])
    - `connections`: the weights on the edges into its units, None where it has no such edges
    """

    name: str
    output: str
    parameters: tuple[ParameterInfluence, ...]
    cotangent: Array
    factor: Jacobian | None
    product: Jacobian | None
    activations: tuple[Activation, ...]
    units: tuple[str, ...]
    connections: Connections | None

    @property
    def cotangent_norm(self) -> float:
        """The length of dL/d(output), over all rows."""
        return length(self.cotangent)


@dataclass(frozen=True, eq=False, repr=False)
class InfluenceData:
    """The layers and the chosen weights: what findings and tables are made from.

    `Influence` adds those to it, and describes the fields.
    """

    loss: float
    batch: int | None
    layers: tuple[LayerInfluence, ...]
    weights: tuple[WeightInfluence, ...]
