"""Descents to one line with several learning rates, from too small to too large."""

from __future__ import annotations

import math

import numpy as np

from ..data import Standardizer
from ..linear import Line, closed_form
from ..support.abstract_array import Array
from ..train import History
from ..train.learning_rate_trials import round_rate, try_learning_rates
from .condensed import Condensed
from .parts import LearningRates, Trial, Trials
from .predictor import Description
from .problem import Problem
from .training import Settings, stable_rate

FIRST_TRY = 0.001  # the usual first try
SHARES_STANDARDIZED = (0.001, 0.1, 0.9, 1.1)  # of the largest stable rate
SHARES_RAW = (0.0001, 0.5)
STEPS, TOLERANCE = Settings().steps, Settings().tolerance
SIX_DIGITS = 5e-7


def compare_learning_rates(
    problem: Problem, line: Line, condensed: Condensed | None = None
) -> LearningRates:
    """Descend from w = 0, b = 0 with rates around the largest stable one.

    On standardised and on raw features; on the condensed rows if there are some.
    """
    if condensed is None:
        scaling = Standardizer().fit(problem.x)
        means, scales = (np.asarray(part, np.float64) for part in (scaling.mean, scaling.scale))
        x, y = problem.x, problem.y
        scaled = np.asarray(scaling.transform(x), np.float64)
    else:
        scaled, means, scales = condensed.x, condensed.x_mean, condensed.x_scale
        x, y = scaled * scales + means, condensed.y * condensed.y_scale + condensed.y_mean
    unscaled = np.zeros_like(means), np.ones_like(scales)
    limit = stable_rate(scaled)
    rates = [round_rate(share * limit) for share in SHARES_STANDARDIZED]
    tables = [_descend_with_each(scaled, y, rates, (means, scales), line, limit)]
    limit = stable_rate(x)
    if limit > 1e-100:  # it is at most 1; else the descent overflows float64
        rates = [round_rate(share * limit) for share in SHARES_RAW]
        rates.append(FIRST_TRY if limit < FIRST_TRY else round_rate(1.1 * limit))
        tables.append(_descend_with_each(x, y, rates, unscaled, line, limit))
    return LearningRates(problem.x_names, problem.rows, tuple(tables))


def least_squares(x: Array, y: Array, names: tuple[str, ...]) -> Line:
    """Return the closed form of x (rows, features); of one feature with a scalar slope."""
    return closed_form(x[:, 0] if len(names) == 1 else x, y, names=names)


def original_units(slopes: Array, bias: float, description: Description) -> tuple[Array, float]:
    """Convert a line through scaled features to the features' own units."""
    slopes = slopes / np.array(description.x_scale)
    return slopes, bias - math.fsum((slopes * np.array(description.x_mean)).tolist())


def is_close_to(slopes: Array, intercept: float, line: Line, tolerance: float = SIX_DIGITS) -> bool:
    """Return True if each coefficient is that of the closed form, within a relative tolerance."""
    return line.agrees_with(slopes, intercept, tolerance)


def _descend_with_each(
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
    histories = try_learning_rates(
        description.build_model(), x, y, rates, steps=STEPS, tolerance=TOLERANCE
    )
    trials = []
    for rate, history in zip(rates, histories, strict=True):
        remark = _remark(history, description, line, rate / limit)
        trials.append(Trial(rate, history.steps, history.losses[-1], history.reason, remark))
    design = np.column_stack([np.ones(len(x)), x])
    values = np.linalg.svd(design, compute_uv=False)
    with np.errstate(all="ignore"):
        condition = float(np.square(values[0] / values[-1]))
    return Trials(set(scales) != {1.0}, limit, condition, tuple(trials))


def _remark(history: History, description: Description, line: Line, share: float) -> str:
    """Return a remark on a trial; `share` is its rate relative to the largest stable one."""
    if history.reason == "diverged":
        return "too large: the loss grows"
    bias = float(history.weights["bias"][-1][0])
    slopes, intercept = original_units(history.weights["weight"][-1][:, 0], bias, description)
    if is_close_to(slopes, intercept, line):
        return "right" if share <= 0.5 else "overshoots, but gets there"
    if history.losses[-1] <= line.mse * (1 + 1e-4):
        has_slopes = is_close_to(slopes, line.intercept, line, 1e-2)
        return f"loss converged, {'intercept' if has_slopes else 'line'} not yet"
    if share > 0.5:
        return "overshoots, not there yet"
    return "too small: not there yet" if share < 0.1 else "some weights are too slow"
