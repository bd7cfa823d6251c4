"""SciPy's special functions on Values: scipy.special's own ufuncs, with their derivatives.

`scipy.special.gammaln(value)` finds its operation here. What is a Python function in SciPy, which
takes no Values, has an equivalent of the same name and arguments: `tg.scipy.special.logsumexp`.
All other names are SciPy's own, so that `from tinygrad_lr.scipy import special` replaces its
import: `special.erf` is `scipy.special.erf`.
"""

import scipy.special as _scipy_special

from ..equivalents import names_of_package as _names_of_package
from . import bessel as _bessel  # loading these registers SciPy's functions
from . import gamma_functions as _gamma_functions
from . import incomplete as _incomplete
from . import integrals as _integrals
from . import normal as _normal
from . import polynomials as _polynomials
from . import reductions as _reductions

__getattr__, __dir__ = _names_of_package(_scipy_special, __name__)
