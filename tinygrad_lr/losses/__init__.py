"""Losses: how far predictions are from their targets, as functions of Values.

Those of numbers begin with the residual u = ŷ - y, which is in the graph with the rest: after
`backward()` it has its dL/du. Those of classes take logits, so that they are finite whatever the
network gives: softmax and the logistic function are inside. Shapes must be equal, or those of rows
and their labels, since a loss between (N, 1) and (N,) would broadcast to (N, N) and train wrongly
in silence. A target that is a plain array or number takes the dtype of the prediction, so that
float64 data do not widen a float32 model; a target that is a Value keeps its own. Every loss has a
`reduction`: "mean" (the default) or "sum" of all entries, or "none". A loss with options is handed
over as a function of prediction and target: functools.partial(cross_entropy, ignore_index=0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names
from .regression import huber as huber
from .regression import mae as mae
from .regression import mse as mse

if TYPE_CHECKING:
    from .binary import binary_cross_entropy as binary_cross_entropy
    from .binary import hinge as hinge
    from .classification import cross_entropy as cross_entropy
    from .classification import kl_divergence as kl_divergence
    from .classification import nll as nll
    from .likelihood import gaussian_nll as gaussian_nll
    from .likelihood import poisson_nll as poisson_nll

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "gaussian_nll",
    "hinge",
    "huber",
    "kl_divergence",
    "mae",
    "mse",
    "nll",
    "poisson_nll",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "binary_cross_entropy": "binary",
        "cross_entropy": "classification",
        "gaussian_nll": "likelihood",
        "hinge": "binary",
        "kl_divergence": "classification",
        "nll": "classification",
        "poisson_nll": "likelihood",
    },
)
