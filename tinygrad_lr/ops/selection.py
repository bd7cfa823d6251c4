"""Choosing between entries: where, and clip."""

import numpy as np

from ..core.primitive import implements, primitive


@primitive(
    np.where,
    latex=r"\begin{cases} <x> & <condition> \\ <y> & \text{otherwise} \end{cases}",
    onnx="Where",
    kind="elementwise",
    examples=[((2, 3), (2, 3), (3,)), ((3,), (), (2, 3)), ((), (), ())],
    domain={"condition": (0, 1)},
)
def where(condition, x, y):
    """x where the condition holds, else y. The branch that is not taken gets exactly 0.

    >>> np.where(np.array([True, False]), Value(1.0), 2.0)
    Value(data=[1. 2.], grad=None)
    """
    return np.where(condition, x, y)[()]


where.vjp(
    x=lambda g, out, condition, x, y: np.where(condition, g, 0.0),
    y=lambda g, out, condition, x, y: np.where(condition, 0.0, g),
)


@primitive(
    latex=r"\operatorname{clip}\left(<x>, <low>, <high>\right)",
    onnx="Clip",
    kind="elementwise",
    examples=[((2, 3), (), ()), ((4,), (4,), (4,)), ((), (), ())],
    domain={"x": (-2.0, 2.0), "low": (-1.2, -0.8), "high": (0.8, 1.2)},
)
def clip_between(x, low, high):
    """The entries of x held between low and high; a bound that is None does not hold.

    >>> clip_between(Value([1.0, 5.0]), 2.0, None)
    Value(data=[2. 5.], grad=None)
    """
    return np.clip(x, low, high)


def _inside(x, low, high):
    return (True if low is None else x >= low) & (True if high is None else x <= high)


clip_between.vjp(
    x=lambda g, out, x, low, high: np.where(_inside(x, low, high), g, 0.0),
    low=lambda g, out, x, low, high: np.where(
        (x < low) & (True if high is None else low <= high), g, 0.0
    ),
    high=lambda g, out, x, low, high: np.where(
        (x > high) | (False if low is None else low > high), g, 0.0
    ),
)


@implements(np.clip)
def clip(a, a_min=None, a_max=None, *, min=None, max=None):
    """The entries of `a` held between `a_min` and `a_max`. At a bound the derivative is 1.

    >>> np.clip(Value([1.0, 5.0]), 2.0, 4.0)
    Value(data=[2. 4.], grad=None)
    """
    low = a_min if min is None else min
    high = a_max if max is None else max
    return clip_between(a, low, high)
