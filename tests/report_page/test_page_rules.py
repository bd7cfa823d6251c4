"""The rules by which a page chooses: its task, its axes, its frames, its rows, its verdicts."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.report_page import learning_rate_trials
from tinygrad_lr.report_page.data import Data, prepare_data
from tinygrad_lr.report_page.frames import Frames, select_frames
from tinygrad_lr.report_page.payload import build_payload
from tinygrad_lr.report_page.surface import line_surface, principal_surface
from tinygrad_lr.report_page.task_kind import MAX_PARAMETERS, classify_task, describe_layers
from tinygrad_lr.train.model_copy import ModelCopy

MSE, CROSS_ENTROPY, MAE = tg.losses.mse, tg.losses.cross_entropy, tg.losses.mae


def rows(inputs=2, outputs=1, labels=(), count=4, parameters=3, dtype=np.float64):
    y = np.zeros(count, np.int64) if labels else np.zeros((count, outputs))
    names = tuple(f"x{i}" for i in range(inputs))
    x = np.zeros((count, inputs), dtype)
    return Data(x, y, names, "y", labels, None, None, parameters)


SHARED = nn.Linear(2, 2)
KINDS = [  # model, data, loss: task, layers known, line, parabola, open
    (nn.Linear(2, 1), rows(), MSE, ("regression", True, True, True, True)),
    (nn.Linear(2, 1), rows(), MAE, ("other", True, True, False, False)),
    (nn.Linear(2, 3), rows(outputs=3), MSE, ("other", True, True, False, False)),
    (nn.Linear(2, 3), rows(labels=("a", "b")), CROSS_ENTROPY, ("classes", True, True, False, True)),
    (nn.Linear(2, 3), rows(), MSE, ("regression", True, True, True, False)),
    (nn.Linear(2, 3), rows(labels=("a", "b")), MAE, ("classes", True, True, False, False)),
    (nn.MLP(2, [3], 1), rows(), MSE, ("regression", True, False, False, True)),
    (nn.Sequential(nn.Linear(2, 1), nn.ReLU()), rows(), MSE, ("regression", 1, 0, 0, 1)),
    (nn.MLP(2, [], 1), rows(parameters=MAX_PARAMETERS), MSE, ("regression", 1, 1, 1, 1)),
    (nn.MLP(2, [], 1), rows(parameters=MAX_PARAMETERS + 1), MSE, ("regression", 1, 1, 1, 0)),
    (nn.MLP(2, [], 1), rows(dtype=np.int64), MSE, ("regression", 1, 1, 1, 0)),
    (nn.MLP(2, [], 1), rows(inputs=501), MSE, ("regression", 1, 1, 1, 0)),
    (nn.Sequential(SHARED, nn.Tanh(), SHARED), rows(), MSE, ("regression", 0, 0, 0, 0)),
    (nn.Sequential(nn.Linear(2, 2), nn.Conv2d(1, 1, 1)), rows(), MSE, ("regression", 0, 0, 0, 0)),
]


@pytest.mark.parametrize(("model", "data", "loss", "expected"), KINDS)
def test_the_task_decides_what_a_page_computes_by_itself(model, data, loss, expected):
    kind = classify_task(model, data, loss)
    found = (kind.task, kind.layers is not None, kind.line, kind.parabola, kind.open)
    assert found == expected


def test_layers_are_told_with_their_places_among_the_weights():
    model = nn.Sequential(
        nn.Linear(2, 3, bias=False), nn.LeakyReLU(0.2), nn.Identity(),
        nn.Sequential(nn.Linear(3, 4), nn.ELU(0.7)), nn.Linear(4, 1), nn.ReLU(),
    )  # fmt: skip
    keys = ("weight", "bias", "inputs", "outputs", "function", "slope")
    (layer, last) = describe_layers(nn.MLP(2, [3], 1, "tanh"))
    assert [x[key] for x in (layer, last) for key in ("function", "slope")] == [
        *("tanh", 0.0, None, 0.0)
    ]
    assert [tuple(layer[key] for key in keys) for layer in describe_layers(model)] == [
        (0, None, 2, 3, "leaky_relu", 0.2),
        (6, 18, 3, 4, "elu", 0.7),
        (22, 26, 4, 1, "relu", 0.0),
    ]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(),
        nn.Sequential(nn.ReLU(), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Tanh()),
        nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)),
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
    ],
)
def test_other_models_have_no_layers_that_a_page_knows(model):
    assert describe_layers(model) is None


# ---- axes of the surface


def frames(path, best=-1):
    return SimpleNamespace(weights=np.array(path, float), best=best)


def line_picture(path):
    """The surface around a path in (w, b); the data have their minimum at w = 2, b = 1."""
    x = np.array([-1.0, 0.0, 1.0])
    line = ModelCopy(nn.Linear(1, 1, dtype=np.float64))
    return line_surface(line.on(x, 2 * x[:, None] + 1, MSE), frames(path), x, 2 * x + 1)


@pytest.mark.parametrize("path", [[(0, 0), (1, 0.5), (2, 1)], [(6, 0), (3, 0)], [(0, -3), (1, 0)]])
def test_a_line_s_surface_is_on_one_scale_around_its_path_and_its_minimum(path):
    surface = line_picture(path)
    points = np.array([*path, (2.0, 1.0)])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    a, b = surface["a"], surface["b"]
    assert (a[0] + a[-1], b[0] + b[-1]) == pytest.approx(tuple(2 * middle))
    assert np.ptp(a) / np.ptp(b) == pytest.approx(1.45)
    shares = np.ptp(points, axis=0) * 1.6 / (np.ptp(a), np.ptp(b))
    assert shares.max() == pytest.approx(1.0)  # it fills one axis but for three tenths at each end
    assert len(a) == len(b) == 41
    np.testing.assert_allclose(surface["minimum"], (2, 1))
    assert surface["losses"][7][30] == pytest.approx(
        2 / 3 * (a[30] - 2) ** 2 + (b[7] - 1) ** 2, rel=1e-4
    )


def test_a_long_narrow_path_has_a_scale_for_each_axis():
    surface = line_picture([(2, 1), (102, 2)])
    assert (surface["a"][0], surface["a"][-1]) == pytest.approx((-28, 132))
    assert (surface["b"][0], surface["b"][-1]) == pytest.approx((0.7, 2.3))


def test_a_path_along_one_axis_has_the_same_room_on_all_sides():
    surface = line_picture([(2, 1), (5, 1)])
    assert (surface["a"][0], surface["a"][-1]) == pytest.approx((1.1, 5.9))
    assert (surface["b"][0], surface["b"][-1]) == pytest.approx((0.1, 1.9))
    short = line_picture([(2, 1), (2.5, 1)])
    assert (short["a"][0], short["a"][-1]) == pytest.approx((1.85, 2.65))
    assert (short["b"][0], short["b"][-1]) == pytest.approx((0.85, 1.15))
    still = line_picture([(2, 1), (2, 1)])
    assert (still["a"][0], still["a"][-1]) == pytest.approx((1.7, 2.3))


def test_a_path_that_runs_away_is_cut_where_it_leaves_for_good():
    path = [(2, 2), (2, -1), (2, 10.9), (2, -9.1), (2, 1)]  # 1, 2, 9.9, 10.1 and 0 from the minimum
    assert len(line_picture(path)["path"]) == 3  # up to five times the 2
    assert len(line_picture([(2, 1), (2, 3), (2, 99)])["path"]) == 2
    near = [(2, 1.01), (2, 1.02), (2, 1.11)]  # 0.11 is more than five times 0.02
    assert len(line_picture(near)["path"]) == 2


def test_the_plane_of_a_network_is_that_in_which_its_path_varies_most():
    random = np.random.default_rng(0)
    path = np.cumsum(random.normal(size=(9, 4)) * [3.0, 2.0, 0.4, 0.2], axis=0)
    x, y = random.normal(size=(5, 3)), random.normal(size=(5, 1))
    loss_at = ModelCopy(nn.Linear(3, 1, dtype=np.float64)).on(x, y, MSE)
    surface = principal_surface(loss_at, frames(path))
    moved = path - path[-1]
    _, lengths, directions = np.linalg.svd(moved)
    assert surface["share"] == pytest.approx((lengths[:2] ** 2).sum() / (lengths**2).sum())
    flat = np.array(surface["path"])
    np.testing.assert_allclose(np.abs(flat), np.abs(moved @ directions[:2].T), rtol=1e-6, atol=1e-8)
    signs = np.sign(flat[0] * (moved @ directions[:2].T)[0])
    i, j = 3, 20
    at = path[-1] + (signs * (surface["a"][j], surface["b"][i])) @ directions[:2]
    loss = np.mean((x @ at[:3] + at[3] - y[:, 0]) ** 2)
    assert surface["losses"][i][j] == pytest.approx(loss, rel=1e-4)
    assert len(surface["a"]) == len(surface["b"]) == 27


@pytest.mark.parametrize(
    "path",
    [
        [(0, 0, 0, 0), (1, 2, 0, 1)],
        [(i, i, i, 0) for i in range(5)],
        [(i, i, i, 1e-10 * i * i) for i in range(5)],
    ],
)
def test_a_path_of_two_points_or_along_one_line_has_no_plane(path):
    loss_at = ModelCopy(nn.Linear(3, 1, dtype=np.float64)).on(np.ones((2, 3)), np.ones((2, 1)), MSE)
    assert principal_surface(loss_at, frames(path)) is None
    corner = [(0, 0, 0, 0), (1, 2, 0, 1), (2, 0, 0, 0)]
    for scale in (1.0, 1e-6):
        surface = principal_surface(loss_at, frames(scale * np.array(corner)))
        assert surface["share"] == pytest.approx(1)


def test_a_model_of_one_weight_has_no_plane_and_one_of_two_has():
    for inputs, shown in ((1, False), (2, True)):
        line = nn.Linear(inputs, 1, bias=False, dtype=np.float64)
        loss_at = ModelCopy(line).on(np.ones((2, inputs)), np.ones((2, 1)), MSE)
        path = [(0, 0), (1, 2), (2, 0)]
        found = principal_surface(loss_at, frames(np.array(path)[:, :inputs]))
        assert (found is not None) == shown


# ---- frames


def descent(steps, rate=0.1, **options):
    """The frames of a descent on (w·x + b − y)², and its history."""
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, y, learning_rate=rate, steps=steps, warn=False, **options)
    return Frames(history, ModelCopy(line).on(x, y, MSE), 2), history


def test_frames_are_followed_by_the_weights_one_update_later():
    found, history = descent(200)
    weights = np.column_stack([history.weights[name].reshape(201, -1) for name in history.weights])
    assert (
        found.steps[:53] == list(range(53))
        and found.steps[-1] == 200
        and 150 < len(found.steps) <= 160
    )
    np.testing.assert_array_equal(found.weights, weights[found.steps])
    np.testing.assert_array_equal(found.next[:-1], weights[np.array(found.steps[:-1]) + 1])
    assert np.isnan(found.next[-1]).all() and found.dropped == 0 and found.is_plain
    assert found.best == int(np.argmin(found.full)) and found.losses == [
        history.losses[step] for step in found.steps
    ]


def test_updates_by_momentum_or_batches_are_not_plain():
    momentum = tg.optim.SGD
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    history = tg.fit(
        line, x, y, optimizer=momentum(line.parameters(), 0.1, momentum=0.5), steps=20, warn=False
    )
    assert not Frames(history, ModelCopy(line).on(x, y, MSE), 2).is_plain
    assert not descent(0)[0].is_plain


def test_weights_too_large_to_draw_are_counted_and_left_out():
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, [0.0, 1.0], [1.0, 3.0], learning_rate=0.1, steps=6, warn=False)
    history.weights["weight"][3:5] = 1e150
    found = Frames(history, ModelCopy(line).on([0.0, 1.0], [1.0, 3.0], MSE), 2)
    assert found.dropped == 2 and found.steps == [0, 1, 2, 5, 6]
    assert [round(x / 1e150) for x in found.next[:, 0][np.isfinite(found.next[:, 0])]] == [
        0,
        0,
        1,
        0,
    ]


def test_large_models_have_fewer_frames():
    counts = [len(select_frames(1000, parameters)) for parameters in (1, 225, 360, 1500, 10**6)]
    assert counts == [160, 160, 100, 24, 24]


@pytest.mark.parametrize(("loss", "parameters"), [(MSE, 2), (MAE, 10**6)])
def test_a_model_that_the_page_cannot_compute_has_the_frames_of_a_large_one(loss, parameters):
    line = nn.Linear(1, 1, dtype=np.float64, generator=0)
    found, _ = payload_of(line, [0.0, 1.0], [1.0, 3.0], loss, steps=200)
    assert len(found["steps"]) == len(select_frames(201, parameters))


# ---- rows in the file


@pytest.mark.parametrize(
    ("inputs", "parameters", "count", "shown"),
    [
        (1, 3, 5, 5),
        (1, 3, 10_000, 2000),
        (200, 3, 10_000, 200),
        (500, 3, 10_000, 100),
        (1, 10**7, 10_000, 100),
    ],
)
def test_a_file_has_as_many_rows_as_fit_evenly_spread(inputs, parameters, count, shown):
    found = rows(inputs, count=count, parameters=parameters).shown
    assert len(found) == shown and (found[0], found[-1]) == (0, count - 1)
    assert np.ptp(np.diff(found)) <= 1


# ---- trials


VERDICTS = [  # losses of the slow, the middle and the fast run
    ([[2, 1.5], [2, 1.0], [2, 1.7]], ["too small", "right", "large"]),
    ([[2, 1.0009], [2, 1.0], [2, 2.0]], ["right", "right", "large"]),
    ([[2, 1.002], [2, 1.0], [2, 2.1]], ["too small", "right", "too large"]),
    ([[2, 1.5, 1.2], [2, 1.0, 1.4], [2, math.nan]], ["right", "too small", "too large"]),
    ([[2, 1.9, 1.9], [2, 1.05, 1.09], [2, 1.9, 1.0]], ["too small", "right", "large"]),
    ([[2, 1.9, 1.9], [2, 1.05, 1.11], [2, 1.9, 1.0]], ["too small", "too small", "large"]),
    ([[2, 2.1], [2, 2.0], [2, 2.5]], ["too large", "right", "too large"]),
    ([[2, 1.5, math.nan], [2, 1.3, 1.0], [2, 1.9, 1.7]], ["too large", "right", "large"]),
    ([[1, 0.0], [1, 9e-13], [1, math.inf]], ["right", "right", "too large"]),
]


@pytest.mark.parametrize(("ends", "verdicts"), VERDICTS)
@pytest.mark.parametrize("scale", [1.0, 10.0])  # whatever the largest stable rate is
def test_a_rate_is_judged_by_where_its_run_ends(ends, verdicts, scale, monkeypatch):
    def with_losses(*args, **options):
        runs = tg_try(*args, **options)
        for run, losses in zip(runs, ends, strict=True):
            run.losses[:] = losses
            run.reason = "limit"
        return runs

    tg_try = learning_rate_trials.try_learning_rates
    monkeypatch.setattr(learning_rate_trials, "try_learning_rates", with_losses)
    trials = run_trials(rate=0.3 / scale**2, scale=scale)
    assert [x["verdict"] for x in trials["trials"]] == verdicts


def run_trials(rate, exact=True, rows=2, scale=1.0):
    """Trials for y = x at ±scale without a bias, over and over: at most 1/scale² is stable."""
    x = np.tile([[scale], [-scale]], (rows // 2, 1))
    line = nn.Linear(1, 1, bias=False, dtype=np.float64, generator=0)
    history = tg.fit(line, x, x, learning_rate=rate, steps=3, warn=False)
    return learning_rate_trials.run_trials(
        ModelCopy(line), history, MSE, x, x, exact=exact, weight=0
    )


@pytest.mark.parametrize(
    ("rate", "exact", "rates"),
    [
        (0.3, True, [0.001, 0.3, 1.1]),
        (0.3, False, [0.01, 0.3, 3.0]),
        (0.05, True, [0.001, 0.05, 1.1]),
        (0.04, True, [0.001, 0.5, 1.1]),
        (0.6, True, [0.001, 0.6, 1.1]),
        (0.7, True, [0.001, 0.5, 1.1]),
    ],
)
def test_rates_far_from_the_largest_stable_one_give_way_to_half_of_it(rate, exact, rates):
    trials = run_trials(rate, exact)
    assert trials["limit"] == pytest.approx(1.0) and trials["rows"] == 2
    assert [x["rate"] for x in trials["trials"]] == rates
    assert trials["trials"][0]["steps"] == (1000 if exact else 120)


def test_a_trial_is_its_descent_by_hand():
    trials = run_trials(0.3, rows=5000)
    assert trials["rows"] == 1667  # one in three, so that at most 2000 remain
    slow, _, fast = trials["trials"]
    for trial in (slow, fast):
        path = [trial["path"][0]]
        for _ in range(min(40, trial["steps"])):
            path.append(path[-1] - trial["rate"] * 2 * (path[-1] - 1))
        np.testing.assert_allclose(trial["path"], path, rtol=1e-7)
        losses = trial["losses"][: len(path)]
        np.testing.assert_allclose(losses, (np.array(path) - 1) ** 2, rtol=1e-7)
    assert slow["steps"] == 1000 and len(slow["losses"]) == 42
    assert slow["losses"][-1] == pytest.approx((path_end(slow) - 1) ** 2, rel=1e-6)


def path_end(trial):
    return 1 + (trial["path"][0] - 1) * (1 - 2 * trial["rate"]) ** trial["steps"]


# ---- the payload


def payload_of(model, x, y, loss=MSE, steps=5, **options):
    history = tg.fit(model, x, y, loss=loss, learning_rate=0.1, steps=steps, warn=False)
    data = prepare_data("report", model, loss, x, y, None, "y", None, None, None)
    return build_payload(history, model, data, loss, **options), history


def test_a_payload_has_the_numbers_of_a_network():
    random = np.random.default_rng(0)
    x = random.normal(size=(7, 2))
    y = x[:, :1] * 3 + 1
    model = nn.MLP(2, [3], 1, "tanh", dtype=np.float64, generator=0)
    found, history = payload_of(model, x, y)
    weights = np.array(found["weights"])
    assert found["layers"] == describe_layers(model) and found["open"]
    assert (found["task"], found["loss"], found["line"]) == ("regression", "mse", False)
    assert found["parameters"][0] == {"name": "layers.0.weight", "shape": (2, 3), "size": 6}
    assert weights.shape == (6, 13) and found["steps"] == list(range(6))
    travelled = np.abs(weights - weights[0]).max(axis=0)[:6]  # of the first matrix
    assert found["chosen"] == int(np.argmax(travelled))
    parts = np.split(np.array(found["gradients"]), [6, 9, 12], axis=1)
    sizes = np.array([np.linalg.norm(g, axis=1) / math.sqrt(g.shape[1]) for g in parts]).T
    np.testing.assert_allclose(found["sizes"], sizes, rtol=1e-4)
    np.testing.assert_allclose(found["next"][:-1], weights[1:])
    assert found["curve"]["losses"].tolist() == history.losses
    assert found["curve"]["steps"].tolist() == list(range(6))
    assert found["trials"]["rows"] == found["rows_used"] == 7 and found["same_rows"]
    assert dict(found["settings"]) == {
        "model": "MLP with 13 weights",
        "loss": "mean squared error",
        "learning rate": "0.1",
        "steps": "5",
    }


def test_a_line_has_a_surface_over_slope_and_intercept_if_it_has_both():
    x = np.linspace(-1, 1, 5)[:, None]
    surfaces = [
        payload_of(nn.Linear(1, 1, bias=bias, dtype=np.float64, generator=0), x, 3 * x + 1)[0]
        for bias in (True, False)
    ]
    whole, without = (found["surface"] for found in surfaces)
    np.testing.assert_allclose(whole["minimum"], (3, 1))
    assert without is None  # its path has no plane


def test_a_model_of_vectors_only_may_show_any_weight():
    class Shift(nn.Module):
        def __init__(self):
            self.shift = tg.Value(np.zeros(3), requires_grad=True)

        def forward(self, x):
            return ((x + self.shift) * [0.1, 0.2, 0.3]).sum(axis=1, keepdims=True)

    found, _ = payload_of(Shift(), np.ones((4, 3)), np.ones((4, 1)))
    assert found["chosen"] == 2 and not found["open"] and found["surface"] is None
    assert found["layers"] is None and found["trials"] is None and "weights" not in found
    assert np.shape(found["outputs"]) == (6, 4)


@pytest.mark.parametrize(("classes", "shown"), [(2, True), (12, True), (13, False)])
def test_predicted_classes_are_counted_for_up_to_twelve(classes, shown):
    y = np.arange(26) % classes
    model = nn.Linear(1, classes, dtype=np.float64, generator=0)
    found, history = payload_of(model, np.linspace(-1, 1, 26), y, CROSS_ENTROPY, steps=2)
    assert ("confusion" in found) == shown
    if shown:
        model.load_state_dict({name: w[0] for name, w in history.weights.items()})
        predicted = model(np.linspace(-1, 1, 26)[:, None]).data.argmax(axis=1)
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (y, predicted), 1)
        np.testing.assert_array_equal(found["confusion"][0], counts)


def test_an_output_that_is_not_finite_counts_as_0():
    model = nn.Linear(1, 2, dtype=np.float64)
    model.load_state_dict({"weight": np.array([[30.0, 0.0]]), "bias": np.array([0.0, 0.5])})
    x, y = np.array([1e307, -0.1]), np.array([0, 1])
    state = {name: value.data.copy() for name, value in model.named_parameters()}
    history = tg.fit(model, [[0.0], [0.0]], y, loss=CROSS_ENTROPY, learning_rate=1e-9, steps=1)
    history.weights.update({name: np.stack([value] * 2) for name, value in state.items()})
    data = prepare_data("report", model, CROSS_ENTROPY, x[:, None], y, None, "y", *[None] * 3)
    with np.errstate(all="ignore"):
        counts = build_payload(history, model, data, CROSS_ENTROPY)["confusion"][0]
    assert counts.tolist() == [[0, 1], [0, 1]]  # the logits (inf, 0.5) and (-3, 0.5)


@pytest.mark.parametrize(("columns", "known"), [(63, True), (64, False)])
def test_the_next_weights_are_in_the_file_for_up_to_64_parameters(columns, known):
    x = np.random.default_rng(0).normal(size=(70, columns))
    found, _ = payload_of(nn.Linear(columns, 1, dtype=np.float64), x, x[:, :1], steps=2)
    assert (found["next"] is not None) == known


@pytest.mark.parametrize(("columns", "steps", "exact"), [(19, 99, True), (22, 86, False)])
def test_up_to_2000_weights_of_all_frames_are_in_the_file_in_full(columns, steps, exact):
    x = np.random.default_rng(0).normal(size=(30, columns))
    found, history = payload_of(nn.Linear(columns, 1, dtype=np.float64), x, x[:, :1], steps=steps)
    weights = history.weights["weight"].reshape(steps + 1, columns)
    written = np.array(found["weights"])
    assert written.size == (columns + 1) * (steps + 1) == (2000 if exact else 2001)
    assert np.array_equal(written[:, :columns], weights) == exact
    np.testing.assert_allclose(written[:, :columns], weights, rtol=1e-5)


def test_many_numbers_are_rounded_and_few_are_not():
    x = np.random.default_rng(0).normal(size=(2001, 3))
    model = nn.Linear(3, 1, dtype=np.float64)
    few, many = (
        prepare_data("report", model, MSE, x[:n], x[:n, :1], None, "y", *[None] * 3).as_payload()
        for n in (1333, 2001)  # times three: 3999 and, of 2000 rows, 6000
    )
    assert np.array_equal(few["x"], x[:1333]) and few["rows"] == 1333
    assert many["rows"] == 2001 and many["row_numbers"][[0, -1]].tolist() == [1, 2001]
    written = np.array(many["x"])
    assert not np.array_equal(written, x[many["row_numbers"] - 1])
    np.testing.assert_allclose(written, x[many["row_numbers"] - 1], rtol=1e-8)


def test_a_long_run_keeps_the_ends_of_each_stretch_of_its_losses():
    x, y = [-1.0, 1.0], [1.0, 2.0]
    model = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(model, x, y, learning_rate=1e-4, steps=2500, warn=False)
    history.losses[1234], history.losses[777] = 99.0, -1.0
    data = prepare_data("report", model, MSE, x, y, None, "y", None, None, None)
    curve = build_payload(history, model, data, MSE)["curve"]
    losses, shown = np.array(history.losses), {0, 777, 1234, 2500}
    for stretch in np.array_split(np.arange(2501), 500):
        shown |= {stretch[losses[stretch].argmin()], stretch[losses[stretch].argmax()]}
    assert curve["steps"].tolist() == sorted(shown)
    assert curve["losses"].tolist() == [history.losses[step] for step in curve["steps"]]


def test_the_last_thousand_evaluations_of_a_run_are_kept():
    x, y = np.linspace(-1, 1, 8), np.linspace(0, 1, 8)
    model = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(model, x, y, learning_rate=0.1, steps=3, validation=0.25, warn=False)
    data = prepare_data("report", model, MSE, x, y, None, "y", None, None, None)
    assert history.evaluations
    assert build_payload(history, model, data, MSE)["evaluations"] == history.evaluations
    history.evaluations[:] = [history.evaluations[0]] + [history.evaluations[-1]] * 1000
    kept = build_payload(history, model, data, MSE)["evaluations"]
    assert len(kept) == 1000 and kept[0] == kept[-1]


def test_outputs_without_a_label_are_numbered():
    names = rows(labels=("a", "b"))
    assert names.with_labels(4).labels == ("a", "b", "2", "3")
    assert names.with_labels(2).labels == names.with_labels(1).labels == ("a", "b")
    assert rows().with_labels(4).labels == ()


class Shifted(nn.Module):
    """(x + shift) @ weight: a vector that comes before the first matrix."""

    def __init__(self):
        self.shift = tg.Value(np.zeros(3), requires_grad=True)
        self.weight = tg.Value(np.ones((3, 1)), requires_grad=True)

    def forward(self, x):
        return (x + self.shift) @ self.weight


@pytest.mark.parametrize("steps", [0, 3])
def test_the_weight_that_is_shown_is_one_of_the_first_matrix(steps):
    found, _ = payload_of(Shifted(), np.eye(3), np.array([[2.0], [1.5], [1.1]]), steps=steps)
    assert found["steps"] == list(range(steps + 1))
    assert found["chosen"] == 3  # the first, or the one with the steepest slope


@pytest.mark.parametrize(("columns", "known"), [(50, True), (51, False)])
def test_the_closed_form_is_there_for_up_to_fifty_columns(columns, known):
    random = np.random.default_rng(0)
    x, slopes = random.normal(size=(80, columns)), np.arange(1.0, columns + 1)
    line = nn.Linear(columns, 1, dtype=np.float64)
    data = prepare_data("report", line, MSE, x, x @ slopes + 2, None, "y", *[None] * 3)
    assert (data.line() is not None) == known
    if known:
        np.testing.assert_allclose(data.line().slope, slopes, rtol=1e-9)
        assert data.line().intercept == pytest.approx(2)


def test_a_run_from_the_minimum_at_zero_is_a_plain_descent():
    x, y = np.array([[-1.0], [1.0]]), np.zeros((2, 1))
    line = nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    history = tg.fit(line, x, y, learning_rate=0.1, steps=3, tolerance=0, warn=False)
    found = Frames(history, ModelCopy(line).on(x, y, MSE), 2)
    assert len(found.steps) > 1 and found.is_plain


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        (tg.data.Standardizer(), "one that isn't fitted"),
        (tg.data.Standardizer().fit(np.eye(3)), r"one with means of shape \(3,\)"),
    ],
)
def test_a_scaling_of_other_data_is_refused(scaling, said):
    with pytest.raises(tg.errors.ShapeError, match=f"x_scaling must be .* 2 columns, got {said}"):
        prepare_data(
            "report", nn.Linear(2, 1), MSE, np.eye(2), [1.0, 2.0], *[None] * 3, scaling, None
        )


@pytest.mark.parametrize("columns", [2, 13])
def test_columns_and_the_target_are_summarised_in_their_own_units(columns):
    random = np.random.default_rng(0)
    x, y = random.normal(3, 2, size=(9, columns)), random.normal(5, 3, size=9)
    x_scaling = tg.data.Standardizer().fit(x)
    y_scaling = tg.data.Standardizer().fit(y)
    given = x_scaling.transform(x), y_scaling.transform(y)
    line = nn.Linear(columns, 1, dtype=np.float64)
    data = prepare_data("report", line, MSE, *given, None, "grade", None, x_scaling, y_scaling)
    found = data.as_payload()["columns"]
    kept = [*x.T[:12], y]
    names = [f"x{i}" for i in range(1, len(kept))]
    assert [column["name"] for column in found] == [*names, "grade"]
    for column, numbers in zip(found, kept, strict=True):
        expected = (numbers.mean(), numbers.std(), numbers.min(), numbers.max())
        told = [column[key] for key in ("mean", "deviation", "low", "high")]
        np.testing.assert_allclose(told, expected, rtol=1e-9)


def test_classes_are_no_column_of_numbers():
    names = [column["name"] for column in rows(labels=("a", "b")).as_payload()["columns"]]
    assert names == ["x0", "x1"]
    assert len(rows(outputs=2).as_payload()["columns"]) == 2


@pytest.mark.parametrize(
    ("x_names", "labels", "said"),
    [
        (["a"], None, "x_names must have a name for each of the 2 columns of x, got 1"),
        ("a", None, "x_names must have a name for each of the 2 columns of x, got 1"),
        (None, ["a", "b"], "labels must have a label for each class from 0 to 2, got 2"),
    ],
)
def test_names_that_do_not_fit_are_refused(x_names, labels, said):
    x, y = np.ones((3, 2)), np.array([0, 1, 2])
    with pytest.raises(tg.errors.ShapeError, match=f"report: {said}"):
        prepare_data(
            "report", nn.Linear(2, 3), CROSS_ENTROPY, x, y, x_names, "y", labels, *[None] * 2
        )
    data = prepare_data(
        "report", nn.Linear(2, 3), CROSS_ENTROPY, x, y, ["a", "b"], "y", ["k", "l", "m"], None, None
    )
    assert (data.x_names, data.labels) == (("a", "b"), ("k", "l", "m"))


def test_columns_without_names_are_numbered_from_one():
    found = [
        prepare_data("report", nn.Linear(n, 1), MSE, np.ones((3, n)), np.ones(3), *[None] * 5)
        for n in (1, 3)
    ]
    assert [x.x_names for x in found] == [("x",), ("x1", "x2", "x3")]
    images = prepare_data("report", nn.Conv2d(1, 1, 1), MSE, np.ones((3, 1, 2, 2)), np.ones(3),
                          *[None] * 5)  # fmt: skip
    assert images.x_names == ("x",)


def test_a_line_by_another_loss_is_not_computed_by_the_page():
    found, _ = payload_of(nn.Linear(1, 1), [0.0, 1.0, 2.0], [1.0, 2.0, 2.5], MAE)
    assert found["layers"] is None and found["line"] and not found["open"]
    assert found["closed_form"] is None and found["loss"] == "mae"


@pytest.mark.parametrize("wrong", ["history", "model", "loss"])
def test_a_report_says_which_of_its_arguments_is_of_another_kind(wrong):
    model = nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(model, [0.0, 1.0], [1.0, 2.0], learning_rate=0.1, steps=2, warn=False)
    given = {"history": history, "model": model, "loss": MSE, wrong: 3}
    with pytest.raises(tg.errors.ArgumentError, match=f"got .*{wrong} int.*; call report"):
        tg.report(given["history"], given["model"], [0.0, 1.0], [1.0, 2.0], loss=given["loss"])


def test_a_history_of_another_model_is_refused():
    model, other = nn.Linear(1, 1, generator=0), nn.MLP(1, [2], 1, generator=0)
    history = tg.fit(model, [0.0, 1.0], [1.0, 2.0], learning_rate=0.1, steps=2, warn=False)
    names = "layers.0.weight, layers.0.bias, .* got weight, bias"
    with pytest.raises(tg.errors.ArgumentError, match=f"history must be that of .* {names}"):
        tg.report(history, other, [0.0, 1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("outputs", "y", "loss", "said"),
    [(1, [1.0, 2.0, 4.0], MSE, "line"), (2, [0, 1, 1], CROSS_ENTROPY, "softmax regression")],
)
def test_an_affine_model_is_told_by_its_task(outputs, y, loss, said):
    model = nn.Linear(1, outputs, dtype=np.float64, generator=0)
    x = [0.0, 1.0, 2.0]
    history = tg.fit(model, x, y, loss=loss, learning_rate=0.1, steps=2, warn=False)
    page = tg.report(history, model, x, y, loss=loss)
    assert f"A {said}, 3 rows, 2 steps of descent: the loss went from" in page.html
