"""A moving average of the weights, which often predicts better than the last weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..core.value import Value
from ..support.abstract_array import AbstractArray, Array
from ..support.errstate import ignore_float_errors
from ..support.validation import check_number
from .checks import check_parameters, check_state
from .optimizer import match_form, restore, snapshot

__all__ = ["ExponentialMovingAverage"]


class HasParameters(Protocol):
    """A model, such as a `tg.nn.Module`."""

    def parameters(self) -> Iterable[Value]:
        """Return the parameters."""


class ExponentialMovingAverage:
    r"""An exponential moving average of the weights after each step.

    Call `update` after each step of the optimiser. For every weight w:

        average ← decay · average + (1 - decay) · w,    at the first call average ← w

    `applied` replaces the weights by the averages in a `with` block.

    - `parameters`: the Values to average, such as `model.parameters()`
    - `updates`: the number of calls of `update`

    Raises `ArgumentError` unless decay is in [0, 1), and the errors of `Optimizer` for parameters.

    Source: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992;
    `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`, which doesn't average buffers
    either.

    >>> w = Value(0.0)
    >>> average = tg.optim.ExponentialMovingAverage([w], decay=0.5)
    >>> for w.data in (1.0, 2.0, 3.0):
    ...     average.update()
    >>> with average.applied():
    ...     w.data
    2.25
    >>> w.data
    3.0
    """

    def __init__(
        self, model_or_parameters: HasParameters | Iterable[Value], decay: float = 0.999
    ) -> None:
        where = type(self).__name__
        given: Any = model_or_parameters
        if callable(getattr(given, "parameters", None)):
            given = given.parameters()
        self.decay = check_number(where, "decay", decay, below=1)
        self.parameters = check_parameters(where, given)
        self.updates = 0
        self._averages = [np.array(x._content) for x in self.parameters]

    @ignore_float_errors
    def update(self) -> None:
        """Add the current weights to the average."""
        averages = [copy_data(x._content) for x in self.parameters]
        if self.updates:
            for i, average in enumerate(self._averages):
                averages[i] -= average
                averages[i] *= 1 - self.decay
                averages[i] += average
        self._averages, self.updates = averages, self.updates + 1

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Use the averages as weights in a `with` block; restore the weights at its end."""
        saved = snapshot(self.parameters)
        try:
            averages = zip(self.parameters, self._averages, strict=True)
            restore(self.parameters, [match_form(x._content, a) for x, a in averages])
            yield
        finally:
            restore(self.parameters, saved)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the averages by the position of their parameters, and "updates"."""
        return {name: np.array(x) for name, x in self._entries().items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Resume from the result of `state_dict`.

        Raises `ArgumentError`, naming every entry that is missing, unknown, out of range, or of
        another shape or dtype; the average is then unchanged.
        """
        where = f"{type(self).__name__}.load_state_dict"
        arrays = check_state(where, state, self._entries(), nonnegative={"updates"})
        self.updates = int(arrays["updates"])
        self._averages = [
            arrays[str(place)].astype(x.dtype) for place, x in enumerate(self.parameters)
        ]

    def _entries(self) -> dict[str, Any]:
        averages = {str(place): average for place, average in enumerate(self._averages)}
        return {"updates": self.updates, **averages}

    def __repr__(self) -> str:
        name, count = type(self).__name__, len(self.parameters)
        return f"{name}(parameters: {count}, decay={self.decay}, updates: {self.updates})"


def copy_data(x: Any) -> Any:
    """Return the data in a new array."""
    return x.copy() if isinstance(x, AbstractArray) else np.array(x)
