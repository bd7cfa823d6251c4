"""The text of influences on vanishing, exploding and dead gradients, with their numbers."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.explain.influences.findings import gradient_trend


def influence_of(hidden, activation, scale=1.0, rows=16):
    model = tg.nn.MLP(4, hidden, 1, activation=activation, dtype=np.float64, generator=0)
    for parameter in model.parameters():
        parameter.data = parameter.data * scale
    x = np.random.default_rng(0).normal(size=(rows, 4))
    return tg.influence(model, tg.losses.mse(model(x), np.ones((rows, 1))))


def number(text):
    return f"{text:.2g}".replace("-", "−")


def test_a_deep_network_of_sigmoids_vanishes_and_is_told_why():
    found = influence_of([8] * 10, "sigmoid")
    first, last = found.layers[0].delta_norm, found.layers[-1].delta_norm
    assert gradient_trend(found) == "vanishes" and first < 1e-3 * last
    told = found.findings[0]
    assert f"from {number(last)} at ŷ to {number(first)} at z₁ over 10 layers" in told
    assert f"{number((first / last) ** 0.1)} per layer: it vanishes" in told
    slopes = np.mean([x.activations[0].mean for x in found.layers[1:-1]])
    assert f"Each sigmoid multiplies it by at most 1/4, here by {number(slopes)} on average" in told
    norms = [np.linalg.norm(x.parameters[0].data, 2) for x in found.layers[1:]]
    assert f"by at most {number(np.median(norms))} (their largest singular value)" in told
    whole = np.median([np.median(x.factor.spectral) for x in found.layers if x.factor])
    assert f"As a whole, a layer multiplies it by at most {number(whole)} (the largest" in told


def test_large_weights_explode():
    found = influence_of([16] * 10, "relu", scale=8.0)
    assert gradient_trend(found) == "explodes"
    assert "grows" in found.findings[0] and "it explodes" in found.findings[0]
    assert "smaller initial weights" in found.findings[1]


def test_a_shallow_network_neither_vanishes_nor_explodes():
    found = influence_of([4], "tanh")
    assert gradient_trend(found) == "stays"
    assert found.findings[0].endswith("it neither vanishes nor explodes.")


def test_one_layer_has_no_course():
    w = tg.Value(1.0, name="w")
    found = tg.influence(None, np.mean((w * np.array([1.0, 2.0]) - 1.0) ** 2))
    assert gradient_trend(found) == "" and found.findings == ()


def test_slopes_are_those_of_the_activation():
    model = tg.nn.MLP(2, [5], 1, activation="tanh", dtype=np.float64, generator=0)
    x = np.random.default_rng(0).normal(size=(6, 2))
    found = tg.influence(model, tg.losses.mse(model(x), np.ones((6, 1))))
    (activation,) = found.layers[0].activations
    np.testing.assert_allclose(activation.slopes, 1 - np.tanh(model[0](x).data) ** 2, rtol=1e-12)
    assert (activation.operation, activation.units, activation.most) == ("tanh", 5, 1.0)


def test_dead_relus_are_named():
    model = tg.nn.MLP(2, [4], 1, dtype=np.float64, generator=0)
    model[0].bias.data = np.array([5.0, -90.0, 5.0, -90.0])
    loss = tg.losses.mse(model(np.ones((3, 2))), np.zeros((3, 1)))
    told = " ".join(tg.influence(model, loss).findings)
    assert "In layers.0, 2 of 4 units are dead (1, 3)" in told
    assert "the slope of their relu is 0 in all 3 rows" in told


def test_a_gradient_of_exactly_zero_is_said_to_be_so():
    model = tg.nn.MLP(2, [4], 1, dtype=np.float64, generator=0)
    model[2].weight.data = np.zeros((4, 1))
    loss = tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1)))
    assert "exactly 0 from z₁ down" in tg.influence(model, loss).findings[0]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_gradient_that_is_not_finite_is_said_to_be_so():
    model = tg.nn.MLP(2, [4], 1, dtype=np.float64, generator=0)
    model[0].weight.data = np.full((2, 4), np.inf)
    found = tg.influence(model, tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1))))
    assert "not finite" in found.findings[0]
    assert "nan" in found.text()


def test_a_gradient_that_is_not_finite_is_told_from_where_on():
    found = influence_of([3, 3], "tanh", scale=np.nan)
    assert gradient_trend(found) == "is not finite"
    told = found.findings[0]
    assert told == "The gradient is not finite, first at ŷ on the way down from the loss."


def test_a_unit_that_lives_in_one_row_is_not_dead():
    w = tg.Value(np.ones((1, 2)), name="w")
    h = tg.relu(np.array([[1.0], [-1.0]]) @ w - np.array([0.0, 9.0]))
    loss = ((h @ tg.Value(np.ones((2, 1)))) ** 2).sum()
    (activation,) = tg.influence(None, loss).layers[0].activations
    assert (activation.units, activation.dead) == (2, (1,))


@pytest.mark.parametrize(
    ("activation", "count"),
    [
        *((tg.relu, 3), (np.abs, 3), (lambda x: np.maximum(x, 0), 3), (lambda x: np.fmin(0, x), 3)),
        *((tg.ops.hardtanh, 1), (lambda x: np.clip(x, -1, 1), 1), (tg.ops.relu6, 3)),
        *((lambda x: np.clip(x, None, 1), 1), (lambda x: np.clip(x, -2.5, 99), 1), (np.tanh, 0)),
    ],
)
def test_each_activation_that_the_nudge_moves_across_a_kink_is_counted(activation, count):
    w = tg.Value(0.5, name="w")
    loss = np.sum(activation(w * np.array([1.0, -1.0, 6.5])))
    assert tg.influence(None, loss, weight=w, nudge=-1.0).weights[0].switched == count


def test_a_relu_that_the_nudge_brings_to_its_kink_meets_the_other_side():
    w = tg.Value(1.0, name="w")
    loss = (tg.relu(w) - 3.0) ** 2
    assert [tg.influence(None, loss, weight=w, nudge=n).weights[0].switched for n in (-1, 1)] == [
        *(1, 0)
    ]


@pytest.mark.parametrize("name", ["celu", "elu", "hardswish", "prelu", "relu6", "selu"])
def test_the_change_seen_is_that_of_the_loss_across_the_kink_of_an_activation(name):
    x, more = np.array([1.0, -1.0, 3.0]), (0.25,) * (name == "prelu")
    loss = lambda w: np.mean(getattr(tg.ops, name)(w * x, *more) ** 2)
    w = tg.Value(0.5, name="w")
    seen = tg.influence(None, loss(w), weight=w, nudge=-1.0).weights[0].seen
    assert seen == pytest.approx(loss(-0.5) - loss(0.5), rel=1e-12)
