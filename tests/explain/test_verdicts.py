"""What an influence says of a network is true: of dead layers, of time, of kinks and conditions."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value, losses, nn
from tinygrad_lr.explain.influences.findings import gradient_trend

rng = np.random.default_rng
X, Y = rng(0).normal(size=(6, 2)), np.ones((6, 1))


def linear(inputs, outputs, seed=0):
    return nn.Linear(inputs, outputs, dtype=np.float64, generator=seed)


def network():
    return nn.Sequential(linear(2, 3), nn.Tanh(), linear(3, 3, 1), nn.Sigmoid(), linear(3, 1, 2))


def test_a_dead_first_layer_is_not_called_healthy():
    model = nn.Sequential(linear(2, 3), nn.ReLU(), linear(3, 1, 2))
    model[0].bias.data = np.full(3, -9.0)
    found = tg.influence(model, losses.mse(model(X), Y))
    assert gradient_trend(found) == "is zero" and found.layers[0].cotangent_norm > 0
    assert "exactly 0 from z₁ down" in found.findings[0]


class LastState(nn.Module):
    """A recurrent layer, and a line on its last state."""

    def __init__(self, kind, scale):
        self.states = kind(3, 4, dtype=np.float64, generator=0)
        self.line = linear(4, 1)
        weight = self.states.cells[0].weight_hidden
        weight.data = scale * weight.data

    def forward(self, x):
        return self.line(self.states(x)[0][:, -1])


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_the_gradient_along_time_is_that_of_the_states(kind):
    model, x = LastState(kind, 1.0), rng(1).normal(size=(2, 7, 3))
    found = tg.influence(model, losses.mse(model(x), np.ones((2, 1))))
    (layer,) = found.in_time
    cell, state, states = model.states.cells[0], None, []
    for t in range(7):  # the same by its cell, one step after the other
        state = cell(x[:, t], state)
        states.append(state[0] if isinstance(state, tuple) else state)
    losses.mse(model.line(states[-1]), np.ones((2, 1))).backward()
    np.testing.assert_allclose(layer.norms, [np.linalg.norm(h.grad) for h in states], rtol=1e-9)


def test_a_gradient_that_vanishes_along_time_is_told():
    model, x = LastState(nn.RNN, 0.05), rng(1).normal(size=(2, 60, 3))
    found = tg.influence(model, losses.mse(model(x), np.ones((2, 1))))
    (told,) = [text for text in found.findings if "Along time" in text]
    assert found.in_time[0].norms[0] < 1e-30 and "vanishes" in told and "at step 60" in told
    model = LastState(nn.RNN, 12.0)
    for cell in model.states.cells:
        cell.weight_input.data = 0 * cell.weight_input.data  # near 0, where tanh has the slope 1
        cell.bias_input.data, cell.bias_hidden.data = np.zeros(4), np.zeros(4)
    found = tg.influence(model, losses.mse(model(x), np.ones((2, 1))))
    assert "explodes" in next(text for text in found.findings if "Along time" in text)


@pytest.mark.parametrize(
    ("program", "count"),
    [
        (lambda w: np.maximum(w * np.array([1.0, -1.0]), 0.0), 2),
        (lambda w: np.clip(w * np.array([0.6, 2.0, 3.0]), -1.0, 1.0), 3),
        (lambda w: np.max(w * np.array([1.0, -1.0, 0.5])), 1),
        (lambda w: np.min(w * np.array([[1.0, -1.0], [3.0, -2.0]]), axis=1), 2),
        (lambda w: nn.MaxPool1d(2)(w * np.array([[[1.0, -1.0, 5.0, 2.0]]])), 2),
        (lambda w: abs(w * np.array([1.0, 2.0])), 2),
    ],
)
def test_all_kinks_that_a_nudge_crosses_are_counted(program, count):
    w = Value(2.0, name="w")
    found = tg.influence(None, np.sum(program(w) ** 2), weight=w, nudge=-4.0)
    assert found.weights[0].switched == count


def test_what_is_seen_of_a_function_is_what_happens_also_behind_a_condition():
    model = network()
    first = model[0].weight

    def loss():
        h = model(X)
        return np.mean(np.where(h > -0.535, h * h, -5.0 * h))

    nudge, index = 3.0, (1, 2)
    found = tg.influence(model, loss, weight=first, at=index, nudge=nudge).weights[0]
    before, now = float(loss().data), first.data.copy()
    kept = now.copy()
    now[index] += nudge
    first.data = now
    truth = float(loss().data) - before
    first.data = kept
    assert found.seen == pytest.approx(truth, rel=1e-12) and found.chosen == 0
    recorded = tg.influence(model, loss(), weight=first, at=index, nudge=nudge)
    assert recorded.weights[0].chosen == 1 and "lambda" in recorded.text()
    assert recorded.weights[0].seen != pytest.approx(truth, rel=1e-3)
    np.testing.assert_array_equal(first.data, kept)


def test_a_function_that_draws_is_refused():
    model = nn.Sequential(linear(2, 3), nn.Dropout(0.5, generator=0), linear(3, 1, 2))
    with pytest.raises(tg.errors.ArgumentError, match="the same number each time"):
        tg.influence(model, lambda: losses.mse(model(X), Y))


def test_the_recursion_gives_the_deltas():
    model = network()
    z1, h1 = model[0](X), np.tanh(model[0](X))
    found = tg.influence(model, losses.mse(model(X), Y))
    third, second, first = (layer.delta for layer in reversed(found.layers))
    h2 = 1 / (1 + np.exp(-model[2](h1).data))
    np.testing.assert_allclose(third, 2 * (model(X).data - Y) / 6)
    np.testing.assert_allclose(second, (third @ model[4].weight.data.T) * h2 * (1 - h2))
    expected = (second @ model[2].weight.data.T) * (1 - np.tanh(z1.data) ** 2)
    np.testing.assert_allclose(first, expected)
    assert [layer.recursion for layer in found.layers] == [
        "δ₁ = (δ₂ W₂ᵀ) ⊙ tanh′(z₁)", "δ₂ = (δ₃ W₃ᵀ) ⊙ σ′(z₂)", "δ₃ = dL/dŷ",
    ]  # fmt: skip


def test_the_factors_of_a_path_are_those_of_the_chain_rule_and_add_up():
    model = network()
    found = tg.influence(model, losses.mse(model(X), Y), weight="layers.0.weight", at=(1, 2))
    (weight,) = found.weights
    z1 = model[0](X).data
    h1 = np.tanh(z1)
    h2 = 1 / (1 + np.exp(-(model[2](h1).data)))
    residual = 2 * (model(X).data - Y) / 6
    total = 0.0
    for path in weight.paths:
        _, unit, _ = path.units
        for row in range(6):
            factors = weight.factors(path, row)
            expected = [
                X[row, 1],
                1 - h1[row, 2] ** 2,
                model[2].weight.data[2, unit],
                h2[row, unit] * (1 - h2[row, unit]),
                model[4].weight.data[unit, 0],
                residual[row, 0],
            ]
            np.testing.assert_allclose(factors.numbers, expected)
            assert factors.names == (
                "x[1]", "tanh′(z₁[2])", f"W₂[2, {unit}]", f"σ′(z₂[{unit}])", f"W₃[{unit}, 0]",
                "dL/dŷ[0]",
            )  # fmt: skip
            total += factors.product
    assert total == pytest.approx(weight.gradient)
    text = found.text()
    assert "x[1] · tanh′(z₁[2])" in text and "that promises" in text


def test_paths_beside_a_skip_connection_have_no_factors():
    W, V = (Value(rng(i).normal(size=(2, 2)), name=n) for i, n in enumerate("WV"))
    h = np.tanh(X @ W)
    found = tg.influence(None, np.mean((np.tanh(h @ V) + h - Y) ** 2), weight=W, at=(0, 1))
    for path in found.weights[0].paths:
        factors = found.weights[0].factors(path)
        assert factors is None or factors.product == pytest.approx(path.by_row[0])


def test_jacobians_are_shown_in_detail_only():
    model = network()
    found = tg.influence(model, losses.mse(model(X), Y))
    assert "singular values" not in found.text() and "singular values" in found.text(detail=True)


@pytest.mark.parametrize("rate", [1.0, 1000.0, 1e9])
def test_steps_of_a_run_that_diverges_jump_over_the_minimum(rate):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    x = np.array([[1.0], [2.0], [3.0]])
    model = linear(1, 1)
    history = tg.fit(model, x, 2 * x + 1, steps=40, learning_rate=rate, progress=False, warn=False)
    figure = tg.plot.loss_over_weight(model, x, 2 * x + 1, history)
    texts = "\n".join(text.get_text() for text in figure.axes[0].texts)
    assert "each step jumps over the minimum, farther" in texts


def test_rounding_is_shown_as_0_and_a_small_gradient_as_it_is():
    model = nn.MultiHeadAttention(4, 2, dtype=np.float64, generator=0)
    loss = np.mean(model(rng(2).normal(size=(2, 5, 4))) ** 2)
    found = tg.derivation(loss, model.key.bias, model=model)  # to which softmax is blind
    step = found.steps[-1]
    assert np.all(step.shown == 0) and 0 < np.max(np.abs(step.gradient)) < 1e-15
    assert "= [0, 0, 0, 0]   (4)" in found.text()
    w = Value(np.full(3, 1e-20), name="w")
    small = tg.derivation(np.sum((w * np.array([1.0, 2.0, 3.0])) ** 2), wrt=w)
    np.testing.assert_array_equal(small.steps[-1].shown, small.steps[-1].gradient)
    assert "[2e−20, 8e−20, 1.8e−19]" in small.text()


def test_an_entry_of_a_kernel_is_a_table_of_windows():
    layer = nn.Conv2d(2, 3, 2, stride=2, padding=1, dtype=np.float64, generator=0)
    x = rng(4).normal(size=(2, 2, 5, 4))
    z = layer(x)
    loss = np.sum(np.tanh(z) ** 2)
    at = (2, 1, 0, 1)
    text = tg.derivation(loss, layer.weight, at=at, model=layer).text()
    assert "entry of the window" in text and f"over {2 * 3 * 3} windows" in text
    loss.backward()
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    entries = padded[:, 1, 0:6:2, 1:6:2]
    g = 2 * np.tanh(z.data) * (1 - np.tanh(z.data) ** 2)
    assert np.sum(entries * g[:, 2]) == pytest.approx(layer.weight.grad[at])
    from tinygrad_lr.explain.derivations.terms import terms_of

    found = tg.derivation(np.sum(layer(x) * 2.0), layer.weight, at=at, model=layer)
    terms = terms_of(found.steps[-1].shares[0], at)
    np.testing.assert_allclose(terms.columns[0], entries.ravel())
    assert terms.terms.sum() == pytest.approx(found.gradient[at])


def test_only_a_plain_network_is_advised_to_be_gated():
    x = rng(1).normal(size=(2, 60, 3))
    for kind, advised in ((nn.RNN, True), (nn.LSTM, False), (nn.GRU, False)):
        model = LastState(kind, 0.0)
        for cell in model.states.cells:
            cell.bias_hidden.data = np.full(cell.bias_hidden.shape, -4.0)
        found = tg.influence(model, losses.mse(model(x), np.ones((2, 1))))
        told = " ".join(text for text in found.findings if "vanishes: ‖dL/dh‖" in text)
        assert ("LSTM" in told) == advised, kind
