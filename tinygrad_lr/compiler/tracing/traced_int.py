"""Integers that an object increments by one, while a function is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TracedInt(int):
    """A count of steps, for this package's own code.

    An increment is done again at each call. Whatever else depends on the count, such as whether it
    is 0, becomes a guard, so that the function is traced again once the count changes. The user's
    code gets the `known` integer, since C code would read this one unseen.
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
            return self.known() + other
        return TracedInt(self._start, self._add_guard, int.__add__(self, other))

    __radd__ = __add__

    def known(self) -> int:
        """Return the count as a plain integer, and add the guard."""
        self._add_guard(self._start)
        return int.__int__(self)

    def __bool__(self) -> bool:
        if not self._start:
            self.known()
        return int.__bool__(self)


def _guarded(name: str) -> Callable[..., Any]:
    operation = getattr(int, name)

    def call(self: TracedInt, *others: Any) -> Any:
        return operation(self.known(), *others)

    return call


OPERATIONS = (
    *("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__hash__", "__repr__"),
    *("__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__floordiv__"),
    *("__rfloordiv__", "__mod__", "__rmod__", "__divmod__", "__rdivmod__", "__pow__", "__rpow__"),
    *("__neg__", "__abs__", "__float__", "__format__"),
)
for _name in OPERATIONS:
    setattr(TracedInt, _name, _guarded(_name))
