"""The chain from the loss down: Jacobians against tg.jacobian, spectra against NumPy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr as tg
from tinygrad_lr.explain.influences import jacobians

few = settings(max_examples=12)


def network(seed=0, hidden=(4, 3), rows=6, activation="tanh"):
    """A network, its layers as functions of one row, and a loss of some rows."""
    model = tg.nn.MLP(2, list(hidden), 2, activation=activation, dtype=np.float64, generator=seed)
    linear, act = model[::2], model[1]
    functions = [lambda h, layer=layer: act(layer(h)) for layer in linear[:-1]] + [linear[-1]]
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return model, functions, x, tg.losses.mse(model(x), np.zeros((rows, 2)))


def jacobian_at(function, x):
    """Of a function that uses parameters, as a plain array."""
    with tg.no_grad():
        return tg.jacobian(function)(x)


def states(functions, row):
    """Return the output of each layer for one row, as plain arrays."""
    found = []
    for function in functions:
        row = np.asarray(function(row[None]).data)[0]
        found.append(row)
    return found


@few
@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_factors_are_the_jacobians_of_the_layers_at_each_row(seed, hidden):
    model, functions, x, loss = network(seed, hidden)
    found = tg.influence(model, loss, rows=[0, 5])
    for place, row in enumerate((0, 5)):
        h = states(functions, x[row])
        for i in range(1, len(functions)):
            one = jacobian_at(lambda v, f=functions[i]: f(v[None])[0], h[i - 1])
            factor = found.layers[i].factor
            assert factor.rows == (0, 5) and factor.exact
            np.testing.assert_allclose(factor.matrices[place], one, rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_products_are_the_products_of_the_factors(seed, hidden):
    model, _, _, loss = network(seed, hidden)
    layers = tg.influence(model, loss, rows=[2]).layers
    product = np.eye(2)
    for layer, before in zip(layers[:0:-1], layers[-2::-1], strict=True):
        product = product @ layer.factor.matrices[0]
        np.testing.assert_allclose(before.product.matrices[0], product, rtol=1e-9, atol=1e-13)


@few
@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_chain_rule_leads_from_each_cotangent_to_the_one_before(seed, hidden):
    model, _, _, loss = network(seed, hidden)
    layers = tg.influence(model, loss, rows=range(6)).layers
    for before, layer in itertools.pairwise(layers):
        pulled = np.einsum("rij,ri->rj", layer.factor.matrices, layer.cotangent)
        np.testing.assert_allclose(before.cotangent, pulled, rtol=1e-9, atol=1e-14)


def test_cotangents_are_the_gradients_of_what_the_layers_hand_on():
    model, _, x, _ = network()
    h1 = model[1](model[0](x))
    h2 = model[3](model[2](h1))
    loss = tg.losses.mse(model[4](h2), np.zeros((6, 2)))
    first, second, _ = tg.influence(model, loss).layers
    loss.backward()
    np.testing.assert_allclose(first.cotangent, h1.grad)
    np.testing.assert_allclose(second.cotangent, h2.grad)


def test_norms_and_spectra_are_those_of_the_written_out_matrices():
    model, _, _, loss = network(hidden=(5, 7, 3))
    for layer in tg.influence(model, loss).layers:
        for jacobian in filter(None, (layer.factor, layer.product)):
            for i, matrix in enumerate(jacobian.matrices):
                values = np.linalg.svd(matrix, compute_uv=False)
                np.testing.assert_allclose(jacobian.singular_values[i], values, atol=1e-14)
                assert jacobian.spectral[i] == pytest.approx(np.linalg.norm(matrix, 2))
                assert jacobian.frobenius[i] == pytest.approx(np.linalg.norm(matrix))


def test_four_rows_spread_over_the_batch_are_looked_at_unless_they_are_named():
    model, _, _, loss = network(rows=101)
    assert tg.influence(model, loss).layers[1].factor.rows == (0, 33, 67, 100)
    assert "rows 0, 33, 67, 100 (means over them)" in tg.influence(model, loss).text(detail=True)


def test_where_rows_mix_the_jacobian_is_that_of_the_whole_batch():
    model = tg.nn.Sequential(
        tg.nn.Linear(2, 3, dtype=np.float64, generator=0), tg.nn.Tanh(),
        tg.nn.Linear(3, 2, bias=False, dtype=np.float64, generator=1),
        tg.nn.BatchNorm1d(2, dtype=np.float64),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(4, 2))
    h1 = np.tanh(model[0](x)).data
    found = tg.influence(model, tg.losses.mse(model(x), np.zeros((4, 2))))
    factor, _ = (layer.factor for layer in found.layers[1:])
    bare = tg.nn.BatchNorm1d(2, dtype=np.float64)  # its scale is 1, its shift 0
    whole = jacobian_at(lambda h: bare(model[2](h)), h1).reshape(8, 12)
    assert factor.rows is None
    np.testing.assert_allclose(factor.matrices[0], whole, rtol=1e-8, atol=1e-12)
    assert any("rows of the batch mix" in sentence for sentence in found.findings)


def test_in_evaluation_mode_batch_normalisation_does_not_mix_rows():
    model = tg.nn.Sequential(
        tg.nn.Linear(2, 3, generator=0), tg.nn.BatchNorm1d(3), tg.nn.Linear(3, 1, generator=1)
    ).eval()
    loss = tg.losses.mse(model(np.ones((4, 2), np.float32)), np.zeros((4, 1)))
    layers = tg.influence(model, loss).layers
    assert all(layer.factor.rows == (0, 1, 2, 3) for layer in layers[1:])


def test_attention_within_a_row_does_not_mix_the_rows_of_the_batch():
    attention = tg.nn.MultiHeadAttention(4, 2, dtype=np.float64, generator=0)
    first = tg.nn.Linear(3, 4, dtype=np.float64, generator=1)
    x = np.random.default_rng(0).normal(size=(3, 5, 3))

    def out(h):
        y = attention(h, h, h)
        return y[0] if isinstance(y, tuple) else y

    model = tg.nn.Sequential(first, attention)
    loss = tg.losses.mse(out(first(x)), np.zeros((3, 5, 4)))
    found = tg.influence(model, loss, rows=[1])
    h = first(x).data[1]
    whole = jacobian_at(lambda v: out(v[None])[0], h).reshape(20, 20)
    product = found.layers[0].product
    assert product.rows == (1,)
    np.testing.assert_allclose(product.matrices[0], whole, rtol=1e-8, atol=1e-12)


def test_a_skip_connection_is_part_of_the_factor():
    first, second = (tg.nn.Linear(3, 3, dtype=np.float64, generator=i) for i in (0, 1))
    x = np.random.default_rng(0).normal(size=(4, 3))
    h = np.tanh(first(x))
    model = tg.nn.Sequential(first, second)
    loss = tg.losses.mse(h + np.tanh(second(h)), np.zeros((4, 3)))
    found = tg.influence(model, loss, rows=[2])
    one = jacobian_at(lambda v: v + np.tanh(second(v)), h.data[2])
    np.testing.assert_allclose(found.layers[1].factor.matrices[0], one, rtol=1e-9)


def test_convolutions_have_jacobians_by_row():
    model = tg.nn.Sequential(
        tg.nn.Conv2d(1, 2, 2, dtype=np.float64, generator=0), tg.nn.Tanh(), tg.nn.Flatten(),
        tg.nn.Linear(8, 2, dtype=np.float64, generator=1),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(5, 1, 3, 3))
    found = tg.influence(model, tg.losses.cross_entropy(model(x), np.array([0, 1, 0, 1, 1])))
    assert found.layers[1].factor.rows == (0, 1, 3, 4)
    weight = np.broadcast_to(model[3].weight.data.T, (4, 2, 8))
    np.testing.assert_allclose(found.layers[1].factor.matrices, weight, rtol=1e-12)


def test_beyond_the_bound_the_leading_singular_values_are_found_by_products(monkeypatch):
    model, _, _, loss = network(hidden=(40, 30), rows=8)
    exact = tg.influence(model, loss).layers[1].factor
    monkeypatch.setattr(jacobians, "MAX_PASSES", 8)
    found = tg.influence(model, loss)
    factor = found.layers[1].factor
    assert factor.matrices is None and not factor.exact and factor.rows == exact.rows
    np.testing.assert_allclose(factor.singular_values, exact.singular_values[:, :6], rtol=1e-8)
    np.testing.assert_allclose(factor.frobenius, exact.frobenius, rtol=0.15)
    assert any("too large to compute in full" in sentence for sentence in found.findings)
    assert "≈" in found.text()


def test_sixty_steps_find_the_largest_singular_values_of_a_wide_matrix():
    matrix = np.random.default_rng(0).normal(size=(700, 600))
    found = jacobians.leading_singular_values(
        lambda x: x @ matrix.T, lambda x: x @ matrix, np.ones((1, 600))
    )
    values = np.linalg.svd(matrix, compute_uv=False)
    assert found[0, 0] == pytest.approx(values[0], rel=1e-4)
    np.testing.assert_allclose(found[0, :6], values[:6], rtol=0.02)


def test_a_matrix_of_zeros_has_no_singular_values_but_zero():
    zero = np.zeros((4, 4))
    found = jacobians.leading_singular_values(
        lambda x: x @ zero, lambda x: x @ zero, np.ones((2, 4))
    )
    assert not found.any()


@pytest.mark.parametrize(
    ("name", "bound", "exact"),
    [
        ("MAX_PASSES", 5, True),  # a matrix of 7 by 5 needs five passes
        ("MAX_PASSES", 4, False),
        ("MAX_ENTRIES", 4 * 35, True),  # of four rows
        ("MAX_ENTRIES", 4 * 35 - 1, False),
    ],
)
def test_a_jacobian_is_written_out_up_to_its_bounds(name, bound, exact, monkeypatch):
    model, _, _, loss = network(hidden=(5, 7), rows=9)
    monkeypatch.setattr(jacobians, name, bound)
    factor = tg.influence(model, loss).layers[1].factor
    assert factor.shape == (7, 5) and factor.exact == exact


def test_shapes_are_those_of_the_matrices_of_one_row():
    model, _, _, loss = network(hidden=(5, 7, 3))
    for layer in tg.influence(model, loss).layers:
        for jacobian in filter(None, (layer.factor, layer.product)):
            assert jacobian.shape == jacobian.matrices.shape[1:]
    shapes = [layer.product.shape for layer in tg.influence(model, loss).layers[:-1]]
    assert shapes == [(2, 5), (2, 7), (2, 3)]


def test_a_layer_that_hands_on_a_number_of_all_rows_has_one_jacobian_for_them():
    layers = [tg.nn.Linear(3, 3, dtype=np.float64, generator=i) for i in range(4)]
    first, second, third, fourth = layers
    h = np.tanh(first(np.random.default_rng(0).normal(size=(4, 3))))
    k = np.tanh(second(h))
    whole = np.mean(k)
    loss = tg.losses.mse(fourth(np.tanh(third(k))) * whole, np.zeros((4, 3)))
    factor = tg.influence(tg.nn.Sequential(*layers), loss).layers[1].factor
    slope = jacobian_at(lambda h: np.tanh(second(h)).mean(), h.data).reshape(-1)
    assert (factor.rows, factor.shape) == (None, (13, 12))
    assert any(np.allclose(row, slope) for row in factor.matrices[0])
