"""NumPy functions that return plain arrays for Values, and reductions spelled as ufunc methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}

PLAIN: frozenset[Callable[..., Any]] = frozenset(
    {
        *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
        *(np.isnan, np.isinf, np.isfinite, np.signbit),
        *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.isclose, np.allclose),
        *(np.array_equal, np.array_equiv, np.all, np.any, np.count_nonzero),
        *(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition),
        *(np.argwhere, np.flatnonzero, np.nonzero, np.searchsorted, np.digitize),
        *(np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.isrealobj, np.iscomplexobj),
        *(np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str),
    }
)
"""NumPy functions without a derivative to lose: they return plain arrays."""
