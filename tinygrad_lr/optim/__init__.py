"""Optimisers: update weights along their gradients.

`Optimizer` loops over the parameters; an algorithm is two methods: `start`, its initial state for a
parameter, and `update`, its rule. Arguments have the names and defaults of PyTorch's, with
`learning_rate` for lr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names
from ..support.validation import check_number as check_number
from .optimizer import LearningRate as LearningRate
from .optimizer import Optimizer as Optimizer
from .optimizer import restore as restore
from .optimizer import snapshot as snapshot
from .sgd import SGD as SGD

if TYPE_CHECKING:
    from .adam import Adam as Adam
    from .adam import AdamW as AdamW
    from .adam import Lion as Lion
    from .adam import NAdam as NAdam
    from .adaptive import Adadelta as Adadelta
    from .adaptive import Adagrad as Adagrad
    from .adaptive import RMSprop as RMSprop
    from .averaging import ExponentialMovingAverage as ExponentialMovingAverage
    from .clipping import clip_gradient_norm as clip_gradient_norm
    from .clipping import clip_gradient_value as clip_gradient_value
    from .lbfgs import LBFGS as LBFGS
    from .minimization import minimize as minimize

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "ExponentialMovingAverage",
    "LearningRate",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "check_number",
    "clip_gradient_norm",
    "clip_gradient_value",
    "minimize",
    "restore",
    "snapshot",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Adadelta": "adaptive",
        "Adagrad": "adaptive",
        "Adam": "adam",
        "AdamW": "adam",
        "ExponentialMovingAverage": "averaging",
        "LBFGS": "lbfgs",
        "Lion": "adam",
        "NAdam": "adam",
        "RMSprop": "adaptive",
        "clip_gradient_norm": "clipping",
        "clip_gradient_value": "clipping",
        "minimize": "minimization",
    },
)
