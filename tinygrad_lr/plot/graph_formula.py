"""Formulas of a graph's results on one line: tanh(z₁), x @ W₁ + b₁, tanh(Σ w·x + b)."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np

from ..explain.numbers import number_text
from ..value import Value
from .graph_reading import Graph

SUM, PRODUCT, POWER, ATOM = range(1, 5)
INFIX = {
    "add": (" + ", SUM),
    "subtract": (" − ", SUM),
    "multiply": ("·", PRODUCT),
    "divide": (" / ", PRODUCT),
    "matmul": (" @ ", PRODUCT),
}
SPELT = {
    "sum": "Σ {}",
    "negative": "−{}",
    "transpose": "{}ᵀ",
    "transpose_to": "transpose({})",
    "reshape_to": "reshape({})",
    "getitem": "{}[…]",
    "square": "{}²",
    "sqrt": "√{}",
    "mean_square": "mean({}²)",
    "sigmoid": "σ({})",
    "reciprocal": "1 / {}",
}
RAISED = str.maketrans("0123456789.−", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻")
DEEPEST, MOST_PARTS, MOST_TERMS, ALL_TERMS = 8, 200, 4, 64


class Formulas:
    """Writes results of a graph: alone, with the names of their operands, or as what is folded.

    >>> w, b = Value(0.5), Value(0.1)
    >>> graph = Graph(np.tanh(w * 2.0 + b) ** 2)
    >>> formulas = Formulas(graph)
    >>> formulas.alone(len(graph.things) - 1)
    'h²'
    >>> formulas.folded(len(graph.things) - 1, set(range(6)))
    'tanh(w·x + b)²'
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.room = 0  # how many more operands are written before "…" stands for the rest

    def alone(self, i: int) -> str:
        """A result with the names of its operands; "" for what nothing computed."""
        if i < self.graph.leaves:
            return ""
        self.room = MOST_PARTS
        return self._written(i, frozenset(), 0, general=False)[0]

    def folded(self, i: int, inside: Set[int]) -> str:
        """A result with all that is folded into it written out.

        Single numbers that have no name of the user's are called by their part: w what is
        multiplied, b what is added, y a number that is subtracted, x what comes from elsewhere. So
        alike results read the same.
        """
        self.room = MOST_PARTS
        return self._written(i, inside, 0, general=True)[0]

    def _written(self, i: int, inside: Set[int], depth: int, general: bool) -> tuple[str, int]:
        """The formula, and how tightly it holds together."""
        graph = self.graph
        operation, operands, numbers, _ = graph.things[i]._record
        name = operation.name
        if name == "add" and inside:
            return self._sum(i, inside, depth, general)
        given = [(x, n) for x, n in zip(operands, numbers, strict=True) if x is not None]

        def operand(k: int, least: int) -> str:
            x, number = given[k]
            if general and name == "multiply" and self._is_a_sample(given, k):
                return "x"
            if general and name == "subtract" and k == 1 and graph.vertex(x) is None:
                return "y"
            text, binding = self._operand(x, number, inside, depth, general)
            return text if binding >= least else f"({text})"

        if name in INFIX and len(given) == 2:
            sign, binding = INFIX[name]
            strict = name in {"subtract", "divide", "matmul"}
            return operand(0, binding) + sign + operand(1, binding + strict), binding
        if name == "power" and np.ndim(given[1][1]) == 0 and graph.vertex(given[1][0]) is None:
            return operand(0, ATOM) + operand(1, 0).translate(RAISED), POWER
        if name == "affine":
            return f"{operand(0, PRODUCT)} @ {operand(1, POWER)} + {operand(2, SUM)}", SUM
        if name in SPELT and len(given) == 1:
            text = SPELT[name]
            bare = "(" in text
            binding = PRODUCT if text[0] in "Σ−1" else ATOM
            return text.format(operand(0, 0 if bare else ATOM)), binding
        shown = [operand(k, 0) for k in range(min(len(given), MOST_TERMS))]
        more = ["…"] if len(given) > MOST_TERMS else []
        return f"{name}({', '.join([*shown, *more])})", ATOM

    def _operand(
        self, x: Any, number: Any, inside: Set[int], depth: int, general: bool
    ) -> tuple[str, int]:
        graph = self.graph
        i = graph.vertex(x)
        self.room -= 1
        if self.room < 0:
            return "…", ATOM
        if i is None:
            if np.ndim(number):
                return "…", ATOM
            text = number_text(float(number))
            return text, SUM if text.startswith("−") else ATOM
        if i in inside and i >= graph.leaves:
            return self._written(i, inside, depth + 1, general) if depth < DEEPEST else ("…", ATOM)
        return self._name(i, general), ATOM

    def _name(self, i: int, general: bool) -> str:
        """The name of a vertex, or its part where a formula is to be a general one."""
        graph = self.graph
        thing = graph.things[i]
        if not general or np.ndim(graph.numbers(i)) or getattr(thing, "name", None):
            return graph.label(i)
        if i >= graph.leaves or not graph.trained(i):
            return "x"
        return "w" if graph.multiplied[i] else "b"

    def _is_a_sample(self, given: list[tuple[Any, Any]], k: int) -> bool:
        """Whether a factor is a number of the data: it multiplies a weight."""
        other = self.graph.vertex(given[1 - k][0]) if len(given) == 2 else None
        plain = self.graph.vertex(given[k][0]) is None and np.ndim(given[k][1]) == 0
        return plain and other is not None and self.graph.trained(other)

    def _sum(self, i: int, inside: Set[int], depth: int, general: bool) -> tuple[str, int]:
        """A sum of sums as one: terms that read alike become Σ, biases stand last."""
        graph = self.graph
        terms: list[str] = []
        biases: list[str] = []
        waiting: list[tuple[Any, Any]] = [(graph.things[i], None)]
        count = 0
        while waiting:
            x, number = waiting.pop()
            at = graph.vertex(x)
            if at is not None and at >= graph.leaves and (at == i or at in inside):
                operation, operands, numbers, _ = graph.things[at]._record
                if operation.name == "add":
                    waiting.extend(reversed(list(zip(operands, numbers, strict=True))))
                    continue
            count += 1
            if count <= ALL_TERMS:
                text, binding = self._operand(x, number, inside, depth, general)
                if binding < SUM:
                    text = f"({text})"
                bias = at is not None and at < graph.leaves
                if text != "0":
                    (biases if bias else terms).append(text)
        if len(terms) > 2 and len(set(terms)) == 1 or (len(terms) == 2 and terms[0] == terms[1]):
            terms = [f"Σ {terms[0]}"]
            if not biases:
                return terms[0], PRODUCT
        elif len(terms) > MOST_TERMS or count > ALL_TERMS:
            terms = [*terms[: MOST_TERMS - 1], "…", *terms[-1:]]
        biases = [*biases[:2], "…"] if len(biases) > 3 else biases
        text = " + ".join([*terms, *biases]).replace("+ −", "− ")
        return text, SUM
