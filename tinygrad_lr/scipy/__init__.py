"""SciPy on Values: special functions, distributions, matrices, integrals, curves, filters.

scipy.special's ufuncs take Values themselves; what SciPy computes by code that takes none has an
equivalent of the same name and arguments here. All other names are SciPy's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names

if TYPE_CHECKING:
    from . import fft as fft
    from . import integrate as integrate
    from . import interpolate as interpolate
    from . import linalg as linalg
    from . import ndimage as ndimage
    from . import signal as signal
    from . import special as special
    from . import stats as stats

__all__ = [
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "signal",
    "special",
    "stats",
]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, ""))
