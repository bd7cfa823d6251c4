"""Interpolation on Values, in the nodes, the values there, and where it is evaluated.

`scipy.interpolate` converts its arguments with np.asarray, so it takes no Values: these have the
same names and arguments.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.interpolate

from ..core.node import unwrap
from ..errors import ArgumentError
from ..ops.activation import as_floats
from ..support.abstract_array import AbstractArray, check_numbers, take_rows
from ..support.validation import as_input, check_choice, check_integer, short_repr
from .equivalents import as_real, names_of


def _require_increasing(x: Any, where: str) -> None:
    if not np.all(np.diff(x) > 0):
        raise ArgumentError(f"{where}: x must increase from node to node")


def _as_floats(where: str, name: str, x: Any) -> Any:
    return as_floats(x if isinstance(x, AbstractArray) else as_input(where, name, x))


def _check_nodes(where: str, x: Any, y: Any, axis: int) -> tuple[Any, Any, int]:
    """Return nodes and values as floats, the values with the axis of the nodes first; the axis."""
    x, y = _as_floats(where, "x", x), _as_floats(where, "y", y)
    axis = check_integer(where, "axis", axis, low=-max(1, np.ndim(y)))
    lengths = np.shape(y)[axis : axis + 1 or None]
    if np.ndim(x) != 1 or np.size(x) < 2 or lengths != np.shape(x):
        raise ArgumentError(
            f"{where}: y must have a value for each of n >= 2 nodes along axis {axis}, got nodes "
            f"of shape {np.shape(x)} and values of shape {np.shape(y)}"
        )
    check_numbers(unwrap(x), functools.partial(_require_increasing, where=where))
    return x, y if axis == 0 else np.moveaxis(y, axis, 0), axis % np.ndim(y)


def _take(table: Any, i: Any) -> Any:
    """Return rows of a table, which may be a plain array though the index is not."""
    return take_rows(table, i) if isinstance(table, np.ndarray) else table[i]


def _move_back(out: Any, count: int, axis: int) -> Any:
    """Return results with the `count` axes of the points where the axis of the nodes was."""
    if not axis or not count:
        return out
    return np.moveaxis(out, tuple(range(count)), tuple(range(axis, axis + count)))


class CubicSpline:
    """A curve of cubic pieces with two continuous derivatives, as `scipy.interpolate.CubicSpline`.

    `x` are the n >= 2 nodes, `y` the values there, along `axis`. `bc_type` is "not-a-knot",
    "natural", "clamped", or a pair of these or of (order, value) for the two ends.

    >>> spline = CubicSpline(np.arange(4.0), np.arange(4.0) ** 3)
    >>> float(spline(1.5)), float(spline(1.5, 1))
    (3.375, 6.75)
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot") -> None:
        self.x, self.y, self.axis = _check_nodes("CubicSpline", x, y, axis)
        self.slopes = _slopes(self.x, self.y, _ends(bc_type, np.size(self.x)))

    def __call__(self, x: Any, nu: int = 0) -> Any:
        """Return the curve at x, or its derivative of order `nu`, beyond the ends too."""
        check_choice("CubicSpline", "nu", nu, (0, 1, 2, 3))
        x = _as_floats("CubicSpline", "x", x)
        return _move_back(self._evaluate(x, nu), np.ndim(x), self.axis)

    def _evaluate(self, x: Any, nu: int) -> Any:
        position = np.searchsorted(unwrap(self.x), unwrap(x), side="right") - 1
        i = np.clip(position, 0, np.shape(self.x)[0] - 2)
        axes = (..., *[None] * (np.ndim(self.y) - 1))
        start = _take(self.x, i)
        h = (_take(self.x, i + 1) - start)[axes]
        t = (x - start)[axes]
        height = _take(self.y, i)
        rise = (_take(self.y, i + 1) - height) / h
        left, right = _take(self.slopes, i), _take(self.slopes, i + 1)
        c = (left + right - 2 * rise) / (h * h)
        b = (rise - left) / h - c * h
        match nu:
            case 0:
                return height + t * (left + t * (b + t * c))
            case 1:
                return left + t * (2 * b + t * (3 * c))
            case 2:
                return 2 * b + t * (6 * c)
        return 6 * c + 0 * t


def _ends(bc_type: Any, n: int) -> list[Any]:
    """Return what holds at the two ends: "not-a-knot", or (order of a derivative, value)."""
    if isinstance(bc_type, str):
        check_choice("CubicSpline", "bc_type", bc_type, ("not-a-knot", "natural", "clamped"))
        bc_type = (bc_type, bc_type)
    named = {"natural": (2, 0.0), "clamped": (1, 0.0), "not-a-knot": "not-a-knot"}
    given = bc_type if isinstance(bc_type, (list, tuple)) else ()
    ends = [named.get(end) if isinstance(end, str) else end for end in given]
    if len(ends) != 2 or not all(map(_is_end, ends)):
        raise ArgumentError(
            "CubicSpline: bc_type must be 'not-a-knot', 'natural', 'clamped' or two of them or of "
            f"pairs of an order (1 or 2) and a value, got {short_repr(bc_type)}"
        )
    if n == 3 and ends == ["not-a-knot", "not-a-knot"]:
        return ["one parabola", "one parabola"]
    return [(2, 0.0) if n == 2 and end == "not-a-knot" else end for end in ends]


def _is_end(end: Any) -> bool:
    pair = isinstance(end, (list, tuple)) and len(end) == 2 and end[0] in (1, 2)
    return pair or (isinstance(end, str) and end == "not-a-knot")


def _slopes(x: Any, y: Any, ends: list[Any]) -> Any:
    """The derivatives at the nodes: equal second derivatives from both sides, and two ends."""
    n = np.shape(x)[0]
    h = x[1:] - x[:-1]
    wide = np.reshape(h, (n - 1, *[1] * (np.ndim(y) - 1)))
    rise = (y[1:] - y[:-1]) / wide
    (first, low), (last, high) = (
        _end_row(end, h[::step], wide[::step], rise[::step], step)
        for end, step in zip(ends, (1, -1), strict=True)
    )
    matrix = (
        np.diag(np.concatenate([first[:1], 2 * (h[:-1] + h[1:]), last[:1]]))
        + np.diag(np.concatenate([first[1:], h[:-1]]), 1)
        + np.diag(np.concatenate([h[1:], last[1:]]), -1)
    )
    inside = 3 * (wide[1:] * rise[:-1] + wide[:-1] * rise[1:])
    right = np.concatenate([np.expand_dims(low, 0), inside, np.expand_dims(high, 0)])
    return np.reshape(np.linalg.solve(matrix, np.reshape(right, (n, -1))), np.shape(y))


def _end_row(end: Any, h: Any, wide: Any, rise: Any, sign: int) -> tuple[Any, Any]:
    """The equation of an end: its factors of the slopes there and next to it; its right side."""
    if end == "one parabola":
        return np.ones(2), 2 * rise[0]
    if end == "not-a-knot":  # one cubic over the first two pieces
        span, d = h[0] + h[1], wide[0] + wide[1]
        right = ((wide[0] + 2 * d) * wide[1] * rise[0] + wide[0] * wide[0] * rise[1]) / d
        return np.stack([h[1], span]), right
    order, value = end
    if order == 1:
        return np.array([1.0, 0.0]), value + 0 * rise[0]
    return np.array([2.0, 1.0]), 3 * rise[0] - sign * 0.5 * wide[0] * value


class interp1d:  # noqa: N801  # SciPy's name
    """Straight lines or a cubic spline between points, as `scipy.interpolate.interp1d`.

    `kind` is "linear" or "cubic"; the values `y` lie along `axis`. Outside the nodes a result is
    `fill_value` (a number, two for below and above, or "extrapolate"), or with none given, an
    error.

    >>> float(interp1d(np.array([0.0, 1.0]), np.array([0.0, 10.0]))(0.25))
    2.5
    """

    def __init__(
        self, x: Any, y: Any, kind: str = "linear", axis: int = -1, *, fill_value: Any = None
    ) -> None:
        kind = check_choice("interp1d", "kind", kind, ("linear", "cubic"))
        self.x, self.y, self.axis = _check_nodes("interp1d", x, y, axis)
        if isinstance(fill_value, str):
            check_choice("interp1d", "fill_value", fill_value, ("extrapolate",))
        pair = isinstance(fill_value, (list, tuple))
        if pair and len(fill_value) != 2:
            raise ArgumentError(
                "interp1d: fill_value must be a number, two numbers or 'extrapolate', got "
                f"{short_repr(fill_value)}"
            )
        self.fill_value = fill_value
        if fill_value is not None and not isinstance(fill_value, str):
            for number in fill_value if pair else (fill_value,):
                as_real("interp1d", "fill_value", number)
        self._fill = tuple(fill_value) if pair else (fill_value, fill_value)
        self._spline = CubicSpline(self.x, self.y) if kind == "cubic" else None

    def __call__(self, x: Any) -> Any:
        """Return the curve at x."""
        x = _as_floats("interp1d", "x", x)
        return _move_back(self._evaluate(x), np.ndim(x), self.axis)

    def _evaluate(self, x: Any) -> Any:
        nodes, at = unwrap(self.x), unwrap(x)
        below, above = np.less(at, nodes[0]), np.greater(at, nodes[-1])
        outside = np.logical_or(below, above)
        if self.fill_value is None:
            check_numbers(outside, _require_inside)
        if self._spline is not None:
            out = self._spline(x)
        else:
            i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, np.shape(nodes)[0] - 2)
            axes = (..., *[None] * (np.ndim(self.y) - 1))
            start, height = _take(self.x, i), _take(self.y, i)
            rise = (_take(self.y, i + 1) - height) / (_take(self.x, i + 1) - start)[axes]
            out = height + (x - start)[axes] * rise
        if self.fill_value is None or isinstance(self.fill_value, str):
            return out
        for mask, fill in zip((below, above), self._fill, strict=True):
            shape = (*np.shape(mask), *[1] * (np.ndim(self.y) - 1))
            out = np.where(np.reshape(mask, shape), fill, out)
        return out


def _require_inside(outside: Any) -> None:
    if np.any(outside):
        raise ArgumentError(
            "interp1d: x must be between the first and the last node; pass "
            "fill_value='extrapolate' or a number to go beyond"
        )


__getattr__ = names_of(scipy.interpolate, __name__)
