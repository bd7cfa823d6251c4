"""The weights of a descent over its steps, bounded in number."""

from __future__ import annotations

import numpy as np

from ..nn import Module
from ..support.abstract_array import Array

MOST_RECORDS, MOST_NUMBERS = 400, 1_000_000  # of the weights' history


class Record:
    """The weights of some steps: of the first all, then ever fewer.

    Their number is bounded, by MOST_RECORDS and by MOST_NUMBERS in all of them together.
    """

    def __init__(self, model: Module) -> None:
        self.named = model.named_parameters()
        self.steps: list[int] = []
        self.arrays: list[list[Array]] = []
        numbers = sum(parameter.size for _, parameter in self.named)
        self.room = max(2, min(MOST_RECORDS, MOST_NUMBERS // max(numbers, 1)))
        self.dense = self.room // 4
        self.stride = 1

    def see(self, step: int, weights: list[Array] | None = None) -> None:
        """Keep the weights if it is their turn: those of the model, unless others are given."""
        if self.turn(step):
            self.keep(step, weights)
            if len(self.steps) > self.room:
                self.stride *= 2
                turn = [i for i, s in enumerate(self.steps) if self.turn(s)]
                self.steps = [self.steps[i] for i in turn]
                self.arrays = [self.arrays[i] for i in turn]

    def turn(self, step: int) -> bool:
        """Whether the weights of a step are kept."""
        return step % self.stride == 0 or step < self.dense

    def keep(self, step: int, weights: list[Array] | None = None) -> None:
        """Keep a copy of the weights."""
        self.steps.append(step)
        self.arrays.append(weights or [parameter.numpy() for _, parameter in self.named])

    def state_dict(self) -> dict[str, Array]:
        """What was kept, as arrays."""
        steps = {"steps": np.array(self.steps, np.int64), "stride": np.array(self.stride)}
        weights = self.stacked(self.steps[-1]) if self.steps else {}
        return steps | {f"weights.{name}": array for name, array in weights.items()}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Go on from what was kept."""
        self.steps, self.stride = state["steps"].tolist(), int(state["stride"])
        columns = [state[f"weights.{name}"] for name, _ in self.named] if self.steps else []
        self.arrays = [[column[i] for column in columns] for i in range(len(self.steps))]

    def stacked(self, last: int) -> dict[str, Array]:
        """The weights by name, (records, *shape), with those of the last step at the end."""
        if self.steps[-1:] != [last]:
            self.keep(last)
        return {
            name: np.stack([arrays[i] for arrays in self.arrays])
            for i, (name, _) in enumerate(self.named)
        }
