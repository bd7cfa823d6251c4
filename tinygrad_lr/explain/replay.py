"""A recorded graph computed again with other numbers in it, without touching the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import GraphError
from ..graph import ordered
from ..silence import silent
from ..value import Value


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
        self.order: Sequence[Value] = ordered(outputs)[::-1]  # operands before what reads them
        self.known = set(self.order)

    @silent
    def at(self, numbers: Mapping[Value, Any]) -> Mapping[Value, Any]:
        """The numbers of all Values that change, and of the outputs."""
        for value in numbers:
            if value not in self.known:
                name = value.name or "a Value"
                raise GraphError(
                    f"replay: {name} is none of those that the outputs were computed from"
                )
        now: dict[Value, Any] = {value: _like(value, given) for value, given in numbers.items()}
        for value in self.order:
            record = value._record
            if record is None or value in numbers:
                continue
            operation, operands, recorded, options = record
            if not any(type(x) is Value and x in now for x in operands):
                continue
            arguments = [
                now.get(x, number) if type(x) is Value else number
                for x, number in zip(operands, recorded, strict=True)
            ]
            now[value] = _like(value, operation.evaluate(tuple(arguments), options))
        return now | {out: out._content for out in self.outputs if out not in now}


def _like(value: Value, given: Any) -> Any:
    """Numbers in the form of a Value's own."""
    content = value._content
    if type(content) is float:
        return float(given)
    array = np.array(given, content.dtype)
    if array.shape != np.shape(content):
        raise GraphError(
            f"replay: numbers of shape {array.shape} for a Value of shape {np.shape(content)}"
        )
    return array if type(content) is np.ndarray else array[()]
