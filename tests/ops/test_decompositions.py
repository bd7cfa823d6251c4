"""Matrices at which a derivative is hard: repeated values, lost ranks, zeros; and complex ones."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError, NotDifferentiableError


def draw(seed, *shape, imaginary=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if imaginary else x


def orthogonal(seed, n, imaginary=False):
    return np.linalg.qr(draw(seed, n, n, imaginary=imaginary))[0]


def symmetric(values, seed=0, imaginary=False):
    q = orthogonal(seed, len(values), imaginary)
    return (q * values) @ q.conj().T


REPEATED = {
    "one": np.eye(3),
    "zeros": np.zeros((3, 3)),
    "two of three": symmetric([1.0, 1.0, 2.0]),
    "of a complex matrix": symmetric([2.0, 2.0, -1.0], imaginary=True),
}
each_repeated = pytest.mark.parametrize("a", REPEATED.values(), ids=REPEATED)


# ---- repeated eigenvalues


@each_repeated
def test_a_loss_symmetric_in_repeated_eigenvalues_has_its_gradient(a):
    found = tg.grad(lambda a: np.sum(np.exp(np.linalg.eigvalsh(a))))(a)
    w, v = np.linalg.eigh(a)
    np.testing.assert_allclose(found, (v * np.exp(w)) @ v.conj().T, atol=1e-12)


@each_repeated
def test_a_loss_that_reads_vectors_of_repeated_eigenvalues_has_no_gradient(a):
    weights = draw(1, 3, 3)
    found = tg.grad(lambda a: np.sum(np.abs(np.linalg.eigh(a).eigenvectors @ weights)))(a)
    assert np.isnan(found).all()


def test_vectors_of_other_eigenvalues_have_a_gradient():
    a, c = symmetric([1.0, 1.0, 2.0]), draw(1, 3)
    f = lambda a: (c @ np.linalg.eigh(a).eigenvectors[:, 2]) ** 2
    tg.check_gradients(f, a, order=1)


@pytest.mark.parametrize("imaginary", [False, True])
def test_gradients_of_symmetric_matrices_are_symmetric(imaginary):
    a = symmetric([1.0, 2.0, 3.5], 2, imaginary)
    for f in (
        lambda a: np.sum(np.abs(np.linalg.cholesky(a)) ** 3),
        lambda a: np.linalg.eigvalsh(a)[0],
        lambda a: np.sum(np.abs(np.linalg.eigh(a).eigenvectors) ** 4),
    ):
        g = tg.grad(f)(a)
        np.testing.assert_array_equal(g, g.conj().T)
        tg.check_gradients(f, a)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("f", [np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh])
def test_a_matrix_that_is_not_symmetric_is_refused(f, scale):
    a = np.array([[2.0, 0.0], [0.5, 2.0]]) * scale
    f(Value(a + a.T + np.array([[0.0, 1e-4 * scale], [0.0, 0.0]])))  # but for rounding
    for call in (lambda: f(Value(a)), lambda: tg.compile(lambda a: tg.jvp(f, (a,), (a,))[1])(a)):
        with pytest.raises(ArgumentError, match=r"np\.tril"):
            call()


def test_a_matrix_that_is_not_positive_definite_is_refused_as_by_numpy():
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(Value(-np.eye(2)))


@pytest.mark.parametrize("imaginary", [False, True])
def test_a_function_of_a_matrix_by_its_eigenvalues(imaginary):
    a = symmetric([0.5, 1.0, 2.5], 3, imaginary)

    def root(a):
        w, v = np.linalg.eigh(a)
        return (v * np.sqrt(w)) @ np.conj(v).T

    tg.check_gradients(lambda a: root((a + np.conj(a).T) / 2), a)


# ---- repeated singular values, and zeros


@pytest.mark.parametrize("a", [np.eye(3), np.eye(3)[:, :2], np.eye(3)[:2] * 2.0, orthogonal(4, 3)])
def test_a_loss_symmetric_in_repeated_singular_values_has_its_gradient(a):
    found = tg.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 3))(a)
    u, s, v = np.linalg.svd(a, full_matrices=False)
    np.testing.assert_allclose(found, (u * 3 * s**2) @ v, atol=1e-12)


def test_the_nuclear_norm_of_a_matrix_of_low_rank_has_a_subgradient():
    u, v = draw(5, 3), draw(6, 2)
    a = np.outer(u, v)
    found = tg.grad(lambda a: np.linalg.norm(a, "nuc"))(a)
    np.testing.assert_allclose(found, a / np.linalg.norm(a), atol=1e-12)


ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]


@pytest.mark.parametrize("order", ORDERS)
def test_every_norm_of_the_zero_matrix_has_the_derivative_zero(order):
    found = tg.grad(lambda a: np.linalg.norm(a, order))(np.zeros((2, 3)))
    assert found.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("order", [None, 0, 0.5, 1, 1.5, 2, 3, np.inf, -np.inf, -1])
@pytest.mark.parametrize("dtype", [float, complex])
def test_every_norm_of_the_zero_vector_has_the_derivative_zero(order, dtype):
    with np.errstate(all="ignore"):
        found = tg.grad(lambda x: np.linalg.norm(x, order))(np.zeros(3, dtype))
    assert found.tolist() == [0, 0, 0]


@pytest.mark.parametrize("order", [1.5, 2, 3, 4])
def test_a_norm_has_a_derivative_where_an_entry_is_zero(order):
    x = np.array([0.0, 3.0, -4.0])
    found = tg.grad(lambda x: np.linalg.norm(x, order))(x)
    length = np.linalg.norm(x, order)
    np.testing.assert_allclose(found, np.sign(x) * (np.abs(x) / length) ** (order - 1))


def test_equal_largest_singular_values_share_the_derivative_of_the_norm():
    np.testing.assert_allclose(tg.grad(lambda a: np.linalg.norm(a, 2))(np.eye(2)), np.eye(2) / 2)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_factors_of_complex_matrices_give_gradients_that_do_not_depend_on_phases(shape):
    a = draw(7, *shape, imaginary=True)
    w = draw(8, 2, imaginary=True)

    def loss(a):
        u, s, v = np.linalg.svd(a, full_matrices=False)
        rank_two = (u[:, :2] * (s[:2] ** 2 * w)) @ v[:2]
        return (
            np.sum(np.abs(rank_two - 0.3j) ** 2) + np.sum(np.abs(u) ** 4) + np.sum(np.abs(v) ** 3)
        )

    tg.check_gradients(loss, a)


def test_full_factors_of_an_oblong_matrix_are_refused_with_the_cure():
    with pytest.raises(NotDifferentiableError, match="full_matrices must be False"):
        np.linalg.svd(Value(np.ones((3, 2))))


# ---- lost ranks


def test_the_pseudo_inverse_of_low_rank_is_differentiated_among_its_like():
    u, v = draw(9, 4, 2), draw(10, 2, 3)
    tg.check_gradients(lambda u, v: np.linalg.pinv(u @ v, rcond=1e-8), u, v)


def test_least_squares_of_low_rank_are_differentiated_among_their_like():
    u, v, b = draw(11, 5, 2), draw(12, 2, 3), draw(13, 5)
    x, errors, rank, _ = np.linalg.lstsq(Value(u @ v), b, rcond=1e-8)
    expected = np.linalg.lstsq(u @ v, b, rcond=1e-8)
    np.testing.assert_allclose(x.data, expected[0])
    assert (np.size(errors), rank) == (0, 2)
    tg.check_gradients(lambda u, v, b: np.linalg.lstsq(u @ v, b, rcond=1e-8)[0], u, v, b)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("imaginary", [False, True])
def test_the_determinant_of_a_singular_matrix_has_its_cofactors(n, imaginary):
    a = draw(14, n, n - 1, imaginary=imaginary) @ draw(15, n - 1, n, imaginary=imaginary)
    tg.check_gradients(np.linalg.det, a)


def test_the_factors_of_a_matrix_with_dependent_columns_have_no_gradient():
    with pytest.raises(np.linalg.LinAlgError):
        tg.grad(lambda a: np.sum(np.linalg.qr(a).R))(np.zeros((2, 2)))


# ---- eigenvalues of any matrix


def test_eigenvectors_are_followed_with_the_phase_that_numpy_gives_them():
    a = np.array([[0.2, 1.0, 0.3], [-1.0, 0.1, 0.5], [0.4, 0.2, 1.5]])
    assert np.iscomplexobj(np.linalg.eigvals(a))
    tg.check_gradients(lambda a: np.linalg.eig(a).eigenvectors, a)
    tg.check_gradients(lambda a: np.linalg.eig(a).eigenvectors, a + 0.3j * a.T)


def test_a_defective_matrix_has_no_derivative_of_its_eigenvalues():
    a = np.array([[1.0, 1.0], [0.0, 1.0]])
    with np.errstate(all="ignore"):
        try:
            found = tg.grad(lambda a: np.real(np.linalg.eigvals(a)[0]))(a)
        except np.linalg.LinAlgError:
            return
    assert not (np.abs(found) < 1e6).all()


def test_a_loss_symmetric_in_complex_eigenvalues_has_its_gradient():
    a = draw(16, 4, 4)
    f = lambda a: np.real(np.sum(np.linalg.eigvals(a) ** 3))
    np.testing.assert_allclose(tg.grad(f)(a), 3 * (a @ a).T, rtol=1e-9)


# ---- batches, results, compiled code


def test_results_are_named_tuples_as_numpys_are():
    a = Value(symmetric([1.0, 2.0]))
    assert np.linalg.eigh(a)._fields == np.linalg.eigh(a.data)._fields
    assert np.linalg.eig(a)._fields == np.linalg.eig(a.data)._fields
    assert np.linalg.svd(a)._fields == np.linalg.svd(a.data)._fields
    assert np.linalg.qr(a)._fields == np.linalg.qr(a.data)._fields
    assert np.linalg.slogdet(a)._fields == np.linalg.slogdet(a.data)._fields


def test_a_large_determinant_has_a_logarithm():
    a = np.eye(400) * 10.0
    assert np.linalg.slogdet(Value(a)).logabsdet.item() == pytest.approx(400 * np.log(10))
    found = tg.grad(lambda a: np.linalg.slogdet(a)[1])(a)
    np.testing.assert_allclose(found, np.eye(400) / 10)


OF_SQUARES = [
    *(np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.eig, np.linalg.inv),
    *(np.linalg.det, np.linalg.slogdet, np.linalg.qr, np.linalg.svd, np.linalg.svdvals),
]


@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2), (2, 0, 0)])
@pytest.mark.parametrize("f", OF_SQUARES, ids=lambda f: f.__name__)
def test_empty_matrices_and_batches_give_what_numpy_gives(f, shape):
    def parts(a):
        out = f(a)
        return out if isinstance(out, tuple) else (out,)

    a = np.zeros(shape)
    assert [np.shape(x) for x in parts(Value(a))] == [np.shape(x) for x in parts(a)]
    assert tg.grad(lambda a: sum(np.sum(np.abs(x)) for x in parts(a)))(a).shape == shape


def spd(a):
    return a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1])


PROGRAMS = {
    "cholesky": lambda a: np.sum(np.linalg.cholesky(spd(a)) ** 2),
    "eigh": lambda a: np.sum(np.linalg.eigh(spd(a)).eigenvectors[..., 0] ** 4),
    "eigvalsh": lambda a: np.sum(np.linalg.eigvalsh(spd(a)) ** 2),
    "svd": lambda a: np.sum(np.linalg.svd(a).U ** 4),
    "svdvals": lambda a: np.sum(np.linalg.svdvals(a) ** 3),
    "qr": lambda a: np.sum(np.linalg.qr(a).R ** 2 * np.arange(3.0)),
    "eigvals": lambda a: np.sum(np.abs(np.linalg.eigvals(a + 0j)) ** 2),
    "pinv": lambda a: np.sum(np.linalg.pinv(a[:2]) ** 2),
    "lstsq": lambda a: np.sum(np.linalg.lstsq(a[:, :2], a[:, 2])[0] ** 2),
    "slogdet": lambda a: np.linalg.slogdet(a)[1] * np.linalg.slogdet(a)[0],
    "norms": lambda a: np.linalg.norm(a, "nuc") + np.linalg.norm(a, 3, axis=0).sum(),
    "cond": lambda a: np.linalg.cond(a) + np.linalg.cond(a, 1),
    "fft": lambda a: (
        np.sum(np.abs(np.fft.fft2(a)) ** 3) + np.sum(np.fft.irfft(np.fft.rfft(a) ** 2))
    ),
    "polyfit": lambda a: np.sum(np.polyfit(a[0], a[1], 1)) + np.sum(np.polymul(a[0], a[1]) ** 2),
    "cov": lambda a: np.sum(np.cov(a) ** 2) + np.sum(np.corrcoef(a) ** 2),
}


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize("f", PROGRAMS.values(), ids=PROGRAMS)
def test_compiled_gradients_are_those_of_eager_code(f, backend):
    gradient = lambda a: tg.grad(f)(a)
    compiled = tg.compile(gradient, backend=backend)
    for seed in (20, 21):
        a = draw(seed, 3, 3)
        np.testing.assert_allclose(compiled(a), gradient(a), rtol=1e-9, atol=1e-11)


# ---- where a derivative isn't determined

DEPENDENT = [
    [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]],
    [[0.1, 0.3], [0.2, 0.6]],
    [[0.0, 1.0], [0.0, 2.0]],
]


@pytest.mark.parametrize("a", DEPENDENT)
@pytest.mark.parametrize("part", ["Q", "R"])
def test_factors_of_dependent_columns_have_no_derivative(part, a):
    def f(a):
        return np.sum(getattr(np.linalg.qr(a), part) ** 3)

    a = np.array(a)
    for derivative in (tg.grad(f), lambda a: tg.jvp(f, (a,), (np.ones_like(a),))):
        with pytest.raises(np.linalg.LinAlgError, match=r"qr: .* must be independent"):
            derivative(a)
    scaled = np.array([[1.0, 1e-12], [2.0, 3e-12]])  # columns of other lengths are independent
    assert np.isfinite(tg.grad(f)(scaled)).all()


SMOOTH = {  # functions of all values, smooth in the matrix
    "eigvalsh": lambda a: np.sum(np.linalg.eigvalsh((a + a.T) / 2) ** 2),
    "svdvals": lambda a: np.sum(np.log1p(np.linalg.svdvals(a) ** 2)),
    "eigvals": lambda a: np.sum(np.real(np.linalg.eigvals(a + 0j) ** 2)),
}


@pytest.mark.parametrize("a", [np.zeros((2, 2)), np.eye(2), np.diag([1.0, 0.0, 0.0])])
@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_at_equal_or_zero_values_are_right_or_nan(name, a):
    f, step, units = SMOOTH[name], 1e-4, np.eye(a.size).reshape(-1, *a.shape)
    expected = [
        [(f(a + u + v) - f(a + u - v) - f(a - u + v) + f(a - u - v)) / (4 * step**2) for u in moves]
        for moves in [step * units]
        for v in moves
    ]
    forward = [tg.hvp(f, (a,), (u,))[0].ravel() for u in units]
    for found in (tg.hessian(f)(a).reshape(a.size, -1), np.stack(forward)):
        assert np.isnan(found).any()
        np.testing.assert_allclose(np.where(np.isnan(found), expected, found), expected, atol=1e-5)


def test_a_loss_of_other_values_has_its_second_derivatives_there():
    a = np.diag([1.0, 0.0, 0.0])
    tg.check_gradients(lambda a: np.linalg.svdvals(a)[0], a, order=2)
    hessian = tg.hessian(lambda a: np.linalg.eigvalsh((a + a.T) / 2)[-1])(a)
    assert hessian[0, 1, 0, 1] == 0.5 and np.isfinite(hessian).all()
    assert np.isfinite(
        tg.hessian(lambda a: np.linalg.norm(a, "nuc"))(np.diag([2.0, 1.0, 0.0]))
    ).all()
