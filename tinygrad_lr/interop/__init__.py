"""Models that other libraries wrote or are to read: `tg.interop.torch`, imported at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import at_first_use

if TYPE_CHECKING:
    from . import torch as torch

__all__ = ["torch"]

__getattr__, __dir__ = at_first_use(__name__, {"torch": ""})
