"""Weights from PyTorch and to it: the same networks give the same numbers."""

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DataFileError
from tinygrad_lr.interop import torch as interop

pytest.importorskip("safetensors")

KINDS = ["float32", "float64"]


class Block(nn.Module):
    """Attributes, lists and dicts of modules, parameters and buffers of its own."""

    def __init__(self, dtype):
        self.scale = tg.Value(np.array([1, 2, 3], dtype))
        self.offset = np.array([4, 5, 6], dtype)
        self.heads = [nn.Linear(2, 3, dtype=dtype), nn.Linear(2, 3, bias=False, dtype=dtype)]
        self.rest = {"last": nn.Sequential(nn.Linear(3, 4, dtype=dtype))}

    def forward(self, x):
        hidden = (self.heads[0](x) + self.heads[1](x)) * self.scale + self.offset
        return self.rest["last"](np.tanh(hidden))


def block(torch):
    """The same in PyTorch."""

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(3))
            self.register_buffer("offset", torch.zeros(3))
            heads = [torch.nn.Linear(2, 3), torch.nn.Linear(2, 3, bias=False)]
            self.heads = torch.nn.ModuleList(heads)
            self.rest = torch.nn.ModuleDict({"last": torch.nn.Sequential(torch.nn.Linear(3, 4))})

        def forward(self, x):
            hidden = (self.heads[0](x) + self.heads[1](x)) * self.scale + self.offset
            return self.rest["last"](hidden.tanh())

    return Block()


def network(of, **kind):
    """Convolutions with running means, in this package and in PyTorch by the same lines."""
    return of.Sequential(
        of.Conv2d(2, 4, 3, padding=1, bias=False, **kind),
        of.BatchNorm2d(4, **kind),
        of.ReLU(),
        of.MaxPool2d(2),
        of.Conv2d(4, 6, 3, groups=2, **kind),
        of.ReLU(),
        of.Flatten(),
        of.Linear(24, 5, **kind),
        of.BatchNorm1d(5, affine=False, **kind),
        of.PReLU(**kind),
        of.LayerNorm(5, **kind),
        of.RMSNorm(5, **kind),
    )


def words(of, **kind):
    return of.Sequential(of.Embedding(10, 3, **kind), of.Linear(3, 2, **kind))


def nested(of, **kind):
    return of.Sequential(of.Sequential(of.Conv1d(3, 2, 4, 2, **kind)), of.Flatten())


NETWORKS = [
    ((7, 3), lambda of, **kind: of.Linear(3, 4, **kind)),
    ((5, 3), lambda of, **kind: of.GRUCell(3, 4, **kind)),
    ((5, 2, 8, 8), network),
    ((4, 3, 9), nested),
    ([[1, 2], [9, 0]], words),
]
RECURRENT = [
    (kind, options)
    for kind in ("RNN", "GRU", "LSTM")
    for options in ({}, {"bias": False}, {"num_layers": 2, "bidirectional": True})
]
ATTENTION = [({}, {}), ({"bias": False}, {"bias": False})]
ATTENTION += [({"key_dim": 3, "value_dim": 5}, {"kdim": 3, "vdim": 5})]


def close(found, expected, kind):
    tolerance = 1e-6 if kind == "float32" else 1e-12
    found = found.numpy() if isinstance(found, tg.Value) else found
    assert found.dtype == kind
    expected = expected.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def drawn(shape, kind):
    return np.random.default_rng(0).normal(size=shape).astype(kind)


def unlike(net, torch):
    """The network with running means and scales as they are after some training."""
    torch.manual_seed(0)
    with torch.no_grad():
        for x in (*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())):
            x.copy_(torch.rand_like(x) - 0.3 * (x.ndim > 1))
    return net.eval()


def both_ways(tmp_path, model, net, run):
    """Compare the outputs after loading from PyTorch, and after loading there what came from us."""
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    library.save_file(unlike(net, torch).state_dict(), tmp_path / "theirs.safetensors")
    interop.load_file(model, tmp_path / "theirs.safetensors")
    run(model, net)
    for x in model.parameters():
        x.data = x.numpy()[::-1] * x.dtype.type(0.5)
    interop.save_file(model, tmp_path / "ours.safetensors")
    net.load_state_dict(library.load_file(tmp_path / "ours.safetensors"), strict=True)
    run(model, net)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "make"), NETWORKS)
def test_a_network_computes_the_same_both_ways(tmp_path, shape, make, kind):
    torch = pytest.importorskip("torch")
    x = np.array(shape) if isinstance(shape, list) else drawn(shape, kind)
    model, net = make(nn, dtype=kind).eval(), make(torch.nn, dtype=getattr(torch, kind))
    both_ways(tmp_path, model, net, lambda m, n: close(m(x), n(torch.from_numpy(x)), kind))


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_a_perceptron_is_a_sequential_there(tmp_path, kind):
    torch = pytest.importorskip("torch")
    model = nn.MLP(3, [4], 2, "tanh", dtype=kind)
    layers = [torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)]
    net, x = torch.nn.Sequential(*layers).to(getattr(torch, kind)), drawn((5, 3), kind)
    both_ways(tmp_path, model, net, lambda m, n: close(m(x), n(torch.from_numpy(x)), kind))


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_modules_of_ones_own_have_the_names_of_their_attributes(tmp_path, kind):
    torch = pytest.importorskip("torch")
    net, x = block(torch).to(getattr(torch, kind)), drawn((5, 2), kind)
    run = lambda m, n: close(m(x), n(torch.from_numpy(x)), kind)
    both_ways(tmp_path, Block(kind), net, run)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
def test_bilinear_layers_have_one_layout(tmp_path, kind):
    torch = pytest.importorskip("torch")
    net, x, y = torch.nn.Bilinear(2, 3, 4), drawn((5, 2), kind), drawn((5, 3), kind)
    run = lambda m, n: close(m(x, y), n(torch.from_numpy(x), torch.from_numpy(y)), kind)
    both_ways(tmp_path, nn.Bilinear(2, 3, 4, dtype=kind), net.to(getattr(torch, kind)), run)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layer", "options"), RECURRENT)
def test_a_recurrent_layer_computes_the_same_both_ways(tmp_path, layer, options, kind):
    torch = pytest.importorskip("torch")
    x, model = drawn((2, 5, 3), kind), getattr(nn, layer)(3, 4, dtype=kind, **options)
    net = getattr(torch.nn, layer)(3, 4, batch_first=True, **options).to(getattr(torch, kind))

    def run(model, net):
        for found, expected in zip(model(x), net(torch.from_numpy(x)), strict=True):
            parts = isinstance(found, tuple)
            pairs = zip(found, expected, strict=True) if parts else [(found, expected)]
            for pair in pairs:
                close(*pair, kind)

    both_ways(tmp_path, model, net, run)


@pytest.mark.torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ours", "theirs"), ATTENTION)
def test_attention_computes_the_same_both_ways(tmp_path, ours, theirs, kind):
    torch = pytest.importorskip("torch")
    model = nn.MultiHeadAttention(6, 2, dtype=kind, **ours)
    net = torch.nn.MultiheadAttention(6, 2, batch_first=True, **theirs).to(getattr(torch, kind))
    widths = (6, ours.get("key_dim", 6), ours.get("value_dim", 6))
    x = [drawn((2, 5, width), kind) for width in widths]
    run = lambda m, n: close(m(*x), n(*map(torch.from_numpy, x))[0], kind)
    both_ways(tmp_path, model, net, run)


@pytest.mark.torch
def test_a_state_of_tensors_is_taken_too():
    torch = pytest.importorskip("torch")
    net, model = torch.nn.Linear(2, 3), nn.Linear(2, 3)
    interop.from_torch_state(model, net.state_dict())
    np.testing.assert_array_equal(model.weight.data, net.weight.detach().numpy().T)


MODELS = [
    lambda: nn.MLP(2, [3], 1),
    lambda: Block(np.float64),
    lambda: nn.Sequential(nn.BatchNorm1d(2), nn.LSTM(2, 3, 2), nn.MultiHeadAttention(4, 2)),
    lambda: nn.Residual(nn.Linear(2, 2)),
]


@pytest.mark.parametrize("make", MODELS)
def test_what_went_to_pytorch_comes_back(make):
    first, second = make(), make()
    interop.from_torch_state(second, interop.to_torch_state(first))
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], array)


def test_the_state_is_a_copy_in_c_order():
    model = nn.Sequential(nn.Linear(2, 3))
    state = interop.to_torch_state(model)
    before = model.state_dict()
    for array in state.values():
        assert array.flags.c_contiguous
        array += 1
    assert all((model.state_dict()[name] == before[name]).all() for name in before)


def test_the_counter_of_batches_may_be_missing_or_there():
    model = nn.Sequential(nn.BatchNorm1d(2))
    state = interop.to_torch_state(model)
    assert state["0.num_batches_tracked"].dtype == np.int64
    interop.from_torch_state(model, state | {"0.num_batches_tracked": np.array(12)})
    interop.from_torch_state(model, {n: x for n, x in state.items() if "tracked" not in n})


def test_a_layer_that_stands_twice_has_its_first_name():
    layer = nn.Linear(2, 2)
    assert list(interop.to_torch_state(nn.Sequential(layer, layer))) == ["0.weight", "0.bias"]


def test_all_that_does_not_fit_is_named_as_in_pytorch_and_nothing_changes(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.LSTM(1, 1))
    state, before = interop.to_torch_state(model), model.state_dict()
    del state["1.bias"]
    state |= {"0.weight": np.zeros((2, 3), np.float32), "head.weight": np.zeros(3)}
    state["2.bias_hh_l0"] = np.zeros(4)
    tg.checkpoint.save_file(state, tmp_path / "net.safetensors")
    says = (
        r"net\.safetensors: .*Sequential.*1\.bias is missing; 'head\.weight' is unknown; "
        r"0\.weight has shape \(2, 3\), not \(3, 2\); 2\.bias_hh_l0 has dtype float64, not float32"
    )
    with pytest.raises(DataFileError, match=says):
        interop.load_file(model, tmp_path / "net.safetensors")
    assert all((model.state_dict()[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_floats_of_another_precision_are_taken_when_asked(tmp_path, kind):
    model = nn.Linear(2, 1)
    state = {"weight": np.array([[1, 2]], kind), "bias": np.array([3], kind)}
    tg.checkpoint.save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(DataFileError, match=f"bias has dtype {kind}, not float32"):
        interop.load_file(model, tmp_path / "net.safetensors")
    interop.load_file(model, tmp_path / "net.safetensors", cast=True)
    assert model.weight.dtype == np.float32 and model.weight.tolist() == [[1], [2]]


def test_integers_are_never_taken_for_weights():
    state = {"weight": np.ones((1, 2), int), "bias": np.ones(1, np.float32)}
    with pytest.raises(ArgumentError, match="weight has dtype int64, not float32"):
        interop.from_torch_state(nn.Linear(2, 1), state, cast=True)


def test_what_is_no_dict_is_refused():
    with pytest.raises(ArgumentError, match="arrays by name, got list"):
        interop.from_torch_state(nn.Linear(2, 1), [1, 2])


@pytest.mark.slow
def test_pytorch_is_not_imported():
    code = """if True:
        import sys
        import tinygrad_lr as tg
        assert "tinygrad_lr.interop" not in sys.modules
        tg.interop.torch.to_torch_state(tg.nn.LSTM(2, 3))
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
