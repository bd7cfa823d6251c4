"""Errors for what can't be compiled: the user's line, what is wrong, what to write instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import numpy as np

from ...errors import TraceError
from ...support.files import PACKAGE
from .interception import CURRENT_TRACE

LIBRARIES = (PACKAGE, f"{Path(np.__file__).parent}{os.sep}")
"""The folders whose code isn't the user's: this package and NumPy."""

OWN_PACKAGE = __name__.partition(".")[0]
OWN_PACKAGES = frozenset({"numpy", OWN_PACKAGE})
STANDARD_LIBRARY = sys.stdlib_module_names - {"__main__"}
STANDARD_FOLDER = f"{Path(os.__file__).parent}{os.sep}"

COPY_AFTER_RESHAPE = (
    "whether NumPy's reshape returns a view or a copy depends on the memory layout, which isn't "
    "known while tracing; write .copy() after the reshape, or compute a new array (x = x + 1 "
    "instead of x += 1)"
)


def is_library(code: CodeType) -> bool:
    """Return True for the code of this package and of NumPy."""
    return code.co_filename.startswith(LIBRARIES)


def is_standard_library(code: CodeType) -> bool:
    """Return True for the code of Python's own modules."""
    return code.co_filename.startswith(("<frozen", STANDARD_FOLDER)) and (
        "-packages" not in code.co_filename
    )


def raise_trace_error(wrong: str, cure: str, needed: Iterable[Any] = ()) -> NoReturn:
    """Raise `TraceError` with the user's file and line. The trace fails even if it is caught.

    `needed` are instructions whose numbers would help.
    """
    error = trace_error(*user_line(), wrong, cure)
    trace = CURRENT_TRACE.get()
    if trace is not None:
        trace.need_numbers(needed)
    if trace is not None and trace.refusal is None:
        trace.refusal = error
    raise error


def trace_error(code: CodeType, line: int, wrong: str, cure: str) -> TraceError:
    """Return the error for a line of the user's code."""
    return TraceError(
        f"{code.co_filename}, line {line}, in {code.co_name}: compile: {wrong}; {cure}"
    )


def user_line() -> tuple[CodeType, int]:
    """Return the code and the line number at which the user's function is now."""
    frame = first = sys._getframe(1)
    while is_library(frame.f_code) or is_standard_library(frame.f_code):
        if frame.f_back is None:
            return first.f_code, first.f_lineno
        frame = frame.f_back
    return frame.f_code, frame.f_lineno
