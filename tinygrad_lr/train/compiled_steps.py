"""Steps in compiled code, as `fit(compile=True)` makes them.

A small model's step is one program, which also runs many steps in a call where nothing looks at
them; any other model has two programs, one for the loss with its gradient and one for the update.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..compiler import compile
from ..core.value import Value
from ..optim import restore, snapshot
from ..optim.optimizer import match_form
from ..support.deferred_interrupt import MAX_CHUNK_SECONDS, DeferredInterrupt
from .inputs import Batch, StepBatches
from .state import FitState
from .steps import Forward, Show, Stepper
from .weight_history import (
    Rollback,
    copy_optimizer_states,
    is_same,
    restore_optimizer_states,
    set_gradients,
)

MAX_FUSED_NUMBERS = 20_000  # in a model: below, what a step costs beside arithmetic matters
MIN_CHUNK, MAX_CHUNK = 2, 1024  # steps in a call
MAX_CHUNK_BYTES = 16 << 20  # of rows, weights and gradients in a call


class MissingGradientError(Exception):
    """A parameter has no gradient: a step is not one program that moves all parameters."""


@contextlib.contextmanager
def compiled_stepper(state: FitState) -> Iterator[Stepper]:
    """Return the stepper that makes the steps in compiled code."""
    interrupt = DeferredInterrupt()
    kind = FusedStepper if is_fusible(state) else CompiledStepper
    with interrupt.installed():
        yield kind(state, interrupt)


def is_fusible(state: FitState) -> bool:
    """Return True if a step is one program: a small model of parameters alone, data in memory."""
    trained, parameters = state.weights.parameters, state.model.parameters()
    return (
        state.arrays is not None
        and state.config.accumulate == 1
        and not state.optimizer.needs_closure
        and not state.weights.buffers
        and {id(x) for x in trained} == {id(x) for x in parameters}
        and all(x.requires_grad for x in trained)
        and sum(x.size for x in trained) <= MAX_FUSED_NUMBERS
    )


class CompiledStepper(Stepper):
    """Two programs: one for the loss and its gradient, one for the update.

    What the loop looks at between them is as it is without compiling.
    """

    def __init__(self, state: FitState, interrupt: DeferredInterrupt) -> None:
        super().__init__(state)
        self.interrupt = interrupt
        self.run_gradient = compile(self._gradient_function())
        self.run_first_share = compile(self._share_function(first=True))
        self.run_share = compile(self._share_function(first=False))
        self.run_update = compile(super().update)
        several = [*state.weights.parameters, *state.model.parameters()]
        self.leaves = list({id(x): x for x in several}.values())

    def _gradient_function(self) -> Callable[[Any, Any], Any]:
        model, optimizer, compute_loss = self.state.model, self.optimizer, self.config.compute_loss
        with_metrics = bool(self.config.metrics)

        def gradient(inputs: Any, wanted: Any) -> Any:
            predicted = model(inputs)
            error = compute_loss(predicted, wanted)
            optimizer.zero_grad()
            error.backward()
            return error.data, data_of(predicted) if with_metrics else None

        return gradient

    def _share_function(self, *, first: bool) -> Callable[[Any, Any, float], Any]:
        model, optimizer, compute_loss = self.state.model, self.optimizer, self.config.compute_loss
        with_metrics = bool(self.config.metrics)

        def share_of(inputs: Any, wanted: Any, share: float) -> Any:
            predicted = model(inputs)
            error = compute_loss(predicted, wanted) * share
            if first:
                optimizer.zero_grad()
            error.backward()
            return error.data, data_of(predicted) if with_metrics else None

        return share_of

    def forward(self, group: list[Batch]) -> Forward:
        """Return the loss of the batches, predictions with targets, and the backward pass."""
        if len(group) > 1:
            return self.accumulate(group)
        inputs, wanted = group[0]
        with self.interrupt:
            old = self._copy_gradients()
            loss, predicted = self.run_gradient(inputs, wanted)
            new = [leaf._grad for leaf in self.leaves]
            set_gradients(self.leaves, old)
        return float(loss), [(predicted, wanted)], lambda: set_gradients(self.leaves, new)

    def _copy_gradients(self) -> list[Any]:
        """Return the current gradients; those that no `zero_grad` forgets are added to in place."""
        count = len(self.state.weights.parameters)
        found = [leaf._gradient for leaf in self.leaves]
        return [*found[:count], *(None if x is None else copy.copy(x) for x in found[count:])]

    def add_share(self, inputs: Any, wanted: Any, share: float, *, first: bool) -> tuple[Any, Any]:
        """Add a batch's share to the gradients; return its share in the loss, and predictions."""
        run = self.run_first_share if first else self.run_share
        with self.interrupt:
            loss, predicted = run(inputs, wanted, share)
        return loss, predicted

    def update(self) -> None:
        """Move the parameters along the gradient."""
        with self.interrupt:
            self.run_update()


class FusedStepper(Stepper):
    """Steps of one program each: loss, gradient, update.

    The program returns the weights and the gradients as they are on the way, so that the rules of
    the loop see them. Where nothing looks at the model itself, a chunk of many steps is one call,
    and the rules read its rows; if one of them would act, the chunk is rolled back and its steps
    are made one by one. For a single step the update is rolled back until it is its turn.

    The smaller last batch of an epoch isn't compiled: the second program would cost more than its
    steps, one in each epoch, can gain.
    """

    def __init__(self, state: FitState, interrupt: DeferredInterrupt) -> None:
        super().__init__(state)
        self.interrupt = interrupt
        self.fallback: Stepper | None = None  # where a step is not one program
        self.parameters = state.weights.parameters
        self.groups = [
            state.optimizer,
            *(g for g in state.optimizer.groups if g is not state.optimizer),
        ]
        self.program = compile(self._step_function())
        self.chunk, self.single = MIN_CHUNK, 1  # steps in the next call; steps to make one by one
        self.repeatable: bool | None = None  # True if a chunk can be made a second time
        self.pending: tuple[list[Any], list[Any], list[Any]] | None = None
        position = {id(x): i for i, x in enumerate(self.parameters)}
        self.history_order = [position[id(x)] for _, x in state.weight_history.named]

    def _step_function(self) -> Callable[[Any, Any], Any]:
        model, optimizer, compute_loss = self.state.model, self.optimizer, self.config.compute_loss
        parameters, update = self.parameters, super().update
        with_metrics, clipping = bool(self.config.metrics), self.config.clip_norm is not None

        def step(inputs: Any, wanted: Any) -> Any:
            predicted = model(inputs)
            error = compute_loss(predicted, wanted)
            optimizer.zero_grad()
            error.backward()
            weights = [_copy_in_trace(x._content) for x in parameters]
            gradients = [x._gradient for x in parameters]
            if any(x is None for x in gradients):
                raise MissingGradientError
            update()
            if clipping:  # what an update leaves in `.grad`
                gradients += [x._gradient for x in parameters]
            found = [error.data, optimizer.rate, *weights, *gradients]
            return [*found, data_of(predicted)] if with_metrics else found

        return step

    # ---- one step

    def forward(self, group: list[Batch]) -> Forward:
        """Return the loss of the batches, predictions with targets, and the backward pass."""
        if self.fallback is not None:
            return self.fallback.forward(group)
        inputs, wanted = group[0]
        loader = self.state.loader
        if len(loader) > 1 and len(inputs) < loader.batch_size:
            return super().forward(group)
        try:
            with self.interrupt:
                rows = self._run_one(inputs, wanted)
        except MissingGradientError:
            return self._fall_back().forward(group)
        self.single -= 1
        gradients, _ = self._gradients(rows, 0)
        pairs = [(rows[-1][0], wanted)] if self.config.metrics else []
        return float(rows[0][0]), pairs, lambda: set_gradients(self.parameters, gradients)

    def _run_one(self, inputs: Any, wanted: Any) -> list[Any]:
        """Return the rows of a step whose update is rolled back, to be made later."""
        before, states = snapshot(self.parameters), copy_optimizer_states(self.groups)
        old = [x._grad for x in self.parameters]
        try:
            rows: list[Any] = self.program.run_steps([inputs, wanted], 1, {})
            _, last = self._gradients(rows, 0)
            moved = [dict(vars(group)) for group in self.groups]
            self.pending = snapshot(self.parameters), moved, last
            self.given = before, states
        finally:
            restore(self.parameters, before)
            restore_optimizer_states(self.groups, states)
            set_gradients(self.parameters, old)
        if self.repeatable is None:
            known = {id(x) for x in self.state.model.generators()}  # those that can be put back
            self.repeatable = all(id(x) in known for x in self.program.generators)
        return rows

    def update(self) -> None:
        """Move the parameters as computed, or again where a callback has changed something."""
        if self.fallback is not None:
            return self.fallback.update()
        if self.pending is None:  # after the last batch of an epoch
            return super().update()
        (weights, moved, gradients), self.pending = self.pending, None
        if self.config.callbacks and not self._is_as_given(moved):
            return super().update()
        with self.interrupt:
            restore(self.parameters, weights)
            restore_optimizer_states(self.groups, moved)
            set_gradients(self.parameters, gradients)
        return None

    def _is_as_given(self, moved: Sequence[dict[str, Any]]) -> bool:
        """Return True if parameters and optimiser are as they were for the computed update."""
        before, states = self.given
        weights = [x._content for x in self.parameters]
        free = all(x.requires_grad for x in self.parameters)
        same_states = is_same(copy_optimizer_states(self.groups), states)
        if not (free and is_same(weights, before) and same_states):
            return False
        rates = [
            (x._rate_of(x.steps), after["rate"])
            for x, after in zip(self.groups, moved, strict=True)
            if not x._groups
        ]
        return all(now == then for now, then in rates)  # a schedule may have a state

    def _gradients(self, rows: Sequence[Any], step: int) -> tuple[list[Any], list[Any]]:
        """Return the gradients of a step: as computed, and as the update left them."""
        count = len(self.parameters)
        found = [
            match_form(x._content, rows[2 + count + i][step].copy())
            for i, x in enumerate(self.parameters)
        ]
        if self.config.clip_norm is None:
            return found, found
        left = [
            match_form(x._content, rows[2 + 2 * count + i][step].copy())
            for i, x in enumerate(self.parameters)
        ]
        return found, left

    def _fall_back(self) -> Stepper:
        """Continue with two programs."""
        self.fallback = CompiledStepper(self.state, self.interrupt)
        return self.fallback

    # ---- many steps

    def run_ahead(self, batches: StepBatches, show: Show) -> bool:
        """Make many steps at once where nothing looks at them; return True if that was done."""
        count = self._steps_ahead()
        if count < 2 or self.fallback is not None:
            return False
        state, began = self.state, self.state.step
        rollback = Rollback(state.model, self.parameters, self.groups, state.loader)
        started = time.perf_counter()
        chunk = [next(batches)[0] for _ in range(count)]
        try:
            with self.interrupt:
                try:
                    rows = self._run_many(chunk)
                except BaseException:
                    rollback.restore()
                    raise
                uneventful = self._is_uneventful(rows, began)
                if uneventful:
                    self._commit(rows, chunk, began)
                else:
                    rollback.restore()
        except MissingGradientError:
            batches.restart()
            self._fall_back()
            return False
        if not uneventful:
            batches.restart()
            self.single = count
            return False
        per_step = (time.perf_counter() - started) / count
        self.chunk = max(
            MIN_CHUNK, min(MAX_CHUNK, 4 * self.chunk, int(MAX_CHUNK_SECONDS / per_step))
        )
        for loss in state.losses[-count:]:
            show(loss, state.last_evaluation)
        return True

    def _steps_ahead(self) -> int:
        """Return the number of steps that can be made at once."""
        state, step = self.state, self.state.step
        converged = state.unchanged == state.steps_per_epoch
        if self.config.callbacks or not self.repeatable or self.single > 0 or converged:
            return 0
        counts = [self.chunk, self.config.steps_until_due(step), state.diagnosis.next_check - step]
        whole, rest = divmod(state.loader.rows, state.loader.batch_size)
        if rest and len(state.loader) > whole:  # the smaller last batch is a step of its own
            counts.append(whole - state.loader.batch % len(state.loader))
        if state.arrays is not None:
            inputs, wanted = state.arrays
            bytes_of_rows = (inputs.nbytes + wanted.nbytes) // len(state.loader)
            numbers = sum(x.size for x in self.parameters)
            counts.append(MAX_CHUNK_BYTES // (bytes_of_rows + 24 * numbers + 1))
        return min(counts)

    def _run_many(self, batches: Sequence[Batch]) -> list[Any]:
        """Return what the program returns at each of the steps."""
        first = batches[0]
        if len(self.state.loader) == 1:
            found = self.program.run_steps([*first], len(batches), {})
        else:
            stacked = {i: np.stack([batch[i] for batch in batches]) for i in range(2)}
            found = self.program.run_steps([*first], len(batches), stacked)
        rows: list[Any] = found
        return rows

    def _weights(self, rows: Sequence[Any], step: int) -> list[Any]:
        return [rows[2 + i][step] for i in range(len(self.parameters))]

    def _is_uneventful(self, rows: Sequence[Any], began: int) -> bool:
        """Return True if no rule of the loop would act at any of the steps."""
        state, new_losses = self.state, rows[0].tolist()
        if not all(map(math.isfinite, new_losses)):
            return False
        unchanged, self.unchanged = state.unchanged, state.unchanged
        for same_weights in self._unchanged_updates(rows):
            unchanged = unchanged + 1 if same_weights else 0
            if unchanged == state.steps_per_epoch:
                return False
        self.unchanged = unchanged
        monitor, losses = copy.copy(state.divergence), state.losses
        for step, loss in enumerate(new_losses):
            losses.append(loss)
            if monitor.diverges(
                losses, self._weights(rows, step)
            ) or state.diagnosis.needs_rate_check(monitor.rises):
                del losses[began:]
                return False
        del losses[began:]
        if monitor.best_step >= began:
            monitor.best = [np.array(x) for x in monitor.best]  # no view of the whole chunk
        self.divergence = monitor
        return True

    def _unchanged_updates(self, rows: Sequence[Any]) -> list[bool]:
        """Return for each update but the last one whether it left every weight as it was."""
        same = rows[1][:-1] > 0
        weights = [x.reshape(len(x), -1) for x in rows[2 : 2 + len(self.parameters)] if x.size]
        scale = self.state.weight_scale
        for entries in (1, None):  # the first entries alone nearly always decide
            for x in weights:
                new, old = x[1:, :entries], x[:-1, :entries]
                near = np.abs(new - old) <= self.config.tolerance * np.maximum(scale, np.abs(old))
                same &= near.all(axis=1)
            if not same.any():
                break
        found: list[bool] = same.tolist()
        return found

    def _commit(self, rows: Sequence[Any], batches: Sequence[Batch], began: int) -> None:
        """Record the steps; the last update is recorded by the loop, as every one is."""
        state, count = self.state, len(batches)
        state.losses += rows[0].tolist()
        state.rates += rows[1][:-1].tolist()
        state.unchanged, state.divergence = self.unchanged, self.divergence
        for step in range(count):
            if state.weight_history.keeps(began + step):
                weights = self._weights(rows, step)
                ordered = [np.array(weights[i]) for i in self.history_order]
                state.weight_history.add(began + step, ordered)
        state.before = [np.array(x) for x in self._weights(rows, count - 1)]
        if self.config.metrics:
            state.pairs += [(rows[-1][i], wanted) for i, (_, wanted) in enumerate(batches)]
        set_gradients(self.parameters, self._gradients(rows, count - 1)[1])


def data_of(predicted: Any) -> Any:
    """Return the prediction without its graph, as the trace has it."""
    return predicted.data if isinstance(predicted, Value) else predicted


def _copy_in_trace(x: Any) -> Any:
    """Return the same numbers, which the update that follows does not change."""
    return np.concatenate([x]) if np.ndim(x) else x
