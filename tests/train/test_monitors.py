"""The rules that end a training or warn, one by one, on numbers chosen by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError, TrainingWarning
from tinygrad_lr.train import EarlyStopping, evaluate, find_learning_rate, fit, inputs, predict
from tinygrad_lr.train.finder import smooth
from tinygrad_lr.train.monitors import (
    Diagnosis,
    DivergenceMonitor,
    is_unchanged,
    largest_stable_rate,
)

X = np.random.default_rng(0).normal(size=(64, 3))
Y = X[:, :1] - X[:, 1:2]


# ---- divergence


def watch(losses, steps_per_epoch=1, scale=1.0, dtype=np.float64):
    """Return the monitor after these losses, and the step that diverged, if one did."""
    monitor = DivergenceMonitor([np.zeros(1, dtype)], steps_per_epoch, scale)
    for i in range(len(losses)):
        if monitor.diverges(losses[: i + 1], [np.full(1, i, dtype)]):
            return monitor, i
    return monitor, None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_diverges_at_once(bad):
    assert watch([1.0, bad], steps_per_epoch=5)[1] == 1


@pytest.mark.parametrize(("loss", "at"), [(1e4, None), (1.0001e4, 10)])
def test_ten_steps_at_more_than_ten_thousand_times_the_first_loss_diverge(loss, at):
    assert watch([1.0] + [loss] * 12)[1] == at
    interrupted = [1.0] + [loss] * 9 + [1.0] + [loss] * 9
    assert watch(interrupted)[1] is None
    assert watch([-1.0] + [loss] * 12)[1] == at


def test_a_loss_that_began_at_zero_may_grow_to_rounding_of_the_scale():
    for scale, dtype, eps in (
        (1.0, np.float64, 2**-52),
        (0.5, np.float64, 2**-53),
        (9, "f4", 2**-23),
    ):
        floor = 1e4 * eps
        assert watch([0.0] + [0.9 * floor] * 12, scale=scale, dtype=dtype)[1] is None
        assert watch([0.0] + [1.1 * floor] * 12, scale=scale, dtype=dtype)[1] == 10


def test_the_best_weights_are_those_of_the_lowest_loss():
    monitor, _ = watch([5.0, 3.0, 3.0, 4.0])
    assert (monitor.best_loss, monitor.best_step, monitor.best[0][0]) == (3.0, 1, 1.0)
    monitor, _ = watch([5.0, 1.0, 4.0, 3.0, 9.0, 9.0, 9.0], steps_per_epoch=2)
    assert (monitor.best_loss, monitor.best_step, monitor.best[0][0]) == (3.0, 1, 1.0)
    monitor, _ = watch([5.0, 1.0, 1.0, 1.5, 0.0], steps_per_epoch=2)
    assert (monitor.best_loss, monitor.best_step) == (1.25, 3)


def test_a_loss_is_rising_after_ten_rises_to_above_the_first():
    rises = [float(x) for x in range(1, 12)]
    assert watch(rises)[0].is_rising() and not watch(rises[:10])[0].is_rising()
    assert not watch([20.0, *rises])[0].is_rising()
    assert not watch([*rises, 11.0])[0].is_rising()
    assert watch(np.repeat(rises, 3).tolist(), steps_per_epoch=3)[0].rises == 10
    assert watch([1.0, 2.0, 2.0])[0].rises == 0


def test_a_monitor_that_replays_the_losses_is_the_same():
    losses = [4.0, 5.0, 3.0, 7.0, 8.0]
    monitor, _ = watch(losses)
    again = DivergenceMonitor([np.zeros(1)], 1)
    again.replay(losses, ["best"])
    assert again.numbers() == monitor.numbers() and again.best == ["best"]
    assert monitor.numbers().keys() == {
        *("best_loss", "best_step", "first", "previous", "floor", "rises", "above"),
    }


def test_the_message_names_the_step_whose_weights_are_kept():
    line = nn.Linear(3, 1, dtype=np.float64, generator=0)
    with pytest.warns(TrainingWarning):
        history = fit(line, X, Y, learning_rate=1.5, steps=300)
    step = int(re.search(r"keeps the weights of step (\d+)", history.message)[1])
    assert step == int(np.argmin(history.losses)) == history.weight_steps.index(step)
    assert (line.weight.data == history.weights["weight"][step]).all()


# ---- convergence


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize(
    ("old", "new", "tolerance", "scale", "same"),
    [
        (1.0, 1.0, 0.0, 1.0, True),
        (1.0, 1.0 + 2**-52, 0.0, 1.0, False),
        (0.5, 0.75, 0.25, 1.0, True),
        (0.5, 0.75, 0.25, 0.5, False),
        (4.0, 5.0, 0.25, 1.0, True),
        (-4.0, -5.0, 0.25, 1.0, True),
        (4.0, 5.25, 0.25, 1.0, False),
        (5.0, 4.0, 0.2, 0.0, True),
        (4.0, math.nan, 1.0, 1.0, False),
        (4.0, math.inf, 1.0, 1.0, False),
    ],
)
def test_weights_are_unchanged_within_a_tolerance(others, old, new, tolerance, scale, same):
    for at in range(others + 1):
        before, after = np.ones(others + 1), np.ones(others + 1)
        before[at], after[at] = old, new
        parameters = [tg.Value(np.zeros((0, 2))), tg.Value(after)]
        held = [np.zeros((0, 2)), before]
        assert is_unchanged(parameters, held, tolerance, scale) == same
        assert is_unchanged(parameters[::-1], held[::-1], tolerance, scale) == same


def test_the_scale_of_weights_is_that_of_the_data():
    x, y = np.array([[1.0, -4.0]]), np.array([0.5])
    assert inputs.largest_entry(x) == 4.0 and inputs.largest_entry(np.zeros(3)) == 1.0
    assert inputs.largest_entry(np.array([7, 9])) == 1.0 == inputs.largest_entry(x[:0])
    assert inputs.weight_scale(x, y) == 0.125
    assert inputs.weight_scale(x / 8, y) == 0.5
    assert inputs.weight_scale(x / 8, 100 * y) == 1.0
    assert inputs.weight_scale(np.array([[5]]), np.array([9])) == 1.0


# ---- warnings


def two_layers(gradients, weights=(1.0, 1.0)):
    model = nn.Sequential(nn.Linear(1, 1, dtype=np.float64), nn.Linear(1, 1, dtype=np.float64))
    for layer, gradient, weight in zip(model.layers, gradients, weights, strict=True):
        layer.weight.data[:] = weight
        layer.bias.data[:] = 0
        layer.weight.grad, layer.bias.grad = np.full((1, 1), gradient), np.zeros(1)
    return model


def issued(model, step=16, rows=1):
    diagnosis = Diagnosis(model, optim.SGD(model.parameters(), 0.1), warn=False)
    diagnosis.check_step(step, np.ones((rows, 1)))
    return diagnosis


@pytest.mark.parametrize(
    ("gradients", "weights", "kinds"),
    [
        ((1e-6, 1.0), (1.0, 1.0), []),
        ((0.99e-6, 1.0), (1.0, 1.0), ["vanishing"]),
        ((-0.99e-6, -1.0), (1.0, 1.0), ["vanishing"]),
        ((1.0, 0.99e-6), (1.0, 1.0), []),
        ((1e6, 1.0), (1.0, 1.0), []),
        ((1.01e6, 1.01), (1.0, 1.0), ["exploding"]),
        ((-1.01e6, 1.01), (0.5, 1.0), ["exploding"]),
        ((1.01e6, 1.01), (-2.0, 1.0), []),
        ((2.01e6, 3.0), (-2.0, 1.0), ["exploding"]),
        ((1.0, 1e9), (1.0, 1.0), ["vanishing", "exploding"]),
        ((math.nan, 1e9), (1.0, 1.0), []),
    ],
)
def test_gradients_are_compared_between_layers_and_with_the_weights(gradients, weights, kinds):
    found = issued(two_layers(gradients, weights)).issued
    assert list(found) == kinds
    for kind in kinds:
        place = "layers.0" if kind == "vanishing" or gradients[0] > 1 else "layers"
        assert found[kind].startswith(f"step 16: {kind} gradient: ") and place in found[kind]


def test_a_single_layer_is_not_compared():
    line = nn.Linear(1, 1, dtype=np.float64)
    line.weight.grad, line.bias.grad = np.full((1, 1), 1e99), np.zeros(1)
    assert issued(line).issued == {}


def test_checks_are_made_at_steps_16_64_256():
    model = two_layers((1.0, 1.0))
    diagnosis = Diagnosis(model, optim.SGD(model.parameters(), 0.1), warn=False)
    made = []
    diagnosis._check_gradients = made.append
    for step in range(300):
        diagnosis.check_step(step, np.ones((1, 1)))
    assert made == [16, 64, 256]


@pytest.mark.parametrize(("rows", "told"), [(31, None), (32, 32), (1000, 1000), (1001, 1000)])
def test_relus_are_looked_at_from_32_rows_on_and_at_1000_at_most(rows, told):
    model = nn.Sequential(nn.Linear(1, 4, dtype=np.float64), nn.ReLU())
    model.layers[0].weight.data[:], model.layers[0].bias.data[:] = 0.0, -1.0
    found = issued(model, rows=rows)
    if told is None:
        assert found.issued == {}
    else:
        sentence = f"step 16: dead ReLUs (0 for all {told} rows): 4 of 4 in layers.1; "
        assert found.issued["dead"].startswith(sentence)


def test_a_unit_is_dead_if_it_is_0_at_all_places_of_all_rows():
    model = nn.Sequential(nn.Conv2d(1, 4, 1, dtype=np.float64), nn.ReLU())
    model.layers[0].weight.data[:] = 1.0
    model.layers[0].bias.data[:] = [-9.0, -9.0, -9.0, 0.0]
    images = np.zeros((40, 1, 3, 3))
    for seen, count in ((0.0, 4), (1.0, 3), (10.0, None)):
        images[7, 0, 1, 2] = seen
        diagnosis = Diagnosis(model, optim.SGD(model.parameters(), 0.1), warn=False)
        diagnosis._check_relus(5, images)
        text = diagnosis.issued.get("dead", "")
        assert (f"{count} of 4 in layers.1" in text) if count else not text


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_the_rate_is_measured_once_and_for_gradient_descent(kind):
    line, calls = nn.Linear(3, 1), []
    diagnosis = Diagnosis(line, kind(line.parameters(), 1.0), warn=False)
    diagnosis.optimizer.rate = 1.0

    def measure():
        calls.append(1)
        return 2.0

    diagnosis.check_learning_rate(4, measure)
    assert calls == [] and not diagnosis.needs_rate_check(4)
    assert diagnosis.needs_rate_check(5) == (kind is optim.SGD)
    for _ in range(2):
        diagnosis.check_learning_rate(5, measure)
    assert len(calls) == (kind is optim.SGD)
    assert diagnosis.issued.get("rate", "") == ""


def test_a_rate_without_a_limit_is_no_problem_and_the_limit_itself_is_stable():
    line = nn.Linear(3, 1)
    for limit, told in ((None, False), (2.0, False), (1.99, True)):
        diagnosis = Diagnosis(line, optim.SGD(line.parameters(), 2.0), warn=False)
        diagnosis.optimizer.rate = 2.0
        diagnosis.check_learning_rate(5, lambda limit=limit: limit)
        assert bool(diagnosis.issued["rate"]) == told


def test_the_stable_rate_of_a_line_is_two_over_the_largest_curvature():
    line, d = nn.Linear(3, 1, dtype=np.float64), np.column_stack([np.ones(64), X])
    expected = 2 / np.linalg.eigvalsh(2 * d.T @ d / 64)[-1]
    for rough, tolerance in ((False, 1e-6), (True, 1e-2)):
        found = largest_stable_rate(line, tg.losses.mse, X, Y, rough=rough)
        assert found == pytest.approx(expected, rel=tolerance)
    assert largest_stable_rate(line, tg.losses.mse, X * 1e200, Y) is None


# ---- the learning-rate finder


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_smoothed_loss():
    line = nn.Linear(3, 1, dtype=np.float64, generator=0)
    found = find_learning_rate(line, X, Y, lowest=1e-4, highest=100.0, steps=60)
    w, b, losses = line.weight.data.copy(), line.bias.data.copy(), []
    for rate in np.geomspace(1e-4, 100.0, 60):
        error = X @ w + b - Y
        losses.append(np.mean(error**2))
        if losses[-1] > 4 * min(losses):
            break
        w, b = w - rate * 2 * X.T @ error / 64, b - rate * 2 * error.mean()
    assert found.losses == pytest.approx(losses, rel=1e-9)
    weights = [0.9 ** np.arange(n)[::-1] for n in range(1, len(losses) + 1)]
    expected = [np.dot(w, losses[: len(w)]) / w.sum() for w in weights]
    assert found.smoothed == pytest.approx(expected) == smooth(losses)
    assert found.suggestion == found.rates[int(np.argmin(expected))] / 10
    text = f"LearningRates({len(losses)} rates from 0.0001 to {found.rates[-1]:.3g}; "
    assert repr(found) == f"{text}suggestion: {found.suggestion:.2g})"


def test_batches_go_on_with_the_next_epoch_and_generators_are_put_back():
    model = nn.Sequential(
        nn.Linear(3, 4, generator=0), nn.Dropout(0.5, generator=1), nn.Linear(4, 1)
    )
    drawn = model.generators()[0].bit_generator.state
    found = find_learning_rate(model, X, Y, batch_size=40, steps=7, highest=1e-3, generator=3)
    assert len(found.rates) == 7 and model.generators()[0].bit_generator.state == drawn
    assert model.training


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 1},
        {"lowest": 0.0},
        {"highest": -1.0},
        {"lowest": 1.0, "highest": 1.0},
        {"loss": "mse"},
    ],
    ids=str,
)
def test_arguments_of_the_finder_are_checked(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        find_learning_rate(nn.Linear(3, 1), X, Y, **wrong)
    assert len(find_learning_rate(nn.Linear(3, 1), X, Y, steps=2).rates) == 2


# ---- data


def test_data_are_converted_to_the_dtype_of_the_model():
    line = nn.Linear(3, 1, dtype=np.float32)
    for given in (X, X.tolist(), np.ones((4, 3), int), np.ones((4, 3), bool)):
        array = inputs.as_inputs("here", line, given)
        assert array.dtype == np.float32 and not array.flags.writeable
    assert inputs.as_inputs("here", line, [1, 2]).shape == (2, 1)
    for given, dtype in ((Y, np.float32), ([1, 2], np.int64), ([True], bool), ([0.5], np.float32)):
        assert inputs.as_targets("here", given, np.dtype(np.float32), len(given)).dtype == dtype
    assert inputs.model_dtype(nn.Sequential(nn.Tanh())) == np.float64
    mixed = nn.Sequential(line, nn.Linear(1, 1, dtype=np.float64))
    assert inputs.model_dtype(mixed) == np.float64
    held = np.ones((2, 3), np.float32)
    assert inputs.as_inputs("here", line, held) is not held
    held.flags.writeable = False
    assert inputs.as_inputs("here", line, held) is held


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        ([[1.0, 2.0], [3.0]], [1.0, 2.0], DtypeError, "x must be an array of real numbers"),
        (np.ones((2, 3), complex), [1.0, 2.0], DtypeError, "got ndarray of complex128"),
        (np.ma.ones((2, 3)), [1.0, 2.0], DtypeError, r"a masked array; fill it first"),
        (5.0, [1.0], ShapeError, r"x must have at least one row, got shape \(\)"),
        (np.ones((0, 3)), [], ShapeError, r"at least one row, got shape \(0, 3\)"),
        (np.ones((2, 3)), [1.0], ShapeError, r"y must have as many rows as x \(2\), got 1"),
        ([[1.0, 2.0, math.nan]], [1.0], ArgumentError, "got nan in row 0, column 2; leave"),
        (np.ones((2, 3)), [1.0, -math.inf], ArgumentError, "y must be finite in .* -inf in row 1;"),
        (np.full((1, 3), 1e39), [1.0], ArgumentError, r"finite in float32, got 1e\+39 in row 0"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(x, y, error, words):
    with pytest.raises(error, match=words):
        fit(nn.Linear(3, 1, dtype=np.float32), x, y, steps=1)


class Several(nn.Module):
    """Counts the rows of each call."""

    def __init__(self):
        self.calls = []

    def forward(self, x):
        self.calls.append(len(x))
        return x * 2.0


@pytest.mark.parametrize(
    ("rows", "size", "calls"),
    [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (4, 9, [4]), (1024, None, [1024]), (1025, None, [1024, 1])],
)
def test_rows_are_predicted_in_batches(rows, size, calls):
    model = Several()
    x = np.arange(float(rows))[:, None]
    assert (predict(model, x, batch_size=size) == 2 * x).all() and model.calls == calls
    found = evaluate(model, x, 2 * x[:, 0] + 1, metrics=["mae"], batch_size=size)
    assert found == {"loss": 1.0, "mae": 1.0} and model.calls == calls * 2


# ---- early stopping


def test_an_improvement_is_larger_than_the_least_and_counts_anew():
    stopping = EarlyStopping(2, "loss", min_delta=0.5)
    values = [9.0, 8.5, 8.4, math.nan, 8.3, 7.0]
    found = [(stopping.improves({"loss": x}), stopping.since, stopping.exhausted) for x in values]
    assert found == [
        *((True, 0, False), (False, 1, False), (True, 0, False)),
        *((False, 1, False), (False, 2, True), (True, 0, False)),
    ]
    assert stopping.best == 7.0 and stopping.seen
    stopping.restart()
    assert not stopping.seen and stopping.since == 0


def test_more_may_be_better():
    stopping = EarlyStopping(1, "accuracy", min_delta=0.25)
    found = [stopping.improves({"accuracy": x}) for x in (0.5, 0.75, 0.8, 0.5)]
    assert (stopping.mode, found) == ("max", [True, False, True, False])
