"""The memory of graphs: it is used again, and errors say how large one is that doesn't fit."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterable, Mapping
from sys import getsizeof
from typing import Any, TypeVar, cast

import numpy as np

from .node import Node, next_serial

LARGEST_KEPT = (32 << 20) - (1 << 16)  # bytes: what glibc looks at, less what it adds


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed graphs for the next ones.

    glibc gives blocks above 128 kB back to the system at once, which hands out zeroed pages for the
    next step, one by one: in a network of convolutions that took longer than its arithmetic. The
    first large block that is freed raises the limit to its size (see mallopt(3)), up to 32 MB.
    Nothing is written to this one, so it takes no memory; other C libraries don't mind.
    """
    with contextlib.suppress(MemoryError):
        np.empty(LARGEST_KEPT, np.uint8)


keep_freed_memory()

Function = TypeVar("Function", bound=Callable[..., Any])

COLLECTOR_BYTES = 16  # before each object, for the garbage collector
COTANGENT_BYTES = 150  # of a Value in a backward pass: its entries in a dict and a heap, a number

RESERVE = 4 << 20  # bytes, for `give_up_reserve`
_reserve = [np.empty(RESERVE, np.uint8)]
give_up_reserve = _reserve.clear
"""Make room for counting the graph, before anything else: the memory is full when it's called."""


def take_reserve_again(*_: object) -> None:
    """Hold memory for the next failure, once there is some; runs after garbage collections."""
    with contextlib.suppress(MemoryError, ValueError):
        _reserve[:] = [np.empty(RESERVE, np.uint8)]
        gc.callbacks.remove(take_reserve_again)


def explain_memory(walk: Function) -> Function:
    """Decorate a walk through the graph: a `MemoryError` says what the walk needed."""

    @functools.wraps(walk)
    def call(seeds: Mapping[Any, Any], *args: Any, **options: Any) -> Any:
        try:
            return walk(seeds, *args, **options)
        except MemoryError as error:
            give_up_reserve()
            raise memory_error("backward", seeds, error.with_traceback(None)) from None

    return cast(Function, call)


def memory_error(where: str, nodes: Iterable[Any], error: MemoryError) -> MemoryError:
    """Return the error for the graph of some Values; the given one if there is no graph."""
    try:
        count, held, arrays = measure_graph(nodes)
    except MemoryError:
        return MemoryError(f"{where}: the graph does not fit in memory; {CURE}")
    finally:
        gc.callbacks.append(take_reserve_again)
    if not count:
        return error
    several = "one operation" if count == 1 else f"{count:,} operations"
    size = f"{where}: the graph of {several} takes {format_size(held)}"
    if where == "backward":
        needed = arrays + count * COTANGENT_BYTES
        size += f", and its gradients {format_size(needed)} more, which do"
    else:
        size += f", and the next result{f' ({error})' if str(error) else ''} does"
    return MemoryError(f"{size} not fit in memory; {CURE}")


CURE = (
    "use fewer operations on larger arrays, evaluate parts under tg.no_grad(), or call backward() "
    "for one part after the other"
)


def measure_graph(nodes: Iterable[Any]) -> tuple[int, int, int]:
    """Return how many operations a graph has, its bytes, and those of its results' numbers."""
    known = bytearray((next_serial() >> 3) + 1)  # a bit for each serial number: a set is larger
    waiting = [x._current() for x in nodes if isinstance(x, Node)]
    count = held = arrays = 0
    while waiting:
        node = waiting.pop()
        position, bit = node._serial >> 3, 1 << (node._serial & 7)
        record = node._record
        if record is None or known[position] & bit:
            continue
        known[position] |= bit
        content = node._content
        numbers = content.nbytes if isinstance(content, np.ndarray) else 0
        count, arrays = count + 1, arrays + numbers
        parts = (node, record, record[1], record[2])
        held += getsizeof(content) + sum(map(getsizeof, parts)) + COLLECTOR_BYTES * len(parts)
        waiting.extend(x._first() for x in record[1] if isinstance(x, Node))
    return count, held, arrays


def format_size(count: int) -> str:
    """Return a number of bytes as text: 3 MB, 1.2 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"
