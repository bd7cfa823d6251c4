"""Write the files of a lesson: a plot and a page."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import losses
from ..data import Standardizer
from ..errors import import_extra
from ..linear import Line
from ..support.abstract_array import Array
from ..support.csv_files import could_be_quantity
from ..support.files import check_outputs, replace_file
from ..train import History
from .parts import Classification
from .predictor import Predictor, check_extension, check_model_path
from .problem import SOURCE, X_NAMES, Y_NAME, ClassProblem, Problem
from .training import Settings, Training

PROGRAM = "tinygrad-lr fit"
DEFAULTS = Settings()
FORMATS = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The formats of a plot, and the metadata of each that would change from run to run."""


def check_paths(source: str, save: str | None, plot: str | None, report: str | None) -> None:
    """Check, before any work, that the outputs can be written.

    Raises `DataFileError` for an output that is the source or another output, in a missing folder,
    or with a wrong extension; `MissingExtraError` for one that needs a package that's missing.
    """
    check_outputs([source], [save, plot, report])
    if save is not None:
        check_model_path(save)
    if plot is not None:
        check_extension(plot, list(FORMATS))
        import_extra("matplotlib.figure", "plot")
    if report is not None:
        check_extension(report, ["html", "htm"])
        import_extra("latex2mathml.converter", "explain")


def save_page(path: str, problem: Problem, settings: Settings, training: Training) -> None:
    """Write the page of a line or a network."""
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
        x_names=[_name_with_meaning(problem, name) for name in problem.x_names],
        y_name=_name_with_meaning(problem, problem.y_name),
        x_scaling=x_scaling,
        y_scaling=y_scaling if description.hidden else None,
        title=_title(problem.y_name, problem.x_names),
        settings={"data": SOURCE if own else os.path.basename(problem.path)}
        | _settings_lines(settings),
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
    """Write the page of a classifier; `rows` are its training rows."""
    from ..report_page import report

    extra = ["--classes"] if any(map(could_be_quantity, problem.labels)) else []
    extra += [] if test is None else ["--test", f"{test:g}"]
    lines = {"data": os.path.basename(problem.path), "optimizer": found.optimizer}
    lines |= _settings_lines(settings) | {"accuracy on training rows": f"{found.accuracy:.1%}"}
    if found.held_out_accuracy is not None:
        lines[f"accuracy on {found.held_out} held-out rows"] = f"{found.held_out_accuracy:.1%}"
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
        settings=lines,
        command=_command(problem.path, problem, settings, path, extra),
    )


def _title(y_name: str, x_names: Sequence[str]) -> str | None:
    return f"{y_name}, learnt from {' and '.join(x_names)}" if len(x_names) <= 3 else None


def _name_with_meaning(problem: Problem, name: str) -> str:
    """Return a column's name, with its meaning if known."""
    meaning = problem.meanings.get(name)
    return f"{name} ({meaning})" if meaning else name


def _scalings(predictor: Predictor) -> tuple[Standardizer, Standardizer]:
    """Return the scalings of features and target."""
    description = predictor.description
    x_scaling, y_scaling = Standardizer(), Standardizer()
    x_scaling.mean, x_scaling.scale = np.array(description.x_mean), np.array(description.x_scale)
    y_scaling.mean, y_scaling.scale = np.array(description.y_mean), np.array(description.y_scale)
    return x_scaling, y_scaling


def _settings_lines(settings: Settings) -> dict[str, Any]:
    """Return the settings as lines of the page's table."""
    lines: dict[str, Any] = {"features": "standardised" if settings.standardize else "as given"}
    if settings.batch_size is not None:
        lines["batch size"] = settings.batch_size
    if settings.hidden or settings.batch_size is not None:
        lines["seed"] = settings.seed
    return lines


def _command(
    file: str | None,
    problem: Problem | ClassProblem,
    settings: Settings,
    path: str,
    extra: Sequence[str] = (),
) -> str:
    """Return the command that writes the same page; files without their folders."""
    words = [] if file is None else [os.path.basename(file)]
    if file is not None or (problem.x_names, problem.y_name) != (X_NAMES, Y_NAME):
        words += [word for name in problem.x_names for word in ("--x", name)]
        words += ["--y", problem.y_name]
    words += extra
    if settings.hidden:
        words += ["--hidden", ",".join(map(str, settings.hidden))]
    options = {
        "--activation": (settings.activation, DEFAULTS.activation),
        "--learning-rate": (settings.learning_rate, None),
        "--steps": (settings.steps, DEFAULTS.steps),
        "--tolerance": (settings.tolerance, DEFAULTS.tolerance),
        "--batch-size": (settings.batch_size, None),
        "--seed": (settings.seed, DEFAULTS.seed),
    }
    for flag, (given, default) in options.items():
        if given != default:
            words += [flag, str(given)]
    words += [] if settings.standardize else ["--no-standardize"]
    words += ["--report", os.path.basename(path)]
    return " ".join([PROGRAM, *map(shlex.quote, words)])


def save_plot(path: str, problem: Problem, training: Training, line: Line | None) -> None:
    """Draw the fit, the loss by step and the loss surface with the descent, and save them."""
    from ..plot import descent_figure, loss_of

    predictor = training.predictor
    one = len(problem.x_names) == 1
    description = predictor.description
    scaled = one and description.x_scale != (1.0,)
    unit = f", per standard deviation of {problem.x_names[0]}" if scaled else ""
    figure = descent_figure(
        problem.x[:, 0] if one else problem.x,
        problem.y,
        predict=lambda x: predictor.predict(x.reshape(len(x), -1)),
        history=training.history,
        loss_at=loss_of(predictor.model, training.features, training.targets),
        x_name=problem.x_names[0] if one else problem.x_names,
        y_name=problem.y_name,
        closed_form=line,
        w_label=f"w{unit}" if line is not None and one else None,
    )
    _write_figure(path, figure)


def save_class_plot(
    path: str, problem: ClassProblem, predictor: Predictor, history: History, found: Classification
) -> None:
    """Draw the decision boundary, the loss by step and the confusion matrix, and save them."""
    from ..plot import classification_figure

    figure = classification_figure(
        *(problem.x, problem.y),
        predict=predictor.probabilities,
        history=history,
        confusion=np.array(found.confusion),
        x_names=problem.x_names,
        y_name=problem.y_name,
        labels=problem.labels,
    )
    _write_figure(path, figure)


def _write_figure(path: str, figure: Any) -> None:
    """Save a figure in the format of the path's extension; the same figure gives the same bytes."""
    kind = os.path.splitext(path)[1].lower().removeprefix(".")
    stream = io.BytesIO()
    with import_extra("matplotlib", "plot").rc_context({"svg.hashsalt": "tinygrad_lr"}):
        figure.savefig(stream, format=kind, metadata=FORMATS[kind])
    replace_file(path, [stream.getvalue()])
