"""Gradient descent, with optional momentum."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..support.validation import check_flag, check_number
from .optimizer import LearningRate, Numbers, Optimizer, Parameters, State

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Gradient descent, w ← w - learning_rate · dL/dw, with optional momentum.

    With g = dL/dw + weight_decay · w and the velocity v, initially 0:

        v ← momentum · v + g
        w ← w - learning_rate · v,  or with nesterov:  w ← w - learning_rate · (g + momentum · v)

    Raises `ArgumentError` if momentum or weight_decay is negative or not finite, or nesterov is
    True without momentum, and the errors of `Optimizer`.

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
        parameters: Parameters,
        learning_rate: LearningRate,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = check_number("SGD", "momentum", momentum)
        self.weight_decay = check_number("SGD", "weight_decay", weight_decay)
        self.nesterov = check_flag("SGD", "nesterov", nesterov)
        if self.nesterov and not self.momentum:
            raise ArgumentError(
                f"SGD: momentum must be > 0 with nesterov=True, got {momentum!r}; pass momentum=0.9"
            )
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero velocity."""
        return {"velocity": np.zeros_like(data)[()]} if self.momentum else {}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
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
