"""Negative log likelihoods of counts, and of numbers with a predicted variance."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np

from ..core.node import unwrap
from ..core.primitive import chain
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import check_numbers
from ..support.validation import check_flag, check_number, float_array
from .shared import match_target, reduce_entries, residual

__all__ = ["gaussian_nll", "poisson_nll"]


@overload
def poisson_nll(
    prediction: Value,
    target: ValueLike,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Value: ...
@overload
def poisson_nll(
    prediction: ValueLike,
    target: ValueLike,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any: ...
def poisson_nll(
    prediction: Any,
    target: Any,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of Poisson counts t: e^ŷ - t ŷ, for the log rate ŷ.

    Its derivative is e^ŷ - t. With `log_input=False` the prediction is the rate itself, and the
    loss is ŷ - t ln(ŷ + eps). The term ln t! does not depend on the prediction and is omitted; with
    `full=True`, Stirling's approximation of it, t ln t - t + ln(2πt)/2, is added where t > 1. The
    loss is never nan; above a log rate of 709 (88 in float32) it overflows to inf.

    Shapes and errors are those of `mse`; also raises `ArgumentError` if a target or a rate is below
    0.

    Source: `torch.nn.functional.poisson_nll_loss`.

    >>> prediction = Value([0.0, 2.0])
    >>> loss = tg.losses.poisson_nll(prediction, [3, 0], reduction="sum")
    >>> loss.backward()
    >>> round(float(loss), 4), prediction.grad.round(4).tolist()
    (8.3891, [-2.0, 7.3891])
    """
    where = "poisson_nll"
    prediction, target = match_target(where, prediction, target)
    _require_nonnegative(where, "target", target)
    eps, full = check_number(where, "eps", eps), check_flag(where, "full", full)
    if check_flag(where, "log_input", log_input):
        with np.errstate(over="ignore"):
            entries = np.exp(prediction) - chain(target, prediction)
    else:
        _require_nonnegative(where, "the predicted rate", prediction)
        entries = prediction - chain(target, np.log(prediction + eps))
    if full:
        many = np.where(target > 1, target, 1.0)
        stirling = many * np.log(many) - many + 0.5 * np.log(2 * math.pi * many)
        entries = entries + np.where(target > 1, stirling, 0.0)
    return reduce_entries(where, entries, reduction)


@overload
def gaussian_nll(
    prediction: Value,
    target: ValueLike,
    variance: ValueLike,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Value: ...
@overload
def gaussian_nll(
    prediction: ValueLike,
    target: ValueLike,
    variance: ValueLike,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any: ...
def gaussian_nll(
    prediction: Any,
    target: Any,
    variance: Any,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of a normal distribution: (ln v + u²/v)/2, with u = ŷ - y.

    A network that predicts ŷ and the variance v learns its own uncertainty. A variance below `eps`
    counts as eps, and still gets the gradient there, so that it can grow. With `full=True`, the
    constant ln(2π)/2 is added.

    Shapes: prediction and target of equal shape; the variance a number, of that shape, or of that
    shape with a last axis of 1, one for each row. Errors are those of `mse`; also raises
    `ArgumentError` if a variance is below 0.

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
    eps, full = check_number(where, "eps", eps, positive=True), check_flag(where, "full", full)
    if not isinstance(variance, Value):
        variance = float_array(where, "variance", variance).astype(u.dtype)
    shape = u.shape
    if variance.shape not in {(), shape, (*shape[:-1], 1)}:
        raise ShapeError(
            f"{where}: variance must be a number or have shape {shape} or {(*shape[:-1], 1)}, "
            f"got {variance.shape}"
        )
    _require_nonnegative(where, "variance", variance)
    v = unwrap(variance)
    held = variance + (np.maximum(v, eps) - v).astype(variance.dtype)  # the derivative passes
    entries = 0.5 * (np.log(held) + u * u / held)
    return reduce_entries(
        where, entries + 0.5 * math.log(2 * math.pi) if full else entries, reduction
    )


def _require_nonnegative(where: str, name: str, given: Any) -> None:
    def look(numbers: Any) -> None:
        data = np.asarray(numbers)
        if data.size and data.min() < 0:
            raise ArgumentError(f"{where}: {name} must be >= 0, got {data.min()}")

    check_numbers(unwrap(given), look)
