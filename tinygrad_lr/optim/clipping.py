"""Clip gradients before a step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.primitive import as_array, is_complex
from ..core.value import Value
from ..errors import ArgumentError, DtypeError
from ..support.abstract_array import AbstractArray, Array
from ..support.errstate import ignore_float_errors
from ..support.validation import check_flag, check_number
from .checks import check_parameters
from .optimizer import match_form

__all__ = ["clip_gradient_norm", "clip_gradient_value"]

NORM_EPS = 1e-6  # added to the norm before the division, as in PyTorch


@ignore_float_errors
def clip_gradient_norm(
    parameters: Iterable[Value],
    max_norm: float,
    *,
    order: float = 2,
    error_if_nonfinite: bool = False,
) -> float:
    r"""Scale down all gradients together if their norm exceeds `max_norm`; return that norm.

    The norm is that of all gradients as one vector: (Σ|g|ᵖ)^(1/p) with p = order, or the largest
    |g| for order=inf. It is computed without overflow. The gradients are multiplied by max_norm /
    (norm + 1e-6) if that is below 1. Parameters without a gradient are skipped.

    If the norm is inf or nan, that formula makes the gradients 0 or nan. With error_if_nonfinite,
    it raises `ArgumentError` instead, naming the first such gradient, and the gradients don't
    change. Raises `ArgumentError` unless max_norm and order are > 0, and the errors of `Optimizer`
    for parameters.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
    2013; `torch.nn.utils.clip_grad_norm_`.

    >>> w = Value(np.zeros(2))
    >>> w.grad = [3.0, 4.0]
    >>> tg.optim.clip_gradient_norm([w], 1.0)
    5.0
    >>> w.grad.round(5).tolist()
    [0.6, 0.8]
    """
    where = "clip_gradient_norm"
    limit = check_number(where, "max_norm", max_norm, positive=True)
    if not (isinstance(order, float) and order == math.inf):
        order = check_number(where, "order", order, positive=True)
    error_if_nonfinite = check_flag(where, "error_if_nonfinite", error_if_nonfinite)
    listed = check_parameters(where, parameters)
    gradients = [x._gradient for x in listed]
    norm = norm_of([as_array(g) for g in gradients if g is not None], order)
    if error_if_nonfinite and not math.isfinite(norm):
        finite = [g is None or bool(np.isfinite(g).all()) for g in gradients]
        first = finite.index(False) if False in finite else 0
        name = f" ({listed[first].name})" if listed[first].name else ""
        raise ArgumentError(
            f"{where}: the gradient of parameter {first}{name} must be finite, got a norm of "
            f"{norm}; lower the learning rate, or look for a division by zero"
        )
    scale: Any = limit / (norm + NORM_EPS)
    traced = isinstance(scale, AbstractArray)
    scale = np.where(scale >= 1, 1.0, scale) if traced else scale  # a nan scales too
    if traced or not scale >= 1:
        for parameter, gradient in zip(listed, gradients, strict=True):
            if gradient is not None:
                parameter._grad = match_form(parameter._content, gradient * scale)
    return norm


def clip_gradient_value(parameters: Iterable[Value], limit: float) -> None:
    """Clip every entry of every gradient to the range from -limit to limit; nan stays nan.

    Raises `ArgumentError` unless limit > 0, and the errors of `Optimizer` for parameters.

    Source: `torch.nn.utils.clip_grad_value_`.

    >>> w = Value(np.zeros(2))
    >>> w.grad = [3.0, -0.5]
    >>> tg.optim.clip_gradient_value([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    where = "clip_gradient_value"
    limit = check_number(where, "limit", limit, positive=True)
    for parameter in check_parameters(where, parameters):
        gradient = parameter._gradient
        if gradient is not None:
            if is_complex(gradient):
                raise DtypeError(
                    f"{where}: gradients must be real, got {gradient.dtype}; complex numbers have "
                    "no order, use clip_gradient_norm"
                )
            clipped = np.clip(gradient, -limit, limit)
            parameter._grad = match_form(parameter._content, clipped)


def norm_of(arrays: Sequence[Array], order: float) -> float:
    """Return (Σ|x|ᵖ)^(1/p) over all entries of all arrays, in float64, without overflow."""
    if any(isinstance(x, AbstractArray) for x in arrays):
        return _traced_norm(arrays, order)  # type: ignore[no-any-return]
    sizes: list[Any] = [np.abs(x).max(initial=0) for x in arrays]
    largest = float(np.max(sizes, initial=0))
    if largest == 0 or not math.isfinite(largest) or order == math.inf:
        return largest
    total = 0.0
    for x in arrays:
        ratios = np.abs(x / largest).astype(np.float64, copy=False)
        total += float((ratios**order).sum())
    return float(largest * total ** (1 / order))


def _traced_norm(arrays: Sequence[Any], order: float) -> Any:
    """Return the same without a branch: the early returns of `norm_of` become a `where`."""
    largest: Any = 0.0
    for x in arrays:
        largest = np.maximum(largest, np.max(np.abs(x)).astype(np.float64))
    if order == math.inf:
        return largest
    unit = np.where((largest == 0) | ~np.isfinite(largest), 1.0, largest)
    total: Any = 0.0
    for x in arrays:
        ratios = np.abs(x / unit.astype(x.dtype)).astype(np.float64)
        total = total + np.sum(ratios**order)
    norm = unit * total ** (1 / order)
    return np.where((largest == 0) | ~np.isfinite(largest), largest, norm)
