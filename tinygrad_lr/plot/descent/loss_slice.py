"""The loss over one weight, with all others held: a slice through the loss surface."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError
from ...support.abstract_array import Array
from ...support.text_format import group_digits, number_text
from ...support.validation import short_repr
from ..style import DRAWABLE, clean_name
from .frame_selection import HistoryLike, count_in_sight, find_final_record, thin_path

POINTS = 121  # at which a slice is computed


def sample_loss(loss: Callable[[float], float], center: float, reach: float) -> tuple[Array, Array]:
    """Return the weights across a picture, and the loss at each."""
    w = np.linspace(center - reach, center + reach, POINTS)
    return w, np.array([loss(float(one)) for one in w])


class ParameterEntry(NamedTuple):
    """An entry of a parameter.

    >>> print(ParameterEntry("layers.0.weight", (1, 2)))
    layers.0.weight[1, 2]
    """

    parameter: str
    place: tuple[int, ...]

    def __str__(self) -> str:
        return self.parameter + (f"[{', '.join(map(str, self.place))}]" if self.place else "")

    def track(self, weights: Mapping[str, Array]) -> Array:
        """Return the entry in each record, (records,)."""
        return np.array([record[self.place] for record in weights[self.parameter]], np.float64)

    def put(self, weights: Mapping[str, Array], number: float) -> dict[str, Array]:
        """Return the weights with another number for this entry."""
        parameter = np.array(weights[self.parameter], np.float64)
        parameter[self.place] = number
        return {**weights, self.parameter: parameter}


def parse_entry(where: str, weights: Mapping[str, Array], text: str) -> ParameterEntry:
    """Return the entry with this name, as in `str(entry)`; a single number needs no index.

    `weights` are the history's, (records, *shape). Raises `ArgumentError` for any other name.

    >>> weights = {"weight": np.zeros((5, 2, 1)), "bias": np.zeros((5, 1))}
    >>> parse_entry("a picture", weights, "weight[1, 0]"), parse_entry("a picture", weights, "bias")
    (ParameterEntry(parameter='weight', place=(1, 0)), ParameterEntry(parameter='bias', place=(0,)))
    """
    text = text if isinstance(text, str) else short_repr(text)
    found = re.fullmatch(r"(.*?)(?:\[([\d\s,]*)\])?", text, re.DOTALL)
    name, inner = found.groups() if found else (text, None)
    if name in weights:
        shape = weights[name].shape[1:]
        if inner is None and weights[name][:1].size == 1:
            return ParameterEntry(name, (0,) * len(shape))
        place = tuple(int(i) for i in re.findall(r"\d+", inner or ""))
        if len(place) == len(shape) and all(i < n for i, n in zip(place, shape, strict=True)):
            return ParameterEntry(name, place)
    shapes = [f"{clean_name(name, 60)} {array.shape[1:]}" for name, array in weights.items()]
    raise ArgumentError(
        f"{where}: weight must be a single entry, such as 'weight[0, 0]', of "
        f"{', '.join(shapes[:8])}, got {clean_name(text, 60)!r}"
    )


def find_furthest_entry(weights: Mapping[str, Array]) -> ParameterEntry:
    """Return the entry that moved furthest from its start: of a matrix, if there is one."""
    matrices = {name: w for name, w in weights.items() if w.ndim > 2 and w.size}
    best = -1.0
    found = ParameterEntry("", ())
    for name, records in (matrices or weights).items():
        moved = np.abs(records.astype(np.float64) - records[0]).max(axis=0, initial=0.0)
        moved = np.where(np.isfinite(moved), moved, DRAWABLE)
        if moved.size and moved.max() > best:
            best = float(moved.max())
            place = np.unravel_index(int(moved.argmax()), moved.shape)
            found = ParameterEntry(name, tuple(int(i) for i in place))
    return found


def label_entry(entry: ParameterEntry, at: Mapping[str, Array], names: Sequence[str]) -> str:
    """Return the weight's label: the feature it multiplies, or its entry in the network."""
    matrices = [name for name, array in at.items() if array.ndim > 1]
    shape = at[entry.parameter].shape
    if matrices == [entry.parameter] and shape == (len(names), 1):
        return f"w, the weight of {names[entry.place[0]]}"
    return f"w = {entry}"


def describe_held(
    at: Mapping[str, Array], shown: Sequence[ParameterEntry], step: int | None
) -> str:
    """Describe in a phrase where the other weights are held: at the end, or as at a step."""
    others = sum(array.size for array in at.values()) - len(shown)
    where = "where they ended" if step is None else f"as at step {step}"
    if not others:
        return ""
    rest = {name: array for name, array in at.items() if name not in {e.parameter for e in shown}}
    if others == 1 and len(rest) == 1:
        ((name, array),) = rest.items()
        number = number_text(float(array.reshape(())))
        return f"{name} held at {number}" + ("" if step is None else f", as at step {step}")
    plural = "weights" if others > 1 else "weight"
    return f"the other {group_digits(others)} {plural} held {where if others > 1 else 'still'}"


class LossSlice:
    """The loss over one weight with the others held, and the path that descent took.

    The weight is `entry`, or the one that moved furthest; the others are held where they ended,
    or as in `at`.

    - `name`: the weight's label, for its axis
    - `held`: a phrase that says where the other weights are held
    - `ends`, `lowest`: the final weight, and the loss there
    - `kept_early`: True if those are not the weights of the last step
    - `bottom`: the weight at the bottom of the valley, or None if none is near
    - `center`: the center of the picture: the bottom, or the final weight
    - `reach`: half the width of the picture
    """

    def __init__(
        self,
        history: HistoryLike,
        loss_at: Callable[[Mapping[str, Array]], float],
        names: Sequence[str],
        entry: ParameterEntry | None = None,
        at: Mapping[str, Array] | None = None,
    ) -> None:
        self._loss_at = loss_at
        last = find_final_record(history)
        self._at = at or {name: records[last] for name, records in history.weights.items()}
        self._entry = entry or find_furthest_entry(history.weights)
        self._track = self._entry.track(history.weights)
        self._steps = np.asarray(history.weight_steps)
        self.ends = float(self._track[last])
        self.lowest = self.loss(self.ends)
        self.bottom, self.reach = self._window()
        self.center = self.ends if self.bottom is None else self.bottom
        self.kept_early = last != len(self._track) - 1
        step = history.weight_steps[last] if self.kept_early else None
        self.held = describe_held(self._at, [self._entry], step)
        self.name = label_entry(self._entry, self._at, names)

    def loss(self, w: float) -> float:
        """Return the loss with this weight at w and the others held."""
        return self._loss_at(self._entry.put(self._at, w))

    def curve(self) -> tuple[Array, Array]:
        """Return w across the picture, and the loss at each."""
        return sample_loss(self.loss, self.center, self.reach)

    def lowest_point(self) -> float | None:
        """Return the weight with the smallest loss in the picture, None if it is at the edge."""
        if self.bottom is not None:
            return self.bottom
        w, hill = self.curve()
        place = int(np.argmin(np.where(np.isfinite(hill), hill, np.inf)))
        inside = 0 < place < len(w) - 1 and hill[place] < max(hill[place - 1], hill[place + 1])
        return float(w[place]) if inside else None

    def show(self, center: float, reach: float) -> None:
        """Show another part of the slice: `reach` to either side of a center."""
        self.center, self.reach = center, reach

    def path(self) -> tuple[Array, Array, Array]:
        """Return the path of w: steps (all of the first ones), w, and the loss on the slice."""
        track = self._followed()
        outside = np.abs(track - self.center) > (1 + 1e-9) * self.reach
        track = track[: int(outside.argmax()) + 1] if outside.any() else track
        chosen = thin_path(len(track))
        w = track[chosen]
        return self._steps[chosen], w, np.array([self.loss(float(one)) for one in w])

    def slope(self, w: float) -> float:
        """Return the slope of the slice at w, by a central difference."""
        reach = 0.01 * self._resolved(self.reach)
        rise = self.loss(w + reach) - self.loss(w - reach)
        return rise / (2 * reach)

    def _followed(self) -> Array:
        """Return the path until it leaves the picture for good, at least two steps."""
        away = np.abs(self._track - self.ends)
        return self._track[: count_in_sight(away, abs(float(self._track[0])))]

    def _resolved(self, reach: float) -> float:
        """Return a distance over which differences of the loss have digits.

        That is the reach of the path, but its first step if the run diverges: at 10⁶ times the
        distance to the minimum, a square in the loss leaves no digit for the slope.
        """
        moved = np.abs(np.diff(self._track[:2]))
        first = float(moved[0]) if moved.size else 0.0
        return first if first and reach > 1e6 * first else reach

    def _window(self) -> tuple[float | None, float]:
        """Return the bottom of the valley, if near, and half the width that shows the path.

        A parabola through three losses has its lowest point there, if the loss is lower there.
        """
        track = self._followed()
        track = track[np.abs(track) < DRAWABLE]
        reach = float(np.abs(track - self.ends).max(initial=0.0))
        h = self._resolved(reach) or max(abs(self.ends), 1.0)
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
