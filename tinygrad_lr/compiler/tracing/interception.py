"""Redirect reads and writes of Values and modules to the trace, while a function is traced.

The slots of `Value`, and the attributes of modules and optimisers, are reached through Python's
own look-up, which is redirected for as long as any function is being traced. The redirection asks
which thread is tracing, so all other threads are unaffected. Nothing that happens in a trace
reaches the objects themselves, so an error in it leaves them as they were.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from types import CodeType
from typing import Any, Protocol

from ...core.node import Node
from ...nn import Module
from ...optim import ExponentialMovingAverage, Optimizer

SLOTS = ("_content", "_grad", "_data_shared")
INTERCEPTED_TYPES: tuple[type, ...] = (Module, Optimizer, ExponentialMovingAverage)


class Interceptor(Protocol):
    """The methods of a trace that reads and writes are redirected to.

    `refusal` is the first `TraceError` of the trace, which fails at its end if it was caught.
    """

    refusal: Exception | None

    def get(self, node: Node, slot: str) -> Any:
        """Return the content of a Value's slot."""

    def set(self, node: Node, slot: str, new: Any) -> None:
        """Set a Value's slot."""

    def get_attribute(self, owner: Any, name: str) -> Any:
        """Return an object's attribute."""

    def set_attribute(self, owner: Any, name: str, new: Any) -> None:
        """Set an object's attribute."""

    def stand_in(self, x: Any) -> Any:
        """Return what stands for an outer object in the trace."""

    def add_created(self, created: Any, code: CodeType, line: int) -> None:
        """Remember a new traced array, and the user's line that created it."""


CURRENT_TRACE: contextvars.ContextVar[Interceptor | None] = contextvars.ContextVar(
    "trace", default=None
)
"""The trace that this thread is making."""

RAW_SLOTS = {name: vars(Node)[name] for name in SLOTS}


class RedirectedSlot:
    """A slot of `Value` that is read through the current trace, if there is one."""

    def __init__(self, name: str) -> None:
        self.name, self.raw = name, RAW_SLOTS[name]

    def __get__(self, node: Node | None, owner: type) -> Any:
        if node is None:
            return self.raw
        trace = CURRENT_TRACE.get()
        return self.raw.__get__(node) if trace is None else trace.get(node, self.name)

    def __set__(self, node: Node, new: Any) -> None:
        trace = CURRENT_TRACE.get()
        if trace is None:
            self.raw.__set__(node, new)
        else:
            trace.set(node, self.name, new)


def _get_attribute(owner: Any, name: str) -> Any:
    trace = CURRENT_TRACE.get()
    if trace is None or name.startswith("__"):
        return object.__getattribute__(owner, name)
    return trace.get_attribute(owner, name)


def _set_attribute(owner: Any, name: str, new: Any) -> None:
    trace = CURRENT_TRACE.get()
    if trace is None or isinstance(getattr(type(owner), name, None), property):
        object.__setattr__(owner, name, new)
    else:
        trace.set_attribute(owner, name, new)


_lock = threading.Lock()
_tracing_threads = 0


def _redirect() -> None:
    for name in SLOTS:
        setattr(Node, name, RedirectedSlot(name))
    for kind in INTERCEPTED_TYPES:
        setattr(kind, "__getattribute__", _get_attribute)  # noqa: B010 - a method of a class
        setattr(kind, "__setattr__", _set_attribute)  # noqa: B010


def _restore() -> None:
    for name in SLOTS:
        setattr(Node, name, RAW_SLOTS[name])
    for kind in INTERCEPTED_TYPES:
        delattr(kind, "__getattribute__")
        delattr(kind, "__setattr__")


@contextlib.contextmanager
def intercept(trace: Interceptor) -> Iterator[None]:
    """Redirect this thread's reads and writes of Values and modules to the trace."""
    global _tracing_threads  # noqa: PLW0603 - the number of tracing threads is one number
    with _lock:
        _tracing_threads += 1
        if _tracing_threads == 1:
            _redirect()
    token = CURRENT_TRACE.set(trace)
    try:
        yield
    finally:
        CURRENT_TRACE.reset(token)
        with _lock:
            _tracing_threads -= 1
            if not _tracing_threads:
                _restore()


@contextlib.contextmanager
def bypass_trace() -> Iterator[None]:
    """Read and write the objects themselves, for the block."""
    token = CURRENT_TRACE.set(None)
    try:
        yield
    finally:
        CURRENT_TRACE.reset(token)
