"""Losses of binary classification: binary cross entropy and the hinge."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from ..core.node import unwrap
from ..core.primitive import chain
from ..core.value import Value, ValueLike
from ..errors import ArgumentError, ShapeError
from ..ops.activation import relu, softplus
from ..ops.cross_entropy import sigmoid_cross_entropy
from ..ops.index import take_along_axis
from ..support.abstract_array import AbstractArray, check_numbers
from ..support.validation import check_number, class_labels, float_array, shape_mismatch, shape_of
from .shared import class_scores, match_target, reduce_entries, require_weights

__all__ = ["binary_cross_entropy", "hinge"]


@overload
def binary_cross_entropy(
    prediction: Value,
    target: ValueLike,
    *,
    weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> Value: ...
@overload
def binary_cross_entropy(
    prediction: ValueLike,
    target: ValueLike,
    *,
    weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> Any: ...
def binary_cross_entropy(
    prediction: Any,
    target: Any,
    *,
    weights: Any = None,
    pos_weight: Any = None,
    reduction: str = "mean",
) -> Any:
    """The cross entropy -w (c t ln σ(ŷ) + (1 - t) ln(1 - σ(ŷ))) of logits ŷ and probabilities t.

    Its derivative with respect to a logit is σ(ŷ) - t (where w = c = 1). The logistic function σ is
    included: pass the output of the last linear layer. The loss is finite for all finite logits.

    - `target`: 0 or 1, or a probability in between.
    - `weights`: factors w of the entries; the mean still divides by their number, as in PyTorch.
    - `pos_weight`: a factor c of the positive part; the ratio of negatives to positives balances
      the classes.

    Shapes: prediction and target of equal shape; `weights` and `pos_weight` a number, of that
    shape, or a number for each column (the last axis). Raises `ShapeError` if the shapes don't
    match, `ArgumentError` if a target is not between 0 and 1 or a weight is below 0, `DtypeError`
    unless all are real numbers.

    Source: `torch.nn.functional.binary_cross_entropy_with_logits`.

    >>> logits = Value([-1000.0, 0.0])
    >>> loss = tg.losses.binary_cross_entropy(logits, [1, 0], reduction="sum")
    >>> loss.backward()
    >>> float(loss), logits.grad.tolist()
    (1000.6931471805599, [-1.0, 0.5])
    """
    where = "binary_cross_entropy"
    prediction, target = match_target(where, prediction, target)
    check_numbers(unwrap(target), _require_probabilities)
    if pos_weight is None:
        entries = sigmoid_cross_entropy(prediction, target)
    else:
        share = _weights("pos_weight", pos_weight, prediction) * target
        entries = chain(share, softplus(-prediction)) + chain(1 - target, softplus(prediction))
    if weights is not None:
        entries = chain(_weights("weights", weights, prediction), entries)
    return reduce_entries(where, entries, reduction)


def _require_probabilities(target: Any) -> None:
    """Raise `ArgumentError` for the first number outside 0 to 1."""
    t = np.asarray(target)
    if np.minimum.reduce(t, None, initial=1) >= 0 and np.maximum.reduce(t, None, initial=0) <= 1:
        return
    place = np.argwhere(~((t >= 0) & (t <= 1)))[0].tolist()
    given = t[tuple(place)]
    cure = "; for labels -1 and 1 pass (target + 1) / 2" if given == -1 else ""
    raise ArgumentError(
        f"binary_cross_entropy: target{place if place else ''} must be from 0 to 1, "
        f"got {given}{cure}"
    )


@overload
def hinge(
    prediction: Value, target: ValueLike, margin: float = 1.0, *, reduction: str = "mean"
) -> Value: ...
@overload
def hinge(
    prediction: ValueLike, target: ValueLike, margin: float = 1.0, *, reduction: str = "mean"
) -> Any: ...
def hinge(prediction: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Any:
    """The hinge max(0, margin - t ŷ) for t = ±1; for labels y, Σ max(0, margin - ŷ_y + ŷ_k)/C.

    It is 0 where the correct class wins by the margin; its derivative at the kink is 0. For several
    classes, the sum is over all C but the correct one.

    Shapes: prediction and target of equal shape, the target -1 and 1; or prediction (..., C) and
    integer labels (...). The result is a scalar, or has the shape of the target with reduction
    "none".

    Raises `ShapeError` if the shapes don't match, `ArgumentError` if a target is neither -1 nor 1;
    for labels, the errors of `cross_entropy`.

    Source: `torch.nn.functional.multi_margin_loss` for labels; Cortes, Vapnik, "Support-Vector
    Networks", 1995, for ±1.

    >>> scores = Value([2.0, 0.25])
    >>> loss = tg.losses.hinge(scores, [1, -1])
    >>> loss.backward()
    >>> float(loss), scores.grad.tolist()
    (0.625, [-0.0, 0.5])
    >>> float(tg.losses.hinge([[3.0, 2.5, 0.0]], [0]))
    0.16666666666666666
    """
    margin = check_number("hinge", "margin", margin, positive=True)
    if shape_of("hinge", "target", target) == shape_of("hinge", "prediction", prediction):
        return reduce_entries("hinge", _two_sided(prediction, target, margin), reduction)
    prediction, of_classes = class_scores("hinge", prediction, -1)
    if of_classes.shape[-1] == 1:
        raise shape_mismatch("hinge", prediction.shape, np.shape(target))
    labels = class_labels("hinge", target, of_classes.shape[:-1], of_classes.shape[-1])[..., None]
    right = take_along_axis(of_classes, labels, -1)
    others = (np.arange(of_classes.shape[-1]) != labels).astype(of_classes.dtype)
    rows = np.sum(others * relu(margin - right + of_classes), axis=-1) / of_classes.shape[-1]
    return reduce_entries("hinge", rows, reduction)


def _two_sided(prediction: Any, target: Any, margin: float) -> Any:
    prediction, target = match_target("hinge", prediction, target)
    check_numbers(unwrap(target), _require_sides)
    return relu(margin - target * prediction)


def _require_sides(target: Any) -> None:
    """Raise `ArgumentError` for the first number other than -1 and 1."""
    t = np.asarray(target)
    if (np.abs(t) == 1).all():
        return
    given = t[np.abs(t) != 1].flat[0]
    cure = "; for labels 0 and 1 pass 2 * target - 1" if given == 0 else ""
    raise ArgumentError(f"hinge: target must be -1 or 1, got {given}{cure}")


def _weights(name: str, given: Any, prediction: Any) -> Any:
    """Return weights that broadcast to the entries, in the dtype of the prediction."""
    where = "binary_cross_entropy"
    array = float_array(where, name, given)
    shape = prediction.shape
    if array.shape not in {(), shape, shape[-1:]}:
        columns = f" or {shape[-1:]}" if len(shape) > 1 else ""
        raise ShapeError(
            f"{where}: {name} must be a number or have shape {shape}{columns}, got {array.shape}"
        )
    require_weights(where, name, array)
    if isinstance(array, AbstractArray) and not array.shape:
        return array.cast_like(1.0)
    return array.astype(prediction.dtype) if array.shape else float(array)
