"""SciPy on Values: special functions and distributions.

scipy.special's ufuncs take Values themselves; what SciPy computes by code that takes none has an
equivalent of the same name and arguments here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names

if TYPE_CHECKING:
    from . import special as special
    from . import stats as stats

__all__ = ["special", "stats"]

__getattr__, __dir__ = lazy_names(__name__, {"special": "", "stats": ""})
