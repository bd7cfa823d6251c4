"""Pictures of what a descent did; they need the extra `plot` (matplotlib)."""

from __future__ import annotations

from .classes import classification_figure as classification_figure
from .depth import gradient_by_depth as gradient_by_depth
from .descent import descent_figure as descent_figure
from .network_drawing import network as network
from .replay import loss_of as loss_of
from .weight_slice import loss_slice as loss_slice

__all__ = [
    "classification_figure",
    "descent_figure",
    "gradient_by_depth",
    "loss_of",
    "loss_slice",
    "network",
]
