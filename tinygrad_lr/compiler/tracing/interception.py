"""While a function is traced, what its Values and modules hold is read and written by the trace.

The slots of `Value`, and the attributes of modules and optimisers, are reached through Python's
own look-up, which is redirected for as long as any function is being traced. The redirection asks
which thread is tracing: all others go on as if nothing were different. Nothing that happens in a
trace reaches the objects themselves, so an error in it leaves them as they were.
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
KEEPERS: tuple[type, ...] = (Module, Optimizer, ExponentialMovingAverage)


class Watcher(Protocol):
    """What a trace must know to do."""

    def get(self, node: Node, slot: str) -> Any:
        """What a Value's slot holds."""

    def set(self, node: Node, slot: str, new: Any) -> None:
        """Let a Value's slot hold something else."""

    def get_attribute(self, owner: Any, name: str) -> Any:
        """What an object's attribute is."""

    def set_attribute(self, owner: Any, name: str, new: Any) -> None:
        """Let an attribute be something else."""

    def note(self, made: Any, code: CodeType, line: int) -> None:
        """Take note of a traced array, and of the user's line that made it."""


TRACE: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar("trace", default=None)
"""The trace that this thread is making."""

RAW = {name: vars(Node)[name] for name in SLOTS}  # the slots themselves


class Slot:
    """A slot of `Value`, read through the trace where there is one."""

    def __init__(self, name: str) -> None:
        self.name, self.raw = name, RAW[name]

    def __get__(self, node: Node | None, owner: type) -> Any:
        if node is None:
            return self.raw
        trace = TRACE.get()
        return self.raw.__get__(node) if trace is None else trace.get(node, self.name)

    def __set__(self, node: Node, new: Any) -> None:
        trace = TRACE.get()
        if trace is None:
            self.raw.__set__(node, new)
        else:
            trace.set(node, self.name, new)


def _get_attribute(owner: Any, name: str) -> Any:
    trace = TRACE.get()
    if trace is None or name.startswith("__"):
        return object.__getattribute__(owner, name)
    return trace.get_attribute(owner, name)


def _set_attribute(owner: Any, name: str, new: Any) -> None:
    trace = TRACE.get()
    if trace is None or isinstance(getattr(type(owner), name, None), property):
        object.__setattr__(owner, name, new)
    else:
        trace.set_attribute(owner, name, new)


_lock = threading.Lock()
_tracing = 0


def _redirect() -> None:
    for name in SLOTS:
        setattr(Node, name, Slot(name))
    for kind in KEEPERS:
        setattr(kind, "__getattribute__", _get_attribute)  # noqa: B010 - a method of a class
        setattr(kind, "__setattr__", _set_attribute)  # noqa: B010


def _restore() -> None:
    for name in SLOTS:
        setattr(Node, name, RAW[name])
    for kind in KEEPERS:
        delattr(kind, "__getattribute__")
        delattr(kind, "__setattr__")


@contextlib.contextmanager
def watched(trace: Watcher) -> Iterator[None]:
    """Let this thread's Values and modules be seen through the trace, for the block."""
    global _tracing  # noqa: PLW0603 - how many threads are tracing is one number
    with _lock:
        _tracing += 1
        if _tracing == 1:
            _redirect()
    token = TRACE.set(trace)
    try:
        yield
    finally:
        TRACE.reset(token)
        with _lock:
            _tracing -= 1
            if not _tracing:
                _restore()


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """The things themselves, for the block."""
    token = TRACE.set(None)
    try:
        yield
    finally:
        TRACE.reset(token)
