"""The topological order of a graph."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeVar

from .node import Node, resolve_operands

SomeNode = TypeVar("SomeNode", bound=Node)


def topological_order(outputs: Iterable[SomeNode], since: int = 0) -> list[SomeNode]:
    """Return the Values that the outputs were computed from, each after all that read it.

    Operands are older than their results, so age is a topological order: youngest first for
    reverse mode, the opposite for forward mode. Values that require no gradient are left out;
    those older than `since` are included if they are read, but their operands are not. This is a
    loop, never recursion: a chain of a million operations is an ordinary graph.

    >>> x = Value(2.0, name="x")
    >>> y = x * x
    >>> [value.name for value in topological_order([y + x])]
    [None, None, 'x']
    """
    known: set[Any] = set()
    results: list[Any] = []
    leaves: list[Any] = []
    for given in outputs:
        output = given._current()
        if output.requires_grad and output not in known:
            known.add(output)
            (leaves if output._record is None else results).append(output)
    for value in results:
        record = value._record
        if record is not None and value._serial >= since:
            for operand in record[1]:
                if not isinstance(operand, Node):
                    continue
                x = operand
                if operand.written:
                    resolve_operands(value)
                    x = operand._first()
                if x not in known and x.requires_grad:
                    known.add(x)
                    if x._record is None:
                        leaves.append(x)
                    else:
                        results.append(x)
    results.sort(key=attrgetter("_serial"), reverse=True)
    return results + leaves
