"""What the framework itself says of the first step: the computation graph, and the derivation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..explain import derivation
from ..nn import Module
from ..plot import computation_graph
from ..train import History
from .data import Data
from .model_copy import Twin


def explained(
    model: Module, history: History, data: Data, loss: Callable[[Any, Any], Any]
) -> tuple[str, str]:
    """Both as HTML, where the descent began, on the rows that are in the file."""
    rows = data.shown
    twin = Twin(model, loss, data.x[rows], data.y[rows])
    value = twin.recorded({name: records[0] for name, records in history.weights.items()})
    with np.errstate(all="ignore"):
        graph = computation_graph(value, model=twin.model).html()
        rate = next(iter(history.learning_rates), 0.0) or None  # 0 before a warm-up
        return graph, derivation(value, model=twin.model, learning_rate=rate).html()
