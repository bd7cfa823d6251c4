"""Losses: the distance between predictions and targets, as functions of Values.

Regression losses start with the residual u = ŷ - y, a Value in the graph whose gradient is dL/du
after `backward()`. Classification losses take logits and include the softmax or logistic function,
which keeps them finite for any finite output of a network. Prediction and target must have equal
shapes, or be rows of scores and their labels: a loss between (N, 1) and (N,) would broadcast to
(N, N) and train wrongly without an error. A target that is a plain array or number is converted to
the dtype of the prediction, so float64 data don't widen a float32 model; a target that is a Value
keeps its dtype. Every loss has a `reduction`: "mean" (the default) or "sum" of all entries, or
"none". Pass a loss with options as a function of prediction and target:
partial(cross_entropy, ignore_index=0).

The names in the `__all__` of each file here are exported; most files are loaded when one of their
losses is first used.
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
