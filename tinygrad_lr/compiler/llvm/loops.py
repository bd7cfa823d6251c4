"""Counted loops: the only control flow that kernels of static shape need."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .vectors import INDEX, index


def emit_loop(
    builder: ir.IRBuilder,
    start: Any,
    stop: Any,
    step: Any,
    body: Callable[..., Sequence[Any] | None],
    carried: Sequence[Any] = (),
) -> list[Any]:
    """Emit `for index in range(start, stop, step)`, with values carried between iterations.

    `body(index, *carried)` emits one iteration at the builder's position, which it may move, and
    returns the carried values for the next one (or None). The values of the last iteration are
    returned, and the builder is positioned after the loop.

    start, stop and step (> 0) are ints or i64 values. If all are ints, the number of iterations is
    known: none emits nothing, and a single one is emitted without a loop. Otherwise the loop tests
    its condition before the first iteration.
    """
    turns = _count_turns(start, stop, step)
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
    next_values = list(body(counter, *held) or ())
    following = builder.add(counter, index(step), flags=("nsw",))
    last = builder.block
    counter.add_incoming(following, last)
    for phi, value in zip(held, next_values, strict=True):
        phi.add_incoming(value, last)
    builder.cbranch(builder.icmp_signed("<", following, index(stop)), head, after)
    builder.position_at_end(after)
    if turns is not None:
        return next_values
    results = [builder.phi(value.type) for value in carried]
    for phi, first, value in zip(results, carried, next_values, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(value, last)
    return results


def _count_turns(start: Any, stop: Any, step: Any) -> int | None:
    """Return the number of iterations, or None if it is known at run time only."""
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return len(range(start, stop, step))
    return None
