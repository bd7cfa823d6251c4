"""Compile functions: trace one once, then run it as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_names as _lazy_names

if _TYPE_CHECKING:
    from .llvm.threads import set_threads as set_threads
    from .runtime.compiled import Compiled as Compiled
    from .runtime.compiled import compile as compile

__getattr__, __dir__ = _lazy_names(
    __name__,
    {
        "Compiled": "runtime.compiled",
        "compile": "runtime.compiled",
        "set_threads": "llvm.threads",
    },
)
