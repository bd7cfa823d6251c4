"""The lesson: fit a line, a network or a classifier to data, and explain every number.

problem ──run, classify──> parts, one after the other ──Writer──> text for a person
(columns)                  (dataclasses of numbers)   ──as_json──> dicts for a program
"""

from __future__ import annotations

from ..support.files import check_outputs as check_outputs
from .classification import classify as classify
from .outputs import check_paths as check_paths
from .parts import Part as Part
from .parts import as_json as as_json
from .parts import as_object as as_object
from .predictor import Predictor as Predictor
from .predictor import load_predictor as load_predictor
from .predictor import predict_file as predict_file
from .problem import ClassProblem as ClassProblem
from .problem import Problem as Problem
from .problem import read_data as read_data
from .problem import read_problem as read_problem
from .run_lesson import Interrupted as Interrupted
from .run_lesson import run as run
from .text import Writer as Writer
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
    "check_paths",
    "classify",
    "load_predictor",
    "predict_file",
    "read_data",
    "read_problem",
    "run",
]
