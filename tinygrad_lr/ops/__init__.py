"""The operations: `tinygrad_lr.ops.softmax(x)`, and NumPy's names on Values.

A NumPy function called on a Value finds its operation in the tables of `core/primitive.py`, which
these files fill. The usual ones are imported here; the others, as soon as an entry is missing (see
`core/registry.py`). Every operation that is declared in a file of this folder is exported, without
a list of names.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..core.primitive import declared_operations as _declared_operations
from ..support.lazy_imports import lazy_modules as _lazy_modules
from . import activation, arithmetic, elementwise, index, linear_algebra, reduce, shape

if _TYPE_CHECKING:
    from .activation import *
    from .arithmetic import *
    from .arrangement import *
    from .assignment import *
    from .choices import *
    from .complex_numbers import *
    from .cross_entropy import *
    from .decompositions import *
    from .differences import *
    from .elementwise import *
    from .error_function import *
    from .fourier import *
    from .histograms import *
    from .index import *  # type: ignore[assignment]
    from .interpolation import *
    from .linear_algebra import *
    from .nan_functions import *
    from .normalization import *
    from .polynomials import *
    from .recurrent import *
    from .reduce import *
    from .rounding import *
    from .shape import *
    from .signals import *
    from .sorting import *
    from .windows.convolution import *
    from .windows.geometry import *
    from .windows.pooling import *
    from .windows.window_reductions import *


__getattr__, __dir__ = _lazy_modules(__name__, _declared_operations)
