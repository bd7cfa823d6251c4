"""Data for training: batches, splits, one-hot labels, standardised features."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules
from .standardizer import *

if _TYPE_CHECKING:
    from .batches import *
    from .loader import *
    from .splitting import *

__getattr__, __dir__ = _lazy_modules(__name__)
