"""Monitors of training: convergence, divergence, early stopping, and warnings while it runs."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import losses, metrics
from ..core.grad_mode import no_grad
from ..core.value import Value
from ..errors import ArgumentError, TinygradError, TrainingWarning
from ..nn import Module, ReLU
from ..nn.hooks import observed
from ..optim import SGD, Optimizer
from ..support.abstract_array import Array
from ..support.text_format import round_down
from ..support.validation import check_choice, check_instance, check_integer, check_number
from .evaluation import training_mode

__all__ = ["EarlyStopping"]

MAX_LOSS_GROWTH = 1e4  # a loss above this many times the first one diverges,
DIVERGENCE_PATIENCE = 10  # if it stays there for this many steps
FIRST_CHECK, CHECK_FACTOR = 16, 4  # steps 16, 64, 256 ...: the checks cost next to nothing
MAX_GRADIENT_RATIO = 1e6  # between the gradients of two layers, or of a gradient and its weights
MIN_RELU_ROWS, MAX_RELU_ROWS = 32, 1000  # a ReLU that is 0 for fewer rows may be so by chance
RISES_BEFORE_CHECK = 5  # of the loss in a row, after which the learning rate is checked
ROUGH_TOLERANCE = 1e-3  # of the stable limit that it is compared with


def is_unchanged(
    parameters: Sequence[Value], before: Sequence[Any], tolerance: float, scale: float = 1.0
) -> bool:
    """Return True if every |w_new - w_old| ≤ tolerance · max(scale, |w_old|)."""
    for parameter, old in zip(parameters, before, strict=True):
        new = parameter._content
        if type(new) is np.ndarray and new.size:  # the first entry alone nearly always decides
            first, was = new.item(0), old.item(0)
            if not abs(first - was) <= tolerance * max(scale, abs(was)):
                return False
        if not (np.abs(new - old) <= tolerance * np.maximum(scale, np.abs(old))).all():
            return False
    return True


class DivergenceMonitor:
    """Detects a divergence, and keeps the best weights before it.

    It compares the mean losses of epochs; without batches an epoch is a step. A loss that is 0 to
    rounding, on targets of that `scale`, may grow by any factor.
    """

    def __init__(self, weights: list[Any], steps_per_epoch: int, scale: float = 1.0) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.best, self.best_loss, self.best_step = weights, math.inf, 0
        self.first = self.previous = math.nan
        dtypes = [np.asarray(x).dtype for x in weights]
        eps = max(float(np.finfo(dtype).eps) for dtype in dtypes if dtype.kind == "f")
        self.floor = eps * min(1.0, scale)
        self.rises = self.above = 0

    def diverges(self, losses: Sequence[float], weights: list[Any]) -> bool:
        """Return True if the last of the losses, that of these weights, shows a divergence."""
        loss = losses[-1]
        if not math.isfinite(loss):
            return True
        if len(losses) % self.steps_per_epoch:
            return False
        loss = math.fsum(losses[-self.steps_per_epoch :]) / self.steps_per_epoch
        if math.isnan(self.first):
            self.first = loss
            self.floor = MAX_LOSS_GROWTH * max(abs(loss), self.floor)
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_step = weights, loss, len(losses) - 1
        self.rises = self.rises + 1 if loss > self.previous else 0
        self.above = self.above + 1 if loss > self.floor else 0
        self.previous = loss
        return self.above >= DIVERGENCE_PATIENCE

    def is_rising(self) -> bool:
        """Return True if the loss is above the first one, and has only risen of late."""
        return self.rises >= DIVERGENCE_PATIENCE and self.previous > self.first

    def numbers(self) -> dict[str, float]:
        """Return its state, except for the best weights, by the names that checkpoints use."""
        return {k: x for k, x in vars(self).items() if k not in {"best", "steps_per_epoch"}}

    def replay(self, losses: Sequence[float], best: list[Any]) -> None:
        """Continue after these losses, with the best weights of their time."""
        seen: list[float] = []
        for loss in losses:
            seen.append(loss)
            self.diverges(seen, best)
        self.best = best


_RENAMED = {"figure": "monitor", "highest": "mode", "least_change": "min_delta"}


@dataclass(init=False)
class EarlyStopping:
    """Stop training when a monitored number has not improved for `patience` evaluations.

    - `patience`: the number of evaluations in a row without improvement, from 1
    - `monitor`: a name in `history.evaluations`: "validation_loss", "loss", "validation_accuracy"
    - `mode`: "min" if less is better, "max" if more is; "auto" knows it for losses and for the
      metrics of `tg.metrics`, not for other functions
    - `min_delta`: an improvement must be larger than this

    An evaluation that gives nan counts as worse. The weights of the best evaluation are restored.

    Raises `ArgumentError` if patience is below 1, the mode is unknown, or "auto" for a metric of
    your own, or min_delta is negative or infinite. The former names `figure`, `highest` and
    `least_change` are deprecated.

    Source: Prechelt, "Early Stopping - But When?", 1998; `keras.callbacks.EarlyStopping`.

    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.improves({"validation_loss": loss}) for loss in (3.0, 2.0, float("nan"), 2.5)]
    [True, True, False, False]
    >>> stopping.exhausted
    True
    """

    patience: int
    monitor: str
    mode: str
    min_delta: float

    best: float = field(default=math.nan, init=False)
    since: int = field(default=0, init=False)

    def __init__(
        self,
        patience: int = 10,
        monitor: str = "validation_loss",
        mode: str = "auto",
        min_delta: float = 0.0,
        **renamed: Any,
    ) -> None:
        where = "EarlyStopping"
        if unknown := sorted(renamed.keys() - _RENAMED):
            raise TypeError(f"{where}: unexpected keyword argument {unknown[0]!r}")
        for name in renamed:
            _warn_renamed(name)
        monitor = renamed.get("figure", monitor)
        min_delta = renamed.get("least_change", min_delta)
        mode = renamed.get("highest", mode)
        if mode is None or isinstance(mode, bool):  # what `highest` was
            if "highest" not in renamed:
                _warn_renamed("highest")
            mode = {None: "auto", False: "min", True: "max"}[mode]
        check_choice(where, "mode", mode, ("auto", "min", "max"))
        check_instance(where, "monitor", monitor, str, "the name of a loss or metric")
        if mode == "auto":
            mode = _better(where, monitor)
        self.patience = check_integer(where, "patience", patience, low=1)
        self.monitor, self.mode = monitor, mode
        self.min_delta = check_number(where, "min_delta", min_delta)
        self.restart()

    def improves(self, evaluation: Mapping[str, Any]) -> bool:
        """Take the next evaluation into account; return True if it is the best so far."""
        if self.monitor not in evaluation:
            raise ArgumentError(
                f"EarlyStopping: monitor must be one of {', '.join(evaluation)}, "
                f"got {self.monitor!r:.60}; pass the name of a metric to fit(metrics=), too"
            )
        value = float(evaluation[self.monitor])
        gain = value - self.best if self.mode == "max" else self.best - value
        better = gain > self.min_delta or (math.isnan(self.best) and not math.isnan(value))
        self.since = 0 if better else self.since + 1
        self.best = value if better else self.best
        return better

    @property
    def exhausted(self) -> bool:
        """True if it has waited for `patience` evaluations."""
        return self.since >= self.patience

    @property
    def seen(self) -> bool:
        """True if an evaluation gave a number."""
        return not math.isnan(self.best)

    def restart(self) -> None:
        """Forget the evaluations: `fit` begins with this."""
        self.best, self.since = math.nan, 0

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Restore the attributes from a pickle, where they may have their former names."""
        now = {_RENAMED.get(name, name): x for name, x in state.items()}
        if isinstance(now["mode"], bool):
            now["mode"] = "max" if now["mode"] else "min"
        vars(self).update(now)

    @property
    def figure(self) -> str:
        """Deprecated: use `monitor`."""
        _warn_renamed("figure")
        return self.monitor

    @property
    def highest(self) -> bool:
        """Deprecated: use `mode`."""
        _warn_renamed("highest")
        return self.mode == "max"

    @property
    def least_change(self) -> float:
        """Deprecated: use `min_delta`."""
        _warn_renamed("least_change")
        return self.min_delta


def _better(where: str, monitor: str) -> str:
    """Return "min" or "max" for a number that is known. Raises `ArgumentError` for another one."""
    name = monitor.removeprefix("validation_")
    if name in metrics.LOWER_IS_BETTER or name == "loss" or name in dir(losses):
        return "min"
    if name in metrics.BY_NAME or re.fullmatch("top_[0-9]+", name):
        return "max"
    raise ArgumentError(
        f"{where}: mode must be 'min' (less is better) or 'max' (more is better) for "
        f"{monitor!r:.60}, which isn't a loss or metric of this package, got 'auto'"
    )


def _warn_renamed(name: str) -> None:
    """Warn that a name of EarlyStopping is an old one."""
    text = f"EarlyStopping: {name} is deprecated; use {_RENAMED[name]}"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class Diagnosis:
    """Checks gradients, ReLUs and the learning rate now and then; warns once of each problem."""

    def __init__(self, model: Module, optimizer: Optimizer, *, warn: bool) -> None:
        self.model, self.optimizer, self.warn = model, optimizer, warn
        self.next_check = FIRST_CHECK
        self.issued: dict[str, str] = {}

    def warn_once(self, kind: str, sentence: str) -> None:
        """Warn, unless there was a warning of this kind before."""
        if kind not in self.issued:
            self.issued[kind] = sentence
            if self.warn:
                warnings.warn(sentence, TrainingWarning, stacklevel=caller_level())

    def check_step(self, step: int, inputs: Any) -> None:
        """After a backward pass, check the size of the gradients and look for dead ReLUs."""
        if step < self.next_check:
            return
        self.next_check = step * CHECK_FACTOR
        if len(inputs) >= MIN_RELU_ROWS:
            self._check_relus(step, inputs[:MAX_RELU_ROWS])
        if "dead" not in self.issued:
            self._check_gradients(step)

    def _check_gradients(self, step: int) -> None:
        """Compare the layers: a gradient that is a millionth of the last layer's has vanished.

        It has exploded where it is a million times as large as the weights, or as 1. A layer
        counts with the largest entry of all its parameters: the bias before a batch-norm has no
        gradient, and that is right.
        """
        layers: dict[str, tuple[float, float]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter._gradient is not None and parameter.size:
                layer = name.rpartition(".")[0]
                old, scale = layers.get(layer, (0.0, 1.0))
                size = float(np.abs(parameter._gradient).max())
                largest = float(np.abs(parameter._content).max())
                layers[layer] = float(np.maximum(old, size)), max(scale, largest)  # a nan stays
        if len(layers) < 2 or not all(math.isfinite(size) for size, _ in layers.values()):
            return
        least = min(layers, key=lambda layer: layers[layer][0])
        last = next(reversed(layers))
        if layers[least][0] * MAX_GRADIENT_RATIO < layers[last][0]:
            self.warn_once(
                "vanishing",
                f"step {step}: vanishing gradient: its largest entry is {layers[least][0]:.2g} in "
                f"{least}, but {layers[last][0]:.2g} in {last}; use ReLU or normalisation, fewer "
                "layers, or init.kaiming_normal",
            )
        for layer, (size, scale) in layers.items():
            if size > MAX_GRADIENT_RATIO * scale:
                self.warn_once(
                    "exploding",
                    f"step {step}: exploding gradient: its largest entry in {layer} is {size:.2g}, "
                    f"while the weights are at most {scale:.2g}; scale the data, pass "
                    "clip_norm=1.0, or start with smaller weights",
                )

    def _check_relus(self, step: int, inputs: Any) -> None:
        """Look for units that are 0 for every row: they have no gradient and no longer learn."""
        dead: list[str] = []

        def see(name: str, module: Module, _: Any, output: Any) -> None:
            if isinstance(module, ReLU) and output.ndim > 1:
                data = output.numpy() if isinstance(output, Value) else output
                off = (data == 0).all(axis=tuple(i for i in range(data.ndim) if i != 1))
                if 2 * off.sum() > off.size:
                    dead.append(f"{off.sum()} of {off.size} in {name}")

        with no_grad(), training_mode(self.model, False), observed(self.model, see):
            self.model(inputs)
        if dead:
            self.warn_once(
                "dead",
                f"step {step}: dead ReLUs (0 for all {len(inputs)} rows): {'; '.join(dead)}; "
                "lower the learning rate, or use leaky_relu",
            )

    def needs_rate_check(self, rises: int) -> bool:
        """Return True if the loss has risen so often that the learning rate is checked now."""
        due = rises >= RISES_BEFORE_CHECK and "rate" not in self.issued
        return due and isinstance(self.optimizer, SGD)

    def check_learning_rate(self, rises: int, measure: Callable[[], float | None]) -> None:
        """Once the loss has begun to rise, compare the learning rate with the stable limit."""
        if not self.needs_rate_check(rises) or not isinstance(self.optimizer, SGD):
            return
        limit = measure()
        stable = math.inf if limit is None else limit * (1 + self.optimizer.momentum)
        rate = self.optimizer.rate
        if rate > stable * (1 + ROUGH_TOLERANCE):  # then it is above 2/λmax for certain
            self.warn_once(
                "rate",
                f"the loss has risen {RISES_BEFORE_CHECK} times in a row, and the learning rate "
                f"{rate:g} is above the largest stable one here, 2/λmax = "
                f"{round_down(stable):g}; lower it",
            )
        else:
            self.issued["rate"] = ""  # measured: that is not the reason


def caller_level() -> int:
    """Return the `stacklevel` of the code that called this package."""
    package, level = __name__.partition(".")[0], 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def find_nonfinite(model: Module, parameters: Sequence[Value], inputs: Any, *, moved: bool) -> str:
    """Describe the first array that was not finite: a gradient, a weight, or a layer's output."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for kind in ("gradient of ", "") if moved else ("",):  # older gradients say nothing
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
        with (
            np.errstate(all="ignore"),
            no_grad(),
            training_mode(model, False),
            observed(model, see),
        ):
            model(inputs)
    except TinygradError:
        return ""
    return found[0] if found else "first not finite: the loss of finite predictions"


def largest_stable_rate(
    model: Module,
    compute_loss: Callable[[Any, Any], Value],
    inputs: Array,
    targets: Array,
    *,
    rough: bool = False,
) -> float | None:
    """Return 2/λmax over these rows at the current weights, or None; `rough` is faster.

    It is never above 2/λmax, and below it by the tolerance at most: see `learning_rate_limit`.
    """
    from ..linear import learning_rate_limit  # here: few trainings need it

    try:
        with np.errstate(all="ignore"):
            found = learning_rate_limit(
                *(model, compute_loss, inputs, targets),
                iterations=200 if rough else 1000,
                tolerance=ROUGH_TOLERANCE if rough else 1e-9,
            )
    except (TinygradError, MemoryError):
        return None
    return found if math.isfinite(found) else None
