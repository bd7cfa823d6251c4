"""Recording of the graph: switched off by `no_grad`, watched by `tg.trace`."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Protocol, TypeVar, cast


class Watcher(Protocol):
    """The hooks that operations, the chain rule and optimisers call while they run."""

    def on_operation(self, value: Any, record: tuple[Any, ...]) -> None:
        """Called after an operation: its result, and (operation, operands, numbers, options)."""

    def on_backward(self, seeds: Mapping[Any, Any]) -> WatchedPass:
        """Called before a backward pass, with the cotangents of its outputs."""

    def on_tangent(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """Called in forward mode, with the tangent of a result and those of its operands."""

    def on_accumulate(self, leaf: Any, before: Any, total: Any) -> None:
        """Called when a leaf's `.grad` from an earlier pass is added to."""

    def on_update(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """Called before an optimiser updates its parameters."""


class WatchedPass(Protocol):
    """The hook of one backward pass."""

    def on_rule(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """Called after a rule computed c, an operand's share of g, the cotangent of a result.

        `before` is the sum of the shares from earlier readers of the operand, or None.
        """


class Watched:
    """A bool, recording or not, together with the watcher."""

    __slots__ = ("recording", "watcher")

    def __init__(self, recording: bool, watcher: Watcher) -> None:
        self.recording = recording
        self.watcher = watcher

    def __bool__(self) -> bool:
        return self.recording


RECORDING: contextvars.ContextVar[bool | Watched] = contextvars.ContextVar(
    "recording", default=True
)
"""True if operations record the graph, in this thread (and in this asynchronous task).

It is True or False without a watcher, else a `Watched`. An operation compares it with True and
False by identity, so that a watcher costs nothing where there is none.
"""

recording_now = RECORDING.get
"""Read `RECORDING`. The bound method is the fastest way, and every operation asks."""


def watcher() -> Watcher | None:
    """Return the watcher, or None."""
    now = RECORDING.get()
    return None if now is True or now is False else now.watcher


def set_recording(on: bool) -> contextvars.Token[bool | Watched]:
    """Switch recording on or off until `RECORDING.reset(token)`, and keep the watcher."""
    return RECORDING.set(_mode_with_watcher(on))


def _mode_with_watcher(on: bool) -> bool | Watched:
    seen_by = watcher()
    return on if seen_by is None else Watched(on, seen_by)


@contextlib.contextmanager
def without_watcher() -> Iterator[None]:
    """Run a block without the watcher, for work that is internal to the framework."""
    token = RECORDING.set(bool(RECORDING.get()))
    try:
        yield
    finally:
        RECORDING.reset(token)


Function = TypeVar("Function", bound=Callable[..., Any])


_OUTER_MODES: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar(
    "outer_modes", default=()
)
"""The values of `RECORDING` before each block with a mode of its own that this thread is in.

It is a linked list: (those further out, the last one). It belongs to the thread (or task), not to
the context manager, which threads may share.
"""


def enter_mode(mode: bool | Watched) -> None:
    """Set `RECORDING` until `leave_mode`, which is called by the same thread or task."""
    _OUTER_MODES.set((_OUTER_MODES.get(), RECORDING.get()))
    RECORDING.set(mode)


def leave_mode() -> None:
    """Set `RECORDING` to what it was before the last `enter_mode`."""
    outer, mode = _OUTER_MODES.get()
    _OUTER_MODES.set(outer)
    RECORDING.set(mode)


class no_grad:  # noqa: N801 - a context manager, spelt as in PyTorch
    """Evaluate without recording: a context manager and a decorator.

    It holds for this thread (and asynchronous task) only, ends with an exception too, may be
    nested and shared by threads, and around a generator or a coroutine, asynchronous generators
    among them, it is off whenever that is suspended.

    >>> x = Value(3.0)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """

    def __enter__(self) -> None:
        enter_mode(_mode_with_watcher(False))

    def __exit__(self, *_: object) -> None:
        leave_mode()

    def __call__(self, function: Function) -> Function:
        """Decorate a function, or one of generators, coroutines or asynchronous generators."""

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            with no_grad():
                return function(*args, **keywords)

        @functools.wraps(function)
        def generate(*args: Any, **keywords: Any) -> Generator[Any, Any, Any]:
            return (yield from _resume_without_grad(function(*args, **keywords)))

        @functools.wraps(function)
        async def coroutine(*args: Any, **keywords: Any) -> Any:
            return await _WithoutGrad(function(*args, **keywords))

        @functools.wraps(function)
        async def generate_async(*args: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
            generator = function(*args, **keywords)
            step = generator.asend(None)
            try:
                while True:
                    try:
                        item = await _WithoutGrad(step)
                    except StopAsyncIteration:
                        return
                    try:
                        step = generator.asend((yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        step = generator.athrow(error)
            finally:
                await _WithoutGrad(generator.aclose())

        wrapper: Callable[..., Any] = call
        if inspect.isgeneratorfunction(function):
            wrapper = generate
        elif inspect.iscoroutinefunction(function):
            wrapper = coroutine
        elif inspect.isasyncgenfunction(function):
            wrapper = generate_async
        return cast(Function, wrapper)


class _WithoutGrad:
    """An awaitable that does not record while it runs."""

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        return _resume_without_grad(self.awaitable.__await__())


def _resume_without_grad(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a generator, without recording until it is suspended."""
    advance: Callable[[], Any] = functools.partial(next, generator)
    try:
        while True:
            try:
                with no_grad():
                    item = advance()
            except StopIteration as stop:
                return stop.value
            try:
                advance = functools.partial(generator.send, (yield item))
            except GeneratorExit:
                raise
            except BaseException as error:
                advance = functools.partial(generator.throw, error)
    finally:
        with no_grad():
            generator.close()
