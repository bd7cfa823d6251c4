"""What kind of run a page is about, which decides what it can show."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import losses
from ..nn import Module
from .data import Data
from .model_spec import MOST_PARAMETERS, layers_of

KNOWN: dict[Any, str] = {losses.mse: "mse", losses.cross_entropy: "cross_entropy"}


@dataclass(frozen=True)
class Kind:
    """What a page knows about the model and its task.

    - `task`: "regression" of one number by mean squared error, "classes", or "other"
    - `loss`: its name
    - `layers`: the affine layers of a line or a plain network, else None
    - `line`: whether there is one such layer, and no function after it
    - `open`: whether the page can compute the model and its loss by itself, at any weights
    """

    task: str
    loss: str
    layers: list[dict[str, Any]] | None
    line: bool
    open: bool

    @property
    def parabola(self) -> bool:
        """Whether the loss is a parabola over every weight, and curved alike everywhere."""
        return self.line and self.task == "regression"


def kind_of(model: Module, data: Data, loss: Callable[[Any, Any], Any]) -> Kind:
    """The kind of a run."""
    layers = layers_of(model)
    name = KNOWN.get(loss)
    task = "other"
    if data.y[0].size == 1 and name == "mse":
        task = "regression"
    elif data.labels:
        task = "classes"
    wanted = {"regression": "mse", "classes": "cross_entropy"}.get(task)
    fits = layers is not None and name == wanted
    fits = fits and (task == "classes" or layers is None or layers[-1]["outputs"] == 1)
    return Kind(
        task=task,
        loss=name or str(getattr(loss, "__name__", "loss")),
        layers=layers,
        line=layers is not None and len(layers) == 1 and layers[0]["function"] is None,
        open=fits and task != "other" and data.tabular and data.parameters <= MOST_PARAMETERS,
    )


def labelled(data: Data, outputs: int) -> Data:
    """The data with a label for each of the model's outputs, those without one by their number."""
    if not data.labels or outputs <= len(data.labels):
        return data
    more = map(str, range(len(data.labels), outputs))
    return dataclasses.replace(data, labels=(*data.labels, *more))
