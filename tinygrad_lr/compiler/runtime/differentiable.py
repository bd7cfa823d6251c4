"""A compiled function called on Values is one node of their graph, with a compiled backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.chain_rule import match_shape, pull_back
from ...core.grad_mode import RECORDING, Watched
from ...core.node import PackedRecord, unwrap
from ...core.primitive import Primitive
from ...core.value import Value, result, seen
from ...support import pytree as tree
from ..tracing.trace_function import dynamic
from .specialization import Specialization

if TYPE_CHECKING:
    from .compiled import Compiled


def as_node(
    compiled: Compiled, program: Specialization, args: Sequence[Any], leaves: Sequence[Any]
) -> Any:
    """What the function returns, as results of one operation on its Values."""
    now = RECORDING.get()
    recording = now and any(program.required)
    operands = (*leaves, *program.sources)
    numbers = [numbers_of(x) for x in operands] if recording else []
    found = program.run([unwrap(x) for x in leaves])
    if not recording:
        return found
    values = [x for x in tree.leaves([found]) if isinstance(x, Value)]
    differentiable = [x for x, required in zip(values, program.required, strict=True) if required]
    nodes = {}
    for k, x in enumerate(differentiable):
        made = operation(compiled, program, args, len(differentiable), k)
        record: PackedRecord = (made, operands, numbers, {})
        if isinstance(now, Watched):
            nodes[id(x)] = seen(now, x._content, True, record)
        else:
            nodes[id(x)] = result(x._content, record)
    return tree.mapped(lambda x: nodes.get(id(x), x), [found])[0]


def numbers_of(x: Any) -> Any:
    """An operand's numbers as a graph keeps them: copied where somebody else may write to them."""
    if not isinstance(x, Value):
        return x.copy() if isinstance(x, np.ndarray) and x.flags.writeable else x
    return x._content.copy(order="K") if x._data_shared else x._content


def operation(
    compiled: Compiled, program: Specialization, args: Sequence[Any], outputs: int, which: int
) -> Primitive:
    """The operation that gives one of the outputs, with its rule."""
    made = Primitive(_forward)
    made.name = compiled.__name__

    def rule(g: Any, out: Any, *operands: Any, **_: Any) -> Callable[[int], Any]:
        backward = compiled.backward(program, args, outputs)
        others: list[Any] = [None] * outputs
        others[which] = g
        found = backward(others, list(operands))
        return found.__getitem__  # type: ignore[no-any-return]

    made.rules[0] = rule  # forward mode transposes it
    return made


def _forward(*operands: Any) -> Any:
    raise NotImplementedError("a compiled function evaluates itself")


def pulled(
    function: Callable[..., Any], args: Sequence[Any], sources: Sequence[Value]
) -> Callable[..., Any]:
    """The function of (cotangents, operands) that gives the operands' cotangents.

    Operands are the arguments' arrays and Values, then the sources; plain arrays get 0.
    """

    def kept(x: Any) -> Any:
        return Place(isinstance(x, Value)) if dynamic(x) else getattr(x, "value", x)

    structure = tree.mapped(kept, list(args))
    places = [x for x in tree.leaves(structure) if isinstance(x, Place)]

    def backward(cotangents: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
        pairs = zip(places, operands, strict=False)
        watched = [as_value(x) if place.is_value else x for place, x in pairs]
        held = [value._content for value in sources]
        token = RECORDING.set(True)
        try:
            for value, number in zip(sources, operands[len(places) :], strict=True):
                value._content = unwrap(number)
            given = iter(watched)
            filled = tree.mapped(lambda x: next(given) if isinstance(x, Place) else x, structure)
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
            for value, content in zip(sources, held, strict=True):
                value._content = content
        return [
            found.get(x, nothing(x)) if isinstance(x, Value) else 0.0 for x in [*watched, *sources]
        ]

    return backward


class Place:
    """The place of an argument that is an array or a number, or a Value."""

    def __init__(self, is_value: bool) -> None:
        self.is_value = is_value


def as_value(x: Any) -> Value:
    """An operand as a leaf of the graph inside the trace."""
    return x if isinstance(x, Value) else Value(x)


def nothing(x: Value) -> Any:
    """The cotangent of what the outputs do not depend on."""
    return np.zeros_like(unwrap(x)) if np.shape(unwrap(x)) else 0.0
