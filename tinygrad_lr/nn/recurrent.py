"""Recurrent layers: stacked cells that run over sequences, in one or both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value, ValueLike
from ..errors import ShapeError
from ..support.random_state import Seed, as_generator
from ..support.validation import (
    as_input,
    check_flag,
    check_fraction,
    check_integer,
    require_memory,
)
from .cells import Cell, GRUCell, LSTMCell, RNNCell, as_state, check_inputs
from .module import Module

__all__ = ["GRU", "LSTM", "RNN"]


class Recurrent(Module):
    """The base of the three kinds of recurrent layer."""

    kind: ClassVar[type[Cell]] = Cell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
        **options: Any,
    ) -> None:
        from .dropout import Dropout

        name = type(self).__name__
        inputs = check_integer(name, "input_size", input_size, low=1)
        hidden = check_integer(name, "hidden_size", hidden_size, low=1)
        layers = check_integer(name, "num_layers", num_layers, low=1)
        random = as_generator(f"{name}({inputs}, {hidden})", generator)
        self.batch_first = check_flag(name, "batch_first", batch_first)
        self.bidirectional = check_flag(name, "bidirectional", bidirectional)
        directions = 1 + self.bidirectional
        block = self.kind.gates * hidden * hidden + 1000  # numbers, and the objects that hold them
        require_memory(name, "cells", (layers, directions, block))
        self.cells = [
            self.kind(
                directions * hidden if position >= directions else inputs,
                hidden,
                bias,
                dtype=dtype,
                generator=random,
                **options,
            )
            for position in range(layers * directions)
        ]
        self.dropout = Dropout(check_fraction(name, "dropout", dropout), generator=random)

    @property
    def num_layers(self) -> int:
        """The number of stacked layers."""
        return len(self.cells) // (1 + self.bidirectional)

    @property
    def input_size(self) -> int:
        """The number of features of a step."""
        return self.cells[0].input_size

    @property
    def hidden_size(self) -> int:
        """The number of features of the state of a cell."""
        return self.cells[0].hidden_size

    def forward(self, x: ValueLike, state: Any = None) -> Any:
        """Return the output of the last layer at every step, and the last state of every cell."""
        where = f"{type(self).__name__}({self.input_size}, {self.hidden_size})"
        data = as_input(where, "x", x)
        n = self.input_size
        batch = f"(batch, time, {n})" if self.batch_first else f"(time, batch, {n})"
        check_inputs(where, data.shape, n, (2, 3), f"{batch} or (time, {n})")
        single = data.ndim == 2
        turned = self.batch_first and not single
        steps = data[:, None] if single else np.swapaxes(data, 0, 1) if turned else data
        expected = (len(self.cells), *(() if single else steps.shape[1:2]), self.hidden_size)
        if not len(steps):
            raise ShapeError(f"{where}: x must have at least one time step, got shape {data.shape}")
        dtype = np.result_type(data.dtype, self.cells[0].weight_input.dtype)
        begin = as_state(where, state, self.kind.states, expected, dtype)
        if single:
            begin = [part[:, None] for part in begin]
        out, ends = self._over_layers(steps, begin)
        last = [np.stack(part) for part in zip(*ends, strict=True)]
        last = [part[:, 0] for part in last] if single else last
        out = out[:, 0] if single else np.swapaxes(out, 0, 1) if turned else out
        return out, tuple(last) if self.kind.states > 1 else last[0]

    def _over_layers(self, steps: Any, begin: list[Any]) -> tuple[Any, list[tuple[Any, ...]]]:
        """Return outputs (time, batch, features) of the last layer and the last states of cells."""
        directions = 1 + self.bidirectional
        ends = []
        for position in range(0, len(self.cells), directions):
            if position:
                steps = self.dropout(steps)
            outputs = []
            for i in range(position, position + directions):
                back = i > position
                given = np.flip(steps, 0) if back else steps
                out, end = self.cells[i].over_time(given, [part[i] for part in begin])
                outputs.append(np.flip(out, 0) if back else out)
                ends.append(end)
            steps = outputs[0] if directions == 1 else np.concatenate(outputs, axis=-1)
        return steps, ends


class RNN(Recurrent):
    """Plain recurrent layers, h_t = tanh(x_t @ weight_input + h_(t-1) @ weight_hidden + b).

    Shapes: x (batch, time, input_size), or (time, batch, input_size) with `batch_first=False`, or
    one sequence (time, input_size). The result is a pair: the h of the last layer at every step, in
    the shape of x but with hidden_size features (twice as many if bidirectional); and the last h
    of every cell, (num_layers·directions, batch, hidden_size). `state`, of that shape, is the
    initial h (zeros by default). Note that `batch_first` is True by default, since this package
    has examples on the first axis; in PyTorch it is False.

    `cells` holds one `RNNCell` for each layer and direction: cells[0] is the first layer, or with
    `bidirectional` its forward direction and cells[1] its backward one; the parameters are
    `cells.0.weight_input`, ... `dropout` is the probability of dropping an output between layers in
    training. `nonlinearity` is "tanh" or "relu".

    Raises `ArgumentError` if a size is below 1, `ShapeError` if x or the state has another shape.

    Source: `torch.nn.RNN`, whose weights are the transposes: `weight_ih_l0` is
    `cells.0.weight_input`, `weight_hh_l0` `cells.0.weight_hidden`, `bias_ih_l0` and `bias_hh_l0`
    `cells.0.bias_input` and `cells.0.bias_hidden`.

    >>> output, last = tg.nn.RNN(2, 3)(np.ones((5, 7, 2)))
    >>> output.shape, last.shape
    ((5, 7, 3), (1, 5, 3))
    """

    kind = RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype=dtype,
            generator=generator,
            nonlinearity=nonlinearity,
        )

    if TYPE_CHECKING:

        def forward(self, x: ValueLike, state: ValueLike | None = None) -> tuple[Value, Value]:
            """Return the outputs and the last h of every cell."""


class GRU(Recurrent):
    """Layers of gated recurrent units: the formulas are in `GRUCell`.

    Arguments, shapes, results, names of parameters and errors are those of `RNN`, without a
    `nonlinearity`; the weights are (..., 3·hidden_size), in PyTorch's order r, z, n.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014;
    `torch.nn.GRU`.

    >>> output, last = tg.nn.GRU(2, 3, num_layers=2)(np.ones((5, 7, 2)))
    >>> output.shape, last.shape
    ((5, 7, 3), (2, 5, 3))
    """

    kind = GRUCell

    if TYPE_CHECKING:

        def forward(self, x: ValueLike, state: ValueLike | None = None) -> tuple[Value, Value]:
            """Return the outputs and the last h of every cell."""


class LSTM(Recurrent):
    """Layers of long short-term memory: the formulas are in `LSTMCell`.

    Arguments, shapes, results, names of parameters and errors are those of `RNN`, without a
    `nonlinearity`; the state is a pair (h, c), each of the shape given there; the weights are
    (..., 4·hidden_size), in PyTorch's order i, f, g, o.

    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997; `torch.nn.LSTM`.

    >>> output, (h, c) = tg.nn.LSTM(2, 3, bidirectional=True)(np.ones((5, 7, 2)))
    >>> output.shape, h.shape, c.shape
    ((5, 7, 6), (2, 5, 3), (2, 5, 3))
    """

    kind = LSTMCell

    if TYPE_CHECKING:

        def forward(
            self, x: ValueLike, state: tuple[ValueLike, ValueLike] | None = None
        ) -> tuple[Value, tuple[Value, Value]]:
            """Return the outputs and the last state (h, c) of every cell."""
