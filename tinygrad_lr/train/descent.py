"""The loop itself: forward, loss, backward, update, until there is a reason to end."""

from __future__ import annotations

from .config import Moment, Plan
from .diagnosis import stable_rate
from .evaluation import judged
from .progress import Show
from .state import Run
from .step_batches import Groups
from .steps import Steps


def descend(run: Run, plan: Plan, show: Show, steps: Steps) -> str:
    """Step after step, until there is a reason to end: the reason."""
    began = run.step
    groups = Groups(run, plan.accumulate)
    while True:
        run.settle()
        step, evaluation = run.step, None
        if plan.checkpoints is not None and step > began:
            last = step == plan.limit or run.still == run.epoch or run.stopped
            if last or plan.checkpoints.due(step):
                plan.checkpoints.save(run)
        if run.stopped:
            return "stopped"
        if plan.evaluates(step):
            stop = run.evaluate(lambda: _judged(run, plan))
            evaluation = run.evaluations[-1]
            if stop:
                if plan.checkpoints is not None:
                    plan.checkpoints.save(run)
                return "early"
        if steps.several(groups, show):
            continue
        batches = next(groups)
        run.rows = run.everything or batches[0]
        loss, pairs, backward = steps.forward(batches)
        run.see(loss, pairs)
        if plan.callbacks:
            _call(run, plan, evaluation)
        if run.watch.diverges(run.losses, run.before):
            return "diverged"
        if run.still == run.epoch:
            backward()  # how small the gradient is in the end
            return "converged"
        if step == plan.limit:
            return "diverged" if run.watch.rising() else "limit"
        if run.optimizer.needs_closure:
            steps.search(batches)
        else:
            backward()  # dL/dw for every weight w
            run.diagnosis.look(step, batches[0][0])
            run.diagnosis.rate(run.watch.rises, lambda: _stable_rate(run, plan))
            steps.update()
        show(loss, run.evaluations[-1] if run.evaluations else {})


def _stable_rate(run: Run, plan: Plan) -> float | None:
    """The largest stable learning rate here, roughly."""
    return stable_rate(run.model, plan.compare, *run.rows, rough=True)


def _judged(run: Run, plan: Plan) -> dict[str, float]:
    """The loss and the metrics on the data that were held out."""
    if plan.held_out is None:
        return {}
    return judged(run.model, *plan.held_out, loss=plan.loss, metrics=run.metrics)


def _call(run: Run, plan: Plan, evaluation: dict[str, float] | None) -> None:
    """Call the callbacks, and hear whether one of them asks to stop."""
    moment = Moment(
        step=run.step,
        epoch=run.full_epochs,
        loss=run.losses[-1],
        learning_rate=run.optimizer.rate,
        model=run.model,
        optimizer=run.optimizer,
        evaluation=evaluation,
    )
    for callback in plan.callbacks:
        callback(moment)
    run.stopped = moment.stopped
