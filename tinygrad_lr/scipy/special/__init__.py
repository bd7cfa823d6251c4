"""SciPy's special functions on Values: scipy.special's own ufuncs, with their derivatives.

`scipy.special.gammaln(value)` finds its operation here. What is a Python function in SciPy, which
takes no Values, has an equivalent of the same name and arguments: `tg.scipy.special.logsumexp`.
"""

import scipy.special as _scipy_special

from ...core.primitive import declared_operations as _declared_operations
from ...core.primitive import implementation_of as _implementation_of
from ...support.lazy_imports import lazy_modules as _lazy_modules
from . import (
    gamma_functions as _gamma_functions,
)  # loading these registers what SciPy's functions stand for
from . import incomplete as _incomplete
from . import integrals as _integrals
from . import normal as _normal
from . import reductions as _reductions


def _public(module):
    return getattr(module, "__all__", None) or _declared_operations(module)


_find, __dir__ = _lazy_modules(__name__, _public)


def __getattr__(name):
    try:
        return _find(name)
    except AttributeError:
        ufunc = getattr(_scipy_special, name, None)  # such as erf, which takes Values itself
        if ufunc is None or _implementation_of(ufunc) is None:
            raise
        return ufunc
