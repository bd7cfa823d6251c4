"""The largest stable learning rate, from the curvature of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..core.chain_rule import pull_back, push_forward
from ..core.grad_mode import RECORDING
from ..core.graph import topological_order
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, DtypeError, GraphError
from ..support.validation import (
    as_input,
    check_callable,
    check_integer,
    check_number,
    describe_type,
    short_repr,
)

__all__ = ["learning_rate_limit"]

Vector = list[Any]  # an array for each parameter
Product = Callable[[Vector], Vector]

MAX_BASIS = 96  # vectors that are kept
MAX_BASIS_ENTRIES = 1 << 25  # 256 MB
FIRST_LOOK = 20  # products: earlier, a direction of which the random start has little may be missed


class Model(Protocol):
    """A function of x that has parameters, such as a `tg.nn.Module`."""

    def __call__(self, x: Any, /) -> Any:
        """Compute the output."""

    def parameters(self) -> Sequence[Value]:
        """Return the parameters."""


def learning_rate_limit(
    model: Model,
    loss: Callable[[Any, Any], Value],
    x: ValueLike,
    y: ValueLike,
    *,
    iterations: int = 1000,
    tolerance: float = 1e-9,
) -> float:
    """Return the largest stable learning rate of gradient descent at the current weights.

    Along an eigenvector of the Hessian with eigenvalue λ, a step multiplies the distance to the
    minimum by 1 - rate · λ: it shrinks where rate < 2/λ, so the limit is 2/λmax. For a straight
    line under `mse` the Hessian is the same everywhere; for a network the limit holds near the
    current weights. It is inf if no curvature is positive, nan if the loss is not finite. With
    momentum, the limit is 2 (1 + momentum)/λmax.

    λmax comes from Lanczos iteration on Hessian-vector products, at most `iterations` of them. With
    as many as there are parameters it is exact. With fewer it is the value found plus half the
    `tolerance`, once its error is estimated to be below that, so that the limit is on the safe
    side: at most `tolerance` below 2/λmax, for certain, and not above it, unless the estimate
    fails. It does so if the random vector of the start is almost orthogonal to the eigenvector of
    λmax: of 1500 random spectra with up to 300 eigenvalues, in 8. All of this is up to rounding.

    The gradient is recorded once; each product is one forward sweep over it. Time and memory are
    those of some backward passes; the weights and their `.grad` are unchanged.

    `model` is called with x and has `parameters()`; `loss(prediction, y)` returns a scalar Value.

    Raises `GraphError` if the loss depends on no parameter, `ArgumentError` if it has more than
    one entry, iterations is below 1 or not enough, or tolerance is not a number >= 0, `DtypeError`
    for complex parameters, `NotDifferentiableError` if the loss has no second derivative.

    Sources: LeCun, Simard, Pearlmutter, "Automatic Learning Rate Maximization by On-Line
    Estimation of the Hessian's Eigenvectors", 1993; Wu, Simon, "Thick-Restart Lanczos Method for
    Large Symmetric Eigenvalue Problems", 2000.

    >>> model = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    >>> x = np.array([[-1.0], [1.0]])  # standardised: the Hessian is 2·I
    >>> round(learning_rate_limit(model, tg.losses.mse, x, 3 * x), 9)
    1.0
    """
    where = "learning_rate_limit"
    if isinstance(model, type) or not callable(getattr(model, "parameters", None)):
        given = describe_type(model) or short_repr(model)
        raise ArgumentError(f"{where}: model must be a tg.nn.Module, got {given}")
    check_callable(where, "loss", loss, "a function such as tg.losses.mse")
    iterations = check_integer(where, "iterations", iterations, low=1)
    tolerance = check_number(where, "tolerance", tolerance)
    x = as_input(where, "x", x) if isinstance(x, (list, tuple, np.ma.MaskedArray)) else x
    parameters = [p for p in model.parameters() if p.requires_grad]
    if any(p.dtype.kind == "c" for p in parameters):
        raise DtypeError(f"{where}: the model's parameters must be real, got complex numbers")
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
    """Return λmax with its error added, the largest with its sign; 0 if only rounding is left.

    The rows of V are orthonormal, and H V' = V' T + β w e', with e the last unit vector. An
    eigenvector s of T gives the Ritz vector V's, which H scales by its eigenvalue θ up to the
    residual r = β |s_last|: θ <= λmax, and an eigenvalue of H is within r of θ. If all eigenvalues
    but λmax are at most ρ < θ, then λmax <= θ + r²/(θ - ρ) (Temple): no (λ - λmax)(λ - ρ) is
    negative, and their mean with the weights of the Ritz vector is r² + (θ - λmax)(θ - ρ). The
    second Ritz value with its residual stands for ρ. A full basis is replaced by its best Ritz
    vectors.
    """
    size = sum(p.size for p in parameters)
    rounding = 100 * max(float(np.finfo(p.dtype).eps) for p in parameters)
    rows = min(size, MAX_BASIS, max(4, MAX_BASIS_ENTRIES // size))
    basis, projected = np.empty((rows, size)), np.zeros((rows, rows))
    following = np.random.default_rng(0).standard_normal(size)
    following /= np.linalg.norm(following)
    count, scale = 0, 0.0
    for done in range(1, iterations + 1):
        basis[count] = following
        count += 1
        image = _flatten(product(_unflatten(following, parameters)))
        if not np.isfinite(image).all():
            return math.nan
        known, last = basis[:count], np.zeros(count)
        for _ in range(2):  # once more for what rounding left in the directions that are known
            parts = known @ image
            image -= parts @ known
            last += parts
        projected[:count, count - 1] = projected[count - 1, :count] = last
        length = float(np.linalg.norm(image))
        scale = max(scale, length, float(np.abs(last).max()))
        noise = rounding * scale
        complete = count == size or length <= noise
        following = image / length if length else image
        look = complete or count == rows or done == iterations
        if not look and (done < FIRST_LOOK or done % 4):
            continue
        values, vectors = np.linalg.eigh(projected[:count, :count])
        top, residuals = float(values[-1]), length * np.abs(vectors[-1])
        error = float(residuals[-1])
        if count > 1 and (gap := top - float(values[-2] + residuals[-2])) > 0:
            error = min(error, error**2 / gap)
        allowed = 0 if complete else max(0.5 * tolerance * abs(top), noise)
        if complete or (done >= FIRST_LOOK and error <= allowed):
            return top + max(error, allowed) if top > noise else 0.0
        if count == rows:
            count = rows // 2
            basis[:count] = vectors[:, -count:].T @ basis
            projected[:] = 0.0
            np.fill_diagonal(projected[:count, :count], values[-count:])
    raise ArgumentError(
        f"learning_rate_limit: iterations must be more than {iterations} for a tolerance of "
        f"{tolerance:.3g}: the largest curvature is {top:.6g} up to about {error:.1g} so far"
    )


def _flatten(arrays: Vector) -> Any:
    """Return the entries of all arrays, one after the other, in float64."""
    return np.concatenate([np.ravel(x).astype(np.float64) for x in arrays])


def _unflatten(entries: Any, parameters: Sequence[Value]) -> Vector:
    """Return entries in the parameters' shapes and dtypes, a float for a Python float."""
    ends = np.cumsum([p.size for p in parameters])
    return [
        _like(p, part.reshape(p.shape))
        for p, part in zip(parameters, np.split(entries, ends[:-1]), strict=True)
    ]


def _like(parameter: Value, entries: Any) -> Any:
    data = parameter._content
    return float(entries) if type(data) is float else np.asarray(entries, data.dtype)[()]
