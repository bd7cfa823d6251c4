"""Random programs, compiled: what eager code computes, on each backend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from operands import examples, quick
from programs import assert_equal, backends, derived, drawn, numbers_of

import tinygrad_lr as tg

many = settings(quick, suppress_health_check=list(HealthCheck))


def narrow_tolerance(expected, wide):
    """Return the tolerance of float32 results: a few times what eager code is away from float64."""
    scale = 1 + max((np.max(np.abs(x), initial=0) for x in numbers_of(expected)), default=0)
    errors = [
        np.max(np.abs(np.asarray(a, np.float64) - b), initial=0)
        for a, b in zip(numbers_of(expected), numbers_of(wide), strict=True)
    ]
    return {"rtol": 1e-5, "atol": 2e-5 * scale + 8 * max(errors, default=0)}


def check(program, inputs, dtype, backend):
    note(repr(program))
    outs = program(*inputs)
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, np.shape(out)).astype(dtype) for out in outs]
    f = derived(program, weights)
    expected = f(*inputs)
    assume(all(np.all(np.abs(x) < 1e6) for x in numbers_of(expected)))
    tolerance = {"rtol": 1e-9, "atol": 1e-10}
    if dtype == "float32":
        wide = derived(program, weights)(*[x.astype(np.float64) for x in inputs])
        tolerance = narrow_tolerance(expected, wide)
    compiled = tg.compile(f, backend=backend)
    assert_equal(compiled(*inputs), expected, backend, tolerance)
    again = [np.flip(x).copy() for x in inputs]
    moved = f(*again)
    if all(np.all(np.abs(x) < 1e6) for x in numbers_of(moved)):
        assert_equal(compiled(*again), moved, backend, tolerance)


@pytest.mark.slow
@backends("numpy", "llvm")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@examples(20, parent=many)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 10))
def test_a_random_program_gives_what_eager_code_gives(seed, steps, dtype, backend):
    check(*drawn(seed, steps, dtype), dtype, backend)


WIRES = [
    lambda u, v: u * u + v,
    lambda u, v: u * v + v,
    lambda u, v: v * v + u,
    lambda u, v: (u - v) / u,
    lambda u, v: (u - v) / v,
    lambda u, v: (v - u) / v,
    lambda u, v: np.sum(u, axis=0) * np.sum(v, axis=1),
    lambda u, v: np.sum(v, axis=0) * np.sum(v, axis=1),
    lambda u, v: u + u.T - v,
    lambda u, v: u.T + u.T - v,
    lambda u, v: u + u[::-1] - v,
]


@backends("llvm")
def test_kernels_of_the_same_operations_on_other_operands_have_code_of_their_own(backend):
    x = np.arange(16.0).reshape(4, 4) + 1
    y = x[::-1] * 0.75
    for wire in WIRES:
        f = lambda x, y, wire=wire: wire(x + y, x * y) * 1.5
        np.testing.assert_allclose(tg.compile(f, backend=backend)(x, y), f(x, y), rtol=1e-12)
