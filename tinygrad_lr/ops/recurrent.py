"""Recurrent networks over all steps of a sequence, each as one operation: plain, GRU and LSTM.

A recurrence is a loop over time, forward and backward; as one operation its graph has one node
instead of twenty a step, and one pass back serves all operands. What each step multiplies by is
computed for all steps at once, from the states that the forward pass left. Gates stand next to each
other in the last axis of the products with the inputs, in PyTorch's order.
"""

import weakref

import numpy as np

from ..core.control_flow import scan
from ..core.primitive import as_array, primitive
from ..support.abstract_array import AbstractArray
from ..support.machine_code import find_kernels
from .activation import sigmoid


def common_dtype(operands):
    """The operands in the one type that all of them fit in."""
    dtype = np.result_type(*operands)
    return [as_array(x).astype(dtype, copy=False) for x in operands]


def is_tracing(operands):
    """Return True while tracing: abstract arrays can't be written into."""
    return any(isinstance(x, AbstractArray) for x in operands)


def over_steps(step, start, slices, reverse=False):
    """The results of all steps, and the last carry: `scan`, without its checks on plain arrays."""
    if not all(type(x) is np.ndarray for x in (*start, *slices)):
        carry, found = scan(step, tuple(start), tuple(slices), reverse=reverse)
        return found, carry
    carry, found = start, []
    for now in range(len(slices[0]))[:: -1 if reverse else 1]:
        carry, y = step(carry, [x[now] for x in slices])
        found.append(y)
    return np.stack(found[:: -1 if reverse else 1]), carry


def before_each(first, states):
    """The state that each step begins from: (time, batch, hidden)."""
    return np.concatenate([np.expand_dims(first, 0), states[:-1]])


def _rows(x):
    """All steps of all sequences as the rows of a matrix."""
    return np.reshape(x, (-1, x.shape[-1]))


def times(x, weight):
    """The product of every step's rows with a matrix, as one product."""
    return np.reshape(np.matmul(_rows(x), weight), (*x.shape[:-1], weight.shape[-1]))


def side_by_side(parts):
    """Arrays side by side along the last axis."""
    return np.concatenate(parts, axis=-1)


def weight_and_bias(before, g):
    """Return the cotangents of weight and bias for those of before @ weight + bias."""
    return np.matmul(_rows(before).T, _rows(g)), np.sum(g, axis=(0, 1))


def given_tangents(tangents, operands):
    """The tangents of all operands, zeros where there is none."""
    return [np.zeros_like(x) if t is None else t for t, x in zip(tangents, operands, strict=True)]


# ---- machine code for the gates of a step, in float32: float64 gives the bits of the NumPy backend


PRODUCTS_OF_GATE = 64  # that NumPy computes in the time of one entry of a gate


def find_cells(weight, *arrays):
    """The functions in machine code, if there are some for these arrays, whose first has steps."""
    arrays = (*arrays, weight)
    if any(type(x) is not np.ndarray or x.dtype.char != "f" or not x.size for x in arrays):
        return None
    rows = arrays[0].shape[0] * arrays[0].shape[1]
    work = rows * (weight.size + PRODUCTS_OF_GATE * weight.shape[1])
    return find_kernels("cell_kernels", work, *arrays)


class Products:
    """What states were multiplied by in the forward pass, until the states are freed."""

    def __init__(self):
        self._kept = {}

    def keep(self, states, products):
        """Keep the products of some states, and return these."""
        key, kept = id(states), self._kept
        kept[key] = weakref.ref(states, lambda _: kept.pop(key, None)), products
        return states

    def of(self, states):
        """Return the products of these states, or None: they were computed elsewhere, or copied."""
        owner, products = self._kept.get(id(states), (lambda: None, None))
        return products if owner() is states else None


STATE_PRODUCTS = Products()


def in_rows(*arrays):
    """Arrays whose last axis is contiguous."""
    return [
        x if x.strides[-1] == x.itemsize and x.flags.aligned else np.ascontiguousarray(x)
        for x in arrays
    ]


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
    if is_tracing(operands):
        return steps_of(_rnn_step(nonlinearity), operands)
    projected, state, weight, bias = common_dtype(operands)
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
        return (now,), now

    return step


def steps_of(step, operands):
    """The states of all steps, as a compiled program computes them."""
    projected, *states, weight, bias = common_dtype(operands)
    found, _ = over_steps(lambda states, x: step(x[0], *states, weight, bias), states, [projected])
    return found


def _rnn_slopes(out, nonlinearity):
    return 1 - out * out if nonlinearity == "tanh" else 1.0 * (out > 0)


def _rnn_cotangents(g, out, *operands, nonlinearity):
    _, first, weight, _ = operands
    slopes = _rnn_slopes(out, nonlinearity).astype(out.dtype)
    turned = weight.T  # once: so its gradient is one sum over the steps

    def step(carry, x):
        now, slope = x
        total = (now + carry[0]) * slope
        return (np.matmul(total, turned),), total

    projected, (back,) = over_steps(step, [np.zeros_like(out[0])], [g, slopes], reverse=True)
    return (projected, back, *weight_and_bias(before_each(first, out), projected))


def _rnn_rule(g, out, *operands, nonlinearity):
    return _rnn_cotangents(g, out, *operands, nonlinearity=nonlinearity).__getitem__


def _rnn_tangent(t, out, *operands, nonlinearity):
    _, first, weight, _ = operands
    projected, change, of_weight, of_bias = given_tangents(t, operands)
    slopes = _rnn_slopes(out, nonlinearity).astype(out.dtype)
    given = projected + times(before_each(first, out), of_weight) + of_bias

    def step(carry, x):
        now, slope = x
        change = slope * (now + np.matmul(carry[0], weight))
        return (change,), change

    return over_steps(step, [change], [given, slopes])[0]


rnn_states.vjp(operands=_rnn_rule)
rnn_states.jvp(operands=_rnn_tangent)


# ---- gates


def _sigmoid(x):
    """The logistic function as `_to_sigmoid` computes it, to the last bit."""
    return np.reciprocal(np.exp(np.negative(x)) + 1)


def _to_sigmoid(x):
    """The logistic function of x, written over it; e^-x may be inf, which gives 0."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


# ---- gated recurrent units


@primitive(
    latex=r"\operatorname{gru}\left(<operands>\right)",
    examples=[((3, 2, 6), (2, 2), (2, 6), (6,)), ((1, 1, 3), (1, 1), (1, 3), (3,))],
)
def gru_states(*operands):
    """All states of gated recurrent units, h = (1 - z)·n + z·h_before.

    Operands: projected (time, batch, 3·hidden), the products of the inputs with their weight; the
    first state (batch, hidden); weight (hidden, 3·hidden); bias (3·hidden,). With the three thirds
    of projected as p and of h_before @ weight + bias as q:
    r = σ(p₁ + q₁), z = σ(p₂ + q₂), n = tanh(p₃ + r·q₃). Gives (time, batch, hidden).

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, with
    `torch.nn.GRU`'s place of r.

    >>> gru_states(np.ones((2, 1, 3)), np.zeros((1, 1)), Value(np.ones((1, 3))), np.zeros(3)).shape
    (2, 1, 1)
    """
    projected, state, weight, bias = common_dtype(operands)
    if is_tracing(operands):
        return steps_of(_gru_step, operands)
    cells = find_cells(weight, projected, state, bias)
    if cells is not None:
        return _gru_in_machine_code(cells, projected, state, weight, bias)
    size = weight.shape[0]
    out = np.empty((*projected.shape[:2], size), projected.dtype)
    with np.errstate(over="ignore"):
        for now, given in enumerate(projected):
            gates = np.dot(state, weight)
            gates += bias
            reset_update = gates[:, : 2 * size]
            reset_update += given[:, : 2 * size]
            _to_sigmoid(reset_update)
            fresh = gates[:, 2 * size :]
            fresh *= gates[:, :size]
            fresh += given[:, 2 * size :]
            np.tanh(fresh, out=fresh)
            np.subtract(state, fresh, out=out[now])
            out[now] *= gates[:, size : 2 * size]
            out[now] += fresh
            state = out[now]
    return out


def _gru_in_machine_code(cells, projected, state, weight, bias):
    (steps, rows, width), size = projected.shape, len(weight)
    projected, bias = in_rows(projected, bias)
    out = np.empty((1 + steps, rows, size), weight.dtype)
    out[0] = state
    gates = np.empty((steps, rows, width), weight.dtype)
    given = ((gates, 3), (projected, 3), (bias, 3), (out[:-1], 1), (out[1:], 1))
    step = cells.Steps("gru_forward", rows, size, given)
    for before, product in zip(out[:-1], gates, strict=True):
        np.dot(before, weight, out=product)
        step.run()
    return STATE_PRODUCTS.keep(out[1:], gates)


def _gru_step(given, state, weight, bias):
    q, size = np.dot(state, weight) + bias, weight.shape[0]
    reset, update = (
        _sigmoid(q[:, part] + given[:, part]) for part in (slice(0, size), slice(size, 2 * size))
    )
    fresh = np.tanh(q[:, 2 * size :] * reset + given[:, 2 * size :])
    state = (state - fresh) * update + fresh
    return (state,), state


def _gru_slopes(out, projected, first, weight, bias):
    """h_before; dh/d(each gate); how the last gate meets its product; and dh/dh_before."""
    before, size = before_each(first, out), weight.shape[0]
    q = times(before, weight) + bias
    r, z = (
        sigmoid(projected[..., part] + q[..., part])
        for part in (slice(0, size), slice(size, 2 * size))
    )
    fresh = np.tanh(projected[..., 2 * size :] + r * q[..., 2 * size :])
    of_fresh = (1 - z) * (1 - fresh * fresh)
    of_update = (before - fresh) * (z * (1 - z))
    of_reset = of_fresh * q[..., 2 * size :] * (r * (1 - r))
    return before, (of_reset, of_update, of_fresh), r, z


def _gru_cotangents(g, out, *operands):
    weight = operands[2]
    before, slopes, through, keep = _gru_slopes(out, *operands)
    turned = weight.T  # once: so its gradient is one sum over the steps

    def step(carry, x):
        now, of_reset, of_update, of_fresh, gate, kept = x
        total = now + carry[0]
        reset, update, fresh = total * of_reset, total * of_update, total * of_fresh
        inner = side_by_side([reset, update, fresh * gate])
        back = np.matmul(inner, turned) + total * kept
        return (back,), side_by_side([inner, fresh])

    slices = [g, *slopes, through, keep]
    found, (back,) = over_steps(step, [np.zeros_like(out[0])], slices, reverse=True)
    size = weight.shape[0]
    inner = found[..., : 3 * size]
    pulled = side_by_side([found[..., : 2 * size], found[..., 3 * size :]])
    return (pulled, back, *weight_and_bias(before, inner))


def _gru_back_in_machine_code(cells, g, out, projected, first, weight, bias):
    size, rows, before = len(weight), out.shape[1], before_each(first, out)
    gates = STATE_PRODUCTS.of(out)
    gates = times(before, weight) if gates is None else gates
    g, projected, bias = in_rows(g, projected, bias)
    turned = np.ascontiguousarray(weight.T)
    pulled, inner = np.empty((2, *gates.shape), gates.dtype)
    back, kept = np.zeros((2, rows, size), weight.dtype)
    given = [(gates, 3), (projected, 3), (bias, 3), (before, 1), (g, 1), (back, 1), (kept, 1)]
    given += [(pulled, 3), (inner, 3), (kept, 1)]
    step = cells.Steps("gru_backward", rows, size, given, backward=True)
    for now in inner[::-1]:
        step.run()
        np.dot(now, turned, out=back)
    return (pulled, back + kept, *weight_and_bias(before, inner))


def _gru_rule(g, out, *operands):
    cells = find_cells(operands[2], out, g, *operands)
    if cells is not None:
        return _gru_back_in_machine_code(cells, g, out, *operands).__getitem__
    return _gru_cotangents(g, out, *operands).__getitem__


def _gru_tangent(t, out, *operands):
    weight = operands[2]
    projected, change, of_weight, of_bias = given_tangents(t, operands)
    before, slopes, through, keep = _gru_slopes(out, *operands)
    given, size = times(before, of_weight) + of_bias, weight.shape[0]

    def step(carry, x):
        shown, now, of_reset, of_update, of_fresh, gate, kept = x
        inner = now + np.matmul(carry[0], weight)
        gates = [shown[:, part] + inner[:, part] for part in thirds[:2]]
        gates.append(shown[:, thirds[2]] + inner[:, thirds[2]] * gate)
        change = kept * carry[0]
        for slope, moved in zip((of_reset, of_update, of_fresh), gates, strict=True):
            change = change + slope * moved
        return (change,), change

    thirds = [slice(k * size, (k + 1) * size) for k in range(3)]
    return over_steps(step, [change], [projected, given, *slopes, through, keep])[0]


gru_states.vjp(operands=_gru_rule)
gru_states.jvp(operands=_gru_tangent)


# ---- long short-term memory


@primitive(
    latex=r"\operatorname{lstm}\left(<operands>\right)",
    examples=[
        ((3, 2, 8), (2, 2), (2, 2), (2, 8), (8,)),
        ((1, 1, 4), (1, 1), (1, 1), (1, 4), (4,)),
    ],
)
def lstm_states(*operands):
    """All states of long short-term memory: h = o·tanh(c) and c = f·c_before + i·n, side by side.

    Operands: projected (time, batch, 4·hidden), the products of the inputs with their weight; the
    first h and the first c (batch, hidden); weight (hidden, 4·hidden); bias (4·hidden,). The
    quarters of projected + h_before @ weight + bias give i, f, n and o: σ of each, but tanh for n.
    Gives (time, batch, 2·hidden): h, then c.

    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997, with forget gates, as
    `torch.nn.LSTM`.

    >>> first = np.zeros((1, 1))
    >>> lstm_states(np.ones((2, 1, 4)), first, first, Value(np.ones((1, 4))), np.zeros(4)).shape
    (2, 1, 2)
    """
    projected, state, cell, weight, bias = common_dtype(operands)
    if is_tracing(operands):
        return steps_of(_lstm_step, operands)
    cells = find_cells(weight, projected, state, cell, bias)
    if cells is not None:
        return _lstm_in_machine_code(cells, projected, state, cell, weight, bias)
    size = weight.shape[0]
    out = np.empty((*projected.shape[:2], 2 * size), projected.dtype)
    with np.errstate(over="ignore"):
        for now, given in enumerate(projected):
            gates = np.dot(state, weight)
            gates += bias
            gates += given
            fresh = gates[:, 2 * size : 3 * size]
            _to_sigmoid(gates[:, : 2 * size])
            np.tanh(fresh, out=fresh)
            _to_sigmoid(gates[:, 3 * size :])
            fresh *= gates[:, :size]
            fresh += gates[:, size : 2 * size] * cell
            state, cell = out[now, :, :size], out[now, :, size:]
            cell[...] = fresh
            np.tanh(fresh, out=state)
            state *= gates[:, 3 * size :]
    return out


def _lstm_in_machine_code(cells, projected, state, cell, weight, bias):
    (steps, rows, width), size = projected.shape, len(weight)
    projected, bias = in_rows(projected, bias)
    out = np.empty((1 + steps, rows, 2 * size), weight.dtype)
    out[0, :, :size], out[0, :, size:] = state, cell
    gates = np.empty((steps, rows, width), weight.dtype)
    given = ((gates, 4), (projected, 4), (bias, 4), (out[:-1, :, size:], 1), (out[1:], 2))
    step = cells.Steps("lstm_forward", rows, size, given)
    for before, product in zip(out[:-1, :, :size], gates, strict=True):
        np.dot(before, weight, out=product)
        step.run()
    return STATE_PRODUCTS.keep(out[1:], gates)


def _lstm_step(given, state, cell, weight, bias):
    gates, size = np.dot(state, weight) + bias + given, weight.shape[0]
    enter, forget, fresh, leave = (gates[:, k * size : (k + 1) * size] for k in range(4))
    cell = np.tanh(fresh) * _sigmoid(enter) + _sigmoid(forget) * cell
    state = np.tanh(cell) * _sigmoid(leave)
    return (state, cell), side_by_side([state, cell])


def _lstm_slopes(out, projected, first, first_cell, weight, bias):
    """h_before; d(c, c, c, h)/d(gates), one after the other; dh/dc; and dc/dc_before."""
    size = weight.shape[0]
    h, c = out[..., :size], out[..., size:]
    before, cell_before = before_each(first, h), before_each(first_cell, c)
    gates = projected + times(before, weight) + bias
    enter, forget, fresh, leave = (gates[..., k * size : (k + 1) * size] for k in range(4))
    enter, forget, leave = sigmoid(enter), sigmoid(forget), sigmoid(leave)
    fresh, shown = np.tanh(fresh), np.tanh(c)
    slopes = (
        fresh * (enter * (1 - enter)),
        cell_before * (forget * (1 - forget)),
        enter * (1 - fresh * fresh),
        shown * (leave * (1 - leave)),
    )
    return before, slopes, leave * (1 - shown * shown), forget


def _lstm_cotangents(g, out, *operands):
    weight = operands[3]
    size = weight.shape[0]
    before, slopes, showing, keep = _lstm_slopes(out, *operands)
    turned = weight.T  # once: so its gradient is one sum over the steps

    def step(carry, x):
        back, cell_back = carry
        now, of_enter, of_forget, of_fresh, of_leave, shown, kept = x
        total = now[:, :size] + back
        of_cell = now[:, size:] + cell_back + total * shown
        pulled = side_by_side(
            [of_cell * of_enter, of_cell * of_forget, of_cell * of_fresh, total * of_leave]
        )
        return (np.matmul(pulled, turned), of_cell * kept), pulled

    start = [np.zeros_like(out[0, :, :size]), np.zeros_like(out[0, :, size:])]
    slices = [g, *slopes, showing, keep]
    projected, (back, cell_back) = over_steps(step, start, slices, reverse=True)
    return (projected, back, cell_back, *weight_and_bias(before, projected))


def _lstm_back_in_machine_code(cells, g, out, projected, first, first_cell, weight, bias):
    size, rows = len(weight), out.shape[1]
    before, cell_before = before_each(first, out[..., :size]), out[..., size:]
    cell_before = before_each(first_cell, cell_before)
    gates = STATE_PRODUCTS.of(out)
    gates = times(before, weight) if gates is None else gates
    g, out, projected, bias = in_rows(g, out, projected, bias)
    turned = np.ascontiguousarray(weight.T)
    pulled = np.empty_like(gates)
    back, cell_back = np.zeros((2, rows, size), weight.dtype)
    given = [(gates, 4), (projected, 4), (bias, 4), (cell_before, 1), (out[..., size:], 1)]
    given += [(g, 2), (back, 1), (cell_back, 1), (pulled, 4), (cell_back, 1)]
    step = cells.Steps("lstm_backward", rows, size, given, backward=True)
    for now in pulled[::-1]:
        step.run()
        np.dot(now, turned, out=back)
    return (pulled, back, cell_back, *weight_and_bias(before, pulled))


def _lstm_rule(g, out, *operands):
    cells = find_cells(operands[3], out, g, *operands)
    if cells is not None:
        return _lstm_back_in_machine_code(cells, g, out, *operands).__getitem__
    return _lstm_cotangents(g, out, *operands).__getitem__


def _lstm_tangent(t, out, *operands):
    weight = operands[3]
    size = weight.shape[0]
    projected, change, of_cell, of_weight, of_bias = given_tangents(t, operands)
    before, slopes, showing, keep = _lstm_slopes(out, *operands)
    given = projected + times(before, of_weight) + of_bias

    def step(carry, x):
        change, of_cell = carry
        now, *slopes, shown, kept = x
        gates = now + np.matmul(change, weight)
        parts = [slope * gates[:, k * size : (k + 1) * size] for k, slope in enumerate(slopes)]
        of_cell = parts[0] + parts[1] + parts[2] + kept * of_cell
        change = parts[3] + shown * of_cell
        return (change, of_cell), side_by_side([change, of_cell])

    return over_steps(step, [change, of_cell], [given, *slopes, showing, keep])[0]


lstm_states.vjp(operands=_lstm_rule)
lstm_states.jvp(operands=_lstm_tangent)


# ---- many entries at once: as more sequences


def _batch_sequences(operation):
    def rule(varies, projected, *operands, **options):
        *states, weight, bias = operands
        if varies[-1] or varies[-2]:
            return NotImplemented
        size = next(len(x) for x, v in zip((projected, *states), varies, strict=False) if v)

        def joined(x, given, axis):
            x = x if given else np.broadcast_to(x, (size, *np.shape(x)))
            x = np.moveaxis(x, 0, axis)
            return np.reshape(x, (*np.shape(x)[:axis], -1, np.shape(x)[-1]))

        projected = joined(projected, varies[0], 1)
        states = [joined(x, given, 0) for x, given in zip(states, varies[1:], strict=False)]
        out = operation(projected, *states, weight, bias, **options)
        steps, rows, *last = np.shape(out)
        return np.moveaxis(np.reshape(out, (steps, size, rows // size, *last)), 1, 0)

    operation.batch(rule, mixed=True, steps=True)


for _operation in (rnn_states, gru_states, lstm_states):
    _batch_sequences(_operation)
