"""Initialisers: the distributions that they promise, PyTorch's bounds, and where they put them."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.nn import init

ALL = {
    "constant": functools.partial(init.constant, value=3.0),
    "kaiming_normal": init.kaiming_normal,
    "kaiming_uniform": init.kaiming_uniform,
    "normal": init.normal,
    "ones": init.ones,
    "orthogonal": init.orthogonal,
    "uniform": init.uniform,
    "xavier_normal": init.xavier_normal,
    "xavier_uniform": init.xavier_uniform,
    "zeros": init.zeros,
}
RANDOM = {k: f for k, f in ALL.items() if k not in {"constant", "ones", "zeros"}}
WIDE = {"dtype": np.float64, "generator": 0}

each = pytest.mark.parametrize("f", ALL.values(), ids=ALL)
each_random = pytest.mark.parametrize("f", RANDOM.values(), ids=RANDOM)


# ---- distributions


@pytest.mark.torch
@pytest.mark.parametrize("window", [(), (3,), (3, 5)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "fan_out"},
        {"a": 0.3},
        {"nonlinearity": "tanh"},
        {"nonlinearity": "relu"},
        {"nonlinearity": "linear"},
        {"nonlinearity": "selu"},
    ],
    ids=str,
)
def test_kaiming_draws_as_wide_as_pytorch(window, options):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.kaiming_uniform_(torch.empty(200, 150, *window), **options).numpy()
    shape = theirs.shape if window else theirs.shape[::-1]
    bound = math.sqrt(3.0) * init._kaiming_std(
        "here", shape, **{**DEFAULTS, **options}, layout=None
    )
    assert abs(theirs).max() == pytest.approx(bound, rel=1e-3)
    assert abs(init.kaiming_uniform(shape, **options, **WIDE).data).max() <= bound
    drawn = init.kaiming_normal(shape, **options, **WIDE).data
    assert drawn.std() == pytest.approx(bound / math.sqrt(3.0), rel=0.02)


DEFAULTS = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}


@pytest.mark.torch
@pytest.mark.parametrize("window", [(), (3,), (3, 5)])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_xavier_draws_as_wide_as_pytorch(window, gain):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.xavier_uniform_(torch.empty(200, 150, *window), gain).numpy()
    shape = theirs.shape if window else theirs.shape[::-1]
    ours = init.xavier_uniform(shape, gain, **WIDE).data
    assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=1e-3)
    assert init.xavier_normal(shape, gain, **WIDE).data.std() == pytest.approx(
        theirs.std(), rel=0.02
    )


@pytest.mark.torch
@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    if name == "leaky_relu":
        expected = torch.nn.init.calculate_gain(name, 0.3)
        assert init.calculate_gain(name, 0.3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("made", "mean", "std"),
    [
        (init.normal((300, 200), 2.0, 0.5, **WIDE), 2.0, 0.5),
        (init.uniform((300, 200), -1.0, 3.0, **WIDE), 1.0, 4 / 12**0.5),
        (init.kaiming_normal((300, 200), **WIDE), 0.0, (2 / 300) ** 0.5),
        (init.kaiming_uniform((300, 200), **WIDE), 0.0, (2 / 300) ** 0.5),
        (init.xavier_normal((300, 200), **WIDE), 0.0, (2 / 500) ** 0.5),
        (init.xavier_uniform((300, 200), **WIDE), 0.0, (2 / 500) ** 0.5),
        (init.kaiming_normal((30, 20, 10, 10), **WIDE), 0.0, (2 / 2000) ** 0.5),
        (init.constant((300, 200), 3.0), 3.0, 0.0),
        (init.ones((300, 200)), 1.0, 0.0),
        (init.zeros((300, 200)), 0.0, 0.0),
    ],
)
def test_mean_and_deviation_are_as_promised(made, mean, std):
    count = made.size  # five standard errors of each figure
    assert made.data.mean() == pytest.approx(mean, abs=5 * std / count**0.5)
    assert made.data.std() == pytest.approx(std, abs=5 * std / (2 * count) ** 0.5)


def test_uniform_draws_stay_within_their_bounds_and_reach_them():
    drawn = init.uniform(10_000, -1.0, 3.0, **WIDE).data
    assert -1 <= drawn.min() < -0.99 and 2.99 < drawn.max() < 3


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 2, 2), (20, 2, 3)])
def test_orthogonal_rows_or_columns_are_orthogonal(shape):
    matrix = init.orthogonal(shape, 2.0, **WIDE).data.reshape(shape[0], -1)
    product = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-13)


def test_orthogonal_matrices_of_all_orientations_are_drawn():
    random = np.random.default_rng(0)
    made = [init.orthogonal((2, 2), dtype=float, generator=random).data for _ in range(400)]
    assert abs(np.mean(made, axis=0)).max() < 0.15
    assert abs(np.mean([np.linalg.det(matrix) for matrix in made])) < 0.2


def test_signals_keep_their_size_through_many_layers():
    x = np.random.default_rng(0).normal(size=(100, 256))
    for position in range(20):
        x = np.maximum(x @ init.kaiming_normal((256, 256), dtype=float, generator=position).data, 0)
    assert 0.1 < np.mean(x * x) < 10


def test_the_layout_may_be_said():
    narrow = init.xavier_uniform((1, 100), layout="out_in", **WIDE)
    np.testing.assert_array_equal(narrow.data, init.xavier_uniform((1, 100), **WIDE).data)
    turned = init.kaiming_uniform((1, 600), layout="out_in", **WIDE)
    assert abs(turned.data).max() <= 0.1 < abs(init.kaiming_uniform((1, 600), **WIDE).data).max()
    window = init.kaiming_uniform((6, 1, 10, 10), layout="in_out", **WIDE)
    assert abs(window.data).max() <= 0.1


# ---- where they put it


@each
def test_a_shape_gives_a_new_parameter(f):
    made = f((3, 4), generator=0)
    assert isinstance(made, tg.Value) and made.requires_grad
    assert made.shape == (3, 4) and made.dtype == np.float32
    assert f([3, 4], dtype=np.float64).dtype == np.float64


@each
def test_a_parameter_is_reset_in_place_and_keeps_its_dtype(f):
    layer = nn.Linear(3, 4, dtype=np.float64)
    weight, held = layer.weight, layer.weight.data
    given = f(weight, generator=7)
    assert given is weight is layer.weight and weight.name == "weight"
    np.testing.assert_array_equal(held, f((3, 4), dtype=np.float64, generator=7).data)
    assert weight.dtype == np.float64


@each_random
def test_one_seed_gives_the_same_bits_in_every_dtype(f):
    wide, narrow = f((3, 4), **WIDE).data, f((3, 4), generator=0).data
    np.testing.assert_array_equal(wide.astype(np.float32), narrow)
    np.testing.assert_array_equal(narrow, f((3, 4), generator=np.random.default_rng(0)).data)
    assert (narrow != f((3, 4), generator=1).data).any()


@each_random
def test_the_global_random_state_is_not_touched(f):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    f((3, 4), generator=0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_a_number_among_parameters_stays_a_number():
    number = tg.Value(2.0)
    init.constant(number, 3.0)
    assert type(number.data) is float and number.data == 3.0


def test_reset_gives_weights_and_biases_to_their_initialisers():
    model = nn.Sequential(nn.Linear(3, 4), nn.GRU(4, 5), nn.PReLU())
    assert init.reset(model, init.orthogonal, init.ones, generator=0) is model
    state = model.state_dict()
    assert all((array == 1).all() for name, array in state.items() if "bias" in name)
    np.testing.assert_allclose(
        state["layers.0.weight"] @ state["layers.0.weight"].T, np.eye(3), atol=1e-6
    )
    assert state["layers.2.weight"].tolist() == [0.25]


def test_reset_draws_differently_for_each_layer_and_may_leave_biases():
    model = nn.MLP(3, [3], 3, generator=0)
    before = model.state_dict()
    init.reset(model, functools.partial(init.normal, std=0.01), None, generator=0)
    after = model.state_dict()
    assert (after["layers.0.weight"] != after["layers.2.weight"]).all()
    assert (before["layers.0.bias"] == after["layers.0.bias"]).all()
    assert abs(after["layers.0.weight"]).max() < 0.1


# ---- bad use


@pytest.mark.parametrize(
    "f", [init.kaiming_normal, init.kaiming_uniform, init.xavier_normal, init.orthogonal]
)
@pytest.mark.parametrize("shape", [(), (3,), 3])
def test_a_weight_without_inputs_and_outputs_is_refused(f, shape):
    with pytest.raises(ShapeError, match=r"must have at least two axes.*use normal or uniform"):
        f(shape)


@pytest.mark.parametrize("shape", [(0, 3), (3, -1), (3, 1.5), "ab", None])
def test_shapes_are_whole_numbers_from_one(shape):
    with pytest.raises(ArgumentError, match="normal: an axis of the shape "):
        init.normal(shape)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: init.kaiming_normal((2, 3), mode="fan"), ArgumentError, "mode must be 'fan_in'"),
        (
            lambda: init.kaiming_normal((2, 3), nonlinearity="gelu"),
            ArgumentError,
            "calculate_gain: nonlinearity must be 'identity', 'leaky_relu', ",
        ),
        (lambda: init.xavier_normal((2, 3), layout="io"), ArgumentError, "layout must be 'in_out'"),
        (
            lambda: init.normal(3, std=-1.0),
            ArgumentError,
            "std must be a finite number >= 0, got -1",
        ),
        (lambda: init.uniform(3, 1.0, 0.0), ArgumentError, "low must be <= high"),
        (lambda: init.zeros(3, dtype=int), DtypeError, "zeros: dtype must be a floating"),
        (lambda: init.zeros(3, generator="x"), ArgumentError, "generator must be a numpy"),
        (lambda: init.normal((10**9, 10**9)), ArgumentError, "must fit in memory"),
        (lambda: init.zeros(tg.Value([1.0]) * 2), ArgumentError, "got a computed Value"),
        (
            lambda: init.zeros(tg.Value([1.0]), dtype="float32"),
            ArgumentError,
            "dtype must be that of the parameter, float64",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, told):
    with pytest.raises(error, match=told):
        call()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("model", init.ones), "model must be a tg.nn.Module, got str"),
        ((nn.Linear(1, 1), None), "weight must be an initialiser such as init.zeros, got None"),
        ((nn.Linear(1, 1), "ones"), "weight must be an initialiser such as init.zeros, got 'ones'"),
        ((nn.Linear(1, 1), init.ones, 0), "bias must be an initialiser such as init.zeros, got 0"),
    ],
)
def test_reset_takes_a_model_and_initialisers(arguments, words):
    with pytest.raises(ArgumentError) as caught:
        init.reset(*arguments)
    assert str(caught.value) == f"reset: {words}"


def test_a_shape_has_at_most_32_axes_and_a_slope_a_finite_square():
    assert init.ones((1,) * 32).ndim == 32
    with pytest.raises(ArgumentError, match="target must be a shape of at most 32 axes, got 33"):
        init.ones((1,) * 33)
    assert init.calculate_gain("leaky_relu", -1e150) == pytest.approx(math.sqrt(2) / 1e150)
    with pytest.raises(ArgumentError, match="parameter must be at most 1e150, got -1"):
        init.calculate_gain("leaky_relu", -1.1e150)
