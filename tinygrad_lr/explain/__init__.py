"""Explanations of a graph: how a loss depends on a weight, with every formula and number."""

from __future__ import annotations

from .derivations.build import Derivation as Derivation
from .derivations.build import derivation as derivation
from .derivations.quiz import Quiz as Quiz
from .derivations.quiz import quiz as quiz
from .graphs.layers import Layer as Layer
from .graphs.layers import layers_of as layers_of
from .graphs.replay import Replay as Replay
from .influences.measure import Influence as Influence
from .influences.measure import influence as influence
from .live.tracer import trace as trace

__all__ = [
    "Derivation",
    "Influence",
    "Layer",
    "Quiz",
    "Replay",
    "derivation",
    "influence",
    "layers_of",
    "quiz",
    "trace",
]


def __dir__() -> list[str]:
    return __all__
