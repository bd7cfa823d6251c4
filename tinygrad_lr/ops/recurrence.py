"""Recurrent networks over all steps of a sequence, each as one operation; here the plain one.

A recurrence is a loop over time, forward and backward; as one operation its graph has one node
instead of twenty a step, and one pass back serves all operands. What each step multiplies by is
computed for all steps at once, from the states that the forward pass left. Gates stand next to each
other in the last axis of the products with the inputs, in PyTorch's order.
"""

import functools

import numpy as np

from ..core.primitive import as_array, primitive
from ..support.abstract_array import AbstractArray, in_one_piece


def alike(operands):
    """The operands in the one type that all of them fit in."""
    dtype = np.result_type(*operands)
    return [as_array(x).astype(dtype, copy=False) for x in operands]


LONGEST = 64  # steps that a compiled program writes out; longer ones are called in one piece


def in_steps(function):
    """A function over all steps: a short one is compiled step by step, a long one called."""
    whole = in_one_piece(function)

    @functools.wraps(function)
    def call(first, out, *operands, **options):
        chosen = function if len(out) <= LONGEST else whole
        return chosen(first, out, *operands, **options)

    return call


def traced(operands):
    """Whether there are no numbers yet: then no array can be written into."""
    return any(isinstance(x, AbstractArray) for x in operands)


def before_each(first, states):
    """The state that each step begins from: (time, batch, hidden)."""
    return np.concatenate([np.expand_dims(first, 0), states[:-1]])


def _rows(x):
    """All steps of all sequences as the rows of a matrix."""
    return np.reshape(x, (-1, x.shape[-1]))


def times(x, weight):
    """The product of every step's rows with a matrix, as one product."""
    return np.reshape(np.matmul(_rows(x), weight), (*x.shape[:-1], weight.shape[-1]))


def beside(parts):
    """Arrays side by side along the last axis."""
    return np.concatenate(parts, axis=-1)


def weight_and_bias(before, g):
    """What reaches a weight and a bias from the cotangents of before @ weight + bias."""
    return np.matmul(_rows(before).T, _rows(g)), np.sum(g, axis=(0, 1))


def given_tangents(tangents, operands):
    """The tangents of all operands, zeros where there is none."""
    return [np.zeros_like(x) if t is None else t for t, x in zip(tangents, operands, strict=True)]


# ---- the plain network: h = tanh(p + h_before @ weight + bias)


@primitive(
    latex=r"\operatorname{rnn}\left(<operands>\right)",
    examples=[
        ((3, 2, 2), (2, 2), (2, 2), (2,)),
        ((2, 1, 2), (1, 2), (2, 2), (2,), {"nonlinearity": "relu"}),
    ],
)
def rnn_states(*operands, nonlinearity="tanh"):
    """All states of a recurrent network: h_t = tanh(projected_t + h_(t-1) @ weight + bias).

    Operands: projected (time, batch, hidden), the products of the inputs with their weight; the
    first state (batch, hidden); weight (hidden, hidden); bias (hidden,). Gives (time, batch,
    hidden). With `nonlinearity="relu"` the rectifier takes the place of tanh.

    >>> rnn_states(np.ones((2, 1, 1)), np.zeros((1, 1)), Value([[1.0]]), np.zeros(1)).shape
    (2, 1, 1)
    """
    if traced(operands):
        return steps_of(_rnn_loop, _rnn_step(nonlinearity), operands, nonlinearity=nonlinearity)
    projected, state, weight, bias = alike(operands)
    out = projected + bias
    for now in out:
        np.add(now, np.dot(state, weight), out=now)
        (np.tanh(now, out=now) if nonlinearity == "tanh" else np.maximum(now, 0, out=now))
        state = now
    return out


def _rnn_step(nonlinearity):
    def step(given, state, weight, bias):
        now = given + bias + np.dot(state, weight)
        now = np.tanh(now) if nonlinearity == "tanh" else np.maximum(now, 0)
        return now, (now,)

    return step


def steps_of(loop, step, operands, **options):
    """The states of all steps, written out; or where they are many, those that a call gives."""
    projected, *states, weight, bias = alike(operands)
    if len(projected) > LONGEST:
        return loop(*operands, **options)
    found = []
    for given in projected:
        shown, states = step(given, *states, weight, bias)
        found.append(shown)
    return np.stack(found)


def _rnn_slopes(out, nonlinearity):
    return 1 - out * out if nonlinearity == "tanh" else 1.0 * (out > 0)


@in_steps
def _rnn_cotangents(g, out, *operands, nonlinearity):
    _, first, weight, _ = operands
    slopes, back, pulled = _rnn_slopes(out, nonlinearity).astype(out.dtype), 0.0, []
    for now in reversed(range(len(out))):
        pulled.append((g[now] + back) * slopes[now])
        back = np.matmul(pulled[-1], weight.T)
    projected = np.stack(pulled[::-1])
    parts = (projected, back, *weight_and_bias(before_each(first, out), projected))
    return parts


def _rnn_rule(g, out, *operands, nonlinearity):
    return _rnn_cotangents(g, out, *operands, nonlinearity=nonlinearity).__getitem__


@in_one_piece
def _rnn_loop(*operands, nonlinearity):
    return rnn_states.forward(*operands, nonlinearity=nonlinearity)


@in_one_piece
def _rnn_tangent(t, out, *operands, nonlinearity):
    _, first, weight, _ = operands
    projected, change, of_weight, of_bias = given_tangents(t, operands)
    slopes, changes = _rnn_slopes(out, nonlinearity), []
    given = projected + times(before_each(first, out), of_weight) + of_bias
    for now in range(len(out)):
        change = slopes[now] * (given[now] + np.matmul(change, weight))
        changes.append(change)
    return np.stack(changes)


rnn_states.vjp(operands=_rnn_rule)
rnn_states.jvp(operands=_rnn_tangent)
