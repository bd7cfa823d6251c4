"""`Optimizer`: the loop over the parameters that all algorithms share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, bad_argument
from ..silence import silent
from ..value import Value
from .checks import checked_number, checked_parameters

Array = np.ndarray[Any, np.dtype[Any]]
LearningRate = float | Callable[[int], float]
State = dict[str, Any]
Move = tuple[int, Value, Any, State]


class Optimizer:
    """The loop that all optimisers share.

    `learning_rate` is a number above 0, or a function of the step (0 before the first) that
    returns a number from 0. A parameter whose gradient is None is skipped.

    - `parameters`: the Values that it moves
    - `learning_rate`: as given; it may be assigned between steps
    - `steps`: how many steps it has taken
    - `rate`: the learning rate of the last step

    Raises `ArgumentError` where there are no parameters, where one is listed twice or is not a
    leaf, and for a learning rate that cannot be one.

    >>> class SignDescent(tg.optim.Optimizer):
    ...     def update(self, gradient, data, state, rate):
    ...         return data - rate * np.sign(gradient), state
    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SignDescent([w], 0.25).step()
    >>> w.data
    0.75
    """

    def __init__(self, parameters: Iterable[Value], learning_rate: LearningRate) -> None:
        self.parameters = checked_parameters(type(self).__name__, parameters)
        self.learning_rate = learning_rate
        self.steps = 0
        self.rate = math.nan
        self.restart()

    def start(self, data: Any) -> State:
        """The state that the algorithm keeps for a parameter, before the first step."""
        return {}

    def update(self, gradient: Any, data: Any, state: State, rate: float) -> tuple[Any, State]:
        """The new data and state of a parameter; what it is given may not be changed in place."""
        raise NotImplementedError(f"{type(self).__name__} has no update: define it in the class")

    @property
    def learning_rate(self) -> LearningRate:
        """The number or the function; it may be assigned between steps."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, given: LearningRate) -> None:
        if not callable(given):
            given = checked_number(type(self).__name__, "learning_rate", given, positive=True)
        self._learning_rate = given

    def zero_grad(self) -> None:
        """Forget the gradients of the parameters."""
        for parameter in self.parameters:
            parameter._grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient, all of them or (after an error) none."""
        rate = self._learning_rate
        if callable(rate):
            given = rate(self.steps)
            rate = checked_number(f"learning_rate({self.steps})", "the result", given)
        moves = self._moves(rate)
        steps = self.steps + 1
        try:
            self._commit(moves, steps, rate)
        except BaseException:  # Ctrl-C between two parameters: finish the step, then let it pass
            self._commit(moves, steps, rate)
            raise

    @silent
    def _moves(self, rate: float) -> list[Move]:
        """What becomes of each parameter that has a gradient."""
        moves = []
        update, states = self.update, self.state
        for place, parameter in enumerate(self.parameters):
            gradient, old = parameter._grad, parameter._content
            if gradient is not None:
                if type(gradient) is tuple:  # shared with the graph: read, never written to
                    gradient = gradient[0]
                new, state = update(gradient, old, states[place], rate)
                if type(new) is not np.ndarray or new.dtype is not old.dtype:
                    new = _in_form_of(old, new)
                moves.append((place, parameter, new, state))
        return moves

    def _commit(self, moves: Sequence[Move], steps: int, rate: float) -> None:
        """Put the results of a step in place; doing it twice is doing it once."""
        for place, parameter, new, state in moves:
            parameter._replace(new)
            if state:
                self.state[place] = state
        self.steps, self.rate = steps, rate

    def restart(self) -> None:
        """Forget what earlier steps left in the state, as after a divergence."""
        self.state = [self.start(parameter._content) for parameter in self.parameters]

    def state_dict(self) -> dict[str, Array]:
        """Copies of all that a later run needs to go on from here, as arrays by name.

        "steps", "learning_rate" (unless it is a function), and the state of each parameter by its
        position: "0.velocity".
        """
        return {name: np.array(x) for name, x in self._entries().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken.

        Raises `ArgumentError` that names every entry which is missing, unknown, or of another
        shape; the optimiser is then as it was.
        """
        entries = self._entries()
        wrong = [f"{name} is missing" for name in entries if name not in state]
        wrong += [f"{name!r:.80} is unknown" for name in state if name not in entries]
        arrays = {name: np.array(state[name]) for name in entries if name in state}
        for name, array in arrays.items():
            if array.shape != np.shape(entries[name]) or array.dtype.kind not in "fiub":
                shape = np.shape(entries[name])
                wrong.append(f"{name} is {array.dtype} of shape {array.shape}, not {shape}")
        if wrong:
            raise ArgumentError(
                bad_argument(
                    f"{type(self).__name__}.load_state_dict",
                    "the entries do not fit the optimiser",
                    expected="the names and shapes of state_dict()",
                    given="; ".join(wrong),
                )
            )
        if "learning_rate" in entries:
            self.learning_rate = float(arrays["learning_rate"])
        self.steps = int(arrays["steps"])
        self.state = [
            {name: _in_form_of(old, arrays[f"{place}.{name}"]) for name, old in kept.items()}
            for place, kept in enumerate(self.state)
        ]

    def _entries(self) -> dict[str, Any]:
        entries: dict[str, Any] = {"steps": self.steps}
        if not callable(self._learning_rate):
            entries["learning_rate"] = self._learning_rate
        for place, kept in enumerate(self.state):
            entries.update({f"{place}.{name}": x for name, x in kept.items()})
        return entries

    def __repr__(self) -> str:
        count, rate = len(self.parameters), self.learning_rate
        return f"{type(self).__name__}(parameters: {count}, learning_rate={rate})"


def snapshot(parameters: Sequence[Value]) -> list[Any]:
    """The present data of the parameters, as arrays that no later step writes to."""
    return [x._content.copy(order="K") if x._exposed else x._content for x in parameters]


def restore(parameters: Sequence[Value], saved: Sequence[Any]) -> None:
    """Give the parameters the data of a snapshot back."""
    for parameter, data in zip(parameters, saved, strict=True):
        parameter._replace(data)


def _in_form_of(old: Any, new: Any) -> Any:
    """New numbers as a Python float, a NumPy number or an array: whatever the old ones were."""
    kind = type(old)
    if type(new) is kind and (kind is float or new.dtype is old.dtype):
        return new
    if kind is float:
        return float(new)
    array = np.asarray(new, old.dtype)
    return array if kind is np.ndarray else array[()]
