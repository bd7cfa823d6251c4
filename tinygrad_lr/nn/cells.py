"""Recurrent cells: one step of a recurrent network."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ArgumentError, ShapeError, refuse
from ..ops import affine, matmul, sigmoid
from ..ops.gated import gru_states, lstm_states
from ..ops.recurrence import rnn_states
from ..support.random_state import Seed, as_generator
from .initial_weights import as_dtype
from .linear import as_size
from .module import Module


class Cell(Module):
    """What the three kinds of cell share: their weights, and checks of shapes."""

    gates: ClassVar[int] = 1  # how many blocks of `hidden_size` stand next to each other
    states: ClassVar[int] = 1  # how many arrays a state is made of

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        inputs = as_size(type(self).__name__, "input_size", input_size)
        hidden = as_size(type(self).__name__, "hidden_size", hidden_size)
        where = f"{type(self).__name__}({inputs}, {hidden})"
        kind, random = as_dtype(where, dtype), as_generator(where, generator)
        bound, width = 1 / math.sqrt(hidden), self.gates * hidden

        def drawn(*shape: int) -> Value:
            return Value(random.uniform(-bound, bound, shape).astype(kind))

        self.weight_input = drawn(inputs, width)
        self.weight_hidden = drawn(hidden, width)
        self.bias_input = drawn(width) if bias else None
        self.bias_hidden = drawn(width) if bias else None

    @property
    def input_size(self) -> int:
        """How many numbers a row of x has."""
        return self.weight_input.shape[0]

    @property
    def hidden_size(self) -> int:
        """How many numbers a row of the state has."""
        return self.weight_hidden.shape[0]

    def forward(self, x: Any, state: Any = None) -> Any:
        """The next state: h, or (h, c) for an LSTMCell."""
        x = x if hasattr(x, "shape") else np.asarray(x)
        told = "(batch, features) or (features,)"
        check_inputs(self._where(), x.shape, self.input_size, (1, 2), told)
        given = self._products(x)
        expected = (*x.shape[:-1], self.hidden_size)
        parts = as_state(self._where(), state, self.states, expected, given.dtype)
        following = self._step(given, *parts)
        return following if self.states > 1 else following[0]

    def over_time(self, steps: Any, parts: Any) -> tuple[Any, tuple[Any, ...]]:
        """All outputs (time, batch, hidden) for steps (time, batch, features), and the last state.

        The products with the inputs are one product for all steps.
        """
        time, batch, features = steps.shape
        given = self._products(steps.reshape((time * batch, features)))
        width = self.gates * self.hidden_size
        bias = np.zeros(width, given.dtype) if self.bias_hidden is None else self.bias_hidden
        return self._sequence(given.reshape((time, batch, width)), *parts, bias=bias)

    def _products(self, x: Any) -> Any:
        """The products of inputs with their weight."""
        if self.bias_input is None:
            return matmul(x, self.weight_input)
        return affine(x, self.weight_input, self.bias_input)

    def _recur(self, state: Any) -> Any:
        """The products of a state with its weight."""
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
    (hidden_size,); without h it is zero. weight_input (input_size, hidden_size), weight_hidden
    (hidden_size, hidden_size); b = bias_input + bias_hidden, each (hidden_size,), or None with
    `bias=False`. All begin uniform in ±1/√hidden_size. `nonlinearity` is "tanh" or "relu".

    Raises `ArgumentError` for sizes below 1, `ShapeError` for an x or a state that do not fit.

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
        if nonlinearity not in {"tanh", "relu"}:
            refuse(
                ArgumentError,
                self._where(),
                "nonlinearity is unknown",
                expected="'tanh' or 'relu'",
                given=f"{nonlinearity!r:.60}",
            )
        self.nonlinearity = nonlinearity

    def _step(self, given: Any, *parts: Any) -> tuple[Any, ...]:
        total = given + self._recur(parts[0])
        return (total.tanh() if self.nonlinearity == "tanh" else total.relu(),)

    def _sequence(self, given: Any, *parts: Any, bias: Any) -> tuple[Any, tuple[Any, ...]]:
        out = rnn_states(given, *parts, self.weight_hidden, bias, nonlinearity=self.nonlinearity)
        return out, (out[-1],)


class GRUCell(Cell):
    """One step of gated recurrent units, h' = (1 - z)·n + z·h.

    With p = x @ weight_input + bias_input and q = h @ weight_hidden + bias_hidden, each in thirds:
    r = σ(p₁ + q₁), z = σ(p₂ + q₂), n = tanh(p₃ + r·q₃).

    Shapes: x (batch, input_size) or (input_size,), h and the result (batch, hidden_size) or
    (hidden_size,); without h it is zero. weight_input (input_size, 3·hidden_size), weight_hidden
    (hidden_size, 3·hidden_size), bias_input and bias_hidden (3·hidden_size,), or None with
    `bias=False`. All begin uniform in ±1/√hidden_size.

    Raises `ArgumentError` for sizes below 1, `ShapeError` for an x or a state that do not fit.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014;
    `torch.nn.GRUCell`, with the same order of gates and the transposes of its weights.

    >>> tg.nn.GRUCell(2, 3)(np.ones((5, 2))).shape
    (5, 3)
    """

    gates = 3

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
    bias_hidden, through σ, but n through tanh.

    Shapes: x (batch, input_size) or (input_size,); the state and the result are pairs (h, c), each
    (batch, hidden_size) or (hidden_size,); without a state both are zero. weight_input
    (input_size, 4·hidden_size), weight_hidden (hidden_size, 4·hidden_size), bias_input and
    bias_hidden (4·hidden_size,), or None with `bias=False`. All begin uniform in ±1/√hidden_size.

    Raises `ArgumentError` for sizes below 1 and for a state that is no pair, `ShapeError` for an x
    or a state that do not fit.

    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997; `torch.nn.LSTMCell`, with the
    same order of gates and the transposes of its weights.

    >>> h, c = tg.nn.LSTMCell(2, 3)(np.ones((5, 2)))
    >>> h.shape, c.shape
    ((5, 3), (5, 3))
    """

    gates = 4
    states = 2

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
    where: str, shape: tuple[int, ...], features: int, axes: tuple[int, ...], told: str
) -> None:
    """Raises `ShapeError` for an x with other axes or features."""
    if len(shape) not in axes or shape[-1] != features:
        refuse(
            ShapeError,
            where,
            f"x has {shape[-1] if shape else 'no'} features"
            if len(shape) in axes
            else f"x has {len(shape)} axes",
            expected=f"a shape {told} with {features} features",
            given=f"shape {shape}",
        )


def as_state(where: str, state: Any, count: int, shape: tuple[int, ...], dtype: Any) -> list[Any]:
    """The parts of a state, zeros where there is none.

    Raises `ArgumentError` for a state that is no pair where it should be one, `ShapeError` for
    another shape.
    """
    if state is None:
        return [np.zeros(shape, dtype) for _ in range(count)]
    if count > 1 and not (isinstance(state, (tuple, list)) and len(state) == count):
        refuse(
            ArgumentError,
            where,
            "the state is no pair",
            expected="(h, c)",
            given=f"{type(state).__name__} of shape {np.shape(state)}"
            if hasattr(state, "shape")
            else f"{state!r:.60}",
        )
    parts = [x if hasattr(x, "shape") else np.asarray(x) for x in (state if count > 1 else [state])]
    for part in parts:
        if part.shape != shape:
            refuse(
                ShapeError,
                where,
                "the state does not fit x",
                expected=f"shape {shape}",
                given=f"shape {part.shape}",
            )
    return parts
