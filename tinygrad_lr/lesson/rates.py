"""What learning rates do: a few descents to one line, from too small a rate to too large a one."""

from __future__ import annotations

import math

import numpy as np

from ..data import Standardizer
from ..linear import Line, closed_form
from ..support.abstract_array import Array
from ..train import History, fit
from .parts import LearningRates, Trial, Trials
from .predictor import Description
from .problem import Problem
from .training import Settings, stable_rate

FIRST_TRY = 0.001  # the lecture's, and everybody's
STANDARDIZED = (0.001, 0.1, 0.9, 1.1)  # times the largest stable rate
AS_THEY_ARE = (0.0001, 0.5)
STEPS, TOLERANCE = Settings().steps, Settings().tolerance
MOST_NUMBERS = 20_000  # of the rows tried on: a lesson should not take minutes
SIX_DIGITS = 5e-7


def learning_rates(problem: Problem) -> LearningRates:
    """Descents from w = 0, b = 0 with rates around the largest stable one.

    On standardised features and on the features as they are, on all rows, or on some of them
    evenly spread where there are very many.
    """
    stride = math.ceil(problem.x.size / MOST_NUMBERS)
    x, y = problem.x[::stride], problem.y[::stride]
    if (x == x[0]).all(axis=0).any():  # a feature that varies in other rows only
        x, y = problem.x, problem.y
    line = least_squares(x, y, problem.x_names)
    scaling = Standardizer().fit(x)
    scaled = np.asarray(scaling.transform(x), np.float64)
    means, scales = (np.asarray(part, np.float64) for part in (scaling.mean, scaling.scale))
    unscaled = np.zeros_like(means), np.ones_like(scales)
    limit = stable_rate(scaled, y)
    rates = [_rounded(share * limit) for share in STANDARDIZED]
    tables = [_trials(scaled, y, rates, (means, scales), line, limit)]
    limit = stable_rate(x, y)
    if 1e-100 < limit < 1e100:  # else no float64 holds what would happen
        rates = [_rounded(share * limit) for share in AS_THEY_ARE]
        rates.append(FIRST_TRY if limit < FIRST_TRY else _rounded(1.1 * limit))
        tables.append(_trials(x, y, rates, unscaled, line, limit))
    return LearningRates(problem.x_names, len(y), problem.rows, tuple(tables))


def least_squares(x: Array, y: Array, names: tuple[str, ...]) -> Line:
    """The closed form of rows (rows, features); that of one feature is a line of numbers."""
    return closed_form(x[:, 0] if len(names) == 1 else x, y, names=names)


def own_units(slopes: Array, bias: float, description: Description) -> tuple[Array, float]:
    """A line of scaled features as a line of the features as they are."""
    slopes = slopes / np.array(description.x_scale)
    return slopes, bias - math.fsum((slopes * np.array(description.x_mean)).tolist())


def agree(slopes: Array, intercept: float, line: Line, digits: float = SIX_DIGITS) -> bool:
    """Whether every coefficient is that of the closed form, to six digits (or `digits` of it)."""
    wanted = np.append(line.slope, line.intercept)
    given = np.append(slopes, intercept)
    return bool((abs(given - wanted) <= digits * abs(wanted) + 1e-12 * line.mse**0.5).all())


def _trials(
    x: Array,
    y: Array,
    rates: list[float],
    scaling: tuple[Array, Array],
    line: Line,
    limit: float,
) -> Trials:
    names = line.names
    means, scales = (tuple(part.tolist()) for part in scaling)
    description = Description(names, "y", (), "tanh", means, scales)
    trials = []
    for rate in rates:
        history = fit(
            description.build_model(),
            x,
            y,
            learning_rate=rate,
            steps=STEPS,
            tolerance=TOLERANCE,
            progress=False,
            warn=False,
        )
        if history.reason == "interrupted":
            raise KeyboardInterrupt
        remark = _remark(history, description, line, rate / limit)
        trials.append(Trial(rate, history.steps, history.losses[-1], history.reason, remark))
    design = np.column_stack([np.ones(len(x)), x])
    values = np.linalg.svd(design, compute_uv=False)
    with np.errstate(all="ignore"):
        condition = float(np.square(values[0] / values[-1]))
    return Trials(set(scales) != {1.0}, limit, condition, tuple(trials))


def _remark(history: History, description: Description, line: Line, share: float) -> str:
    """What to see in a trial, with its rate as a share of the largest stable one."""
    if history.reason == "diverged":
        return "too large: the loss grows"
    bias = float(history.weights["bias"][-1][0])
    slopes, intercept = own_units(history.weights["weight"][-1][:, 0], bias, description)
    if agree(slopes, intercept, line):
        return "right" if share <= 0.5 else "overshoots, yet gets there"
    if history.losses[-1] <= line.mse * (1 + 1e-4):
        slopes_there = agree(slopes, line.intercept, line, 1e-2)
        return f"loss done, {'intercept' if slopes_there else 'line'} still wrong"
    if share > 0.5:
        return "overshoots, not there yet"
    return "too small: not there yet" if share < 0.1 else "not there: some weights crawl"


def _rounded(rate: float) -> float:
    """Two digits."""
    return float(f"{rate:.1e}")
