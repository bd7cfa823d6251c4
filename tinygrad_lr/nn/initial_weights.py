"""Random initial weights of layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..support.abstract_array import Array
from ..support.random_state import Seed, as_generator
from ..support.validation import allocate, check_dtype


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

    def draw(shape: tuple[int, ...]) -> Array:
        return np.asarray(random.uniform(-bound, bound, shape))

    return Value(allocate(where, "weight", shape, draw).astype(floating))
