"""The lesson: a line (or a network, or a classifier) for data, every number of it explained.

problem ──run──> parts, one after the other ──show──> text for a person
(columns)        (dataclasses of numbers)   ──as_json──> dicts for a program
"""

from __future__ import annotations

from ..support.files import check_outputs as check_outputs
from .class_text import Writer as Writer
from .classes import ClassProblem as ClassProblem
from .classes import read_classes as read_classes
from .classifying import classify as classify
from .parts import Part as Part
from .parts import as_json as as_json
from .parts import as_object as as_object
from .predictor import Predictor as Predictor
from .predictor import load_predictor as load_predictor
from .predictor import predict_file as predict_file
from .problem import Problem as Problem
from .problem import read_problem as read_problem
from .run_lesson import Interrupted as Interrupted
from .run_lesson import run as run
from .training import Settings as Settings

__all__ = [
    "ClassProblem",
    "Interrupted",
    "Part",
    "Predictor",
    "Problem",
    "Settings",
    "Writer",
    "as_json",
    "as_object",
    "check_outputs",
    "classify",
    "load_predictor",
    "predict_file",
    "read_classes",
    "read_problem",
    "run",
]
