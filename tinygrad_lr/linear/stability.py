"""The largest stable learning rate, from the curvature of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.chain_rule import pull_back, push_forward
from ..core.grad_mode import RECORDING
from ..core.graph import topological_order
from ..core.value import Value
from ..errors import ArgumentError, GraphError
from ..support.validation import as_input, check_callable, check_integer, check_number, short_repr

__all__ = ["learning_rate_limit"]

Vector = list[Any]  # an array for each parameter
Product = Callable[[Vector], Vector]


def learning_rate_limit(
    model: Any,
    loss: Callable[[Any, Any], Value],
    x: Any,
    y: Any,
    *,
    iterations: int = 1000,
    tolerance: float = 1e-9,
) -> float:
    """Return the largest stable learning rate of gradient descent at the current weights.

    Along an eigenvector of the Hessian with eigenvalue λ, a step multiplies the distance to the
    minimum by 1 - rate · λ: it shrinks where rate < 2/λ, so the limit is 2/λmax. For a straight
    line under `mse` the Hessian is the same everywhere and the limit is exact; for a network it
    holds near the current weights. It is inf if no curvature is positive, nan if the loss is not
    finite. With momentum, the limit is 2 (1 + momentum)/λmax.

    λmax comes from power iteration on Hessian-vector products, at most `iterations` of them, until
    its relative change is below `tolerance`; if the largest eigenvalue in magnitude is negative, a
    second pass shifts the spectrum. The gradient is recorded once; each product is one forward
    sweep over it. Time and memory are those of a few backward passes; the weights and their `.grad`
    are unchanged.

    `model` is called with x and has `parameters()`; `loss(prediction, y)` returns a scalar Value.

    Raises `GraphError` if the loss depends on no parameter, `ArgumentError` if it has more than
    one entry, iterations is below 1 or tolerance is not a number >= 0, `NotDifferentiableError` if
    it has no second derivative.

    Source: LeCun, Simard, Pearlmutter, "Automatic Learning Rate Maximization by On-Line
    Estimation of the Hessian's Eigenvectors", 1993.

    >>> model = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> x = np.array([[-1.0], [1.0]])  # standardised: the Hessian is 2·I
    >>> round(learning_rate_limit(model, tg.losses.mse, x, 3 * x), 9)
    1.0
    """
    where = "learning_rate_limit"
    if not callable(getattr(model, "parameters", None)):
        raise ArgumentError(f"{where}: model must be a tg.nn.Module, got {short_repr(model)}")
    check_callable(where, "loss", loss, "a function such as tg.losses.mse")
    iterations = check_integer(where, "iterations", iterations, low=1)
    tolerance = check_number(where, "tolerance", tolerance)
    x = as_input(where, "x", x) if isinstance(x, (list, tuple, np.ma.MaskedArray)) else x
    parameters = [p for p in model.parameters() if p.requires_grad]
    token = RECORDING.set(True)
    try:
        product = _hessian_product(loss(model(x), y), parameters)
        top = _largest_eigenvalue(product, parameters, iterations, tolerance)
    finally:
        RECORDING.reset(token)
    return 2 / top if top > 0 else math.nan if math.isnan(top) else math.inf


def _hessian_product(value: Value, parameters: Sequence[Value]) -> Product:
    """Return the function v -> H v: the gradient, recorded, pushed forward along v."""
    if isinstance(value, Value) and value.size != 1:
        raise ArgumentError(
            f"learning_rate_limit: the loss must have one entry, got shape {value.shape}; reduce "
            "it with mean() or sum()"
        )
    order = topological_order([value]) if isinstance(value, Value) else []
    if set(parameters).isdisjoint(order):
        raise GraphError("learning_rate_limit: the loss depends on no parameter of the model")
    one = 1.0 if type(value._content) is float else np.ones_like(value._content)[()]
    cotangents = pull_back({value: one}, recording=True)
    gradient = [cotangents.get(p) for p in parameters]
    steps = topological_order(g for g in gradient if isinstance(g, Value))

    def product(v: Vector) -> Vector:
        tangents = push_forward(steps, dict(zip(parameters, v, strict=True)))
        found = [tangents.get(g) if isinstance(g, Value) else None for g in gradient]
        return [
            p._content * 0.0 if t is None else t for p, t in zip(parameters, found, strict=True)
        ]

    return product


def _largest_eigenvalue(
    product: Product, parameters: Sequence[Value], iterations: int, tolerance: float
) -> float:
    """Return λmax, the largest with its sign, not in magnitude."""
    random = np.random.default_rng(0)
    start = [_like(p, random.standard_normal(p.shape)) for p in parameters]
    top, size = _power_iteration(product, start, iterations, tolerance)
    if not top < 0.999 * size:  # the dominant one is positive (or nan, or all are 0)
        return top

    def shifted(v: Vector) -> Vector:  # H + size·I has no negative eigenvalue
        return [h + size * x for h, x in zip(product(v), v, strict=True)]

    top = _power_iteration(shifted, start, iterations, tolerance)[0] - size
    return top if top > 1e-6 * size else 0.0  # below, only rounding is left


def _power_iteration(
    product: Product, v: Vector, iterations: int, tolerance: float
) -> tuple[float, float]:
    """Return the Rayleigh quotient v·Hv/v·v at the end, and the length of Hv for a unit v."""
    rayleigh = length = 0.0
    size = _length(v)
    for _ in range(iterations):
        v = [x / size for x in v]
        image = product(v)
        last = rayleigh, length
        rayleigh, length = _dot(v, image), _length(image)
        if not math.isfinite(length):
            return math.nan, math.nan
        still = max(abs(rayleigh - last[0]), abs(length - last[1]))
        if not length or still <= tolerance * length:
            break
        v, size = image, length
    return rayleigh, length


def _dot(a: Vector, b: Vector) -> float:
    """Return the inner product, summed in float64."""
    return math.fsum(
        float(np.sum(np.multiply(x, y, dtype=np.float64))) for x, y in zip(a, b, strict=True)
    )


def _length(v: Vector) -> float:
    return math.sqrt(_dot(v, v))


def _like(parameter: Value, entries: Any) -> Any:
    """Return entries in the parameter's shape and dtype, a float for a Python float."""
    data = parameter._content
    return float(entries) if type(data) is float else np.asarray(entries, data.dtype)[()]
