"""The lesson on a line or a network: `run` yields its parts one by one, as they are ready."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.value import Value
from ..errors import ArgumentError, DataFileError
from ..linear import Line
from ..support.abstract_array import Array
from ..support.files import printable, quote
from ..train import History
from ..train.history import count_of
from . import rates
from .condensed import MAX_CONDITION, Condensed, condense, condensed_line
from .outputs import check_paths, save_page, save_plot
from .parts import (
    ClosedForm,
    Column,
    Data,
    Derivation,
    Descent,
    Network,
    Part,
    Prediction,
    Row,
    Slope,
    Snapshot,
    Written,
)
from .predictor import Description
from .problem import ClassProblem, Problem
from .training import Settings, Training, check_batch, train

FIRST_STEPS = (0, 1, 2, 3, 5)  # shown, then 1, 2 and 5 times each power of ten
MAX_ROWS = 3  # shown in the derivation
ROUNDING = 1e-9  # of the target
BLOCK_ROWS = 2**18  # in the derivation's graph at a time


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during the descent, raised after the model has been saved if that was asked for."""


def run(
    problem: Problem,
    settings: Settings | None = None,
    *,
    save: str | None = None,
    plot: str | None = None,
    report: str | None = None,
) -> Iterator[Part]:
    """Run the lesson on a problem, part by part.

    For a line: the data, the closed form, the descent to it, other learning rates, the first step
    by the chain rule, a prediction. For a network: the data, its training beside the line, a
    prediction. `save`, `plot` and `report` are files for the model, a plot and a page.

    Raises `DataFileError` for an output that is an input or can't be written and for features that
    don't determine a line, `ArgumentError` for settings that don't fit the problem,
    `DivergenceError` if the learning rate is too large (nothing is written then),
    `MissingExtraError` for an output that needs a missing package, and `Interrupted`.

    >>> from tinygrad_lr.lesson import read_problem
    >>> [type(part).__name__ for part in run(read_problem())]
    ['Data', 'ClosedForm', 'Descent', 'LearningRates', 'Derivation', 'Prediction']
    """
    settings = settings or Settings()
    check_paths(problem.path, save, plot, report)
    check_batch(problem.path, problem.rows, settings)
    point = prediction_point(problem, settings)
    _check_squares(problem)
    condensed = None if settings.hidden else condense(problem)
    line = None if settings.hidden else fit_closed_form(problem, condensed)
    yield describe_data(problem)
    if line is not None:
        yield describe_line(line)
    training = train(problem, settings, condensed)
    if save is not None:
        training.predictor.save(save)
    raise_if_interrupted(training.history, save)
    if line is None:
        yield describe_network(problem, settings, training)
    else:
        yield describe_descent(settings, training, line)
        yield rates.compare_learning_rates(problem, line, condensed)
        yield derive_first_step(problem, training)
    yield predict_at(problem, training, line, point)
    if save is not None:
        yield Written("the network" if settings.hidden else "the line", save)
    if plot is not None:
        save_plot(plot, problem, training, line)
        yield Written("the plot", plot)
    if report is not None:
        save_page(report, problem, settings, training)
        yield Written("the page", report)


def _check_squares(problem: Problem) -> None:
    """Raise `DataFileError` if the squares of the target overflow float64."""
    largest = float(abs(problem.y).max())
    if not math.isfinite(problem.rows * largest * largest):
        raise DataFileError(
            f"{printable(problem.path)}, column {quote(problem.y_name)}: the target must have "
            f"squares that fit in float64, got up to {largest:.3g}; rescale it"
        )


def raise_if_interrupted(history: History, save: str | None) -> None:
    """Raise `Interrupted` if Ctrl-C ended the descent."""
    if history.reason == "interrupted":
        saved = f"; the model was saved to {printable(save)}" if save is not None else ""
        raise Interrupted(f"interrupted after {count_of(history.steps, 'step')}{saved}")


def describe_data(problem: Problem) -> Data:
    """Return the columns in figures."""
    columns = describe_columns(
        [*problem.x_names, problem.y_name], [*problem.x.T, problem.y], problem.meanings
    )
    return Data(problem.source, problem.rows, columns[:-1], columns[-1], problem.notes)


def describe_columns(
    names: Sequence[str], columns: Iterable[Array], meanings: Mapping[str, str] | None = None
) -> tuple[Column, ...]:
    """Return the mean, standard deviation and range of each column."""
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


def fit_closed_form(problem: Problem, condensed: Condensed | None = None) -> Line:
    """Return the closed form; raise `DataFileError` if the columns don't determine a line."""
    if condensed is not None and condensed.condition <= MAX_CONDITION:
        return condensed_line(condensed, problem.x_names)
    try:
        return rates.least_squares(problem.x, problem.y, problem.x_names)
    except ArgumentError as error:
        reason = printable(str(error).removeprefix("closed_form: "))
        raise DataFileError(f"{printable(problem.path)}: {reason}") from error


def describe_line(line: Line) -> ClosedForm:
    """Return the line as a part of the lesson."""
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


def describe_descent(settings: Settings, training: Training, line: Line) -> Descent:
    """Return the descent, in the columns' own units, beside the closed form."""
    history, description = training.history, training.predictor.description
    slopes, intercept = rates.original_units(
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
        course=select_snapshots(history),
        slopes=_floats(slopes),
        intercept=intercept,
        loss=history.losses[-1],
        agrees=rates.is_close_to(slopes, intercept, line),
        closed_form=describe_line(line),
    )


def select_snapshots(history: History, scale: float = 1.0) -> tuple[Snapshot, ...]:
    """Return the descent at the first steps and at fewer later ones; losses times `scale`."""
    found = []
    line = set(history.weights) == {"weight", "bias"}
    index = {step: i for i, step in enumerate(history.weight_steps)}
    for step in _steps_to_show(history.steps):
        snapshot = Snapshot(step, history.losses[step] * scale)
        if line and step in index:
            weights = _floats(history.weights["weight"][index[step]][:, 0])
            bias = float(history.weights["bias"][index[step]][0])
            snapshot = replace(snapshot, weights=weights, bias=bias)
        if not line or step in index:
            found.append(snapshot)
    return tuple(found)


def derive_first_step(problem: Problem, training: Training) -> Derivation:
    """Return the chain rule at w = 0, b = 0 over all rows, with the gradients of `backward()`.

    u = ŷ - y, L = (1/N) Σ u², so dL/du = 2u/N, dL/dŷ = dL/du, dL/dw = Σ dL/dŷ · x and
    dL/db = Σ dL/dŷ: what `tg.derivation` derives for this loss, row by row here.
    """
    predictor, rate, total = training.predictor, training.rate, 0.0
    description = predictor.description
    w = Value(np.zeros(len(problem.x_names)), name="w")
    b = Value(0.0, name="b")
    rows: tuple[Row, ...] = ()
    for begin in range(0, problem.rows, BLOCK_ROWS):  # the gradients add up
        block = slice(begin, begin + BLOCK_ROWS)
        x = predictor.features(problem.x[block])
        y = (problem.y[block] - description.y_mean) / description.y_scale
        yhat: Value = np.matmul(x, w) + b
        u = yhat - y
        loss = (u**2).mean() * (len(y) / problem.rows)
        loss.backward()
        total += float(loss.data)
        rows = rows or _first_rows(x, y, yhat, u)
    slopes = [float(slope) for slope in w.grad]
    names = ("w",) if len(slopes) == 1 else tuple(f"w{i}" for i in range(1, len(slopes) + 1))
    return Derivation(
        names=problem.x_names,
        standardized=set(training.predictor.description.x_scale) != {1.0},
        count=problem.rows,
        loss=total,
        learning_rate=rate,
        rows=rows,
        weights=tuple(
            Slope(name, 0.0, slope, 0.0 - rate * slope)
            for name, slope in zip(names, slopes, strict=True)
        ),
        bias=Slope("b", 0.0, float(b.grad), 0.0 - rate * float(b.grad)),
    )


def _first_rows(x: Array, y: Array, yhat: Value, u: Value) -> tuple[Row, ...]:
    of_u, of_yhat = u.grad, yhat.grad
    return tuple(
        Row(
            number=i + 1,
            features=tuple(map(float, x[i])),
            target=float(y[i]),
            prediction=float(yhat.data[i]),
            u=float(u.data[i]),
            slope_of_u=float(of_u[i]),
            slope_of_prediction=float(of_yhat[i]),
            shares=tuple(map(float, of_yhat[i] * x[i])),
        )
        for i in range(min(MAX_ROWS, len(y)))
    )


def describe_network(problem: Problem, settings: Settings, training: Training) -> Network:
    """Return the network, beside a line through the features that vary."""
    history, description = training.history, training.predictor.description
    residual = problem.y - training.predictor.predict(problem.x)
    mse = float(np.mean(residual * residual))
    constant = problem.constant_features()
    kept = [i for i, name in enumerate(problem.x_names) if name not in constant]
    names = tuple(problem.x_names[i] for i in kept)
    varying = replace(problem, x=problem.x[:, kept], x_names=names)
    line = None
    try:
        if names:
            line = describe_line(fit_closed_form(varying, condense(varying)))
    except DataFileError:  # too few rows, or dependent columns: a network doesn't mind
        line = None
    return Network(
        **training_fields(description, settings, history, training.rate),
        course=select_snapshots(history, description.y_scale**2),
        mse=mse,
        r_squared=1.0 - mse / float(np.var(problem.y)),
        line=line,
    )


def training_fields(
    description: Description, settings: Settings, history: History, rate: float
) -> dict[str, Any]:
    """Return the fields of `Trained` other than its course."""
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


def predict_at(
    problem: Problem, training: Training, line: Line | None, at: tuple[float, ...]
) -> Prediction:
    """Return the prediction at a point, with the line's spread or the network's typical error."""
    row = np.array(at)
    residual = problem.y - training.predictor.predict(problem.x)
    typical = math.sqrt(float(np.mean(residual * residual)))
    spread = typical
    if line is not None:
        rounding = ROUNDING * float(abs(problem.y).max())  # all that a perfect fit leaves
        typical = max(line.residual_standard_deviation, rounding)
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


def prediction_point(problem: Problem | ClassProblem, settings: Settings) -> tuple[float, ...]:
    """Return the features to make a prediction for: those of the settings, or the medians."""
    if settings.at is None:
        return tuple(float(np.median(column)) for column in problem.x.T)
    if len(settings.at) != len(problem.x_names):
        features = ", ".join(map(printable, problem.x_names))
        raise ArgumentError(
            f"--at must have one number for each feature ({features:.200}), got {len(settings.at)}"
        )
    return settings.at


def _steps_to_show(last: int) -> Iterator[int]:
    """Yield 0, 1, 2, 3, 5, 10, 20, 50, 100, ... and the last step."""
    yield from (step for step in FIRST_STEPS if step < last)
    power = 10
    while power < last:
        yield from (step for step in (power, 2 * power, 5 * power) if step < last)
        power *= 10
    yield last


def _floats(values: float | Array) -> tuple[float, ...]:
    return tuple(map(float, np.atleast_1d(values)))
