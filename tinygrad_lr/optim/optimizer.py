"""`Optimizer`: the loop over the parameters, and over groups of them, for all algorithms."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from ..core.grad_mode import watcher
from ..core.primitive import is_complex
from ..core.value import Value
from ..errors import ArgumentError, DtypeError, TinygradError
from ..support.abstract_array import AbstractArray, Array
from ..support.errstate import ignore_float_errors
from ..support.notebook import DisplayPart, Heading, Table, notebook_display
from ..support.text_format import number_text
from ..support.validation import check_callable, check_number, short_repr
from .checks import check_parameters, check_state, check_values, require_distinct

__all__ = ["LearningRate", "Optimizer", "restore", "snapshot"]

LearningRate = float | Callable[[int], float]
Parameters = Iterable[Value] | Iterable[Mapping[str, Any]]
State = dict[str, Any]
Numbers: TypeAlias = "float | np.floating[Any] | Array"  # the data of a parameter, or its gradient
Loss = TypeVar("Loss")
Move = tuple[int, Value, Any, State]
Part = tuple["Optimizer", float, list[Move]]  # the effect of a step on a group


class Optimizer:
    """The base of all optimisers: it loops over parameters and groups.

    A subclass defines `update`, its rule, and `start`, its initial state per parameter. A complex
    parameter is updated as pairs of real numbers, along one more axis at the end.

    `learning_rate` is a number > 0, or a function of the step (0 for the first) that returns a
    number >= 0. A parameter whose gradient is None, or that no longer requires one, is skipped: its
    data, its state and its step count don't change.

    - `parameters`: the Values to update
    - `learning_rate`: as given; it can be assigned between steps
    - `steps`: the number of steps so far
    - `rate`: the learning rate of the last step, the largest of all groups
    - `groups`: see below; without groups, the optimiser itself is the only one

    **Groups** have hyperparameters of their own: instead of Values, pass a list of dicts, each with
    "parameters" and any arguments of the optimiser that differ. Every group is then an optimiser of
    the same class. A group without a `learning_rate` follows that of the whole optimiser, also when
    a new one is assigned there. Assign other hyperparameters on the group:
    `optimizer.groups[1].weight_decay = 0.1`.

    Raises `ArgumentError` if there are no parameters, if one is listed twice or isn't a leaf, if
    the learning rate is invalid, or if a group has an unknown key (and suggests the nearest name).

    >>> class SignDescent(tg.optim.Optimizer):
    ...     def update(self, gradient, data, state, rate):
    ...         return data - rate * np.sign(gradient), state
    >>> w, b = Value(1.0), Value(1.0)
    >>> (w * w + b).backward()
    >>> SignDescent([w], 0.25).step()
    >>> w.data
    0.75
    >>> SignDescent([{"parameters": [w]}, {"parameters": [b], "learning_rate": 0.5}], 0.25).step()
    >>> w.data, b.data
    (0.5, 0.5)
    """

    needs_closure: bool = False
    """True if `step` needs a function that computes the loss again."""

    nonnegative_state: tuple[str, ...] = ()
    """The names in the state of a parameter that are never negative, such as "square"."""

    _complex: frozenset[int] = frozenset()  # the positions of complex parameters
    _groups: Sequence[Optimizer] = ()
    _followers: Sequence[Optimizer] = ()  # the groups that follow the learning rate of the whole

    def __init__(self, parameters: Parameters, learning_rate: LearningRate) -> None:
        given: Any = parameters
        if isinstance(given, Iterable) and not isinstance(given, (Value, dict, type, np.ndarray)):
            given = list(given)
        self.learning_rate = learning_rate
        self.parameters: list[Value]
        self.steps = 0
        self.rate = math.nan
        if isinstance(given, list) and any(isinstance(x, dict) for x in given):
            self._groups, self._followers = build_groups(self, given)
            self.parameters = [x for group in self._groups for x in group.parameters]
            require_distinct(type(self).__name__, self.parameters)
        else:
            self.parameters = check_parameters(type(self).__name__, given)
            self.restart()

    # Any: the rule of a subclass may be for arrays alone
    def start(self, data: Any) -> State:
        """Return the initial state of a parameter, such as zero velocity."""
        return {}

    def update(self, gradient: Any, data: Any, state: State, rate: float) -> tuple[Numbers, State]:
        """Return the new data and state of a parameter. Must not change its arguments in place.

        Gradient and data are arrays, or numbers for a parameter that is one.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update")

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate, a number or a function of the step; assign it between steps."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, given: LearningRate) -> None:
        if not callable(given):
            given = check_number(type(self).__name__, "learning_rate", given, positive=True)
        self._learning_rate = given
        for group in self._followers:
            group._learning_rate = given

    @property
    def groups(self) -> list[Optimizer]:
        """The groups of parameters, each an optimiser; without groups, the optimiser itself."""
        return list(self._groups or (self,))

    def zero_grad(self) -> None:
        """Set the gradients of the parameters to None."""
        for parameter in self.parameters:
            parameter._grad = None

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """Update every parameter that has a gradient, all of them or (after an error) none.

        `closure`, if given, is called first: it resets the gradients, computes the loss, calls its
        `backward` and returns it. Returns that loss, or None.
        """
        if closure is not None:
            check_callable(f"{type(self).__name__}.step", "closure", closure)
        loss = None if closure is None else closure()
        parts = []
        for group in self._groups or (self,):
            rate = group._learning_rate
            if callable(rate):
                rate = group._rate_of(self.steps)
            parts.append((group, rate, group._moves(rate)))
        steps = self.steps + 1
        if (seen_by := watcher()) is not None:
            seen_by.on_update(self, parts)
        try:
            self._commit(parts, steps)
        except BaseException:  # Ctrl-C between two parameters: finish the step, then let it pass
            self._commit(parts, steps)
            raise
        return loss

    def _rate_of(self, step: int) -> float:
        """Return the learning rate of a step."""
        rate = self._learning_rate
        if callable(rate):
            return check_number(f"learning_rate({step})", "the result", rate(step))
        return rate

    @ignore_float_errors
    def _moves(self, rate: float) -> list[Move]:
        """Return the new data and state of each parameter that has a gradient."""
        moves = []
        update, states = self.update, self.state
        for place, parameter in enumerate(self.parameters):
            gradient, old = parameter._grad, parameter._content
            if gradient is not None and parameter.requires_grad:
                if type(gradient) is tuple:  # shared with the graph: read, never written to
                    gradient = gradient[0]
                if place in self._complex:
                    gradient, real = real_pairs(gradient), real_pairs(old)
                    new, state = update(gradient, real, states[place], rate)
                    new = complex_numbers(new, old)
                else:
                    new, state = update(gradient, old, states[place], rate)
                if type(new) is not np.ndarray or new.dtype is not old.dtype:
                    new = match_form(old, new)
                moves.append((place, parameter, new, state))
        return moves

    def _commit(self, parts: Sequence[Part], steps: int) -> None:
        """Store the results of a step; idempotent."""
        for group, rate, moves in parts:
            for place, parameter, new, state in moves:
                parameter._replace(new)
                if state:
                    group.state[place] = state
            group.steps, group.rate = steps, rate
        if self._groups:
            self.steps, self.rate = steps, functools.reduce(np.maximum, (r for _, r, _ in parts))

    def restart(self) -> None:
        """Reset the state, as after a divergence."""
        for group in self._groups:
            group.restart()
        if not self._groups:
            places = frozenset(i for i, x in enumerate(self.parameters) if x.dtype.kind == "c")
            if places:
                self._complex = places
            self.state = [self.start(real_pairs(x._content)) for x in self.parameters]

    def state_dict(self) -> dict[str, Array]:
        """Return copies of everything a later run needs to resume, as arrays by name.

        The names are "steps"; "learning_rate", or the entries of a schedule with a state, such as
        "learning_rate.best"; the same for groups with their own learning rate, such as
        "groups.1.learning_rate"; and the state of each parameter by its position, such as
        "0.velocity".
        """
        return {name: np.array(x) for name, x in self._entries().items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Resume from the result of `state_dict`.

        Raises `ArgumentError`, naming every entry that is missing, unknown, out of range, or of
        another shape or dtype; the optimiser is then unchanged.
        """
        where = f"{type(self).__name__}.load_state_dict"
        known = {"steps", *self.nonnegative_state}
        arrays = check_state(where, state, self._entries(), self._fits, known)
        numbers = [
            (group, check_number(where, name, arrays[name].item(), positive=True))
            for name, group in self._rates_by_name()
            if name in arrays
        ]
        before = self.state_dict()
        try:
            self._load_schedules(arrays)
        except BaseException:
            self._load_schedules(before)
            raise
        for group, rate in numbers:
            group.learning_rate = rate
        self._load(arrays)

    def _load_schedules(self, arrays: Mapping[str, Array]) -> None:
        """Load the entries of the schedules that have a state."""
        for name, group in self._rates_by_name():
            if hasattr(group.learning_rate, "load_state_dict"):
                inner = f"{name}."
                own = {k[len(inner) :]: x for k, x in arrays.items() if k.startswith(inner)}
                group.learning_rate.load_state_dict(own)

    def _load(self, arrays: Mapping[str, Array]) -> None:
        """Load the entries other than learning rates, already checked."""
        self.steps, before = int(arrays["steps"]), 0
        for group in self.groups:
            group.steps = self.steps
            group.state = [
                {name: match_form(x, arrays[f"{place}.{name}"]) for name, x in kept.items()}
                for place, kept in enumerate(group.state, before)
            ]
            before += len(group.state)

    def _fits(self, name: str, array: Array) -> bool:
        """True if a saved entry may differ in shape from the current one."""
        return False

    def _rates_by_name(self) -> Iterator[tuple[str, Optimizer]]:
        """Yield the optimisers with their own learning rate, with the name it is saved under."""
        yield "learning_rate", self
        followers = {id(group) for group in self._followers}
        for position, group in enumerate(self._groups):
            if id(group) not in followers:
                yield f"groups.{position}.learning_rate", group

    def _entries(self) -> dict[str, Any]:
        """Return the saved entries by name, not copied."""
        entries: dict[str, Any] = {"steps": self.steps}
        for name, group in self._rates_by_name():
            rate = group.learning_rate
            if not callable(rate):
                entries[name] = rate
            elif hasattr(rate, "state_dict"):
                entries.update({f"{name}.{k}": x for k, x in rate.state_dict().items()})
        states = [kept for group in self.groups for kept in group.state]
        for place, kept in enumerate(states):
            entries.update({f"{place}.{name}": x for name, x in kept.items()})
        return entries

    @notebook_display
    def _repr_html_(self) -> Iterator[DisplayPart]:
        """Show the settings, and how many parameters each group has."""
        names = hyperparameters(type(self))
        rows = [
            [
                str(i),
                *(setting_text(getattr(group, name, "")) for name in names),
                f"{sum(x.size for x in group.parameters):,}",
            ]
            for i, group in enumerate(self.groups)
        ]
        yield Heading(type(self).__name__, [f"{self.steps:,} step{'s' * (self.steps != 1)} taken"])
        head = ["group", *(name.replace("_", " ") for name in names), "parameters"]
        yield Table(head, rows, numeric=range(1, len(head)))

    def __repr__(self) -> str:
        count, rate = len(self.parameters), self.learning_rate
        groups = f", groups: {len(self._groups)}" if self._groups else ""
        return f"{type(self).__name__}(parameters: {count}, learning_rate={rate}{groups})"


def build_groups(whole: Optimizer, given: Sequence[Any]) -> tuple[list[Optimizer], list[Optimizer]]:
    """Return the groups, and those that follow the learning rate of the whole optimiser.

    Hyperparameters that a group doesn't set are those of the whole optimiser, where attributes have
    the names of arguments.
    """
    kind, where = type(whole), type(whole).__name__
    own = {name: _read_setting(whole, name) for name in hyperparameters(kind)}
    groups, followers = [], []
    for position, stated in enumerate(given):
        title = f"{where}, group {position}"
        settings = _check_group(title, stated, list(own))
        settings["parameters"] = check_parameters(title, settings["parameters"])
        try:
            group = kind(**{**own, **settings})
        except TinygradError as error:
            error.args = (str(error).replace(where, title, 1),)
            raise
        groups.append(group)
        if "learning_rate" not in stated:
            followers.append(group)
    return groups, followers


def hyperparameters(kind: type[Optimizer]) -> list[str]:
    """Return the names of the arguments of an optimiser other than `parameters`."""
    names = list(inspect.signature(kind).parameters)
    return [name for name in names if name != "parameters"]


def _read_setting(whole: Optimizer, name: str) -> Any:
    if hasattr(whole, name):
        return getattr(whole, name)
    raise ArgumentError(
        f"{type(whole).__name__}: groups need the argument {name} as an attribute of that name; "
        f"set self.{name} before super().__init__"
    )


def _check_group(where: str, given: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a group. Raises an error unless it is a dict with known keys."""
    if not isinstance(given, dict):
        raise DtypeError(
            f"{where}: a group must be a dict with the key 'parameters', got {type(given).__name__}"
        )
    if "parameters" not in given:
        keys = ", ".join(map(repr, given)) or "an empty dict"
        raise ArgumentError(f"{where}: a group must have a list 'parameters', got {keys}")
    names = ["parameters", *known]
    for name in given:
        if name not in names:
            import difflib  # a millisecond, for an error only

            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
            cure = f"; did you mean {near[0]!r}?" if near else ""
            raise ArgumentError(
                f"{where}: the keys of a group must be among {', '.join(names)}, "
                f"got {short_repr(name)}{cure}"
            )
    return dict(given)


def snapshot(parameters: Sequence[Value]) -> list[Numbers]:
    """Return the current data of the parameters, as arrays that no later step writes to."""
    check_values("snapshot", parameters)
    return [x._content.copy(order="K") if x._data_shared else x._content for x in parameters]


def restore(parameters: Sequence[Value], saved: Sequence[Numbers]) -> None:
    """Restore the data of the parameters from a snapshot."""
    check_values("restore", parameters)
    if not isinstance(saved, list) or len(saved) != len(parameters):
        raise ArgumentError(
            f"restore: saved must be what snapshot(parameters) returned, got {short_repr(saved)}"
        )
    for parameter, data in zip(parameters, saved, strict=True):
        parameter._replace(data)


def real_pairs(x: Any) -> Any:
    """Return complex numbers as pairs of real and imaginary parts, real ones as they are."""
    if not is_complex(x):
        return x
    return np.stack([np.real(x), np.imag(x)], axis=-1)


def complex_numbers(pairs: Any, like: Any) -> Any:
    """Return the complex numbers of pairs of real and imaginary parts, in a dtype."""
    return match_form(like, pairs[..., 0] + 1j * pairs[..., 1])


def match_form(old: Any, new: Any) -> Any:
    """Return new data as a Python float, a NumPy number or an array, like the old."""
    kind = type(old)
    if type(new) is kind and (kind is float or new.dtype is old.dtype):
        return new
    if isinstance(new, AbstractArray):
        return new.cast_like(old)
    if kind is float:
        return float(new)
    array = np.asarray(new, old.dtype)
    return array if kind is np.ndarray else array[()]


def setting_text(setting: object) -> str:
    """A hyperparameter in a few characters."""
    if isinstance(setting, tuple):
        return ", ".join(map(setting_text, setting))
    if isinstance(setting, (int, float)) and not isinstance(setting, bool):
        return number_text(setting)
    name = getattr(setting, "__name__", None)
    return name or (type(setting).__name__ if callable(setting) else f"{setting}")
