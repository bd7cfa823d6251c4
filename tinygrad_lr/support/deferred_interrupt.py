"""Ctrl-C waits until a piece of work that must be done as a whole is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

MAX_CHUNK_SECONDS = 0.05  # of compiled steps in one call: Ctrl-C and progress bars wait for its end


class DeferredInterrupt:
    """A block that Ctrl-C does not interrupt: it is raised at the end of the block.

    Compiled code moves parameters, states and counts one after the other, and an exception must
    not come between them.

    >>> interrupt = DeferredInterrupt()
    >>> with interrupt.installed(), interrupt:
    ...     interrupt.busy
    True
    """

    def __init__(self) -> None:
        self.busy = False
        self._pending: tuple[Any, ...] | None = None
        self._handler: Any = None

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle Ctrl-C for the time; threads other than the main one never receive it."""
        self._handler = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        if not main or not callable(self._handler):
            yield
            return
        signal.signal(signal.SIGINT, self._receive)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) == self._receive:
                signal.signal(signal.SIGINT, self._handler)

    def _receive(self, *arguments: Any) -> None:
        if self.busy:
            self._pending = arguments
            return
        # first, since an exception may leave `installed` at any point, also where it ends
        signal.signal(signal.SIGINT, self._handler)
        self._handler(*arguments)
        if signal.getsignal(signal.SIGINT) == self._handler:
            signal.signal(signal.SIGINT, self._receive)

    def __enter__(self) -> None:
        self.busy = True

    def __exit__(self, *error: object) -> None:
        self.busy = False
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._handler(*pending)
