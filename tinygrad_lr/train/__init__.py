"""Training: `fit`, the visible loop of the lesson, and what stands around it."""

from __future__ import annotations

from .checkpoints import Checkpoints as Checkpoints
from .config import Moment as Moment
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .finder import LearningRates as LearningRates
from .finder import find_learning_rate as find_learning_rate
from .history import History as History
from .loop import fit as fit
from .stopping import EarlyStopping as EarlyStopping

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
