"""The graph that a traced function leaves: its Values, with traced arrays in place of numbers.

The graph is copied, so that nothing of it refers to what the function held. All that a derivative
depends on is in it: operations, options, and instructions for the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.grad_mode import RECORDING
from ...core.graph import topological_order
from ...core.node import Node, unwrap
from ...core.value import Value, make_value
from ...support import pytree as tree
from ...support.abstract_array import same_numbers
from ..ir.instruction import Instruction
from .interception import bypass_trace
from .traced_array import CHECKS, Traced


class TracedGraph:
    """A copy of the graph between some outer Values and the results of a traced function.

    - `outputs`: the results, each a Value with a record, or one of the `leaves`
    - `leaves`: for each input that a Value holds, by the key of its source, the Value in the graph
    """

    def __init__(
        self,
        outputs: Sequence[Value] = (),
        inputs: Mapping[Value, Instruction] | None = None,
        since: int = 0,
    ) -> None:
        """Copy the graph of some Values; `inputs` are those of Values from outside the function.

        Values older than `since` are leaves.
        """
        self._arrays: dict[Instruction, Traced] = {}
        twins: dict[Any, Value] = {}
        self.leaves: dict[tuple[Any, ...], Value] = {}
        inputs = inputs or {}
        for value in reversed(topological_order(outputs, since)):
            source = inputs.get(value)
            if source is not None:
                twin = self.leaves[source.options["source"].key()] = make_leaf(self._array(source))
            elif value._record is None:
                twin = make_leaf(self._own(value._content))
            else:
                operation, operands, numbers, options = value._record
                kept = [
                    twins[x]._content  # also of a constant that is an input of a loop's body
                    if isinstance(x, Node)
                    and x in inputs
                    and x in twins
                    and same_numbers(x._content, number)
                    else self._own(number)
                    for x, number in zip(operands, numbers, strict=True)
                ]
                pairs = zip(operands, kept, strict=True)
                given = tuple(twins.get(x, k) if isinstance(x, Node) else k for x, k in pairs)
                held = options and tree.map_leaves(self._own_option, options)
                record = (operation, given, kept, held)
                twin = make_value(self._own(value._content), record)
            twins[value] = twin
        self.outputs = [twins[x._current()] for x in outputs]

    def _array(self, instruction: Instruction) -> Traced:
        return self._arrays.setdefault(instruction, Traced(instruction))

    def _own(self, x: Any) -> Any:
        if isinstance(x, np.ndarray) and x.base is None:
            x.flags.writeable = False  # a record's own copy
        return self._own_option(x)

    def _own_option(self, x: Any) -> Any:
        if isinstance(x, Value) and isinstance(unwrap(x), Traced):  # a residual of a custom rule
            return make_value(self._own_option(unwrap(x)), None)
        return self._array(x.instruction) if isinstance(x, Traced) else x

    @property
    def instructions(self) -> list[Instruction]:
        """The instructions of its numbers."""
        return [array.instruction for array in self._arrays.values()]

    def replace(self, instructions: Sequence[Instruction]) -> None:
        """Replace the instructions of its numbers, in order."""
        for array, instruction in zip(self._arrays.values(), instructions, strict=True):
            array._instruction = instruction


def make_leaf(content: Any) -> Value:
    """Return a leaf that requires a gradient, without a copy of its content."""
    leaf = make_value(content, None)
    leaf.requires_grad = True
    return leaf


def traced_instructions(values: Sequence[Value]) -> Iterator[Instruction]:
    """Iterate over the instructions of the numbers that the Values' records hold."""
    for value in values:
        _, _, numbers, options = value._record or (None, (), (), {})
        for x in map(unwrap, (value._content, *numbers, *tree.leaves(options))):
            if isinstance(x, Traced):
                yield x.instruction


def runs_user_code(values: Sequence[Value]) -> bool:
    """Return True if derivatives of some Values may run rules that are the user's code."""
    return any(x._record is not None and x._record[0].runs_user_code for x in values)


def run_rules(function: Callable[[], Any]) -> Any:
    """Return what the chain rule computes on traced arrays, outside every trace."""
    recording, checks = RECORDING.set(True), CHECKS.set([])
    try:
        with bypass_trace():
            return function()
    finally:
        CHECKS.reset(checks)
        RECORDING.reset(recording)
