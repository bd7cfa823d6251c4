"""What learning rates do: a few descents to one line, from too small a rate to too large a one."""

from __future__ import annotations

import math

import numpy as np

from ..data import Standardizer
from ..linear import Line, closed_form
from ..linear.least_squares import Array
from ..train import History, fit
from .parts import LearningRates, Trial, Trials
from .predictor import Description
from .problem import Problem
from .training import Settings, stable_rate

FIRST_TRY = 0.001  # the lecture's, and everybody's
STANDARDIZED = (0.001, 0.1, 0.9, 1.1)  # times the largest stable rate
AS_THEY_ARE = (0.01, 0.5)
MOST_NUMBERS = 20_000  # of the rows tried on: a lesson should not take minutes
SIX_DIGITS = 5e-7


def learning_rates(problem: Problem, settings: Settings) -> LearningRates:
    """Descents from w = 0, b = 0 with rates around the largest stable one.

    On standardised features and on the features as they are, on all rows, or on some of them
    evenly spread where there are very many.
    """
    stride = math.ceil(problem.x.size / MOST_NUMBERS)
    x, y = problem.x[::stride], problem.y[::stride]
    if (x == x[0]).all(axis=0).any():  # a feature that varies in other rows only
        x, y = problem.x, problem.y
    line = closed_form(x, y, names=problem.x_names)
    scaling = Standardizer().fit(x)
    scaled = np.asarray(scaling.transform(x))
    means, scales = np.asarray(scaling.mean), np.asarray(scaling.scale)
    unscaled = np.zeros_like(means), np.ones_like(scales)
    limit = stable_rate(scaled, y)
    rates = [_rounded(share * limit) for share in STANDARDIZED]
    tables = [_trials(scaled, y, rates, (means, scales), line, settings, limit)]
    limit = stable_rate(x, y)
    rates = [_rounded(share * limit) for share in AS_THEY_ARE]
    rates.append(FIRST_TRY if FIRST_TRY > limit else _rounded(1.1 * limit))
    tables.append(_trials(x, y, rates, unscaled, line, settings, limit))
    return LearningRates(problem.x_names, len(y), problem.rows, tuple(tables))


def own_units(slopes: Array, bias: float, description: Description) -> tuple[Array, float]:
    """A line of scaled features as a line of the features as they are."""
    slopes = slopes / np.array(description.x_scale)
    return slopes, bias - math.fsum((slopes * np.array(description.x_mean)).tolist())


def agree(slopes: Array, intercept: float, line: Line) -> bool:
    """Whether every coefficient is that of the closed form, to six digits."""
    wanted = np.append(line.slope, line.intercept)
    given = np.append(slopes, intercept)
    return bool((abs(given - wanted) <= SIX_DIGITS * abs(wanted) + 1e-12 * line.mse**0.5).all())


def _trials(
    x: Array,
    y: Array,
    rates: list[float],
    scaling: tuple[Array, Array],
    line: Line,
    settings: Settings,
    limit: float,
) -> Trials:
    names = line.names
    means, scales = (tuple(part.tolist()) for part in scaling)
    description = Description(names, "y", (), "tanh", means, scales)
    trials = []
    for rate in rates:
        history = fit(
            description.model(),
            x,
            y,
            learning_rate=rate,
            steps=settings.steps,
            tolerance=settings.tolerance,
            progress=False,
        )
        if history.reason == "interrupted":
            raise KeyboardInterrupt
        remark = _remark(history, description, line, rate / limit)
        trials.append(Trial(rate, history.steps, history.losses[-1], history.reason, remark))
    design = np.column_stack([np.ones(len(x)), x])
    values = np.linalg.svd(design, compute_uv=False)
    condition = float((values[0] / values[-1]) ** 2)
    return Trials(bool((scales != np.ones(len(scales))).any()), limit, condition, tuple(trials))


def _remark(history: History, description: Description, line: Line, share: float) -> str:
    """What to see in a trial, with its rate as a share of the largest stable one."""
    if history.reason == "diverged":
        return "too large: the loss grows"
    bias = float(history.weights["bias"][-1][0])
    there = agree(*own_units(history.weights["weight"][-1][:, 0], bias, description), line)
    if there:
        return "right" if share <= 0.5 else "overshoots, yet gets there"
    if history.losses[-1] <= line.mse * (1 + 1e-4):
        return "the loss looks done, the line is not"
    return "too small: not there yet" if share <= 0.5 else "overshoots, not there yet"


def _rounded(rate: float) -> float:
    """Two digits."""
    return float(f"{rate:.1e}")
