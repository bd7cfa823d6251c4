"""Modules: parameters are found by name, kept, copied and loaded; layers compute what they say."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError, GraphError, ShapeError
from tinygrad_lr.nn import MLP, Linear, Module, Sequential


def names(module):
    return [name for name, _ in module.named_parameters()]


def mlp(seed=0, **options):
    return MLP(2, [3], 1, generator=seed, **options)


class Holder(Module):
    """Everything that may hold parameters; it does not call super().__init__()."""

    def __init__(self):
        self.scale = tg.Value(2.0)
        self.heads = {"left": Linear(1, 1), "right": [Linear(1, 1, bias=False)]}
        self.pair = (Linear(1, 1), self.heads["left"])
        self.note, self.table = "text", np.ones(3)

    def forward(self, x):
        self.last = self.scale * self.pair[0](x)
        return self.last


def test_parameters_are_found_in_attributes_lists_tuples_and_dicts():
    expected = ["scale", "heads.left.weight", "heads.left.bias", "heads.right.0.weight"]
    assert names(Holder()) == [*expected, "pair.0.weight", "pair.0.bias"]


def test_a_shared_parameter_is_listed_once():
    first, second = Linear(2, 2), Linear(2, 2)
    second.weight = first.weight
    assert names(Sequential(first, second)) == [
        *("layers.0.weight", "layers.0.bias", "layers.1.bias"),
    ]
    assert names(Sequential(first, first)) == ["layers.0.weight", "layers.0.bias"]


def test_a_computed_value_among_the_attributes_is_no_parameter():
    model = Holder()
    before = names(model)
    model(np.ones((4, 1), np.float32))
    assert model.last.shape == (4, 1) and names(model) == before


def test_a_module_may_hold_its_parent():
    model = Holder()
    model.heads["parent"] = model
    assert len(names(model)) == 6 and len(model.modules()) == 4


def test_parameters_in_a_set_are_refused_and_not_forgotten():
    model = Holder()
    model.extra = {Linear(1, 1)}
    with pytest.raises(ArgumentError, match=r"Holder: extra must be a list, a tuple or a dict"):
        model.parameters()


def test_two_parameters_of_one_name_are_refused():
    model = Holder()
    model.heads = {"1": Linear(1, 1), 1: Linear(1, 1)}
    with pytest.raises(ArgumentError, match=r"different names, .*heads\.1\.bias, heads\.1\.weight"):
        model.state_dict()


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module must define forward"):
        Module()(1.0)


def test_state_dict_is_a_copy():
    model = mlp()
    state = model.state_dict()
    state["layers.0.weight"][:] = 7
    assert not (model.state_dict()["layers.0.weight"] == 7).any()


def test_load_state_dict_restores_what_state_dict_saved():
    model, other, x = mlp(0), mlp(1), np.ones((4, 2), np.float32)
    other.load_state_dict(model.state_dict())
    assert (model(x).data == other(x).data).all()
    held = other.layers[0].weight.data
    other.load_state_dict(mlp(2).state_dict())
    assert (held == other.state_dict()["layers.0.weight"]).all()  # in place, where it is held


@pytest.mark.parametrize("state", [None, [("weight", 1.0)], "weights.safetensors", 3])
def test_a_state_that_is_not_a_dict_is_refused(state):
    with pytest.raises(ArgumentError, match="state must be a dict of arrays by name, got"):
        mlp().load_state_dict(state)


def test_load_state_dict_keeps_a_python_number_a_python_number():
    model = Holder()
    model.load_state_dict({**model.state_dict(), "scale": np.array(3.0)})
    assert type(model.scale.data) is float and model.scale.data == 3.0


def test_load_state_dict_names_everything_that_is_wrong_and_leaves_the_model_alone():
    model = mlp()
    before, state = model.state_dict(), mlp(1).state_dict()
    del state["layers.0.bias"]
    state |= {"other": np.ones(1), "layers.2.bias": np.ones(2, np.float32)}
    state["layers.0.weight"] = state["layers.0.weight"].astype(np.float64)
    with pytest.raises(ArgumentError) as error:
        model.load_state_dict(state)
    told = ("layers.0.bias is missing", "'other' is unknown", "shape (2,), not (1,)", "not float32")
    assert all(text in str(error.value) for text in told)
    assert all((before[name] == array).all() for name, array in model.state_dict().items())


def test_train_and_eval_reach_every_module():
    model = Sequential(Linear(1, 1), Sequential(nn.ReLU()))
    assert model.training and not model.eval().training
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())


def test_zero_grad_forgets_all_gradients():
    model = mlp()
    model(np.ones((4, 2), np.float32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal_share_no_memory_and_keep_what_was_shared(twin):
    model = Sequential(Linear(2, 2, generator=0), np.tanh, Linear(2, 2, generator=1))
    model.layers[2].weight = model.layers[0].weight
    other, x = twin(model), np.ones((1, 2), np.float32)
    assert (other(x).data == model(x).data).all() and names(other) == names(model)
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert not np.shares_memory(ours.data, theirs.data)


def test_pickling_a_module_that_holds_a_graph_is_refused():
    model = Holder()
    model(np.ones((1, 1), np.float32))
    with pytest.raises(GraphError, match="cannot be copied or pickled"):
        pickle.dumps(model)


def test_repr_shows_shapes_and_the_number_of_parameters():
    assert repr(Linear(2, 3)) == "Linear(weight (2, 3), bias (3,)): 9 parameters"
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(slope=0.2)"
    assert repr(mlp()).splitlines()[0] == "MLP: 13 parameters"
    assert "  layers.1  ReLU()" in repr(mlp()).splitlines()


# ---- layers


def test_linear_computes_x_weight_plus_bias():
    layer = Linear(2, 3, dtype=np.float64)
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    state = layer.state_dict()
    assert (layer(x).data == x @ state["weight"] + state["bias"]).all()
    assert layer(x[0]).shape == (3,) and layer(x[None]).shape == (1, 2, 3)
    assert Linear(2, 3, bias=False).bias is None and layer([[1, 2]]).shape == (1, 3)


def test_weights_begin_uniform_within_one_over_the_root_of_the_inputs():
    weight = Linear(400, 300, generator=0).weight.data
    assert abs(weight).max() <= 0.05 and abs(weight).max() > 0.0499
    assert abs(weight.mean()) < 1e-3 and weight.std() == pytest.approx(0.05 / 3**0.5, rel=0.01)


def test_one_seed_gives_the_same_bits_in_every_dtype():
    narrow, wide = (mlp(3, dtype=dtype).state_dict() for dtype in (np.float32, np.float64))
    assert all((narrow[name] == wide[name].astype(np.float32)).all() for name in wide)
    again = mlp(np.random.default_rng(3)).state_dict()
    assert all((narrow[name] == again[name]).all() for name in narrow)


def test_the_global_random_state_is_neither_read_nor_touched():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = Linear(2, 2, generator=0).state_dict()["weight"]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert (Linear(2, 2, generator=0).state_dict()["weight"] == first).all()


def test_layers_without_a_seed_differ_from_each_other():
    assert (Linear(3, 3).weight.data != Linear(3, 3).weight.data).all()
    model = MLP(3, [3], 3, generator=0)
    assert (model.layers[0].weight.data != model.layers[2].weight.data).all()


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.ones((4, 3)), r"Linear\(2, 1\): x must have shape \(\.\.\., 2\), got \(4, 3\)"),
        (1.0, r"x must have shape \(\.\.\., 2\), got \(\)"),
        ([[1.0]], r"x must have shape \(\.\.\., 2\), got \(1, 1\)"),
    ],
)
def test_an_x_that_does_not_fit_is_refused_with_both_shapes(x, told):
    with pytest.raises(ShapeError, match=told):
        Linear(2, 1)(x)


def test_a_misfit_within_a_network_names_the_layer():
    with pytest.raises(ShapeError, match=r"^layers\.1: Linear\(4, 1\): x must have shape"):
        Sequential(Linear(2, 3), Linear(4, 1))(np.ones((1, 2)))
    with pytest.raises(ShapeError, match=r"pass x\[:, None\] for one feature"):
        Linear(1, 1)(np.ones(4))


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2", None])
def test_sizes_are_whole_numbers_from_one(size):
    with pytest.raises(ArgumentError, match="Linear: in_features "):
        Linear(size, 1)
    with pytest.raises(ArgumentError, match=r"MLP: hidden\[0\] "):
        MLP(1, [size], 1)


@pytest.mark.parametrize("seed", [-1, 1.5, "seed", True, np.random])
def test_generators_are_generators_or_seeds(seed):
    with pytest.raises(ArgumentError, match="generator must be a numpy"):
        Linear(1, 1, generator=seed)


@pytest.mark.parametrize("dtype", [int, "complex64", object, None, "nonsense"])
def test_dtypes_are_floating(dtype):
    with pytest.raises(DtypeError, match="dtype must be a floating dtype"):
        Linear(1, 1, dtype=dtype)


def test_a_layer_larger_than_memory_is_refused():
    with pytest.raises(ArgumentError, match="must fit in memory"):
        Linear(10**9, 10**9)


def test_float32_stays_float32_through_a_network():
    model, x = mlp(), np.ones((4, 2), np.float32)
    out = model(x)
    out.sum().backward()
    assert out.dtype == np.float32
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("activation", ["tanh", np.tanh, nn.Tanh, nn.Tanh(), lambda x: x.tanh()])
def test_an_activation_is_a_name_a_function_or_a_module(activation):
    x = np.array([[0.5, -0.5]])
    model = mlp(activation=activation, dtype=np.float64)
    first, _, last = model
    assert np.allclose(model(x).data, last(np.tanh(first(x))).data, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(nn.activations.ACTIVATIONS))
def test_every_named_activation_trains(name):
    model = mlp(activation=name)
    model(np.ones((2, 2), np.float32)).sum().backward()
    assert all(np.isfinite(p.grad).all() for p in model.parameters())


def test_an_unknown_activation_is_refused_with_the_nearest_name():
    with pytest.raises(ArgumentError, match=r"activation must .*got 'relo'; did you mean 'relu'\?"):
        MLP(1, [], 1, "relo")


def test_an_mlp_without_hidden_layers_is_a_line():
    assert names(MLP(2, [], 1)) == ["layers.0.weight", "layers.0.bias"]


@pytest.mark.parametrize("hidden", [16, "16", None, {16: 16}])
def test_hidden_is_a_list_of_widths(hidden):
    with pytest.raises(ArgumentError, match="hidden must be a list of widths"):
        MLP(1, hidden, 1)


@pytest.mark.parametrize("layer", [[Linear(1, 1)], 3, nn.ReLU, None])
def test_what_is_no_layer_is_refused(layer):
    with pytest.raises(ArgumentError, match="layer 1 must be a module or a function"):
        Sequential(nn.ReLU(), layer)


def test_a_sequence_has_a_length_positions_and_an_order():
    model = Sequential(nn.ReLU(), nn.Tanh())
    assert len(model) == 2 and [type(x) for x in model] == [nn.ReLU, nn.Tanh]
    assert model[1] is model.layers[1] and Sequential()(3.0) == 3.0


@pytest.mark.torch
def test_a_network_equals_pytorchs_with_the_same_weights():
    torch = pytest.importorskip("torch")
    ours, x = mlp(dtype=np.float64, activation="gelu"), np.random.default_rng(0).normal(size=(5, 2))
    layers = torch.nn.Linear(2, 3), torch.nn.GELU(approximate="tanh"), torch.nn.Linear(3, 1)
    theirs = torch.nn.Sequential(*layers).double()
    state = {k.removeprefix("layers."): torch.tensor(v.T) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state)
    assert np.allclose(ours(x).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-13)


# ---- in a notebook


def shown(module):
    """Return the text that a notebook shows, without the markup."""
    html = re.sub("<style>.*?</style>", "", module._repr_html_(), flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", html).split())


class Bag(tg.nn.Module):
    """A module with that many parameters of its own."""

    def __init__(self, count):
        self.size = 3
        self.values = [tg.Value(np.ones(2)) for _ in range(count)]


@pytest.mark.parametrize("count", [6, 7])
def test_a_notebook_shows_six_parameters_of_a_layer(count):
    text = shown(Bag(count))
    assert f"values.5 2{', 1 more' if count > 6 else ''} {2 * count}" in text
    assert "Bag(size=3)" in text and f"{2 * count} parameters" in text


def test_a_notebook_shows_layers_counts_mode_and_what_is_frozen():
    model = nn.MLP(2, [3], 1, "tanh")
    assert shown(model) == (
        "MLP · 13 parameters · in training mode layer kind parameters count layers.0 Linear "
        "weight 2 × 3, bias 3 9 layers.1 Tanh 0 layers.2 Linear weight 3 × 1, bias 1 4 all 13"
    )
    model.layers[2].bias.requires_grad = False
    assert "13 parameters · 1 frozen · in evaluation mode" in shown(model.eval())
    assert "0 parameters" in shown(nn.Tanh()) and "(itself) Tanh" in shown(nn.Tanh())
    number = Bag(0)
    number.w = tg.Value(2.0)
    assert "1 parameter ·" in shown(number) and "(itself) Bag(size=3) w 1" in shown(number)
    assert repr(number) == "Bag(size=3, w ()): 1 parameter" and repr(nn.Tanh()) == "Tanh()"


@pytest.mark.parametrize("number", [2.0, np.float32(2), np.array(2.0), np.ones((2, 3), np.float32)])
def test_a_loaded_parameter_keeps_the_type_of_its_data(number):
    class Own(nn.Module):
        def __init__(self):
            self.w = tg.Value(number)

    model = Own()
    model.load_state_dict({"w": np.full(np.shape(number), 7, np.asarray(number).dtype)})
    assert type(model.w.data) is type(number) and np.all(model.w.data == 7)
