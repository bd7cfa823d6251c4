"""Schedules made of others: a warm-up before one, and one after the other."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass

from ..errors import ArgumentError, refuse
from ..support.validation import check_integer
from .schedule import Constant, Rate, Schedule, along


@dataclass(frozen=True)
class Warmup(Schedule):
    r"""Another schedule (or number), after a line that leads up to where it begins.

    From start_factor · schedule(0) at step 0 to schedule(0) at step `steps`, from where on the
    schedule counts its own steps from 0.

    Raises `ArgumentError` for steps below 1, and for start_factor below 0.

    Source: Goyal et al., "Accurate, large minibatch SGD", 2017; `torch.optim.lr_scheduler.LinearLR`
    before another in `SequentialLR`.

    >>> [round(Warmup(0.1, steps=4, start_factor=0.2)(step), 3) for step in (0, 1, 2, 3, 4, 5)]
    [0.02, 0.04, 0.06, 0.08, 0.1, 0.1]
    """

    schedule: Rate
    steps: int
    start_factor: float = 0.0

    def __post_init__(self) -> None:
        self._check(schedule="schedule", steps="whole", start_factor="least 0")

    def __call__(self, step: int) -> float:
        """The learning rate on the line, or of the schedule after it."""
        if step >= self.steps:
            return self.schedule(step - self.steps)  # type: ignore[operator]
        first: float = self.schedule(0)  # type: ignore[operator]
        return along("linear", first * self.start_factor, first, step / self.steps)


@dataclass(frozen=True)
class Joined(Schedule):
    """Schedules (or numbers) one after the other, each counting its steps from its own beginning.

    The first up to the first boundary, the next from that step on, and so forth.

    Raises `ArgumentError` where there is not one boundary between any two, or they do not rise.

    Source: `torch.optim.lr_scheduler.SequentialLR`.

    >>> [Joined([0.1, Warmup(0.02, steps=2)], [2])(step) for step in (0, 1, 2, 3, 4)]
    [0.1, 0.1, 0.0, 0.01, 0.02]
    """

    schedules: tuple[Rate, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        parts = tuple(x if callable(x) else Constant(x) for x in self.schedules)
        starts = tuple(check_integer("Joined", "a boundary", b, low=1) for b in self.boundaries)
        rising = all(a < b for a, b in itertools.pairwise(starts))
        if len(parts) != len(starts) + 1 or not rising:
            refuse(
                ArgumentError,
                "Joined",
                "the boundaries do not fit the schedules",
                expected=f"{max(len(parts) - 1, 0)} rising steps for {len(parts)} schedules",
                given=f"{self.boundaries!r:.60}",
            )
        object.__setattr__(self, "schedules", parts)
        object.__setattr__(self, "boundaries", starts)

    def __call__(self, step: int) -> float:
        """The learning rate of the schedule whose turn it is."""
        turn = bisect_right(self.boundaries, step)
        began = self.boundaries[turn - 1] if turn else 0
        return self.schedules[turn](step - began)  # type: ignore[operator]
