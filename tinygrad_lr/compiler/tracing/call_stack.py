"""Whose code runs: the user's, this package's, NumPy's or Python's own."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import CodeType, FrameType

import numpy as np

from ...support.files import PACKAGE


def _folder_of_scipy() -> list[str]:
    spec = importlib.util.find_spec("scipy")
    return [f"{folder}{os.sep}" for folder in (spec and spec.submodule_search_locations) or ()]


LIBRARIES = (PACKAGE, f"{Path(np.__file__).parent}{os.sep}", *_folder_of_scipy())
"""The folders whose code isn't the user's: this package, NumPy and SciPy, which fills caches."""

STAND_INS_OF_BUILTINS = str(Path(__file__).with_name("eager_classes.py"))
STANDARD_FOLDER = f"{Path(os.__file__).parent}{os.sep}"


def is_library(code: CodeType) -> bool:
    """Return True for the code of this package, of NumPy and of SciPy."""
    return code.co_filename.startswith(LIBRARIES)


def is_standard_library(code: CodeType) -> bool:
    """Return True for the code of Python's own modules."""
    return code.co_filename.startswith(("<frozen", STANDARD_FOLDER)) and (
        "-packages" not in code.co_filename
    )


def is_for_user() -> bool:
    """Return True if the caller's caller is code of the user's, or of NumPy, not of this package.

    Python's own modules, and the stand-ins of its builtins, ask for whoever calls them.
    """
    frame = _asking_frame(sys._getframe(2))
    return frame is not None and not frame.f_code.co_filename.startswith(PACKAGE)


def is_in_user_code() -> bool:
    """Return True if the caller's caller is code of the user's, not of a library."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_standard_library(frame.f_code):
        frame = frame.f_back
    return frame is not None and not is_library(frame.f_code)


def _asking_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and (
        is_standard_library(frame.f_code) or frame.f_code.co_filename == STAND_INS_OF_BUILTINS
    ):
        frame = frame.f_back
    return frame
