"""Warnings that help, and the learning rate that a short descent suggests."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn, optim
from tinygrad_lr.errors import ArgumentError, TrainingWarning
from tinygrad_lr.train import find_learning_rate, fit
from tinygrad_lr.train.monitors import RISES_BEFORE_CHECK, Diagnosis

X = np.random.default_rng(0).normal(size=(64, 3))
Y = X[:, :1] - X[:, 1:2]


def deep(activation, layers=12, seed=0):
    return nn.MLP(3, [8] * layers, 1, activation, dtype=np.float64, generator=seed)


def test_an_ordinary_training_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(deep("tanh", 2), X, Y, learning_rate=0.05, steps=300)
    assert history.warnings == []


def test_a_divergence_warns_with_the_rate_to_take():
    with pytest.warns(TrainingWarning, match=r"^diverged after \d+ steps: .*lower the learning"):
        history = fit(deep("relu", 1), X * 100, Y, learning_rate=1.0)
    assert history.warnings[-1] == history.message


def test_a_loss_that_is_not_finite_names_where_it_began():
    line = nn.Linear(3, 1, dtype=np.float64)
    line.weight.data[:] = 1e-10
    with pytest.warns(TrainingWarning, match="to inf .first not finite: the gradient of weight"):
        fit(line, np.abs(X) * 1e160, Y, learning_rate=1e-3, steps=5)
    with pytest.warns(TrainingWarning, match="first not finite: the loss of finite predictions"):
        fit(line, X * 1e160, 1e200 * Y)
    blown = nn.Sequential(nn.Linear(3, 3, dtype=np.float64), np.exp, nn.Linear(3, 1))
    with pytest.warns(TrainingWarning, match=r"first not finite: the output of layers\.1"):
        fit(blown, X * 1e5, Y)


def test_gradients_that_vanish_on_the_way_are_told():
    model = deep("sigmoid", 16)
    with pytest.warns(TrainingWarning, match=r"vanishing gradient: .* in layers\.0, but"):
        fit(model, X, Y, learning_rate=1e-3, steps=20)


def test_gradients_that_explode_on_the_way_are_told():
    model = deep(lambda x: x, 9)
    for layer in model.layers[2:-1:2]:
        layer.weight.data *= 30
    with pytest.warns(TrainingWarning, match=r"exploding gradient: .*in layers\.\d+ .*clip_norm"):
        fit(model, X, Y, learning_rate=1e-30, steps=20)


def test_a_bias_before_a_batch_norm_is_no_vanished_gradient():
    layers = nn.Linear(3, 8, dtype=np.float64), nn.BatchNorm1d(8, dtype=np.float64), np.tanh
    model = nn.Sequential(*layers, nn.Linear(8, 1, dtype=np.float64))
    assert fit(model, X, Y, learning_rate=1e-2, steps=70).warnings == []


def test_dead_relus_are_told_with_their_layer():
    model = deep("relu", 2)
    model.layers[2].bias.data -= 100
    with pytest.warns(TrainingWarning, match=r"8 of 8 in layers\.3; .*leaky_relu"):
        fit(model, X, Y, learning_rate=1e-3, steps=20)


def test_a_rate_above_the_stable_limit_is_told_when_the_loss_has_risen():
    line = nn.Linear(3, 1, dtype=np.float64, generator=0)
    limit = tg.linear.learning_rate_limit(line, tg.losses.mse, X, Y)
    with pytest.warns(TrainingWarning) as seen:
        fit(line, X, Y, learning_rate=1.05 * limit, steps=200)
    early, late = (str(warning.message) for warning in seen)
    assert "the loss has risen 5 times in a row" in early and "largest stable one" in early
    assert late.startswith("diverged")


@pytest.mark.parametrize(("momentum", "limit"), [(0.0, 2.0), (0.5, 3.0)])
def test_momentum_raises_the_stable_limit(momentum, limit):
    line = nn.Linear(3, 1)
    for rate, warned in [(0.99 * limit, False), (1.01 * limit, True)]:
        optimizer = optim.SGD(line.parameters(), rate, momentum=momentum)
        diagnosis = Diagnosis(line, optimizer, warn=False)
        optimizer.rate = rate
        diagnosis.check_learning_rate(RISES_BEFORE_CHECK, lambda: 2.0)
        assert bool(diagnosis.issued["rate"]) == warned


@pytest.mark.parametrize(("dead", "warned"), [(4, False), (5, True)])
def test_relus_are_dead_if_more_than_half_of_a_layer_are(dead, warned):
    model = deep("relu", 1)
    model.layers[0].weight.data[:] = 0.0
    model.layers[0].bias.data[:] = np.where(np.arange(8) < dead, -1.0, 1.0)
    warnings = fit(model, X, Y, learning_rate=1e-9, steps=20, warn=False).warnings
    assert any(f"{dead} of 8 in layers.1" in text for text in warnings) == warned


def test_a_warning_points_at_the_program_that_called():
    with pytest.warns(TrainingWarning) as seen:
        fit(deep("relu", 1), X * 100, Y, learning_rate=1.0)
    assert {warning.filename for warning in seen} == {__file__}


@pytest.mark.slow
def test_each_thing_is_told_once_and_not_at_all_if_not_wanted():
    with pytest.warns(TrainingWarning) as seen:
        fit(deep("sigmoid", 16), X, Y, learning_rate=1e-3, steps=300)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(deep("sigmoid", 16), X, Y, learning_rate=1e-3, steps=20, warn=False)
    assert "vanishing gradient" in history.warnings[0]


# ---- the learning-rate finder


def test_the_suggested_rate_trains_and_the_model_is_left_as_it_was():
    model = deep("tanh", 1)
    before = model.state_dict()
    found = find_learning_rate(model, X, Y, batch_size=16)
    assert all((model.state_dict()[name] == array).all() for name, array in before.items())
    assert all(parameter.grad is None for parameter in model.parameters())
    history = fit(model, X, Y, learning_rate=found.suggestion, steps=200)
    assert history.losses[-1] < history.losses[0] / 5


def test_the_rates_rise_by_a_factor_until_the_loss_blows_up():
    line = nn.Linear(3, 1, dtype=np.float64, generator=0)
    found = find_learning_rate(line, X, Y, lowest=1e-4, highest=100.0, steps=60)
    assert np.allclose(np.diff(np.log(found.rates)), np.log(1e6) / 59)
    assert found.losses[-1] > 4 * min(found.losses) and len(found.rates) < 60
    assert repr(found).startswith("LearningRates(")


def test_any_optimiser_and_its_state_are_put_back():
    model = deep("tanh", 1)
    optimizer = optim.Adam(model.parameters(), lambda step: 0.5)
    fit(model, X, Y, optimizer=optimizer, steps=3)
    state = optimizer.state_dict()
    find_learning_rate(model, X, Y, optimizer=optimizer)
    assert callable(optimizer.learning_rate) and optimizer.steps == 3
    assert all((optimizer.state_dict()[name] == array).all() for name, array in state.items())


def test_rates_that_do_not_rise_are_refused():
    with pytest.raises(ArgumentError, match=r"lowest must be below highest, got 1 and 0\.1"):
        find_learning_rate(deep("tanh", 1), X, Y, lowest=1.0, highest=0.1)
