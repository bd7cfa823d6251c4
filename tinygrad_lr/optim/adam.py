"""Adam and its relatives: steps from moving averages of the gradient and its square."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..support.validation import check_flag, check_number
from .checks import check_betas
from .optimizer import LearningRate, Numbers, Optimizer, Parameters, State

__all__ = ["Adam", "AdamW", "Lion", "NAdam"]


class Adam(Optimizer):
    r"""Adaptive moments: each weight moves by about the learning rate, whatever its gradient.

    With g = dL/dw + weight_decay · w, the moving averages m of g and v of g², initially 0, and t,
    the number of steps of this parameter:

        m ← β₁ · m + (1 - β₁) · g
        v ← β₂ · v + (1 - β₂) · g²
        w ← w - learning_rate · m̂ / (√v̂ + eps),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    With amsgrad, the last line uses the largest v so far.

    Raises `ArgumentError` unless betas are two numbers >= 0 and < 1, eps > 0 and weight_decay >= 0,
    and the errors of `Optimizer`.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", 2015; Reddi, Kale, Kumar, "On
    the convergence of Adam and beyond", 2018. Like `torch.optim.Adam`, amsgrad takes the largest v
    before the correction by 1 - β₂ᵗ.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.Adam([w], learning_rate=0.125).step()
    >>> w.data.round(6).tolist()
    [0.875, -1.875]
    """

    decoupled = False  # True: weight_decay is not added to the gradient
    nonnegative_state = ("step", "square", "largest_square")

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        where = type(self).__name__
        self.betas = check_betas(where, betas)
        self.eps = check_number(where, "eps", eps, positive=True)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        self.amsgrad = check_flag(type(self).__name__, "amsgrad", amsgrad)
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero steps and zero moments."""
        moments = ["mean", "square", "largest_square"][: 3 if self.amsgrad else 2]
        return {"step": 0.0, **{name: np.zeros_like(data)[()] for name in moments}}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule in few passes: both corrections are folded into one factor and eps."""
        (beta1, beta2), step = self.betas, state["step"] + 1
        if self.weight_decay and not self.decoupled:
            gradient = gradient + self.weight_decay * data
        state = update_moments(gradient, state, beta1, beta2)
        square = state["square"]
        if self.amsgrad:
            state["largest_square"] = square = np.maximum(state["largest_square"], square)
        root = (1 - beta2**step) ** 0.5
        new = np.sqrt(square)
        new += self.eps * root
        new = np.divide(state["mean"], new, out=new if type(new) is np.ndarray else None)
        new *= -rate * root / (1 - beta1**step)
        if self.weight_decay and self.decoupled:
            data = data * (1 - rate * self.weight_decay)
        new += data
        return new, state


class AdamW(Adam):
    r"""Adam with decoupled weight decay, which shrinks all weights at the same rate.

        w ← w · (1 - learning_rate · weight_decay), and then as `Adam` without weight_decay

    Raises the errors of `Adam`.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization", 2019, with the decay times
    the learning rate, as in `torch.optim.AdamW`.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> w.grad = [0.0, 0.0]
    >>> tg.optim.AdamW([w], learning_rate=0.5, weight_decay=0.25).step()
    >>> w.tolist()
    [0.875, -1.75]
    """

    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, learning_rate, betas, eps, weight_decay, amsgrad)


class NAdam(Optimizer):
    r"""Adam with Nesterov momentum, which looks one step ahead.

    With g, m, v, v̂ and t as in `Adam`, the momentum μₜ = β₁ · (1 - 0.96^(t · momentum_decay) / 2)
    and the products Πₜ = μ₁ ··· μₜ:

        w ← w - learning_rate / (√v̂ + eps) · ((1 - μₜ) / (1 - Πₜ) · g + μₜ₊₁ / (1 - Πₜ₊₁) · m)

    With decoupled_weight_decay, the decay is that of `AdamW`.

    Raises the errors of `Adam`, and `ArgumentError` if momentum_decay is negative.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016; `torch.optim.NAdam`.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.NAdam([w], learning_rate=0.125).step()
    >>> w.data.round(3).tolist()
    [0.868, -1.868]
    """

    nonnegative_state = ("step", "momenta", "square")

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
        decoupled_weight_decay: bool = False,
    ) -> None:
        where = type(self).__name__
        self.betas = check_betas(where, betas)
        self.eps = check_number(where, "eps", eps, positive=True)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        self.momentum_decay = check_number(where, "momentum_decay", momentum_decay)
        self.decoupled_weight_decay = check_flag(
            "NAdam", "decoupled_weight_decay", decoupled_weight_decay
        )
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero steps, zero moments, and 1, the empty product of momenta."""
        zeros = {name: np.zeros_like(data)[()] for name in ("mean", "square")}
        return {"step": 0.0, "momenta": 1.0, **zeros}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
        (beta1, beta2), step = self.betas, state["step"] + 1
        if self.weight_decay and self.decoupled_weight_decay:
            data = data * (1 - rate * self.weight_decay)
        elif self.weight_decay:
            gradient = gradient + self.weight_decay * data
        now, ahead = (
            beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (step, step + 1)
        )
        momenta = state["momenta"] * now
        state = update_moments(gradient, state, beta1, beta2)
        state["momenta"] = momenta
        scale = np.sqrt(state["square"] / (1 - beta2**step))
        scale += self.eps
        new = gradient * (-rate * (1 - now) / (1 - momenta))
        new += state["mean"] * (-rate * ahead / (1 - momenta * ahead))
        new /= scale
        new += data
        return new, state


class Lion(Optimizer):
    r"""Sign descent with momentum: every weight moves by exactly the learning rate.

    With g = dL/dw and the momentum m, initially 0:

        w ← w · (1 - learning_rate · weight_decay) - learning_rate · sign(β₁ · m + (1 - β₁) · g)
        m ← β₂ · m + (1 - β₂) · g

    It needs a learning rate 3 to 10 times smaller than that of Adam, and a weight decay larger by
    the same factor.

    Raises `ArgumentError` unless betas are two numbers >= 0 and < 1 and weight_decay >= 0, and the
    errors of `Optimizer`.

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
        self.betas = check_betas(where, betas)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero momentum."""
        return {"momentum": np.zeros_like(data)[()]}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
        (beta1, beta2), momentum = self.betas, state["momentum"]
        new = beta1 * momentum
        new += (1 - beta1) * gradient
        new = np.sign(new)
        new *= -rate
        new += data * (1 - rate * self.weight_decay) if self.weight_decay else data
        kept = beta2 * momentum
        kept += (1 - beta2) * gradient
        return new, {"momentum": kept}


def update_moments(gradient: Any, state: State, beta1: float, beta2: float) -> State:
    """Return the state after one more gradient: its step count, mean and mean square."""
    mean = gradient - state["mean"]
    mean *= 1 - beta1
    mean += state["mean"]
    square = gradient * gradient
    square *= 1 - beta2
    square += beta2 * state["square"]
    return {**state, "step": state["step"] + 1, "mean": mean, "square": square}
