"""tg.scipy.linalg: SciPy's numbers, shapes and dtypes; derivatives by central differences."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy_results import assert_like

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.errors import ArgumentError

sl = pytest.importorskip("scipy.linalg")
mine = tg.scipy.linalg
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 2))
POSITIVE = A @ A.T + np.eye(3)


@pytest.mark.parametrize(
    ("name", "a"), [("expm", A), ("sqrtm", POSITIVE), ("logm", POSITIVE), ("expm", 0 * A)]
)
def test_functions_of_a_matrix_have_scipys_numbers_and_all_derivatives(name, a):
    np.testing.assert_allclose(getattr(mine, name)(Value(a)).data, getattr(sl, name)(a))
    tg.check_gradients(getattr(mine, name), a, order=2)


def test_the_derivative_of_the_exponential_is_scipys_frechet_derivative():
    _, expected = sl.expm_frechet(A, B @ B.T)
    np.testing.assert_allclose(tg.jvp(mine.expm, (A,), (B @ B.T,))[1], expected)


def test_a_root_that_is_not_real_is_refused():
    with pytest.raises(ArgumentError, match="sqrtm: the result must be real"):
        mine.sqrtm(Value(-POSITIVE))
    found = mine.sqrtm(Value(-POSITIVE + 0j)).data  # as the error says
    np.testing.assert_allclose(found @ found, -POSITIVE, atol=1e-12)


C = A + 1j * RNG.normal(size=(3, 3))
D = B + 1j * RNG.normal(size=(3, 2))
HERMITIAN = C @ C.conj().T + np.eye(3)


@pytest.mark.parametrize(("name", "a"), [("expm", C), ("sqrtm", HERMITIAN), ("logm", HERMITIAN)])
def test_functions_of_a_complex_matrix(name, a):
    np.testing.assert_allclose(getattr(mine, name)(Value(a)).data, getattr(sl, name)(a))
    tg.check_gradients(getattr(mine, name), a, order=2)


@pytest.mark.parametrize("lower", [False, True])
def test_complex_systems(lower):
    for trans in (0, 1, 2, "C"):
        options = {"lower": lower, "trans": trans}
        found = mine.solve_triangular(Value(C), D, **options)
        np.testing.assert_allclose(found.data, sl.solve_triangular(C, D, **options))
        tg.check_gradients(lambda a, b, o=options: mine.solve_triangular(a, b, **o), C, D)
    found = mine.cholesky(Value(HERMITIAN), lower=lower).data
    np.testing.assert_allclose(found, sl.cholesky(HERMITIAN, lower=lower))
    found = mine.cho_solve(mine.cho_factor(Value(HERMITIAN), lower=lower), D).data
    np.testing.assert_allclose(found, np.linalg.solve(HERMITIAN, D))
    found = mine.solve_sylvester(Value(C), C[:2, :2], D).data
    np.testing.assert_allclose(found, sl.solve_sylvester(C, C[:2, :2], D))
    tg.check_gradients(mine.solve_sylvester, C, C[:2, :2], D)
    ab = np.array([[0.5j, 1.0, 1j], [3.0, 4j, 3 + 1j], [1.0, 0.5, 2j]])
    found = mine.solve_banded((1, 1), Value(ab), D).data
    np.testing.assert_allclose(found, sl.solve_banded((1, 1), ab, D))
    tg.check_gradients(lambda ab, b: mine.solve_banded((1, 1), ab, b), ab, D)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, "N", "T"])
@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("b", [B, B[:, 0]], ids=["matrix", "vector"])
def test_triangular_systems(lower, trans, unit_diagonal, b):
    options = {"lower": lower, "trans": trans, "unit_diagonal": unit_diagonal}
    found = mine.solve_triangular(Value(A), b, **options)
    np.testing.assert_allclose(found.data, sl.solve_triangular(A, b, **options))
    tg.check_gradients(lambda a, b: mine.solve_triangular(a, b, **options), A, b)


def test_solve_sylvester():
    rng = np.random.default_rng(1)
    a, b, q = rng.normal(size=(3, 3)), rng.normal(size=(2, 2)), rng.normal(size=(3, 2))
    found = mine.solve_sylvester(Value(a), b, q)
    np.testing.assert_allclose(found.data, sl.solve_sylvester(a, b, q))
    tg.check_gradients(mine.solve_sylvester, a, b, q)


@pytest.mark.parametrize("shape", [(5,), (5, 2)])
@pytest.mark.parametrize("l_and_u", [(1, 1), (2, 0), (0, 1), (2, 1), (0, 0)])
def test_solve_banded(l_and_u, shape):
    rng = np.random.default_rng(2)
    ab, b = rng.uniform(0.3, 1.0, (sum(l_and_u) + 1, 5)), rng.normal(size=shape)
    ab[l_and_u[1]] += 2.0
    found = mine.solve_banded(l_and_u, Value(ab), b)
    np.testing.assert_allclose(found.data, sl.solve_banded(l_and_u, ab, b))
    tg.check_gradients(lambda ab, b: mine.solve_banded(l_and_u, ab, b), ab, b)


@pytest.mark.parametrize("lower", [False, True])
def test_cholesky_factors_solve_systems(lower):
    def solution(root, b):
        return mine.cho_solve(mine.cho_factor(root @ root.T + np.eye(3), lower=lower), b)

    np.testing.assert_allclose(solution(Value(A), B).data, np.linalg.solve(POSITIVE, B))
    tg.check_gradients(solution, A, B)
    np.testing.assert_allclose(
        mine.cholesky(Value(POSITIVE), lower=lower).data, sl.cholesky(POSITIVE, lower=lower)
    )
    np.testing.assert_allclose(
        mine.solve(Value(POSITIVE), B, assume_a="pos").data, sl.solve(POSITIVE, B)
    )
    np.testing.assert_allclose(mine.inv(Value(A)).data, sl.inv(A))
    np.testing.assert_allclose(mine.det(Value(A)).data, sl.det(A))


def test_matrices_of_blocks_and_of_diagonals():
    np.testing.assert_array_equal(mine.block_diag(Value(A), B).data, sl.block_diag(A, B))
    tg.check_gradients(mine.block_diag, A, B)


@pytest.mark.parametrize("name", ["expm", "sqrtm", "logm"])
def test_functions_of_stacked_matrices_are_differentiated(name):
    stack = np.stack([POSITIVE, np.diag([1.0, 2.0, 3.0])])
    together = tg.grad(lambda a: np.sum(getattr(mine, name)(a) ** 2))
    np.testing.assert_allclose(together(stack), [together(a) for a in stack])
    tg.check_gradients(getattr(mine, name), stack)


def test_complex_matrices_are_solved_with_the_adjoint_factor():
    a, b = np.array([[4.0, 1j], [-1j, 3.0]]), np.array([1.0, 2j])
    for lower in (False, True):
        np.testing.assert_allclose(mine.cholesky(a, lower), sl.cholesky(a, lower))
        np.testing.assert_allclose(mine.cho_solve(mine.cho_factor(a, lower), b), sl.solve(a, b))
    np.testing.assert_allclose(mine.toeplitz([1.0, 2j]), sl.toeplitz([1.0, 2j]))


def test_solve_reads_what_the_assumed_structure_says():
    a, b = np.array([[1.0, 5.0], [2.0, 1.0]]), np.ones(2)
    for lower in (False, True):
        options = {"assume_a": "sym", "lower": lower}
        np.testing.assert_allclose(
            mine.solve(Value(a), b, **options).data, sl.solve(a, b, **options)
        )
        tg.check_gradients(lambda a, o=options: mine.solve(a, b, **o), a)
    with pytest.raises(ArgumentError, match="solve: assume_a must be None, 'gen'"):
        mine.solve(Value(a), b, assume_a="banded")


def test_blocks_may_be_vectors_numbers_and_integers():
    blocks = ([1, 2], 3, np.ones((2, 1), int))
    found, expected = mine.block_diag(*blocks), sl.block_diag(*blocks)
    assert found.dtype == expected.dtype and (found == expected).all()
    np.testing.assert_array_equal(mine.block_diag(Value([1.0, 2.0]), 3.0).data, expected[:2, :3])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: mine.block_diag(), "block_diag: arrays must be one or more matrices"),
        (lambda: mine.block_diag(np.ones((1, 1, 1))), "got 1 with 3 dimensions"),
        (lambda: mine.toeplitz(Value(np.ones((2, 2)))), "toeplitz: c and r must be vectors"),
    ],
)
def test_what_is_no_matrix_is_refused(call, told):
    with pytest.raises(ArgumentError, match=told):
        call()


def test_nan_travels_through_a_triangular_solution():
    found = mine.solve_triangular(Value(np.full((2, 2), np.nan)), np.ones(2))
    assert np.isnan(found.data).all()


def test_functions_keep_float32():
    a = A.astype(np.float32)
    for name in (
        "cosm",
        "lu",
        "qr",
        "solve_discrete_lyapunov",
        "toeplitz",
        "hankel",
        "solveh_banded",
    ):
        args = {"solve_discrete_lyapunov": (a, a), "solveh_banded": (a[:2], a[0])}.get(name, (a,))
        args = (args[0][0],) if name in {"toeplitz", "hankel"} else args
        found = getattr(mine, name)(Value(args[0]), *args[1:])
        assert {x.dtype for x in (found if isinstance(found, tuple) else [found])} == {a.dtype}


@pytest.mark.parametrize("a", [A, B, B.T, C], ids=["square", "tall", "wide", "complex"])
def test_lu_factors_solve_systems(a):
    assert_like(mine.lu_factor(Value(a)), sl.lu_factor(a))
    tg.check_gradients(lambda a: mine.lu_factor(a)[0], a)
    if a.shape != (3, 3):
        return
    for trans in (0, 1, 2):

        def solution(a, b, trans=trans):
            return mine.lu_solve(mine.lu_factor(a), b, trans=trans)

        assert_like(solution(Value(a), D), sl.lu_solve(sl.lu_factor(a), D, trans=trans))
        tg.check_gradients(solution, a, D)
        compiled = tg.compile(lambda a, b, f=solution: np.sum(np.abs(f(a, b))), backend="numpy")
        for x in (a, a[::-1].copy()):  # another order of rows
            assert compiled(x, D) == pytest.approx(np.sum(np.abs(solution(x, D))))


def test_generalised_eigenvalues_of_symmetric_matrices():
    metric = A.T @ A + 2 * np.eye(3)
    expected = sl.eigh(HERMITIAN, metric, subset_by_index=(1, 2))
    w, v = mine.eigh(Value(HERMITIAN), metric, subset_by_index=(1, 2))
    assert_like((w, np.abs(v)), (expected[0], np.abs(expected[1])))
    np.testing.assert_allclose(v.data.conj().T @ metric @ v.data, np.eye(2), atol=1e-12)
    assert_like(mine.eigvalsh(Value(POSITIVE), metric), sl.eigvalsh(POSITIVE, metric))

    def both(a, b):
        return [*mine.eigh((a + a.T) / 2, (b + b.T) / 2)]

    tg.check_gradients(both, POSITIVE, metric, order=2)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("turn", [1.0, np.exp(0.3j)], ids=["real", "complex"])
def test_solveh_banded(lower, turn):
    rng = np.random.default_rng(2)
    ab, b = rng.uniform(0.3, 1.0, (3, 5)) * turn, rng.normal(size=(5, 2)) * turn
    ab[0 if lower else 2] = 5.0
    assert_like(mine.solveh_banded(Value(ab), b, lower=lower), sl.solveh_banded(ab, b, lower=lower))
    tg.check_gradients(lambda ab, b: mine.solveh_banded(ab, b, lower=lower), ab, b)


ROTATIONS = np.array([[1.0, 2.0], [-3.0, 1.5]]), np.array([[2.0, 5.0], [-4.0, 1.0]])


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_sylvesters_equation_is_solved_where_some_operands_are_complex(which):
    given = [*ROTATIONS, np.arange(4.0).reshape(2, 2)]
    a, b, q = [x + 1j * np.eye(2) if i in which else x for i, x in enumerate(given)]
    x = mine.solve_sylvester(Value(a), b, q).data
    np.testing.assert_allclose(a @ x + x @ b, q, atol=1e-12)
    x = mine.solve_continuous_lyapunov(Value(a), q).data
    np.testing.assert_allclose(a @ x + x @ a.conj().T, q, atol=1e-12)
    tg.check_gradients(mine.solve_sylvester, a, b, q, order=2)


def test_an_equation_without_one_solution_is_refused():
    with pytest.raises(np.linalg.LinAlgError, match="one solution"):
        mine.solve_continuous_lyapunov(Value(np.diag([1.0, -1.0])), np.eye(2))
    empty = np.zeros((0, 0))
    assert mine.solve_sylvester(Value(empty), empty, empty).shape == (0, 0)


@pytest.mark.parametrize("power", [3, -2.0, np.float64(2.0)])
def test_a_whole_power_of_a_matrix_with_negative_eigenvalues(power):
    matrix = np.array([[1.0, 2.0], [3.0, -4.0]])
    f = lambda a: mine.fractional_matrix_power(a, power)
    assert_like(f(Value(matrix)), sl.fractional_matrix_power(matrix, power))
    tg.check_gradients(f, matrix, order=2)


def test_solvers_compile_at_their_first_call():
    code = (
        "import numpy as np, tinygrad_lr as tg; solve = tg.scipy.linalg.solve\n"
        "f = tg.compile(lambda a: np.sum(solve(a, np.ones(2), assume_a='pos')))\n"
        "print(round(float(f(2 * np.eye(2))), 9))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\n"
