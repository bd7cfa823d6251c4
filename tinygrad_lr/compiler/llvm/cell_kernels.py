"""Gates of recurrent cells in machine code: what a step of LSTM or GRU does beside its product.

Each kind of cell has a formula forward and one backward, for the entries of one step. NumPy would
go through memory a dozen times for them. `q` are the products of the state before with its weight,
`p` those of the inputs, `b` the biases; gates stand in PyTorch's order. Backward, `g` is the
cotangent of a result, and `back` is what later steps send.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...support.abstract_array import Array
from .elementary.exponential import exp, tanh
from .elementary.lanes import Lanes
from .executable import address_of
from .loops import emit_loop
from .table_functions import TableFunction, load_function
from .vectors import INDEX, store_vector

Found = tuple[Lanes, ...]


def sigmoid(x: Lanes) -> Lanes:
    """Return the logistic function; e^-x may be inf, which gives 0."""
    return 1.0 / (exp(-x) + 1.0)


def slope(s: Lanes) -> Lanes:
    """Return the derivative of the logistic function where it is s."""
    return s * (1.0 - s)


def lstm_gates(q: Sequence[Lanes], p: Sequence[Lanes], b: Sequence[Lanes]) -> Found:
    """Return the gates in, forget, new and out."""
    enter, forget, fresh, leave = (x + y + z for x, y, z in zip(q, b, p, strict=True))
    return sigmoid(enter), sigmoid(forget), tanh(fresh), sigmoid(leave)


def lstm_forward(*given: Lanes) -> Found:
    """Return h and c, given q, p, b and c before."""
    enter, forget, fresh, leave = lstm_gates(given[:4], given[4:8], given[8:12])
    cell = fresh * enter + forget * given[12]
    return tanh(cell) * leave, cell


def lstm_backward(*given: Lanes) -> Found:
    """Return the cotangents of the gates and of c before.

    Given q, p, b; c before and c; the cotangents of h and c, and what later steps add to them.
    """
    enter, forget, fresh, leave = lstm_gates(given[:4], given[4:8], given[8:12])
    before, cell, of_state, of_cell, back, cell_back = given[12:]
    shown, total = tanh(cell), of_state + back
    reaching = of_cell + cell_back + total * (leave * (1.0 - shown * shown))
    return (
        reaching * (fresh * slope(enter)),
        reaching * (before * slope(forget)),
        reaching * (enter * (1.0 - fresh * fresh)),
        total * (shown * slope(leave)),
        reaching * forget,
    )


def gru_gates(q: Sequence[Lanes], p: Sequence[Lanes], b: Sequence[Lanes]) -> Found:
    """Return the gates reset, update and new, and the product that the first one scales."""
    of_reset, of_update, product = (x + y for x, y in zip(q, b, strict=True))
    reset, update = sigmoid(p[0] + of_reset), sigmoid(p[1] + of_update)
    return reset, update, tanh(product * reset + p[2]), product


def gru_forward(*given: Lanes) -> Found:
    """Return h, given q, p, b and h before."""
    _, update, fresh, _ = gru_gates(given[:3], given[3:6], given[6:9])
    return ((given[9] - fresh) * update + fresh,)


def gru_backward(*given: Lanes) -> Found:
    """Return the cotangents of p, those of q, which differ in the last gate, and part of h's.

    Given q, p, b; h before; the cotangent of h; and what later steps add to it, in two parts.
    """
    reset, update, fresh, product = gru_gates(given[:3], given[3:6], given[6:9])
    before, of_state, back, kept = given[9:]
    total = of_state + back + kept
    of_fresh = total * ((1.0 - update) * (1.0 - fresh * fresh))
    of_update = total * ((before - fresh) * slope(update))
    of_reset = of_fresh * (product * slope(reset))
    inner = of_reset, of_update, of_fresh * reset
    return (of_reset, of_update, of_fresh, *inner, total * update)


Formula = Callable[..., Found]
FORMULAS: dict[str, tuple[Formula, int, int]] = {
    "lstm_forward": (lstm_forward, 13, 2),
    "lstm_backward": (lstm_backward, 18, 5),
    "gru_forward": (gru_forward, 10, 1),
    "gru_backward": (gru_backward, 13, 7),
}
"""The functions, with the numbers of their arguments and results."""


def emit_step(name: str, module: Any, dtype: str) -> None:
    """Emit a function over the rows of a step: pointers, the sizes, then strides of the rows."""
    formula, inputs, outputs = FORMULAS[name]
    count = inputs + outputs
    names = [*(f"pointer {k}" for k in range(count)), "rows", "size"]
    names += [f"stride {k}" for k in range(count)]
    function = TableFunction(module, name, names, count, dtype)
    builder, given, width = function.builder, function.given, function.width
    whole = builder.mul(builder.sdiv(given["size"], INDEX(width)), INDEX(width))
    end = function.mask_of(builder.sub(given["size"], whole))

    def row(number: Any) -> None:
        lines = [
            function.move(given[f"pointer {k}"], builder.mul(number, given[f"stride {k}"]))
            for k in range(count)
        ]

        def entries(column: Any, mask: Any = None) -> None:
            at = [function.move(line, column) for line in lines]
            values = [Lanes(builder, function.load(source, mask)) for source in at[:inputs]]
            for found, target in zip(formula(*values), at[inputs:], strict=True):
                store_vector(builder, found.value, target, mask)

        emit_loop(builder, 0, whole, width, entries)
        emit_loop(builder, whole, given["size"], width, lambda column: entries(column, end))

    emit_loop(builder, 0, given["rows"], 1, row)
    builder.ret(INDEX(0))


EMITTERS = {name: functools.partial(emit_step, name) for name in FORMULAS}


class Steps:
    """A function that is called for one step after the other.

    Each array has the rows of a step, or of all steps along its first axis: it is used as the given
    number of parts side by side, and its last axis must be contiguous. A vector is used for all
    rows. `backward` begins with the last step.
    """

    def __init__(
        self,
        name: str,
        rows: int,
        size: int,
        arrays: Sequence[tuple[Array, int]],
        backward: bool = False,
    ) -> None:
        addresses, strides, moves = [], [], []
        for array, parts in arrays:
            item = array.itemsize
            along, across = (0, 0, *array.strides[:-1])[-2:]
            steps = len(array) - 1 if array.ndim == 3 else 0
            first = address_of(array) + (steps * along if backward else 0)
            addresses += [first + k * size * item for k in range(parts)]
            strides += [across // item] * parts
            moves += [-along if backward else along] * parts
        assert len(addresses) == sum(FORMULAS[name][1:])
        self._arrays = arrays  # their memory
        self._table = np.array([*addresses, rows, size, *strides], np.int64)
        self._moves = np.array([*moves, *[0] * (2 + len(strides))], np.int64)
        self._address = address_of(self._table)
        self._function = load_function(name, arrays[0][0].dtype.name, EMITTERS[name])

    def run(self) -> None:
        """Compute the next step."""
        self._function(self._address, 0, 0, 0)
        np.add(self._table, self._moves, out=self._table)
