"""Signs of a training that goes wrong, told while it can still be mended."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import TinygradError, TrainingWarning
from ..nn import Module, ReLU
from ..nn.hooks import observed
from ..optim import SGD, Optimizer
from ..support.abstract_array import Array
from .evaluation import mode

FIRST_LOOK, TIMES = 16, 4  # the steps 16, 64, 256 ...: what is looked at costs next to nothing
RATIO = 1e6  # between the gradients of two layers, or of a gradient and its weights
ENOUGH_ROWS, MOST_ROWS = 32, 1000  # a ReLU that is 0 for fewer rows may be by chance
RISES = 5  # of the loss in a row, after which the learning rate is measured


class Diagnosis:
    """Looks at a training now and then, and warns of each thing once."""

    def __init__(self, model: Module, optimizer: Optimizer, *, warn: bool) -> None:
        self.model, self.optimizer, self.warn = model, optimizer, warn
        self.next = FIRST_LOOK
        self.told: dict[str, str] = {}

    def tell(self, kind: str, sentence: str) -> None:
        """Warn, unless of this kind it was done before."""
        if kind not in self.told:
            self.told[kind] = sentence
            if self.warn:
                warnings.warn(sentence, TrainingWarning, stacklevel=outside())

    def look(self, step: int, inputs: Any) -> None:
        """After a backward pass: how large the gradients are, and which ReLUs are dead."""
        if step < self.next:
            return
        self.next = step * TIMES
        if len(inputs) >= ENOUGH_ROWS:
            self.relus(step, inputs[:MOST_ROWS])
        if "dead" not in self.told:
            self.gradients(step)

    def gradients(self, step: int) -> None:
        """Gradients of a layer that are a millionth of the last one's vanish on the way.

        They explode where they are a million times as large as the weights, or as 1. A layer
        counts with the largest entry of all its parameters: the bias before a batch-norm has no
        gradient, and that is no fault.
        """
        layers: dict[str, tuple[float, float]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter._gradient is not None and parameter.size:
                layer = name.rpartition(".")[0]
                old, scale = layers.get(layer, (0.0, 1.0))
                size = float(np.abs(parameter._gradient).max())
                largest = float(np.abs(parameter._content).max())
                layers[layer] = max(old, size), max(scale, largest)
        if len(layers) < 2 or not all(math.isfinite(size) for size, _ in layers.values()):
            return
        least = min(layers, key=lambda layer: layers[layer][0])
        last = next(reversed(layers))
        if layers[least][0] * RATIO < layers[last][0]:
            self.tell(
                "vanishing",
                f"step {step}: the gradient vanishes on the way to {least}: its largest entry "
                f"there is {layers[least][0]:.2g}, in {last} {layers[last][0]:.2g}; use relu or "
                "normalisation, fewer layers, or init.kaiming_normal",
            )
        for layer, (size, scale) in layers.items():
            if size > RATIO * scale:
                self.tell(
                    "exploding",
                    f"step {step}: the gradient explodes: its largest entry in {layer} is "
                    f"{size:.2g}, that of the weights {scale:.2g} or less; scale the data, pass "
                    "clip_norm=1.0, or begin with smaller weights",
                )

    def relus(self, step: int, inputs: Any) -> None:
        """A unit of a ReLU that is 0 for every row has no gradient: it no longer learns."""
        dead: list[str] = []

        def see(name: str, module: Module, _: Any, output: Any) -> None:
            if isinstance(module, ReLU) and output.ndim > 1:
                data = output.numpy() if isinstance(output, Value) else output
                off = (data == 0).all(axis=tuple(i for i in range(data.ndim) if i != 1))
                if 2 * off.sum() > off.size:
                    dead.append(f"{off.sum()} of {off.size} in {name}")

        with no_grad(), mode(self.model, False), observed(self.model, see):
            self.model(inputs)
        if dead:
            self.tell(
                "dead",
                f"step {step}: ReLUs are dead, that is 0 for all of {len(inputs)} rows: "
                f"{'; '.join(dead)}; lower the learning rate, or use leaky_relu",
            )

    def measures(self, rises: int) -> bool:
        """Whether the loss has risen so often that the learning rate is measured now."""
        return rises >= RISES and "rate" not in self.told and isinstance(self.optimizer, SGD)

    def rate(self, rises: int, measure: Callable[[], float | None]) -> None:
        """A learning rate above the stable limit, once the loss has begun to rise."""
        if not self.measures(rises) or not isinstance(self.optimizer, SGD):
            return
        limit = measure()
        stable = math.inf if limit is None else limit * (1 + self.optimizer.momentum)
        rate = self.optimizer.rate
        if rate > stable:
            self.tell(
                "rate",
                f"the loss has risen {RISES} times in a row, and the learning rate {rate:g} is "
                f"above {stable:.4g}, the largest stable one here, 2/λmax; lower it",
            )
        else:
            self.told["rate"] = ""  # measured: it is not that


def outside() -> int:
    """How far up the call is that came from outside this package: it is what is to be mended."""
    package, level = __name__.partition(".")[0], 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def culprit(model: Module, parameters: Sequence[Value], inputs: Any, *, moved: bool) -> str:
    """Where the numbers first left the finite ones: a gradient, a weight, or a layer's output."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for kind in ("gradient of ", "") if moved else ("",):  # older gradients tell nothing
        for parameter in parameters:
            numbers = parameter._gradient if kind else parameter._content
            if numbers is not None and not np.isfinite(numbers).all():
                name = names.get(id(parameter), "a parameter")
                return f"first not finite: the {kind}{name}"
    found: list[str] = []

    def see(name: str, module: Module, _: Any, output: Any) -> None:
        data = output._content if isinstance(output, Value) else output
        if not found and not np.isfinite(data).all():
            found.append(f"first not finite: the output of {name or type(module).__name__}")

    try:
        with np.errstate(all="ignore"), no_grad(), mode(model, False), observed(model, see):
            model(inputs)
    except TinygradError:
        return ""
    return found[0] if found else "first not finite: the loss of finite predictions"


def stable_rate(
    model: Module,
    compare: Callable[[Any, Any], Value],
    inputs: Array,
    targets: Array,
    *,
    rough: bool = False,
) -> float | None:
    """2/λmax over these rows at the present weights, where it is a number; roughly is quicker."""
    from ..linear import learning_rate_limit  # here: only a run that diverges needs it

    try:
        with np.errstate(all="ignore"):
            found = learning_rate_limit(
                *(model, compare, inputs, targets),
                iterations=200 if rough else 1000,
                tolerance=1e-3 if rough else 1e-9,
            )
    except (TinygradError, MemoryError, KeyboardInterrupt):
        return None
    return found if math.isfinite(found) else None
