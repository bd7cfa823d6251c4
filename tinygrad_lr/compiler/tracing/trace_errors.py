"""Errors for what can't be compiled: the user's line, what is wrong, what to write instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType
from typing import NoReturn

import numpy as np

from ...errors import TraceError
from ...support.files import PACKAGE

LIBRARIES = (PACKAGE, f"{Path(np.__file__).parent}{os.sep}")
"""The folders whose code isn't the user's: this package and NumPy."""

COPY_AFTER_RESHAPE = (
    "whether NumPy's reshape returns a view or a copy depends on the memory layout, which isn't "
    "known while tracing; write .copy() after the reshape, or compute a new array (x = x + 1 "
    "instead of x += 1)"
)


def raise_trace_error(wrong: str, cure: str) -> NoReturn:
    """Raise `TraceError` with the user's file and line."""
    code, line = user_line()
    raise TraceError(
        f"{code.co_filename}, line {line}, in {code.co_name}: compile: {wrong}; {cure}"
    )


def user_line() -> tuple[CodeType, int]:
    """Return the code and the line number at which the user's function is now."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    return frame.f_code, frame.f_lineno
