"""Graphs that made explanations lie or fail: each test is the smallest one."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import Value
from tinygrad_lr.core.primitive import PRIMITIVES
from tinygrad_lr.explain.derivations.prose import describe_share
from tinygrad_lr.explain.derivations.terms import terms_of
from tinygrad_lr.explain.formula.expression import Name, Number, call, total


def share_of(loss, x):
    """The share that reaches x from the one Value that reads it."""
    (share,) = tg.derivation(loss, x).steps[-1].shares
    return share


def test_a_number_that_reaches_an_array_two_ways_has_a_slope_for_each_entry():
    w, c = Value(0.5, name="w"), Value([1.0, 2.0, 3.0], name="c")
    pull = share_of(((np.tanh(w) * 1.0 + w + (np.tanh(c) * 1.0 + c)) ** 2).mean(), w).pull
    inner = np.tanh(0.5) + 0.5 + np.tanh(c.data) + c.data
    slope = 2 * inner * (2 - np.tanh(0.5) ** 2)
    np.testing.assert_allclose(pull.local_number, slope)
    np.testing.assert_allclose(pull.terms.sum(), pull.number)
    assert pull.spread == 3 and pull.formula.text.startswith("Σ dL/dh · (")


def test_a_share_that_comes_two_ways_is_not_told_as_one_of_them():
    x = Value([[1.0, 2.0], [3.0, 5.0]], name="x")
    h = x.T @ x
    h.name = "h"
    found = tg.derivation((h * h).sum(), x, at=(0, 1))
    assert "connects one input to one unit" not in found.text()
    assert terms_of(found.steps[-1].shares[0], (0, 1)) is None


def test_a_condition_among_terms_has_brackets():
    less = call(r"<x> < <y>", {"x": Name("h"), "y": Number(-1.5)})
    assert total(less, Name("u")).text == "[h < −1.5] + u"


def test_an_entry_of_a_name_with_a_number_is_valid_latex():
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    w = Value([2.0, 3.0], name="w1")
    found = tg.derivation(w[0] ** 2, w)
    assert "{w_{1}}_{[0]}" in found.latex() and "w₁[0]" in found.text()
    ET.fromstring(found.html())


def test_arrays_without_entries_are_explained():
    x = Value(np.ones((9, 0, 2)), name="x")
    h = np.tanh(x * 2.0) + x
    h.name = "h"
    loss = h.sum()
    found = tg.derivation(loss, x)
    assert found.gradient.shape == (9, 0, 2) and "empty" in found.text(width=40)
    assert "L = 0" in tg.influence(None, loss).text()
    with pytest.raises(tg.errors.ArgumentError, match="must have at least one entry"):
        tg.influence(None, loss, weight=x)


def test_a_number_is_indexed_as_an_array_without_axes_is():
    x = Value(0.5)
    assert (x[None].shape, x[..., None].shape, x[()].shape) == ((1,), (1,), ())
    (x[None] * 3.0).sum().backward()
    assert x.grad == 3.0
    with pytest.raises(IndexError):
        x[0]


class Rows(tg.nn.Module):
    """One hidden layer whose activation is given."""

    def __init__(self, hidden):
        rng = np.random.default_rng(0)
        self.weight, self.last = Value(-np.ones((4, 3))), Value(rng.normal(size=(3, 1)))
        self.hidden = hidden

    def forward(self, x):
        return self.hidden(x @ self.weight) @ self.last


@pytest.mark.parametrize(
    ("hidden", "learns"),
    [(tg.relu, False), (lambda z: tg.relu(z) - 0.1 * tg.relu(-z), True)],
    ids=["relu", "relu-with-a-slope-below-0"],
)
def test_weights_into_dead_units_are_said_not_to_learn_only_where_they_do_not(hidden, learns):
    model = Rows(hidden)
    found = tg.influence(model, (model(np.ones((5, 4))) ** 2).mean())
    (told,) = [x for x in found.findings if "dead" in x]
    assert ("the weights into them do not learn" in told) != learns
    assert found.layers[0].parameters[0].gradient.any() == learns


def test_channels_of_a_convolution_are_its_units_whatever_lies_along_the_last_axis():
    model = tg.nn.Conv1d(1, 3, 2, dtype=np.float64, generator=0)
    model.bias.data = np.array([-9.0, 9.0, -9.0])
    h = tg.relu(model(np.ones((2, 1, 6)) * 0.1))
    activation = tg.influence(model, (h @ Value(np.ones((5, 1)))).mean()).layers[0].activations[0]
    assert (activation.units, activation.dead) == (3, (0, 2))


class Turned(tg.nn.Module):
    """Two matrices, one read as Wᵀ and one scaled."""

    def __init__(self, units=3):
        rng = np.random.default_rng(0)
        self.a, self.b = Value(rng.normal(size=(units, 3))), Value(rng.normal(size=(units, 3)))

    def forward(self, x):
        return np.tanh(np.tanh(x @ self.a.T) @ (self.b * 2.0))


@pytest.mark.parametrize("units", [3, 4])
def test_a_matrix_that_is_read_the_other_way_round_has_its_edges_turned(units):
    model = Turned(units)
    x = np.random.default_rng(1).normal(size=(5, 3))
    found = tg.influence(model, tg.losses.mse(model(x), np.ones((5, 3))))
    assert [len(layer.parameters) for layer in found.layers] == [1, 1]
    edges = found.layers[0].connections
    np.testing.assert_array_equal(edges.weights, model.a.data.T)
    assert edges.name(0, 2).endswith("[2, 0]")


def test_of_several_matrices_side_by_side_none_is_the_weight_of_an_edge():
    model = tg.nn.MultiHeadAttention(4, 2, dtype=np.float64, generator=0)
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    found = tg.influence(model, (model(x) ** 2).mean())
    assert found.layers[0].connections is None


def test_a_vector_beside_results_that_pass_by_leads_to_its_own_unit():
    rate, v = Value(0.5), Value(np.arange(4.0))
    loss = tg.relu(np.hypot(rate * 2.0, 0.3)) + (v * np.ones(4)).sum()
    assert tg.influence(None, loss).loss == pytest.approx(6 + np.hypot(1.0, 0.3))


NAMES = ["\x1b[31mred", "\u202eabc", "\ue000", "a\nb", "\x00"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_modules_are_printable(name):
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    model = tg.nn.Module()
    setattr(model, name, tg.nn.Linear(2, 1, dtype=np.float64, generator=0))
    loss = tg.losses.mse(getattr(model, name)(np.ones((3, 2))), np.zeros((3, 1)))
    found = tg.derivation(loss, model)
    influence = tg.influence(model, loss, weight=f"{name}.weight")
    for text in (found.text(), found.latex(), influence.text()):
        assert "".join(text.splitlines()).isprintable()
    ET.fromstring(found.html())


def test_numbers_are_those_of_the_moment_whatever_was_assigned_since():
    w = Value([1.0, 2.0], name="w")
    loss = (w * w).sum()
    before = str(tg.derivation(loss, w, learning_rate=0.1))
    w.data = np.array([100.0, 200.0])
    assert str(tg.derivation(loss, w, learning_rate=0.1)) == before
    assert "new w = w − 0.1 · dL/dw = [0.8, 1.6]" in before


def test_parameters_that_no_gradient_reaches_are_named_and_left_out():
    model = tg.nn.MLP(2, [2], 1, activation="tanh", dtype=np.float64, generator=0)
    model.unused = tg.nn.Linear(1, 1)
    for parameter in model.layers[2].parameters():
        parameter.requires_grad = False
    loss = tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1)))
    found = tg.derivation(loss, model)
    assert [found.names.path(x) for x in found.wrt] == ["layers.0.weight", "layers.0.bias"]
    assert found.apart == ("layers.2.weight", "layers.2.bias", "unused.weight", "unused.bias")
    assert "No gradient reaches layers.2.weight" in found.text(width=200)
    with pytest.raises(tg.errors.GraphError, match=r"does not depend on 'a Value of shape \(2,\)'"):
        tg.derivation(loss, Value([1.0, 2.0]))


def test_what_has_no_formula_is_a_step_and_its_rule_is_named():
    @tg.primitive
    def twice(x):
        return x + x

    twice.vjp(x=lambda g, out, x: g * (2 if x.sum() > 0 else 2.0))
    try:
        x = Value([1.0, 2.0], name="x")
        text = tg.derivation((twice(x) * 3.0).sum(), x).text()
    finally:
        del PRIMITIVES["twice"]
    assert "v₁ = twice(x) = [2, 4]" in text and "dL/dx = dL/dv₁ · ∂v₁/∂x\n" in text
    assert "by the rule of twice" in text


def test_like_shares_of_one_operand_are_added_up():
    a = Value(2.0, name="a")
    assert share_of(a * a * a, a).pull.formula.text == "3a²"


@pytest.mark.slow
def test_graphs_of_many_leaves_have_derivations_of_bounded_size():
    leaves = [Value(float(i)) for i in range(1000)]
    found = tg.derivation(sum(x * x for x in leaves), leaves)
    assert len(found.steps) > 1000
    assert len(found.text()) < 60_000 and len(found.latex()) < 60_000
    assert r"\vdots" in found.latex() and "971 more" in found.text()


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e308, 5e-324], ids=str)
def test_numbers_out_of_bounds_are_told_without_warnings(number):
    pytest.importorskip("latex2mathml", reason="the extra `explain` is not installed")
    x = Value([number, 1.0, -number], name="x")
    loss = (x * np.array([2.0, 1.0, 0.5])).sum() ** 2 if number < 1 else x[:2].sum()
    found = tg.derivation(loss, x, at=0, learning_rate=number if number == 1e308 else 0.1)
    found.text(), found.latex()
    ET.fromstring(found.html())
    assert "L = " in tg.influence(None, loss).text()


def test_a_large_gradient_is_not_told_to_be_infinite():
    model = tg.nn.MLP(2, [2], 1, dtype=np.float64, generator=0)
    loss = ((model(np.ones((4, 2))) - np.ones((4, 1))) * 1e200).sum()
    found = tg.influence(model, loss)
    assert found.layers[-1].cotangent_norm == pytest.approx(2e200)
    assert "not finite" not in found.text()


def test_a_slope_that_is_nan_is_not_told_to_be_negative():
    w = Value(np.nan, name="w")
    text = tg.derivation(w * w, w).text()
    assert "dL/dw is nan" in text and "negative" not in text


@pytest.mark.slow
@pytest.mark.parametrize("number", [np.nan, np.inf, 1e307], ids=str)
def test_networks_with_numbers_out_of_bounds_are_drawn(number):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    model = tg.nn.MLP(2, [3], 1, activation="tanh", dtype=np.float64, generator=0)
    loss = ((model(np.ones((4, 2))) - np.ones((4, 1))) * number).sum()
    found = tg.influence(model, loss)
    picture = tg.plot.network(found)
    shown = [x.get_text() for x in picture.findobj(lambda x: hasattr(x, "get_text"))]
    assert tg.plot.gradient_by_depth(found) is not None
    assert any("is not a number" in text for text in shown) == bool(np.isnan(number))


@pytest.mark.slow
def test_a_penalty_on_thousands_of_parameters_takes_no_time_squared():
    leaves = [Value(float(i)) for i in range(3000)]
    (layer,) = tg.explain.layers_of(sum(x * x for x in leaves))
    assert layer.name == "loss"


def sentences(loss, *wrt):
    """Return the text about the step to each of these Values."""
    found = tg.derivation(loss, list(wrt))
    return [describe_share(share, x, found.names) for x in wrt for share in found.step(x).shares]


def named(value, name):
    value.name = name
    return value


def test_sentences_of_matrix_products_fit_the_axes_of_their_factors():
    x, y, w = (
        Value(np.ones(shape), name=n) for shape, n in [((5, 3), "x"), (3, "y"), ((3, 2), "w")]
    )
    of_rows = sentences((named(x @ w, "v") ** 2).sum(), x, w)
    assert "each unit of its row of v" in of_rows[0] and "added up over the rows" in of_rows[1]
    of_one = sentences((named(y @ w, "v") ** 2).sum(), y, w)
    assert "reaches each unit of v" in of_one[0] and "rows" not in of_one[1]
    turned = sentences((named(x @ y, "v") ** 2).sum(), x, y)
    assert "A row of x gives an entry of v" in turned[0] and "multiplies a column" in turned[1]
    line = tg.nn.Linear(3, 2, dtype=np.float64, generator=0)
    assert "to every row" in sentences((named(line(x), "v") ** 2).sum(), line.bias)[0]
    assert "to every row" not in sentences((named(line(y), "v") ** 2).sum(), line.bias)[0]


def test_what_a_sum_hands_on_is_its_own_gradient():
    x = Value(np.ones((3, 4)), name="x")
    (told,) = sentences((named(x.sum(axis=0), "v") ** 2).sum(), x)
    assert told == "Every entry of x is a term of one entry of v, and gets its whole dL/dv."


def test_of_an_array_that_one_number_is_computed_from_one_entry_is_moved():
    x = Value(np.ones(4), name="x")
    assert sentences((x**2).sum(), x) == ["L changes 2x times as fast as that entry of x."]
    assert sentences(x.sum(), x) == ["L rises one for one with each entry of x."]
    assert sentences(x.mean(), x) == ["L changes 1/N times as fast as that entry of x."]


def test_a_sum_of_cases_is_not_told_as_one_of_them():
    x = Value([1.0, -1.0], name="x")
    v = named(np.where(x.data > 0, x, 2 * x), "v")
    told = sentences(((v + v * v) * np.ones(2)).sum(), x, v)
    assert all(one.count("(") == one.count(")") for one in told)


def test_the_end_of_a_long_name_is_left_out():
    w = Value([[0.5]], name="w" * 10_000)
    loss = (np.ones((3, 1)) @ w).mean() + Value(1.0, name="w" * 9_000)
    assert len(tg.derivation(loss).text()) < 4000
    assert len(tg.plot.computation_graph(loss).svg()) < 8000
    assert len(tg.influence(None, loss).text()) < 8000


def test_layers_without_units_have_jacobians_of_norm_0():
    x, w = Value(np.ones((4, 3)), name="x"), Value(np.ones((3, 0)), name="w")
    loss = (np.tanh(np.tanh(x @ w) @ Value(np.ones((0, 2)))) - np.ones((4, 2))).sum()
    found = tg.influence(None, loss)
    assert "explodes" not in found.text() and found.layers[0].cotangent_norm == 0


def test_what_is_made_of_parameters_alone_may_pass_a_cut():
    x = Value(0.7, name="x")
    loss = np.hypot(x, tg.log_softmax(x)) * 0.3 + tg.log_softmax(x) * 0.5
    assert tg.influence(None, loss).weights[0].gradient == pytest.approx(0.3)


def test_a_matrix_has_edges_where_it_multiplies_units_or_is_looked_up_in():
    model = Turned()
    x = np.random.default_rng(1).normal(size=(5, 3))
    scaled = tg.influence(model, tg.losses.mse(model(x), np.ones((5, 3)))).layers[1]
    assert scaled.parameters and scaled.connections is None
    table, last = Value(np.arange(12.0).reshape(4, 3) / 9), Value(np.ones((3, 1)))
    h = np.tanh(table[np.array([0, 3, 1])])
    edges = tg.influence(None, (h @ last).mean()).layers[0].connections
    np.testing.assert_array_equal(edges.weights, table.data)
    assert edges.name(3, 1).endswith("[3, 1]")
