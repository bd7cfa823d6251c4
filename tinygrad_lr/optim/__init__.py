"""Optimisers: how weights follow their gradients downhill.

`Optimizer` does the loop over the parameters; an algorithm is its own two methods: `start`, the
state that it keeps for a parameter, and `update`, its rule.
"""

from __future__ import annotations

from .checks import checked_number as checked_number
from .optimizer import LearningRate as LearningRate
from .optimizer import Optimizer as Optimizer
from .optimizer import restore as restore
from .optimizer import snapshot as snapshot
from .sgd import SGD as SGD

__all__ = ["SGD", "LearningRate", "Optimizer", "checked_number", "restore", "snapshot"]
