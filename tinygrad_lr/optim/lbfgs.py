"""L-BFGS: Newton's direction from the last gradients, and a line search along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, refuse
from ..support.abstract_array import Array
from ..support.errstate import silent
from ..support.validation import check_integer, check_number
from .line_search import Point, strong_wolfe
from .optimizer import LearningRate, Optimizer, Parameters, in_form_of, restore, snapshot

Closure = Callable[[], Any]
CURVED = 1e-10  # what sᵀy must exceed for a pair to be remembered


class Memory(NamedTuple):
    """What one iteration leaves to the next."""

    iterations: int
    gradient: Array
    move: Array
    pairs: list[tuple[Array, Array]]  # (y, s): how the gradient changed with a move, oldest first


class LBFGS(Optimizer):
    r"""Newton's method with a curvature guessed from the last gradients; for all rows at once.

    The direction is -H·g, where H, a guess of the inverse Hessian, comes from the last
    `history_size` moves s and changes of the gradient y; how far to go along it is found by a line
    search for the strong Wolfe conditions, that first tries `learning_rate`. A step makes up to
    `max_iter` such iterations, and computes the loss at most about `max_eval` times (5/4 of
    max_iter, unless given); it ends before that where no entry of the gradient exceeds
    `tolerance_grad`, or where neither the loss nor a weight changes by `tolerance_change`.

    The loss must be the same function at each call (all rows, no dropout), so `step` takes a
    closure, which forgets the gradients, computes the loss, calls `backward` and returns the loss;
    `step` returns the first. A loss that is nan or infinite on the way counts as too far. After an
    error or Ctrl-C in a step, weights and state are as they were before it.

    Raises `ArgumentError` for counts below 1, negative tolerances, and for groups: it has none;
    else as `Optimizer`. `step` raises it without a closure, or where the closure leaves no
    gradient.

    Source: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980; the rule of
    `torch.optim.LBFGS` with line_search_fn="strong_wolfe".

    >>> w = Value(np.array([-1.0, 2.0]))
    >>> optimizer = tg.optim.LBFGS([w], max_iter=50)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    104.0
    >>> w.data.round(4).tolist()
    [1.0, 1.0]
    """

    needs_closure = True

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: LearningRate = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
    ) -> None:
        where = type(self).__name__
        self.max_iter = check_integer(where, "max_iter", max_iter, low=1)
        most = self.max_iter * 5 // 4 if max_eval is None else max_eval
        self.max_eval = check_integer(where, "max_eval", most, low=1)
        self.tolerance_grad = check_number(where, "tolerance_grad", tolerance_grad)
        self.tolerance_change = check_number(where, "tolerance_change", tolerance_change)
        self.history_size = check_integer(where, "history_size", history_size, low=1)
        super().__init__(parameters, learning_rate)
        if self._groups:
            expected, given = "a list of Values", f"{len(self._groups)} groups"
            refuse(ArgumentError, where, "it has no groups", expected=expected, given=given)

    def restart(self) -> None:
        """Forget the curvature that earlier steps found."""
        super().restart()
        dtype = np.result_type(*(x.dtype for x in self.parameters)) if self.parameters else float
        none = np.zeros(sum(x.size for x in self.parameters), dtype)
        self._memory = Memory(0, none, none, [])

    @silent
    def step(self, closure: Closure | None = None) -> Any:
        """Up to `max_iter` iterations; the loss that the closure returned first."""
        if closure is None:
            expected, given = "a function that computes the loss and calls backward", "None"
            cure = "write optimizer.step(closure)"
            refuse(
                ArgumentError, "LBFGS.step", "no closure", expected=expected, given=given, cure=cure
            )
        rate = self._rate_of(self.steps)
        before = snapshot(self.parameters), self._memory, self.steps, self.rate
        try:
            loss = closure()
            value, gradient = float(loss), self._flat_gradient()
            if math.isfinite(value) and np.abs(gradient).max(initial=0) > self.tolerance_grad:
                self._memory = self._iterate(closure, rate, value, gradient)
            self.steps, self.rate = self.steps + 1, rate
        except BaseException:
            restore(self.parameters, before[0])
            self._memory, self.steps, self.rate = before[1:]
            raise
        return loss

    def _iterate(self, closure: Closure, rate: float, loss: float, gradient: Array) -> Memory:
        """The iterations of a step, from a point with a loss and a gradient."""
        memory, evaluations, x = self._memory, 1, self._flat_data()
        for iteration in range(1, self.max_iter + 1):
            memory = self._remembering(memory, gradient)
            direction = _direction(memory.pairs, gradient)
            length = rate
            if memory.iterations == 1:
                length = min(1.0, 1.0 / float(np.abs(gradient).sum())) * rate
            slope = float(gradient @ direction)
            memory = memory._replace(move=length * direction)
            if not slope <= -self.tolerance_change:  # or it is nan
                break

            def evaluate(step: float, d: Array = direction, x: Array = x) -> Point:
                self._put(x + step * d)
                found, gradient = float(closure()), self._flat_gradient()
                found = math.inf if math.isnan(found) else found
                return Point(step, found, gradient, float(gradient @ d))

            start, previous = Point(0.0, loss, gradient, slope), loss
            largest, most = float(np.abs(direction).max()), self.max_eval - evaluations
            tolerance = self.tolerance_change
            found, tried = strong_wolfe(evaluate, start, length, largest, most, tolerance)
            loss, gradient, evaluations = found.loss, found.gradient, evaluations + tried
            memory = memory._replace(move=found.step * direction)
            x = x + memory.move
            if (
                iteration == self.max_iter
                or evaluations >= self.max_eval
                or np.abs(gradient).max() <= self.tolerance_grad
                or np.abs(memory.move).max() <= tolerance
                or abs(loss - previous) < tolerance
            ):
                break
        self._put(x)
        return memory

    def _remembering(self, memory: Memory, gradient: Array) -> Memory:
        """The memory with the pair that the last move made."""
        pairs = memory.pairs
        if memory.iterations:
            change = gradient - memory.gradient
            if float(change @ memory.move) > CURVED:
                pairs = [*pairs, (change, memory.move)][-self.history_size :]
        return Memory(memory.iterations + 1, gradient, memory.move, pairs)

    def _flat_gradient(self) -> Array:
        """All gradients in one vector; 0 where there is none."""
        dtype, pieces, found = self._memory.gradient.dtype, [], False
        for x in self.parameters:
            gradient = x._gradient if x.requires_grad else None
            found = found or gradient is not None
            pieces.append(np.zeros(x.size) if gradient is None else np.ravel(gradient))
        if not found:
            refuse(
                ArgumentError,
                "LBFGS.step",
                "no parameter has a gradient after the closure",
                expected="a closure that calls loss.backward()",
                given="gradients that are None",
            )
        return np.concatenate(pieces, dtype=dtype)

    def _flat_data(self) -> Array:
        dtype = self._memory.gradient.dtype
        return np.concatenate([np.ravel(x._content) for x in self.parameters], dtype=dtype)

    def _put(self, flat: Array) -> None:
        """Give the parameters their parts of a vector that nobody else writes to."""
        start = 0
        for x in self.parameters:
            piece = flat[start : start + x.size].reshape(x.shape)
            start += x.size
            if x.requires_grad:
                x._replace(in_form_of(x._content, piece))

    def _fits(self, name: str, array: Array) -> bool:
        rows = array.shape[0] if array.ndim else 0
        shape = (rows, 2, self._memory.gradient.size)
        return name == "pairs" and array.shape == shape and rows <= self.history_size

    def _entries(self) -> dict[str, Any]:
        iterations, gradient, move, pairs = self._memory
        both = np.array(pairs, gradient.dtype).reshape(len(pairs), 2, gradient.size)
        own = {"iterations": iterations, "gradient": gradient, "move": move, "pairs": both}
        return super()._entries() | own

    def _load(self, arrays: Mapping[str, Array]) -> None:
        super()._load(arrays)
        gradient, move, both = (
            arrays[name].astype(self._memory.gradient.dtype)
            for name in ("gradient", "move", "pairs")
        )
        pairs = [(y, s) for y, s in both]
        self._memory = Memory(int(arrays["iterations"]), gradient, move, pairs)


def _direction(pairs: list[tuple[Array, Array]], gradient: Array) -> Array:
    """-H·g by the two loops over the pairs, without the matrix H (Nocedal's algorithm 7.4)."""
    direction, curvatures, factors = -gradient, [1.0 / float(y @ s) for y, s in pairs], []
    for (y, s), curvature in zip(reversed(pairs), reversed(curvatures), strict=True):
        factors.append(float(s @ direction) * curvature)
        direction -= factors[-1] * y
    if pairs:
        y, s = pairs[-1]
        direction *= float(y @ s) / float(y @ y)
    for (y, s), curvature in zip(pairs, curvatures, strict=True):
        direction += (factors.pop() - float(y @ direction) * curvature) * s
    return direction
