"""Ctrl-C at a chosen point of a function, and what it may have left behind."""

from __future__ import annotations

import _thread
import signal
import sys
import threading


class Signal(int):
    """The number of a signal that reading `arrive` marks as arrived.

    Python handles it at the next point where it looks for signals, as one from outside; after a
    call it would at once.
    """

    arrive = property(_thread.interrupt_main)


class InterruptAt:
    """A trace function that interrupts at an event, in files whose names end in some way.

    It raises KeyboardInterrupt there, or marks a SIGINT as arrived if `signalled`. `functions`
    limits it to functions of some names, and looks at each of their instructions.
    """

    def __init__(self, target, file, functions=(), signalled=False):
        self.target, self.file, self.functions, self.events = target, file, functions, 0
        self.signal = Signal(signal.SIGINT) if signalled else None

    def __call__(self, frame, event, _):
        code = frame.f_code
        if not code.co_filename.endswith(self.file):
            return self
        if self.functions and code.co_name not in self.functions:
            return self
        frame.f_trace_opcodes = bool(self.functions)
        if event in {"call", "line", "opcode"}:
            self.events += 1
            if self.events == self.target:
                if self.signal is None:
                    raise KeyboardInterrupt
                sys.settrace(None)  # this would be called first, and be where it is handled
                return self.signal.arrive
        return self

    def interrupts(self, function, *args):
        """Return True if the function was interrupted."""
        before = sys.gettrace()
        try:
            sys.settrace(self)
            try:
                function(*args)
            finally:
                sys.settrace(before)
        except KeyboardInterrupt:
            sys.settrace(before)
            return True
        return False


def is_free(lock):
    """Return True if another thread can take a lock."""
    found = []

    def take():
        found.append(lock.acquire(blocking=False))
        if found[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return found[0]
