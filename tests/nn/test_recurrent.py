"""Recurrent cells and layers: PyTorch's numbers with PyTorch's weights, whole or step by step."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import nn
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

KINDS = ["RNN", "GRU", "LSTM"]
WIDE = {"dtype": np.float64, "generator": 0}

each_kind = pytest.mark.parametrize("kind", KINDS)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def layer(kind, *sizes, **options):
    return getattr(nn, kind)(*sizes, **{**WIDE, **options})


def first_state(kind, *shape, seed=1):
    h, c = numbers(2, *shape, seed=seed)
    return (h, c) if kind.startswith("LSTM") else h


def parts(state):
    """The arrays of a state, whatever its kind."""
    return list(state) if isinstance(state, tuple) else [state]


def arrays(tree):
    return [x.numpy() for part in tree for x in parts(part)]


def into_torch(torch, ours, theirs):
    """Give PyTorch's module our weights; the names in its own order are ours in the same."""
    with torch.no_grad():
        for p, (_, q) in zip(ours.parameters(), theirs.named_parameters(), strict=True):
            q.copy_(torch.tensor(p.data.T))
    return theirs.double()


# ---- PyTorch's numbers


LAYERS = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "bias": False},
    {"batch_first": False, "num_layers": 2},
]


@pytest.mark.torch
@pytest.mark.parametrize("options", LAYERS, ids=str)
@each_kind
def test_a_layer_gives_pytorchs_values_and_gradients(kind, options):
    torch = pytest.importorskip("torch")
    ours = layer(kind, 3, 4, **options)
    theirs = getattr(torch.nn, kind)(3, 4, **{"batch_first": True, **options}).double()
    into_torch(torch, ours, theirs)
    x, begin = numbers(2, 5, 3), first_state(kind, len(ours.cells), 5, 4)
    if options.get("batch_first", True):
        x = np.swapaxes(x, 0, 1).copy()
    mine = [tg.Value(a) for a in (x, *parts(begin))]
    other = [torch.tensor(a, requires_grad=True) for a in (x, *parts(begin))]
    for inputs, run in ((mine, ours), (other, theirs)):
        out, last = run(inputs[0], tuple(inputs[1:]) if kind == "LSTM" else inputs[1])
        sum((part * part).sum() for part in (out, *parts(last))).backward()
        inputs.append(out)
    np.testing.assert_allclose(mine.pop().data, other.pop().detach().numpy(), rtol=1e-12)
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-10, atol=1e-12)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.T, q.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"nonlinearity": "relu"}], ids=str)
@each_kind
def test_a_cell_gives_pytorchs_values_and_gradients(kind, options):
    torch = pytest.importorskip("torch")
    if kind != "RNN" and "nonlinearity" in options:
        pytest.skip("only plain cells have a nonlinearity")
    ours = layer(f"{kind}Cell", 3, 4, **options)
    theirs = into_torch(torch, ours, getattr(torch.nn, f"{kind}Cell")(3, 4, **options).double())
    x, begin = numbers(5, 3), first_state(kind, 5, 4)
    mine, other = ours(x, begin), theirs(torch.tensor(x), *_pair(torch, begin))
    for a, b in zip(parts(mine), parts(other), strict=True):
        np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-13)
    sum((part * part).sum() for part in parts(mine)).backward()
    sum((part * part).sum() for part in parts(other)).backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.T, q.grad.numpy(), rtol=1e-11, atol=1e-13)


def _pair(torch, begin):
    tensors = [torch.tensor(part) for part in parts(begin)]
    return [tuple(tensors)] if len(tensors) > 1 else tensors


@pytest.mark.torch
@each_kind
def test_weights_begin_where_pytorchs_do(kind):
    torch = pytest.importorskip("torch")
    ours, theirs = layer(kind, 50, 64), getattr(torch.nn, kind)(50, 64)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.data.T.shape == tuple(q.shape) and abs(p.data).max() <= 1 / 8
        assert p.data.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.2)


# ---- what must agree without it


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"num_layers": 2}], ids=str)
@each_kind
def test_a_layer_is_its_cells_step_after_step(kind, options):
    whole, x = layer(kind, 3, 4, **options), numbers(2, 6, 3)
    out, last = whole(x)
    steps = [x[:, t] for t in range(6)]
    for i, cell in enumerate(whole.cells):
        state = None
        for t in range(6):
            state = cell(steps[t], state)
            steps[t] = parts(state)[0]
        for a, b in zip(parts(last), parts(state), strict=True):
            np.testing.assert_allclose(a.data[i], b.data, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(out.data, np.stack([s.data for s in steps], 1), rtol=1e-13)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@each_kind
def test_derivatives_of_a_layer_agree_with_central_differences(kind, options):
    whole = layer(kind, 2, 2, **options)
    for p in whole.parameters():
        p.requires_grad = False

    def f(x, *begin):
        out, last = whole(x, begin if kind == "LSTM" else begin[0])
        return [out, *parts(last)]

    begin = first_state(kind, len(whole.cells), 1, 2)
    tg.check_gradients(f, numbers(1, 2, 2), *parts(begin), order=1)


@each_kind
def test_derivatives_of_the_weights_agree_with_central_differences(kind):
    whole, x = layer(kind, 2, 2), numbers(2, 3, 2)
    weights = [p.numpy() for p in whole.parameters()]

    def f(*weights):
        twin = layer(kind, 2, 2)
        names = ["weight_input", "weight_hidden", "bias_input", "bias_hidden"]
        for name, weight in zip(names, weights, strict=True):
            setattr(twin.cells[0], name, weight)
        return twin(tg.Value(x, requires_grad=False))[0]

    tg.check_gradients(f, *weights, order=1)


@each_kind
def test_batch_first_only_turns_the_axes(kind):
    first, later = layer(kind, 3, 4), layer(kind, 3, 4, batch_first=False)
    x = numbers(5, 7, 3)
    a, b = first(x), later(np.swapaxes(x, 0, 1))
    np.testing.assert_array_equal(a[0].data, np.swapaxes(b[0].data, 0, 1))
    assert all(map(np.array_equal, arrays(a[1:]), arrays(b[1:])))


@each_kind
def test_one_sequence_needs_no_batch_axis(kind):
    whole, x = layer(kind, 3, 4, num_layers=2), numbers(7, 3)
    alone, together = whole(x), whole(x[None])
    for a, b in zip(arrays(alone), arrays(together), strict=True):
        assert a.ndim == 2
        np.testing.assert_array_equal(a, b[0] if b.shape[0] == 1 else b[:, 0])
    begin = first_state(kind, 2, 4)
    assert whole(x, begin)[0].shape == (7, 4)


@each_kind
def test_a_sequence_may_be_cut_and_its_state_handed_on(kind):
    whole, x = layer(kind, 3, 4, num_layers=2), numbers(2, 8, 3)
    out, last = whole(x)
    first, state = whole(x[:, :5])
    second, end = whole(x[:, 5:], state)
    joined = np.concatenate([first.data, second.data], axis=1)
    np.testing.assert_allclose(out.data, joined, rtol=1e-13, atol=1e-15)
    for a, b in zip(parts(last), parts(end), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-13, atol=1e-15)


@each_kind
def test_one_row_may_go_through_a_cell(kind):
    cell, x = layer(f"{kind}Cell", 3, 4), numbers(5, 3)
    alone, together = cell(x[0]), cell(x)
    for a, b in zip(parts(alone), parts(together), strict=True):
        np.testing.assert_allclose(a.data, b.data[0], rtol=1e-13)


@each_kind
def test_inputs_of_any_size_give_finite_states_and_gradients(kind):
    whole, x = layer(kind, 3, 4, dtype=np.float32), np.float32(1e4) * numbers(2, 6, 3)
    out, _ = whole(x.astype(np.float32))
    out.sum().backward()
    assert np.isfinite(out.data).all() and out.dtype == np.float32
    assert all(np.isfinite(p.grad).all() for p in whole.parameters())
    assert {p.grad.dtype for p in whole.parameters()} == {np.dtype(np.float32)}


@each_kind
def test_wide_inputs_are_not_narrowed_by_narrow_weights(kind):
    narrow, x = layer(kind, 3, 4, dtype=np.float32), numbers(2, 6, 3)
    wide = layer(kind, 3, 4)
    wide.load_state_dict({k: v.astype(float) for k, v in narrow.state_dict().items()})
    np.testing.assert_allclose(narrow(x)[0].data, wide(x)[0].data, rtol=1e-14)
    assert narrow(x)[0].dtype == np.float64 and narrow([[1, 2, 3]])[0].shape == (1, 4)


@each_kind
def test_dropout_falls_between_layers_in_training_only(kind):
    x = np.ones((2, 3, 3))
    whole = layer(kind, 3, 4, num_layers=2, dropout=0.5)
    plain = layer(kind, 3, 4, num_layers=2)
    assert not np.allclose(whole(x)[0].data, plain(x)[0].data)
    np.testing.assert_array_equal(whole.eval()(x)[0].data, plain(x)[0].data)
    again = [layer(kind, 3, 4, num_layers=2, dropout=0.5)(x)[0].data for _ in range(2)]
    np.testing.assert_array_equal(*again)


@each_kind
def test_parameters_are_named_by_their_cell(kind):
    names = [name for name, _ in layer(kind, 3, 4, num_layers=2).named_parameters()]
    assert names[:2] == ["cells.0.weight_input", "cells.0.weight_hidden"]
    assert names[-1] == "cells.1.bias_hidden" and len(names) == 8
    assert "cells.1" in repr(layer(kind, 3, 4, num_layers=2))


@pytest.mark.slow
def test_a_recurrent_network_learns_to_remember_the_first_number():
    rng = np.random.default_rng(0)
    body, head = nn.GRU(1, 8, generator=0), nn.Linear(8, 1, generator=1)
    optimizer = tg.optim.SGD([*body.parameters(), *head.parameters()], 0.1, momentum=0.9)
    for _ in range(150):
        x = rng.normal(size=(32, 5, 1)).astype(np.float32)
        loss = tg.losses.mse(head(body(x)[0][:, -1]), x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


# ---- bad use


@pytest.mark.parametrize("shape", [(2, 5, 4), (5, 2), (3,), (), (1, 2, 5, 3)])
@each_kind
def test_an_x_that_does_not_fit_is_refused(kind, shape):
    with pytest.raises(ShapeError, match=rf"{kind}\(3, 4\): x must have shape .*\(time, 3\), got"):
        layer(kind, 3, 4)(np.ones(shape))
    with pytest.raises(ShapeError, match=rf"{kind}Cell\(3, 4\): x must have shape "):
        layer(f"{kind}Cell", 3, 4)(np.ones((*shape, 2)))


@each_kind
def test_a_sequence_without_steps_is_refused(kind):
    with pytest.raises(ShapeError, match="x must have at least one time step"):
        layer(kind, 3, 4)(np.ones((2, 0, 3)))


@each_kind
def test_a_state_that_does_not_fit_is_refused(kind):
    x = np.ones((2, 5, 3))
    with pytest.raises(ShapeError, match=r"state must have shape \(1, 2, 4\)"):
        layer(kind, 3, 4)(x, first_state(kind, 2, 2, 4))
    with pytest.raises(ShapeError, match=r"state must have shape \(2, 4\), got \(3, 4\)"):
        layer(f"{kind}Cell", 3, 4)(x[:, 0], first_state(kind, 3, 4))


def test_the_state_of_an_lstm_is_a_pair():
    with pytest.raises(ArgumentError, match=r"state must be a pair \(h, c\)"):
        layer("LSTM", 3, 4)(np.ones((2, 5, 3)), np.ones((1, 2, 4)))


@each_kind
def test_bad_settings_are_refused(kind):
    with pytest.raises(ArgumentError, match=": hidden_size "):
        layer(kind, 3, 0)
    with pytest.raises(ArgumentError, match=": num_layers "):
        layer(kind, 3, 4, 1.5)
    with pytest.raises(DtypeError, match="dtype must be a floating"):
        layer(kind, 3, 4, dtype=int)
    with pytest.raises(ArgumentError, match="nonlinearity must be 'tanh' or 'relu', got 'gelu'"):
        nn.RNNCell(3, 4, nonlinearity="gelu")


@each_kind
@pytest.mark.parametrize("bidirectional", [False, True])
def test_cells_that_do_not_fit_in_memory_are_refused_before_they_are_made(
    monkeypatch, kind, bidirectional
):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    numbers = 3 * (1 + bidirectional) * (gates * 4 * 4 + 1000)
    size = "tinygrad_lr.support.validation.memory_size"
    options = {"num_layers": 3, "bidirectional": bidirectional}
    monkeypatch.setattr(size, lambda: 8 * numbers)
    assert layer(kind, 2, 4, **options).num_layers == 3
    monkeypatch.setattr(size, lambda: 8 * numbers - 1)
    with pytest.raises(ArgumentError, match=f"{kind}: cells must fit in memory"):
        layer(kind, 2, 4, **options)
