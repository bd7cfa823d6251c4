"""Threads of a compiled program, or of a convolution: how many there may be, and a pool of them.

A program that is large enough runs on several threads at once: each goes through the same
kernels, takes its part of those that can be divided, and waits for the others after each. Every
entry of a result is computed by one thread, in the same way as on a single thread, so the number
of threads changes no bit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ...support.deferred_interrupt import DeferredInterrupt
from ...support.validation import check_integer

Part = Callable[[int], int]


class ThreadSettings:
    """The number of threads that a program may use."""

    def __init__(self) -> None:
        affinity = getattr(os, "sched_getaffinity", None)
        self.count = len(affinity(0)) if affinity else os.cpu_count() or 1


THREADS = ThreadSettings()


def set_threads(count: int) -> None:
    """Set the number of threads of compiled programs and convolutions (default: one per core).

    Only large programs use them: tens of millions of operations per step, or megabytes read and
    written; and convolutions of that size, in eager mode too. A program compiled for another number
    is compiled again. NumPy's own threads are not changed; set the environment variable
    OPENBLAS_NUM_THREADS for those.

    Raises `ArgumentError` if `count` isn't an integer >= 1.

    >>> tg.set_threads(2)
    """
    THREADS.count = check_integer("set_threads", "count", count, low=1)


class Team:
    """Threads that wait for work, beside the calling one."""

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
        """Run each thread's part; the calling thread's is part 0, whose result is returned."""
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
    """Run the parts 0 to count - 1 of a piece of work at once; return the result of part 0.

    If all teams are busy, as in a function that such a program calls, a new team is created.
    Ctrl-C waits for the end: threads that are left alone would wait for each other for ever.
    """
    interrupt = DeferredInterrupt()
    with interrupt.installed(), interrupt:
        try:
            team = _free.setdefault(count, []).pop()
        except IndexError:
            team = Team(count - 1)
        try:
            return team.run(work)
        finally:
            _free.setdefault(count, []).append(team)
