"""What all schedules are: functions of the step, whose arguments are checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..support.validation import check_integer, check_number

Rate = float | Callable[[int], float]


class Schedule:
    """A function of the step whose arguments are checked, and that may be scaled."""

    def __call__(self, step: int) -> float:
        """The learning rate of a step, 0 the first."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__: define it in the class")

    def __mul__(self, factor: float) -> Scaled:
        return Scaled(self, factor)

    __rmul__ = __mul__

    def _check(self, **bounds: str) -> None:
        """Put floats and whole numbers in the place of the arguments, or raise `ArgumentError`."""
        where = type(self).__name__
        for name, bound in bounds.items():
            given = getattr(self, name)
            if bound == "whole":
                checked: Any = check_integer(where, name, given, low=1)
            elif bound == "schedule":
                checked = given if callable(given) else Constant(given)
            else:
                checked = check_number(where, name, given, positive=bound == "positive")
            object.__setattr__(self, name, checked)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate at every step.

    Raises `ArgumentError` for a learning rate that is not above 0.

    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        self._check(learning_rate="positive")

    def __call__(self, step: int) -> float:
        """The learning rate."""
        return self.learning_rate


@dataclass(frozen=True)
class Scaled(Schedule):
    """Another schedule, times a number: what `0.1 * schedule` is.

    Raises `ArgumentError` for a factor that is not above 0.

    >>> (0.5 * Constant(0.1))(0)
    0.05
    """

    schedule: Rate
    factor: float

    def __post_init__(self) -> None:
        self._check(schedule="schedule", factor="positive")

    def __call__(self, step: int) -> float:
        """The factor times the learning rate of the other."""
        return self.factor * self.schedule(step)  # type: ignore[operator]


def along(shape: str, start: float, end: float, passed: float) -> float:
    """Between two learning rates, after a part of the way: on half a cosine wave or a line."""
    if shape == "cosine":
        return end + (start - end) / 2 * (1 + math.cos(math.pi * passed))
    return start + (end - start) * passed
