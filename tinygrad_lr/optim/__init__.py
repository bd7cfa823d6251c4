"""Optimisers: update weights along their gradients.

`Optimizer` loops over the parameters; an algorithm is two methods: `start`, its initial state for a
parameter, and `update`, its rule. Arguments have PyTorch's names and defaults, with `learning_rate`
for lr. The names in the `__all__` of each file here are exported; most files are loaded when one of
their names is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules
from .optimizer import *
from .sgd import *

if _TYPE_CHECKING:
    from .adam import *
    from .adaptive import *
    from .averaging import *
    from .clipping import *
    from .lbfgs import *
    from .minimization import *

__getattr__, __dir__ = _lazy_modules(__name__)
