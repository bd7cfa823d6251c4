"""Getting data ready to learn from: features brought to one scale, and a line brought back."""

from __future__ import annotations

from .standardizer import Standardizer as Standardizer
from .standardizer import original_units as original_units

__all__ = ["Standardizer", "original_units"]
