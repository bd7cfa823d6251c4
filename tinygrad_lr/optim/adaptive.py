"""Learning rates per weight from squared gradients: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

import numpy as np

from ..support.validation import check_flag, check_number
from .optimizer import LearningRate, Numbers, Optimizer, Parameters, State

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class Adagrad(Optimizer):
    r"""A rate for each weight that decreases with the sum of its squared gradients.

    With g = dL/dw + weight_decay · w, the sum s, initially initial_accumulator_value, and t, the
    number of steps of this parameter:

        s ← s + g²
        w ← w - learning_rate / (1 + (t - 1) · learning_rate_decay) · g / (√s + eps)

    Raises `ArgumentError` unless eps > 0 and the other hyperparameters are >= 0, and the errors of
    `Optimizer`.

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", 2011; the rule of `torch.optim.Adagrad`, whose lr_decay is learning_rate_decay.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.Adagrad([w], learning_rate=0.125).step()
    >>> w.data.round(6).tolist()
    [0.875, -1.875]
    """

    nonnegative_state = ("step", "sum")

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 0.01,
        learning_rate_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        where, start = type(self).__name__, "initial_accumulator_value"
        self.learning_rate_decay = check_number(where, "learning_rate_decay", learning_rate_decay)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        self.initial_accumulator_value = check_number(where, start, initial_accumulator_value)
        self.eps = check_number(where, "eps", eps, positive=True)
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero steps and the initial sum."""
        return {"step": 0.0, "sum": np.full_like(data, self.initial_accumulator_value)[()]}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * data
        total = gradient * gradient
        total += state["sum"]
        scale = np.sqrt(total)
        scale += self.eps
        new = gradient * (-rate / (1 + state["step"] * self.learning_rate_decay))
        new /= scale
        new += data
        return new, {"step": state["step"] + 1, "sum": total}


class RMSprop(Optimizer):
    r"""A rate for each weight from the root mean square of its recent gradients.

    With g = dL/dw + weight_decay · w, the mean square v, the mean a and the velocity u, initially
    0:

        v ← alpha · v + (1 - alpha) · g²
        w ← w - learning_rate · g / (√v + eps)

    With centered, √v becomes √(v - a²), where a ← alpha · a + (1 - alpha) · g. With momentum,
    u ← momentum · u + g / (√v + eps), and w ← w - learning_rate · u.

    Raises `ArgumentError` unless alpha is in [0, 1), eps > 0, momentum >= 0 and weight_decay >= 0,
    and the errors of `Optimizer`.

    Source: Tieleman, Hinton, "Lecture 6.5: RMSprop", 2012; centered: Graves, "Generating sequences
    with recurrent neural networks", 2013; the rule of `torch.optim.RMSprop`.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.RMSprop([w], learning_rate=0.125, alpha=0.75).step()
    >>> w.data.round(6).tolist()
    [0.75, -1.75]
    """

    nonnegative_state = ("square",)

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        where = type(self).__name__
        self.alpha = check_number(where, "alpha", alpha, below=1)
        self.eps = check_number(where, "eps", eps, positive=True)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        self.momentum = check_number(where, "momentum", momentum)
        self.centered = check_flag("RMSprop", "centered", centered)
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero means and zero velocity."""
        names = ["square", *["mean"] * self.centered, *["velocity"] * bool(self.momentum)]
        return {name: np.zeros_like(data)[()] for name in names}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * data
        square = gradient * gradient
        square *= 1 - self.alpha
        square += self.alpha * state["square"]
        kept, variance = {"square": square}, square
        if self.centered:
            mean = gradient - state["mean"]
            mean *= 1 - self.alpha
            mean += state["mean"]
            kept["mean"], variance = mean, square - mean * mean
        scale = np.sqrt(variance)
        scale += self.eps
        new = gradient / scale
        if self.momentum:
            new += self.momentum * state["velocity"]
            kept["velocity"] = new
            new = new * -rate
        else:
            new *= -rate
        new += data
        return new, kept


class Adadelta(Optimizer):
    r"""Steps in the units of the weights, from the root mean square of recent steps.

    With g = dL/dw + weight_decay · w, and the mean squares v of the gradients and u of the steps,
    initially 0:

        v ← rho · v + (1 - rho) · g²
        d = √(u + eps) / √(v + eps) · g
        u ← rho · u + (1 - rho) · d²
        w ← w - learning_rate · d

    Raises `ArgumentError` unless rho is in [0, 1), eps > 0 and weight_decay >= 0, and the errors of
    `Optimizer`.

    Source: Zeiler, "Adadelta: an adaptive learning rate method", 2012, where the learning rate is
    1; the rule of `torch.optim.Adadelta`.

    >>> w = Value(np.array([1.0, -2.0]))
    >>> (w**2).sum().backward()
    >>> tg.optim.Adadelta([w], rho=0.75, eps=0.25).step()
    >>> w.data.round(6).tolist()
    [0.105573, -1.029857]
    """

    nonnegative_state = ("square", "step_square")

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        where = type(self).__name__
        self.rho = check_number(where, "rho", rho, below=1)
        self.eps = check_number(where, "eps", eps, positive=True)
        self.weight_decay = check_number(where, "weight_decay", weight_decay)
        super().__init__(parameters, learning_rate)

    def start(self, data: Numbers) -> State:
        """Return zero mean squares."""
        return {name: np.zeros_like(data)[()] for name in ("square", "step_square")}

    def update(
        self, gradient: Numbers, data: Numbers, state: State, rate: float
    ) -> tuple[Numbers, State]:
        """Apply the rule of the class."""
        rho, eps = self.rho, self.eps
        if self.weight_decay:
            gradient = gradient + self.weight_decay * data
        square = gradient * gradient
        square *= 1 - rho
        square += rho * state["square"]
        step = np.sqrt(state["step_square"] + eps)
        step /= np.sqrt(square + eps)
        step *= gradient
        step_square = step * step
        step_square *= 1 - rho
        step_square += rho * state["step_square"]
        step *= -rate
        step += data
        return step, {"square": square, "step_square": step_square}
