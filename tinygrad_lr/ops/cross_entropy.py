"""Cross entropies from logits in one operation each: exact and finite for logits of any size."""

import numpy as np

from ..core.primitive import primitive
from ..support.abstract_array import AbstractArray
from .activation import sigmoid, softmax
from .reduce import mean

LABELS = np.array([2, 0])
SHORT = 64


@primitive(
    latex=r"-\ln\operatorname{softmax}_y\left(<x>\right)",
    examples=[
        ((2, 3), {"labels": LABELS}),
        ((2, 3), {"labels": LABELS, "average": True}),
        ((2, 2, 3), {"labels": np.array([[1, 1], [2, 0]])}),
        ((4,), {"labels": np.array(3)}),
    ],
)
def softmax_cross_entropy(x, labels=(), average=False):
    """ln Σ e^x - x_y along the last axis, y being the label of each row: its -ln softmax.

    The derivative is softmax(x) - onehot(y). With `average`, the mean of all rows, as one number.
    Shapes: x (..., C), labels (...), integers from 0 to C - 1.

    >>> softmax_cross_entropy(Value([[1000.0, 0.0], [0.0, 0.0]]), labels=np.array([1, 0]))
    Value(data=[1.00000000e+03 6.93147181e-01], grad=None)
    """
    shifted = _shifted(x)
    losses = np.log(np.add.reduce(np.exp(shifted), axis=1))
    losses -= _chosen(shifted, labels)
    return mean.forward(losses) if average else losses.reshape(labels.shape)[()]


def _shifted(x):
    """The rows less their largest entries, in memory column by column where rows are short.

    NumPy reduces those so in half the time.
    """
    classes = x.shape[-1]
    rows = x.reshape(-1, classes).copy(order="F" if classes <= SHORT else "C")
    rows -= np.maximum.reduce(rows, axis=1, keepdims=True)
    return rows


def _chosen(rows, labels):
    """The label's entry of each row; in a compiled loop as the one that is not left out."""
    traced = isinstance(rows, AbstractArray)
    if traced:
        left = np.reshape(labels, (-1, 1)) == np.arange(rows.shape[1])
        return np.add.reduce(np.where(left, rows, 0.0), axis=1)
    return rows[_entries(labels)]


def _entries(labels):
    """Return the index of the labels' entries in the rows."""
    return np.arange(labels.size), labels.reshape(-1)


def _excess(x, labels):
    """softmax(x) - onehot(labels), a Value where x is one."""
    if type(x) is not np.ndarray:
        return softmax(x) - (labels[..., None] == np.arange(x.shape[-1])).astype(x.dtype)
    excess = np.exp(_shifted(x))
    excess /= np.add.reduce(excess, axis=1, keepdims=True)
    excess[_entries(labels)] -= 1
    return excess.reshape(x.shape)


def _reverse(g, out, x, labels, average):
    if average:
        return _excess(x, labels) * (g / max(labels.size, 1))
    return _excess(x, labels) * np.expand_dims(g, -1)


def _forward(t, out, x, labels, average):
    rows = np.sum(_excess(x, labels) * t, axis=-1)
    return mean(rows) if average else rows


def _textbook_reverse(g, out, x, labels, average):
    if average:
        return _excess(x, labels) * (g / x[..., 0].size)
    return _excess(x, labels) * np.expand_dims(g, -1)


softmax_cross_entropy.vjp(x=_reverse)
softmax_cross_entropy.textbook(x=_textbook_reverse)


def _losses_of_entries(x, labels, average):
    level = getattr(labels, "level", None)
    labels = level.expanded(labels) if level else np.broadcast_to(labels, np.shape(x)[:-1])
    losses = softmax_cross_entropy(x, labels=labels)
    return mean(losses, axis=tuple(range(1, np.ndim(losses)))) if average else losses


softmax_cross_entropy.batch(_losses_of_entries, options=True)
softmax_cross_entropy.jvp(x=_forward)


@primitive(
    latex=r"\ln\left(1 + e^{<x>}\right) - <target> \cdot <x>",
    kind="elementwise",
    examples=[((2, 3), (2, 3)), ((3,), ()), ((), ())],
    domain={"target": (0, 1)},
)
def sigmoid_cross_entropy(x, target):
    """-t ln σ(x) - (1 - t) ln(1 - σ(x)) for a probability t, with the logistic function σ.

    Computed as |x|·(1 - t, or t where x < 0) + ln(1 + e^-|x|), in which nothing overflows: where a
    logit is infinite and on the target's side the loss is 0. The derivative with respect to x is
    σ(x) - t.

    >>> sigmoid_cross_entropy(Value([1000.0, -1000.0, 40.0]), np.array([0.0, 0.0, 1.0]))
    Value(data=[1.00000000e+03 0.00000000e+00 4.24835426e-18], grad=None)
    """
    size = np.abs(x)
    wrong = np.where(x > 0, 1 - target, target)  # the probability of the other class
    return wrong * np.where(wrong == 0, 0.0, size) + np.log1p(np.exp(-size))


sigmoid_cross_entropy.vjp(
    x=lambda g, out, x, target: g * (sigmoid(x) - target),
    target=lambda g, out, x, target: -g * x,
)
