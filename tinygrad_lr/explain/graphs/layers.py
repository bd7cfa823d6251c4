"""Group the results of a graph into layers, from the data to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...errors import ArgumentError, DtypeError
from ...nn import Module
from ...support.files import printable
from ...support.validation import check_instance, describe_type, short_repr


@dataclass(frozen=True, eq=False)
class Layer:
    """Results that belong together, and the parameters that they are computed with.

    - `number`: 1 for the layer next to the data, and so on; the loss comes last
    - `name`: the path of its parameters in the model ("layers.0"); "layer 1" without one; "loss"
    - `parameters`: the leaves that its results read, in the order in which they are read
    - `results`: in the order in which they were computed; the last one is the layer's output
    """

    number: int
    name: str
    parameters: tuple[Value, ...]
    results: tuple[Value, ...]

    def reads(self, value: Value) -> bool:
        """Return whether this result is computed from a parameter of the layer."""
        record = value.record
        operands = record.operands if record is not None else ()
        return any(type(x) is Value and x in self._parameters for x in operands)

    @cached_property
    def _parameters(self) -> Set[Value]:
        return set(self.parameters)

    @property
    def output(self) -> Value:
        """The last result, which the next layer reads."""
        return self.results[-1]


def layers_of(loss: Value, model: Module | None = None) -> list[Layer]:
    """Return the layers of the graph of a loss: the one next to the data first, the loss last.

    A layer starts where a parameter multiplies what came before, or joins it in any other way than
    by a sum. So a layer is a weight with its bias and its activation, in graphs of arrays and of
    scalars, with and without a `Module`. The last layer, named "loss", begins after the last
    parameter, where the target comes in. A shared parameter is in each layer that reads it.
    `model` gives the layers the names of its modules.

    Raises `ArgumentError` if the loss has no graph, or was not computed with the model.

    >>> model = tg.nn.MLP(2, [3], 1, generator=0)
    >>> loss = tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1)))
    >>> [(layer.name, len(layer.results)) for layer in layers_of(loss, model)]
    [('layers.0', 2), ('layers.2', 1), ('loss', 2)]
    """
    check_instance("layers_of", "loss", loss, Value, "a computed Value")
    order = topological_order([loss])[::-1]
    results = [value for value in order if value.record is not None]
    if not results:
        raise ArgumentError(
            f"loss must be a Value computed from others, got the leaf {short_repr(loss)}"
        )
    paths = parameter_paths(model)
    leaves = {value for value in order if value.record is None}
    if model is not None and leaves.isdisjoint(paths):
        raise ArgumentError(
            f"loss must be computed with this model, got one that reads no parameter of the "
            f"{type(model).__name__}; call the model, and compute the loss from its output"
        )
    number: dict[Value, int] = {}
    reads: dict[Value, dict[Value, None]] = {}
    made: dict[Value, list[Value]] = {}  # from parameters alone: a reshaped bias, a penalty
    readers: dict[Value, list[Value]] = {}  # of those
    for value in results:
        operation, operands, _, _ = value.record  # type: ignore[misc]
        of = [x for x in operands if type(x) is Value]
        for x in of:
            if x in made:
                readers.setdefault(x, []).append(value)
        if value is not loss and _reads_parameters_only(value, leaves, made):
            made[value] = of
            continue
        own = _parameters_in(of, leaves, made)
        level = max((number.get(x, 0) for x in of), default=0)
        if own and (not operation.additive or not level):
            level += 1
        number[value] = level
        reads[value] = own
    at_the_end = _loss_part(results, leaves, made.keys())
    for x in reversed(made):  # into the layer of the first reader, so that no edge leads back
        number[x] = min(number[value] for value in readers[x])
        if at_the_end.issuperset(readers[x]):
            at_the_end.add(x)
    members: dict[int, list[Value]] = {}
    read: dict[int, dict[Value, None]] = {}
    for value in results:
        if value not in at_the_end:
            members.setdefault(number[value], []).append(value)
            read.setdefault(number[value], {}).update(reads.get(value, {}))
    layers = [
        Layer(level, _layer_name(level, read[level], paths), tuple(read[level]), tuple(m))
        for level, m in sorted(members.items())
    ]
    last = tuple(x for x in results if x in at_the_end)
    return [*layers, Layer(max(number.values()) + 1, "loss", (), last)]


def require_real_graph(where: str, loss: Value) -> None:
    """Raise `DtypeError` for a graph with complex numbers: explanations are about real ones."""
    for value in topological_order([loss]):
        if value.dtype.kind == "c":
            raise DtypeError(
                f"{where}: the Values that the loss was computed from must be real, got one of "
                f"dtype {value.dtype}; write its real and imaginary parts as two Values"
            )


def parameter_paths(model: Module | None) -> Mapping[Value, str]:
    """Return the path of each parameter in its model, escaped to a single printable line."""
    if model is None:
        return {}
    if not isinstance(model, Module):
        given = describe_type(model, Module)
        given = given or f"{short_repr(model)}; pass the module that computed the output"
        raise ArgumentError(f"model must be a tg.nn.Module or None, got {given}")
    return {x: printable(path) for path, x in model.named_parameters()}


def _parameters_in(
    operands: Sequence[Value], leaves: Set[Value], made: Mapping[Value, Sequence[Value]]
) -> dict[Value, None]:
    """Return the leaves among operands, including those behind results of parameters alone."""
    found: dict[Value, None] = {}
    seen: set[Value] = set()
    waiting = list(operands[::-1])
    while waiting:
        x = waiting.pop()
        if x in leaves:
            found[x] = None
        elif x in made and x not in seen:
            seen.add(x)
            waiting.extend(made[x][::-1])
    return found


def _reads_parameters_only(value: Value, leaves: Set[Value], made: Mapping[Value, Any]) -> bool:
    """Return whether a result is a parameter in another form, or a penalty on parameters.

    It then belongs to the layer of its first reader. A number may be an exponent, or a factor of a
    penalty or of a matrix; beside any other leaf it may be the data of a graph of scalars.
    """
    operation, operands, _, options = value.record  # type: ignore[misc]
    of = {x for x in operands if type(x) is Value}
    plain = [x for x in operands if type(x) is not Value]
    if any(np.ndim(x) for x in plain) or any(type(x) is np.ndarray for x in options.values()):
        return False
    if of <= made.keys():
        return len(of) == 1 or operation.additive
    scaled = operation.name == "power" or all(x.ndim > 1 for x in of)
    return len(of) == 1 and of <= leaves and (not plain or scaled)


def _loss_part(results: Sequence[Value], leaves: Set[Value], made: Set[Value]) -> set[Value]:
    """Return the results after the last parameter, from the one that reads the target."""
    before: set[Value] = set()  # results that a parameter joins later
    reading: set[Value] = set()
    for value in reversed(results):
        operation, operands, _, _ = value.record  # type: ignore[misc]
        of = {x for x in operands if type(x) is Value}
        if not of.isdisjoint(leaves) or (not operation.additive and of & made):
            reading.add(value)
        if value in before or value in reading:
            before.update(of)
    ends: set[Value] = set()
    for value in results:
        if value not in before and value not in reading:
            operands = value.record.operands  # type: ignore[union-attr]
            after = any(type(x) is Value and x in ends for x in operands)
            if after or _has_target(value) or value is results[-1]:
                ends.add(value)
    return ends or {results[-1]}


def _has_target(value: Value) -> bool:
    """Return whether an operation compares: with a plain array, or by a difference."""
    operation, operands, _, options = value.record  # type: ignore[misc]
    plain: Sequence[Any] = [x for x in operands if type(x) is not Value]
    arrays = any(isinstance(x, np.ndarray) for x in [*plain, *options.values()])
    return arrays or operation.name == "subtract"


def _layer_name(level: int, read: Mapping[Value, None], paths: Mapping[Value, str]) -> str:
    """Return the name of a layer: the path of its parameters, or its number."""
    found = [paths[x].rpartition(".")[0] for x in read if x in paths]
    return ", ".join(dict.fromkeys(name for name in found if name)) or f"layer {level}"
