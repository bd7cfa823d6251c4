"""Derivatives against central differences: the independent reference for every rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError, GradientCheckError
from ..support import pytree as tree
from ..support.abstract_array import Array
from ..support.validation import check_callable, check_integer, check_number, real_array
from .autodiff import grad, jvp
from .grad_mode import without_watcher
from .jacobians import partial_derivatives
from .node import unwrap
from .primitive import is_complex
from .value import Value

STEP = float(np.cbrt(np.finfo(np.float64).eps))  # where rounding and truncation balance
MAX_ORDER = 10  # of derivatives; each differentiates the one before


@without_watcher()
def check_gradients(
    f: Callable[..., Any], *args: Any, order: int = 2, tolerance: float = 1e-6
) -> None:
    """Compare the derivatives of `f` at `args`, up to `order`, with central differences.

    Everything is computed in float64; complex numbers are pairs of real ones. The whole Jacobian,
    in reverse mode and in forward mode, is compared with (f(x + h) - f(x - h)) / 2h, entry by
    entry; a higher order does the same to the gradient of a weighted sum of the outputs. Raises
    `GradientCheckError` with the worst entry: mode and order, argument and entry, the derivative
    found, and the central difference.
    An entry passes within `tolerance` times the larger of 1 and the derivative.

    >>> check_gradients(np.tanh, 0.3)
    >>> check_gradients(lambda x: x * x.detach(), 3.0)
    Traceback (most recent call last):
    ...
    tinygrad_lr.errors.GradientCheckError: check_gradients: reverse mode, order 1, with respect to \
argument 0, entry (), of output entry 0: found 3.0, central differences give 6
    """
    where = "check_gradients"
    check_callable(where, "f", f)
    order = check_integer(where, "order", order, low=1)
    if order > MAX_ORDER:
        raise ArgumentError(f"{where}: order must be at most {MAX_ORDER}, got {order}")
    tolerance = check_number(where, "tolerance", tolerance)
    inputs = [_as_double(where, unwrap(leaf)) for leaf in tree.leaves(args)]
    sizes = [x.size * (2 if is_complex(x) else 1) for x in inputs]
    ends = np.cumsum(sizes)

    def shape_part(part: Any, like: Array) -> Any:
        """Return an input from its numbers: real parts, and imaginary parts after them."""
        if is_complex(like):
            part = part[: like.size] + 1j * part[like.size :]
        return np.reshape(part, like.shape)

    def flat(vector: Any) -> Any:
        """Return all outputs as one vector, for all inputs as one vector."""
        parts = np.split(vector, ends[:-1])
        shaped = [shape_part(part, x) for part, x in zip(parts, inputs, strict=True)]
        outputs = tree.leaves(f(*tree.unflatten(args, shaped)))
        return np.concatenate([real for out in outputs for real in _real_vectors(out)])

    def name(entry: int) -> str:
        leaf = int(np.searchsorted(ends, entry, side="right"))
        x, within = inputs[leaf], int(entry - (ends[leaf] - sizes[leaf]))
        part = " (imaginary part)" if within >= x.size else ""
        return (
            f"argument {leaf}, entry "
            f"{tuple(map(int, np.unravel_index(within % x.size, x.shape)))}{part}"
        )

    vector = np.concatenate([real for x in inputs for real in _real_vectors(x)] or [np.zeros(0)])
    function: Callable[[Any], Any] = flat
    for now in range(1, order + 1):
        expected = _differences(function, vector)
        rows = partial_derivatives("check_gradients", function, 0, False, forward=False)
        reverse = unwrap(rows(vector))  # Values, where f uses others too
        unit = np.eye(vector.size)
        forward = np.zeros_like(expected)
        for entry in range(vector.size):
            forward[:, entry] = unwrap(jvp(function, (vector,), (unit[entry],))[1])
        for mode, found in (("reverse", reverse), ("forward", forward)):
            _compare(f"{mode} mode, order {now}", found, expected, tolerance, name)
        function = _weighted_gradient(function, expected.shape[0], seed=now)


def _as_double(where: str, given: Any) -> Array:
    """Return an argument as an array of float64 or complex128."""
    data = real_array(where, "an argument", given, allow_complex=True)
    return np.array(data, np.complex128 if is_complex(data) else np.float64)


def _real_vectors(x: Any) -> list[Any]:
    """Return the entries as one real vector, or two for complex ones."""
    return [np.ravel(part) for part in ((np.real(x), np.imag(x)) if is_complex(x) else (x,))]


def _weighted_gradient(f: Callable[[Any], Any], size: int, seed: int) -> Callable[[Any], Any]:
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, size)
    return grad(lambda vector: np.sum(f(vector) * weights))


def _differences(f: Callable[[Any], Any], vector: Array) -> Array:
    """Return the Jacobian by central differences."""

    def at(point: Array) -> Array:
        return np.asarray(unwrap(f(Value(point, requires_grad=False))))

    columns = []
    for entry, x in enumerate(vector):
        step = STEP * max(1.0, abs(x))
        above, below = vector.copy(), vector.copy()
        above[entry], below[entry] = x + step, x - step
        rise = at(above) - at(below)
        columns.append(rise / (above[entry] - below[entry]))
    return np.stack(columns, axis=1) if columns else np.zeros((at(vector).size, 0))


def _compare(
    where: str, found: Array, expected: Array, tolerance: float, name: Callable[[int], str]
) -> None:
    error = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    error = np.where(np.isnan(found) & np.isnan(expected), 0.0, error)
    error = np.where(np.isnan(error), np.inf, error)
    if error.size and error.max() > tolerance:
        out, entry = map(int, np.unravel_index(error.argmax(), error.shape))
        raise GradientCheckError(
            f"check_gradients: {where}, with respect to {name(entry)}, of output entry {out}: "
            f"found {float(found[out, entry])!r}, central differences give "
            f"{float(expected[out, entry]):.9g}"
        )
