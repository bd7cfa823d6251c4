"""Random initial weights of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ArgumentError, DtypeError
from ..support.random_state import Seed, as_generator


def check_dtype(where: str, dtype: DTypeLike) -> np.dtype[Any]:
    """Return a floating dtype. Raises `DtypeError` if it can't hold a gradient.

    >>> check_dtype("a layer", "float32")
    dtype('float32')
    """
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = np.dtype(object)
    if dtype is None or chosen.kind != "f":
        raise DtypeError(
            f"{where}: dtype must be a floating dtype such as numpy.float32, got {dtype!r:.60}"
        )
    return chosen.newbyteorder("=")


def draw_uniform(
    where: str,
    shape: tuple[int, ...],
    bound: float,
    *,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Value:
    """Return a parameter drawn uniformly from (-bound, bound).

    It is drawn in float64 and then rounded, so that one seed gives the same weights in every dtype.
    Raises `ArgumentError` if the shape doesn't fit in memory.

    >>> draw_uniform("a layer", (2,), 0.5, generator=0)
    Value(data=[ 0.13696168 -0.23021328], grad=None)
    """
    floating = check_dtype(where, dtype)
    random = as_generator(where, generator)
    try:
        return Value(random.uniform(-bound, bound, shape).astype(floating))
    except (MemoryError, ValueError) as error:
        raise ArgumentError(f"{where}: the weights of shape {shape} don't fit in memory") from error
