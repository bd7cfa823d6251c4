"""What a compiled function cannot do is refused with the user's line, and what to write instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType
from typing import NoReturn

import numpy as np

from ...errors import TraceError
from ...support.files import PACKAGE

OWN = (PACKAGE, f"{Path(np.__file__).parent}{os.sep}")
UNCERTAIN = (
    "NumPy may have made a copy or not, and which is not known here; write .copy() after the "
    "reshape, or compute a new array (x = x + 1, not x += 1)"
)


def refuse_numbers(wrong: str, cure: str) -> NoReturn:
    """Raise `TraceError` with the user's line."""
    code, line = user_line()
    place = f"{code.co_filename}, line {line}, in {code.co_name}"
    raise TraceError(f"{place}: compile: {wrong}; {cure}")


def user_line() -> tuple[CodeType, int]:
    """Where the user's function is at the moment."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OWN):
        frame = frame.f_back
    return frame.f_code, frame.f_lineno
