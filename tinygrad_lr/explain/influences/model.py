"""The data of an influence: layers with their parameters, gradients and Jacobians, and weights."""

from __future__ import annotations

from dataclasses import dataclass

from ...support.abstract_array import Array
from .activations import Activation
from .edge_weights import Connections
from .jacobians import Jacobian, euclidean_norm
from .selection import Entry, largest_entry
from .weight import WeightInfluence


@dataclass(frozen=True, eq=False)
class ParameterInfluence:
    """A parameter with its gradient (float64), the gradient's norm, and its largest entry.

    - `name`: its name in formulas (W₁); `path`: its path in the model, "" without one
    - `data`: the numbers that the loss was computed with
    """

    name: str
    path: str
    data: Array
    gradient: Array

    @property
    def norm(self) -> float:
        """The Euclidean norm of the gradient."""
        return euclidean_norm(self.gradient)

    @property
    def largest(self) -> Entry:
        """The index of the gradient's entry of largest magnitude; nan counts as largest."""
        return largest_entry(self.gradient)


@dataclass(frozen=True, eq=False)
class LayerInfluence:
    """A layer: the gradients of its parameters, and its factor in the chain to the loss.

    - `output`: the name of its output (h₁), and of the skip connections that bypass it
    - `cotangent`: dL/d(output), (rows, numbers), or one row without an axis of rows
    - `factor`: ∂(output)/∂(output of the layer before), None for the first layer
    - `product`: ∂(output of the last layer)/∂(output), the product of all factors above this
      layer; None for the last layer
    - `activations`: the slopes of its activations
    - `units`: a label for each unit of the output (h₁[3])
    - `connections`: the weights on the edges into its units, None if it has no such edges
    - `before_activation`: the name of z, which its activation reads (its output if it has none)
    - `delta`: δ = dL/dz, as `cotangent`; `recursion`: its formula, from the δ of the layer above
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

    before_activation: str
    delta: Array
    recursion: str

    @property
    def cotangent_norm(self) -> float:
        """The Euclidean norm of dL/d(output), over all rows."""
        return euclidean_norm(self.cotangent)

    @property
    def delta_norm(self) -> float:
        """The Euclidean norm of δ = dL/dz, over all rows."""
        return euclidean_norm(self.delta)


@dataclass(frozen=True, eq=False)
class TimeInfluence:
    """The gradient of a recurrent layer along time: the norm of dL/dh for each step, (steps,).

    `name` is that of its recurrent weight, `kind` its operation, such as "lstm_states".
    """

    name: str
    kind: str
    norms: Array


@dataclass(frozen=True, eq=False, repr=False)
class InfluenceData:
    """The layers and the chosen weights, as findings and tables read them.

    `Influence` adds the findings and tables as methods, and documents the fields.
    """

    loss: float
    batch: int | None
    layers: tuple[LayerInfluence, ...]
    weights: tuple[WeightInfluence, ...]
    in_time: tuple[TimeInfluence, ...] = ()
