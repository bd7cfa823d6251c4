"""Run plain descents from the initial weights: too slow, right and too fast."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..support.abstract_array import Array
from ..train import History
from ..train.learning_rate_trials import round_rate, try_learning_rates
from ..train.model_copy import ModelCopy
from .document import round_digits
from .schema import Trial, Trials, Verdict

SMALL, LARGE = 0.001, 1.1  # times the largest stable rate; between them the run's own, or half
STEPS_LINE, STEPS = 1000, 120
MAX_DRAWN_STEPS = 40
MAX_ROWS = 2000


def run_trials(
    twin: ModelCopy,
    history: History,
    loss: Callable[[Any, Any], Any],
    x: Array,
    y: Array,
    *,
    exact: bool,
    weight: int,
) -> Trials | None:
    """Run three descents on these rows; return them with the largest stable rate, if any.

    `exact`: the limit is the same at all weights; `weight`: the flat index of the weight whose
    path is shown.
    """
    stride = math.ceil(len(x) / MAX_ROWS)
    x, y = x[::stride], y[::stride]
    first = {name: np.array(records[0]) for name, records in history.weights.items()}
    limit = twin.on(x, y, loss).largest_stable_rate(first)
    if limit is None or not 1e-100 < limit < 1e100:
        return None
    own = history.learning_rate if 0.05 * limit <= history.learning_rate <= 0.6 * limit else None
    rates = [
        round_rate((SMALL if exact else 10 * SMALL) * limit),
        own or round_rate(0.5 * limit),
        round_rate(LARGE * limit if exact else 3 * limit),
    ]
    steps = STEPS_LINE if exact else STEPS
    runs = try_learning_rates(twin.model, x, y, rates, loss=loss, steps=steps)
    best = min((run.losses[-1] for run in runs if math.isfinite(run.losses[-1])), default=math.inf)
    trials = [
        _describe_trial(twin, run, rate, weight, _judge(run, rate / limit, best))
        for run, rate in zip(runs, rates, strict=True)
    ]
    return {"limit": limit, "exact": exact, "rows": len(x), "trials": trials}


def _describe_trial(
    twin: ModelCopy, history: History, rate: float, weight: int, verdict: Verdict
) -> Trial:
    """Return a descent: its rate, its first losses and weights, and why it ended."""
    shown = [step <= MAX_DRAWN_STEPS for step in history.weight_steps]
    path = twin.flatten_records(history.weights)[shown, weight]
    return {
        "rate": rate,
        "steps": history.steps,
        "reason": history.reason,
        "message": re.sub(r" \(.*", "", history.message.partition(";")[0]),
        "losses": [*round_digits(history.losses[: MAX_DRAWN_STEPS + 1], 9), history.losses[-1]],
        "path": round_digits(path, 9),
        "verdict": verdict,
    }


def _judge(run: History, share: float, best: float) -> Verdict:
    """Judge a learning rate by its descent; `share` is its ratio to the largest stable rate."""
    first, end = run.losses[0], run.losses[-1]
    if run.reason == "diverged" or not end <= first:
        return "too large"
    if share > 1:
        return "large"
    near = end <= best * (1 + 1e-3) + 1e-12
    arrived = near or (share >= 0.1 and first - end >= 0.9 * (first - best))
    return "right" if arrived else "too small"
