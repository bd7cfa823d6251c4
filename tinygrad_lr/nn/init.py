"""Weight initialisers: each creates a parameter of a given shape, or resets an existing one.

    weight = init.kaiming_normal((64, 10), generator=0)    # a new Value
    init.orthogonal(layer.weight, gain=2.0, generator=0)   # an existing one, in place
    init.reset(model, init.xavier_uniform, generator=0)    # a whole model's

The numbers of inputs and outputs of a weight (fan_in and fan_out) follow from its shape. Two axes
are (in, out), as in Linear, Embedding and the recurrent cells. More are (out, in, ...), as in
convolutions, where the size of the window multiplies both numbers. Override this with
`layout="in_out"` or `layout="out_in"`. Everything is drawn in float64 and rounded, so that one seed
gives the same weights in every dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..core.primitive import PRIMITIVES
from ..core.value import Value
from ..errors import ArgumentError, ShapeError
from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from ..support.validation import (
    allocate,
    check_choice,
    check_dtype,
    check_finite,
    check_instance,
    check_integer,
    check_number,
    short_repr,
)
from .module import Module, put

__all__ = [
    "calculate_gain",
    "constant",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "reset",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Target: TypeAlias = "Value | int | Sequence[int]"

GAINS = {"identity": 1.0, "linear": 1.0, "selu": 0.75}
"""Gains of what is not an operation of its own; an operation declares its gain."""

MAX_SLOPE = 1e150  # of an activation: its square must be finite
MAX_AXES = 32  # of every version of NumPy


def calculate_gain(nonlinearity: str, parameter: float = 0.01) -> float:
    """Return the gain for weights that preserves the scale of signals through a nonlinearity.

    1 for "linear", "identity" and "sigmoid", 5/3 for "tanh", √2 for "relu", 3/4 for "selu", and
    √(2/(1 + parameter²)) for "leaky_relu" with that slope.

    Raises `ArgumentError` if the name is unknown. Source: `torch.nn.init.calculate_gain`.

    >>> tg.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    gains = {name: x.gain for name, x in PRIMITIVES.items() if x.gain is not None} | GAINS
    gain = gains[check_choice("calculate_gain", "nonlinearity", nonlinearity, sorted(gains))]
    slope = check_finite("calculate_gain", "parameter", parameter)
    if abs(slope) > MAX_SLOPE:
        raise ArgumentError(f"calculate_gain: parameter must be at most 1e150, got {slope}")
    return gain(slope) if callable(gain) else gain


def constant(
    target: Target, value: float, *, dtype: DTypeLike | None = None, generator: Seed = None
) -> Value:
    """Fill with one number. `generator` is accepted, as by every initialiser, but not used.

    >>> tg.nn.init.constant((2,), 3.0)
    Value(data=[3. 3.], grad=None)
    """
    number = check_finite("constant", "value", value)
    return _create_or_reset(
        "constant", target, lambda shape, _: np.full(shape, number), dtype, generator
    )


def zeros(target: Target, *, dtype: DTypeLike | None = None, generator: Seed = None) -> Value:
    """Fill with zeros. `generator` is accepted, as by every initialiser, but not used.

    >>> tg.nn.init.zeros(2)
    Value(data=[0. 0.], grad=None)
    """
    return _create_or_reset("zeros", target, lambda shape, _: np.zeros(shape), dtype, generator)


def ones(target: Target, *, dtype: DTypeLike | None = None, generator: Seed = None) -> Value:
    """Fill with ones. `generator` is accepted, as by every initialiser, but not used.

    >>> tg.nn.init.ones(2)
    Value(data=[1. 1.], grad=None)
    """
    return _create_or_reset("ones", target, lambda shape, _: np.ones(shape), dtype, generator)


def uniform(
    target: Target,
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw uniformly between low and high. Raises `ArgumentError` if low > high.

    >>> tg.nn.init.uniform(2, -0.5, 0.5, generator=0)
    Value(data=[ 0.13696168 -0.23021328], grad=None)
    """
    low, high = check_finite("uniform", "low", low), check_finite("uniform", "high", high)
    if not low <= high:
        raise ArgumentError(f"uniform: low must be <= high, got low={low!r}, high={high!r}")
    draw = lambda shape, random: random.uniform(low, high, shape)
    return _create_or_reset("uniform", target, draw, dtype, generator)


def normal(
    target: Target,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw from a normal distribution. Raises `ArgumentError` if std is negative.

    >>> tg.nn.init.normal((2, 3), std=0.02, generator=0).shape
    (2, 3)
    """
    mean, std = check_finite("normal", "mean", mean), check_number("normal", "std", std)
    draw = lambda shape, random: random.normal(mean, std, shape)
    return _create_or_reset("normal", target, draw, dtype, generator)


def xavier_uniform(
    target: Target,
    gain: float = 1.0,
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw uniformly within ±gain·√(6/(inputs + outputs)), for layers with tanh or no activation.

    Raises `ShapeError` if the weight has fewer than two axes.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; `torch.nn.init.xavier_uniform_`.

    >>> bool(abs(tg.nn.init.xavier_uniform((1, 5), generator=0).data).max() <= 1)
    True
    """
    where = "xavier_uniform"
    gain = check_number(where, "gain", gain)
    bound = gain * math.sqrt(6 / sum(_compute_fans(where, target, layout)))
    return _create_or_reset(
        where, target, lambda s, g: g.uniform(-bound, bound, s), dtype, generator
    )


def xavier_normal(
    target: Target,
    gain: float = 1.0,
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw normally with standard deviation gain·√(2/(inputs + outputs)); see `xavier_uniform`.

    Source: Glorot, Bengio, 2010; `torch.nn.init.xavier_normal_`.

    >>> tg.nn.init.xavier_normal((1, 5), generator=0).shape
    (1, 5)
    """
    where = "xavier_normal"
    gain = check_number(where, "gain", gain)
    std = gain * math.sqrt(2 / sum(_compute_fans(where, target, layout)))
    return _create_or_reset(
        where, target, lambda s, random: random.normal(0.0, std, s), dtype, generator
    )


def kaiming_uniform(
    target: Target,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw uniformly within ±gain·√(3/fan), for layers with rectifiers.

    The gain is `calculate_gain(nonlinearity, a)`: √2 for a rectifier, less for a leaky one of slope
    `a`. The fan is the number of inputs, or with `mode="fan_out"` of outputs.

    Raises `ArgumentError` if mode or nonlinearity is unknown, `ShapeError` if the weight has fewer
    than two axes.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.init.kaiming_uniform_`.

    >>> bool(abs(tg.nn.init.kaiming_uniform((6, 5), generator=0).data).max() <= 1)
    True
    """
    std = _kaiming_std("kaiming_uniform", target, a, mode, nonlinearity, layout)
    bound = math.sqrt(3.0) * std
    draw = lambda shape, random: random.uniform(-bound, bound, shape)
    return _create_or_reset("kaiming_uniform", target, draw, dtype, generator)


def kaiming_normal(
    target: Target,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw normally with standard deviation gain/√fan, for rectifiers; see `kaiming_uniform`.

    Source: He et al., 2015; `torch.nn.init.kaiming_normal_`.

    >>> tg.nn.init.kaiming_normal((8, 3, 3, 3), mode="fan_out", generator=0).shape
    (8, 3, 3, 3)
    """
    std = _kaiming_std("kaiming_normal", target, a, mode, nonlinearity, layout)
    draw = lambda shape, random: random.normal(0.0, std, shape)
    return _create_or_reset("kaiming_normal", target, draw, dtype, generator)


def orthogonal(
    target: Target,
    gain: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Draw a random matrix whose rows or columns (the fewer) are orthogonal and of length gain.

    A weight with more than two axes is read as the matrix (first axis, all others).

    Raises `ShapeError` if the weight has fewer than two axes.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", 2013; `torch.nn.init.orthogonal_`.

    >>> w = tg.nn.init.orthogonal((2, 5), dtype=float, generator=0).data
    >>> bool(np.allclose(w @ w.T, np.eye(2)))
    True
    """
    _compute_fans("orthogonal", target, None)
    gain = check_finite("orthogonal", "gain", gain)

    def draw(shape: tuple[int, ...], random: np.random.Generator) -> Array:
        rows, columns = shape[0], math.prod(shape[1:])
        drawn = random.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # so that all orientations are equally likely
        return np.reshape(gain * (q if rows >= columns else q.T), shape)

    return _create_or_reset("orthogonal", target, draw, dtype, generator)


def reset(
    model: Module,
    weight: Callable[..., object],
    bias: Callable[..., object] | None = zeros,
    *,
    generator: Seed = None,
) -> Module:
    """Reset the parameters of a model in place; return the model.

    Parameters whose own name begins with "bias" are passed to `bias` (None leaves them), others
    with two or more axes to `weight`; the rest, such as the scales of normalisation layers, don't
    change. Both are called with the parameter and `generator=`, one generator for all. For an
    initialiser with options, pass `functools.partial(init.xavier_normal, gain=2.0)`.

    >>> model = tg.nn.init.reset(tg.nn.Linear(2, 1), tg.nn.init.ones)
    >>> model.weight.tolist(), model.bias.tolist()
    ([[1.0], [1.0]], [0.0])
    """
    check_instance("reset", "model", model, Module, "a tg.nn.Module")
    for name, initialiser in (("weight", weight), ("bias", bias)):
        if not callable(initialiser) and not (name == "bias" and initialiser is None):
            raise ArgumentError(
                f"reset: {name} must be an initialiser such as init.zeros, "
                f"got {short_repr(initialiser)}"
            )
    random = as_generator("reset", generator)
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2].startswith("bias"):
            if bias is not None:
                bias(parameter, generator=random)
        elif parameter.ndim > 1:
            weight(parameter, generator=random)
    return model


def _shape(where: str, target: Target) -> tuple[int, ...]:
    """Return the shape of a parameter, or a given shape as a tuple."""
    if isinstance(target, Value):
        return target.shape
    sizes = target if isinstance(target, (tuple, list)) else [target]
    if len(sizes) > MAX_AXES:
        raise ArgumentError(
            f"{where}: target must be a shape of at most {MAX_AXES} axes, got {len(sizes)}"
        )
    return tuple(check_integer(where, "an axis of the shape", size, low=1) for size in sizes)


def _compute_fans(where: str, target: Target, layout: str | None) -> tuple[int, int]:
    """Return the numbers of inputs and outputs of a weight."""
    shape = _shape(where, target)
    if len(shape) < 2:
        raise ShapeError(
            f"{where}: target must have at least two axes, inputs and outputs, "
            f"got shape {shape}; use normal or uniform"
        )
    check_choice(where, "layout", layout, ("in_out", "out_in", None))
    window = math.prod(shape[2:])
    first, second = shape[0] * window, shape[1] * window
    out_first = layout == "out_in" or (layout is None and len(shape) > 2)
    return (second, first) if out_first else (first, second)


def _kaiming_std(
    where: str, target: Target, a: float, mode: str, nonlinearity: str, layout: str | None
) -> float:
    """Return the standard deviation of Kaiming's distributions."""
    check_choice(where, "mode", mode, ("fan_in", "fan_out"))
    fan = _compute_fans(where, target, layout)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _create_or_reset(
    where: str,
    target: Target,
    draw: Callable[[tuple[int, ...], np.random.Generator], Array],
    dtype: DTypeLike | None,
    generator: Seed,
) -> Value:
    """Return a new parameter of a shape, or reset the given one."""
    shape, random = _shape(where, target), as_generator(where, generator)
    if not isinstance(target, Value):
        floating = check_dtype(where, np.float32 if dtype is None else dtype)
        return Value(
            allocate(where, "weight", shape, lambda shape: draw(shape, random)).astype(floating)
        )
    if target.record is not None:
        raise ArgumentError(
            f"{where}: target must be a parameter or a shape, got a computed Value of shape {shape}"
        )
    own = np.dtype(getattr(target.data, "dtype", np.float64))
    if dtype is not None and check_dtype(where, dtype) != own:
        raise ArgumentError(
            f"{where}: dtype must be that of the parameter, {own}, or None, got {short_repr(dtype)}"
        )
    put(target, draw(shape, random).astype(own))
    return target


def __dir__() -> list[str]:
    return __all__
