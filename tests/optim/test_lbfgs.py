"""L-BFGS: PyTorch's iterates, whole steps or none, and a state that can be saved."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import losses, nn
from tinygrad_lr.errors import ArgumentError
from tinygrad_lr.optim import LBFGS
from tinygrad_lr.optim.lbfgs import Point, bracket, strong_wolfe

OPTIONS = {
    "default": {},
    "few iterations": {"max_iter": 4},
    "short memory": {"max_iter": 4, "history_size": 3},
    "few evaluations": {"max_iter": 30, "max_eval": 7},
    "one evaluation": {"max_eval": 1},
    "coarse": {"tolerance_grad": 1e-2, "tolerance_change": 1e-3},
}
START = np.array([-1.2, 1.0, -0.5, 2.0, 0.3, 1.5])


def rosenbrock(w):
    return (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()


def closure_of(optimizer, w, f=rosenbrock):
    def closure():
        optimizer.zero_grad()
        loss = f(w)
        loss.backward()
        return loss

    return closure


def test_it_finds_the_minimum_of_a_quadratic():
    random = np.random.default_rng(0)
    A, b = random.normal(size=(8, 8)), random.normal(size=8)
    A, w = A @ A.T + np.eye(8), tg.Value(np.zeros(8))
    optimizer = LBFGS([w], max_iter=40, tolerance_change=1e-15)
    optimizer.step(closure_of(optimizer, w, lambda w: 0.5 * w @ (A @ w) - b @ w))
    np.testing.assert_allclose(w.data, np.linalg.solve(A, b), atol=1e-6)


def test_a_network_is_trained_with_parameters_of_several_shapes_and_a_frozen_one():
    x = np.linspace(-2, 2, 40)[:, None]
    model = nn.MLP(1, [6], 1, "tanh", dtype=np.float64, generator=0)
    frozen = model.parameters()[1]
    frozen.requires_grad, before = False, frozen.tolist()
    optimizer = LBFGS(model.parameters(), max_iter=200)
    optimizer.step(closure_of(optimizer, model, lambda m: losses.mse(m(x), np.sin(x))))
    assert losses.mse(model(x), np.sin(x)).item() < 1e-4 and frozen.tolist() == before


@pytest.mark.parametrize("number", [3.0, np.float32(3), np.array(3.0), np.full((1, 2), 3.0)])
def test_type_shape_and_dtype_of_the_data_are_kept(number):
    w = tg.Value(number)
    optimizer = LBFGS([w])
    optimizer.step(closure_of(optimizer, w, lambda w: ((w - 1) ** 2).sum()))
    assert type(w.data) is type(number) and w.dtype == getattr(number, "dtype", np.float64)
    np.testing.assert_allclose(w.data, np.ones(w.shape), rtol=1e-3)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_run_continued_from_its_state_gives_the_same_bits(options):
    w, v = tg.Value(START), tg.Value(START)
    first, second = LBFGS([w], **options), LBFGS([v], 0.5, **options)
    for _ in range(3):
        first.step(closure_of(first, w))
    v.data = w.data
    second.load_state_dict(first.state_dict())
    for optimizer, x in ((first, w), (second, v)):
        for _ in range(3):
            optimizer.step(closure_of(optimizer, x))
    assert w.tolist() == v.tolist() and second.steps == 6


def test_a_state_that_does_not_fit_is_refused():
    optimizer = LBFGS([tg.Value(START)], history_size=2)
    state = optimizer.state_dict()
    for wrong in (np.zeros((3, 2, 6)), np.zeros((1, 2, 5)), np.zeros(6)):
        with pytest.raises(ArgumentError, match="pairs is float64 of shape"):
            optimizer.load_state_dict(state | {"pairs": wrong})


@pytest.mark.parametrize("error", [KeyboardInterrupt, ArgumentError])
@pytest.mark.parametrize("at", range(1, 12, 2))
def test_a_step_that_is_interrupted_leaves_weights_and_state_as_they_were(error, at):
    w = tg.Value(START)
    optimizer = LBFGS([w])
    optimizer.step(closure_of(optimizer, w))
    before, state, calls = w.tolist(), optimizer.state_dict(), iter(range(100))
    closure = closure_of(optimizer, w)

    def interrupted():
        if next(calls) == at:
            raise error
        return closure()

    with pytest.raises(error):
        optimizer.step(interrupted)
    assert w.tolist() == before and optimizer.steps == 1
    assert all((optimizer.state_dict()[name] == x).all() for name, x in state.items())


def test_an_array_that_the_user_holds_follows_the_weights():
    w = tg.Value([3.0, 4.0])
    held, optimizer = w.data, LBFGS([w])
    optimizer.step(closure_of(optimizer, w, lambda w: (w**2).sum()))
    assert held is w.data and np.abs(held).max() < 1e-6


def test_a_loss_that_is_not_finite_on_the_way_is_too_far():
    w = tg.Value([1e-3])
    optimizer = LBFGS([w], 10.0)  # the first try is at a negative number
    for _ in range(3):
        optimizer.step(closure_of(optimizer, w, lambda w: (w - np.log(w)).sum()))
    np.testing.assert_allclose(w.data, 1.0, rtol=1e-5)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_step_without_evaluations_left_ends_at_the_best_point_tried(most):
    w, tried = tg.Value([1.0]), {}
    optimizer = LBFGS([w], 1000.0, max_eval=most)  # the first try is far behind the minimum
    closure = closure_of(optimizer, w, lambda w: (w**4).sum())

    def watched():
        loss = closure()
        tried[w.item()] = loss.item()
        return loss

    optimizer.step(watched)
    assert len(tried) > 1 and w.item() == min(tried, key=tried.get)


@pytest.mark.parametrize("start", [[0.1, -0.05], [3.0, -4.0]])
def test_the_first_try_is_a_step_of_the_rate_down_the_gradient_of_length_one_at_most(start):
    w, tried = tg.Value(start), []
    optimizer = LBFGS([w], 0.5, max_iter=1, max_eval=2)
    closure = closure_of(optimizer, w, lambda w: (w**2).sum())
    optimizer.step(lambda: (tried.append(w.numpy()), closure())[1])
    gradient = 2 * np.array(start)
    length = 0.5 * min(1.0, 1.0 / np.abs(gradient).sum())
    np.testing.assert_allclose(tried[1], start - length * gradient, rtol=1e-14)


def test_a_slope_below_the_tolerance_of_changes_moves_nothing():
    w = tg.Value([0.5])  # where the slope along the direction, -|dL/dw|², is -1
    for tolerance, moves in [(1.5, False), (0.5, True)]:
        optimizer = LBFGS([w], tolerance_change=tolerance)
        optimizer.step(closure_of(optimizer, w, lambda w: (w**2).sum()))
        assert (w.tolist() != [0.5]) == moves


def test_a_loss_that_is_nan_from_the_start_moves_nothing():
    w = tg.Value([-1.0])
    optimizer = LBFGS([w])
    assert np.isnan(optimizer.step(closure_of(optimizer, w, lambda w: np.log(w).sum())).item())
    assert w.tolist() == [-1.0]


def test_bad_use_is_refused():
    w = tg.Value(START)
    with pytest.raises(ArgumentError, match=r"closure must be a function.*got None"):
        LBFGS([w]).step()
    with pytest.raises(ArgumentError, match=r"call loss\.backward"):
        LBFGS([w]).step(lambda: rosenbrock(w))
    with pytest.raises(ArgumentError, match="parameters must be a list of Values, got"):
        LBFGS([{"parameters": [w]}])


@pytest.mark.parametrize(
    "options",
    [
        *({"max_iter": 0}, {"max_eval": 0}, {"history_size": 0}, {"max_iter": 1.5}),
        *({"tolerance_grad": -1.0}, {"tolerance_change": np.nan}, {"learning_rate": 0.0}),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(options):
    with pytest.raises(ArgumentError, match=f"LBFGS: {next(iter(options))}"):
        LBFGS([tg.Value(1.0)], **options)


# (loss, slope) of the points tried from (0, -1), the ends of the bracket by loss, the extensions.
BRACKETS = {
    "no decrease": ([(1, -5)], [0, 1], 0),
    "flat": ([(-10, -0.9)], [-10], 0),
    "uphill": ([(-10, 5)], [0, -10], 0),
    "up after one extension, still downhill": (
        [(-10, -5), (-9, -5), (-11, -5), (-12, 5)],
        [-11, -12],
        3,
    ),
    "up after two": ([(-10, -5), (-11, -5), (-10.5, -5)], [-11, -10.5], 2),
    "level after two": ([(-10, -5), (-11, -5), (-11, -5)], [-11, -11], 2),
    "flat after two": ([(-10, -5), (-11, -5), (-12, 0.1)], [-12], 2),
    "downhill for ever": ([(-10 - i, -5) for i in range(7)], [0, -16], 6),
}


@pytest.mark.parametrize(("points", "ends", "count"), BRACKETS.values(), ids=BRACKETS)
def test_a_bracket_ends_at_the_first_point_that_turns(points, ends, count):
    steps, sequence = [], iter(points)

    def at(step):
        loss, slope = next(sequence)
        steps.append(step)
        return Point(step, loss, np.array([slope]), slope)

    found, extensions = bracket(at, Point(0.0, 0, np.array([-1.0]), -1.0), 0.1, 6)
    assert ([point.loss for point in found], extensions) == (ends, count)
    assert len(steps) == count + 1
    for before, now, after in zip([0.0, *steps], steps, steps[1:], strict=False):
        assert now + 0.01 * (now - before) <= after <= 10 * now


FUNCTIONS = {
    "quadratic": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "far": (lambda t: (t / 1e3 - 1) ** 2, lambda t: 2e-3 * (t / 1e3 - 1)),
    "wavy": (lambda t: np.sin(5 * t) + t**2 - t, lambda t: 5 * np.cos(5 * t) + 2 * t - 1),
    "more": (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
}


@pytest.mark.parametrize("function", ["quadratic", "far", "more"])
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 50.0])
def test_the_step_found_satisfies_the_strong_wolfe_conditions(function, step):
    f, slope = FUNCTIONS[function]

    def at(t):
        return Point(t, f(t), np.array([slope(t)]), slope(t))

    found, count = strong_wolfe(at, at(0.0), step, 1.0, 40, 1e-12)
    assert found.loss <= f(0) + 1e-4 * found.step * slope(0) and count <= 41
    assert abs(found.slope) <= 0.9 * abs(slope(0))


def hills(seed, digits):
    """A sum of waves beside a bowl that falls at 0, rounded, so that ties occur; and its slope."""
    rng = np.random.default_rng(seed)
    sizes, speeds, phases = rng.normal(size=5), rng.uniform(0.3, 9, 5), rng.uniform(0, 6, 5)
    f = lambda t: round(0.05 * t * t + float((sizes * np.sin(speeds * t + phases)).sum()), digits)
    slope = lambda t: 0.1 * t + float((sizes * speeds * np.cos(speeds * t + phases)).sum())
    return (f, slope) if slope(0) < 0 else (lambda t: f(-t), lambda t: -slope(-t))


@pytest.mark.torch
@pytest.mark.parametrize("step", [1e-3, 0.05, 1.0, 30.0])
@pytest.mark.parametrize(
    ("most", "tolerance", "digits"), [(3, 1e-9, 9), (25, 1e-9, 9), (25, 0.3, 9), (25, 1e-3, 0)]
)
def test_the_line_search_tries_pytorchs_points_among_hills(step, most, tolerance, digits):
    torch = pytest.importorskip("torch")
    search = pytest.importorskip("torch.optim.lbfgs")._strong_wolfe
    for seed in range(25):
        f, slope = hills(seed, digits)
        ours, theirs = [], []

        def at(t, f=f, slope=slope, ours=ours):
            ours.append(t)
            return Point(t, f(t), np.array([slope(t)]), slope(t))

        def there(_, t, d, f=f, slope=slope, theirs=theirs):
            theirs.append(float(t))
            return f(float(t)), torch.tensor([slope(float(t)) / 2], dtype=torch.float64)

        start = Point(0.0, f(0.0), np.array([slope(0.0)]), slope(0.0))
        found, count = strong_wolfe(at, start, step, 2.0, most, tolerance)
        direction, gradient = (
            torch.tensor([x], dtype=torch.float64) for x in (2.0, start.slope / 2)
        )
        _, _, t, evaluations = search(
            there,
            None,
            step,
            direction,
            start.loss,
            gradient,
            torch.tensor(start.slope, dtype=torch.float64),
            1e-4,
            0.9,
            tolerance,
            most,
        )
        assert ours == pytest.approx(theirs, rel=1e-9)
        assert (found.step, count) == (pytest.approx(float(t), rel=1e-9), evaluations)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("rate", [1.0, 0.5])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_losses_and_weights_are_pytorchs(options, rate):
    torch = pytest.importorskip("torch")
    w, v = tg.Value(START), torch.tensor(START, requires_grad=True)
    ours = LBFGS([w], rate, **options)
    theirs = torch.optim.LBFGS([v], rate, line_search_fn="strong_wolfe", **options)
    for _ in range(12):
        loss, expected = ours.step(closure_of(ours, w)), theirs.step(closure_of(theirs, v))
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
        np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.torch
def test_a_hundred_iterations_on_a_network_are_pytorchs():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(30, 2))
    y = np.sin(x.sum(axis=1, keepdims=True))
    model = nn.MLP(2, [5], 1, "tanh", dtype=np.float64, generator=0)
    w = [torch.tensor(p.numpy(), requires_grad=True) for p in model.parameters()]

    def theirs(w):
        return (
            (torch.tanh(torch.tensor(x) @ w[0] + w[1]) @ w[2] + w[3] - torch.tensor(y)) ** 2
        ).mean()

    first = LBFGS(model.parameters(), max_iter=10)
    second = torch.optim.LBFGS(w, max_iter=10, line_search_fn="strong_wolfe")
    for _ in range(10):
        loss = first.step(closure_of(first, model, lambda m: losses.mse(m(x), y)))
        expected = second.step(closure_of(second, w, theirs))
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
