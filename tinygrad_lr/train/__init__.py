"""Training: `fit`, the visible loop of the lesson, and the `History` that it returns."""

from __future__ import annotations

from .history import History as History
from .loop import fit as fit

__all__ = ["History", "fit"]
