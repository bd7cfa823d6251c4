"""Write the formulas of a graph's results on one line: tanh(z₁), x W₁ + b₁, tanh(Σ w · x + b)."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import islice
from typing import Any

import numpy as np

from ...core.value import Value
from ...explain.formula.expression import (
    ONE,
    Expression,
    Name,
    Number,
    as_number,
    summation,
    total,
)
from ...explain.formula.rules import apply_rule, rules_of
from ...explain.formula.symbol import Symbol, explicit_formula, expression_of, transpose
from ...support.text_format import number_text
from .reading import Graph

MAX_DEPTH, MAX_PARTS, MAX_TERMS, MAX_TERMS_IN_ALL = 8, 200, 4, 64
MAX_SLOPE = 24  # characters of a derivative on an arrow
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

    def slope(self, i: int, operand: int) -> str:
        """Return the derivative of a result by an operand that it reads once, "" if it is long.

        Entry by entry for an elementwise operation; for a matrix product, what the gradient is
        multiplied by, and on which side.
        """
        graph = self.graph
        operation, operands, numbers, _ = graph.things[i].record
        positions = [k for k, x in enumerate(operands) if graph.vertex(x) == operand]
        thing = graph.things[operand]
        if len(positions) != 1 or type(thing) is not Value or not thing.requires_grad:
            return ""
        (position,) = positions
        self.room = MAX_PARTS
        given = [
            self._operand(x, n, frozenset(), 0) for x, n in zip(operands, numbers, strict=True)
        ]
        if operation.matrix_product and position < 2 and not rules_of(operation, numbers)[1]:
            other = expression_of(given[1 - position])
            if not isinstance(other, Name) or min(map(np.ndim, numbers[:2])) < 2:
                return ""
            turned = transpose(other).text
            return f"· {turned}" if position == 0 else f"{turned} ·"
        whole = np.size(graph.numbers(i)) == 1  # a loss: each entry has its own derivative
        bias = operation.matrix_product and position == 2
        if not (rules_of(operation, numbers)[1] or whole or bias):
            return ""
        out = Symbol(Name(graph.names.latex(graph.things[i])), graph.numbers(i))
        one = Symbol(ONE, np.ones(np.shape(graph.numbers(i)))[()])
        found = apply_rule(graph.things[i].record, position, one, out, given, REST)
        text = as_number(found.expression).text
        text = "" if found.expression == REST else text
        single = np.size(found.number) == 1 and text and not isinstance(found.expression, Number)
        text += f" = {number_text(float(np.ravel(found.number)[0]), 3)}" if single else ""
        return text if len(text) <= MAX_SLOPE and REST.text not in text else ""

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
