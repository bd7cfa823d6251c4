"""SciPy's linear algebra on Values: factors, functions of a matrix, systems, matrices of a pattern.

`scipy.linalg` converts its arguments with np.asarray, so it takes no Values: these have the same
names and arguments. What NumPy has too is NumPy's operation. All other names are SciPy's own.
"""

import scipy.linalg as _scipy_linalg

from ..equivalents import names_of_package as _names_of_package
from . import eigenvalues as _eigenvalues  # loading these declares the operations
from . import factors as _factors
from . import matrix_equations as _matrix_equations
from . import matrix_functions as _matrix_functions
from . import patterns as _patterns
from . import structured_systems as _structured_systems
from . import systems as _systems

__getattr__, __dir__ = _names_of_package(_scipy_linalg, __name__)
