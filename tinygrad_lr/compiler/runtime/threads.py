"""Threads of a compiled program: how many there may be, and who they are.

A program that is large enough runs on several threads at once: each goes through the same
kernels, takes its part of those that can be divided, and waits for the others after each. Every
entry of a result is computed by one thread just as it would be by the only one, so the number of
threads changes no bit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ...support.validation import check_integer

Part = Callable[[int], int]


class Threads:
    """How many threads a program may use."""

    def __init__(self) -> None:
        affinity = getattr(os, "sched_getaffinity", None)
        self.count = len(affinity(0)) if affinity else os.cpu_count() or 1


THREADS = Threads()


def set_threads(count: int) -> None:
    """Let compiled programs use so many threads; at first, as many as there are cores.

    Only programs that are large enough use them: tens of millions of operations in a step, or
    megabytes read and written. A program compiled for another number is compiled anew. NumPy's own
    threads are not changed: for them there is the environment variable OPENBLAS_NUM_THREADS.

    Raises `ArgumentError` for what is no whole number from 1.

    >>> tg.set_threads(2)
    """
    THREADS.count = check_integer("set_threads", "count", count, low=1)


class Team:
    """Threads that wait for work, beside the one that asks."""

    def __init__(self, others: int) -> None:
        self._work: Part | None = None
        self._go = [threading.Semaphore(0) for _ in range(others)]
        self._done = threading.Semaphore(0)
        for number, go in enumerate(self._go, 1):
            threading.Thread(target=self._serve, args=(number, go), daemon=True).start()

    def _serve(self, number: int, go: threading.Semaphore) -> None:
        while True:
            go.acquire()
            assert self._work is not None
            self._work(number)
            self._done.release()

    def run(self, work: Part) -> int:
        """Each thread's part, this one's being 0; what that gave."""
        self._work = work
        for go in self._go:
            go.release()
        found = work(0)
        for _ in self._go:
            self._done.acquire()
        self._work = None
        return found


_free: dict[int, list[Team]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free.clear)  # a child has none of these threads


def run_together(count: int, work: Part) -> int:
    """Run the parts 0 to count - 1 of a piece of work at once; what part 0 gave.

    Whoever comes while all teams are busy, as in a function that such a program calls, gets a
    team of its own.
    """
    try:
        team = _free.setdefault(count, []).pop()
    except IndexError:
        team = Team(count - 1)
    try:
        return team.run(work)
    finally:
        _free.setdefault(count, []).append(team)
