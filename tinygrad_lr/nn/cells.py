"""Recurrent cells: one step of a recurrent network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value, ValueLike
from ..errors import ArgumentError, ShapeError
from ..ops.activation import sigmoid
from ..ops.linear_algebra import affine, matmul
from ..ops.recurrent import gru_states, lstm_states, rnn_states
from ..support.random_state import Seed, as_generator
from ..support.validation import (
    as_input,
    check_choice,
    check_dtype,
    check_flag,
    check_integer,
    short_repr,
)
from .initial_weights import draw_uniform
from .module import Module

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class Cell(Module):
    """The base of the three cells: their weights, and checks of shapes."""

    gates: ClassVar[int] = 1  # the number of blocks of `hidden_size` in a weight
    states: ClassVar[int] = 1  # the number of arrays in a state

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        inputs = check_integer(type(self).__name__, "input_size", input_size, low=1)
        hidden = check_integer(type(self).__name__, "hidden_size", hidden_size, low=1)
        where = f"{type(self).__name__}({inputs}, {hidden})"
        floating, random = check_dtype(where, dtype), as_generator(where, generator)
        bound, width = 1 / math.sqrt(hidden), self.gates * hidden
        bias = check_flag(where, "bias", bias)

        def draw(*shape: int) -> Value:
            return draw_uniform(where, shape, bound, dtype=floating, generator=random)

        self.weight_input = draw(inputs, width)
        self.weight_hidden = draw(hidden, width)
        self.bias_input: Value | Any = draw(width) if bias else None
        self.bias_hidden: Value | Any = draw(width) if bias else None

    @property
    def input_size(self) -> int:
        """The number of features of x."""
        return self.weight_input.shape[0]

    @property
    def hidden_size(self) -> int:
        """The number of features of the state."""
        return self.weight_hidden.shape[0]

    def forward(self, x: ValueLike, state: Any = None) -> Any:
        """Return the next state: h, or (h, c) for an LSTMCell."""
        data = as_input(self._where(), "x", x)
        n = self.input_size
        check_inputs(self._where(), data.shape, n, (1, 2), f"(batch, {n}) or ({n},)")
        given = self._products(data)
        expected = (*data.shape[:-1], self.hidden_size)
        parts = as_state(self._where(), state, self.states, expected, given.dtype)
        following = self._step(given, *parts)
        return following if self.states > 1 else following[0]

    def over_time(self, steps: Any, parts: Any) -> tuple[Any, tuple[Any, ...]]:
        """Return outputs (time, batch, hidden) for x (time, batch, features), and the last state.

        The products with the inputs are one product for all steps.
        """
        time, batch, features = steps.shape
        given = self._products(steps.reshape((time * batch, features)))
        width = self.gates * self.hidden_size
        bias = np.zeros(width, given.dtype) if self.bias_hidden is None else self.bias_hidden
        return self._sequence(given.reshape((time, batch, width)), *parts, bias=bias)

    def _products(self, x: Any) -> Any:
        """Return the products of inputs with their weight."""
        if self.bias_input is None:
            return matmul(x, self.weight_input)
        return affine(x, self.weight_input, self.bias_input)

    def _recur(self, state: Any) -> Any:
        """Return the products of a state with its weight."""
        if self.bias_hidden is None:
            return matmul(state, self.weight_hidden)
        return affine(state, self.weight_hidden, self.bias_hidden)

    def _step(self, given: Any, *parts: Any) -> tuple[Any, ...]:
        raise NotImplementedError

    def _sequence(self, given: Any, *parts: Any, bias: Any) -> tuple[Any, tuple[Any, ...]]:
        raise NotImplementedError

    def _where(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size})"


class RNNCell(Cell):
    """One step of a plain recurrent network, h' = tanh(x @ weight_input + h @ weight_hidden + b).

    Shapes: x (batch, input_size) or (input_size,), h and the result (batch, hidden_size) or
    (hidden_size,); h defaults to zeros. weight_input (input_size, hidden_size), weight_hidden
    (hidden_size, hidden_size); b = bias_input + bias_hidden, each (hidden_size,), or None with
    `bias=False`. All are drawn uniformly within ±1/√hidden_size. `nonlinearity` is "tanh" or
    "relu".

    Raises `ArgumentError` if a size is below 1, `ShapeError` if x or the state has another shape.

    Source: `torch.nn.RNNCell`, whose weights are the transposes of these.

    >>> cell = tg.nn.RNNCell(2, 3)
    >>> cell
    RNNCell(nonlinearity='tanh', weight_input (2, 3), weight_hidden (3, 3), bias_input (3,), \
bias_hidden (3,)): 21 parameters
    >>> cell(np.ones((5, 2)), np.zeros((5, 3))).shape
    (5, 3)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype=dtype, generator=generator)
        choices = ("tanh", "relu")
        self.nonlinearity = check_choice(self._where(), "nonlinearity", nonlinearity, choices)

    if TYPE_CHECKING:

        def forward(self, x: ValueLike, state: ValueLike | None = None) -> Value:
            """Return the next h."""

    def _step(self, given: Any, *parts: Any) -> tuple[Any, ...]:
        total = given + self._recur(parts[0])
        return (total.tanh() if self.nonlinearity == "tanh" else total.relu(),)

    def _sequence(self, given: Any, *parts: Any, bias: Any) -> tuple[Any, tuple[Any, ...]]:
        out = rnn_states(given, *parts, self.weight_hidden, bias, nonlinearity=self.nonlinearity)
        return out, (out[-1],)


class GRUCell(Cell):
    """One step of gated recurrent units, h' = (1 - z)·n + z·h.

    With p = x @ weight_input + bias_input and q = h @ weight_hidden + bias_hidden, each split into
    thirds: r = σ(p₁ + q₁), z = σ(p₂ + q₂), n = tanh(p₃ + r·q₃).

    Shapes: x (batch, input_size) or (input_size,), h and the result (batch, hidden_size) or
    (hidden_size,); h defaults to zeros. weight_input (input_size, 3·hidden_size), weight_hidden
    (hidden_size, 3·hidden_size), bias_input and bias_hidden (3·hidden_size,), or None with
    `bias=False`. All are drawn uniformly within ±1/√hidden_size.

    Raises `ArgumentError` if a size is below 1, `ShapeError` if x or the state has another shape.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014;
    `torch.nn.GRUCell`, with the same order of gates and the transposes of its weights.

    >>> tg.nn.GRUCell(2, 3)(np.ones((5, 2))).shape
    (5, 3)
    """

    gates = 3

    if TYPE_CHECKING:

        def forward(self, x: ValueLike, state: ValueLike | None = None) -> Value:
            """Return the next h."""

    def _step(self, given: Any, *parts: Any) -> tuple[Any, ...]:
        h = parts[0]
        p, q = np.split(given, 3, axis=-1), np.split(self._recur(h), 3, axis=-1)
        r, z = sigmoid(p[0] + q[0]), sigmoid(p[1] + q[1])
        fresh = np.tanh(p[2] + r * q[2])
        return (fresh + z * (h - fresh),)

    def _sequence(self, given: Any, *parts: Any, bias: Any) -> tuple[Any, tuple[Any, ...]]:
        out = gru_states(given, *parts, self.weight_hidden, bias)
        return out, (out[-1],)


class LSTMCell(Cell):
    """One step of long short-term memory, h' = o·tanh(c') and c' = f·c + i·n.

    i, f, n and o are the quarters of x @ weight_input + bias_input + h @ weight_hidden +
    bias_hidden, passed through σ, but n through tanh.

    Shapes: x (batch, input_size) or (input_size,); the state and the result are pairs (h, c), each
    (batch, hidden_size) or (hidden_size,); the state defaults to zeros. weight_input (input_size,
    4·hidden_size), weight_hidden (hidden_size, 4·hidden_size), bias_input and bias_hidden
    (4·hidden_size,), or None with `bias=False`. All are drawn uniformly within ±1/√hidden_size.

    Raises `ArgumentError` if a size is below 1 or the state isn't a pair, `ShapeError` if x or the
    state has another shape.

    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997; `torch.nn.LSTMCell`, with the
    same order of gates and the transposes of its weights.

    >>> h, c = tg.nn.LSTMCell(2, 3)(np.ones((5, 2)))
    >>> h.shape, c.shape
    ((5, 3), (5, 3))
    """

    gates = 4
    states = 2

    if TYPE_CHECKING:

        def forward(
            self, x: ValueLike, state: tuple[ValueLike, ValueLike] | None = None
        ) -> tuple[Value, Value]:
            """Return the next state, (h, c)."""

    def _step(self, given: Any, *parts: Any) -> tuple[Any, ...]:
        h, c = parts
        enter, forget, fresh, leave = np.split(given + self._recur(h), 4, axis=-1)
        c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(fresh)
        return sigmoid(leave) * np.tanh(c), c

    def _sequence(self, given: Any, *parts: Any, bias: Any) -> tuple[Any, tuple[Any, ...]]:
        out, size = lstm_states(given, *parts, self.weight_hidden, bias), self.hidden_size
        h = out[..., :size]
        return h, (h[-1], out[-1, :, size:])


def check_inputs(
    where: str, shape: tuple[int, ...], features: int, axes: tuple[int, ...], expected: str
) -> None:
    """Raise `ShapeError` if x has other axes or features."""
    if len(shape) not in axes or shape[-1] != features:
        raise ShapeError(f"{where}: x must have shape {expected}, got {shape}")


def as_state(where: str, state: Any, count: int, shape: tuple[int, ...], dtype: Any) -> list[Any]:
    """Return the parts of a state, zeros for None.

    Raises `ArgumentError` unless the state of an LSTM is a pair, `ShapeError` if a shape differs.
    """
    if state is None:
        return [np.zeros(shape, dtype) for _ in range(count)]
    if count > 1 and not (isinstance(state, (tuple, list)) and len(state) == count):
        array = hasattr(state, "shape")
        found = f"{type(state).__name__} of shape {state.shape}" if array else short_repr(state)
        raise ArgumentError(f"{where}: state must be a pair (h, c), got {found}")
    parts = [as_input(where, "state", x) for x in (state if count > 1 else [state])]
    for part in parts:
        if part.shape != shape:
            raise ShapeError(f"{where}: state must have shape {shape}, got {part.shape}")
    return parts
