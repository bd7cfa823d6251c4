"""Metrics: measures of the quality of predictions, to report rather than to differentiate.

Each is a function of prediction and target, arrays or Values, that returns a float. `BY_NAME` has
those that `fit(metrics=["accuracy"])` finds by name; any other function of prediction and target
can be passed too, such as `top_k(3)` or functools.partial(f1, average="weighted").
"""

from __future__ import annotations

from .classification import accuracy as accuracy
from .classification import f1 as f1
from .classification import precision as precision
from .classification import recall as recall
from .classification import top_k as top_k
from .confusion import ConfusionMatrix as ConfusionMatrix
from .confusion import confusion_matrix as confusion_matrix
from .decision import Metric as Metric
from .regression import mae as mae
from .regression import mse as mse
from .regression import r2 as r2
from .regression import rmse as rmse

__all__ = [
    "BY_NAME",
    "ConfusionMatrix",
    "Metric",
    "accuracy",
    "confusion_matrix",
    "f1",
    "mae",
    "mse",
    "precision",
    "r2",
    "recall",
    "rmse",
    "top_k",
]

BY_NAME: dict[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "mae": mae,
    "mse": mse,
    "precision": precision,
    "r2": r2,
    "recall": recall,
    "rmse": rmse,
    "top_3": top_k(3),
    "top_5": top_k(5),
}
"""The metrics that can be passed by name."""

LOWER_IS_BETTER = {"mae", "mse", "rmse"}
"""Those of them that are errors; of the others, more is better."""


def __dir__() -> list[str]:
    return __all__
