"""Where weights begin: each initialiser makes a parameter of a shape, or resets one that there is.

    weight = init.kaiming_normal((64, 10), generator=0)    # a new Value
    init.orthogonal(layer.weight, gain=2.0, generator=0)   # the layer's own, in place
    init.reset(model, init.xavier_uniform, generator=0)    # a whole model's

How many inputs and outputs a weight has (its fans) is read off its shape: one with two axes is
(in, out), as those of Linear, Embedding and the recurrent cells; one with more is (out, in, ...),
as those of convolutions, whose further axes, the window, multiply both. `layout="in_out"` or
`layout="out_in"` says otherwise. Everything is drawn in float64 and rounded, so that one seed gives
the same weights in every dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..core.primitive import PRIMITIVES
from ..core.value import Value
from ..errors import ArgumentError, ShapeError, refuse
from ..support.random_state import Seed, as_generator
from ..support.validation import check_choice
from .initial_weights import as_dtype
from .linear import as_size
from .module import Module, put

Target: TypeAlias = "Value | int | Sequence[int]"
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

GAINS = {"identity": 1.0, "linear": 1.0, "selu": 0.75}
"""Gains of what is not an operation of its own; an operation declares its gain."""


def calculate_gain(nonlinearity: str, parameter: float = 0.01) -> float:
    """By how much weights are to be larger so that signals keep their size past a nonlinearity.

    1 for "linear", "identity" and "sigmoid", 5/3 for "tanh", √2 for "relu", 3/4 for "selu", and
    √(2/(1 + parameter²)) for "leaky_relu" with that slope.

    Raises `ArgumentError` for another name. Source: `torch.nn.init.calculate_gain`.

    >>> tg.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    gains = {name: x.gain for name, x in PRIMITIVES.items() if x.gain is not None} | GAINS
    gain = gains[check_choice("calculate_gain", "nonlinearity", nonlinearity, sorted(gains))]
    return gain(parameter) if callable(gain) else gain


def constant(
    target: Target, value: float, *, dtype: DTypeLike | None = None, generator: Seed = None
) -> Value:
    """One number in every entry. A generator may be given, as to all initialisers; none is used.

    >>> tg.nn.init.constant((2,), 3.0)
    Value(data=[3. 3.], grad=None)
    """
    number = float(value)
    return _made("constant", target, lambda shape, _: np.full(shape, number), dtype, generator)


def zeros(target: Target, *, dtype: DTypeLike | None = None, generator: Seed = None) -> Value:
    """0 in every entry. A generator may be given, as to all initialisers; none is used.

    >>> tg.nn.init.zeros(2)
    Value(data=[0. 0.], grad=None)
    """
    return _made("zeros", target, lambda shape, _: np.zeros(shape), dtype, generator)


def ones(target: Target, *, dtype: DTypeLike | None = None, generator: Seed = None) -> Value:
    """1 in every entry. A generator may be given, as to all initialisers; none is used.

    >>> tg.nn.init.ones(2)
    Value(data=[1. 1.], grad=None)
    """
    return _made("ones", target, lambda shape, _: np.ones(shape), dtype, generator)


def uniform(
    target: Target,
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Drawn uniformly between low and high. Raises `ArgumentError` where low > high.

    >>> tg.nn.init.uniform(2, -0.5, 0.5, generator=0)
    Value(data=[ 0.13696168 -0.23021328], grad=None)
    """
    if not low <= high:
        refuse(
            ArgumentError,
            "uniform",
            "the bounds are not in order",
            expected="low <= high",
            given=f"low={low}, high={high}",
        )
    draw = lambda shape, random: random.uniform(low, high, shape)
    return _made("uniform", target, draw, dtype, generator)


def normal(
    target: Target,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Drawn from the normal distribution. Raises `ArgumentError` for a negative std.

    >>> tg.nn.init.normal((2, 3), std=0.02, generator=0).shape
    (2, 3)
    """
    if not std >= 0:
        refuse(ArgumentError, "normal", "std is negative", expected="a number >= 0", given=std)
    draw = lambda shape, random: random.normal(mean, std, shape)
    return _made("normal", target, draw, dtype, generator)


def xavier_uniform(
    target: Target,
    gain: float = 1.0,
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Uniform in ±gain·√(6/(inputs + outputs)), for layers with tanh or without an activation.

    Raises `ShapeError` for a weight with fewer than two axes.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; `torch.nn.init.xavier_uniform_`.

    >>> bool(abs(tg.nn.init.xavier_uniform((1, 5), generator=0).data).max() <= 1)
    True
    """
    where = "xavier_uniform"
    bound = gain * math.sqrt(6 / sum(_fans(where, target, layout)))
    return _made(where, target, lambda s, g: g.uniform(-bound, bound, s), dtype, generator)


def xavier_normal(
    target: Target,
    gain: float = 1.0,
    *,
    layout: str | None = None,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """Normal with the deviation gain·√(2/(inputs + outputs)); see `xavier_uniform`.

    Source: Glorot, Bengio, 2010; `torch.nn.init.xavier_normal_`.

    >>> tg.nn.init.xavier_normal((1, 5), generator=0).shape
    (1, 5)
    """
    where = "xavier_normal"
    std = gain * math.sqrt(2 / sum(_fans(where, target, layout)))
    return _made(where, target, lambda s, random: random.normal(0.0, std, s), dtype, generator)


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
    """Uniform in ±gain·√(3/fan), for layers with rectifiers.

    The gain is `calculate_gain(nonlinearity, a)`: √2 for a rectifier, and for a leaky one of slope
    `a` less. The fan is the number of inputs, or with `mode="fan_out"` of outputs.

    Raises `ArgumentError` for another mode or nonlinearity, `ShapeError` for a weight with fewer
    than two axes.

    Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.init.kaiming_uniform_`.

    >>> bool(abs(tg.nn.init.kaiming_uniform((6, 5), generator=0).data).max() <= 1)
    True
    """
    std = _kaiming("kaiming_uniform", target, a, mode, nonlinearity, layout)
    bound = math.sqrt(3.0) * std
    draw = lambda shape, random: random.uniform(-bound, bound, shape)
    return _made("kaiming_uniform", target, draw, dtype, generator)


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
    """Normal with the deviation gain/√fan, for layers with rectifiers; see `kaiming_uniform`.

    Source: He et al., 2015; `torch.nn.init.kaiming_normal_`.

    >>> tg.nn.init.kaiming_normal((8, 3, 3, 3), mode="fan_out", generator=0).shape
    (8, 3, 3, 3)
    """
    std = _kaiming("kaiming_normal", target, a, mode, nonlinearity, layout)
    draw = lambda shape, random: random.normal(0.0, std, shape)
    return _made("kaiming_normal", target, draw, dtype, generator)


def orthogonal(
    target: Target,
    gain: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    generator: Seed = None,
) -> Value:
    """A random matrix whose rows or columns, whichever are fewer, are orthogonal, of length gain.

    A weight with more than two axes is read as the matrix (first axis, all others).

    Raises `ShapeError` for a weight with fewer than two axes.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", 2013; `torch.nn.init.orthogonal_`.

    >>> w = tg.nn.init.orthogonal((2, 5), dtype=float, generator=0).data
    >>> bool(np.allclose(w @ w.T, np.eye(2)))
    True
    """
    _fans("orthogonal", target, None)

    def draw(shape: tuple[int, ...], random: np.random.Generator) -> Array:
        rows, columns = shape[0], math.prod(shape[1:])
        drawn = random.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # so that all orientations are equally likely
        return np.reshape(gain * (q if rows >= columns else q.T), shape)

    return _made("orthogonal", target, draw, dtype, generator)


def reset(
    model: Module,
    weight: Callable[..., object],
    bias: Callable[..., object] | None = zeros,
    *,
    generator: Seed = None,
) -> Module:
    """Reset the parameters of a model in place; give back the model.

    Parameters whose own name begins with "bias" are given to `bias` (with None they stay), others
    with two or more axes to `weight`; the rest, such as the scales of normalising layers, stay.
    Both are called with the parameter and `generator=`, one generator for all. For an initialiser
    with options, pass `functools.partial(init.xavier_normal, gain=2.0)`.

    >>> model = tg.nn.init.reset(tg.nn.Linear(2, 1), tg.nn.init.ones)
    >>> model.weight.tolist(), model.bias.tolist()
    ([[1.0], [1.0]], [0.0])
    """
    random = as_generator("reset", generator)
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2].startswith("bias"):
            if bias is not None:
                bias(parameter, generator=random)
        elif parameter.ndim > 1:
            weight(parameter, generator=random)
    return model


def _shape(where: str, target: Target) -> tuple[int, ...]:
    """The shape of a parameter, or the one that is given."""
    if isinstance(target, Value):
        return target.shape
    sizes = target if isinstance(target, (tuple, list)) else [target]
    return tuple(as_size(where, "an axis of the shape", size) for size in sizes)


def _fans(where: str, target: Target, layout: str | None) -> tuple[int, int]:
    """How many inputs and outputs a weight has."""
    shape = _shape(where, target)
    if len(shape) < 2:
        refuse(
            ShapeError,
            where,
            "the weight has no inputs and outputs",
            expected="two axes or more",
            given=f"shape {shape}",
            cure="use normal or uniform",
        )
    if layout not in {None, "in_out", "out_in"}:
        refuse(
            ArgumentError,
            where,
            "the layout is unknown",
            expected="'in_out' or 'out_in'",
            given=f"{layout!r:.60}",
        )
    window = math.prod(shape[2:])
    first, second = shape[0] * window, shape[1] * window
    out_first = layout == "out_in" or (layout is None and len(shape) > 2)
    return (second, first) if out_first else (first, second)


def _kaiming(
    where: str, target: Target, a: float, mode: str, nonlinearity: str, layout: str | None
) -> float:
    """The deviation of Kaiming's distributions."""
    if mode not in {"fan_in", "fan_out"}:
        refuse(
            ArgumentError,
            where,
            "the mode is unknown",
            expected="'fan_in' or 'fan_out'",
            given=f"{mode!r:.60}",
        )
    fan = _fans(where, target, layout)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _made(
    where: str,
    target: Target,
    draw: Callable[[tuple[int, ...], np.random.Generator], Array],
    dtype: DTypeLike | None,
    generator: Seed,
) -> Value:
    """A new parameter of a shape, or the given one reset."""
    shape, random = _shape(where, target), as_generator(where, generator)
    if not isinstance(target, Value):
        kind = as_dtype(where, np.float32 if dtype is None else dtype)
        try:
            return Value(draw(shape, random).astype(kind))
        except (MemoryError, ValueError):
            refuse(
                ArgumentError,
                where,
                "the weights do not fit in memory",
                expected="a smaller shape",
                given=shape,
            )
    if target._record is not None:
        refuse(
            ArgumentError,
            where,
            "a computed Value cannot be reset",
            expected="a parameter, or a shape",
            given=f"a result of shape {shape}",
        )
    own = np.dtype(getattr(target.data, "dtype", np.float64))
    if dtype is not None and as_dtype(where, dtype) != own:
        refuse(
            ArgumentError,
            where,
            "a parameter keeps its dtype",
            expected=f"{own}, or none",
            given=f"{dtype!r:.60}",
        )
    put(target, draw(shape, random).astype(own))
    return target
