"""Gradients made smaller before a step, where they are too large."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.primitive import as_array
from ..core.value import Value
from ..errors import ArgumentError, refuse
from ..support.abstract_array import AbstractArray, Array
from ..support.errstate import silent
from ..support.validation import check_number
from .checks import checked_parameters
from .optimizer import in_form_of

SMALL = 1e-6  # what PyTorch adds to the norm before it divides by it


@silent
def clip_gradient_norm(
    parameters: Iterable[Value],
    max_norm: float,
    *,
    order: float = 2,
    error_if_nonfinite: bool = False,
) -> float:
    r"""Scale all gradients down together where their norm exceeds `max_norm`; the norm before.

    The norm is that of all entries of all gradients as one vector: (Σ|g|ᵖ)^(1/p) with p = order,
    the largest |g| for order=inf; it is computed without overflow. The gradients are multiplied by
    max_norm / (norm + 1e-6), where that is below 1. Parameters without a gradient are left out.

    A norm that is inf or nan makes gradients 0 and nan, as that formula does; with
    error_if_nonfinite it raises `ArgumentError` that names the first such gradient, and the
    gradients are left alone. Raises `ArgumentError` for max_norm or order that is not above 0,
    and for parameters as `Optimizer` does.

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
    if order != math.inf:
        order = check_number(where, "order", order, positive=True)
    listed = checked_parameters(where, parameters)
    gradients = [x._gradient for x in listed]
    norm = norm_of([as_array(g) for g in gradients if g is not None], order)
    if error_if_nonfinite and not math.isfinite(norm):
        finite = [g is None or bool(np.isfinite(g).all()) for g in gradients]
        first = finite.index(False) if False in finite else 0
        name = f" ({listed[first].name})" if listed[first].name else ""
        refuse(
            ArgumentError,
            where,
            f"the gradient of parameter {first}{name} is not finite",
            expected="finite gradients",
            given=f"a norm of {norm}",
            cure="lower the learning rate, or look for a division by zero",
        )
    scale: Any = limit / (norm + SMALL)
    traced = isinstance(scale, AbstractArray)
    scale = np.where(scale >= 1, 1.0, scale) if traced else scale  # a nan scales too
    if traced or not scale >= 1:
        for parameter, gradient in zip(listed, gradients, strict=True):
            if gradient is not None:
                parameter._grad = in_form_of(parameter._content, gradient * scale)
    return norm


def clip_gradient_value(parameters: Iterable[Value], limit: float) -> None:
    """Bring every entry of every gradient between -limit and limit; nan stays nan.

    Raises `ArgumentError` for a limit that is not above 0, and for parameters as `Optimizer` does.

    Source: `torch.nn.utils.clip_grad_value_`.

    >>> w = Value(np.zeros(2))
    >>> w.grad = [3.0, -0.5]
    >>> tg.optim.clip_gradient_value([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    where = "clip_gradient_value"
    limit = check_number(where, "limit", limit, positive=True)
    for parameter in checked_parameters(where, parameters):
        gradient = parameter._gradient
        if gradient is not None:
            clipped = np.clip(gradient, -limit, limit)
            parameter._grad = in_form_of(parameter._content, clipped)


def norm_of(arrays: Sequence[Array], order: float) -> float:
    """(Σ|x|ᵖ)^(1/p) over all entries of all arrays, in float64, without overflow."""
    if any(isinstance(x, AbstractArray) for x in arrays):
        return _traced_norm(arrays, order)  # type: ignore[no-any-return]
    sizes: list[Any] = [np.abs(x).max(initial=0) for x in arrays]
    largest = float(np.max(sizes, initial=0))
    if largest == 0 or not math.isfinite(largest) or order == math.inf:
        return largest
    total = 0.0
    for x in arrays:
        ratios = np.abs(x / largest, dtype=np.float64)
        total += float((ratios**order).sum())
    return float(largest * total ** (1 / order))


def _traced_norm(arrays: Sequence[Any], order: float) -> Any:
    """The same without a branch: all that `norm_of` would return at once is chosen in the end."""
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
