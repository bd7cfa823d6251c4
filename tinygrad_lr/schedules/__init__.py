"""Schedules: learning rates as functions of the step, for an optimiser's `learning_rate`.

A schedule is called with the number of steps taken before, 0 for the first, and returns the
learning rate of that step. Schedules print, compare and pickle as values, and a number times a
schedule is a schedule. Only `ReduceOnPlateau` has a state.

>>> schedule = Warmup(Cosine(0.1, steps=100), steps=10)
>>> [round(schedule(step), 4) for step in (0, 5, 10, 60, 110)]
[0.0, 0.05, 0.1, 0.05, 0.0]
>>> 0.5 * schedule
Scaled(schedule=Warmup(schedule=Cosine(learning_rate=0.1, steps=100, final=0.0), steps=10, \
start_factor=0.0), factor=0.5)
"""

from __future__ import annotations

from .decay import Cosine as Cosine
from .decay import Exponential as Exponential
from .decay import OneCycle as OneCycle
from .decay import Polynomial as Polynomial
from .decay import StepDecay as StepDecay
from .plateau import ReduceOnPlateau as ReduceOnPlateau
from .schedule import Constant as Constant
from .schedule import Joined as Joined
from .schedule import Scaled as Scaled
from .schedule import Schedule as Schedule
from .schedule import Warmup as Warmup

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Joined",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Scaled",
    "Schedule",
    "StepDecay",
    "Warmup",
]
