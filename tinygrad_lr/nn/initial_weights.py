"""What layers draw their weights with: types of weights, and numbers within a bound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..core.value import Value
from ..errors import ArgumentError, DtypeError, bad_argument
from ..support.random_state import Seed, as_generator


def as_dtype(where: str, dtype: DTypeLike) -> np.dtype[Any]:
    """The floating type that is meant. Raises `DtypeError` for one that cannot hold a gradient.

    >>> as_dtype("a layer", "float32")
    dtype('float32')
    """
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = np.dtype(object)
    if dtype is None or chosen.kind != "f":
        raise DtypeError(
            bad_argument(
                where,
                "dtype is not a floating type",
                expected="numpy.float32 or numpy.float64",
                given=repr(dtype),
            )
        )
    return chosen.newbyteorder("=")


def within(
    where: str,
    shape: tuple[int, ...],
    bound: float,
    *,
    dtype: DTypeLike = np.float32,
    generator: Seed = None,
) -> Value:
    """A parameter drawn uniformly from (-bound, bound).

    Drawn in float64 and then rounded, so that one seed gives the same weights in every dtype.
    Raises `ArgumentError` for a shape that memory cannot hold.

    >>> within("a layer", (2,), 0.5, generator=0)
    Value(data=[ 0.13696168 -0.23021328], grad=None)
    """
    kind = as_dtype(where, dtype)
    random = as_generator(where, generator)
    try:
        drawn = random.uniform(-bound, bound, shape).astype(kind)
    except (MemoryError, ValueError) as error:
        raise ArgumentError(
            bad_argument(
                where, "the weights do not fit in memory", expected="a smaller shape", given=shape
            )
        ) from error
    return Value(drawn)
