"""Steps in one program each, and where nothing looks at them, many steps in one call."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..compiler import compile
from ..errors import TraceError
from ..optim import restore, snapshot
from ..optim.optimizer import in_form_of
from .compiled import Attempt, CompiledSteps, data_of
from .config import Plan
from .deferred_interrupt import Holding
from .progress import Show
from .rollback import Start, kept, put_gradients, put_states, same
from .state import Run
from .step_batches import Batch, Groups
from .steps import Forward, Steps

FEW = 20_000  # numbers in a model: what a step costs beside arithmetic then matters
FIRST, MOST = 16, 1024  # steps in a call
SECONDS = 0.05  # that a call may take: Ctrl-C and the bar wait for it
BYTES = 16 << 20  # of rows, weights and gradients in a call


class Unfit(Exception):  # noqa: N818 - no error: another way to compile serves
    """A parameter that has no gradient: it is not one program that moves them all."""


def suits(run: Run, plan: Plan) -> bool:
    """Whether a step is one program: a small model of parameters alone, its data in memory."""
    parameters, all_of_them = run.weights.parameters, run.model.parameters()
    return (
        run.everything is not None
        and plan.accumulate == 1
        and not run.optimizer.needs_closure
        and not run.weights.places
        and {id(x) for x in parameters} == {id(x) for x in all_of_them}
        and all(x.requires_grad for x in parameters)
        and sum(x.size for x in parameters) <= FEW
    )


class Chunks(Steps):
    """Steps of one program each: loss, gradient, update.

    The program returns the weights and the gradients as they are on the way, so that the rules of
    the loop see them. Where nothing looks at the model itself, a chunk of many steps is one call,
    and the rules read its rows; if one of them would act, the chunk is taken back and its steps
    are made one by one. For a single step the update is taken back until it is its turn.
    """

    def __init__(
        self, run: Run, plan: Plan, attempt: Attempt, holding: Holding, backend: str | None
    ) -> None:
        super().__init__(run, plan)
        self.attempt, self.holding, self.backend = attempt, holding, backend
        self.other: Steps | None = None  # what serves, where a step is not one program
        self.parameters = run.weights.parameters
        self.groups = [run.optimizer, *(g for g in run.optimizer.groups if g is not run.optimizer)]
        self.program = compile(self._step_function(), backend=backend)
        self.size, self.alone = FIRST, 1  # steps in the next call; steps to be made one by one
        self.repeatable: bool | None = None  # whether a chunk can be made a second time
        self.pending: tuple[list[Any], list[Any], list[Any]] | None = None
        place = {id(x): i for i, x in enumerate(self.parameters)}
        self.recorded = [place[id(x)] for _, x in run.record.named]

    def _step_function(self) -> Callable[[Any, Any], Any]:
        model, optimizer, compare = self.run.model, self.optimizer, self.plan.compare
        parameters, update = self.parameters, super().update
        asked, clipping = bool(self.run.metrics), self.plan.clip_norm is not None

        def step(inputs: Any, wanted: Any) -> Any:
            predicted = model(inputs)
            error = compare(predicted, wanted)
            optimizer.zero_grad()
            error.backward()
            weights = [_aside(x._content) for x in parameters]
            gradients = [x._gradient for x in parameters]
            if any(x is None for x in gradients):
                raise Unfit
            update()
            if clipping:  # what an update leaves in `.grad`
                gradients += [x._gradient for x in parameters]
            found = [error.data, optimizer.rate, *weights, *gradients]
            return [*found, data_of(predicted)] if asked else found

        return step

    # ---- one step

    def forward(self, group: list[Batch]) -> Forward:
        """The loss of the batches, what was predicted and wanted, and how to go backward."""
        if self.other is not None:
            return self.other.forward(group)
        inputs, wanted = group[0]
        try:
            with self.holding:
                rows = self._one(inputs, wanted)
        except (TraceError, Unfit) as error:
            return self._otherwise(error).forward(group)
        self.alone -= 1
        gradients, _ = self._gradients(rows, 0)
        pairs = [(rows[-1][0], wanted)] if self.run.metrics else []
        return float(rows[0][0]), pairs, lambda: put_gradients(self.parameters, gradients)

    def _one(self, inputs: Any, wanted: Any) -> list[Any]:
        """The rows of a step whose update is taken back, to be made later."""
        before, states = snapshot(self.parameters), kept(self.groups)
        old = [x._grad for x in self.parameters]
        try:
            rows: list[Any] = self.program.run_steps([inputs, wanted], 1, {})
            _, last = self._gradients(rows, 0)
            moved = [dict(vars(group)) for group in self.groups]
            self.pending = snapshot(self.parameters), moved, last
            self.given = before, states
        finally:
            restore(self.parameters, before)
            put_states(self.groups, states)
            put_gradients(self.parameters, old)
        if self.repeatable is None:
            known = {id(x) for x in self.run.model.generators()}  # those that can be put back
            self.repeatable = all(id(x) in known for x in self.program.generators)
        return rows

    def update(self) -> None:
        """Move the parameters: as was computed, unless a callback has changed what counts."""
        if self.other is not None:
            return self.other.update()
        assert self.pending is not None
        (weights, moved, gradients), self.pending = self.pending, None
        if self.plan.callbacks and not self._as_given(moved):
            return super().update()
        with self.holding:
            restore(self.parameters, weights)
            put_states(self.groups, moved)
            put_gradients(self.parameters, gradients)
        return None

    def _as_given(self, moved: Sequence[dict[str, Any]]) -> bool:
        """Whether parameters and optimiser are as they were when the update was computed."""
        before, states = self.given
        weights = [x._content for x in self.parameters]
        free = all(x.requires_grad for x in self.parameters)
        if not (free and same(weights, before) and same(kept(self.groups), states)):
            return False
        rates = [
            (x._rate_of(x.steps), after["rate"])
            for x, after in zip(self.groups, moved, strict=True)
            if not x._groups
        ]
        return all(now == then for now, then in rates)  # a schedule may have a state

    def _gradients(self, rows: Sequence[Any], step: int) -> tuple[list[Any], list[Any]]:
        """The gradients of a step: as they were found, and as the update left them."""
        count = len(self.parameters)
        found = [
            in_form_of(x._content, rows[2 + count + i][step].copy())
            for i, x in enumerate(self.parameters)
        ]
        if self.plan.clip_norm is None:
            return found, found
        left = [
            in_form_of(x._content, rows[2 + 2 * count + i][step].copy())
            for i, x in enumerate(self.parameters)
        ]
        return found, left

    def _otherwise(self, error: Exception) -> Steps:
        """How to go on where a step is not one program."""
        if isinstance(error, TraceError):
            self.attempt.failure(error)
            self.other = Steps(self.run, self.plan)
        else:
            self.other = CompiledSteps(
                self.run, self.plan, self.attempt, self.holding, self.backend
            )
        return self.other

    # ---- many steps

    def several(self, groups: Groups, show: Show) -> bool:
        """Whether the next steps were made all at once, since nothing looks at any of them."""
        count = self._unseen()
        if count < 2 or self.other is not None:
            return False
        start = Start(self.run, self.groups)
        began = time.perf_counter()
        batches = [next(groups)[0] for _ in range(count)]
        try:
            with self.holding:
                try:
                    rows = self._rows(batches)
                except BaseException:
                    start.restore()
                    raise
                quiet = self._quiet(rows, start.step)
                if quiet:
                    self._accept(rows, batches, start.step)
                else:
                    start.restore()
        except (TraceError, Unfit) as error:
            groups.restart()
            self._otherwise(error)
            return False
        if not quiet:
            groups.restart()
            self.alone = count
            return False
        per_step = (time.perf_counter() - began) / count
        self.size = max(FIRST, min(MOST, 2 * self.size, int(SECONDS / per_step)))
        evaluation = self.run.evaluations[-1] if self.run.evaluations else {}
        for loss in self.run.losses[-count:]:
            show(loss, evaluation)
        return True

    def _unseen(self) -> int:
        """How many steps can be made at once."""
        run, plan, step = self.run, self.plan, self.run.step
        if plan.callbacks or not self.repeatable or self.alone > 0 or run.still == run.epoch:
            return 0
        whole, rest = divmod(run.loader.rows, run.loader.batch_size)
        counts = [self.size, plan.unseen(step), run.diagnosis.next - step]
        if rest and len(run.loader) > whole:  # the smaller last batch is a step of its own
            place = run.loader.batch % len(run.loader)
            counts.append(whole - place)
        if run.everything is not None:
            inputs, wanted = run.everything
            bytes_of_rows = (inputs.nbytes + wanted.nbytes) // len(run.loader)
            numbers = sum(x.size for x in self.parameters)
            counts.append(BYTES // (bytes_of_rows + 24 * numbers + 1))
        return min(counts)

    def _rows(self, batches: Sequence[Batch]) -> list[Any]:
        """What the program returns at each of the steps."""
        first = batches[0]
        if len(self.run.loader) == 1:
            found = self.program.run_steps([*first], len(batches), {})
        else:
            stacked = {i: np.stack([batch[i] for batch in batches]) for i in range(2)}
            found = self.program.run_steps([*first], len(batches), stacked)
        rows: list[Any] = found
        return rows

    def _weights(self, rows: Sequence[Any], step: int) -> list[Any]:
        return [rows[2 + i][step] for i in range(len(self.parameters))]

    def _quiet(self, rows: Sequence[Any], began: int) -> bool:
        """Whether no rule of the loop would act at any of the steps."""
        run, losses = self.run, rows[0].tolist()
        if not all(map(math.isfinite, losses)):
            return False
        still, self.still = run.still, run.still
        for same_weights in self._unchanged(rows):
            still = still + 1 if same_weights else 0
            if still == run.epoch:
                return False
        self.still = still
        watch, seen = copy.copy(run.watch), run.losses
        for step, loss in enumerate(losses):
            seen.append(loss)
            if watch.diverges(seen, self._weights(rows, step)) or run.diagnosis.measures(
                watch.rises
            ):
                del seen[began:]
                return False
        del seen[began:]
        if watch.best_step >= began:
            watch.best = [np.array(x) for x in watch.best]  # no view of the whole chunk
        self.watch = watch
        return True

    def _unchanged(self, rows: Sequence[Any]) -> list[bool]:
        """For each update but the last one, whether it left every weight as it was."""
        alike = rows[1][:-1] > 0
        weights = [x.reshape(len(x), -1) for x in rows[2 : 2 + len(self.parameters)] if x.size]
        for entries in (1, None):  # the first entries alone nearly always tell
            for x in weights:
                new, old = x[1:, :entries], x[:-1, :entries]
                near = np.abs(new - old) <= self.run.tolerance * np.maximum(1.0, np.abs(old))
                alike &= near.all(axis=1)
            if not alike.any():
                break
        found: list[bool] = alike.tolist()
        return found

    def _accept(self, rows: Sequence[Any], batches: Sequence[Batch], began: int) -> None:
        """Take note of the steps; the last update is noted as every one is."""
        run, count = self.run, len(batches)
        run.losses += rows[0].tolist()
        run.rates += rows[1][:-1].tolist()
        run.still, run.watch = self.still, self.watch
        for step in range(count):
            if run.record.turn(began + step):
                weights = self._weights(rows, step)
                run.record.see(began + step, [np.array(weights[i]) for i in self.recorded])
        run.before = [np.array(x) for x in self._weights(rows, count - 1)]
        if run.metrics:
            run.seen += [(rows[-1][i], wanted) for i, (_, wanted) in enumerate(batches)]
        put_gradients(self.parameters, self._gradients(rows, count - 1)[1])


def _aside(x: Any) -> Any:
    """The same numbers, which the update that follows does not change."""
    return np.concatenate([x]) if np.ndim(x) else x
