"""The weights during training: current ones, those of earlier steps, and how to restore them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..data import DataLoader
from ..nn import Module
from ..nn.module import Found, put, walk
from ..optim import Optimizer, restore, snapshot
from ..support.abstract_array import Array

MAX_SNAPSHOTS, MAX_NUMBERS = 400, 1_000_000  # of a WeightHistory


class ModelWeights:
    """The parameters that are trained, and the buffers that change with them.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> weights = ModelWeights(line, line.parameters())
    >>> before = weights.copy()
    >>> line.weight.data += 1
    >>> weights.restore(before)
    >>> bool(line.weight.data == before[0])
    True
    """

    def __init__(self, model: Module, parameters: Sequence[Value]) -> None:
        self.parameters = list(parameters)
        self.buffers: list[Found] = [x for x in walk(model) if x.is_buffer]

    def copy(self) -> list[Any]:
        """Return the current numbers, as arrays that no later step writes to."""
        return [*snapshot(self.parameters), *self.copy_buffers()]

    def copy_buffers(self) -> list[Array]:
        """Return copies of the current buffers."""
        return [np.array(buffer.now()) for buffer in self.buffers]

    def restore(self, saved: Sequence[Any]) -> None:
        """Give the model the numbers that `copy` returned earlier."""
        count = len(self.parameters)
        for parameter, numbers in zip(self.parameters, saved[:count], strict=True):
            put(parameter, np.asarray(numbers))
        self.restore_buffers(saved[count:])

    def restore_buffers(self, saved: Sequence[Array]) -> None:
        """Give the model the buffers that `copy_buffers` returned earlier."""
        for buffer, array in zip(self.buffers, saved, strict=True):
            buffer.put(np.array(array))


class WeightHistory:
    """The weights at some of the steps: all of the first ones, then fewer and fewer.

    At most MAX_SNAPSHOTS steps are kept, with at most MAX_NUMBERS numbers in all of them: the first
    quarter of them, some between each step and twice that step, and the others evenly far apart. So
    a long run has moments of its quick beginning and of its long end.
    """

    def __init__(self, model: Module) -> None:
        self.named = model.named_parameters()
        self.steps: list[int] = []
        self.arrays: list[list[Array]] = []
        numbers = sum(parameter.size for _, parameter in self.named)
        self.capacity = max(2, min(MAX_SNAPSHOTS, MAX_NUMBERS // max(numbers, 1)))
        self.dense = self.capacity // 4  # of the first steps none is left out
        self.stride = 1

    @property
    def in_each_doubling(self) -> int:
        """The number of steps kept between a step and twice that step; 0 if there is no room."""
        often = self.capacity // 32  # so that they fit for 2**24 times the first ones
        return (1 << often.bit_length()) // 2

    def add(self, step: int, weights: list[Array] | None = None) -> None:
        """Keep the model's weights, or those given, if this step is one of those kept."""
        if self.keeps(step):
            self._append(step, weights)
            while len(self.steps) > self.capacity:
                self.stride *= 2
                kept = [i for i, s in enumerate(self.steps) if self.keeps(s)]
                self.steps = [self.steps[i] for i in kept]
                self.arrays = [self.arrays[i] for i in kept]

    def keeps(self, step: int) -> bool:
        """Return True if the weights of this step are kept."""
        return step < self.dense or step % min(self.stride, self._spacing(step)) == 0

    def _spacing(self, step: int) -> int:
        """Return the distance of the steps kept about this one, however long the run gets."""
        if not self.in_each_doubling:
            return self.stride
        return max((1 << step.bit_length() >> 1) // self.in_each_doubling, 1)

    def steps_at(self, step: int) -> tuple[list[int], int]:
        """Return the steps that are kept after so many, and the stride between them."""
        stride, every = 1, np.arange(step)
        often = np.zeros(step, bool)
        if self.in_each_doubling:
            lengths = np.frexp(np.maximum(every, 1).astype(np.float64))[1]  # in bits
            often = every % np.maximum(2 ** (lengths - 1) // self.in_each_doubling, 1) == 0
        while True:
            steps = every[(every % stride == 0) | often | (every < self.dense)]
            if len(steps) <= self.capacity:
                return steps.tolist(), stride
            stride *= 2

    def _append(self, step: int, weights: list[Array] | None = None) -> None:
        self.steps.append(step)
        self.arrays.append(weights or [parameter.numpy() for _, parameter in self.named])

    def state_dict(self) -> dict[str, Array]:
        """Return the kept steps and weights as arrays."""
        steps = {"steps": np.array(self.steps, np.int64), "stride": np.array(self.stride)}
        weights = self.stack(self.steps[-1]) if self.steps else {}
        return steps | {f"weights.{name}": array for name, array in weights.items()}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Continue from what `state_dict` returned."""
        self.steps, self.stride = state["steps"].tolist(), int(state["stride"])
        columns = [state[f"weights.{name}"] for name, _ in self.named] if self.steps else []
        self.arrays = [[column[i] for column in columns] for i in range(len(self.steps))]

    def stack(self, last: int) -> dict[str, Array]:
        """Return the weights by name, (snapshots, *shape), ending with those of step `last`."""
        if self.steps[-1:] != [last]:
            self._append(last)
        return {
            name: np.stack([arrays[i] for arrays in self.arrays])
            for i, (name, _) in enumerate(self.named)
        }


class Rollback:
    """Everything that a step changes beside buffers, so that steps can be taken back."""

    def __init__(
        self, model: Module, parameters: Sequence[Value], groups: Sequence[Optimizer], loader: Any
    ) -> None:
        self.parameters, self.groups = parameters, groups
        self.loader: DataLoader = loader
        self.weights = snapshot(parameters)
        self.gradients = [x._grad for x in parameters]
        self.states = copy_optimizer_states(groups)
        self.position = loader.state_dict() if len(loader) > 1 else None
        self.random = [(x, x.bit_generator.state) for x in model.generators()]

    def restore(self) -> None:
        """Put everything back as it was."""
        restore(self.parameters, self.weights)
        set_gradients(self.parameters, self.gradients)
        restore_optimizer_states(self.groups, self.states)
        if self.position is not None:
            self.loader.load_state_dict(self.position)
        for generator, state in self.random:
            generator.bit_generator.state = state


def set_gradients(leaves: Sequence[Value], gradients: Sequence[Any]) -> None:
    """Set the gradient of each leaf."""
    for leaf, gradient in zip(leaves, gradients, strict=True):
        leaf._grad = gradient


def copy_optimizer_states(groups: Sequence[Optimizer]) -> list[dict[str, Any]]:
    """Return the attributes of each parameter group, arrays copied."""
    return [{name: _copy(x) for name, x in vars(group).items()} for group in groups]


def restore_optimizer_states(groups: Sequence[Optimizer], states: Sequence[dict[str, Any]]) -> None:
    """Set the attributes of each parameter group to those of `copy_optimizer_states`."""
    for group, state in zip(groups, states, strict=True):
        vars(group).update(state)


def _copy(x: Any) -> Any:
    """Copy arrays, and the lists and dicts that hold arrays or floats; return all else as it is."""
    if type(x) is np.ndarray:
        return x.copy()
    if type(x) not in {list, dict}:
        return x
    parts = list(x.values() if type(x) is dict else x)
    copies = [_copy(y) for y in parts]
    if all(
        new is old and not isinstance(old, float) for new, old in zip(copies, parts, strict=True)
    ):
        return x
    return dict(zip(x, copies, strict=True)) if type(x) is dict else copies


def is_same(a: Any, b: Any) -> bool:
    """Return True if nested lists and dicts hold equal numbers, and otherwise the same objects."""
    if type(a) is list and type(b) is list:
        return len(a) == len(b) and all(map(is_same, a, b))
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return np.array_equal(a, b, equal_nan=True)
    if isinstance(a, (float, np.floating)) and isinstance(b, (float, np.floating)):
        return a == b or bool(np.isnan(a) and np.isnan(b))
    return a is b or (isinstance(a, (bool, int, str, np.generic)) and bool(a == b))
