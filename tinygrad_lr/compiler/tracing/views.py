"""Arrays that share memory, as the slices and transposes of an array do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..ir.instruction import Instruction

if TYPE_CHECKING:
    from .traced_array import Traced


class View(NamedTuple):
    """How an array shares its memory with another: writing to either is writing to both.

    - `read`: what this is, of what the whole is; None where NumPy may have made a copy
    - `write`: what the whole becomes, of what it was and of this; None where none may write
    """

    whole: Traced
    read: Callable[[Instruction], Instruction] | None
    write: Callable[[Instruction, Instruction], Instruction] | None
