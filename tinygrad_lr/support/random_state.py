"""Random generators: one that the caller passes, or a seed; never NumPy's global state."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np

from ..errors import ArgumentError
from .files import printable
from .validation import short_repr

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


MAX_POSITIONS = {"MT19937": ("state", "pos", 624), "Philox": ("", "buffer_pos", 4)}
"""Keys of a state that are positions in a buffer: NumPy would read beyond it."""


def generator_in_state(
    where: str, own: np.random.Generator, state: Any, name: str = "state"
) -> np.random.Generator:
    """Return a new generator of the same kind as `own`, in a state that was saved.

    Raises `ArgumentError` if it isn't such a state.

    >>> own, other = np.random.default_rng(0), np.random.default_rng(1)
    >>> same = generator_in_state("load", own, other.bit_generator.state)
    >>> same.random() == other.random()
    True
    """
    kind = type(own.bit_generator).__name__
    given = state.get("bit_generator") if isinstance(state, dict) else type(state).__name__
    if not isinstance(given, str) or given != kind:
        raise ArgumentError(
            f"{where}: {name} must be of a {kind} generator, got {printable(f'{given!s:.60}')}; "
            "use a generator of that kind"
        )
    bits = type(own.bit_generator)()
    try:
        bits.state = state
        valid = _as_json(bits.state) == _as_json(state)
        valid = valid and state.get("has_uint32", 0) in (0, 1)
        if kind.startswith("PCG64"):
            valid = valid and state["state"]["inc"] % 2 == 1
        if kind in MAX_POSITIONS:
            inner, key, most = MAX_POSITIONS[kind]
            valid = valid and 0 <= (state[inner] if inner else state)[key] <= most
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
        valid = False
    if not valid:
        raise ArgumentError(
            f"{where}: {name} must be the state of a {kind} generator, got {state!r:.60}"
        )
    return np.random.Generator(bits)


def _as_json(state: Any) -> str:
    """Return a state as text, in which True is not 1."""
    import json  # a millisecond, for states that are loaded only

    return json.dumps(plain_state(state), sort_keys=True)


def plain_state(part: Any) -> Any:
    """Return the state of a generator as numbers, text, lists and dicts.

    >>> plain_state({"key": np.array([1, 2])})
    {'key': [1, 2]}
    """
    if isinstance(part, dict):
        return {key: plain_state(inner) for key, inner in part.items()}
    return part.tolist() if isinstance(part, (np.ndarray, np.generic)) else part
