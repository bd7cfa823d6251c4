"""Read a recorded graph as numbered vertices, with edges and gradients, for drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.chain_rule import match_shape, pull_back
from ...core.value import Value
from ...errors import NotDifferentiableError
from ...explain.graphs.written_out import write_out
from ...nn import Module
from ...support.errstate import ignore_float_errors
from .sections import divide

INPUTS = -1
"""The home of data that enters before the first layer."""
MAX_TIME_STEPS = 200  # of a recurrent layer that are drawn; a longer one stays one operation
SUMS = {"add", "subtract"}


class Graph:
    """The Values and array constants that a loss was computed from, operands before readers.

    - `things`: Values and constants, by number; leaves and constants first
    - `reads`: for each, the numbers of its operands, repeated if it reads one more than once
    - `readers`: for each, the results that read it, without repetition
    - `layers`: the layers and the steps in time, see `divide`
    - `home`: for each, the index of its layer or step; `INPUTS` for the data

    Recurrent layers are written out, step by step.

    Numbers in a formula (the 2 in x²) aren't vertices. Raises `ArgumentError` as `layers_of` does.

    >>> w = Value(2.0, name="w")
    >>> graph = Graph((w * np.array([1.0, 2.0])) ** 2)
    >>> graph.reads, [graph.label(i) for i in range(4)]
    ([[], [], [0, 1], [2]], ['w', 'x', 'z', 'L'])
    """

    def __init__(
        self,
        loss: Value,
        model: Module | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.given = loss
        self.written = written = write_out(loss, MAX_TIME_STEPS)
        self.loss = loss = written.loss
        self.names = written.make_names(model, variables or {})
        self.things: list[Any] = []
        self.number: dict[int, int] = {}
        results = []
        for value in self.names.order:
            if value.record is None:
                self._enter(value)
            else:
                results.append(value)
        for value in results:
            for x, number in _operands_of(value):
                if id(x) not in self.number and self._is_vertex(x, number):
                    self._enter(x)
        self.leaves = len(self.things)
        for value in results:
            self._enter(value)
        self.reads: list[list[int]] = [[] for _ in self.things]
        self.readers: list[list[int]] = [[] for _ in self.things]
        self.recorded: list[Any] = [None] * len(self.things)
        self.recorded[-1] = loss._content
        for i in range(self.leaves, len(self.things)):
            for x, number in _operands_of(self.things[i]):
                operand = self.vertex(x)
                if operand is not None:
                    self.reads[i].append(operand)
                    self.recorded[operand] = number
            for operand in dict.fromkeys(self.reads[i]):
                self.readers[operand].append(i)
        self.layers, layer_of = divide(self.names, written)
        self.home = self._homes(layer_of)
        self.multiplied = self._multiplied()

    def vertex(self, x: Any) -> int | None:
        """Return the number of a Value or constant, None for a plain number in a formula."""
        return self.number.get(id(x))

    def label(self, i: int) -> str:
        """Return the name of a vertex."""
        return self.names.text(self.things[i])

    def numbers(self, i: int) -> Any:
        """Return the recorded data of a vertex; a leaf may have other numbers now."""
        return self.recorded[i]

    def is_trained(self, i: int) -> bool:
        """Return True for a leaf that requires a gradient."""
        thing = self.things[i]
        return type(thing) is Value and thing.record is None and thing.requires_grad

    def gradients(self) -> tuple[Mapping[Value, Any], str]:
        """Return the gradient of each Value, and a note on its origin; nothing is written.

        They are the gradients in `.grad` if `backward()` has run for this loss, else computed.
        Entries that are nothing but rounding are 0.
        """
        content, ran = self.loss._content, self.given._grad is not None
        if not ran and self.loss.size != 1:
            return {}, "no gradients: backward() has not run, and the result has several entries"
        held: dict[Value, Any] = {}
        if ran:
            before = {new: old for old, new in self.written.now.items()}
            for x in self.names.order:
                g = before.get(x, x)._grad
                if g is not None:
                    held[x] = np.array(g[0] if type(g) is tuple else g)
            if self.loss is self.given:
                return self._without_rounding(held), "gradients: from .grad, as left by backward()"
        seed = held.get(self.loss, 1.0 if type(content) is float else np.ones_like(content))
        try:
            found = pull_back({self.loss: seed if np.ndim(seed) else seed * 1.0})
        except NotDifferentiableError as error:
            return {}, f"no gradients: {error}"
        note = "gradients: computed for this picture; .grad is unchanged"
        if ran:
            note = "gradients: from .grad, as left by backward(); within operations computed"
        return self._without_rounding({**found, **held}), note

    @ignore_float_errors
    def _without_rounding(self, gradients: Mapping[Value, Any]) -> Mapping[Value, Any]:
        """Replace entries by 0 that are below the rounding of the terms that they are the sum of.

        The terms of a sum or of a product of matrices have the sizes that its rule gives for
        absolute numbers; of other operations one term is assumed, which rounding doesn't cancel.
        """
        bound: dict[Value, Any] = {}
        for value in self.things[self.leaves :][::-1]:
            operation, operands, numbers, options = value.record
            sums = operation.additive or operation.matrix_product or operation.identity
            if value not in gradients or operation.variadic or not sums:
                continue
            g = np.asarray(gradients[value])
            eps = 4 * np.finfo(np.result_type(g, np.float16)).eps
            sizes = eps * np.abs(g) + bound.get(value, 0.0)
            parts = [np.abs(x) for x in (value._content, *numbers)]
            for position, x in enumerate(operands):
                rule = operation.rules[position]
                if type(x) is Value and x in gradients and rule is not None:
                    terms = match_shape(np.abs(rule(sizes, *parts, **options)), x._content)
                    bound[x] = bound.get(x, 0.0) + terms
        shown = dict(gradients)
        for x, most in bound.items():
            rest = (np.abs(shown[x]) <= most) & np.isfinite(most)
            shown[x] = np.where(rest, 0.0, shown[x])[()]
        return shown

    def _enter(self, thing: Any) -> None:
        self.number[id(thing)] = len(self.things)
        self.things.append(thing)

    def _is_vertex(self, x: Any, number: Any) -> bool:
        """Return True if an operand without a gradient gets a box: an array, or a named Value."""
        if type(x) is Value and x.requires_grad:
            return False  # it is in the order already
        return np.ndim(number) > 0 or (type(x) is Value and bool(x.name))

    def _homes(self, layer_of: Mapping[Value, int]) -> list[int]:
        """Return the home of each vertex: its layer; for a leaf, that of its first reader."""
        home = [INPUTS] * len(self.things)
        for i in range(self.leaves, len(self.things)):
            home[i] = layer_of[self.things[i]]
        for i in range(self.leaves):
            home[i] = min(home[reader] for reader in self.readers[i])
            parameter = self.is_trained(i) and (
                not self.names.paths or self.things[i] in self.names.paths
            )
            if home[i] == 0 and not parameter and len(self.layers) > 1:
                home[i] = INPUTS
        return home

    def _multiplied(self) -> list[bool]:
        """Return which leaves are weights: those read by anything other than a sum."""
        return [
            any(_name_of_operation(self.things[r]) not in SUMS for r in self.readers[i])
            for i in range(self.leaves)
        ]


def _operands_of(result: Value) -> list[tuple[Any, Any]]:
    """Return the operands of a computed Value, each with its recorded number."""
    assert result.record is not None
    return list(zip(result.record.operands, result.record.numbers, strict=True))


def _name_of_operation(result: Value) -> str:
    assert result.record is not None
    return result.record.operation.name
