"""Prefetch items in a background thread, a few ahead of their use."""

from __future__ import annotations

import contextvars
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Calls make(first), make(first + 1), ... up to `stop` in a thread, at most `count` ahead.

    `next_item()` gives the results in order and raises what `make` raised, with its traceback, at
    the item that raised it. The thread runs in the caller's context (its `numpy.errstate` holds
    there too). It ends after the last item, after an error, by `close`, and soon after the last
    reference to this object is dropped; it never keeps the interpreter from exiting.

    >>> squares = Prefetcher(lambda i: i * i, 0, 3, count=2)
    >>> [squares.next_item() for _ in range(3)]
    [0, 1, 4]
    >>> squares.close()
    """

    def __init__(self, make: Callable[[int], Item], first: int, stop: int, count: int) -> None:
        self._ready: queue.SimpleQueue[tuple[Item | None, BaseException | None]]
        self._ready = queue.SimpleQueue()
        self._room = threading.Semaphore(count)
        ended = threading.Event()
        context = contextvars.copy_context()
        work = (_work, make, range(first, stop), self._ready, self._room, ended)
        self.thread = threading.Thread(
            target=context.run, args=work, name="tinygrad_lr.data prefetch", daemon=True
        )
        self.thread.start()
        self._end = weakref.finalize(self, _end, self._room, ended)

    def next_item(self) -> Item:
        """Wait for the next result. Don't call it after the last one, or after an error."""
        item, error = self._ready.get()
        self._room.release()
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame
        return item  # type: ignore[return-value]

    def close(self) -> None:
        """End the thread after the current item, and wait for it."""
        self._end()
        if self.thread is not threading.current_thread():
            self.thread.join()


def _work(
    make: Callable[[int], Item],
    items: range,
    ready: queue.SimpleQueue[tuple[Item | None, BaseException | None]],
    room: threading.Semaphore,
    ended: threading.Event,
) -> None:
    """Run in the thread, which refers to the queue, not to the object whose end it waits for."""
    for index in items:
        room.acquire()
        if ended.is_set():
            return
        try:
            ready.put((make(index), None))
        except BaseException as error:
            ready.put((None, error))
            return


def _end(room: threading.Semaphore, ended: threading.Event) -> None:
    ended.set()
    room.release()  # it may be waiting for room
