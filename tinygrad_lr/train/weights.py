"""The numbers of a model as they are at a moment, and the way back to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.value import Value
from ..nn import Module
from ..nn.module import Found, put, walk
from ..optim import snapshot
from ..support.abstract_array import Array


class Weights:
    """The parameters that are trained, and the buffers that change with them.

    >>> line = tg.nn.Linear(1, 1, dtype=np.float64)
    >>> weights = Weights(line, line.parameters())
    >>> before = weights.now()
    >>> line.weight.data += 1
    >>> weights.put(before)
    >>> bool(line.weight.data == before[0])
    True
    """

    def __init__(self, model: Module, parameters: Sequence[Value]) -> None:
        self.parameters = list(parameters)
        self.places: list[Found] = [x for x in walk(model) if x.is_buffer]

    def now(self) -> list[Any]:
        """The present numbers, as arrays that no later step writes to."""
        return [*snapshot(self.parameters), *self.buffers()]

    def buffers(self) -> list[Array]:
        """Copies of the present buffers."""
        return [np.array(place.now()) for place in self.places]

    def put(self, saved: Sequence[Any]) -> None:
        """Give the model the numbers of an earlier moment back."""
        count = len(self.parameters)
        for parameter, numbers in zip(self.parameters, saved[:count], strict=True):
            put(parameter, np.asarray(numbers))
        self.put_buffers(saved[count:])

    def put_buffers(self, saved: Sequence[Array]) -> None:
        """Give the model the buffers of an earlier moment back."""
        for place, array in zip(self.places, saved, strict=True):
            place.put(np.array(array))
