"""Losses: the distance between predictions and targets, as functions of Values.

Losses of numbers start with the residual u = ŷ - y, which is in the graph with the rest: after
`backward()` it has its dL/du. Losses of classes take logits, and include the softmax or logistic
function, so that they are finite for any output of a network. Shapes must be equal, or those of
rows and their labels, since a loss between (N, 1) and (N,) would broadcast to (N, N) and train
wrongly without an error. A target that is a plain array or number takes the dtype of the
prediction, so that float64 data don't widen a float32 model; a target that is a Value keeps its
own. Every loss has a `reduction`: "mean" (the default) or "sum" of all entries, or "none". Pass a
loss with options as a function of prediction and target: partial(cross_entropy, ignore_index=0).

Whatever a file of this folder lists in its `__all__` is exported; most files are loaded when one of
their losses is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules
from .regression import *

if _TYPE_CHECKING:
    from .binary import *
    from .classification import *
    from .likelihood import *

__getattr__, __dir__ = _lazy_modules(__name__)
