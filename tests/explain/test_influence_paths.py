"""The paths from a weight to the loss: their parts add up, and each is what calculus says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr.explain.graphs.layers import layers_of
from tinygrad_lr.explain.influences import paths
from tinygrad_lr.explain.influences.edge_weights import connections_of
from tinygrad_lr.explain.influences.float64_graph import Float64Graph
from tinygrad_lr.explain.influences.units import Units

few = settings(max_examples=15)


def influence_of(seed=0, hidden=(3, 2), rows=4, dtype=np.float64, **options):
    model = tg.nn.MLP(2, list(hidden), 2, activation="tanh", dtype=dtype, generator=seed)
    random = np.random.default_rng(seed)
    x, y = (random.normal(size=(rows, 2)).astype(dtype) for _ in "xy")
    return model, x, y, tg.influence(model, tg.losses.mse(model(x), y), **options)


@few
@given(
    st.integers(0, 1000),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from([np.float32, np.float64]),
)
def test_the_parts_of_the_units_of_each_layer_add_up_to_the_gradient(seed, hidden, dtype):
    for w in influence_of(seed, hidden, dtype=dtype)[3].weights:
        for part in w.through:
            assert part.contributions.sum() == pytest.approx(w.gradient, rel=1e-9, abs=1e-15)
            np.testing.assert_allclose(part.by_row.sum(axis=0), part.contributions, atol=1e-15)
            assert part.later == 0.0


@few
@given(st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_paths_and_edges_add_up_to_the_parts_of_the_units(seed, hidden):
    for w in influence_of(seed, hidden)[3].weights:
        assert w.paths_complete
        for i, part in enumerate(w.through):
            for unit, contribution in enumerate(part.contributions):
                through = sum(p.contribution for p in w.paths if p.units[i] == unit)
                assert through == pytest.approx(contribution, rel=1e-9, abs=1e-15)
        for i, flow in enumerate(w.edges):
            before, after = w.through[i].contributions, w.through[i + 1].contributions
            np.testing.assert_allclose(flow.sum(axis=1), before, rtol=1e-9, atol=1e-15)
            np.testing.assert_allclose(flow.sum(axis=0), after, rtol=1e-9, atol=1e-15)


def test_each_path_is_the_product_of_its_derivatives():
    model, x, y, found = influence_of(rows=1, weight="layers.0.weight", at=(1, 2))
    (w,) = found.weights
    h1 = model[1](model[0](x)).data[0]
    h2 = model[3](model[2](h1[None])).data[0]
    y_hat = model(x).data[0]
    second, third = model[2].weight.data, model[4].weight.data
    for path in w.paths:
        assert path.units[0] == 2
        _, j, k = path.units
        product = (
            (y_hat[k] - y[0, k]) * third[j, k]
            * (1 - h2[j] ** 2) * second[2, j] * (1 - h1[2] ** 2) * x[0, 1]
        )  # fmt: skip
        assert path.contribution == pytest.approx(product, rel=1e-12)
        assert path.labels == ("h₁[2]", f"h₂[{j}]", f"ŷ[{k}]")
    assert [p.units[1:] for p in w.paths] != sorted(itertools.product((0, 1), (0, 1)))
    assert np.all(np.diff([-abs(p.contribution) for p in w.paths]) >= 0)


def test_the_part_of_a_unit_is_the_gradient_where_all_others_are_held():
    model, x, y, found = influence_of(weight="layers.0.weight", at=(0, 1))
    h2 = model[3](model[2](model[1](model[0](x))))
    for unit, contribution in enumerate(found.weights[0].through[1].contributions):
        keep_unit = np.arange(2) == unit
        weight = tg.Value(model[0].weight.data)
        h1 = np.tanh(x @ weight + model[0].bias.data)
        through = np.where(keep_unit, np.tanh(model[2](h1)), h2.data)
        tg.losses.mse(model[4](through), y).backward()
        assert contribution == pytest.approx(weight.grad[0, 1], rel=1e-10)


@pytest.mark.parametrize("layer", [0, 4])
def test_the_rows_parts_are_the_gradients_of_their_losses(layer):
    model, x, y, found = influence_of(weight=f"layers.{layer}.weight", at=(0, 0))
    for row, part in enumerate(found.weights[0].by_row):
        model.zero_grad()
        (tg.losses.mse(model(x[row : row + 1]), y[row : row + 1]) / 4).backward()
        assert part == pytest.approx(model[layer].weight.grad[0, 0], rel=1e-10)


def test_a_parameter_that_is_read_again_has_a_part_that_comes_later():
    w = tg.Value(np.array([[0.4, -0.3], [0.2, 0.9]]), name="W")
    x = np.array([[1.0, 2.0], [0.5, -1.0]])
    (found,) = tg.influence(None, np.mean(np.tanh(np.tanh(x @ w) @ w)), weight=w, at=(0, 1)).weights
    first = tg.Value(w.data)
    np.mean(np.tanh(np.tanh(x @ first) @ w.data)).backward()
    assert found.through[0].contributions.sum() == pytest.approx(first.grad[0, 1])
    assert found.through[0].later == pytest.approx(found.gradient - first.grad[0, 1])
    assert sum(p.contribution for p in found.paths) == pytest.approx(first.grad[0, 1])
    assert found.through[1].later == 0.0


def test_a_penalty_on_weights_is_a_part_that_comes_later():
    model = tg.nn.MLP(2, [3], 1, dtype=np.float64, generator=0)
    error = tg.losses.mse(model(np.ones((4, 2))), np.zeros((4, 1)))
    loss = error + 0.1 * sum(np.sum(p**2) for p in model.parameters())
    for w in tg.influence(model, loss).weights:
        assert w.through[0].later == pytest.approx(0.2 * w.value)


def test_the_channels_of_a_convolution_are_its_units():
    model = tg.nn.Sequential(
        tg.nn.Conv2d(1, 3, 2, generator=0), tg.nn.ReLU(), tg.nn.Conv2d(3, 2, 2, generator=1),
        tg.nn.Flatten(), tg.nn.Linear(8, 2, generator=2),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(5, 1, 4, 4)).astype(np.float32)
    loss = tg.losses.cross_entropy(model(x), np.array([0, 1, 0, 1, 1]))
    w = tg.influence(model, loss).weights[0]
    assert w.through[0].units == ("h₁[0]", "h₁[1]", "h₁[2]")
    for part in w.through:
        assert part.contributions.sum() == pytest.approx(w.gradient, rel=1e-9)


def test_a_skip_connection_carries_a_part():
    first, second = (tg.nn.Linear(2, 2, dtype=np.float64, generator=i) for i in (0, 1))
    h = np.tanh(first(np.array([[1.0, -2.0]])))
    loss = np.mean((h + np.tanh(second(h))) * np.array([1.0, 3.0]))
    w = tg.influence(None, loss, weight=first.weight, at=(0, 0)).weights[0]
    first.zero_grad()
    loss.backward()
    assert w.gradient == pytest.approx(first.weight.grad[0, 0])
    assert sum(p.contribution for p in w.paths) == pytest.approx(w.gradient)


def test_of_too_many_paths_the_strongest_beginnings_are_followed(monkeypatch):
    every = influence_of(hidden=(6, 6, 6), weight="layers.0.weight")[3].weights[0]
    assert every.paths_complete
    monkeypatch.setattr(paths, "MAX_PATHS", 40)
    some = influence_of(hidden=(6, 6, 6), weight="layers.0.weight")[3].weights[0]
    assert not some.paths_complete and len(some.paths) == 40
    known = {p.units: p.contribution for p in every.paths}
    assert all(known[p.units] == pytest.approx(p.contribution, rel=1e-12) for p in some.paths)
    assert some.paths[0].units == every.paths[0].units


def test_edges_of_too_many_units_are_left_out(monkeypatch):
    monkeypatch.setattr(paths, "MAX_UNITS", 1)
    assert influence_of(hidden=(4, 3))[3].weights[0].edges[0] is None


# ---- what a drawing needs


def test_connections_are_the_matrices_and_their_gradients():
    model, x, y, found = influence_of()
    tg.losses.mse(model(x), y).backward()
    for layer, linear in zip(found.layers, model[::2], strict=True):
        edges = layer.connections
        np.testing.assert_array_equal(edges.weights, linear.weight.data)
        np.testing.assert_allclose(edges.gradients, linear.weight.grad, rtol=1e-10)
        assert edges.there.all() and edges.after == layer.units


def test_a_network_of_scalars_has_the_same_connections_as_its_matrices():
    model, x, _, expected = influence_of(rows=1)
    w = [[tg.Value(float(v)) for v in row] for row in model[0].weight.data]
    b = [tg.Value(float(v)) for v in model[0].bias.data]
    h = [sum((w[i][j] * float(x[0, i]) for i in range(2)), b[j]).tanh() for j in range(3)]
    v = [[tg.Value(float(x)) for x in row] for row in model[2].weight.data]
    out = [sum((h[i] * v[i][j] for i in range(3)), tg.Value(0.0)) for j in range(2)]
    recorded = Float64Graph(sum((o - 1.0) ** 2 for o in out))
    for i in range(2):
        edges = connections_of(recorded, i)
        np.testing.assert_array_equal(edges.weights, expected.layers[i].connections.weights)


def test_a_scale_connects_each_unit_to_itself():
    model = tg.nn.Sequential(
        tg.nn.Linear(2, 3, generator=0), tg.nn.LayerNorm(3), tg.nn.Linear(3, 1, generator=1)
    )
    loss = tg.losses.mse(model(np.ones((4, 2), np.float32)), np.zeros((4, 1)))
    edges = tg.influence(model, loss).layers[1].connections
    np.testing.assert_array_equal(edges.there, np.eye(3, dtype=bool))


def test_a_convolution_has_no_single_weight_between_two_units():
    model = tg.nn.Sequential(
        tg.nn.Conv2d(2, 2, 2, generator=0), tg.nn.Conv2d(2, 2, 2, generator=1), tg.nn.Flatten()
    )
    loss = np.mean(model(np.ones((3, 2, 4, 4), np.float32)) ** 2)
    assert [layer.connections for layer in tg.influence(model, loss).layers] == [None, None]


# ---- which layer a result belongs to


def test_a_penalty_belongs_to_the_loss_and_a_reshaped_bias_to_its_layer():
    model = tg.nn.Sequential(
        tg.nn.Conv2d(1, 2, 2, generator=0), tg.nn.ReLU(), tg.nn.Flatten(),
        tg.nn.Linear(8, 2, generator=1),
    )  # fmt: skip
    error = tg.losses.cross_entropy(model(np.ones((3, 1, 3, 3), np.float32)), np.array([0, 1, 1]))
    loss = error + 0.1 * sum(np.sum(p**2) for p in model.parameters())
    first, second, last = layers_of(loss, model)
    assert [layer.name for layer in (first, second, last)] == ["layers.0", "layers.3", "loss"]
    assert [len(layer.parameters) for layer in (first, second, last)] == [2, 2, 0]
    assert "reshape_to" in [x.record.operation.name for x in first.results]
    assert first.output.shape == (3, 8) and second.output.shape == (3, 2)
    assert sum(x.record.operation.name == "power" for x in last.results) == 4


def test_the_scale_of_batch_normalisation_begins_a_layer_of_its_own():
    model = tg.nn.Sequential(
        tg.nn.Linear(2, 4, generator=0), tg.nn.BatchNorm1d(4), tg.nn.ReLU(),
        tg.nn.Linear(4, 2, generator=1), tg.nn.BatchNorm1d(2),
    )  # fmt: skip
    loss = tg.losses.cross_entropy(model(np.eye(4, 2, dtype=np.float32)), np.array([0, 1, 1, 0]))
    assert [layer.name for layer in layers_of(loss, model)] == [
        *("layers.0", "layers.1", "layers.3", "layers.4", "loss")
    ]


def test_a_network_of_vectors_without_rows_has_a_unit_for_each_entry():
    random = np.random.default_rng(0)
    first, second = (tg.Value(random.normal(size=(3, 3))) for _ in "ab")
    h = np.tanh(first @ np.array([1.0, -0.5, 2.0]))
    loss = tg.losses.mse(second @ h, np.ones(3))
    found = tg.influence(None, loss, weight=[(first, (1, 2))])
    assert found.batch is None
    assert [len(layer.units) for layer in found.layers] == [3, 3]
    np.testing.assert_allclose(found.layers[1].factor.matrices[0], second.data)
    np.testing.assert_array_equal(found.layers[1].connections.weights, second.data.T)
    loss.backward()
    assert found.weights[0].gradient == pytest.approx(first.grad[1, 2])
    assert found.weights[0].through[0].contributions[1] == pytest.approx(first.grad[1, 2])


def test_data_that_is_a_value_is_no_matrix_of_weights():
    model = tg.nn.MLP(3, [3], 1, dtype=np.float64, generator=0)
    x = tg.Value(np.eye(3) * 100)
    found = tg.influence(model, tg.losses.mse(model(x), np.ones((3, 1))))
    assert [w.parameter for w in found.weights] == ["W₁", "W₂"]
    np.testing.assert_array_equal(found.layers[0].connections.weights, model[0].weight.data)


def test_the_rows_parts_of_a_path_add_up_to_it():
    for path in influence_of()[3].weights[0].paths:
        assert path.by_row.shape == (4,)
        assert path.by_row.sum() == pytest.approx(path.contribution, rel=1e-12)


def test_units_that_bypass_a_layer_lead_to_themselves_without_a_weight():
    layers = [tg.nn.Linear(3, 3, dtype=np.float64, generator=i) for i in range(3)]
    first, second, third = layers
    h = np.tanh(first(np.random.default_rng(0).normal(size=(4, 3))))
    loss = tg.losses.mse(third(np.tanh(second(h))) + h, np.zeros((4, 3)))
    edges = tg.influence(tg.nn.Sequential(*layers), loss).layers[1].connections
    own = [edges.after.index(name) for name in edges.before]
    new = [i for i in range(6) if i not in own]
    np.testing.assert_array_equal(edges.there[:, own], np.eye(3, dtype=bool))
    np.testing.assert_array_equal(edges.weights[:, own], np.zeros((3, 3)))
    assert edges.there[:, new].all()
    np.testing.assert_array_equal(edges.weights[:, new], second.weight.data)


def test_every_edge_has_the_name_of_its_weight_and_its_place():
    model, _, _, found = influence_of()
    for number, (layer, linear) in enumerate(zip(found.layers, model[::2], strict=True), 1):
        edges = layer.connections
        for index in np.ndindex(linear.weight.shape):
            assert edges.name(*index) == f"W{'₀₁₂₃'[number]}[{index[0]}, {index[1]}]"
            assert edges.edges_of(edges.names[0], index) == [index]
    scaled = tg.nn.Sequential(tg.nn.Linear(2, 2, generator=0), tg.nn.LayerNorm(2))
    loss = tg.losses.mse(scaled(np.eye(2, dtype=np.float32)), np.zeros((2, 2)))
    names = tg.influence(scaled, loss).layers[1].connections
    assert names.name(0, 1) == names.name(1, 0) == ""
    assert names.name(0, 0).endswith("[0]") and names.name(1, 1).endswith("[1]")


def test_units_have_rows_only_where_every_array_has_those_of_the_batch():
    model = tg.nn.MLP(2, [3], 1, generator=0)
    loss = tg.losses.mse(model(np.ones((4, 2))), np.ones((4, 1)))
    units = Units(Float64Graph(loss, model), 0)
    assert units.by_row([np.ones((4, 3))]).tolist() == np.ones((4, 3)).tolist()
    assert units.by_row([np.ones((5, 3))]) is None
