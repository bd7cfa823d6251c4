"""What the framework itself says of the run's end: the computation graph, and the derivation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..explain import derivation
from ..nn import Module
from ..plot import computation_graph
from ..train import History
from .data import Data
from .twin import Twin


def explained(
    model: Module, history: History, data: Data, loss: Callable[[Any, Any], Any]
) -> tuple[str, str]:
    """Both as HTML, at the last weights of the history, on the rows that are in the file."""
    rows = data.shown
    twin = Twin(model, loss, data.x[rows], data.y[rows])
    value = twin.recorded({name: records[-1] for name, records in history.weights.items()})
    with np.errstate(all="ignore"):
        graph = computation_graph(value, model=twin.model).html()
        return graph, derivation(value, model=twin.model).html()
