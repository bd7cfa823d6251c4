"""SciPy on Values: `tg.scipy.special`, loaded by itself when a scipy.special function is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names

if TYPE_CHECKING:
    from . import special as special

__all__ = ["special"]

__getattr__, __dir__ = lazy_names(__name__, {"special": ""})
