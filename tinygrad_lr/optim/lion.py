"""Lion: the sign of the momentum is the step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..support.validation import check_number
from .checks import checked_betas
from .optimizer import LearningRate, Optimizer, Parameters, State


class Lion(Optimizer):
    r"""Every weight moves by exactly the learning rate, in the direction of the sign of a mean.

    With g = dL/dw and the momentum m, which begins at 0:

        w ← w · (1 - learning_rate · weight_decay) - learning_rate · sign(β₁ · m + (1 - β₁) · g)
        m ← β₂ · m + (1 - β₂) · g

    It wants a learning rate 3 to 10 times smaller than Adam, and a weight decay as much larger.

    Raises `ArgumentError` for betas that are not two numbers from 0, below 1, and for a negative
    weight_decay; else as `Optimizer`.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.Lion([w], learning_rate=0.125).step()
    >>> w.tolist()
    [0.875, -1.875]
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        where = type(self).__name__
        self.betas = checked_betas(where, betas)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        super().__init__(parameters, learning_rate)

    def start(self, data: Any) -> State:
        """The momentum, 0."""
        return {"momentum": np.zeros_like(data)[()]}

    def update(self, gradient: Any, data: Any, state: State, rate: float) -> tuple[Any, State]:
        """The rule of the class."""
        (beta1, beta2), momentum = self.betas, state["momentum"]
        new = beta1 * momentum
        new += (1 - beta1) * gradient
        new = np.sign(new)
        new *= -rate
        new += data * (1 - rate * self.weight_decay) if self.weight_decay else data
        kept = beta2 * momentum
        kept += (1 - beta2) * gradient
        return new, {"momentum": kept}
