"""Where weights begin, and where their randomness comes from."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..errors import ArgumentError, DtypeError, bad_argument
from ..value import Value

Seed: TypeAlias = "np.random.Generator | int | None"


@functools.cache
def stream() -> np.random.Generator:
    """What draws where no generator is given: seeded, so that a program repeats its bits.

    Made on first use: importing numpy.random takes 10 ms.
    """
    return np.random.default_rng(0)


def as_generator(where: str, generator: Seed) -> np.random.Generator:
    """The generator that is meant: itself, one made of a seed, or for None the common stream.

    NumPy's global state is neither read nor touched. Raises `ArgumentError` for anything else.

    >>> int(as_generator("a layer", 7).integers(100))
    94
    """
    if generator is None:
        return stream()
    if isinstance(generator, np.random.Generator):
        return generator
    whole = isinstance(generator, (int, np.integer)) and not isinstance(generator, bool)
    if whole and generator >= 0:
        return np.random.default_rng(generator)
    raise ArgumentError(
        bad_argument(
            where,
            "generator is neither a generator nor a seed",
            expected="a numpy.random.Generator, or an integer from 0",
            given=repr(generator),
            cure="write numpy.random.default_rng(seed)",
        )
    )


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


def uniform(
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

    >>> uniform("a layer", (2,), 0.5, generator=0)
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
