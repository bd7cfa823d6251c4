"""Dropout, Embedding, Bilinear and Residual, and a convolutional network as a whole."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from operands import frozen

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

LAYERS = [
    *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "BatchNorm1d"),
    *("BatchNorm2d", "Bilinear", "Conv1d", "Conv2d", "Dropout", "Embedding", "Flatten"),
    *("LayerNorm", "MaxPool1d", "MaxPool2d", "RMSNorm", "Residual"),
]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_public_and_documented(name):
    layer = getattr(nn, name)
    assert name in nn.__all__ and name in dir(nn) and issubclass(layer, nn.Module)
    assert ">>>" in layer.__doc__ and "Source" in layer.__doc__


# ---- Dropout


def test_dropout_leaves_out_a_share_of_the_entries_and_keeps_the_mean():
    out = nn.Dropout(0.25, generator=0)(np.ones((400, 250)))
    assert set(np.unique(out)) == {0.0, 1 / 0.75}
    assert (out == 0).mean() == pytest.approx(0.25, abs=5e-3)
    assert out.mean() == pytest.approx(1, abs=1e-2)


def test_the_gradient_of_dropout_is_the_mask():
    x = tg.Value(numbers(5, 4))
    out = nn.Dropout(0.5, generator=0)(x)
    out.backward(np.ones((5, 4)))
    np.testing.assert_array_equal(x.grad, 2.0 * (out.data != 0))


@pytest.mark.parametrize("layer", [nn.Dropout(0.0), nn.Dropout(0.9).eval()], ids=["p=0", "eval"])
def test_dropout_does_nothing_where_p_is_0_or_after_eval(layer):
    x = tg.Value(numbers(3))
    assert layer(x) is x


def test_dropout_of_everything_is_zeros():
    x = tg.Value(numbers(3, 4))
    out = nn.Dropout(1.0)(x)
    out.backward(np.ones((3, 4)))
    assert out.tolist() == x.grad.tolist() == np.zeros((3, 4)).tolist()


def test_one_seed_leaves_out_the_same_entries_in_every_dtype_and_each_time_others():
    first, second = nn.Dropout(0.5, generator=3), nn.Dropout(0.5, generator=3)
    a, b = first(np.ones(50)), second(np.ones(50, np.float32))
    assert a.tolist() == b.tolist() and b.dtype == np.float32
    assert a.tolist() != first(np.ones(50)).tolist()


def test_the_generator_of_dropout_is_found_for_resuming():
    model = nn.Sequential(nn.Dropout(0.5, generator=3), nn.ReLU())
    (generator,) = model.generators()
    state = generator.bit_generator.state
    again = model(np.ones(50)).tolist()
    generator.bit_generator.state = state
    assert model(np.ones(50)).tolist() == again


@pytest.mark.parametrize("p", [1.5, -0.1, np.nan, "half", True])
def test_a_p_that_is_no_probability_is_refused(p):
    with pytest.raises(ArgumentError, match="Dropout: p must be a number from 0 to 1, got"):
        nn.Dropout(p)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, nn.MultiHeadAttention])
def test_a_layer_with_dropout_names_its_own_argument(kind):
    size = (4,) if kind is nn.MultiHeadAttention else (4, 4)
    message = f"^{kind.__name__}.*: dropout must be a number from 0 to 1, got 2"
    with pytest.raises(ArgumentError, match=message):
        kind(*size, 2, dropout=2)


# ---- Embedding


def test_an_embedding_reads_rows_and_a_row_that_is_read_twice_gets_both_gradients():
    layer = nn.Embedding(4, 2, dtype=np.float64, generator=0)
    indices = np.array([[1, 3], [1, 0]])
    out = layer(indices)
    out.backward(np.ones((2, 2, 2)))
    np.testing.assert_array_equal(out.data, layer.weight.data[indices])
    assert layer.weight.grad.tolist() == [[1, 1], [2, 2], [0, 0], [1, 1]]


@pytest.mark.slow
@pytest.mark.torch
def test_an_embedding_with_padding_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    ours, theirs = nn.Embedding(5, 3, padding_index=2), torch.nn.Embedding(5, 3, padding_idx=2)
    theirs.load_state_dict({"weight": torch.tensor(ours.weight.data)})
    indices, g = np.array([2, 1, 2, 4]), numbers(4, 3).astype(np.float32)
    out = ours(indices)
    out.backward(g)
    theirs(torch.tensor(indices)).backward(torch.tensor(g))
    np.testing.assert_array_equal(ours.weight.grad, theirs.weight.grad.numpy())
    assert not out.data[0].any() and out.dtype == np.float32


def test_an_embedding_begins_normal_and_repeats_by_seed():
    layer = nn.Embedding(500, 20, generator=1)
    assert layer.weight.data.mean() == pytest.approx(0, abs=0.03)
    assert layer.weight.data.std() == pytest.approx(1, abs=0.03)
    assert (nn.Embedding(500, 20, generator=1).weight.data == layer.weight.data).all()


@pytest.mark.parametrize("indices", [3, [], [[0, 1]], np.uint8([1, 2])], ids=repr)
def test_indices_of_any_shape_give_rows(indices):
    assert nn.Embedding(4, 2)(indices).shape == (*np.shape(indices), 2)


@pytest.mark.parametrize("index", [-1, 4, 10**12])
def test_an_index_out_of_range_is_refused_with_its_place(index):
    match = rf"Embedding\(4, 2\): indices must be from 0 to 3, got {index} at \[1, 0\]"
    with pytest.raises(ArgumentError, match=match):
        nn.Embedding(4, 2)([[0], [index]])


@pytest.mark.parametrize(
    "indices", [[0.0, 1.0], [True], ["a"], tg.Value([1.0])], ids=["float", "bool", "text", "Value"]
)
def test_indices_that_are_not_whole_numbers_are_refused(indices):
    with pytest.raises(DtypeError, match=r"Embedding\(4, 2\): indices must be an array"):
        nn.Embedding(4, 2)(indices)


@pytest.mark.parametrize("index", [4, -1, 1.0, True])
def test_a_padding_index_that_is_no_row_is_refused(index):
    with pytest.raises(ArgumentError, match="padding_index "):
        nn.Embedding(4, 2, index)


# ---- Bilinear


@pytest.mark.torch
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_is_that_of_pytorch(bias):
    torch = pytest.importorskip("torch")
    ours = nn.Bilinear(3, 4, 2, bias, dtype=np.float64)
    theirs = torch.nn.Bilinear(3, 4, 2, bias).double()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    inputs, g = [numbers(5, 2, 3), numbers(5, 2, 4, seed=1)], numbers(5, 2, 2, seed=2)
    out, expected = ours(*inputs), theirs(*map(torch.tensor, inputs))
    out.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-11)


def test_the_derivatives_of_bilinear_agree_with_central_differences():
    layer = nn.Bilinear(2, 3, 2, dtype=np.float64, generator=0)
    tg.check_gradients(frozen(layer), numbers(4, 2), numbers(4, 3), order=2)
    assert layer(numbers(2), numbers(3)).shape == (2,)


@pytest.mark.parametrize("shapes", [((5, 3), (5, 3)), ((5, 2), (4, 3)), ((), (3,))], ids=str)
def test_inputs_of_bilinear_that_do_not_fit_are_refused(shapes):
    match = r"Bilinear\(2, 3, 4\): x1 and x2 must have shapes \(..., 2\) and \(..., 3\)"
    with pytest.raises(ShapeError, match=match):
        nn.Bilinear(2, 3, 4)(*map(np.ones, shapes))


# ---- Residual


def test_a_residual_adds_what_its_layers_make_to_what_they_are_given():
    inner, x = nn.Linear(3, 3, dtype=np.float64), numbers(4, 3)
    np.testing.assert_array_equal(nn.Residual(inner)(x).data, x + inner(x).data)
    block = nn.Residual(inner, np.tanh)
    tg.check_gradients(frozen(block), x, order=2)
    assert [name for name, _ in block.named_parameters()] == ["layers.0.weight", "layers.0.bias"]


def test_a_residual_whose_layers_change_the_shape_is_refused_by_its_name():
    model = nn.Sequential(nn.ReLU(), nn.Residual(nn.Linear(3, 1)))
    match = r"layers.1: Residual: the layers must keep the shape of x, \(4, 3\), .*restores"
    with pytest.raises(ShapeError, match=match):
        model(np.ones((4, 3), np.float32))


# ---- together


def network(generator=0, **options):
    """A small network of every kind of layer for images."""
    random = np.random.default_rng(generator)
    options = {"dtype": np.float64, **options}
    seeded = {"generator": random, **options}
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, **seeded),
        nn.BatchNorm2d(4, **options),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(nn.Conv2d(4, 4, 3, padding="same", groups=2, **seeded), nn.Tanh()),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
        nn.LayerNorm(24, **options),
        nn.Linear(24, 3, **seeded),
    )


def test_the_parameters_of_a_network_have_the_right_gradients():
    model, x, step = network(), numbers(3, 1, 8, 8), 1e-6
    loss = lambda: (model(x) ** 2).sum()
    loss().backward()
    for seed, parameter in enumerate(model.parameters()):
        middle, direction, ends = parameter.data.copy(), numbers(*parameter.shape, seed=seed), []
        for sign in (1, -1, 0):
            parameter.data = middle + sign * step * direction
            ends.append(loss().item())
        slope = (ends[0] - ends[1]) / (2 * step)
        assert slope == pytest.approx(np.vdot(parameter.grad, direction), rel=1e-5, abs=1e-5)


def test_a_network_is_copied_pickled_and_repeats_its_bits():
    model, x = network().eval(), numbers(2, 1, 8, 8)
    expected = model(x).tolist()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), network().eval()):
        assert twin(x).tolist() == expected


def test_a_convolutional_network_learns_which_half_is_brighter():
    random, x = np.random.default_rng(0), numbers(64, 1, 8, 8).astype(np.float32)
    target = np.sign(x[:, 0, :4].mean((1, 2)) - x[:, 0, 4:].mean((1, 2)))[:, None]
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, generator=random),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 1, generator=random),
    )
    history = [step(model, x, target) for _ in range(150)]
    assert history[-1] < 0.3 * history[0]
    assert (np.sign(model(x).data) == target).mean() > 0.95


def step(model, x, target):
    """One step of gradient descent; the loss before it."""
    loss = tg.losses.mse(model(x), target)
    loss.backward()
    for parameter in model.parameters():
        parameter.data -= 0.1 * parameter.grad
    model.zero_grad()
    return float(loss)


def test_the_slope_of_leaky_relu_is_a_hundredth_unless_chosen():
    assert nn.LeakyReLU()(np.array([-2.0, 3.0])).tolist() == [-0.02, 3.0]
