"""The course of a classification: the classes, the training, and how often it is right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .. import losses, metrics
from ..data import Standardizer, split
from ..errors import ArgumentError, bad_argument
from ..optim import Adam
from ..support.abstract_array import Array
from ..support.files import check_outputs, printable
from ..train import History, fit
from ..train.history import count_of
from .class_parts import Classes, Classification, ClassPrediction, ClassRow, FirstSlopes
from .classes import ClassProblem
from .page import check_page, save_class_page
from .parts import Written
from .picture import check_picture, save_class_picture
from .predictor import Description, Predictor, check_ending
from .run_lesson import Interrupted, course, place_of, shown_columns, trained
from .training import Settings, check_batch, divergence

LINE_RATE, NETWORK_RATE = 0.1, 0.01  # of Adam, unless another is given
TEST = 0.2  # the share of the rows that is held out, unless another is given
FEWEST = 10  # rows, below which none are held out
ROWS_SHOWN = 3


def classify(
    problem: ClassProblem,
    settings: Settings | None = None,
    *,
    test: float | None = None,
    save: str | None = None,
    plot: str | None = None,
    report: str | None = None,
) -> Iterator[Any]:
    """A classification, part by part: the data, the first slopes, the training, a prediction.

    Without hidden layers it is softmax regression. `test` is the share of the rows that is held
    out to judge by (0.2 unless given; none of fewer than ten rows).

    Raises what `run` raises, other than for columns that a line cannot be told from.
    """
    settings = settings or Settings()
    check_outputs([problem.path], [save, plot, report])
    if save is not None:
        check_ending(save)
    if plot is not None:
        check_picture(plot)
    if report is not None:
        check_page(report)
    at = place_of(problem, settings)
    train, held_out = divided(problem, test, settings.seed)
    predictor = untrained(problem, settings, train)
    yield summary(problem, train, held_out)
    yield first_slopes(problem, predictor, train)
    history = train_classifier(problem, settings, predictor, train)
    if save is not None:
        predictor.save(save)
    if history.reason == "interrupted":
        saved = f"; {printable(save)} holds what was learnt" if save is not None else ""
        raise Interrupted(f"interrupted after {count_of(history.steps, 'step')}{saved}")
    found = judged(problem, settings, predictor, history, train, held_out)
    yield found
    yield prediction(problem, predictor, at)
    if save is not None:
        yield Written("the classifier", save)
    if plot is not None:
        save_class_picture(plot, problem, predictor, history, found)
        yield Written("the picture", plot)
    if report is not None:
        save_class_page(report, problem, settings, predictor, history, found, train, test)
        yield Written("the page", report)


def divided(problem: ClassProblem, test: float | None, seed: int) -> tuple[Any, Any]:
    """The rows to train on and those to judge by: every class in both, or else in the first."""
    share = TEST if test is None else test
    if (test is None and problem.rows < FEWEST) or share == 0:
        return np.arange(problem.rows), np.arange(0)
    common = np.bincount(problem.y)[problem.y] > 1  # a class of one row is trained on
    rows = np.flatnonzero(common)
    stratify: Array | None = problem.y[common]
    if len(rows) * share < len(np.unique(problem.y[common])):
        stratify = None
    try:
        train, held_out = split(rows, test=share, stratify=stratify, generator=seed)
    except ArgumentError as error:
        wrong, expected = "too few rows to hold some out", "a share that leaves rows on both sides"
        given = f"{share:g} of {problem.rows} rows"
        raise ArgumentError(
            bad_argument("--test", wrong, expected=expected, given=given, cure="pass --test 0")
        ) from error
    there, firsts = np.unique(problem.y[held_out], return_index=True)
    back = held_out[firsts[~np.isin(there, problem.y[train])]]  # of each class that it would miss
    train = np.concatenate([train, back, np.flatnonzero(~common)])
    return np.sort(train), np.setdiff1d(held_out, back)


def untrained(problem: ClassProblem, settings: Settings, train: Array) -> Predictor:
    """The model that the settings ask for, scaled to the rows that it will see."""
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
    return Predictor(description, description.model(settings.seed))


def train_classifier(
    problem: ClassProblem, settings: Settings, predictor: Predictor, train: Array
) -> History:
    """Descend; raises `DivergenceError` where the learning rate was too large."""
    check_batch(problem.path, len(train), settings)
    history = fit(
        *(predictor.model, predictor.features(problem.x[train]), problem.y[train]),
        loss=losses.cross_entropy,
        optimizer=Adam(predictor.model.parameters(), chosen_rate(settings)),
        steps=settings.steps,
        batch_size=settings.batch_size,
        tolerance=settings.tolerance,
        generator=settings.seed,
        progress=None if settings.hidden else False,
        warn=False,
    )
    if history.reason == "diverged":
        raise divergence(history, settings, math.inf)  # of Adam there is no stable limit
    return history


def chosen_rate(settings: Settings) -> float:
    """The learning rate that is given, or that suits the model."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return NETWORK_RATE if settings.hidden else LINE_RATE


def summary(problem: ClassProblem, train: Array, held_out: Array) -> Classes:
    """The columns in figures, and how many rows each class has."""
    counts = np.bincount(problem.y, minlength=len(problem.labels))
    return Classes(
        source=problem.path,
        target=problem.y_name,
        rows=problem.rows,
        trained_on=len(train),
        held_out=len(held_out),
        features=shown_columns(problem.x_names, problem.x.T),
        labels=problem.labels,
        counts=tuple(counts.tolist()),
        notes=problem.notes,
    )


def first_slopes(problem: ClassProblem, predictor: Predictor, train: Array) -> FirstSlopes:
    """The chain rule through softmax and cross entropy, at the first weights."""
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
        for i in _of_different_classes(y)
    )
    return FirstSlopes(problem.labels, len(train), loss.item(), rows)


def _of_different_classes(y: Array) -> list[int]:
    """The first rows of the first classes."""
    firsts = np.unique(y, return_index=True)[1].tolist()
    others = (i for i in range(len(y)) if i not in firsts)
    return sorted(itertools.islice(itertools.chain(firsts, others), ROWS_SHOWN))


def judged(
    problem: ClassProblem,
    settings: Settings,
    predictor: Predictor,
    history: History,
    train: Array,
    held_out: Array,
) -> Classification:
    """How often it is right, on the rows that it learnt from and on those that it never saw."""
    probabilities = predictor.probabilities(problem.x)
    judge = held_out if len(held_out) else train
    commonest = int(np.bincount(problem.y[train]).argmax())
    return Classification(
        **trained(predictor.description, settings, history, chosen_rate(settings)),
        course=tuple(replace(moment, weights=(), bias=None) for moment in course(history)),
        labels=problem.labels,
        optimizer="Adam",
        trained_on=len(train),
        accuracy=metrics.accuracy(probabilities[train], problem.y[train]),
        held_out=len(held_out),
        held_out_accuracy=metrics.accuracy(probabilities[held_out], problem.y[held_out])
        if len(held_out)
        else None,
        commonest=problem.labels[commonest],
        baseline=float(np.mean(problem.y[judge] == commonest)),
        confusion=tuple(
            tuple(row)
            for row in metrics.confusion_matrix(
                probabilities[judge], problem.y[judge], len(problem.labels)
            ).tolist()
        ),
    )


def prediction(
    problem: ClassProblem, predictor: Predictor, at: tuple[float, ...]
) -> ClassPrediction:
    """The probabilities at one place."""
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
