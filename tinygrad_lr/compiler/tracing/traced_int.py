"""Integers that an object increments by one, while a function is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TracedInt(int):
    """A count of steps.

    An increment is done again at each call. Whatever else depends on the count, such as whether it
    is 0, becomes a guard, so that the function is traced again once the count changes.
    """

    __stands_for__ = int
    incremented: bool
    _start: int
    _add_guard: Callable[[int], None]

    def __new__(
        cls, start: int, add_guard: Callable[[int], None], value: int | None = None
    ) -> TracedInt:
        """Create the count; `add_guard` is called with `start` where its value matters."""
        made = super().__new__(cls, start if value is None else value)
        made._start, made._add_guard, made.incremented = start, add_guard, value is not None
        return made

    def __add__(self, other: Any) -> Any:
        if type(other) is not int:
            self._add_guard(self._start)
            return int(self) + other
        return TracedInt(self._start, self._add_guard, int.__add__(self, other))

    __radd__ = __add__

    def __bool__(self) -> bool:
        if not self._start:
            self._add_guard(self._start)
        return int.__bool__(self)
