"""Training: `fit` and its loop, evaluation, checkpoints, and the search for a learning rate."""

from __future__ import annotations

from .checkpoints import Checkpoints as Checkpoints
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .finder import LearningRates as LearningRates
from .finder import find_learning_rate as find_learning_rate
from .history import History as History
from .loop import fit as fit
from .monitors import EarlyStopping as EarlyStopping
from .state import Moment as Moment

__all__ = [
    "Checkpoints",
    "EarlyStopping",
    "History",
    "LearningRates",
    "Moment",
    "evaluate",
    "find_learning_rate",
    "fit",
    "predict",
]


def __dir__() -> list[str]:
    return __all__
