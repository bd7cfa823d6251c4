"""Why a descent ended, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.value import Value
from .history import History, counted


def message(history: History, kept: int, parameters: Sequence[Value], culprit: str = "") -> str:
    """The reason in a sentence; `kept` is the step of the best weights before a divergence."""
    losses, after = history.losses, f"after {counted(history.steps, 'step')}"
    best = ""
    if history.best_step not in {None, history.steps}:
        best = f"; the model keeps the weights of step {history.best_step}, the best evaluated"
    if history.reason == "converged":
        sizes = [np.abs(x._gradient).max() for x in parameters if x._gradient is not None]
        return (
            f"converged {after}: the weights no longer change; "
            f"the largest entry of the gradient is {max(sizes, default=0):.2g}{best}"
        )
    if history.reason == "interrupted":
        return f"interrupted {after}: the model keeps what it has learnt"
    if history.reason == "stopped":
        return f"stopped {after} by the callback{best or ': the model keeps what it has learnt'}"
    if history.reason == "early" and history.best_step is None:
        return (
            f"stopped early {after}: no evaluation gave a number; the model keeps the last weights"
        )
    if history.reason == "early":
        return (
            f"stopped early {after}: no improvement since step {history.best_step}, whose weights "
            "the model keeps"
        )
    if history.reason == "limit":
        if not history.steps:
            return "stopped at the limit of 0 steps: the model is unchanged"
        worse = "; the loss is above where it began: lower the learning rate"
        return (
            f"stopped at the limit of {counted(history.steps, 'step')}: the weights still change"
            f"{worse if losses[-1] > losses[0] else ''}{best}"
        )
    return divergence(history, kept, culprit)


def divergence(history: History, kept: int, culprit: str) -> str:
    """What diverged, where the numbers first left the finite ones, and what to do."""
    losses, rate, stable = history.losses, history.learning_rate, history.learning_rate_limit
    if not history.steps:
        first = f": {culprit}" if culprit else ""
        return f"diverged before the first step: the loss is {losses[-1]:g}{first}; scale the data"
    cure = f"lower the learning rate ({rate:g}), or scale the data"
    if stable is not None and stable < rate:
        cure = f"lower the learning rate ({rate:g}) below {stable:.4g}, the largest stable one"
    return (
        f"diverged after {counted(history.steps, 'step')}: the loss went from {losses[0]:.4g} to "
        f"{losses[-1]:.4g}{f' ({culprit})' if culprit else ''}; {cure}; "
        f"the model keeps the weights of step {kept}"
    )
