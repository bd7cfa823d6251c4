"""Learning rates: plain descents from the run's first weights, too slow, right and too fast."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import TinygradError
from ..linear import learning_rate_limit
from ..support.abstract_array import Array
from ..train import History, fit
from ..train.evaluation import compute_loss, training_mode
from .document import rounded
from .model_copy import Twin

SMALL, LARGE = 0.001, 1.1  # times the largest stable rate; between them the run's own, or half
STEPS_LINE, STEPS = 1000, 120
SHOWN = 40  # steps of each that are drawn
MOST_ROWS = 2000


def trials(
    twin: Twin,
    history: History,
    loss: Callable[[Any, Any], Any],
    x: Array,
    y: Array,
    *,
    exact: bool,
    weight: int,
) -> dict[str, Any] | None:
    """Three descents on the rows given, and the largest stable rate there, if there is one.

    `exact` says that the limit is the same everywhere, `weight` is the place, among all
    parameters, of the weight whose path is told.
    """
    stride = math.ceil(len(x) / MOST_ROWS)
    x, y = x[::stride], y[::stride]
    first = {name: np.array(records[0]) for name, records in history.weights.items()}
    twin.put(first)
    with training_mode(twin.model, False), np.errstate(all="ignore"):
        try:
            limit = learning_rate_limit(
                twin.model, lambda prediction, wanted: compute_loss(loss, prediction, wanted), x, y
            )
        except TinygradError:  # no second derivative
            return None
    if not 1e-100 < limit < 1e100:
        return None
    own = history.learning_rate if 0.05 * limit <= history.learning_rate <= 0.6 * limit else None
    rates = [_two_digits((SMALL if exact else 10 * SMALL) * limit), own or _two_digits(0.5 * limit)]
    rates.append(_two_digits(LARGE * limit if exact else 3 * limit))
    found = [_trial(twin, first, loss, x, y, rate, exact, weight) for rate in rates]
    ends = [trial["losses"][-1] for trial in found]
    best = min(filter(math.isfinite, ends), default=math.inf)
    for trial in found:
        trial["verdict"] = _verdict(trial, trial["rate"] / limit, best)
    return {"limit": limit, "exact": exact, "rows": len(x), "trials": found}


def _trial(
    twin: Twin,
    first: dict[str, Array],
    loss: Callable[[Any, Any], Any],
    x: Array,
    y: Array,
    rate: float,
    exact: bool,
    weight: int,
) -> dict[str, Any]:
    """One descent: its rate, its first losses and weights, and why it ended."""
    twin.put(first)
    model = copy.deepcopy(twin.model)
    history = fit(
        model, x, y, loss=loss, learning_rate=rate, steps=STEPS_LINE if exact else STEPS,
        tolerance=1e-12, progress=False, warn=False,
    )  # fmt: skip
    if history.reason == "interrupted":
        raise KeyboardInterrupt
    kept = [i for i, step in enumerate(history.weight_steps) if step <= SHOWN]
    path = [twin.laid({n: w[i] for n, w in history.weights.items()})[weight] for i in kept]
    return {
        "rate": rate,
        "steps": history.steps,
        "reason": history.reason,
        "message": re.sub(r" \(.*", "", history.message.partition(";")[0]),
        "losses": [*rounded(history.losses[: SHOWN + 1], 9).tolist(), history.losses[-1]],
        "path": rounded(path, 9),
    }


def _verdict(trial: dict[str, Any], share: float, best: float) -> str:
    """What to call a descent, by what it did; `share` is of the largest stable rate."""
    first, end = trial["losses"][0], trial["losses"][-1]
    if trial["reason"] == "diverged" or not end <= first:
        return "too large"
    if share > 1:
        return "large"
    there = end <= best * (1 + 1e-3) + 1e-12 or (
        share >= 0.1 and first - end >= 0.9 * (first - best)
    )
    return "right" if there else "too small"


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")
