"""Steps in compiled code: a program for the loss and its gradient, and one for the update."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

from ..compiler import compile
from ..core.value import Value
from ..errors import CompileWarning, TraceError
from .config import Plan
from .deferred_interrupt import Holding
from .diagnosis import outside
from .rollback import put_gradients
from .state import Run
from .step_batches import Batch
from .steps import Forward, Steps


class Attempt:
    """Compiling as far as it goes: what cannot be compiled is an error, or told once."""

    def __init__(self, required: bool) -> None:
        self.required, self.failed = required, False

    def failure(self, error: TraceError) -> None:
        """Raise the error, or warn of it and let the training go on without."""
        if self.required:
            raise error
        self.failed = True
        warnings.warn(
            f"fit: the training is not compiled: {error}; pass compile=False if that is meant",
            CompileWarning,
            stacklevel=outside(),
        )

    def compiled(self, function: Callable[..., Any], backend: str | None) -> Callable[..., Any]:
        """The function compiled, and as it is from when something could not be."""
        quick = compile(function, backend=backend)

        def either(*args: Any) -> Any:
            if not self.failed:
                try:
                    return quick(*args)
                except TraceError as error:
                    self.failure(error)
            return function(*args)

        return either


class CompiledSteps(Steps):
    """Two programs: one for the loss and its gradient, one for the update.

    What the loop looks at between them is as it is without compiling.
    """

    def __init__(
        self, run: Run, plan: Plan, attempt: Attempt, holding: Holding, backend: str | None
    ) -> None:
        super().__init__(run, plan)
        self.holding = holding
        self.quick_gradient = attempt.compiled(self._gradient_function(), backend)
        self.quick_first = attempt.compiled(self._part_function(first=True), backend)
        self.quick_part = attempt.compiled(self._part_function(first=False), backend)
        self.quick_update = attempt.compiled(super().update, backend)
        self.leaves = leaves_of(run)

    def _gradient_function(self) -> Callable[[Any, Any], Any]:
        model, optimizer, compare = self.run.model, self.optimizer, self.plan.compare
        asked = bool(self.run.metrics)

        def gradient(inputs: Any, wanted: Any) -> Any:
            predicted = model(inputs)
            error = compare(predicted, wanted)
            optimizer.zero_grad()
            error.backward()
            return error.data, data_of(predicted) if asked else None

        return gradient

    def _part_function(self, *, first: bool) -> Callable[[Any, Any, float], Any]:
        model, optimizer, compare = self.run.model, self.optimizer, self.plan.compare
        asked = bool(self.run.metrics)

        def part(inputs: Any, wanted: Any, share: float) -> Any:
            predicted = model(inputs)
            error = compare(predicted, wanted) * share
            if first:
                optimizer.zero_grad()
            error.backward()
            return error.data, data_of(predicted) if asked else None

        return part

    def forward(self, group: list[Batch]) -> Forward:
        """The loss of the batches, what was predicted and wanted, and how to go backward."""
        if len(group) > 1:
            return self._together(group)
        inputs, wanted = group[0]
        with self.holding:
            old = self._gradients()
            loss, predicted = self.quick_gradient(inputs, wanted)
            new = [leaf._grad for leaf in self.leaves]
            put_gradients(self.leaves, old)
        return float(loss), [(predicted, wanted)], lambda: put_gradients(self.leaves, new)

    def _gradients(self) -> list[Any]:
        """The present gradients; those that the optimiser does not forget are added to in place."""
        count = len(self.run.weights.parameters)
        found = [leaf._gradient for leaf in self.leaves]
        return [*found[:count], *(None if x is None else copy.copy(x) for x in found[count:])]

    def part(self, inputs: Any, wanted: Any, share: float, *, first: bool) -> tuple[Any, Any]:
        """A batch's share in the loss, and the prediction; its gradient is added up."""
        part = self.quick_first if first else self.quick_part
        with self.holding:
            loss, predicted = part(inputs, wanted, share)
        return loss, predicted

    def update(self) -> None:
        """Move the parameters along the gradient."""
        with self.holding:
            self.quick_update()


def leaves_of(run: Run) -> list[Value]:
    """The parameters of the optimiser, and those of the model beside them."""
    several = [*run.weights.parameters, *run.model.parameters()]
    return list({id(x): x for x in several}.values())


def data_of(predicted: Any) -> Any:
    """The prediction without its graph."""
    return predicted.data if isinstance(predicted, Value) else predicted
