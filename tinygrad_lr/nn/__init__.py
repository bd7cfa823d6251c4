"""Networks: modules that hold parameters and compute with them.

`Module` is the base; `Linear` is the line x @ weight + bias; `Sequential`, `Residual` and `MLP`
stack layers. The names in the `__all__` of each file here are exported; most files are loaded when
one of their layers is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules
from .activations import *
from .containers import *
from .linear import *
from .module import *

if _TYPE_CHECKING:
    from . import init as init
    from .attention import *
    from .cells import *
    from .convolution import *
    from .dropout import *
    from .embedding import *
    from .hooks import *
    from .normalization import *
    from .pooling import *
    from .recurrent import *
    from .summaries import *

__getattr__, __dir__ = _lazy_modules(__name__, modules=("init",))
