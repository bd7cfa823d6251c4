"""The picture of a descent, or of a classifier, as a file."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from ..errors import import_extra
from ..linear import Line
from ..support.files import refuse, replace_file
from ..train import History
from .class_parts import Classification
from .classes import ClassProblem
from .predictor import Predictor
from .problem import Problem
from .training import Training

FORMATS = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""How a picture may end, and which of its metadata would change from run to run."""


def check_picture(path: str) -> None:
    """Refuse, before any work, a picture that could not be drawn.

    Raises `DataFileError` for another ending, `MissingExtraError` without matplotlib.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        given = f"the ending {ending!r:.60}" if ending else "no ending"
        refuse(path, "no kind of picture", f"a name in {', '.join(FORMATS)}", given)
    import_extra("matplotlib.figure", "plot")


def save_picture(path: str, problem: Problem, training: Training, line: Line | None) -> None:
    """Draw the fit, the loss by step and the hill that was descended, and write them to a file."""
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
    write_figure(path, figure)


def save_class_picture(
    path: str, problem: ClassProblem, predictor: Predictor, history: History, found: Classification
) -> None:
    """Draw the borders, the loss by step and the confusion matrix, and write them to a file."""
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
    write_figure(path, figure)


def write_figure(path: str, figure: Any) -> None:
    """Write a figure to a file, in the format that its ending names, the same bytes each time."""
    ending = os.path.splitext(path)[1].lower()
    stream = io.BytesIO()
    with import_extra("matplotlib", "plot").rc_context({"svg.hashsalt": "tinygrad_lr"}):
        figure.savefig(stream, format=ending[1:], metadata=FORMATS[ending])
    replace_file(path, [stream.getvalue()])
