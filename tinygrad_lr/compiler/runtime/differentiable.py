"""A compiled function called on Values is one node of their graph, with a compiled backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.chain_rule import match_shape, pull_back
from ...core.grad_mode import RECORDING, Watched
from ...core.node import PackedRecord, unwrap
from ...core.primitive import Primitive
from ...core.value import Value, make_value, notify_watcher
from ...support import pytree as tree
from ..tracing.trace_function import is_dynamic
from .specialization import Specialization


def call_as_node(
    name: str, program: Specialization, backward: Callable[..., Any], leaves: Sequence[Any]
) -> Any:
    """Return what the function returns, as results of one operation on its Values.

    `backward(cotangents, operands)` returns the operands' cotangents.
    """
    now = RECORDING.get()
    recording = now and any(program.requires_grad)
    operands = (*leaves, *program.differentiable_values)
    numbers = [snapshot_operand(x) for x in operands] if recording else []
    found = program.run([unwrap(x) for x in leaves])
    if not recording:
        return found
    values = [x for x in tree.leaves([found]) if isinstance(x, Value)]
    differentiable = [x for x, needed in zip(values, program.requires_grad, strict=True) if needed]
    nodes = {}
    for k, x in enumerate(differentiable):
        made = output_primitive(name, backward, len(differentiable), k)
        record: PackedRecord = (made, operands, numbers, {})
        if isinstance(now, Watched):
            nodes[id(x)] = notify_watcher(now, x._content, True, record)
        else:
            nodes[id(x)] = make_value(x._content, record)
    return tree.map_leaves(lambda x: nodes.get(id(x), x), [found])[0]


def snapshot_operand(x: Any) -> Any:
    """Return an operand's numbers for the graph: a copy where something else may write to them."""
    if not isinstance(x, Value):
        shared = isinstance(x, np.ndarray) and (x.flags.writeable or x.base is not None)
        return x.copy() if shared else x
    return x._content.copy(order="K") if x._data_shared else x._content


def output_primitive(
    name: str, backward: Callable[..., Any], outputs: int, which: int
) -> Primitive:
    """Return the operation that computes one of the outputs, with its derivative."""
    made = Primitive(_forward)
    made.name = name

    def rule(g: Any, out: Any, *operands: Any, **_: Any) -> Callable[[int], Any]:
        cotangents: list[Any] = [None] * outputs
        cotangents[which] = g
        found = backward(cotangents, list(operands))
        return found.__getitem__  # type: ignore[no-any-return]

    made.rules[0] = rule  # forward mode transposes it
    return made


def _forward(*operands: Any) -> Any:
    raise NotImplementedError("a compiled function evaluates itself")


def build_backward(
    function: Callable[..., Any], args: Sequence[Any], outer_values: Sequence[Value]
) -> Callable[..., Any]:
    """Return the function of (cotangents, operands) that computes the operands' cotangents.

    Operands are the arrays and Values among the arguments, then the outer Values. The cotangent of
    a plain array is 0.
    """

    def as_slot(x: Any) -> Any:
        return ArgumentSlot(isinstance(x, Value)) if is_dynamic(x) else getattr(x, "value", x)

    structure = tree.map_leaves(as_slot, list(args))
    slots = [x for x in tree.leaves(structure) if isinstance(x, ArgumentSlot)]

    def backward(cotangents: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
        pairs = zip(slots, operands, strict=False)
        arguments = [as_value(x) if slot.is_value else x for slot, x in pairs]
        before = [value._content for value in outer_values]
        token = RECORDING.set(True)
        try:
            for value, number in zip(outer_values, operands[len(slots) :], strict=True):
                value._content = unwrap(number)
            given = iter(arguments)
            filled = tree.map_leaves(
                lambda x: next(given) if isinstance(x, ArgumentSlot) else x, structure
            )
            out = function(*filled[:-1], **filled[-1])
            outputs = [x for x in tree.leaves([out]) if isinstance(x, Value) and x.requires_grad]
            seeds = {
                x: match_shape(g, unwrap(x))
                for x, g in zip(outputs, cotangents, strict=True)
                if g is not None
            }
            recording = any(isinstance(x, Value) for x in (*operands, *cotangents))
            found = pull_back(seeds, recording=recording)
        finally:
            RECORDING.reset(token)
            for value, content in zip(outer_values, before, strict=True):
                value._content = content
        return [
            found.get(x, zero_cotangent(x)) if isinstance(x, Value) else 0.0
            for x in [*arguments, *outer_values]
        ]

    return backward


class ArgumentSlot:
    """The position of an array, a number or a Value among the arguments."""

    def __init__(self, is_value: bool) -> None:
        self.is_value = is_value


def as_value(x: Any) -> Value:
    """Return an operand as a leaf of the graph inside the trace."""
    return x if isinstance(x, Value) else Value(x)


def zero_cotangent(x: Value) -> Any:
    """Return the cotangent of a Value that the outputs don't depend on."""
    return np.zeros_like(unwrap(x)) if np.shape(unwrap(x)) else 0.0
