"""Compare results with SciPy's: numbers, shapes, kinds of dtype, tuples."""

from __future__ import annotations

import numpy as np

from tinygrad_lr import Value


def assert_like(found, expected):
    """Assert equal numbers of equal shapes and dtypes, in Values or plain, in tuples or not."""
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            assert_like(x, y)
        return
    found = found.data if isinstance(found, Value) else np.asarray(found)
    assert (found.shape, found.dtype.kind) == (np.shape(expected), np.asarray(expected).dtype.kind)
    np.testing.assert_allclose(found, expected, atol=1e-10)
