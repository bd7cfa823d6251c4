"""Compiled batches of matrix products: NumPy's results, for every layout and epilogue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick
from programs import backends

import tinygrad_lr as tg

pytest.importorskip("llvmlite")

from tinygrad_lr.compiler.llvm import module
from tinygrad_lr.compiler.llvm.threads import THREADS

BATCHES = [(), (1,), (2,), (3,), (2, 3), (1, 3), (2, 1)]
LAYOUTS = {
    "in order": lambda x: x,
    "transposed": lambda x: np.swapaxes(np.swapaxes(x, -1, -2).copy(), -1, -2),
    "every other row": lambda x: np.repeat(x, 2, axis=-2)[..., ::2, :],
    "backwards": lambda x: x[..., ::-1, :].copy()[..., ::-1, :],
    "batch inside": lambda x: np.moveaxis(np.moveaxis(x, 0, -2).copy(), -2, 0),
    "repeated": lambda x: np.broadcast_to(x[..., :1, :], x.shape),
}
EPILOGUES = {
    "none": lambda product, x: product,
    "scaled": lambda product, x: 2.0 * product,
    "tanh": lambda product, x: np.tanh(product + x) * x,
    "summed": lambda product, x: np.sum(product * x, axis=-1),
    "transposed": lambda product, x: np.swapaxes(product, -1, -2) + 1.0,
    "joined": lambda product, x: np.concatenate([product, product + x], axis=-1),
}


def assert_product(left, right, views, epilogue, extra):
    """Compare a compiled batch of products, of views that are made inside, with NumPy's."""

    def f(a, b, x):
        product = np.matmul(LAYOUTS[views[0]](a), LAYOUTS[views[1]](b))
        return EPILOGUES[epilogue](product, x)

    rng = np.random.default_rng(0)
    a, b, x = (rng.normal(size=shape) for shape in (left, right, extra))
    compiled = tg.compile(f, backend="llvm")
    np.testing.assert_allclose(compiled(a, b, x), f(a, b, x), rtol=1e-11, atol=1e-11)
    a, b, x = (y.astype(np.float32) for y in (a, b, x))
    np.testing.assert_allclose(compiled(a, b, x), f(a, b, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shared", [(), (2,), (0,)], ids=str)
@pytest.mark.parametrize("sizes", [(0, 3, 4), (2, 0, 4), (2, 3, 0), (2, 3, 4), (0, 0, 0)], ids=str)
def test_empty_products_have_numpys_shapes_and_gradients_of_zeros(shared, sizes):
    rows, depth, columns = sizes
    for left in ((*shared, rows, depth), (depth,)):
        for right in ((*shared, depth, columns), (depth, columns), (depth,)):
            a, b = np.ones(left), np.ones(right)
            expected = a @ b
            loss = lambda a, b: np.sum((a @ b) ** 2)
            slopes = tg.grad(loss, (0, 1))(a, b)
            assert [x.shape for x in slopes] == [left, right]
            for backend in ("numpy", "llvm"):
                found = tg.compile(np.matmul, backend=backend)(a, b)
                np.testing.assert_array_equal(found, expected, strict=True)
                compiled = tg.compile(tg.grad(loss, (0, 1)), backend=backend)(a, b)
                for x, y in zip(compiled, slopes, strict=True):
                    np.testing.assert_array_equal(x, y, strict=True)
            if not expected.size or not depth:
                assert not any(x.any() for x in slopes)


@st.composite
def products(draw):
    """Draw the shapes of two operands with batches, and of what is added to each product."""
    size = st.sampled_from([1, 2, 3, 5, 8, 9, 17])
    rows, depth, columns = draw(size), draw(size), draw(size)
    one, other = draw(st.sampled_from(BATCHES)), draw(st.sampled_from(BATCHES))
    try:
        batch = np.broadcast_shapes(one, other)
    except ValueError:
        other, batch = one, one
    whole = (*batch, rows, columns)
    extra = tuple(draw(st.sampled_from([1, n])) for n in whole)
    extra = extra[draw(st.integers(0, len(whole))) :]
    layouts = st.sampled_from(sorted(LAYOUTS))
    views = [
        draw(layouts.filter(lambda name, batch=batch: batch or name != "batch inside"))
        for batch in (one, other)
    ]
    epilogue = draw(st.sampled_from(sorted(EPILOGUES)))
    if epilogue == "joined":
        extra = whole
    return (*one, rows, depth), (*other, depth, columns), views, epilogue, extra


@pytest.mark.slow
@quick
@given(products())
def test_compiled_batches_of_products_are_numpys(drawn):
    assert_product(*drawn)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 9, 4), (4, 5)),  # one matrix for all rows
        ((9, 4), (3, 4, 5)),
        ((2, 3, 9, 4), (3, 4, 5)),
        ((2, 1, 1, 4), (3, 4, 5)),
        ((3, 9, 4), (3, 4, 1)),
        ((4,), (3, 4, 5)),
        ((3, 9, 4), (4,)),
    ],
)
@pytest.mark.parametrize("epilogue", ["none", "tanh"])
def test_batches_of_products_broadcast_as_in_numpy(left, right, epilogue):
    extra = np.matmul(np.zeros(left), np.zeros(right)).shape[-1:]
    assert_product(left, right, ("in order", "in order"), epilogue, extra)


def test_a_batch_of_products_runs_without_python():
    f = tg.compile(lambda a, b: np.tanh(np.matmul(a, b)), backend="llvm")
    f(np.ones((3, 9, 4)), np.ones((3, 4, 5)))
    assert "1 kernel" in str(f.explain()) and "call of" not in str(f.explain())


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("right", [(7, 16, 16), (2, 16, 24), (16, 16)])
def test_threads_share_a_batch_of_products_bit_for_bit(threads, right, monkeypatch):
    monkeypatch.setattr(module, "MIN_SHARED_WORK", 0)
    monkeypatch.setattr(module, "MIN_THREADED_WORK", 0)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(right[0] if right[2:] else 5, 48, 16)), rng.normal(size=right)
    found = []
    for count in (1, threads):
        monkeypatch.setattr(THREADS, "count", count)
        compiled = tg.compile(lambda a, b: np.matmul(a, b) + 1.0, backend="llvm")
        found.append(compiled(a, b))
    np.testing.assert_allclose(found[0], np.matmul(a, b) + 1.0, rtol=1e-11)
    np.testing.assert_array_equal(*found)


@backends()
@pytest.mark.parametrize("shape", [(5, 3, 4), (300, 500, 300), (2, 200, 300, 100)], ids=str)
def test_the_gradient_of_a_sum_of_products_is_a_product_with_ones(shape, backend):
    *batch, rows, depth, columns = shape
    a, b = np.ones((*batch, rows, depth)), np.full((*batch, depth, columns), 0.5)
    f = tg.compile(tg.grad(lambda a, b: np.sum(a @ b), argnums=(0, 1)), backend=backend)
    for found, expected in zip(f(a, b), (a * columns / 2, b * rows * 2), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
