"""Einstein's notation in compiled code: the results and gradients of eager code."""

import numpy as np
import pytest

import tinygrad_lr as tg

SHAPES = {"i": (3,), "j": (4,), "ij": (3, 4), "jk": (4, 2), "ii": (3, 3)}


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize(
    "subscripts", ["i,i->", "ij,jk->ik", "ij,jk", "ij->", "ij->ji", "i,i,i->", "ii", "ij,j->i"]
)
def test_einsum_is_compiled_and_so_is_its_gradient(subscripts, backend):
    rng = np.random.default_rng(0)
    args = [rng.normal(size=SHAPES[name]) for name in subscripts.split("->")[0].split(",")]
    f = lambda *x: np.einsum(subscripts, *x)
    np.testing.assert_allclose(tg.compile(f, backend=backend)(*args), f(*args))
    gradient = tg.grad(lambda *x: np.sum(f(*x) ** 2), argnums=range(len(args)))
    for found, expected in zip(
        tg.compile(gradient, backend=backend)(*args), gradient(*args), strict=True
    ):
        np.testing.assert_allclose(found, expected)


def test_einsum_into_an_array_is_refused():
    f = tg.compile(lambda x: np.einsum("ij->ji", x, out=np.empty((2, 2))))
    with pytest.raises(tg.errors.TraceError, match=r"einsum.*out="):
        f(np.ones((2, 2)))
