"""The lesson on classes: `classify` yields its parts one by one, as they are ready."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .. import losses, metrics
from ..data import Standardizer, split
from ..errors import ArgumentError
from ..optim import Adam
from ..support.abstract_array import Array
from ..train import History, fit
from .outputs import check_paths, save_class_page, save_class_plot
from .parts import (
    Classes,
    Classification,
    ClassPrediction,
    ClassRow,
    FirstSlopes,
    Part,
    Written,
)
from .predictor import Description, Predictor
from .problem import ClassProblem
from .run_lesson import (
    MAX_ROWS,
    describe_columns,
    prediction_point,
    raise_if_interrupted,
    select_snapshots,
    training_fields,
)
from .training import Settings, check_batch, check_memory, divergence_error

LINE_RATE, NETWORK_RATE = 0.1, 0.01  # default learning rates of Adam
TEST_SHARE = 0.2  # of the rows is held out by default
MIN_ROWS = 10  # with fewer, no rows are held out by default


def classify(
    problem: ClassProblem,
    settings: Settings | None = None,
    *,
    test: float | None = None,
    save: str | None = None,
    plot: str | None = None,
    report: str | None = None,
) -> Iterator[Part]:
    """Run the lesson on classes, part by part: data, first slopes, training, a prediction.

    Without hidden layers it is softmax regression. `test` is the share of the rows held out to
    test the model (default: 0.2, or none of fewer than ten rows).

    Raises what `run` raises, except for features that don't determine a line.
    """
    settings = settings or Settings()
    check_paths(problem.path, save, plot, report)
    point = prediction_point(problem, settings)
    train, held_out = split_rows(problem, test, settings.seed)
    predictor = build_classifier(problem, settings, train)
    yield describe_classes(problem, train, held_out)
    yield derive_first_slopes(problem, predictor, train)
    history = train_classifier(problem, settings, predictor, train)
    if save is not None:
        predictor.save(save)
    raise_if_interrupted(history, save)
    found = evaluate_classifier(problem, settings, predictor, history, train, held_out)
    yield found
    yield predict_class_at(problem, predictor, point)
    if save is not None:
        yield Written("the classifier", save)
    if plot is not None:
        save_class_plot(plot, problem, predictor, history, found)
        yield Written("the plot", plot)
    if report is not None:
        save_class_page(report, problem, settings, predictor, history, found, train, test)
        yield Written("the page", report)


def split_rows(problem: ClassProblem, test: float | None, seed: int) -> tuple[Array, Array]:
    """Return training rows and held-out rows: each class in both if possible, else in the first."""
    share = TEST_SHARE if test is None else test
    if (test is None and problem.rows < MIN_ROWS) or share == 0:
        return np.arange(problem.rows), np.arange(0)
    common = np.bincount(problem.y)[problem.y] > 1  # a class of a single row is for training
    rows = np.flatnonzero(common)
    stratify: Array | None = problem.y[common]
    if len(rows) * share < len(np.unique(problem.y[common])):
        stratify = None
    try:
        train, held_out = split(rows, test=share, stratify=stratify, generator=seed)
    except ArgumentError as error:
        raise ArgumentError(
            "--test must be a share that leaves rows on both sides, "
            f"got {share:g} of {problem.rows} rows; pass --test 0 to hold out none"
        ) from error
    classes, firsts = np.unique(problem.y[held_out], return_index=True)
    missing = ~np.isin(classes, problem.y[train])
    back = held_out[firsts[missing]]  # a row of each class without a training row
    train = np.concatenate([train, back, np.flatnonzero(~common)])
    return np.sort(train), np.setdiff1d(held_out, back)


def build_classifier(problem: ClassProblem, settings: Settings, train: Array) -> Predictor:
    """Return the untrained model for the settings, scaled to the training rows."""
    features = len(problem.x_names)
    mean, scale = np.zeros(features), np.ones(features)
    if settings.standardize:
        scaling = Standardizer().fit(problem.x[train])
        mean, scale = np.asarray(scaling.mean), np.asarray(scaling.scale)
    description = Description(
        x_names=problem.x_names,
        y_name=problem.y_name,
        hidden=settings.hidden,
        activation=settings.activation,
        x_mean=tuple(mean.tolist()),
        x_scale=tuple(scale.tolist()),
        labels=problem.labels,
    )
    check_memory(problem.path, len(train), description, settings)
    return Predictor(description, description.build_model(settings.seed))


def train_classifier(
    problem: ClassProblem, settings: Settings, predictor: Predictor, train: Array
) -> History:
    """Train the classifier; raise `DivergenceError` if the learning rate was too large."""
    check_batch(problem.path, len(train), settings)
    history = fit(
        *(predictor.model, predictor.features(problem.x[train]), problem.y[train]),
        loss=losses.cross_entropy,
        optimizer=Adam(predictor.model.parameters(), adam_rate(settings)),
        steps=settings.steps,
        batch_size=settings.batch_size,
        tolerance=settings.tolerance,
        generator=settings.seed,
        progress=None if settings.hidden else False,
        warn=False,
    )
    if history.reason == "diverged":
        raise divergence_error(history, settings, math.inf)  # Adam has no stable limit
    return history


def adam_rate(settings: Settings) -> float:
    """Return the learning rate of the settings, or the default for the model."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return NETWORK_RATE if settings.hidden else LINE_RATE


def describe_classes(problem: ClassProblem, train: Array, held_out: Array) -> Classes:
    """Return the columns in figures, and the number of rows of each class."""
    counts = np.bincount(problem.y, minlength=len(problem.labels))
    return Classes(
        source=problem.path,
        target=problem.y_name,
        rows=problem.rows,
        trained_on=len(train),
        held_out=len(held_out),
        features=describe_columns(problem.x_names, problem.x.T),
        labels=problem.labels,
        counts=tuple(counts.tolist()),
        notes=problem.notes,
    )


def derive_first_slopes(problem: ClassProblem, predictor: Predictor, train: Array) -> FirstSlopes:
    """Return the chain rule through softmax and cross entropy, at the initial weights."""
    y = problem.y[train]
    logits = predictor.model(predictor.features(problem.x[train]))
    loss = losses.cross_entropy(logits, y)
    loss.backward()
    slopes, p = logits.grad, predictor.probabilities(problem.x[train])
    for parameter in predictor.model.parameters():
        parameter.grad = None
    rows = tuple(
        ClassRow(
            number=int(train[i]) + 1,
            label=problem.labels[y[i]],
            probabilities=tuple(p[i].tolist()),
            slopes=tuple(slopes[i].tolist()),
        )
        for i in _rows_of_different_classes(y)
    )
    return FirstSlopes(problem.labels, len(train), loss.item(), rows)


def _rows_of_different_classes(y: Array) -> list[int]:
    """Return the first row of each of the first classes."""
    firsts = np.unique(y, return_index=True)[1].tolist()
    others = (i for i in range(len(y)) if i not in firsts)
    return sorted(itertools.islice(itertools.chain(firsts, others), MAX_ROWS))


def evaluate_classifier(
    problem: ClassProblem,
    settings: Settings,
    predictor: Predictor,
    history: History,
    train: Array,
    held_out: Array,
) -> Classification:
    """Return how often the classifier is right, on training rows and on held-out rows."""
    probabilities = predictor.probabilities(problem.x)
    rows = held_out if len(held_out) else train
    commonest = int(np.bincount(problem.y[train]).argmax())
    return Classification(
        **training_fields(predictor.description, settings, history, adam_rate(settings)),
        course=tuple(
            replace(snapshot, weights=(), bias=None) for snapshot in select_snapshots(history)
        ),
        labels=problem.labels,
        optimizer="Adam",
        trained_on=len(train),
        accuracy=metrics.accuracy(probabilities[train], problem.y[train]),
        held_out=len(held_out),
        held_out_accuracy=metrics.accuracy(probabilities[held_out], problem.y[held_out])
        if len(held_out)
        else None,
        commonest=problem.labels[commonest],
        baseline=float(np.mean(problem.y[rows] == commonest)),
        confusion=tuple(
            tuple(row)
            for row in metrics.confusion_matrix(
                probabilities[rows], problem.y[rows], len(problem.labels)
            ).tolist()
        ),
    )


def predict_class_at(
    problem: ClassProblem, predictor: Predictor, at: tuple[float, ...]
) -> ClassPrediction:
    """Return the probability of each class at a point."""
    row = np.array(at)
    low, high = problem.x.min(axis=0), problem.x.max(axis=0)
    p = predictor.probabilities(row[None, :])[0]
    return ClassPrediction(
        names=problem.x_names,
        at=at,
        target=problem.y_name,
        label=problem.labels[int(p.argmax())],
        labels=problem.labels,
        probabilities=tuple(p.tolist()),
        outside=bool(((row < low) | (row > high)).any()),
    )
