"""Random generators: one that the caller passes, or a seed; never NumPy's global state."""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np

from ..errors import ArgumentError
from ..support.validation import short_repr

Seed: TypeAlias = "np.random.Generator | int | None"


@functools.cache
def default_generator() -> np.random.Generator:
    """Return the generator used when none is given: seeded, so that a program repeats its bits.

    It is created on first use, since importing numpy.random takes 10 ms.
    """
    return np.random.default_rng(0)


def as_generator(where: str, generator: Seed) -> np.random.Generator:
    """Return the generator itself, a new one for a seed, or the default one for None.

    NumPy's global state is neither read nor touched. Raises `ArgumentError` for anything else.

    >>> int(as_generator("a layer", 7).integers(100))
    94
    """
    if generator is None:
        return default_generator()
    if isinstance(generator, np.random.Generator):
        return generator
    whole = isinstance(generator, (int, np.integer)) and not isinstance(generator, bool)
    if whole and generator >= 0:
        return np.random.default_rng(generator)
    raise ArgumentError(
        f"{where}: generator must be a numpy.random.Generator or an integer seed >= 0, "
        f"got {short_repr(generator)}; write numpy.random.default_rng(seed)"
    )
