"""Whose code runs: the user's, this package's, NumPy's or Python's own."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from pathlib import Path
from types import CodeType, FrameType

import numpy as np

from ...support.files import PACKAGE


def _folders_of(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return [f"{folder}{os.sep}" for folder in (spec and spec.submodule_search_locations) or ()]


LIBRARIES = (
    PACKAGE,
    f"{Path(np.__file__).parent}{os.sep}",
    *_folders_of("scipy"),
    *_folders_of("llvmlite"),
)
"""The folders whose code isn't the user's: this package, NumPy, SciPy, which fills caches, and
llvmlite, which an operation may load (`support/machine_code.py`).
"""

STAND_INS_OF_BUILTINS = str(Path(__file__).with_name("eager_classes.py"))
NUMPY_FOLDERS = tuple(
    f"{PACKAGE}{folder}{os.sep}" for folder in ("ops", "core", "numpy", "scipy", "compiler")
)
"""Where the code is that stands for functions of NumPy and SciPy, or calls it."""

STANDARD_FOLDER = f"{Path(os.__file__).parent}{os.sep}"


@functools.lru_cache(maxsize=4096)
def owner_of(file: str) -> str:
    """Return whose code a file has: "own" (this package), "library", "python" or "user".

    Calls of what `lru_cache` returns aren't events of a profiler, of which a trace has many.
    """
    if file.startswith(LIBRARIES):
        return "own" if file.startswith(PACKAGE) else "library"
    standard = file.startswith(("<frozen", STANDARD_FOLDER)) and "-packages" not in file
    return "python" if standard else "user"


def is_library(code: CodeType) -> bool:
    """Return True for the code of this package, of NumPy and of SciPy."""
    return owner_of(code.co_filename) in {"own", "library"}


def is_standard_library(code: CodeType) -> bool:
    """Return True for the code of Python's own modules."""
    return owner_of(code.co_filename) == "python"


def is_for_user() -> bool:
    """Return True if the caller's caller is code of the user's, or of NumPy, not of this package.

    Python's own modules, and the stand-ins of its builtins, ask for whoever calls them.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        owner = owner_of(file)
        if owner != "python" and file != STAND_INS_OF_BUILTINS:
            return owner != "own"
        frame = frame.f_back
    return False


def is_in_user_code() -> bool:
    """Return True if the caller's caller is code of the user's, not of a library."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        owner = owner_of(frame.f_code.co_filename)
        if owner != "python":
            return owner == "user"
        frame = frame.f_back
    return False


def is_made_for_user() -> bool:
    """Return True if what is made now is made for the user's code, not for a layer or an optimiser.

    Tracing, and what stands for NumPy's functions, make it for whoever calls them.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        owner = owner_of(file)
        if owner == "user" or (owner == "own" and not file.startswith(NUMPY_FOLDERS)):
            return owner == "user"
        frame = frame.f_back
    return False


def user_line() -> tuple[CodeType, int]:
    """Return the code and the line number at which the user's function is now."""
    frame = first = sys._getframe(1)
    while owner_of(frame.f_code.co_filename) != "user":
        if frame.f_back is None:
            return first.f_code, first.f_lineno
        frame = frame.f_back
    return frame.f_code, frame.f_lineno
