"""The lesson: a line (or a network) through data, every number of it explained.

problem ──run──> parts, one after the other ──show──> text for a person
(columns)        (dataclasses of numbers)   ──as_json──> dicts for a program
"""

from __future__ import annotations

from ..files import check_outputs as check_outputs
from .course import Interrupted as Interrupted
from .course import run as run
from .parts import Part as Part
from .parts import as_json as as_json
from .parts import as_object as as_object
from .predictor import Predictor as Predictor
from .predictor import load_predictor as load_predictor
from .predictor import predict_file as predict_file
from .problem import Problem as Problem
from .problem import read_problem as read_problem
from .text import Writer as Writer
from .training import Settings as Settings

__all__ = [
    "Interrupted",
    "Part",
    "Predictor",
    "Problem",
    "Settings",
    "Writer",
    "as_json",
    "as_object",
    "check_outputs",
    "load_predictor",
    "predict_file",
    "read_problem",
    "run",
]
