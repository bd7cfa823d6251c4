"""Explanations: how earlier weights affect the loss."""

from __future__ import annotations

from .influences import Influence as Influence
from .influences import influence as influence

__all__ = ["Influence", "influence"]
