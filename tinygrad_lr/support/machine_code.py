"""Functions in machine code that operations call for large work, where llvmlite is installed.

They compute the same sums in another order. Whether one is used follows from shapes and dtypes
alone, so that a program gives the same bits each time it runs on a machine.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

import numpy as np

DTYPES = {np.dtype(np.float32), np.dtype(np.float64)}
PACKAGE = "tinygrad_lr.compiler.llvm"
MIN_WORK = 1 << 19  # multiplications: below it NumPy is quick, and llvmlite takes long to load


def find_kernels(module: str, work: int, *arrays: Any) -> Any:
    """Return a module of such functions, if they are for arrays and work like this; else None."""
    dtypes = {array.dtype for array in arrays}
    if work < MIN_WORK or len(dtypes) > 1 or not dtypes <= DTYPES:  # the processor's byte order
        return None
    return _load(module)


@functools.cache
def _load(module: str) -> Any:
    found = importlib.util.find_spec("llvmlite")
    return None if found is None else importlib.import_module(f"{PACKAGE}.{module}")
