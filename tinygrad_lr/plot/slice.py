"""The loss over one weight, with all others held: a slice through the hill that was descended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .style import DRAWABLE, short

Array = np.ndarray[Any, np.dtype[Any]]

DENSE, MOST = 12, 40  # points of the path: the first ones all, later ones ever fewer
FAR = 4.0  # a path that runs away is shown up to this many times its first distance


class Run(Protocol):
    """What a descent left behind, as `tinygrad_lr.fit` returns it."""

    losses: list[float]
    weights: dict[str, Array]
    weight_steps: list[int]
    steps: int
    reason: str
    learning_rate: float


class Slice:
    """The weight that moved furthest, the loss over it, and the path that descent took.

    - `name`: of the weight, for its axis
    - `held`: where the other weights are held, in words
    - `ends`, `lowest`: the weight that descent left behind, and the loss there
    - `kept_early`: whether those are not the weights of the last step
    - `center`: the middle of the picture, the bottom of the valley where it is near
    """

    def __init__(
        self,
        history: Run,
        loss_at: Callable[[Mapping[str, Array]], float],
        names: Sequence[str],
    ) -> None:
        self._loss_at = loss_at
        last = _kept(history)
        self._at = {name: np.array(records[last]) for name, records in history.weights.items()}
        self._parameter, self._place = _furthest(history.weights)
        records = history.weights[self._parameter]
        self._track = np.array([record[self._place] for record in records], np.float64)
        self._steps = np.asarray(history.weight_steps)
        self.ends = float(self._track[last])
        self.lowest = self.loss(self.ends)
        self.center, self._reach = self._window()
        self.kept_early = last != len(records) - 1
        step = history.weight_steps[last] if self.kept_early else None
        self.held = _told(self._at, self._parameter, step)
        self.name = _named(self._at, self._parameter, self._place, names)

    def loss(self, w: float) -> float:
        """The loss with this weight at w and the others where they are held."""
        parameter = self._at[self._parameter].copy()
        parameter[self._place] = w
        return self._loss_at({**self._at, self._parameter: parameter})

    def curve(self) -> tuple[Array, Array]:
        """The slice: w from end to end of the picture, and the loss there."""
        w = np.linspace(self.center - self._reach, self.center + self._reach, 121)
        return w, np.array([self.loss(float(one)) for one in w])

    def path(self) -> tuple[Array, Array, Array]:
        """Where descent took w: the steps (the first ones all), w there, the slice's loss there."""
        track = self._followed()
        chosen = np.arange(len(track))
        if len(track) > MOST:
            later = np.geomspace(DENSE, len(track) - 1, MOST - DENSE).round().astype(int)
            chosen = np.unique(np.concatenate([chosen[:DENSE], later]))
        w = track[chosen]
        return self._steps[chosen], w, np.array([self.loss(float(one)) for one in w])

    def slope(self, w: float) -> float:
        """The slope of the slice at w, by a central difference."""
        reach = 0.01 * self._reach
        rise = self.loss(w + reach) - self.loss(w - reach)
        return rise / (2 * reach)

    def _followed(self) -> Array:
        """The path up to where it leaves the picture for good, two steps at least."""
        track = self._track
        away = np.abs(track - self.ends)
        first = max(float(away[:2].max(initial=0.0)), float(np.abs(track[:1]).max(initial=0.0)))
        beyond = ~(away <= FAR * (first or 1.0)) | ~(np.abs(track) < DRAWABLE)
        end = int(np.argmax(beyond)) if beyond.any() else len(track)
        return track[: max(end, min(3, len(track)))]

    def _window(self) -> tuple[float, float]:
        """The middle and half the width: the path, and the bottom of the valley where it is near.

        Through three losses goes one parabola; its lowest point counts if the loss is lower there.
        """
        track = self._followed()
        track = track[np.abs(track) < DRAWABLE]
        reach = float(np.abs(track - self.ends).max(initial=0.0))
        center = self.ends
        h = reach or max(abs(center), 1.0)
        left, right = self.loss(center - h), self.loss(center + h)
        bend = left + right - 2 * self.lowest
        if math.isfinite(bend) and bend > 0:
            bottom = center + 0.5 * h * (left - right) / bend
            there = self.loss(bottom)
            drop = (left - right) ** 2 / (8 * bend)  # of an exact parabola
            exact = abs(self.lowest - there - drop) <= 1e-3 * drop
            if there <= self.lowest and (exact or abs(bottom - center) <= 2 * h):
                center, reach = bottom, max(reach, float(np.abs(track - bottom).max(initial=0.0)))
        return center, 1.25 * (reach or h)


def _kept(history: Run) -> int:
    """The record of the weights that were left behind: the last, or the best after a divergence."""
    records = len(history.weight_steps)
    steps = [step for step in history.weight_steps if step < len(history.losses)]
    whole = [
        all(bool(np.isfinite(w[i]).all()) for w in history.weights.values()) for i in range(records)
    ]
    if history.reason != "diverged" and whole[-1]:
        return records - 1
    good = [i for i in range(len(steps)) if whole[i] and math.isfinite(history.losses[steps[i]])]
    return min(good, key=lambda i: history.losses[steps[i]], default=0)


def _furthest(weights: Mapping[str, Array]) -> tuple[str, tuple[int, ...]]:
    """The entry that moved furthest from its start: of matrices, else of what there is."""
    matrices = {name: w for name, w in weights.items() if w.ndim > 2 and w.size}
    best = -1.0
    found: tuple[str, tuple[int, ...]] = ("", ())
    for name, records in (matrices or weights).items():
        moved = np.abs(records.astype(np.float64) - records[0]).max(axis=0, initial=0.0)
        moved = np.where(np.isfinite(moved), moved, DRAWABLE)
        if moved.size and moved.max() > best:
            best = float(moved.max())
            place = np.unravel_index(int(moved.argmax()), moved.shape)
            found = name, tuple(int(i) for i in place)
    return found


def _named(
    at: Mapping[str, Array], parameter: str, place: tuple[int, ...], names: Sequence[str]
) -> str:
    """The weight by what it multiplies, or by its place in the network."""
    matrices = [name for name, array in at.items() if array.ndim > 1]
    shape = at[parameter].shape
    if matrices == [parameter] and shape == (len(names), 1):
        return f"w, the weight of {names[place[0]]}"
    entry = f"[{', '.join(map(str, place))}]" if place else ""
    return f"w = {parameter}{entry}"


def _told(at: Mapping[str, Array], parameter: str, step: int | None) -> str:
    """Where the other weights are held, in words."""
    others = sum(array.size for array in at.values()) - 1
    where = "where they ended" if step is None else f"as at step {step}"
    if not others:
        return ""
    rest = {name: array for name, array in at.items() if name != parameter}
    if others == 1 and len(rest) == 1:
        ((name, array),) = rest.items()
        return f"{name} held at {short(float(array.reshape(())))}" + (
            "" if step is None else f", as at step {step}"
        )
    return f"the other {others:,} weights held {where}".replace(",", " ")
