"""SciPy's distributions and statistics on Values.

`tg.scipy.stats.gamma.logpdf` and the like are SciPy's own formulas; see `distributions`. All other
names are SciPy's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import scipy.stats as _scipy_stats

from ..equivalents import names_of_package as _names_of_package
from .distributions import distribution_of as _distribution_of

if TYPE_CHECKING:
    from .distributions import *
    from .multivariate import *
    from .summaries import *

_names, __dir__ = _names_of_package(_scipy_stats, __name__)


def __getattr__(name: str) -> Any:
    found = None if name == "__all__" or name in __dir__() else _distribution_of(name)
    return _names(name) if found is None else found
