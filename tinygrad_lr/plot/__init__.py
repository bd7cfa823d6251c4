"""Pictures of what a descent did; they need the extra `plot` (matplotlib)."""

from __future__ import annotations

from .classes import classification_figure as classification_figure
from .descent import descent_figure as descent_figure
from .descent import loss_of as loss_of
from .graph_picture import GraphPicture as GraphPicture
from .graph_picture import computation_graph as computation_graph

__all__ = [
    "GraphPicture",
    "classification_figure",
    "computation_graph",
    "descent_figure",
    "loss_of",
]
