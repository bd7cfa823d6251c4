"""The base of schedules, and schedules that combine others."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from ..support.validation import check_integer, check_list, check_number

__all__ = ["Constant", "Joined", "Scaled", "Schedule", "Warmup"]

Rate = float | Callable[[int], float]


class Schedule:
    """A function of the step, with checked arguments, that can be multiplied by a number."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step; the first is 0."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def _inner(self) -> dict[str, Any]:
        """Return the schedules that this one combines, by the names their states have."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the schedules inside this one, by name; most have none.

        >>> Warmup(tg.schedules.ReduceOnPlateau(0.1), steps=3).state_dict()["schedule.waited"]
        0
        """
        return {
            f"{name}.{key}": x
            for name, part in self._inner().items()
            if hasattr(part, "state_dict")
            for key, x in part.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from the result of `state_dict`.

        Raises `ArgumentError` if a name or number doesn't fit; nothing is changed then.
        """
        before = self.state_dict()
        check_names(f"{type(self).__name__}.load_state_dict", state, before)
        try:
            self._load(state)
        except ArgumentError:
            self._load(before)
            raise

    def _load(self, state: Mapping[str, Any]) -> None:
        """Pass each schedule inside this one its own state."""
        for name, part in self._inner().items():
            if hasattr(part, "load_state_dict"):
                inner = f"{name}."
                own = {k.removeprefix(inner): x for k, x in state.items() if k.startswith(inner)}
                part.load_state_dict(own)

    def __mul__(self, factor: float) -> Scaled:
        return Scaled(self, factor)

    __rmul__ = __mul__

    def _check(self, **bounds: str) -> None:
        """Replace the arguments by floats and integers, or raise `ArgumentError`."""
        where = type(self).__name__
        for name, bound in bounds.items():
            given = getattr(self, name)
            if bound == "integer":
                checked: Any = check_integer(where, name, given, low=1)
            elif bound == "schedule":
                checked = given if callable(given) else Constant(given)
            else:
                checked = check_number(where, name, given, positive=bound == "positive")
            object.__setattr__(self, name, checked)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate at every step.

    Raises `ArgumentError` if the learning rate is not positive.

    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        self._check(learning_rate="positive")

    def __call__(self, step: int) -> float:
        """Return the learning rate."""
        step = check_integer(type(self).__name__, "step", step)
        return self.learning_rate


@dataclass(frozen=True)
class Scaled(Schedule):
    """Another schedule times a number, such as `0.1 * schedule`.

    Raises `ArgumentError` if factor is not positive.

    >>> (0.5 * Constant(0.1))(0)
    0.05
    """

    schedule: Rate
    factor: float

    def __post_init__(self) -> None:
        self._check(schedule="schedule", factor="positive")

    def _inner(self) -> dict[str, Any]:
        return {"schedule": self.schedule}

    def __call__(self, step: int) -> float:
        """Return the factor times the learning rate of the schedule."""
        step = check_integer(type(self).__name__, "step", step)
        return self.factor * self.schedule(step)  # type: ignore[operator]


@dataclass(frozen=True)
class Warmup(Schedule):
    r"""A linear warm-up, followed by another schedule (or number).

    The learning rate rises from start_factor · schedule(0) at step 0 to schedule(0) at step
    `steps`; from there on, the schedule counts its own steps from 0.

    Raises `ArgumentError` if steps is below 1 or start_factor is below 0.

    Source: Goyal et al., "Accurate, large minibatch SGD", 2017; `torch.optim.lr_scheduler.LinearLR`
    before another in `SequentialLR`.

    >>> [round(Warmup(0.1, steps=4, start_factor=0.2)(step), 3) for step in (0, 1, 2, 3, 4, 5)]
    [0.02, 0.04, 0.06, 0.08, 0.1, 0.1]
    """

    schedule: Rate
    steps: int
    start_factor: float = 0.0

    def __post_init__(self) -> None:
        self._check(schedule="schedule", steps="integer", start_factor="least 0")

    def _inner(self) -> dict[str, Any]:
        return {"schedule": self.schedule}

    def __call__(self, step: int) -> float:
        """Return the learning rate on the line, or of the schedule after it."""
        step = check_integer(type(self).__name__, "step", step)
        if step >= self.steps:
            return self.schedule(step - self.steps)  # type: ignore[operator]
        first: float = self.schedule(0)  # type: ignore[operator]
        return interpolate("linear", first * self.start_factor, first, step / self.steps)


@dataclass(frozen=True)
class Joined(Schedule):
    """Schedules (or numbers) one after the other, each counting its own steps from 0.

    The first applies before the first boundary, the next from that step on, and so on.

    Raises `ArgumentError` unless the boundaries increase and there is one fewer than schedules.

    Source: `torch.optim.lr_scheduler.SequentialLR`.

    >>> [Joined([0.1, Warmup(0.02, steps=2)], [2])(step) for step in (0, 1, 2, 3, 4)]
    [0.1, 0.1, 0.0, 0.01, 0.02]
    """

    schedules: tuple[Rate, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        given = check_list("Joined", "schedules", self.schedules, "a list of schedules")
        parts = tuple(x if callable(x) else Constant(x) for x in given)
        steps = check_list("Joined", "boundaries", self.boundaries, "a list of steps")
        starts = tuple(check_integer("Joined", "boundaries", b, low=1) for b in steps)
        rising = all(a < b for a, b in itertools.pairwise(starts))
        if len(parts) != len(starts) + 1 or not rising:
            raise ArgumentError(
                f"Joined: boundaries must be {max(len(parts) - 1, 0)} increasing steps for "
                f"{len(parts)} schedules, got {self.boundaries!r:.60}"
            )
        object.__setattr__(self, "schedules", parts)
        object.__setattr__(self, "boundaries", starts)

    def _inner(self) -> dict[str, Any]:
        return {f"schedules.{i}": part for i, part in enumerate(self.schedules)}

    def __call__(self, step: int) -> float:
        """Return the learning rate of the schedule that the step belongs to."""
        step = check_integer(type(self).__name__, "step", step)
        turn = bisect_right(self.boundaries, step)
        began = self.boundaries[turn - 1] if turn else 0
        return self.schedules[turn](step - began)  # type: ignore[operator]


def monitoring_schedules(rate: Any) -> list[Any]:
    """Return the schedules with a method `see`: this one, or those inside it.

    >>> len(monitoring_schedules(0.5 * Warmup(tg.schedules.ReduceOnPlateau(0.1), steps=3)))
    1
    """
    if hasattr(rate, "see"):
        return [rate]
    parts = rate._inner().values() if isinstance(rate, Schedule) else ()
    return [found for part in parts for found in monitoring_schedules(part)]


def check_names(where: str, state: Any, entries: Collection[str]) -> None:
    """Raise `ArgumentError` unless a state is a dict with exactly these entries."""
    if not isinstance(state, Mapping) or set(state) != set(entries):
        given = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
        raise ArgumentError(
            f"{where}: state must have the entries {', '.join(entries) or 'none'}, "
            f"got {given or 'none':.200}"
        )


def interpolate(shape: str, start: float, end: float, passed: float) -> float:
    """Interpolate between two learning rates, on half a cosine wave or a line."""
    if shape == "cosine":
        return end + (start - end) / 2 * (1 + math.cos(math.pi * passed))
    return start + (end - start) * passed
