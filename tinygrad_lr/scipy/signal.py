"""SciPy's filters and convolutions on Values: of several axes by Fourier transforms.

`scipy.signal` converts its arguments with np.asarray, so it takes no Values: these have the same
names and arguments. A recursive filter is one operation, whose derivative is the filter run
backwards. Windows, filter designs and all other names are SciPy's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import scipy.signal

from ..core.creation import Nest, Plain
from ..core.node import unwrap
from ..core.primitive import is_complex, primitive
from ..core.value import Value
from ..errors import ArgumentError, ShapeError
from ..ops.signals import convolve_full
from ..support.abstract_array import Array, check_numbers
from ..support.validation import as_input, check_choice, check_flag, check_integer, check_number
from .equivalents import as_real, equivalent, names_of, zeros_of

MODES = ("full", "same", "valid")
Window: TypeAlias = str | float | tuple[str | float, ...] | Array | Sequence[float]
Detrend: TypeAlias = str | Literal[False] | Callable[[Array], Array]


def _last(x: Any, axis: int) -> Any:
    """Return x with an axis as the last one."""
    return x if axis in {-1, np.ndim(x) - 1} else np.moveaxis(x, axis, -1)


def _back(x: Any, axis: int) -> Any:
    """Return x with the last axis where it was."""
    return x if axis in {-1, np.ndim(x) - 1} else np.moveaxis(x, -1, axis)


# ---- convolutions


def _operands(where: str, in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    in1 = as_input(where, "in1", in1, allow_complex=True)
    in2 = as_input(where, "in2", in2, allow_complex=True)
    if np.ndim(in1) != np.ndim(in2):
        raise ShapeError(
            f"{where}: in1 and in2 must have equally many axes, got shapes {np.shape(in1)} and "
            f"{np.shape(in2)}"
        )
    if not np.size(in1) or not np.size(in2):
        raise ArgumentError(
            f"{where}: in1 and in2 must not be empty, got shapes {np.shape(in1)} and "
            f"{np.shape(in2)}"
        )
    check_choice(where, "mode", mode, MODES)
    return in1, in2


def _part(where: str, full: Any, in1: Any, in2: Any, mode: str, axes: Sequence[int]) -> Any:
    """Return the part of a full convolution that a mode keeps, as SciPy's functions do."""
    if mode == "full":
        return full
    first, second = np.shape(in1), np.shape(in2)
    larger, smaller = first, second
    if mode == "valid":
        if not all(first[i] >= second[i] for i in axes):
            larger, smaller = second, first
        if not all(larger[i] >= smaller[i] for i in axes):
            raise ShapeError(
                f"{where}: one of in1 and in2 must be at least as long as the other along every "
                f"axis for mode 'valid', got shapes {first} and {second}"
            )
    index: list[Any] = [slice(None)] * np.ndim(full)
    for i in axes:
        length = first[i] if mode == "same" else larger[i] - smaller[i] + 1
        start = (np.shape(full)[i] - length) // 2
        index[i] = slice(start, start + length)
    return full[tuple(index)]


@overload
def fftconvolve(
    in1: Plain, in2: Plain, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Array: ...
@overload
def fftconvolve(
    in1: Nest, in2: Nest, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Value: ...
@equivalent(scipy.signal.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Return the convolution Σ in1[i]·in2[k - i] by Fourier transforms.

    As `scipy.signal.fftconvolve`: along `axes`, by default all; the others broadcast. `mode` is
    "full", "same" for the middle part, as long as in1, or "valid" where both overlap.

    >>> fftconvolve(Value([1.0, 2.0]), np.array([1.0, 1.0])).round(9).tolist()
    [1.0, 3.0, 2.0]
    """
    in1, in2 = _operands("fftconvolve", in1, in2, mode)
    n = np.ndim(in1)
    along = range(n) if axes is None else np.atleast_1d(axes).tolist()
    along = [check_integer("fftconvolve", "axes", i, low=-n) % max(n, 1) for i in along]
    if not along:
        return in1 * in2
    sizes = [np.shape(in1)[i] + np.shape(in2)[i] - 1 for i in along]
    if is_complex(in1) or is_complex(in2):
        spectrum = np.fft.fftn(in1, sizes, along) * np.fft.fftn(in2, sizes, along)
        full: Any = np.fft.ifftn(spectrum, sizes, along)
    else:
        spectrum = np.fft.rfftn(in1, sizes, along) * np.fft.rfftn(in2, sizes, along)
        full = np.fft.irfftn(spectrum, sizes, along)
    return _part("fftconvolve", full, in1, in2, mode, along)


@overload
def oaconvolve(
    in1: Plain, in2: Plain, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Array: ...
@overload
def oaconvolve(
    in1: Nest, in2: Nest, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Value: ...
@equivalent(scipy.signal.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Return the convolution as `fftconvolve` does; see `scipy.signal.oaconvolve`."""
    return fftconvolve(in1, in2, mode, axes)


@overload
def convolve(in1: Plain, in2: Plain, mode: str = "full", *, method: str = ...) -> Array: ...
@overload
def convolve(in1: Nest, in2: Nest, mode: str = "full", *, method: str = ...) -> Value: ...
@equivalent(scipy.signal.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full") -> Any:
    """Return the convolution Σ in1[i]·in2[k - i], as `scipy.signal.convolve`; see `fftconvolve`.

    Sequences are convolved directly.

    >>> convolve(Value([1.0, 2.0, 3.0]), np.array([1.0, 1.0]), mode="same").tolist()
    [1.0, 3.0, 5.0]
    """
    in1, in2 = _operands("convolve", in1, in2, mode)
    if np.ndim(in1) != 1:
        return fftconvolve(in1, in2, mode)
    return _part("convolve", convolve_full(in1, in2), in1, in2, mode, (0,))


@overload
def correlate(in1: Plain, in2: Plain, mode: str = "full", *, method: str = ...) -> Array: ...
@overload
def correlate(in1: Nest, in2: Nest, mode: str = "full", *, method: str = ...) -> Value: ...
@equivalent(scipy.signal.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full") -> Any:
    """Return the correlation Σ in1[i + k]·in2[i], as `scipy.signal.correlate`.

    Complex in2 are conjugated. `mode` is as in `fftconvolve`.

    >>> correlate(Value([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), mode="valid").tolist()
    [2.0, 3.0]
    """
    in1, in2 = _operands("correlate", in1, in2, mode)
    turned = in2[(slice(None, None, -1),) * np.ndim(in2)]
    return convolve(in1, np.conj(turned) if is_complex(in2) else turned, mode)


def _extended(where: str, in1: Any, in2: Any, mode: str, boundary: str, fillvalue: Any) -> Any:
    """Return the convolution of two images, of in1 continued beyond its edges."""
    in1, in2 = _operands(where, in1, in2, mode)
    if np.ndim(in1) != 2:
        raise ShapeError(f"{where}: in1 and in2 must be matrices, got shape {np.shape(in1)}")
    check_choice(where, "boundary", boundary, ("fill", "wrap", "symm"))
    if mode == "valid" or (boundary == "fill" and fillvalue == 0):
        return convolve(in1, in2, mode)
    pad = [(n - 1, n - 1) for n in np.shape(in2)]
    extend: Any = np.pad
    fill: dict[str, Any] = {"constant_values": fillvalue} if boundary == "fill" else {}
    kind = {"fill": "constant", "symm": "symmetric", "wrap": "wrap"}[boundary]
    full = convolve(extend(in1, pad, mode=kind, **fill), in2, "valid")
    return _part(where, full, in1, in2, mode, (0, 1))


@overload
def convolve2d(
    in1: Plain, in2: Plain, mode: str = "full", boundary: str = "fill", fillvalue: complex = 0
) -> Array: ...
@overload
def convolve2d(
    in1: Nest, in2: Nest, mode: str = "full", boundary: str = "fill", fillvalue: complex = 0
) -> Value: ...
@equivalent(scipy.signal.convolve2d)
def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """Return the convolution of two matrices, as `scipy.signal.convolve2d`; see `fftconvolve`.

    `boundary` says what is beyond the edges of in1: "fill" (`fillvalue`), "wrap" or "symm".

    >>> convolve2d(Value(np.ones((2, 2))), np.ones((1, 2)), boundary="wrap").round(9).tolist()
    [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    """
    return _extended("convolve2d", in1, in2, mode, boundary, fillvalue)


@overload
def correlate2d(
    in1: Plain, in2: Plain, mode: str = "full", boundary: str = "fill", fillvalue: complex = 0
) -> Array: ...
@overload
def correlate2d(
    in1: Nest, in2: Nest, mode: str = "full", boundary: str = "fill", fillvalue: complex = 0
) -> Value: ...
@equivalent(scipy.signal.correlate2d)
def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """Return the correlation of two matrices, as `scipy.signal.correlate2d`; see `convolve2d`.

    >>> correlate2d(Value([[1.0, 2.0, 3.0]]), np.array([[0.0, 1.0]]), mode="valid").tolist()
    [[2.0, 3.0]]
    """
    in1, in2 = _operands("correlate2d", in1, in2, mode)
    turned = in2[::-1, ::-1] if np.ndim(in2) == 2 else in2
    turned = np.conj(turned) if is_complex(turned) else turned
    if mode != "same":
        return _extended("correlate2d", in1, turned, mode, boundary, fillvalue)
    full = _extended("correlate2d", in1, turned, "full", boundary, fillvalue)
    (m, n), (p, q) = np.shape(in1), np.shape(in2)
    return full[p // 2 : p // 2 + m, q // 2 : q // 2 + n]


# ---- recursive filters


@primitive(
    latex=r"\frac{<b>}{<a>} * <x>",
    examples=[((3,), (2,), (5,)), ((2,), (3,), (2, 4)), ((1,), (1,), (3,)), ((4,), (2,), (2,))],
    domain={"a": (0.5, 2.0)},
    whole=True,
    takes_complex=True,
)
def recursive_filter(b: Any, a: Any, x: Any) -> Any:
    """The y with Σ a[k]·y[n - k] = Σ b[k]·x[n - k], along the last axis of x; 0 before it.

    Source: `scipy.signal.lfilter`. With w = (1/a) * g run backwards: dL/dx = (b/a) * g backwards,
    dL/db[k] = Σ w[n]·x[n - k] and dL/da[k] = -Σ w[n]·y[n - k].

    >>> recursive_filter(np.ones(1), np.array([1.0, -0.5]), Value([1.0, 0.0, 0.0])).tolist()
    [1.0, 0.5, 0.25]
    """
    return scipy.signal.lfilter(b, a, x)


recursive_filter.batch(
    lambda varies, b, a, x: NotImplemented if varies[0] or varies[1] else recursive_filter(b, a, x),
    mixed=True,
)


def _backwards(b: Any, a: Any, g: Any) -> Any:
    return recursive_filter(b, a, g[..., ::-1])[..., ::-1]


def _shifted_sums(g: Any, a: Any, x: Any, count: int) -> Any:
    """The sums Σ w[n]·x[n - k] for each k."""
    n = np.shape(x)[-1]
    w = _backwards(np.ones(1, np.result_type(a)), a, g)
    return np.stack([np.sum(w[..., k:] * x[..., : max(0, n - k)]) for k in range(count)])


recursive_filter.vjp(
    b=lambda g, out, b, a, x: _shifted_sums(g, a, x, np.shape(b)[0]),
    a=lambda g, out, b, a, x: -_shifted_sums(g, a, out, np.shape(a)[0]),
    x=lambda g, out, b, a, x: _backwards(b, a, g),
)
recursive_filter.jvp(
    b=lambda t, out, b, a, x: recursive_filter(t, a, x),
    a=lambda t, out, b, a, x: -recursive_filter(t, a, out),
    x=lambda t, out, b, a, x: recursive_filter(b, a, t),
)


def _coefficients(where: str, b: Any, a: Any) -> tuple[Any, Any]:
    b = np.atleast_1d(as_input(where, "b", b, allow_complex=True))
    a = np.atleast_1d(as_input(where, "a", a, allow_complex=True))
    if np.ndim(b) != 1 or np.ndim(a) != 1 or not np.size(a) or not np.size(b):
        raise ShapeError(
            f"{where}: b and a must be vectors of coefficients, got shapes {np.shape(b)} and "
            f"{np.shape(a)}"
        )
    check_numbers(unwrap(a), functools.partial(_require_first, where))
    return b, a


def _require_first(where: str, a: Any) -> None:
    if a[0] == 0:
        raise ArgumentError(f"{where}: a[0] must not be 0")


@overload
def lfilter(b: Plain, a: Plain, x: Plain, axis: int = -1, zi: None = None) -> Array: ...
@overload
def lfilter(
    b: Plain, a: Plain, x: Plain, axis: int = -1, zi: Plain = ...
) -> tuple[Array, Array]: ...
@overload
def lfilter(b: Nest, a: Nest, x: Nest, axis: int = -1, zi: None = None) -> Value: ...
@overload
def lfilter(b: Nest, a: Nest, x: Nest, axis: int = -1, zi: Nest = ...) -> tuple[Value, Value]: ...
@equivalent(scipy.signal.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Return x filtered along an axis, with y[n]·a[0] = Σ b[k]·x[n - k] - Σ a[k]·y[n - k].

    As `scipy.signal.lfilter`, differentiable in b, a, x and zi. With `zi`, the state of the filter
    before x, return y and the state after it.

    >>> y, state = lfilter([1.0], [1.0, -0.5], Value([1.0, 0.0]), zi=np.array([2.0]))
    >>> y.tolist(), state.tolist()
    ([3.0, 1.5], [0.75])
    """
    b, a = _coefficients("lfilter", b, a)
    x = as_input("lfilter", "x", x, allow_complex=True)
    axis = check_integer("lfilter", "axis", axis, low=-max(1, np.ndim(x)))
    if axis >= np.ndim(x):
        raise ArgumentError(f"lfilter: axis must be an axis of x, got {axis} for {np.ndim(x)} axes")
    x = _last(x, axis)
    y = recursive_filter(b, a, x)
    if zi is None:
        return _back(y, axis)
    zi = as_input("lfilter", "zi", zi, allow_complex=True)
    size, n = max(np.size(a), np.size(b)) - 1, np.shape(x)[-1]
    expected = [*np.shape(x)[:-1], size]
    expected.insert(axis % np.ndim(x), expected.pop())
    if np.shape(zi) != tuple(expected):
        raise ShapeError(f"lfilter: zi must have shape {tuple(expected)}, got {np.shape(zi)}")
    zi = _last(zi, axis)
    batch = np.shape(x)[:-1]
    longer = np.concatenate([zi, zeros_of((*batch, n), zi)], axis=-1)  # the state leaves
    y = y + recursive_filter(a[:1], a, longer[..., :n])
    after = longer[..., n:][..., :size]
    for sign, coefficients, signal in ((1, b, x), (-1, a, y)):
        padded = np.concatenate([zeros_of((*batch, size), signal), signal], axis=-1)
        weights = _state_weights(coefficients, size) / a[0]
        after = after + sign * np.matmul(padded[..., n:], weights)
    return _back(y, axis), _back(after, axis)


def _state_weights(coefficients: Any, size: int) -> Any:
    """Return the matrix from the last `size` entries of a signal to a filter's state."""
    i, j = np.arange(size), np.arange(size)[:, None]
    inside = (j >= i) & (size + i - j < np.size(coefficients))
    return np.where(inside, coefficients[np.where(inside, size + i - j, 0)], 0.0)


@overload
def lfilter_zi(b: Plain, a: Plain) -> Array: ...
@overload
def lfilter_zi(b: Nest, a: Nest) -> Value: ...
@equivalent(scipy.signal.lfilter_zi)
def lfilter_zi(b: Any, a: Any) -> Any:
    """Return the state in which a filter answers a step with a constant.

    As `scipy.signal.lfilter_zi`.

    >>> lfilter_zi(Value([1.0]), np.array([1.0, -0.5])).tolist()
    [1.0]
    """
    b, a = _coefficients("lfilter_zi", b, a)
    size = max(np.size(a), np.size(b))
    a, b = (np.concatenate([x, zeros_of((size - np.size(x),), x)]) / a[0] for x in (a, b))
    grown = b[1:] - a[1:] * b[0]
    first = np.sum(grown) / np.sum(a)
    before = np.concatenate([zeros_of((1,), grown), np.cumsum(grown)])
    return (np.cumsum(a) * first - before)[:-1]


@overload
def sosfilt(sos: Plain, x: Plain, axis: int = -1, zi: None = None) -> Array: ...
@overload
def sosfilt(sos: Plain, x: Plain, axis: int = -1, zi: Plain = ...) -> tuple[Array, Array]: ...
@overload
def sosfilt(sos: Nest, x: Nest, axis: int = -1, zi: None = None) -> Value: ...
@overload
def sosfilt(sos: Nest, x: Nest, axis: int = -1, zi: Nest = ...) -> tuple[Value, Value]: ...
@equivalent(scipy.signal.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Return x filtered by one section of order two after the other, as `scipy.signal.sosfilt`.

    `sos` has a row (b0, b1, b2, a0, a1, a2) for each. With `zi`, their states before x, return y
    and the states after it.

    >>> sosfilt(np.array([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]]), Value([1.0, 0.0])).tolist()
    [1.0, 0.5]
    """
    sos = as_input("sosfilt", "sos", sos, allow_complex=True)
    x = as_input("sosfilt", "x", x, allow_complex=True)
    if np.ndim(sos) != 2 or np.shape(sos)[1] != 6:
        raise ShapeError(f"sosfilt: sos must have shape (n, 6), got {np.shape(sos)}")
    states = []
    for i in range(np.shape(sos)[0]):
        b, a = sos[i, :3], sos[i, 3:]
        if zi is None:
            x = lfilter(b, a, x, axis)
        else:
            x, state = lfilter(b, a, x, axis, zi=zi[i])
            states.append(state)
    return x if zi is None else (x, np.stack(states))


@overload
def freqz(
    b: Plain,
    a: Plain = 1,
    worN: int | Plain | None = 512,
    whole: bool = False,
    fs: float = 2 * np.pi,
    *,
    plot: Callable[[Array, Array], object] | None = ...,
    include_nyquist: bool = ...,
) -> tuple[Array, Array]: ...
@overload
def freqz(
    b: Nest, a: Nest = 1, worN: int | Plain | None = 512, whole: bool = False, fs: float = 2 * np.pi
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.freqz)
def freqz(b: Any, a: Any = 1, worN: Any = 512, whole: bool = False, fs: float = 2 * np.pi) -> Any:
    """Return frequencies and a filter's response Σ b[k] e^(-iωk) / Σ a[k] e^(-iωk) at each.

    As `scipy.signal.freqz`: `worN` is how many, from 0 to fs/2 (or fs if `whole`), or which.

    >>> freqz(Value([0.5, 0.5]), worN=2)[1].round(6).tolist()
    [(1+0j), (0.5-0.5j)]
    """
    b, a = _coefficients("freqz", b, a)
    fs = check_number("freqz", "fs", fs, positive=True)
    if np.ndim(worN) == 0:
        count = check_integer("freqz", "worN", worN, low=1)
        frequencies: Any = np.linspace(0, fs if whole else fs / 2, count, endpoint=False)
    else:
        frequencies = np.asarray(worN, float)
    turns = np.exp(
        -2j * np.pi / fs * frequencies[..., None] * np.arange(max(np.size(a), np.size(b)))
    )
    return frequencies, turns[..., : np.size(b)] @ b / (turns[..., : np.size(a)] @ a)


@overload
def filtfilt(
    b: Plain,
    a: Plain,
    x: Plain,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    *,
    irlen: int | None = ...,
) -> Array: ...
@overload
def filtfilt(
    b: Nest,
    a: Nest,
    x: Nest,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
) -> Value: ...
@equivalent(scipy.signal.filtfilt)
def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
) -> Any:
    """Return x filtered forwards and backwards, which shifts no phase, as `scipy.signal.filtfilt`.

    Before, x is continued by `padlen` entries at both ends: "odd" (turned about the last entry),
    "even", "constant" or None.

    >>> x = Value(np.ones(8))
    >>> filtfilt([0.5, 0.5], [1.0], x).round(9).tolist() == x.tolist()
    True
    """
    b, a = _coefficients("filtfilt", b, a)
    check_choice("filtfilt", "method", method, ("pad",))
    check_choice("filtfilt", "padtype", padtype, ("odd", "even", "constant", None))
    x = _last(as_input("filtfilt", "x", x, allow_complex=True), axis)
    n, edge = np.shape(x)[-1], 3 * max(np.size(a), np.size(b)) if padlen is None else padlen
    edge = 0 if padtype is None else check_integer("filtfilt", "padlen", edge)
    if n <= edge:
        raise ShapeError(
            f"filtfilt: x must be longer than padlen, {edge}, along the axis, got {n} entries"
        )
    if edge:
        first, last = x[..., :1], x[..., -1:]
        before, after = x[..., edge:0:-1], x[..., -2 : -edge - 2 : -1]
        if padtype == "odd":
            before, after = 2 * first - before, 2 * last - after
        if padtype == "constant":
            before, after = before * 0 + first, after * 0 + last
        x = np.concatenate([before, x, after], axis=-1)
    state = lfilter_zi(b, a)
    for _ in range(2):
        x, _ = lfilter(b, a, x, zi=state * x[..., :1])
        x = x[..., ::-1]
    return _back(x[..., edge : edge + n], axis)


PADDING = {"mirror": "reflect", "nearest": "edge", "wrap": "wrap", "constant": "constant"}


@overload
def savgol_filter(
    x: Plain,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Array: ...
@overload
def savgol_filter(
    x: Nest,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Value: ...
@equivalent(scipy.signal.savgol_filter)
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """Return the polynomial that fits each window best, in its middle: a smooth x.

    As `scipy.signal.savgol_filter` (Savitzky and Golay, 1964), with windows of odd length. With
    `deriv`, the derivative of that order for points `delta` apart. `mode` is "interp", where the
    polynomials of the first and the last window stand for the ends, or how x is continued:
    "mirror", "nearest", "wrap" or "constant" (`cval`).

    >>> savgol_filter(Value([1.0, 4.0, 1.0, 4.0, 1.0]), 3, 1).round(9).tolist()
    [2.0, 2.0, 3.0, 2.0, 2.0]
    """
    where = "savgol_filter"
    check_choice(where, "mode", mode, ("interp", *PADDING))
    size = check_integer(where, "window_length", window_length, low=1)
    x = _last(as_input(where, "x", x), axis)
    n, half = np.shape(x)[-1], size // 2
    if size % 2 == 0:
        raise ArgumentError(f"{where}: window_length must be odd for Values, got {size}")
    if mode == "interp" and size > n:
        raise ShapeError(f"{where}: x must have window_length = {size} entries or more, got {n}")
    weights = scipy.signal.savgol_coeffs(size, polyorder, deriv=deriv, delta=delta)[::-1]
    if mode != "interp":
        pad = [(0, 0)] * (np.ndim(x) - 1) + [(half, half)]
        fill: dict[str, Any] = {"constant_values": cval} if mode == "constant" else {}
        extend: Any = np.pad
        x = extend(x, pad, mode=PADDING[mode], **fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)
    out = windows @ weights.astype(np.result_type(x))
    if mode == "interp" and half:
        units = np.eye(size)
        fit = scipy.signal.savgol_filter(units, size, polyorder, deriv, delta, axis=0)
        fit = fit.T.astype(np.result_type(x))
        start, end = x[..., :size] @ fit[:, :half], x[..., n - size :] @ fit[:, half + 1 :]
        out = np.concatenate([start, out, end], axis=-1)
    return _back(out, axis)


# ---- spectra


@overload
def welch(
    x: Plain,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]: ...
@overload
def welch(
    x: Nest,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.welch)
def welch(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> Any:
    """Return frequencies and the power of x at each, the mean of overlapping windows.

    As `scipy.signal.welch` (Welch, 1967), of real x: `scaling` is "density" (power per unit of
    frequency) or "spectrum". Windows have `nperseg` entries, 256 or all by default, overlap by half
    unless `noverlap` says how far, and are freed of their mean or line (`detrend`).

    >>> frequencies, power = welch(Value([0.0, 1.0, 0.0, -1.0]), window="boxcar", nperseg=4)
    >>> frequencies.tolist(), power.round(9).tolist()
    ([0.0, 0.25, 0.5], [0.0, 2.0, 0.0])
    """
    check_choice("welch", "average", average, ("mean",))
    options = (fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis)
    frequencies, (spectrum,), scales = _segments("welch", (x,), *options)
    power = np.mean(np.real(spectrum) ** 2 + np.imag(spectrum) ** 2, axis=-2) * scales
    return frequencies, _back(power, axis)


def _segments(
    where: str,
    signals: Sequence[Any],
    fs: float,
    window: Any,
    nperseg: int | None,
    noverlap: int | None,
    nfft: int | None,
    detrend: Any,
    return_onesided: bool,
    scaling: str,
    axis: int,
) -> tuple[Any, list[Any], Any]:
    """Return frequencies, the spectra of overlapping windows of each signal, factors of power."""
    check_choice(where, "return_onesided", return_onesided, (True,))
    check_choice(where, "scaling", scaling, ("density", "spectrum"))
    xs = [_last(as_real(where, "x", x), axis) for x in signals]
    fs = check_number(where, "fs", fs, positive=True)
    n = min(np.shape(x)[-1] for x in xs)
    size = min(256, n) if nperseg is None else check_integer(where, "nperseg", nperseg, low=1)
    if not isinstance(window, (str, tuple)):
        size = np.size(window)
    if not 1 <= size <= n:
        raise ShapeError(f"{where}: x must have nperseg = {size} entries or more, got {n}")
    overlap = size // 2 if noverlap is None else check_integer(where, "noverlap", noverlap)
    if overlap >= size:
        raise ArgumentError(f"{where}: noverlap must be below nperseg, {size}, got {overlap}")
    length = size if nfft is None else check_integer(where, "nfft", nfft, low=size)
    weights = _weights(window, size)
    spectra = []
    for x in xs:
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)
        parts = windows[..., :: size - overlap, :]
        if detrend is not False:
            parts = _detrend(parts, type=detrend)
        spectra.append(np.fft.rfft(parts * weights, length, axis=-1))
    total = fs * np.sum(weights**2) if scaling == "density" else np.sum(weights) ** 2
    double = np.full(length // 2 + 1, 2.0)  # the negative frequencies
    double[0] = 1.0
    if length % 2 == 0:
        double[-1] = 1.0
    return np.fft.rfftfreq(length, 1 / fs), spectra, double / total


def _weights(window: Any, size: int) -> Any:
    named = isinstance(window, (str, tuple))
    return scipy.signal.get_window(window, size) if named else np.asarray(window, float)


@overload
def csd(
    x: Plain,
    y: Plain,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]: ...
@overload
def csd(
    x: Nest,
    y: Nest,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.csd)
def csd(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> Any:
    """Return frequencies and the cross power of x and y of equal length, as `scipy.signal.csd`.

    It is the mean over windows of the spectrum of y times the conjugate of that of x; see `welch`.

    >>> x = Value([0.0, 1.0, 0.0, -1.0])
    >>> csd(x, x, window="boxcar", nperseg=4)[1].real.round(9).tolist()
    [0.0, 2.0, 0.0]
    """
    check_choice("csd", "average", average, ("mean",))
    if np.shape(x)[axis] != np.shape(y)[axis]:
        raise ShapeError(f"csd: y must be as long as x, got shapes {np.shape(x)}, {np.shape(y)}")
    options = (fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis)
    frequencies, (one, other), scales = _segments("csd", (x, y), *options)
    return frequencies, _back(np.mean(np.conj(one) * other, axis=-2) * scales, axis)


@overload
def coherence(
    x: Plain,
    y: Plain,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    axis: int = -1,
) -> tuple[Array, Array]: ...
@overload
def coherence(
    x: Nest,
    y: Nest,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = "constant",
    axis: int = -1,
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.coherence)
def coherence(
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    axis: int = -1,
) -> Any:
    """Return frequencies and |csd(x, y)|² / (welch(x)·welch(y)), as `scipy.signal.coherence`."""
    options = (fs, window, nperseg, noverlap, nfft, detrend)
    frequencies, one = welch(x, *options, axis=axis)
    other = welch(y, *options, axis=axis)[1]
    return frequencies, np.abs(csd(x, y, *options, axis=axis)[1]) ** 2 / one / other


@overload
def stft(
    x: Plain,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Array, Array, Array]: ...
@overload
def stft(
    x: Nest,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Detrend = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Array, Array, Value]: ...
@equivalent(scipy.signal.stft)
def stft(
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> Any:
    """Return frequencies, times, and the spectrum of real x in a window about each time.

    As `scipy.signal.stft`: `boundary` is "zeros", before and after x, or None; with `padded`, zeros
    fill the last window. The times are the last axis.

    >>> frequencies, times, spectrum = stft(Value(np.ones(4)), window="boxcar", nperseg=2)
    >>> np.abs(spectrum[0]).tolist()
    [0.5, 1.0, 1.0, 1.0, 0.5]
    """
    where = "stft"
    check_choice(where, "boundary", boundary, ("zeros", None))
    check_choice(where, "scaling", scaling, ("spectrum", "psd"))
    x = _last(as_real(where, "x", x), axis)
    size = check_integer(where, "nperseg", nperseg, low=1)
    size = min(size, np.shape(x)[-1]) if isinstance(window, (str, tuple)) else np.size(window)
    overlap = size // 2 if noverlap is None else check_integer(where, "noverlap", noverlap)
    step = size - overlap
    edge = size // 2 if boundary else 0
    n = np.shape(x)[-1] + 2 * edge
    more = (-(n - size) % step) % size if check_flag(where, "padded", padded) and step > 0 else 0
    x = np.pad(x, [(0, 0)] * (np.ndim(x) - 1) + [(edge, edge + more)])
    options = (fs, window, size, overlap, nfft, detrend, return_onesided, "spectrum", -1)
    frequencies, (spectrum,), _ = _segments(where, (x,), *options)
    weights = _weights(window, size)
    total = np.sum(weights) if scaling == "spectrum" else np.sqrt(fs * np.sum(weights**2))
    times = (np.arange(np.shape(spectrum)[-2]) * step + (0 if boundary else size / 2)) / fs
    moved = np.moveaxis(spectrum / total, -1, axis - 1 if axis < 0 else axis)
    return frequencies, times, moved


@overload
def istft(
    Zxx: Plain,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Array, Array]: ...
@overload
def istft(
    Zxx: Nest,
    fs: float = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.istft)
def istft(
    Zxx: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> Any:
    """Return times and the real signal whose `stft` is closest to Zxx, as `scipy.signal.istft`.

    >>> x = np.sin(np.arange(12.0))
    >>> istft(Value(stft(x, nperseg=4)[2]), nperseg=4)[1].round(9).tolist() == x.round(9).tolist()
    True
    """
    where = "istft"
    check_choice(where, "input_onesided", input_onesided, (True,))
    check_choice(where, "scaling", scaling, ("spectrum", "psd"))
    Zxx = as_input(where, "Zxx", Zxx, allow_complex=True)
    Zxx = np.moveaxis(Zxx, (time_axis, freq_axis), (-2, -1))
    count, bins = np.shape(Zxx)[-2:]
    size = 2 * (bins - 1) if nperseg is None else check_integer(where, "nperseg", nperseg, low=1)
    overlap = size // 2 if noverlap is None else check_integer(where, "noverlap", noverlap)
    if not 0 <= overlap < size:
        raise ArgumentError(f"{where}: noverlap must be below nperseg, {size}, got {overlap}")
    length = size if nfft is None and size // 2 + 1 == bins else nfft or 2 * (bins - 1)
    weights, step = _weights(window, size), size - overlap
    total = np.sum(weights) if scaling == "spectrum" else np.sqrt(fs * np.sum(weights**2))
    parts = np.fft.irfft(Zxx, length, axis=-1)[..., :size] * (weights * total)
    signal = _overlap(parts, step)
    norm = _overlap(np.broadcast_to(weights**2, (count, size)), step)
    edge = size // 2 if boundary else 0
    signal, norm = (x[..., edge : np.shape(x)[-1] - edge] for x in (signal, norm))
    signal = signal / np.where(norm > 1e-10, norm, 1.0)
    return np.arange(np.shape(signal)[0]) / fs, signal  # SciPy's times, those of one signal


def _overlap(parts: Any, step: int) -> Any:
    """Add up windows that begin `step` entries after each other."""
    *batch, count, size = np.shape(parts)
    blocks = -(-size // step)
    widths = [(0, 0)] * len(batch)
    parts = np.pad(parts, [*widths, (0, 0), (0, blocks * step - size)])
    parts = np.reshape(parts, (*batch, count, blocks, step))
    rows = [np.pad(parts[..., k, :], [*widths, (k, blocks - 1 - k), (0, 0)]) for k in range(blocks)]
    whole = np.reshape(sum(rows[1:], rows[0]), (*batch, (count + blocks - 1) * step))
    return whole[..., : (count - 1) * step + size]


@overload
def resample(
    x: Plain,
    num: int,
    t: None = None,
    axis: int = 0,
    *,
    window: Window | None = ...,
    domain: str = ...,
) -> Array: ...
@overload
def resample(
    x: Plain,
    num: int,
    t: Plain = ...,
    axis: int = 0,
    *,
    window: Window | None = ...,
    domain: str = ...,
) -> tuple[Array, Array]: ...
@overload
def resample(x: Nest, num: int, t: None = None, axis: int = 0) -> Value: ...
@overload
def resample(x: Nest, num: int, t: Plain = ..., axis: int = 0) -> tuple[Value, Array]: ...
@equivalent(scipy.signal.resample)
def resample(x: Any, num: int, t: Any = None, axis: int = 0) -> Any:
    """Return x at `num` points instead, by its Fourier transform, as `scipy.signal.resample`.

    >>> resample(Value([1.0, 0.0, -1.0, 0.0]), 2).round(9).tolist()
    [1.0, -1.0]
    """
    x = _last(as_real("resample", "x", x), axis)
    num, n = check_integer("resample", "num", num, low=1), np.shape(x)[-1]
    spectrum = np.fft.rfft(x)
    size = min(num, n)
    kept = spectrum[..., : size // 2 + 1]
    if size % 2 == 0 and num != n:  # the entry in the middle stands for one frequency or for two
        factors = np.ones(size // 2 + 1)
        factors[-1] = 2.0 if num < n else 0.5
        kept = kept * factors
    out = _back(np.fft.irfft(kept, num) * (num / n), axis)
    if t is None:
        return out
    t = np.asarray(t, float)
    return out, np.arange(num) * (t[1] - t[0]) * n / num + t[0]


@overload
def periodogram(
    x: Plain,
    fs: float = 1.0,
    window: Window | None = "boxcar",
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Array, Array]: ...
@overload
def periodogram(
    x: Nest,
    fs: float = 1.0,
    window: Window | None = "boxcar",
    nfft: int | None = None,
    detrend: Detrend = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Array, Value]: ...
@equivalent(scipy.signal.periodogram)
def periodogram(
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> Any:
    """Return frequencies and the power of x at each, as `scipy.signal.periodogram`.

    It is that of one window of all entries; see `welch`.

    >>> frequencies, power = periodogram(Value([0.0, 1.0, 0.0, -1.0]))
    >>> frequencies.tolist(), power.round(9).tolist()
    ([0.0, 0.25, 0.5], [0.0, 2.0, 0.0])
    """
    n = np.shape(x)[axis]
    return welch(
        x,
        fs,
        window or "boxcar",
        nperseg=n,
        noverlap=0,
        nfft=nfft,
        detrend=detrend,
        return_onesided=return_onesided,
        scaling=scaling,
        axis=axis,
    )


# ---- trends and analytic signals


@overload
def detrend(
    data: Plain,
    axis: int = -1,
    type: str = "linear",
    bp: int | Plain = 0,
    *,
    overwrite_data: bool = ...,
) -> Array: ...
@overload
def detrend(
    data: Nest,
    axis: int = -1,
    type: str = "linear",
    bp: int | Plain = 0,
    *,
    overwrite_data: bool = ...,
) -> Value: ...
@equivalent(scipy.signal.detrend)
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0) -> Any:
    """Return data less the line, or the constant, that fits best along an axis.

    As `scipy.signal.detrend`: `type` is "linear" or "constant"; with `bp`, each part between these
    positions has a line of its own.

    >>> detrend(Value([1.0, 2.0, 1.0]), type="constant").round(3).tolist()
    [-0.333, 0.667, -0.333]
    """
    check_choice("detrend", "type", type, ("linear", "l", "constant", "c"))
    data = as_input("detrend", "data", data, allow_complex=True)
    if type in {"constant", "c"}:
        return data - np.mean(data, axis=axis, keepdims=True)
    data = _last(data, axis)
    n = np.shape(data)[-1]
    ends = np.unique(np.concatenate([[0], np.atleast_1d(bp), [n]]))
    if ends[0] < 0 or ends[-1] > n or ends.dtype.kind not in "iu":
        raise ArgumentError(f"detrend: bp must be positions from 0 to {n}, got {bp!r:.60}")
    parts = []
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        line = np.stack([np.linspace(0, 1, end - start), np.ones(end - start)], axis=-1)
        onto = line @ np.linalg.pinv(line)
        part = data[..., start:end]
        parts.append(part - part @ onto.T.astype(np.result_type(data)))
    return _back(np.concatenate(parts, axis=-1), axis)


_detrend = detrend  # `welch` has an option of that name


@overload
def hilbert(x: Plain, N: int | None = None, axis: int = -1) -> Array: ...
@overload
def hilbert(x: Nest, N: int | None = None, axis: int = -1) -> Value: ...
@equivalent(scipy.signal.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """Return the analytic signal, whose real part is x, as `scipy.signal.hilbert`.

    >>> hilbert(Value([1.0, 0.0, -1.0, 0.0])).imag.round(9).tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    x = as_real("hilbert", "x", x)
    n = np.shape(x)[axis] if N is None else check_integer("hilbert", "N", N, low=1)
    weights = np.zeros(n)
    weights[: n // 2 + 1] = 2.0  # no negative frequencies
    weights[0] = 1.0
    if n % 2 == 0:
        weights[n // 2] = 1.0
    spectrum = _last(np.fft.fft(x, n, axis), axis) * weights
    return np.fft.ifft(_back(spectrum, axis), axis=axis)


__getattr__ = names_of(scipy.signal, __name__)
