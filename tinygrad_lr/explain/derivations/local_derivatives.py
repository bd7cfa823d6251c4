"""Formulas and local derivatives between the visible Values of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ...core.chain_rule import match_shape
from ...core.node import Record
from ...core.value import Value
from ...support.errstate import ignore_float_errors
from ..formula.expression import (
    ONE,
    Expression,
    Name,
    as_number,
    derivative,
    partial,
    product,
    total,
)
from ..formula.rewriting import (
    collect_terms,
    first_count,
    name_labels,
    replace_parts,
    resolve_counts,
)
from ..formula.rules import apply_rule, rules_of, sum_spread, sum_to_shape
from ..formula.symbol import Symbol, apply_symbolically, name_indices, rank_of
from ..graphs.naming import Names, long_indices
from ..graphs.replay import leaf_numbers

Contribution = tuple[Symbol, str, int]
"""A share, the operation that passed it on, and the position of the operand."""

SEVERAL_OPERATIONS = ""
"""The name in place of an operation if a share came through several operations."""


@dataclass(frozen=True)
class Pull:
    """The share of a gradient that a Value, the reader, passes to a Value it was computed from.

    - `local`, `local_number`: the derivative of the reader, entry by entry; None if there is no
      formula by entries, as for a matrix product
    - `formula`, `number`: the share of the gradient that comes this way
    - `spread`: the number of entries of the reader that use each entry; their shares are added up
    - `terms`: the shares before they are added up
    - `operation`, `position`: the name of the last operation on the path, and the position of this
      operand; "" and 0 if several paths come together
    """

    local: Expression | None
    local_number: Any
    formula: Expression
    number: Any
    spread: int
    terms: Any
    operation: str
    position: int


@dataclass(frozen=True, eq=False)
class Given:
    """A line of the forward pass: a name, the formula that computed it or None, and its numbers."""

    name: Name
    formula: Expression | None
    data: Any


class GraphFormulas:
    """The formulas of a graph, written in the names of its visible Values.

    A Value that is not in `visible` is written out where it is used. `beside` are Values that the
    loss may not read, but formulas of derivatives: they have names there.
    """

    def __init__(
        self, loss: Value, names: Names, visible: Set[Value], beside: Sequence[Value] = ()
    ) -> None:
        self.loss = loss
        self.beside = beside
        self.names = names
        self.visible = visible
        self.unreadable: set[Value] = set()  # between which a rule has no formula of its own
        # the count written as N, the first one in a formula; -1 where a Value is called N
        self.count = -1 if names.has("N") else 0
        self._inner: dict[Value, Symbol] = {}
        self._known = {self._formula(x).expression: self._named(x, x).expression for x in beside}

    def forward(self, value: Value) -> Expression:
        """Return the formula of a Value in terms of the visible ones before it."""
        return self._resolve_counts(self._formula(value).expression)

    def forward_pass(self, derivatives: Iterable[Expression]) -> tuple[Given, ...]:
        """Return a line for all that the loss is computed from: arrays, leaves, and results.

        And for what only formulas of `derivatives` read.
        """
        leaves = leaf_numbers(self.names.order)
        lines: list[Given] = []
        shown: set[int] = set()

        def add(x: Any, name: str, formula: Expression | None, data: Any) -> None:
            if id(x) not in shown:
                shown.add(id(x))
                lines.append(Given(Name(name), formula, data))

        parts = {part for formula in derivatives for part in formula.walk()}
        read = [x for x in self.beside if self._known[self._formula(x).expression] in parts]
        order = [x for x in self.names.order if x in self.visible and x.record]
        order = sorted({*order, *read}, key=lambda x: x._serial)
        formulas = {x: self.forward(x) for x in order}
        used = {n.latex for f in formulas.values() for n in f.walk() if isinstance(n, Name)}
        for value in self.names.order:  # what is given, in the order in which it is read
            if value.record is None:
                continue
            _, operands, numbers, options = value.record
            for x, number in zip(operands, numbers, strict=True):
                is_leaf = type(x) is Value and x.record is None
                name = self.names.latex(x) if np.ndim(number) or is_leaf else ""
                given = is_leaf or type(x) is not Value
                if given and name and (name in used or (is_leaf and x in self.visible)):
                    add(x, name, None, leaves.get(x, number) if is_leaf else number)
            for index in long_indices(options):
                add(index, self.names.latex(index), None, index)
            if "labels" in options:
                add(options["labels"], self.names.labels, None, options["labels"])
        for value, formula in formulas.items():
            add(value, self.names.latex(value), formula, value._content)
        return tuple(lines)

    def _resolve_counts(self, formula: Expression) -> Expression:
        """Return the formula with a single meaning of N."""
        self.count = self.count or first_count(formula)
        return name_labels(resolve_counts(formula, self.count), self.names.labels)

    def _with_names(self, formula: Expression) -> Expression:
        """Return a formula in which those of the Values beside are their names."""
        return replace_parts(formula, self._known) if self._known else formula

    def derivative(self, value: Value) -> Name:
        """Return the name dL/dx."""
        above, below = (Name(self.names.latex(x)) for x in (self.loss, value))
        return derivative(above, below, rank_of(value._content))

    def partial(self, value: Value, of: Value) -> Name:
        """Return the name ∂z/∂x."""
        return partial(*(self._named(x, x._content).expression for x in (of, value)))

    @ignore_float_errors
    def pull(self, value: Value, g: Any) -> dict[Value, Pull]:
        """Return the shares of a cotangent g that a Value passes to the visible ones before it."""
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
                    local, terms = sum_to_shape(local, x._content), own
                else:
                    terms = g * local.number
                local_number = local.number
                formula = product(name, local.expression)
            spread = np.size(terms) // max(np.size(own), 1)
            if spread > 1:
                together = Symbol(formula, terms)
                together.written_shape = share.written_shape
                if local is not None:
                    written = np.shape(g), locals_[x][0].written_shape
                    together.written_shape = max(written, key=len)
                formula = sum_spread(together, own)
            found[x] = Pull(
                None
                if local is None
                else self._resolve_counts(self._with_names(as_number(local.expression))),
                local_number,
                self._resolve_counts(self._with_names(formula)),
                own,
                spread,
                terms,
                operation,
                position,
            )
        return found

    def _walk(self, value: Value, seed: Symbol, local: bool) -> dict[Value, Contribution]:
        """Apply the chain rule to Symbols down to the next visible Values, not yet summed to shape.

        With `local`, follow only elementwise operations, unless the start is a single number.
        """
        entries = local and np.size(value._content) != 1
        cotangents: dict[Value, Symbol] = {value: seed}
        found: dict[Value, Contribution] = {}
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
                c = self._apply_rule(reader, position, g)
                if x in self.visible or x.record is None:
                    if x in found:
                        together = _combine(found[x][0], c, x._content, entries)
                        found[x] = together, SEVERAL_OPERATIONS, 0
                    else:
                        found[x] = c, operation.name, position
                else:
                    c = c if entries else sum_to_shape(c, x._content)
                    if x in cotangents:
                        cotangents[x] = _add(cotangents[x], c)
                    else:
                        cotangents[x] = c
                        heappush(waiting, (-x._serial, x))
        return {x: share for x, share in found.items() if x not in blocked}

    def _apply_rule(self, reader: Value, position: int, g: Symbol) -> Symbol:
        """Return the share that one rule passes on."""
        record = self._with_named_indices(reader.record)  # type: ignore[arg-type]
        given = self._operands(record)
        x = record.operands[position]
        local = self._local_name(reader, x)
        found = apply_rule(record, position, g, self._symbol(reader), given, local)
        parts = [*found.expression.walk()]
        if local in parts:
            self.unreadable |= {reader, x}
        written = self._symbol(reader).expression
        unnamed = not isinstance(written, Name) and not record.operation.entrywise
        if (
            unnamed and np.size(reader._content) > 1 and parts.count(written) > 1
        ):  # its own derivative repeats it: it gets a name
            self.unreadable.add(reader)
        return found

    def _with_named_indices(self, record: Record) -> Record:
        """Return a record whose long arrays of indices are written by their names."""
        if not [*long_indices(record.options)]:
            return record
        index = name_indices(record.options["index"], self.names.latex)
        return record._replace(options={**record.options, "index": index})

    def _local_name(self, reader: Value, x: Value) -> Name:
        """Return ∂z/∂x; a z or x without a name is written out."""
        return partial(self._symbol(reader).expression, self._symbol(x).expression)

    def _symbol(self, value: Value) -> Symbol:
        """Return a Value by its name if it is visible, else by its formula."""
        if value in self.visible or value.record is None or value is self.loss:
            return self._named(value, value._content)
        return self._formula(value)

    def _operands(self, record: Record) -> list[Any]:
        return [self._operand(x, n) for x, n in zip(record.operands, record.numbers, strict=True)]

    def _operand(self, x: Any, number: Any) -> Any:
        """Return an operand: a Value, a named constant, or a plain number."""
        if type(x) is Value and x.requires_grad:
            return self._symbol(x).with_number(number)
        if isinstance(number, np.ndarray) and number.ndim:
            return self._named(x, number)
        return number

    def _named(self, x: Any, number: Any) -> Symbol:
        """Return a Value or an array by its name."""
        return Symbol(Name(self.names.latex(x), rank=rank_of(number)), number)

    def _formula(self, value: Value) -> Symbol:
        """Return the result of an operation with its formula."""
        if value not in self._inner:
            record = self._with_named_indices(value.record)  # type: ignore[arg-type]
            self._inner[value] = apply_symbolically(
                record.operation, self._operands(record), record.options, value._content
            )
        return self._inner[value]


def _combine(first: Symbol, second: Symbol, like: Any, entries: bool) -> Symbol:
    """Add two shares of one Value; if their shapes differ, sum each to the Value's shape first."""
    if entries or np.shape(first.number) == np.shape(second.number):
        return _add(first, second)
    return _add(sum_to_shape(first, like), sum_to_shape(second, like))


def _add(x: Symbol, y: Symbol) -> Symbol:
    return Symbol(
        collect_terms(total(x.expression, y.expression)), x.number + y.number, x.length + y.length
    )
