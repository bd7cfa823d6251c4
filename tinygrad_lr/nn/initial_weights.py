"""Random initial weights of layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ArgumentError
from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from ..support.validation import check_dtype, require_memory

Draw = Callable[[tuple[int, ...]], Array]


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
    draw: Draw = lambda shape: random.uniform(-bound, bound, shape)
    return Value(allocate(where, shape, draw).astype(floating))


def allocate(where: str, shape: tuple[int, ...], draw: Draw) -> Array:
    """Return draw(shape). Raises `ArgumentError` if the shape doesn't fit in memory.

    >>> allocate("a layer", (2,), np.ones)
    array([1., 1.])
    """
    require_memory(where, "weight", shape)
    try:
        return draw(shape)
    except MemoryError as error:
        raise ArgumentError(f"{where}: weight must fit in memory, got shape {shape}") from error
