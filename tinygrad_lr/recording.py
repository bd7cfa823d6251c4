"""Whether operations record the graph: `no_grad`."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

RECORDING: contextvars.ContextVar[bool] = contextvars.ContextVar("recording", default=True)
"""Whether operations record the graph, in this thread (and in this asynchronous task)."""

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
        self._tokens: list[contextvars.Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(RECORDING.set(False))

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
