"""Optimisers: how weights follow their gradients downhill.

`Optimizer` does the loop over the parameters; an algorithm is its own two methods: `start`, the
state that it keeps for a parameter, and `update`, its rule.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import ArgumentError, DtypeError, bad_argument
from .silence import silent
from .value import Value

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
        self.parameters = _checked_parameters(type(self).__name__, parameters)
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


class SGD(Optimizer):
    r"""Gradient descent: w ← w - learning_rate · dL/dw; with momentum if asked for.

    With g = dL/dw + weight_decay · w and the velocity v, which begins at 0:

        v ← momentum · v + g
        w ← w - learning_rate · v,  or with nesterov:  w ← w - learning_rate · (g + momentum · v)

    Raises `ArgumentError` for a momentum or weight_decay that is negative or not finite, and for
    nesterov without momentum; else as `Optimizer`.

    Source: the rule of `torch.optim.SGD` (with dampening 0); Sutskever, Martens, Dahl, Hinton, "On
    the importance of initialization and momentum in deep learning", 2013, from which it differs
    in that the learning rate multiplies the velocity, not the gradient within it.

    >>> w = Value(1.0)
    >>> optimizer = tg.optim.SGD([w], learning_rate=0.25)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     ((w - 3) ** 2).backward()
    ...     optimizer.step()
    >>> w.data
    2.5
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: LearningRate,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = checked_number("SGD", "momentum", momentum)
        self.weight_decay = checked_number("SGD", "weight_decay", weight_decay)
        self.nesterov = bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ArgumentError(
                bad_argument(
                    "SGD",
                    "nesterov needs momentum",
                    expected="momentum > 0",
                    given=f"momentum={momentum!r}",
                    cure="pass momentum=0.9, or leave nesterov out",
                )
            )
        super().__init__(parameters, learning_rate)

    def start(self, data: Any) -> State:
        """The velocity, 0."""
        return {"velocity": np.zeros_like(data)[()]} if self.momentum else {}

    def update(self, gradient: Any, data: Any, state: State, rate: float) -> tuple[Any, State]:
        """w ← w - rate · v, as the class says."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * data
        if self.momentum:
            velocity = self.momentum * state["velocity"]
            velocity += gradient
            state = {"velocity": velocity}
            gradient = gradient + self.momentum * velocity if self.nesterov else velocity
        new = gradient * -rate
        new += data
        return new, state


def snapshot(parameters: Sequence[Value]) -> list[Any]:
    """The present data of the parameters, as arrays that no later step writes to."""
    return [x._content.copy(order="K") if x._exposed else x._content for x in parameters]


def restore(parameters: Sequence[Value], saved: Sequence[Any]) -> None:
    """Give the parameters the data of a snapshot back."""
    for parameter, data in zip(parameters, saved, strict=True):
        parameter._replace(data)


def checked_number(where: str, name: str, given: Any, *, positive: bool = False) -> float:
    """A finite number from 0, or above 0. Raises `ArgumentError` for anything else."""
    real = isinstance(given, numbers.Real) and not isinstance(given, (bool, np.bool_))
    if real and math.isfinite(given) and (given > 0 if positive else given >= 0):
        return float(given)
    raise ArgumentError(
        bad_argument(
            where,
            f"{name} is out of range" if real else f"{name} is no number",
            expected="a finite number > 0" if positive else "a finite number, 0 or more",
            given=f"{given!r:.60}",
        )
    )


def _in_form_of(old: Any, new: Any) -> Any:
    """New numbers as a Python float, a NumPy number or an array: whatever the old ones were."""
    kind = type(old)
    if type(new) is kind and (kind is float or new.dtype is old.dtype):
        return new
    if kind is float:
        return float(new)
    array = np.asarray(new, old.dtype)
    return array if kind is np.ndarray else array[()]


def _checked_parameters(where: str, given: Any) -> list[Value]:
    """Different leaves, one at least, or the error."""
    single = isinstance(given, Value) or hasattr(given, "parameters")
    parameters = [given] if single else list(given.items() if isinstance(given, dict) else given)
    if not parameters:
        raise ArgumentError(
            bad_argument(
                where,
                "there are no parameters",
                expected="one Value or more",
                given="an empty list",
            )
        )
    for position, x in enumerate(parameters):
        if single or not isinstance(x, Value):
            module = hasattr(x, "parameters")
            raise DtypeError(
                bad_argument(
                    where,
                    "parameters is no list of Values",
                    expected="a list of Values",
                    given=f"{type(x).__name__}" if single else f"{type(x).__name__} at {position}",
                    cure="pass model.parameters()" if module else "",
                )
            )
        if x._record is not None:
            raise ArgumentError(
                bad_argument(
                    where,
                    f"parameter {position} is a result",
                    expected="leaves of the graph",
                    given=f"a Value computed by {x._record[0].name}",
                    cure="pass the Values that it was computed from",
                )
            )
    first = {id(x): position for position, x in reversed(list(enumerate(parameters)))}
    for position, x in enumerate(parameters):
        if first[id(x)] != position:
            raise ArgumentError(
                bad_argument(
                    where,
                    "a parameter is listed twice",
                    expected="each parameter once",
                    given=f"the same Value at {first[id(x)]} and {position}",
                )
            )
    return parameters
