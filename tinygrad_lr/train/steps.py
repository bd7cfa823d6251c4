"""The parts of a step: the loss and its gradient, then the update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.value import Value
from ..optim import clip_gradient_norm
from ..support.abstract_array import Array
from .inputs import Batch, StepBatches
from .state import FitState

Show = Callable[[float, Mapping[str, float]], object]
"""A function that shows the progress of training: called with the loss and the last evaluation."""

Pairs = list[tuple[Any, Any]]
Forward = tuple[float, Pairs, Callable[[], object]]


class Stepper:
    """The parts of a step, computed operation by operation."""

    def __init__(self, state: FitState) -> None:
        self.state, self.config, self.optimizer = state, state.config, state.optimizer

    def run_ahead(self, batches: StepBatches, show: Show) -> bool:
        """Make many steps at once where nothing looks at them; return True if that was done."""
        return False

    def forward(self, group: list[Batch]) -> Forward:
        """Return the loss of the batches, predictions with targets, and the backward pass."""
        if len(group) > 1:
            return self.accumulate(group)
        inputs, wanted = group[0]
        predicted = self.state.model(inputs)  # ŷ = model(x)
        loss = self.config.compute_loss(predicted, wanted)  # L = loss(ŷ, y)

        def backward() -> None:
            self.optimizer.zero_grad()
            loss.backward()  # dL/dw

        return float(loss.data), [(as_array(predicted), wanted)], backward

    def accumulate(self, group: list[Batch]) -> Forward:
        """Return the loss of several batches as if they were one; their gradients are added up."""
        rows = sum(len(wanted) for _, wanted in group)
        pairs: Pairs = []
        loss = 0.0
        for inputs, wanted in group:  # one graph at a time: that is what accumulating is for
            share = len(wanted) / rows
            error, predicted = self.add_share(inputs, wanted, share, first=not pairs)
            loss += float(error)
            pairs.append((predicted, wanted))
        return loss, pairs, lambda: None

    def add_share(self, inputs: Any, wanted: Any, share: float, *, first: bool) -> tuple[Any, Any]:
        """Add a batch's share to the gradients; return its share in the loss, and predictions."""
        predicted = self.state.model(inputs)
        error = self.config.compute_loss(predicted, wanted) * share
        if first:
            self.optimizer.zero_grad()
        error.backward()
        return error.data, as_array(predicted)

    def update(self) -> None:
        """Move the parameters along the gradient."""
        if self.config.clip_norm is not None:
            clip_gradient_norm(self.optimizer.parameters, self.config.clip_norm)
        self.optimizer.step()  # w ← w - learning rate · dL/dw

    def line_search(self, group: list[Batch]) -> None:
        """Update the parameters with an optimiser that evaluates the loss several times."""

        def closure() -> float:
            loss, _, backward = self.forward(group)
            backward()
            return loss

        self.optimizer.step(closure)


def as_array(predicted: Any) -> Array:
    """Return the prediction without its graph."""
    return np.asarray(predicted.data if isinstance(predicted, Value) else predicted)
