"""The loss over one weight, with all others held: a slice through the hill that was descended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ...support.abstract_array import Array
from ..style import DRAWABLE
from .parameter_entry import Entry, furthest, held, label

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
    """The loss over one weight with the others held, and the path that descent took.

    The weight is `entry`, or the one that moved furthest; the others are held where they ended,
    or as in `at`.

    - `name`: of the weight, for its axis
    - `held`: where the other weights are held, in words
    - `ends`, `lowest`: the weight that descent left behind, and the loss there
    - `kept_early`: whether those are not the weights of the last step
    - `bottom`: the weight at the bottom of the valley, where one is near
    - `center`: the middle of the picture: the bottom, or where descent ended
    - `reach`: half the width of the picture
    """

    def __init__(
        self,
        history: Run,
        loss_at: Callable[[Mapping[str, Array]], float],
        names: Sequence[str],
        entry: Entry | None = None,
        at: Mapping[str, Array] | None = None,
    ) -> None:
        self._loss_at = loss_at
        last = kept(history)
        self._at = at or {name: records[last] for name, records in history.weights.items()}
        self._entry = entry or furthest(history.weights)
        self._track = self._entry.track(history.weights)
        self._steps = np.asarray(history.weight_steps)
        self.ends = float(self._track[last])
        self.lowest = self.loss(self.ends)
        self.bottom, self.reach = self._window()
        self.center = self.ends if self.bottom is None else self.bottom
        self.kept_early = last != len(self._track) - 1
        step = history.weight_steps[last] if self.kept_early else None
        self.held = held(self._at, [self._entry], step)
        self.name = label(self._entry, self._at, names)

    def loss(self, w: float) -> float:
        """The loss with this weight at w and the others where they are held."""
        return self._loss_at(self._entry.put(self._at, w))

    def curve(self) -> tuple[Array, Array]:
        """The slice: w from end to end of the picture, and the loss there."""
        w = np.linspace(self.center - self.reach, self.center + self.reach, 121)
        return w, np.array([self.loss(float(one)) for one in w])

    def lowest_point(self) -> float | None:
        """The weight with the least loss in the picture, unless that is at its edge."""
        if self.bottom is not None:
            return self.bottom
        w, hill = self.curve()
        place = int(np.argmin(np.where(np.isfinite(hill), hill, np.inf)))
        inside = 0 < place < len(w) - 1 and hill[place] < max(hill[place - 1], hill[place + 1])
        return float(w[place]) if inside else None

    def show(self, center: float, reach: float) -> None:
        """Show another part of the slice: so far to either side of a center."""
        self.center, self.reach = center, reach

    def path(self) -> tuple[Array, Array, Array]:
        """Where descent took w: the steps (the first ones all), w there, the slice's loss there."""
        track = self._followed()
        outside = np.abs(track - self.center) > (1 + 1e-9) * self.reach
        track = track[: int(outside.argmax()) + 1] if outside.any() else track
        chosen = np.arange(len(track))
        if len(track) > MOST:
            later = np.geomspace(DENSE, len(track) - 1, MOST - DENSE).round().astype(int)
            chosen = np.unique(np.concatenate([chosen[:DENSE], later]))
        w = track[chosen]
        return self._steps[chosen], w, np.array([self.loss(float(one)) for one in w])

    def slope(self, w: float) -> float:
        """The slope of the slice at w, by a central difference."""
        reach = 0.01 * self.reach
        rise = self.loss(w + reach) - self.loss(w - reach)
        return rise / (2 * reach)

    def _followed(self) -> Array:
        """The path up to where it leaves the picture for good, two steps at least."""
        away = np.abs(self._track - self.ends)
        return self._track[: followed(away, abs(float(self._track[0])))]

    def _window(self) -> tuple[float | None, float]:
        """The bottom of the valley where it is near, and half the width, which shows the path.

        Through three losses goes one parabola; its lowest point counts if the loss is lower there.
        """
        track = self._followed()
        track = track[np.abs(track) < DRAWABLE]
        reach = float(np.abs(track - self.ends).max(initial=0.0))
        h = reach or max(abs(self.ends), 1.0)
        left, right = self.loss(self.ends - h), self.loss(self.ends + h)
        bend = left + right - 2 * self.lowest
        if math.isfinite(bend) and bend > 0:
            bottom = self.ends + 0.5 * h * (left - right) / bend
            there = self.loss(bottom)
            drop = (left - right) ** 2 / (8 * bend)  # of an exact parabola
            exact = abs(self.lowest - there - drop) <= 1e-3 * drop
            if there <= self.lowest and (exact or abs(bottom - self.ends) <= 2 * h):
                reach = max(reach, float(np.abs(track - bottom).max(initial=0.0)))
                return bottom, 1.25 * (reach or h)
        return None, 1.25 * (reach or h)


def followed(away: Array, first: float) -> int:
    """How many points of a path are shown: up to where it leaves for good, three at least.

    `away` is each point's distance from where descent ended, `first` a distance that is in sight.
    """
    near = max(float(away[:2].max(initial=0.0)), first if math.isfinite(first) else 0.0)
    beyond = ~(away <= FAR * (near or 1.0)) | ~(away < DRAWABLE)
    end = int(np.argmax(beyond)) if beyond.any() else len(away)
    return max(end, min(3, len(away)))


def kept(history: Run) -> int:
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
