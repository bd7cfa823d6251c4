"""Choose the Values that are steps, and count the paths from a loss to a weight through them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...core.value import Value
from ...errors import ArgumentError
from ...support.validation import short_repr
from ..graphs.naming import Names

MAX_INLINE_OPERATIONS = 8  # in one formula, before a Value without a name becomes a step


def visible_values(names: Names, loss: Value, targets: Iterable[Value]) -> set[Value]:
    """Return the Values that are steps: named, read several times, or the end of a long formula."""
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
        if not plain or length[value] > MAX_INLINE_OPERATIONS:
            visible.add(value)
        if value in visible:
            length[value] = 0
    return visible | {x for x in names.order if x.record is None}


def operands_of(value: Value) -> list[Value]:
    """Return the operands of a result that are Values and require a gradient."""
    record = value.record
    if record is None:
        return []
    return [x for x in record.operands if type(x) is Value and x.requires_grad]


def dependents_of(names: Names, targets: Iterable[Value]) -> set[Value]:
    """Return the targets and all Values that were computed from them."""
    reached = set(targets)
    for value in names.order:
        if not reached.isdisjoint(operands_of(value)):
            reached.add(value)
    return reached


class PathGraph:
    """The paths through the visible Values, numbered."""

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
        """Return the number of paths from the loss to each Value."""
        found = {self.loss: 1}
        for value in reversed(self.order):
            for x in self.before[value]:
                found[x] = found.get(x, 0) + found.get(value, 0)
        return found

    def select_path(self, target: Value, number: Any) -> tuple[Value, ...]:
        """Return the Values of one path, from the loss to the target."""
        counts = self._path_counts(target)
        total = counts.get(self.loss, 0)
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if not whole or not 0 <= number < total:
            raise ArgumentError(
                f"derivation: path must be an integer from 0 to {total - 1}, "
                f"got {short_repr(number)}"
            )
        way = [self.loss]
        while way[-1] is not target:
            for x in self.before[way[-1]]:
                if number < counts.get(x, 0):
                    way.append(x)
                    break
                number -= counts.get(x, 0)
        return tuple(way)

    def _path_counts(self, target: Value) -> dict[Value, int]:
        counts = {target: 1}
        for value in self.order:
            if value is not target:
                counts[value] = sum(counts.get(x, 0) for x in self.before[value])
        return counts
