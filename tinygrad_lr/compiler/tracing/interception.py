"""Redirect reads and writes of Values and modules to the trace, while a function is traced.

The slots of `Value`, and the attributes of modules and optimisers, are reached through Python's
own look-up, which is redirected for as long as any function is being traced. The redirection asks
which thread is tracing, so all other threads are unaffected. Nothing that happens in a trace
reaches the objects themselves, so an error in it leaves them as they were.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any, Protocol

from ...core.node import Node
from ...nn import Module
from ...optim import ExponentialMovingAverage, Optimizer
from .call_stack import is_for_user
from .traced_int import TracedInt

SLOTS = ("_content", "_grad", "_data_shared")
INTERCEPTED_TYPES: tuple[type, ...] = (Module, Optimizer, ExponentialMovingAverage)


class Interceptor(Protocol):
    """The methods of a trace that reads and writes are redirected to.

    `refusal` is the first `TraceError` of the trace, which fails at its end if it was caught.
    """

    refusal: Exception | None
    since: int  # the serial number of the first Value made in the trace

    def get(self, node: Node, slot: str) -> Any:
        """Return the content of a Value's slot."""

    def set(self, node: Node, slot: str, new: Any) -> None:
        """Set a Value's slot."""

    def get_attribute(self, owner: Any, name: str) -> Any:
        """Return an object's attribute."""

    def get_attributes(self, owner: Any) -> dict[str, Any]:
        """Return all of an object's attributes."""

    def set_attribute(self, owner: Any, name: str, new: Any) -> None:
        """Set an object's attribute."""

    def require_unwritten(self, memory: Any) -> None:
        """Raise `TraceError` for an outer Value that was written to."""

    def need_numbers(self, instructions: Iterable[Any]) -> None:
        """Remember that the function needs the numbers of instructions."""

    def note_update(self, x: Any = None) -> None:
        """Remember that an array has been changed in place."""

    def add_data(self, made: Any) -> None:
        """Remember what stands for the data of a Value."""

    def reassignments(self, node: Node) -> int:
        """Return how often a Value's data was replaced, not updated in place."""

    def note_truth(self, kind: str) -> None:
        """Remember that a traced boolean is made that is a number or a scalar."""

    def note_read(self, x: Any) -> None:
        """Remember that an input is read."""

    def identity_of(self, x: Any) -> int:
        """Return the `id` of what stands there in eager code."""

    def stand_in(self, x: Any) -> Any:
        """Return what stands for an outer object in the trace."""

    def add_created(self, created: Any, code: CodeType, line: int) -> None:
        """Remember a new traced array, and the user's line that created it."""


CURRENT_TRACE: contextvars.ContextVar[Interceptor | None] = contextvars.ContextVar(
    "trace", default=None
)
"""The trace that this thread is making."""

RAW_SLOTS = {name: vars(Node)[name] for name in (*SLOTS, "_memory")}


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


class RedirectedMemory(RedirectedSlot):
    """The slot of versions and views: those of outer Values aren't known to a compiled program."""

    def __get__(self, node: Node | None, owner: type) -> Any:
        if node is None:
            return self.raw
        memory = self.raw.__get__(node)
        trace = CURRENT_TRACE.get()
        if trace is not None and memory.current is not None:
            trace.require_unwritten(memory)
        return memory

    def __set__(self, node: Node, new: Any) -> None:
        self.raw.__set__(node, new)


def _redirected_methods(kind: type[Any]) -> dict[str, Callable[..., Any]]:
    """Return the methods that look attributes up in the current trace, if there is one."""

    def get_attribute(owner: Any, name: str) -> Any:
        trace = CURRENT_TRACE.get()
        if trace is not None and name == "__dict__" and is_for_user():
            return trace.get_attributes(owner)
        if trace is None or (name.startswith("__") and name.endswith("__")):
            return super(kind, owner).__getattribute__(name)
        found = trace.get_attribute(owner, name)
        return found.known() if isinstance(found, TracedInt) and is_for_user() else found

    def set_attribute(owner: Any, name: str, new: Any) -> None:
        trace = CURRENT_TRACE.get()
        if trace is None or isinstance(getattr(type(owner), name, None), property):
            super(kind, owner).__setattr__(name, new)
        else:
            trace.set_attribute(owner, name, new)

    return {"__getattribute__": get_attribute, "__setattr__": set_attribute}


REDIRECTED_SLOTS = {name: RedirectedSlot(name) for name in SLOTS}
REDIRECTED_SLOTS["_memory"] = RedirectedMemory("_memory")
REDIRECTED_METHODS: dict[Any, dict[str, Callable[..., Any]]] = {
    kind: _redirected_methods(kind) for kind in INTERCEPTED_TYPES
}
"""For classes and modules: what stands for their functions while anything is traced."""

RESTORED_METHODS: dict[Any, dict[str, Callable[..., Any]]] = {}
"""Those of these functions that they have themselves otherwise; the others they inherit."""

_lock = threading.RLock()
_tracing: dict[Interceptor, int] = {}  # the traces that are being made, with their threads


def _redirect(on: bool) -> None:
    """Redirect, or restore what is there otherwise; the lock must be held."""
    for name, slot in (REDIRECTED_SLOTS if on else RAW_SLOTS).items():
        setattr(Node, name, slot)
    for kind, methods in REDIRECTED_METHODS.items():
        for name, method in methods.items():
            if on:
                setattr(kind, name, method)
            elif name in RESTORED_METHODS.get(kind, ()):
                setattr(kind, name, RESTORED_METHODS[kind][name])
            elif name in vars(kind):
                delattr(kind, name)


def _begin(trace: Interceptor) -> None:
    with _lock:
        _tracing[trace] = threading.get_ident()
        _redirect(True)


def _end(trace: Interceptor) -> None:
    """Forget a trace. If Ctrl-C interrupts this anywhere, a second call does the rest.

    Leaving a `with` block is a call, before which a profiler runs, and with it Ctrl-C; so the lock
    may still be held after one.
    """
    if trace in _tracing:
        with _lock:
            if len(_tracing) == 1:
                _redirect(False)
            del _tracing[trace]
    _release_lock()


def _release_lock() -> None:
    with contextlib.suppress(RuntimeError):  # this thread does not hold it any more
        while True:
            _lock.release()


def call_alone(function: Callable[[], Any]) -> Any:
    """Call a short function while no other thread does."""
    with _lock:
        return function()


def _reset_after_fork() -> None:
    """Forget the traces of the other threads, which a child process does not have."""
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.RLock()
    for trace, thread in list(_tracing.items()):
        if thread != threading.get_ident():
            del _tracing[trace]
    _redirect(bool(_tracing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def intercept(trace: Interceptor, function: Callable[[], Any]) -> Any:
    """Call a function, with this thread's reads and writes of Values and modules redirected."""

    def run() -> Any:
        CURRENT_TRACE.set(trace)
        return function()

    try:
        try:
            _begin(trace)
            return contextvars.copy_context().run(run)
        finally:
            _end(trace)
    finally:
        _end(trace)  # Ctrl-C may have interrupted the first


def run_isolated(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function; whatever stops it, the thread's context and profiler are as before.

    A `finally` isn't enough, since Ctrl-C may interrupt that too.
    """
    profiler = sys.getprofile()
    try:
        return contextvars.copy_context().run(function, *args)
    finally:
        _release_lock()
        if sys.getprofile() is not profiler:
            set_profiler(profiler)


def set_profiler(profiler: Any) -> None:
    """Switch a profiler on again, also one that is written in C."""
    enable = getattr(profiler, "enable", None)
    if enable is None:
        sys.setprofile(profiler)
    else:
        sys.setprofile(None)
        enable()


@contextlib.contextmanager
def bypass_trace() -> Iterator[None]:
    """Read and write the objects themselves, for the block."""
    token = CURRENT_TRACE.set(None)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # after Ctrl-C, where the trace's context has ended
            CURRENT_TRACE.reset(token)
