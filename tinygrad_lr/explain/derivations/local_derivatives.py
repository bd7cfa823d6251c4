"""Formulas between the Values that have a name: what lies between two of them is written out."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ...core.chain_rule import match_shape
from ...core.node import Record
from ...core.value import Value
from ...support.errstate import silent
from ..formula.expression import ONE, Expression, Name, call, derivative, product, summed, total
from ..formula.rewriting import count_of, counting, gathered
from ..formula.rules import fit, handed, rules_of
from ..formula.symbol import Symbol, symbolic
from ..graphs.naming import Names

Handed = tuple[Symbol, str, int]
"""A share, the operation that handed it on, and to which of its operands."""

SEVERAL = ""
"""In the place of an operation, where a share came several ways."""


@dataclass(frozen=True)
class Pull:
    """What the chain rule hands from a Value, the reader, to one that it was computed from.

    - `local`, `local_number`: the derivative of the reader, entry by entry; None where it is no
      formula of entries, such as that of a matrix product
    - `formula`, `number`: the share of the gradient that comes this way
    - `spread`: in how many entries of the reader each entry is used; their shares are added up
    - `terms`: the shares before they are added up
    - `operation`, `position`: the last operation on the way, by name, and which operand this is;
      "" and 0 where several ways come together
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
        self.count = self.count or count_of(formula)
        return counting(formula, self.count)

    def derivative(self, value: Value, of: Value | None = None) -> Name:
        """The name dL/dx, or dz/dx for another numerator."""
        numerator = self.names.latex(of if of is not None else self.loss)
        return derivative(Name(numerator), Name(self.names.latex(value)))

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
            own, terms = match_shape(share.number, x._content), share.number
            local = locals_[x][0] if x in locals_ else None
            formula, local_number = share.expression, None
            if local is not None:
                if np.size(content) == 1:
                    local, terms = fit(local, x._content), own
                else:
                    terms = g * local.number
                local_number = local.number
                formula = product(name, local.expression)
            spread = np.size(terms) // max(np.size(own), 1)
            if spread > 1:
                formula = summed(formula)
            found[x] = Pull(
                None if local is None else self._counting(local.expression),
                local_number,
                self._counting(formula),
                own,
                spread,
                terms,
                operation,
                position,
            )
        return found

    def _walk(self, value: Value, seed: Symbol, local: bool) -> dict[Value, Handed]:
        """The chain rule on Symbols, down to the next visible Values; not added up to their shapes.

        With `local`, only along operations that work entry by entry, unless it begins at a number.
        """
        entries = local and np.size(value._content) != 1
        cotangents: dict[Value, Symbol] = {value: seed}
        found: dict[Value, Handed] = {}
        blocked: set[Value] = set()
        waiting = [(-value._serial, value)]
        while waiting:
            reader = heappop(waiting)[1]
            g = cotangents[reader]
            operation, operands, numbers, _ = reader.record  # type: ignore[misc]
            entrywise = rules_of(operation, numbers)[1]
            for position, x in enumerate(operands):
                if type(x) is not Value or not x.requires_grad:
                    continue
                if entries and (reader in blocked or x in blocked or not entrywise):
                    blocked.add(x)
                    if x not in cotangents and x not in self.visible:
                        cotangents[x] = g
                        heappush(waiting, (-x._serial, x))
                    continue
                c = self._handed(reader, position, g)
                if x in self.visible or x.record is None:
                    if x in found:
                        together = _together(found[x][0], c, x._content, entries)
                        found[x] = together, SEVERAL, 0
                    else:
                        found[x] = c, operation.name, position
                else:
                    c = c if entries else fit(c, x._content)
                    if x in cotangents:
                        cotangents[x] = _added(cotangents[x], c)
                    else:
                        cotangents[x] = c
                        heappush(waiting, (-x._serial, x))
        return {x: share for x, share in found.items() if x not in blocked}

    def _handed(self, reader: Value, position: int, g: Symbol) -> Symbol:
        """What one rule hands on."""
        record: Record = reader.record  # type: ignore[assignment]
        given = self._operands(record)
        local = self._local_name(reader, record.operands[position])
        return handed(record, position, g, self._known(reader), given, local)

    def _local_name(self, reader: Value, x: Value) -> Expression:
        """dz/dx; what has no name of its own is written out."""
        of, by = self._known(reader).expression, self._known(x).expression
        if isinstance(of, Name) and isinstance(by, Name):
            return self.derivative(x, of=reader)
        template = rf"\frac{{{_differential('of', of)}}}{{{_differential('by', by)}}}"
        return call(template, {"of": of, "by": by})

    def _known(self, value: Value) -> Symbol:
        """A Value by its name where it is visible, else by its formula."""
        if value in self.visible or value.record is None or value is self.loss:
            return Symbol(Name(self.names.latex(value)), value._content)
        return self._computed(value)

    def _operands(self, record: Record) -> list[Any]:
        return [self._operand(x, n) for x, n in zip(record.operands, record.numbers, strict=True)]

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
            record: Record = value.record  # type: ignore[assignment]
            self._inner[value] = symbolic(
                record.operation, self._operands(record), record.options, value._content
            )
        return self._inner[value]


def _differential(hole: str, x: Expression) -> str:
    """The template of dx, with brackets where x is more than a name."""
    return f"d<{hole}>" if isinstance(x, Name) else rf"d\left(<{hole}>\right)"


def _together(first: Symbol, second: Symbol, like: Any, entries: bool) -> Symbol:
    """Two shares of one Value; each is added up to its shape where they lie differently."""
    if entries or np.shape(first.number) == np.shape(second.number):
        return _added(first, second)
    return _added(fit(first, like), fit(second, like))


def _added(x: Symbol, y: Symbol) -> Symbol:
    return Symbol(
        gathered(total(x.expression, y.expression)), x.number + y.number, x.length + y.length
    )
