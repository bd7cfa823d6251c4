"""Errors for what can't be compiled: the user's line, what is wrong, what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CodeType
from typing import Any, NoReturn

from ...errors import TraceError
from .call_stack import user_line
from .interception import CURRENT_TRACE

OWN_PACKAGE = __name__.partition(".")[0]
OWN_PACKAGES = frozenset({"numpy", OWN_PACKAGE})
STANDARD_LIBRARY = sys.stdlib_module_names - {"__main__"}
COPY_AFTER_RESHAPE = (
    "whether NumPy's reshape returns a view or a copy depends on the memory layout, which isn't "
    "known while tracing; write .copy() after the reshape, or compute a new array (x = x + 1 "
    "instead of x += 1)"
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


def overlap(what: str) -> tuple[str, str]:
    """Return what is wrong with an array that shares memory with what is updated, and the cure."""
    return f"{what} shares memory with a parameter that the function updates", (
        "read the parameter's own .data, or pass a copy"
    )
