"""Whether operations record the graph (`no_grad`), and who watches them (`tg.trace`)."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast


class Watcher:
    """Who is told what happens, while it happens."""

    def computed(self, value: Any, record: tuple[Any, ...]) -> None:
        """An operation ran: its result, and (operation, operands, numbers, options)."""
        raise NotImplementedError

    def pulling(self, seeds: Mapping[Any, Any]) -> WatchedPass:
        """The chain rule sets out from these outputs with these cotangents."""
        raise NotImplementedError

    def pushed(self, value: Any, tangent: Any, given: Sequence[Any]) -> None:
        """The chain rule went forward: the tangent of a result for those of its operands."""
        raise NotImplementedError

    def kept(self, leaf: Any, before: Any, total: Any) -> None:
        """A leaf's `.grad` from an earlier pass was added to."""
        raise NotImplementedError

    def moving(self, optimizer: Any, parts: Sequence[Any]) -> None:
        """An optimiser is about to give its parameters new numbers."""
        raise NotImplementedError


class WatchedPass:
    """Who is told of one pass of the chain rule."""

    def pulled(self, value: Any, position: int, g: Any, c: Any, before: Any) -> None:
        """A rule ran: from g, the cotangent of a result, came c, its part in an operand's.

        `before` is what earlier readers of the operand gave, or None.
        """
        raise NotImplementedError


class Watched:
    """Recording or not, as in a plain bool, while somebody watches."""

    __slots__ = ("recording", "watcher")

    def __init__(self, recording: bool, watcher: Watcher) -> None:
        self.recording = recording
        self.watcher = watcher

    def __bool__(self) -> bool:
        return self.recording


RECORDING: contextvars.ContextVar[bool | Watched] = contextvars.ContextVar(
    "recording", default=True
)
"""Whether operations record the graph, in this thread (and in this asynchronous task).

A plain True or False where nobody watches: an operation tells the two apart from a `Watched` by
identity, and so pays nothing for the watching of others.
"""

recording_now = RECORDING.get
"""What an operation asks, in the quickest way to ask."""


def watcher() -> Watcher | None:
    """Who watches, if anybody."""
    now = RECORDING.get()
    return None if now is True or now is False else now.watcher


def record(on: bool) -> contextvars.Token[bool | Watched]:
    """Let operations record the graph or not, from here to `RECORDING.reset`, watched as before."""
    seen_by = watcher()
    return RECORDING.set(on if seen_by is None else Watched(on, seen_by))


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """For work that is a means of the framework's own, and nobody's to see."""
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
        self._tokens.append(record(False))

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
