"""How the weights of earlier layers affect the loss: `influence`, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ArgumentError, refuse
from ..nn import Module
from ..silence import silent
from ..value import Value
from .activations import Activation, activations_of
from .connections import Connections, connections_of
from .jacobians import Chain, Factor, Jacobian
from .numbers import number_text
from .paths import Journey, Path, Through
from .recorded import Recorded
from .units import Units

Array = np.ndarray[Any, np.dtype[Any]]
Entry = tuple[int, ...]
Weight = str | Value | tuple[str | Value, Any]

KINKED = frozenset({"relu", "leaky_relu", "abs"})
MOST_NAMED = 3  # outputs of a layer
MOST_ROWS = 4  # of the batch, whose Jacobians are looked at unless rows are named


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
        return float(np.linalg.norm(self.gradient.ravel()))

    @property
    def largest(self) -> Entry:
        """The place of the entry whose gradient is largest in magnitude; nan counts as largest."""
        magnitudes = np.where(np.isnan(self.gradient), np.inf, np.abs(self.gradient))
        return tuple(int(i) for i in np.unravel_index(magnitudes.argmax(), magnitudes.shape))


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
        return float(np.linalg.norm(self.cotangent))


class WeightInfluence:
    """One entry of a parameter, and how the loss follows it.

    - `name` (W₁[0, 3]), `path` in the model, `index`, `layer`
    - `value`, `gradient` dL/dw, `curvature` d²L/dw² (by forward mode over reverse mode)
    - `nudge` δ; `predicted` g·δ; `predicted_with_curvature` g·δ + ½·h·δ²; `seen`, L(w+δ) − L(w)
    - `by_row`: each row's part of dL/dw, (rows,), or None where there is no axis of rows
    - `through`: for each layer from its own on, what the paths through each unit contribute
    - `paths`: the paths one by one, the strongest first; `paths_complete`: whether these are all,
      so that with what comes later (`through[0].later`, where the parameter is read again) they
      add up to dL/dw
    """

    def __init__(
        self, recorded: Recorded, value: Value, index: Entry, nudge: float, layer: str
    ) -> None:
        self.parameter = recorded.names.text(value)
        self.path, self.index, self.layer = recorded.names.path(value), index, layer
        self.name = f"{self.parameter}[{', '.join(map(str, index))}]" if index else self.parameter
        self._recorded, self._leaf = recorded, value
        self._data = np.asarray(recorded.twin[value]._content)
        self.value = float(self._data[index])
        self.journey = Journey(recorded, value, index)
        self.gradient = self.journey.gradient
        direction = np.zeros(value.shape)
        direction[index] = 1.0
        bent = recorded.second_derivative(value, direction if value.shape else 1.0)
        self.curvature = float(np.asarray(bent)[index])
        self.nudge = nudge
        self.loss = recorded.loss_at({})
        self.seen = self.loss_at(self.value + nudge) - self.loss

    def loss_at(self, number: float) -> float:
        """The loss with this entry at another number, and all others as they are."""
        return self._recorded.loss_at({self._leaf: self._moved(number)})

    def _moved(self, number: float) -> Any:
        moved = self._data.copy()
        moved[self.index] = number
        return moved if self._leaf.shape else number

    @property
    def switched(self) -> int:
        """How many relu, leaky relu and abs meet the other side of their kink after the nudge.

        Where some do, the loss need not follow the gradient, however small the nudge.
        """
        now = self._recorded.at({self._leaf: self._moved(self.value + self.nudge)})
        count = 0
        for value in now:
            if value._record is not None and value._record[0].name in KINKED:
                (source,) = value._record[1]
                before = np.asarray(self._recorded.twin[source]._content) > 0
                count += int(np.sum(before != (np.asarray(now[source]) > 0)))
        return count

    def __repr__(self) -> str:
        """The weight and its gradient."""
        return f"{self.name} = {number_text(self.value)}: dL/dw = {number_text(self.gradient)}"

    @property
    def predicted(self) -> float:
        """The change that the gradient promises for the nudge: g·δ."""
        return self.gradient * self.nudge

    @property
    def predicted_with_curvature(self) -> float:
        """The change that gradient and curvature promise: g·δ + ½·h·δ²."""
        return self.predicted + 0.5 * self.curvature * self.nudge**2

    @property
    def through(self) -> tuple[Through, ...]:
        """For each layer from its own on, the part of dL/dw that goes through each unit."""
        return self.journey.through

    @property
    def by_row(self) -> Array | None:
        """The part of each row of the batch in dL/dw."""
        rows = self.through[-1].by_row if self.through else None
        return None if rows is None else np.asarray(rows.sum(axis=1))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths to the loss, the strongest first (of more than 256, those that were found)."""
        return self.journey.paths[0]

    @property
    def paths_complete(self) -> bool:
        """Whether `paths` are all that there are."""
        return self.journey.paths[1]

    @cached_property
    def edges(self) -> tuple[Array | None, ...]:
        """For each layer from its own on, the parts along the edges to the next layer's units."""
        last = len(self.journey.units) - 1
        return tuple(self.journey.edges(i) for i in range(self.journey.first, last))


@dataclass(frozen=True, eq=False, repr=False)
class Influence:
    """What `influence` found: the layers, the first one first, and the chosen weights.

    Its text is a table (`print` it, or look at it in a notebook); `findings` are sentences on
    what the numbers mean: whether the gradient vanishes or explodes on its way, and why.
    """

    loss: float
    batch: int | None
    layers: tuple[LayerInfluence, ...]
    weights: tuple[WeightInfluence, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """What the numbers mean, in sentences."""
        from .influence_words import findings

        return findings(self)

    def text(self) -> str:
        """The tables: by layer, the chain of factors, by weight; and the findings."""
        from .influence_text import influence_text

        return influence_text(self)

    __repr__ = text

    def _repr_html_(self) -> str:
        """The same tables for a notebook."""
        from .influence_text import influence_html

        return influence_html(self)


@silent
def influence(
    model: Module | None,
    loss: Value,
    *,
    weight: Weight | Sequence[Weight] | None = None,
    at: Entry | int | None = None,
    nudge: float = 1e-3,
    rows: Sequence[int] | None = None,
) -> Influence:
    """How the weights of each layer affect a loss: gradients, their factors, what a nudge does.

    By layer: dL/dW of each parameter, and the chain that makes it,
    dL/dhₖ = (∂hₖ₊₁/∂hₖ)ᵀ · dL/dhₖ₊₁, from the loss down: the Jacobians (at `rows` of the batch,
    up to 4 spread evenly unless they are named), their norms and singular values, and those of
    their products. By weight: dL/dw, the curvature d²L/dw², the change of the loss that they
    predict for a nudge, the change truly seen, and the part of each path from the weight to the
    loss. All of it is computed from the recorded graph in float64, whatever the dtype of the
    model, so the model is not called again; neither it, nor its gradients, modes and generators
    are changed.

    - `model`: gives layers and parameters their names; None for a graph without one
    - `loss`: the Value with one entry that was computed
    - `weight`: the path or Value of a parameter, or (it, entry), or a list of those. Without an
      entry, the one with the largest gradient; without anything, one weight of each layer
    - `at`: the entry of `weight`, as in `weight=W, at=(0, 3)`
    - `nudge`: by how much the weight is moved, in its own units

    Where rows of the batch mix (batch normalisation, attention over rows), a Jacobian is that of
    the whole batch. Jacobians of more than 512 numbers on both sides are not written out: their
    6 largest singular values are found by products (see `Jacobian`). Paths are followed one by
    one up to 256 (see `WeightInfluence.paths`); sums through units are always over all paths.

    Raises `ArgumentError` for a loss that was not computed with the model, and a weight or entry
    that it does not have; `GraphError` where the loss has more than one entry.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010; Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent
    neural networks", ICML 2013.

    >>> model = tg.nn.MLP(2, [3], 1, activation="tanh", dtype=np.float64, generator=0)
    >>> loss = tg.losses.mse(model(np.ones((4, 2))), np.zeros((4, 1)))
    >>> found = tg.influence(model, loss, weight="layers.0.weight", at=(0, 1))
    >>> [layer.name for layer in found.layers], found.weights[0].name
    (['layers.0', 'layers.2'], 'W₁[0, 1]')
    >>> w = found.weights[0]
    >>> bool(np.isclose(w.through[0].contributions.sum(), w.gradient))
    True
    >>> f"{w.predicted:.6e}, with curvature {w.predicted_with_curvature:.6e}, seen {w.seen:.6e}"
    '2.427387e-04, with curvature 2.427290e-04, seen 2.427289e-04'
    """
    _checked(model, loss, nudge)
    recorded = Recorded(loss, model)
    chosen_rows = _rows(rows, recorded.batch)
    layers = _layers(recorded, chosen_rows)
    owner = {x: layer.name for layer in reversed(recorded.layers) for x in layer.parameters}
    chosen = _weights(recorded, weight, at)
    weights = tuple(
        WeightInfluence(recorded, value, index, float(nudge), owner.get(value, "loss"))
        for value, index in chosen
    )
    return Influence(recorded.loss_at({}), recorded.batch, layers, weights)


def _checked(model: object, loss: object, nudge: float) -> None:
    """Refuse what is no model, no loss, no nudge."""
    if model is not None and not isinstance(model, Module):
        cure = "influence(model, loss): the model comes first"
        refuse(ArgumentError, "influence", "model is no module", expected="a Module or None",
               given=f"{model!r:.60}", cure=cure)  # fmt: skip
    if not isinstance(loss, Value):
        cure = "pass what the loss function returned"
        refuse(ArgumentError, "influence", "the loss is no Value", expected="a computed Value",
               given=f"{loss!r:.60}", cure=cure)  # fmt: skip
    if not (np.isfinite(nudge) and nudge != 0):
        refuse(ArgumentError, "influence", "nudge moves nothing that can be seen",
               expected="a finite number other than 0", given=nudge)  # fmt: skip


def _rows(rows: Sequence[int] | None, batch: int | None) -> tuple[int, ...]:
    """The rows whose Jacobians are looked at."""
    if rows is None:
        count = min(MOST_ROWS, batch or 1)
        return tuple(int(i) for i in np.linspace(0, (batch or 1) - 1, count).round())
    found = tuple(int(i) for i in np.atleast_1d(np.asarray(rows)))
    if not found or not all(0 <= i < (batch or 1) for i in found):
        refuse(ArgumentError, "influence", "there are no such rows in the batch",
               expected=f"numbers from 0 to {(batch or 1) - 1}", given=rows)  # fmt: skip
    return found


def _layers(recorded: Recorded, rows: Sequence[int]) -> tuple[LayerInfluence, ...]:
    """The layers with their factors, and the products of these."""
    batch = recorded.batch
    factors = [Factor(segment, batch) for segment in recorded.segments[:-1]]
    found = []
    for i, layer in enumerate(recorded.layers[:-1]):
        cut, cotangents = recorded.cuts[i], recorded.cotangents[i]
        factor = Chain(factors[i - 1 : i], batch).jacobian(rows) if i else None
        product = Chain(factors[i:], batch).jacobian(rows) if factors[i:] else None
        found.append(
            LayerInfluence(
                layer.name,
                _listed([recorded.names.text(x) for x in cut]),
                tuple(_parameter(recorded, x) for x in layer.parameters),
                _by_rows(cotangents, batch),
                factor,
                product,
                activations_of(recorded, layer),
                tuple(Units(recorded, i).labels),
                connections_of(recorded, i),
            )
        )
    return tuple(found)


def _listed(names: Sequence[str]) -> str:
    """Names side by side; of many the ends."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{names[0]}, … {names[-1]}"


def _by_rows(arrays: Sequence[Any], batch: int | None) -> Array:
    """Arrays side by side, a row for each row of the batch; what has none is left aside."""
    rows = [x for x in arrays if batch is not None and np.shape(x)[:1] == (batch,)]
    parts = rows or list(arrays)
    height = batch if rows and batch else 1
    return np.concatenate([np.reshape(x, (height, -1)) for x in parts], axis=1)


def _parameter(recorded: Recorded, value: Value) -> ParameterInfluence:
    """A parameter and its gradient."""
    return ParameterInfluence(
        recorded.names.text(value),
        recorded.names.path(value),
        np.array(recorded.twin[value]._content),
        np.array(recorded.gradient(value)),
    )


def _weights(
    recorded: Recorded, weight: Weight | Sequence[Weight] | None, at: Entry | int | None
) -> list[tuple[Value, Entry]]:
    """The chosen entries: those asked for, or the one of each layer with the largest gradient."""
    if weight is None:
        if at is not None:
            refuse(ArgumentError, "influence", "at= says which entry, but not of what",
                   expected="weight= with it", given=f"at={at}")  # fmt: skip
        found = {}
        for layer in recorded.layers:
            fresh = [x for x in layer.parameters if x not in found]  # a shared one is told once
            fresh = (
                [x for x in fresh if x in recorded.names.paths] if recorded.names.paths else fresh
            )
            if fresh:
                value, index = _largest(recorded, [x for x in fresh if x.ndim > 1] or fresh)
                found[value] = index
        return list(found.items())
    asked = weight if isinstance(weight, list) else [weight]
    return [_entry(recorded, one, at) for one in asked]


def _largest(recorded: Recorded, among: Sequence[Value]) -> tuple[Value, Entry]:
    """Of some parameters, the entry with the largest gradient."""
    found = [(x, _parameter(recorded, x)) for x in among]
    value, best = max(found, key=lambda pair: abs(pair[1].gradient[pair[1].largest]))
    return value, best.largest


def _entry(recorded: Recorded, asked: Any, at: Any) -> tuple[Value, Entry]:
    """The leaf and the entry that were asked for."""
    given, at = asked if isinstance(asked, tuple) else (asked, at)
    leaves: Mapping[str, Value] = {
        **{recorded.names.text(x): x for x in recorded.order if x._record is None},
        **{x.name: x for x in recorded.order if x._record is None and x.name},
        **{path: x for x, path in recorded.names.paths.items() if x in recorded.twin},
    }
    value = given if isinstance(given, Value) else leaves.get(given)
    if value is None or value not in recorded.twin or value._record is not None:
        name = repr(given) if isinstance(given, str) else f"{given!r:.60}"
        refuse(ArgumentError, "influence", "the loss was not computed with this weight",
               expected=f"one of {', '.join(leaves)}"[:400], given=name)  # fmt: skip
    if at is None:
        return _largest(recorded, [value])
    index = tuple(int(i) for i in np.atleast_1d(np.asarray(at, int)))
    lengths = value.shape
    if len(index) != len(lengths) or not all(
        -n <= i < n for i, n in zip(index, lengths, strict=True)
    ):
        refuse(ArgumentError, "influence", "the weight has no such entry",
               expected=f"an entry of shape {lengths}", given=at)  # fmt: skip
    return value, tuple(i % n for i, n in zip(index, lengths, strict=True))
