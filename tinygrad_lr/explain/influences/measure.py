"""Measure how the weights of earlier layers affect the loss: `influence`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.chain_rule import pull_back, seed
from ...core.value import Value
from ...errors import ArgumentError
from ...nn import Module
from ...support.abstract_array import Array
from ...support.errstate import ignore_float_errors
from ...support.validation import as_finite, check_flag, check_instance, shape_of, short_repr
from ..graphs.call_stack import visible_variables
from ..graphs.naming import SUBSCRIPT
from ..graphs.written_out import write_out
from .activations import activations_of
from .edge_weights import connections_of
from .factors import activation_of, before_activation, slope_name
from .findings import describe_findings
from .float64_graph import Float64Graph
from .jacobians import Chain, Factor, Jacobian, euclidean_norm, multiply
from .model import InfluenceData, LayerInfluence, ParameterInfluence, TimeInfluence
from .render import influence_html, influence_text
from .selection import Entry, Weight, select_weights
from .units import Units
from .weight import Rerun, WeightInfluence

MAX_NAMED = 3  # outputs of a layer
MAX_ROWS = 4  # of the batch, for the Jacobians, by default
MAX_TIME_STEPS = 1000  # of a recurrent layer whose gradient is followed along time


@dataclass(frozen=True, eq=False, repr=False)
class Influence(InfluenceData):
    """The result of `influence`: `layers`, the first one first, and the chosen `weights`.

    - `loss`: its number; `batch`: the number of rows, None without an axis of rows

    Its text is a table (`print` it, or look at it in a notebook); `findings` are sentences on
    what the numbers mean: whether the gradient vanishes or explodes on its way, and why.
    """

    @property
    def findings(self) -> tuple[str, ...]:
        """Sentences on what the numbers mean."""
        return describe_findings(self)

    def text(self, detail: bool = False) -> str:
        """Return the findings and the tables as text: by layer, the recursion of δ, by weight.

        With `detail`, also the Jacobians between the layers: their norms and singular values.
        """
        return influence_text(self, self.findings, check_flag("text", "detail", detail))

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return influence_html(self, self.findings)


def influence(
    model: Module | None,
    loss: Value | Callable[[], Value],
    *,
    weight: Weight | Sequence[Weight] | None = None,
    at: Entry | int | None = None,
    nudge: float = 1e-3,
    rows: Sequence[int] | None = None,
) -> Influence:
    """Measure how the weights of each layer affect a loss: gradients, Jacobians, nudges.

    By layer: dL/dW of each parameter, and the chain that computes it,
    dL/dhₖ = (∂hₖ₊₁/∂hₖ)ᵀ · dL/dhₖ₊₁, from the loss down: the Jacobians, their norms and singular
    values, and those of their products. By weight: dL/dw, the curvature d²L/dw², the change of
    the loss that they predict for a nudge, the change actually seen, and the share of each path
    from the weight to the loss. All of it is computed from the recorded graph in float64, whatever
    the dtype of the model, and the model's gradients, modes and generators are not changed. The
    model is called again only where `loss` is a function.

    - `model`: gives layers and parameters their names; None for a graph without one
    - `loss`: a computed Value with one entry; or a function of no arguments that computes it, as
      in `lambda: tg.losses.mse(model(x), y)`. The change that is seen is then that of running it
      again, so it holds where the program branches on numbers (`np.where(h > 0, ...)`), too
    - `weight`: a parameter, by path or as a Value, or (parameter, entry), or a list of those.
      Default entry: the one with the largest gradient; default weight: one of each layer (of 30
      layers spread evenly, if there are more)
    - `at`: the entry of `weight`, as in `weight=W, at=(0, 3)`
    - `nudge`: the change of the weight, in its own units
    - `rows`: the rows of the batch for the Jacobians; default: up to 4, spread evenly

    If rows of the batch mix (batch normalisation, attention over rows), a Jacobian is that of the
    whole batch. Jacobians of more than 512 numbers on both sides are not computed in full: their
    6 largest singular values come from matrix-vector products (see `Jacobian`). Up to 256 paths
    are followed one by one (see `WeightInfluence.paths`); sums through units are always over all
    paths.

    Raises `ArgumentError` for a loss that was not computed with the model, a function that
    doesn't give the same loss each time, and a weight or entry that the model does not have;
    `GraphError` if the loss has more than one entry, or was computed by a compiled function.

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
    variables, run = visible_variables(sys._getframe(1)), None
    if not isinstance(loss, (Value, Module)) and callable(loss):
        run = Rerun(loss)
        loss = run.first
    _check_arguments(model, loss, nudge)
    assert isinstance(loss, Value)
    return _measure(loss, model, variables, weight, at, nudge, rows, run)


@ignore_float_errors
def _measure(
    loss: Value,
    model: Module | None,
    variables: Mapping[str, Any],
    weight: Weight | Sequence[Weight] | None,
    at: Entry | int | None,
    nudge: float,
    rows: Sequence[int] | None,
    run: Rerun | None,
) -> Influence:
    """Measure what the layers and the chosen weights do."""
    graph = Float64Graph(loss, model, variables)
    chosen_rows = _rows(rows, graph.batch)
    layers = _layers(graph, chosen_rows)
    owner = {x: layer.name for layer in reversed(graph.layers) for x in layer.parameters}
    chosen = select_weights(graph, weight, at)
    weights = tuple(
        WeightInfluence(graph, value, index, float(nudge), owner.get(value, "loss"), run)
        for value, index in chosen
    )
    return Influence(graph.loss_at({}), graph.batch, layers, weights, _in_time(graph))


def _check_arguments(model: object, loss: object, nudge: float) -> None:
    """Raise `ArgumentError` unless these are a Module or None, a Value, and a number to move by."""
    if model is not None:
        cure = "the model comes first, as in influence(model, loss)"
        check_instance("influence", "model", model, Module, "a tg.nn.Module or None", cure)
    if not isinstance(loss, Value):
        raise ArgumentError(
            f"influence: loss must be a computed Value, got {short_repr(loss)}; pass what the loss "
            "function returned"
        )
    if not abs(as_finite(nudge)) > 0:
        raise ArgumentError(
            f"influence: nudge must be a finite number other than 0, got {short_repr(nudge)}"
        )


def check_influence(where: str, given: object, weight: object = 0) -> Influence:
    """Return an `Influence` after checking it, and that it has a weight of this number."""
    if not isinstance(given, Influence):
        raise ArgumentError(
            f"{where}: influence must be an Influence, got {type(given).__name__}; pass "
            "tg.influence(model, loss)"
        )
    whole = isinstance(weight, (int, np.integer)) and not isinstance(weight, bool)
    if not whole or not 0 <= weight < len(given.weights):  # type: ignore[operator]
        raise ArgumentError(
            f"{where}: weight must be an integer from 0 to {len(given.weights) - 1}, got "
            f"{short_repr(weight)}; choose other weights with tg.influence(model, loss, weight=...)"
        )
    return given


def _rows(rows: Sequence[int] | None, batch: int | None) -> tuple[int, ...]:
    """Return the rows of the batch whose Jacobians are computed."""
    if rows is None:
        count = min(MAX_ROWS, batch or 1)
        return tuple(int(i) for i in np.linspace(0, (batch or 1) - 1, count).round())
    shape_of("influence", "rows", rows)
    given = np.atleast_1d(np.asarray(rows))
    found = tuple(int(i) for i in given) if given.dtype.kind in "iu" and given.ndim == 1 else ()
    if not found or not all(0 <= i < (batch or 1) for i in found):
        raise ArgumentError(
            f"influence: rows must be integers from 0 to {(batch or 1) - 1}, got {short_repr(rows)}"
        )
    return found


def _layers(graph: Float64Graph, rows: Sequence[int]) -> tuple[LayerInfluence, ...]:
    """Return the layers with their factors, and the products of these."""
    batch = graph.batch
    factors = [Factor(segment, batch) for segment in graph.segments[:-1]]
    steps = [Chain([factor], batch).jacobian(rows) for factor in factors]
    products: list[Jacobian] = []
    for i in range(len(factors) - 1, -1, -1):  # from the loss down
        above = products[-1] if products else None
        product = steps[i] if above is None else multiply(above, steps[i])
        products.append(product or Chain(factors[i:], batch).jacobian(rows))
    products.reverse()
    return tuple(
        LayerInfluence(
            layer.name,
            _join_names([graph.names.text(x) for x in graph.cuts[i]]),
            tuple(_parameter(graph, x) for x in layer.parameters if x.size),
            _by_rows(graph.cotangents[i], batch),
            steps[i - 1] if i else None,
            products[i] if i < len(products) else None,
            activations_of(graph, layer),
            tuple(Units(graph, i).labels),
            connections_of(graph, i),
            *_delta(graph, i),
        )
        for i, layer in enumerate(graph.layers[:-1])
    )


def _delta(graph: Float64Graph, i: int) -> tuple[str, Array, str]:
    """Return z of a layer by name, δ = dL/dz, and its formula, from the δ of the layer above.

    A layer that passes on several results, or earlier ones with its own, has the δ of all of them.
    """
    layer, last = graph.layers[i], len(graph.layers) - 2
    z, output = before_activation(layer), activation_of(layer)
    name = f"δ{str(layer.number).translate(SUBSCRIPT)}"
    if len(graph.cuts[i]) > 1:
        passed = _join_names([graph.names.text(x) for x in graph.cuts[i]])
        return passed, _by_rows(graph.cotangents[i], graph.batch), f"{name} = dL/d({passed})"
    delta = _by_rows([graph.gradient(z)], graph.batch)
    if i < last:
        above = connections_of(graph, i + 1)
        number = str(graph.layers[i + 1].number).translate(SUBSCRIPT)
        if above is None or not above.shape or len(above.shape) < 2 or len(graph.cuts[i]) > 1:
            pulled = f"dL/d{graph.names.text(layer.output)}"
        else:
            upright = above.shape == above.weights.shape
            pulled = f"δ{number} {above.names[0]}{'ᵀ' if upright else ''}"
        pulled = f"({pulled})" if " " in pulled and output is not None else pulled
    else:
        pulled = f"dL/d{graph.names.text(layer.output)}"
    slope = "" if output is None else f" ⊙ {slope_name(output)}({graph.names.text(z)})"
    return graph.names.text(z), delta, f"{name} = {pulled}{slope}"


def _in_time(graph: Float64Graph) -> tuple[TimeInfluence, ...]:
    """Return the gradients of the recurrent layers along time."""
    long = write_out(graph.loss, limit=MAX_TIME_STEPS)
    if not long.chains:
        return ()
    gradients = pull_back({long.loss: seed("influence", long.loss)})
    zero = np.zeros(1)
    return tuple(
        TimeInfluence(
            graph.names.text(weight),
            kind,
            np.array([euclidean_norm(gradients.get(h, zero)) for h in chain]),
        )
        for weight, kind, chain in long.chains
    )


def _join_names(names: Sequence[str]) -> str:
    """Join names with commas; of many, only the ends."""
    return ", ".join(names) if len(names) <= MAX_NAMED else f"{names[0]}, … {names[-1]}"


def _by_rows(arrays: Sequence[Any], batch: int | None) -> Array:
    """Join arrays side by side, one row for each row of the batch; omit those without rows."""
    rows = [x for x in arrays if batch is not None and np.shape(x)[:1] == (batch,)]
    parts = rows or list(arrays)
    height = batch if rows and batch else 1
    return np.concatenate([np.reshape(x, (height, -1)) for x in parts], axis=1)


def _parameter(graph: Float64Graph, value: Value) -> ParameterInfluence:
    """Return a parameter with its gradient."""
    return ParameterInfluence(
        graph.names.text(value),
        graph.names.path(value),
        np.array(graph.twin[value]._content),
        np.array(graph.gradient(value)),
    )
