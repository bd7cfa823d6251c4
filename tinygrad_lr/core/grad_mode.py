"""Recording of the graph: switched off by `no_grad`, watched by `tg.trace`."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast


class Watcher:
    """The hooks that operations, the chain rule and optimisers call while they run."""

    def on_operation(self, value: Any, record: tuple[Any, ...]) -> None:
        """Called after an operation: its result, and (operation, operands, numbers, options)."""
        raise NotImplementedError

    def on_backward(self, seeds: Mapping[Any, Any]) -> WatchedPass:
        """Called before a backward pass, with the cotangents of its outputs."""
        raise NotImplementedError

    def on_tangent(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """Called in forward mode, with the tangent of a result and those of its operands."""
        raise NotImplementedError

    def on_accumulate(self, leaf: Any, before: Any, total: Any) -> None:
        """Called when a leaf's `.grad` from an earlier pass is added to."""
        raise NotImplementedError

    def on_update(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """Called before an optimiser updates its parameters."""
        raise NotImplementedError


class WatchedPass:
    """The hook of one backward pass."""

    def on_rule(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """Called after a rule computed c, an operand's share of g, the cotangent of a result.

        `before` is the sum of the shares from earlier readers of the operand, or None.
        """
        raise NotImplementedError


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
    seen_by = watcher()
    return RECORDING.set(on if seen_by is None else Watched(on, seen_by))


@contextlib.contextmanager
def without_watcher() -> Iterator[None]:
    """Run a block without the watcher, for work that is internal to the framework."""
    token = RECORDING.set(bool(RECORDING.get()))
    try:
        yield
    finally:
        RECORDING.reset(token)


Function = TypeVar("Function", bound=Callable[..., Any])


class no_grad:  # noqa: N801 - a context manager, spelt as in PyTorch
    """Evaluate without recording: a context manager and a decorator.

    It holds for this thread (and asynchronous task) only, ends with an exception too, may be
    nested, and around a generator function it is off whenever the generator is suspended.

    >>> x = Value(3.0)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """

    def __init__(self) -> None:
        self._tokens: list[contextvars.Token[bool | Watched]] = []

    def __enter__(self) -> None:
        self._tokens.append(set_recording(False))

    def __exit__(self, *_: object) -> None:
        RECORDING.reset(self._tokens.pop())

    def __call__(self, function: Function) -> Function:
        """Decorate a function, a generator function or a coroutine function."""

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            with no_grad():
                return function(*args, **keywords)

        @functools.wraps(function)
        def generate(*args: Any, **keywords: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **keywords)
            with contextlib.closing(generator):
                advance: Callable[[], Any] = functools.partial(next, generator)
                while True:
                    try:
                        with no_grad():
                            item = advance()
                    except StopIteration as stop:
                        return stop.value
                    try:
                        sent = yield item
                        advance = functools.partial(generator.send, sent)
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        advance = functools.partial(generator.throw, error)

        @functools.wraps(function)
        async def coroutine(*args: Any, **keywords: Any) -> Any:
            with no_grad():
                return await function(*args, **keywords)

        if inspect.isgeneratorfunction(function):
            return cast(Function, generate)
        return cast(Function, coroutine if inspect.iscoroutinefunction(function) else call)
