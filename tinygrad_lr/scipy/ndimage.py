"""SciPy's filters of images and interpolation in them, on Values.

`scipy.ndimage` converts its arguments with np.asarray, so it takes no Values: these have the same
names and arguments. A filter along an axis that SciPy can apply to a unit matrix is that matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
import scipy.ndimage

from ..core.creation import Nest, Plain
from ..core.node import unwrap
from ..core.value import Value
from ..errors import ArgumentError, ShapeError
from ..ops.activation import as_floats
from ..support.abstract_array import Array
from ..support.type_names import DTypeLike
from ..support.validation import as_input, check_choice, check_flag, check_integer, check_number
from .equivalents import as_real, equivalent, names_of, take

if TYPE_CHECKING:

    class AlongAxis(Protocol):
        """A convolution or a correlation along an axis."""

        @overload
        def __call__(
            self,
            input: Plain,
            weights: Plain,
            axis: int = -1,
            mode: str = "reflect",
            cval: float = 0.0,
            origin: int = 0,
            *,
            output: DTypeLike | Array | None = ...,
        ) -> Array: ...
        @overload
        def __call__(
            self,
            input: Nest,
            weights: Nest,
            axis: int = -1,
            mode: str = "reflect",
            cval: float = 0.0,
            origin: int = 0,
        ) -> Value: ...


PADDING = {
    **{"reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect"},
    **{"nearest": "edge", "constant": "constant", "grid-constant": "constant"},
    **{"wrap": "wrap", "grid-wrap": "wrap"},
}
"""How `np.pad` calls what a mode does beyond the edges."""


def _image(where: str, input: Any) -> Any:
    return as_floats(as_real(where, "input", input))


# ---- filters


def _apply(matrix: Any, x: Any, axis: int) -> Any:
    return np.moveaxis(np.tensordot(matrix.astype(np.result_type(x)), x, (1, axis)), 0, axis)


def _filter(theirs: Callable[..., Any], x: Any, axis: int, **options: Any) -> Any:
    """Apply a filter of SciPy along one axis: what it makes of zeros, and of each unit vector."""
    n = np.shape(x)[axis]
    offset = theirs(np.zeros((n, 1)), axis=0, **options)
    out = _apply(theirs(np.eye(n), axis=0, **options) - offset, x, axis)
    shape = [1] * np.ndim(x)
    shape[axis] = n
    return out + offset.astype(np.result_type(x)).reshape(shape) if np.any(offset) else out


def _for_each(x: Any, given: Any) -> list[Any]:
    """Return an option for each axis: one for all, or a sequence."""
    one = isinstance(given, str) or np.ndim(given) == 0
    found = [given] * np.ndim(x) if one else [*given]
    if len(found) != np.ndim(x):
        raise ShapeError(
            f"there must be an option for each of {np.ndim(x)} axes, got {found!r:.60}"
        )
    return found


@overload
def gaussian_filter1d(
    input: Plain,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    radius: int | None = None,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def gaussian_filter1d(
    input: Nest,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    radius: int | None = None,
) -> Value: ...
@equivalent(scipy.ndimage.gaussian_filter1d)
def gaussian_filter1d(
    input: Any,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    radius: int | None = None,
) -> Any:
    """Return input smoothed by a normal density along an axis, as `scipy.ndimage`'s.

    `sigma`, its width, must be a number: there is no derivative in it. `order` is that of a
    derivative.

    >>> gaussian_filter1d(Value([0.0, 1.0, 0.0]), 1.0, radius=1).round(3).tolist()
    [0.274, 0.452, 0.274]
    """
    where = "gaussian_filter1d"
    options = {"sigma": check_number(where, "sigma", sigma), "order": order, "mode": mode}
    options |= {"cval": cval, "truncate": truncate, "radius": radius}
    return _filter(scipy.ndimage.gaussian_filter1d, _image(where, input), axis, **options)


@overload
def gaussian_filter(
    input: Plain,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    output: DTypeLike | Array | None = ...,
    radius: int | Sequence[int] | None = ...,
    axes: int | Sequence[int] | None = ...,
) -> Array: ...
@overload
def gaussian_filter(
    input: Nest,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
) -> Value: ...
@equivalent(scipy.ndimage.gaussian_filter)
def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    mode: Any = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
) -> Any:
    """Return input smoothed by a normal density along each axis, as `scipy.ndimage`'s.

    >>> gaussian_filter(Value(np.ones((2, 2))), 1.0).round(9).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    x = _image("gaussian_filter", input)
    each = zip(_for_each(x, sigma), _for_each(x, order), _for_each(x, mode), strict=True)
    for axis, (width, derivative, edges) in enumerate(each):
        if width > 1e-15:
            x = gaussian_filter1d(
                x, width, axis, derivative, mode=edges, cval=cval, truncate=truncate
            )
    return x


@overload
def uniform_filter1d(
    input: Plain,
    size: int,
    axis: int = -1,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def uniform_filter1d(
    input: Nest,
    size: int,
    axis: int = -1,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Value: ...
@equivalent(scipy.ndimage.uniform_filter1d)
def uniform_filter1d(
    input: Any, size: int, axis: int = -1, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Any:
    """Return the means of windows along an axis, as `scipy.ndimage.uniform_filter1d`."""
    options = {"size": size, "mode": mode, "cval": cval, "origin": origin}
    x = _image("uniform_filter1d", input)
    return _filter(scipy.ndimage.uniform_filter1d, x, axis, **options)


@overload
def uniform_filter(
    input: Plain,
    size: int | Sequence[int] = 3,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    *,
    output: DTypeLike | Array | None = ...,
    origin: int | Sequence[int] = ...,
    axes: int | Sequence[int] | None = ...,
) -> Array: ...
@overload
def uniform_filter(
    input: Nest,
    size: int | Sequence[int] = 3,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
) -> Value: ...
@equivalent(scipy.ndimage.uniform_filter)
def uniform_filter(input: Any, size: Any = 3, mode: Any = "reflect", cval: float = 0.0) -> Any:
    """Return the means of windows along all axes, as `scipy.ndimage.uniform_filter`.

    >>> uniform_filter(Value([3.0, 0.0, 0.0]), 3).round(9).tolist()
    [2.0, 1.0, 0.0]
    """
    x = _image("uniform_filter", input)
    for axis, (n, edges) in enumerate(zip(_for_each(x, size), _for_each(x, mode), strict=True)):
        x = uniform_filter1d(x, n, axis, mode=edges, cval=cval) if n > 1 else x
    return x


@overload
def correlate(
    input: Plain,
    weights: Plain,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    output: DTypeLike | Array | None = ...,
    axes: int | Sequence[int] | None = ...,
) -> Array: ...
@overload
def correlate(
    input: Nest,
    weights: Nest,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
) -> Value: ...
@equivalent(scipy.ndimage.correlate)
def correlate(
    input: Any, weights: Any, mode: str = "reflect", cval: float = 0.0, origin: Any = 0
) -> Any:
    """Return Σ weights[k]·input[i + k], with the middle of weights at k = 0.

    As `scipy.ndimage.correlate`: `mode` says what is beyond the edges. Differentiable in both.

    >>> correlate(Value([1.0, 2.0, 4.0]), np.array([-1.0, 0.0, 1.0])).tolist()
    [1.0, 3.0, 2.0]
    """
    x, weights = _image("correlate", input), _image("correlate", weights)
    check_choice("correlate", "mode", mode, (*PADDING,))
    if np.ndim(x) != np.ndim(weights) or not np.size(weights):
        raise ShapeError(
            f"correlate: weights must have an entry along each of the {np.ndim(x)} axes of input, "
            f"got shape {np.shape(weights)}"
        )
    sizes, width = np.shape(weights), []
    for size, shift in zip(sizes, _for_each(x, origin), strict=True):
        before = size // 2 + check_integer("correlate", "origin", shift, low=None)
        if not 0 <= before < size:
            raise ArgumentError(f"correlate: origin must leave weights above i, got {origin!r:.60}")
        width.append((before, size - 1 - before))
    fill: dict[str, Any] = {"constant_values": cval} if PADDING[mode] == "constant" else {}
    extend: Any = np.pad
    padded = extend(x, width, mode=PADDING[mode], **fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, sizes)
    return np.tensordot(windows, weights, np.ndim(x))


@overload
def convolve(
    input: Plain,
    weights: Plain,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    output: DTypeLike | Array | None = ...,
    axes: int | Sequence[int] | None = ...,
) -> Array: ...
@overload
def convolve(
    input: Nest,
    weights: Nest,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
) -> Value: ...
@equivalent(scipy.ndimage.convolve)
def convolve(
    input: Any, weights: Any, mode: str = "reflect", cval: float = 0.0, origin: Any = 0
) -> Any:
    """Return Σ weights[k]·input[i - k], as `scipy.ndimage.convolve`; see `correlate`.

    >>> convolve(Value([1.0, 2.0, 4.0]), np.array([-1.0, 0.0, 1.0])).tolist()
    [-1.0, -3.0, -2.0]
    """
    weights = _image("convolve", weights)
    turned = weights[(slice(None, None, -1),) * np.ndim(weights)]
    shifts = _for_each(weights, origin)
    shifts = [-o - (n % 2 == 0) for o, n in zip(shifts, np.shape(weights), strict=True)]
    return correlate(input, turned, mode=mode, cval=cval, origin=shifts)


def _one_dimensional(two_sided: Callable[..., Any], theirs: Callable[..., Any]) -> AlongAxis:
    def along(
        input: Any,
        weights: Any,
        axis: int = -1,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: int = 0,
    ) -> Any:
        shape, shifts = [1] * np.ndim(input), [0] * np.ndim(input)
        shape[axis], shifts[axis] = np.size(weights), origin
        return two_sided(input, np.reshape(weights, shape), mode=mode, cval=cval, origin=shifts)

    along.__name__ = along.__qualname__ = theirs.__name__
    along.__doc__ = f"Return `{two_sided.__name__}` along an axis, as `scipy.ndimage`'s."
    return equivalent(theirs)(along)


correlate1d = _one_dimensional(correlate, scipy.ndimage.correlate1d)
convolve1d = _one_dimensional(convolve, scipy.ndimage.convolve1d)


@overload
def laplace(
    input: Plain,
    mode: str = "reflect",
    cval: float = 0.0,
    *,
    output: DTypeLike | Array | None = ...,
    axes: int | Sequence[int] | None = ...,
) -> Array: ...
@overload
def laplace(input: Nest, mode: str = "reflect", cval: float = 0.0) -> Value: ...
@equivalent(scipy.ndimage.laplace)
def laplace(input: Any, mode: str = "reflect", cval: float = 0.0) -> Any:
    """Return the second differences along all axes added up, as `scipy.ndimage.laplace`.

    >>> laplace(Value([0.0, 0.0, 1.0, 0.0, 0.0])).tolist()
    [0.0, 1.0, -2.0, 1.0, 0.0]
    """
    weights = np.array([1.0, -2.0, 1.0])
    out = correlate1d(input, weights, 0, mode=mode, cval=cval)
    for axis in range(1, np.ndim(input)):
        out = out + correlate1d(input, weights, axis, mode=mode, cval=cval)
    return out


@overload
def sobel(
    input: Plain,
    axis: int = -1,
    mode: str = "reflect",
    cval: float = 0.0,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def sobel(input: Nest, axis: int = -1, mode: str = "reflect", cval: float = 0.0) -> Value: ...
@equivalent(scipy.ndimage.sobel)
def sobel(input: Any, axis: int = -1, mode: str = "reflect", cval: float = 0.0) -> Any:
    """Return differences along an axis, smoothed along the others, as `scipy.ndimage.sobel`."""
    out = correlate1d(input, np.array([-1.0, 0.0, 1.0]), axis, mode=mode, cval=cval)
    for other in {*range(np.ndim(input))} - {axis % np.ndim(input)}:
        out = correlate1d(out, np.array([1.0, 2.0, 1.0]), other, mode=mode, cval=cval)
    return out


# ---- interpolation


def _mirrored(i: Any, n: int) -> Any:
    period = max(1, 2 * n - 2)
    return np.minimum(i % period, period - i % period) if n > 1 else 0 * i


EXTENDED: dict[str, Callable[[Any, int], Any]] = {
    "constant": _mirrored,
    "nearest": _mirrored,
    "mirror": _mirrored,
    "reflect": lambda i, n: np.minimum(i % (2 * n), (2 * n - 1) - i % (2 * n)),
    "grid-mirror": lambda i, n: np.minimum(i % (2 * n), (2 * n - 1) - i % (2 * n)),
    "grid-wrap": lambda i, n: i % n,
}
"""Which entry stands for the i-th, beyond the edges, in each mode."""
EDGE = 12
"""How many entries SciPy repeats at the edges for the mode "nearest"."""


def _spline(order: int, t: Any) -> Any:
    """The B-spline of an order at t, which is between -(order + 1)/2 and (order + 1)/2."""
    if order == 0:
        return np.ones_like(t)
    if order == 1:
        return 1 - np.abs(t)
    terms = [
        (-1.0) ** k * math.comb(order + 1, k) * np.maximum(t + (order + 1) / 2 - k, 0) ** order
        for k in range(order + 2)
    ]
    return sum(terms[1:], terms[0]) / math.factorial(order)


@overload
def map_coordinates(
    input: Plain,
    coordinates: Plain,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def map_coordinates(
    input: Nest,
    coordinates: Nest,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Value: ...
@equivalent(scipy.ndimage.map_coordinates)
def map_coordinates(
    input: Any,
    coordinates: Any,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    """Return input at coordinates between its entries, by splines of an order from 0 to 5.

    As `scipy.ndimage.map_coordinates`: `coordinates` has an array for each axis of input. `mode`
    says what is beyond the edges: "constant" (`cval`), "nearest", "mirror", "reflect" or
    "grid-wrap". Differentiable in input and in coordinates; there is no slope of order 0.

    >>> map_coordinates(Value([0.0, 1.0, 4.0]), np.array([[0.5, 1.5]]), order=1).tolist()
    [0.5, 2.5]
    """
    return _interpolate("map_coordinates", input, coordinates, order, mode, cval, prefilter)


def _interpolate(
    where: str, input: Any, coordinates: Any, order: int, mode: str, cval: float, prefilter: bool
) -> Any:
    order = check_integer(where, "order", order)
    check_choice(where, "order", order, (0, 1, 2, 3, 4, 5))
    check_choice(where, "mode", mode, (*EXTENDED,))
    x, points = _image(where, input), as_floats(as_input(where, "coordinates", coordinates))
    if np.shape(points)[:1] != (np.ndim(x),):
        raise ShapeError(
            f"{where}: coordinates must have an array for each of the {np.ndim(x)} axes of input, "
            f"got shape {np.shape(points)}"
        )
    if mode == "nearest" and order > 1:
        x = np.pad(x, EDGE, mode="edge")
        points = points + EDGE
    if check_flag(where, "prefilter", prefilter) and order > 1:
        for axis in range(np.ndim(x)):
            x = _filter(scipy.ndimage.spline_filter1d, x, axis, order=order, mode=mode)
    places, weights, outside = [], [], False
    for n, along in zip(np.shape(x), points, strict=True):
        t = np.clip(along, 0, n - 1) if mode == "nearest" else along
        if mode == "constant":
            outside = np.logical_or(outside, np.logical_or(np.less(t, 0), np.greater(t, n - 1)))
        low = np.floor(unwrap(t) + (0.5 if order % 2 == 0 else 0.0)).astype(int) - order // 2
        places.append([EXTENDED[mode](low + k, n) for k in range(order + 1)])
        weights.append([_spline(order, t - (low + k)) for k in range(order + 1)])
    out: Any = 0.0
    entries = np.reshape(x, -1)
    for corner in itertools.product(range(order + 1), repeat=np.ndim(x)):
        weight: Any = 1.0
        entry: Any = 0
        for axis, k in enumerate(corner):
            weight = weight * weights[axis][k]
            entry = entry * np.shape(x)[axis] + places[axis][k]
        out = out + take(entries, entry) * weight
    return np.where(outside, cval, out) if mode == "constant" else out


@overload
def shift(
    input: Plain,
    shift: Plain,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def shift(
    input: Nest,
    shift: Nest,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Value: ...
@equivalent(scipy.ndimage.shift)
def shift(
    input: Any,
    shift: Any,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    """Return input moved by `shift` along each axis, as `scipy.ndimage.shift`.

    Differentiable in both; see `map_coordinates`.

    >>> shift(Value([1.0, 2.0, 4.0]), 0.5, order=1).tolist()
    [0.0, 1.5, 3.0]
    """
    x = _image("shift", input)
    grid = np.indices(np.shape(x)).astype(np.result_type(x))
    moved = np.reshape(shift * np.ones(np.ndim(x)), (-1, *[1] * np.ndim(x)))
    return _interpolate("shift", x, grid - moved, order, mode, cval, prefilter)


@overload
def affine_transform(
    input: Plain,
    matrix: Plain,
    offset: Plain = 0.0,
    output_shape: Sequence[int] | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
    *,
    output: DTypeLike | Array | None = ...,
) -> Array: ...
@overload
def affine_transform(
    input: Nest,
    matrix: Nest,
    offset: Nest = 0.0,
    output_shape: Sequence[int] | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Value: ...
@equivalent(scipy.ndimage.affine_transform)
def affine_transform(
    input: Any,
    matrix: Any,
    offset: Any = 0.0,
    output_shape: Sequence[int] | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    """Return input at matrix @ i + offset for each position i of the result.

    As `scipy.ndimage.affine_transform`, with a square matrix; differentiable in input, matrix and
    offset. See `map_coordinates`.

    >>> affine_transform(Value([1.0, 2.0, 4.0]), np.array([[0.5]]), order=1).tolist()
    [1.0, 1.5, 2.0]
    """
    x = _image("affine_transform", input)
    n = np.ndim(x)
    if np.shape(matrix) != (n, n):
        raise ShapeError(
            f"affine_transform: matrix must have shape {(n, n)}, got {np.shape(matrix)}"
        )
    shape = np.shape(x) if output_shape is None else tuple(output_shape)
    grid = np.indices(shape).reshape(n, -1).astype(np.result_type(x))
    points = matrix @ grid + np.reshape(offset * np.ones(n), (n, 1))
    points = np.reshape(points, (n, *shape))
    return _interpolate("affine_transform", x, points, order, mode, cval, prefilter)


__getattr__ = names_of(scipy.ndimage, __name__)
