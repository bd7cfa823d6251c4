"""One weight of a model by its place, and what the others are held at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError, bad_argument
from ...support.abstract_array import Array
from ...support.text_format import number_text
from ..style import DRAWABLE, grouped, literal


class Entry(NamedTuple):
    """An entry of a parameter.

    >>> print(Entry("layers.0.weight", (1, 2)))
    layers.0.weight[1, 2]
    """

    parameter: str
    place: tuple[int, ...]

    def __str__(self) -> str:
        return self.parameter + (f"[{', '.join(map(str, self.place))}]" if self.place else "")

    def track(self, weights: Mapping[str, Array]) -> Array:
        """Its numbers over the records, (records,)."""
        return np.array([record[self.place] for record in weights[self.parameter]], np.float64)

    def put(self, weights: Mapping[str, Array], number: float) -> dict[str, Array]:
        """The weights with another number at this place."""
        parameter = np.array(weights[self.parameter], np.float64)
        parameter[self.place] = number
        return {**weights, self.parameter: parameter}


def entry_of(where: str, weights: Mapping[str, Array], text: str) -> Entry:
    """The entry that is named, as `str(entry)` names it; a parameter of one number needs no place.

    `weights` are the history's, (records, *shape). Raises `ArgumentError` for what is no entry.

    >>> weights = {"weight": np.zeros((5, 2, 1)), "bias": np.zeros((5, 1))}
    >>> entry_of("a picture", weights, "weight[1, 0]"), entry_of("a picture", weights, "bias")
    (Entry(parameter='weight', place=(1, 0)), Entry(parameter='bias', place=(0,)))
    """
    found = re.fullmatch(r"(.*?)(?:\[([\d\s,]*)\])?", str(text), re.DOTALL)
    name, inner = found.groups() if found else (str(text), None)
    if name in weights:
        shape = weights[name].shape[1:]
        if inner is None and weights[name][:1].size == 1:
            return Entry(name, (0,) * len(shape))
        place = tuple(int(i) for i in re.findall(r"\d+", inner or ""))
        if len(place) == len(shape) and all(i < n for i, n in zip(place, shape, strict=True)):
            return Entry(name, place)
    shapes = [f"{literal(name, 60)} {array.shape[1:]}" for name, array in weights.items()]
    wrong = f"{literal(text, 60)!r} is no single weight of the model"
    expected = "an entry such as 'weight[0, 0]' of " + ", ".join(shapes[:8])
    raise ArgumentError(bad_argument(where, wrong, expected=expected, given=literal(text, 60)))


def furthest(weights: Mapping[str, Array]) -> Entry:
    """The entry that moved furthest from its start: of matrices, else of what there is."""
    matrices = {name: w for name, w in weights.items() if w.ndim > 2 and w.size}
    best = -1.0
    found = Entry("", ())
    for name, records in (matrices or weights).items():
        moved = np.abs(records.astype(np.float64) - records[0]).max(axis=0, initial=0.0)
        moved = np.where(np.isfinite(moved), moved, DRAWABLE)
        if moved.size and moved.max() > best:
            best = float(moved.max())
            place = np.unravel_index(int(moved.argmax()), moved.shape)
            found = Entry(name, tuple(int(i) for i in place))
    return found


def label(entry: Entry, at: Mapping[str, Array], names: Sequence[str]) -> str:
    """The weight by what it multiplies, or by its place in the network."""
    matrices = [name for name, array in at.items() if array.ndim > 1]
    shape = at[entry.parameter].shape
    if matrices == [entry.parameter] and shape == (len(names), 1):
        return f"w, the weight of {names[entry.place[0]]}"
    return f"w = {entry}"


def held(at: Mapping[str, Array], shown: Sequence[Entry], step: int | None) -> str:
    """Where the weights that are not shown are held, in words: at the end, or as at a step."""
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
    return f"the other {grouped(others)} {plural} held {where if others > 1 else 'still'}"
