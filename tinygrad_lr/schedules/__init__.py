"""Schedules: learning rates as functions of the step, for an optimiser's `learning_rate`.

A schedule is called with the number of steps taken so far, 0 for the first, and returns the
learning rate of the next step. Schedules print, compare and pickle as values, and a number times a
schedule is a schedule. Only `ReduceOnPlateau` has a state.

>>> schedule = Warmup(Cosine(0.1, steps=100), steps=10)
>>> [round(schedule(step), 4) for step in (0, 5, 10, 60, 110)]
[0.0, 0.05, 0.1, 0.05, 0.0]
>>> 0.5 * schedule
Scaled(schedule=Warmup(schedule=Cosine(learning_rate=0.1, steps=100, final=0.0), steps=10, \
start_factor=0.0), factor=0.5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules

if _TYPE_CHECKING:
    from .decay import *
    from .plateau import *
    from .schedule import *

__getattr__, __dir__ = _lazy_modules(__name__)
