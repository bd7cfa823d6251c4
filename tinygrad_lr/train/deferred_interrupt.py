"""Ctrl-C, kept waiting while a step is half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Holding:
    """A block that Ctrl-C does not enter: what came meanwhile is heard at its end.

    Compiled code moves parameters, states and counts one after the other, which an exception must
    not come between.

    >>> holding = Holding()
    >>> with holding.listening(), holding:
    ...     holding.busy
    True
    """

    def __init__(self) -> None:
        self.busy = False
        self._came: tuple[Any, ...] | None = None
        self._hear: Any = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Be the one who hears Ctrl-C; other threads than the main one never do."""
        self._hear = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        if not main or not callable(self._hear):
            yield
            return
        signal.signal(signal.SIGINT, self._heard)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) == self._heard:
                signal.signal(signal.SIGINT, self._hear)

    def _heard(self, *what: Any) -> None:
        if self.busy:
            self._came = what
        else:
            self._hear(*what)

    def __enter__(self) -> None:
        self.busy = True

    def __exit__(self, *error: object) -> None:
        self.busy = False
        if self._came is not None:
            came, self._came = self._came, None
            self._hear(*came)
