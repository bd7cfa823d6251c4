"""Interpolation on Values, in the nodes, the values there, and where it is evaluated.

`scipy.interpolate` converts its arguments with np.asarray, so it takes no Values: these have the
same names and arguments.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
import scipy.interpolate

from ..core.creation import Nest, Plain
from ..core.node import unwrap
from ..core.value import Value
from ..errors import ArgumentError
from ..ops.activation import as_floats
from ..support.abstract_array import AbstractArray, check_numbers
from ..support.validation import as_input, check_choice, check_flag, check_integer, short_repr
from .equivalents import as_real, names_of, take

R_co = TypeVar("R_co", covariant=True)  # of a curve: Value if its nodes or heights are Values


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


def _move_back(out: Any, count: int, axis: int) -> Any:
    """Return results with the `count` axes of the points where the axis of the nodes was."""
    if not axis or not count:
        return out
    return np.moveaxis(out, tuple(range(count)), tuple(range(axis, axis + count)))


class _Cubic(Generic[R_co]):
    """A curve of cubic pieces between nodes, from its values and slopes there."""

    _where = ""

    def __init__(self, x: Any, y: Any, axis: int, extrapolate: bool = True) -> None:
        self.x, self.y, self.axis = _check_nodes(self._where, x, y, axis)
        self.extrapolate = check_flag(self._where, "extrapolate", extrapolate)
        self.slopes: Any = None

    @overload
    def __call__(self, x: Plain, nu: int = 0) -> R_co: ...
    @overload
    def __call__(self, x: Nest, nu: int = 0) -> Value: ...
    def __call__(self, x: Any, nu: int = 0) -> Any:
        """Return the curve at x, or its derivative of order `nu`, beyond the ends too."""
        check_choice(self._where, "nu", nu, (0, 1, 2, 3))
        x = _as_floats(self._where, "x", x)
        return _move_back(self._evaluate(x, nu), np.ndim(x), self.axis)

    def _evaluate(self, x: Any, nu: int) -> Any:
        at, nodes = unwrap(x), unwrap(self.x)
        position = np.searchsorted(nodes, at, side="right") - 1
        i = np.clip(position, 0, np.shape(self.x)[0] - 2)
        axes = (..., *[None] * (np.ndim(self.y) - 1))
        start = take(self.x, i)
        h = (take(self.x, i + 1) - start)[axes]
        t = (x - start)[axes]
        height = take(self.y, i)
        rise = (take(self.y, i + 1) - height) / h
        left, right = take(self.slopes, i), take(self.slopes, i + 1)
        c = (left + right - 2 * rise) / (h * h)
        b = (rise - left) / h - c * h
        out = (
            height + t * (left + t * (b + t * c)),
            left + t * (2 * b + t * (3 * c)),
            2 * b + t * (6 * c),
            6 * c + 0 * t,
        )[nu]
        if self.extrapolate:
            return out
        outside = np.logical_or(np.less(at, nodes[0]), np.greater(at, nodes[-1]))
        return np.where(outside[axes], np.nan, out)


class CubicSpline(_Cubic[R_co]):
    """A curve of cubic pieces with two continuous derivatives, as `scipy.interpolate.CubicSpline`.

    `x` are the n >= 2 nodes, `y` the values there, along `axis`. `bc_type` is "not-a-knot",
    "natural", "clamped", or a pair of these or of (order, value) for the two ends.

    >>> spline = CubicSpline(np.arange(4.0), np.arange(4.0) ** 3)
    >>> round(float(spline(1.5)), 9), round(float(spline(1.5, 1)), 9)
    (3.375, 6.75)
    """

    _where = "CubicSpline"

    @overload
    def __init__(
        self: CubicSpline[Any],
        x: Plain,
        y: Plain,
        axis: int = 0,
        bc_type: str | Sequence[str | tuple[int, Plain]] = "not-a-knot",
    ) -> None: ...
    @overload
    def __init__(
        self: CubicSpline[Value],
        x: Nest,
        y: Nest,
        axis: int = 0,
        bc_type: str | Sequence[str | tuple[int, Nest]] = "not-a-knot",
    ) -> None: ...
    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot") -> None:
        super().__init__(x, y, axis)
        self.slopes = _slopes(self.x, self.y, _ends(bc_type, np.size(self.x)))


class CubicHermiteSpline(_Cubic[R_co]):
    """A curve of cubic pieces with given slopes, as `scipy.interpolate.CubicHermiteSpline`.

    `x` are the nodes, `y` the values there along `axis`, `dydx` the slopes. Beyond the ends it is
    nan unless `extrapolate`.

    >>> float(CubicHermiteSpline([0.0, 1.0], [0.0, 1.0], [0.0, 0.0])(0.25))
    0.15625
    """

    _where = "CubicHermiteSpline"

    @overload
    def __init__(
        self: CubicHermiteSpline[Any],
        x: Plain,
        y: Plain,
        dydx: Plain,
        axis: int = 0,
        extrapolate: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: CubicHermiteSpline[Value],
        x: Nest,
        y: Nest,
        dydx: Nest,
        axis: int = 0,
        extrapolate: bool = True,
    ) -> None: ...
    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: bool = True) -> None:
        super().__init__(x, y, axis, extrapolate)
        slopes = _as_floats(self._where, "dydx", dydx)
        if np.shape(slopes) != np.shape(y):
            raise ArgumentError(
                f"{self._where}: dydx must have the shape of y, {np.shape(y)}, got "
                f"{np.shape(slopes)}"
            )
        self.slopes = np.moveaxis(slopes, self.axis, 0)


class PchipInterpolator(_Cubic[R_co]):
    """A curve of cubic pieces that rises and falls only where the values do.

    As `scipy.interpolate.PchipInterpolator` (Fritsch and Butland, 1984): the slope at a node is the
    weighted harmonic mean of the slopes of the lines beside it, and 0 at an extreme. Beyond the
    ends it is nan unless `extrapolate`.

    >>> float(PchipInterpolator([0.0, 1.0, 2.0], [0.0, 1.0, 1.0])(1.5))
    1.0
    """

    _where = "PchipInterpolator"

    @overload
    def __init__(
        self: PchipInterpolator[Any], x: Plain, y: Plain, axis: int = 0, extrapolate: bool = True
    ) -> None: ...
    @overload
    def __init__(
        self: PchipInterpolator[Value], x: Nest, y: Nest, axis: int = 0, extrapolate: bool = True
    ) -> None: ...
    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: bool = True) -> None:
        super().__init__(x, y, axis, extrapolate)
        self.slopes = _monotone_slopes(self.x, self.y)


def _monotone_slopes(x: Any, y: Any) -> Any:
    n = np.shape(x)[0]
    h = np.reshape(x[1:] - x[:-1], (n - 1, *[1] * (np.ndim(y) - 1)))
    rise = (y[1:] - y[:-1]) / h
    if n == 2:
        return np.concatenate([rise, rise])
    before, after = rise[:-1], rise[1:]
    agree = np.greater(before * after, 0)
    wide, narrow = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    means = wide / np.where(agree, before, 1.0) + narrow / np.where(agree, after, 1.0)
    inside = np.where(agree, (wide + narrow) / means, 0.0)
    ends = [
        _end_slope(h[first], h[second], rise[first], rise[second])
        for first, second in ((0, 1), (-1, -2))
    ]
    first, last = (np.expand_dims(end, 0) for end in ends)
    return np.concatenate([first, inside, last])


def _end_slope(h: Any, h_next: Any, rise: Any, rise_next: Any) -> Any:
    """The slope of a parabola through three nodes at the first of them, kept from turning round."""
    slope = ((2 * h + h_next) * rise - h * rise_next) / (h + h_next)
    slope = np.where(np.greater(slope * rise, 0), slope, 0.0)
    turning = np.less(rise * rise_next, 0) | np.equal(rise * rise_next, 0)
    steep = np.greater(np.abs(slope), 3 * np.abs(rise))
    return np.where(np.logical_and(turning, steep), 3 * rise, slope)


class BSpline(Generic[R_co]):
    """The curve Σ c[i]·Bᵢ(x) of B-splines of degree k on knots t, as `scipy.interpolate.BSpline`.

    There are n = len(t) - k - 1 of them. Differentiable in t, c and x; beyond t[k] and t[n] it is
    nan unless `extrapolate`.

    >>> float(BSpline(np.arange(4.0), np.ones(2), 1)(1.5))
    1.0
    """

    @overload
    def __init__(
        self: BSpline[Any], t: Plain, c: Plain, k: int, extrapolate: bool = True, axis: int = 0
    ) -> None: ...
    @overload
    def __init__(
        self: BSpline[Value], t: Nest, c: Nest, k: int, extrapolate: bool = True, axis: int = 0
    ) -> None: ...
    def __init__(self, t: Any, c: Any, k: int, extrapolate: bool = True, axis: int = 0) -> None:
        where = "BSpline"
        self.k = check_integer(where, "k", k)
        self.t, c = _as_floats(where, "t", t), _as_floats(where, "c", c)
        self.extrapolate = check_flag(where, "extrapolate", extrapolate)
        self.axis = check_integer(where, "axis", axis, low=0)
        n = np.size(self.t) - self.k - 1
        if np.ndim(self.t) != 1 or n < self.k + 1:
            raise ArgumentError(
                f"{where}: t must be a vector of {2 * self.k + 2} knots or more, got shape "
                f"{np.shape(self.t)}"
            )
        if self.axis >= np.ndim(c) or np.shape(c)[self.axis] < n:
            raise ArgumentError(
                f"{where}: c must have {n} coefficients along axis {self.axis}, got shape "
                f"{np.shape(c)}"
            )
        check_numbers(unwrap(self.t), _require_sorted)
        self.c = np.moveaxis(c, self.axis, 0) if self.axis else c
        self._n = n

    @overload
    def __call__(self, x: Plain, nu: int = 0) -> R_co: ...
    @overload
    def __call__(self, x: Nest, nu: int = 0) -> Value: ...
    def __call__(self, x: Any, nu: int = 0) -> Any:
        """Return the curve at x, or its derivative of order `nu`."""
        x = _as_floats("BSpline", "x", x)
        at, knots = unwrap(x), unwrap(self.t)
        nu = check_integer("BSpline", "nu", nu)
        span = np.searchsorted(knots[self.k : self._n + 1], at, side="right") - 1 + self.k
        span = np.clip(span, self.k, self._n - 1)
        axes = (..., *[None] * (np.ndim(self.c) - 1))
        points = [take(self.c, span - self.k + j) for j in range(self.k + 1)]
        for step in range(min(nu, self.k)):  # the coefficients of the derivative
            degree = self.k - step
            points = [
                degree
                * (points[j + 1] - points[j])
                / (self._knot(span + j + 1) - self._knot(span - degree + j + 1))[axes]
                for j in range(degree)
            ]
        if nu > self.k:
            points = [0.0 * points[0]]
        degree = len(points) - 1
        for step in range(1, degree + 1):  # de Boor's recurrence
            points = [
                self._between(points, x, span, j, step, degree, axes)
                for j in range(degree - step + 1)
            ]
        out = points[0]
        if not self.extrapolate:
            ends = knots[self.k], knots[self._n]
            outside = np.logical_or(np.less(at, ends[0]), np.greater(at, ends[1]))
            out = np.where(outside[axes], np.nan, out)
        return _move_back(out, np.ndim(x), self.axis)

    def _knot(self, i: Any) -> Any:
        return take(self.t, i)

    def _between(
        self, points: list[Any], x: Any, span: Any, j: int, step: int, degree: int, axes: Any
    ) -> Any:
        low = self._knot(span - degree + step + j)
        share = ((x - low) / (self._knot(span + j + 1) - low))[axes]
        return (1 - share) * points[j] + share * points[j + 1]


def _require_sorted(t: Any) -> None:
    if np.any(np.diff(t) < 0):
        raise ArgumentError("BSpline: t must not fall from knot to knot")


@overload
def make_interp_spline(x: Plain, y: Plain, k: int = 3, axis: int = 0) -> BSpline[Any]: ...
@overload
def make_interp_spline(x: Nest, y: Nest, k: int = 3, axis: int = 0) -> BSpline[Value]: ...
def make_interp_spline(x: Any, y: Any, k: int = 3, axis: int = 0) -> BSpline[Any]:
    """Return the `BSpline` of odd degree k through points, as `scipy.interpolate`'s.

    Its knots are x without the second node and its like at the end, for k = 3 ("not-a-knot").

    >>> float(make_interp_spline(np.arange(5.0), np.arange(5.0) ** 3)(1.5))
    3.375
    """
    where = "make_interp_spline"
    k = check_integer(where, "k", k, low=1)
    x, y, axis = _check_nodes(where, x, y, axis)
    n = np.shape(x)[0]
    if k % 2 == 0 or n <= k:
        raise ArgumentError(f"{where}: k must be odd and below the number of nodes, {n}, got {k}")
    half = (k + 1) // 2
    inner = x[half : n - half]
    t = np.concatenate([*[x[:1]] * (k + 1), inner, *[x[-1:]] * (k + 1)])
    basis = BSpline(t, np.eye(n), k)(x)
    c = np.reshape(np.linalg.solve(basis, np.reshape(y, (n, -1))), np.shape(y))
    return BSpline(t, np.moveaxis(c, 0, axis), k, axis=axis)


class RegularGridInterpolator(Generic[R_co]):
    """Values on a grid, interpolated between, as `scipy.interpolate.RegularGridInterpolator`.

    `points` are the coordinates along each axis; `values` the numbers there, with further axes if
    there are several. `method` is "linear" or "nearest". Outside the grid a result is `fill_value`
    (None to extrapolate), or with `bounds_error` there is an error. Differentiable in all.

    >>> grid = RegularGridInterpolator(([0.0, 1.0], [0.0, 1.0]), np.array([[0.0, 1.0], [2.0, 3.0]]))
    >>> grid(np.array([0.5, 0.25])).tolist()
    [1.25]
    """

    @overload
    def __init__(
        self: RegularGridInterpolator[Any],
        points: Sequence[Plain],
        values: Plain,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Plain | None = np.nan,
    ) -> None: ...
    @overload
    def __init__(
        self: RegularGridInterpolator[Value],
        points: Sequence[Nest],
        values: Nest,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Nest | None = np.nan,
    ) -> None: ...
    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Any = np.nan,
    ) -> None:
        where = "RegularGridInterpolator"
        self.values = _as_floats(where, "values", values)
        if not isinstance(points, (list, tuple)):
            raise ArgumentError(
                f"{where}: points must be a sequence of vectors, got {short_repr(points)}"
            )
        self.grid = [_as_floats(where, "points", x) for x in points]
        self.method = check_choice(where, "method", method, ("linear", "nearest"))
        self.bounds_error = check_flag(where, "bounds_error", bounds_error)
        self.fill_value = fill_value
        if fill_value is not None:
            as_real(where, "fill_value", fill_value)
        sizes = tuple(np.size(x) for x in self.grid)
        if np.shape(self.values)[: len(sizes)] != sizes or min(sizes, default=0) < 2:
            raise ArgumentError(
                f"{where}: values must have a number for each of two or more points along each "
                f"axis, got {sizes} points and values of shape {np.shape(self.values)}"
            )
        for x in self.grid:
            check_numbers(unwrap(x), functools.partial(_require_increasing, where=where))

    @overload
    def __call__(self, xi: Plain, method: str | None = None) -> R_co: ...
    @overload
    def __call__(self, xi: Nest, method: str | None = None) -> Value: ...
    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Return the values at points xi of shape (..., number of axes)."""
        where, count = "RegularGridInterpolator", len(self.grid)
        method = check_choice(
            where, "method", self.method if method is None else method, ("linear", "nearest")
        )
        if isinstance(xi, tuple) and xi:
            along = [_as_floats(where, "xi", x) for x in xi]
            xi = np.stack(np.broadcast_arrays(*along), axis=-1)
        else:
            xi = np.atleast_2d(_as_floats(where, "xi", xi))
        if np.shape(xi)[-1] != count:
            raise ArgumentError(f"{where}: xi must have shape (..., {count}), got {np.shape(xi)}")
        corners: list[list[tuple[Any, Any]]] = []
        outside: Any = False
        for axis, x in enumerate(self.grid):
            t, nodes = xi[..., axis], unwrap(x)
            at = unwrap(t)
            out = np.logical_or(np.less(at, nodes[0]), np.greater(at, nodes[-1]))
            outside = np.logical_or(outside, out)
            i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, np.shape(nodes)[0] - 2)
            low = take(x, i)
            share = (t - low) / (take(x, i + 1) - low)
            if method == "nearest":
                upper = np.greater(unwrap(share), 0.5)
                corners.append([(np.where(upper, i + 1, i), 1.0)])
            else:
                corners.append([(i, 1 - share), (i + 1, share)])
        if self.bounds_error:
            check_numbers(outside, _require_in_grid)
        shape = np.shape(self.values)
        table = np.reshape(self.values, (-1, *shape[count:]))
        axes = (..., *[None] * (len(shape) - count))
        total: Any = 0.0
        for corner in itertools.product(*corners):
            weight: Any = np.ones(np.shape(outside))
            row: Any = 0
            for (i, factor), size in zip(corner, shape, strict=False):
                weight, row = weight * factor, row * size + i
            total = total + take(table, row) * weight[axes]
        if self.bounds_error or self.fill_value is None:
            return total
        return np.where(outside[axes], self.fill_value, total)


def _require_in_grid(outside: Any) -> None:
    if np.any(outside):
        raise ArgumentError(
            "RegularGridInterpolator: xi must be within the grid; pass bounds_error=False to go "
            "beyond"
        )


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


class interp1d(Generic[R_co]):  # noqa: N801  # SciPy's name
    """Straight lines or a cubic spline between points, as `scipy.interpolate.interp1d`.

    `kind` is "linear" or "cubic"; the values `y` lie along `axis`. Outside the nodes a result is
    `fill_value` (a number, two for below and above, or "extrapolate"), or with none given, an
    error.

    >>> float(interp1d(np.array([0.0, 1.0]), np.array([0.0, 10.0]))(0.25))
    2.5
    """

    @overload
    def __init__(
        self: interp1d[Any],
        x: Plain,
        y: Plain,
        kind: str = "linear",
        axis: int = -1,
        *,
        fill_value: str | Plain | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: interp1d[Value],
        x: Nest,
        y: Nest,
        kind: str = "linear",
        axis: int = -1,
        *,
        fill_value: str | Nest | None = None,
    ) -> None: ...
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

    @overload
    def __call__(self, x: Plain) -> R_co: ...
    @overload
    def __call__(self, x: Nest) -> Value: ...
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
            start, height = take(self.x, i), take(self.y, i)
            rise = (take(self.y, i + 1) - height) / (take(self.x, i + 1) - start)[axes]
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
