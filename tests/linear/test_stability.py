"""The largest stable learning rate, against eigenvalues of Hessians that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr import losses, nn
from tinygrad_lr.data import Standardizer
from tinygrad_lr.datasets import sat_gpa
from tinygrad_lr.errors import ArgumentError, DtypeError, GraphError
from tinygrad_lr.linear import learning_rate_limit, stability

STUDENTS = sat_gpa()
SCORES, GRADES = STUDENTS.sat_sum[:, None], STUDENTS.fy_gpa[:, None]
LIMIT = 9.1897e-5


def line_from_zero(dtype=np.float64):
    line = nn.Linear(1, 1, dtype=dtype)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line


class Bowl(nn.Module):
    """A model whose prediction is its own weights, for losses of a known Hessian."""

    def __init__(self, *weights):
        self.weights = [tg.Value(w) for w in weights]

    def forward(self, x):
        return self.weights


def limit_of(loss, *weights, **options):
    return learning_rate_limit(Bowl(*weights), lambda p, _: loss(*p), [[0.0]], None, **options)


def quadratic(eigenvalues):
    """A function whose Hessian has these eigenvalues, turned out of the axes."""
    size = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    matrix = basis @ np.diag(eigenvalues) @ basis.T
    return lambda w: 0.5 * w @ (matrix @ w) + w.sum()


def hessian_limit(model, loss, x, y):
    state = model.state_dict()

    def flat(vector):
        weight, bias = vector[: state["weight"].size], vector[state["weight"].size :]
        return loss(x @ weight.reshape(state["weight"].shape) + bias, y)

    start = np.concatenate([state["weight"].ravel(), state["bias"]])
    return 2 / np.linalg.eigvalsh(tg.hessian(flat)(start)).max()


@pytest.mark.parametrize(
    ("x", "expected"), [(SCORES, LIMIT), (Standardizer().fit(SCORES).transform(SCORES), 1.0)]
)
def test_the_limit_of_the_lessons_line_is_known(x, expected):
    assert learning_rate_limit(line_from_zero(), losses.mse, x, GRADES) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_limit_is_two_over_the_largest_eigenvalue_of_the_hessian(seed):
    random = np.random.default_rng(seed)
    model = nn.Linear(3, 2, dtype=np.float64, generator=seed)
    x, y = random.normal(size=(10, 3)), random.normal(size=(10, 2))

    def saddle(p, t):  # eigenvalues of both signs, the negative ones larger in some
        return ((p - t) ** 2).mean() - (seed - 1.5) * (p[:, 0] ** 2).mean()

    limit = learning_rate_limit(model, saddle, x, y)
    assert limit == pytest.approx(hessian_limit(model, saddle, x, y), rel=1e-6)
    assert learning_rate_limit(model, saddle, x.tolist(), y) == limit


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "eigenvalues",
    [
        *([3.0, 1.0], [1.0, 0.9, 0.8], [-5.0, 2.0], [-3.0, 3.0], [-10.0, 0.5, 0.3], [2.0]),
        *([-5.0, -1.0], [-2.0], [0.0, 0.0], [-1.0, 1e-9], [-1000.0, 0.5, 0.4]),
        [-1e6, *np.linspace(0.3, 0.4, 60), 0.5],
    ],
)
def test_the_sign_and_the_unit_of_the_curvature_do_not_matter(eigenvalues, unit):
    limit = limit_of(quadratic(np.array(eigenvalues) * unit), np.zeros(len(eigenvalues)))
    top = max(eigenvalues)
    assert limit == (pytest.approx(2 / (top * unit), rel=1e-5) if top > 0 else math.inf)


def test_the_curvature_of_all_parameters_together_counts():
    # H = [[3, 1], [1, 3]] between a Python number and an array, with the eigenvalues 2 and 4
    limit = limit_of(lambda a, b: 1.5 * a * a + (1.5 * b * b + a * b).sum(), 1.0, np.array([2.0]))
    assert limit == pytest.approx(0.5)
    assert limit_of(lambda a: 3 * a * a, 2.0) == pytest.approx(1 / 3)


def test_a_parameter_without_curvature_adds_none():
    assert limit_of(lambda a, b: (a * a).sum(), np.ones(2), np.ones(3)) == pytest.approx(1.0)
    assert limit_of(lambda a, b: (a * a).sum() + 9 * b, np.ones(2), 5.0) == pytest.approx(1.0)
    model = Bowl(np.ones(2), np.ones(2))
    model.weights[1].requires_grad = False
    limit = learning_rate_limit(model, lambda p, t: (p[0] ** 2 + 50 * p[1] ** 2).sum(), 0, 0)
    assert limit == pytest.approx(1.0)


@pytest.mark.parametrize("basis", [8, stability.MAX_BASIS])
@pytest.mark.parametrize("seed", range(4))
def test_the_largest_eigenvalue_is_found_among_many_of_both_signs(seed, basis, monkeypatch):
    monkeypatch.setattr(stability, "MAX_BASIS", basis)
    random = np.random.default_rng(seed)
    spectrum = random.normal(size=150) * 10.0 ** random.uniform(-3, 3, 150)
    spectrum[0] = [-1e4, 1.01, 1.2, 1.5][seed] * np.abs(spectrum).max()
    assert limit_of(quadratic(spectrum), np.zeros(150)) == pytest.approx(2 / spectrum.max(), 1e-6)


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=stability.FIRST_LOOK).filter(
        lambda spectrum: max(spectrum) > 1e-3
    ),
    st.sampled_from([0.3, 1e-2, 1e-4]),
)
def test_the_limit_is_exact_after_as_many_products_as_parameters(spectrum, tolerance):
    size = len(spectrum)
    limit = limit_of(quadratic(np.array(spectrum)), np.zeros(size), tolerance=tolerance)
    assert limit == pytest.approx(2 / max(spectrum), rel=1e-10)


def test_the_limit_is_on_the_safe_side_by_the_tolerance_at_most(monkeypatch):
    random, above = np.random.default_rng(0), 0
    for i in range(200):
        size, tolerance = int(random.integers(25, 200)), [0.3, 1e-2, 1e-4, 1e-9][i % 4]
        monkeypatch.setattr(stability, "MAX_BASIS", int(random.integers(4, 97)))
        spectrum = random.uniform(-1, 1, size) ** [1, 3, 9][i % 3]
        limit = limit_of(quadratic(spectrum), np.zeros(size), tolerance=tolerance)
        exact = 2 / spectrum.max()
        assert limit >= exact * (1 - tolerance - 1e-10)
        above += limit > exact * (1 + 1e-10)
    assert above <= 4  # where the start has almost nothing of the eigenvector


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_the_limit_of_a_network_is_at_most_that_of_its_whole_hessian(seed, tolerance):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(50, 4)), random.normal(size=(50, 1))
    model = nn.MLP(4, [12, 8], 1, "tanh", dtype=np.float64, generator=seed)
    state = model.state_dict()
    ends = np.cumsum([array.size for array in state.values()])

    def loss(flat):
        parts = [
            flat[end - a.size : end].reshape(a.shape)
            for a, end in zip(state.values(), ends, strict=True)
        ]
        h = np.tanh(x @ parts[0] + parts[1])
        return losses.mse(np.tanh(h @ parts[2] + parts[3]) @ parts[4] + parts[5], y)

    hessian = tg.hessian(loss)(np.concatenate([array.ravel() for array in state.values()]))
    exact = 2 / np.linalg.eigvalsh(hessian)[-1]
    limit = learning_rate_limit(model, losses.mse, x, y, tolerance=tolerance)
    assert exact * (1 - tolerance - 1e-10) <= limit <= exact * (1 + 1e-12)


def test_a_direction_that_the_first_vector_hardly_has_is_found_with_a_coarse_tolerance():
    stretch = np.ones(10_000)
    stretch[17] = 2.0
    limit = limit_of(lambda w: 0.5 * (stretch * w * w).sum(), np.zeros(10_000), tolerance=0.1)
    assert limit == pytest.approx(1.0, rel=0.1)


def test_too_few_iterations_are_refused():
    bowl = quadratic(np.linspace(0.5, 1.0, 120))
    for iterations in (1, 3, 15):
        with pytest.raises(ArgumentError, match=f"iterations must be more than {iterations} for"):
            limit_of(bowl, np.zeros(120), iterations=iterations)
    assert limit_of(bowl, np.zeros(120), tolerance=0.01) == pytest.approx(2.0, rel=0.01)
    assert limit_of(quadratic([1.0]), np.zeros(1), iterations=1) == pytest.approx(2.0)


def test_the_error_is_estimated_by_the_square_of_the_residual():
    spectrum = np.linspace(0.5, 1.0, 120)  # its first power would need twice as many products
    for tolerance, enough in ((1e-6, 36), (1e-9, 52)):
        limit = limit_of(quadratic(spectrum), np.zeros(120), iterations=enough, tolerance=tolerance)
        assert limit == pytest.approx(2.0, rel=tolerance)


def test_complex_parameters_are_refused():
    with pytest.raises(DtypeError, match="must be real"):
        limit_of(lambda w: (w * w.conj()).real.sum(), np.ones(2, complex))


def test_the_limit_leaves_weights_and_gradients_alone():
    model = nn.MLP(1, [16], 1, "tanh", dtype=np.float64, generator=0)
    x, before = np.linspace(-2, 2, 64)[:, None], model.state_dict()
    assert 0 < learning_rate_limit(model, losses.mse, x, np.sin(2 * x)) < 10
    assert all((before[name] == w).all() for name, w in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_the_limit_is_found_within_no_grad_and_for_float32():
    line = line_from_zero(np.float32)
    with tg.no_grad():
        limit = learning_rate_limit(line, losses.mse, SCORES.astype("f4"), GRADES)
        assert not (line.weight * 2).requires_grad
    assert limit == pytest.approx(LIMIT, rel=1e-4)


def test_without_curvature_every_rate_is_stable():
    line, x = line_from_zero(), np.ones((3, 1))
    assert learning_rate_limit(line, losses.mae, x, 2 * x) == math.inf
    assert learning_rate_limit(line, lambda p, t: -((p - t) ** 2).mean(), x, x) == math.inf
    assert math.isnan(learning_rate_limit(line, losses.mse, x * np.nan, x))


def test_a_loss_without_parameters_has_no_limit():
    for loss in (lambda p, t: tg.Value(1.0), lambda p, t: 1.0):
        with pytest.raises(GraphError, match="depends on no parameter"):
            learning_rate_limit(line_from_zero(), loss, [[1.0]], [[1.0]])
    with pytest.raises(ArgumentError, match=r"must have one entry.*reduce it"):
        learning_rate_limit(line_from_zero(), lambda p, t: p - t, [[1.0]] * 2, [[1.0]] * 2)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"iterations": x} for x in (0, -1, math.nan, 1.5, None, True)),
        *({"tolerance": x} for x in (math.nan, math.inf, -1.0, None, "0")),
        *({"model": x} for x in (None, "line", 3)),
        *({"loss": x} for x in (None, "mse")),
        {"x": np.ma.array([[1.0], [2.0]], mask=[[0], [1]])},
    ],
)
def test_a_bad_argument_of_the_limit_is_refused_by_name(wrong):
    given = {"model": line_from_zero(), "loss": losses.mse, "x": np.ones((2, 1)), "y": GRADES[:2]}
    told = f"learning_rate_limit: {next(iter(wrong))} must"
    with pytest.raises((ArgumentError, DtypeError), match=told):
        learning_rate_limit(**(given | wrong))
