"""The configuration of a training run, its state between steps, and what callbacks see of it."""

from __future__ import annotations

import copy
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.conversion import as_float
from ..core.value import Value
from ..data import DataLoader
from ..data.sources import fingerprint
from ..errors import ArgumentError, TinygradError
from ..metrics import Metric
from ..nn import Module
from ..optim import Optimizer
from ..schedules.schedule import monitoring_schedules
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.random_state import generator_in_state
from ..support.validation import check_integer
from .checkpoints import Checkpoints
from .evaluation import compute_loss, compute_metrics, evaluate_checked, predict
from .inputs import Batch, largest_entry, weight_scale
from .monitors import Diagnosis, DivergenceMonitor, EarlyStopping, is_unchanged
from .weight_history import ModelWeights, WeightHistory

__all__ = ["Moment"]


@dataclass
class Moment:
    """A training run at one of its steps, as a callback sees it: after the loss, before the update.

    - `step`: the number of updates so far; `epoch`: the number of completed passes over the rows
    - `loss`: the loss of this step's batch; `learning_rate`: that of the last update (nan before
      it)
    - `model`, `optimizer`
    - `evaluation`: the numbers, if this step begins with an evaluation; else None
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    model: Module
    optimizer: Optimizer
    evaluation: dict[str, float] | None
    stopped: bool = False

    def stop(self) -> None:
        """End training after this step's update; the history's reason is then "stopped"."""
        self.stopped = True


@dataclass(eq=False)
class FitConfig:
    """The arguments of `fit`, checked."""

    loss: Callable[[Any, Any], Value]
    accumulate: int
    limit: int  # of steps
    clip_norm: float | None
    held_out: Any  # None, (x, y) or (loader,)
    evaluating: bool
    validate_every: int
    metrics: dict[str, Metric]
    callbacks: Sequence[Callable[[Moment], Any]]
    checkpoints: Checkpoints | None
    tolerance: float

    def compute_loss(self, predicted: Any, wanted: Any) -> Value:
        """Return the loss of predictions."""
        error: Value = compute_loss(self.loss, predicted, wanted)
        return error

    def is_evaluated(self, step: int) -> bool:
        """Return True if there is an evaluation after `step` updates."""
        due = step % self.validate_every == 0 or step >= self.limit
        return self.evaluating and step > 0 and due

    def steps_until_due(self, step: int) -> int:
        """Return the number of updates until the limit, an evaluation or a checkpoint is due."""
        gaps = [self.limit - step]
        if self.evaluating:
            gaps.append(self.validate_every - step % self.validate_every)
        if self.checkpoints is not None and self.checkpoints.steps is not None:
            gaps.append(self.checkpoints.steps - step % self.checkpoints.steps)
        return min(gaps)


class FitState:
    """Everything that changes during training, which is what a checkpoint holds."""

    def __init__(
        self,
        config: FitConfig,
        model: Module,
        optimizer: Optimizer,
        loader: DataLoader,
        arrays: Batch | None,
        *,
        steps_per_epoch: int,
        early_stopping: EarlyStopping | None,
        diagnosis: Diagnosis,
    ) -> None:
        self.config, self.model, self.optimizer, self.loader = config, model, optimizer, loader
        self.arrays = arrays  # all rows, where they are in memory
        self.last_batch: Any = arrays or ((), ())
        self.steps_per_epoch = steps_per_epoch
        self.first_step = optimizer.steps
        self.weights = ModelWeights(model, optimizer.parameters)
        self.before = self.weights.copy()  # the last update
        self.weight_history = WeightHistory(model)
        scale = largest_entry(arrays[1]) if arrays else 1.0
        self.divergence = DivergenceMonitor(self.before, steps_per_epoch, scale)
        self.diagnosis, self.early_stopping = diagnosis, early_stopping
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.evaluations: list[dict[str, float]] = []
        self.pairs: list[tuple[Any, Any]] = []  # predictions and targets since an evaluation
        self.stopped = False  # by a callback
        self._weight_scale: float | None = None
        self.unchanged = 0  # updates in a row that changed nothing
        self.committed, self.buffers = -1, self.weights.copy_buffers()
        self.best, self.best_step = self.before, 0
        self.settings = {} if config.checkpoints is None else self._settings()

    @property
    def step(self) -> int:
        """The number of updates so far."""
        return self.optimizer.steps - self.first_step

    @property
    def full_epochs(self) -> int:
        """The number of completed epochs."""
        return self.step // self.steps_per_epoch

    @property
    def last_evaluation(self) -> dict[str, float]:
        """The last evaluation, empty before the first."""
        return self.evaluations[-1] if self.evaluations else {}

    def record_loss(self, loss: float, pairs: list[tuple[Any, Any]]) -> None:
        """Record the loss at the current weights, and the predictions made for it."""
        self.losses.append(loss)
        self.weight_history.add(self.step)
        self.before = self.weights.copy()
        if self.config.metrics:
            self.pairs += pairs

    def commit_update(self) -> None:
        """Record the last update, unless it was: its rate, and whether it changed anything."""
        if len(self.rates) < self.step:
            rate, tolerance = float(self.optimizer.rate), self.config.tolerance
            self.rates.append(rate)
            parameters = self.weights.parameters
            before = self.before[: len(parameters)]  # the buffers follow them
            same = rate > 0 and is_unchanged(parameters, before, tolerance)
            if same and tolerance:
                same = is_unchanged(parameters, before, tolerance, self.weight_scale)
            self.unchanged = self.unchanged + 1 if same else 0  # w_new = w_old?
        self.committed, self.buffers = self.step, self.weights.copy_buffers()

    @property
    def weight_scale(self) -> float:
        """The scale of the weights that matter, from the data of the last step."""
        if self._weight_scale is None or self.arrays is None:
            self._weight_scale = weight_scale(*self.last_batch)
        return self._weight_scale

    def settle_interruption(self) -> None:
        """After an interruption, go back to the beginning of the step, or on to its end."""
        if self.step == self.committed:
            self.weights.restore_buffers(self.buffers)
        self.commit_update()

    def evaluate(self) -> dict[str, float]:
        """Evaluate the model, once a step, for the schedule and early stopping, too."""
        if self.evaluations and self.evaluations[-1]["step"] == self.step:
            return self.evaluations[-1]  # read from a checkpoint
        since = int(self.evaluations[-1]["step"]) if self.evaluations else 0
        losses, step = self.losses[since : self.step], self.step
        found = {
            **self.averages(losses, step),
            **compute_metrics(self.config.metrics, self.pairs),
        }
        if self.config.held_out is not None:
            loss, metrics = self.config.loss, self.config.metrics
            held_out = self.config.held_out
            judged = evaluate_checked(self.model, *held_out, loss=loss, metrics=metrics)
            found |= {f"validation_{name}": number for name, number in judged.items()}
        self.evaluations.append(found)
        self.pairs = []
        for schedule in monitoring_schedules_of(self.optimizer):
            schedule.see(found.get("validation_loss", found["loss"]))
        if self.early_stopping is not None and self.early_stopping.improves(found):
            self.best, self.best_step = self.weights.copy(), step
        return found

    def averages(self, losses: Sequence[float], step: int) -> dict[str, float]:
        """Return what an evaluation after `step` updates has, by the losses since the last one."""
        length = self.steps_per_epoch
        return {
            "step": step,
            "epoch": step / length if step % length else step // length,
            "loss": math.fsum(losses) / len(losses) if losses else math.nan,
        }

    # ---- checkpoints

    def _settings(self) -> dict[str, Any]:
        """Return the settings that a run must share with the checkpoint that it resumes from."""
        config, stopping, held_out = self.config, self.early_stopping, self.config.held_out
        return {
            "loss": _function_name(config.loss),
            "optimizer": type(self.optimizer).__name__,
            "model": describe_model(self.model),
            "data": fingerprint(*self.arrays) if self.arrays else repr(self.loader),
            "rows": None if self.arrays else self.loader.fingerprint(),
            "validation": held_out and _data_fingerprint(held_out),
            "batch_size": self.loader.batch_size,
            "accumulate": config.accumulate,
            "clip_norm": config.clip_norm,
            "validate_every": config.validate_every if config.evaluating else None,
            "metrics": list(config.metrics),
            "early_stopping": None if stopping is None else stopping.monitor,
        }

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint between two steps."""
        weights = self.model.state_dict()
        checkpoints.write(weights, self.tensors(), self.numbers(), self.settings)

    def resume(self, checkpoints: Checkpoints) -> bool:
        """Continue from a checkpoint; return False if there is none.

        Raises `ArgumentError` if it doesn't fit; nothing is changed then.
        """
        found = checkpoints.read(self.settings)
        if found is None:
            return False
        try:
            self.load(*found)
        except TinygradError as error:
            path = printable(os.fspath(checkpoints.path))
            raise ArgumentError(f"fit: {path}: {error}") from error
        return True

    def tensors(self) -> dict[str, Array]:
        """Return the arrays of a checkpoint, beside the model's own."""
        found: dict[str, Any] = {
            f"optimizer.{k}": v for k, v in self.optimizer.state_dict().items()
        }
        found |= {f"record.{k}": v for k, v in self.weight_history.state_dict().items()}
        found |= {f"before.{i}": x for i, x in enumerate(self.before)}
        found |= {f"watch.{i}": x for i, x in enumerate(self.divergence.best)}
        found |= {"losses": np.array(self.losses, float), "rates": np.array(self.rates, float)}
        if self.early_stopping is not None:
            found |= {f"best.{i}": x for i, x in enumerate(self.best)}
        if self.pairs:
            found["seen.predicted"] = np.concatenate([predicted for predicted, _ in self.pairs])
            found["seen.wanted"] = np.concatenate([wanted for _, wanted in self.pairs])
        return {name: np.asarray(x) for name, x in found.items()}

    def numbers(self) -> dict[str, Any]:
        """Return the rest of a checkpoint, which is written as JSON."""
        stopping = self.early_stopping
        return {
            "began": self.first_step,
            "still": self.unchanged,
            "watch": self.divergence.numbers(),
            "evaluations": self.evaluations,
            "stopping": None
            if stopping is None
            else [stopping.best, stopping.since, self.best_step],
            "loader": self.loader.state_dict(),
            "generators": [x.bit_generator.state for x in self.model.generators()],
            "rate": self.optimizer.rate,
        }

    def load(
        self, weights: dict[str, Array], tensors: dict[str, Array], numbers: dict[str, Any]
    ) -> None:
        """Continue from the model's state and what `tensors` and `numbers` returned.

        All of it is checked before anything is changed.
        """
        saved = SavedState(self, weights, tensors, numbers)
        before = self.optimizer.state_dict()
        self.optimizer.load_state_dict(saved.below("optimizer."))
        try:
            self.model.load_state_dict(weights)
        except TinygradError:
            self.optimizer.load_state_dict(before)
            raise
        self.optimizer.rate = float(numbers["rate"])
        self.weight_history.load_state_dict(saved.below("record."))
        self.before = saved.numbered("before.")
        self.losses, self.rates = tensors["losses"].tolist(), tensors["rates"].tolist()
        self.divergence.replay(self.losses, saved.numbered("watch."))
        self.first_step, self.unchanged = numbers["began"], numbers["still"]
        self.evaluations = saved.evaluations
        if self.early_stopping is not None:
            stopping = self.early_stopping
            stopping.best, stopping.since, self.best_step = numbers["stopping"]
            self.best = saved.numbered("best.")
        pairs = saved.below("seen.")
        self.pairs = [(pairs["predicted"], pairs["wanted"])] if pairs else []
        self.loader.load_state_dict(numbers["loader"])
        for generator, state in zip(self.model.generators(), saved.generators, strict=True):
            generator.bit_generator.state = state


class SavedState:
    """The training state of a checkpoint, every part of it checked against the run to continue.

    Raises `ArgumentError` for the first part that the run could not have written.
    """

    def __init__(
        self,
        state: FitState,
        weights: dict[str, Array],
        tensors: dict[str, Array],
        numbers: dict[str, Any],
    ) -> None:
        self.state, self.tensors, self.numbers = state, tensors, numbers
        self._require_forms("the model", weights, state.model.state_dict())
        self._require_keys("the training state", numbers, {"format", "settings", *state.numbers()})
        self.step = self._check_progress()
        self._check_evaluations()
        self._check_stopping()
        self._check_arrays()
        self._check_seen()
        self._check_positions()

    def below(self, prefix: str) -> dict[str, Array]:
        """Return the arrays whose names begin with the prefix, by the rest of the name."""
        return {k[len(prefix) :]: v for k, v in self.tensors.items() if k.startswith(prefix)}

    def numbered(self, prefix: str) -> list[Array]:
        """Return the arrays with that prefix and a number."""
        found = self.below(prefix)
        return [found[str(i)] for i in range(len(found))]

    def _check_progress(self) -> int:
        """Return the number of steps, on which losses, rates and the optimiser must agree."""
        numbers, spe = self.numbers, self.state.steps_per_epoch
        began = check_integer(SAVED, "began", numbers["began"])
        still = check_integer(SAVED, "still", numbers["still"])
        rate = _number("rate", numbers["rate"])
        losses, rates = self._array("losses"), self._array("rates")
        step = len(losses)
        if still > min(step, spe) or rate < 0 or rate == math.inf:
            raise ArgumentError(
                f"{SAVED}: still must be at most {min(step, spe)} and rate a number >= 0, got "
                f"{still} and {rate}"
            )
        if len(rates) != step or not (np.isfinite(losses).all() and (rates >= 0).all()):
            raise ArgumentError(
                f"{SAVED}: losses and rates must be as many finite numbers as there were steps, "
                f"got {step} and {len(rates)}"
            )
        made = self.tensors.get("optimizer.steps", np.array(None))
        if made.dtype != np.int64 or made.shape != () or int(made) != began + step:
            raise ArgumentError(
                f"{SAVED}: optimizer.steps must be {began + step}, began and the number of losses, "
                f"got {made!s:.60}"
            )
        if step > self.state.config.limit:
            raise ArgumentError(
                f"the checkpoint must have at most {self.state.config.limit} steps, the limit of "
                f"this run, got {step}; pass more steps or epochs"
            )
        return step

    def _array(self, name: str) -> Array:
        """Return a vector of float64."""
        array = self.tensors.get(name, np.array(None))
        if array.dtype != np.float64 or array.ndim != 1:
            raise ArgumentError(
                f"{SAVED}: {name} must be a vector of float64, got {array.dtype} of shape "
                f"{array.shape}"
            )
        return array

    def _check_evaluations(self) -> None:
        """Raise for evaluations that are not in order, or of other numbers."""
        config, evaluations, last = self.state.config, self.numbers["evaluations"], 0
        if not isinstance(evaluations, list) or (evaluations and not config.evaluating):
            raise ArgumentError(f"{SAVED}: evaluations must be a list, got {evaluations!r:.60}")
        names = ["step", "epoch", "loss", *config.metrics]
        if config.held_out is not None:
            names += [f"validation_{name}" for name in ("loss", *config.metrics)]
        for evaluation in evaluations:
            self._require_keys("an evaluation", evaluation, set(names))
            for name, number in evaluation.items():
                _number(name, number)
            step = check_integer(SAVED, "step", evaluation["step"], low=last + 1)
            if step > self.step:
                raise ArgumentError(f"{SAVED}: step must be at most {self.step}, got {step}")
            made = self.state.averages(self.tensors["losses"][last:step].tolist(), step)
            if any(evaluation[name] != made[name] for name in made):
                raise ArgumentError(
                    f"{SAVED}: epoch and loss of an evaluation must follow from the losses, got "
                    f"{evaluation['epoch']} and {evaluation['loss']} at step {step}"
                )
            last = step
        self.evaluations = [{name: x[name] for name in names} for x in evaluations]

    def _check_stopping(self) -> None:
        """Raise unless early stopping is where its rule leads with these evaluations."""
        given, rule, at = self.numbers["stopping"], self.state.early_stopping, 0
        expected = None
        if rule is not None:
            rule = copy.copy(rule)
            rule.restart()
            for evaluation in self.numbers["evaluations"]:
                at = evaluation["step"] if rule.improves(evaluation) else at
            expected = [rule.best, rule.since, at]
        if repr(given) != repr(expected):
            raise ArgumentError(
                f"{SAVED}: stopping must be {expected}, which follows from the evaluations by this "
                f"run's early_stopping, got {given!r:.60}"
            )

    def _check_arrays(self) -> None:
        """Raise unless the arrays have the names, shapes and dtypes that the run would write."""
        state = self.state
        steps, stride = state.weight_history.steps_at(self.step)
        expected: dict[str, Any] = {
            "losses": np.empty(self.step),
            "rates": np.empty(self.step),
            "record.steps": np.array(steps, np.int64),
            "record.stride": np.array(stride),
        }
        for name, parameter in state.weight_history.named:
            own = np.asarray(parameter._content)
            expected[f"record.weights.{name}"] = np.broadcast_to(own, (len(steps), *own.shape))
        lists = ["before.", "watch.", *(["best."] if state.early_stopping is not None else [])]
        for prefix in lists:
            expected |= {f"{prefix}{i}": np.asarray(x) for i, x in enumerate(state.before)}
        given = {k: x for k, x in self.tensors.items() if not k.startswith(("optimizer.", "seen."))}
        self._require_forms("the arrays", given, expected)
        for name in ("record.steps", "record.stride"):
            if not np.array_equal(given[name], expected[name]):
                raise ArgumentError(
                    f"{SAVED}: {name} must be that of {self.step} steps, got {given[name]!s:.60}"
                )

    def _check_seen(self) -> None:
        """Raise unless the predictions since an evaluation are there, where metrics use them."""
        seen, evaluations = self.below("seen."), self.numbers["evaluations"]
        since = evaluations[-1]["step"] if evaluations else 0
        needed = bool(self.state.config.metrics) and since < self.step
        self._require_keys("seen", seen, {"predicted", "wanted"} if needed else set())
        if not needed:
            return
        predicted, wanted = seen["predicted"], seen["wanted"]
        right = predicted.ndim > 0 and wanted.ndim > 0 and len(predicted) == len(wanted) > 0
        if right and self.state.arrays is not None:
            inputs, targets = self.state.arrays
            output = predict(self.state.model, inputs[: self.state.loader.batch_size])
            right = (wanted.shape[1:], wanted.dtype) == (targets.shape[1:], targets.dtype) and (
                (predicted.shape[1:], predicted.dtype) == (output.shape[1:], output.dtype)
            )
        if not right or predicted.dtype.kind not in "fiub":
            raise ArgumentError(
                f"{SAVED}: seen must be predictions and targets of as many rows, got shapes "
                f"{predicted.shape} of {predicted.dtype} and {wanted.shape} of {wanted.dtype}"
            )

    def _check_positions(self) -> None:
        """Raise unless the loader and the generators can continue there."""
        state, loader = self.state, self.state.loader
        loader.check_state_dict(self.numbers["loader"])
        if state.arrays is not None:  # the loader is the run's own: it began with the run
            epochs, steps = divmod(self.step, state.steps_per_epoch)
            length = len(loader) if len(loader) > 1 else 0  # a whole batch needs no loader
            batches = epochs * length + min(steps * state.config.accumulate, length)
            position = self.numbers["loader"]
            made = position["epoch"] * length + position["batch"]
            if made != batches or (not length and position["epoch"]):
                raise ArgumentError(f"{SAVED}: loader must be after {batches} batches, got {made}")
        own, given = state.model.generators(), self.numbers["generators"]
        if not isinstance(given, list) or len(given) != len(own):
            raise ArgumentError(
                f"{SAVED}: generators must be a list of {len(own)} states, got {given!r:.60}"
            )
        self.generators = [
            generator_in_state(SAVED, x, y, "a generator").bit_generator.state
            for x, y in zip(own, given, strict=True)
        ]

    def _require_forms(
        self, what: str, given: Mapping[str, Array], expected: Mapping[str, Array]
    ) -> None:
        """Raise unless the arrays have these names, shapes and dtypes."""
        self._require_keys(what, given, set(expected))
        for name, own in expected.items():
            if (given[name].dtype, given[name].shape) != (own.dtype, own.shape):
                raise ArgumentError(
                    f"{SAVED}: {name} must be {own.dtype} of shape {own.shape}, got "
                    f"{given[name].dtype} of {given[name].shape}"
                )

    def _require_keys(self, what: str, given: Any, expected: set[str]) -> None:
        """Raise unless this is a dict with these entries."""
        if not isinstance(given, dict):
            raise ArgumentError(f"{SAVED}: {what} must be a dict, got {given!r:.60}")
        wrong = [f"{name} is missing" for name in sorted(expected - given.keys())]
        wrong += [f"{name!r:.60} is unknown" for name in sorted(given.keys() - expected)]
        if wrong:
            more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            raise ArgumentError(
                f"{SAVED}: {what} must have the entries of this run: {'; '.join(wrong[:8])}{more}"
            )


SAVED = "the checkpoint"


def _number(name: str, given: Any) -> float:
    """Return a number of a file, nan and infinity too."""
    if type(given) not in {int, float}:
        raise ArgumentError(f"{SAVED}: {name} must be a number, got {given!r:.60}")
    return as_float(SAVED, given)


def monitoring_schedules_of(optimizer: Optimizer) -> list[Any]:
    """Return the schedules of all groups that follow an evaluation, each once."""
    rates = [group.learning_rate for group in (optimizer, *optimizer.groups)]
    found = [schedule for rate in rates for schedule in monitoring_schedules(rate)]
    return list({id(schedule): schedule for schedule in found}.values())


def describe_model(model: Module) -> dict[str, str]:
    """Return the kind of each module, with its settings where they are this package's.

    >>> describe_model(tg.nn.Sequential(tg.nn.ReLU()))
    {'(itself)': 'Sequential', 'layers.0': 'ReLU'}
    """
    return {name or "(itself)": _kind_of(module) for name, module in model.named_modules()}


def _kind_of(module: Module) -> str:
    """Return a module's class, with its settings: those of others may change in training."""
    own = type(module).__module__.partition(".")[0] == __name__.partition(".")[0]
    return module._kind() if own else type(module).__qualname__


def _function_name(function: Any) -> str:
    """Return the name of a function, with the arguments of a partial one."""
    if isinstance(function, functools.partial):
        given = [*map(repr, function.args), *(f"{k}={x!r}" for k, x in function.keywords.items())]
        return f"{_function_name(function.func)}({', '.join(given)})"
    return str(getattr(function, "__name__", type(function).__name__))


def _data_fingerprint(held_out: Any) -> str:
    """Return a short text that differs for other validation data."""
    loader = held_out[0] if len(held_out) == 1 else None
    return loader.fingerprint() if loader is not None else fingerprint(*held_out)
