"""Learning rates that decay, from the first step on or after a rise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..support.validation import check_choice, check_integer, check_number
from .schedule import Schedule, interpolate

__all__ = ["Cosine", "Exponential", "OneCycle", "Polynomial", "StepDecay"]

SHAPES = ("cosine", "linear")


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Step decay: learning_rate · factor^⌊step / every⌋.

    Raises `ArgumentError` if a number is not positive.

    Source: `torch.optim.lr_scheduler.StepLR`.

    >>> [round(StepDecay(0.1, every=10, factor=0.5)(step), 4) for step in (0, 9, 10, 20)]
    [0.1, 0.1, 0.05, 0.025]
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._check(learning_rate="positive", every="integer", factor="positive")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step."""
        step = check_integer(type(self).__name__, "step", step)
        return self.learning_rate * self.factor ** (step // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Exponential decay: learning_rate · factor^step.

    Raises `ArgumentError` if a number is not positive.

    Source: `torch.optim.lr_scheduler.ExponentialLR`.

    >>> Exponential(1.0, factor=0.5)(3)
    0.125
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        self._check(learning_rate="positive", factor="positive")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step."""
        step = check_integer(type(self).__name__, "step", step)
        return self.learning_rate * self.factor**step


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Half a cosine wave from the learning rate down to `final`, where it stays.

        final + (learning_rate - final) · (1 + cos(π · min(step / steps, 1))) / 2

    Raises `ArgumentError` if a number is below 0 or steps is below 1.

    Source: Loshchilov, Hutter, "SGDR", 2017; `torch.optim.lr_scheduler.CosineAnnealingLR`, which
    goes up again after `steps`.

    >>> [round(Cosine(0.1, steps=10, final=0.02)(step), 4) for step in (0, 5, 10, 11)]
    [0.1, 0.06, 0.02, 0.02]
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        self._check(learning_rate="positive", steps="integer", final="least 0")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step."""
        step = check_integer(type(self).__name__, "step", step)
        return interpolate("cosine", self.learning_rate, self.final, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class Polynomial(Schedule):
    r"""Polynomial decay to `final` within `steps` steps, where it stays.

        final + (learning_rate - final) · (1 - min(step / steps, 1))^power

    Power 1 is a straight line. Raises `ArgumentError` if a number is below 0 or steps is below 1.

    Source: `torch.optim.lr_scheduler.PolynomialLR`, whose final is 0.

    >>> [round(Polynomial(0.1, steps=10, power=2)(step), 4) for step in (0, 5, 10, 11)]
    [0.1, 0.025, 0.0, 0.0]
    """

    learning_rate: float
    steps: int
    power: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        self._check(learning_rate="positive", steps="integer", power="positive", final="least 0")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step."""
        step = check_integer(type(self).__name__, "step", step)
        left = 1 - min(step / self.steps, 1.0)
        return self.final + (self.learning_rate - self.final) * math.pow(left, self.power)


@dataclass(frozen=True)
class OneCycle(Schedule):
    r"""One cycle: up to the peak, then down to far below the initial learning rate.

    The learning rate rises from peak / start_factor at step 0 to the peak at step
    warmup · steps - 1, and falls to peak / start_factor / final_factor at the last step, steps - 1,
    where it stays. It follows half cosine waves, or straight lines with shape="linear".

    Raises `ArgumentError` if a number is not positive, steps is below 1, warmup is not in [0, 1),
    or the shape is unknown.

    Source: Smith, Topin, "Super-convergence", 2018; `torch.optim.lr_scheduler.OneCycleLR`, without
    its momentum cycle.

    >>> schedule = OneCycle(0.5, steps=11, warmup=0.5455)
    >>> [round(schedule(step), 6) for step in (0, 5, 10)]
    [0.02, 0.5, 2e-06]
    """

    peak: float
    steps: int
    warmup: float = 0.3
    start_factor: float = 25.0
    final_factor: float = 1e4
    shape: str = "cosine"

    def __post_init__(self) -> None:
        self._check(peak="positive", steps="integer", start_factor="positive")
        self._check(final_factor="positive")
        warmup = check_number("OneCycle", "warmup", self.warmup, below=1)
        object.__setattr__(self, "warmup", warmup)
        check_choice("OneCycle", "shape", self.shape, SHAPES)

    def __call__(self, step: int) -> float:
        """Return the learning rate on the way up, on the way down, or at the end."""
        step = check_integer(type(self).__name__, "step", step)
        low, top, last = self.peak / self.start_factor, self.warmup * self.steps - 1, self.steps - 1
        if step <= top:
            return interpolate(self.shape, low, self.peak, step / top if top else 1.0)
        start = top if self.warmup else 0.0
        passed = min((step - start) / (last - start), 1.0) if last > start else 1.0
        return interpolate(self.shape, self.peak, low / self.final_factor, passed)
