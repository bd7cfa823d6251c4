"""Data for training: batches, splits, one-hot labels, standardised features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names
from .standardizer import Standardizer as Standardizer
from .standardizer import one_hot as one_hot
from .standardizer import original_units as original_units

if TYPE_CHECKING:
    from .batches import BatchIterator as BatchIterator
    from .loader import DataLoader as DataLoader
    from .splitting import split as split

__all__ = ["BatchIterator", "DataLoader", "Standardizer", "one_hot", "original_units", "split"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BatchIterator": "batches",
        "DataLoader": "loader",
        "split": "splitting",
    },
)
