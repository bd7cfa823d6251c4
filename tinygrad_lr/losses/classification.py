"""Losses of classification into several classes: cross entropy and relatives."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from ..core.primitive import chain
from ..core.value import Value, ValueLike
from ..errors import ArgumentError
from ..ops.activation import log_softmax
from ..ops.cross_entropy import softmax_cross_entropy
from ..ops.index import take_along_axis
from ..support.abstract_array import take_rows
from ..support.validation import (
    check_choice,
    check_flag,
    check_fraction,
    class_labels,
    shape_mismatch,
    shape_of,
)
from .shared import (
    class_scores,
    class_weights,
    mask_ignored,
    probabilities,
    reduce_entries,
    reduce_rows,
)

__all__ = ["cross_entropy", "kl_divergence", "nll"]


@overload
def cross_entropy(
    prediction: Value,
    target: ValueLike,
    *,
    axis: int = -1,
    weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Value: ...
@overload
def cross_entropy(
    prediction: ValueLike,
    target: ValueLike,
    *,
    axis: int = -1,
    weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any: ...
def cross_entropy(
    prediction: Any,
    target: Any,
    *,
    axis: int = -1,
    weights: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """The cross entropy -Σ p_k ln softmax(ŷ)_k of logits ŷ: -ln softmax(ŷ)_y for a label y.

    Its derivative with respect to the logits is softmax(ŷ) - p. Logits are the output of the last
    linear layer, without a softmax. The loss is finite for all finite logits.

    - `target`: integer labels, or the probabilities p of all classes (rows that add up to 1).
    - `axis`: the axis of the classes; in PyTorch it is axis 1, which is the last for (N, C).
    - `weights`: a number ≥ 0 for each class. For labels, the mean is then Σ w_y l / Σ w_y. For
      probabilities, w_k multiplies each term of the sum, and the mean is that of the rows.
    - `ignore_index`: rows with this label don't count, not even in the mean. If all are ignored,
      the loss and its derivatives are 0 (in PyTorch: nan).
    - `label_smoothing` ε: p becomes (1 - ε) p + ε/C, with C classes.

    Shapes: prediction (..., C), target (...) for labels or (..., C) for probabilities; the result
    is a scalar, or (...) with reduction "none". A target of probabilities can be a Value.

    Raises `ShapeError` if the shapes don't match, `DtypeError` (a TypeError) unless labels are
    integers, `LabelError` (an IndexError) if a label is out of range, with its row, `ArgumentError`
    if probabilities are below 0 or don't add up to 1, or an option is out of range.

    Source: `torch.nn.functional.cross_entropy`.

    >>> logits = Value([[2.0, 0.0, 0.0], [0.0, 1e4, 0.0]])
    >>> loss = tg.losses.cross_entropy(logits, [0, 1])
    >>> loss.backward()
    >>> round(float(loss), 4), logits.grad.round(4).tolist()
    (0.1198, [[-0.1065, 0.0533, 0.0533], [0.0, 0.0, 0.0]])
    """
    where = "cross_entropy"
    prediction, logits = class_scores(where, prediction, axis)
    classes = logits.shape[-1]
    scale = None if weights is None else class_weights(where, weights, classes)
    smoothing = check_fraction(where, "label_smoothing", label_smoothing)
    if shape_of(where, "target", target) == prediction.shape:
        if ignore_index is not None:
            raise ArgumentError(
                f"{where}: target must be labels with ignore_index, got probabilities"
            )
        p = probabilities(where, prediction, target, axis)
        return reduce_entries(where, _soft_cross_entropy(logits, p, scale, smoothing), reduction)
    labels = class_labels(where, target, logits.shape[:-1], classes, ignore_index)
    check_choice(where, "reduction", reduction, ("mean", "sum", "none"))
    if scale is None and ignore_index is None and not smoothing:
        average = reduction == "mean"
        rows = softmax_cross_entropy.evaluate((logits,), {"labels": labels, "average": average})
        return rows if average else reduce_entries(where, rows, reduction)
    labels, kept = mask_ignored(labels, ignore_index)
    share = 1.0 if scale is None else take_rows(scale, labels)
    if smoothing:
        p = (np.arange(classes) == labels[..., None]).astype(logits.dtype)
        rows = _soft_cross_entropy(logits, p, scale, smoothing)
        return reduce_rows(where, rows, reduction, share, kept)
    rows = softmax_cross_entropy(logits, labels=labels)
    return reduce_rows(where, rows, reduction, share, kept, factor=share)


@overload
def nll(
    prediction: Value,
    target: ValueLike,
    *,
    axis: int = -1,
    weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Value: ...
@overload
def nll(
    prediction: ValueLike,
    target: ValueLike,
    *,
    axis: int = -1,
    weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Any: ...
def nll(
    prediction: Any,
    target: Any,
    *,
    axis: int = -1,
    weights: Any = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood -ŷ_y of labels y, for log-probabilities ŷ.

    Use it for a network that ends in `log_softmax`. For logits, `cross_entropy` computes the same
    in one step. Arguments, shapes and errors are those of `cross_entropy` with labels.

    Source: `torch.nn.functional.nll_loss`.

    >>> float(tg.losses.nll(np.log([[0.5, 0.5], [0.25, 0.75]]), [0, 0], reduction="sum"))
    2.0794415416798357
    """
    where = "nll"
    likelihoods = class_scores(where, prediction, axis)[1]
    classes = likelihoods.shape[-1]
    scale = None if weights is None else class_weights(where, weights, classes)
    labels = class_labels(where, target, likelihoods.shape[:-1], classes, ignore_index)
    labels, kept = mask_ignored(labels, ignore_index)
    rows = -np.squeeze(take_along_axis(likelihoods, labels[..., None], -1), -1)
    if scale is None and kept is None:
        return reduce_entries(where, rows, reduction)
    share = 1.0 if scale is None else take_rows(scale, labels)
    return reduce_rows(where, rows, reduction, share, kept, factor=share)


@overload
def kl_divergence(
    prediction: Value,
    target: ValueLike,
    *,
    axis: int = -1,
    log_target: bool = False,
    reduction: str = "mean",
) -> Value: ...
@overload
def kl_divergence(
    prediction: ValueLike,
    target: ValueLike,
    *,
    axis: int = -1,
    log_target: bool = False,
    reduction: str = "mean",
) -> Any: ...
def kl_divergence(
    prediction: Any,
    target: Any,
    *,
    axis: int = -1,
    log_target: bool = False,
    reduction: str = "mean",
) -> Any:
    """The divergence KL(p ‖ q) = Σ p_k (ln p_k - ln q_k) of each row, with ln q = log_softmax(ŷ).

    The prediction can be logits or log-probabilities, which `log_softmax` leaves unchanged. The
    target is probabilities p, with 0 ln 0 = 0; with `log_target` it is logits or log-probabilities
    too, as in distillation.

    Shapes: both (..., C), the classes on `axis`; the result is a scalar, or the divergence of each
    row, (...), with reduction "none". The mean is over rows: PyTorch's "batchmean" for (N, C),
    where its "mean" divides by C too. Errors are those of `cross_entropy` with probabilities.

    Source: Kullback, Leibler, "On Information and Sufficiency", 1951; `torch.nn.functional.kl_div`.

    >>> logits = Value([[0.0, 0.0]])
    >>> loss = tg.losses.kl_divergence(logits, [[1.0, 0.0]])
    >>> loss.backward()
    >>> float(loss), logits.grad.tolist()
    (0.6931471805599453, [[-0.5, 0.5]])
    """
    where = "kl_divergence"
    prediction, logits = class_scores(where, prediction, axis)
    if shape_of(where, "target", target) != prediction.shape:
        raise shape_mismatch(where, prediction.shape, np.shape(target))
    if check_flag(where, "log_target", log_target):
        log_p = log_softmax(class_scores(where, target, axis)[1].astype(logits.dtype))
        p = np.exp(log_p)
    else:
        p = probabilities(where, prediction, target, axis)
        log_p = np.log(np.where(p > 0, p, 1.0))
    log_q = log_softmax(logits)
    if log_target:  # a class that is masked in both
        log_p, log_q = np.where(p > 0, log_p, 0.0), np.where(p > 0, log_q, 0.0)
    rows = np.sum(chain(p, log_p - log_q), axis=-1)
    return reduce_entries(where, rows, reduction)


def _soft_cross_entropy(logits: Any, p: Any, scale: Any, smoothing: float) -> Any:
    """Return -Σ w_k p_k ln softmax_k of each row, with smoothed p."""
    if smoothing:
        p = p * (1 - smoothing) + smoothing / logits.shape[-1]
    if scale is not None:
        p = p * scale.astype(logits.dtype)
    return -np.sum(chain(p, log_softmax(logits)), axis=-1)  # 0 ln 0 = 0: a class that is masked
