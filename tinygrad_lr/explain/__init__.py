"""Explanations of a graph: how a loss depends on a weight, with every formula and number."""

from __future__ import annotations

from .derivation import Derivation as Derivation
from .derivation import derivation as derivation
from .influences import Influence as Influence
from .influences import influence as influence
from .layers import Layer as Layer
from .layers import layers_of as layers_of
from .replay import Replay as Replay

__all__ = ["Derivation", "Influence", "Layer", "Replay", "derivation", "influence", "layers_of"]
