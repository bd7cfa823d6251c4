"""Write out the operations of a graph that textbooks write in several steps.

A recurrent layer becomes its steps in time, so that a derivation shows the sum over time, and a
factorisation its factors, each with a name; the rest of the graph is recorded again above them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.graph import topological_order
from ...core.value import Value
from ...nn import Module
from ...ops.activation import sigmoid
from .factors import FACTORS, factor_slices, split_factors
from .naming import Names
from .replay import leaf_numbers, rerun

MAX_TIME_STEPS = 12  # written out; a longer sequence stays one operation


@dataclass(frozen=True, eq=False)
class WrittenOut:
    """A graph in which recurrent operations and factorisations are written out.

    - `loss`: that of the new graph; `now`: its Values by those of the old one, where they differ
    - `begin`: names of the arrays that the steps begin from
    - `factors`: the factors of matrices, with their letters, also those that the loss doesn't read
    - `chains`: for each recurrent operation, its weight, its name, and the states of all steps
    """

    loss: Value
    now: Mapping[Value, Value]
    begin: Mapping[str, Any]
    factors: Sequence[tuple[str, Value]]
    chains: Sequence[tuple[Value, str, Sequence[Value]]]

    def make_names(self, model: Module | None, variables: Mapping[str, Any]) -> Names:
        """Return the names of the new graph, given the caller's variables."""
        held = {
            name: self.now.get(x, x) if type(x) is Value else x for name, x in variables.items()
        }
        held |= self.begin
        for letter, factor in self.factors:
            held[_unused(letter, held)] = factor
        names = Names(self.loss, model, held)
        for letter, factor in self.factors:
            names.add(factor, letter)
        return names


def _unused(name: str, variables: Mapping[str, Any]) -> str:
    """Return a name that no variable has yet: with a number, if need be."""
    numbered = (f"{name}{i}" for i in itertools.count(2))
    return next(x for x in itertools.chain([name], numbered) if x not in variables)


def write_out(loss: Value, limit: int = MAX_TIME_STEPS) -> WrittenOut:
    """Write out factorisations, and recurrent operations of at most `limit` steps.

    The graph stays as it is where there are none, or where a leaf has other numbers by now.
    """
    order = topological_order([loss])[::-1]
    loops = {
        x
        for x in order
        if x.record is not None and x.record.operation.name in STEPS and len(x._content) <= limit
    }
    same = WrittenOut(loss, {}, {}, (), ())
    if not loops and not any(_is_factorisation(x) for x in order):
        return same
    leaves = leaf_numbers(order)
    if any(x._content is not n and not np.array_equal(x._content, n) for x, n in leaves.items()):
        return same
    now: dict[Value, Any] = {x: x for x in order if x.record is None and x.requires_grad}
    begin: dict[str, Any] = {}
    chains: list[tuple[Value, str, Sequence[Value]]] = []
    states: dict[Value, tuple[Any, Any]] = {}  # the h and the c of long short-term memory
    factors: list[tuple[str, Value]] = []
    pieces: dict[Value, Any] = {}  # factors by the parts of a row that hold them
    for value in order:
        if value.record is None:
            continue
        operation, operands, numbers, options = value.record
        if value in loops:
            given = [
                now.get(x, n) if type(x) is Value else _named_array(x, n)
                for x, n in zip(operands, numbers, strict=True)
            ]
            begin |= {f"{name}0": x for name, x in zip("hc", given[1:-2], strict=False)}
            if type(given[0]) is Value and given[0].record is not None:
                given[0].name = given[0].name or "p"
            found = STEPS[operation.name](*given, **options)
            joined = found[0] if type(found) is tuple else found
            chains.append((operands[-2], operation.name, _parts(joined)))
            if type(found) is tuple:
                states[value] = found
            now[value] = np.concatenate(found, axis=-1) if type(found) is tuple else found
        elif _is_factorisation(value):
            a = now.get(operands[0], numbers[0])
            parts = split_factors(operation, a, options)
            factors += parts.items()
            now[value] = np.concatenate([_as_row(x, a) for x in parts.values()], axis=-1)
            for reader in order:
                if (found := _factor_read(reader, value)) is not None:
                    pieces[reader] = parts[found]
        elif value in pieces:
            piece = pieces[value]
            now[value] = piece if piece.shape == value.shape else np.reshape(piece, value.shape)
        elif operation.name == "reshape_to" and operands[0] in pieces:
            now[value] = pieces[operands[0]]
        elif operation.name == "getitem_at" and operands[0] in states:
            now[value] = _state_at(states[operands[0]], options["index"], now[operands[0]])
        else:
            now.update(rerun([value], now, constant=_named_array))
        if value in now and value.name:
            now[value].name = value.name
    changed = {x: new for x, new in now.items() if x is not new}
    return WrittenOut(now[loss], changed, begin, factors, chains)


def _is_factorisation(value: Value) -> bool:
    """Return whether a Value is a row of factors of a matrix."""
    return value.record is not None and value.record.operation.name in FACTORS


def _as_row(x: Any, a: Any) -> Any:
    return np.reshape(x, (*np.shape(a)[:-2], -1))


def _factor_read(reader: Value, row: Value) -> str | None:
    """Return the letter of the factor that a Value reads from a row, or None."""
    if reader.record is None or reader.record.operands[0] is not row:
        return None
    operation, _, numbers, _ = row.record
    index = reader.record.options.get("index")
    places = factor_slices(operation, numbers[0]).items()
    return next((letter for letter, (place, _) in places if index == (Ellipsis, place)), None)


def _named_array(x: Any, number: Any) -> Any:
    """Return the caller's own array, which may have a name, if it still has the numbers."""
    return x if isinstance(x, np.ndarray) and np.array_equal(x, number) else number


def _parts(joined: Any) -> list[Value]:
    """Return the states that were stacked."""
    records = [x.record for x in joined.record.operands]
    return [record.operands[0] for record in records]


def _state_at(states: tuple[Any, Any], index: Any, both: Any) -> Any:
    """Return entries of h and c side by side: of one of the two, if the index says so."""
    size = np.shape(states[0])[-1]
    if type(index) is tuple and index[-1] == slice(None, size, None):
        return states[0][index[:-1]] if index[0] is not Ellipsis else states[0]
    if type(index) is tuple and index[-1] == slice(size, None, None) and Ellipsis not in index:
        return states[1][index[:-1]]
    return both[index]


def _named(name: str, step: int | str, x: Any) -> Any:
    """Name a result of a step, counted from 1."""
    if type(x) is Value:
        x.name = f"{name}{step}"
    return x


def _rnn(given: Any, state: Any, weight: Any, bias: Any, *, nonlinearity: str) -> Any:
    states = []
    for t in range(len(given)):
        z = given[t] + state @ weight + bias
        state = np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)
        states.append(_named("h", t + 1, state))
    return _named("H", "", np.stack(states))


def _gru(given: Any, state: Any, weight: Any, bias: Any) -> Any:
    size, states = np.shape(weight)[0], []
    parts = [slice(k * size, (k + 1) * size) for k in range(3)]
    for t in range(len(given)):
        now, before = given[t], _named("q", t + 1, state @ weight + bias)
        r = _named("r", t + 1, sigmoid(now[:, parts[0]] + before[:, parts[0]]))
        z = _named("z", t + 1, sigmoid(now[:, parts[1]] + before[:, parts[1]]))
        n = _named("n", t + 1, np.tanh(now[:, parts[2]] + r * before[:, parts[2]]))
        state = _named("h", t + 1, (1 - z) * n + z * state)
        states.append(state)
    return _named("H", "", np.stack(states))


def _lstm(given: Any, state: Any, cell: Any, weight: Any, bias: Any) -> Any:
    size, states, cells = np.shape(weight)[0], [], []
    parts = [slice(k * size, (k + 1) * size) for k in range(4)]
    for t in range(len(given)):
        gates = _named("z", t + 1, given[t] + state @ weight + bias)
        i = _named("i", t + 1, sigmoid(gates[:, parts[0]]))
        f = _named("f", t + 1, sigmoid(gates[:, parts[1]]))
        n = _named("n", t + 1, np.tanh(gates[:, parts[2]]))
        o = _named("o", t + 1, sigmoid(gates[:, parts[3]]))
        cell = _named("c", t + 1, f * cell + i * n)
        state = _named("h", t + 1, o * np.tanh(cell))
        states.append(state)
        cells.append(cell)
    return _named("H", "", np.stack(states)), _named("C", "", np.stack(cells))


STEPS: Mapping[str, Callable[..., Any]] = {
    "rnn_states": _rnn,
    "gru_states": _gru,
    "lstm_states": _lstm,
}
