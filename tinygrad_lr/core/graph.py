"""The Values of a graph, in an order that suits the chain rule: readers before what they read."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from .value import Value


def ordered(outputs: Iterable[Value], since: int = 0) -> list[Value]:
    """The Values that the outputs were computed from, each one after all that read it.

    Operands are older than their results, so the order of age is a topological order: youngest
    first for the reverse mode, backwards for the forward mode. Values that require no gradient
    are left out; what is older than `since` is included where it is read, but not entered. A
    loop, never recursion: a chain of a million operations is an ordinary graph.

    >>> x = Value(2.0, name="x")
    >>> y = x * x
    >>> [value.name for value in ordered([y + x])]
    [None, None, 'x']
    """
    known: set[Value] = set()
    results: list[Value] = []
    leaves: list[Value] = []
    for output in outputs:
        if output.requires_grad and output not in known:
            known.add(output)
            (leaves if output._record is None else results).append(output)
    for value in results:
        record = value._record
        if record is not None and value._serial >= since:
            for x in record[1]:
                if type(x) is Value and x not in known and x.requires_grad:
                    known.add(x)
                    if x._record is None:
                        leaves.append(x)
                    else:
                        results.append(x)
    results.sort(key=attrgetter("_serial"), reverse=True)
    return results + leaves
