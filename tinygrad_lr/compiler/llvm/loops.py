"""Loops that count: the one shape of control flow that static shapes need."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .vectors import INDEX, index


def counted_loop(
    builder: ir.IRBuilder,
    start: Any,
    stop: Any,
    step: Any,
    body: Callable[..., Sequence[Any] | None],
    carried: Sequence[Any] = (),
) -> list[Any]:
    """Emit `for index in range(start, stop, step)`, with values carried from turn to turn.

    `body(index, *carried)` emits one turn at the builder's position, which it may move, and gives
    the carried values for the next turn (None carries nothing). The result is what the last turn
    gave; the builder stands after the loop. start, stop and step (> 0) are ints or i64 values.
    Where ints tell that there is no turn nothing is emitted, where they tell that there is one
    it is emitted without a loop, and where they can't tell, the loop asks before its first turn.
    """
    turns = _turns(start, stop, step)
    if turns == 0:
        return list(carried)
    if turns == 1:
        return list(body(index(start), *carried) or ())
    before = builder.block
    head = builder.append_basic_block("turn")
    after = builder.append_basic_block("after")
    if turns is None:
        builder.cbranch(builder.icmp_signed("<", index(start), index(stop)), head, after)
    else:
        builder.branch(head)
    builder.position_at_end(head)
    counter = builder.phi(INDEX)
    counter.add_incoming(index(start), before)
    held = [builder.phi(value.type) for value in carried]
    for phi, value in zip(held, carried, strict=True):
        phi.add_incoming(value, before)
    given = list(body(counter, *held) or ())
    following = builder.add(counter, index(step), flags=("nsw",))
    last = builder.block
    counter.add_incoming(following, last)
    for phi, value in zip(held, given, strict=True):
        phi.add_incoming(value, last)
    builder.cbranch(builder.icmp_signed("<", following, index(stop)), head, after)
    builder.position_at_end(after)
    if turns is not None:
        return given
    results = [builder.phi(value.type) for value in carried]
    for phi, first, value in zip(results, carried, given, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(value, last)
    return results


def _turns(start: Any, stop: Any, step: Any) -> int | None:
    """How many turns the loop takes; None where that is known only when it runs."""
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return len(range(start, stop, step))
    return None
