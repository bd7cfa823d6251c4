"""Influence of weights on the loss: each number against differences and against the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, GraphError

few = settings(max_examples=15)
seeds = st.integers(0, 10_000)
widths = st.lists(st.integers(1, 4), min_size=1, max_size=3)
smooth = st.sampled_from(["tanh", "sigmoid", "gelu", "softplus"])


class Case:
    """A random network, its data, and the loss as a function of its weights."""

    def __init__(self, seed=0, hidden=(4, 3), activation="tanh", dtype=np.float64, rows=5):
        random = np.random.default_rng(seed)
        self.model = tg.nn.MLP(2, list(hidden), 2, activation=activation, dtype=dtype,
                               generator=seed)  # fmt: skip
        self.x = random.normal(size=(rows, 2)).astype(dtype)
        self.y = random.normal(size=(rows, 2)).astype(dtype)

    def loss(self):
        return tg.losses.mse(self.model(self.x), self.y)

    def loss_with(self, path, index, change):
        """The loss of the model, run again, with one entry moved."""
        state = self.model.state_dict()
        moved = {name: array.copy() for name, array in state.items()}
        moved[path][index] += change
        self.model.load_state_dict(moved)
        found = float(self.loss().data)
        self.model.load_state_dict(state)
        return found

    def influence(self, **options):
        return tg.influence(self.model, self.loss(), **options)


def texts(found):
    return found.text(), found._repr_html_()


@few
@given(seeds, widths, smooth)
def test_the_gradients_of_parameters_are_those_of_backward(seed, hidden, activation):
    case = Case(seed, hidden, activation)
    found = case.influence()
    case.loss().backward()
    ours = {p.path: p for layer in found.layers for p in layer.parameters}
    for path, parameter in case.model.named_parameters():
        np.testing.assert_allclose(ours[path].gradient, parameter.grad, rtol=1e-10, atol=1e-14)
        assert ours[path].norm == pytest.approx(np.linalg.norm(parameter.grad))


@few
@given(seeds, widths, smooth)
def test_gradient_and_curvature_are_those_of_central_differences(seed, hidden, activation):
    case, h = Case(seed, hidden, activation), 1e-4
    for w in case.influence().weights:
        up, down = (case.loss_with(w.path, w.index, change) for change in (h, -h))
        assert w.gradient == pytest.approx((up - down) / (2 * h), rel=1e-4, abs=1e-7)
        second = (up - 2 * w.loss + down) / h**2
        assert w.curvature == pytest.approx(second, rel=1e-3, abs=1e-5)


@few
@given(seeds, widths, smooth, st.sampled_from([1e-3, -0.01, 0.5]))
def test_the_change_that_is_seen_is_that_of_the_model_run_again(seed, hidden, activation, nudge):
    case = Case(seed, hidden, activation)
    before = float(case.loss().data)
    for w in case.influence(nudge=nudge).weights:
        seen = case.loss_with(w.path, w.index, nudge) - before
        assert w.seen == pytest.approx(seen, rel=1e-9, abs=1e-14)


@few
@given(seeds, widths)
def test_what_the_derivatives_promise_comes_true_to_the_third_order(seed, hidden):
    nudge = 1e-3
    for w in Case(seed, hidden).influence(nudge=nudge).weights:
        assert w.predicted == w.gradient * nudge
        assert abs(w.seen - w.predicted_with_curvature) < 100 * nudge**3
        assert abs(w.seen - w.predicted) < 100 * nudge**2


def test_float32_models_are_followed_in_float64():
    case = Case(dtype=np.float32)
    found = case.influence(nudge=1e-6)
    case.loss().backward()
    for layer in found.layers:
        for p in layer.parameters:
            assert p.gradient.dtype == np.float64
            grad = dict(case.model.named_parameters())[p.path].grad
            np.testing.assert_allclose(p.gradient, grad, rtol=1e-4, atol=1e-6)
    w = found.weights[0]
    assert w.seen == pytest.approx(w.predicted, rel=1e-3)  # float32 would see rounding only


def test_gradients_too_small_for_float32_are_still_there():
    model = tg.nn.MLP(2, [4] * 90, 1, activation="sigmoid", generator=0)
    loss = tg.losses.mse(model(np.ones((3, 2), np.float32)), np.ones((3, 1)))
    first = tg.influence(model, loss, weight="layers.0.weight").layers[0]
    loss.backward()
    assert not model.parameters()[0].grad.any()
    assert 0 < first.parameters[0].norm < 1e-45


def test_nothing_that_is_looked_at_is_changed():
    case = Case()
    model = tg.nn.Sequential(case.model, tg.nn.Dropout(0.5, generator=3))
    loss = tg.losses.mse(model(case.x), case.y)
    weights, modes = model.state_dict(), [m.training for m in model.modules()]
    drawn = model.generators()[0].bit_generator.state
    numpys = np.random.get_state()[1].copy()  # noqa: NPY002
    texts(tg.influence(model, loss))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, weights[name])
    assert all(p.grad is None for p in model.parameters()) and loss.grad is None
    assert [m.training for m in model.modules()] == modes
    assert model.generators()[0].bit_generator.state == drawn
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002


def test_a_dropout_mask_stays_the_one_that_was_drawn():
    model = tg.nn.Sequential(tg.nn.Linear(3, 8, dtype=np.float64, generator=0),
                             tg.nn.Dropout(0.5, generator=1),
                             tg.nn.Linear(8, 1, dtype=np.float64, generator=2))  # fmt: skip
    loss = tg.losses.mse(model(np.ones((4, 3))), np.zeros((4, 1)))
    found = tg.influence(model, loss)
    loss.backward()
    np.testing.assert_allclose(found.layers[0].parameters[0].gradient, model[0].weight.grad)


def test_it_tells_of_the_moment_at_which_the_loss_was_computed():
    case = Case()
    loss, before = case.loss(), case.influence().text()
    for parameter in case.model.parameters():
        parameter.data -= 0.5
    assert tg.influence(case.model, loss).text() == before


def test_two_runs_give_the_same_text():
    assert texts(Case().influence()) == texts(Case().influence())


def test_it_works_inside_no_grad():
    case = Case()
    loss = case.loss()
    with tg.no_grad():
        found = tg.influence(case.model, loss)
    assert found.weights[0].gradient == case.influence().weights[0].gradient


def test_without_being_told_it_takes_the_largest_gradient_of_each_layers_matrix():
    found = Case().influence()
    assert [w.parameter for w in found.weights] == ["W₁", "W₂", "W₃"]
    for w, layer in zip(found.weights, found.layers, strict=True):
        assert abs(w.gradient) == np.abs(layer.parameters[0].gradient).max()


def test_a_weight_is_named_by_path_by_formula_or_by_itself():
    case = Case()
    given = ["layers.0.weight", "W₁", case.model.parameters()[0]]
    ways = [case.influence(weight=(one, (1, 2))).weights[0] for one in given]
    ways.append(case.influence(weight="W₁", at=(-1, 2)).weights[0])
    assert {(w.name, w.path, w.gradient) for w in ways} == {
        ("W₁[1, 2]", "layers.0.weight", ways[0].gradient)
    }


def test_several_weights_are_told_in_the_order_in_which_they_were_asked_for():
    found = Case().influence(weight=["b₃", ("W₁", (0, 0)), "W₂"])
    assert [w.parameter for w in found.weights] == ["b₃", "W₁", "W₂"]
    assert [w.layer for w in found.weights] == ["layers.4", "layers.0", "layers.2"]


def test_a_graph_of_scalars_needs_no_model():
    w, v, b = (tg.Value(x, name=n) for x, n in ((0.5, "w"), (-1.2, "v"), (0.3, "b")))
    found = tg.influence(None, ((w * 2.0).tanh() * v + b - 1.0) ** 2, weight=[w, v, b])
    h = np.tanh(1.0)
    u = -1.2 * h + 0.3 - 1.0
    expected = [2 * u * -1.2 * (1 - h * h) * 2.0, 2 * u * h, 2 * u]
    assert [x.gradient for x in found.weights] == pytest.approx(expected)
    assert [x.name for x in found.weights] == ["w", "v", "b"]
    assert found.weights[1].curvature == pytest.approx(2 * h * h)


def test_a_loss_of_a_parameter_alone_has_weights_and_no_layers():
    w = tg.Value(3.0, name="w")
    found = tg.influence(None, w * w, weight=w)
    assert (found.layers, found.weights[0].gradient, found.weights[0].paths) == ((), 6.0, ())
    assert "dL/dw" in found.text()


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_recurrent_layers_are_followed(kind):
    body = getattr(tg.nn, kind)(2, 3, dtype=np.float64, generator=0)
    out = tg.nn.Linear(3, 1, dtype=np.float64, generator=1)
    model, x = tg.nn.Sequential(body, out), np.random.default_rng(0).normal(size=(4, 5, 2))
    loss = np.mean(out(body(x)[0][:, -1]) ** 2)
    found = tg.influence(model, loss)
    loss.backward()
    for w in found.weights:
        grad = dict(model.named_parameters())[w.path].grad
        assert w.gradient == pytest.approx(grad[w.index])
        assert w.seen == pytest.approx(w.predicted_with_curvature, rel=1e-4)


def test_relus_that_switch_on_the_way_are_counted_and_told():
    w, x = tg.Value(0.05, name="w"), np.array([1.0, -1.0, 2.0])
    found = tg.influence(None, np.mean(tg.relu(w * x) ** 2), weight=w, nudge=-0.1)
    assert found.weights[0].switched == 3
    assert "3 activations switch on or off" in found.text()
    assert tg.influence(None, np.mean(tg.relu(w * x) ** 2), weight=w).weights[0].switched == 0


def test_a_change_below_the_rounding_of_the_loss_is_said_to_be_so():
    w = tg.Value(1e-12, name="w")
    assert "below rounding" in tg.influence(None, w * 1e-12 + 1.0, weight=w).text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"weight": "layers.9.weight"}, "weight must be a leaf that the loss was computed from"),
        ({"weight": tg.Value(1.0)}, "weight must be a leaf that the loss was computed from"),
        ({"weight": "W₁", "at": (0, 9)}, "at must be an entry of a weight of shape"),
        ({"weight": "W₁", "at": 0}, "at must be an entry of a weight of shape"),
        ({"weight": "W₁", "at": (0.5, 1)}, "at must be an entry of a weight of shape"),
        ({"weight": 3}, "weight must be a leaf that the loss was computed from"),
        ({"at": (0, 0)}, "weight must be given with at"),
        ({"nudge": 0.0}, "nudge must be a finite number"),
        ({"nudge": np.inf}, "nudge must be a finite number"),
        ({"nudge": "far"}, "nudge must be a finite number"),
        ({"rows": [7]}, "rows must be integers from 0 to"),
        ({"rows": [0.5]}, "rows must be integers from 0 to"),
        ({"rows": "all"}, "rows must be integers from 0 to"),
    ],
)
def test_what_it_cannot_follow_is_refused_in_a_sentence(options, told):
    with pytest.raises(ArgumentError, match=told):
        Case().influence(**options)


def test_arguments_in_the_wrong_order_and_losses_of_other_models_are_refused():
    case = Case()
    with pytest.raises(ArgumentError, match="the model comes first"):
        tg.influence(case.loss(), case.model)
    with pytest.raises(ArgumentError, match="loss must be a computed Value"):
        tg.influence(case.model, 1.0)
    with pytest.raises(ArgumentError, match="must be computed with this model"):
        tg.influence(Case().model, case.loss())
    with pytest.raises(GraphError, match="must be a scalar"):
        tg.influence(case.model, case.model(case.x))


def test_a_compiled_function_is_refused_with_the_cure():
    case = Case()

    @tg.compile(backend="numpy")
    def loss_of(w):
        return np.mean(np.tanh(case.x @ w) ** 2)

    with pytest.raises(GraphError, match=r"call it without tg\.compile"):
        tg.influence(None, loss_of(tg.Value(np.ones((2, 3)))))


def test_names_are_escaped_in_html():
    w = tg.Value(1.0, name="<img src=x onerror=alert(1)>")
    page = tg.influence(None, (w * 2.0 - 1.0) ** 2)._repr_html_()
    assert "<img" not in page and "&lt;img" in page


def test_the_text_holds_the_numbers():
    found = Case().influence()
    w = found.weights[0]
    for number in (w.gradient, w.curvature, found.loss, found.layers[0].parameters[0].norm):
        assert f"{number:.4g}".replace("-", "−") in found.text()
    assert repr(found) == found.text()


@pytest.mark.slow
def test_the_text_of_very_many_layers_and_parameters_is_bounded():
    x = y = tg.Value(1.0)
    for _ in range(200):
        y = (y * tg.Value(1.001)).tanh()
    deep = tg.influence(None, (y - 1.0) ** 2)
    assert len(deep.layers) == 200 and len(deep.weights) == 30
    assert "160 layers in the middle are left out" in deep.text() and len(deep.text()) < 20_000
    wide = sum((tg.Value(0.1 * i) * 2.0 for i in range(100)), x).tanh()
    found = tg.influence(None, (wide - 1.0) ** 2)
    assert len(found.layers[0].parameters) == 101 and "… 95 more" in found.text()
