"""Formulas between the Values that have a name: what lies between two of them is written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..chain_rule import fitted, no_derivative
from ..primitive import Primitive
from ..silence import silent
from ..value import Value
from .expression import ONE, Count, Expression, Name, counting, product, summed, total
from .naming import Names
from .symbol import Symbol, expression_of, number_of, symbolic

LINE: Sequence[Callable[..., Any]] = (
    lambda g, out, x, w, *b: g * w,
    lambda g, out, x, w, *b: g * x,
    lambda g, out, x, w, *b: g,
)
"""The rules of x @ w + b where w is one number: those of the lesson's w·x + b."""

Handed = tuple[Symbol, str, int]
"""A share, the operation that handed it on, and to which of its operands."""

ENTRYWISE = frozenset({"alias", "broadcast_to", "cast"})


@dataclass(frozen=True)
class Pull:
    """What the chain rule hands from a Value, the reader, to one that it was computed from.

    - `local`, `local_number`: the derivative of the reader, entry by entry; None where it is no
      formula of entries, such as that of a matrix product
    - `formula`, `number`: the share of the gradient that comes this way
    - `spread`: in how many entries of the reader each entry is used; their shares are added up
    - `terms`: the shares before they are added up
    - `operation`, `position`: the last operation on the way, by name, and which operand this is
    """

    local: Expression | None
    local_number: Any
    formula: Expression
    number: Any
    spread: int
    terms: Any
    operation: str
    position: int


class Region:
    """The formulas of a graph, written in the names of its visible Values.

    A Value that is not among the `visible` is written out where it is read.
    """

    def __init__(self, loss: Value, names: Names, visible: Set[Value]) -> None:
        self.loss = loss
        self.names = names
        self.visible = visible
        self.count = 0  # what N stands for: the first count that a formula has
        self._inner: dict[Value, Symbol] = {}

    def forward(self, value: Value) -> Expression:
        """The formula of a Value in terms of the visible ones before it."""
        return self._counting(self._computed(value).expression)

    def _counting(self, formula: Expression) -> Expression:
        """The formula with one meaning of N."""
        counts = [x.count for x in formula.walk() if isinstance(x, Count)]
        self.count = self.count or next(iter(counts), 0)
        return counting(formula, self.count) if counts else formula

    def derivative(self, value: Value, of: Value | None = None) -> Name:
        """The name dL/dx, or dz/dx for another numerator."""
        numerator = self.names.latex(of if of is not None else self.loss)
        return Name(rf"\frac{{d{numerator}}}{{d{self.names.latex(value)}}}")

    @silent
    def pull(self, value: Value, g: Any) -> dict[Value, Pull]:
        """The shares that a Value with the cotangent g hands to the visible Values before it."""
        content = value._content
        name = ONE if value is self.loss else self.derivative(value)
        ones = np.ones_like(content) if isinstance(content, np.ndarray) else 1.0
        shares = self._walk(value, Symbol(name, g), local=False)
        locals_ = self._walk(value, Symbol(ONE, ones), local=True)
        found = {}
        for x, (share, operation, position) in shares.items():
            own = fitted(share.number, x._content)
            spread = np.size(share.number) // max(np.size(own), 1)
            local = locals_[x][0] if x in locals_ else None
            formula, local_number = share.expression, None
            if local is not None:
                expression, local_number = local.expression, local.number
                if np.size(content) == 1 and np.size(local_number) > np.size(own):
                    expression = summed(expression)
                    local_number = fitted(local_number, x._content)
                    spread = 1
                formula = product(name, expression)
                local = Symbol(expression, local_number)
            if spread > 1:
                formula = summed(formula)
            found[x] = Pull(
                None if local is None else self._counting(local.expression),
                local_number,
                self._counting(formula),
                own,
                spread,
                share.number,
                operation,
                position,
            )
        return found

    def _walk(self, value: Value, seed: Symbol, local: bool) -> dict[Value, Handed]:
        """The chain rule on Symbols, down to the next visible Values; not added up to their shapes.

        With `local`, only along operations that work entry by entry, unless it begins at a number.
        """
        entries = local and np.size(value._content) > 1
        cotangents: dict[Value, Symbol] = {value: seed}
        found: dict[Value, Handed] = {}
        blocked: set[Value] = set()
        waiting = [(-value._age, value)]
        while waiting:
            reader = heappop(waiting)[1]
            g = cotangents[reader]
            operation, operands, numbers, _ = reader._record  # type: ignore[misc]
            rules, entrywise = _rules(operation, numbers)
            for position, x in enumerate(operands):
                if type(x) is not Value or not x.requires_grad:
                    continue
                if entries and (reader in blocked or x in blocked or not entrywise):
                    blocked.add(x)
                    if x not in cotangents and x not in self.visible:
                        cotangents[x] = g
                        heappush(waiting, (-x._age, x))
                    continue
                c = self._handed(reader, rules, position, g)
                if x in self.visible or x._record is None:
                    if x in found:
                        before = found[x][0]
                        c = _added(_fit(before, x), _fit(c, x))
                    found[x] = c, operation.name, position
                else:
                    c = c if entries else _fit(c, x)
                    if x in cotangents:
                        cotangents[x] = _added(cotangents[x], c)
                    else:
                        cotangents[x] = c
                        heappush(waiting, (-x._age, x))
        return {x: share for x, share in found.items() if x not in blocked}

    def _handed(self, reader: Value, rules: Any, position: int, g: Symbol) -> Symbol:
        """What one rule hands on: its own formula, or its name where that says nothing."""
        operation, operands, numbers, options = reader._record  # type: ignore[misc]
        rule = rules[0 if operation.variadic else position]
        if rule is None:
            raise no_derivative(operation, position)
        out = self._known(reader)
        given = [self._operand(x, number) for x, number in zip(operands, numbers, strict=True)]
        try:
            c = rule(g, out, *given, **options)
            c = c(position) if operation.variadic else c
            return c if isinstance(c, Symbol) else Symbol(expression_of(c), c)
        except Exception:
            c = rule(g.number, reader._content, *numbers, **options)
            c = c(position) if operation.variadic else c
        x = operands[position]
        below = self.names.latex(x)
        word = Name(rf"\frac{{d{self.names.latex(reader)}}}{{d{below}}}")
        return Symbol(product(g.expression, word), number_of(c), g.length + 1)

    def _known(self, value: Value) -> Symbol:
        """A Value by its name where it is visible, else by its formula."""
        if value in self.visible or value._record is None or value is self.loss:
            return Symbol(Name(self.names.latex(value)), value._content)
        return self._computed(value)

    def _operand(self, x: Any, number: Any) -> Any:
        """An operand: a Value, a named constant, or a plain number."""
        if type(x) is Value and x.requires_grad:
            return Symbol(self._known(x).expression, number, self._known(x).length)
        if isinstance(number, np.ndarray) and number.ndim:
            return Symbol(Name(self.names.latex(x)), number)
        return number

    def _computed(self, value: Value) -> Symbol:
        """What an operation computed, as its formula."""
        if value not in self._inner:
            operation, operands, numbers, options = value._record  # type: ignore[misc]
            given = [self._operand(x, number) for x, number in zip(operands, numbers, strict=True)]
            self._inner[value] = symbolic(operation, given, options, value._content)
        return self._inner[value]


def _rules(operation: Primitive, numbers: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """The rules by operand, and whether the operation works entry by entry."""
    line = operation.name in {"affine", "matmul"} and np.shape(numbers[1]) == (1, 1)
    if line and np.ndim(numbers[0]) == 2:
        return LINE, True
    return operation.rules, operation.kind == "elementwise" or operation.name in ENTRYWISE


def _fit(c: Symbol, x: Value) -> Symbol:
    """A cotangent in the shape of its Value; what broadcasting spread is added up, as Σ."""
    number = fitted(c.number, x._content)
    spread = np.size(c.number) > np.size(number)
    return Symbol(summed(c.expression) if spread else c.expression, number, c.length)


def _added(x: Symbol, y: Symbol) -> Symbol:
    return Symbol(total(x.expression, y.expression), x.number + y.number, x.length + y.length)
