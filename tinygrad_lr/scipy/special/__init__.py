"""SciPy's special functions on Values: scipy.special's own ufuncs, with their derivatives.

`scipy.special.gammaln(value)` finds its operation here. What is a Python function in SciPy, which
takes no Values, has an equivalent of the same name and arguments: `tg.scipy.special.logsumexp`.
All other names are SciPy's own, so that `from tinygrad_lr.scipy import special` replaces its
import: `special.erf` is `scipy.special.erf`.
"""

from typing import Any as _Any

import scipy.special as _scipy_special

from ...core.primitive import declared_operations as _declared_operations
from ...support.lazy_imports import lazy_modules as _lazy_modules
from . import bessel as _bessel  # loading these registers SciPy's functions
from . import gamma_functions as _gamma_functions
from . import incomplete as _incomplete
from . import integrals as _integrals
from . import normal as _normal
from . import reductions as _reductions


def _public(module):
    return getattr(module, "__all__", None) or _declared_operations(module)


_own, __dir__ = _lazy_modules(__name__, _public)


def __getattr__(name: str) -> _Any:
    if name != "__all__" and name not in __dir__() and name in _scipy_special.__all__:
        return getattr(_scipy_special, name)
    return _own(name)
