"""Checks of numbers while a program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class BoundCheck:
    """A check that integers from 0, below a bound, pass; others are looked at by a function.

    The function raises the error, and takes ten times as long.
    """

    def __init__(self, look: Callable[[Any], object], below: int) -> None:
        self.look, self.below = look, below

    def __call__(self, x: Any) -> None:
        """Raise the function's error, if there is one."""
        if not self.holds(x):
            self.look(x)

    def holds(self, x: Any) -> bool:
        """Return True if an array, of any shape, is within the bounds."""
        if type(x) is not np.ndarray or not x.size or x.dtype.kind not in "iu":
            return False
        unsigned = x.view(f"u{x.dtype.itemsize}")  # a negative number is huge there
        return bool(unsigned.max() < self.below) if x.dtype.isnative else False
