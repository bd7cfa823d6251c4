"""Compiling: a function is traced once, and runs from then on without Python's part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_names as _lazy_names

if _TYPE_CHECKING:
    from .runtime.compiled import Compiled as Compiled
    from .runtime.compiled import compile as compile
    from .runtime.threads import set_threads as set_threads

__getattr__, __dir__ = _lazy_names(
    __name__,
    {
        "Compiled": "runtime.compiled",
        "compile": "runtime.compiled",
        "set_threads": "runtime.threads",
    },
)
