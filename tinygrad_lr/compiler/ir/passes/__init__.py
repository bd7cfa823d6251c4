"""What is done to a program between tracing it and writing it: small passes, read downwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..program import Program
from .algebra import algebra
from .common_subexpressions import repeats
from .concatenate_in_place import joins
from .constant_folding import constants
from .expansion import expansion
from .fast_math import loop_laws
from .products import products

Pass = Callable[[Program], Program]


class Done(NamedTuple):
    """What a pass has done."""

    name: str
    before: int
    after: int


EXACT: list[Pass] = [
    constants,  # first: what follows then sees numbers
    algebra,
    repeats,
]
"""Passes that change no bit of any result. Dead lines go by themselves: nothing refers to them."""


REORDERING: list[Pass] = [
    expansion,  # first: its steps are simplified with the rest
    products,  # before the laws: what it writes has ones and transposes in it
    loop_laws,
]
"""Passes for compiled loops, which change roundings and the order of sums."""


LAST: list[Pass] = [
    joins,  # after all that moves arrays: its copies must stay
]
"""Passes that prepare for loops: what they write is no simplification."""


def simplified(program: Program, passes: list[Pass] = EXACT) -> tuple[Program, list[Done]]:
    """The program after the passes, and what each of them removed."""
    done = []
    for change in passes:
        before = len(program.instructions())
        program = change(program)
        done.append(Done(change.__name__, before, len(program.instructions())))
    return program, done
