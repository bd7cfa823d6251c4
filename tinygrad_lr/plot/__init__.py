"""Pictures of what a descent did; they need the extra `plot` (matplotlib)."""

from __future__ import annotations

from .classes import classification_figure as classification_figure
from .descent import descent_figure as descent_figure
from .replay import loss_of as loss_of

__all__ = ["classification_figure", "descent_figure", "loss_of"]
