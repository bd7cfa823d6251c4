"""The page about a lesson, and the command that makes it again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import import_extra
from ..support.abstract_array import Array
from ..support.files import refuse
from ..train import History
from .class_parts import Classification
from .classes import ClassProblem
from .predictor import Predictor
from .problem import SOURCE, X_NAMES, Y_NAME, Problem
from .training import Settings, Training

PROGRAM = "tinygrad-lr fit"
DEFAULTS = Settings()


def check_page(path: str) -> None:
    """Refuse, before any work, a page that could not be written.

    Raises `DataFileError` for another ending, `MissingExtraError` without latex2mathml.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in {".html", ".htm"}:
        given = f"the ending {ending!r:.60}" if ending else "no ending"
        refuse(path, "no name for a page", "a name in .html", given)
    import_extra("latex2mathml.converter", "explain")


def save_page(path: str, problem: Problem, settings: Settings, training: Training) -> None:
    """Write the page about a line or a network."""
    from ..report_page import report

    description = training.predictor.description
    own = problem.source == SOURCE
    x_scaling, y_scaling = _scalings(training.predictor)
    report(
        training.history,
        training.predictor.model,
        training.features,
        training.targets,
        path=path,
        x_names=[_with_meaning(problem, name) for name in problem.x_names],
        y_name=_with_meaning(problem, problem.y_name),
        x_scaling=x_scaling,
        y_scaling=y_scaling if description.hidden else None,
        title=_title(problem.y_name, problem.x_names),
        settings={"data": SOURCE if own else os.path.basename(problem.path)} | _told(settings),
        command=_command(None if own else problem.path, problem, settings, path),
    )


def save_class_page(
    path: str,
    problem: ClassProblem,
    settings: Settings,
    predictor: Predictor,
    history: History,
    found: Classification,
    rows: Array,
    test: float | None,
) -> None:
    """Write the page about a classifier; `rows` are those that it learnt from."""
    from ..report_page import report

    extra = ["--classify"] if all(map(_numeric, problem.labels)) else []
    extra += [] if test is None else ["--test", f"{test:g}"]
    told = {"data": os.path.basename(problem.path), "optimizer": found.optimizer}
    told |= _told(settings) | {"accuracy, rows learnt from": f"{found.accuracy:.1%}"}
    if found.held_out_accuracy is not None:
        told[f"accuracy, {found.held_out} rows held out"] = f"{found.held_out_accuracy:.1%}"
    report(
        history,
        predictor.model,
        predictor.features(problem.x[rows]),
        problem.y[rows],
        loss=losses.cross_entropy,
        path=path,
        x_names=problem.x_names,
        y_name=problem.y_name,
        labels=problem.labels,
        x_scaling=_scalings(predictor)[0],
        settings=told,
        command=_command(problem.path, problem, settings, path, extra),
    )


def _title(y_name: str, x_names: Sequence[str]) -> str | None:
    return f"{y_name}, learnt from {' and '.join(x_names)}" if len(x_names) <= 3 else None


def _with_meaning(problem: Problem, name: str) -> str:
    """A column's name, with what it means where that is known."""
    meaning = problem.meanings.get(name)
    return f"{name} ({meaning})" if meaning else name


def _scalings(predictor: Predictor) -> tuple[Standardizer, Standardizer]:
    """What brought features and target to the model's scale."""
    description = predictor.description
    x_scaling, y_scaling = Standardizer(), Standardizer()
    x_scaling.mean, x_scaling.scale = np.array(description.x_mean), np.array(description.x_scale)
    y_scaling.mean, y_scaling.scale = np.array(description.y_mean), np.array(description.y_scale)
    return x_scaling, y_scaling


def _told(settings: Settings) -> dict[str, Any]:
    told: dict[str, Any] = {"features": "standardised" if settings.standardize else "as given"}
    if settings.batch_size is not None:
        told["batch size"] = settings.batch_size
    if settings.hidden or settings.batch_size is not None:
        told["seed"] = settings.seed
    return told


def _command(
    file: str | None,
    problem: Problem | ClassProblem,
    settings: Settings,
    path: str,
    extra: Sequence[str] = (),
) -> str:
    """What to type to get the same page; files without their folders."""
    words = [] if file is None else [os.path.basename(file)]
    if file is not None or (problem.x_names, problem.y_name) != (X_NAMES, Y_NAME):
        words += [word for name in problem.x_names for word in ("--x", name)]
        words += ["--y", problem.y_name]
    words += extra
    if settings.hidden:
        words += ["--hidden", ",".join(map(str, settings.hidden))]
    told = {
        "--activation": (settings.activation, DEFAULTS.activation),
        "--learning-rate": (settings.learning_rate, None),
        "--steps": (settings.steps, DEFAULTS.steps),
        "--tolerance": (settings.tolerance, DEFAULTS.tolerance),
        "--batch-size": (settings.batch_size, None),
        "--seed": (settings.seed, DEFAULTS.seed),
    }
    for flag, (given, usual) in told.items():
        if given != usual:
            words += [flag, str(given)]
    words += [] if settings.standardize else ["--no-standardize"]
    words += ["--report", os.path.basename(path)]
    return " ".join([PROGRAM, *map(shlex.quote, words)])


def _numeric(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
