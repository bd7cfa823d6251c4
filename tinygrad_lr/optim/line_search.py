"""A line search for the strong Wolfe conditions: how far to go in a direction.

A step t is far enough and not too far where, with φ(t) = f(x + t · d),

    φ(t) ≤ φ(0) + c₁ · t · φ'(0)    and    |φ'(t)| ≤ c₂ · |φ'(0)|

Source: Nocedal, Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, in the variant of
minFunc (Schmidt, 2005) that `torch.optim.LBFGS` has, in its order, so that the steps are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..support.abstract_array import Array

C1, C2 = 1e-4, 0.9


class Point(NamedTuple):
    """A point on the line: how far it is, its loss and gradient, and the slope along the line."""

    step: float
    loss: float  # inf where it is no number
    gradient: Array
    slope: float


Evaluate = Callable[[float], Point]


def strong_wolfe(
    evaluate: Evaluate, start: Point, step: float, length: float, most: int, tolerance: float
) -> tuple[Point, int]:
    """The point to go to, and how many were evaluated, at most `most` + 1.

    `start` is the point at 0, `step` the first to try, `length` the largest entry of the
    direction; a bracket in which all entries move by less than `tolerance` is not refined.
    """
    ends, tried = bracket(evaluate, start, step, most)
    if len(ends) == 1 or tried == most:
        return min(ends, key=lambda point: point.loss), tried + 1
    return zoom(evaluate, start, ends, tried, most, tolerance / length)


def too_far(start: Point, new: Point) -> bool:
    """Whether the loss did not fall as the slope at the start promises."""
    return new.loss > start.loss + C1 * new.step * start.slope


def is_flat(start: Point, new: Point) -> bool:
    """Whether the slope is small enough beside that at the start."""
    return abs(new.slope) <= -C2 * start.slope


def bracket(evaluate: Evaluate, start: Point, step: float, most: int) -> tuple[list[Point], int]:
    """A point that will do, or two with one between them; and how many steps were lengthened."""
    previous, new, tried = start, evaluate(step), 0
    while tried < most:
        if too_far(start, new) or (tried > 1 and new.loss >= previous.loss):
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
    """The point that will do, sought between two; and how many were evaluated in all."""
    low, high = ends if ends[0].loss <= ends[1].loss else ends[::-1]
    slow = False  # whether the last try came close to an end
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
        if too_far(start, new) or new.loss >= low.loss:
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
    """Where the cubic through two points with their slopes is least, within bounds.

    The middle of the bounds where it has no minimum.
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
