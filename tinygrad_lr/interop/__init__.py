"""Exchange models with other libraries: `tg.interop.torch`, imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names

if TYPE_CHECKING:
    from . import torch as torch

__all__ = ["torch"]

__getattr__, __dir__ = lazy_names(__name__, {"torch": ""})
