"""Losses that are negative log likelihoods of counts and of numbers with a spread of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.node import unwrap
from ..core.value import Value
from ..errors import ArgumentError, ShapeError, refuse
from ..support.abstract_array import looked_at
from ..support.validation import check_number
from .residual import matched, real_numbers, reduced, residual


def poisson_nll(
    prediction: Any,
    target: Any,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of counts t under Poisson's law: e^ŷ - t ŷ, for the log rate ŷ.

    Its derivative is e^ŷ - t. With `log_input=False` the prediction is the rate itself, and the
    loss ŷ - t ln(ŷ + eps). The term ln t! does not depend on the prediction and is left out; with
    `full`, Stirling's t ln t - t + ln(2πt)/2 for it is added where t > 1. It never becomes nan;
    above a log rate of 709 (88 in float32) the true loss is more than a float holds: inf.

    Shapes and errors are those of `mse`, and `ArgumentError` for a target or a rate below 0.

    Source: `torch.nn.functional.poisson_nll_loss`.

    >>> prediction = Value([0.0, 2.0])
    >>> loss = tg.losses.poisson_nll(prediction, [3, 0], reduction="sum")
    >>> loss.backward()
    >>> round(float(loss), 4), prediction.grad.round(4).tolist()
    (8.3891, [-2.0, 7.3891])
    """
    where = "poisson_nll"
    prediction, target = matched(where, prediction, target)
    _refuse_below_zero(where, "target", target)
    if log_input:
        with np.errstate(over="ignore"):
            entries = np.exp(prediction) - target * prediction
    else:
        _refuse_below_zero(where, "the rate", prediction)
        eps = check_number(where, "eps", eps)
        entries = prediction - target * np.log(prediction + eps)
    if full:
        many = np.where(target > 1, target, 1.0)
        stirling = many * np.log(many) - many + 0.5 * np.log(2 * math.pi * many)
        entries = entries + np.where(target > 1, stirling, 0.0)
    return reduced(where, entries, reduction)


def gaussian_nll(
    prediction: Any,
    target: Any,
    variance: Any,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of a normal law: (ln v + u²/v)/2, with u = ŷ - y and variance v.

    A network that predicts ŷ and v learns how sure it can be. A variance below `eps` counts as
    eps, and still gets the derivative that it has there, so that it can leave. With `full`, the
    constant ln(2π)/2 is added.

    Shapes: prediction and target of one shape; the variance a number, of that shape, or of it
    with a last axis of 1, one for each row. Errors are those of `mse`, and `ArgumentError` for a
    variance below 0.

    Source: Nix, Weigend, "Estimating the mean and variance of the target probability
    distribution", 1994; `torch.nn.functional.gaussian_nll_loss`.

    >>> prediction, variance = Value([1.0, 3.0]), Value([1.0, 4.0])
    >>> loss = tg.losses.gaussian_nll(prediction, [0.0, 1.0], variance, reduction="sum")
    >>> loss.backward()
    >>> prediction.grad.tolist(), variance.grad.tolist()
    ([1.0, 0.5], [0.0, 0.0])
    """
    where = "gaussian_nll"
    u = residual(where, prediction, target)
    eps = check_number(where, "eps", eps, positive=True)
    if not isinstance(variance, Value):
        variance = real_numbers(where, "variance", variance).astype(u.dtype)
    shape = u.shape
    if variance.shape not in {(), shape, (*shape[:-1], 1)}:
        expected = f"a number, shape {shape} or {(*shape[:-1], 1)}"
        refuse(
            ShapeError, where, "the variance does not fit", expected=expected, given=variance.shape
        )
    _refuse_below_zero(where, "variance", variance)
    v = unwrap(variance)
    held = variance + (np.maximum(v, eps) - v).astype(v.dtype)  # the derivative passes
    entries = 0.5 * (np.log(held) + u * u / held)
    return reduced(where, entries + 0.5 * math.log(2 * math.pi) if full else entries, reduction)


def _refuse_below_zero(where: str, name: str, given: Any) -> None:
    def look(numbers: Any) -> None:
        data = np.asarray(numbers)
        if data.size and data.min() < 0:
            wrong, least = f"{name} is below 0", data.min()
            refuse(ArgumentError, where, wrong, expected="0 or more", given=least)

    looked_at(unwrap(given), look)
