"""The ways from a loss to a weight, through the Values that are worth a step each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import ArgumentError
from ..graphs.naming import Names

LONG = 8  # operations that a formula may write out before a Value without a name gets one


def visible_values(names: Names, loss: Value, targets: Iterable[Value]) -> set[Value]:
    """The Values that are steps: those with a name, with several readers, or at the end of much."""
    readers: dict[Value, int] = {}
    for value in names.order:
        for x in dict.fromkeys(operands_of(value)):
            readers[x] = readers.get(x, 0) + 1
    visible = {loss, *targets}
    length: dict[Value, int] = {}
    for value in names.order:
        if value.record is None:
            continue
        length[value] = 1 + sum(length.get(x, 0) for x in operands_of(value))
        plain = value in names.numbered and readers.get(value, 0) <= 1
        if not plain or length[value] > LONG:
            visible.add(value)
        if value in visible:
            length[value] = 0
    return visible | {x for x in names.order if x.record is None}


def operands_of(value: Value) -> list[Value]:
    """The Values that a result was computed from and that require a gradient."""
    record = value.record
    if record is None:
        return []
    return [x for x in record.operands if type(x) is Value and x.requires_grad]


def leading_to(names: Names, targets: Iterable[Value]) -> set[Value]:
    """The targets, and all that was computed from them."""
    reached = set(targets)
    for value in names.order:
        if not reached.isdisjoint(operands_of(value)):
            reached.add(value)
    return reached


class Ways:
    """The ways through the visible Values, numbered."""

    def __init__(
        self, loss: Value, names: Names, visible: set[Value], on_the_way: set[Value]
    ) -> None:
        self.loss = loss
        self.before: dict[Value, list[Value]] = {}
        for value in names.order:
            if value in visible and value in on_the_way and value.record is not None:
                found: dict[Value, None] = {}
                waiting = operands_of(value)[::-1]
                while waiting:
                    x = waiting.pop()
                    if x in visible:
                        if x in on_the_way:
                            found[x] = None
                    else:
                        waiting.extend(operands_of(x)[::-1])
                self.before[value] = list(found)
        self.order = [value for value in names.order if value in self.before]

    def counts(self) -> dict[Value, int]:
        """How many ways lead from the loss to each Value."""
        found = {self.loss: 1}
        for value in reversed(self.order):
            for x in self.before[value]:
                found[x] = found.get(x, 0) + found.get(value, 0)
        return found

    def numbered(self, target: Value, number: Any) -> tuple[Value, ...]:
        """One way, from the loss to the target."""
        ways = self._ways(target)
        total = ways.get(self.loss, 0)
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if not whole or not 0 <= number < total:
            raise ArgumentError(
                f"derivation: path must be an integer from 0 to {total - 1}, got {number!r:.60}"
            )
        way = [self.loss]
        while way[-1] is not target:
            for x in self.before[way[-1]]:
                if number < ways.get(x, 0):
                    way.append(x)
                    break
                number -= ways.get(x, 0)
        return tuple(way)

    def _ways(self, target: Value) -> dict[Value, int]:
        ways = {target: 1}
        for value in self.order:
            if value is not target:
                ways[value] = sum(ways.get(x, 0) for x in self.before[value])
        return ways
