"""L-BFGS: Newton's direction from the last gradients, and a line search along it.

The line search finds a step t that satisfies the strong Wolfe conditions: with φ(t) = f(x + t · d),

    φ(t) ≤ φ(0) + c₁ · t · φ'(0)    and    |φ'(t)| ≤ c₂ · |φ'(0)|

Source: Nocedal, Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, in the variant of
minFunc (Schmidt, 2005). The order of operations is that of `torch.optim.LBFGS`, so the steps are
the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, overload

import numpy as np

from ..core.node import unwrap
from ..errors import ArgumentError, DtypeError
from ..support.abstract_array import Array
from ..support.errstate import ignore_float_errors
from ..support.validation import check_integer, check_number, short_repr
from .optimizer import LearningRate, Loss, Optimizer, Parameters, match_form, restore, snapshot

__all__ = ["LBFGS"]

Closure = Callable[[], Any]
MIN_CURVATURE = 1e-10  # pairs with a smaller sᵀy are not stored

C1, C2 = 1e-4, 0.9  # of the strong Wolfe conditions


class Point(NamedTuple):
    """A point on the line: its distance, its loss and gradient, and the slope along the line."""

    step: float
    loss: float  # inf for nan
    gradient: Array
    slope: float


Evaluate = Callable[[float], Point]


class Memory(NamedTuple):
    """The state between iterations."""

    iterations: int
    gradient: Array
    move: Array
    pairs: list[tuple[Array, Array]]  # (y, s): change of the gradient and move, oldest first


class LBFGS(Optimizer):
    r"""Quasi-Newton descent for the full batch: curvature is estimated from the last gradients.

    The direction is -H·g, where H, an estimate of the inverse Hessian, is built from the last
    `history_size` moves s and changes y of the gradient. The distance along it is found by a line
    search for the strong Wolfe conditions, which tries `learning_rate` first. A step makes up to
    `max_iter` such iterations and about `max_eval` evaluations of the loss (default: 5/4 of
    max_iter); it ends early when no entry of the gradient exceeds `tolerance_grad`, or neither the
    loss nor a weight changes by `tolerance_change`.

    The loss must be the same function at each call (all rows, no dropout), so `step` takes a
    closure, which resets the gradients, computes the loss, calls `backward` and returns the loss;
    `step` returns the first of these losses. A loss of nan or inf during the search counts as too
    far. After an error or Ctrl-C in a step, weights and state are restored.

    Raises `ArgumentError` if a count is below 1, a tolerance is negative or groups are passed, and
    the errors of `Optimizer`. `step` raises it if the closure is missing or leaves no gradient.

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
    nonnegative_state = ("iterations",)

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
        if any(x.dtype.kind == "c" for x in self.parameters):
            raise DtypeError(
                f"{where}: parameters must be real, got complex ones; use Adam or SGD, or make the "
                "real and imaginary parts two parameters"
            )
        if self._groups:
            raise ArgumentError(
                f"{where}: parameters must be a list of Values, got {len(self._groups)} groups"
            )

    def restart(self) -> None:
        """Reset the curvature found in earlier steps."""
        super().restart()
        dtype = np.result_type(*(x.dtype for x in self.parameters)) if self.parameters else float
        none = np.zeros(sum(x.size for x in self.parameters), dtype)
        self._memory = Memory(0, none, none, [])

    @overload
    def step(self, closure: None = None) -> NoReturn: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    @ignore_float_errors
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss:
        """Make up to `max_iter` iterations; return the first loss of the closure."""
        if not callable(closure):
            raise ArgumentError(
                "LBFGS.step: closure must be a function that computes the loss and calls backward, "
                f"got {short_repr(closure)}; call optimizer.step(closure)"
            )
        rate = self._rate_of(self.steps)
        before = snapshot(self.parameters), self._memory, self.steps, self.rate
        try:
            loss = closure()
            value, gradient = float(unwrap(loss)), self._flat_gradient()
            if math.isfinite(value) and np.abs(gradient).max(initial=0) > self.tolerance_grad:
                self._memory = self._iterate(closure, rate, value, gradient)
            self.steps, self.rate = self.steps + 1, rate
        except BaseException:
            restore(self.parameters, before[0])
            self._memory, self.steps, self.rate = before[1:]
            raise
        return loss

    def _iterate(self, closure: Closure, rate: float, loss: float, gradient: Array) -> Memory:
        """Run the iterations of a step, from a point with a loss and a gradient."""
        memory, evaluations, x = self._memory, 1, self._flat_data()
        for iteration in range(1, self.max_iter + 1):
            memory = self._remember_move(memory, gradient)
            direction = _compute_direction(memory.pairs, gradient)
            length = rate
            if memory.iterations == 1:
                length = min(1.0, 1.0 / float(np.abs(gradient).sum())) * rate
            slope = float(gradient @ direction)
            memory = memory._replace(move=length * direction)
            if not slope <= -self.tolerance_change:  # or it is nan
                break

            def evaluate(step: float, d: Array = direction, x: Array = x) -> Point:
                self._set_flat_data(x + step * d)
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
        self._set_flat_data(x)
        return memory

    def _remember_move(self, memory: Memory, gradient: Array) -> Memory:
        """Return the memory with the pair of the last move."""
        pairs = memory.pairs
        if memory.iterations:
            change = gradient - memory.gradient
            if float(change @ memory.move) > MIN_CURVATURE:
                pairs = [*pairs, (change, memory.move)][-self.history_size :]
        return Memory(memory.iterations + 1, gradient, memory.move, pairs)

    def _flat_gradient(self) -> Array:
        """Return all gradients in one vector, 0 for None."""
        dtype, pieces, found = self._memory.gradient.dtype, [], False
        for x in self.parameters:
            gradient = x._gradient if x.requires_grad else None
            found = found or gradient is not None
            pieces.append(np.zeros(x.size) if gradient is None else np.ravel(gradient))
        if not found:
            raise ArgumentError(
                "LBFGS.step: closure must call loss.backward(), got gradients that are all None"
            )
        return np.concatenate(pieces, dtype=dtype)

    def _flat_data(self) -> Array:
        dtype = self._memory.gradient.dtype
        return np.concatenate([np.ravel(x._content) for x in self.parameters], dtype=dtype)

    def _set_flat_data(self, flat: Array) -> None:
        """Set the data of the parameters from a flat vector, without a copy."""
        start = 0
        for x in self.parameters:
            piece = flat[start : start + x.size].reshape(x.shape)
            start += x.size
            if x.requires_grad:
                x._replace(match_form(x._content, piece))

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


def _compute_direction(pairs: list[tuple[Array, Array]], gradient: Array) -> Array:
    """Return -H·g by two loops over the pairs, without the matrix H (Nocedal's algorithm 7.4)."""
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


# ---- the line search


def strong_wolfe(
    evaluate: Evaluate, start: Point, step: float, length: float, most: int, tolerance: float
) -> tuple[Point, int]:
    """Return the point to go to, and the number of evaluations, at most `most` + 1.

    `start` is the point at 0, `step` the first to try, `length` the largest entry of the
    direction; a bracket in which all entries move by less than `tolerance` is not refined.
    """
    ends, tried = bracket(evaluate, start, step, most)
    if len(ends) == 1 or tried == most:
        return min(ends, key=lambda point: point.loss), tried + 1
    return zoom(evaluate, start, ends, tried, most, tolerance / length)


def is_too_far(start: Point, new: Point) -> bool:
    """True if the loss did not decrease as the slope at the start predicts."""
    return new.loss > start.loss + C1 * new.step * start.slope


def is_flat(start: Point, new: Point) -> bool:
    """True if the slope is small enough compared with that at the start."""
    return abs(new.slope) <= -C2 * start.slope


def bracket(evaluate: Evaluate, start: Point, step: float, most: int) -> tuple[list[Point], int]:
    """Return an acceptable point or two around one, and the number of extensions."""
    previous, new, tried = start, evaluate(step), 0
    while tried < most:
        if is_too_far(start, new) or (tried > 1 and new.loss >= previous.loss):
            return [previous, new], tried
        if is_flat(start, new):
            return [new], tried
        if new.slope >= 0:
            return [previous, new], tried
        shortest = new.step + 0.01 * (new.step - previous.step)
        step = cubic_minimum(previous, new, shortest, 10 * new.step)
        previous, new, tried = new, evaluate(step), tried + 1
    return [start, new], tried


def zoom(
    evaluate: Evaluate, start: Point, ends: list[Point], tried: int, most: int, narrow: float
) -> tuple[Point, int]:
    """Return an acceptable point between two, and the total number of evaluations."""
    low, high = ends if ends[0].loss <= ends[1].loss else ends[::-1]
    slow = False  # True if the last try came close to an end
    while tried < most:
        left, right = sorted((low.step, high.step))
        if right - left < narrow:
            break
        first, second = (low, high) if low is ends[0] else (high, low)
        step = cubic_minimum(first, second, left, right)
        margin = 0.1 * (right - left)
        close = min(right - step, step - left) < margin
        if close and (slow or step >= right or step <= left):
            step = right - margin if right - step < step - left else left + margin
            close = False
        slow = close
        new, tried = evaluate(step), tried + 1
        place = 0 if high is ends[0] else 1
        if is_too_far(start, new) or new.loss >= low.loss:
            ends[place] = new
            low, high = ends if ends[0].loss <= ends[1].loss else ends[::-1]
            continue
        if is_flat(start, new):
            return new, tried + 1
        if new.slope * (high.step - low.step) >= 0:
            ends[place] = high = low
        ends[1 - place] = low = new
    return low, tried + 1


def cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Return the minimiser, within bounds, of the cubic through two points with their slopes.

    Returns the middle of the bounds if the cubic has no minimum.
    """
    if a.step > b.step:
        a, b = b, a
    try:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
        d2 = math.sqrt(d1 * d1 - a.slope * b.slope)
        found = b.step - (b.step - a.step) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    except (ArithmeticError, ValueError):
        found = math.nan
    return min(max(found, least), most) if math.isfinite(found) else (least + most) / 2
