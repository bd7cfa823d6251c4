"""What a step changes beside buffers, and the way back to how it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..optim import Optimizer, restore, snapshot
from .state import Run


class Start:
    """Where a chunk begins, and the way back to it."""

    def __init__(self, run: Run, groups: Sequence[Optimizer]) -> None:
        self.run, self.groups, self.step = run, groups, run.step
        self.weights = snapshot(run.weights.parameters)
        self.states = kept(groups)
        self.gradients = [x._grad for x in run.weights.parameters]
        self.place = run.loader.state_dict() if len(run.loader) > 1 else None
        self.drawn = [(x, x.bit_generator.state) for x in run.model.generators()]

    def restore(self) -> None:
        """Everything as it was."""
        restore(self.run.weights.parameters, self.weights)
        put_states(self.groups, self.states)
        put_gradients(self.run.weights.parameters, self.gradients)
        if self.place is not None:
            self.run.loader.load_state_dict(self.place)
        for generator, state in self.drawn:
            generator.bit_generator.state = state


def put_gradients(leaves: Sequence[Value], gradients: Sequence[Any]) -> None:
    """Give each leaf its gradient."""
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf._grad = gradient


def kept(groups: Sequence[Optimizer]) -> list[dict[str, Any]]:
    """What the groups of an optimiser hold, its arrays copied."""
    return [{name: _copied(x) for name, x in vars(group).items()} for group in groups]


def put_states(groups: Sequence[Optimizer], states: Sequence[dict[str, Any]]) -> None:
    """Let the groups hold what they held."""
    for group, state in zip(groups, states, strict=True):
        vars(group).update(state)


def _copied(x: Any) -> Any:
    """The same with its arrays copied, and the lists and dicts around numbers."""
    if type(x) is np.ndarray:
        return x.copy()
    if type(x) not in {list, dict}:
        return x
    parts = list(x.values() if type(x) is dict else x)
    copies = [_copied(y) for y in parts]
    if all(
        new is old and not isinstance(old, float) for new, old in zip(copies, parts, strict=True)
    ):
        return x
    return dict(zip(x, copies, strict=True)) if type(x) is dict else copies


def same(a: Any, b: Any) -> bool:
    """Whether nested lists and dicts hold the same numbers, and else the same objects."""
    if type(a) is list and type(b) is list:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return np.array_equal(a, b, equal_nan=True)
    if isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating)):
        return a == b or bool(np.isnan(a) and np.isnan(b))
    return a is b or (isinstance(a, (bool, int, str, np.generic)) and bool(a == b))
