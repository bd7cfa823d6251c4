"""Compiling: a function is traced once, and runs from then on without Python's part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..exports import at_first_use as _at_first_use

if _TYPE_CHECKING:
    from .compiled import Compiled as Compiled
    from .compiled import compile as compile
    from .threads import set_threads as set_threads

__getattr__, __dir__ = _at_first_use(
    __name__, {"Compiled": "compiled", "compile": "compiled", "set_threads": "threads"}
)
