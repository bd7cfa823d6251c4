"""The parts of a step: the loss and its gradient, then the update."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.value import Value
from ..optim import clip_gradient_norm
from ..support.abstract_array import Array
from .config import Plan
from .progress import Show
from .state import Run
from .step_batches import Batch, Groups

Pairs = list[tuple[Any, Any]]
Forward = tuple[float, Pairs, Callable[[], object]]

BY_DEFAULT = False  # whether compile=None compiles: docs/decisions.md says why not yet


class Steps:
    """The parts of a step, computed operation by operation."""

    def __init__(self, run: Run, plan: Plan) -> None:
        self.run, self.plan, self.optimizer = run, plan, run.optimizer

    def several(self, groups: Groups, show: Show) -> bool:
        """Whether the next steps were made all at once, since nothing looks at any of them."""
        return False

    def forward(self, group: list[Batch]) -> Forward:
        """The loss of the batches, what was predicted and wanted, and how to go backward."""
        optimizer = self.optimizer
        if len(group) > 1:
            return self._together(group)
        inputs, wanted = group[0]
        predicted = self.run.model(inputs)  # ŷ = model(x)
        error = self.plan.compare(predicted, wanted)  # L = loss(ŷ, y)

        def backward() -> None:
            optimizer.zero_grad()
            error.backward()

        return float(error.data), [(_numbers(predicted), wanted)], backward

    def _together(self, group: list[Batch]) -> Forward:
        """The loss of several batches as if they were one."""
        rows = sum(len(wanted) for _, wanted in group)
        pairs: Pairs = []
        loss = 0.0
        for inputs, wanted in group:  # one graph at a time: that is what accumulating is for
            share = len(wanted) / rows
            error, predicted = self.part(inputs, wanted, share, first=not pairs)
            loss += float(error)
            pairs.append((predicted, wanted))
        return loss, pairs, lambda: None

    def part(self, inputs: Any, wanted: Any, share: float, *, first: bool) -> tuple[Any, Any]:
        """A batch's share in the loss, and the prediction; its gradient is added up."""
        predicted = self.run.model(inputs)
        error = self.plan.compare(predicted, wanted) * share
        if first:
            self.optimizer.zero_grad()
        error.backward()
        return error.data, _numbers(predicted)

    def update(self) -> None:
        """Move the parameters along the gradient."""
        if self.plan.clip_norm is not None:
            clip_gradient_norm(self.optimizer.parameters, self.plan.clip_norm)
        self.optimizer.step()  # w ← w - learning rate · dL/dw

    def search(self, group: list[Batch]) -> None:
        """Move the parameters by an optimiser that asks for the loss again as it goes."""

        def closure() -> float:
            loss, _, backward = self.forward(group)
            backward()
            return loss

        self.optimizer.step(closure)


def _numbers(predicted: Any) -> Array:
    """The prediction without its graph."""
    return np.asarray(predicted.data if isinstance(predicted, Value) else predicted)


@contextlib.contextmanager
def stepping(run: Run, plan: Plan, compile: bool | None) -> Iterator[Steps]:
    """How the steps are computed: operation by operation, or in compiled code."""
    if not (BY_DEFAULT if compile is None else compile):
        yield Steps(run, plan)
        return
    from .compiled import Attempt, CompiledSteps
    from .deferred_interrupt import Holding
    from .fused_steps import Chunks, suits  # here: loading the compiler takes 30 ms

    holding, kind = Holding(), Chunks if suits(run, plan) else CompiledSteps
    with holding.listening():
        yield kind(run, plan, Attempt(compile is True), holding, None)
