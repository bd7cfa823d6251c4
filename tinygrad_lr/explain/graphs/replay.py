"""A recorded graph computed again with other numbers in it, without touching the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...errors import GraphError
from ...support.errstate import silent


class Replay:
    """The numbers of a graph as functions of those of some of its Values.

    `at` gives Values other numbers (leaves or results, of the same shape and dtype): what was
    computed from them is computed again by the recorded operations, with the recorded options and
    constants (a dropout mask stays the one that was drawn). The graph is left as it is.

    Raises `GraphError` where a Value is none of those that the outputs were computed from.

    >>> w, b = Value(2.0, name="w"), Value(1.0, name="b")
    >>> loss = (w * 3.0 + b) ** 2
    >>> replay = Replay(loss)
    >>> replay.at({w: 2.5})[loss], loss.data, replay.at({w: 2.5, b: 0.0})[loss]
    (72.25, 49.0, 56.25)
    """

    def __init__(self, *outputs: Value) -> None:
        self.outputs = outputs
        # operands before what reads them
        self.order: Sequence[Value] = topological_order(outputs)[::-1]
        self.known = set(self.order)

    @silent
    def at(self, numbers: Mapping[Value, Any]) -> Mapping[Value, Any]:
        """The numbers of all Values that change, and of the outputs."""
        for value in numbers:
            if value not in self.known:
                name = value.name or "a Value"
                raise GraphError(
                    f"Replay.at: the outputs must be computed from the Values given, but do not "
                    f"depend on {name}"
                )
        starts = {value: _like(value, given) for value, given in numbers.items()}
        now = run_again(self.order, starts, finished=_like)
        return now | {out: out._content for out in self.outputs if out not in now}


def run_again(
    order: Iterable[Value],
    starts: Mapping[Value, Any],
    *,
    constant: Callable[[Any, Any], Any] = lambda x, number: number,
    finished: Callable[[Value, Any], Any] = lambda value, out: out,
) -> dict[Value, Any]:
    """Recorded operations once more, from other numbers (or from Values: then they are recorded).

    `order` has operands before what reads them. What does not depend on `starts` is not computed:
    `constant` gives its number, from the operand and the recorded number; `finished` brings each
    result into its form.

    Raises `GraphError` where a compiled function is among the operations.
    """
    now = dict(starts)
    for value in order:
        record = value.record
        if record is None or value in now:
            continue
        operation, operands, numbers, options = record
        if any(type(x) is Value and x in now for x in operands):
            arguments = tuple(
                now[x] if type(x) is Value and x in now else constant(x, number)
                for x, number in zip(operands, numbers, strict=True)
            )
            try:
                out = operation.evaluate(arguments, options)
            except NotImplementedError:
                raise GraphError(
                    f"{operation.name} is a compiled function: its steps are not in the graph; "
                    "call it without tg.compile to look inside"
                ) from None
            now[value] = finished(value, out)
    return now


def _like(value: Value, given: Any) -> Any:
    """Numbers in the form of a Value's own."""
    content = value._content
    if type(content) is float:
        return float(given)
    array = np.array(given, content.dtype)
    if array.shape != np.shape(content):
        raise GraphError(
            f"Replay.at: numbers for a Value of shape {np.shape(content)} must have that shape, "
            f"got {array.shape}"
        )
    return array if type(content) is np.ndarray else array[()]


def recorded_leaves(order: Iterable[Value]) -> dict[Value, Any]:
    """The leaves of a graph with the numbers that it recorded: they may have changed since.

    >>> w = Value(2.0)
    >>> loss = w * 3.0
    >>> w.data = 5.0
    >>> recorded_leaves([w, loss])[w]
    2.0
    """
    found: dict[Value, Any] = {}
    for value in order:
        record = value.record
        if record is None:
            found.setdefault(value, value._content)  # a loss that is a leaf
        else:
            found.update(
                (x, number)
                for x, number in zip(record.operands, record.numbers, strict=True)
                if type(x) is Value and x.record is None and x.requires_grad
            )
    return found
