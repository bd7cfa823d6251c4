"""Whole numbers that an object counts up by one, seen while a function is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Counted(int):
    """A count of steps. Counting on is done again at each call; whatever else is asked of it, such
    as whether it is 0, is remembered, so that the program is traced anew once the answer changes.
    """

    grown: bool
    _start: int
    _ask: Callable[[int], None]

    def __new__(cls, start: int, ask: Callable[[int], None], value: int | None = None) -> Counted:
        """The count as it stands, and whom to tell when its value matters."""
        made = super().__new__(cls, start if value is None else value)
        made._start, made._ask, made.grown = start, ask, value is not None
        return made

    def __add__(self, other: Any) -> Any:
        if type(other) is not int:
            self._ask(self._start)
            return int(self) + other
        return Counted(self._start, self._ask, int.__add__(self, other))

    __radd__ = __add__

    def __bool__(self) -> bool:
        if not self._start:
            self._ask(self._start)
        return int.__bool__(self)
