"""The course of a lesson: `run` yields its parts one after the other, as they are ready."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataFileError, bad_argument
from ..linear import Line
from ..support.abstract_array import Array
from ..support.files import check_outputs, printable
from ..train import History
from ..train.history import count_of
from . import derivation, rates
from .classes import ClassProblem
from .page import check_page, save_page
from .parts import ClosedForm, Column, Data, Descent, Moment, Network, Part, Prediction, Written
from .picture import check_picture, save_picture
from .predictor import Description, check_ending
from .problem import Problem
from .training import Settings, Training, check_batch, train

SHOWN = (0, 1, 2, 3, 5)  # and ten times, a hundred times, ... 1, 2 and 5


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during the descent, after what was learnt so far has been saved where asked for."""


def run(
    problem: Problem,
    settings: Settings | None = None,
    *,
    save: str | None = None,
    plot: str | None = None,
    report: str | None = None,
) -> Iterator[Part]:
    """The lesson on a problem, part by part.

    A line: the data, the closed form, the descent to it, what other learning rates do, the first
    step by the chain rule, a prediction. A network: the data, its training beside the line, a
    prediction. `save`, `plot` and `report` name files to write the model, a picture and a page to.

    Raises `DataFileError` where an output is an input or cannot be written and for features that
    a line cannot be told from, `ArgumentError` for settings that do not fit the problem,
    `DivergenceError` where the learning rate is too large (nothing is then written),
    `MissingExtraError` where an output needs a package that is not there, and `Interrupted`.

    >>> from tinygrad_lr.lesson import read_problem
    >>> [type(part).__name__ for part in run(read_problem())]
    ['Data', 'ClosedForm', 'Descent', 'LearningRates', 'Derivation', 'Prediction']
    """
    settings = settings or Settings()
    check_outputs([problem.path], [save, plot, report])
    if save is not None:
        check_ending(save)
    if plot is not None:
        check_picture(plot)
    if report is not None:
        check_page(report)
    check_batch(problem.path, problem.rows, settings)
    at = place_of(problem, settings)
    line = None if settings.hidden else exact_line(problem)
    yield summary(problem)
    if line is not None:
        yield figures(line)
    training = train(problem, settings)
    if save is not None:
        training.predictor.save(save)
    if training.history.reason == "interrupted":
        saved = f"; {printable(save)} holds what was learnt" if save is not None else ""
        raise Interrupted(f"interrupted after {count_of(training.history.steps, 'step')}{saved}")
    if line is None:
        yield network(problem, settings, training)
    else:
        yield descent(settings, training, line)
        yield rates.learning_rates(problem)
        yield derivation.first_step(problem, training)
    yield prediction(problem, training, line, at)
    if save is not None:
        yield Written("the network" if settings.hidden else "the line", save)
    if plot is not None:
        save_picture(plot, problem, training, line)
        yield Written("the picture", plot)
    if report is not None:
        save_page(report, problem, settings, training)
        yield Written("the page", report)


def summary(problem: Problem) -> Data:
    """The columns in figures."""
    found = shown_columns(
        [*problem.x_names, problem.y_name], [*problem.x.T, problem.y], problem.meanings
    )
    return Data(problem.source, problem.rows, found[:-1], found[-1], problem.notes)


def shown_columns(
    names: Sequence[str], columns: Iterable[Array], meanings: Mapping[str, str] | None = None
) -> tuple[Column, ...]:
    """Columns in figures."""
    found = []
    for name, values in zip(names, columns, strict=True):
        size = np.ldexp(1.0, int(np.frexp(abs(values).max())[1]) - 1)  # no square overflows
        found.append(
            Column(
                name=name,
                meaning=(meanings or {}).get(name, ""),
                mean=float((values / size).mean() * size),
                standard_deviation=float((values / size).std() * size),
                minimum=float(values.min()),
                maximum=float(values.max()),
            )
        )
    return tuple(found)


def exact_line(problem: Problem) -> Line:
    """The closed form; raises `DataFileError` where the columns do not determine a line."""
    try:
        return rates.least_squares(problem.x, problem.y, problem.x_names)
    except ArgumentError as error:
        wrong = printable(str(error).removeprefix("closed_form: "))
        raise DataFileError(f"{printable(problem.path)}: {wrong}") from error


def figures(line: Line) -> ClosedForm:
    """The line as a part of the lesson."""
    return ClosedForm(
        names=line.names,
        slopes=_floats(line.slope),
        slope_errors=_floats(line.slope_error),
        intercept=line.intercept,
        intercept_error=line.intercept_error,
        r_squared=line.r_squared,
        mse=line.mse,
        residual_standard_deviation=line.residual_standard_deviation,
    )


def descent(settings: Settings, training: Training, line: Line) -> Descent:
    """What the descent did, in the columns' own units beside the closed form."""
    history, description = training.history, training.predictor.description
    slopes, intercept = rates.own_units(
        history.weights["weight"][-1][:, 0], float(history.weights["bias"][-1][0]), description
    )
    return Descent(
        standardized=settings.standardize,
        means=description.x_mean,
        scales=description.x_scale,
        learning_rate=training.rate,
        learning_rate_limit=math.nan if training.limit is None else training.limit,
        batch_size=settings.batch_size,
        steps=history.steps,
        reason=history.reason,
        message=history.message,
        course=course(history),
        slopes=_floats(slopes),
        intercept=intercept,
        loss=history.losses[-1],
        agrees=rates.agree(slopes, intercept, line),
        closed_form=figures(line),
    )


def course(history: History, scale: float = 1.0) -> tuple[Moment, ...]:
    """The descent at the first steps, and at ever fewer later ones; losses times `scale`."""
    found = []
    line = set(history.weights) == {"weight", "bias"}
    recorded = {step: place for place, step in enumerate(history.weight_steps)}
    for step in _shown(history.steps):
        moment = Moment(step, history.losses[step] * scale)
        if line and step in recorded:
            place = recorded[step]
            weights = _floats(history.weights["weight"][place][:, 0])
            bias = float(history.weights["bias"][place][0])
            moment = replace(moment, weights=weights, bias=bias)
        if not line or step in recorded:
            found.append(moment)
    return tuple(found)


def network(problem: Problem, settings: Settings, training: Training) -> Network:
    """What the network learnt, beside a line through the features that vary."""
    history, description = training.history, training.predictor.description
    residual = problem.y - training.predictor.predict(problem.x)
    mse = float(np.mean(residual * residual))
    constant = problem.constant()
    kept = [i for i, name in enumerate(problem.x_names) if name not in constant]
    names = tuple(problem.x_names[i] for i in kept)
    line = None
    try:
        line = figures(rates.least_squares(problem.x[:, kept], problem.y, names))
    except ArgumentError:  # a network needs no independent columns, and no more rows than those
        line = None
    return Network(
        **trained(description, settings, history, training.rate),
        course=course(history, description.y_scale**2),
        mse=mse,
        r_squared=1.0 - mse / float(np.var(problem.y)),
        line=line,
    )


def trained(
    description: Description, settings: Settings, history: History, rate: float
) -> dict[str, Any]:
    """What there is to say of any training, as the fields of `Trained` other than its course."""
    return {
        "names": description.x_names,
        "target": description.y_name,
        "hidden": description.hidden,
        "activation": description.activation,
        "parameters": sum(math.prod(shape) for shape in description.shapes().values()),
        "standardized": settings.standardize,
        "learning_rate": rate,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "steps": history.steps,
        "reason": history.reason,
        "message": history.message,
    }


def prediction(
    problem: Problem, training: Training, line: Line | None, at: tuple[float, ...]
) -> Prediction:
    """The prediction at one place, with its spread: a line's, or the network's typical miss."""
    row = np.array(at)
    residual = problem.y - training.predictor.predict(problem.x)
    typical = math.sqrt(float(np.mean(residual * residual)))
    spread = typical
    if line is not None:
        typical = line.residual_standard_deviation
        spread = np.asarray(line.prediction_spread(row)).item()
    low, high = problem.x.min(axis=0), problem.x.max(axis=0)
    return Prediction(
        names=problem.x_names,
        at=at,
        target=problem.y_name,
        value=float(training.predictor.predict(row[None, :])[0]),
        spread=spread,
        typical=typical,
        within=int(np.count_nonzero(abs(residual) <= typical)),
        rows=problem.rows,
        outside=bool(((row < low) | (row > high)).any()),
    )


def place_of(problem: Problem | ClassProblem, settings: Settings) -> tuple[float, ...]:
    """The features to predict for."""
    if settings.at is None:
        return _floats(np.median(problem.x, axis=0))
    if len(settings.at) != len(problem.x_names):
        features = ", ".join(map(printable, problem.x_names))
        raise ArgumentError(
            bad_argument(
                "--at",
                "other features than the model has",
                expected=f"{len(problem.x_names)} with commas between: {features:.200}",
                given=len(settings.at),
            )
        )
    return settings.at


def _shown(last: int) -> Iterator[int]:
    """0, 1, 2, 3, 5, 10, 20, 50, 100, ... and the last step."""
    yield from (step for step in SHOWN if step < last)
    power = 10
    while power < last:
        yield from (step for step in (power, 2 * power, 5 * power) if step < last)
        power *= 10
    yield last


def _floats(values: float | Array) -> tuple[float, ...]:
    return tuple(map(float, np.atleast_1d(values)))
