"""Losses: how far predictions are from their targets, as functions of Values.

Each begins with the residual u = ŷ - y, which is in the graph with the rest: after `backward()` it
has its dL/du. Shapes must be equal, since a loss between (N, 1) and (N,) would broadcast to (N, N)
and train wrongly in silence. A target that is a plain array or number takes the dtype of the
prediction, so that float64 data do not widen a float32 model; a target that is a Value keeps its
own. Every loss has a `reduction`: "mean" (the default) or "sum" of all entries, or "none".
"""

from __future__ import annotations

from .regression import huber as huber
from .regression import mae as mae
from .regression import mse as mse

__all__ = ["huber", "mae", "mse"]
