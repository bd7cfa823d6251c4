"""Write the formulas of a graph's results on one line: tanh(z₁), x W₁ + b₁, tanh(Σ w · x + b)."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import islice
from typing import Any

import numpy as np

from ...explain.formula.expression import Expression, Name, summation, total
from ...explain.formula.symbol import Symbol, explicit_formula, expression_of
from .reading import Graph

MAX_DEPTH, MAX_PARTS, MAX_TERMS, MAX_TERMS_IN_ALL = 8, 200, 4, 64
REST = Name("…")


class Formulas:
    """The formulas of a graph's results: with named operands, or with folded operands written out.

    >>> w, b = Value(0.5), Value(0.1)
    >>> graph = Graph(np.tanh(w * 2.0 + b) ** 2)
    >>> formulas = Formulas(graph)
    >>> formulas.alone(len(graph.things) - 1)
    'h²'
    >>> formulas.folded(len(graph.things) - 1, set(range(6)))
    'tanh(w · x + b)²'
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.room = 0  # operands that may still be written before "…"

    def alone(self, i: int) -> str:
        """Return the formula of a result with the names of its operands; "" for a leaf."""
        if i < self.graph.leaves:
            return ""
        self.room = MAX_PARTS
        return self._write(i, frozenset(), 0).text

    def folded(self, i: int, inside: Set[int]) -> str:
        """Return the formula of a result with everything that is folded into it written out.

        Single numbers without a name from the user are named by their role: w if multiplied, b if
        added, y if subtracted, x if they come from elsewhere. So similar results read the same.
        """
        self.room = MAX_PARTS
        return self._write(i, inside, 0).text

    def _write(self, i: int, inside: Set[int], depth: int) -> Expression:
        """Return the formula; with folded operands, numbers are replaced by letters."""
        graph = self.graph
        operation, operands, numbers, options = graph.things[i].record
        if operation.name == "add" and inside:
            return self._sum(i, inside, depth)
        most = MAX_TERMS if operation.variadic else len(operands)
        given: list[Any] = [
            x if x is None else self._operand(x, number, inside, depth)
            for x, number in islice(zip(operands, numbers, strict=True), most)
        ]
        if len(operands) > most:
            given.append(Symbol(REST, 0.0))
        if inside and len(given) == 2:
            self._generalize(operation.name, operands, given)
        return explicit_formula(operation, given, options, graph.numbers(i))

    def _operand(self, x: Any, number: Any, inside: Set[int], depth: int) -> Any:
        """Return an operand in a formula: a number, a name, or a formula with its numbers."""
        graph = self.graph
        i = graph.vertex(x)
        self.room -= 1
        if self.room < 0 or depth > MAX_DEPTH:
            return Symbol(REST, number)
        if i is None:
            return number
        if i in inside and i >= graph.leaves:
            return Symbol(self._write(i, inside, depth + 1), number)
        return Symbol(self._name(i, bool(inside)), number)

    def _name(self, i: int, general: bool) -> Name:
        """Return the name of a vertex, or the letter of its role in a general formula."""
        graph = self.graph
        thing = graph.things[i]
        if not general or np.ndim(graph.numbers(i)) or getattr(thing, "name", None):
            return Name(graph.names.latex(thing))
        if i >= graph.leaves or not graph.is_trained(i):
            return Name("x")
        return Name("w" if graph.multiplied[i] else "b")

    def _generalize(self, name: str, operands: Sequence[Any], given: list[Any]) -> None:
        """Replace numbers by letters: x for a factor of a weight, y for one that is subtracted."""
        plain = [np.ndim(x) == 0 and self.graph.vertex(x) is None for x in operands]
        if name == "subtract" and plain[1]:
            given[1] = Symbol(Name("y"), given[1])
        for k, other in ((0, 1), (1, 0)):
            weight = self.graph.vertex(operands[other])
            if (
                name == "multiply"
                and plain[k]
                and weight is not None
                and self.graph.is_trained(weight)
            ):
                given[k] = Symbol(Name("x"), given[k])

    def _sum(self, i: int, inside: Set[int], depth: int) -> Expression:
        """Return nested sums as one: equal terms become Σ, biases come last."""
        graph = self.graph
        terms: list[Expression] = []
        biases: list[Expression] = []
        waiting: list[tuple[Any, Any]] = [(graph.things[i], None)]
        count = 0
        while waiting:
            x, number = waiting.pop()
            at = graph.vertex(x)
            if at is not None and at >= graph.leaves and (at == i or at in inside):
                record = graph.things[at].record
                if record.operation.name == "add":
                    parts = zip(record.operands, record.numbers, strict=True)
                    waiting.extend(reversed(list(parts)))
                    continue
            count += 1
            if count <= MAX_TERMS_IN_ALL and not (at is None and np.ndim(x) == 0 and x == 0):
                bias = at is not None and at < graph.leaves
                term = expression_of(self._operand(x, number, inside, depth))
                (biases if bias else terms).append(term)
        if len(terms) > 1 and len({term.latex for term in terms}) == 1:
            terms = [summation(terms[0])]
        elif len(terms) > MAX_TERMS or count > MAX_TERMS_IN_ALL:
            terms = [*terms[: MAX_TERMS - 1], REST, *terms[-1:]]
        return total(*terms, *biases[:2], *([REST] if len(biases) > 2 else []))
