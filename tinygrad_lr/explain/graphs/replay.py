"""Evaluate a recorded graph again with other numbers, without touching the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...errors import GraphError
from ...support.errstate import ignore_float_errors
from ...support.validation import check_instance, check_mapping, float_array


class Replay:
    """The numbers of a graph as functions of the numbers of some of its Values.

    `at` takes other numbers for Values (leaves or results), of the same shape and dtype. What
    depends on them is computed again by the recorded operations, with the recorded options and
    constants (a dropout mask stays the one that was drawn). The graph is not changed.

    Raises `GraphError` if the outputs were not computed from one of the Values.

    >>> w, b = Value(2.0, name="w"), Value(1.0, name="b")
    >>> loss = (w * 3.0 + b) ** 2
    >>> replay = Replay(loss)
    >>> replay.at({w: 2.5})[loss], loss.data, replay.at({w: 2.5, b: 0.0})[loss]
    (72.25, 49.0, 56.25)
    """

    def __init__(self, *outputs: Value) -> None:
        for output in outputs:
            check_instance("Replay", "each output", output, Value, "a Value")
        self.outputs = outputs
        # operands before what reads them
        self.order: Sequence[Value] = topological_order(outputs)[::-1]
        self.known = set(self.order)

    @ignore_float_errors
    def at(self, numbers: Mapping[Value, Any]) -> Mapping[Value, Any]:
        """Return the numbers of all Values that change, and of the outputs."""
        check_mapping("Replay.at", "numbers", numbers, "a dict of numbers by Value")
        for value in numbers:
            check_instance("Replay.at", "each key of numbers", value, Value, "a Value")
            if value not in self.known:
                name = value.name or "a Value"
                raise GraphError(
                    f"Replay.at: the outputs must be computed from the Values given, but do not "
                    f"depend on {name}"
                )
        starts = {
            value: _match_form(value, float_array("Replay.at", "each number", given))
            for value, given in numbers.items()
        }
        now = rerun(self.order, starts, finish=_match_form)
        return now | {out: out._content for out in self.outputs if out not in now}


def rerun(
    order: Iterable[Value],
    starts: Mapping[Value, Any],
    *,
    constant: Callable[[Any, Any], Any] = lambda x, number: number,
    finish: Callable[[Value, Any], Any] = lambda value, out: out,
) -> dict[Value, Any]:
    """Run recorded operations again from other numbers (or from Values: then they are recorded).

    `order` has operands before their readers. Whatever does not depend on `starts` is not computed:
    `constant` returns its number from the operand and the recorded number. `finish` converts each
    result.

    Raises `GraphError` if a compiled function is among the operations.
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
            now[value] = finish(value, out)
    return now


def _match_form(value: Value, given: Any) -> Any:
    """Return numbers with the type, dtype and shape of a Value's own."""
    content = value._content
    if type(content) is float and np.ndim(given) == 0:
        return float(given)
    array = np.array(given, value.dtype)
    if array.shape != np.shape(content):
        raise GraphError(
            f"Replay.at: numbers for a Value of shape {np.shape(content)} must have that shape, "
            f"got {array.shape}"
        )
    return array if type(content) is np.ndarray else array[()]


def leaf_numbers(order: Iterable[Value]) -> dict[Value, Any]:
    """Return the leaves of a graph with the recorded numbers, which may have changed since.

    >>> w = Value(2.0)
    >>> loss = w * 3.0
    >>> w.data = 5.0
    >>> leaf_numbers([w, loss])[w]
    2.0
    """
    records = [value.record for value in order]
    return {
        x: number
        for record in records
        if record is not None
        for x, number in zip(record.operands, record.numbers, strict=True)
        if type(x) is Value and x.record is None and x.requires_grad
    }
